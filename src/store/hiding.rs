//! Builders that somebody may not see (MAY-04): for their reader, the state has no row of them.
//!
//! Invariant: everything that is read of builders comes from the tables that are listed here, so
//! one list hides a builder from all queries. A connection that hides nothing has no views, and
//! costs nothing.

use std::collections::BTreeSet;

use rusqlite::Connection;

use super::{State, StoreError};
use crate::model::BuilderName;

/// Views in front of the tables, for one connection: SQLite looks for a name among the temporary
/// ones first.
const VIEWS: &str = "
    PRAGMA temp_store = MEMORY;
    CREATE TEMP TABLE hidden (builder TEXT PRIMARY KEY) WITHOUT ROWID;
    CREATE TEMP VIEW builder AS SELECT * FROM main.builder
        WHERE name NOT IN (SELECT builder FROM temp.hidden);
    CREATE TEMP VIEW build AS SELECT * FROM main.build
        WHERE builder NOT IN (SELECT builder FROM temp.hidden);
    CREATE TEMP VIEW request AS SELECT * FROM main.request
        WHERE builder NOT IN (SELECT builder FROM temp.hidden);
    CREATE TEMP VIEW line AS SELECT * FROM main.line
        WHERE builder NOT IN (SELECT builder FROM temp.hidden);
    CREATE TEMP VIEW expectation AS SELECT * FROM main.expectation
        WHERE builder NOT IN (SELECT builder FROM temp.hidden);
    CREATE TEMP VIEW spent_builds AS SELECT * FROM main.spent_builds
        WHERE builder NOT IN (SELECT builder FROM temp.hidden);
    CREATE TEMP VIEW change_in_set AS SELECT * FROM main.change_in_set c
        WHERE EXISTS (SELECT 1 FROM main.request r WHERE r.build_set = c.build_set
            AND r.builder NOT IN (SELECT builder FROM temp.hidden));
    CREATE TEMP VIEW audit AS SELECT * FROM main.audit a
        WHERE NOT EXISTS (SELECT 1 FROM temp.hidden h
                JOIN (SELECT ' ' || a.object || ' ' || a.what || ' ' AS text)
                WHERE instr(text, ' ' || h.builder || ' ') OR instr(text, ' ' || h.builder || '/')
                    OR instr(text, ' ' || h.builder || ':'))
            AND NOT EXISTS (SELECT 1 FROM main.request r WHERE a.object LIKE 'request %'
                AND r.id = CAST(substr(a.object, 9) AS INTEGER)
                AND r.builder IN (SELECT builder FROM temp.hidden));
";

/// A set is there if one of its requests is. The build that has asked for it may be hidden.
fn sets(conn: &Connection) -> rusqlite::Result<String> {
    let mut select = conn.prepare("SELECT name FROM pragma_table_info('build_set', 'main')")?;
    let columns = select.query_map([], |row| {
        let name: String = row.get(0)?;
        Ok(match name.as_str() {
            "parent" => "CASE WHEN parent ->> 'builder' NOT IN (SELECT builder FROM temp.hidden)
                THEN parent END AS parent"
                .to_owned(),
            _ => name,
        })
    })?;
    let columns = columns.collect::<rusqlite::Result<Vec<_>>>()?.join(", ");
    Ok(format!(
        "CREATE TEMP VIEW build_set AS SELECT {columns} FROM main.build_set s
            WHERE EXISTS (SELECT 1 FROM main.request r WHERE r.build_set = s.id
                AND r.builder NOT IN (SELECT builder FROM temp.hidden))"
    ))
}

impl State {
    /// Hides these builders, and no others, from all that is read from now on.
    pub(super) fn hide(&self, hidden: &BTreeSet<BuilderName>) -> Result<(), StoreError> {
        self.read(|conn| {
            let has_views = "SELECT EXISTS (SELECT 1 FROM sqlite_temp_schema)";
            let has_views: bool = conn.query_row(has_views, [], |row| row.get(0))?;
            if !has_views {
                let sets = sets(conn)?;
                conn.execute_batch(VIEWS)?;
                conn.execute_batch(&sets)?;
            }
            conn.execute("DELETE FROM temp.hidden", [])?;
            let mut insert = conn.prepare_cached("INSERT INTO temp.hidden VALUES (?1)")?;
            for builder in hidden {
                insert.execute([builder.as_str()])?;
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::store::Store;

    /// Every table with a column that names a builder.
    fn tables(conn: &Connection) -> BTreeSet<String> {
        let sql = "SELECT s.name FROM main.sqlite_schema s, pragma_table_info(s.name, 'main') c
            WHERE s.type = 'table' AND (c.name = 'builder' OR s.name = 'builder')";
        let mut select = conn.prepare(sql).unwrap();
        let names = select.query_map([], |row| row.get(0)).unwrap();
        names.collect::<rusqlite::Result<_>>().unwrap()
    }

    #[test]
    fn may_04_every_table_with_builders_has_a_view_that_hides_some() {
        let dir = tempfile::tempdir().unwrap();
        let (_store, _) = Store::open(dir.path()).unwrap();
        let state = State::open_readonly(dir.path()).unwrap();
        state.hide(&["secret".into()].into()).unwrap();
        // Again, on a connection that has its views.
        state.hide(&["other".into()].into()).unwrap();
        let (tables, views): (_, BTreeSet<String>) = state
            .read(|conn| {
                let sql = "SELECT name FROM sqlite_temp_schema WHERE type = 'view'";
                let mut select = conn.prepare(sql)?;
                let views = select.query_map([], |row| row.get(0))?;
                Ok((tables(conn), views.collect::<rusqlite::Result<_>>()?))
            })
            .unwrap();
        assert!(tables.is_subset(&views), "{tables:?} {views:?}");
        assert!(tables.contains("build") && tables.contains("builder"));
    }
}
