//! `FileDownload`, `StringDownload`, `JSONStringDownload`, `JSONPropertiesDownload`: a file on the
//! slave. The texts are those of Buildbot 0.8.14.

use bytes::Bytes;

use super::json;
use super::master_path::{base_name, ended, master_path, open, say};
use super::shell::{Unrenderable, described, put_in};
use crate::build::step::{Performed, StepRun};
use crate::build::steplogs::STDIO;
use crate::config::{Download, DownloadStepConfig};
use crate::protocol::CommandArgs;
use crate::protocol::transfer::{DownloadArgs, TransferArgs};
use crate::transfer::{MasterPath, Source};

/// Runs the step.
pub(in crate::build) async fn perform(
    step: &mut StepRun<'_>,
    config: &DownloadStepConfig,
) -> Performed {
    let job = match prepare(step, config) {
        Ok(job) => job,
        Err(problem) => return Performed::Raised(format!("step '{}': {problem}\n", step.name)),
    };
    // A log only where there is something to say.
    step.logs.lazy = vec![STDIO.to_owned()];
    step.begin(job.doing, job.done, &[]).await;
    step.text = Some(job.said);
    match transfer(step, job.content, job.args).await {
        Ok(is_good) => ended(is_good),
        Err(performed) => performed,
    }
}

/// A step with its properties put in.
struct Job {
    content: Content,
    args: DownloadArgs,
    doing: Vec<String>,
    /// What it did, if it is interrupted.
    done: Vec<String>,
    /// What it did, if it ends by itself.
    said: Vec<String>,
}

enum Content {
    File(MasterPath),
    Bytes(Bytes),
    /// The properties and the source of the build.
    Build,
}

fn prepare(step: &StepRun<'_>, config: &DownloadStepConfig) -> Result<Job, Unrenderable> {
    let values = step.values();
    let content = match &config.content {
        Download::File(source) => {
            let path = put_in(source, values, "mastersrc")?;
            Content::File(master_path(source, &path))
        }
        Download::Text(text) => Content::Bytes(put_in(text, values, "s")?.into()),
        Download::Json(object) => Content::Bytes(json::dump(&json::put_in_all(object, values)?)),
        Download::Properties => Content::Build,
    };
    let dest = put_in(&config.slavedest, values, "slavedest")?;
    let own = ["downloading", "to", base_name(&dest)].map(str::to_owned);
    Ok(Job {
        content,
        doing: described(step.config, own.to_vec(), false, values)?,
        done: described(step.config, vec![step.name.to_owned()], true, values)?,
        said: described(step.config, own.to_vec(), true, values)?,
        args: DownloadArgs {
            transfer: TransferArgs {
                path: dest,
                workdir: put_in(&config.workdir, values, "workdir")?,
                block_bytes: config.blocksize,
                max_bytes: config.maxsize,
            },
            mode: config.mode,
        },
    })
}

/// Answers whether all is well, or how the step has ended.
async fn transfer(
    step: &mut StepRun<'_>,
    content: Content,
    args: DownloadArgs,
) -> Result<bool, Performed> {
    let source = match content {
        Content::Bytes(bytes) => Source::bytes(bytes),
        Content::Build => Source::bytes(of_build(step).await?),
        Content::File(path) => {
            let shown = path.shown();
            match open(step, move |files: &_| Source::file(files, &path)).await? {
                Ok(source) => source,
                Err(problem) if problem.is_missing() => {
                    let text = format!("File '{shown}' not available at master\n");
                    step.logs.add("stderr", text.into()).await;
                    return Ok(false);
                }
                Err(problem) => {
                    say(step, &problem).await;
                    return Ok(false);
                }
            }
        }
    };
    let args = CommandArgs::DownloadFile(args);
    let (report, problem) = step.transfer(&args, source).await?;
    if let Some(problem) = problem {
        say(step, &problem).await;
        return Ok(false);
    }
    Ok(report.rc == Some(0))
}

/// The properties and the source of the build, as Buildbot writes them.
async fn of_build(step: &StepRun<'_>) -> Result<Bytes, Performed> {
    let stamps = &step.around.plan.stamps;
    let diff = match stamps.patch() {
        None => None,
        Some(patch) => {
            let diff = step.around.journal.diff(patch).await;
            Some(diff.map_err(|problem| Performed::Raised(format!("{problem}\n")))?)
        }
    };
    Ok(json::dump(&json::of_build(
        step.properties,
        stamps,
        diff.as_deref(),
    )))
}
