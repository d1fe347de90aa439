//! Where the instances of latent slaves run: they outlive the master, and none may be lost.

use std::collections::{BTreeMap, BTreeSet};

use buildmaster::botmaster::{Input, InstanceId, InstanceInput, InstanceStart, InstanceState};
use buildmaster::config::SlaveConfig;
use buildmaster::model::{SlaveName, StopMeans};
use rand::RngExt;

use super::{World, rows};
use crate::journal::Journal;

/// The instances that there are, and what stops them, and what is still to be said of them.
#[derive(Debug, Default)]
pub struct Cloud {
    there: BTreeMap<SlaveName, StopMeans>,
    /// Those that could not be stopped the last time, for which a stop of the master does not wait.
    stop_failed: BTreeSet<SlaveName>,
    owed: Vec<(Owed, InstanceId, SlaveName)>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Owed {
    Started,
    Stopped,
}

impl Cloud {
    /// The instance is there as soon as its start begins.
    pub fn start(&mut self, id: InstanceId, slave: &SlaveConfig, disk: &Journal) {
        let name = slave.name.clone();
        assert!(disk.instances.contains_key(&name), "started, not durable");
        let latent = slave.kind.latent().expect("only those are started");
        let other = self.there.insert(name.clone(), latent.stop().means);
        assert_eq!(other, None, "two instances of {name}");
        self.owed.push((Owed::Started, id, name));
    }

    pub fn stop(&mut self, id: InstanceId, slave: SlaveName, means: &StopMeans) {
        let its = self.there.get(&slave);
        assert!(
            its.is_none_or(|its| its.is_type_of(means)),
            "{slave} is not stopped by these"
        );
        // A start that has not ended is ended by the stop.
        self.owed.retain(|(_, _, other)| *other != slave);
        self.owed.push((Owed::Stopped, id, slave));
    }

    /// The master is another one: nobody waits for the answers.
    pub fn forget_answers(&mut self) {
        self.owed.clear();
    }

    /// Whatever is there is on record (LAT-07).
    pub fn check(&self, disk: &Journal) {
        for slave in self.there.keys() {
            assert!(disk.instances.contains_key(slave), "{slave} is lost");
        }
    }

    /// The oldest answer, when all goes well.
    pub fn good_answer(&mut self) -> Option<Input> {
        (!self.owed.is_empty()).then(|| self.answer(0, 0))
    }

    /// One answer: well, or in one of two bad ways.
    fn answer(&mut self, at: usize, how: u32) -> Input {
        let (owed, instance, slave) = self.owed.remove(at);
        match owed {
            Owed::Started => {
                let result = match how {
                    0 => InstanceStart::Started("i".to_owned()),
                    1 => InstanceStart::NotNow,
                    _ => InstanceStart::Failed("no".to_owned()),
                };
                if result == InstanceStart::NotNow {
                    self.there.remove(&slave);
                }
                Input::Instance {
                    slave,
                    instance,
                    what: InstanceInput::Started { result },
                }
            }
            Owed::Stopped => {
                let result = if how == 0 {
                    self.there.remove(&slave);
                    self.stop_failed.remove(&slave);
                    Ok(())
                } else {
                    self.stop_failed.insert(slave.clone());
                    Err("no".to_owned())
                };
                Input::Instance {
                    slave,
                    instance,
                    what: InstanceInput::Stopped { result },
                }
            }
        }
    }
}

impl World {
    pub(super) fn answer_of_cloud(&mut self) {
        let Some(at) = self.pick(self.cloud.owed.len()) else {
            return;
        };
        let bad = self.rng.random_bool(0.2);
        let how = if bad { self.rng.random_range(1..3) } else { 0 };
        let input = self.cloud.answer(at, how);
        let waiting = rows::waiting(&self.core);
        let is_refusal = matches!(
            input,
            Input::Instance {
                what: InstanceInput::Started {
                    result: InstanceStart::NotNow
                },
                ..
            }
        );
        self.input(input);
        if is_refusal && rows::waiting(&self.core) < waiting {
            rows::take(22);
        }
    }

    /// Whether a slave could connect: a latent one only from its instance.
    pub(super) fn may_come(&self, slave: &SlaveName) -> bool {
        if self.reference.is_held(slave, self.now.mono) {
            return false;
        }
        let config = self.config.slave(slave.as_str());
        let instances = self.core.instances();
        let its = instances.iter().find(|i| i.slave == *slave);
        if config.is_some_and(|slave| slave.kind.latent().is_none()) {
            // What it was before may have to be stopped first.
            return its.is_none_or(|i| i.state == InstanceState::Down);
        }
        let is_up = |i: &buildmaster::botmaster::InstanceView| match i.state {
            InstanceState::Starting | InstanceState::Up => true,
            InstanceState::Down | InstanceState::Stopping => false,
        };
        self.cloud.there.contains_key(slave) && its.is_some_and(is_up)
    }

    /// LAT-07: after an orderly end there is no instance.
    pub(super) fn close_cloud(&mut self) {
        self.input(Input::Shutdown { clean: true });
        while !self.exited {
            if !self.unwritten.is_empty() {
                self.write(self.unwritten.len());
            } else if let Some((&build, _)) = self.builds.iter().next() {
                self.finish(build, buildmaster::model::Results::Success, false);
            } else if !self.owed.is_empty() {
                let (session, input) = self.owed.remove(0);
                self.input(input.of(session));
            } else if let Some(input) = self.cloud.good_answer() {
                self.input(input);
            } else {
                assert!(self.core.poll_timeout().is_some(), "it does not end");
                self.pass_to_timeout();
            }
        }
        self.write_out(self.unwritten.len());
        self.cloud.check(&self.disk);
        let failed = &self.cloud.stop_failed;
        assert!(
            self.cloud.there.keys().all(|slave| failed.contains(slave)),
            "instances are left"
        );
    }
}
