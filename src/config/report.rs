//! Errors of a configuration, and how they are shown.

use std::fmt;
use std::ops::Range;

/// One thing that is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConfigError {
    /// What is wrong, with the name of the thing.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
    /// Where: bytes of the text.
    pub span: Option<Range<usize>>,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in characters.
    pub column: usize,
}

/// All that is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConfigErrors {
    /// Name of the file, for messages.
    pub file: String,
    /// Its text, for the pictures.
    pub text: String,
    /// The errors, in the order of the file.
    pub errors: Vec<ConfigError>,
    /// The warnings.
    pub warnings: Vec<ConfigError>,
}

impl ConfigErrors {
    /// The errors and warnings with a picture of each place; with colours for a terminal.
    #[must_use]
    pub fn render(&self, colours: bool) -> String {
        let _ = colours;
        todo!()
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for ConfigErrors {}
