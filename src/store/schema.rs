//! Opening the file: pragmas, and migrations forward to the schema of this program.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::StoreError;

macro_rules! migrations {
    ($($number:literal)*) => {
        &[$(include_str!(concat!("migrations/", $number, ".sql"))),*]
    };
}

/// The steps to the schema of this program; the first makes it from nothing. A step that has been
/// released is never changed again.
pub(super) const MIGRATIONS: &[&str] = migrations!(
    "0001" "0002" "0003" "0004" "0005" "0006" "0007" "0008" "0009"
    "0010" "0011" "0012" "0013" "0014" "0015" "0016" "0017" "0018"
    "0019" "0020" "0021" "0022" "0023" "0024" "0025" "0026"
);

/// Opens the state for writing, made if it is not there, at the schema of this program.
pub(super) fn open_for_writing(path: &Path) -> Result<Connection, StoreError> {
    // SQLite gives the files beside it the mode of this one.
    OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map_err(|source| StoreError::Io {
            path: path.to_owned(),
            source,
        })?;
    let refused = |source| refused(path, source);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = Connection::open_with_flags(path, flags).map_err(refused)?;
    conn.busy_timeout(BUSY_TIMEOUT).map_err(refused)?;
    check_is_ours(&conn, path)?;
    (|| {
        conn.pragma_update(None, "journal_mode", "WAL")?;
        conn.pragma_update(None, "synchronous", "FULL")?;
        conn.pragma_update(None, "foreign_keys", true)?;
        conn.pragma_update(None, "trusted_schema", false)?;
        conn.pragma_update(None, "wal_autocheckpoint", AUTO_CHECKPOINT_PAGES)?;
        conn.pragma_update(None, "journal_size_limit", WAL_KEPT_BYTES)?;
        conn.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
        Ok(())
    })()
    .map_err(refused)?;
    migrate(&mut conn, path)?;
    Ok(conn)
}

/// Opens the state for reading.
pub(super) fn open_for_reading(dir: &Path) -> Result<Connection, StoreError> {
    let path = dir.join(super::file::FILE);
    if !path.is_file() {
        return Err(StoreError::NoState {
            dir: dir.to_owned(),
        });
    }
    let refused = |source| refused(&path, source);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(&path, flags).map_err(refused)?;
    conn.busy_timeout(BUSY_TIMEOUT).map_err(refused)?;
    check_is_ours(&conn, &path)?;
    conn.pragma_update(None, "trusted_schema", false)
        .map_err(refused)?;
    conn.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    let found = version(&conn).map_err(refused)?;
    if found == 0 {
        return Err(StoreError::NoState {
            dir: dir.to_owned(),
        });
    }
    let known = known();
    match found.cmp(&known) {
        std::cmp::Ordering::Equal => Ok(conn),
        std::cmp::Ordering::Less => Err(StoreError::Older { path, found, known }),
        std::cmp::Ordering::Greater => Err(StoreError::Newer { path, found, known }),
    }
}

/// The error for what SQLite refused.
pub(super) fn refused(path: &Path, source: rusqlite::Error) -> StoreError {
    StoreError::of(path, source)
}

fn check_is_ours(conn: &Connection, path: &Path) -> Result<(), StoreError> {
    let (id, version, tables): (u32, u32, u32) = conn
        .query_row(
            "SELECT (SELECT application_id FROM pragma_application_id),
                    (SELECT user_version FROM pragma_user_version),
                    (SELECT count(*) FROM sqlite_schema)",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .map_err(|e| refused(path, e))?;
    // Nothing in it yet: just made, or the first migration was cut off.
    let is_empty = id == 0 && version == 0 && tables == 0;
    if is_empty || id == APPLICATION_ID {
        Ok(())
    } else {
        Err(StoreError::NotOurs {
            path: path.to_owned(),
        })
    }
}

fn migrate(conn: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let refused = |source| refused(path, source);
    let found = version(conn).map_err(refused)?;
    if found > known() {
        return Err(StoreError::Newer {
            path: path.to_owned(),
            found,
            known: known(),
        });
    }
    for (step, sql) in (1..).zip(MIGRATIONS) {
        if step > found {
            migrate_to(conn, step, sql).map_err(refused)?;
        }
    }
    Ok(())
}

fn migrate_to(conn: &mut Connection, step: u32, sql: &str) -> rusqlite::Result<()> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute_batch(sql)?;
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", step)?;
    tx.commit()
}

fn version(conn: &Connection) -> rusqlite::Result<u32> {
    conn.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn known() -> u32 {
    u32::try_from(MIGRATIONS.len()).expect("there are few migrations")
}

/// "BMST", so that `file` and SQLite tell our file from others.
const APPLICATION_ID: u32 = 0x424d_5354;
/// Others hold the file for an instant only: a backup tool, somebody at the `sqlite3` prompt.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// The writer moves the write-ahead log into the file itself when it has time; this is for when
/// it has none for long.
const AUTO_CHECKPOINT_PAGES: u32 = 16_384;
/// What is left on disk of a write-ahead log that was larger.
const WAL_KEPT_BYTES: u32 = 16 * 1024 * 1024;
/// More than there are statements.
const CACHED_STATEMENTS: usize = 64;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::model::{
        ChangeNumber, InstanceRecord, InstanceStop, PatchBody, SetId, SlaveName, StopMeans,
        Timestamp,
    };
    use crate::store::read::SetRow;
    use crate::store::{State, Store};

    /// The state, brought to the schema of this program.
    fn state(dir: &tempfile::TempDir) -> State {
        drop(open(dir).unwrap());
        State::open_readonly(dir.path()).unwrap()
    }

    fn open(dir: &tempfile::TempDir) -> Result<Connection, StoreError> {
        open_for_writing(&dir.path().join("state.sqlite"))
    }

    #[test]
    fn a_new_state_has_the_newest_schema_and_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let conn = open(&dir).unwrap();
        assert_eq!(version(&conn).unwrap(), known());
        conn.execute("INSERT INTO scheduler VALUES ('s', '{}')", [])
            .unwrap();
        for file in ["state.sqlite", "state.sqlite-wal", "state.sqlite-shm"] {
            let mode = dir
                .path()
                .join(file)
                .metadata()
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
        let pragma = |name| conn.pragma_query_value(None, name, |r| r.get::<_, i64>(0));
        assert_eq!(pragma("synchronous").unwrap(), 2);
        assert_eq!(pragma("foreign_keys").unwrap(), 1);
        assert_eq!(pragma("trusted_schema").unwrap(), 0);
    }

    #[test]
    fn opening_again_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        open(&dir)
            .unwrap()
            .execute("INSERT INTO scheduler VALUES ('s', '{}')", [])
            .unwrap();
        let conn = open(&dir).unwrap();
        let kept: u32 = conn
            .query_row("SELECT count(*) FROM scheduler", [], |r| r.get(0))
            .unwrap();
        assert_eq!(kept, 1);
    }

    #[test]
    fn a_migration_that_was_cut_off_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.sqlite");
        let mut conn = Connection::open(&path).unwrap();
        let cut = format!("{} SELECT nonsense;", MIGRATIONS[0]);
        migrate_to(&mut conn, 1, &cut).unwrap_err();
        assert_eq!(version(&conn).unwrap(), 0);
        drop(conn);
        assert_eq!(version(&open(&dir).unwrap()).unwrap(), known());
    }

    /// A state as version 1 left it: a change, a set of it that a client named, and one without
    /// either.
    const FILLED_1: &str = r#"
        INSERT INTO change VALUES (7, 100, 90, NULL, 'zoë', 'fix', 'r7', NULL, '', '', '', NULL, '',
            NULL, '["a.c"]', '{}');
        INSERT INTO build_set VALUES (3, 'job', 'try', 'because', 200, NULL, NULL,
            '{"branch":null,"revision":null,"project":"","repository":"","codebase":"",
              "changes":[7]}', '{}');
        INSERT INTO build_set VALUES (4, NULL, NULL, 'because', 200, 300, 0,
            '{"branch":null,"revision":"r1","project":"","repository":"","codebase":"",
              "changes":[]}', '{}');
        INSERT INTO patch VALUES (3, 1, NULL, 'zoë', NULL, x'00ff');
        INSERT INTO request (id, build_set, builder, submitted_at) VALUES (5, 3, 'b', 200);
        INSERT INTO scheduler VALUES ('s', '{}');"#;

    #[test]
    fn numbers_of_old_states_are_counted_by_directory_as_well() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.sqlite");
        let mut conn = Connection::open(&path).unwrap();
        for (step, sql) in (1..).zip(&MIGRATIONS[..9]) {
            migrate_to(&mut conn, step, sql).unwrap();
        }
        for (build, builder, number, path) in [
            (1, "full", 9, "builders/dir/9/0-x/stdio"),
            (2, "full", 10, "builders/dir/10/0-x/stdio"),
            (3, "other", 0, "builders/other/0/0-x/stdio"),
        ] {
            conn.execute(
                "INSERT INTO build (id, builder, number, slave, reason, started_at, requests, changes,
                     properties) VALUES (?1, ?2, ?3, 's', '', 0, '[]', '[]', '{}')",
                (build, builder, number),
            )
            .unwrap();
            conn.execute(
                "INSERT INTO step VALUES (?1, 0, 'x', 0, 0, 0, '[]')",
                [build],
            )
            .unwrap();
            conn.execute(
                "INSERT INTO log VALUES (?1, 0, 0, 'stdio', ?2, 0)",
                (build, path),
            )
            .unwrap();
        }
        drop(conn);
        let (_store, recovered) = Store::open(dir.path()).unwrap();
        let next: Vec<_> = recovered.next.build_in.iter().collect();
        let next: Vec<_> = next.iter().map(|(dir, n)| (dir.as_str(), n.0)).collect();
        assert_eq!(next, [("dir", 11), ("other", 1)]);
    }

    #[test]
    fn a_state_of_version_1_comes_along_with_all_that_is_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.sqlite");
        let mut conn = Connection::open(&path).unwrap();
        migrate_to(&mut conn, 1, MIGRATIONS[0]).unwrap();
        conn.execute_batch(FILLED_1).unwrap();
        drop(conn);
        let older = open_for_reading(dir.path()).unwrap_err();
        assert!(matches!(older, StoreError::Older { found: 1, .. }));

        let conn = open(&dir).unwrap();
        assert_eq!(version(&conn).unwrap(), known());
        let change = ChangeNumber(7);
        let ids = |sets: Vec<SetRow>| -> Vec<_> { sets.iter().map(|s| s.id).collect() };
        assert_eq!(state(&dir).change(change).unwrap().unwrap().who, "zoë");
        assert_eq!(state(&dir).decisions(change).unwrap(), None);
        assert_eq!(ids(state(&dir).sets_of_change(change).unwrap()), [SetId(3)]);
        let set = state(&dir).build_set(SetId(3)).unwrap().unwrap();
        assert_eq!(set.external_id.as_deref(), Some("job"));
        assert!(state(&dir).build_set(SetId(4)).unwrap().is_some());
        drop(conn);
        let recovered = Store::open(dir.path()).unwrap().1;
        let patch = recovered.requests[0].stamp.patch.as_ref().unwrap();
        assert_eq!(patch.body, PatchBody::Kept(SetId(3)));
        let diff = state(&dir).diff(SetId(3)).unwrap();
        assert_eq!(diff.unwrap(), [0, 255]);

        // What goes takes along what was added for it.
        let conn = open(&dir).unwrap();
        conn.execute("INSERT INTO decision VALUES (7, '[]')", [])
            .unwrap();
        conn.execute("DELETE FROM build_set WHERE id = 3", [])
            .unwrap();
        conn.execute("DELETE FROM change WHERE number = 7", [])
            .unwrap();
        let left = "SELECT (SELECT count(*) FROM change_in_set) + (SELECT count(*) FROM decision)";
        let left: u32 = conn.query_row(left, [], |row| row.get(0)).unwrap();
        assert_eq!(left, 0);
    }

    /// A state without the migration that has these words, and those after it.
    fn open_before(dir: &tempfile::TempDir, words: &str) -> Connection {
        let mut conn = Connection::open(dir.path().join("state.sqlite")).unwrap();
        let is_it = |sql: &&str| sql.contains(words);
        let before = MIGRATIONS.iter().position(is_it).unwrap();
        for (step, sql) in (1..).zip(&MIGRATIONS[..before]) {
            migrate_to(&mut conn, step, sql).unwrap();
        }
        conn
    }

    #[test]
    fn steps_from_before_their_outcomes_were_kept_stay() {
        let dir = tempfile::tempdir().unwrap();
        let conn = open_before(&dir, "COLUMN outcome");
        conn.execute_batch(
            "INSERT INTO build (id, builder, number, slave, reason, started_at, finished_at, result,
                 requests, changes, properties) VALUES (1, 'b', 0, 's', '', 5, 9, 0, '[]', '[]', '{}');
             INSERT INTO step (build, position, name, started_at, finished_at, result, text)
                 VALUES (1, 0, 'x', 6, 7, 0, '[]');
             INSERT INTO log VALUES (1, 0, 0, 'stdio', 'builders/b/0/0-x/stdio', 3);",
        )
        .unwrap();
        drop(conn);
        let conn = open(&dir).unwrap();
        let kept: (Option<String>, String) = conn
            .query_row(
                "SELECT s.outcome, l.path FROM step s JOIN log l ON l.build = s.build",
                [],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .unwrap();
        assert_eq!(kept, (None, "builders/b/0/0-x/stdio".to_owned()));
    }

    #[test]
    fn an_old_state_gets_an_identity_of_its_own() {
        let identity = || {
            let dir = tempfile::tempdir().unwrap();
            let conn = open_before(&dir, "CREATE TABLE meta");
            conn.execute("INSERT INTO scheduler VALUES ('s', '{}')", [])
                .unwrap();
            drop(conn);
            let id = Store::open(dir.path()).unwrap().1.state;
            let again = Store::open(dir.path()).unwrap().1.state;
            assert_eq!((&id, id.epoch), (&again, 0));
            id.identity
        };
        let (one, other) = (identity(), identity());
        assert_eq!(one.len(), 32);
        assert_ne!(one, other);
    }

    /// A set that waits and one that is done, as the version before priorities left them.
    const FILLED_BEFORE_PRIORITIES: &str = r#"
        INSERT INTO build_set (id, reason, submitted_at, finished_at, result, stamp, properties) VALUES
            (3, 'because', 200, NULL, NULL, '{"branch":null,"revision":null,"project":"",
              "repository":"","codebase":"","changes":[]}', '{}'),
            (4, 'because', 200, 300, 0, '{"branch":null,"revision":null,"project":"",
              "repository":"","codebase":"","changes":[]}', '{}');
        INSERT INTO request (id, build_set, builder, submitted_at) VALUES (5, 3, 'b', 200);"#;

    #[test]
    fn requests_from_before_there_were_priorities_have_the_usual_one() {
        let dir = tempfile::tempdir().unwrap();
        let conn = open_before(&dir, "COLUMN priority");
        assert!(version(&conn).unwrap() < known());
        conn.execute_batch(FILLED_BEFORE_PRIORITIES).unwrap();
        drop(conn);
        let recovered = Store::open(dir.path()).unwrap().1;
        let request = &recovered.requests[0];
        assert_eq!(
            (request.priority, request.submitted_at),
            (0, Timestamp(200))
        );
        assert_eq!(recovered.sets.len(), 1);
        assert_eq!(recovered.sets[0].set.priority, 0);
    }

    #[test]
    fn a_state_of_version_2_comes_along_with_slaves_that_are_not_paused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.sqlite");
        let mut conn = Connection::open(&path).unwrap();
        for (step, sql) in (1..=2).zip(MIGRATIONS) {
            migrate_to(&mut conn, step, sql).unwrap();
        }
        conn.execute_batch(FILLED_1).unwrap();
        conn.execute_batch(
            r#"INSERT INTO slave VALUES ('bot', 0, 1, '{"version":"0.8.14"}', 77);
               INSERT INTO slave VALUES ('new', 1, 0, '{}', NULL);"#,
        )
        .unwrap();
        drop(conn);

        let recovered = Store::open(dir.path()).unwrap().1;
        assert_eq!(recovered.requests.len(), 1);
        let connected = |name: &str| recovered.slaves[&SlaveName::from(name)].connected;
        assert_eq!((connected("bot"), connected("new")), (true, false));
        assert!(
            recovered
                .slaves
                .values()
                .all(|slave| slave.paused.is_none())
        );
        let conn = open(&dir).unwrap();
        assert_eq!(version(&conn).unwrap(), known());
        assert_eq!(state(&dir).slaves().unwrap()[0].info["version"], "0.8.14");
    }

    #[test]
    fn builds_that_were_begun_before_there_were_forecasts_come_along() {
        let dir = tempfile::tempdir().unwrap();
        let conn = open_before(&dir, "CREATE TABLE expectation");
        conn.execute_batch(
            "INSERT INTO build (id, builder, number, slave, reason, started_at, requests, changes,
                 properties)
             VALUES (1, 'b', 0, 's', '', 100, '[]', '[]', '{}')",
        )
        .unwrap();
        drop(conn);
        let conn = open(&dir).unwrap();
        let builds = state(&dir).builds(None, 9).unwrap();
        let forecasts: Vec<_> = builds.iter().map(|build| &build.forecast).collect();
        assert_eq!(forecasts, [&crate::model::Forecast::default()]);
        drop(conn);
        let recovered = Store::open(dir.path()).unwrap().1;
        assert_eq!(recovered.open_builds.len(), 1);
        assert!(recovered.expectations.is_empty());
    }

    #[test]
    fn builds_from_before_there_were_blamelists_get_theirs() {
        let dir = tempfile::tempdir().unwrap();
        let conn = open_before(&dir, "COLUMN blamelist");
        conn.execute_batch(
            r#"INSERT INTO change (number, arrived_at, made_at, who, comments, project, repository,
                   codebase, revlink, files, properties)
               VALUES (1, 0, 0, 'bob', '', '', '', '', '', '[]', '{}'),
                   (2, 0, 0, 'ann', '', '', '', '', '', '[]', '{}'),
                   (3, 0, 0, 'bob', '', '', '', '', '', '[]', '{}');
               INSERT INTO build_set (id, reason, submitted_at, stamp, properties)
               VALUES (3, 'because', 200, '{"branch":null,"revision":null,"project":"",
                   "repository":"","codebase":"","changes":[]}', '{}');
               INSERT INTO patch VALUES (3, 1, NULL, 'cid', NULL, x'00ff');
               INSERT INTO request (id, build_set, builder, submitted_at) VALUES (5, 3, 'b', 200);
               INSERT INTO build (id, builder, number, slave, reason, started_at, requests,
                   changes, properties)
               VALUES (1, 'b', 0, 's', '', 100, '[5]', '[1,2,3]', '{}'),
                   (2, 'b', 1, 's', '', 100, '[]', '[]', '{}');
               INSERT INTO step VALUES (1, 0, 'compile', 110, NULL, NULL, '[]');"#,
        )
        .unwrap();
        drop(conn);
        let builds = state(&dir).builds(None, 9).unwrap();
        let blamed: Vec<_> = builds.iter().map(|b| &b.blamelist[..]).collect();
        let [ann, bob, cid] = ["ann", "bob", "cid"].map(str::to_owned);
        assert_eq!(blamed, [&[][..], &[ann, bob, cid]]);
        let step = &builds[1].steps[0];
        assert_eq!(step.working_since, Some(Timestamp(110)));
    }

    #[test]
    fn changes_from_before_files_were_left_out_have_all_of_theirs() {
        let dir = tempfile::tempdir().unwrap();
        let conn = open_before(&dir, "COLUMN files_left_out");
        conn.execute_batch(
            r#"INSERT INTO change (number, arrived_at, made_at, who, comments, project, repository,
                   codebase, revlink, files, properties)
               VALUES (1, 0, 0, 'bob', '', '', '', '', '', '["a"]', '{}')"#,
        )
        .unwrap();
        drop(conn);
        let changes = state(&dir).changes(9).unwrap();
        assert_eq!(changes[0].files, ["a"]);
        assert_eq!(changes[0].files_left_out, 0);
    }

    #[test]
    fn instances_from_before_it_was_written_how_to_stop_them_come_along() {
        let dir = tempfile::tempdir().unwrap();
        let conn = open_before(&dir, "COLUMN instance_stop");
        conn.execute_batch(
            "INSERT INTO slave (name, instance_kind, instance) VALUES
                 ('cloud', 'command', 'i-1'), ('box', 'docker', 'c0ffee'), ('here', 'process', ''),
                 ('plain', NULL, '')",
        )
        .unwrap();
        drop(conn);
        let recovered = Store::open(dir.path()).unwrap().1;
        let of = |slave: &str| recovered.slaves[&SlaveName::from(slave)].instance.clone();
        let left = |identity: &str, means| {
            let (identity, limit) = (identity.to_owned(), Duration::from_secs(60));
            let stop = InstanceStop { means, limit };
            Some(InstanceRecord { identity, stop })
        };
        let words = Vec::new();
        assert_eq!(of("cloud"), left("i-1", StopMeans::Command { words }));
        let program = "docker".to_owned();
        assert_eq!(of("box"), left("c0ffee", StopMeans::Docker { program }));
        assert_eq!(of("here"), left("", StopMeans::Process));
        assert_eq!(of("plain"), None);
    }

    #[test]
    fn slaves_from_before_it_was_known_when_they_were_heard_have_the_time_they_went() {
        let dir = tempfile::tempdir().unwrap();
        let conn = open_before(&dir, "COLUMN heard_at");
        conn.execute_batch(
            "INSERT INTO slave (name, seen_at, position) VALUES ('bot', 77, 0), ('new', NULL, 1)",
        )
        .unwrap();
        drop(conn);
        let slaves = state(&dir).slaves().unwrap();
        let heard: Vec<_> = slaves.iter().map(|slave| slave.heard_at).collect();
        assert_eq!(heard, [Some(Timestamp(77)), None]);
    }

    #[test]
    fn a_newer_state_is_refused_by_writer_and_reader() {
        let dir = tempfile::tempdir().unwrap();
        open(&dir)
            .unwrap()
            .pragma_update(None, "user_version", known() + 1)
            .unwrap();
        for error in [
            open(&dir).unwrap_err(),
            open_for_reading(dir.path()).unwrap_err(),
        ] {
            assert!(error.to_string().contains("newer buildmaster"), "{error}");
        }
    }

    #[test]
    fn other_files_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.sqlite");
        std::fs::write(&path, "x".repeat(4096)).unwrap();
        assert!(matches!(open(&dir), Err(StoreError::NotOurs { .. })));
        std::fs::remove_file(&path).unwrap();
        Connection::open(&path)
            .unwrap()
            .execute("CREATE TABLE theirs (x)", [])
            .unwrap();
        assert!(matches!(open(&dir), Err(StoreError::NotOurs { .. })));
        assert!(matches!(
            open_for_reading(dir.path()),
            Err(StoreError::NotOurs { .. })
        ));
    }

    #[test]
    fn reading_where_there_is_no_state_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let error = open_for_reading(dir.path()).unwrap_err().to_string();
        assert!(error.starts_with("no state.sqlite in "), "{error}");
        assert!(error.contains("is this the base directory of a master?"));
    }
}
