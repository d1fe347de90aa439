//! The native slave against a played master, over streams in memory, in both spellings.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use buildmaster::buildslave::{Connector, Controls, Ended, Event, Settings, run};
use buildmaster::model::SlaveName;
use buildmaster::net::{
    CallError, Directory, Door, Gatekeeper, IncomingCall, Login, Peer, Tasks, UserKind,
};
use buildmaster::pb::{Failure, Luid, Target, Value};
use buildmaster::protocol::{Update, decode_updates};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

mod transfers;

/// How a played master spells texts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Dialect {
    /// Byte strings, by position.
    Old,
    /// Text, by keyword where 4.x does so.
    New,
}

impl Dialect {
    fn text(self, text: &str) -> Value {
        match self {
            Self::Old => Value::bytes(text),
            Self::New => Value::text(text),
        }
    }

    fn dict(self, pairs: &[(&str, Value)]) -> Value {
        let pair = |(key, value): &(&str, Value)| (self.text(key), value.clone());
        Value::Dict(pairs.iter().map(pair).collect())
    }
}

/// A slave that runs, and the master's end of its connections.
struct World {
    dir: tempfile::TempDir,
    controls: Controls,
    slave: JoinHandle<Ended>,
    events: mpsc::UnboundedReceiver<Event>,
    streams: mpsc::Receiver<DuplexStream>,
    door: Arc<Door>,
    logins: mpsc::Receiver<Login>,
}

/// An attached slave, as its master holds it.
struct Attached {
    dialect: Dialect,
    peer: Peer,
    bot: Luid,
    builder: Luid,
    avatar: mpsc::Receiver<Box<IncomingCall>>,
}

impl World {
    fn new(change: impl FnOnce(&mut Settings)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut settings = Settings::new("s1", "pw", dir.path());
        settings.keepalive = None;
        settings.max_delay = Duration::from_millis(1);
        settings.pty_helper = env!("CARGO_BIN_EXE_buildmaster").into();
        change(&mut settings);
        let (to_master, streams) = mpsc::channel(1);
        let (tell, events) = mpsc::unbounded_channel();
        let controls = Controls::default();
        let (connector, slave_controls) = (Connector::Memory(to_master), controls.clone());
        let slave = async move {
            let mut rng = StdRng::seed_from_u64(1);
            let on_event = move |event| drop(tell.send(event));
            run(settings, connector, slave_controls, &mut rng, on_event).await
        };
        let mut directory = Directory::new();
        let kind = UserKind::Slave(SlaveName::new("s1"));
        directory.insert("s1", b"pw", kind);
        let (to_logins, logins) = mpsc::channel(1);
        Self {
            dir,
            controls,
            slave: tokio::spawn(slave),
            events,
            streams,
            door: Door::new(directory, to_logins, Gatekeeper::new(&[]), Tasks::default()),
            logins,
        }
    }

    /// Lets the slave in and attaches one builder, as masters of the dialect do.
    async fn attach(&mut self, dialect: Dialect) -> Attached {
        let stream = self.streams.recv().await.unwrap();
        self.door.accept(stream, "memory", None);
        let login = self.logins.recv().await.unwrap();
        let (peer, bot) = (login.peer.clone(), login.mind.unwrap());
        let greeting = dialect.text("attached");
        let (args, kwargs) = match dialect {
            Dialect::Old => (vec![greeting], Vec::new()),
            Dialect::New => (Vec::new(), vec![(Value::text("message"), greeting)]),
        };
        let bot_object = Target::Object(bot);
        peer.call(bot_object, "print", args, kwargs).await.unwrap();
        let (avatar, calls) = peer.export(4);
        let mut attached = Attached {
            dialect,
            peer,
            bot,
            builder: bot,
            avatar: calls,
        };
        attached.builder = attached.set_builders(&[("b", "dir-b")]).await[0];
        login.answer.accept(avatar);
        while self.events.recv().await.unwrap() != Event::Attached {}
        attached
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join("dir-b").join(name)
    }
}

impl Attached {
    async fn call(&self, object: Luid, method: &'static str, args: Vec<Value>) -> Value {
        self.try_call(object, method, args).await.unwrap()
    }

    async fn try_call(
        &self,
        object: Luid,
        method: &'static str,
        args: Vec<Value>,
    ) -> Result<Value, Failure> {
        match self
            .peer
            .call(Target::Object(object), method, args, Vec::new())
            .await
        {
            Ok(value) => Ok(value),
            Err(CallError::Remote(failure)) => Err(failure),
            Err(CallError::Lost) => panic!("connection lost"),
        }
    }

    async fn set_builders(&self, list: &[(&str, &str)]) -> Vec<Luid> {
        let text = |text: &str| self.dialect.text(text);
        let pairs = list
            .iter()
            .map(|(name, dir)| Value::Tuple(vec![text(name), text(dir)]));
        let pairs = Value::List(pairs.collect());
        let answer = self.call(self.bot, "setBuilderList", vec![pairs]).await;
        let pairs = answer.as_dict().unwrap();
        // Names come back in the spelling they went out in.
        let find = |name: &str| pairs.iter().find(|(key, _)| *key == text(name));
        let object = |(name, _): &(&str, &str)| find(name).unwrap().1.as_theirs().unwrap();
        assert_eq!(pairs.len(), list.len());
        list.iter().map(object).collect()
    }

    /// Starts a command; its object's calls.
    async fn start(
        &self,
        name: &str,
        args: &[(&str, Value)],
    ) -> Result<mpsc::Receiver<Box<IncomingCall>>, Failure> {
        let (object, calls) = self.peer.export(64);
        let text = |text: &str| self.dialect.text(text);
        let args = vec![
            Value::Mine(object),
            text("1"),
            text(name),
            self.dialect.dict(args),
        ];
        self.try_call(self.builder, "startCommand", args).await?;
        Ok(calls)
    }

    async fn shell(&self, line: &str, more: &[(&str, Value)]) -> mpsc::Receiver<Box<IncomingCall>> {
        let command = [
            ("command", self.dialect.text(line)),
            ("workdir", self.dialect.text(".")),
        ];
        self.start("shell", &[&command, more].concat())
            .await
            .unwrap()
    }
}

/// Takes what a command says to its end. The raw values of the updates, the updates, and what
/// `complete` was called with.
async fn finish(mut calls: mpsc::Receiver<Box<IncomingCall>>) -> (Vec<Value>, Vec<Update>, Value) {
    let (mut raw, mut updates) = (Vec::new(), Vec::new());
    while let Some(call) = calls.recv().await {
        let arg = call.args[0].clone();
        call.reply.value(Value::Int(0));
        if call.method.as_ref() == b"complete" {
            // The object is released, and no call follows.
            assert!(calls.recv().await.is_none());
            return (raw, updates, arg);
        }
        assert_eq!(call.method.as_ref(), b"update");
        updates.extend(decoded(&arg));
        raw.push(arg);
    }
    panic!("the command ended without complete");
}

/// Waits until a command has said `text` on its standard output.
async fn wait_for(calls: &mut mpsc::Receiver<Box<IncomingCall>>, text: &str) {
    let mut stdout = String::new();
    while !stdout.contains(text) {
        let call = calls.recv().await.unwrap();
        for update in decoded(&call.args[0]) {
            if let Update::Stdout(data) = update {
                stdout += &String::from_utf8_lossy(&data);
            }
        }
        call.reply.value(Value::Int(0));
    }
}

fn decoded(list: &Value) -> Vec<Update> {
    let updates = decode_updates(list).unwrap().into_iter();
    updates.map(|numbered| numbered.update).collect()
}

fn stdout(updates: &[Update]) -> Vec<u8> {
    let mut stdout = Vec::new();
    for update in updates {
        if let Update::Stdout(data) = update {
            stdout.extend_from_slice(data);
        }
    }
    stdout
}

fn rc(updates: &[Update]) -> Option<i64> {
    updates.iter().find_map(|update| {
        let Update::Rc(rc) = update else { return None };
        Some(*rc)
    })
}

/// Waits until no process has the locked file `lock` open any more.
async fn unlocked(lock: &Path) {
    let lock = fs::File::open(lock).unwrap();
    let locked = move || rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive);
    tokio::task::spawn_blocking(locked).await.unwrap().unwrap();
}

/// Locks a file by a descriptor that every process of the command has.
const ENDLESS: &str = "exec 9>lock; flock 9; sleep 600 & echo begun; wait";

#[tokio::test]
async fn an_old_master_asks_in_bytes_and_is_told_in_bytes() {
    let mut world = World::new(|_| {});
    fs::create_dir(world.dir.path().join("info")).unwrap();
    fs::write(world.dir.path().join("info/admin"), "me\n").unwrap();
    let master = world.attach(Dialect::Old).await;
    let info = master.call(master.bot, "getSlaveInfo", vec![]).await;
    assert_eq!(info.get("admin"), Some(&Value::bytes("me\n")));
    assert_eq!(info.get("system"), Some(&Value::bytes("posix")));
    assert!(info.get("environ").unwrap().as_dict().is_some());
    let commands = master.call(master.bot, "getCommands", vec![]).await;
    assert_eq!(commands.get("shell"), Some(&Value::bytes("3.3")));
    let version = master.call(master.bot, "getVersion", vec![]).await;
    assert!(matches!(version, Value::Bytes(_)));
    let inert = Value::Mine(master.peer.export_inert());
    assert_eq!(
        master.call(master.builder, "setMaster", vec![inert]).await,
        Value::None
    );
    let ping = vec![Value::bytes("ping")];
    assert_eq!(
        master.call(master.builder, "print", ping).await,
        Value::None
    );
    assert_eq!(
        master.call(master.builder, "startBuild", vec![]).await,
        Value::None
    );
    let pty = [
        ("usePTY", Value::bytes("slave-config")),
        ("env", Value::None),
    ];
    let (raw, updates, end) = finish(master.shell("printf 'a\\377'", &pty).await).await;
    assert_eq!(stdout(&updates), b"a\xff");
    assert_eq!((rc(&updates), end), (Some(0), Value::None));
    assert!(!format!("{raw:?}").contains("Text("), "{raw:?}");
}

#[tokio::test]
async fn a_new_master_asks_in_text_and_is_told_in_text() {
    let mut world = World::new(|_| {});
    let master = world.attach(Dialect::New).await;
    let info = master.call(master.bot, "getWorkerInfo", vec![]).await;
    for key in ["version", "system", "basedir"] {
        assert!(matches!(info.get(key), Some(Value::Text(_))), "{key}");
    }
    assert!(info.get("numcpus").unwrap().as_int().unwrap() > 0);
    let commands = info.get("worker_commands").unwrap();
    assert_eq!(commands.get("shell"), Some(&Value::text("3.3")));
    assert_eq!(commands.get("svn"), Some(&Value::text("3.3")));
    assert_eq!(commands.get("p4"), Some(&Value::text("3.3")));
    assert_eq!(commands.get("nothing"), None);
    let no_pty = [("usePTY", Value::Bool(false))];
    let calls = master
        .shell("printf 'caf\\303'; printf '\\251 \\377'", &no_pty)
        .await;
    let (raw, updates, end) = finish(calls).await;
    assert_eq!(stdout(&updates), "café \u{fffd}".as_bytes());
    assert_eq!((rc(&updates), end), (Some(0), Value::None));
    assert!(!format!("{raw:?}").contains("Bytes("), "{raw:?}");
}

#[tokio::test]
async fn our_master_greets_in_bytes_and_gets_bytes_for_its_texts() {
    let mut world = World::new(|_| {});
    let mut master = world.attach(Dialect::Old).await;
    master.dialect = Dialect::New;
    let (_, updates, _) = finish(master.shell("printf '\\377'", &[]).await).await;
    assert_eq!(stdout(&updates), b"\xff");
}

#[tokio::test]
async fn unknown_methods_are_no_such_method() {
    let mut world = World::new(|_| {});
    let master = world.attach(Dialect::Old).await;
    for object in [master.bot, master.builder] {
        let failure = master
            .try_call(object, "nonsense", vec![])
            .await
            .unwrap_err();
        assert!(failure.is(Failure::NO_SUCH_METHOD), "{failure}");
    }
    let failure = master.start("nonsense", &[]).await.unwrap_err();
    assert_eq!(failure.kind, "buildslave.bot.UnknownCommand");
}

#[tokio::test]
async fn an_interrupted_command_ends_the_usual_way() {
    let mut world = World::new(|_| {});
    let master = world.attach(Dialect::New).await;
    let mut calls = master.shell(ENDLESS, &[]).await;
    wait_for(&mut calls, "begun").await;
    let args = vec![Value::text("1"), Value::text("enough")];
    assert_eq!(
        master.call(master.builder, "interruptCommand", args).await,
        Value::None
    );
    let (_, updates, end) = finish(calls).await;
    assert_eq!((rc(&updates), end), (Some(-1), Value::None));
    // With nothing running it does nothing.
    let args = vec![Value::text("1"), Value::text("enough")];
    assert_eq!(
        master.call(master.builder, "interruptCommand", args).await,
        Value::None
    );
    unlocked(&world.file("lock")).await;
}

#[tokio::test]
async fn a_second_command_kills_the_first_silently() {
    let mut world = World::new(|_| {});
    let master = world.attach(Dialect::Old).await;
    let mut first = master.shell(ENDLESS, &[]).await;
    wait_for(&mut first, "begun").await;
    let (_, updates, _) = finish(master.shell("echo second", &[]).await).await;
    assert_eq!(stdout(&updates), b"second\n");
    unlocked(&world.file("lock")).await;
    // No complete, and no word after the second began.
    while let Ok(call) = first.try_recv() {
        assert_ne!(call.method.as_ref(), b"complete");
    }
}

#[tokio::test]
async fn quick_commands_may_overlap() {
    let mut world = World::new(|_| {});
    let master = world.attach(Dialect::New).await;
    let mut started = Vec::new();
    for (name, key) in [("glob", "path"), ("stat", "file"), ("listdir", "dir")] {
        let args = [(key, master.dialect.text("."))];
        started.push(master.start(name, &args).await.unwrap());
    }
    // Updates were sent meanwhile, but none was answered.
    for calls in started {
        let (_, updates, _) = finish(calls).await;
        assert_eq!(rc(&updates), Some(0));
    }
}

#[tokio::test]
async fn a_lost_connection_kills_what_runs_and_the_slave_comes_back() {
    let mut world = World::new(|_| {});
    let master = world.attach(Dialect::New).await;
    let mut calls = master.shell(ENDLESS, &[]).await;
    wait_for(&mut calls, "begun").await;
    master.peer.close("test");
    unlocked(&world.file("lock")).await;
    let master = world.attach(Dialect::Old).await;
    let (_, updates, _) = finish(master.shell("echo again", &[]).await).await;
    assert_eq!(stdout(&updates), b"again\n");
}

#[tokio::test]
async fn builders_that_stay_keep_their_object_and_removed_ones_their_directory() {
    let mut world = World::new(|_| {});
    let master = world.attach(Dialect::Old).await;
    let list = [("b", "dir-b"), ("c", "dir-c")];
    let objects = master.set_builders(&list).await;
    assert_eq!(objects[0], master.builder);
    assert!(world.dir.path().join("dir-c").is_dir());
    let mut calls = master.shell(ENDLESS, &[]).await;
    wait_for(&mut calls, "begun").await;
    master.set_builders(&[("c", "dir-c")]).await;
    unlocked(&world.file("lock")).await;
    assert!(world.dir.path().join("dir-b").is_dir());
    let again = master.set_builders(&list).await;
    assert_ne!(again[0], objects[0]);
    assert_eq!(again[1], objects[1]);
}

#[tokio::test]
async fn a_master_that_does_not_answer_makes_the_command_wait() {
    let mut world = World::new(|_| {});
    let master = world.attach(Dialect::Old).await;
    let mut calls = master
        .shell("head -c 20000000 /dev/zero; touch done", &[])
        .await;
    let mut held = Vec::new();
    let mut bytes = 0;
    for _ in 0..8 {
        let call = calls.recv().await.unwrap();
        bytes += stdout(&decoded(&call.args[0])).len();
        held.push(call);
    }
    // Whatever was sent meanwhile has arrived before these answers.
    for _ in 0..50 {
        master.call(master.builder, "startBuild", vec![]).await;
    }
    assert!(calls.try_recv().is_err(), "a ninth update came unanswered");
    assert!(!world.file("done").exists());
    for call in held {
        call.reply.value(Value::Int(0));
    }
    let (_, updates, _) = finish(calls).await;
    assert_eq!(bytes + stdout(&updates).len(), 20_000_000);
}

#[tokio::test]
async fn a_command_can_have_a_terminal() {
    let mut world = World::new(|_| {});
    let master = world.attach(Dialect::New).await;
    let pty = [("usePTY", Value::Bool(true))];
    let line = "test -t 0 && test -t 1 && echo tty; : < /dev/tty && echo ours; exit 3";
    let (_, updates, _) = finish(master.shell(line, &pty).await).await;
    assert_eq!(stdout(&updates), b"tty\r\nours\r\n");
    assert_eq!(rc(&updates), Some(3));
    let mut calls = master.shell(ENDLESS, &pty).await;
    wait_for(&mut calls, "begun").await;
    let args = vec![Value::text("1"), Value::text("enough")];
    master.call(master.builder, "interruptCommand", args).await;
    let (_, updates, _) = finish(calls).await;
    assert_eq!(rc(&updates), Some(-1));
    unlocked(&world.file("lock")).await;
}

#[tokio::test]
async fn the_master_can_end_the_slave() {
    let mut world = World::new(|_| {});
    let master = world.attach(Dialect::New).await;
    assert_eq!(
        master.call(master.bot, "shutdown", vec![]).await,
        Value::None
    );
    assert_eq!(world.slave.await.unwrap(), Ended::ByMaster);
}

#[tokio::test]
async fn a_slave_that_is_stopped_kills_what_runs() {
    let mut world = World::new(|_| {});
    let master = world.attach(Dialect::New).await;
    let mut calls = master.shell(ENDLESS, &[]).await;
    wait_for(&mut calls, "begun").await;
    world.controls.stop.cancel();
    let lock = world.file("lock");
    assert_eq!(world.slave.await.unwrap(), Ended::Stopped);
    unlocked(&lock).await;
}

#[tokio::test]
async fn a_graceful_end_is_asked_of_the_master() {
    let mut world = World::new(|_| {});
    let mut master = world.attach(Dialect::New).await;
    world.controls.graceful.notify_one();
    let call = master.avatar.recv().await.unwrap();
    assert_eq!(call.method.as_ref(), b"shutdown");
}

#[tokio::test]
async fn the_slave_says_from_time_to_time_that_it_lives() {
    let mut world = World::new(|s| s.keepalive = Some(Duration::from_millis(1)));
    let mut master = world.attach(Dialect::Old).await;
    for _ in 0..3 {
        let call = master.avatar.recv().await.unwrap();
        assert_eq!(call.method.as_ref(), b"keepalive");
        call.reply.value(Value::None);
    }
}

#[tokio::test]
async fn a_refused_login_is_tried_again() {
    let mut world = World::new(|s| s.password = "wrong".to_owned());
    for _ in 0..2 {
        let stream = world.streams.recv().await.unwrap();
        world.door.accept(stream, "memory", None);
        let Event::Detached { why, .. } = world.events.recv().await.unwrap() else {
            panic!("attached");
        };
        assert!(why.contains("password"), "{why}");
    }
    world.controls.stop.cancel();
    assert_eq!(world.slave.await.unwrap(), Ended::Stopped);
}
