//! Files to and from the master (PROTOCOL sections 10.4 and 11).
//!
//! One call to the master's reader or writer is outstanding at a time; an interrupted transfer ends
//! at the next block.

use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::args::{Args, RUNTIME_ERROR, path, under};
use super::arriving::Arriving;
use super::{Context, Stop};
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

/// What both directions are told.
#[derive(Debug)]
struct Common {
    workdir: PathBuf,
    /// The file on the slave.
    file: PathBuf,
    /// The master's end of the file.
    remote: Luid,
    block_size: usize,
    max_size: Option<u64>,
}

/// How a transfer ended: what to say on standard error, if anything went wrong.
type Outcome = Result<Option<String>, Failure>;

impl Upload {
    /// Reads the arguments.
    ///
    /// # Errors
    /// A required one is missing, or one makes no sense.
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
        let opened = async {
            let file = File::open(path).await?;
            let meta = file.metadata().await?;
            if meta.is_dir() {
                return Err(io::Error::from(io::ErrorKind::IsADirectory));
            }
            Ok((file, meta))
        };
        let (file, meta) = match opened.await {
            Ok((file, meta)) => (Some(file), Some(meta)),
            Err(_) => (None, None),
        };
        let mut outcome = match file {
            None => Ok(Some(format!(
                "Cannot open file '{}' for upload",
                path.display()
            ))),
            Some(file) => self.blocks(file, path, context).await,
        };
        // Also after an error: the master's file is not left open.
        let closed = self.common.call("close", Vec::new(), context).await;
        if outcome.is_ok() {
            outcome = closed.and(outcome);
        }
        let stamps = meta.filter(|_| self.keep_stamp && outcome.is_ok());
        if let Some((accessed, modified)) =
            stamps.and_then(|meta| Some((meta.accessed().ok()?, meta.modified().ok()?)))
        {
            let seconds = |time: std::time::SystemTime| {
                let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
                Value::Float(since.as_secs_f64())
            };
            let times = Value::Tuple(vec![seconds(accessed), seconds(modified)]);
            self.common.call("utime", vec![times], context).await?;
        }
        outcome
    }

    async fn blocks(&self, mut file: File, path: &Path, context: &mut Context) -> Outcome {
        let mut left = self.common.max_size;
        loop {
            if context.stop.is_given() {
                return Ok(Some("interrupted".to_owned()));
            }
            let size = self.common.next_block(left);
            if size == 0 {
                return Ok(Some(truncated(path)));
            }
            let mut block = vec![0; size];
            let read = match file.read(&mut block).await {
                Ok(read) => read,
                Err(error) => {
                    return Ok(Some(format!("cannot read '{}': {error}", path.display())));
                }
            };
            block.truncate(read);
            if read == 0 {
                return Ok(None);
            }
            let read = u64::try_from(read).unwrap_or(u64::MAX);
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
    /// A required one is missing, or one makes no sense.
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
        // A reader that cannot be closed has given everything all the same.
        self.common.call("close", Vec::new(), context).await.ok();
        self.common.finish(outcome, context).await
    }

    async fn transfer(&self, path: &Path, context: &mut Context) -> Outcome {
        let Ok(mut arriving) = Arriving::begin(path, self.mode).await else {
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
                return match arriving.finish().await {
                    Ok(()) => Ok(Some(truncated(path))),
                    Err(error) => cannot(error),
                };
            }
            let size = Value::Int(i64::try_from(size).unwrap_or(i64::MAX));
            let block = self.common.call("read", vec![size], context).await?;
            let block = block.as_raw().cloned().unwrap_or_default();
            if block.is_empty() {
                return match arriving.finish().await {
                    Ok(()) => Ok(None),
                    Err(error) => cannot(error),
                };
            }
            let read = u64::try_from(block.len()).unwrap_or(u64::MAX);
            left = left.map(|left| left.saturating_sub(read));
            if let Err(error) = arriving.file.write_all(&block).await {
                return cannot(error);
            }
        }
    }
}

impl Common {
    fn parse(args: &Args<'_>, file: [&str; 2], remote: &str) -> Result<Self, Failure> {
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
            file: expand_home(&args.raw(key)?),
            remote: args.object(remote)?,
            block_size: usize::try_from(block_size).map_or(MAX_BLOCK, |size| size.min(MAX_BLOCK)),
            max_size: args.count("maxsize")?,
        })
    }

    fn path(&self, context: &Context) -> PathBuf {
        under(&under(&context.dir, &self.workdir), &self.file)
    }

    /// Bytes to ask for or to send next, when so many are allowed.
    fn next_block(&self, left: Option<u64>) -> usize {
        left.map_or(self.block_size, |left| {
            usize::try_from(left).map_or(self.block_size, |left| left.min(self.block_size))
        })
    }

    /// Calls the master's end of the file. A connection that is lost looks like an interruption.
    async fn call(
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

    async fn finish(&self, outcome: Outcome, context: &mut Context) -> Result<(), Failure> {
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

fn truncated(path: &Path) -> String {
    let path = path.display();
    format!("Maximum filesize reached, truncating file '{path}'")
}

/// `~` at the beginning of a file name is the home directory.
fn expand_home(file: &[u8]) -> PathBuf {
    match (file.strip_prefix(b"~"), std::env::home_dir()) {
        (Some([]), Some(home)) => home,
        (Some([b'/', rest @ ..]), Some(home)) => home.join(path(rest)),
        _ => path(file),
    }
}

/// Largest block, whatever the master asks for: a string must stay below 640 KiB.
const MAX_BLOCK: usize = 512 * 1024;
