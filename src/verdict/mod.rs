//! **Pure.** The one judgement: what builds say about their trees (GRD-02).
//!
//! The answers of builds to one question ("does step `test` of this builder pass on this tree?")
//! are *evidence*. [`read`] makes problems of them, whatever the order in which they came;
//! [`judge`] compares these with the problems that are known, and says what is new. The store does
//! both in the transaction that ends a build (`store/apply/problems.rs`).

mod evidence;
mod fingerprint;
mod flakiness;
mod hands;
mod infrastructure;
mod judging;
mod keeping;
mod reading;
mod runs;
mod search;
mod steady;
mod telling;
#[cfg(test)]
mod tests;

pub use evidence::{Answer, Evidence, PROBED_POINTS};
pub use fingerprint::{MOST_FINGERPRINTS, fingerprint, symptoms};
pub use flakiness::{Contradiction, Flakiness, flakiness, is_for_quarantine, suspicion};
pub use hands::{Hands, Held};
pub use infrastructure::{Ended, Says, Trouble, Turn, WINDOW, turns};
pub use judging::{Judged, Problem, ProblemEvent, ProblemState, Suspect, Ways, judge};
pub use keeping::{Kept, kept};
pub use reading::{Doubt, Found, Reading, read, read_test};
pub use runs::End;
pub use search::{
    Candidate, Choice, Chosen, Limits, Next, Past, Risk, Search, Underway, Waits, choose, go_on,
    is_same_failure, most_builds, risk, stopped,
};
pub use steady::{Scope, scope};
pub use telling::{Affair, Due, Reminders, Standing, causes, due};
