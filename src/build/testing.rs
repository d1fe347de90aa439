//! Steps, plans and a played slave for tests.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::{Control, Desk, Journal, Remote, Services, run};
use crate::botmaster::{BuildInput, BuildOutcome, BuildPlan, Input, LockUser};
use crate::config::{
    BuilderConfig, FactoryConfig, LogLimits, ShellStepConfig, StepConfig, StepKind, Template,
};
use crate::config::{CommandWords, TemplatePart};
use crate::logs::{Channel, LogReader, LogStore};
use crate::model::journal::{BuildStart, LogOpening, StepFinish, StepStart};
use crate::model::{BuildId, BuildNumber, CommandId, Op, Properties, Results, Timestamp};
use crate::net::{Acknowledge, CommandEnd, CommandEvent, CommandEvents, Interrupt, RunningCommand};
use crate::protocol::ShellArgs;
use crate::protocol::{CommandArgs, Update};
use crate::store::{Store, Writer};
use crate::transfer::{Lent, MasterFiles, Request};

pub(super) fn template(text: &str) -> Template {
    Template(vec![TemplatePart::Text(text.to_owned())])
}

/// A shell step with Buildbot's defaults: its failure fails the build.
pub(super) fn step_config(name: &str) -> StepConfig {
    StepConfig {
        name: name.to_owned(),
        kind: StepKind::Shell(Box::new(shell_config(name))),
        ..StepConfig::default()
    }
}

pub(super) fn shell_config(line: &str) -> ShellStepConfig {
    ShellStepConfig {
        command: CommandWords::Line(template(line)),
        log_environ: true,
        ..ShellStepConfig::default()
    }
}

pub(super) fn shell(step: &mut StepConfig) -> &mut ShellStepConfig {
    if let StepKind::Shell(config) = &mut step.kind {
        return config;
    }
    panic!("it is of another kind");
}

/// A command that the build under test has started, seen from the slave.
pub(super) struct Played {
    /// What was asked.
    pub(super) asked: CommandArgs,
    /// The id that it was given.
    pub(super) id: CommandId,
    /// The same if it is a `shell`, else nothing of use.
    pub(super) args: ShellArgs,
    /// The master's end of a transfer.
    pub(super) lent: Option<Lent>,
    events: mpsc::Sender<CommandEvent>,
    pub(super) interrupts: mpsc::UnboundedReceiver<String>,
}

impl Played {
    /// Says something; the answer comes when the build has acknowledged it.
    pub(super) async fn say(&self, updates: Vec<Update>) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        // A test that does not wait for it has dropped the other end.
        let acknowledge = Acknowledge::new(|| sender.send(()).unwrap_or_default());
        drop(
            self.events
                .send(CommandEvent::Updates(updates, acknowledge))
                .await,
        );
        receiver
    }

    pub(super) async fn print(&self, text: &str) {
        let data = Bytes::copy_from_slice(text.as_bytes());
        drop(self.say(vec![Update::Stdout(data)]).await);
    }

    /// Reads what the master has to read, to its end.
    pub(super) fn read(&mut self) -> Bytes {
        let lent = self.lent.as_mut().unwrap();
        let mut content = Vec::new();
        loop {
            let block = lent.answer(Request::Read(1000));
            if block.is_empty() {
                return content.into();
            }
            content.extend_from_slice(&block);
        }
    }

    /// Has the master answer a call.
    pub(super) fn call(&mut self, request: Request) {
        self.lent.as_mut().unwrap().answer(request);
    }

    pub(super) async fn end(self, end: CommandEnd) {
        drop(self.events.send(CommandEvent::Ended(end)).await);
    }

    /// Waits until the build has turned away from the command.
    pub(super) async fn closed(&self) {
        self.events.closed().await;
    }

    /// Tells the exit status and ends.
    pub(super) async fn exit(self, rc: i64) {
        drop(self.say(vec![Update::Rc(rc)]).await);
        self.end(CommandEnd::Complete).await;
    }
}

/// What a played command says.
#[derive(Debug)]
struct PlayedEvents(mpsc::Receiver<CommandEvent>);

impl CommandEvents for PlayedEvents {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<CommandEvent>> {
        self.0.poll_recv(context)
    }

    fn close(&mut self) {
        self.0.close();
    }
}

/// A slave whose commands are started by a function.
pub(super) struct FnRemote<F>(pub(super) F);

impl<F> Remote for FnRemote<F>
where
    F: FnMut(CommandId, &CommandArgs, Option<Lent>) -> RunningCommand + Send + Sync,
{
    fn start(&mut self, id: CommandId, args: &CommandArgs, lent: Option<Lent>) -> RunningCommand {
        (self.0)(id, args, lent)
    }
}

/// The build under test.
pub(super) struct Stage {
    pub(super) plan: Box<BuildPlan>,
    pub(super) directory: tempfile::TempDir,
    /// The state, in which the build has started.
    pub(super) state: Writer,
    commands: mpsc::UnboundedReceiver<Played>,
    remote: Option<Box<dyn Remote>>,
    control: mpsc::Sender<Control>,
    control_receiver: Option<mpsc::Receiver<Control>>,
    ops: mpsc::UnboundedReceiver<Op>,
    ops_sender: mpsc::UnboundedSender<Op>,
    /// What the build has said about locks.
    pub(super) asked: mpsc::UnboundedReceiver<Input>,
    asked_sender: mpsc::UnboundedSender<Input>,
    /// Said to the build at this reading of its clock, counted from 0; it reads the clock at the
    /// start and at the end of each step.
    pub(super) at_tick: Option<(i64, Control)>,
    /// The op at which the journal fails, counted from 0.
    pub(super) op_fails: Option<usize>,
    /// The message about locks that fails, counted from 0.
    pub(super) asking_fails: Option<usize>,
}

/// Fails at this call, counted from 0.
fn failing_at(at: Option<usize>) -> impl Fn() + Send + Sync + 'static {
    let calls = AtomicUsize::new(0);
    move || {
        let call = calls.fetch_add(1, Ordering::Relaxed);
        assert!(Some(call) != at, "broken on purpose");
    }
}

impl Stage {
    pub(super) fn new(steps: Vec<StepConfig>) -> Self {
        let (started, commands) = mpsc::unbounded_channel();
        let remote = FnRemote(move |id, args: &CommandArgs, lent| {
            let asked = args.clone();
            let args = if let CommandArgs::Shell(args) = args {
                (**args).clone()
            } else {
                ShellArgs::words([], "")
            };
            let (events_sender, events) = mpsc::channel(4);
            let (asking, interrupts) = mpsc::unbounded_channel();
            // A test that does not look at them has dropped the other end.
            let ask = move |why: &str| asking.send(why.to_owned()).unwrap_or_default();
            let played = Played {
                asked,
                id,
                args,
                lent,
                events: events_sender,
                interrupts,
            };
            drop(started.send(played));
            RunningCommand {
                events: Box::new(PlayedEvents(events)),
                interrupt: Interrupt::new(ask),
            }
        });
        let (control, control_receiver) = mpsc::channel(8);
        let (ops_sender, ops) = mpsc::unbounded_channel();
        let (asked_sender, asked) = mpsc::unbounded_channel();
        let plan = Box::new(plan(steps));
        let directory = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(directory.path()).unwrap();
        let state = store.start(Box::new(|_| {})).unwrap();
        state.hand_in(None, vec![start_of(&plan)]);
        Self {
            plan,
            directory,
            state,
            commands,
            remote: Some(Box::new(remote)),
            control,
            control_receiver: Some(control_receiver),
            ops,
            ops_sender,
            asked,
            asked_sender,
            at_tick: None,
            op_fails: None,
            asking_fails: None,
        }
    }

    /// The build as a future that the test drives beside its script.
    pub(super) fn build(&mut self) -> impl Future<Output = BuildOutcome> + Send + use<> {
        let logs = LogStore::start(self.directory.path().to_owned()).unwrap();
        let ticks = AtomicI64::new(0);
        let at_tick = self.at_tick.clone();
        let said = self.control.clone();
        let journal = {
            let ops = self.ops_sender.clone();
            let may_fail = failing_at(self.op_fails);
            Journal::new(self.state.clone(), move |op| {
                may_fail();
                drop(ops.send(op));
            })
        };
        let desk = {
            let asked = self.asked_sender.clone();
            let may_fail = failing_at(self.asking_fails);
            Desk::new(move |input| {
                may_fail();
                drop(asked.send(input));
                std::future::ready(())
            })
        };
        let clock = move || {
            let tick = ticks.fetch_add(1, Ordering::Relaxed);
            if let Some((at, control)) = &at_tick
                && *at == tick
            {
                said.try_send(control.clone()).unwrap();
            }
            Timestamp(tick)
        };
        let services = Services {
            logs,
            journal,
            desk,
            files: MasterFiles::new(self.directory.path()),
            clock: Box::new(clock),
        };
        run(
            self.plan.clone(),
            self.remote.take().unwrap(),
            services,
            self.control_receiver.take().unwrap(),
        )
    }

    pub(super) fn replace_remote(&mut self, remote: impl Remote + 'static) {
        self.remote = Some(Box::new(remote));
    }

    /// The next command that the build starts.
    pub(super) async fn command(&mut self) -> Played {
        self.commands.recv().await.unwrap()
    }

    /// Where the logs of the build are.
    pub(super) fn log_directory(&self) -> PathBuf {
        self.directory.path().join(&self.plan.log_dir)
    }

    /// Plays the build to its end: all commands succeed, and all locks are free.
    pub(super) async fn play_out(&mut self) -> BuildOutcome {
        let mut build = std::pin::pin!(self.build());
        loop {
            tokio::select! {
                biased;
                outcome = &mut build => return outcome,
                Some(command) = self.commands.recv() => command.exit(0).await,
                Some(Input::Build { what: BuildInput::LocksWanted { user, .. }, .. }) = self.asked.recv() => self.grant(user).await,
            }
        }
    }

    /// Commands that were started and not taken.
    pub(super) fn commands_left(&mut self) -> usize {
        let mut count = 0;
        while self.commands.try_recv().is_ok() {
            count += 1;
        }
        count
    }

    pub(super) async fn stop(&self, reason: &str) {
        let reason = reason.to_owned();
        self.control.send(Control::Stop { reason }).await.unwrap();
    }

    /// The next thing that the build says about locks: what of it wants which, or nothing more.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "whatever else comes is wrong"
    )]
    pub(super) async fn asks(&mut self) -> (LockUser, Option<Vec<String>>) {
        match self.asked.recv().await.unwrap() {
            Input::Build {
                what: BuildInput::LocksWanted { user, locks },
                ..
            } => {
                let names = locks.iter().map(|access| access.lock.to_string());
                (user, Some(names.collect()))
            }
            Input::Build {
                what: BuildInput::LocksReleased { user },
                ..
            } => (user, None),
            other => panic!("not about locks: {other:?}"),
        }
    }

    pub(super) async fn grant(&self, user: LockUser) {
        let granted = Control::LocksGranted { user };
        self.control.send(granted).await.unwrap();
    }

    /// Tells the build something.
    pub(super) async fn tell(&self, control: Control) {
        self.control.send(control).await.unwrap();
    }

    pub(super) async fn lose_slave(&self) {
        let why = "cut".to_owned();
        self.control.send(Control::SlaveLost { why }).await.unwrap();
    }

    pub(super) fn ops(&mut self) -> Vec<Op> {
        let mut ops = Vec::new();
        while let Ok(op) = self.ops.try_recv() {
            ops.push(op);
        }
        ops
    }

    /// The steps that ran: name, result, text; checks on the way that each started, ended once, and
    /// closed its logs.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "whatever else comes is wrong"
    )]
    pub(super) fn steps(&mut self) -> Vec<(String, Results, String)> {
        let mut steps = Vec::new();
        let mut running = None;
        let mut open: Vec<String> = Vec::new();
        for op in self.ops() {
            match op {
                Op::StepStarted(StepStart { index, name, .. }) => {
                    assert!(running.is_none(), "one at a time");
                    running = Some((index, name));
                }
                Op::StepHasLocks { index, .. }
                | Op::StepText { index, .. }
                | Op::StepCounted { index, .. }
                | Op::StepLink { index, .. } => {
                    assert_eq!(running.as_ref().unwrap().0, index);
                }
                Op::StepsAdded { .. } => assert!(running.is_none(), "between two steps"),
                Op::LogOpened(LogOpening { step, name, .. }) => {
                    assert_eq!(running.as_ref().unwrap().0, step);
                    assert!(!open.contains(&name));
                    open.push(name);
                }
                Op::LogClosed { step, name, .. } => {
                    assert_eq!(running.as_ref().unwrap().0, step);
                    open.retain(|n| *n != name);
                }
                Op::StepFinished(StepFinish {
                    index,
                    result,
                    text,
                    ..
                }) => {
                    assert!(open.is_empty(), "logs left open: {open:?}");
                    let (started, name) = running.take().unwrap();
                    assert_eq!(started, index);
                    steps.push((name, result, text.join(" ")));
                }
                other => panic!("not an op of a build: {other:?}"),
            }
        }
        assert!(running.is_none(), "a step has not ended");
        steps
    }

    /// All text of a log.
    pub(super) fn log(&self, step: &str, log: &str) -> Option<String> {
        let bytes = self.log_bytes(step, log)?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// All bytes of a log, which may be compressed by now.
    pub(super) fn log_bytes(&self, step: &str, log: &str) -> Option<Vec<u8>> {
        let path = format!("builders/quick/7/{step}.{log}");
        let mut reader = LogReader::open(self.directory.path(), &path).ok()?;
        let mut bytes = Vec::new();
        reader.copy_to(&Channel::ALL, &mut bytes).unwrap();
        Some(bytes)
    }
}

/// Plays `script` while the build runs; both must end.
pub(super) async fn play<T>(
    build: impl Future<Output = BuildOutcome>,
    script: impl Future<Output = T>,
) -> (BuildOutcome, T) {
    tokio::join!(build, script)
}

fn start_of(plan: &BuildPlan) -> Op {
    Op::BuildStarted(Arc::new(BuildStart {
        build: plan.build,
        builder: plan.builder.name.clone(),
        number: plan.number,
        builddir: "quick".to_owned(),
        slave: plan.slave.clone(),
        reason: plan.reason.clone(),
        ..BuildStart::default()
    }))
}

fn plan(steps: Vec<StepConfig>) -> BuildPlan {
    let builder = BuilderConfig {
        slaves: vec!["s1".into()],
        factory: Arc::new(FactoryConfig {
            name: "f".to_owned(),
            steps,
        }),
        ..BuilderConfig::named("quick")
    };
    BuildPlan {
        build: BuildId(70),
        number: BuildNumber(7),
        builder: Arc::new(builder),
        slave: "s1".into(),
        slave_info: Arc::default(),
        slave_facts: serde_json::json!({ "name": "s1", "tags": [], "properties": {} }),
        repositories: Arc::default(),
        values: Arc::default(),
        url: "http://localhost:8010/builders/quick/builds/7".to_owned(),
        requests: Vec::new(),
        requested: Timestamp(0),
        stamps: Arc::default(),
        reason: "test".to_owned(),
        properties: Properties::new(),
        log_dir: PathBuf::from("builders/quick/7"),
        log_limits: LogLimits::default(),
        buildbot_url: "http://localhost/".to_owned(),
        interrupt_grace: Duration::from_secs(60),
    }
}
