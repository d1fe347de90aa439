//! `shell`: runs a program (PROTOCOL section 10.2).

use std::sync::Arc;

use bytes::Bytes;

use super::Context;
use super::args::{Args, RUNTIME_ERROR, os, path, under};
use super::process::{self, Kill, RunSpec};
use crate::buildslave::host::{blocking, strerror};
use crate::model::PATH_SEPARATOR;
use crate::pb::Failure;
use crate::platform::{HAS_TERMINALS, LIST_SEPARATOR, NO_TERMINALS, os_string, variable};
use crate::process::Environment;
use crate::protocol::{ShellArgs, ShellError};

/// A command that runs a program.
#[derive(Clone, Debug)]
pub(super) struct Shell {
    args: ShellArgs<Bytes>,
    kill: Kill,
}

impl Shell {
    /// Reads the arguments.
    ///
    /// # Errors
    /// A required argument is missing, or an argument is invalid.
    pub(super) fn parse(args: &Args<'_>) -> Result<Self, ShellRefusal> {
        // In Buildbot's order, because the first missing argument is reported.
        args.required("command")?;
        args.required("workdir")?;
        let wrong = |error: ShellError| match error {
            ShellError::Malformed(malformed) => ShellRefusal::AtStart(args.malformed(&malformed)),
            ShellError::Variable(_) => {
                ShellRefusal::Later(Failure::new(RUNTIME_ERROR, error.to_string()))
            }
        };
        let args_read = ShellArgs::from_value(args.dict()).map_err(wrong)?;
        let signal = args_read.interrupt_signal.as_deref().unwrap_or("KILL");
        let signal = process::signal(signal)
            .ok_or_else(|| args.wrong("interruptSignal", "the name of a signal"))?;
        let kill = Kill {
            // Zero means at once, not never.
            sigterm_time: args_read.sigterm_time,
            signal,
        };
        Ok(Self {
            args: args_read,
            kill,
        })
    }

    /// Runs it.
    ///
    /// # Errors
    /// The directory cannot be created, or a process cannot be killed.
    pub(super) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        let args = self.args;
        let workdir = under(&context.dir, &path(&args.workdir));
        let (host, dir) = (Arc::clone(&context.settings.host), workdir.clone());
        if let Err(error) = blocking(move || host.make_dirs(&dir)).await {
            let why = format!("{}: {}", strerror(&error), workdir.display());
            return Err(Failure::new("builtins.OSError", why));
        }
        let base = Arc::clone(&context.settings.environment.borrow());
        let mut environment = environment(&base, &args.env);
        environment.insert("PWD".into(), workdir.clone().into_os_string());
        let wants_pty = args.use_pty.unwrap_or(context.settings.use_pty);
        if args.use_pty == Some(true) && !HAS_TERMINALS {
            let note = format!("note: {NO_TERMINALS}, so this one gets pipes\n");
            context.outlet.header(note).await;
        } else if args.use_pty == Some(true) && args.initial_stdin.is_some() {
            let note = "note: a command with input does not get a pseudo terminal\n";
            context.outlet.header(note).await;
        }
        let spec = RunSpec {
            command: args.command,
            workdir,
            environment,
            // A program on a terminal could not see the end of its input.
            use_pty: wants_pty && HAS_TERMINALS && args.initial_stdin.is_none(),
            initial_stdin: args.initial_stdin,
            want_stdout: args.want_stdout,
            want_stderr: args.want_stderr,
            logfiles: args.logfiles,
            timeout: unless_zero(args.timeout),
            max_time: unless_zero(args.max_time),
            max_lines: args.max_lines,
            kill: self.kill,
            log_environ: args.log_environ,
            says_rc: true,
        };
        process::run(spec, context).await.map(|_| ())
    }
}

/// How a command with wrong arguments fails.
#[derive(Debug)]
pub(super) enum ShellRefusal {
    /// Its start is answered with this failure.
    AtStart(Failure),
    /// It starts, and then fails.
    Later(Failure),
}

impl From<Failure> for ShellRefusal {
    fn from(failure: Failure) -> Self {
        Self::AtStart(failure)
    }
}

/// Seconds; zero counts as absent.
fn unless_zero(seconds: Option<f64>) -> Option<f64> {
    seconds.filter(|seconds| *seconds > 0.0)
}

/// The environment of a command: `base` with the changes of the master (section 10.2).
pub(super) fn environment(base: &Environment, wanted: &[(Bytes, Option<Bytes>)]) -> Environment {
    let mut environment = base.clone();
    for (name, value) in wanted {
        let name = variable(os(name));
        let Some(value) = value else {
            environment.remove(&name);
            continue;
        };
        let parts: Vec<_> = value.split(|b| PATH_SEPARATOR.as_bytes() == [*b]).collect();
        let mut text = parts.join(&LIST_SEPARATOR);
        if name == "PYTHONPATH" {
            text.push(LIST_SEPARATOR);
            text.extend(b"${PYTHONPATH}");
        }
        let text = os_string(expand(&text, base));
        environment.insert(name, text);
    }
    environment
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
            if let Some(value) = base.get(&variable(os(name))) {
                out.extend(value.as_encoded_bytes());
            }
            rest = tail.strip_prefix(b"}").unwrap_or(tail);
        } else {
            out.push(first);
            rest = after;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Environment {
        let pairs = [("HOME", "/home/bb"), ("PATH", "/bin"), ("PYTHONPATH", "/p")];
        pairs.map(|(k, v)| (k.into(), v.into())).into()
    }

    fn check(wanted: &[(&str, Option<&str>)], expect: &[(&str, &str)]) {
        let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        let wanted: Vec<_> = wanted
            .iter()
            .map(|(name, value)| (bytes(name), value.map(bytes)))
            .collect();
        let found = environment(&base(), &wanted);
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
        let list = ["/x", "${PATH}"].join(PATH_SEPARATOR);
        check(
            &[
                ("HOME", None),
                ("PATH", Some(&list)),
                ("A", Some("${HOME}/${NOPE}$HOME ${a-b}")),
                ("PYTHONPATH", Some("/q")),
            ],
            &[
                ("A", "/home/bb/$HOME ${a-b}"),
                ("PATH", "/x:/bin"),
                ("PYTHONPATH", "/q:/p"),
            ],
        );
    }
}
