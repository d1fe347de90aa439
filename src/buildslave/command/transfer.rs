//! Transfers files to and from the master (PROTOCOL sections 10.4 and 11).
//!
//! At most one call to the master's reader or writer is outstanding. An interrupted transfer ends
//! at the next block.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::args::{Args, RUNTIME_ERROR, path, under};
use super::{Context, Stop};
use crate::buildslave::host::{Look, NewFile, OpenFile, blocking};
use crate::net::CallError;
use crate::pb::{Failure, Luid, Target, Value};
use crate::protocol::Update;

/// `uploadFile`.
#[derive(Debug)]
pub(super) struct Upload {
    common: Common,
    keep_stamp: bool,
}

/// `downloadFile`.
#[derive(Debug)]
pub(super) struct Download {
    common: Common,
    mode: Option<u32>,
}

/// The arguments of both directions.
#[derive(Debug)]
pub(super) struct Common {
    workdir: PathBuf,
    /// The file on the slave; `~` at its beginning is the home directory.
    file: Bytes,
    /// The master's end of the file.
    remote: Luid,
    pub(super) block_size: usize,
    pub(super) max_size: Option<u64>,
}

/// The outcome of a transfer: an error message for standard error, if it failed.
pub(super) type Outcome = Result<Option<String>, Failure>;

impl Upload {
    /// Reads the arguments.
    ///
    /// # Errors
    /// A required argument is missing, or an argument is invalid.
    pub(super) fn parse(args: &Args<'_>) -> Result<Self, Failure> {
        Ok(Self {
            common: Common::parse(args, ["workersrc", "slavesrc"], "writer")?,
            keep_stamp: args.flag("keepstamp", false)?,
        })
    }

    /// Sends the file.
    ///
    /// # Errors
    /// The master's writer fails.
    pub(super) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        let path = self.common.path(context);
        let header = format!("sending {}\n", path.display());
        context.outlet.header(header).await;
        let outcome = self.transfer(&path, context).await;
        self.common.finish(outcome, context).await
    }

    async fn transfer(&self, path: &Path, context: &mut Context) -> Outcome {
        let (host, at) = (Arc::clone(&context.settings.host), path.to_owned());
        let opened = blocking(move || {
            let file = host.open(&at)?;
            let look = file.look()?;
            if look.is_dir() {
                return Err(io::ErrorKind::IsADirectory.into());
            }
            Ok((file, look))
        });
        let (look, mut outcome) = match opened.await {
            Ok((file, look)) => (Some(look), self.blocks(&file, path, context).await),
            Err(_) => {
                let text = format!("Cannot open file '{}' for upload", path.display());
                (None, Ok(Some(text)))
            }
        };
        // Also after an error: the master's file is not left open.
        let closed = self.common.call("close", Vec::new(), context).await;
        if outcome.is_ok() {
            outcome = closed.and(outcome);
        }
        if let Some(look) = look.filter(|_| self.keep_stamp && outcome.is_ok()) {
            let times = vec![times(&look)];
            self.common.call("utime", times, context).await?;
        }
        outcome
    }

    async fn blocks(
        &self,
        file: &Arc<dyn OpenFile>,
        path: &Path,
        context: &mut Context,
    ) -> Outcome {
        let mut left = self.common.max_size;
        let mut offset = 0;
        loop {
            if context.stop.is_given() {
                return Ok(Some("interrupted".to_owned()));
            }
            let size = self.common.next_block(left);
            if size == 0 {
                return Ok(Some(truncated(path)));
            }
            let file = Arc::clone(file);
            let block = match blocking(move || file.read_at(size, offset)).await {
                Ok(block) if block.is_empty() => return Ok(None),
                Ok(block) => block,
                Err(error) => {
                    return Ok(Some(format!("cannot read '{}': {error}", path.display())));
                }
            };
            let read = u64::try_from(block.len()).unwrap_or(u64::MAX);
            offset += read;
            left = left.map(|left| left.saturating_sub(read));
            let block = Value::Bytes(Bytes::from(block));
            self.common.call("write", vec![block], context).await?;
        }
    }
}

impl Download {
    /// Reads the arguments.
    ///
    /// # Errors
    /// A required argument is missing, or an argument is invalid.
    pub(super) fn parse(args: &Args<'_>) -> Result<Self, Failure> {
        let mode = args.count("mode")?;
        Ok(Self {
            common: Common::parse(args, ["workerdest", "slavedest"], "reader")?,
            mode: mode.map(|mode| u32::try_from(mode & 0o7777).unwrap_or(0o600)),
        })
    }

    /// Fetches the file.
    ///
    /// # Errors
    /// The master's reader fails.
    pub(super) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        let path = self.common.path(context);
        let outcome = self.transfer(&path, context).await;
        // A failure to close the reader does not matter: everything was read.
        self.common.call("close", Vec::new(), context).await.ok();
        self.common.finish(outcome, context).await
    }

    async fn transfer(&self, path: &Path, context: &mut Context) -> Outcome {
        let (host, at, mode) = (
            Arc::clone(&context.settings.host),
            path.to_owned(),
            self.mode,
        );
        let Ok(mut arriving) = blocking(move || host.begin(&at, mode)).await else {
            let text = format!("Cannot open file '{}' for download", path.display());
            return Ok(Some(text));
        };
        let cannot = |error: io::Error| {
            let path = path.display();
            Ok(Some(format!("cannot write '{path}': {error}")))
        };
        let mut left = self.common.max_size;
        loop {
            if context.stop.is_given() {
                return Ok(Some("interrupted".to_owned()));
            }
            let size = self.common.next_block(left);
            if size == 0 {
                return match blocking(move || arriving.finish()).await {
                    Ok(()) => Ok(Some(truncated(path))),
                    Err(error) => cannot(error),
                };
            }
            let size = Value::Int(i64::try_from(size).unwrap_or(i64::MAX));
            let block = self.common.call("read", vec![size], context).await?;
            let block = block.as_raw().cloned().unwrap_or_default();
            if block.is_empty() {
                return match blocking(move || arriving.finish()).await {
                    Ok(()) => Ok(None),
                    Err(error) => cannot(error),
                };
            }
            let read = u64::try_from(block.len()).unwrap_or(u64::MAX);
            left = left.map(|left| left.saturating_sub(read));
            arriving = match blocking(move || write(arriving, &block)).await {
                Ok(arriving) => arriving,
                Err(error) => return cannot(error),
            };
        }
    }
}

impl Common {
    pub(super) fn parse(args: &Args<'_>, file: [&str; 2], remote: &str) -> Result<Self, Failure> {
        let [worker, slave] = file;
        let key = if args.given(worker).is_some() {
            worker
        } else {
            slave
        };
        let block_size = args.count("blocksize")?.filter(|size| *size > 0);
        let block_size = block_size.ok_or_else(|| args.wrong("blocksize", "above zero"))?;
        Ok(Self {
            workdir: args.path("workdir")?,
            file: args.raw(key)?,
            remote: args.object(remote)?,
            block_size: usize::try_from(block_size).map_or(MAX_BLOCK, |size| size.min(MAX_BLOCK)),
            max_size: args.count("maxsize")?,
        })
    }

    pub(super) fn path(&self, context: &Context) -> PathBuf {
        let file = expand_home(&self.file, context.settings.host.home());
        under(&under(&context.dir, &self.workdir), &file)
    }

    /// Size in bytes of the next block, if `left` bytes are still allowed.
    fn next_block(&self, left: Option<u64>) -> usize {
        left.map_or(self.block_size, |left| {
            usize::try_from(left).map_or(self.block_size, |left| left.min(self.block_size))
        })
    }

    /// Calls the master's end of the file. A lost connection has the effect of an interruption.
    pub(super) async fn call(
        &self,
        method: &'static str,
        args: Vec<Value>,
        context: &Context,
    ) -> Result<Value, Failure> {
        let Some(peer) = &context.peer else {
            return Err(Failure::new(RUNTIME_ERROR, "no master"));
        };
        let target = Target::Object(self.remote);
        match peer.call(target, method, args, Vec::new()).await {
            Ok(value) => Ok(value),
            Err(CallError::Remote(failure)) => Err(failure),
            Err(CallError::Lost) => Err(Failure::new(RUNTIME_ERROR, "connection lost")),
        }
    }

    pub(super) async fn finish(
        &self,
        outcome: Outcome,
        context: &mut Context,
    ) -> Result<(), Failure> {
        if let Some(peer) = &context.peer {
            peer.release(self.remote);
        }
        let wrong = match outcome {
            Ok(wrong) => wrong,
            Err(failure) => {
                context.outlet.say(Update::Rc(1)).await;
                return Err(failure);
            }
        };
        if context.stop.is_given() && context.stop.wait().await == Stop::Abandoned {
            return Ok(());
        }
        let rc = i64::from(wrong.is_some());
        if let Some(text) = wrong {
            let text = Bytes::from(text);
            context.outlet.say(Update::Stderr(text)).await;
        }
        context.outlet.say(Update::Rc(rc)).await;
        Ok(())
    }
}

pub(super) fn truncated(path: &Path) -> String {
    let path = path.display();
    format!("Maximum filesize reached, truncating file '{path}'")
}

/// `~` at the beginning of a file name is the home directory.
fn expand_home(file: &[u8], home: Option<PathBuf>) -> PathBuf {
    match (file.strip_prefix(b"~"), home) {
        (Some([]), Some(home)) => home,
        (Some([b'/', rest @ ..]), Some(home)) => home.join(path(rest)),
        (Some(_) | None, _) => path(file),
    }
}

/// Appends a block to a file, and returns the file.
fn write(mut file: Box<dyn NewFile>, block: &[u8]) -> io::Result<Box<dyn NewFile>> {
    file.write(block)?;
    Ok(file)
}

/// The times of last access and modification, in seconds.
fn times(look: &Look) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "times of this era fit a double")]
    let seconds = |(secs, nanos): (i64, i64)| Value::Float(secs as f64 + nanos as f64 / 1e9);
    Value::Tuple(vec![seconds(look.accessed), seconds(look.modified)])
}

/// Maximum size of a block, even if the master requests more: a string must stay below 640 KiB.
const MAX_BLOCK: usize = 512 * 1024;
