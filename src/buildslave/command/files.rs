//! Commands on files and directories (PROTOCOL section 10.3).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::args::{Args, path, under};
use super::process::{self, Kill, RunSpec};
use super::{Context, glob};
use crate::buildslave::host::{Host, Look, blocking, strerror};
use crate::pb::{Failure, Value};
use crate::platform::{HAS_FILE_PROGRAMS, copy_tree, remove_tree};
use crate::process::Environment;
use crate::protocol::{ShellCommand, TextStyle, Update, Word};

/// A command on files. Paths are below the builder's directory, unless absolute.
#[derive(Debug)]
pub(super) enum FileCommand {
    /// Creates a directory and its parents.
    MakeDir(PathBuf),
    /// Removes files, and directories with their contents.
    RemoveDirs(Vec<PathBuf>, Limits),
    /// Copies a directory.
    CopyDir {
        from: PathBuf,
        to: PathBuf,
        limits: Limits,
    },
    /// Returns the attributes of a file.
    Stat(PathBuf),
    /// Finds the files that match a pattern.
    Glob(PathBuf),
    /// Lists a directory.
    ListDir(PathBuf),
    /// Removes a file.
    RemoveFile(PathBuf),
}

/// Limits on the programs that long commands run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    timeout: Option<f64>,
    max_time: Option<f64>,
    log_environ: bool,
}

impl FileCommand {
    /// Reads a command.
    ///
    /// # Errors
    /// The command is unknown, or its arguments are invalid.
    pub(super) fn parse(name: &str, args: &Args<'_>) -> Result<Self, Failure> {
        Ok(match name {
            "mkdir" => Self::MakeDir(args.path("dir")?),
            "rmdir" => Self::RemoveDirs(dirs(args)?, limits(args)?),
            "cpdir" => Self::CopyDir {
                from: args.path("fromdir")?,
                to: args.path("todir")?,
                limits: limits(args)?,
            },
            "stat" => {
                let file = args.path("file")?;
                Self::Stat(match args.given("workdir").and_then(Value::as_raw) {
                    None => file,
                    Some(workdir) => under(&path(workdir), &file),
                })
            }
            "glob" => Self::Glob(args.path("path")?),
            "listdir" => Self::ListDir(args.path("dir")?),
            "rmfile" => Self::RemoveFile(args.path("path")?),
            _ => {
                let text = format!("unrecognized SlaveCommand '{name}'");
                return Err(Failure::new("buildslave.bot.UnknownCommand", text));
            }
        })
    }

    /// Whether the command runs no program and touches few files.
    pub(super) const fn is_quick(&self) -> bool {
        match self {
            Self::MakeDir(_)
            | Self::Stat(_)
            | Self::Glob(_)
            | Self::ListDir(_)
            | Self::RemoveFile(_) => true,
            Self::RemoveDirs(..) | Self::CopyDir { .. } => false,
        }
    }

    /// Runs the command.
    ///
    /// # Errors
    /// A process of the command cannot be killed.
    pub(super) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        let (name, target) = match self {
            Self::RemoveDirs(dirs, limits) => return remove_dirs(&dirs, limits, context).await,
            Self::CopyDir { from, to, limits } => {
                return copy_dir(&from, &to, limits, context).await;
            }
            Self::MakeDir(ref dir) => ("mkdir", dir),
            Self::Stat(ref file) => ("stat", file),
            Self::Glob(ref pattern) => ("glob", pattern),
            Self::ListDir(ref dir) => ("listdir", dir),
            Self::RemoveFile(ref file) => ("rmfile", file),
        };
        let target = under(&context.dir, target);
        let (style, at) = (context.style, target.clone());
        let host = Arc::clone(&context.settings.host);
        let rc = match blocking(move || self.at_once(&*host, &at, style)).await {
            Ok(None) => 0,
            Ok(Some((key, value))) => {
                let key = key.to_owned();
                context.outlet.say(Update::Other { key, value }).await;
                0
            }
            Err(error) => {
                let text = format!("{name}: {}: {}\n", strerror(&error), target.display());
                context.outlet.header(text).await;
                i64::from(error.raw_os_error().unwrap_or(1))
            }
        };
        context.outlet.say(Update::Rc(rc)).await;
        Ok(())
    }

    /// Runs a short command; blocks.
    fn at_once(
        &self,
        host: &dyn Host,
        path: &Path,
        style: TextStyle,
    ) -> io::Result<Option<(&'static str, Value)>> {
        Ok(match self {
            Self::MakeDir(_) => {
                host.make_dirs(path)?;
                None
            }
            Self::RemoveFile(_) => {
                host.remove_file(path)?;
                None
            }
            Self::Stat(_) => Some(("stat", stat(&host.look(path)?))),
            Self::ListDir(_) => {
                let entries = host.list(path)?;
                let names = entries
                    .iter()
                    .map(|entry| style.lossy(entry.name.as_encoded_bytes()));
                Some(("files", Value::List(names.collect())))
            }
            Self::Glob(_) => {
                let found = glob::find(host, path)?;
                let spelled = found
                    .iter()
                    .map(|p| style.lossy(p.as_os_str().as_encoded_bytes()));
                Some(("files", Value::List(spelled.collect())))
            }
            Self::RemoveDirs(..) | Self::CopyDir { .. } => None,
        })
    }
}

/// Mode, inode, device, links, owner, group, size, and the times of access, modification, change.
fn stat(look: &Look) -> Value {
    let large = |n: u64| Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
    Value::Tuple(vec![
        Value::Int(look.mode.into()),
        large(look.inode),
        large(look.device),
        large(look.links),
        Value::Int(look.user.into()),
        Value::Int(look.group.into()),
        large(look.size),
        Value::Int(look.accessed.0),
        Value::Int(look.modified.0),
        Value::Int(look.changed.0),
    ])
}

/// Removes each of `dirs` with `rm -rf`, and retries a failure after making everything writable.
/// After a failure the other directories are still removed, but the failure is the exit status.
async fn remove_dirs(
    dirs: &[PathBuf],
    limits: Limits,
    context: &mut Context,
) -> Result<(), Failure> {
    let mut rc = 0;
    for dir in dirs {
        let one = remove_dir(&under(&context.dir, dir), limits, context).await?;
        if one != 0 {
            rc = one;
        }
        if context.stop.is_given() {
            break;
        }
    }
    context.outlet.say(Update::Rc(rc)).await;
    Ok(())
}

async fn remove_dir(dir: &Path, limits: Limits, context: &mut Context) -> Result<i64, Failure> {
    if !HAS_FILE_PROGRAMS {
        return Ok(remove_directly(dir, context).await);
    }
    let dir = dir.as_os_str().as_encoded_bytes();
    let remove: [&[u8]; 3] = [b"rm", b"-rf", dir];
    let allow: [&[u8]; 4] = [b"chmod", b"-Rf", b"u+rwx", dir];
    let rc = program(&remove, limits, context).await?;
    if rc == 0 || context.stop.is_given() {
        return Ok(rc);
    }
    program(&allow, limits, context).await?;
    program(&remove, limits, context).await
}

/// Removes a file or a directory without a program; returns an exit status.
pub(super) async fn remove_directly(dir: &Path, context: &Context) -> i64 {
    let path = dir.to_owned();
    let removed = blocking(move || remove_tree(&path)).await;
    directly("rmdir", dir, removed, context).await
}

/// The exit status of what was done without a program.
async fn directly(name: &str, path: &Path, done: io::Result<()>, context: &Context) -> i64 {
    let Err(error) = done else {
        return 0;
    };
    let text = format!("{name}: {}: {}\n", strerror(&error), path.display());
    context.outlet.header(text).await;
    1
}

async fn copy_dir(
    from: &Path,
    to: &Path,
    limits: Limits,
    context: &mut Context,
) -> Result<(), Failure> {
    let (from, to) = (under(&context.dir, from), under(&context.dir, to));
    if let Some(parent) = to.parent() {
        let (host, parent) = (Arc::clone(&context.settings.host), parent.to_owned());
        // `cp` reports the error.
        blocking(move || host.make_dirs(&parent)).await.ok();
    }
    if !HAS_FILE_PROGRAMS {
        let (source, target) = (from.clone(), to);
        let copied = blocking(move || copy_tree(&source, &target)).await;
        let rc = directly("cpdir", &from, copied, context).await;
        context.outlet.say(Update::Rc(rc)).await;
        return Ok(());
    }
    let copy: [&[u8]; 7] = [
        b"cp",
        b"-R",
        b"-P",
        b"-p",
        b"-v",
        from.as_os_str().as_encoded_bytes(),
        to.as_os_str().as_encoded_bytes(),
    ];
    let rc = program(&copy, limits, context).await?;
    context.outlet.say(Update::Rc(rc)).await;
    Ok(())
}

/// Runs a program of the system in the builder's directory; returns its exit status.
async fn program(argv: &[&[u8]], limits: Limits, context: &mut Context) -> Result<i64, Failure> {
    let mut environment = Environment::clone(&context.settings.environment.borrow());
    environment.insert("PWD".into(), context.dir.clone().into_os_string());
    let word = |word: &&[u8]| Word::Plain(Bytes::copy_from_slice(word));
    let spec = RunSpec {
        command: ShellCommand::Words(argv.iter().map(word).collect()),
        workdir: context.dir.clone(),
        environment,
        initial_stdin: None,
        want_stdout: true,
        want_stderr: true,
        logfiles: Vec::new(),
        timeout: limits.timeout,
        max_time: limits.max_time,
        max_lines: None,
        kill: Kill::default(),
        use_pty: false,
        log_environ: limits.log_environ,
        says_rc: false,
    };
    process::run(spec, context).await
}

fn dirs(args: &Args<'_>) -> Result<Vec<PathBuf>, Failure> {
    let dir = args.required("dir")?;
    let Some(items) = dir.as_items() else {
        return Ok(vec![args.path("dir")?]);
    };
    let wrong = || args.wrong("dir", "a string or a list of strings");
    let one = |item: &Value| item.as_raw().map(|raw| path(raw)).ok_or_else(wrong);
    items.iter().map(one).collect()
}

fn limits(args: &Args<'_>) -> Result<Limits, Failure> {
    const DEFAULT_TIMEOUT_SECS: f64 = 120.0;
    Ok(Limits {
        timeout: match args.given("timeout") {
            None => Some(DEFAULT_TIMEOUT_SECS),
            Some(_) => args.seconds("timeout")?,
        },
        max_time: args.seconds("maxTime")?,
        log_environ: args.flag("logEnviron", true)?,
    })
}
