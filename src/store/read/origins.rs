//! Problems that others are linked to: of new branches those that are there where the branches
//! begin (PRB-09), and those that are back (PRB-14).

use std::time::Duration;

use rusqlite::params;

use super::build_problems::{Failing, Place, is_at, problems_at};
use super::changes::change;
use super::of_line::tree;
use super::problems::ProblemRow;
use crate::model::{BRANCHED_FROM, BuildId, ChangeNumber, Line, NewChange, ProblemNumber};
use crate::store::StoreError;
use crate::store::column::{Col, Json, int};
use crate::store::state::State;
use crate::verdict::{Doubt, Found};

/// What fails again so soon after its end is linked to what it was.
const AGAIN: Duration = Duration::from_secs(7 * 86_400);

impl State {
    /// The newest problem of the same subject with the same symptom that ended in the seven days
    /// before this one was found; absent if there is none.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn problem_before(&self, row: &ProblemRow) -> Result<Option<ProblemNumber>, StoreError> {
        let found = &row.problem.found;
        self.read(|conn| {
            let since = row.opened_at - AGAIN;
            let mut select = conn.prepare_cached(BEFORE)?;
            let mut rows = select.query(params![int(row.problem.number.0), since.0])?;
            let mut newest = None;
            while let Some(known) = rows.next()? {
                let its = known.get::<_, Json<Found>>(1)?.0;
                if !its.symptoms.is_disjoint(&found.symptoms) {
                    newest = newest.max(Some(known.get::<_, Col<ProblemNumber>>(0)?.0));
                }
            }
            Ok(newest)
        })
    }

    /// The problem that a new branch has from the point of another branch where it begins. Absent
    /// if it was seen passing on the branch, if the source of its changes does not tell where it
    /// begins, or if the subject did not fail there in this way.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn problem_at_origin(&self, row: &ProblemRow) -> Result<Option<ProblemNumber>, StoreError> {
        let found = &row.problem.found;
        if found.doubt != Some(Doubt::NeverSeenPassing) {
            return Ok(None);
        }
        self.read(|conn| {
            let fails = Failing::new(&row.subject, found.symptoms.clone());
            let Some(first) = change(conn, found.first)? else {
                return Ok(None);
            };
            let content = &first.content;
            let Some(origin) = origin(content) else {
                return Ok(None);
            };
            let mut select = conn.prepare_cached(BEFORE_ON_OTHERS)?;
            let NewChange {
                branch,
                repository,
                project,
                codebase,
                ..
            } = content;
            let of = params![
                origin,
                repository,
                project,
                codebase,
                branch,
                int(found.first.0)
            ];
            let mut rows = select.query(of)?;
            while let Some(other) = rows.next()? {
                let line = Line {
                    branch: other.get(1)?,
                    repository: repository.clone(),
                    project: project.clone(),
                    codebase: codebase.clone(),
                    more: Vec::new(),
                };
                let place = Place {
                    build: BuildId::default(),
                    builder: &row.builder,
                    line: &line,
                    point: other.get::<_, Col<ChangeNumber>>(0)?.0,
                };
                let mut known = problems_at(conn, &place, &tree(&line), &fails)?;
                known.retain(|known| is_at(known, place.point) && fails.is_of(known));
                if let Some(known) = known.first() {
                    return Ok(Some(known.problem.number));
                }
            }
            Ok(None)
        })
    }
}

/// The revision where the branch of a change begins, as its source tells it.
fn origin(content: &NewChange) -> Option<&str> {
    let told = content.properties.source_of(BRANCHED_FROM) == Some("Change");
    let origin = content.properties.get(BRANCHED_FROM).filter(|_| told)?;
    origin.as_str()
}

pub(super) const BEFORE_ON_OTHERS: &str = "SELECT number, branch FROM change
    WHERE revision = ?1 AND repository = ?2 AND project = ?3 AND codebase = ?4
        AND branch IS NOT ?5 AND number < ?6
    ORDER BY number DESC LIMIT 20";
/// Those that passed or were gone.
pub(super) const BEFORE: &str = "SELECT p.number, p.found
    FROM problem t JOIN problem p ON p.builder = t.builder AND p.tree = t.tree
        AND p.step = t.step AND p.test = t.test AND p.kind = t.kind
    WHERE t.number = ?1 AND p.number < t.number AND p.state IN (1, 2) AND p.ended_at >= ?2
    LIMIT 100";
