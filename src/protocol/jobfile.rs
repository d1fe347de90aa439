//! Job files: try jobs as they lie in a job directory (TJD-08 to TJD-10, PROTOCOL section 16).

use crate::model::TryJob;

/// Why a job file is refused; a sentence part for people.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct BadJobfile(pub String);

/// Reads a job file of any version.
///
/// # Errors
/// It is not one.
pub fn decode(_file: &[u8]) -> Result<TryJob, BadJobfile> {
    todo!()
}

/// Writes a job file of the lowest version that can carry the job (CLI-02).
#[must_use]
pub fn encode(_job: &TryJob) -> Vec<u8> {
    todo!()
}
