//! Follows files that a command writes, and sends their growth as logs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::args::path;
use super::outlet::Outlet;
use crate::buildslave::host::{Host, OpenFile, blocking};
use crate::protocol::{LogFile, Update};

/// A followed file. Nothing is sent until the file has changed since the start of the command, so
/// the log of an earlier run is not taken for the log of this run.
#[derive(Debug)]
pub(super) struct Followed {
    host: Arc<dyn Host>,
    name: String,
    path: PathBuf,
    /// Whether only bytes added since the start of the command are sent.
    from_end: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Not changed yet; its stamp at the start, if it existed.
    Waiting(Option<Seen>),
    /// The file is being read, from this offset.
    Reading(Arc<dyn OpenFile>, u64),
}

/// Change time, modification time and size, which tell whether a file has changed.
type Seen = ((i64, i64), (i64, i64), u64);

impl Followed {
    /// Notes the stamp of the file before the command starts.
    pub(super) fn new(host: &Arc<dyn Host>, workdir: &Path, file: &LogFile<Bytes>) -> Self {
        let path = workdir.join(path(&file.path));
        Self {
            host: Arc::clone(host),
            name: file.name.clone(),
            state: State::Waiting(look(&**host, &path)),
            path,
            from_end: file.follow,
        }
    }

    /// Sends added bytes; returns whether there were any. Dropping the future half-way loses or
    /// repeats at most the last piece.
    pub(super) async fn poll(&mut self, outlet: &Outlet) -> bool {
        if let State::Waiting(before) = &mut self.state {
            let now = look(&*self.host, &self.path);
            if now == *before {
                return false;
            }
            let Some((_, _, size)) = now else {
                // The file was deleted: the command will probably write a new one.
                *before = None;
                return false;
            };
            let Ok(file) = self.host.open(&self.path) else {
                return false;
            };
            // The offset at the start of the command: bytes added since then are new.
            let begin = if self.from_end {
                before.map_or(0, |(_, _, size)| size).min(size)
            } else {
                0
            };
            self.state = State::Reading(file, begin);
        }
        let State::Reading(file, offset) = &mut self.state else {
            return false;
        };
        let mut any = false;
        loop {
            let file = Arc::clone(file);
            let from = *offset;
            let piece = match blocking(move || file.read_at(PIECE, from)).await {
                Ok(piece) if !piece.is_empty() => piece,
                Ok(_) | Err(_) => return any,
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

fn look(host: &dyn Host, path: &Path) -> Option<Seen> {
    let look = host.look(path).ok()?;
    Some((look.changed, look.modified, look.size))
}

/// Bytes read at a time.
const PIECE: usize = 32 * 1024;
