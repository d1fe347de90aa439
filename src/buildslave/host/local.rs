//! The machine that this process runs on.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use super::arriving::Arriving;
use super::{Console, Entry, Exit, Host, Kind, Look, NewFile, OpenFile, Running, Started, Stream};
use crate::platform::{self, Signal, look};
use crate::process::{Process, Program, Streams, pty};

/// This machine.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::buildslave) struct LocalHost;

impl Host for LocalHost {
    fn start(&self, program: Program, console: Console<'_>) -> io::Result<Started> {
        match console {
            Console::Pipes { has_input } => {
                let mut process = program.start(Streams {
                    stdin: if has_input {
                        Stdio::piped()
                    } else {
                        Stdio::null()
                    },
                    stdout: Stdio::piped(),
                    stderr: Stdio::piped(),
                })?;
                Ok(Started {
                    stdin: process.take_stdin().map(|pipe| Box::new(pipe) as Box<_>),
                    stdout: process.take_stdout().map(|pipe| Box::new(pipe) as Stream),
                    stderr: process.take_stderr().map(|pipe| Box::new(pipe) as Stream),
                    process: Box::new(process),
                })
            }
            Console::Terminal { helper } => {
                let (process, terminal) = pty::start(program, helper)?;
                Ok(Started {
                    process: Box::new(process),
                    stdin: None,
                    stdout: Some(Box::new(terminal)),
                    stderr: None,
                })
            }
        }
    }

    fn make_dirs(&self, dir: &Path) -> io::Result<()> {
        std::fs::create_dir_all(dir)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        let entries = std::fs::read_dir(dir)?;
        let entry = |entry: io::Result<std::fs::DirEntry>| {
            let entry = entry?;
            Ok(Entry {
                name: entry.file_name(),
                is_dir: entry.file_type().is_ok_and(|kind| kind.is_dir()),
            })
        };
        entries.map(entry).collect()
    }

    fn kind(&self, path: &Path) -> io::Result<Kind> {
        let kind = path.symlink_metadata()?.file_type();
        Ok(match (kind.is_dir(), kind.is_file()) {
            (true, _) => Kind::Dir,
            (false, true) => Kind::File,
            (false, false) => Kind::Other,
        })
    }

    fn link_target(&self, path: &Path) -> io::Result<PathBuf> {
        std::fs::read_link(path)
    }

    fn look(&self, path: &Path) -> io::Result<Look> {
        std::fs::metadata(path).map(|meta| look(&meta))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn OpenFile>> {
        Ok(Arc::new(File::open(path)?))
    }

    fn begin(&self, target: &Path, mode: Option<u32>) -> io::Result<Box<dyn NewFile>> {
        Ok(Box::new(Arriving::begin(target, mode)?))
    }

    fn processors(&self) -> usize {
        std::thread::available_parallelism().map_or(1, usize::from)
    }

    fn home(&self) -> Option<PathBuf> {
        std::env::home_dir()
    }
}

impl Running for Process {
    fn wait(&mut self) -> Exit<'_> {
        Box::pin(Self::wait(self))
    }

    fn signal(&self, signal: Signal) {
        Self::signal(self, signal);
    }
}

impl OpenFile for File {
    fn look(&self) -> io::Result<Look> {
        self.metadata().map(|meta| look(&meta))
    }

    fn read_at(&self, amount: usize, offset: u64) -> io::Result<Vec<u8>> {
        let mut piece = vec![0; amount];
        let read = platform::read_at(self, &mut piece, offset)?;
        piece.truncate(read);
        Ok(piece)
    }
}

impl NewFile for Arriving {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        (*self).put_in_place()
    }
}
