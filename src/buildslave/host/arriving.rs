//! A file that arrives in pieces.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::platform;

/// A file that is written beside its target and replaces the target when it is complete. If it is
/// dropped before, it is removed and the target stays unchanged.
#[derive(Debug)]
pub(super) struct Arriving {
    pub(super) file: File,
    draft: Option<Draft>,
}

/// A file with a temporary name; removed when dropped.
#[derive(Debug)]
struct Draft {
    path: PathBuf,
    target: PathBuf,
}

impl Arriving {
    /// Creates a file for `target`, and its parent directories. The file gets `mode`, or the mode
    /// of the file that it replaces. A device or a pipe is written directly. If the target is a
    /// symbolic link, the file that it points to is replaced.
    ///
    /// # Errors
    /// The file cannot be created.
    pub(super) fn begin(target: &Path, mode: Option<u32>) -> io::Result<Self> {
        if let Some(dir) = target.parent() {
            fs::create_dir_all(dir)?;
        }
        let target = fs::canonicalize(target).unwrap_or_else(|_| target.to_owned());
        let old = fs::metadata(&target).ok();
        if old.as_ref().is_some_and(|old| !old.is_file()) || is_link(&target) {
            let file = File::create(&target)?;
            return Ok(Self { file, draft: None });
        }
        let path = target.with_file_name(format!(".arriving-{:032x}", rand::random::<u128>()));
        let file = File::create_new(&path)?;
        let arriving = Self {
            file,
            draft: Some(Draft { path, target }),
        };
        if let Some(mode) = mode.or_else(|| old.as_ref().map(platform::mode)) {
            platform::set_mode(&arriving.file, mode)?;
        }
        Ok(arriving)
    }

    /// Replaces the target with the file.
    ///
    /// # Errors
    /// The file cannot be renamed; the target stays unchanged.
    pub(super) fn put_in_place(self) -> io::Result<()> {
        match &self.draft {
            Some(draft) => fs::rename(&draft.path, &draft.target),
            None => Ok(()),
        }
    }
}

/// Whether it is a symbolic link to a missing file.
fn is_link(path: &Path) -> bool {
    let meta = fs::symlink_metadata(path);
    meta.is_ok_and(|meta| meta.is_symlink())
}

impl Drop for Draft {
    fn drop(&mut self) {
        // The temporary name is already gone if the file has replaced its target.
        fs::remove_file(&self.path).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::fs::Permissions;
    use std::io::Write as _;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_was_there_stays_until_the_new_file_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("tool");
        fs::write(&target, "old").unwrap();
        fs::set_permissions(&target, Permissions::from_mode(0o750)).unwrap();
        let read = || fs::read_to_string(&target).unwrap();

        let mut cut = Arriving::begin(&target, None).unwrap();
        cut.file.write_all(b"ha").unwrap();
        assert_eq!(read(), "old");
        drop(cut);
        assert_eq!(
            (read().as_str(), names(dir.path())),
            ("old", vec!["tool".to_owned()])
        );

        let mut whole = Arriving::begin(&target, None).unwrap();
        whole.file.write_all(b"new").unwrap();
        whole.put_in_place().unwrap();
        assert_eq!((read().as_str(), mode(&target)), ("new", 0o750));
        let given = Arriving::begin(&target, Some(0o600)).unwrap();
        given.put_in_place().unwrap();
        assert_eq!((read().as_str(), mode(&target)), ("", 0o600));
        assert_eq!(names(dir.path()), ["tool"]);
    }

    #[test]
    fn links_stay_links_and_devices_devices() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("real"), "old").unwrap();
        symlink("real", at("link")).unwrap();
        symlink("later", at("dangling")).unwrap();
        symlink("/dev/null", at("null")).unwrap();
        for name in ["link", "dangling", "null"] {
            let mut arriving = Arriving::begin(&at(name), None).unwrap();
            arriving.file.write_all(b"new").unwrap();
            arriving.put_in_place().unwrap();
            assert!(at(name).symlink_metadata().unwrap().is_symlink(), "{name}");
        }
        let read = |name: &str| fs::read_to_string(at(name)).unwrap();
        assert_eq!(
            (read("real"), read("later")),
            ("new".to_owned(), "new".to_owned())
        );
    }
}
