//! Arguments of `shell`, both ends (PROTOCOL section 10.2).
//!
//! A master has texts of its configuration, in UTF-8, and spells them for a slave. A slave reads
//! byte strings, so that what is not UTF-8 reaches the program as its master meant it. Hence the
//! type of the texts is a parameter: `String` where arguments are made, `Bytes` where they are
//! read.

use bytes::Bytes;

use crate::model::PATH_SEPARATOR;
use crate::pb::Value;

use super::{DefaultVariable, Malformed, PromptVariable, SlaveInfo};

/// Most entries of the environment, of the words and of the followed files together with what a
/// real system could start anyway: `execve` takes 2 MiB of arguments on Linux.
const MAX_ENTRIES: usize = 65_536;

/// Arguments of `shell`.
#[derive(Clone, Debug, PartialEq)]
pub struct ShellArgs<T = String> {
    /// What to run.
    pub command: ShellCommand<T>,
    /// Directory below the builder's, or absolute.
    pub workdir: T,
    /// Added to the slave's environment; a value of `None` removes the variable. The paths of a
    /// list have [`PATH_SEPARATOR`] between them.
    pub env: Vec<(T, Option<T>)>,
    /// Added where neither `env` nor the slave's own environment says otherwise.
    pub default_env: Vec<DefaultVariable>,
    /// Written to the command, which then sees the end of its input.
    pub initial_stdin: Option<Bytes>,
    /// Whether standard output is sent.
    pub want_stdout: bool,
    /// Whether standard error is sent.
    pub want_stderr: bool,
    /// Files whose growth is sent as logs.
    pub logfiles: Vec<LogFile<T>>,
    /// Seconds without output after which the command is killed.
    pub timeout: Option<f64>,
    /// Seconds after which the command is killed.
    pub max_time: Option<f64>,
    /// Seconds between SIGTERM and the harder signal.
    pub sigterm_time: Option<f64>,
    /// Signal that kills it, without `SIG`; the slave's default is KILL.
    pub interrupt_signal: Option<String>,
    /// Whether to run it on a pseudo terminal; absent: as the slave is configured (a worker from
    /// 3.0 on is told no).
    pub use_pty: Option<bool>,
    /// Whether the environment is shown in the log.
    pub log_environ: bool,
    /// Lines of output after which the command is killed (workers from 4.1 on).
    pub max_lines: Option<u64>,
}

/// A command: a line for the shell, or words.
#[derive(Clone, Debug, PartialEq)]
pub enum ShellCommand<T = String> {
    /// Run by `/bin/sh -c`.
    Line(T),
    /// Run as it is.
    Words(Vec<Word<T>>),
}

/// One word of a command.
#[derive(Clone, Debug, PartialEq)]
pub enum Word<T = String> {
    /// A word.
    Plain(T),
    /// A word that is shown as another (PROTOCOL section 10.2).
    Obfuscated {
        /// What is run.
        real: T,
        /// What is shown.
        shown: T,
    },
}

impl<T> Word<T> {
    /// What is run.
    pub const fn real(&self) -> &T {
        match self {
            Self::Plain(word) | Self::Obfuscated { real: word, .. } => word,
        }
    }

    /// What is shown.
    pub const fn shown(&self) -> &T {
        match self {
            Self::Plain(word) | Self::Obfuscated { shown: word, .. } => word,
        }
    }
}

impl ShellCommand {
    /// The command as people may see it: the line, or the words with blanks between them.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Line(line) => line.trim().to_owned(),
            Self::Words(words) => {
                let words: Vec<&str> = words.iter().map(|word| word.shown().as_str()).collect();
                words.join(" ")
            }
        }
    }
}

/// A file whose growth is sent as a log.
#[derive(Clone, Debug, PartialEq)]
pub struct LogFile<T = String> {
    /// The name of the log.
    pub name: String,
    /// The file, below the work directory.
    pub path: T,
    /// Whether only what is added from the file's present end on is sent.
    pub follow: bool,
}

/// Why the arguments that a master sent are of no use.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ShellError {
    /// An argument is missing or has another type.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// A variable of the environment is. Buildbot's slaves start such a command, and then fail it.
    #[error("'env' values must be strings or lists; key '{0}' is incorrect")]
    Variable(String),
}

impl ShellArgs {
    /// Runs `words` in `workdir`, with the slave's own environment and limits.
    #[must_use]
    pub fn words<'w>(words: impl IntoIterator<Item = &'w str>, workdir: &str) -> Self {
        let words = words.into_iter().map(|word| Word::Plain(word.to_owned()));
        Self::new(ShellCommand::Words(words.collect()), workdir.to_owned())
    }
}

impl<T: AsRef<[u8]>> ShellArgs<T> {
    /// Runs `command` in `workdir`, with the slave's own environment and limits.
    #[must_use]
    pub const fn new(command: ShellCommand<T>, workdir: T) -> Self {
        Self {
            command,
            workdir,
            env: Vec::new(),
            default_env: Vec::new(),
            initial_stdin: None,
            want_stdout: true,
            want_stderr: true,
            logfiles: Vec::new(),
            timeout: None,
            max_time: None,
            sigterm_time: None,
            interrupt_signal: None,
            use_pty: None,
            log_environ: true,
            max_lines: None,
        }
    }

    /// The dictionary for `slave`: its spelling of texts, and only what its version can do.
    #[must_use]
    pub fn to_value(&self, slave: &SlaveInfo) -> Value {
        let style = slave.style;
        let key = |name: &str| style.value(name);
        let is_worker = slave.is_worker || slave.command_is_at_least("shell", "3.0");
        let can_hide_words = is_worker || slave.command_is_at_least("shell", "2.16");
        let workdir = style.raw(self.workdir.as_ref());
        let stdin = self.initial_stdin.as_ref();
        let mut dict = vec![
            (key("command"), self.command_value(slave, can_hide_words)),
            (key("workdir"), workdir.clone()),
            (key("env"), self.env_value(slave)),
            (
                key("initial_stdin"),
                stdin.map_or(Value::None, |stdin| style.raw(stdin)),
            ),
            (key("want_stdout"), Value::Bool(self.want_stdout)),
            (key("want_stderr"), Value::Bool(self.want_stderr)),
            (key("logfiles"), self.logfiles_value(slave)),
            (key("timeout"), seconds_value(self.timeout)),
            (key("maxTime"), seconds_value(self.max_time)),
            (key("logEnviron"), Value::Bool(self.log_environ)),
        ];
        // A worker asserts that this is a boolean; older slaves know a third value (PROTOCOL
        // section 9.6).
        let pty = match self.use_pty {
            Some(yes) => Value::Bool(yes),
            None if is_worker => {
                let wanted = slave.texts.get(super::slave::USE_PTY);
                Value::Bool(wanted.is_some_and(|wanted| wanted == "1"))
            }
            None => style.value("slave-config"),
        };
        dict.push((key("usePTY"), pty));
        if can_hide_words {
            dict.push((key("sigtermTime"), seconds_value(self.sigterm_time)));
        }
        if let Some(signal) = &self.interrupt_signal {
            dict.push((key("interruptSignal"), style.value(signal)));
        }
        if let Some(lines) = self.max_lines {
            let lines = i64::try_from(lines).unwrap_or(i64::MAX);
            dict.push((key("max_lines"), Value::Int(lines)));
        }
        // Slaves that announce no commands are from before 0.5 and call it so.
        if slave.commands.is_empty() && !is_worker {
            dict.push((key("dir"), workdir));
        }
        Value::Dict(dict)
    }

    fn command_value(&self, slave: &SlaveInfo, can_hide_words: bool) -> Value {
        let style = slave.style;
        let word = |word: &Word<T>| match word {
            Word::Obfuscated { real, shown } if can_hide_words => Value::Tuple(vec![
                style.value("obfuscated"),
                style.raw(real.as_ref()),
                style.raw(shown.as_ref()),
            ]),
            Word::Plain(word) | Word::Obfuscated { real: word, .. } => style.raw(word.as_ref()),
        };
        match &self.command {
            ShellCommand::Line(line) => style.raw(line.as_ref()),
            ShellCommand::Words(words) => Value::List(words.iter().map(word).collect()),
        }
    }

    fn env_value(&self, slave: &SlaveInfo) -> Value {
        let style = slave.style;
        let pairs = self.env.iter().map(|(name, value)| {
            let value = match value.as_ref().map(AsRef::as_ref) {
                None => Value::None,
                // The slave joins them, for it knows how.
                Some(list) if list.contains(&SEPARATOR) => {
                    let parts = list.split(|byte| *byte == SEPARATOR);
                    Value::List(parts.map(|part| style.raw(part)).collect())
                }
                Some(text) => style.raw(text),
            };
            (style.raw(name.as_ref()), value)
        });
        let is_set = |variable: &PromptVariable| {
            let name = variable.name().as_bytes();
            let mut given = self.env.iter();
            slave.prompts.contains(variable) || given.any(|(known, _)| known.as_ref() == name)
        };
        let defaults = self.default_env.iter().filter(|variable| {
            let mut names = variable.unless.iter().chain([&variable.name]);
            !names.any(is_set)
        });
        let defaults = defaults.map(|v| (style.value(v.name.name()), style.value(v.value)));
        Value::Dict(pairs.chain(defaults).collect())
    }

    fn logfiles_value(&self, slave: &SlaveInfo) -> Value {
        let style = slave.style;
        let pairs = self.logfiles.iter().map(|file| {
            let path = style.raw(file.path.as_ref());
            let value = match file.follow {
                true => Value::Dict(vec![
                    (style.value("filename"), path),
                    (style.value("follow"), Value::Bool(true)),
                ]),
                false => path,
            };
            (style.value(&file.name), value)
        });
        Value::Dict(pairs.collect())
    }
}

impl ShellArgs<Bytes> {
    /// Reads the dictionary that a master sends; texts as bytes or unicode, flags as booleans or
    /// integers.
    ///
    /// # Errors
    /// A required argument is missing, or one has another type.
    pub fn from_value(value: &Value) -> Result<Self, ShellError> {
        if value.as_dict().is_none() {
            return Err(Malformed::wrong("arguments", "a dictionary").into());
        }
        let command = given(value, "command").ok_or_else(|| Malformed::missing("command"))?;
        let workdir = given(value, "workdir").or_else(|| given(value, "dir"));
        let workdir = workdir.ok_or_else(|| Malformed::missing("workdir"))?;
        Ok(Self {
            command: command_from(command)?,
            workdir: raw(workdir, "workdir")?,
            env: env_from(given(value, "env"))?,
            default_env: Vec::new(),
            initial_stdin: given(value, "initial_stdin")
                .map(|v| raw(v, "initial_stdin"))
                .transpose()?,
            want_stdout: flag(value, "want_stdout")?.unwrap_or(true),
            want_stderr: flag(value, "want_stderr")?.unwrap_or(true),
            logfiles: logfiles_from(given(value, "logfiles"))?,
            timeout: seconds(value, "timeout")?,
            max_time: seconds(value, "maxTime")?,
            sigterm_time: seconds(value, "sigtermTime")?,
            interrupt_signal: given(value, "interruptSignal")
                .map(|v| text(v, "interruptSignal"))
                .transpose()?,
            use_pty: match given(value, "usePTY") {
                Some(v) if v.as_raw().is_some() => None, // "slave-config"
                Some(_) | None => flag(value, "usePTY")?,
            },
            log_environ: flag(value, "logEnviron")?.unwrap_or(true),
            max_lines: given(value, "max_lines")
                .map(|v| {
                    let lines = v.as_int().and_then(|lines| u64::try_from(lines).ok());
                    lines.ok_or_else(|| Malformed::wrong("max_lines", "a number"))
                })
                .transpose()?,
        })
    }
}

/// [`PATH_SEPARATOR`] as a byte.
const SEPARATOR: u8 = PATH_SEPARATOR.as_bytes()[0];

/// Whole seconds go as an integer, as masters send them, so that headers read "1200 secs".
fn seconds_value(seconds: Option<f64>) -> Value {
    match seconds {
        None => Value::None,
        Some(s) if s.fract() == 0.0 && s.abs() < 1e9 => {
            #[expect(clippy::cast_possible_truncation, reason = "whole and below 1e9")]
            let whole = s as i64;
            Value::Int(whole)
        }
        Some(s) => Value::Float(s),
    }
}

/// The value of `key`; `None` on the wire is the same as absent.
fn given<'v>(dict: &'v Value, key: &str) -> Option<&'v Value> {
    dict.get(key)
        .filter(|v| !matches!(v.unshared(), Value::None))
}

fn raw(value: &Value, place: &str) -> Result<Bytes, Malformed> {
    let raw = value.as_raw().cloned();
    raw.ok_or_else(|| Malformed::wrong(place, "a string"))
}

fn text(value: &Value, place: &str) -> Result<String, Malformed> {
    raw(value, place).map(|raw| String::from_utf8_lossy(&raw).into_owned())
}

fn flag(dict: &Value, key: &str) -> Result<Option<bool>, Malformed> {
    given(dict, key)
        .map(|v| v.as_flag().ok_or_else(|| Malformed::wrong(key, "a flag")))
        .transpose()
}

fn seconds(dict: &Value, key: &str) -> Result<Option<f64>, Malformed> {
    given(dict, key)
        .map(|v| {
            v.as_float()
                .filter(|s| s.is_finite() && *s >= 0.0)
                .ok_or_else(|| Malformed::wrong(key, "a number of seconds"))
        })
        .transpose()
}

fn command_from(value: &Value) -> Result<ShellCommand<Bytes>, Malformed> {
    let wrong = || Malformed::wrong("command", "a string or a list of strings");
    let Some(items) = value.as_items() else {
        let line = value.as_raw().cloned().ok_or_else(wrong)?;
        return Ok(ShellCommand::Line(line));
    };
    if items.len() > MAX_ENTRIES {
        return Err(Malformed::too_many("command", MAX_ENTRIES, "words"));
    }
    let word = |item: &Value| match (item.as_raw(), item.as_items()) {
        (Some(word), _) => Ok(Word::Plain(word.clone())),
        (None, Some([tag, real, shown])) if tag.as_raw().is_some_and(|t| t == "obfuscated") => {
            Ok(Word::Obfuscated {
                real: raw(real, "command")?,
                shown: raw(shown, "command")?,
            })
        }
        (None, Some(_) | None) => Err(wrong()),
    };
    match items {
        [] => Err(wrong()),
        items => {
            let words = items.iter().map(word).collect::<Result<_, _>>()?;
            Ok(ShellCommand::Words(words))
        }
    }
}

type Environment = Vec<(Bytes, Option<Bytes>)>;

fn env_from(value: Option<&Value>) -> Result<Environment, ShellError> {
    let Some(value) = value else {
        return Ok(Vec::new());
    };
    let wrong = || Malformed::wrong("env", "a dictionary");
    let pairs = value.as_dict().ok_or_else(wrong)?;
    if pairs.len() > MAX_ENTRIES {
        return Err(Malformed::too_many("env", MAX_ENTRIES, "variables").into());
    }
    let pair = |(name, value): &(Value, Value)| {
        let name = name.as_raw().cloned().unwrap_or_default();
        let wrong = || ShellError::Variable(String::from_utf8_lossy(&name).into_owned());
        if name.is_empty() || name.contains(&b'=') {
            return Err(wrong());
        }
        let value = match (value.unshared(), value.as_raw(), value.as_items()) {
            (Value::None, _, _) => None,
            (_, Some(text), _) => Some(text.clone()),
            (_, _, Some(parts)) => {
                let part = |part: &Value| part.as_raw().map(|raw| raw.to_vec());
                let parts: Option<Vec<_>> = parts.iter().map(part).collect();
                let parts = parts.ok_or_else(wrong)?;
                Some(parts.join(&SEPARATOR).into())
            }
            (_, None, None) => return Err(wrong()),
        };
        Ok((name, value))
    };
    pairs.iter().map(pair).collect()
}

fn logfiles_from(value: Option<&Value>) -> Result<Vec<LogFile<Bytes>>, Malformed> {
    let Some(value) = value else {
        return Ok(Vec::new());
    };
    let wrong = || Malformed::wrong("logfiles", "a dictionary of names and files");
    let pairs = value.as_dict().ok_or_else(wrong)?;
    if pairs.len() > MAX_ENTRIES {
        return Err(Malformed::too_many("logfiles", MAX_ENTRIES, "files"));
    }
    let file = |(name, file): &(Value, Value)| {
        let (path, follow) = match file.as_dict() {
            None => (file, false),
            Some(_) => {
                let path = given(file, "filename");
                let path = path.ok_or_else(|| Malformed::missing("filename"))?;
                (path, flag(file, "follow")?.unwrap_or(false))
            }
        };
        Ok(LogFile {
            name: text(name, "logfiles")?,
            path: raw(path, "logfiles")?,
            follow,
        })
    };
    pairs.iter().map(file).collect()
}

#[cfg(test)]
mod tests;
