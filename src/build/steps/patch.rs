//! `Patch`: applies the patch of a try job to a tree that other steps have made (SRC-05).

use super::shell::{ENVIRONMENT_HIDDEN, Unrenderable, describe, merged_env, put_in};
use super::source::workspace::{Env, Workspace};
use crate::build::step::{Performed, StepRun};
use crate::build::steplogs::STDIO;
use crate::config::PatchStepConfig;
use crate::model::{Patch, Results};
use crate::protocol::ShellCommand;
use crate::vc::patch::MARK;

/// Runs the step.
pub(in crate::build) async fn perform(
    step: &mut StepRun<'_>,
    config: &PatchStepConfig,
) -> Performed {
    let job = match prepare(step, config) {
        Ok(job) => job,
        Err(problem) => return Performed::Raised(format!("step '{}': {problem}\n", step.name)),
    };
    step.begin(job.doing, job.done, &[STDIO]).await;
    if !config.log_environ {
        step.logs.note(ENVIRONMENT_HIDDEN.to_owned()).await;
    }
    if step.has_patched {
        let note = "a source step has applied the patch already\n";
        step.logs.note(note.to_owned()).await;
        return ended(Results::Skipped);
    }
    let mut workspace = Workspace {
        step,
        workdir: job.workdir,
        env: job.env,
        default_env: Vec::new(),
        timeout: config.timeout,
        log_environ: config.log_environ,
    };
    match run(&mut workspace, job.patch).await {
        Ok(result) => ended(result),
        Err(ended) => ended,
    }
}

const fn ended(result: Results) -> Performed {
    Performed::Ended {
        result,
        detail: Vec::new(),
    }
}

/// What is to be done.
struct Job {
    /// The patch, with the level and the directory of the step.
    patch: Option<Patch>,
    workdir: String,
    env: Env,
    doing: Vec<String>,
    done: Vec<String>,
}

fn prepare(step: &StepRun<'_>, config: &PatchStepConfig) -> Result<Job, Unrenderable> {
    let values = step.values();
    let plan = &step.around.plan;
    let mut patch = plan.stamps.patch().cloned();
    if plan.builder.ignore_patch {
        patch = None;
    }
    if let Some(patch) = &mut patch {
        if let Some(level) = config.level {
            patch.level = level;
        }
        if let Some(subdir) = &config.subdir {
            patch.subdir = Some(put_in(subdir, values, "subdir")?);
        }
    }
    let command = ShellCommand::Line("patch".to_owned());
    Ok(Job {
        patch,
        workdir: put_in(&config.workdir, values, "workdir")?,
        env: merged_env(&plan.builder.env, &config.env, values)?,
        doing: describe(step.config, &command, false, values)?,
        done: describe(step.config, &command, true, values)?,
    })
}

async fn run(
    workspace: &mut Workspace<'_, '_>,
    patch: Option<Patch>,
) -> Result<Results, Performed> {
    if workspace.exists(MARK).await? {
        let problem = format!(
            "the tree still has the patch of an earlier build: the step that makes the tree has to \
             undo it and remove the file {MARK}"
        );
        return Err(workspace.refuse(&problem).await);
    }
    let Some(patch) = patch else {
        workspace.note("this build has no patch").await;
        return Ok(Results::Skipped);
    };
    if let Some(job) = workspace.prepare_patch(&patch).await? {
        workspace.apply_patch(&patch, &job).await?;
    }
    workspace.step.has_patched = true;
    Ok(Results::Success)
}

#[cfg(test)]
mod tests;
