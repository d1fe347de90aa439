//! Locks, and which of them are in use.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::desk::Desk;
use super::farm::Plain;
use super::item::{Item, Table};
use super::spot::Spot;
use super::values::{mark, part};

impl Desk {
    /// The names of the locks that steps, builders and slaves take. The others belong to steps that
    /// wait for something.
    pub(super) fn locks_in_use(&self, plain: &Plain) -> BTreeSet<String> {
        let bundles = self.bundles.values();
        let bundles = bundles.filter(|bundle| plain.extends(&bundle.name));
        let builders = plain.builders.iter().map(|(table, _)| table);
        let tables = plain.steps().chain(bundles.map(|bundle| &bundle.table));
        let tables = tables.chain(builders).chain(&plain.slaves);
        let accesses = tables.filter_map(|table| table.get("locks")?.as_list());
        let names = accesses.flatten().filter_map(|access| {
            let table = access.as_table();
            let name = table.map_or(Some(access), |table| table.get("name"));
            Some(name?.as_text()?.to_owned())
        });
        names.collect()
    }

    /// Tells of locks that nothing takes before a question is answered.
    pub(super) fn tell_waiting_locks(&mut self, plain: &Plain) {
        let used = self.locks_in_use(plain);
        let waiting = self.locks.keys().filter(|name| !used.contains(*name));
        let waiting: Vec<String> = waiting.cloned().collect();
        self.spot = Spot::default();
        for name in waiting {
            self.look_at(format!(
                "the lock `{name}` is not written yet, as only steps take it that wait for an answer \
                 or for a setting that is missing"
            ));
        }
    }

    /// Locks by their names; each is registered.
    pub(super) fn locks(&mut self, value: &Json) -> Option<Item> {
        let mut names = Vec::new();
        for lock in value.as_array().into_iter().flatten() {
            if mark(lock) != Some("lock") {
                self.misses("a lock that is worked out while a build runs");
                continue;
            }
            let name = part(lock, "name");
            let mut table = Table::default();
            table.set("type", Item::text(part(lock, "kind")));
            for key in ["max_count", "max_count_for_slave"] {
                // Buildbot's farms write the greatest number of the machine for "any number".
                let count = lock.get(key).and_then(Json::as_u64);
                let count = count.map(|count| Json::from(count.min(u64::from(u32::MAX))));
                let mut item = count.as_ref().or(lock.get(key)).and_then(Item::plain);
                if let Some(Item::Table(counts)) = &mut item {
                    counts
                        .0
                        .retain(|(slave, _)| self.slave_places.contains_key(slave));
                }
                if let Some(item) = item {
                    table.set(key, item);
                }
            }
            // Another lock may have the same name.
            let is_other = |name: &str| self.locks.get(name).is_some_and(|known| *known != table);
            let name = super::desk::unused(name, is_other);
            self.locks.insert(name.clone(), table);
            names.push(match part(lock, "mode") {
                "exclusive" => Item::Table(Table(vec![
                    ("name".to_owned(), Item::Text(name)),
                    ("mode".to_owned(), Item::text("exclusive")),
                ])),
                _ => Item::Text(name),
            });
        }
        (!names.is_empty()).then_some(Item::List(names))
    }
}
