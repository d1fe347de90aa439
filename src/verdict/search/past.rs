//! What is known of a subject before it failed (SRH-05).

use crate::verdict::Answer;

/// What builds have told of a subject before it failed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Past {
    /// How often it had passed in a row.
    pub passed: u64,
    /// Whether a build failed between two that passed, as by accident.
    pub has_failed_alone: bool,
    /// Whether it is a test that the newest report does not have, though it is complete.
    pub is_absent: bool,
    has_answer: bool,
    has_passed: bool,
    has_failed: bool,
    /// Failures in a row after the last success that was heard.
    fails: u64,
}

impl Past {
    /// Takes what a build says; each is older than the one before.
    pub fn hear(&mut self, answer: &Answer) {
        match answer {
            Answer::Pass => {
                self.has_failed_alone |= self.has_passed && self.fails == 1;
                (self.has_passed, self.fails) = (true, 0);
                self.passed += u64::from(!self.has_failed);
            }
            Answer::Fail(_) => {
                self.has_failed = true;
                self.fails += 1;
            }
            Answer::Mixed => self.has_failed_alone = true,
            Answer::Absent => self.is_absent |= !self.has_answer,
        }
        self.has_answer = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn srh_05_a_record_is_what_passed_in_a_row_and_what_failed_alone() {
        let past = |answers: &str| {
            let mut past = Past::default();
            for letter in answers.chars() {
                past.hear(&match letter {
                    'S' => Answer::Pass,
                    'F' => Answer::Fail(Default::default()),
                    'M' => Answer::Mixed,
                    _ => Answer::Absent,
                });
            }
            (past.passed, past.has_failed_alone, past.is_absent)
        };
        assert_eq!(past("SSSFFS"), (3, false, false));
        assert_eq!(past("SSSFFSFS"), (3, true, false));
        assert_eq!(past("SSFS"), (2, true, false));
        assert_eq!(past("SSM"), (2, true, false));
        assert_eq!(past("SSF"), (2, false, false));
        assert_eq!(past("FSS"), (0, false, false));
        assert_eq!(past("FSFS"), (0, true, false));
        assert_eq!(past("AAS"), (1, false, true));
        assert_eq!(past("SA"), (1, false, false));
    }
}
