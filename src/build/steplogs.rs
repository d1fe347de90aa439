//! The logs of a step: opened, filled, and closed together when the step ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;

use super::mask::{Masks, Stream};
use super::steplog::{Closed, StepLog};
use super::surroundings::Surroundings;
use crate::config::{StepConfig, WatchPattern};
use crate::logs::reader::pattern;
use crate::logs::{Channel, file_name};
use crate::model::journal::LogOpening;
use crate::model::{FirstError, Op};
use crate::verdict::{MOST_FINGERPRINTS, symptoms};

/// The logs of a step.
pub(super) struct StepLogs<'a> {
    pub(super) around: &'a Surroundings,
    pub(super) index: u32,
    /// What the paths of its logs begin with: those of a build are together in one directory.
    prefix: String,
    open: Vec<StepLog>,
    /// Hides secrets.
    pub(super) masks: Arc<Masks>,
    /// What may be the beginning of a secret, of each log and channel.
    streams: BTreeMap<(String, Channel), Stream>,
    /// Logs that are opened when there is something in them (`lazy_logfiles`).
    pub(super) lazy: Vec<String>,
}

impl<'a> StepLogs<'a> {
    pub(super) fn new(around: &'a Surroundings, index: u32, step: &str, masks: Arc<Masks>) -> Self {
        let log_dir = around.plan.log_dir.to_string_lossy();
        Self {
            around,
            index,
            prefix: format!("{log_dir}/{index}-{}.", file_name(step)),
            open: Vec::new(),
            masks,
            streams: BTreeMap::new(),
            lazy: Vec::new(),
        }
    }

    /// What may be seen of a piece of a log. What may be the beginning of a secret is kept back
    /// until more comes, or [`StepLogs::rest`] asks for it.
    pub(super) fn masked(&mut self, (log, channel): (&str, Channel), data: Bytes) -> Bytes {
        if self.masks.is_empty() {
            return data;
        }
        let stream = self.streams.entry((log.to_owned(), channel));
        stream.or_default().feed(&self.masks, data)
    }

    /// What was kept back of the logs: nothing follows for now.
    pub(super) fn rest(&mut self) -> Vec<((String, Channel), Bytes)> {
        let streams = std::mem::take(&mut self.streams).into_iter();
        let rest = streams.map(|(of, mut stream)| (of, stream.end(&self.masks)));
        rest.filter(|(_, data)| !data.is_empty()).collect()
    }

    /// Puts what the slave said into the logs; returns when they have it. A log that nobody asked
    /// for is ignored.
    pub(super) async fn store(&mut self, channel: Channel, log: &str, data: Bytes) {
        let Some(at) = self.position(log).await else {
            tracing::debug!(log = ?log, "the slave sent a piece of an unknown log");
            return;
        };
        if let Some(log) = self.open.get_mut(at) {
            log.append(channel, data).await;
        }
    }

    /// Puts a piece of a log into it, without the secrets in it.
    pub(super) async fn put(&mut self, (log, channel): (&str, Channel), data: Bytes) {
        let data = self.masked((log, channel), data);
        self.store(channel, log, data).await;
    }

    /// Adds what the master has to say about the command to `stdio`, if it is open.
    pub(super) async fn note(&mut self, text: String) {
        self.note_in(STDIO, text).await;
    }

    /// Adds what the master has to say to `log`, if it is open.
    pub(super) async fn note_in(&mut self, log: &str, mut text: String) {
        self.masks.mask(&mut text);
        if let Some(log) = self.open.iter_mut().find(|l| l.name() == log) {
            log.note(text).await;
        }
    }

    /// A whole log at once; nothing if there is one of this name.
    pub(super) async fn add(&mut self, name: &str, text: Bytes) {
        let mut stream = Stream::default();
        let text = [stream.feed(&self.masks, text), stream.end(&self.masks)];
        let Some(op) = self.open(name) else {
            return;
        };
        self.around.journal.write(vec![op]).await;
        if let Some(log) = self.open.last_mut() {
            for text in text.into_iter().filter(|text| !text.is_empty()) {
                log.append(Channel::Stdout, text).await;
            }
        }
    }

    /// Adds to a log, which is opened now if it is not there.
    pub(super) async fn add_to(&mut self, name: &str, data: Bytes) {
        if let Some(op) = self.open(name) {
            self.around.journal.write(vec![op]).await;
        }
        if let Some(log) = self.open.iter_mut().find(|l| l.name() == name) {
            log.append(Channel::Stdout, data).await;
        }
    }

    /// Where `log` is among the open ones; opens it if it is lazy.
    async fn position(&mut self, log: &str) -> Option<usize> {
        if let Some(at) = self.open.iter().position(|l| l.name() == log) {
            return Some(at);
        }
        let lazy = self.lazy.iter().position(|name| name == log)?;
        self.lazy.swap_remove(lazy);
        let op = self.open(log)?;
        self.around.journal.write(vec![op]).await;
        self.open.len().checked_sub(1)
    }

    /// Opens a log; nothing if there is one of this name.
    pub(super) fn open(&mut self, name: &str) -> Option<Op> {
        if self.open.iter().any(|l| l.name() == name) {
            return None;
        }
        // Logs stay open until the step ends, so that no position is given twice.
        let position = u32::try_from(self.open.len()).ok()?;
        let path = format!("{}{}", self.prefix, file_name(name));
        let sink = self.around.logs.create(&path);
        let limits = self.around.plan.log_limits;
        self.open.push(StepLog::new(name.to_owned(), sink, limits));
        Some(Op::LogOpened(LogOpening {
            build: self.around.plan.build,
            step: self.index,
            position,
            name: name.to_owned(),
            path,
        }))
    }

    /// Closes all. They are on the disk before the build ends. Of a step that has failed, the
    /// errors are looked for, by the pattern of the step if it has one.
    pub(super) async fn close(&mut self, failed: Option<&StepConfig>) -> ClosedLogs {
        let mut output = BTreeMap::new();
        let mut ops = Vec::with_capacity(self.open.len() + 1);
        let mut incomplete = Vec::new();
        let mut paths = Vec::with_capacity(self.open.len());
        let mut names = Vec::with_capacity(self.open.len());
        for log in self.open.drain(..) {
            let Closed {
                name,
                path,
                written,
                output_bytes,
            } = log.close().await;
            names.push((name.clone(), path.clone()));
            paths.push(path);
            if written.lost_bytes > 0 {
                let lost = written.lost_bytes;
                incomplete.push(format!(
                    "(log {name} is incomplete: the master could not write {lost} bytes)"
                ));
            }
            if output_bytes > 0 {
                #[expect(clippy::cast_precision_loss, reason = "it becomes an estimate")]
                output.insert(name.clone(), output_bytes as f64);
            }
            ops.push(Op::LogClosed {
                build: self.around.plan.build,
                step: self.index,
                name,
                size_bytes: written.size_bytes,
            });
        }
        let errors = match failed {
            Some(config) => self.errors(names, config).await,
            None => Errors::default(),
        };
        if !paths.is_empty() {
            self.around.syncs.begin(paths).await;
        }
        ClosedLogs {
            ops,
            output,
            incomplete,
            errors,
        }
    }

    /// The errors in these logs, names and paths: those of the first log that has some.
    async fn errors(&self, logs: Vec<(String, String)>, config: &StepConfig) -> Errors {
        let store = self.around.logs.clone();
        let compiled = |own: &Option<WatchPattern>| {
            let own = own.as_ref();
            own.and_then(|own| pattern(&format!("/{}/", own.as_str())).ok())
        };
        let own = compiled(&config.error_pattern);
        let of_machines = compiled(&config.infrastructure_lines);
        let look = move || {
            let mut logs = logs.into_iter();
            logs.find_map(|(log, path)| {
                let mut reader = store.read(&path).ok()?;
                let errors = reader.errors(own.as_ref(), MOST_FINGERPRINTS).ok()?;
                let (line, text) = errors.first()?.clone();
                let mut lines = errors.iter().map(|(_, text)| text.as_str());
                Some(Errors {
                    first: Some(FirstError { log, line, text }),
                    symptoms: symptoms(lines.clone()),
                    is_infrastructure: lines.any(|line| match &of_machines {
                        Some(own) => own.is_match(line.as_bytes()),
                        None => OF_MACHINES.iter().any(|known| line.contains(known)),
                    }),
                })
            })
        };
        let found = crate::blocking::run(look).await.ok().flatten();
        found.unwrap_or_default()
    }
}

/// What errors of machines look like, unless the step says otherwise (INF-01).
const OF_MACHINES: [&str; 2] = ["No space left on device", "Disk quota exceeded"];

/// The errors in the logs of a step that has failed.
#[derive(Default)]
pub(super) struct Errors {
    /// The first one.
    pub(super) first: Option<FirstError>,
    /// The fingerprints of all.
    pub(super) symptoms: BTreeSet<String>,
    /// Whether one is about the machine and not about the sources.
    pub(super) is_infrastructure: bool,
}

/// What became of the logs of a step.
pub(super) struct ClosedLogs {
    /// What is to be remembered.
    pub(super) ops: Vec<Op>,
    /// Bytes of output in those that have any.
    pub(super) output: BTreeMap<String, f64>,
    /// A sentence for each that lacks something.
    pub(super) incomplete: Vec<String>,
    /// The errors of a step that has failed.
    pub(super) errors: Errors,
}

/// The log of a command's output.
pub(super) const STDIO: &str = "stdio";
