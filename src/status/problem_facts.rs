//! What letters say of problems (PRB-19).

use crate::model::{ProblemFacts, Role, Say};
use crate::store::read::ProblemRow;

/// Suspected changes of which a letter tells for each problem.
const MOST_SUSPECTS: usize = 5;

/// What a letter says of a problem to somebody with this role.
pub(super) fn problem_facts(row: &ProblemRow, say: Say, role: Role) -> ProblemFacts {
    let problem = &row.problem;
    let suspects = problem.suspects.iter().take(MOST_SUSPECTS);
    let suspects: Vec<_> = suspects.map(|one| (one.change, one.who.clone())).collect();
    ProblemFacts {
        problem: problem.number,
        say,
        role,
        what: row.subject.to_string(),
        builder: row.builder.clone(),
        branch: row.branch.clone().filter(|branch| !branch.is_empty()),
        first_build: row.first_build,
        good_build: row.good_build,
        more_suspects: (problem.suspects.len() - suspects.len()) as u64,
        suspects,
        ended: row.ended_at.map(|_| problem.state.as_str().to_owned()),
        since: row.opened_at,
    }
}
