//! Arguments of `shell` on the wire, both ends (PROTOCOL section 10.2).

use crate::model::PATH_SEPARATOR;
use crate::pb::Value;

use super::command::{PromptVariable, ShellCommand, Word};
use super::{Malformed, ShellArgs, SlaveInfo};

/// Most entries of the environment, of the words and of the followed files together with what a real system could
/// start anyway: `execve` takes 2 MiB of arguments on Linux.
const MAX_ENTRIES: usize = 65_536;

impl ShellArgs {
    /// The dictionary for `slave`: its spelling of texts, and only what its version can do.
    #[must_use]
    pub fn to_value(&self, slave: &SlaveInfo) -> Value {
        let style = slave.style;
        let key = |name: &str| style.value(name);
        let is_worker = slave.is_worker || slave.command_is_at_least("shell", "3.0");
        let can_hide_words = is_worker || slave.command_is_at_least("shell", "2.16");
        let workdir = style.value(&self.workdir);
        let mut dict = vec![
            (key("command"), self.command_value(slave, can_hide_words)),
            (key("workdir"), workdir.clone()),
            (key("env"), self.env_value(slave)),
            (key("initial_stdin"), self.stdin_value(slave)),
            (key("want_stdout"), Value::Bool(self.want_stdout)),
            (key("want_stderr"), Value::Bool(self.want_stderr)),
            (key("logfiles"), self.logfiles_value(slave)),
            (key("timeout"), seconds_value(self.timeout)),
            (key("maxTime"), seconds_value(self.max_time)),
            (key("logEnviron"), Value::Bool(self.log_environ)),
        ];
        // A worker asserts that this is a boolean; older slaves know a third value (PROTOCOL section 9.6).
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
            dict.push((
                key("max_lines"),
                Value::Int(i64::try_from(lines).unwrap_or(i64::MAX)),
            ));
        }
        // Slaves that announce no commands are from before 0.5 and call it so.
        if slave.commands.is_empty() && !is_worker {
            dict.push((key("dir"), workdir));
        }
        Value::Dict(dict)
    }

    /// Reads the dictionary that a master sends; texts as bytes or unicode, flags as booleans or integers.
    ///
    /// # Errors
    /// A required argument is missing, one has another type, or a text that the system must understand is not UTF-8.
    pub fn from_value(value: &Value) -> Result<Self, Malformed> {
        if value.as_dict().is_none() {
            return Err(Malformed::wrong("arguments", "a dictionary"));
        }
        let workdir = given(value, "workdir").or_else(|| given(value, "dir"));
        Ok(Self {
            command: command_from(
                given(value, "command").ok_or_else(|| Malformed::missing("command"))?,
            )?,
            workdir: text(
                workdir.ok_or_else(|| Malformed::missing("workdir"))?,
                "workdir",
            )?,
            env: env_from(given(value, "env"))?,
            default_env: Vec::new(),
            initial_stdin: given(value, "initial_stdin")
                .map(|v| {
                    v.as_raw()
                        .cloned()
                        .ok_or_else(|| Malformed::wrong("initial_stdin", "a text"))
                })
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
                _ => flag(value, "usePTY")?,
            },
            log_environ: flag(value, "logEnviron")?.unwrap_or(true),
            max_lines: given(value, "max_lines")
                .map(|v| {
                    v.as_int()
                        .and_then(|lines| u64::try_from(lines).ok())
                        .ok_or_else(|| Malformed::wrong("max_lines", "a number"))
                })
                .transpose()?,
        })
    }

    fn command_value(&self, slave: &SlaveInfo, can_hide_words: bool) -> Value {
        let style = slave.style;
        match &self.command {
            ShellCommand::Line(line) => style.value(line),
            ShellCommand::Words(words) => Value::List(
                words
                    .iter()
                    .map(|word| match word {
                        Word::Plain(word) => style.value(word),
                        Word::Obfuscated { real, shown } if can_hide_words => Value::Tuple(vec![
                            style.value("obfuscated"),
                            style.value(real),
                            style.value(shown),
                        ]),
                        Word::Obfuscated { real, .. } => style.value(real),
                    })
                    .collect(),
            ),
        }
    }

    fn env_value(&self, slave: &SlaveInfo) -> Value {
        let style = slave.style;
        let pairs = self.env.iter().map(|(name, value)| {
            let value = match value.as_deref() {
                None => Value::None,
                // The slave joins them, for it knows how.
                Some(list) if list.contains(PATH_SEPARATOR) => {
                    let parts = list.split(PATH_SEPARATOR).map(|part| style.value(part));
                    Value::List(parts.collect())
                }
                Some(text) => style.value(text),
            };
            (style.value(name), value)
        });
        let is_set = |variable: &PromptVariable| {
            let mut given = self.env.iter();
            slave.prompts.contains(variable) || given.any(|(name, _)| name == variable.name())
        };
        let defaults = self.default_env.iter().filter(|variable| {
            let mut names = variable.unless.iter().chain([&variable.name]);
            !names.any(is_set)
        });
        let defaults = defaults.map(|v| (style.value(v.name.name()), style.value(v.value)));
        Value::Dict(pairs.chain(defaults).collect())
    }

    fn stdin_value(&self, slave: &SlaveInfo) -> Value {
        match &self.initial_stdin {
            None => Value::None,
            Some(bytes) => match (slave.style, std::str::from_utf8(bytes)) {
                (super::TextStyle::Unicode, Ok(_)) => Value::Text(bytes.clone()),
                _ => Value::Bytes(bytes.clone()),
            },
        }
    }

    fn logfiles_value(&self, slave: &SlaveInfo) -> Value {
        let style = slave.style;
        let pairs = self.logfiles.iter().map(|(name, path, follow)| {
            let file = if *follow {
                Value::Dict(vec![
                    (style.value("filename"), style.value(path)),
                    (style.value("follow"), Value::Bool(true)),
                ])
            } else {
                style.value(path)
            };
            (style.value(name), file)
        });
        Value::Dict(pairs.collect())
    }
}

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

fn text(value: &Value, place: &str) -> Result<String, Malformed> {
    let raw = value
        .as_raw()
        .ok_or_else(|| Malformed::wrong(place, "a text"))?;
    String::from_utf8(raw.to_vec()).map_err(|_| Malformed::wrong(place, "UTF-8"))
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

fn command_from(value: &Value) -> Result<ShellCommand, Malformed> {
    let Some(items) = value.as_items() else {
        return text(value, "command").map(ShellCommand::Line);
    };
    if items.len() > MAX_ENTRIES {
        return Err(Malformed::too_many("command", MAX_ENTRIES, "words"));
    }
    let word = |item: &Value| match item.as_items() {
        None => text(item, "command").map(Word::Plain),
        Some([tag, real, shown]) if tag.as_raw().is_some_and(|t| t.as_ref() == b"obfuscated") => {
            Ok(Word::Obfuscated {
                real: text(real, "command")?,
                shown: text(shown, "command")?,
            })
        }
        Some(_) => Err(Malformed::wrong("command", "words")),
    };
    items
        .iter()
        .map(word)
        .collect::<Result<_, _>>()
        .map(ShellCommand::Words)
}

fn env_from(value: Option<&Value>) -> Result<Vec<(String, Option<String>)>, Malformed> {
    let Some(value) = value else {
        return Ok(Vec::new());
    };
    let pairs = value
        .as_dict()
        .ok_or_else(|| Malformed::wrong("env", "a dictionary"))?;
    if pairs.len() > MAX_ENTRIES {
        return Err(Malformed::too_many("env", MAX_ENTRIES, "variables"));
    }
    let pair = |(name, value): &(Value, Value)| {
        let name = text(name, "env")?;
        let wanted = "a text, a list of texts or None";
        let place = format!("env[{name:?}]");
        let value = match (value.unshared(), value.as_items()) {
            (Value::None, _) => None,
            // As Python slaves do, for PATH and its like.
            (_, Some(parts)) => Some(
                parts
                    .iter()
                    .map(|part| text(part, &place))
                    .collect::<Result<Vec<_>, _>>()?
                    .join(":"),
            ),
            (other, None) if other.as_raw().is_some() => Some(text(other, &place)?),
            _ => return Err(Malformed::wrong(&place, wanted)),
        };
        Ok((name, value))
    };
    pairs.iter().map(pair).collect()
}

fn logfiles_from(value: Option<&Value>) -> Result<Vec<(String, String, bool)>, Malformed> {
    let Some(value) = value else {
        return Ok(Vec::new());
    };
    let pairs = value
        .as_dict()
        .ok_or_else(|| Malformed::wrong("logfiles", "a dictionary"))?;
    if pairs.len() > MAX_ENTRIES {
        return Err(Malformed::too_many("logfiles", MAX_ENTRIES, "files"));
    }
    let pair = |(name, file): &(Value, Value)| {
        let name = text(name, "logfiles")?;
        if file.as_dict().is_none() {
            return Ok((name, text(file, "logfiles")?, false));
        }
        let path = given(file, "filename").ok_or_else(|| Malformed::missing("filename"))?;
        let follow = flag(file, "follow")?.unwrap_or(false);
        Ok((name, text(path, "filename")?, follow))
    };
    pairs.iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::collections::BTreeSet;
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::protocol::TextStyle;
    use crate::protocol::command::DefaultVariable;

    fn slave(style: TextStyle, version: &str) -> SlaveInfo {
        SlaveInfo {
            texts: Arc::default(),
            prompts: BTreeSet::new(),
            commands: Arc::new([("shell".to_owned(), version.to_owned())].into()),
            style,
            is_worker: style == TextStyle::Unicode,
        }
    }

    fn args() -> ShellArgs {
        ShellArgs {
            command: ShellCommand::Words(vec![
                Word::Plain("login".into()),
                Word::Obfuscated {
                    real: "sécret".into(),
                    shown: "XX".into(),
                },
            ]),
            workdir: "build".into(),
            env: vec![("A".into(), Some("é".into())), ("B".into(), None)],
            default_env: Vec::new(),
            initial_stdin: Some(Bytes::from_static(b"in\n")),
            want_stdout: true,
            want_stderr: false,
            logfiles: vec![
                ("tail".into(), "tail.log".into(), false),
                ("more".into(), "more.log".into(), true),
            ],
            timeout: Some(1200.0),
            max_time: Some(1.5),
            sigterm_time: None,
            interrupt_signal: Some("TERM".into()),
            use_pty: None,
            log_environ: false,
            max_lines: Some(10),
        }
    }

    #[test]
    fn what_goes_out_comes_back_for_slaves_and_workers() {
        for info in [
            slave(TextStyle::Bytes, "2.16"),
            slave(TextStyle::Unicode, "3.3"),
        ] {
            let back = ShellArgs::from_value(&args().to_value(&info)).unwrap();
            let mut want = args();
            if info.is_worker {
                want.use_pty = Some(false);
            }
            assert_eq!(back, want);
        }
    }

    #[test]
    fn pty_is_a_word_for_slaves_and_a_flag_for_workers() {
        let value = args().to_value(&slave(TextStyle::Bytes, "2.16"));
        assert_eq!(value.get("usePTY"), Some(&Value::bytes("slave-config")));
        let value = args().to_value(&slave(TextStyle::Unicode, "3.0"));
        assert_eq!(value.get("usePTY"), Some(&Value::Bool(false)));
        let mut native = slave(TextStyle::Unicode, "3.3");
        for (wanted, given) in [("0", false), ("1", true)] {
            native.texts = Arc::new([("usepty".to_owned(), wanted.to_owned())].into());
            let value = args().to_value(&native);
            assert_eq!(value.get("usePTY"), Some(&Value::Bool(given)));
        }
    }

    #[test]
    fn old_slaves_get_plain_words_and_no_sigterm_time() {
        let value = args().to_value(&slave(TextStyle::Bytes, "2.9"));
        assert_eq!(
            value.get("command"),
            Some(&Value::List(vec![
                Value::bytes("login"),
                Value::bytes("sécret")
            ]))
        );
        assert_eq!(value.get("sigtermTime"), None);
        assert_eq!(value.get("dir"), None);
    }

    #[test]
    fn seconds_are_whole_where_they_can_be() {
        let value = args().to_value(&slave(TextStyle::Bytes, "2.16"));
        assert_eq!(value.get("timeout"), Some(&Value::Int(1200)));
        assert_eq!(value.get("maxTime"), Some(&Value::Float(1.5)));
    }

    #[test]
    fn binary_input_stays_bytes_for_workers() {
        let mut args = args();
        args.initial_stdin = Some(Bytes::from_static(b"\xff"));
        let value = args.to_value(&slave(TextStyle::Unicode, "3.3"));
        assert_eq!(value.get("initial_stdin"), Some(&Value::bytes(b"\xff")));
    }

    #[test]
    fn env_lists_are_joined_and_other_values_refused() {
        let dict = |env: Value| {
            Value::Dict(vec![
                (Value::bytes("command"), Value::text("ls")),
                (Value::bytes("workdir"), Value::text(".")),
                (
                    Value::bytes("env"),
                    Value::Dict(vec![(Value::bytes("L"), env)]),
                ),
            ])
        };
        let list = Value::List(vec![Value::bytes("/a"), Value::text("/b")]);
        let args = ShellArgs::from_value(&dict(list)).unwrap();
        assert_eq!(args.env, vec![("L".to_owned(), Some("/a:/b".to_owned()))]);
        let error = ShellArgs::from_value(&dict(Value::Int(1))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "env[\"L\"]: expected a text, a list of texts or None"
        );
    }

    #[test]
    fn env_lists_go_to_the_slave_as_lists() {
        let args = ShellArgs {
            env: vec![("PATH".into(), Some(format!("/a{PATH_SEPARATOR}${{PATH}}")))],
            ..args()
        };
        for style in [TextStyle::Bytes, TextStyle::Unicode] {
            let value = args.to_value(&slave(style, "3.3"));
            let list = Value::List(vec![style.value("/a"), style.value("${PATH}")]);
            assert_eq!(value.get("env").unwrap().get("PATH"), Some(&list));
        }
    }

    #[test]
    fn a_default_variable_gives_way_to_every_other() {
        const ASK: PromptVariable = PromptVariable::GitSshCommand;
        const OTHER: PromptVariable = PromptVariable::GitSsh;
        let variable = DefaultVariable {
            name: ASK,
            value: "no",
            unless: &[OTHER],
        };
        let sent = |env: &[(PromptVariable, Option<&str>)], own: &[PromptVariable]| {
            let mut slave = slave(TextStyle::Bytes, "2.16");
            slave.prompts.extend(own);
            let env = env
                .iter()
                .map(|(n, v)| (n.name().to_owned(), v.map(str::to_owned)));
            let args = ShellArgs {
                env: env.collect(),
                default_env: vec![variable],
                ..args()
            };
            args.to_value(&slave)
                .get("env")
                .unwrap()
                .get("GIT_SSH_COMMAND")
                .cloned()
        };
        assert_eq!(sent(&[], &[]), Some(Value::bytes("no")));
        assert_eq!(sent(&[(ASK, Some("x"))], &[]), Some(Value::bytes("x")));
        assert_eq!(sent(&[(ASK, None)], &[]), Some(Value::None));
        assert_eq!(sent(&[(OTHER, Some("x"))], &[]), None);
        assert_eq!(sent(&[], &[ASK]), None);
        assert_eq!(sent(&[], &[OTHER]), None);
    }

    #[test]
    fn missing_and_unreadable_arguments_are_named() {
        let error = ShellArgs::from_value(&Value::Dict(vec![])).unwrap_err();
        assert_eq!(error.to_string(), "command: missing");
        let dict = Value::Dict(vec![
            (Value::bytes("command"), Value::bytes(b"\xff")),
            (Value::bytes("workdir"), Value::text(".")),
        ]);
        let error = ShellArgs::from_value(&dict).unwrap_err();
        assert_eq!(error.to_string(), "command: expected UTF-8");
    }

    #[test]
    fn too_many_words_are_refused() {
        let dict = |n| {
            Value::Dict(vec![
                (
                    Value::bytes("command"),
                    Value::List(vec![Value::bytes("w"); n]),
                ),
                (Value::bytes("workdir"), Value::text(".")),
            ])
        };
        assert!(ShellArgs::from_value(&dict(MAX_ENTRIES)).is_ok());
        assert!(ShellArgs::from_value(&dict(MAX_ENTRIES + 1)).is_err());
    }
}
