//! The sets that steps of builds ask for, and who waits for them.

use std::sync::Arc;

use super::{Intake, Wanted};
use crate::botmaster::BuildCommand;
use crate::botmaster::asked::{NotTriggered, Trigger, Triggered, Wished};
use crate::botmaster::ledger::Effect;
use crate::botmaster::out::Out;
use crate::model::{BuildId, ParentBuild, RequestId, SchedulerName};

impl Intake {
    /// Builds what a step of `parent` asks for, all of it or nothing; the build is told what when
    /// that is stored. `reason` is that of sets without a scheduler.
    pub(in crate::botmaster) fn trigger(
        &mut self,
        out: &mut Out,
        parent: &ParentBuild,
        reason: &str,
        trigger: Trigger,
    ) {
        let step = trigger.step;
        let (mut ops, mut effects, mut queued) = (Vec::new(), Vec::new(), Vec::new());
        if let Err(why) = self.check_trigger(out, &trigger) {
            let result = Err(why);
            let told = BuildCommand::Triggered { step, result };
            out.persist_then(ops, vec![Effect::Tell(parent.build, told)]);
            return;
        }
        let (mut triggered, mut follows) = (Vec::new(), Vec::new());
        for wish in trigger.wishes {
            let mut sets = Vec::new();
            match wish.what {
                Wished::Scheduler(name) => {
                    let (now, stamps) = (out.moment(), &wish.stamps);
                    let mut wants = self
                        .schedulers
                        .trigger(&name, stamps, &wish.properties, now);
                    let wanted = std::mem::take(&mut wants.submissions).into_iter();
                    sets.extend(wanted.map(Wanted::from));
                    follows.push(wants);
                    if sets.is_empty() {
                        triggered.push(Triggered::Kept(name));
                    }
                }
                Wished::Builders(pattern) => sets.push(Wanted {
                    scheduler: None,
                    builders: pattern.select(out.layout.config()),
                    stamps: wish.stamps,
                    reason: reason.to_owned(),
                    properties: wish.properties,
                    external_id: None,
                    priority: 0,
                    parent: None,
                    probe: None,
                }),
            }
            for mut wanted in sets {
                wanted.parent = Some(parent.clone());
                let (set, over) = self.make_set(out, wanted, &mut ops, &mut effects, &mut queued);
                triggered.push(Triggered::Set(set));
                follows.extend(over);
            }
        }
        // The build hears of its sets before it hears that one is over.
        let result = Ok(triggered);
        let told = BuildCommand::Triggered { step, result };
        effects.insert(0, Effect::Tell(parent.build, told));
        effects.extend(queued.into_iter().map(Effect::Queue));
        for wants in follows {
            self.take_effects(out, wants, &mut ops, &mut effects);
        }
        out.persist_then(ops, effects);
    }

    fn check_trigger(&self, out: &Out, trigger: &Trigger) -> Result<(), NotTriggered> {
        let mut unknown: Vec<SchedulerName> = Vec::new();
        for wish in &trigger.wishes {
            match &wish.what {
                Wished::Scheduler(name) => {
                    if !self.schedulers.takes_triggers(name) && !unknown.contains(name) {
                        unknown.push(name.clone());
                    }
                }
                Wished::Builders(pattern) => {
                    if pattern.select(out.layout.config()).is_empty() {
                        let why = format!("no builder matches {pattern}");
                        return Err(NotTriggered::Refused(why));
                    }
                }
            }
        }
        if unknown.is_empty() {
            return Ok(());
        }
        Err(NotTriggered::Unknown(unknown))
    }

    /// A build waits no longer for the sets that it has triggered; gives the requests of these
    /// that are open. They end instead of being queued again, because of `why`.
    pub(in crate::botmaster) fn leave(&mut self, build: BuildId, why: &str) -> Vec<RequestId> {
        let requests = self.open.leave(build);
        let why: Arc<str> = why.into();
        for &id in &requests {
            self.set_unwanted(id, &why);
        }
        requests
    }

    /// Why nobody wants this request any more, if nobody does.
    pub(in crate::botmaster) fn unwanted(&self, id: RequestId) -> Option<&str> {
        self.request(id)?.unwanted.as_deref()
    }

    pub(super) fn set_unwanted(&mut self, id: RequestId, why: &Arc<str>) {
        if let Some(open) = self.open.request_mut(id) {
            open.unwanted.get_or_insert_with(|| Arc::clone(why));
        }
    }

    /// A build that waits for sets.
    pub(in crate::botmaster) fn waiting(&self, build: BuildId) -> Option<&ParentBuild> {
        self.open.waiting(build)
    }

    /// How many sets builds wait for.
    #[cfg(test)]
    pub(in crate::botmaster) fn awaited(&self) -> usize {
        self.open.awaited()
    }

    /// The builds that wait for requests of which one is in no build that runs.
    pub(in crate::botmaster) fn waiting_in_vain(&self) -> Vec<BuildId> {
        self.open.waiting_in_vain()
    }
}
