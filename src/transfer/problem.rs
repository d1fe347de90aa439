//! What can be wrong with a transfer.

use std::io;

/// What is wrong with a transfer, for people.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// A path or an archive that would reach something it must not.
    #[error("{0}")]
    Refused(String),
    /// The slave sent more than is allowed.
    #[error("the slave sent more than {0} bytes (maxsize)")]
    TooLarge(u64),
    /// The slave did not send everything.
    #[error("the slave did not send the whole {0}")]
    Incomplete(&'static str),
    /// The master cannot read or write.
    #[error("the master cannot {what}: {source}")]
    Io {
        /// What was tried, with the path.
        what: String,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

impl Problem {
    /// The master cannot do `what`.
    pub(super) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// Whether a file or directory does not exist.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}
