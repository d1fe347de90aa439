//! Builders with other names (PRB-25): one that was called otherwise takes over the history and the
//! queue of that name, unless it has builds of its own.

use std::collections::BTreeMap;

use super::BotMaster;
use crate::config::Config;
use crate::model::{BuildNumber, BuilderName, Op, Recovered, RequestId};

/// The former and the new name of a builder.
pub(super) type Rename = (BuilderName, BuilderName);

/// Which builders take over another name, of those that have had builds.
fn due(config: &Config, next_of: &BTreeMap<BuilderName, BuildNumber>) -> Vec<Rename> {
    let named = config.builders.iter();
    let named = named.filter_map(|builder| Some((builder.was.clone()?, builder.name.clone())));
    named
        .filter(|(was, name)| next_of.contains_key(was) && !next_of.contains_key(name))
        .collect()
}

fn ops(renames: &[Rename]) -> Vec<Op> {
    let ops = renames.iter().cloned();
    ops.map(|(was, name)| Op::BuilderRenamed { was, name })
        .collect()
}

/// What is under the old name is under the new one.
pub(super) fn move_key<T>(map: &mut BTreeMap<BuilderName, T>, (was, name): &Rename) {
    if let Some(value) = map.remove(was) {
        map.insert(name.clone(), value);
    }
}

/// Renames builders in what a starting master knows.
pub(super) fn rename_recovered(recovered: &mut Recovered, config: &Config) -> Vec<Op> {
    let renames = due(config, &recovered.next.build_of);
    for rename in &renames {
        let (was, name) = rename;
        move_key(&mut recovered.next.build_of, rename);
        move_key(&mut recovered.paused_builders, rename);
        move_key(&mut recovered.used_last, rename);
        move_key(&mut recovered.expectations, rename);
        let requests = recovered.requests.iter_mut();
        for request in requests.filter(|request| request.builder == *was) {
            request.builder = name.clone();
        }
        let builds = recovered.open_builds.iter_mut();
        for build in builds.filter(|build| build.builder == *was) {
            build.builder = name.clone();
        }
        let online = recovered.online.iter_mut();
        online
            .filter(|builder| *builder == was)
            .for_each(|builder| *builder = name.clone());
    }
    ops(&renames)
}

impl BotMaster {
    /// Which builders take over another name by a configuration.
    ///
    /// # Errors
    /// A build of the old name runs.
    pub(super) fn renames(&self, config: &Config) -> Result<Vec<Rename>, String> {
        let renames = due(config, self.builds.next_of());
        for (was, name) in &renames {
            let mut builds = self.builds.iter();
            if builds.any(|(_, attempt)| attempt.configs.0.name == *was) {
                return Err(format!(
                    "builder {name} was {was}, which builds now: pause {was}, and try again when \
                     its builds have ended"
                ));
            }
        }
        Ok(renames)
    }

    /// Numbers, durations and pauses go to the new names.
    pub(super) fn take_over_names(&mut self, renames: &[Rename]) -> Vec<Op> {
        for rename in renames {
            move_key(&mut self.paused_builders, rename);
            self.builds.rename(rename);
        }
        ops(renames)
    }

    /// What waits for the old names waits for the new ones, which are laid out.
    pub(super) fn take_over_queues(&mut self, renames: &[Rename]) {
        for (was, name) in renames {
            let Some(old) = self.out.layout.builder_named(was) else {
                continue;
            };
            if let Some(new) = self.out.layout.builder_named(name) {
                self.dispatch.take_over_use(old, new);
            }
            let queue = self.dispatch.queue(old).iter();
            let waiting: Vec<RequestId> = queue.map(|(_, id)| id).collect();
            for request in waiting {
                self.unqueue(request);
                self.intake.rename(request, name);
                self.enqueue(request, false);
            }
        }
    }
}
