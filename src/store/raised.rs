//! Numbers that go on where another master has stopped (IST-06).

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Transaction, params};

use super::column::{int, whole};
use super::file::FILE;
use super::lock::Lock;
use super::{StoreError, schema};

/// The numbers that builds and changes get next.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct NextOnes {
    /// The next build of builders.
    pub builds: BTreeMap<String, u64>,
    /// The next change.
    pub change: Option<u64>,
}

/// Has builds and changes in `basedir` get at least these numbers next, in one transaction; the
/// numbers that they get. Nothing is ever lowered. Without `keep`, nothing is changed.
///
/// # Errors
/// A master runs there, or the state cannot be written.
pub fn raise_numbers(
    basedir: &Path,
    wanted: &NextOnes,
    keep: bool,
) -> Result<NextOnes, StoreError> {
    let _lock = Lock::take(basedir)?;
    let path = basedir.join(FILE);
    let mut conn = schema::open_for_writing(&path)?;
    let mut write = || -> rusqlite::Result<NextOnes> {
        let tx = conn.transaction()?;
        let next = raise(&tx, wanted)?;
        match keep {
            true => tx.commit()?,
            false => tx.rollback()?,
        }
        Ok(next)
    };
    write().map_err(|error| schema::refused(&path, error))
}

fn raise(tx: &Transaction<'_>, wanted: &NextOnes) -> rusqlite::Result<NextOnes> {
    let mut next = NextOnes::default();
    for (builder, number) in &wanted.builds {
        tx.execute(RAISE_BUILD, params![builder, int(*number)])?;
        let number = tx.query_row(NEXT_BUILD, params![builder], |row| row.get(0))?;
        next.builds.insert(builder.clone(), whole(number));
    }
    if let Some(number) = wanted.change {
        tx.execute(RAISE_CHANGE, params![int(number)])?;
    }
    let change = tx.query_row(NEXT_CHANGE, [], |row| row.get(0))?;
    next.change = Some(whole(change));
    Ok(next)
}

const RAISE_BUILD: &str = "INSERT INTO spent_builds (builder, next) VALUES (?1, ?2)
    ON CONFLICT (builder) DO UPDATE SET next = excluded.next WHERE next < excluded.next";
const RAISE_CHANGE: &str = "UPDATE spent SET next = ?1 WHERE kind = 'change' AND next < ?1";
const NEXT_BUILD: &str = "SELECT max(
        (SELECT next FROM spent_builds WHERE builder = ?1),
        (SELECT coalesce(max(number) + 1, 0) FROM build WHERE builder = ?1))";
const NEXT_CHANGE: &str = "SELECT max((SELECT next FROM spent WHERE kind = 'change'),
        (SELECT coalesce(max(number) + 1, 1) FROM change))";

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::model::{BuildNumber, ChangeNumber};
    use crate::store::Store;

    fn wanted(build: u64, change: u64) -> NextOnes {
        NextOnes {
            builds: BTreeMap::from([("full".to_owned(), build)]),
            change: Some(change),
        }
    }

    /// IST-06.
    #[test]
    fn numbers_are_only_ever_raised() {
        let dir = tempfile::tempdir().unwrap();
        let raise =
            |build, change, keep| raise_numbers(dir.path(), &wanted(build, change), keep).unwrap();
        assert_eq!(raise(12, 40, false), wanted(12, 40));
        assert_eq!(raise(7, 30, true), wanted(7, 30));
        assert_eq!(raise(12, 40, true), wanted(12, 40));
        assert_eq!(raise(3, 4, true), wanted(12, 40));
        let (store, recovered) = Store::open(dir.path()).unwrap();
        assert_eq!(recovered.next.change, ChangeNumber(40));
        let builds: Vec<BuildNumber> = recovered.next.build_of.into_values().collect();
        assert_eq!(builds, [BuildNumber(12)]);
        assert!(matches!(
            raise_numbers(dir.path(), &wanted(1, 1), true),
            Err(StoreError::AlreadyRunning { .. })
        ));
        drop(store);
    }
}
