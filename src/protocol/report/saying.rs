//! The line that says what is wrong with a test.

use super::book::cut;

/// Finds the line in a text that ends with it: the last one that is not blank, or the exception
/// after the frames of a traceback of Python.
#[derive(Debug, Default)]
pub(super) struct Saying {
    line: String,
    is_in_frames: bool,
    has_exception: bool,
}

impl Saying {
    /// Takes the next line.
    pub(super) fn take(&mut self, line: &str) {
        if line.starts_with("Traceback (most recent call last)") {
            // Of several exceptions, the last one is what the test ended with.
            (self.is_in_frames, self.has_exception) = (true, false);
            return;
        }
        let is_frame = self.is_in_frames && line.starts_with([' ', '\t']);
        if line.trim().is_empty() || is_frame || self.has_exception {
            return;
        }
        self.line = cut(line.trim());
        self.has_exception = std::mem::take(&mut self.is_in_frames);
    }

    /// The line; empty if there is none.
    pub(super) fn line(self) -> String {
        self.line
    }
}
