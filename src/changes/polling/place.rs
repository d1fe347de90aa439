//! Where the mirrors of repositories are.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::tool::PollError;

/// The mirror of the repository at `url`: below the directory `mirrors`, named after the repository
/// and its system, and distinct for each address.
///
/// # Errors
/// The working directory is gone.
pub(in crate::changes) fn mirror_dir(
    mirrors: &Path,
    url: &str,
    system: &str,
) -> Result<PathBuf, PollError> {
    let last = url.trim_end_matches('/').rsplit(['/', ':']).next();
    let last = last.unwrap_or_default().trim_end_matches(".git").chars();
    let plain = |c: char| match c.is_ascii_alphanumeric() || "-_".contains(c) {
        true => c,
        false => '_',
    };
    let name: String = last.take(LONGEST).map(plain).collect();
    let dir = mirrors.join(format!("{name}-{}.{system}", digest(url.as_bytes(), 8)));
    let wrong = |error| PollError::new(format!("cannot find the base directory: {error}"));
    std::path::absolute(dir).map_err(wrong)
}

/// The first bytes of the SHA-256 of some bytes, in hexadecimal.
pub(in crate::changes) fn digest(bytes: &[u8], length: usize) -> String {
    let digest = Sha256::digest(bytes);
    digest
        .iter()
        .take(length)
        .fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("writing to a string cannot fail");
            text
        })
}

/// Characters of the name of a repository in the name of its mirror.
const LONGEST: usize = 40;

/// Where mirrors are, below the base directory.
pub(in crate::changes) const MIRRORS: &str = "repositories";
