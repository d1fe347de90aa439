//! Removing logs.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Component, Path};

/// Removes the directory `dir`, which is relative to `basedir`, with all that is in it; what is not there is gone.
///
/// # Errors
/// It is not below the base directory, or cannot be removed.
pub fn remove(basedir: &Path, dir: &str) -> io::Result<()> {
    match fs::remove_dir_all(basedir.join(check(dir)?)) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// `path`, if it stays below the directory to which it is relative.
pub(super) fn check(path: &str) -> io::Result<&Path> {
    let relative = Path::new(path);
    let is_plain = |part| matches!(part, Component::Normal(_));
    if path.is_empty() || !relative.components().all(is_plain) {
        let why = "it would not be below the base directory";
        return Err(io::Error::new(ErrorKind::InvalidInput, why));
    }
    Ok(relative)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_directory_goes_with_its_logs_and_nothing_else_does() {
        let base = tempfile::tempdir().unwrap();
        let logs = base.path().join("builders/full/7/0-compile");
        fs::create_dir_all(&logs).unwrap();
        fs::create_dir_all(base.path().join("builders/full/8")).unwrap();
        fs::write(logs.join("stdio.log"), "x").unwrap();
        remove(base.path(), "builders/full/7").unwrap();
        assert!(!base.path().join("builders/full/7").exists());
        assert!(base.path().join("builders/full/8").exists());
        remove(base.path(), "builders/full/7").unwrap();
    }

    #[test]
    fn what_is_not_below_the_base_directory_is_refused() {
        let base = tempfile::tempdir().unwrap();
        for dir in ["", "..", "builders/../..", "/", "."] {
            let refused = remove(base.path(), dir).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{dir:?}");
        }
        assert!(base.path().exists());
    }
}
