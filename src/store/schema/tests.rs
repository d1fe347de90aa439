#![expect(clippy::unwrap_used, reason = "tests")]

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::model::{
    ChangeNumber, InstanceRecord, InstanceStop, PatchBody, SetId, SlaveName, StopMeans, Timestamp,
};
use crate::store::read::{SetRow, VisitRow};
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
    let patch = recovered.requests[0].stamps.first().patch.as_ref().unwrap();
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
fn mal_11_an_old_state_gets_a_key_for_links_of_its_own() {
    let key = || {
        let dir = tempfile::tempdir().unwrap();
        drop(open_before(&dir, "ADD COLUMN link_key"));
        let read = || state(&dir).link_key().unwrap();
        let key = read();
        assert_eq!(key, read());
        key
    };
    let (one, other) = (key(), key());
    assert_eq!(one.len(), 64);
    assert_ne!(one, other);
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
fn requests_from_before_they_had_priorities_have_those_of_their_sets() {
    let dir = tempfile::tempdir().unwrap();
    let conn = open_before(&dir, "ALTER TABLE request ADD COLUMN priority");
    conn.execute_batch(
        r#"INSERT INTO build_set (id, reason, submitted_at, stamp, properties, priority) VALUES
               (3, '', 200, '{}', '{}', 0), (4, '', 201, '{}', '{}', 7);
           INSERT INTO request (id, build_set, builder, submitted_at) VALUES
               (5, 3, 'b', 200), (6, 4, 'b', 201), (7, 3, 'b', 202);"#,
    )
    .unwrap();
    drop(conn);
    let places = state(&dir).places_in_queue(&"b".into(), None, true, 9);
    let places = places.unwrap().into_iter();
    let places: Vec<_> = places.map(|place| (place.priority, place.id.0)).collect();
    assert_eq!(places, [(7, 6), (0, 5), (0, 7)]);
}

#[test]
fn slaves_that_were_connected_before_visits_were_kept_are_on_a_visit() {
    let dir = tempfile::tempdir().unwrap();
    let conn = open_before(&dir, "CREATE TABLE slave_visit");
    conn.execute_batch(
        "INSERT INTO slave (name, seen_at, connected) VALUES ('here', 77, 1), ('gone', 78, 0)",
    )
    .unwrap();
    drop(conn);
    let visits = |slave: &str| state(&dir).visits(&slave.into()).unwrap();
    let lasts = VisitRow {
        came_at: Timestamp(77),
        went_at: None,
    };
    assert_eq!((visits("here"), visits("gone")), (vec![lasts], vec![]));
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
