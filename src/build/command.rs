//! Running one remote command: its updates, its interruption, its end.

use std::pin::pin;

use super::control::{Disturbance, Watch};
use super::lines::{LineObserver, Splitter};
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
    /// The beginning of its standard output, as much as was asked for.
    pub(super) output: Vec<u8>,
    /// The beginning of its standard error, as much as was asked for.
    pub(super) errors: Vec<u8>,
}

/// What is done with the output of a command, besides the log of it.
pub(super) struct Listening<'l> {
    /// The log of the output; the step has opened it, or made it a lazy one.
    pub(super) log: &'l str,
    /// So many bytes of each channel are in the [`Report`].
    pub(super) collect: usize,
    /// Sees the lines while they come.
    pub(super) lines: Option<&'l mut dyn LineObserver>,
}

impl Default for Listening<'_> {
    /// Enough for the few words that a source step asks for.
    fn default() -> Self {
        Self {
            log: STDIO,
            collect: 16 * 1024,
            lines: None,
        }
    }
}

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
    pub(super) async fn run_command(
        &mut self,
        args: &CommandArgs,
        listening: Listening<'_>,
    ) -> End {
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
        let mut heard = Heard {
            report: Report::default(),
            is_program: matches!(args, CommandArgs::Shell(_)),
            listening,
            splitter: Splitter::default(),
        };
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
                        let mut storing = pin!(heard.store(&mut self.logs, updates));
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
                Some(CommandEvent::Ended(CommandEnd::Complete)) => {
                    break End::Complete(heard.complete());
                }
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
        self.complete_heard(args, Listening::default()).await
    }

    /// Runs a command as [`StepRun::complete`] does, and listens to it.
    pub(super) async fn complete_heard(
        &mut self,
        args: &CommandArgs,
        listening: Listening<'_>,
    ) -> Result<Report, Performed> {
        let log = listening.log.to_owned();
        match self.run_command(args, listening).await {
            End::Complete(report) => Ok(report),
            End::Failed(failure) => {
                let note = format!("\nremoteFailed: {failure}\n");
                self.logs.note_in(&log, note).await;
                let text = format!("{failure}\n\n{}", failure.traceback);
                Err(Performed::Raised(text))
            }
            End::SlaveLost => Err(Performed::SlaveLost),
            End::GivenUp => {
                let grace = self.around.plan.interrupt_grace.as_secs();
                let note = format!("\nnot ended {grace} seconds after the interrupt, given up\n");
                self.logs.note_in(&log, note).await;
                Err(Performed::GivenUp)
            }
        }
    }
}

/// What has come of a running command.
struct Heard<'l> {
    report: Report,
    is_program: bool,
    listening: Listening<'l>,
    splitter: Splitter,
}

impl Heard<'_> {
    async fn store(&mut self, logs: &mut StepLogs<'_>, updates: Vec<Update>) {
        let log = self.listening.log;
        for update in updates {
            match update {
                Update::Stdout(data) => {
                    collect(&mut self.report.output, &data, self.listening.collect);
                    self.look(log, Channel::Stdout, &data);
                    logs.store(Channel::Stdout, log, data).await;
                }
                Update::Stderr(data) => {
                    collect(&mut self.report.errors, &data, self.listening.collect);
                    self.look(log, Channel::Stderr, &data);
                    logs.store(Channel::Stderr, log, data).await;
                }
                Update::Header(data) => logs.store(Channel::Header, log, data).await,
                Update::Log { name, data } => {
                    self.look(&name, Channel::Stdout, &data);
                    logs.store(Channel::Stdout, &name, data).await;
                }
                Update::Rc(rc) => {
                    self.report.rc = Some(rc);
                    if self.is_program {
                        let note = format!("program finished with exit code {rc}\n");
                        logs.note_in(log, note).await;
                    }
                }
                Update::FailureReason(reason) => self.report.failure_reason = Some(reason),
                // Times are measured here, and the rest concerns commands of other kinds.
                Update::Elapsed(_) | Update::Other { .. } => {}
            }
        }
    }

    fn look(&mut self, log: &str, channel: Channel, data: &[u8]) {
        if let Some(lines) = &mut self.listening.lines {
            self.splitter.push(log, channel, data, *lines);
        }
    }

    fn complete(mut self) -> Report {
        if let Some(lines) = self.listening.lines {
            self.splitter.finish(lines);
        }
        self.report
    }
}

fn collect(into: &mut Vec<u8>, data: &[u8], limit: usize) {
    let room = limit.saturating_sub(into.len());
    into.extend(data.iter().take(room));
}
