//! `buildmaster`: a continuous-integration master with the architecture of Buildbot.
//!
//! A single daemon turns [changes](model::Change) into [build sets](model::BuildSet), splits each
//! set into [requests](model::BuildRequest) for builders, and serves the requests with
//! [builds](build) on slaves. The slaves are connected over Twisted's Perspective Broker. Every
//! slave and every client that Buildbot ever shipped can connect.
//!
//! # The main rule
//!
//! *Decisions live in code that cannot do I/O. I/O lives in code that decides nothing.* The pure
//! modules are plain structs. Time and randomness are arguments, so the tests can run millions of
//! histories from seeds.
//!
//! # Map
//!
//! A module imports only from lower floors. A test (`tests/it/tidy`) checks this.
//!
//! | floor | module | purpose |
//! | --- | --- | --- |
//! | 8 | [`cli`], `src/bin` | command lines, messages, exit codes; `show`, `simulate`, `demo` |
//! | 7 | [`daemon`] | composition: tasks, signals, shutdown; the engine that owns the core |
//! | 6 | [`web`] | the web pages and the JSON API of a running master |
//! | 6 | [`changes`] | change sources: `sendchange`, mails, job directories |
//! | 6 | [`status`] | status objects for try clients and live clients; bots on IRC; the outbox |
//! | 6 | [`client`] | programs for developers, hooks and mail servers: `sendchange`, `hook`, `try` |
//! | 6 | [`buildslave`] | the native slave, as a program and inside the master |
//! | 5 | [`control`] | the handle for questions to the core; the control socket |
//! | 5 | [`build`] | runs one build: steps, commands, logs |
//! | 4 | [`view`] | typed views of builds, sets, builders, slaves and changes, for all readers |
//! | 3 | [`botmaster`] | **pure**: builders, slaves, locks, sets, requests; decides what starts |
//! | 2 | [`schedulers`] | **pure**: the registry and all kinds of schedulers |
//! | 2 | [`people`] | **pure**: who may do what |
//! | 2 | [`net`] | drives a broker over a stream; logins; slaves as objects |
//! | 2 | [`store`], [`logs`] | the state in SQLite with one writer; step logs as plain files |
//! | 2 | [`import`] | **pure**: translates the dump of a Buildbot farm into a configuration |
//! | 2 | [`daemonize`] | background processes, pid files, log files with rotation |
//! | 1 | [`clock`] | the clocks, read in one place |
//! | 1 | [`config`] | **pure**: checks `master.toml` and reports all errors at once |
//! | 1 | [`protocol`] | **pure**: typed requests and answers over Perspective Broker |
//! | 1 | [`vc`] | **pure**: facts about each version control system |
//! | 1 | [`verdict`] | **pure**: the problems of the trees, as the builds tell them |
//! | 1 | [`process`] | runs programs with limits |
//! | 1 | [`transfer`] | files of the master that slaves send and read |
//! | 0 | [`process_lock`] | a lock for one process at a time |
//! | 0 | [`directory`] | directories held open as descriptors; never follows links in them |
//! | 0 | [`platform`] | the differences between Unix and Windows |
//! | 0 | [`blocking`] | work that blocks, away from the tasks |
//! | 0 | [`measure`] | counts and durations of the running program |
//! | 0 | [`inbox`] | how a thread with deadlines waits for messages |
//! | 0 | [`backoff`] | **pure**: delays that double before each retry |
//! | 0 | [`text`] | text for people: safe output, lists in words, tables, durations, sizes |
//! | 0 | [`pb`] | **pure**: banana, jelly, broker and login: bytes in, bytes out |
//! | 0 | [`model`] | **pure**: the domain, build time estimates, the journal of state changes |
//!
//! # Platforms
//!
//! The master needs Unix: [`store`], [`logs`], [`transfer`], [`directory`], [`view`], [`control`],
//! [`build`], [`changes`], [`status`], [`web`] and [`daemon`] are compiled for Unix only, as are
//! the verbs of the program `buildmaster`. On Windows, the same file is the native slave and the
//! client `buildbot`. These and everything below them call Unix and Windows through [`platform`]
//! (`tests/it/tidy` checks this).
//!
//! # Invariants
//!
//! - **Durable before visible.** Data that must survive a crash goes to the store with a ticket.
//!   The master answers, announces or starts only after the store has confirmed the ticket. A
//!   change, its effect on the schedulers and its build sets are one transaction. So are the end of
//!   a build and the end of its requests.
//! - **A request that can start does start.** After each input, the core starts builds until no
//!   further build can start.
//! - **A slave is fully usable or disconnected.** Each step of an attachment has a deadline. Late
//!   answers of an earlier attachment have no effect (epochs).
//! - **One owner per piece of state.** The engine task owns the core, the writer thread owns the
//!   state, and a connection task owns its socket. All channels are bounded, and each documents
//!   what happens when it is full.
//! - **Log text bypasses the core.** It goes from the connection to the log file as slices of the
//!   receive buffer. A slow disk makes the slave wait; a full disk makes it wait for some minutes.
//! - **Memory is limited in bytes, not in counts.** The messages of a user that has logged in use
//!   that user's share of memory (`net/budget.rs`). Without free memory, the connection is not
//!   read. Patches stay on disk until a build needs them.
//! - **What people are told is written with its cause.** A letter is an op of the ticket that
//!   carries the event, and is delivered at least once, with the same key each time
//!   (`status/outbox`).
//! - **Equal seeds give equal runs** of the core, because every iterated collection is ordered.
//!
//! # A change becomes a build
//!
//! `sendchange` logs in ([`net::login`]) and calls `addChange`. [`changes`] decodes the change and
//! hands it to [`control`] as an offer ([`model::offer`]), as every source does. There it is looked
//! up by its identity, and sent to the engine. The core numbers the changes that are new, offers
//! them to each scheduler ([`schedulers`]), and emits one `Persist` with the changes, the cursor of
//! their source, the new state of the schedulers and the build sets that are due. The [`store`]
//! commits this, together with other pending writes, and confirms the ticket. Now the client gets
//! its answer and the requests are queued.
//!
//! The core chooses the first request in build order whose builder has an available slave. It pings
//! the slave and tells it `startBuild`. When the slave agrees, the build gets its number, durably.
//! Then [`build::run`] runs the steps. Each step starts a remote command and writes the output to
//! its log. The result goes back to the core, which ends the build, its requests and, with the last
//! request, the set in one transaction. The durations of the steps of a successful build are the
//! estimate for the next build ([`model::progress`]).
//!
//! # A slave connects and disconnects
//!
//! The connection task logs the slave in, within limits that keep peers cheap until they give the
//! right password. If two slaves have the same name, the core decides between them. The core then
//! has the slave greeted and asked for its properties, sends the builder list, and attaches each
//! builder (`slavebuilder.rs` has the table of states). The login is answered only after that, so
//! a slave that considers itself connected is usable.
//!
//! If the connection is lost, all slave-builders of the slave are dropped, in any state. A running
//! build ends as RETRY, and its requests return to the front of the queue.
//!
//! A latent slave has no connection until it is chosen for a build. Then the core records that an
//! instance is being started, and [`daemon`] runs the command that starts the instance. The build
//! continues when the slave has attached. After the slave has been idle for a while, the core
//! disconnects it and stops the instance (`botmaster/substantiating.rs`).
//!
//! # A reconfigure
//!
//! `buildmaster reconfig` and SIGHUP reach the task that owns everything outside the core: doors,
//! job directories and local slaves. The task reads and checks the file, and prepares everything
//! that can fail, such as passwords and new ports. Only then it calls the core, where nothing can
//! fail.
//!
//! The core applies the configuration to what exists. Builders and slaves keep their places, so a
//! changed builder keeps its queue and its history. Slaves get a new builder list only if theirs
//! changes, and not while this would kill a build. Schedulers hand over their state, and locks keep
//! their holders. Unchanged parts are not disturbed.
//!
//! # A master stops or is killed
//!
//! At SIGTERM the core accepts no more work. Running builds are interrupted and end as RETRY,
//! instances of latent slaves are stopped, and the writer commits.
//!
//! After `kill -9` the store hands the open builds to the core, which ends them as RETRY and
//! requeues their requests, or as EXCEPTION if a user had stopped them. Recorded instances are
//! stopped before other instances start. Schedulers resume with their pending changes.
//!
//! History older than a horizon of the configuration is pruned in the background, page by page
//! ([`store::prune`]).

// What only the master uses.
#![cfg_attr(
    windows,
    allow(dead_code, unused_imports, reason = "the master needs Unix")
)]

pub mod backoff;
pub mod blocking;
pub mod botmaster;
#[cfg(unix)]
pub mod build;
pub mod buildslave;
#[cfg(unix)]
pub mod changes;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
#[cfg(unix)]
pub mod control;
#[cfg(unix)]
pub mod daemon;
pub mod daemonize;
#[cfg(unix)]
pub mod directory;
pub mod import;
pub mod inbox;
#[cfg(unix)]
pub mod logs;
pub mod measure;
pub mod model;
pub mod net;
pub mod pb;
pub mod people;
pub mod platform;
pub mod process;
pub mod process_lock;
pub mod protocol;
pub mod schedulers;
#[cfg(unix)]
pub mod status;
#[cfg(unix)]
pub mod store;
pub mod text;
#[cfg(unix)]
pub mod transfer;
pub mod vc;
pub mod verdict;
#[cfg(unix)]
pub mod view;
#[cfg(unix)]
pub mod web;
