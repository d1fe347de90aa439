//! What each [`Op`] writes.
//!
//! Rows are inserted when something begins and updated once when it ends. Each function here
//! returns how many rows its op concerned.

mod acts;
mod builders;
mod builds;
mod changes;
mod channels;
mod ended;
mod happened;
mod infrastructure;
mod letters;
mod lines;
mod people;
mod problems;
mod quarantine;
mod remarks;
mod renaming;
mod searches;
mod sets;
mod slaves;
mod sources;
mod steps;
mod test_reports;
mod told;
mod writing;

use rusqlite::{Connection, ErrorCode};

use super::column::int;
use super::expectation;
use super::known_login;
use super::prune;
use crate::model::{Happening, Op, Timestamp};

pub(super) use self::happened::Running;

/// Why an op was not written.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The op contradicts what is stored; it will never be accepted.
    Op(String),
    /// The disk or the file does not take writes now.
    Disk(rusqlite::Error),
}

/// Writes `op` in the transaction that is open on `conn`. After [`Refusal::Op`] the transaction is
/// open still, without anything of the statement that was refused.
pub(super) fn apply(conn: &Connection, op: &Op) -> Result<(), Refusal> {
    let changed = write(conn, op).map_err(Refusal::from)?;
    if changed == 0 {
        return Err(Refusal::Op("it is about something unknown".to_owned()));
    }
    Ok(())
}

/// Writes `op` as [`apply`] does, and adds what has happened by it to `told`.
pub(super) fn apply_and_tell(
    conn: &Connection,
    op: &Op,
    told: &mut Telling<'_>,
) -> Result<(), Refusal> {
    let before = happened::before(conn, op)?;
    apply(conn, op)?;
    let happened = happened::told(conn, op, &before, told.running, told.now)?;
    let numbers = told.first + told.happened.len() as u64..;
    let numbered = numbers
        .zip(happened)
        .map(|(number, (at, name, facts))| Happening {
            number,
            at,
            name,
            facts,
        });
    told.happened.extend(numbered);
    Ok(())
}

/// What happens by one transaction.
pub(super) struct Telling<'a> {
    /// The number of the first.
    pub(super) first: u64,
    /// The time of what has none of its own.
    pub(super) now: Timestamp,
    pub(super) running: &'a mut Running,
    pub(super) happened: Vec<Happening>,
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        use ErrorCode as Code;
        let is_op = match error.sqlite_error_code() {
            // Not from SQLite: a value that cannot be bound.
            None => true,
            Some(code) => matches!(
                code,
                Code::ConstraintViolation
                    | Code::TypeMismatch
                    | Code::TooBig
                    | Code::ParameterOutOfRange
                    | Code::Unknown
            ),
        };
        if is_op {
            Self::Op(error.to_string())
        } else {
            Self::Disk(error)
        }
    }
}

/// Returns how many rows the op concerned.
fn write(conn: &Connection, op: &Op) -> rusqlite::Result<usize> {
    match op {
        Op::ChangeAdded(change) => changes::added(conn, change),
        Op::ChangeOffered { change, decisions } => changes::offered(conn, *change, decisions),
        Op::OfferTaken(offer) => sources::offer_taken(conn, offer),
        Op::Redelivered { source, at } => sources::redelivered(conn, source, *at),
        Op::SourceTried(attempt) => sources::tried(conn, attempt),
        Op::SetSubmitted(set) => sets::submitted(conn, set),
        Op::PatchKept { set, body } => sets::patch_kept(conn, *set, body),
        Op::SetFinished { set, result, at } => sets::finished(conn, *set, *result, *at),
        Op::RequestFinished {
            request,
            result,
            why,
            at,
        } => sets::request_finished(conn, *request, *result, why.as_deref(), *at),
        Op::StartFailed { requests } => sets::start_failed(conn, requests),
        Op::RequestRetries { request, retries } => sets::request_retries(conn, *request, *retries),
        Op::BuildStarted(start) => builds::started(conn, start),
        Op::BuildStopped { build, reason } => builds::stopped(conn, *build, reason),
        Op::BuildFinished(end) => builds::finished(conn, end),
        Op::StepStarted(start) => steps::started(conn, start),
        Op::StepHasLocks { build, index, at } => steps::has_locks(conn, *build, *index, *at),
        Op::StepText { build, index, text } => steps::described(conn, *build, *index, text),
        Op::StepsAdded { build, planned } => builds::planned(conn, *build, planned),
        Op::StepLink {
            build,
            index,
            name,
            url,
        } => steps::linked(conn, *build, *index, name, url),
        Op::StepCounted {
            build,
            index,
            counts,
        } => steps::counted(conn, *build, *index, counts),
        Op::StepFinished(end) => steps::finished(conn, end),
        Op::TestsReported(report) => test_reports::reported(conn, report),
        Op::LogOpened(log) => steps::log_opened(conn, log),
        Op::LogClosed {
            build,
            step,
            name,
            size_bytes,
        } => steps::log_closed(conn, *build, *step, name, *size_bytes),
        Op::SchedulerState { scheduler, state } => {
            changes::scheduler_state(conn, scheduler, state.as_ref())
        }
        Op::SchedulerWaits { scheduler, waits } => {
            changes::scheduler_waits(conn, scheduler, *waits)
        }
        Op::SlaveState {
            slave,
            connected,
            info,
            at,
        } => slaves::state(conn, slave, *connected, info.as_deref(), *at),
        Op::SlaveHeard { slave, at } => slaves::heard(conn, slave, *at),
        Op::SlaveMissed { slave, at } => slaves::missed(conn, slave, *at),
        Op::SlavePaused { slave, pause } => slaves::paused(conn, slave, pause.as_ref()),
        Op::SlaveInstance { slave, instance } => slaves::instance(conn, slave, instance.as_ref()),
        Op::LoginKnown { record, at } => known_login::write(conn, record, *at),
        Op::BuilderState { builder, state } => builders::state(conn, builder, *state),
        Op::ActDone(act) => acts::done(conn, act),
        Op::BuilderPaused { builder, pause } => builders::paused(conn, builder, pause.as_ref()),
        Op::StepsExpected { builder, expected } => expectation::write(conn, builder, expected),
        Op::Configured { builders, slaves } => builders::configured(conn, builders, slaves),
        Op::BuilderRenamed { was, name } => renaming::renamed(conn, was, name),
        Op::StepsConfigured { builders, at } => problems::configured(conn, builders, *at),
        Op::Person(op) => people::write(conn, op),
        Op::Letter(op) => letters::write(conn, op),
        Op::Channel(op) => channels::set(conn, op),
        Op::Quarantine(op) => quarantine::changed(conn, op),
        Op::ProblemRemarked(remark) => remarks::made(conn, remark),
        Op::Search(op) => searches::write(conn, op),
        Op::Audited(record) => people::audited(conn, record),
        Op::Pruned(pruned) => prune::write(conn, pruned),
        Op::EpochBegun { epoch } => conn
            .prepare_cached("UPDATE meta SET epoch = max(epoch, ?1)")?
            .execute([int(*epoch)]),
    }
}

#[cfg(test)]
pub(super) mod tests;
