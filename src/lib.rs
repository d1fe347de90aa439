//! `buildmaster`: a continuous-integration master faithful to the Buildbot architecture.
//!
//! A single daemon turns [changes](model::Change) into [build sets](model::BuildSet), splits them
//! into [requests](model::BuildRequest) per builder, and drains these queues by running
//! [builds](build) on slaves that are connected over Twisted's Perspective Broker. Every slave and
//! every client ever shipped with Buildbot still connects.
//!
//! # The rule that shapes everything
//!
//! *Decisions live in code that cannot do I/O. I/O lives in code that decides nothing.* The pure
//! parts are plain structs: time and randomness are arguments, so that the tests run them by the
//! million from a seed.
//!
//! # The map
//!
//! A module imports only from lower floors; a test (`tests/it/tidy.rs`) sees to it.
//!
//! | floor | module | what it does |
//! | --- | --- | --- |
//! | 7 | [`cli`], `src/bin` | command lines, messages, exit codes; `show`, `simulate`, `demo` |
//! | 6 | [`daemon`] | composition: tasks, signals, shutdown; the engine that owns the core |
//! | 5 | [`changes`] | what is handed in: the perspective of `sendchange`, job directories |
//! | 5 | [`status`] | those who follow builds: the status objects of try clients |
//! | 5 | [`client`] | what developers and hooks run: `sendchange`, `try`, `tryserver` |
//! | 5 | [`buildslave`] | the native slave, as a program and inside the master |
//! | 4 | [`control`] | the handle by which the outside asks the core; the control socket |
//! | 4 | [`build`] | runs one build: steps, commands, logs |
//! | 3 | [`botmaster`] | **pure**: builders, slave-builders, slaves, locks, sets, requests, what starts when |
//! | 2 | [`schedulers`] | **pure**: the registry and the kinds: Scheduler, AnyBranch, Dependent, Periodic, Nightly, the try schedulers |
//! | 2 | [`net`] | drives a broker over a stream; logins; slaves as objects |
//! | 2 | [`store`], [`logs`] | state in SQLite with one writer; step logs as plain files |
//! | 2 | [`daemonize`] | going to the background, pid files, log files with rotation |
//! | 1 | [`clock`] | the clocks, read in one place |
//! | 1 | [`config`] | **pure**: `master.toml`, checked, with all errors at once |
//! | 1 | [`protocol`] | **pure**: what peers say over Perspective Broker, typed |
//! | 1 | [`vc`] | **pure**: what is known of each version control system |
//! | 1 | [`process`] | runs programs within limits |
//! | 0 | [`process_lock`] | one process at a time |
//! | 0 | [`directory`] | directories held open as descriptors: nothing in them is reached through links |
//! | 0 | [`backoff`] | **pure**: delays that double, for what is tried again |
//! | 0 | [`text`] | text for people: made safe to print, lists in words, tables, durations and sizes |
//! | 0 | [`pb`] | **pure**: banana, jelly, broker, login: bytes in, bytes out |
//! | 0 | [`model`] | **pure**: the domain, how long builds will take, and the journal of what must be remembered |
//!
//! # Invariants
//!
//! - **Durable before visible.** What must survive a crash is handed to the store with a ticket,
//!   and answered, announced or started only when the ticket is confirmed. A change, its effect on
//!   the schedulers and the sets it makes are one transaction; so are a build's end and the end of
//!   its requests.
//! - **No request waits that could start.** After each input the core starts builds to a fixed
//!   point.
//! - **A slave is fully usable or disconnected.** Each step of an attachment has a deadline, and
//!   late answers of an earlier attachment change nothing (epochs).
//! - **One owner per piece of state.** The engine task owns the core; the writer thread owns the
//!   state; a connection task owns its socket. All channels are bounded, and each says what happens
//!   when it is full.
//! - **Log text never passes the core.** It goes from the connection to the log file as slices of
//!   the receive buffer; a slow disk makes the slave wait, and so does a full one, for some
//!   minutes.
//! - **Memory is bounded in bytes, not in counts.** What a user who has logged in sends takes room
//!   from the share of that user (`net/budget.rs`), and without room the connection is not read.
//!   Patches are on disk until a build needs them.
//! - **Equal seeds give equal runs** of the core: anything that is iterated is ordered.
//!
//! # A change becomes a build
//!
//! `sendchange` logs in ([`net::login`]) and calls `addChange`; [`changes`] decodes it and hands it
//! to [`control`], which asks the engine. The core gives it a number, offers it to each scheduler
//! ([`schedulers`]), and emits one `Persist` with the change, the schedulers' new state and the
//! sets that are due. The [`store`] commits it with whatever else waits, and confirms the ticket:
//! now the client is answered and the requests are queued. The core picks the oldest request whose
//! builder has an available slave, pings that slave, tells it `startBuild`, and when it agrees
//! gives the build its number, durably. Then [`build::run`] runs the steps: each starts a remote
//! command and writes what it says to its log. The outcome goes back to the core, which ends the
//! build, its requests and, with the last request, the set in one transaction. What the steps of a
//! successful build took is what the next build expects ([`model::progress`]).
//!
//! # A slave connects and disconnects
//!
//! The connection task logs it in, within limits that cost next to nothing before the password was
//! right. The core decides between two slaves of one name, then has it greeted and asked what it
//! is, sends the builder list, and attaches each builder (`slavebuilder.rs` has the table of
//! states). Only then the login is answered, so that the slave counts itself connected when it is.
//! When the connection is lost every slave-builder of it goes, whatever it was doing; a running
//! build ends as RETRY and its requests go back to the front of the queue.
//!
//! A latent slave has no connection until a build has chosen it. Then the core puts on record that
//! an instance is being started, and has [`daemon`] run the command that starts it; the build goes
//! on when the slave has attached. When nobody has wanted it for a while, it is disconnected and
//! stopped (`botmaster/substantiating.rs`).
//!
//! # A reconfiguration
//!
//! `buildmaster reconfig` or SIGHUP reaches the one task that owns what is not the core's: doors,
//! job directories, local slaves. It reads and checks the file and prepares everything that can
//! fail (passwords, new ports); only then the core is told, which cannot fail. The core lays the
//! configuration out over what is there: builders and slaves keep their places, so that a changed
//! builder is its own successor; slaves are told of their builders if that is news to them, but not
//! while a build would be killed by it; schedulers hand over; locks keep their holders. What has
//! not changed sees nothing.
//!
//! # A master stops, or is killed
//!
//! At SIGTERM the core takes no more work, running builds are interrupted and end as RETRY,
//! instances of latent slaves are stopped, and the writer commits. After `kill -9` the store finds
//! builds that are still open, ends them as RETRY and gives their requests back, or as EXCEPTION if
//! people had stopped them; instances that are on record are stopped before others are started;
//! schedulers resume with the changes they had gathered.
//!
//! What is beyond a horizon of the configuration is taken away in the background, a page at a time
//! ([`store::prune`]).

pub mod backoff;
pub mod botmaster;
pub mod build;
pub mod buildslave;
pub mod changes;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod control;
pub mod daemon;
pub mod daemonize;
pub mod directory;
pub mod logs;
pub mod model;
pub mod net;
pub mod pb;
pub mod process;
pub mod process_lock;
pub mod protocol;
pub mod schedulers;
pub mod status;
pub mod store;
pub mod text;
pub mod vc;
pub mod view;
