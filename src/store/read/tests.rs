#![expect(clippy::unwrap_used, reason = "tests")]

use rusqlite::Connection;

use super::acts::DONE_ACT;
use super::build_problems::{BASE, BUILT_AT, CHANGE_OF_REVISION, WITHOUT_CHANGES};
use super::builders::{
    BUILDER, BUILDER_NAMES, BUILDERS, BUILDING, BUILDING_OF, LAST_BUILD, SLAVES, VISITS,
};
use super::builds::{BUILD, BUILD_OF_ID, BUILDS, BUILDS_AFTER, BUILDS_OF_BUILDER, LOGS, STEPS};
use super::changes::{
    CHANGE, CHANGES, CHANGES_BEFORE, CHANGES_OF_REVISION, DECISIONS, REQUESTS_OF_CHANGE,
    SEARCH_CHANGES, SETS_OF_CHANGE,
};
use super::letters::{LETTER, LETTERS, NEXT_TARGET, OUTBOX, TO_SEND};
use super::lines::{BRIEF, BROKEN_LINES, LATELY, LINES, OF_CHANGE, OF_SET, ON_SLAVE};
use super::of_build::BUILDS_BEFORE;
use super::of_end::FROM_END;
use super::of_line::{EARLIER, EVIDENCE, ORIGIN};
use super::problems::{
    ALL_PROBLEMS, EARLIER_BUILDS, FIXED_PROBLEMS, OLD_PROBLEM, ONE_PROBLEM, OPEN_PROBLEMS,
    PROBLEM_EVENTS, PROBLEMS_AT, STEP_ANSWERS, TREE_CHANGES,
};
use super::queue::{
    BEING_BUILT, BUILDERS_WITH_REQUESTS, OPEN_BELOW, OPEN_BESIDE, PENDING, PENDING_BELOW,
    PENDING_BESIDE,
};
use super::remarks::REMARKS;
use super::sets::{LAST_SET, SET, SET_REQUESTS, SETS_OF};
use super::sourced::{
    BUILD_FROM, CHANGE_FROM, NEWEST_CHANGE, NEWEST_NUMBER, SOURCED, SOURCED_OF_BUILDER,
    SOURCED_OF_CHANGES, STEP_SPANS, WAITING_FOR_CHANGES,
};
use super::sources::{CURSOR, DELIVERY, IDENTITY, OLD_DELIVERY};
use super::test_reports::{
    BUILD as TEST_BUILD, CHANGES as TEST_CHANGES, LAST as TEST_LAST, LINE as TEST_LINE,
    LINES as TEST_LINES, NAME as TEST_NAME, REPORTS as TEST_REPORTS, SINCE as TEST_SINCE,
};
use super::walk::{CHANGES_BETWEEN, REQUESTS_BETWEEN, WALK, WALK_BUILDER};
use super::{
    flaky, origins, quarantine, searched, searches, telling, test_reports, test_standing, tested,
};
use crate::store::events::{HAS, OLDEST, SINCE};
use crate::store::recover::{
    CLAIMED_REQUESTS, NEXT_BUILDS, NEXT_NUMBERS, OPEN_BUILDS, OPEN_LOGS, OPEN_SETS,
    REQUESTS_OF_SET, STEPS_SO_FAR, USED_LAST,
};
use crate::store::{Store, schema};

/// How SQLite means to run `sql`.
pub(in crate::store) fn plan(conn: &Connection, sql: &str) -> Vec<String> {
    let sql = format!("EXPLAIN QUERY PLAN {sql}");
    let mut statement = conn.prepare(&sql).unwrap();
    let unbound = statement.parameter_count();
    let values = vec![0_i64; unbound];
    statement
        .query_map(rusqlite::params_from_iter(values), |row| row.get(3))
        .unwrap()
        .collect::<rusqlite::Result<_>>()
        .unwrap()
}

/// All that is read of the state.
const QUERIES: &[&str] = &[
    CURSOR,
    DELIVERY,
    IDENTITY,
    OLD_DELIVERY,
    DONE_ACT,
    BUILDER,
    BUILDING_OF,
    BUILDERS,
    BUILDER_NAMES,
    PENDING,
    BUILDING,
    LAST_BUILD,
    SLAVES,
    VISITS,
    CHANGES,
    CHANGE,
    DECISIONS,
    REQUESTS_OF_CHANGE,
    SETS_OF_CHANGE,
    BUILDERS_WITH_REQUESTS,
    OPEN_BESIDE,
    OPEN_BELOW,
    PENDING_BESIDE,
    PENDING_BELOW,
    BEING_BUILT,
    SET,
    SET_REQUESTS,
    BUILDS,
    BUILDS_OF_BUILDER,
    BUILD,
    BUILD_OF_ID,
    BUILDS_AFTER,
    STEPS,
    LOGS,
    OPEN_BUILDS,
    OPEN_SETS,
    REQUESTS_OF_SET,
    NEXT_NUMBERS,
    NEXT_BUILDS,
    USED_LAST,
    CLAIMED_REQUESTS,
    STEPS_SO_FAR,
    OPEN_LOGS,
    BUILDS_BEFORE,
    ORIGIN,
    EARLIER,
    EVIDENCE,
    BRIEF,
    LATELY,
    LINES,
    BROKEN_LINES,
    OF_CHANGE,
    LETTER,
    LETTERS,
    OUTBOX,
    TO_SEND,
    NEXT_TARGET,
    OF_SET,
    ON_SLAVE,
    FROM_END,
    LAST_SET,
    SETS_OF,
    WALK,
    WALK_BUILDER,
    CHANGES_BETWEEN,
    REQUESTS_BETWEEN,
    HAS,
    SINCE,
    OLDEST,
    BUILD_FROM,
    CHANGE_FROM,
    NEWEST_CHANGE,
    NEWEST_NUMBER,
    SOURCED,
    SOURCED_OF_BUILDER,
    SOURCED_OF_CHANGES,
    STEP_SPANS,
    WAITING_FOR_CHANGES,
    CHANGES_BEFORE,
    CHANGES_OF_REVISION,
    SEARCH_CHANGES,
    TEST_BUILD,
    TEST_CHANGES,
    TEST_LAST,
    TEST_LINE,
    TEST_LINES,
    TEST_NAME,
    TEST_REPORTS,
    TEST_SINCE,
    ALL_PROBLEMS,
    OPEN_PROBLEMS,
    OLD_PROBLEM,
    ONE_PROBLEM,
    PROBLEM_EVENTS,
    REMARKS,
    FIXED_PROBLEMS,
    PROBLEMS_AT,
    CHANGE_OF_REVISION,
    STEP_ANSWERS,
    tested::REPORTS,
    tested::TABLE,
    quarantine::ALL,
    quarantine::OF_TEST,
    quarantine::ENDING,
    quarantine::FLAKY,
    quarantine::BUILDERS,
    quarantine::COUNTS,
    quarantine::LAST_OF_TEST,
    flaky::RESOLVED,
    flaky::SUBJECT,
    test_reports::SHOWN,
    test_reports::KEPT_NAME,
    test_standing::LINES_OF,
    test_standing::CHANGES_OF,
    test_standing::NEWEST,
    telling::STILL_OPEN,
    telling::ENDED,
    telling::SAID,
    telling::WRITTEN,
    telling::ON_ITS_WAY,
    tested::EARLIER_CHANGE,
    searches::SEARCHES,
    searches::RUNNING,
    searches::OF_PROBLEM,
    searches::SEARCH,
    searches::ASKS,
    searches::PROOFS,
    searches::PROOFS_UP_TO,
    searched::ENDED,
    searched::STEP_RESULT,
    searched::ANSWERS,
    searched::NEWEST_UP_TO,
    searched::BUILDS_UP_TO,
    searched::BETWEEN,
    EARLIER_BUILDS,
    WITHOUT_CHANGES,
    origins::BEFORE_ON_OTHERS,
    origins::BEFORE,
    BASE,
    flaky::FLAKY,
    flaky::ANSWERS,
    flaky::NEWEST_ANSWERS,
    BUILT_AT,
    flaky::NUMBER,
    TREE_CHANGES,
];

#[test]
fn every_query_has_its_index() {
    let dir = tempfile::tempdir().unwrap();
    Store::open(dir.path()).unwrap();
    let conn = schema::open_for_reading(dir.path()).unwrap();
    for sql in QUERIES {
        for line in plan(&conn, sql) {
            // Tables that have one row a builder or slave are read as a whole; a scan by number
            // stops at its limit; the partial indexes have what is open only.
            let is_small = ["builder", "slave", "built", "known", "spent_builds", "open"]
                .iter()
                .any(|table| line == format!("SCAN {table}"));
            let is_open_only = ["_open", "line_broken", "search_running", "subject_flaky"]
                .iter()
                .any(|index| line.contains(index));
            let is_by_number = !sql.contains("WHERE") || sql.contains("ORDER BY r.id DESC");
            // A list in JSON is short.
            let is_list = line.contains("VIRTUAL TABLE");
            let is_constant = line == "SCAN CONSTANT ROW";
            assert!(
                !line.starts_with("SCAN")
                    || is_small
                    || is_open_only
                    || is_by_number
                    || is_list
                    || is_constant,
                "{line}\n{sql}"
            );
            // Only what is open or configured is sorted.
            let sorts = line.contains("TEMP B-TREE");
            let sorts_few = sql.contains("FROM builder")
                || sql.contains("FROM slave")
                || sql.contains("FROM spent_builds")
                || sql.contains("finished_at IS NULL");
            assert!(!sorts || sorts_few, "{line}\n{sql}");
        }
    }
}

#[test]
fn tst_10_the_history_of_a_test_is_read_by_its_index_alone() {
    let dir = tempfile::tempdir().unwrap();
    Store::open(dir.path()).unwrap();
    let conn = schema::open_for_reading(dir.path()).unwrap();
    let lines = plan(&conn, TEST_LINES);
    assert!(
        lines.iter().any(|line| line.contains("test_last_hash")),
        "{lines:?}"
    );
    assert_eq!(
        plan(&conn, TEST_CHANGES),
        ["SEARCH test_change USING PRIMARY KEY (line=? AND hash=?)"]
    );
}
