//! Files that a command writes and whose growth is sent as logs.

use std::fs::{File, Metadata};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::args::path;
use super::outlet::Outlet;
use crate::protocol::{LogFile, Update};

/// A followed file. Nothing is sent before the file differs from what it was when the command
/// began, so that the log of an earlier run is not taken for this one's.
#[derive(Debug)]
pub(super) struct Followed {
    name: String,
    path: PathBuf,
    /// Whether only what is added from the first change on is sent.
    from_end: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Not touched yet; what it looked like, if it was there.
    Waiting(Option<Look>),
    /// Being read, from this offset.
    Reading(Arc<File>, u64),
}

/// What tells whether a file was changed: change time, modification time and size.
type Look = ((i64, i64), (i64, i64), u64);

impl Followed {
    /// Looks at the file before the command begins.
    pub(super) fn new(workdir: &Path, file: &LogFile<Bytes>) -> Self {
        let path = workdir.join(path(&file.path));
        Self {
            name: file.name.clone(),
            state: State::Waiting(look(&path)),
            path,
            from_end: file.follow,
        }
    }

    /// Sends what was added. Whether that was anything. A future that is dropped half-way loses and
    /// repeats nothing but the last piece.
    pub(super) async fn poll(&mut self, outlet: &Outlet) -> bool {
        if let State::Waiting(before) = &mut self.state {
            let now = look(&self.path);
            if now == *before {
                return false;
            }
            let Some((_, _, size)) = now else {
                // It was deleted: the command is about to write a new one.
                *before = None;
                return false;
            };
            let Ok(file) = File::open(&self.path) else {
                return false;
            };
            // As of the first look: what was added between the two is new.
            let begin = if self.from_end {
                before.map_or(0, |(_, _, size)| size).min(size)
            } else {
                0
            };
            self.state = State::Reading(Arc::new(file), begin);
        }
        let State::Reading(file, offset) = &mut self.state else {
            return false;
        };
        let mut any = false;
        loop {
            let file = Arc::clone(file);
            let from = *offset;
            let read = tokio::task::spawn_blocking(move || {
                let mut piece = vec![0; PIECE];
                let read = file.read_at(&mut piece, from)?;
                piece.truncate(read);
                std::io::Result::Ok(piece)
            });
            let piece = match read.await {
                Ok(Ok(piece)) if !piece.is_empty() => piece,
                _ => return any,
            };
            any = true;
            let read = u64::try_from(piece.len()).unwrap_or(0);
            let update = Update::Log {
                name: self.name.clone(),
                data: Bytes::from(piece),
            };
            outlet.say(update).await;
            *offset += read;
        }
    }
}

fn look(path: &Path) -> Option<Look> {
    let look = |meta: Metadata| {
        let changed = (meta.ctime(), meta.ctime_nsec());
        (changed, (meta.mtime(), meta.mtime_nsec()), meta.size())
    };
    std::fs::metadata(path).map(look).ok()
}

/// Bytes read at a time.
const PIECE: usize = 32 * 1024;
