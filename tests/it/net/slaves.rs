//! Slaves and workers, played by a script on the client's side.

use std::task::{Context, Poll, Waker};

use buildmaster::model::{BuildId, CommandId, SlaveName};
use buildmaster::net::slave::{SlaveBuilderHandle, SlaveHandle};
use buildmaster::net::{CallError, CommandEnd, CommandEvent, IncomingCall, RunningCommand};
use buildmaster::pb::{Failure, Luid, Target, Value};
use buildmaster::protocol::{CommandArgs, ShellArgs, ShellCommand};
use buildmaster::protocol::{TextStyle, Update, encode_updates};
use tokio::sync::mpsc;

use super::{Server, Session};

/// Which generation is played.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// Before 0.7.12: it has no `getVersion`.
    Ancient,
    Slave,
    Worker,
}

/// A slave that is played, with one builder, and its master's handles.
struct Play {
    kind: Kind,
    session: Session,
    object: Luid,
    builder_calls: mpsc::Receiver<Box<IncomingCall>>,
    /// The methods that were called, with `b.` before those of the builder.
    heard: Vec<String>,
}

impl Play {
    async fn new(kind: Kind) -> Self {
        let session = Server::new().session(4).await;
        let (object, builder_calls) = session.client.export(4);
        Self {
            kind,
            session,
            object,
            builder_calls,
            heard: Vec::new(),
        }
    }

    /// Plays the slave while the master does something.
    async fn during<T>(&mut self, master: impl Future<Output = T>) -> T {
        let mut master = std::pin::pin!(master);
        loop {
            let (of_bot, call) = tokio::select! {
                biased;
                done = &mut master => return done,
                Some(call) = self.session.bot_calls.recv() => (true, call),
                Some(call) = self.builder_calls.recv() => (false, call),
            };
            self.answer(of_bot, *call);
        }
    }

    fn answer(&mut self, of_bot: bool, call: IncomingCall) {
        let method = String::from_utf8_lossy(&call.method).into_owned();
        let text = |text: &str| match self.kind {
            Kind::Ancient | Kind::Slave => Value::bytes(text),
            Kind::Worker => Value::text(text),
        };
        let dict = |pairs: Vec<(&str, Value)>| {
            Value::Dict(pairs.into_iter().map(|(k, v)| (text(k), v)).collect())
        };
        let answer = match (method.as_str(), self.kind) {
            ("getWorkerInfo", Kind::Worker) => dict(vec![
                ("version", text("4.3.0")),
                ("environ", dict(vec![("LANG", text("C"))])),
                ("worker_commands", dict(vec![("shell", text("3.3"))])),
            ]),
            ("getSlaveInfo", Kind::Slave | Kind::Ancient) => dict(vec![("admin", text("me\n"))]),
            ("getVersion", Kind::Slave) => text("0.8.14"),
            ("getCommands", Kind::Slave | Kind::Ancient) => dict(vec![("shell", text("2.9"))]),
            ("setBuilderList", _) => dict(vec![("b", Value::Mine(self.object))]),
            ("print" | "startBuild" | "setMaster" | "interruptCommand", _) => Value::None,
            ("shutdown", Kind::Slave | Kind::Worker) => Value::None,
            ("shutdown", Kind::Ancient) if !of_bot => Value::None,
            _ => {
                self.heard.push(format!("{method}?"));
                return call.reply.fail(Failure::no_such_method(&method));
            }
        };
        self.heard.push(if of_bot {
            method
        } else {
            format!("b.{method}")
        });
        call.reply.value(answer);
    }

    async fn attach(&mut self) -> (SlaveHandle, SlaveBuilderHandle) {
        let (server, bot) = (self.session.server.clone(), self.session.bot);
        let attach = async {
            let slave = SlaveHandle::greet(SlaveName::from("s1"), server, bot)
                .await
                .unwrap();
            let list = [("b".into(), "dir".to_owned())];
            let mut builders = slave.set_builder_list(&list).await.unwrap();
            let (name, builder) = builders.remove(0);
            assert_eq!(name.as_str(), "b");
            builder.set_master().await.unwrap();
            builder.print("attached").await.unwrap();
            (slave, builder)
        };
        self.during(attach).await
    }

    /// Attaches and starts a command; answers with the master's end of it and the slave's call.
    async fn command(&mut self) -> (SlaveBuilderHandle, RunningCommand, Box<IncomingCall>) {
        let (_, builder) = self.attach().await;
        let command = builder.start_command(ID, &shell(), None);
        let call = self.builder_calls.recv().await.unwrap();
        assert_eq!(call.method, "startCommand");
        assert_eq!(call.args[1].as_text().unwrap(), "12.3.0");
        (builder, command, call)
    }

    fn call(&self, object: Luid, method: &'static str, arg: Value) -> Called {
        let target = Target::Object(object);
        Box::pin(self.session.client.call(target, method, vec![arg], vec![]))
    }
}

type Called = std::pin::Pin<Box<dyn Future<Output = Result<Value, CallError>>>>;

/// The id of the commands, which the slaves see as `12.3.0`.
const ID: CommandId = CommandId {
    build: BuildId(12),
    step: 3,
    ordinal: 0,
};

fn shell() -> CommandArgs {
    let line = ShellCommand::Line("make".to_owned());
    CommandArgs::Shell(Box::new(ShellArgs::new(line, "build".to_owned())))
}

fn command_object(call: &IncomingCall) -> Luid {
    call.args[0].as_theirs().unwrap()
}

fn rc(code: i64) -> Value {
    encode_updates(&[Update::Rc(code)], TextStyle::Bytes)
}

async fn end_of(mut command: RunningCommand) -> CommandEnd {
    loop {
        if let CommandEvent::Ended(end) = command.events.recv().await.unwrap() {
            assert!(command.events.recv().await.is_none());
            return end;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn slv_02_every_generation_attaches() {
    let attach = |kind| async move {
        let mut play = Play::new(kind).await;
        let (slave, _) = play.attach().await;
        (play.heard.join(" "), slave.info)
    };
    let (heard, info) = attach(Kind::Ancient).await;
    assert_eq!(
        heard,
        "print getWorkerInfo? getSlaveInfo getVersion? getCommands setBuilderList b.setMaster b.print"
    );
    assert_eq!((info.is_worker, info.texts.get("version")), (false, None));
    let (heard, info) = attach(Kind::Slave).await;
    assert_eq!(
        heard,
        "print getWorkerInfo? getSlaveInfo getVersion getCommands setBuilderList b.setMaster b.print"
    );
    assert_eq!(
        (info.texts["version"].as_str(), info.texts["admin"].as_str()),
        ("0.8.14", "me")
    );
    let (heard, info) = attach(Kind::Worker).await;
    assert_eq!(heard, "print getWorkerInfo setBuilderList print");
    assert!(info.is_worker && info.command_is_at_least("shell", "3.2"));
}

#[tokio::test(start_paused = true)]
async fn a_builder_that_the_slave_makes_no_object_for_is_missing_from_the_answer() {
    let mut play = Play::new(Kind::Slave).await;
    let (slave, _builder) = play.attach().await;
    let list = [("other".into(), "dir".to_owned())];
    let made = play.during(slave.set_builder_list(&list)).await.unwrap();
    assert!(made.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_builder_that_stays_keeps_its_object_over_a_new_list() {
    let mut play = Play::new(Kind::Slave).await;
    let (slave, first) = play.attach().await;
    let list = [("b".into(), "dir".to_owned())];
    let again = play.during(slave.set_builder_list(&list)).await.unwrap();
    drop(first);
    play.during(again[0].1.start_build()).await.unwrap();
    drop(again);
    // Each reference was given back once: the object is gone now, and the connection is not.
    assert!(play.builder_calls.recv().await.is_none());
    play.during(slave.print("still here")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn shutdown_falls_back_to_a_builder() {
    for (kind, heard) in [
        (Kind::Worker, "shutdown"),
        (Kind::Ancient, "shutdown? b.shutdown"),
    ] {
        let mut play = Play::new(kind).await;
        let (slave, _builder) = play.attach().await;
        play.heard.clear();
        play.during(slave.shutdown()).await;
        assert_eq!(play.heard.join(" "), heard);
    }
}

#[tokio::test(start_paused = true)]
async fn updates_are_acknowledged_when_they_are_stored() {
    let mut play = Play::new(Kind::Slave).await;
    let (_builder, mut command, start) = play.command().await;
    let object = command_object(&start);
    let updated = play.call(object, "update", rc(0));
    let Some(CommandEvent::Updates(updates, acknowledge)) = command.events.recv().await else {
        panic!("no update");
    };
    assert_eq!(updates, [Update::Rc(0)]);
    let mut updated = std::pin::pin!(updated);
    let soon = std::time::Duration::from_secs(5);
    assert!(tokio::time::timeout(soon, &mut updated).await.is_err());
    acknowledge.stored();
    assert_eq!(updated.await.unwrap(), Value::Int(0));
}

#[tokio::test(start_paused = true)]
async fn all_may_come_before_the_answer_to_the_start() {
    let mut play = Play::new(Kind::Worker).await;
    let (_builder, command, start) = play.command().await;
    let object = command_object(&start);
    drop(play.call(object, "update", rc(0)));
    drop(play.call(object, "complete", Value::None));
    play.session.client.release(object);
    assert!(matches!(end_of(command).await, CommandEnd::Complete));
    start.reply.value(Value::None);
}

#[tokio::test(start_paused = true)]
async fn a_failed_start_a_failed_command_and_a_lost_one_end_it() {
    let mut play = Play::new(Kind::Slave).await;
    let (builder, command, start) = play.command().await;
    start
        .reply
        .fail(Failure::new("buildslave.bot.UnknownCommand", "no"));
    let CommandEnd::Failed(failure) = end_of(command).await else {
        panic!("no failure");
    };
    assert!(failure.is("buildslave.bot.UnknownCommand"));

    let command = builder.start_command(ID, &shell(), None);
    let start = play.builder_calls.recv().await.unwrap();
    let failure = Value::Failure(Box::new(Failure::new("exceptions.RuntimeError", "x")));
    drop(play.call(command_object(&start), "complete", failure));
    assert!(matches!(end_of(command).await, CommandEnd::Failed(f) if f.value == "x"));

    let command = builder.start_command(ID, &shell(), None);
    let start = play.builder_calls.recv().await.unwrap();
    play.session.client.release(command_object(&start));
    assert!(matches!(end_of(command).await, CommandEnd::Failed(_)));

    let command = builder.start_command(ID, &shell(), None);
    play.session.client.close("gone");
    assert!(matches!(end_of(command).await, CommandEnd::Lost));
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_gets_through_while_the_build_takes_nothing() {
    let mut play = Play::new(Kind::Slave).await;
    let (_builder, command, start) = play.command().await;
    let object = command_object(&start);
    start.reply.value(Value::None);
    let updates: Vec<Called> = (0..200)
        .map(|n| play.call(object, "update", rc(n)))
        .collect();
    command.interrupt.ask("enough");
    let interrupt = play.builder_calls.recv().await.unwrap();
    assert_eq!(interrupt.method, "interruptCommand");
    assert_eq!(interrupt.args[1], Value::bytes("enough"));
    drop(play.call(object, "complete", Value::None));
    let mut command = command;
    for n in 0..200 {
        let Some(CommandEvent::Updates(updates, _)) = command.events.recv().await else {
            panic!("update {n} is lost");
        };
        assert_eq!(updates, [Update::Rc(n)]);
    }
    assert!(matches!(end_of(command).await, CommandEnd::Complete));
    for update in updates {
        assert_eq!(update.await.unwrap(), Value::Int(0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_that_nobody_listens_to_runs_to_its_end() {
    let mut play = Play::new(Kind::Slave).await;
    let (_builder, command, start) = play.command().await;
    drop(command);
    let object = command_object(&start);
    for n in 0..100 {
        assert_eq!(
            play.call(object, "update", rc(n)).await.unwrap(),
            Value::None
        );
    }
    assert_eq!(
        play.call(object, "complete", Value::None).await.unwrap(),
        Value::None
    );
    assert_eq!(
        play.call(object, "update", rc(0)).await.unwrap(),
        Value::None
    );
}

#[tokio::test(start_paused = true)]
async fn nonsense_from_a_slave_is_answered_with_an_error() {
    let mut play = Play::new(Kind::Slave).await;
    let (_builder, command, start) = play.command().await;
    let object = command_object(&start);
    let update = play.call(object, "update", Value::Int(1));
    let unknown = play.call(object, "frobnicate", Value::None);
    drop(play.call(object, "complete", Value::None));
    assert!(matches!(end_of(command).await, CommandEnd::Complete));
    let answer = update.await;
    assert!(matches!(answer, Err(CallError::Remote(f)) if f.is("builtins.ValueError")));
    let answer = unknown.await;
    assert!(matches!(answer, Err(CallError::Remote(f)) if f.is(Failure::NO_SUCH_METHOD)));
}

/// An update with `pieces` pieces of output of `bytes` bytes; each begins with its number.
fn output(pieces: usize, bytes: usize) -> Value {
    let piece = |number: usize| {
        let mut data = vec![b'x'; bytes];
        data[..8].copy_from_slice(format!("{number:08}").as_bytes());
        Update::Stdout(data.into())
    };
    let pieces: Vec<Update> = (0..pieces).map(piece).collect();
    encode_updates(&pieces, TextStyle::Bytes)
}

#[tokio::test(start_paused = true)]
async fn a_large_update_comes_in_parts_and_is_acknowledged_when_all_are_stored() {
    const PIECES: usize = 24;
    const BYTES: usize = 512 * 1024;

    let mut play = Play::new(Kind::Slave).await;
    let (_builder, mut command, start) = play.command().await;
    let object = command_object(&start);
    let updated = play.call(object, "update", output(PIECES, BYTES));
    let mut updated = std::pin::pin!(updated);
    let mut next = 0;
    while next < PIECES {
        let event = tokio::select! {
            biased;
            _ = &mut updated => panic!("acknowledged too early"),
            event = command.events.recv() => event,
        };
        let Some(CommandEvent::Updates(updates, acknowledge)) = event else {
            panic!("no update");
        };
        assert!(updates.len() * BYTES <= 2 * 1024 * 1024);
        for update in updates {
            let Update::Stdout(data) = update else {
                panic!("{update:?}");
            };
            assert_eq!(data.len(), BYTES);
            assert_eq!(data[..8], *format!("{next:08}").as_bytes());
            next += 1;
        }
        acknowledge.stored();
    }
    assert_eq!(updated.await.unwrap(), Value::Int(0));
}

#[tokio::test(start_paused = true)]
async fn a_slave_is_not_read_when_its_output_takes_its_share_of_memory() {
    const PIECES: usize = 2;
    const BYTES: usize = 512 * 1024;
    const UPDATES: usize = 14;

    let mut play = Play::new(Kind::Slave).await;
    let (_builder, mut command, start) = play.command().await;
    let object = command_object(&start);
    let updates: Vec<Called> = (0..UPDATES)
        .map(|_| play.call(object, "update", output(PIECES, BYTES)))
        .collect();
    // However long it lasts, what nobody has taken waits with the slave.
    tokio::time::sleep(std::time::Duration::from_secs(3_600)).await;
    let mut context = Context::from_waker(Waker::noop());
    let mut all = 0;
    while let Poll::Ready(event) = command.events.poll_next(&mut context) {
        let Some(CommandEvent::Updates(pieces, _)) = event else {
            panic!("an update is lost");
        };
        all += pieces.len();
        assert!(all * BYTES <= 4 * 1024 * 1024);
    }
    assert!(all > 0);
    while all < UPDATES * PIECES {
        let Some(CommandEvent::Updates(pieces, _)) = command.events.recv().await else {
            panic!("an update is lost");
        };
        all += pieces.len();
    }
    for update in updates {
        assert_eq!(update.await.unwrap(), Value::Int(0));
    }
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_returns_the_highest_number_of_its_updates() {
    let mut play = Play::new(Kind::Worker).await;
    let (_builder, mut command, start) = play.command().await;
    let object = command_object(&start);
    let numbered = |number| {
        let dict = Value::Dict(vec![(Value::text("stdout"), Value::text("x"))]);
        Value::List(vec![dict, Value::Int(number)])
    };
    let list = Value::List(vec![numbered(41), numbered(42), numbered(40)]);
    let answer = play.call(object, "update", list);
    let Some(CommandEvent::Updates(updates, acknowledge)) = command.events.recv().await else {
        panic!("no update");
    };
    assert_eq!(updates.len(), 3);
    acknowledge.stored();
    assert_eq!(answer.await.unwrap(), Value::Int(42));
}
