//! `FileExists`, `CopyDirectory`, `RemoveDirectory`, `MakeDirectory`, `RemoveFile`: one command on
//! files of the slave. The texts are those of Buildbot 0.8.14.

use std::time::Duration;

use super::shell::{Unrenderable, described, put_in};
use crate::build::command::Report;
use crate::build::step::{Performed, StepRun};
use crate::build::steplogs::STDIO;
use crate::config::{FileAction, FileStepConfig};
use crate::model::Results;
use crate::pb::Value;
use crate::protocol::CommandArgs;
use crate::protocol::files::{CpdirArgs, MkdirArgs, RmdirArgs, RmfileArgs, StatArgs};

/// Runs the step.
pub(in crate::build) async fn perform(
    step: &mut StepRun<'_>,
    config: &FileStepConfig,
) -> Performed {
    let job = match prepare(step, config) {
        Ok(job) => job,
        Err(problem) => return Performed::Raised(format!("step '{}': {problem}\n", step.name)),
    };
    // A log only where the slave says something.
    step.logs.lazy = vec![STDIO.to_owned()];
    step.begin(job.doing, job.done.clone(), &[]).await;
    let report = match step.complete(&job.args).await {
        Ok(report) => report,
        Err(ended) => return ended,
    };
    let (result, text) = match (config.action, report.rc == Some(0)) {
        (FileAction::Exists, true) if is_file(&report) => (Results::Success, words("File found.")),
        (FileAction::Exists, true) => (Results::Failure, words("Not a file.")),
        (_, true) => (Results::Success, job.done),
        (_, false) => (Results::Failure, job.failed),
    };
    step.text = Some(text);
    Performed::Ended {
        result,
        detail: Vec::new(),
    }
}

/// A step with its properties put in.
struct Job {
    args: CommandArgs,
    doing: Vec<String>,
    done: Vec<String>,
    failed: Vec<String>,
}

fn prepare(step: &StepRun<'_>, config: &FileStepConfig) -> Result<Job, Unrenderable> {
    let values = step.values();
    let key = match config.action {
        FileAction::Exists | FileAction::RemoveFile => "file",
        FileAction::Copy => "src",
        FileAction::RemoveDirectory | FileAction::MakeDirectory => "dir",
    };
    let path = put_in(&config.path, values, key)?;
    let to = put_in(&config.dest, values, "dest")?;
    let copy = |first: &str, last: &[&str]| {
        let all = [&[first, &path, "to", &to], last].concat();
        all.into_iter().map(str::to_owned).collect()
    };
    let (doing, done, failed) = match config.action {
        FileAction::Exists => (
            words("Checking"),
            words("Checked"),
            words("File not found."),
        ),
        FileAction::Copy => (
            copy("Copying", &[]),
            copy("Copied", &[]),
            copy("Copying", &["failed."]),
        ),
        FileAction::RemoveDirectory | FileAction::RemoveFile => {
            (words("Deleting"), words("Deleted"), words("Delete failed."))
        }
        FileAction::MakeDirectory => (words("Creating"), words("Created"), words("Create failed.")),
    };
    let seconds = |limit: &Option<Duration>| limit.as_ref().map(Duration::as_secs_f64);
    let args = match config.action {
        FileAction::Exists => CommandArgs::Stat(StatArgs::of(path)),
        FileAction::Copy => CommandArgs::Cpdir(CpdirArgs {
            from: path,
            to,
            timeout: seconds(&config.timeout),
            max_time: seconds(&config.max_time),
            log_environ: false,
        }),
        FileAction::RemoveDirectory => CommandArgs::Rmdir(RmdirArgs {
            dir: path,
            timeout: Some(REMOVE_SECS),
            log_environ: false,
        }),
        FileAction::MakeDirectory => CommandArgs::Mkdir(MkdirArgs { dir: path }),
        FileAction::RemoveFile => CommandArgs::Rmfile(RmfileArgs { path }),
    };
    Ok(Job {
        args,
        doing: described(step.config, doing, false, values)?,
        done: described(step.config, done, true, values)?,
        failed,
    })
}

/// Whether a `stat` that succeeded is of a file. Slaves without `stat` do not tell.
fn is_file(report: &Report) -> bool {
    kind_of(report).is_none_or(|kind| kind == S_IFREG)
}

/// The kind of file that a `stat` tells of.
pub(super) fn kind_of(report: &Report) -> Option<i64> {
    let stat = report.told.get("stat")?.as_items()?;
    Some(stat.first().and_then(Value::as_int)? & S_IFMT)
}

fn words(text: &str) -> Vec<String> {
    vec![text.to_owned()]
}

const S_IFMT: i64 = 0o170_000;
const S_IFREG: i64 = 0o100_000;
/// What `stat` says of a directory.
pub(super) const S_IFDIR: i64 = 0o040_000;
/// Seconds without output after which a removal is killed; what slaves do by default.
const REMOVE_SECS: f64 = 120.0;
