//! `ShellCommand`: one command on the slave, judged by its exit status (STP-05, STP-06).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::build::command::{Listening, Report};
use crate::build::render::{Unrendered, Values, render, render_words};
use crate::build::step::{Performed, STDIO, StepRun};
use crate::config::CommandWords;
use crate::config::{ShellStepConfig, StepConfig, Template};
use crate::model::Results;
use crate::protocol::{CommandArgs, LogFile, ShellArgs, ShellCommand, Word};

/// Runs the step.
pub(in crate::build) async fn perform(
    step: &mut StepRun<'_>,
    config: &ShellStepConfig,
) -> Performed {
    match run(step, config, 0).await {
        Ok((_, performed)) | Err(performed) => performed,
    }
}

/// Runs the command of a step. Answers what is known of it when it is complete, with at most
/// `collect` bytes of its output, and how the step ends by it; else only that.
pub(super) async fn run(
    step: &mut StepRun<'_>,
    config: &ShellStepConfig,
    collect: usize,
) -> Result<(Report, Performed), Performed> {
    let prepared = match prepare(step, config) {
        Ok(prepared) => prepared,
        Err(problem) => {
            let problem = format!("step '{}': {problem}\n", step.name);
            return Err(Performed::Raised(problem));
        }
    };
    let mut logs = vec![STDIO];
    let followed = config.logfiles.iter().map(|(name, _, _)| name);
    if config.lazy_logfiles {
        step.logs.lazy = followed.cloned().collect();
    } else {
        logs.extend(followed.map(String::as_str));
    }
    step.begin(prepared.doing, prepared.done, &logs).await;
    if !config.log_environ {
        step.logs.note(ENVIRONMENT_HIDDEN.to_owned()).await;
    }
    let args = CommandArgs::Shell(Box::new(prepared.args));
    let listening = Listening {
        collect,
        ..Listening::default()
    };
    let report = step.complete_heard(&args, listening).await?;
    let performed = Performed::Ended {
        result: judge(config, report.rc),
        detail: detail(&report),
    };
    Ok((report, performed))
}

/// Says how the log comes to have what it does not show.
pub(super) const ENVIRONMENT_HIDDEN: &str =
    "environment not shown; log_environ = true in the step shows it\n";

/// The result of a command that is complete. Without an exit status it has failed.
fn judge(config: &ShellStepConfig, rc: Option<i64>) -> Results {
    let Some(rc) = rc else {
        return Results::Failure;
    };
    match config.decode_rc.get(&rc) {
        Some(result) => *result,
        None if rc == 0 => Results::Success,
        None => Results::Failure,
    }
}

fn detail(report: &Report) -> Vec<String> {
    match report.failure_reason.as_deref() {
        Some("timeout" | "timeout_without_output") => vec!["(timed out)".to_owned()],
        Some("max_lines_failure") => vec!["(max lines reached)".to_owned()],
        Some(_) | None => Vec::new(),
    }
}

/// A setting cannot be rendered.
#[derive(Debug, thiserror::Error)]
#[error("{setting}: {source}")]
pub(super) struct Unrenderable {
    /// Which setting.
    setting: String,
    source: Unrendered,
}

/// A step with its properties put in.
struct Prepared {
    args: ShellArgs,
    doing: Vec<String>,
    done: Vec<String>,
}

fn prepare(step: &StepRun<'_>, config: &ShellStepConfig) -> Result<Prepared, Unrenderable> {
    let values = step.values();
    let builder_env = &step.around.plan.builder.env;
    let args = arguments(config, builder_env, values)?;
    Ok(Prepared {
        doing: describe(step.config, &args.command, false, values)?,
        done: describe(step.config, &args.command, true, values)?,
        args,
    })
}

pub(super) fn put_in(
    template: &Template,
    values: Values<'_>,
    what: &str,
) -> Result<String, Unrenderable> {
    render(template, values).map_err(|source| Unrenderable {
        setting: what.to_owned(),
        source,
    })
}

/// The arguments of the remote command (PROTOCOL section 10.2).
fn arguments(
    config: &ShellStepConfig,
    builder_env: &BTreeMap<String, Option<Template>>,
    values: Values<'_>,
) -> Result<ShellArgs, Unrenderable> {
    let command = match &config.command {
        CommandWords::Line(line) => ShellCommand::Line(put_in(line, values, "command")?),
        CommandWords::Words(words) => ShellCommand::Words(put_in_words(words, values)?),
    };
    let initial_stdin = match &config.initial_stdin {
        Some(text) => Some(put_in(text, values, "initial_stdin")?.into()),
        None => None,
    };
    let logfiles = config.logfiles.iter().map(|(name, path, follow)| {
        let path = put_in(path, values, &format!("logfiles, {name}"))?;
        Ok(LogFile {
            name: name.clone(),
            path,
            follow: *follow,
        })
    });
    let workdir = put_in(&config.workdir, values, "workdir")?;
    Ok(ShellArgs {
        env: merged_env(builder_env, &config.env, values)?,
        initial_stdin,
        want_stdout: config.want_stdout,
        want_stderr: config.want_stderr,
        logfiles: logfiles.collect::<Result<_, _>>()?,
        timeout: config.timeout.as_ref().map(Duration::as_secs_f64),
        max_time: config.max_time.as_ref().map(Duration::as_secs_f64),
        sigterm_time: config.sigterm_time.as_ref().map(Duration::as_secs_f64),
        interrupt_signal: config.interrupt_signal.clone(),
        use_pty: config.use_pty,
        log_environ: config.log_environ,
        max_lines: config.max_lines,
        ..ShellArgs::new(command, workdir)
    })
}

/// The words of a command.
pub(super) fn put_in_words(
    words: &[(Template, Option<String>)],
    values: Values<'_>,
) -> Result<Vec<Word>, Unrenderable> {
    let mut all = Vec::with_capacity(words.len());
    for (word, shown) in words {
        if let Some(shown) = shown {
            all.push(Word::Obfuscated {
                real: put_in(word, values, "command")?,
                shown: shown.clone(),
            });
            continue;
        }
        let words = render_words(word, values).map_err(|source| Unrenderable {
            setting: "command".to_owned(),
            source,
        })?;
        all.extend(words.into_iter().map(Word::Plain));
    }
    if all.is_empty() {
        return Err(Unrenderable {
            setting: "command".to_owned(),
            source: Unrendered::NoWords,
        });
    }
    Ok(all)
}

/// The builder's environment, overridden by the step's (BUI-16), in order of name.
pub(super) fn merged_env(
    builder: &BTreeMap<String, Option<Template>>,
    step: &BTreeMap<String, Option<Template>>,
    values: Values<'_>,
) -> Result<Vec<(String, Option<String>)>, Unrenderable> {
    let mut merged: BTreeMap<_, _> = builder.iter().collect();
    merged.extend(step);
    merged
        .into_iter()
        .map(|(name, value)| {
            let value = match value {
                Some(text) => Some(put_in(text, values, &format!("env, {name}"))?),
                None => None,
            };
            Ok((name.clone(), value))
        })
        .collect()
}

/// What the step does, or, when `done`, what it did: as configured, else from the command (STP-06).
pub(super) fn describe(
    config: &StepConfig,
    command: &ShellCommand,
    done: bool,
    values: Values<'_>,
) -> Result<Vec<String>, Unrenderable> {
    let put_all_in = |texts: &[Template], what| {
        let texts = texts.iter().map(|text| put_in(text, values, what));
        texts.collect::<Result<Vec<_>, _>>()
    };
    let mut text = match (&config.description_done, &config.description) {
        (Some(texts), _) if done => put_all_in(texts, "description_done")?,
        (_, Some(texts)) => put_all_in(texts, "description")?,
        (_, None) => describe_command(command),
    };
    if let Some(suffix) = &config.description_suffix {
        text.extend(put_all_in(suffix, "description_suffix")?);
    }
    Ok(text)
}

/// The first words of a command in quotes; never the real text of an obfuscated word (LOG-06).
fn describe_command(command: &ShellCommand) -> Vec<String> {
    let words: Vec<&str> = match command {
        ShellCommand::Line(line) => line.split_whitespace().take(3).collect(),
        ShellCommand::Words(words) => words
            .iter()
            .take(3)
            .map(|word| word.shown().as_str())
            .collect(),
    };
    match words.as_slice() {
        [] => vec!["???".to_owned()],
        [one] => vec![format!("'{one}'")],
        [one, two] => vec![format!("'{one}"), format!("{two}'")],
        [one, two, ..] => vec![format!("'{one}"), (*two).to_owned(), "...'".to_owned()],
    }
}

#[cfg(test)]
mod tests;
