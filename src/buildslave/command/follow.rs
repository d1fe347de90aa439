//! Files that a command writes and whose growth is sent as logs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::args::path;
use super::outlet::Outlet;
use crate::buildslave::host::{Host, OpenFile, blocking};
use crate::protocol::{LogFile, Update};

/// A followed file. Nothing is sent before the file differs from what it was when the command
/// began, so that the log of an earlier run is not taken for this one's.
#[derive(Debug)]
pub(super) struct Followed {
    host: Arc<dyn Host>,
    name: String,
    path: PathBuf,
    /// Whether only what is added from the first change on is sent.
    from_end: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Not touched yet; what it looked like, if it was there.
    Waiting(Option<Seen>),
    /// Being read, from this offset.
    Reading(Arc<dyn OpenFile>, u64),
}

/// What tells whether a file was changed: change time, modification time and size.
type Seen = ((i64, i64), (i64, i64), u64);

impl Followed {
    /// Looks at the file before the command begins.
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

    /// Sends what was added. Whether that was anything. A future that is dropped half-way loses and
    /// repeats nothing but the last piece.
    pub(super) async fn poll(&mut self, outlet: &Outlet) -> bool {
        if let State::Waiting(before) = &mut self.state {
            let now = look(&*self.host, &self.path);
            if now == *before {
                return false;
            }
            let Some((_, _, size)) = now else {
                // It was deleted: the command is about to write a new one.
                *before = None;
                return false;
            };
            let Ok(file) = self.host.open(&self.path) else {
                return false;
            };
            // As of the first look: what was added between the two is new.
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
