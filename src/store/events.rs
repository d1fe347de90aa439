//! What has happened, for those who follow it: the newest in memory, the rest in the state.
//!
//! Invariants: telling never waits for a follower. What is told is committed. A follower pulls what
//! it has not seen; one that is slow reads the state, which keeps the newest [`KEPT`].

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, params};
use tokio::sync::watch;

use super::column::{Col, Json, int};
use super::{State, StoreError};
use crate::model::{Happening, HappeningName};

/// How many are kept in the state, at least.
pub(super) const KEPT: u64 = 100_000;

/// How many are kept in memory.
const RECENT: usize = 4096;

/// What has happened and is committed. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Events {
    recent: Arc<Mutex<VecDeque<Arc<Happening>>>>,
    /// The number of the last one.
    last: watch::Sender<u64>,
}

impl Events {
    /// Nothing has happened since the one of this number.
    pub(super) fn after(last: u64) -> Self {
        Self {
            recent: Arc::default(),
            last: watch::Sender::new(last),
        }
    }

    /// Tells those who follow.
    pub(super) fn tell(&self, told: Vec<Happening>) {
        let Some(last) = told.last().map(|happening| happening.number) else {
            return;
        };
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let told = told.into_iter().map(Arc::new);
        recent.extend(told);
        let beyond = recent.len().saturating_sub(RECENT);
        recent.drain(..beyond);
        drop(recent);
        self.last.send_replace(last);
    }

    /// The number of the last one; 0 if nothing has happened yet.
    #[must_use]
    pub fn last(&self) -> u64 {
        *self.last.borrow()
    }

    /// Wakes whenever something has happened.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<u64> {
        self.last.subscribe()
    }

    /// At most `limit` of those after the one of this number, in order; absent if they are in the
    /// state only.
    #[must_use]
    pub fn since(&self, number: u64, limit: usize) -> Option<Vec<Arc<Happening>>> {
        if number >= self.last() {
            return Some(Vec::new());
        }
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let first = recent.front()?.number;
        // Their numbers have no gaps.
        let skipped = (number + 1).checked_sub(first)?;
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        Some(recent.iter().skip(skipped).take(limit).cloned().collect())
    }
}

impl State {
    /// At most `limit` of what happened after the one of this number, in order.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn happened_since(&self, number: u64, limit: u32) -> Result<Vec<Happening>, StoreError> {
        self.read(|conn| {
            let mut found = Vec::new();
            let mut select = conn.prepare_cached(SINCE)?;
            let mut rows = select.query(params![int(number), limit])?;
            while let Some(row) = rows.next()? {
                let name: String = row.get(2)?;
                // A later version of the program may have known others.
                let Some(name) = HappeningName::named(&name) else {
                    continue;
                };
                found.push(Happening {
                    number: u64::try_from(row.get::<_, i64>(0)?).unwrap_or_default(),
                    at: row.get::<_, Col<_>>(1)?.0,
                    name,
                    facts: row.get::<_, Json<_>>(3)?.0,
                });
            }
            Ok(found)
        })
    }

    /// The number of the oldest of what has happened that is kept; absent if nothing is.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn oldest_happening(&self) -> Result<Option<u64>, StoreError> {
        self.read(|conn| {
            let oldest: Option<i64> = conn.prepare_cached(OLDEST)?.query_row([], |r| r.get(0))?;
            Ok(oldest.and_then(|number| u64::try_from(number).ok()))
        })
    }
}

/// The number of the last one on record; 0 if there is none.
pub(super) fn last(conn: &Connection) -> rusqlite::Result<u64> {
    let last: Option<i64> = conn.query_row(LAST, [], |row| row.get(0))?;
    Ok(last.and_then(|last| u64::try_from(last).ok()).unwrap_or(0))
}

pub(super) const SINCE: &str =
    "SELECT number, at, name, facts FROM event WHERE number > ?1 ORDER BY number LIMIT ?2";
pub(super) const OLDEST: &str = "SELECT min(number) FROM event";
const LAST: &str = "SELECT max(number) FROM event";

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::path::Path;

    use super::*;
    use crate::model::{BigState, Op};
    use crate::store::{Store, Writer};

    fn open(dir: &Path) -> Writer {
        let (store, _) = Store::open(dir).unwrap();
        store.start(Box::new(|_| {})).unwrap()
    }

    fn states(count: usize) -> Vec<Op> {
        let op = Op::BuilderState {
            builder: "full".into(),
            state: BigState::Idle,
        };
        vec![op; count]
    }

    fn numbers(told: &[Arc<Happening>]) -> Vec<u64> {
        told.iter().map(|happening| happening.number).collect()
    }

    #[tokio::test]
    async fn sta_01_numbers_go_on_after_a_restart_and_what_happened_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let writer = open(dir.path());
        let mut woken = writer.events().follow();
        writer.write_and_wait(states(2)).await;
        assert!(woken.has_changed().unwrap());
        assert_eq!(*woken.borrow_and_update(), 2);
        let told = writer.events().since(0, 9).unwrap();
        assert_eq!(numbers(&told), [1, 2]);
        assert_eq!(told[0].name, HappeningName::BuilderState);
        assert_eq!(told[0].facts.builder, Some("full".into()));
        writer.close().await;

        let writer = open(dir.path());
        assert_eq!(writer.events().last(), 2);
        assert!(writer.events().since(0, 9).is_none(), "in the state only");
        assert_eq!(writer.events().since(2, 9).unwrap(), []);
        writer.write_and_wait(states(1)).await;
        assert_eq!(numbers(&writer.events().since(2, 9).unwrap()), [3]);
        let (kept, oldest) = writer
            .reader()
            .read(|state| {
                Ok::<_, StoreError>((state.happened_since(1, 9)?, state.oldest_happening()?))
            })
            .await
            .unwrap();
        let kept: Vec<_> = kept.iter().map(|happening| happening.number).collect();
        assert_eq!((kept, oldest), (vec![2, 3], Some(1)));
        writer.close().await;
    }

    #[test]
    fn of_many_the_newest_are_in_memory() {
        let events = Events::after(10);
        let told = |numbers: std::ops::RangeInclusive<u64>| {
            let told = numbers.map(|number| Happening {
                number,
                at: crate::model::Timestamp(0),
                name: HappeningName::MasterStarted,
                facts: crate::model::Facts::default(),
            });
            told.collect::<Vec<_>>()
        };
        let last = 10 + RECENT as u64;
        events.tell(told(11..=last));
        assert_eq!(numbers(&events.since(10, 1).unwrap()), [11]);
        events.tell(told(last + 1..=last + 1));
        assert!(events.since(10, 1).is_none());
        assert_eq!(numbers(&events.since(11, 1).unwrap()), [12]);
        assert_eq!(numbers(&events.since(last, 9).unwrap()), [last + 1]);
    }

    #[test]
    fn what_happened_long_ago_is_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        Store::open(dir.path()).unwrap();
        let conn = crate::store::schema::open_for_writing(&dir.path().join(Store::FILE)).unwrap();
        conn.execute(
            "INSERT INTO event VALUES (1, 0, 'master_started', '{}'), (100100, 0, 'x', '{}'),
                (?1, 0, 'master_started', '{}')",
            [int(KEPT + 606)],
        )
        .unwrap();
        let mut told = Vec::new();
        let now = crate::model::Timestamp(0);
        for op in states(2) {
            crate::store::apply::apply_and_tell(&conn, &op, now, &mut told).unwrap();
        }
        crate::store::apply::forget_happenings(&conn, &told).unwrap();
        let state = State::open_readonly(dir.path()).unwrap();
        assert_eq!(state.oldest_happening().unwrap(), Some(100_100));
        let kept = state.happened_since(1, 9).unwrap();
        assert_eq!(kept.len(), 3, "one of a name that is not known");
    }
}
