//! The programs that say whether slaves may take builds: they answer at any time, or too late.

use buildmaster::botmaster::{CheckAnswer, CheckId, Input};
use rand::RngExt;

use super::World;

impl World {
    /// A program that was asked answers.
    pub(super) fn answer_of_check(&mut self) {
        let Some(at) = self.pick(self.checks.len()) else {
            return;
        };
        let check = self.checks.remove(at);
        let answer = match self.rng.random_range(0..4) {
            0 => CheckAnswer::No("taken".to_owned()),
            1 => CheckAnswer::Failed("it took too long".to_owned()),
            _ => CheckAnswer::Yes,
        };
        self.input(Input::Checked { check, answer });
    }

    /// The oldest question, answered well.
    pub(super) fn good_answer_of_check(&mut self) -> Option<Input> {
        let first: Option<CheckId> = (!self.checks.is_empty()).then(|| self.checks.remove(0));
        first.map(|check| Input::Checked {
            check,
            answer: CheckAnswer::Yes,
        })
    }
}
