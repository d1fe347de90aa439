//! `uploadDirectory`: a directory to the master, as an archive (PROTOCOL sections 10.4 and 11).
//!
//! The archive is made while it is sent: a thread reads the files, and waits while the master has
//! not taken what is there. It is never whole on this machine.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;

use super::Context;
use super::args::Args;
use super::transfer::{Common, Outcome, truncated};
use crate::buildslave::host::{archive, blocking};
use crate::model::Compression;
use crate::pb::{Failure, Value};

/// `uploadDirectory`.
#[derive(Debug)]
pub(super) struct UploadDirectory {
    common: Common,
    compress: Compression,
}

impl UploadDirectory {
    /// Reads the arguments.
    ///
    /// # Errors
    /// A required one is missing, or one is invalid.
    pub(super) fn parse(args: &Args<'_>) -> Result<Self, Failure> {
        let compress = match args.given("compress").and_then(Value::as_text) {
            None => Compression::None,
            Some(word) => Compression::from_word(&word)
                .ok_or_else(|| args.wrong("compress", "None, gz or bz2"))?,
        };
        Ok(Self {
            common: Common::parse(args, ["workersrc", "slavesrc"], "writer")?,
            compress,
        })
    }

    /// Sends the directory.
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
        let (blocks, mut arriving) = mpsc::channel(BLOCKS);
        let (host, dir) = (Arc::clone(&context.settings.host), path.to_owned());
        let (compress, size) = (self.compress, self.common.block_size);
        let archived = blocking(move || {
            let mut out = Blocks {
                blocks,
                size,
                block: BytesMut::new(),
            };
            let notes = archive::write(&*host, &dir, compress, &mut out)?;
            out.send()?;
            Ok(notes)
        });
        let mut archived = Box::pin(archived);
        let sent = self.blocks(&mut arriving, path, context);
        let mut sent = Box::pin(sent);
        // The thread ends when its blocks are taken, or when nobody takes them any more.
        let mut made = None;
        let outcome = loop {
            tokio::select! {
                biased;
                result = &mut archived, if made.is_none() => made = Some(result),
                outcome = &mut sent => break outcome,
            }
        };
        drop(sent);
        drop(arriving);
        let made = match made {
            Some(made) => made,
            None => archived.await,
        };
        match (outcome?, made) {
            (Some(wrong), _) => Ok(Some(wrong)),
            (None, Err(error)) => {
                let path = path.display();
                Ok(Some(format!(
                    "Cannot read directory '{path}' for upload: {error}"
                )))
            }
            (None, Ok(notes)) => {
                for note in notes {
                    context.outlet.header(format!("{note}\n")).await;
                }
                self.common.call("unpack", Vec::new(), context).await?;
                Ok(None)
            }
        }
    }

    /// Sends the blocks of the archive until its end.
    async fn blocks(
        &self,
        arriving: &mut mpsc::Receiver<Bytes>,
        path: &Path,
        context: &Context,
    ) -> Outcome {
        let mut left = self.common.max_size;
        while let Some(mut block) = arriving.recv().await {
            if context.stop.is_given() {
                return Ok(Some("interrupted".to_owned()));
            }
            let allowed = left.map_or(usize::MAX, |left| {
                usize::try_from(left).unwrap_or(usize::MAX)
            });
            let is_cut = block.len() > allowed;
            block.truncate(allowed);
            let sent = u64::try_from(block.len()).unwrap_or(u64::MAX);
            left = left.map(|left| left.saturating_sub(sent));
            if !block.is_empty() {
                let block = Value::Bytes(block);
                self.common.call("write", vec![block], context).await?;
            }
            if is_cut {
                return Ok(Some(truncated(path)));
            }
        }
        Ok(None)
    }
}

/// Cuts an archive into blocks. Fails when nobody takes them any more.
struct Blocks {
    blocks: mpsc::Sender<Bytes>,
    size: usize,
    block: BytesMut,
}

impl Blocks {
    /// Hands on what there is.
    fn send(&mut self) -> io::Result<()> {
        if self.block.is_empty() {
            return Ok(());
        }
        let block = self.block.split().freeze();
        let sent = self.blocks.blocking_send(block);
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Blocks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.block.reserve(self.size - self.block.len());
        let taken = bytes.len().min(self.size - self.block.len());
        self.block
            .extend_from_slice(bytes.get(..taken).unwrap_or_default());
        if self.block.len() == self.size {
            self.send()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Blocks that wait for the master.
const BLOCKS: usize = 2;
