//! What the world does with the core's commands, and what it may expect of them.

use std::sync::Arc;

use buildmaster::botmaster::{
    Answer, BuildCommand, BuildEvent, Command, Event, InstanceCommand, IntakeEvent, SessionId,
    SlaveCommand, SlaveInput,
};
use buildmaster::model::{BuildId, TakenChange};

use super::{LockSide, RunningBuild, TriggerSide, World, rows};

impl World {
    pub(super) fn obey(&mut self, command: Command) {
        assert!(
            !self.exited || matches!(command, Command::Reply { .. }),
            "after the end: {command:?}"
        );
        match command {
            Command::Persist { ticket, ops } => {
                self.clocks.on_ops(self.now, &ops);
                self.waits.on_ops(self.now.mono, &ops);
                self.unwritten.push_back((ticket, ops));
            }
            Command::Reply { to, result } => {
                assert!(self.waiting.remove(&to), "answered twice");
                if result.is_err() {
                    self.refused.insert(to);
                }
                self.on_try_answered(to, &result);
                self.on_asked(to, &result);
                self.on_probed(to, &result);
                if let Some(version) = self.change_replies.remove(&to)
                    && let Ok(answer) = result
                {
                    let Answer::Taken(taken) = answer else {
                        panic!("an offer is answered with the numbers of its changes");
                    };
                    let [
                        TakenChange {
                            number,
                            is_new: true,
                        },
                    ] = taken[..]
                    else {
                        panic!("one new change");
                    };
                    assert!(self.disk.changes.contains_key(&number), "not durable");
                    self.accepted.insert(number, version);
                }
            }
            Command::Slave { session, what } => self.obey_on_slave(session, what),
            Command::Build { build, what } => self.obey_in_build(build, what),
            Command::Instance { instance, what } => match what {
                InstanceCommand::Start { slave } => {
                    self.cloud.start(instance, &slave, &self.disk);
                }
                InstanceCommand::Stop { slave, record } => {
                    self.cloud.stop(instance, slave, &record.stop.means);
                }
            },
            Command::Check { check, .. } => self.checks.push(check),
            Command::Announce(event) => {
                self.note_instance(&event);
                self.hear(&event);
            }
            Command::Unexpected { .. } => {}
            Command::Exit => self.exited = true,
        }
    }

    fn obey_on_slave(&mut self, session: SessionId, command: SlaveCommand) {
        match command {
            SlaveCommand::Greet => self.owe(
                session,
                SlaveInput::Described {
                    info: Arc::default(),
                },
            ),
            SlaveCommand::CheckAlive => self.owe(session, SlaveInput::AliveChecked { alive: true }),
            SlaveCommand::SendBuilderList { builders } => self.owe(
                session,
                SlaveInput::BuilderListAnswered {
                    result: Ok(builders.into_iter().map(|(name, _)| name).collect()),
                },
            ),
            SlaveCommand::SetMaster { builder, epoch } => self.owe(
                session,
                SlaveInput::MasterSet {
                    builder,
                    epoch,
                    ok: true,
                },
            ),
            SlaveCommand::GreetBuilder { builder, epoch } => self.owe(
                session,
                SlaveInput::BuilderGreeted {
                    builder,
                    epoch,
                    ok: true,
                },
            ),
            SlaveCommand::Ping { builder, ping } => {
                if self.reference.is_pinged(session, &builder, ping) {
                    self.begin_on(session, builder.clone());
                }
                let ok = true;
                self.owe(session, SlaveInput::PingAnswered { builder, ping, ok });
            }
            SlaveCommand::StartBuild { builder, epoch } => self.owe(
                session,
                SlaveInput::BuildStartAnswered {
                    builder,
                    epoch,
                    ok: Ok(()),
                },
            ),
            SlaveCommand::Shutdown => self.owe(
                session,
                SlaveInput::Lost {
                    why: "shut down".to_owned(),
                },
            ),
            SlaveCommand::Drop { .. } | SlaveCommand::CompleteLogin => {}
        }
    }

    fn obey_in_build(&mut self, build: BuildId, command: BuildCommand) {
        match command {
            BuildCommand::Run { session, plan } => {
                assert!(self.disk.builds.contains_key(&plan.build), "not durable");
                self.check_patch(&plan);
                let begun = (session, plan.builder.name.clone());
                let of_slave = self.begun.remove(&begun).expect("pinged first");
                let it = RunningBuild {
                    locks: LockSide::new(&plan, of_slave),
                    triggers: TriggerSide::default(),
                    interrupted: None,
                    lost: false,
                };
                let old = self.builds.insert(plan.build, it);
                assert!(old.is_none(), "run twice");
            }
            BuildCommand::GrantLocks { user } => self.on_grant(build, &user),
            BuildCommand::Triggered { step, result } => self.on_triggered(build, step, result),
            BuildCommand::TriggerOver(over) => self.on_trigger_over(build, &over),
            BuildCommand::RelatedEnded { ends, .. } => self.on_related_ended(&ends),
            BuildCommand::Interrupt { reason } => {
                let it = self.builds.get_mut(&build).expect("interrupts what runs");
                // The first reason counts; what it does by then is left each time.
                it.interrupted.get_or_insert(reason);
                it.locks.leave();
                it.triggers.leave();
            }
            BuildCommand::LoseSlave { .. } => {
                let it = self.builds.get_mut(&build).expect("tells what runs");
                assert!(!it.lost, "lost twice");
                it.lost = true;
                it.locks.leave();
                it.triggers.leave();
            }
        }
    }

    /// What is announced is on disk.
    fn hear(&self, event: &Event) {
        rows::hear(event, |slave| {
            let slave = self.config.slave(slave.as_str());
            slave.is_some_and(|slave| slave.kind.latent().is_some())
        });
        let durable = match event {
            Event::Intake(IntakeEvent::ChangeAdded(change)) => {
                self.disk.changes.contains_key(&change.number)
            }
            Event::Intake(IntakeEvent::SetSubmitted(set)) => self.disk.sets.contains_key(&set.id),
            Event::Intake(IntakeEvent::SetFinished { set, result }) => {
                self.disk.sets[set].finished == Some(*result)
            }
            Event::Intake(IntakeEvent::RequestFinished { request, result }) => {
                self.disk.requests[request].finished == Some(*result)
            }
            Event::Build(BuildEvent::Started(start)) => self.disk.builds.contains_key(&start.build),
            Event::Build(BuildEvent::Finished { build, result, .. }) => {
                self.disk.builds[build].finished == Some(*result)
            }
            // Power went before the state of one that is of another kind now was on disk.
            Event::Intake(IntakeEvent::SchedulerFailed { why, .. }) => {
                self.versions.len() > 1 && why.contains("stored under its name is not usable")
            }
            _ => true,
        };
        assert!(durable, "announced too early, or not to happen: {event:?}");
    }
}
