//! `ShellCommand`: one command on the slave, judged by its exit status (STP-05, STP-06).

mod output;
mod preparing;
mod release;
mod report_texts;
mod reports;
mod sequence;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use self::output::{Ended, Findings, Reads};
use crate::build::command::{Listening, Report};
use crate::build::lines::LineObserver;
use crate::build::render::{Unrendered, Values, render, render_variables, render_words};
use crate::build::step::{Performed, StepRun};
use crate::build::steplogs::STDIO;
use crate::config::{ChangedFiles, CommandWords, Environment, ExitCode, OutputReader, SearchPath};
use crate::config::{RepositoryConfig, ShellStepConfig, StepConfig, Template};
use crate::model::{PATH_SEPARATOR, Results, SourceStamps};
use crate::protocol::{CommandArgs, LogFile, ShellArgs, ShellCommand, Word};

/// Runs the step.
pub(in crate::build) async fn perform(
    step: &mut StepRun<'_>,
    config: &ShellStepConfig,
) -> Performed {
    match run(step, config, 0).await {
        Ok((_, ended)) | Err(ended) => ended,
    }
}

/// Runs the command of a step. Answers what is known of it when it is complete, with at least
/// `collect` bytes of its output, and how the step ends by it; else only that.
pub(super) async fn run(
    step: &mut StepRun<'_>,
    config: &ShellStepConfig,
    collect: usize,
) -> Result<(Report, Performed), Performed> {
    if !config.sequence.is_empty() {
        let ended = sequence::run(step, config).await?;
        return Ok((Report::default(), ended));
    }
    let prepared = prepare(step, config).map_err(|problem| raised(step, &problem))?;
    let Prepared {
        mut args,
        doing,
        done,
    } = prepared;
    if let Some(changed) = &config.changed_files {
        let files = words_of(changed, &step.around.plan.stamps);
        if files.is_empty() && changed.needed {
            step.begin(doing, done, &[]).await;
            let skipped = Performed::Ended {
                result: Results::Skipped,
                detail: Vec::new(),
            };
            return Ok((Report::default(), skipped));
        }
        if changed.needed {
            let list = files.join("\n") + "\n";
            step.begin(doing.clone(), done.clone(), &[]).await;
            step.logs.add("files", list.into()).await;
        }
        if let ShellCommand::Words(words) = &mut args.command {
            words.extend(files.into_iter().map(Word::Plain));
        }
    }
    let further = if preparing::is_needed(config) {
        step.begin(doing.clone(), done.clone(), &[]).await;
        preparing::prepare(step, config, &args).await?
    } else {
        Vec::new()
    };
    if let Some(counter) = &config.release {
        release::add(step, counter, &mut args.command).await?;
    }
    open_logs(step, config, (doing, done), STDIO).await;
    let mut reader = output::reader(&config.reader, further);
    let mut taps = reports::taps(step, config);
    let listening = Listening {
        collect: collect.max(output::collects(&config.reader)),
        lines: reader
            .as_deref_mut()
            .map(|reader| reader as &mut dyn LineObserver),
        taps: taps.as_mut(),
        ..Listening::default()
    };
    let args = CommandArgs::Shell(Box::new(args));
    let report = step.complete_heard(&args, listening).await?;
    let ended = conclude(step, config, &report, reader).await?;
    let ended = reports::judge(step, config, (taps, report.rc), ended).await?;
    Ok((report, ended))
}

/// Tells what the step does and will have done, and opens its logs, of which `first` is that of its
/// command.
async fn open_logs(
    step: &mut StepRun<'_>,
    config: &ShellStepConfig,
    (doing, done): (Vec<String>, Vec<String>),
    first: &str,
) {
    let mut logs = vec![first];
    let followed = config.logfiles.iter().map(|(name, _, _)| name);
    if config.lazy_logfiles {
        step.logs.lazy = followed.cloned().collect();
    } else {
        logs.extend(followed.map(String::as_str));
    }
    step.begin(doing, done, &logs).await;
    if !config.log_environ {
        step.logs.note(ENVIRONMENT_HIDDEN.to_owned()).await;
    }
}

/// Makes what was found in the output known.
async fn conclude(
    step: &mut StepRun<'_>,
    config: &ShellStepConfig,
    report: &Report,
    reader: Option<Box<dyn Reads>>,
) -> Result<Performed, Performed> {
    let ExitCode {
        result: by_status,
        ends_build,
    } = judge(config, report.rc);
    step.ends_build |= ends_build;
    let end = Ended {
        by_status,
        rc: report.rc,
        step: step.name,
        output: &report.output,
    };
    let findings = match (reader, &config.reader) {
        (Some(reader), _) => reader.conclude(&end),
        (None, OutputReader::Property { property, strip }) => {
            let name = put_in(property, step.values(), "property");
            let name = name.map_err(|problem| {
                Performed::Raised(format!("step '{}': {problem}\n", step.name))
            })?;
            output::property(&end, &name, *strip).map_err(Performed::Raised)?
        }
        (None, _) => Findings::default(),
    };
    let result = findings.result.unwrap_or(by_status);
    step.did(findings.done);
    step.text = findings.text;
    step.build_text = findings.build_text;
    for (name, value) in findings.properties {
        step.set_property(&name, value);
    }
    if let Some(count) = findings.warnings {
        let before = step.properties.get("warnings-count");
        let before = before.and_then(serde_json::Value::as_u64).unwrap_or(0);
        step.set_property("warnings-count", before.saturating_add(count));
    }
    for (name, number) in findings.statistics {
        step.statistics.insert(name.to_owned(), number);
    }
    for (name, text) in findings.logs {
        step.logs.add(&name, text).await;
    }
    Ok(Performed::Ended {
        result,
        detail: detail(report),
    })
}

/// The words that changed files make, each once.
fn words_of(changed: &ChangedFiles, stamps: &SourceStamps) -> Vec<String> {
    let files = stamps.changes().flat_map(|change| &change.files);
    let counts = |file: &&String| {
        let is_below = !changed.not_below.is_empty() && file.starts_with(changed.not_below);
        file.ends_with(changed.suffix) && !is_below
    };
    let files: BTreeSet<_> = files.filter(counts).take(MOST_FILES).collect();
    let files = files.into_iter();
    files
        .map(|file| format!("{}{file}", changed.option))
        .collect()
}

/// Further changed files are not words: a command line has a limit.
const MOST_FILES: usize = 10_000;

/// Says how the log comes to have what it does not show.
pub(super) const ENVIRONMENT_HIDDEN: &str =
    "environment not shown; log_environ = true in the step shows it\n";

/// What the exit status of a command that is complete means. Without one it has failed.
fn judge(config: &ShellStepConfig, rc: Option<i64>) -> ExitCode {
    let Some(rc) = rc else {
        return Results::Failure.into();
    };
    match config.decode_rc.get(&rc) {
        Some(meaning) => *meaning,
        None if rc == 0 => Results::Success.into(),
        None => Results::Failure.into(),
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

/// The step cannot run: one of its settings cannot be rendered.
pub(super) fn raised(step: &StepRun<'_>, problem: &Unrenderable) -> Performed {
    Performed::Raised(format!("step '{}': {problem}\n", step.name))
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

/// The address of a repository, with its properties put in; the name of a registered repository
/// stands for the address of the latter (GRD-05).
pub(super) fn put_in_repourl(
    template: &Template,
    values: Values<'_>,
) -> Result<String, Unrenderable> {
    let said = put_in(template, values, "repourl")?;
    let mut registered = values.repositories.iter();
    let registered = registered.find(|repository| repository.name == said);
    let url = registered.and_then(RepositoryConfig::url);
    Ok(url.map_or(said, str::to_owned))
}

/// The text of an optional setting, with its properties put in.
#[expect(clippy::ref_option, reason = "settings are borrowed where they are")]
pub(super) fn put_in_some(
    template: &Option<Template>,
    values: Values<'_>,
    what: &str,
) -> Result<Option<String>, Unrenderable> {
    let template = template.as_ref();
    template
        .map(|template| put_in(template, values, what))
        .transpose()
}

/// A command with its properties put in.
fn command_of(command: &CommandWords, values: Values<'_>) -> Result<ShellCommand, Unrenderable> {
    Ok(match command {
        CommandWords::Line(line) => ShellCommand::Line(put_in(line, values, "command")?),
        CommandWords::Words(words) => ShellCommand::Words(put_in_words(words, values)?),
    })
}

/// The arguments of the remote command (PROTOCOL section 10.2).
fn arguments(
    config: &ShellStepConfig,
    builder_env: &Environment,
    values: Values<'_>,
) -> Result<ShellArgs, Unrenderable> {
    let command = command_of(&config.command, values)?;
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
    let mut env = merged_env(builder_env, &config.env, values)?;
    for path in &config.search_paths {
        let entry = put_in(&path.entry, values, path.variable)?;
        add_entry(&mut env, path, &entry);
    }
    Ok(ShellArgs {
        env,
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
    if values.drop_empty {
        all.retain(|word| !word.real().is_empty());
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
    builder: &Environment,
    step: &Environment,
    values: Values<'_>,
) -> Result<Vec<(String, Option<String>)>, Unrenderable> {
    let is_overridden = |name: &str| step.variables.contains_key(name);
    let mut merged = put_in_env(builder, values, |name| !is_overridden(name))?;
    merged.extend(put_in_env(step, values, |_| true)?);
    Ok(merged.into_iter().collect())
}

/// The variables of `env` that are wanted, with their texts.
pub(super) fn put_in_env(
    env: &Environment,
    values: Values<'_>,
    is_wanted: impl Fn(&str) -> bool,
) -> Result<BTreeMap<String, Option<String>>, Unrenderable> {
    let mut all = match &env.table {
        Some(table) => render_variables(table, values).map_err(|source| Unrenderable {
            setting: "env".to_owned(),
            source,
        })?,
        None => BTreeMap::new(),
    };
    for (name, value) in env.variables.iter().filter(|(name, _)| is_wanted(name)) {
        let value = match value {
            Some(text) => Some(put_in(text, values, &format!("env, {name}"))?),
            None => None,
        };
        all.insert(name.clone(), value);
    }
    Ok(all)
}

/// Adds an entry to a variable with directories.
fn add_entry(env: &mut Vec<(String, Option<String>)>, path: &SearchPath, entry: &str) {
    let found = env.iter().position(|(name, _)| name == path.variable);
    let at = found.unwrap_or_else(|| {
        env.push((path.variable.to_owned(), None));
        env.len() - 1
    });
    let Some((_, value)) = env.get_mut(at) else {
        return;
    };
    let before = value.take().unwrap_or_default();
    *value = Some(match path.ends_in {
        Some(end) => {
            let closed = |text: &str| match text {
                "" => String::new(),
                _ if text.ends_with(end) => text.to_owned(),
                _ => format!("{text}{end}"),
            };
            closed(&before) + &closed(entry)
        }
        None if before.is_empty() => entry.to_owned(),
        None if before.split(PATH_SEPARATOR).any(|known| known == entry) => before,
        None => format!("{entry}{PATH_SEPARATOR}{before}"),
    });
}

/// What the step does, or, when `done`, what it did: as configured, else from the command (STP-06).
pub(super) fn describe(
    config: &StepConfig,
    command: &ShellCommand,
    done: bool,
    values: Values<'_>,
) -> Result<Vec<String>, Unrenderable> {
    described(config, describe_command(command), done, values)
}

/// What the step does, or, when `done`, what it did: as configured, else `own`.
pub(super) fn described(
    config: &StepConfig,
    own: Vec<String>,
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
        (_, None) => own,
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
