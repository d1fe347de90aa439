//! What the steps of each builder are expected to take (PRG-03, PRG-04): a few rows of each
//! builder, all of them replaced after a build that succeeded.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::column::{Col, Json};
use crate::model::{BuilderName, Effort, Expectations};

/// Expects this of `builder`, and nothing else; returns how many builders that concerned.
pub(super) fn write(
    conn: &Connection,
    builder: &BuilderName,
    expected: &Expectations,
) -> rusqlite::Result<usize> {
    conn.prepare_cached("DELETE FROM expectation WHERE builder = ?1")?
        .execute([builder.as_str()])?;
    let mut insert = conn.prepare_cached(
        "INSERT INTO expectation (builder, step, seconds, output) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for (step, effort) in &expected.0 {
        insert.execute(params![
            builder.as_str(),
            step,
            effort.secs,
            Json(&effort.output)
        ])?;
    }
    Ok(1)
}

/// All that is expected.
pub(super) fn read(conn: &Connection) -> rusqlite::Result<BTreeMap<BuilderName, Expectations>> {
    let mut expectations: BTreeMap<BuilderName, Expectations> = BTreeMap::new();
    let mut select = conn.prepare("SELECT builder, step, seconds, output FROM expectation")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let effort = Effort {
            secs: row.get(2)?,
            output: row.get::<_, Json<_>>(3)?.0,
        };
        let of_builder = expectations.entry(row.get::<_, Col<_>>(0)?.0);
        of_builder.or_default().0.insert(row.get(1)?, effort);
    }
    Ok(expectations)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::sync::Arc;

    use super::*;
    use crate::model::{BuildNumber, Forecast, Op, Results, Timestamp};
    use crate::store::State;
    use crate::store::apply::tests::{
        a_change, a_set, apply_all, finished, reopen, restart, started,
    };

    /// A builder is expected to take so long for each step.
    fn expected(builder: &str, steps: &[(&str, f64)]) -> (BuilderName, Expectations) {
        let steps = steps.iter().map(|(step, secs)| {
            let effort = Effort {
                secs: *secs,
                output: [("stdio".to_owned(), secs * 10.5)].into(),
            };
            ((*step).to_owned(), effort)
        });
        (builder.into(), Expectations(steps.collect()))
    }

    fn op((builder, expected): (BuilderName, Expectations)) -> Op {
        Op::StepsExpected { builder, expected }
    }

    #[test]
    fn prg_04_a_restart_keeps_what_was_expected_last() {
        let dir = tempfile::tempdir().unwrap();
        let first = expected("quick", &[("gone", 1.0), ("kept", 2.0)]);
        let other = expected("no longer configured", &[("compile", 100.0)]);
        let last = expected("quick", &[("kept", 2.25), ("new", 3.0)]);
        apply_all(
            dir.path(),
            &[op(first), op(other.clone()), op(last.clone())],
        );
        assert_eq!(reopen(dir.path()).expectations, [other, last].into());
        apply_all(dir.path(), &[op(expected("quick", &[]))]);
        assert_eq!(reopen(dir.path()).expectations.len(), 1);
    }

    #[test]
    fn a_build_has_its_forecast_while_it_runs() {
        let forecast = expected("quick", &[("compile", 2.5)]).1;
        let forecast = forecast.forecast(["compile".to_owned(), "new".to_owned()]);
        let begun = |number| {
            let Op::BuildStarted(mut start) = started(number + 1, "quick", number, &[]) else {
                panic!("not a start");
            };
            Arc::make_mut(&mut start).forecast = forecast.clone();
            Op::BuildStarted(start)
        };
        let dir = tempfile::tempdir().unwrap();
        let first = [
            Op::ChangeAdded(a_change(1)),
            Op::SetSubmitted(a_set(1, 1, &["quick"], vec![])),
        ];
        apply_all(dir.path(), &first);
        apply_all(dir.path(), &[begun(0), begun(1)]);
        let found = |number| {
            let state = State::open_readonly(dir.path()).unwrap();
            let row = state.build(&"quick".into(), BuildNumber(number));
            row.unwrap().unwrap().forecast
        };
        let conn =
            super::super::schema::open_for_writing(&dir.path().join("state.sqlite")).unwrap();
        assert_eq!([found(0), found(1)], [forecast.clone(), forecast]);
        super::super::apply::apply(&conn, &finished(1, Results::Success)).unwrap();
        assert_eq!(found(0), Forecast::default());
        drop(conn);
        restart(dir.path(), Timestamp(0));
        assert_eq!(found(1), Forecast::default());
    }
}
