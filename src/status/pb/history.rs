//! Reads for a try client from disk: sets of earlier connections, missed news, and logs.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Write};
use std::path::PathBuf;

use tracing::warn;

use super::User;
use crate::logs::{Channel, LogReader, Marks};
use crate::model::SetId;
use crate::store::read::{BuildRow, RequestRow, SetRow};
use crate::store::{Reader, State, StoreError};
use crate::view::Log;

/// Maximum number of bytes of a log that are sent. They become one string of the protocol, in which
/// an invalid byte of UTF-8 takes three bytes.
pub(super) const MAX_LOG_BYTES: usize = 200 * 1024;

/// A set, its requests and their builds.
pub(super) type StoredSet = (SetRow, Vec<(RequestRow, Option<BuildRow>)>);

/// Reads the state on threads of its own, so connections are served meanwhile.
#[derive(Debug)]
pub(super) struct History {
    basedir: PathBuf,
    reader: Reader,
}

impl History {
    pub(super) const fn new(basedir: PathBuf, reader: Reader) -> Self {
        Self { basedir, reader }
    }

    /// A set; absent if it does not exist or the state cannot be read (which is logged).
    pub(super) async fn set(&self, id: SetId) -> Option<StoredSet> {
        let read = move |state: &State| {
            let set = state.build_set(id)?;
            let requests = state.requests_of_set(id)?;
            Ok(set.map(|set| (set, requests)))
        };
        let found: Result<_, StoreError> = self.reader.read(read).await;
        found.unwrap_or_else(|error| {
            warn!("cannot read the state for a try client: {error}");
            None
        })
    }

    /// Bytes of output so far in each of `logs` (paths). A missing log has none.
    pub(super) async fn output(&self, logs: Vec<Log>) -> BTreeMap<String, u64> {
        let basedir = self.basedir.clone();
        let counting = crate::blocking::run(move || {
            let count = |path: &str| LogReader::open(&basedir, path)?.count(&Channel::OUTPUT);
            let logs = logs.into_iter();
            // This is for an estimate, which ignores unreadable logs.
            logs.map(|log| {
                let bytes = count(&log.path).unwrap_or(0);
                (log.path, bytes)
            })
            .collect()
        });
        counting.await.unwrap_or_default()
    }

    /// The text of the given channels of the log at `path`, with the marks for what was cut from
    /// it; of a long log, only its end.
    pub(super) async fn log(&self, path: &str, channels: &'static [Channel]) -> Option<Vec<u8>> {
        let (basedir, path) = (self.basedir.clone(), path.to_owned());
        let reading = crate::blocking::run(move || -> io::Result<Vec<u8>> {
            let mut end = End::default();
            let (mut reader, mut marks) = (LogReader::open(&basedir, &path)?, Marks::default());
            reader.copy_each(&mut |channel, bytes| match channels.contains(&channel) {
                true => end.write_all(bytes),
                false if channel == Channel::Header => {
                    marks.pass(bytes, &mut |mark| end.write_all(mark))
                }
                false => Ok(()),
            })?;
            Ok(end.into_text())
        });
        match reading.await {
            Ok(Ok(text)) => Some(text),
            Ok(Err(error)) => {
                warn!("cannot read a log for a try client: {error}");
                None
            }
            Err(error) => {
                warn!("reading a log for a try client failed: {error}");
                None
            }
        }
    }
}

/// Whether `user` submitted the set. The reason names the user (TRY-05), and no user name can be
/// mistaken for another one followed by text.
pub(super) fn is_of(set: &SetRow, user: &User) -> bool {
    let whose = set.reason.strip_prefix("'try' job from user ");
    let rest = whose.and_then(|reason| reason.strip_prefix(user.name.as_str()));
    let is_theirs =
        rest.is_some_and(|r| r.is_empty() || r.starts_with(" by user ") || r.starts_with(" ("));
    set.scheduler.as_ref() == Some(&user.scheduler) && is_theirs
}

/// Keeps the end of what is written.
#[derive(Debug, Default)]
struct End {
    kept: VecDeque<u8>,
    dropped: usize,
}

impl Write for End {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.kept.extend(bytes);
        let excess = self.kept.len().saturating_sub(MAX_LOG_BYTES);
        self.kept.drain(..excess);
        self.dropped += excess;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl End {
    fn into_text(self) -> Vec<u8> {
        let mut text = match self.dropped {
            0 => Vec::new(),
            dropped => format!("[{dropped} bytes omitted]\n").into_bytes(),
        };
        text.extend(self.kept);
        text
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::model::{Properties, Timestamp};

    fn is_alices(reason: &str, scheduler: &str) -> bool {
        let set = SetRow {
            id: SetId(1),
            external_id: None,
            scheduler: Some(scheduler.into()),
            reason: reason.to_owned(),
            submitted_at: Timestamp(0),
            finished: None,
            properties: Properties::new(),
            requests: Vec::new(),
            parent: None,
        };
        let user = User {
            name: "alice".to_owned(),
            scheduler: "try".into(),
            builders: [].into(),
        };
        is_of(&set, &user)
    }

    #[test]
    fn tup_06_a_set_belongs_to_who_handed_it_in() {
        assert!(is_alices("'try' job from user alice", "try"));
        assert!(is_alices("'try' job from user alice by user bob", "try"));
        assert!(is_alices("'try' job from user alice (please)", "try"));
        assert!(!is_alices("'try' job from user alice", "try2"));
        assert!(!is_alices("'try' job from user alice2", "try"));
        assert!(!is_alices("'try' job from user bob by user alice", "try"));
        assert!(!is_alices("'try' job by user alice", "try"));
    }

    #[test]
    fn of_a_long_log_the_end_is_kept() {
        let text_of = |length: usize| {
            let mut end = End::default();
            end.write_all(&vec![b'x'; length]).unwrap();
            end.write_all(b"y").unwrap();
            String::from_utf8(end.into_text()).unwrap()
        };
        assert_eq!(text_of(2), "xxy");
        assert_eq!(text_of(MAX_LOG_BYTES - 1).len(), MAX_LOG_BYTES);
        let cut = text_of(MAX_LOG_BYTES + 1);
        assert!(cut.starts_with("[2 bytes omitted]\nxx"));
        assert!(cut.ends_with("xy"));
    }
}
