//! A state with a long queue, for tests of what looking at it costs.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use rusqlite::Connection;

use super::{State, Store};

/// A state with this many requests that wait, in turns for the builders `b0` to `b9`, each tenth
/// more urgent.
pub(crate) fn crowded(dir: &Path, requests: u64) -> State {
    Store::open(dir).unwrap();
    let conn = Connection::open(dir.join(super::file::FILE)).unwrap();
    let fill = "WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < ?1)";
    for insert in [
        r#"INSERT INTO build_set (id, reason, submitted_at, stamp, properties, priority)
            SELECT id, 'scheduler', id, '{"branch":null,"revision":null,"project":"",
                "repository":"","codebase":"","changes":[]}', '{}', id % 100 = 0 FROM n"#,
        "INSERT INTO request (id, build_set, builder, submitted_at, priority)
            SELECT id, id, 'b' || (id % 10), id, id % 100 = 0 FROM n",
    ] {
        let requests = i64::try_from(requests).unwrap();
        conn.execute(
            &insert.replace("SELECT id,", &format!("{fill} SELECT id,")),
            [requests],
        )
        .unwrap();
    }
    for n in 0..10 {
        let insert = "INSERT INTO builder (name, position) VALUES ('b' || ?1, ?1)";
        conn.execute(insert, [n]).unwrap();
    }
    State::open_readonly(dir).unwrap()
}
