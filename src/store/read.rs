//! What can be read of the [`State`](super::State): its methods, and the rows that they return.
//!
//! Invariants: SQL is static text next to its method, each query has its index, and no type of the
//! database leaves: rows are made of the domain's values.

mod acts;
mod build_problems;
mod builders;
mod builds;
pub(super) mod changes;
mod channels;
mod ending;
mod flaky;
pub(super) mod held;
mod letters;
mod lines;
mod of_build;
mod of_end;
mod of_line;
mod origins;
mod people;
mod problems;
mod pruned;
mod quarantine;
mod queue;
mod remarks;
mod requests;
mod searched;
mod searches;
mod sets;
mod sourced;
pub(super) mod sources;
mod telling;
mod test_reports;
mod test_standing;
mod tested;
mod walk;

pub(super) use acts::KEPT_ACTS;
pub use build_problems::SaidOfProblems;
pub(super) use build_problems::{
    Failing, Place, failing_of, has_answered_failing, has_unknown_between, newest_news, point_of,
};
pub use builders::{BuilderRow, SlaveRow, VisitRow};
pub use builds::{BuildRow, LogRow, StepRow};
pub(super) use ending::{ended_build, facts_of, previous_of};
pub use flaky::{FlakyRow, SuspectRow};
pub(super) use flaky::{evidence_of, newest_of};
pub use letters::{LetterFilter, LetterRow, OutboxRow};
pub use lines::{BriefRow, LineRow, Wanted};
pub use of_end::{Among, FromEnd};
pub(super) use of_line::{origin_of_requests, result_before, sets_of_requests, tree};
pub use people::{AuditFilter, AuditRow, SessionRow, TokenRow};
pub use problems::{ProblemEventRow, ProblemFilter, ProblemRow};
pub(super) use problems::{
    answers_of_build, answers_so_far, problem_of, subject_of, suspects_between, walk_back,
};
pub use quarantine::{CrowdedRow, FlakyTestRow};
pub use queue::RequestPlace;
pub use requests::RequestRow;
pub use searched::Finding;
pub use searches::{AskRow, Presumed, Proved, SearchRow};
pub use sets::SetRow;
pub use sourced::{SourcedRow, StepSpanRow};
pub use sources::KnownIdentity;
pub use telling::SaidRows;
pub use test_reports::{TestChangeRow, TestReportRow, ToldTestRow};
pub(super) use test_reports::{last_outcomes, test_line_of};
pub use test_standing::TestStandingRow;
pub(super) use tested::{Tested, message_prints};
pub use walk::{Between, Passed};

#[cfg(test)]
pub(super) mod tests;
