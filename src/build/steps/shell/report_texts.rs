//! The texts about bad tests in files of the slave, which are kept in a log of the step (TST-08).

use crate::build::step::StepRun;
use crate::model::{TestFormat, TextPlace};
use crate::protocol::report::{Report, Test, plain_text};

/// The log that has the texts and the notes.
pub(super) const LOG: &str = "tests";
/// So much of the files of a step is kept until it is known which tests are bad, in bytes (TST-02).
const MOST_KEPT: usize = 4 << 20;

/// The texts about bad tests.
#[derive(Debug, Default)]
pub(super) struct Texts {
    /// What is in the log so far.
    pub(super) log: String,
}

/// The beginning of a file.
#[derive(Debug, Default)]
pub(super) struct Kept(Vec<u8>);

impl Kept {
    /// Takes the next bytes of the file.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        let room = MOST_KEPT.saturating_sub(self.0.len());
        self.0.extend(bytes.iter().take(room));
    }

    fn stretch(&self, (begin, length): (u64, u64)) -> Option<&[u8]> {
        let begin = usize::try_from(begin).ok()?;
        let end = begin.checked_add(usize::try_from(length).ok()?)?;
        self.0.get(begin..end)
    }
}

impl Texts {
    /// Puts the texts about the bad tests of a file into the log, without secrets, and says of the
    /// tests where they are.
    pub(super) fn keep(
        &mut self,
        step: &StepRun<'_>,
        (kept, format): (&Kept, TestFormat),
        report: &mut Report,
    ) {
        let is_told = |test: &&mut Test| test.outcome.is_bad() || test.is_flaky;
        for test in report.tests.iter_mut().filter(is_told) {
            let stretch = test.place.take().and_then(|place| kept.stretch(place));
            let Some(stretch) = stretch else { continue };
            let mut text = plain_text(format, stretch);
            if text.trim().is_empty() {
                continue;
            }
            step.mask(&mut text);
            let mut heading = test.name.shown();
            step.mask(&mut heading);
            if self.log.len() + heading.len() + text.len() > MOST_KEPT {
                return;
            }
            self.log.push_str(&format!("---- {heading}\n"));
            test.place = Some((self.log.len() as u64, text.len() as u64));
            self.log.push_str(&text);
            if !text.ends_with('\n') {
                self.log.push('\n');
            }
        }
    }
}

/// Where the text about a test is, if the log has it.
pub(super) fn place_of(step: &StepRun<'_>, test: &Test) -> Option<TextPlace> {
    let ((begin, length), log) = (test.place?, test.log.as_deref()?);
    let limit = step.around.plan.log_limits.max_size;
    let is_there = limit.is_none_or(|limit| begin.saturating_add(length) <= limit);
    (is_there && length > 0).then(|| TextPlace {
        log: log.to_owned(),
        begin,
        length,
    })
}
