//! Directories with their contents, for systems without `rm` and `cp`.

use std::fs;
use std::io;
use std::path::Path;

/// Removes a file, a link, or a directory with its contents. Nothing there is no error.
///
/// # Errors
/// Something cannot be removed.
pub fn remove_tree(path: &Path) -> io::Result<()> {
    let removed = match path.symlink_metadata() {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        // Windows removes links to directories as directories.
        Ok(_) => fs::remove_file(path).or_else(|error| fs::remove_dir(path).map_err(|_| error)),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Copies a directory with its contents and permissions; into `to` if that is a directory, as `cp`
/// does. Links are followed, because not every user of Windows may create some.
///
/// # Errors
/// Something cannot be read or written.
pub fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    let to = match from.file_name() {
        Some(name) if to.is_dir() => to.join(name),
        _ => to.to_owned(),
    };
    if to.starts_with(from) {
        let text = "the copy would be inside the directory that is copied";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    let mut waiting = vec![(from.to_owned(), to)];
    while let Some((from, to)) = waiting.pop() {
        if !from.is_dir() {
            fs::copy(&from, &to)?;
            continue;
        }
        match fs::create_dir(&to) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        for entry in fs::read_dir(&from)? {
            let name = entry?.file_name();
            waiting.push((from.join(&name), to.join(&name)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_tree_is_copied_and_removed_whole() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        fs::create_dir_all(at("a/b/c")).unwrap();
        fs::write(at("a/b/f"), "1").unwrap();
        copy_tree(&at("a"), &at("new")).unwrap();
        assert_eq!(fs::read_to_string(at("new/b/f")).unwrap(), "1");
        assert!(at("new/b/c").is_dir());
        // As `cp` does: into a directory that exists.
        copy_tree(&at("a"), &at("new")).unwrap();
        assert_eq!(fs::read_to_string(at("new/a/b/f")).unwrap(), "1");

        remove_tree(&at("new")).unwrap();
        assert!(!at("new").exists());
        remove_tree(&at("new")).unwrap();
        remove_tree(&at("a/b/f")).unwrap();
        assert!(!at("a/b/f").exists() && at("a/b").is_dir());
        assert!(copy_tree(&at("none"), &at("x")).is_err());
        assert!(copy_tree(&at("a"), &at("a/b/d")).is_err());
    }
}
