//! Why the source of a try job cannot be found.

use std::io;
use std::path::PathBuf;

/// Why the source of a try job cannot be found. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum VcError {
    /// The program of the version control system is not installed.
    #[error(
        "the program '{program}' is not in PATH: install it, or give the difference yourself with --diff and --baserev"
    )]
    NoProgram {
        /// Its name.
        program: &'static str,
    },
    /// A command cannot be run.
    #[error("cannot run '{command}' in {}: {source}", top.display())]
    NotRun {
        /// The command as a person would type it.
        command: String,
        /// Where it was to run.
        top: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A command fails.
    #[error("'{command}' in {} {how}{said}; {remedy}", top.display())]
    CommandFailed {
        /// The command as a person would type it.
        command: String,
        /// Where it ran.
        top: PathBuf,
        /// How it ended.
        how: String,
        /// What it wrote to standard error, ready to follow `how`.
        said: String,
        /// What to do.
        remedy: String,
    },
    /// A command says something that is not understood.
    #[error("'{command}' says {said:?}, and {expected} is expected; {remedy}")]
    Surprising {
        /// The command as a person would type it.
        command: String,
        /// The beginning of its output.
        said: String,
        /// What should have been there.
        expected: &'static str,
        /// What to do.
        remedy: String,
    },
    /// A command writes too much.
    #[error(
        "'{command}' writes more than {limit} bytes; commit what is not to be tried, or give a smaller difference with \
         --diff and --baserev"
    )]
    TooLong {
        /// The command as a person would type it.
        command: String,
        /// The limit.
        limit: usize,
    },
    /// An option is not possible; the text says which, and what to do.
    #[error("{0}")]
    Option(String),
    /// The file that marks the top of the tree is not found.
    #[error(
        "no file '{topfile}' in {} or the directories above it; --topfile names a file at the top of the tree, \
         --topdir the top itself",
        from.display()
    )]
    NoTopFile {
        /// The file.
        topfile: String,
        /// Where the search began.
        from: PathBuf,
    },
}
