//! The parts of a patch that arrive ahead of their job.
//!
//! They wait in a file without a name. The system deletes it with the connection, even when the
//! master is killed.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::protocol::try_call::MAX_PATCH_BYTES;

/// The parts so far.
#[derive(Debug)]
pub(super) struct Upload {
    /// The directory of the file.
    dir: PathBuf,
    file: Option<File>,
    size_bytes: usize,
}

impl Upload {
    /// No parts yet; parts will be stored in the file system of `dir`.
    pub(super) const fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            file: None,
            size_bytes: 0,
        }
    }

    /// Bytes of all parts.
    pub(super) const fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    /// Adds a part. If that fails, all parts are dropped, so no patch lacks a part.
    pub(super) async fn push(&mut self, part: Bytes) -> Result<(), String> {
        let (file, size) = (self.file.take(), std::mem::take(&mut self.size_bytes));
        let size = size.saturating_add(part.len());
        check_size(size)?;
        let dir = self.dir.clone();
        let file = in_file(move || append(&dir, file, &part)).await?;
        self.file = Some(file);
        self.size_bytes = size;
        Ok(())
    }

    /// Takes all parts, in order, followed by `rest`.
    pub(super) async fn take_before(&mut self, rest: Vec<u8>) -> Result<Vec<u8>, String> {
        let (file, size) = (self.file.take(), std::mem::take(&mut self.size_bytes));
        check_size(size.saturating_add(rest.len()))?;
        match file {
            Some(file) => in_file(move || whole(file, size, &rest)).await,
            None => Ok(rest),
        }
    }

    /// Drops all parts.
    pub(super) fn clear(&mut self) {
        self.file = None;
        self.size_bytes = 0;
    }
}

fn append(dir: &Path, file: Option<File>, part: &[u8]) -> io::Result<File> {
    let mut file = match file {
        Some(file) => file,
        None => tempfile::tempfile_in(dir)?,
    };
    file.write_all(part)?;
    Ok(file)
}

fn whole(mut file: File, size: usize, rest: &[u8]) -> io::Result<Vec<u8>> {
    let mut patch = Vec::with_capacity(size.saturating_add(rest.len()));
    file.rewind()?;
    file.read_to_end(&mut patch)?;
    patch.extend_from_slice(rest);
    Ok(patch)
}

async fn in_file<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, String> {
    let done = crate::blocking::run(work).await;
    done.map_err(io::Error::other)
        .flatten()
        .map_err(|error| format!("the master cannot store the patch: {error}"))
}

fn check_size(bytes: usize) -> Result<(), String> {
    if bytes > MAX_PATCH_BYTES {
        return Err(format!("the patch has more than {MAX_PATCH_BYTES} bytes"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[tokio::test]
    async fn parts_come_back_in_order_and_once() {
        let dir = tempfile::tempdir().unwrap();
        let mut upload = Upload::new(dir.path().to_owned());
        for part in ["one ", "two "] {
            upload.push(part.into()).await.unwrap();
        }
        assert_eq!(upload.size_bytes(), 8);
        assert_eq!(dir.path().read_dir().unwrap().count(), 0, "it has no name");
        assert_eq!(
            upload.take_before(b"three".into()).await.unwrap(),
            b"one two three"
        );
        assert_eq!(upload.take_before(b"four".into()).await.unwrap(), b"four");
    }

    #[tokio::test]
    async fn a_patch_that_is_too_large_is_refused_and_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let mut upload = Upload::new(dir.path().to_owned());
        let most = Bytes::from(vec![b'x'; MAX_PATCH_BYTES]);
        upload.push(most.clone()).await.unwrap();
        assert!(upload.take_before(b"y".into()).await.is_err());
        upload.push(most).await.unwrap();
        assert!(upload.push("y".into()).await.is_err());
        assert_eq!(upload.take_before(Vec::new()).await.unwrap(), b"");
    }

    #[tokio::test]
    async fn a_part_that_cannot_be_stored_is_refused() {
        let mut upload = Upload::new("/nowhere".into());
        let why = upload.push("x".into()).await.unwrap_err();
        assert!(why.starts_with("the master cannot store the patch: "));
    }
}
