//! The changes that schedulers hold.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;
use serde_json::Value;

use crate::model::{ChangeNumber, SchedulerName, WaitingChange};
use crate::store::StoreError;
use crate::store::column::{Col, Json};
use crate::store::state::State;

impl State {
    /// The changes that schedulers hold, by the scheduler.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn held_changes(
        &self,
    ) -> Result<BTreeMap<SchedulerName, BTreeSet<ChangeNumber>>, StoreError> {
        self.read(|conn| {
            let mut held: BTreeMap<SchedulerName, BTreeSet<ChangeNumber>> = BTreeMap::new();
            for (name, state) in scheduler_states(conn)? {
                // One that has parts is remembered as its name, a line break, the name of the part.
                let scheduler = name.as_str().split('\n').next().unwrap_or_default();
                let changes = held.entry(scheduler.into()).or_default();
                collect_changes(&state, changes);
            }
            Ok(held)
        })
    }
}

/// The states of schedulers, with the changes that wait since they were written.
pub(in crate::store) fn scheduler_states(
    conn: &Connection,
) -> rusqlite::Result<BTreeMap<SchedulerName, Value>> {
    let mut states: BTreeMap<SchedulerName, Value> = conn
        .prepare("SELECT name, state FROM scheduler")?
        .query_map([], |row| {
            Ok((row.get::<_, Col<_>>(0)?.0, row.get::<_, Json<_>>(1)?.0))
        })?
        .collect::<Result<_, _>>()?;
    let mut select =
        conn.prepare("SELECT scheduler, change, important FROM scheduler_waits ORDER BY 1, 2")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let scheduler: SchedulerName = row.get::<_, Col<_>>(0)?.0;
        let (change, important) = (row.get::<_, Col<_>>(1)?.0, row.get(2)?);
        if let Some(state) = states.get_mut(&scheduler) {
            WaitingChange { change, important }.add_to(state);
        }
    }
    Ok(states)
}

/// Numbers in arrays under the key `changes`, at any depth.
pub(in crate::store) fn collect_changes(state: &Value, found: &mut BTreeSet<ChangeNumber>) {
    match state {
        Value::Array(items) => items.iter().for_each(|item| collect_changes(item, found)),
        Value::Object(fields) => {
            for (key, value) in fields {
                if key == "changes"
                    && let Value::Array(items) = value
                {
                    found.extend(items.iter().filter_map(Value::as_u64).map(ChangeNumber));
                }
                collect_changes(value, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
