//! Live status clients over a connection in memory, with a core that the test plays.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

use buildmaster::botmaster::{BuildEvent, BuilderEvent, Event, Live};
use buildmaster::control::{News, Question};
use buildmaster::logs::{Channel, LogSink, LogStore};
use buildmaster::model::journal::{BuildStart, LogOpening, StepFinish, StepStart};
use buildmaster::model::{BigState, BuildId, BuildNumber, Op, Properties, Results, Timestamp};
use buildmaster::net::{IncomingCall, Login, UserKind};
use buildmaster::pb::Value;
use buildmaster::status::live::{self, Clients, MAX_SUBSCRIPTIONS, PATIENCE, TEXT_PATIENCE};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::connected::Connected;

/// A client that has logged in, and the master that the test plays: one builder, `b`.
struct Scene {
    client: Connected,
    logs: LogStore,
}

impl Deref for Scene {
    type Target = Connected;

    fn deref(&self) -> &Connected {
        &self.client
    }
}

impl Scene {
    async fn new() -> Self {
        let answer = |question| {
            let Question::Live(answer) = question else {
                panic!("{question:?}");
            };
            let live = Live {
                priorities: [("b".into(), 0)].into(),
                ..Live::default()
            };
            answer.send(live).unwrap();
        };
        let (tell_logs, logs) = oneshot::channel();
        let status = UserKind::Status {
            user: "statusClient".to_owned(),
        };
        let user = ("statusClient", status);
        let serve = |login: Login, control, basedir: PathBuf| {
            let logs = LogStore::start(basedir.clone()).unwrap();
            assert!(tell_logs.send(logs.clone()).is_ok());
            let (peer, answer, activity) = (login.peer, login.answer, login.activity);
            let user = "statusClient".to_owned();
            let clients = Clients::default();
            let around = live::Around {
                control,
                logs,
                basedir,
                clients,
            };
            live::serve(peer, answer, activity, user, around)
        };
        let client = Connected::new(user, answer, serve).await;
        let logs = logs.await.unwrap();
        Self { client, logs }
    }

    /// Subscribes, and takes the notifications about the builder.
    async fn subscribe(&self, mode: &str) -> Observer {
        let (observer, calls) = self.peer.export(10_000);
        let args = vec![Value::bytes(mode), Value::None, Value::Mine(observer)];
        assert_eq!(self.call(self.avatar, "subscribe", args).await, Value::None);
        Observer(calls)
    }

    fn tell(&self, event: BuildEvent) {
        self.newsroom.tell(News::Event(Event::Build(event)));
    }

    fn start_build(&self, number: u64) {
        self.start_build_with(number, Properties::new());
    }

    fn start_build_with(&self, number: u64, properties: Properties) {
        self.tell(BuildEvent::Started(Arc::new(BuildStart {
            build: BuildId(number),
            builder: "b".into(),
            number: BuildNumber(number),
            builddir: "b".to_owned(),
            slave: "s".into(),
            properties,
            ..BuildStart::default()
        })));
    }

    /// A step of build 1 begins, with a log.
    fn start_step(&self) -> LogSink {
        let path = "builders/b/1/0-test.stdio".to_owned();
        let log = self.logs.create(&path);
        self.newsroom.tell(News::Build(Op::StepStarted(StepStart {
            build: BuildId(1),
            index: 0,
            name: "test".to_owned(),
            text: Vec::new(),
            waits: false,
            at: Timestamp(0),
        })));
        self.newsroom.tell(News::Build(Op::LogOpened(LogOpening {
            build: BuildId(1),
            step: 0,
            position: 0,
            name: "stdio".to_owned(),
            path,
        })));
        log
    }

    async fn end_step(&self, log: LogSink) {
        // The paused clock does not run ahead while such a task waits for the thread of the logs.
        let runtime = tokio::runtime::Handle::current();
        let closed = tokio::task::spawn_blocking(move || runtime.block_on(log.close()));
        let size_bytes = closed.await.unwrap().size_bytes;
        self.newsroom.tell(News::Build(Op::LogClosed {
            build: BuildId(1),
            step: 0,
            name: "stdio".to_owned(),
            size_bytes,
        }));
        self.newsroom.tell(News::Build(Op::StepFinished(StepFinish {
            build: BuildId(1),
            index: 0,
            result: Results::Success,
            text: Vec::new(),
            at: Timestamp(1),
            outcome: Box::default(),
        })));
    }

    fn end_build(&self) {
        self.tell(BuildEvent::Finished {
            build: BuildId(1),
            builder: "b".into(),
            number: BuildNumber(1),
            result: Results::Warnings,
            text: vec!["words".to_owned()],
        });
    }
}

/// What the client is told.
struct Observer(mpsc::Receiver<Box<IncomingCall>>);

impl Observer {
    /// The next notification, which is not answered yet.
    async fn next(&mut self) -> IncomingCall {
        *self.0.recv().await.unwrap()
    }

    /// Answers notifications up to one of this method; gives their methods.
    async fn until(&mut self, last: &str) -> Vec<String> {
        let mut told = Vec::new();
        while told.last().is_none_or(|method| method != last) {
            let call = self.next().await;
            told.push(String::from_utf8(call.method.to_vec()).unwrap());
            call.reply.value(Value::None);
        }
        told
    }
}

/// A whole build, as a client in this mode is told of it.
async fn told_in(mode: &str) -> String {
    let scene = Scene::new().await;
    let mut observer = scene.subscribe(mode).await;
    scene.start_build(1);
    let mut log = scene.start_step();
    log.append(Channel::Stdout, "text".into()).await;
    scene.end_step(log).await;
    scene.end_build();
    // All modes hear of builders, so this is the last thing that everybody is told.
    scene
        .newsroom
        .tell(News::Event(Event::Builder(BuilderEvent::State {
            builder: "b".into(),
            state: BigState::Building,
        })));
    let last = match mode {
        "builders" => "builderAdded",
        _ => "builderChangedState",
    };
    let mut told = observer.until(last).await;
    if mode != "builders" {
        told.extend(observer.until(last).await);
    }
    assert!(observer.0.try_recv().is_err(), "nothing more");
    told.join(" ")
}

#[tokio::test]
async fn liv_02_each_mode_includes_those_before_it() {
    assert_eq!(told_in("builders").await, "builderAdded");
    assert_eq!(
        told_in("builds").await,
        "builderAdded builderChangedState buildStarted buildFinished builderChangedState"
    );
    assert_eq!(
        told_in("steps").await,
        "builderAdded builderChangedState buildStarted stepStarted stepFinished buildFinished \
         builderChangedState"
    );
    assert_eq!(
        told_in("logs").await,
        "builderAdded builderChangedState buildStarted stepStarted logStarted logFinished \
         stepFinished buildFinished builderChangedState"
    );
    assert_eq!(
        told_in("full").await,
        "builderAdded builderChangedState buildStarted stepStarted logStarted logChunk logFinished \
         stepFinished buildFinished builderChangedState"
    );
}

#[tokio::test]
async fn liv_02_text_is_sent_while_a_log_grows_and_all_of_it_before_its_end() {
    let scene = Scene::new().await;
    let mut observer = scene.subscribe("full").await;
    scene.start_build(1);
    let mut log = scene.start_step();
    observer.until("logStarted").await;
    log.append(Channel::Stderr, "early".into()).await;
    let call = observer.next().await;
    assert_eq!(&call.method[..], b"logChunk");
    let [_, _, step, _, name, _, channel, text] = call.args.as_slice() else {
        panic!("{call:?}");
    };
    let args = [step, name, channel, text].map(Clone::clone);
    let [test, stdio, early] = ["test", "stdio", "early"].map(Value::bytes);
    assert_eq!(args, [test, stdio, Value::Int(1), early]);
    call.reply.value(Value::None);

    let long = vec![b'x'; 3_000_000];
    log.append(Channel::Stdout, long.clone().into()).await;
    scene.end_step(log).await;
    let mut text = Vec::new();
    loop {
        let call = observer.next().await;
        if &call.method[..] != b"logChunk" {
            assert_eq!(&call.method[..], b"logFinished");
            break;
        }
        let piece = call.args[7].as_raw().unwrap();
        assert!(piece.len() <= 64 * 1024);
        text.extend_from_slice(piece);
        call.reply.value(Value::None);
    }
    assert!(text == long, "{} bytes", text.len());
}

#[tokio::test]
async fn liv_02_a_client_that_has_unsubscribed_is_told_nothing() {
    let scene = Scene::new().await;
    let mut observer = scene.subscribe("steps").await;
    observer.until("builderChangedState").await;
    scene.call(scene.avatar, "unsubscribe", Vec::new()).await;
    scene.start_build(1);
    let builder = scene.call(scene.avatar, "getBuilder", vec![Value::text("b")]);
    let builder = builder.await.as_theirs().unwrap();
    loop {
        let builds = scene.call(builder, "getCurrentBuilds", Vec::new()).await;
        if !builds.as_items().unwrap().is_empty() {
            break;
        }
    }
    assert!(observer.0.try_recv().is_err());
    let (other, _calls) = scene.peer.export(1);
    let wrong = vec![Value::bytes("all"), Value::Int(5), Value::Mine(other)];
    let refused = scene.try_call(scene.avatar, "subscribe", wrong).await;
    assert!(refused.unwrap_err().contains("the mode must be builders"));
}

#[tokio::test]
async fn liv_02_builds_of_culprit_searches_are_not_announced() {
    let scene = Scene::new().await;
    let mut observer = scene.subscribe("builds").await;
    observer.until("builderChangedState").await;
    scene.start_build_with(1, Properties::of_search(None));
    scene.end_build();
    scene.start_build(2);
    let told = observer.next().await;
    assert_eq!(&told.method[..], b"buildStarted");
    let build = told.args[1].as_theirs().unwrap();
    told.reply.value(Value::None);
    let number = scene.call(build, "getNumber", Vec::new()).await;
    assert_eq!(number, Value::Int(2));
}

#[tokio::test]
async fn liv_04_subscriptions_are_limited() {
    let scene = Scene::new().await;
    scene.start_build(1);
    let builder = scene.call(scene.avatar, "getBuilder", vec![Value::text("b")]);
    let builder = builder.await.as_theirs().unwrap();
    let build = loop {
        let builds = scene.call(builder, "getCurrentBuilds", Vec::new()).await;
        if let [build] = builds.as_items().unwrap() {
            break build.as_theirs().unwrap();
        }
    };
    let (observer, _calls) = scene.peer.export(1);
    for _ in 0..MAX_SUBSCRIPTIONS {
        // Not a number: no estimates are sent.
        let args = vec![Value::Mine(observer), Value::Float(f64::NAN)];
        scene.call(build, "subscribe", args).await;
    }
    let args = vec![Value::Mine(observer)];
    let refused = scene.try_call(build, "subscribe", args.clone()).await;
    assert!(
        refused
            .unwrap_err()
            .contains("more than 1000 subscriptions")
    );
    let refused = scene.try_call(build, "waitUntilFinished", vec![]).await;
    assert!(
        refused
            .unwrap_err()
            .contains("more than 1000 subscriptions")
    );
    scene.call(build, "unsubscribe", args.clone()).await;
    scene.call(build, "subscribe", args).await;
}

#[tokio::test(start_paused = true)]
async fn liv_04_a_client_that_answers_nothing_gets_no_more_text_and_goes_on_when_it_answers() {
    let scene = Scene::new().await;
    let mut observer = scene.subscribe("full").await;
    scene.start_build(1);
    let mut log = scene.start_step();
    observer.until("logStarted").await;
    log.append(Channel::Stdout, vec![b'x'; 3_000_000].into())
        .await;
    scene.end_step(log).await;
    scene.end_build();
    let begun = Instant::now();
    let mut unanswered = Vec::new();
    let mut bytes = 0;
    while bytes < live::MAX_UNANSWERED {
        let call = observer.next().await;
        bytes += call.args[7].as_raw().unwrap().len();
        unanswered.push(call);
    }
    tokio::time::sleep_until(begun + TEXT_PATIENCE * 2).await;
    assert!(observer.0.try_recv().is_err(), "there is no room");
    for call in unanswered {
        call.reply.value(Value::None);
    }
    assert_eq!(
        observer.until("buildFinished").await,
        ["logFinished", "stepFinished", "buildFinished"]
    );
}

#[tokio::test(start_paused = true)]
async fn liv_04_a_client_that_answers_nothing_is_disconnected() {
    let scene = Scene::new().await;
    let mut observer = scene.subscribe("builds").await;
    observer.until("builderChangedState").await;
    let begun = Instant::now();
    let mut unanswered = Vec::new();
    for number in 1..=4096 {
        scene.start_build(number);
        unanswered.push(observer.next().await);
    }
    scene.start_build(4097);
    let lost = scene.peer.lost().await;
    assert!(begun.elapsed() >= PATIENCE, "{lost:?}");
    assert!(observer.0.try_recv().is_err(), "there was no room");
}
