//! Finds the kinds of files that a plain diff does not show.

use std::fs;
use std::path::Path;

use crate::platform::mode;

/// The names of new files whose kind a plain diff does not show: links and executable files.
pub(super) fn special(top: &Path, added: &[String]) -> Vec<String> {
    let is_special = |name: &&String| {
        fs::symlink_metadata(top.join(name))
            .is_ok_and(|found| found.is_symlink() || (found.is_file() && mode(&found) & 0o100 != 0))
    };
    added.iter().filter(is_special).cloned().collect()
}

/// Whether a name is the name of a directory.
pub(super) fn is_directory(top: &Path, name: &str) -> bool {
    fs::symlink_metadata(top.join(name)).is_ok_and(|found| found.is_dir())
}
