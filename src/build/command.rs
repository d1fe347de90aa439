//! Running one remote command: its updates, its interruption, its end.

use std::collections::BTreeMap;
use std::pin::pin;

use bytes::Bytes;

use super::control::{Disturbance, Watch};
use super::lines::{LineObserver, Splitter};
use super::step::{Performed, StepRun};
use super::steplogs::{STDIO, StepLogs};
use super::taps::Taps;
use super::watcher::{Both, Watcher};
use crate::logs::Channel;
use crate::model::{CommandId, StepCommand};
use crate::net::{CommandEnd, CommandEvent, RunningCommand};
use crate::pb::{Failure, Value};
use crate::protocol::transfer::{DownloadArgs, TransferArgs};
use crate::protocol::{CommandArgs, ShellArgs, Update};
use crate::transfer::{Lent, Problem, Source, Transfer};

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
    /// What else it told, by name: `stat`, `files` …; the last value of each name counts.
    pub(super) told: BTreeMap<String, Value>,
}

/// Most names of [`Report::told`]; commands tell one.
const MAX_TOLD: usize = 8;

/// What is done with the output of a command, besides the log of it.
pub(super) struct Listening<'l> {
    /// The log of the output; the step has opened it, or made it a lazy one.
    pub(super) log: &'l str,
    /// So many bytes of each channel are in the [`Report`].
    pub(super) collect: usize,
    /// Sees the lines while they come.
    pub(super) lines: Option<&'l mut dyn LineObserver>,
    /// Reads the reports of tests in the logs.
    pub(super) taps: Option<&'l mut Taps>,
}

impl Default for Listening<'_> {
    /// Enough for the few words that a source step asks for.
    fn default() -> Self {
        Self {
            log: STDIO,
            collect: 16 * 1024,
            lines: None,
            taps: None,
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
        lent: Option<Lent>,
    ) -> End {
        let id = self.begin_command(args);
        let RunningCommand {
            mut events,
            interrupt,
        } = self.remote.start(id, args, lent);
        let grace = self.around.plan.interrupt_grace;
        let mut watch = Watch::new(self.controls, interrupt, grace);
        let mut heard = Heard {
            report: Report::default(),
            is_program: matches!(args, CommandArgs::Shell(_)),
            listening,
            splitter: Splitter::default(),
            watcher: &mut self.watcher,
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
                    break End::Complete(Report::default());
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
        let end = heard.finish(&mut self.logs, end).await;
        self.watcher.flush(&mut self.logs).await;
        self.has_command = matches!(end, End::GivenUp);
        end
    }

    /// The number of a command that is started now, which is remembered as it may be seen.
    fn begin_command(&mut self, args: &CommandArgs) -> CommandId {
        // Set first: whatever happens, the slave may run something from here on.
        self.has_command = true;
        let id = CommandId {
            build: self.around.plan.build,
            step: self.logs.index,
            ordinal: self.commands,
        };
        self.commands += 1;
        if let CommandArgs::Shell(args) = args {
            self.note_command(seen(args));
        }
        id
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
        let end = self.run_command(args, listening, None).await;
        self.report(end, &log).await
    }

    /// Runs a command that transfers a file, as [`StepRun::complete`] does. A transfer whose
    /// command succeeds puts its file into place. Answers also with what went wrong on the master.
    pub(super) async fn transfer(
        &mut self,
        args: &CommandArgs,
        transfer: impl Into<Transfer>,
    ) -> Result<(Report, Option<Problem>), Performed> {
        let (lent, loan) = transfer.into().lend();
        let listening = Listening::default();
        let end = self.run_command(args, listening, Some(lent)).await;
        let report = self.report(end, STDIO).await?;
        let Some(transfer) = loan.back().await else {
            let text = "the master's own code for the transfer failed\n".to_owned();
            return Err(Performed::Raised(text));
        };
        let is_good = report.rc == Some(0) && self.interrupted.is_none();
        let finished = crate::blocking::run(move || match is_good {
            true => transfer.finish().err(),
            false => transfer.into_problem(),
        });
        match finished.await {
            Ok(problem) => Ok((report, problem)),
            Err(error) => Err(Performed::Raised(format!("{error}\n"))),
        }
    }

    /// Writes a file on the slave, with these permissions or the usual ones.
    pub(super) async fn send_bytes(
        &mut self,
        dest: &str,
        workdir: &str,
        content: Bytes,
        mode: Option<u32>,
    ) -> Result<Report, Performed> {
        let args = CommandArgs::DownloadFile(DownloadArgs {
            transfer: TransferArgs::new(dest.to_owned(), workdir.to_owned()),
            mode,
        });
        let (report, _) = self.transfer(&args, Source::bytes(content)).await?;
        Ok(report)
    }

    async fn report(&mut self, end: End, log: &str) -> Result<Report, Performed> {
        match end {
            End::Complete(report) => Ok(report),
            End::Failed(failure) => {
                let note = format!("\nremoteFailed: {failure}\n");
                self.logs.note_in(log, note).await;
                let text = format!("{failure}\n\n{}", failure.traceback);
                Err(Performed::Raised(text))
            }
            End::SlaveLost => Err(Performed::SlaveLost),
            End::GivenUp => {
                let grace = self.around.plan.interrupt_grace.as_secs();
                let note = format!("\nnot ended {grace} seconds after the interrupt, given up\n");
                self.logs.note_in(log, note).await;
                Err(Performed::GivenUp)
            }
        }
    }
}

/// What has come of a running command.
struct Heard<'l, 'w, 'a> {
    report: Report,
    is_program: bool,
    listening: Listening<'l>,
    splitter: Splitter,
    watcher: &'w mut Watcher<'a>,
}

impl Heard<'_, '_, '_> {
    async fn store(&mut self, logs: &mut StepLogs<'_>, updates: Vec<Update>) {
        let log = self.listening.log;
        for update in updates {
            match update {
                Update::Stdout(data) => self.put(logs, (log, Channel::Stdout), data).await,
                Update::Stderr(data) => self.put(logs, (log, Channel::Stderr), data).await,
                Update::Header(data) => self.put(logs, (log, Channel::Header), data).await,
                Update::Log { name, data } => {
                    self.put(logs, (&name, Channel::Stdout), data).await;
                }
                Update::Rc(rc) => {
                    self.put_rest(logs).await;
                    self.report.rc = Some(rc);
                    self.watcher.rc = Some(rc);
                    if self.is_program {
                        let note = format!("program finished with exit code {rc}\n");
                        logs.note_in(log, note).await;
                    }
                }
                Update::FailureReason(reason) => self.report.failure_reason = Some(reason),
                // Times are measured here.
                Update::Elapsed(_) => {}
                Update::Other { key, value } => {
                    let told = &mut self.report.told;
                    if told.len() < MAX_TOLD || told.contains_key(&key) {
                        told.insert(key, value);
                    }
                }
            }
        }
        self.watcher.flush(logs).await;
        self.watcher.tell_progress(logs).await;
    }

    /// Takes a piece of a log, without the secrets in it.
    async fn put(&mut self, logs: &mut StepLogs<'_>, to: (&str, Channel), data: Bytes) {
        let data = logs.masked(to, data);
        if !data.is_empty() {
            self.put_masked(logs, to, data).await;
        }
    }

    /// Takes what was kept back of the logs, since it might have been the beginning of a secret.
    async fn put_rest(&mut self, logs: &mut StepLogs<'_>) {
        for ((log, channel), data) in logs.rest() {
            self.put_masked(logs, (&log, channel), data).await;
        }
    }

    async fn put_masked(
        &mut self,
        logs: &mut StepLogs<'_>,
        (log, channel): (&str, Channel),
        data: Bytes,
    ) {
        let collected = match channel {
            Channel::Stdout => Some(&mut self.report.output),
            Channel::Stderr => Some(&mut self.report.errors),
            Channel::Header => None,
        };
        if let Some(collected) = collected.filter(|_| log == self.listening.log) {
            collect(collected, &data, self.listening.collect);
        }
        if channel == Channel::Stdout && log == self.listening.log {
            self.watcher.hear(&data);
        }
        if channel != Channel::Header {
            self.look(log, channel, &data);
            if let Some(taps) = &mut self.listening.taps {
                taps.hear(log, &data).await;
            }
        }
        logs.store(channel, log, data).await;
    }

    fn look(&mut self, log: &str, channel: Channel, data: &[u8]) {
        if self.watcher.has_rules() || self.listening.lines.is_some() {
            let mut both = Both {
                kind: self.listening.lines.as_deref_mut(),
                watcher: self.watcher,
                main_log: self.listening.log,
            };
            self.splitter.push(log, channel, data, &mut both);
        }
    }

    /// Takes what was kept back, and completes the report of a command that is complete.
    async fn finish(mut self, logs: &mut StepLogs<'_>, end: End) -> End {
        self.put_rest(logs).await;
        match end {
            End::Complete(_) => End::Complete(self.complete()),
            End::Failed(_) | End::SlaveLost | End::GivenUp => end,
        }
    }

    fn complete(mut self) -> Report {
        let mut both = Both {
            kind: self.listening.lines.as_deref_mut(),
            watcher: self.watcher,
            main_log: self.listening.log,
        };
        self.splitter.finish(&mut both);
        self.report
    }
}

/// A command as it may be seen; secrets in it are masked later.
fn seen(args: &ShellArgs) -> StepCommand {
    StepCommand {
        command: args.command.shown(),
        workdir: args.workdir.clone(),
        timeout: args.timeout,
        max_time: args.max_time,
        max_lines: args.max_lines,
    }
}

fn collect(into: &mut Vec<u8>, data: &[u8], limit: usize) {
    let room = limit.saturating_sub(into.len());
    into.extend(data.iter().take(room));
}
