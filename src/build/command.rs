//! Running one remote command: its updates, its interruption, its end.

use std::pin::pin;

use super::control::{Disturbance, Watch};
use super::step::{Performed, STDIO, StepLogs, StepRun};
use crate::logs::Channel;
use crate::model::CommandId;
use crate::net::{CommandEnd, CommandEvent, RunningCommand};
use crate::pb::Failure;
use crate::protocol::{CommandArgs, Update};

/// What is known of a command when it is over.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// Its exit status, if the slave told it.
    pub(super) rc: Option<i64>,
    /// Why the slave killed it, if it told that.
    pub(super) failure_reason: Option<String>,
    /// The beginning of its output, at most [`MAX_COLLECTED_BYTES`].
    pub(super) output: Vec<u8>,
}

/// So much of a command's output is at hand when it is over; for the few words that a source step
/// asks for.
const MAX_COLLECTED_BYTES: usize = 16 * 1024;

/// How a command ended.
#[derive(Debug)]
pub(super) enum End {
    /// The slave says so.
    Complete(Report),
    /// The slave's own code failed, or the command could not be started.
    Failed(Failure),
    /// The slave is gone.
    SlaveLost,
    /// It was interrupted and has not ended in time; it may still run.
    GivenUp,
}

impl StepRun<'_> {
    /// Runs a command, putting what it says into the step's logs. A stop of the build interrupts
    /// it.
    pub(super) async fn run_command(&mut self, args: &CommandArgs) -> End {
        // Set first: whatever happens, the slave may run something from here on.
        self.has_command = true;
        let id = CommandId {
            build: self.around.plan.build,
            step: self.logs.index,
            ordinal: self.commands,
        };
        self.commands += 1;
        let RunningCommand {
            mut events,
            interrupt,
        } = self.remote.start(id, args);
        let grace = self.around.plan.interrupt_grace;
        let mut watch = Watch::new(self.controls, interrupt, grace);
        let mut report = Report::default();
        let is_program = matches!(args, CommandArgs::Shell(_));
        let mut lost = false;
        let end = loop {
            let event = if lost {
                // What had arrived before the connection broke is still worth keeping.
                events.recv().await
            } else {
                tokio::select! {
                    biased;
                    disturbance = watch.disturbed() => match disturbance {
                        Disturbance::GivenUp => break End::GivenUp,
                        Disturbance::SlaveLost => {
                            lost = true;
                            events.close();
                            continue;
                        }
                    },
                    event = events.recv() => event,
                }
            };
            match event {
                Some(CommandEvent::Updates(updates, acknowledge)) => {
                    let disturbance = {
                        let mut storing =
                            pin!(store(&mut self.logs, &mut report, updates, is_program));
                        tokio::select! {
                            biased;
                            () = &mut storing => None,
                            disturbance = watch.disturbed(), if !lost => {
                                storing.await;
                                Some(disturbance)
                            }
                        }
                    };
                    acknowledge.stored();
                    match disturbance {
                        Some(Disturbance::GivenUp) => break End::GivenUp,
                        Some(Disturbance::SlaveLost) => {
                            lost = true;
                            events.close();
                        }
                        None => {}
                    }
                }
                Some(CommandEvent::Ended(CommandEnd::Complete)) => break End::Complete(report),
                Some(CommandEvent::Ended(CommandEnd::Failed(failure))) => {
                    break End::Failed(failure);
                }
                Some(CommandEvent::Ended(CommandEnd::Lost)) | None => {
                    watch.note_lost("connection lost");
                    break End::SlaveLost;
                }
            }
        };
        self.interrupted = watch.into_interruption();
        self.has_command = matches!(end, End::GivenUp);
        end
    }

    /// Runs a command as [`StepRun::run_command`] does. Answers what is known of it when it is
    /// complete, else how the step ended by it.
    pub(super) async fn complete(&mut self, args: &CommandArgs) -> Result<Report, Performed> {
        match self.run_command(args).await {
            End::Complete(report) => Ok(report),
            End::Failed(failure) => {
                self.logs.note(format!("\nremoteFailed: {failure}\n")).await;
                let text = format!("{failure}\n\n{}", failure.traceback);
                Err(Performed::Raised(text))
            }
            End::SlaveLost => Err(Performed::SlaveLost),
            End::GivenUp => {
                let grace = self.around.plan.interrupt_grace.as_secs();
                let note = format!("\nnot ended {grace} seconds after the interrupt, given up\n");
                self.logs.note(note).await;
                Err(Performed::GivenUp)
            }
        }
    }
}

async fn store(
    logs: &mut StepLogs<'_>,
    report: &mut Report,
    updates: Vec<Update>,
    is_program: bool,
) {
    for update in updates {
        match update {
            Update::Stdout(data) => {
                let room = MAX_COLLECTED_BYTES.saturating_sub(report.output.len());
                report.output.extend(data.iter().take(room));
                logs.store(Channel::Stdout, STDIO, data).await;
            }
            Update::Stderr(data) => logs.store(Channel::Stderr, STDIO, data).await,
            Update::Header(data) => logs.store(Channel::Header, STDIO, data).await,
            Update::Log { name, data } => logs.store(Channel::Stdout, &name, data).await,
            Update::Rc(rc) => {
                report.rc = Some(rc);
                if is_program {
                    logs.note(format!("program finished with exit code {rc}\n"))
                        .await;
                }
            }
            Update::FailureReason(reason) => report.failure_reason = Some(reason),
            // Times are measured here, and the rest concerns commands of other kinds.
            Update::Elapsed(_) | Update::Other { .. } => {}
        }
    }
}
