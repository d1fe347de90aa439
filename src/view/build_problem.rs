//! What a build says of a problem.

use schemars::JsonSchema;
use serde::Serialize;

use super::json;
use super::problem::Problem;
use crate::model::{BuildNumber, Judgement, ProblemNumber, ProblemSubject, TestName, Timestamp};
use crate::store::read::ProblemRow;
use crate::text::and_more;
use crate::verdict::Suspect;

/// A problem as a build has it: new, still there, or fixed (PRB-23).
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct BuildProblem {
    /// The number of the problem.
    pub problem: ProblemNumber,
    /// New if nothing older fails in this way, fixed if the build has ended it.
    pub news: Judgement,
    /// What fails, for people.
    pub what: String,
    /// The step; null for infrastructure.
    pub step: Option<String>,
    /// The parts of the name of the test; null if it is about the step.
    pub test: Option<Vec<String>>,
    /// The first build with it.
    pub since_build: Option<BuildNumber>,
    /// When it was found.
    #[serde(serialize_with = "json::time")]
    pub since: Timestamp,
    /// The changes that may have caused it.
    pub suspects: Vec<Suspect>,
    /// Who sees to it.
    pub claimed_by: Vec<String>,
    /// Whether the build is a try, whose base has the problem already (PRB-18).
    pub is_of_base: bool,
}

/// What fails in a try, and not in its base (PRB-18).
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct OwnFailure {
    /// What fails, for people.
    pub what: String,
    /// The step.
    pub step: Option<String>,
    /// The parts of the name of the test; null if it is about the step.
    pub test: Option<Vec<String>>,
}

impl From<&ProblemSubject> for OwnFailure {
    fn from(subject: &ProblemSubject) -> Self {
        let parts = |test: &TestName| test.parts().map(ToOwned::to_owned).collect();
        Self {
            what: subject.to_string(),
            step: subject.step().map(ToOwned::to_owned),
            test: subject.test().map(parts),
        }
    }
}

impl BuildProblem {
    /// A problem as it stands at `now`.
    pub(super) fn at(
        now: Timestamp,
        (news, row): (Judgement, ProblemRow),
        is_of_base: bool,
    ) -> Self {
        let problem = Problem::at(now, row);
        let claims = problem.hands.claims.into_iter();
        Self {
            problem: problem.number,
            news,
            what: problem.what,
            step: problem.step,
            test: problem.test,
            since_build: problem.first_build,
            since: problem.opened_at,
            suspects: problem.suspects,
            claimed_by: claims.map(|claim| claim.person).collect(),
            is_of_base,
        }
    }

    /// What it is for the build, in words: `failing since build 7, change 4 by ann`.
    #[must_use]
    pub fn words(&self) -> String {
        let mut words = match (self.news, self.since_build) {
            (_, Some(build)) if self.is_of_base => {
                format!("known, the base fails so since build {build}")
            }
            (_, None) if self.is_of_base => "known, the base fails so".to_owned(),
            (Judgement::New, _) => "new".to_owned(),
            (Judgement::Still, Some(build)) => format!("failing since build {build}"),
            (Judgement::Still, None) => "failing still".to_owned(),
            (Judgement::Fixed, _) => "fixed".to_owned(),
        };
        let change = |one: &Suspect| format!("{} by {}", one.change, one.who);
        let changes: Vec<_> = self.suspects.iter().map(change).collect();
        match changes.len() {
            0 => {}
            _ if self.news == Judgement::Fixed => {}
            1 => words += &format!(", change {}", changes[0]),
            _ => words += &format!(", one of changes {}", and_more(&changes, 3)),
        }
        if !self.claimed_by.is_empty() {
            words += &format!("; claimed by {}", and_more(&self.claimed_by, 3));
        }
        words
    }

    /// How many are new, how many are known, and how many are fixed: `2 new failures, 3 known`;
    /// empty if there are none.
    #[must_use]
    pub fn count(all: &[Self]) -> String {
        let count = |news| all.iter().filter(|one| one.news == news).count();
        let (new, known) = (count(Judgement::New), count(Judgement::Still));
        let fixed = count(Judgement::Fixed);
        let failures = |count: usize| if count == 1 { "failure" } else { "failures" };
        let mut parts = Vec::new();
        match (new, known) {
            (0, 0) => {}
            (0, known) => parts.push(format!("{known} known {}", failures(known))),
            (new, 0) => parts.push(format!("{new} new {}", failures(new))),
            (new, known) => parts.push(format!("{new} new {}, {known} known", failures(new))),
        }
        if fixed > 0 {
            parts.push(format!("{fixed} fixed"));
        }
        parts.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ChangeNumber;

    fn problem(news: Judgement, suspects: &[(u64, &str)]) -> BuildProblem {
        let suspects = suspects.iter().map(|&(change, who)| Suspect {
            change: ChangeNumber(change),
            who: who.to_owned(),
        });
        BuildProblem {
            problem: ProblemNumber(12),
            news,
            what: "make".to_owned(),
            step: Some("make".to_owned()),
            test: None,
            since_build: Some(BuildNumber(7)),
            since: Timestamp(0),
            suspects: suspects.collect(),
            claimed_by: Vec::new(),
            is_of_base: false,
        }
    }

    #[test]
    fn prb_23_a_problem_of_a_build_is_said_in_words() {
        use Judgement::{Fixed, New, Still};
        for (news, suspects, words) in [
            (New, &[][..], "new"),
            (New, &[(4, "ann")], "new, change 4 by ann"),
            (
                Still,
                &[(4, "ann")],
                "failing since build 7, change 4 by ann",
            ),
            (
                Still,
                &[(4, "ann"), (5, "bob")],
                "failing since build 7, one of changes 4 by ann and 5 by bob",
            ),
            (Fixed, &[(4, "ann")], "fixed"),
        ] {
            assert_eq!(problem(news, suspects).words(), words);
        }
        let claimed = BuildProblem {
            claimed_by: vec!["ann".to_owned()],
            ..problem(Still, &[])
        };
        assert_eq!(claimed.words(), "failing since build 7; claimed by ann");
        let of_base = BuildProblem {
            is_of_base: true,
            ..problem(Still, &[(4, "ann")])
        };
        assert_eq!(
            of_base.words(),
            "known, the base fails so since build 7, change 4 by ann"
        );
    }

    #[test]
    fn prb_23_problems_of_a_build_are_counted() {
        let of = |new: usize, still: usize, fixed: usize| {
            let all = [
                vec![problem(Judgement::New, &[]); new],
                vec![problem(Judgement::Still, &[]); still],
                vec![problem(Judgement::Fixed, &[]); fixed],
            ];
            BuildProblem::count(&all.concat())
        };
        assert_eq!(of(2, 3, 0), "2 new failures, 3 known");
        assert_eq!(of(1, 0, 0), "1 new failure");
        assert_eq!(of(0, 1, 2), "1 known failure, 2 fixed");
        assert_eq!(of(0, 0, 0), "");
    }
}
