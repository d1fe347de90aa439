//! Commands in a few words, so that a test can say what comes out.

use super::*;
use crate::model::journal::BuildFinish;

/// A command in a few words; nothing for what concerns no test.
pub(super) fn short(command: &Command) -> Option<String> {
    Some(match command {
        Command::Persist { ticket, ops } => {
            let ops: Vec<_> = ops.iter().filter_map(short_op).collect();
            if ops.is_empty() {
                return None;
            }
            let now = if ticket.is_some() { "write" } else { "note" };
            format!("{now} {}", ops.join(", "))
        }
        Command::Reply { to, result } => match result {
            Ok(Answer::Change(number)) => format!("reply {to}: change {number}"),
            Ok(Answer::Set(set)) => format!("reply {to}: set {}", set.id),
            Ok(Answer::Pinged(pinged)) => format!(
                "reply {to}: {} answered, {} away, {} down",
                pinged.answered.len(),
                pinged.away.len(),
                pinged.down.len()
            ),
            Ok(Answer::Done) => format!("reply {to}: done"),
            Err(why) => format!("reply {to}: {why}"),
        },
        Command::Slave { session, what } => short_to_slave(*session, what),
        Command::Build { build, what } => short_to_build(*build, what),
        Command::Instance { instance, what } => match what {
            InstanceCommand::Start { slave } => {
                format!("start instance {instance} of {}", slave.name)
            }
            InstanceCommand::Stop { slave, record } => {
                format!("stop instance {instance} of {slave} ({})", record.identity)
            }
        },
        Command::Announce(event) => return short_event(event),
        Command::Unexpected { .. } => return None,
        Command::Exit => "exit".to_owned(),
    })
}

fn short_to_slave(session: SessionId, command: &SlaveCommand) -> String {
    match command {
        SlaveCommand::Greet => format!("greet {session}"),
        SlaveCommand::CheckAlive => format!("ping slave {session}"),
        SlaveCommand::Drop { why } => format!("drop {session}: {why}"),
        SlaveCommand::SendBuilderList { .. } => format!("list {session}"),
        SlaveCommand::SetMaster { builder, .. } => format!("set master {session} {builder}"),
        SlaveCommand::GreetBuilder { builder, .. } => format!("greet {session} {builder}"),
        SlaveCommand::CompleteLogin => format!("welcome {session}"),
        SlaveCommand::Ping { builder, .. } => format!("ping {session} {builder}"),
        SlaveCommand::StartBuild { builder, .. } => format!("start {session} {builder}"),
        SlaveCommand::Shutdown => format!("shut down slave {session}"),
    }
}

fn short_to_build(build: BuildId, command: &BuildCommand) -> String {
    match command {
        BuildCommand::Run { session, plan } => {
            format!("run {} {} on {session}", plan.builder.name, plan.number)
        }
        BuildCommand::GrantLocks { user } => format!("grant {build} {}", short_user(user)),
        BuildCommand::Interrupt { reason } => format!("interrupt {build}: {reason}"),
        BuildCommand::LoseSlave { .. } => format!("slave gone {build}"),
    }
}

fn short_user(user: &LockUser) -> &str {
    match user {
        LockUser::Build => "build",
        LockUser::Step { name, .. } => name,
    }
}

fn short_op(op: &Op) -> Option<String> {
    Some(match op {
        Op::ChangeAdded(change) => format!("change {}", change.number),
        Op::SetSubmitted(set) => format!("set {}", set.id),
        Op::PatchKept { set, body } => format!("patch of set {set}: {body:?}"),
        Op::SetFinished { set, result, .. } => format!("set {set} {result}"),
        Op::RequestFinished {
            request, result, ..
        } => format!("request {request} {result}"),
        Op::BuildStarted(start) => format!("build {} started", start.number),
        Op::BuildFinished(BuildFinish { build, result, .. }) => {
            format!("build id {build} {result}")
        }
        Op::BuildStopped { build, .. } => format!("build id {build} stopped"),
        Op::RequestRetries { request, retries } => format!("request {request} retries {retries}"),
        Op::SchedulerState { scheduler, .. } => format!("scheduler {scheduler}"),
        Op::SlaveState {
            slave, connected, ..
        } => format!("slave {slave} {connected}"),
        Op::SlaveInstance { slave, instance } => match instance {
            None => format!("slave {slave} has no instance"),
            Some(instance) => format!("slave {slave} has instance {:?}", instance.identity),
        },
        Op::LoginKnown { .. } | Op::SlaveHeard { .. } => panic!("not the core's"),
        Op::SlaveMissed { slave, .. } => format!("slave {slave} missed"),
        Op::SlavePaused { slave, pause } => format!("slave {slave} paused {}", pause.is_some()),
        Op::ChangeOffered { .. }
        | Op::StartFailed { .. }
        | Op::BuilderState { .. }
        | Op::StepsExpected { .. }
        | Op::Configured { .. }
        | Op::Pruned(_)
        | Op::EpochBegun { .. }
        | Op::StepStarted { .. }
        | Op::StepHasLocks { .. }
        | Op::StepText { .. }
        | Op::StepLink { .. }
        | Op::StepFinished { .. }
        | Op::LogOpened { .. }
        | Op::LogClosed { .. } => return None,
    })
}

fn short_event(event: &Event) -> Option<String> {
    Some(match event {
        Event::ChangeAdded(change) => format!("change {}", change.number),
        Event::SetSubmitted(set) => format!("set {}", set.id),
        Event::FirstFailure { set } => format!("set {set} has a failure"),
        Event::SetFinished { set, result } => format!("set {set} {result}"),
        Event::RequestQueued { request, .. } => format!("queued {request}"),
        Event::RequestCancelled { request, .. } => format!("cancelled {request}"),
        Event::BuildInterrupted {
            builder,
            number,
            reason,
        } => match number {
            Some(number) => format!("{builder} {number} is stopped: {reason}"),
            None => format!("a build of {builder} is stopped: {reason}"),
        },
        Event::BuildStarted(start) => format!("started {} {}", start.builder, start.number),
        Event::BuildFinished {
            builder,
            number,
            result,
            ..
        } => format!("finished {builder} {number} {result}"),
        Event::BuilderState { builder, state } => format!("{builder} is {state}"),
        Event::SlaveMissing { slave, .. } => format!("{slave} is missing"),
        Event::Reconfigured => "reconfigured".to_owned(),
        Event::LocksAwaited(wait) => wait.to_string(),
        Event::LocksGranted {
            builder,
            number,
            user,
        } => format!("{builder}/{number} {} has its locks", short_user(user)),
        Event::StartFailed { builder, slave, .. } => format!("start failed {builder} {slave}"),
        Event::SlaveHeldBack { slave, delay } => format!("held back {slave} {delay:?}"),
        Event::Substantiating { builder, slave } => format!("substantiating {slave} for {builder}"),
        Event::Substantiated { builder, slave } => format!("substantiated {slave} for {builder}"),
        Event::SubstantiateFailed { builder, slave, .. } => {
            format!("not substantiated {slave} for {builder}")
        }
        Event::InstanceStopFailed { slave, again, .. } => format!("{slave} runs on {again:?}"),
        Event::PingedLatent { builder, slave } => format!("ping latent {slave} for {builder}"),
        Event::SlavePaused { .. }
        | Event::SlaveGraceful { .. }
        | Event::InstanceStopping { .. }
        | Event::InstanceStopped { .. }
        | Event::SchedulerFailed { .. }
        | Event::RequestFinished { .. }
        | Event::SlaveConnected { .. }
        | Event::SlaveLost { .. }
        | Event::SlaveRefused { .. }
        | Event::FailedConnect { .. }
        | Event::PingFailed { .. }
        | Event::SlaveRejoins { .. }
        | Event::OnBuilder { .. }
        | Event::ShuttingDown { .. }
        | Event::ShutdownCancelled => return None,
    })
}
