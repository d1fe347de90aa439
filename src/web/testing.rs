//! A small farm for tests of pages: a state on disk, a configuration, and a site that shows them.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::http::{HeaderMap, Request, StatusCode};
use tokio::sync::{mpsc, watch};

use super::site::Site;
use crate::botmaster::Live;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::control::{Control, Newsroom};
use crate::logs::{Channel, LogSink, LogStore};
use crate::model::journal::{BuildFinish, BuildStart, LogOpening, StepFinish, StepStart};
use crate::model::{
    BuildId, BuildNumber, BuildSet, Change, ChangeNumber, Decision, Forecast, NewChange, Op, Patch,
    PatchBody, Properties, RequestId, Results, SetId, SourceStamp, SourceStamps, StepOutcome,
    Ticket, Timestamp, Zone,
};
use crate::net::{Gatekeeper, Tasks};
use crate::store::Store;

mod searching;
mod visitor;

use visitor::Core;
pub(super) use visitor::{DISK_FULL, PEOPLE, Visitor};

/// A farm.
pub(super) struct Farm {
    dir: tempfile::TempDir,
    /// What the core knows.
    pub(super) live: Live,
    config: Arc<Config>,
    ops: Vec<Op>,
    /// Logs that are written when the site is asked, by their paths.
    logs: BTreeMap<String, StepLog>,
    /// The next build over all builders, which is also the request and the set.
    next: u64,
}

/// A log of a step.
struct StepLog {
    pieces: Vec<(Channel, Vec<u8>)>,
    is_closed: bool,
}

/// An answer of the site.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

/// The time at which pages are looked at: Thu 26 Nov 2026, 14:32:10 in Berlin.
pub(super) const NOW: Timestamp = Timestamp::from_secs(1_795_699_930);

const CONFIG: &str = r#"
title = "Brindle"
slave_port = 9989

[[slaves]]
name = "oak"
password = "x"

[[slaves]]
name = "elm"
password = "y"
notify_on_missing = ["admin@example.org"]

[factories.check]
steps = [{ type = "ShellCommand", command = "make" }]

[[builders]]
name = "linux"
description = "all tests"
tags = ["required"]
slaves = ["oak", "elm"]
factory = "check"

[[builders]]
name = "a/b c"
slaves = ["elm"]
factory = "check"

[[change_sources]]
type = "PB"
password_file = "secrets/change"

[[schedulers]]
type = "Scheduler"
name = "quick"
builders = ["linux", "a/b c"]

[web]
port = 8010
cors = ["https://dash.example"]
"#;

/// Some seconds before now.
pub(super) fn ago(secs: i64) -> Timestamp {
    Timestamp(NOW.0 - secs * 1_000_000)
}

/// The configuration of a farm, for tests that change it.
pub(super) const fn config_text() -> &'static str {
    CONFIG
}

impl Farm {
    /// A farm whose master has just started for the first time. Slave oak is connected.
    pub(super) fn new() -> Self {
        Self::with("")
    }

    /// A farm with these tables in its configuration besides.
    pub(super) fn with(tables: &str) -> Self {
        Self::of(&format!("{CONFIG}{tables}"))
    }

    /// A farm of this configuration, which has the slaves oak and elm.
    pub(super) fn of(text: &str) -> Self {
        let (config, _) = config::parse(text, "master.toml", &Ok(Zone::UTC)).unwrap();
        let builders = config.builders.iter();
        let builders = builders.map(|b| (b.name.clone(), b.slaves.clone()));
        let slaves = config.slaves.iter().map(|slave| slave.name.clone());
        let ops = vec![
            Op::Configured {
                builders: builders.collect(),
                slaves: slaves.collect(),
            },
            Op::SlaveState {
                slave: "oak".into(),
                connected: true,
                info: None,
                at: ago(90_000),
            },
        ];
        Self {
            dir: tempfile::tempdir().unwrap(),
            live: Live::default(),
            config: Arc::new(config),
            ops,
            logs: BTreeMap::new(),
            next: 1,
        }
    }

    /// This farm with another table `[web]`.
    pub(super) fn with_web(mut self, table: &str) -> Self {
        let text = CONFIG.replace("[web]\nport = 8010", table);
        let (config, _) = config::parse(&text, "master.toml", &Ok(Zone::UTC)).unwrap();
        self.config = Arc::new(config);
        self
    }

    /// Adds something to the state.
    pub(super) fn add(&mut self, ops: impl IntoIterator<Item = Op>) {
        self.ops.extend(ops);
    }

    /// Adds a change of these words, from a while ago.
    pub(super) fn change(&mut self, number: u64, who: &str, comments: &str) -> Arc<Change> {
        let change = Arc::new(Change {
            number: ChangeNumber(number),
            arrived_at: ago(10_000),
            when: ago(10_001),
            content: NewChange {
                who: who.to_owned(),
                comments: comments.to_owned(),
                files: vec!["src/a.c".to_owned()],
                revision: Some(format!("r{number}")),
                branch: Some("main".to_owned()),
                ..NewChange::default()
            },
        });
        let decisions = vec![("quick".into(), Decision::BuiltAtOnce)];
        self.add([
            Op::ChangeAdded(Arc::clone(&change)),
            Op::ChangeOffered {
                change: ChangeNumber(number),
                decisions,
            },
        ]);
        change
    }

    /// A change like the others that is not added.
    pub(super) fn bare_change(&mut self, number: u64) -> Arc<Change> {
        let change = self.change(number, "Ana", "words");
        self.ops.truncate(self.ops.len() - 2);
        change
    }

    /// Adds a request of a builder, with the changes, and returns its number.
    pub(super) fn request(
        &mut self,
        builder: &str,
        changes: Vec<Arc<Change>>,
        at: Timestamp,
    ) -> u64 {
        let stamp = match changes.as_slice() {
            [] => SourceStamp::default(),
            _ => SourceStamp::from_changes(changes),
        };
        self.request_of(builder, stamp, at)
    }

    /// Adds a request of a builder for these sources, and returns its number.
    pub(super) fn request_of(
        &mut self,
        builder: &str,
        stamps: impl Into<SourceStamps>,
        at: Timestamp,
    ) -> u64 {
        let id = self.next;
        self.next += 1;
        self.add([Op::SetSubmitted(Arc::new(BuildSet {
            id: SetId(id),
            external_id: None,
            scheduler: Some("quick".into()),
            stamps: Arc::new(stamps.into()),
            reason: "scheduler".to_owned(),
            properties: Arc::default(),
            submitted_at: at,
            priority: 0,
            requests: vec![(RequestId(id), builder.into())],
            parent: None,
        }))]);
        id
    }

    /// Adds a try job of these builders and returns its set.
    pub(super) fn try_job(&mut self, builders: &[&str], diff: &[u8]) -> u64 {
        let id = self.next;
        let requests = builders.iter().map(|builder| {
            let request = RequestId(self.next);
            self.next += 1;
            (request, (*builder).into())
        });
        let requests = requests.collect();
        let patch = Patch {
            level: 1,
            body: PatchBody::Given(diff.to_vec().into()),
            subdir: None,
            who: Some("Yuki Arai".to_owned()),
            comment: Some("a comment".to_owned()),
        };
        let stamp = SourceStamp {
            branch: Some("main".to_owned()),
            patch: Some(patch),
            ..SourceStamp::default()
        };
        let set = Arc::new(BuildSet {
            id: SetId(id),
            external_id: Some("job".to_owned()),
            scheduler: Some("try".into()),
            stamps: Arc::new(stamp.into()),
            reason: "'try' job".to_owned(),
            properties: Arc::default(),
            submitted_at: ago(50),
            priority: 0,
            requests,
            parent: None,
        });
        let body = PatchBody::Given(diff.to_vec().into());
        let set_id = SetId(id);
        self.add([Op::SetSubmitted(set), Op::PatchKept { set: set_id, body }]);
        id
    }

    /// The base directory.
    pub(super) fn dir(&self) -> String {
        let dir = self.dir.path().canonicalize().unwrap();
        dir.display().to_string()
    }

    /// Adds a build that started then, with one step that has a log.
    pub(super) fn start(
        &mut self,
        builder: &str,
        number: u64,
        changes: Vec<Arc<Change>>,
        at: Timestamp,
    ) -> BuildId {
        let stamp = match changes.as_slice() {
            [] => SourceStamp::default(),
            _ => SourceStamp::from_changes(changes),
        };
        self.start_of(builder, number, stamp, at)
    }

    /// Adds a build of these sources that started then, with one step that has a log.
    pub(super) fn start_of(
        &mut self,
        builder: &str,
        number: u64,
        stamps: impl Into<SourceStamps>,
        at: Timestamp,
    ) -> BuildId {
        let stamps = stamps.into();
        let numbers = stamps.change_numbers();
        let who = stamps.changes().map(|change| change.content.who.clone());
        let blamelist = who.collect();
        let id = self.request_of(builder, stamps, at);
        let build = BuildId(id);
        let mut properties = Properties::new();
        properties.set("buildername", builder, "Builder");
        self.add([
            Op::BuildStarted(Arc::new(BuildStart {
                build,
                builder: builder.into(),
                number: BuildNumber(number),
                builddir: "b".to_owned(),
                slave: "oak".into(),
                requests: vec![RequestId(id)],
                changes: numbers,
                blamelist,
                reason: "scheduler".to_owned(),
                properties,
                forecast: Forecast::default(),
                choice: "no other slave was idle".to_owned(),
                planned: vec!["test".to_owned(), "pack".to_owned()],
                at,
            })),
            Op::StepStarted(StepStart {
                build,
                index: 0,
                name: "test".to_owned(),
                text: vec!["testing".to_owned()],
                waits: false,
                at,
            }),
            Op::LogOpened(LogOpening {
                build,
                step: 0,
                position: 0,
                name: "stdio".to_owned(),
                path: format!("builders/b/{number}/0-test/stdio"),
            }),
        ]);
        build
    }

    /// Ends a build, its step and its request.
    pub(super) fn finish(&mut self, build: BuildId, result: Results, at: Timestamp) {
        let error = (result == Results::Failure).then(|| "a.c:#: error: <b>".to_owned());
        let outcome = StepOutcome {
            contribution: Some(result),
            symptoms: error.into_iter().collect(),
            ..StepOutcome::default()
        };
        self.add([
            Op::LogClosed {
                build,
                step: 0,
                name: "stdio".to_owned(),
                size_bytes: 7_600_000,
            },
            Op::StepFinished(StepFinish {
                build,
                index: 0,
                result,
                text: vec!["test".to_owned(), result.to_string()],
                outcome: Box::new(outcome),
                at,
            }),
            Op::BuildFinished(BuildFinish {
                build,
                result,
                text: vec![result.to_string(), "test".to_owned()],
                stop_reason: None,
                properties: Properties::new(),
                at,
            }),
            Op::RequestFinished {
                request: RequestId(build.0),
                result,
                why: None,
                at,
            },
        ]);
    }

    /// Adds a build that has ended.
    pub(super) fn build(
        &mut self,
        builder: &str,
        number: u64,
        changes: Vec<Arc<Change>>,
        (result, started): (Results, Timestamp),
    ) {
        let build = self.start(builder, number, changes, started);
        let at = Timestamp(started.0 + 580_000_000);
        self.finish(build, result, at);
    }

    /// Three builds of `linux` (good, failed by change 7 or 8, failed still) and one that runs.
    pub(super) fn broken() -> Self {
        Self::broken_with("")
    }

    /// The same with these tables in the configuration besides.
    pub(super) fn broken_with(tables: &str) -> Self {
        Self::broken_of(&format!("{CONFIG}{tables}"), "linux")
    }

    /// The same with this configuration, whose first builder has this name.
    pub(super) fn broken_of(text: &str, linux: &str) -> Self {
        let mut farm = Self::of(text);
        let changes: Vec<_> = [
            (6, "Sam <sam@example.org>", "docs: more of them"),
            (7, "Ines Okafor", "block: decode without a check\n\nfaster"),
            (8, "Yuki Arai", "python: type stubs"),
            (9, "Jonas", "api: ssize_t"),
        ]
        .map(|(number, who, comments)| farm.change(number, who, comments))
        .into();
        let only = |numbers: &[usize]| -> Vec<_> {
            numbers.iter().map(|&n| Arc::clone(&changes[n])).collect()
        };
        farm.build(linux, 0, only(&[0]), (Results::Success, ago(16_000)));
        farm.build(linux, 1, only(&[1, 2]), (Results::Failure, ago(11_740)));
        farm.build(linux, 2, only(&[3]), (Results::Failure, ago(6_000)));
        farm.search(linux, &[6, 7, 8]);
        farm.start(linux, 3, only(&[3]), ago(420));
        farm.request("a/b c", only(&[3]), ago(60));
        farm
    }

    /// Writes a log.
    pub(super) fn log(&self, path: &str, pieces: &[(Channel, &str)]) {
        // The state is made before the first log.
        self.page("/about");
        let logs = LogStore::start(self.dir.path().to_owned()).unwrap();
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.build().unwrap().block_on(async {
            let mut log = logs.create(path);
            for (channel, text) in pieces {
                log.append(*channel, (*text).to_owned().into()).await;
            }
            log.close().await;
        });
    }

    /// Adds a step, a link and a property whose texts are `text`.
    pub(super) fn hostile_step(&mut self, build: BuildId, text: &str) {
        self.add([
            Op::StepText {
                build,
                index: 0,
                text: vec![text.to_owned()],
            },
            Op::StepLink {
                build,
                index: 0,
                name: text.to_owned(),
                url: format!("javascript:alert(1)//{text}"),
            },
        ]);
    }

    /// Gives the log of a step these contents. It is closed, or else open while the site is asked.
    pub(super) fn step_log(&mut self, path: &str, pieces: &[(Channel, &[u8])], is_closed: bool) {
        let pieces = pieces.iter().map(|(c, bytes)| (*c, bytes.to_vec()));
        let pieces = pieces.collect();
        let log = StepLog { pieces, is_closed };
        self.logs.insert(path.to_owned(), log);
    }

    /// Writes the logs; those that are open stay so as long as what is returned.
    async fn write_logs(&self, store: &LogStore) -> Vec<LogSink> {
        let mut open = Vec::new();
        for (path, log) in &self.logs {
            let mut sink = store.create(path);
            let mut size = 0;
            for (channel, bytes) in &log.pieces {
                size += u64::try_from(bytes.len()).unwrap();
                sink.append(*channel, bytes.clone().into()).await;
            }
            match log.is_closed {
                true => drop(sink.close().await),
                false => {
                    if let Some(before) = size.checked_sub(1) {
                        store.grown_beyond(path, before).await;
                    }
                    open.push(sink);
                }
            }
        }
        open
    }

    /// What the site answers.
    pub(super) fn get(&self, address: &str) -> Answer {
        let mut answers = self.ask(&[(address, &[])]);
        answers.remove(0)
    }

    /// The page at this address.
    pub(super) fn page(&self, address: &str) -> String {
        let answer = self.get(address);
        assert_eq!(answer.status, StatusCode::OK, "{address}");
        answer.text
    }

    /// What the site sends in the first seconds of a stream that has no end.
    pub(super) fn follow(&self, address: &str, headers: &[(&str, &str)]) -> Answer {
        let mut answers = self.ask_for(&[(address, headers)], Duration::from_secs(10));
        answers.remove(0)
    }

    /// What the site answers to these requests, one after the other. The header `x-peer` stands for
    /// the address of the reader.
    pub(super) fn ask(&self, requests: &[(&str, &[(&str, &str)])]) -> Vec<Answer> {
        self.ask_for(requests, Duration::MAX)
    }

    /// The same, of each answer what comes within some time.
    fn ask_for(&self, requests: &[(&str, &[(&str, &str)])], within: Duration) -> Vec<Answer> {
        self.visit(async |visitor| {
            visitor.patience = within;
            let mut answers = Vec::new();
            for (address, headers) in requests {
                let request = Request::get(*address);
                answers.push(visitor.send(request, headers, Body::empty()).await);
            }
            answers
        })
    }

    /// Lets somebody visit the site.
    pub(super) fn visit<T>(&self, visit: impl AsyncFnOnce(&mut Visitor) -> T) -> T {
        let (store, _) = Store::open(self.dir.path()).unwrap();
        let writer = store.start(Box::new(|_| {})).unwrap();
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            // The first who ask fill the state.
            let known = writer.reader().read(|state| state.builder_names()).await;
            if known.unwrap().is_empty() {
                writer.write(Some(Ticket(1)), self.ops.clone()).await;
                writer.write_and_wait(Vec::new()).await;
            }
            let (ask, questions) = mpsc::channel(8);
            let core = Core::start(self.live.clone(), writer.clone(), questions);
            let (reconfigure, _) = mpsc::channel(1);
            let clock = Clock::starting_at(NOW);
            let room = Newsroom::new();
            let (_, configs) = watch::channel(Arc::clone(&self.config));
            let control = Control::new(ask, writer.clone(), room, reconfigure, configs, clock);
            let zone = Zone::named("Europe/Berlin").unwrap();
            let logs = LogStore::start(self.dir.path().to_owned()).unwrap();
            let open = self.write_logs(&logs).await;
            let config = Arc::clone(&self.config);
            let gatekeeper = Gatekeeper::new(&[]);
            let tasks = Tasks::default();
            let growing = logs.growing();
            let site = Site::new(control.clone(), config, zone, growing, gatekeeper, tasks);
            let mut visitor = Visitor::new(site.router(), control, core, writer.clone());
            let result = visit(&mut visitor).await;
            drop((visitor, site, open));
            writer.close().await;
            result
        })
    }
}

/// What comes of a body within some time.
async fn received(body: Body, within: Duration) -> Vec<u8> {
    let mut all = Vec::new();
    let mut body = std::pin::pin!(body);
    let until = tokio::time::Instant::now().checked_add(within);
    loop {
        let frame = poll_fn(|context| body.as_mut().poll_frame(context));
        let frame = match until {
            Some(until) => tokio::time::timeout_at(until, frame).await,
            None => Ok(frame.await),
        };
        let Ok(Some(frame)) = frame else { return all };
        all.extend_from_slice(frame.unwrap().data_ref().unwrap());
    }
}

impl Answer {
    /// A header; empty if it is not there.
    pub(super) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }
}
