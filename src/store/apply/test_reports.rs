//! Tests of steps (TST-09).

use rusqlite::{Connection, params};

use crate::model::{ComparedTests, TestHash, TestOutcome, TestsReport};
use crate::store::column::{Json, int};
use crate::store::read::{last_outcomes, test_line_of};

/// So many reports of a line keep the outcomes and durations of all tests.
const KEPT_REPORTS: u32 = 200;

pub(super) fn reported(conn: &Connection, report: &TestsReport) -> rusqlite::Result<usize> {
    let mut name = conn.prepare_cached(NAME)?;
    for new in &report.names {
        name.execute(params![new.hash().signed(), new.as_stored()])?;
    }
    let line = move_line(conn, report)?;
    let results = Some(report.table.as_stored()).filter(|bytes| !bytes.is_empty());
    let written = conn.prepare_cached(REPORT)?.execute(params![
        int(report.build.0),
        report.index,
        line,
        Json(&report.counts),
        report.is_complete,
        Json(&report.notes),
        Json(&report.told),
        results,
    ])?;
    conn.prepare_cached(FORGET)?
        .execute(params![line, KEPT_REPORTS])?;
    Ok(written)
}

/// Moves the line of the tests. Answers which it is. A build that is older than the last one of its
/// line moves nothing.
fn move_line(conn: &Connection, report: &TestsReport) -> rusqlite::Result<Option<i64>> {
    let Some(line) = test_line_of(conn, report.build, &report.step)? else {
        return Ok(None);
    };
    if let Some((id, _, last)) = line.known
        && last > line.number
    {
        return Ok(Some(id));
    }
    let reports = line.known.map_or(0, |(_, reports, _)| reports);
    let id: i64 = conn.prepare_cached(MOVE)?.query_row(
        params![
            line.builder.as_str(),
            Json(&line.tree),
            report.step,
            int(line.number.0)
        ],
        |row| row.get(0),
    )?;
    let is_current = |compared: &&ComparedTests| compared.reports == reports;
    match report.compared.as_ref().filter(is_current) {
        Some(compared) => change(conn, (id, line.number.0), &compared.changes)?,
        // Another report has come between.
        None => {
            let before = last_outcomes(conn, id)?;
            let changes = report.table.changes_since(&before, report.is_complete);
            change(conn, (id, line.number.0), &changes)?;
        }
    }
    Ok(Some(id))
}

fn change(
    conn: &Connection,
    (line, number): (i64, u64),
    changes: &[(TestHash, Option<TestOutcome>)],
) -> rusqlite::Result<()> {
    let (mut last, mut change) = (conn.prepare_cached(LAST)?, conn.prepare_cached(CHANGE)?);
    for (hash, outcome) in changes {
        let letter = outcome.map_or('-', TestOutcome::letter).to_string();
        last.execute(params![line, hash.signed(), letter])?;
        change.execute(params![line, hash.signed(), int(number), letter])?;
    }
    Ok(())
}

const NAME: &str = "INSERT OR IGNORE INTO test_name (hash, name) VALUES (?1, ?2)";
const MOVE: &str = "INSERT INTO test_line (builder, tree, step, reports, last)
    VALUES (?1, ?2, ?3, 1, ?4)
    ON CONFLICT (builder, tree, step) DO UPDATE SET reports = reports + 1, last = excluded.last
    RETURNING id";
const LAST: &str = "INSERT OR REPLACE INTO test_last (line, hash, outcome) VALUES (?1, ?2, ?3)";
const CHANGE: &str =
    "INSERT OR REPLACE INTO test_change (line, hash, number, outcome) VALUES (?1, ?2, ?3, ?4)";
const REPORT: &str = "INSERT OR REPLACE INTO test_report (build, step, line, counts, is_complete,
        notes, told, results) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
/// One report comes at a time, so that one is forgotten at a time. Those of tries have no line.
const FORGET: &str = "UPDATE test_report SET results = NULL
    WHERE line IS ?1 AND results IS NOT NULL AND build <= (SELECT build FROM test_report
        WHERE line IS ?1 AND results IS NOT NULL ORDER BY build DESC LIMIT 1 OFFSET ?2)";
