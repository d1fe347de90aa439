//! `shell`: runs a program (PROTOCOL section 10.2).

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;

use super::args::{Args, RUNTIME_ERROR, os, path, under};
use super::process::{self, Kill, RunSpec};
use super::{Context, files};
use crate::pb::{Failure, Value};
use crate::process::Environment;

/// What to run.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Program {
    /// By `/bin/sh -c`.
    Line(Vec<u8>),
    /// As it is.
    Words(Vec<Word>),
}

/// One word of a command.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Word {
    /// What is run.
    pub(super) real: Vec<u8>,
    /// What is shown; differs from what is run for a secret.
    pub(super) shown: Vec<u8>,
}

impl Program {
    /// A program of plain words.
    pub(super) fn words<'a>(words: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let plain = |word: &[u8]| Word {
            real: word.to_vec(),
            shown: word.to_vec(),
        };
        Self::Words(words.into_iter().map(plain).collect())
    }

    /// The words to execute.
    pub(super) fn argv(&self) -> Vec<OsString> {
        match self {
            Self::Line(line) => ["/bin/sh".into(), "-c".into(), os(line)].into(),
            Self::Words(words) => words.iter().map(|word| os(&word.real)).collect(),
        }
    }
}

/// A file whose growth is sent as a log.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LogFileArg {
    pub(super) name: String,
    /// Below the work directory.
    pub(super) path: PathBuf,
    /// Whether only what is added from now on is sent.
    pub(super) follow: bool,
}

/// The arguments of `shell`.
#[derive(Clone, Debug)]
pub(super) struct Shell {
    program: Program,
    workdir: PathBuf,
    /// As it came: a value that makes no sense fails the command, not its start.
    env: Vec<(Value, Value)>,
    initial_stdin: Option<Bytes>,
    want_stdout: bool,
    want_stderr: bool,
    logfiles: Vec<LogFileArg>,
    timeout: Option<f64>,
    max_time: Option<f64>,
    max_lines: Option<u64>,
    kill: Kill,
    use_pty: Option<bool>,
    log_environ: bool,
}

impl Shell {
    /// Reads the arguments.
    ///
    /// # Errors
    /// A required one is missing, or one makes no sense.
    pub(super) fn parse(args: &Args<'_>) -> Result<Self, Failure> {
        let signal = args.given("interruptSignal").and_then(Value::as_text);
        Ok(Self {
            program: program(args)?,
            workdir: args.path("workdir")?,
            env: match args.given("env") {
                None => Vec::new(),
                Some(env) => env
                    .as_dict()
                    .ok_or_else(|| args.wrong("env", "a dictionary"))?
                    .to_vec(),
            },
            initial_stdin: match args.given("initial_stdin") {
                None => None,
                Some(_) => Some(args.raw("initial_stdin")?),
            },
            want_stdout: args.flag("want_stdout", true)?,
            want_stderr: args.flag("want_stderr", true)?,
            logfiles: logfiles(args)?,
            timeout: args.seconds("timeout")?,
            max_time: args.seconds("maxTime")?,
            max_lines: args.count("max_lines")?,
            kill: Kill {
                sigterm_time: match args.given("sigtermTime") {
                    None => None,
                    // Zero means at once, and not never.
                    Some(_) => Some(args.seconds("sigtermTime")?.unwrap_or(0.0)),
                },
                signal: process::signal(signal.as_deref().unwrap_or("KILL"))
                    .ok_or_else(|| args.wrong("interruptSignal", "the name of a signal"))?,
            },
            use_pty: match args.given("usePTY") {
                // "slave-config"
                Some(value) if value.as_raw().is_some() => None,
                None => None,
                Some(_) => Some(args.flag("usePTY", false)?),
            },
            log_environ: args.flag("logEnviron", true)?,
        })
    }

    /// Runs it.
    ///
    /// # Errors
    /// An environment that makes no sense, or a process that cannot be killed.
    pub(super) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        let workdir = under(&context.dir, &self.workdir);
        if let Err(error) = tokio::fs::create_dir_all(&workdir).await {
            let why = format!("{}: {}", files::strerror(&error), workdir.display());
            return Err(Failure::new("builtins.OSError", why));
        }
        let mut environment = environment(&context.settings.environment.borrow(), &self.env)?;
        environment.insert("PWD".into(), workdir.clone().into_os_string());
        let wants_pty = self.use_pty.unwrap_or(context.settings.use_pty);
        if self.use_pty == Some(true) && self.initial_stdin.is_some() {
            let note = "note: no pseudo terminal for a command that is given input\n";
            context.outlet.header(note).await;
        }
        let spec = RunSpec {
            program: self.program,
            workdir,
            environment,
            // A program on a terminal could not see the end of its input.
            use_pty: wants_pty && self.initial_stdin.is_none(),
            initial_stdin: self.initial_stdin,
            want_stdout: self.want_stdout,
            want_stderr: self.want_stderr,
            logfiles: self.logfiles,
            timeout: self.timeout,
            max_time: self.max_time,
            max_lines: self.max_lines,
            kill: self.kill,
            log_environ: self.log_environ,
            says_rc: true,
        };
        process::run(spec, context).await.map(|_| ())
    }
}

/// The environment of a command: `base` changed by what the master wants (section 10.2).
///
/// # Errors
/// A value is neither a text, a list of texts nor `None`.
fn environment(base: &Environment, wanted: &[(Value, Value)]) -> Result<Environment, Failure> {
    let mut environment = base.clone();
    for (name, value) in wanted {
        let name = name.as_raw().map(|raw| os(raw)).unwrap_or_default();
        let refused = || {
            let name = name.to_string_lossy();
            let text = format!("'env' values must be strings or lists; key '{name}' is incorrect");
            Failure::new(RUNTIME_ERROR, text)
        };
        if name.is_empty() || name.as_bytes().contains(&b'=') {
            return Err(refused());
        }
        let mut text = match (value.unshared(), value.as_raw(), value.as_items()) {
            (Value::None, _, _) => {
                environment.remove(&name);
                continue;
            }
            (_, Some(raw), _) => raw.to_vec(),
            (_, _, Some(items)) => {
                let part = |item: &Value| item.as_raw().map(|raw| raw.to_vec());
                let parts: Option<Vec<_>> = items.iter().map(part).collect();
                parts.ok_or_else(refused)?.join(&b':')
            }
            _ => return Err(refused()),
        };
        if name == "PYTHONPATH" {
            text.extend(b":${PYTHONPATH}");
        }
        let text = OsString::from_vec(expand(&text, base));
        environment.insert(name, text);
    }
    Ok(environment)
}

/// Replaces each `${NAME}` by the variable of `base`, or by nothing.
fn expand(text: &[u8], base: &Environment) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let name = after.strip_prefix(b"{").filter(|_| first == b'$');
        let name = name.and_then(|name| {
            let end = name.iter().position(|&b| b == b'}')?;
            let (name, tail) = name.split_at(end);
            let is_name = name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_');
            is_name.then_some((name, tail))
        });
        if let Some((name, tail)) = name {
            if let Some(value) = base.get(&os(name)) {
                out.extend(value.as_bytes());
            }
            rest = tail.strip_prefix(b"}").unwrap_or(tail);
        } else {
            out.push(first);
            rest = after;
        }
    }
    out
}

fn program(args: &Args<'_>) -> Result<Program, Failure> {
    let command = args.required("command")?;
    if let Some(line) = command.as_raw() {
        return Ok(Program::Line(line.to_vec()));
    }
    let wrong = || args.wrong("command", "a text or a list of texts");
    let word = |item: &Value| match (item.as_raw(), item.as_items()) {
        (Some(raw), _) => Ok(Word {
            real: raw.to_vec(),
            shown: raw.to_vec(),
        }),
        (None, Some([tag, real, shown])) if tag.as_raw().is_some_and(|t| t == "obfuscated") => {
            let (Some(real), Some(shown)) = (real.as_raw(), shown.as_raw()) else {
                return Err(wrong());
            };
            Ok(Word {
                real: real.to_vec(),
                shown: shown.to_vec(),
            })
        }
        _ => Err(wrong()),
    };
    let items = command.as_items().filter(|items| !items.is_empty());
    let words: Result<_, _> = items.ok_or_else(wrong)?.iter().map(word).collect();
    words.map(Program::Words)
}

fn logfiles(args: &Args<'_>) -> Result<Vec<LogFileArg>, Failure> {
    let wrong = || args.wrong("logfiles", "a dictionary of names and files");
    let Some(dict) = args.given("logfiles") else {
        return Ok(Vec::new());
    };
    let file = |(name, file): &(Value, Value)| {
        let name = name.as_text().ok_or_else(wrong)?.into_owned();
        let (filename, follow) = match file.as_dict() {
            None => (Some(file), false),
            Some(_) => (
                file.get("filename"),
                file.get("follow").and_then(Value::as_flag).unwrap_or(false),
            ),
        };
        let filename = filename.and_then(Value::as_raw).ok_or_else(wrong)?;
        Ok(LogFileArg {
            name,
            path: path(filename),
            follow,
        })
    };
    dict.as_dict().ok_or_else(wrong)?.iter().map(file).collect()
}

/// `seconds` as a duration; absurd ones are cut to a century.
pub(super) fn duration(seconds: f64) -> Duration {
    const CENTURY: f64 = 3_155_760_000.0;
    Duration::try_from_secs_f64(seconds.clamp(0.0, CENTURY)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn base() -> Environment {
        let pairs = [("HOME", "/home/bb"), ("PATH", "/bin"), ("PYTHONPATH", "/p")];
        pairs.map(|(k, v)| (k.into(), v.into())).into()
    }

    fn check(wanted: &[(&str, Value)], expect: &[(&str, &str)]) {
        let wanted: Vec<_> = wanted
            .iter()
            .map(|(name, value)| (Value::bytes(name), value.clone()))
            .collect();
        let found = environment(&base(), &wanted).unwrap();
        let expect = expect.iter().map(|(k, v)| ((*k).into(), (*v).into()));
        assert_eq!(found, expect.collect());
    }

    #[test]
    fn no_wishes_leave_the_slaves_own_environment() {
        check(
            &[],
            &[("HOME", "/home/bb"), ("PATH", "/bin"), ("PYTHONPATH", "/p")],
        );
    }

    #[test]
    fn none_removes_lists_are_joined_names_are_expanded() {
        let list = Value::List(vec![Value::bytes("/x"), Value::text("${PATH}")]);
        check(
            &[
                ("HOME", Value::None),
                ("PATH", list),
                ("A", Value::text("${HOME}/${NOPE}$HOME ${a-b}")),
                ("PYTHONPATH", Value::bytes("/q")),
            ],
            &[
                ("A", "/home/bb/$HOME ${a-b}"),
                ("PATH", "/x:/bin"),
                ("PYTHONPATH", "/q:/p"),
            ],
        );
    }

    #[test]
    fn any_other_value_fails_and_is_named() {
        let wanted = [(Value::bytes("A"), Value::Int(1))];
        let failure = environment(&base(), &wanted).unwrap_err();
        assert_eq!(failure.kind, "builtins.RuntimeError");
        assert_eq!(
            failure.value,
            "'env' values must be strings or lists; key 'A' is incorrect"
        );
    }
}
