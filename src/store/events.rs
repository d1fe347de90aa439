//! What has happened, for those who follow it: the newest in memory, the rest in the state.
//!
//! Invariants: telling never waits for a follower. What is told is committed. A follower pulls what
//! it has not seen; one that is slow reads the state, which keeps the newest [`KEPT`].

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::watch;

use super::column::{Json, int};
use super::{State, StoreError};
use crate::model::{Facts, Happening, HappeningName, Timestamp};

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
    /// Whether the state has everything that `facts` are about, for a reader from whom some of it
    /// is hidden (MAY-04).
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn has(&self, facts: &Facts) -> Result<bool, StoreError> {
        self.read(|conn| {
            let (builder, build) = (facts.builder.as_ref(), facts.build);
            conn.prepare_cached(HAS)?.query_row(
                params![
                    facts.change.map(|change| int(change.0)),
                    facts.set.map(|set| int(set.0)),
                    facts.request.map(|request| int(request.0)),
                    builder.map(|builder| builder.as_str()),
                    build.map(|build| int(build.0)),
                ],
                |row| row.get(0),
            )
        })
    }

    /// At most `limit` of what happened after the one of this number, in order.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn happened_since(&self, number: u64, limit: u32) -> Result<Vec<Happening>, StoreError> {
        self.read(|conn| {
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            let mut found = Vec::new();
            let mut select = conn.prepare_cached(SINCE)?;
            let mut rows = select.query([int(number)])?;
            while found.len() < limit
                && let Some(row) = rows.next()?
            {
                let last = u64::try_from(row.get::<_, i64>(0)?).unwrap_or_default();
                let kept = row.get::<_, Json<Vec<(Timestamp, String, Facts)>>>(1)?.0;
                let first = (last + 1).saturating_sub(kept.len() as u64);
                let numbered = (first..).zip(kept).filter(|(of, _)| *of > number);
                found.extend(numbered.filter_map(|(number, (at, name, facts))| {
                    Some(Happening {
                        number,
                        at,
                        // A later version of the program may have known others.
                        name: HappeningName::named(&name)?,
                        facts,
                    })
                }));
            }
            found.truncate(limit);
            Ok(found)
        })
    }

    /// The number of the oldest of what has happened that is kept; absent if nothing is.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn oldest_happening(&self) -> Result<Option<u64>, StoreError> {
        self.read(|conn| {
            let oldest: Option<i64> = conn
                .prepare_cached(OLDEST)?
                .query_row([], |row| row.get(0))
                .optional()?;
            Ok(oldest.and_then(|number| u64::try_from(number).ok()))
        })
    }
}

/// The number of the last one on record; 0 if there is none.
pub(super) fn last(conn: &Connection) -> rusqlite::Result<u64> {
    let last: Option<i64> = conn.query_row(LAST, [], |row| row.get(0))?;
    Ok(last.and_then(|last| u64::try_from(last).ok()).unwrap_or(0))
}

/// Writes what has happened by a transaction, and removes what is too old, now and then.
pub(super) fn write(conn: &Connection, happened: &[Happening]) -> rusqlite::Result<()> {
    let (Some(first), Some(last)) = (happened.first(), happened.last()) else {
        return Ok(());
    };
    let kept: Vec<_> = happened.iter().map(|h| (h.at, h.name, &h.facts)).collect();
    conn.prepare_cached("INSERT INTO happened (last, events) VALUES (?1, ?2)")?
        .execute(params![int(last.number), Json(kept)])?;
    if first.number / FORGOTTEN_TOGETHER != (last.number + 1) / FORGOTTEN_TOGETHER {
        conn.prepare_cached("DELETE FROM happened WHERE last <= ?1")?
            .execute([int(last.number.saturating_sub(KEPT))])?;
    }
    Ok(())
}

/// About how many are removed at once.
const FORGOTTEN_TOGETHER: u64 = 256;

pub(super) const HAS: &str = "SELECT
    (?1 IS NULL OR EXISTS (SELECT 1 FROM change WHERE number = ?1))
    AND (?2 IS NULL OR EXISTS (SELECT 1 FROM build_set WHERE id = ?2))
    AND (?3 IS NULL OR EXISTS (SELECT 1 FROM request WHERE id = ?3))
    AND (?5 IS NULL OR EXISTS (SELECT 1 FROM build WHERE builder = ?4 AND number = ?5))";
pub(super) const SINCE: &str = "SELECT last, events FROM happened WHERE last > ?1 ORDER BY last";
pub(super) const OLDEST: &str = "SELECT last + 1 - json_array_length(events) FROM happened
    ORDER BY last LIMIT 1";
const LAST: &str = "SELECT max(last) FROM happened";

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::path::Path;

    use super::*;
    use crate::model::{BigState, Op};
    use crate::store::apply::{Running, Telling, apply_and_tell};
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
                at: Timestamp(0),
                name: HappeningName::MasterStarted,
                facts: Facts::default(),
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
        let known = r#"[[0, "master_started", {}]]"#;
        let both = r#"[[0, "master_started", {}], [0, "x", {}]]"#;
        conn.execute(
            "INSERT INTO happened VALUES (1, ?1), (100100, ?2), (?3, ?1)",
            params![known, both, int(KEPT + 606)],
        )
        .unwrap();
        let mut told = Telling {
            first: KEPT + 607,
            now: Timestamp(0),
            running: &mut Running::default(),
            happened: Vec::new(),
        };
        for op in states(2) {
            apply_and_tell(&conn, &op, &mut told).unwrap();
        }
        write(&conn, &told.happened).unwrap();
        let state = State::open_readonly(dir.path()).unwrap();
        assert_eq!(state.oldest_happening().unwrap(), Some(100_099));
        let kept = state.happened_since(1, 9).unwrap();
        let kept: Vec<_> = kept.iter().map(|happening| happening.number).collect();
        let last = KEPT + 608;
        assert_eq!(
            kept,
            [100_099, last - 2, last - 1, last],
            "one of an unknown name"
        );
    }
}
