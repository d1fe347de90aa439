//! Commands in a few words, so that a test can say what comes out. Ops and events that concern no
//! test are left out.

use super::*;

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
            Ok(Answer::Taken(taken)) => {
                let numbers: Vec<_> = taken.iter().map(|t| t.number.to_string()).collect();
                format!("reply {to}: change {}", numbers.join(", "))
            }
            Ok(Answer::Set(set)) => format!("reply {to}: set {}", set.id),
            Ok(Answer::Pinged(pinged)) => format!(
                "reply {to}: {} answered, {} away, {} down",
                pinged.answered.len(),
                pinged.away.len(),
                pinged.down.len()
            ),
            Ok(Answer::Count(count)) => format!("reply {to}: {count}"),
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
        Command::Check { what, .. } => format!("check {} for {}", what.slave, what.builder),
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
        BuildCommand::Triggered {
            result: Ok(sets), ..
        } => {
            let sets = sets.iter().map(|one| match one {
                Triggered::Set(set) => set.id.to_string(),
                Triggered::Kept(scheduler) => scheduler.to_string(),
            });
            format!("triggered {build}: {}", sets.collect::<Vec<_>>().join(", "))
        }
        BuildCommand::Triggered {
            result: Err(why), ..
        } => format!("not triggered {build}: {why:?}"),
        BuildCommand::RelatedEnded { ends, .. } => format!(
            "ended {build}: {} cancelled, {} stopped",
            ends.cancelled.len(),
            ends.stopped.len()
        ),
        BuildCommand::TriggerOver(over) => {
            let builds = over.builds.iter().map(|one| match one.number {
                Some(number) => format!(" {}/{number} {}", one.builder, one.result),
                None => format!(" {} {}", one.builder, one.result),
            });
            let builds: String = builds.collect();
            format!("over {build}: set {} {}{builds}", over.set, over.result)
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
        Op::BuildFinished(end) => format!("build id {} {}", end.build, end.result),
        Op::BuildStopped { build, .. } => format!("build id {build} stopped"),
        Op::RequestRetries { request, retries } => format!("request {request} retries {retries}"),
        Op::SchedulerState { scheduler, .. } | Op::SchedulerWaits { scheduler, .. } => {
            format!("scheduler {scheduler}")
        }
        Op::SlaveState {
            slave, connected, ..
        } => format!("slave {slave} {connected}"),
        Op::SlaveInstance { slave, instance } => match instance {
            None => format!("slave {slave} has no instance"),
            Some(instance) => format!("slave {slave} has instance {:?}", instance.identity),
        },
        Op::SlaveMissed { slave, .. } => format!("slave {slave} missed"),
        Op::BuilderPaused { builder, pause } => {
            format!("builder {builder} paused {}", pause.is_some())
        }
        Op::SlavePaused { slave, pause } => format!("slave {slave} paused {}", pause.is_some()),
        _ => return None,
    })
}

fn short_event(event: &Event) -> Option<String> {
    Some(match event {
        Event::Intake(IntakeEvent::ChangeAdded(change)) => format!("change {}", change.number),
        Event::Intake(IntakeEvent::SetSubmitted(set)) => format!("set {}", set.id),
        Event::Intake(IntakeEvent::FirstFailure { set }) => format!("set {set} has a failure"),
        Event::Intake(IntakeEvent::SetFinished { set, result }) => format!("set {set} {result}"),
        Event::Intake(IntakeEvent::RequestQueued { request, .. }) => format!("queued {request}"),
        Event::Intake(IntakeEvent::RequestCancelled { request, .. }) => {
            format!("cancelled {request}")
        }
        Event::Build(BuildEvent::Interrupted {
            builder,
            number,
            reason,
        }) => match number {
            Some(number) => format!("{builder} {number} is stopped: {reason}"),
            None => format!("a build of {builder} is stopped: {reason}"),
        },
        Event::Build(BuildEvent::Started(start)) => {
            format!("started {} {}", start.builder, start.number)
        }
        Event::Build(BuildEvent::Finished {
            builder,
            number,
            result,
            ..
        }) => format!("finished {builder} {number} {result}"),
        Event::Builder(BuilderEvent::Paused { builder, pause }) => {
            format!("{builder} paused {}", pause.is_some())
        }
        Event::Builder(BuilderEvent::State { builder, state }) => format!("{builder} is {state}"),
        Event::Slave(SlaveEvent::Missing { slave, .. }) => format!("{slave} is missing"),
        Event::Master(MasterEvent::Reconfigured) => "reconfigured".to_owned(),
        Event::Build(BuildEvent::LocksAwaited(wait)) => wait.to_string(),
        Event::Build(BuildEvent::LocksGranted {
            builder,
            number,
            user,
        }) => format!("{builder}/{number} {} has its locks", short_user(user)),
        Event::Build(BuildEvent::StartFailed { builder, slave, .. }) => {
            format!("start failed {builder} {slave}")
        }
        Event::Slave(SlaveEvent::HeldBack { slave, delay }) => {
            format!("held back {slave} {delay:?}")
        }
        Event::Instance(InstanceEvent::Substantiating { builder, slave }) => {
            format!("substantiating {slave} for {builder}")
        }
        Event::Instance(InstanceEvent::Substantiated { builder, slave }) => {
            format!("substantiated {slave} for {builder}")
        }
        Event::Instance(InstanceEvent::SubstantiateFailed { builder, slave, .. }) => {
            format!("not substantiated {slave} for {builder}")
        }
        Event::Instance(InstanceEvent::StopFailed { slave, again, .. }) => {
            format!("{slave} runs on {again:?}")
        }
        Event::Builder(BuilderEvent::PingedLatent { builder, slave }) => {
            format!("ping latent {slave} for {builder}")
        }
        _ => return None,
    })
}
