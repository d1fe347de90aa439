//! Why the source of a try job cannot be found.

use std::io;
use std::path::PathBuf;

/// Why the source of a try job cannot be found. Each message has a remedy.
#[derive(Debug, thiserror::Error)]
pub enum VcError {
    /// The program of the version control system is not installed.
    #[error(
        "the program '{program}' is not in PATH; install it, or give a diff with --diff and --baserev"
    )]
    NoProgram {
        /// The name of the program.
        program: &'static str,
    },
    /// A command cannot be run.
    #[error("cannot run '{command}' in {}: {source}", top.display())]
    NotRun {
        /// The command as a person would type it.
        command: String,
        /// The directory of the command.
        top: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// A command fails.
    #[error("'{command}' in {} {how}{said}; {remedy}", top.display())]
    CommandFailed {
        /// The command as a person would type it.
        command: String,
        /// The directory of the command.
        top: PathBuf,
        /// How it ended.
        how: String,
        /// The standard error of the command, in a form that continues `how`.
        said: String,
        /// The remedy.
        remedy: String,
    },
    /// A command has an unexpected output.
    #[error("'{command}' prints {said:?} instead of {expected}; {remedy}")]
    Surprising {
        /// The command as a person would type it.
        command: String,
        /// The beginning of its output.
        said: String,
        /// The expected output.
        expected: &'static str,
        /// The remedy.
        remedy: String,
    },
    /// The output of a command is too large.
    #[error(
        "'{command}' writes more than {limit} bytes; commit changes that are not part of the try, or give a smaller diff with \
         --diff and --baserev"
    )]
    TooLong {
        /// The command as a person would type it.
        command: String,
        /// The limit.
        limit: usize,
    },
    /// An option is not supported; the message names the option and the remedy.
    #[error("{0}")]
    Option(String),
    /// The file that marks the top of the tree is not found.
    #[error(
        "no file '{topfile}' in {} or its parent directories; --topfile names a file at the top of the tree, \
         --topdir the top itself",
        from.display()
    )]
    NoTopFile {
        /// The file.
        topfile: String,
        /// The directory in which the search started.
        from: PathBuf,
    },
}
