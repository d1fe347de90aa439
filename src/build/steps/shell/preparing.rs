//! What is done on the slave before the command of a step.

use super::output::suppressions_of;
use super::{command_of, put_in};
use crate::build::command::{Listening, Report};
use crate::build::step::{Performed, StepRun};
use crate::config::{
    BaseImage, CommandWords, OutputReader, Preparation, ShellStepConfig, Suppression, Template,
};
use crate::model::Results;
use crate::protocol::files::RmdirArgs;
use crate::protocol::{CommandArgs, ShellArgs};

/// Whether there is something to do first.
pub(super) fn is_needed(config: &ShellStepConfig) -> bool {
    config.preparation.is_some() || suppression_file(&config.reader).is_some()
}

/// Does what has to be done first. Answers which further warnings do not count.
pub(super) async fn prepare(
    step: &mut StepRun<'_>,
    config: &ShellStepConfig,
    args: &ShellArgs,
) -> Result<Vec<Suppression>, Performed> {
    match &config.preparation {
        Some(Preparation::Remove(files)) => {
            for file in files {
                let file = rendered(step, file)?;
                remove(step, args, &file).await?;
            }
        }
        Some(Preparation::BaseImage(image)) => renew(step, args, image).await?,
        None => {}
    }
    match suppression_file(&config.reader) {
        Some(file) => {
            let file = rendered(step, file)?;
            suppressions(step, args, &file).await
        }
        None => Ok(Vec::new()),
    }
}

fn suppression_file(reader: &OutputReader) -> Option<&Template> {
    reader.warnings()?.suppression_file.as_ref()
}

fn rendered(step: &StepRun<'_>, template: &Template) -> Result<String, Performed> {
    let raised = |problem| Performed::Raised(format!("step '{}': {problem}\n", step.name));
    put_in(template, step.values(), "a path").map_err(raised)
}

async fn remove(step: &mut StepRun<'_>, args: &ShellArgs, file: &str) -> Result<(), Performed> {
    let dir = format!("{}/{file}", args.workdir);
    let removal = CommandArgs::Rmdir(RmdirArgs {
        dir,
        timeout: args.timeout,
        log_environ: args.log_environ,
    });
    step.complete(&removal).await.map(drop)
}

/// Makes the base image, or renews it if it is older than a week.
async fn renew(
    step: &mut StepRun<'_>,
    args: &ShellArgs,
    image: &BaseImage,
) -> Result<(), Performed> {
    let path = rendered(step, &image.path)?;
    let words = ["find", &path, "-maxdepth", "0", "-mtime", "-7"];
    let fresh = ask(step, args, CommandWords::of(&words), None).await?;
    let command = match (fresh.rc, fresh.output.is_empty()) {
        (Some(0), false) => return Ok(()),
        (Some(0), true) => &image.update,
        _ => &image.create,
    };
    if let Some(op) = step.logs.open(BASE_IMAGE_LOG) {
        step.around.journal.write(vec![op]).await;
    }
    let made = ask(step, args, command.clone(), Some(BASE_IMAGE_LOG)).await?;
    if made.rc == Some(0) {
        return Ok(());
    }
    Err(Performed::Ended {
        result: Results::Failure,
        detail: Vec::new(),
    })
}

const BASE_IMAGE_LOG: &str = "pbuilder";

/// The suppressions of a file on the slave. One that cannot be read has none.
async fn suppressions(
    step: &mut StepRun<'_>,
    args: &ShellArgs,
    file: &str,
) -> Result<Vec<Suppression>, Performed> {
    let read = ask(step, args, CommandWords::of(&["cat", file]), None).await?;
    let (found, wrong) = suppressions_of(&String::from_utf8_lossy(&read.output));
    let mut notes = String::new();
    if read.rc != Some(0) {
        notes = format!("cannot read suppression_file {file}\n");
    }
    for line in wrong {
        notes += &format!("suppression_file {file}: line {line} is not a suppression\n");
    }
    if !notes.is_empty() {
        step.logs.add("suppressions", notes.into()).await;
    }
    Ok(found)
}

/// Runs a command in the work directory of the step, with its environment. Its output goes to
/// `log`, else nowhere.
async fn ask(
    step: &mut StepRun<'_>,
    args: &ShellArgs,
    command: CommandWords,
    log: Option<&str>,
) -> Result<Report, Performed> {
    let command = command_of(&command, step.values())
        .map_err(|problem| Performed::Raised(format!("step '{}': {problem}\n", step.name)))?;
    let asked = ShellArgs {
        env: args.env.clone(),
        timeout: args.timeout,
        log_environ: args.log_environ,
        ..ShellArgs::new(command, args.workdir.clone())
    };
    let listening = Listening {
        log: log.unwrap_or(NO_LOG),
        collect: MOST_SUPPRESSIONS_BYTES,
        lines: None,
        taps: None,
    };
    let asked = CommandArgs::Shell(Box::new(asked));
    step.complete_heard(&asked, listening).await
}

/// A log that no step has.
const NO_LOG: &str = "";
const MOST_SUPPRESSIONS_BYTES: usize = 1 << 20;
