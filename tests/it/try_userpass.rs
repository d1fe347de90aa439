//! The perspective of try clients over a connection in memory, with a core that the test plays.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::ops::Deref;
use std::sync::Arc;

use buildmaster::botmaster::{Answer, Ask, BuildEvent, Event, IntakeEvent};
use buildmaster::control::{News, Question};
use buildmaster::logs::{Channel, LogStore};
use buildmaster::model::journal::{BuildStart, LogOpening, StepStart};
use buildmaster::model::{
    BuildId, BuildNumber, BuildSet, Effort, Forecast, Op, RequestId, Results, SetId, Timestamp,
};
use buildmaster::net::{IncomingCall, Login, UserKind};
use buildmaster::pb::{Luid, Target, Value};
use buildmaster::protocol::TextStyle;
use buildmaster::protocol::try_call::{EXTENSIONS, MAX_CHUNK_BYTES, PATCH_CHUNK, encode_try};
use buildmaster::status::pb::{self, MAX_SUBSCRIPTIONS, MAX_WAITING, User};
use tokio::sync::mpsc;

use crate::connected::Connected;

/// A client that has logged in, and the master that the test plays.
struct Scene(Connected);

impl Deref for Scene {
    type Target = Connected;

    fn deref(&self) -> &Connected {
        &self.0
    }
}

impl Scene {
    /// The core answers each job with a set of a request for builder `b`, but refuses those with a
    /// comment.
    async fn new() -> Self {
        let answer = |question| {
            let Question::Act(Ask::SubmitTry { job, .. }, _, answer) = question else {
                panic!("{question:?}");
            };
            let said = match job.comment.as_str() {
                "" => Ok(Answer::Set(set())),
                why => Err(format!("because: {why}, {} bytes", job.patch.len())),
            };
            answer.send(said).unwrap();
        };
        let kind = UserKind::Try {
            scheduler: "try".into(),
            user: "alice".to_owned(),
            builders: ["b".into()].into(),
        };
        let serve = |login: Login, control, basedir| {
            let user = User {
                name: "alice".to_owned(),
                scheduler: "try".into(),
                builders: ["b".into()].into(),
            };
            let (peer, answer, activity) = (login.peer, login.answer, login.activity);
            pb::serve(peer, answer, activity, user, control, basedir)
        };
        Self(Connected::new(("alice", kind), answer, serve).await)
    }

    async fn hand_in(&self, style: TextStyle, comment: &str) -> Result<Luid, String> {
        let job = buildmaster::model::TryJob {
            comment: comment.to_owned(),
            ..Default::default()
        };
        let set = self
            .try_call(self.avatar, "try", encode_try(&job, style))
            .await?;
        Ok(set.as_theirs().unwrap())
    }

    /// The only request of a set, and the name of its builder.
    async fn request(&self, set: Luid) -> (Value, Luid) {
        let requests = self.call(set, "getBuildRequests", Vec::new()).await;
        let pair = requests.as_items().unwrap()[0].as_items().unwrap();
        (pair[0].clone(), pair[1].as_theirs().unwrap())
    }

    fn tell(&self, event: Event) {
        self.newsroom.tell(News::Event(event));
    }

    fn start_build(&self, number: u64) {
        self.start_build_of(number, Forecast::default());
    }

    fn start_build_of(&self, number: u64, forecast: Forecast) {
        self.tell(Event::Build(BuildEvent::Started(Arc::new(BuildStart {
            build: BuildId(number),
            builder: "b".into(),
            number: BuildNumber(number),
            builddir: "b".to_owned(),
            slave: "s".into(),
            requests: vec![RequestId(1)],
            blamelist: vec!["ann".to_owned(), "bob".to_owned()],
            forecast,
            choice: "no other slave was idle".to_owned(),
            ..BuildStart::default()
        }))));
    }

    /// A step of build 1 begins now.
    fn start_step(&self, index: u32, name: &str) {
        self.newsroom.tell(News::Build(Op::StepStarted(StepStart {
            build: BuildId(1),
            index,
            name: name.to_owned(),
            text: Vec::new(),
            waits: false,
            at: now(),
        })));
    }

    /// The step has printed `bytes` bytes to its log.
    async fn print(&self, step: u32, bytes: usize) {
        let path = format!("builders/b/1/{step}/stdio");
        let logs = LogStore::start(self.dir.path().to_owned()).unwrap();
        let mut log = logs.create(&path);
        log.append(Channel::Header, "make all\n".into()).await;
        log.append(Channel::Stdout, vec![b'x'; bytes].into()).await;
        log.close().await;
        self.newsroom.tell(News::Build(Op::LogOpened(LogOpening {
            build: BuildId(1),
            step,
            position: 0,
            name: "stdio".to_owned(),
            path,
        })));
    }

    fn end_build(&self, number: u64, result: Results) {
        self.tell(Event::Build(BuildEvent::Finished {
            build: BuildId(number),
            builder: "b".into(),
            number: BuildNumber(number),
            result,
            text: vec!["words".to_owned()],
        }));
    }
}

fn now() -> Timestamp {
    Timestamp(chrono::Utc::now().timestamp_micros())
}

fn set() -> Arc<BuildSet> {
    Arc::new(BuildSet {
        id: SetId(1),
        external_id: None,
        scheduler: Some("try".into()),
        stamps: Arc::default(),
        reason: "'try' job from user alice".to_owned(),
        properties: Arc::default(),
        submitted_at: Timestamp(0),
        priority: 0,
        requests: vec![(RequestId(1), "b".into())],
        parent: None,
    })
}

/// The next notification.
async fn told(calls: &mut mpsc::Receiver<Box<IncomingCall>>) -> (String, Vec<Value>) {
    let call = calls.recv().await.unwrap();
    call.reply.value(Value::None);
    (String::from_utf8(call.method.to_vec()).unwrap(), call.args)
}

#[tokio::test]
async fn clients_of_either_line_get_the_texts_that_they_can_bear() {
    for style in [TextStyle::Bytes, TextStyle::Unicode] {
        let scene = Scene::new().await;
        let set = scene.hand_in(style, "").await.unwrap();
        let (builder, request) = scene.request(set).await;
        assert_eq!(builder, style.value("b"));
        let (observer, mut notices) = scene.peer.export(8);
        scene
            .call(request, "subscribe", vec![Value::Mine(observer)])
            .await;
        scene.start_build(1);
        let (method, args) = told(&mut notices).await;
        assert_eq!((method.as_str(), &args[1]), ("newbuild", &style.value("b")));
        let build = args[0].as_theirs().unwrap();
        let results = scene.call(build, "getResults", Vec::new()).await;
        assert_eq!(results, Value::None, "it runs");
        let waiting = scene.peer.call(
            Target::Object(build),
            "waitUntilFinished",
            Vec::new(),
            Vec::new(),
        );
        scene.end_build(1, Results::Warnings);
        waiting.await.unwrap();
        assert_eq!(
            scene.call(build, "getResults", Vec::new()).await,
            Value::Int(1)
        );
        let text = scene.call(build, "getText", Vec::new()).await;
        assert_eq!(text, Value::List(vec![style.value("words")]));
    }
}

#[tokio::test]
async fn a_build_that_is_repeated_is_followed_by_another() {
    let scene = Scene::new().await;
    let set = scene.hand_in(TextStyle::Bytes, "").await.unwrap();
    let (_, request) = scene.request(set).await;
    let (observer, mut notices) = scene.peer.export(8);
    scene.start_build(1);
    scene
        .call(request, "subscribe", vec![Value::Mine(observer)])
        .await;
    let first = told(&mut notices).await.1[0].as_theirs().unwrap();
    scene.end_build(1, Results::Retry);
    scene.start_build(2);
    let (method, args) = told(&mut notices).await;
    assert_eq!(method, "newbuild");
    assert_eq!(
        scene.call(first, "isFinished", Vec::new()).await,
        Value::Bool(false)
    );
    scene
        .call(first, "unsubscribe", vec![Value::Mine(observer)])
        .await;
    let second = args[0].as_theirs().unwrap();
    scene.end_build(2, Results::Success);
    scene.call(second, "waitUntilFinished", Vec::new()).await;
    assert_eq!(
        scene.call(second, "getNumber", Vec::new()).await,
        Value::Int(2)
    );
}

#[tokio::test]
async fn a_cancelled_request_ends_and_only_later_clients_hear_the_word() {
    for (style, result) in [(TextStyle::Bytes, 4), (TextStyle::Unicode, 6)] {
        let scene = Scene::new().await;
        let set = scene.hand_in(style, "").await.unwrap();
        let (_, request) = scene.request(set).await;
        let (observer, mut notices) = scene.peer.export(8);
        scene
            .call(request, "subscribe", vec![Value::Mine(observer)])
            .await;
        let request = RequestId(1);
        let why = "cancelled".to_owned();
        scene.tell(Event::Intake(IntakeEvent::RequestCancelled {
            request,
            why,
        }));
        let result_of_request = Results::Failure;
        scene.tell(Event::Intake(IntakeEvent::RequestFinished {
            request,
            result: result_of_request,
        }));
        let (_, args) = told(&mut notices).await;
        let build = args[0].as_theirs().unwrap();
        scene.call(build, "waitUntilFinished", Vec::new()).await;
        assert_eq!(
            scene.call(build, "getResults", Vec::new()).await,
            Value::Int(result)
        );
    }
}

#[tokio::test]
async fn sb_09_tup_04_a_refused_job_says_why() {
    for style in [TextStyle::Bytes, TextStyle::Unicode] {
        let scene = Scene::new().await;
        let set = scene.hand_in(style, "no").await.unwrap();
        let (builder, request) = scene.request(set).await;
        assert_eq!(builder, style.value(pb::REFUSED));
        let (observer, mut notices) = scene.peer.export(8);
        scene
            .call(request, "subscribe", vec![Value::Mine(observer)])
            .await;
        let build = told(&mut notices).await.1[0].as_theirs().unwrap();
        scene.call(build, "waitUntilFinished", Vec::new()).await;
        assert_eq!(
            scene.call(build, "getResults", Vec::new()).await,
            Value::Int(2)
        );
        let text = scene.call(build, "getText", Vec::new()).await;
        assert_eq!(text, Value::List(vec![style.value("because: no, 0 bytes")]));
        scene.hand_in(style, "").await.unwrap();
    }
    let scene = Scene::new().await;
    scene.call(scene.avatar, EXTENSIONS, Vec::new()).await;
    let refused = scene.hand_in(TextStyle::Unicode, "no").await.unwrap_err();
    assert!(refused.ends_with("because: no, 0 bytes"), "{refused}");
}

#[tokio::test]
async fn parts_of_a_patch_are_put_together_up_to_a_limit() {
    let scene = Scene::new().await;
    scene.call(scene.avatar, EXTENSIONS, Vec::new()).await;
    let part = || vec![Value::bytes(vec![0; MAX_CHUNK_BYTES])];
    for _ in 0..32 {
        scene.call(scene.avatar, PATCH_CHUNK, part()).await;
    }
    let refused = scene.hand_in(TextStyle::Unicode, "size").await.unwrap_err();
    assert!(
        refused.ends_with("because: size, 16777216 bytes"),
        "{refused}"
    );
    let refused = scene.hand_in(TextStyle::Unicode, "next").await.unwrap_err();
    assert!(refused.ends_with("because: next, 0 bytes"), "{refused}");
    for _ in 0..32 {
        scene.call(scene.avatar, PATCH_CHUNK, part()).await;
    }
    let one = vec![Value::bytes("x")];
    let refused = scene
        .try_call(scene.avatar, PATCH_CHUNK, one)
        .await
        .unwrap_err();
    assert!(
        refused.ends_with("the patch has more than 16777216 bytes"),
        "{refused}"
    );
}

#[tokio::test]
async fn what_a_client_may_wait_for_is_limited() {
    let scene = Scene::new().await;
    let set = scene.hand_in(TextStyle::Unicode, "").await.unwrap();
    let (_, request) = scene.request(set).await;
    let observer = || vec![Value::Mine(scene.peer.export_inert())];
    for _ in 0..MAX_SUBSCRIPTIONS {
        scene.call(request, "subscribe", observer()).await;
    }
    let refused = scene.try_call(request, "subscribe", observer()).await;
    let why = refused.unwrap_err();
    assert!(why.contains("more than 4096 subscriptions"), "{why}");
    let wait = || {
        scene.peer.call(
            Target::Object(set),
            "waitUntilFinished",
            Vec::new(),
            Vec::new(),
        )
    };
    let waiting: Vec<_> = (0..MAX_WAITING).map(|_| wait()).collect();
    let refused = wait().await.unwrap_err().to_string();
    assert!(
        refused.contains("more than 4096 calls are waiting"),
        "{refused}"
    );
    let (set, result) = (SetId(1), Results::Success);
    scene.tell(Event::Intake(IntakeEvent::SetFinished { set, result }));
    for waited in waiting {
        waited.await.unwrap();
    }
}

#[tokio::test]
async fn what_an_object_does_not_have_is_refused_as_real_masters_do() {
    let scene = Scene::new().await;
    let refused = scene.try_call(scene.avatar, "addChange", Vec::new()).await;
    let why = refused.unwrap_err();
    assert!(
        why.contains("has no attribute 'perspective_addChange'"),
        "{why}"
    );
    let set = scene.hand_in(TextStyle::Unicode, "").await.unwrap();
    let refused = scene.try_call(set, "getSourceStamp", Vec::new()).await;
    let why = refused.unwrap_err();
    assert!(
        why.contains("No such method: remote_getSourceStamp"),
        "{why}"
    );
}

/// A forecast: seconds and bytes of output of each step, or nothing.
fn forecast(steps: &[(&str, Option<(f64, f64)>)]) -> Forecast {
    let steps = steps.iter().map(|(name, expected)| {
        let effort = expected.map(|(secs, bytes)| Effort {
            secs,
            output: [("stdio".to_owned(), bytes)].into(),
        });
        ((*name).to_owned(), effort)
    });
    Forecast(steps.collect())
}

#[tokio::test]
async fn prg_01_clients_are_told_when_build_and_step_will_be_over() {
    let scene = Scene::new().await;
    let set = scene.hand_in(TextStyle::Bytes, "").await.unwrap();
    let (_, request) = scene.request(set).await;
    let (export, mut calls) = mpsc::channel(8);
    let observer = || Value::Mine(scene.peer.export_to(&export, 0));
    scene.call(request, "subscribe", vec![observer()]).await;
    let expected = forecast(&[
        ("compile", Some((100.0, 1_000.0))),
        ("test", Some((50.0, 7.0))),
    ]);
    scene.start_build_of(1, expected);
    let (_, args) = told(&mut calls).await;
    let build = args[0].as_theirs().unwrap();
    assert_eq!(
        scene.call(build, "getETA", Vec::new()).await,
        Value::Float(150.0)
    );

    assert_eq!(
        scene.call(build, "getResponsibleUsers", Vec::new()).await,
        Value::List(["ann", "bob"].map(Value::bytes).into()),
        "BUI-09"
    );

    let args = vec![observer(), Value::Int(20)];
    scene.call(build, "subscribe", args).await;
    let (method, args) = told(&mut calls).await;
    assert_eq!(method, "buildETAUpdate");
    assert_eq!(args[2], Value::Float(150.0));

    scene.start_step(0, "compile");
    let (method, args) = told(&mut calls).await;
    assert_eq!(method, "stepStarted");
    let step = args[3].as_theirs().unwrap();
    scene.print(0, 250).await;
    // The log is news like the step: who asks for it waits for that.
    while scene.call(step, "getLogs", Vec::new()).await == Value::Dict(Vec::new()) {}
    let eta = |object| scene.call(object, "getETA", Vec::new());
    assert_eq!(eta(step).await, Value::Float(75.0));
    assert_eq!(eta(build).await, Value::Float(125.0));
    let metrics = scene.call(step, "getExpectations", Vec::new()).await;
    let output = Value::Tuple(vec![
        Value::bytes("output"),
        Value::Int(250),
        Value::Float(1_000.0),
    ]);
    assert_eq!(metrics, Value::List(vec![output]));

    scene.end_build(1, Results::Success);
    while scene.call(build, "isFinished", Vec::new()).await != Value::Bool(true) {}
    assert_eq!(eta(build).await, Value::None);
}

#[tokio::test]
async fn prg_02_of_a_build_with_a_new_step_nothing_is_said() {
    let scene = Scene::new().await;
    let set = scene.hand_in(TextStyle::Bytes, "").await.unwrap();
    let (_, request) = scene.request(set).await;
    let (export, mut calls) = mpsc::channel(8);
    let observer = || Value::Mine(scene.peer.export_to(&export, 0));
    scene.call(request, "subscribe", vec![observer()]).await;
    scene.start_build_of(
        1,
        forecast(&[("compile", Some((100.0, 9.0))), ("new", None)]),
    );
    let (_, args) = told(&mut calls).await;
    let build = args[0].as_theirs().unwrap();
    let eta = |object| scene.call(object, "getETA", Vec::new());
    assert_eq!(eta(build).await, Value::None);
    let args = vec![observer(), Value::Int(20)];
    scene.call(build, "subscribe", args).await;
    scene.start_step(0, "new");
    let (method, args) = told(&mut calls).await;
    assert_eq!(method, "stepStarted", "and no time before");
    assert_eq!(eta(args[3].as_theirs().unwrap()).await, Value::None);
}
