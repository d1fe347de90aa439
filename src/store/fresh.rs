//! A base directory without a state: of a new master, or of one that has lost it.
//!
//! A state that is gone cannot be told from one that never was, except by the logs of builds beside
//! it. A master that began to count anew beside them would mix new builds with old ones.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use rusqlite::{Connection, OpenFlags, params};

use super::column::int;
use super::file::FILE;
use super::lock::Lock;
use super::{StoreError, schema};

/// Makes a state in `basedir` that knows nothing but which numbers the builds have of which there
/// are logs, so that new builds get others. Returns the first free number in each directory of
/// `builders/`.
///
/// # Errors
/// There is a state already, a master runs, or it cannot be written.
pub fn begin_anew(basedir: &Path) -> Result<BTreeMap<String, u64>, StoreError> {
    let _lock = Lock::take(basedir)?;
    let path = basedir.join(FILE);
    if !is_blank(&path)? {
        return Err(StoreError::IsThere { path });
    }
    let next = next_numbers(basedir).map_err(|source| StoreError::Io {
        path: basedir.join(BUILDERS),
        source,
    })?;
    let mut conn = schema::open_for_writing(&path)?;
    let mut write = || -> rusqlite::Result<()> {
        let tx = conn.transaction()?;
        for (dir, next) in &next {
            tx.execute(
                "INSERT INTO spent_dirs (builddir, next) VALUES (?1, ?2)",
                params![dir, int(*next)],
            )?;
        }
        tx.commit()
    };
    write().map_err(|error| schema::refused(&path, error))?;
    Ok(next)
}

/// Refuses a state that is gone or empty beside logs of builds.
pub(super) fn check_is_not_lost(basedir: &Path) -> Result<(), StoreError> {
    let path = basedir.join(FILE);
    if is_blank(&path)? && has_builds(basedir) {
        return Err(StoreError::Lost { path });
    }
    Ok(())
}

/// Whether the file is missing, or has nothing in it.
fn is_blank(path: &Path) -> Result<bool, StoreError> {
    match fs::metadata(path) {
        Ok(meta) if meta.len() > 0 => {}
        Ok(_) => return Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(source) => {
            return Err(StoreError::Io {
                path: path.to_owned(),
                source,
            });
        }
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let count = || -> rusqlite::Result<u32> {
        let conn = Connection::open_with_flags(path, flags)?;
        conn.busy_timeout(schema::BUSY_TIMEOUT)?;
        conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
    };
    Ok(count().map_err(|error| schema::refused(path, error))? == 0)
}

/// Whether there are logs of any build.
pub(super) fn has_builds(basedir: &Path) -> bool {
    let Ok(dirs) = fs::read_dir(basedir.join(BUILDERS)) else {
        return false;
    };
    dirs.flatten()
        .filter_map(|dir| fs::read_dir(dir.path()).ok())
        .any(|mut builds| builds.any(|build| build.is_ok_and(|build| number(&build).is_some())))
}

fn next_numbers(basedir: &Path) -> io::Result<BTreeMap<String, u64>> {
    let mut next = BTreeMap::new();
    let dirs = match fs::read_dir(basedir.join(BUILDERS)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(next),
        dirs => dirs?,
    };
    for dir in dirs {
        let dir = dir?;
        if !dir.path().is_dir() {
            continue;
        }
        let mut last = None;
        for build in fs::read_dir(dir.path())? {
            last = last.max(number(&build?));
        }
        if let (Some(last), Ok(name)) = (last, dir.file_name().into_string()) {
            next.insert(name, last.saturating_add(1));
        }
    }
    Ok(next)
}

/// The number of the build whose logs are in this directory.
fn number(entry: &fs::DirEntry) -> Option<u64> {
    entry.file_name().to_str()?.parse().ok()
}

/// Where the logs of builds are, as `builders/DIRECTORY/NUMBER`.
const BUILDERS: &str = "builders";

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::model::BuildNumber;
    use crate::store::Store;

    fn with_old_builds() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for build in [
            "full/9/0-make",
            "full/10/0-make",
            "quick/0",
            "empty",
            "full/odd",
        ] {
            fs::create_dir_all(dir.path().join(BUILDERS).join(build)).unwrap();
        }
        dir
    }

    #[test]
    fn a_state_that_is_gone_or_empty_beside_builds_is_refused() {
        let dir = with_old_builds();
        let path = dir.path().join(Store::FILE);
        let check = || match Store::open(dir.path()) {
            Err(error @ StoreError::Lost { .. }) => error.to_string(),
            other => panic!("{other:?}"),
        };
        let told = check();
        assert!(told.contains("`buildmaster new-state DIR`"), "{told}");
        assert!(!path.exists(), "nothing was made");
        fs::write(&path, "").unwrap();
        check();
        // A database without anything in it.
        let conn = Connection::open(&path).unwrap();
        conn.execute_batch("CREATE TABLE x (y); DROP TABLE x;")
            .unwrap();
        drop(conn);
        assert!(path.metadata().unwrap().len() > 0);
        check();
    }

    #[test]
    fn a_new_base_directory_needs_no_word() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("builders/full")).unwrap();
        Store::open(dir.path()).unwrap();
    }

    #[test]
    fn a_state_that_begins_anew_numbers_builds_above_the_old_ones() {
        let dir = with_old_builds();
        let next = begin_anew(dir.path()).unwrap();
        let expected = [("full", 11), ("quick", 1)];
        assert_eq!(
            next,
            expected.map(|(dir, next)| (dir.to_owned(), next)).into()
        );
        let (store, recovered) = Store::open(dir.path()).unwrap();
        let expected = expected.map(|(dir, next)| (dir.to_owned(), BuildNumber(next)));
        assert_eq!(recovered.next.build_in, expected.into());
        // Not while a master runs, and never over a state.
        assert!(matches!(
            begin_anew(dir.path()),
            Err(StoreError::AlreadyRunning { .. })
        ));
        drop(store);
        assert!(matches!(
            begin_anew(dir.path()),
            Err(StoreError::IsThere { .. })
        ));
    }
}
