//! What somebody may not see (MAY-04): for their reader, the state has no row of it.
//!
//! Invariant: everything that is read of builders, slaves and changes comes from the tables that
//! are listed here, so one list hides from all queries. A connection that hides nothing has no
//! views, and costs nothing.

use std::sync::Arc;

use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;

use super::{State, StoreError};
use crate::model::Unseen;

/// The names that are hidden, and the views in front of the tables, for one connection: SQLite
/// looks for a name among the temporary ones first. `hides_source` is a function of the program.
///
/// A set is hidden with all its requests if one of its sources is hidden from their builder.
const VIEWS: &str = "
    PRAGMA temp_store = MEMORY;
    CREATE TEMP TABLE hidden (builder TEXT PRIMARY KEY) WITHOUT ROWID;
    CREATE TEMP TABLE hidden_slave (slave TEXT PRIMARY KEY) WITHOUT ROWID;
    CREATE TEMP TABLE hiding_sources (one INTEGER PRIMARY KEY);
    CREATE TEMP VIEW spent_builds AS SELECT * FROM main.spent_builds
        WHERE builder NOT IN (SELECT builder FROM temp.hidden);
    CREATE TEMP VIEW expectation AS SELECT * FROM main.expectation
        WHERE builder NOT IN (SELECT builder FROM temp.hidden);
    CREATE TEMP VIEW line AS SELECT * FROM main.line
        WHERE builder NOT IN (SELECT builder FROM temp.hidden)
            AND NOT (EXISTS (SELECT 1 FROM temp.hiding_sources)
                AND hides_source(builder, tree ->> 1));
    CREATE TEMP VIEW test_line AS SELECT * FROM main.test_line
        WHERE builder NOT IN (SELECT builder FROM temp.hidden)
            AND NOT (EXISTS (SELECT 1 FROM temp.hiding_sources)
                AND hides_source(builder, tree ->> 1));
    CREATE TEMP VIEW quarantine AS SELECT * FROM main.quarantine
        WHERE builder NOT IN (SELECT builder FROM temp.hidden);
    CREATE TEMP VIEW subject AS SELECT * FROM main.subject
        WHERE builder NOT IN (SELECT builder FROM temp.hidden)
            AND NOT (EXISTS (SELECT 1 FROM temp.hiding_sources)
                AND hides_source(builder, tree ->> 1));
    CREATE TEMP VIEW problem_remark AS SELECT * FROM main.problem_remark r
        WHERE EXISTS (SELECT 1 FROM temp.problem p WHERE p.number = r.problem);
    CREATE TEMP VIEW search AS SELECT * FROM main.search
        WHERE builder NOT IN (SELECT builder FROM temp.hidden)
            AND NOT (EXISTS (SELECT 1 FROM temp.hiding_sources)
                AND hides_source(builder, tree ->> 1));
    CREATE TEMP VIEW slave AS SELECT * FROM main.slave
        WHERE name NOT IN (SELECT slave FROM temp.hidden_slave);
    CREATE TEMP VIEW slave_visit AS SELECT * FROM main.slave_visit
        WHERE slave NOT IN (SELECT slave FROM temp.hidden_slave);
    CREATE TEMP VIEW change AS SELECT * FROM main.change
        WHERE NOT (EXISTS (SELECT 1 FROM temp.hiding_sources) AND hides_source(NULL, repository));
    CREATE TEMP VIEW owners_file AS SELECT * FROM main.owners_file
        WHERE NOT (EXISTS (SELECT 1 FROM temp.hiding_sources) AND hides_source(NULL, repository));
    CREATE TEMP VIEW request AS SELECT * FROM main.request q
        WHERE builder NOT IN (SELECT builder FROM temp.hidden)
            AND NOT (EXISTS (SELECT 1 FROM temp.hiding_sources)
                AND EXISTS (SELECT 1 FROM main.build_set s WHERE s.id = q.build_set
                    AND (hides_source(q.builder, s.stamp ->> 'repository')
                        OR EXISTS (SELECT 1 FROM json_each(s.stamp, '$.more') m
                            WHERE hides_source(q.builder, m.value ->> 'repository')))));
    CREATE TEMP VIEW change_in_set AS SELECT c.* FROM main.change_in_set c
        WHERE EXISTS (SELECT 1 FROM temp.request r WHERE r.build_set = c.build_set);
    CREATE TEMP VIEW audit AS SELECT * FROM main.audit a
        WHERE NOT EXISTS (SELECT 1
                FROM (SELECT builder AS name FROM temp.hidden
                    UNION ALL SELECT slave FROM temp.hidden_slave) h
                JOIN (SELECT ' ' || a.object || ' ' || a.what || ' ' AS text)
                WHERE instr(text, ' ' || h.name || ' ') OR instr(text, ' ' || h.name || '/')
                    OR instr(text, ' ' || h.name || ':'))
            AND NOT (a.object LIKE 'request %'
                AND EXISTS (SELECT 1 FROM main.request r
                    WHERE r.id = CAST(substr(a.object, 9) AS INTEGER))
                AND NOT EXISTS (SELECT 1 FROM temp.request r
                    WHERE r.id = CAST(substr(a.object, 9) AS INTEGER)))
            AND NOT (a.object LIKE 'problem %'
                AND EXISTS (SELECT 1 FROM main.problem p
                    WHERE p.number = CAST(substr(a.object, 9) AS INTEGER))
                AND NOT EXISTS (SELECT 1 FROM temp.problem p
                    WHERE p.number = CAST(substr(a.object, 9) AS INTEGER)));
";

/// The view of a table of which some columns have other values.
struct Changed {
    table: &'static str,
    /// Columns and their values.
    columns: &'static [(&'static str, &'static str)],
    /// Which rows are there.
    rows: &'static str,
}

const CHANGED: [Changed; 5] = [
    Changed {
        table: "problem",
        columns: &[(
            "found",
            "iif(found ->> '$.slave' IN (SELECT slave FROM temp.hidden_slave),
                json_remove(found, '$.slave'), found)",
        )],
        rows: "builder NOT IN (SELECT builder FROM temp.hidden)
            AND NOT (EXISTS (SELECT 1 FROM temp.hiding_sources)
                AND hides_source(builder, tree ->> 1))",
    },
    Changed {
        table: "answer",
        columns: &[(
            "slave",
            "iif(slave IN (SELECT slave FROM temp.hidden_slave), NULL, slave)",
        )],
        rows: "1",
    },
    Changed {
        table: "builder",
        columns: &[(
            "slaves",
            "(SELECT json_group_array(value) FROM json_each(slaves)
                WHERE value NOT IN (SELECT slave FROM temp.hidden_slave))",
        )],
        rows: "name NOT IN (SELECT builder FROM temp.hidden)",
    },
    Changed {
        table: "build",
        columns: &[
            (
                "slave",
                "iif(slave IN (SELECT slave FROM temp.hidden_slave), '(not shown)', slave)",
            ),
            (
                "choice",
                "iif(EXISTS (SELECT 1 FROM temp.hidden_slave), '', choice)",
            ),
            (
                "properties",
                "iif(slave IN (SELECT slave FROM temp.hidden_slave),
                    json_remove(properties, '$.slavename', '$.workername'), properties)",
            ),
        ],
        rows: "builder NOT IN (SELECT builder FROM temp.hidden)
            AND NOT (EXISTS (SELECT 1 FROM temp.hiding_sources)
                AND EXISTS (SELECT 1 FROM main.request q WHERE q.id = requests ->> 0)
                AND NOT EXISTS (SELECT 1 FROM temp.request q WHERE q.id = requests ->> 0))",
    },
    // A set is there if one of its requests is. The build that has asked for it may be hidden.
    Changed {
        table: "build_set",
        columns: &[(
            "parent",
            "iif(parent ->> 'builder' NOT IN (SELECT builder FROM temp.hidden), parent, NULL)",
        )],
        rows: "EXISTS (SELECT 1 FROM temp.request r WHERE r.build_set = t.id)",
    },
];

fn view(conn: &Connection, changed: &Changed) -> rusqlite::Result<String> {
    let Changed {
        table,
        columns,
        rows,
    } = changed;
    let mut select = conn.prepare("SELECT name FROM pragma_table_info(?1, 'main')")?;
    let columns = select.query_map([table], |row| {
        let name: String = row.get(0)?;
        let value = columns.iter().find(|(column, _)| *column == name);
        Ok(match value {
            Some((_, value)) => format!("{value} AS {name}"),
            None => name,
        })
    })?;
    let columns = columns.collect::<rusqlite::Result<Vec<_>>>()?.join(", ");
    Ok(format!(
        "CREATE TEMP VIEW {table} AS SELECT {columns} FROM main.{table} t WHERE {rows}"
    ))
}

impl State {
    /// Hides this, and nothing else, from all that is read from now on.
    pub(super) fn hide(&self, unseen: &Arc<Unseen>) -> Result<(), StoreError> {
        self.read(|conn| {
            answer_for(conn, unseen)?;
            let has_views = "SELECT EXISTS (SELECT 1 FROM sqlite_temp_schema)";
            let has_views: bool = conn.query_row(has_views, [], |row| row.get(0))?;
            if !has_views {
                conn.execute_batch(VIEWS)?;
                for changed in &CHANGED {
                    conn.execute_batch(&view(conn, changed)?)?;
                }
            }
            conn.execute_batch(
                "DELETE FROM temp.hidden; DELETE FROM temp.hidden_slave;
                DELETE FROM temp.hiding_sources;",
            )?;
            let mut insert = conn.prepare_cached("INSERT INTO temp.hidden VALUES (?1)")?;
            for builder in &unseen.builders {
                insert.execute([builder.as_str()])?;
            }
            let mut insert = conn.prepare_cached("INSERT INTO temp.hidden_slave VALUES (?1)")?;
            for slave in &unseen.slaves {
                insert.execute([slave.as_str()])?;
            }
            if !unseen.sources.is_empty() {
                conn.execute("INSERT INTO temp.hiding_sources VALUES (1)", [])?;
            }
            Ok(())
        })
    }
}

/// Has the connection ask `unseen` which sources are hidden.
fn answer_for(conn: &Connection, unseen: &Arc<Unseen>) -> rusqlite::Result<()> {
    let unseen = Arc::clone(unseen);
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    conn.create_scalar_function("hides_source", 2, flags, move |args| {
        let builder: Option<String> = args.get(0)?;
        let repository: Option<String> = args.get(1)?;
        Ok(unseen.hides_source(builder.as_deref(), &repository.unwrap_or_default()))
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::collections::BTreeSet;

    use super::*;
    use crate::store::Store;

    /// Every table with a column that names a builder, a slave or a repository.
    fn tables(conn: &Connection) -> BTreeSet<String> {
        let sql = "SELECT s.name FROM main.sqlite_schema s, pragma_table_info(s.name, 'main') c
            WHERE s.type = 'table' AND (c.name IN ('builder', 'slave', 'repository')
                OR s.name IN ('builder', 'slave'))";
        let mut select = conn.prepare(sql).unwrap();
        let names = select.query_map([], |row| row.get(0)).unwrap();
        names.collect::<rusqlite::Result<_>>().unwrap()
    }

    fn hiding(builder: &str) -> Arc<Unseen> {
        Arc::new(Unseen {
            builders: BTreeSet::from([builder.into()]),
            ..Unseen::default()
        })
    }

    #[test]
    fn may_04_every_table_with_names_has_a_view_that_hides_some() {
        let dir = tempfile::tempdir().unwrap();
        let (_store, _) = Store::open(dir.path()).unwrap();
        let state = State::open_readonly(dir.path()).unwrap();
        state.hide(&hiding("secret")).unwrap();
        // Again, on a connection that has its views.
        state.hide(&hiding("other")).unwrap();
        let (tables, views): (_, BTreeSet<String>) = state
            .read(|conn| {
                let sql = "SELECT name FROM sqlite_temp_schema WHERE type = 'view'";
                let mut select = conn.prepare(sql)?;
                let views = select.query_map([], |row| row.get(0))?;
                Ok((tables(conn), views.collect::<rusqlite::Result<_>>()?))
            })
            .unwrap();
        assert!(tables.is_subset(&views), "{tables:?} {views:?}");
        for table in ["build", "builder", "slave", "change"] {
            assert!(tables.contains(table), "{table}");
        }
    }
}
