//! The running builds: one task for each build, with a channel to the task.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use tokio::sync::mpsc;
use tracing::info_span;

use super::sessions::Happened;
use crate::botmaster::{
    BuildCommand, BuildInput, BuildOutcome, BuildPlan, MOST_TRIGGERED, SessionId,
};
use crate::build::{self, Control, Desk, Journal, Services};
use crate::clock::Clock;
use crate::control::{News, Newsroom};
use crate::logs::LogStore;
use crate::model::{BuildId, BuilderName, Results};
use crate::net::Tasks;
use crate::net::slave::SlaveBuilderHandle;
use crate::store::Writer;
use crate::transfer::MasterFiles;

/// Maximum number of queued messages to a build: its stops, and [`RESERVED`] others. A stop is
/// queued only while there is room for all others, of which there may be this number already.
const MESSAGES: usize = STOPS + 2 * RESERVED;

/// Maximum number of queued messages that must not be lost: a loss of the slave, an outdated grant
/// of locks or answer to a step, a current one of each, and the ends of what was triggered. The
/// build asks again only after it has read all earlier messages.
const RESERVED: usize = 5 + MOST_TRIGGERED;

/// Maximum number of unread stops, at least. Users may stop a build any number of times; further
/// unread stops add nothing.
const STOPS: usize = 4;

/// The running builds.
#[derive(Debug)]
pub(super) struct Builds {
    running: HashMap<BuildId, mpsc::Sender<Control>>,
    tell: mpsc::Sender<Happened>,
    tasks: Tasks,
    journal: Journal,
    logs: LogStore,
    files: MasterFiles,
    clock: Clock,
}

impl Builds {
    pub(super) fn new(
        tell: mpsc::Sender<Happened>,
        tasks: Tasks,
        writer: Writer,
        logs: LogStore,
        newsroom: Newsroom,
        clock: Clock,
    ) -> Self {
        Self {
            running: HashMap::new(),
            tell,
            tasks,
            journal: Journal::new(writer, move |op| newsroom.tell(News::Build(op))),
            logs,
            files: MasterFiles::new(Path::new(".")),
            clock,
        }
    }

    /// Carries out a command of the core for a build. `slave` returns the slave's side of a
    /// builder.
    pub(super) fn carry_out(
        &mut self,
        build: BuildId,
        command: BuildCommand,
        slave: impl FnOnce(SessionId, &BuilderName) -> Option<SlaveBuilderHandle>,
    ) {
        match command {
            BuildCommand::Run { session, plan } => {
                let slave = slave(session, &plan.builder.name);
                self.run(plan, session, slave);
            }
            BuildCommand::Interrupt { reason } => {
                if self.running.get(&build).is_some_and(takes_stop) {
                    self.send(build, Control::Stop { reason });
                }
            }
            BuildCommand::GrantLocks { user } => self.send(build, Control::LocksGranted { user }),
            BuildCommand::Triggered { step, result } => {
                self.send(build, Control::Triggered { step, result });
            }
            BuildCommand::RelatedEnded { step, ends } => {
                self.send(build, Control::RelatedEnded { step, ends });
            }
            BuildCommand::TriggerOver(over) => self.send(build, Control::TriggerOver(over)),
            BuildCommand::LoseSlave { why } => self.send(build, Control::SlaveLost { why }),
        }
    }

    /// Runs a build on `slave`. If the slave is gone, the build ends at once as a build with a lost
    /// slave.
    fn run(&mut self, plan: Box<BuildPlan>, session: SessionId, slave: Option<SlaveBuilderHandle>) {
        let (control, told) = mpsc::channel(MESSAGES);
        let build = plan.build;
        self.running.insert(build, control);
        let ask = self.tell.clone();
        let desk = Desk::new(move |input| {
            let ask = ask.clone();
            // The receiver is gone only when the master is stopping.
            async move { drop(ask.send(Happened::Told(input)).await) }
        });
        // Count from the start of the build, so earlier changes of the clock do not matter.
        let clock = self.clock.restarted();
        let tell = self.tell.clone();
        let services = Services {
            logs: self.logs.clone(),
            journal: self.journal.clone(),
            desk,
            files: self.files.clone(),
            clock: Box::new(move || clock.steady()),
        };
        let span = info_span!("build", builder = %plan.builder.name, number = plan.number.0);
        self.tasks.spawn(span, async move {
            let outcome = match slave {
                Some(slave) => build::run(plan, Box::new(slave), services, told).await,
                None => lost_before_it_began(&plan),
            };
            let abandoned = outcome.abandoned_command;
            let finished = Happened::Told(BuildInput::Finished { outcome }.of(build));
            // The receiver is gone only when the master is stopping; then recovery takes over.
            let _ended = tell.send(finished).await;
            if abandoned {
                let _ended = tell.send(Happened::Abandoned(session)).await;
            }
        });
    }

    /// Removes a finished build.
    pub(super) fn ended(&mut self, build: BuildId) {
        self.running.remove(&build);
    }

    fn send(&self, build: BuildId, message: Control) {
        if let Some(control) = self.running.get(&build) {
            // If full, the build has enough stops; if closed, the build has ended.
            let _told = control.try_send(message);
        }
    }
}

/// Whether the queue has room for a stop besides the reserved messages.
fn takes_stop(control: &mpsc::Sender<Control>) -> bool {
    control.capacity() > RESERVED
}

fn lost_before_it_began(plan: &BuildPlan) -> BuildOutcome {
    BuildOutcome {
        result: Results::Retry,
        text: vec!["retry".to_owned(), "lost".to_owned(), "slave".to_owned()],
        stop_reason: None,
        properties: plan.properties.clone(),
        took: BTreeMap::new(),
        abandoned_command: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::botmaster::TriggerOver;
    use crate::model::SetId;

    #[test]
    fn however_often_a_build_is_stopped_there_is_room_for_what_must_not_be_lost() {
        let over = |set| {
            Control::TriggerOver(TriggerOver {
                set: SetId(set),
                result: Results::Success,
                builds: Vec::new(),
            })
        };
        for unread in [0, RESERVED] {
            let (control, _told) = mpsc::channel(MESSAGES);
            for set in (0..).take(unread) {
                assert!(control.try_send(over(set)).is_ok());
            }
            let mut stops = 0;
            while takes_stop(&control) {
                let reason = String::new();
                assert!(control.try_send(Control::Stop { reason }).is_ok());
                stops += 1;
            }
            assert!(stops >= STOPS, "{stops}");
            for set in (0..).take(RESERVED) {
                assert!(control.try_send(over(set)).is_ok());
            }
        }
    }
}
