//! How the results of steps make the result of a build (BUI-07). Pure.

use crate::config::StepConfig;
use crate::model::Results;

/// What a step's result does to its build.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Contribution {
    /// What it adds to the build's result; a skipped step adds nothing.
    pub result: Option<Results>,
    /// Whether only `always_run` steps run from here on (BUI-06).
    pub terminates: bool,
    /// Whether the step's text becomes part of the build's (BUI-08).
    pub tells: bool,
}

/// The contribution of a step of configuration `step` that ended with `result`: the table of
/// BUI-07.
#[must_use]
pub fn contribution(step: &StepConfig, result: Results) -> Contribution {
    let (result, terminates, tells) = match result {
        Results::Success => (Some(Results::Success), false, false),
        Results::Warnings => {
            let folded = if step.flunk_on_warnings {
                Results::Failure
            } else if step.warn_on_warnings {
                Results::Warnings
            } else {
                Results::Success
            };
            (Some(folded), false, folded != Results::Success)
        }
        Results::Failure => {
            let folded = if step.flunk_on_failure {
                Results::Failure
            } else if step.warn_on_failure {
                Results::Warnings
            } else {
                Results::Success
            };
            // A halt changes what the build does, so the build's text names the step as well.
            let tells = folded != Results::Success || step.halt_on_failure;
            (Some(folded), step.halt_on_failure, tells)
        }
        Results::Skipped => (None, false, false),
        Results::Exception => (Some(Results::Exception), true, true),
        Results::Retry => (Some(Results::Retry), true, true),
    };
    Contribution {
        result,
        terminates,
        tells,
    }
}

/// The words with which the text of a build of this result begins (BUI-08).
#[must_use]
pub fn headline(result: Results) -> &'static [&'static str] {
    match result {
        Results::Success | Results::Skipped => &["build", "successful"],
        Results::Warnings => &["warnings"],
        Results::Failure => &["failed"],
        Results::Exception => &["exception"],
        Results::Retry => &["retry"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::testing::step_config;

    use Results::{Exception, Failure, Retry, Skipped, Success, Warnings};

    /// The flags in the order halt, flunk on failure, warn on failure, flunk on warnings, warn on
    /// warnings.
    fn fold_one(flags: [bool; 5], result: Results) -> (Option<Results>, bool) {
        let mut step = step_config("s");
        [
            step.halt_on_failure,
            step.flunk_on_failure,
            step.warn_on_failure,
            step.flunk_on_warnings,
            step.warn_on_warnings,
        ] = flags;
        let folded = contribution(&step, result);
        (folded.result, folded.terminates)
    }

    #[test]
    fn every_flag_and_result_folds_as_the_table_says() {
        for bits in 0..32_u8 {
            let flags = [0, 1, 2, 3, 4].map(|n| bits & (1 << n) != 0);
            let [halt, flunk_f, warn_f, flunk_w, warn_w] = flags;
            let failure = match (flunk_f, warn_f) {
                (true, _) => Failure,
                (false, true) => Warnings,
                (false, false) => Success,
            };
            let warnings = match (flunk_w, warn_w) {
                (true, _) => Failure,
                (false, true) => Warnings,
                (false, false) => Success,
            };
            assert_eq!(fold_one(flags, Success), (Some(Success), false));
            assert_eq!(fold_one(flags, Warnings), (Some(warnings), false));
            assert_eq!(fold_one(flags, Failure), (Some(failure), halt));
            assert_eq!(fold_one(flags, Skipped), (None, false));
            assert_eq!(fold_one(flags, Exception), (Some(Exception), true));
            assert_eq!(fold_one(flags, Retry), (Some(Retry), true));
        }
    }

    #[test]
    fn of_every_pair_of_contributions_the_worse_wins() {
        let order = [Success, Warnings, Failure, Exception, Retry];
        for (i, a) in order.into_iter().enumerate() {
            for (j, b) in order.into_iter().enumerate() {
                assert_eq!(a.worse(b), order[i.max(j)], "{a} then {b}");
            }
        }
    }

    #[test]
    fn only_steps_that_affect_the_build_are_named_in_its_text() {
        let mut step = step_config("s");
        step.flunk_on_failure = false;
        assert!(!contribution(&step, Success).tells);
        assert!(!contribution(&step, Warnings).tells);
        assert!(!contribution(&step, Failure).tells);
        assert!(!contribution(&step, Skipped).tells);
        assert!(contribution(&step, Exception).tells);
        assert!(contribution(&step, Retry).tells);
        step.halt_on_failure = true;
        step.warn_on_warnings = true;
        assert!(contribution(&step, Failure).tells);
        assert!(contribution(&step, Warnings).tells);
    }
}
