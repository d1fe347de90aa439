//! Reads for a client from disk: what it has missed or asks for, and logs.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::warn;

use crate::logs::{Channel, LogReader, Marks};
use crate::model::{SetId, Timestamp, Unseen};
use crate::pb::Value;
use crate::protocol::TextStyle;
use crate::store::read::{BuildRow, RequestRow, SetRow};
use crate::store::{Reader, State, StoreError};
use crate::view::{Build, Left, Log};

/// Maximum number of bytes of a log that are sent. They become one string of the protocol, in which
/// an invalid byte of UTF-8 takes three bytes.
pub(super) const MAX_LOG_BYTES: usize = 200 * 1024;
/// Maximum number of pieces of a log that are sent.
const MAX_CHUNKS: usize = 10_000;
/// A piece of this many bytes does not grow.
const MOST_OF_CHUNK: usize = 16 * 1024;

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

    /// From now on, nothing is read of what `unseen` hides.
    pub(super) fn hide(&mut self, unseen: &Arc<Unseen>) {
        self.reader = self.reader.without(unseen);
    }

    /// The base directory.
    pub(super) fn basedir(&self) -> &Path {
        &self.basedir
    }

    /// What `look` finds; absent if the state cannot be read, which is logged.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&State) -> Result<T, StoreError> + Send + 'static,
    ) -> Option<T> {
        let found = self.reader.read(look).await;
        found
            .inspect_err(|error| warn!("cannot read the state for a client: {error}"))
            .ok()
    }

    /// A set; absent if it does not exist or the state cannot be read (which is logged).
    pub(super) async fn set(&self, id: SetId) -> Option<StoredSet> {
        let read = move |state: &State| {
            let set = state.build_set(id)?;
            let requests = state.requests_of_set(id)?;
            Ok(set.map(|set| (set, requests)))
        };
        self.read(read).await?
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

    /// Estimates at `now` for a running build and its steps.
    pub(super) async fn left(&self, build: &Build, now: Timestamp) -> Left {
        let running = build.steps.iter().filter(|step| step.finished_at.is_none());
        let logs = running.flat_map(|step| step.logs.clone()).collect();
        let output = self.output(logs).await;
        build.left(now, |log| output.get(&log.path).copied())
    }

    /// Actual and expected output of a step: name, bytes so far, expected bytes at the end.
    pub(super) async fn expectations(
        &self,
        style: TextStyle,
        build: &Build,
        index: usize,
    ) -> Value {
        let step = build.steps.get(index);
        let expected = step.and_then(|step| build.forecast.0.get(&step.name)?.as_ref());
        let (Some(step), Some(expected)) = (step, expected) else {
            return Value::List(Vec::new());
        };
        let found = self.output(step.logs.clone()).await;
        let metrics = expected.output.iter().map(|(log, bytes)| {
            let mut logs = step.logs.iter();
            let so_far = logs.find(|known| known.name == *log);
            let so_far = so_far.and_then(|log| found.get(&log.path));
            let so_far = so_far.and_then(|&bytes| i64::try_from(bytes).ok());
            // Buildbot's name for the output of the command.
            let metric = if log == "stdio" { "output" } else { log };
            Value::Tuple(vec![
                style.value(metric),
                so_far.map_or(Value::None, Value::Int),
                Value::Float(*bytes),
            ])
        });
        Value::List(metrics.collect())
    }

    /// The pieces of the log at `path` with their channels; of a long log, only those at its end.
    pub(super) async fn chunks(&self, path: &str) -> Option<Vec<(Channel, Vec<u8>)>> {
        self.of_log(path, |reader| {
            let mut end = LastChunks::default();
            reader.copy_each(&mut |channel, bytes| {
                end.push(channel, bytes);
                Ok(())
            })?;
            Ok(end.chunks.into())
        })
        .await
    }

    /// The text of the given channels of the log at `path`, with the marks for what was cut from
    /// it; of a long log, only its end.
    pub(super) async fn log(&self, path: &str, channels: &'static [Channel]) -> Option<Vec<u8>> {
        self.of_log(path, |reader| {
            let (mut end, mut marks) = (End::default(), Marks::default());
            reader.copy_each(&mut |channel, bytes| match channels.contains(&channel) {
                true => end.write_all(bytes),
                false if channel == Channel::Header => {
                    marks.pass(bytes, &mut |mark| end.write_all(mark))
                }
                false => Ok(()),
            })?;
            Ok(end.into_text())
        })
        .await
    }

    /// What `read` finds in the log at `path`; absent if it cannot be read, which is logged.
    async fn of_log<T: Send + 'static>(
        &self,
        path: &str,
        read: impl FnOnce(&mut LogReader) -> io::Result<T> + Send + 'static,
    ) -> Option<T> {
        let (basedir, path) = (self.basedir.clone(), path.to_owned());
        let reading = crate::blocking::run(move || read(&mut LogReader::open(&basedir, &path)?));
        match reading.await {
            Ok(Ok(found)) => Some(found),
            Ok(Err(error)) => {
                warn!("cannot read a log for a client: {error}");
                None
            }
            Err(error) => {
                warn!("reading a log for a client failed: {error}");
                None
            }
        }
    }
}

/// Keeps the last pieces of a log.
#[derive(Debug, Default)]
struct LastChunks {
    chunks: VecDeque<(Channel, Vec<u8>)>,
    bytes: usize,
}

impl LastChunks {
    fn push(&mut self, channel: Channel, bytes: &[u8]) {
        self.bytes += bytes.len();
        match self.chunks.back_mut() {
            Some((last, text)) if *last == channel && text.len() < MOST_OF_CHUNK => {
                text.extend_from_slice(bytes);
            }
            _ => self.chunks.push_back((channel, bytes.to_vec())),
        }
        while self.bytes > MAX_LOG_BYTES || self.chunks.len() > MAX_CHUNKS {
            let Some((_, text)) = self.chunks.pop_front() else {
                return;
            };
            self.bytes -= text.len();
        }
    }
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
