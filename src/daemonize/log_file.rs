//! The log file of a program, with rotation.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// When a log file is rotated, and how many old files are kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rotation {
    /// Size in bytes from which the file is rotated before the next line; `None`: never.
    pub size_bytes: Option<u64>,
    /// Number of old files to keep; `None`: all.
    pub keep: Option<u32>,
}

/// A log file with several writers. Cheap to clone.
///
/// Old files get the suffixes `.1` (the newest), `.2` and so on. A line is never split over two
/// files. If the rotation fails, writing continues in the current file.
#[derive(Clone, Debug)]
pub struct LogFile(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    rotation: Rotation,
    file: File,
    size: u64,
    /// Whether the last line is incomplete.
    is_in_line: bool,
}

impl LogFile {
    /// Opens the file at `path` for appending.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(path: &Path, rotation: Rotation) -> io::Result<Self> {
        let (file, size) = open(path)?;
        Ok(Self(Arc::new(Mutex::new(Inner {
            path: path.to_owned(),
            rotation,
            file,
            size,
            is_in_line: false,
        }))))
    }

    /// Changes the rotation.
    pub fn rotate_by(&self, rotation: Rotation) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.rotation = rotation;
    }

    /// Opens the file again by its name, after another program has rotated it.
    ///
    /// # Errors
    /// The file cannot be opened; writing continues in the old file.
    pub fn reopen(&self) -> io::Result<()> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (inner.file, inner.size) = open(&inner.path)?;
        Ok(())
    }
}

impl Write for LogFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_large = inner.rotation.size_bytes.is_some_and(|n| inner.size >= n);
        if is_large && !inner.is_in_line {
            // A log that cannot be rotated is better than no log.
            inner.rotate().ok();
        }
        let written = inner.file.write(line)?;
        inner.size = inner
            .size
            .saturating_add(u64::try_from(written).unwrap_or(u64::MAX));
        inner.is_in_line = written < line.len();
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Inner {
    fn rotate(&mut self) -> io::Result<()> {
        let mut last = 0;
        while self.aside(last + 1).exists() {
            last += 1;
        }
        for number in (1..=last).rev() {
            if self.rotation.keep.is_some_and(|keep| number >= keep) {
                fs::remove_file(self.aside(number))?;
            } else {
                fs::rename(self.aside(number), self.aside(number + 1))?;
            }
        }
        if self.rotation.keep == Some(0) {
            fs::remove_file(&self.path)?;
        } else {
            fs::rename(&self.path, self.aside(1))?;
        }
        (self.file, self.size) = open(&self.path)?;
        Ok(())
    }

    fn aside(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

fn open(path: &Path) -> io::Result<(File, u64)> {
    let file = File::options().append(true).create(true).open(path)?;
    let size = file.metadata()?.len();
    Ok((file, size))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn contents(dir: &Path) -> Vec<(String, String)> {
        let mut files: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| {
                let name = entry.file_name().into_string().unwrap();
                (name, fs::read_to_string(entry.path()).unwrap())
            })
            .collect();
        files.sort();
        files
    }

    fn check(size_bytes: u64, keep: Option<u32>, lines: &[&str], expect: &[(&str, &str)]) {
        let dir = tempfile::tempdir().unwrap();
        let rotation = Rotation {
            size_bytes: Some(size_bytes),
            keep,
        };
        let mut log = LogFile::open(&dir.path().join("log"), rotation).unwrap();
        for line in lines {
            log.write_all(line.as_bytes()).unwrap();
        }
        let found = contents(dir.path());
        let found: Vec<_> = found
            .iter()
            .map(|(n, t)| (n.as_str(), t.as_str()))
            .collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn a_file_below_the_size_is_written_on() {
        check(3, None, &["a\n", "b\n"], &[("log", "a\nb\n")]);
    }

    #[test]
    fn a_file_at_the_size_is_set_aside_before_the_next_line() {
        check(
            2,
            None,
            &["a\n", "b\n", "c\n"],
            &[("log", "c\n"), ("log.1", "b\n"), ("log.2", "a\n")],
        );
    }

    #[test]
    fn no_more_are_kept_than_wanted() {
        let lines = ["a\n", "b\n", "c\n", "d\n"];
        check(2, Some(1), &lines, &[("log", "d\n"), ("log.1", "c\n")]);
        check(2, Some(0), &lines, &[("log", "d\n")]);
    }

    #[test]
    fn the_size_of_an_old_file_counts_and_its_text_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        fs::write(&path, "old\n").unwrap();
        let rotation = Rotation {
            size_bytes: Some(4),
            keep: Some(2),
        };
        let mut log = LogFile::open(&path, rotation).unwrap();
        log.write_all(b"new\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new\n");
        assert_eq!(
            fs::read_to_string(dir.path().join("log.1")).unwrap(),
            "old\n"
        );
        // Never again.
        log.rotate_by(Rotation {
            size_bytes: None,
            keep: None,
        });
        log.write_all(b"more\n").unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "new\nmore\n");
    }
}
