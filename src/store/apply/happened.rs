//! What has happened by an op, numbered in the transaction that makes it durable (STA-01).

mod running;

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension};

use crate::model::journal::PersonOp;
use crate::model::journal::{BuildStart, LogOpening, StepFinish, StepStart};
use crate::model::{
    BuildId, BuilderName, Facts, HappeningName, Op, RequestId, SetId, SlaveName, Timestamp,
};
use crate::store::column::{Col, int};

pub(in crate::store) use self::running::Running;

/// What was in the state before an op that replaces it.
#[derive(Debug)]
pub(super) enum Before {
    /// Nothing that matters.
    Nothing,
    /// The builders that were configured.
    Builders(BTreeSet<BuilderName>),
    /// Whether the slave was connected.
    Connected(bool),
}

/// Reads what `op` will replace.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "most ops say themselves what has happened"
)]
pub(super) fn before(conn: &Connection, op: &Op) -> rusqlite::Result<Before> {
    Ok(match op {
        Op::Configured { .. } => Before::Builders(configured(conn)?),
        Op::SlaveState { slave, .. } => Before::Connected(is_connected(conn, slave)?),
        _ => Before::Nothing,
    })
}

/// What has happened by `op`, which is applied.
pub(super) fn told(
    conn: &Connection,
    op: &Op,
    before: &Before,
    running: &mut Running,
    now: Timestamp,
) -> rusqlite::Result<Vec<Told>> {
    running.begin(op);
    let mut told = in_queue(conn, op, now)?;
    told.extend(to_build(conn, op, running, now)?);
    told.extend(to_step(conn, op, running, now)?);
    told.extend(to_problem(conn, op)?);
    told.extend(elsewhere(op, before, now));
    running.end(op);
    Ok(told)
}

/// When, what, and what it is about.
pub(super) type Told = (Timestamp, HappeningName, Facts);

/// What happens to changes, sets and requests.
#[expect(clippy::wildcard_enum_match_arm, reason = "the others are elsewhere")]
fn in_queue(conn: &Connection, op: &Op, now: Timestamp) -> rusqlite::Result<Vec<Told>> {
    use HappeningName as Name;
    Ok(match op {
        Op::ChangeAdded(change) => {
            let facts = Facts {
                change: Some(change.number),
                ..Facts::default()
            };
            vec![(change.arrived_at, Name::ChangeAdded, facts)]
        }
        Op::SetSubmitted(set) => {
            let at = set.submitted_at;
            let facts = Facts {
                set: Some(set.id),
                scheduler: set.scheduler.clone(),
                ..Facts::default()
            };
            let requests = set.requests.iter().map(|(request, builder)| Facts {
                request: Some(*request),
                set: Some(set.id),
                builder: Some(builder.clone()),
                ..Facts::default()
            });
            let queued = requests.map(|facts| (at, Name::RequestQueued, facts));
            let submitted = (at, Name::SetSubmitted, facts);
            [submitted].into_iter().chain(queued).collect()
        }
        Op::SetFinished { set, result, at } => {
            let facts = Facts {
                result: Some(*result),
                ..of_set(conn, *set)?
            };
            vec![(*at, Name::SetFinished, facts)]
        }
        Op::RequestFinished {
            request,
            result,
            why,
            at,
        } => {
            let facts = Facts {
                result: Some(*result),
                text: why.clone(),
                ..of_request(conn, *request)?
            };
            let name = match why {
                Some(_) => Name::RequestCancelled,
                None => Name::RequestFinished,
            };
            let set = facts.set.filter(|_| !result.is_success_like());
            let mut told = vec![(*at, name, facts)];
            if let Some(set) = set
                && is_first_failure(conn, set)?
            {
                told.push((*at, Name::SetFirstFailure, of_set(conn, set)?));
            }
            told
        }
        Op::RequestRetries { request, .. } => {
            vec![(now, Name::RequestQueued, of_request(conn, *request)?)]
        }
        _ => Vec::new(),
    })
}

/// What happens to builds.
#[expect(clippy::wildcard_enum_match_arm, reason = "the others are elsewhere")]
fn to_build(
    conn: &Connection,
    op: &Op,
    running: &Running,
    now: Timestamp,
) -> rusqlite::Result<Vec<Told>> {
    Ok(match op {
        Op::BuildStarted(start) => started(conn, start)?,
        Op::BuildStopped { build, reason } => {
            let facts = Facts {
                text: Some(reason.clone()),
                ..running.build(conn, *build)?
            };
            vec![(now, HappeningName::BuildStopped, facts)]
        }
        Op::BuildFinished(end) => {
            let facts = Facts {
                result: Some(end.result),
                text: Some(joined(&end.text)),
                ..running.build(conn, end.build)?
            };
            vec![(end.at, HappeningName::BuildFinished, facts)]
        }
        _ => Vec::new(),
    })
}

/// What happens to steps and logs.
#[expect(clippy::wildcard_enum_match_arm, reason = "the others are elsewhere")]
fn to_step(
    conn: &Connection,
    op: &Op,
    running: &Running,
    now: Timestamp,
) -> rusqlite::Result<Vec<Told>> {
    use HappeningName as Name;
    Ok(match op {
        Op::StepStarted(StepStart {
            build, index, at, ..
        }) => vec![(*at, Name::StepStarted, running.step(conn, *build, *index)?)],
        Op::StepHasLocks { build, index, at } => {
            vec![(*at, Name::StepText, running.step(conn, *build, *index)?)]
        }
        Op::StepLink { build, index, .. } => {
            vec![(now, Name::StepText, running.step(conn, *build, *index)?)]
        }
        Op::StepText { build, index, text } => {
            let facts = Facts {
                text: Some(joined(text)),
                ..running.step(conn, *build, *index)?
            };
            vec![(now, Name::StepText, facts)]
        }
        Op::StepFinished(StepFinish {
            build,
            index,
            result,
            text,
            at,
            ..
        }) => {
            let facts = Facts {
                result: Some(*result),
                text: Some(joined(text)),
                ..running.step(conn, *build, *index)?
            };
            vec![(*at, Name::StepFinished, facts)]
        }
        Op::LogOpened(LogOpening {
            build, step, name, ..
        }) => vec![(
            now,
            Name::LogOpened,
            of_log(conn, running, (*build, *step), name)?,
        )],
        Op::LogClosed {
            build, step, name, ..
        } => vec![(
            now,
            Name::LogClosed,
            of_log(conn, running, (*build, *step), name)?,
        )],
        _ => Vec::new(),
    })
}

/// What happens to builders, schedulers, slaves and the master.
/// What people say of problems.
fn to_problem(conn: &Connection, op: &Op) -> rusqlite::Result<Option<Told>> {
    let Op::ProblemRemarked(remark) = op else {
        return Ok(None);
    };
    let mut select = conn.prepare_cached("SELECT builder FROM problem WHERE number = ?1")?;
    let builder = select.query_row([int(remark.problem.0)], |row| {
        Ok(row.get::<_, Col<_>>(0)?.0)
    });
    let Some(builder) = builder.optional()? else {
        return Ok(None);
    };
    let facts = Facts {
        builder: Some(builder),
        problem: Some(remark.problem),
        text: Some(remark.kind.as_str().to_owned()),
        ..Facts::default()
    };
    Ok(Some((remark.at, HappeningName::ProblemTaken, facts)))
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is kept for the master alone has not happened to anybody"
)]
fn elsewhere(op: &Op, before: &Before, now: Timestamp) -> Vec<Told> {
    use HappeningName as Name;
    match op {
        Op::SchedulerState { scheduler, .. } | Op::SchedulerWaits { scheduler, .. } => {
            let facts = Facts {
                scheduler: Some(scheduler.clone()),
                ..Facts::default()
            };
            vec![(now, Name::SchedulerTimer, facts)]
        }
        Op::SlaveState {
            slave,
            connected,
            at,
            ..
        } => {
            let name = match (before, connected) {
                (Before::Connected(false), true) => Name::SlaveConnected,
                (Before::Connected(true), false) => Name::SlaveDisconnected,
                _ => return Vec::new(),
            };
            vec![(*at, name, of_slave(slave))]
        }
        Op::SlavePaused { slave, pause } => vec![match pause {
            Some(pause) => (pause.since, Name::SlavePaused, of_slave(slave)),
            None => (now, Name::SlaveResumed, of_slave(slave)),
        }],
        Op::BuilderPaused { builder, pause } => {
            let (at, name) = match pause {
                Some(pause) => (pause.since, Name::BuilderPaused),
                None => (now, Name::BuilderResumed),
            };
            let facts = Facts {
                builder: Some(builder.clone()),
                ..Facts::default()
            };
            vec![(at, name, facts)]
        }
        Op::BuilderState { builder, state } => {
            let facts = Facts {
                builder: Some(builder.clone()),
                state: Some(*state),
                ..Facts::default()
            };
            vec![(now, Name::BuilderState, facts)]
        }
        Op::Configured { builders, .. } => {
            let is = builders.iter().map(|(name, _)| name.clone()).collect();
            let none = BTreeSet::new();
            let was = match before {
                Before::Builders(builders) => builders,
                Before::Nothing | Before::Connected(_) => &none,
            };
            configured_anew(was, &is, now)
        }
        Op::Person(op) => match &**op {
            // The name is for those who may see people.
            PersonOp::Saved { .. }
            | PersonOp::Removed { .. }
            | PersonOp::PasswordSet { .. }
            | PersonOp::Listed { .. }
            | PersonOp::DutyTaken(_) => {
                vec![(now, Name::UserChanged, Facts::default())]
            }
            _ => Vec::new(),
        },
        Op::EpochBegun { .. } => vec![(now, Name::MasterStarted, Facts::default())],
        _ => Vec::new(),
    }
}

fn started(conn: &Connection, start: &BuildStart) -> rusqlite::Result<Vec<Told>> {
    let facts = Facts {
        builder: Some(start.builder.clone()),
        build: Some(start.number),
        slave: Some(start.slave.clone()),
        ..Facts::default()
    };
    let mut told = vec![(start.at, HappeningName::BuildStarted, facts)];
    for &request in &start.requests {
        let facts = Facts {
            build: Some(start.number),
            ..of_request(conn, request)?
        };
        told.push((start.at, HappeningName::RequestStarted, facts));
    }
    Ok(told)
}

fn configured_anew(
    was: &BTreeSet<BuilderName>,
    is: &BTreeSet<BuilderName>,
    now: Timestamp,
) -> Vec<Told> {
    let told = |name| {
        move |builder: &BuilderName| {
            let builder = Some(builder.clone());
            let facts = Facts {
                builder,
                ..Facts::default()
            };
            (now, name, facts)
        }
    };
    let removed = was.difference(is);
    let added = is.difference(was);
    let removed = removed.map(told(HappeningName::BuilderRemoved));
    let added = added.map(told(HappeningName::BuilderAdded));
    let configured = (now, HappeningName::MasterConfigured, Facts::default());
    removed.chain(added).chain([configured]).collect()
}

fn of_slave(slave: &SlaveName) -> Facts {
    Facts {
        slave: Some(slave.clone()),
        ..Facts::default()
    }
}

fn of_set(conn: &Connection, set: SetId) -> rusqlite::Result<Facts> {
    let scheduler = conn
        .prepare_cached("SELECT scheduler FROM build_set WHERE id = ?1")?
        .query_row([int(set.0)], |row| row.get::<_, Option<Col<_>>>(0))
        .optional()?;
    Ok(Facts {
        set: Some(set),
        scheduler: scheduler.flatten().map(|name| name.0),
        ..Facts::default()
    })
}

fn of_request(conn: &Connection, request: RequestId) -> rusqlite::Result<Facts> {
    let found = conn
        .prepare_cached("SELECT build_set, builder FROM request WHERE id = ?1")?
        .query_row([int(request.0)], |row| {
            Ok((row.get::<_, Col<_>>(0)?.0, row.get::<_, Col<_>>(1)?.0))
        })
        .optional()?;
    let (set, builder) = found.unzip();
    Ok(Facts {
        request: Some(request),
        set,
        builder,
        ..Facts::default()
    })
}

fn of_log(
    conn: &Connection,
    running: &Running,
    (build, step): (BuildId, u32),
    name: &str,
) -> rusqlite::Result<Facts> {
    Ok(Facts {
        log: Some(name.to_owned()),
        ..running.step(conn, build, step)?
    })
}

/// Whether one request of the set has failed.
fn is_first_failure(conn: &Connection, set: SetId) -> rusqlite::Result<bool> {
    let failed: u32 = conn
        .prepare_cached(
            "SELECT count(*) FROM request WHERE build_set = ?1 AND result NOT IN (0, 1)",
        )?
        .query_row([int(set.0)], |row| row.get(0))?;
    Ok(failed == 1)
}

fn configured(conn: &Connection) -> rusqlite::Result<BTreeSet<BuilderName>> {
    conn.prepare_cached("SELECT name FROM builder WHERE position IS NOT NULL")?
        .query_map([], |row| Ok(row.get::<_, Col<_>>(0)?.0))?
        .collect()
}

fn is_connected(conn: &Connection, slave: &SlaveName) -> rusqlite::Result<bool> {
    let found = conn
        .prepare_cached("SELECT connected FROM slave WHERE name = ?1")?
        .query_row([slave.as_str()], |row| row.get(0))
        .optional()?;
    Ok(found.unwrap_or_default())
}

/// A text in words, cut where it is longer than anybody reads.
fn joined(text: &[String]) -> String {
    text.join(" ").chars().take(LONGEST_TEXT).collect()
}

/// Maximum number of characters of the text of a step.
const LONGEST_TEXT: usize = 200;
