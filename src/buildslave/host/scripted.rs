//! A machine that is only a script, for unit tests: no process, no file of the real one.

use std::collections::BTreeMap;
use std::io::{self, Cursor};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::{Console, Entry, Exit, Host, Kind, Look, NewFile, OpenFile, Running, Started};
use crate::platform::Signal;
use crate::process::Program;

/// A machine with these files and programs. Cheap to clone; clones are the same machine.
#[derive(Clone, Debug, Default)]
pub(in crate::buildslave) struct ScriptedHost(Arc<Mutex<Machine>>);

#[derive(Debug, Default)]
struct Machine {
    /// Absent contents: a directory.
    files: BTreeMap<PathBuf, Option<Vec<u8>>>,
    /// By their first word.
    programs: BTreeMap<String, Script>,
    /// The words of the programs that were started, and `kill` with the signal that they got.
    log: Vec<String>,
}

/// What a program does.
#[derive(Clone, Debug)]
pub(in crate::buildslave) struct Script {
    pub(in crate::buildslave) stdout: &'static str,
    /// Its exit code; absent: it runs until it gets a signal.
    pub(in crate::buildslave) code: Option<i32>,
    /// Whether it ends when it gets one.
    pub(in crate::buildslave) dies: bool,
}

impl ScriptedHost {
    pub(in crate::buildslave) fn with_file(self, path: &str, contents: &str) -> Self {
        self.machine().put(Path::new(path), Some(contents.into()));
        self
    }

    pub(in crate::buildslave) fn with_program(self, name: &str, script: Script) -> Self {
        self.machine().programs.insert(name.to_owned(), script);
        self
    }

    /// What was done with programs so far.
    pub(in crate::buildslave) fn log(&self) -> Vec<String> {
        self.machine().log.clone()
    }

    /// The contents of a file.
    pub(in crate::buildslave) fn file(&self, path: &str) -> Option<String> {
        let machine = self.machine();
        let contents = machine.files.get(Path::new(path))?.as_ref()?;
        Some(String::from_utf8_lossy(contents).into_owned())
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        let found = self.machine().files.get(path).cloned();
        found.ok_or_else(|| io::Error::from_raw_os_error(2))
    }
}

impl Machine {
    fn put(&mut self, path: &Path, contents: Option<Vec<u8>>) {
        for dir in path.ancestors().skip(1) {
            self.files.entry(dir.to_owned()).or_insert(None);
        }
        self.files.insert(path.to_owned(), contents);
    }
}

impl Host for ScriptedHost {
    fn start(&self, program: Program, _: Console<'_>) -> io::Result<Started> {
        let words: Vec<_> = program.words.iter().map(|w| w.to_string_lossy()).collect();
        let mut machine = self.machine();
        let name = words.first().map(AsRef::as_ref).unwrap_or_default();
        let script = machine.programs.get(name).cloned();
        let script = script.ok_or_else(|| io::Error::from_raw_os_error(2))?;
        machine.log.push(words.join(" "));
        let output = Cursor::new(script.stdout.as_bytes());
        let ended = script.code.map(|code| ExitStatus::from_raw(code << 8));
        let process = Played {
            host: self.clone(),
            dies: script.dies,
            ended: watch::channel(ended).0,
        };
        Ok(Started {
            process: Box::new(process),
            stdin: None,
            stdout: Some(Box::new(output)),
            stderr: None,
        })
    }

    fn make_dirs(&self, dir: &Path) -> io::Result<()> {
        self.machine().put(dir, None);
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let removed = self.machine().files.remove(path);
        removed
            .map(|_| ())
            .ok_or_else(|| io::Error::from_raw_os_error(2))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        self.get(dir)?;
        let machine = self.machine();
        let inside = machine
            .files
            .iter()
            .filter(|(path, _)| path.parent() == Some(dir));
        let entry = |(path, contents): (&PathBuf, &Option<Vec<u8>>)| Entry {
            name: path.file_name().unwrap_or_default().to_owned(),
            is_dir: contents.is_none(),
        };
        Ok(inside.map(entry).collect())
    }

    fn kind(&self, path: &Path) -> io::Result<Kind> {
        Ok(match self.get(path)? {
            None => Kind::Dir,
            Some(_) => Kind::File,
        })
    }

    fn link_target(&self, _: &Path) -> io::Result<PathBuf> {
        Err(io::ErrorKind::InvalidInput.into())
    }

    fn look(&self, path: &Path) -> io::Result<Look> {
        Ok(look(self.get(path)?.as_deref()))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn OpenFile>> {
        let contents = self.get(path)?;
        let contents = contents.ok_or_else(|| io::Error::from(io::ErrorKind::IsADirectory))?;
        Ok(Arc::new(Contents(contents)))
    }

    fn begin(&self, target: &Path, _: Option<u32>) -> io::Result<Box<dyn NewFile>> {
        Ok(Box::new(Draft {
            host: self.clone(),
            target: target.to_owned(),
            bytes: Vec::new(),
        }))
    }

    fn processors(&self) -> usize {
        4
    }

    fn home(&self) -> Option<PathBuf> {
        Some("/home/slave".into())
    }
}

fn look(contents: Option<&[u8]>) -> Look {
    Look {
        mode: if contents.is_some() {
            0o100_644
        } else {
            0o040_755
        },
        size: contents.map_or(0, |bytes| u64::try_from(bytes.len()).unwrap_or(0)),
        ..Look::default()
    }
}

/// A program that is played.
#[derive(Debug)]
struct Played {
    host: ScriptedHost,
    dies: bool,
    ended: watch::Sender<Option<ExitStatus>>,
}

impl Running for Played {
    fn wait(&mut self) -> Exit<'_> {
        let mut ended = self.ended.subscribe();
        Box::pin(async move {
            let status = ended.wait_for(Option::is_some).await;
            Ok(status.ok().and_then(|status| *status).unwrap_or_default())
        })
    }

    fn signal(&self, signal: Signal) {
        let number = signal.as_raw();
        self.host.machine().log.push(format!("kill -{number}"));
        if self.dies {
            self.ended.send_replace(Some(ExitStatus::from_raw(number)));
        }
    }
}

#[derive(Debug)]
struct Contents(Vec<u8>);

impl OpenFile for Contents {
    fn look(&self) -> io::Result<Look> {
        Ok(look(Some(&self.0)))
    }

    fn read_at(&self, amount: usize, offset: u64) -> io::Result<Vec<u8>> {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        Ok(self.0.iter().skip(offset).take(amount).copied().collect())
    }
}

#[derive(Debug)]
struct Draft {
    host: ScriptedHost,
    target: PathBuf,
    bytes: Vec<u8>,
}

impl NewFile for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        self.host.machine().put(&self.target, Some(self.bytes));
        Ok(())
    }
}
