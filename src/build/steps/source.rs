//! What all source steps do (section 21): they choose branch and revision, bring a tree to the
//! revision whatever state the last build left it in, tell the revision, and apply the patch.
//!
//! A version control system is a [`System`]. The master drives it with ordinary commands, so that
//! it works on all slaves that have its program.
//!
//! Invariants: a tree is marked as patched before the patch changes it, and the mark is removed
//! only after the tree was cleaned (SRC-05). Texts from outside (branch, revision, directory of the
//! patch) never reach a program as an option or leave the work directory. No command waits for a
//! person.

mod attempt;
mod choice;
mod patching;
mod slave_side;
mod system;
#[cfg(test)]
mod tests;
pub(super) mod workspace;

use serde_json::{Value as Json, json};

use super::shell::{
    ENVIRONMENT_HIDDEN, Unrenderable, describe, merged_env, put_in, put_in_repourl,
};
use crate::botmaster::BuildPlan;
use crate::build::step::{Performed, StepRun};
use crate::build::steplogs::STDIO;
use crate::config::{Location, SourceMethod, SourceMode, SourceSettings};
use crate::model::{Results, SourceStamp};
use crate::protocol::{DefaultVariable, PromptVariable, ShellCommand};

pub(super) use self::choice::{FromChanges, Wanted};
pub(super) use self::system::{
    DAMAGED, Outcome, Part, Reply, SILENT, SlaveCommand, System, Untracked,
};
pub(super) use self::workspace::{Env, Workspace, git_env, secret, words};

/// Runs a source step. The system is made by `make`; `rule` is its rule for revisions.
pub(super) async fn run<S: System>(
    step: &mut StepRun<'_>,
    settings: &SourceSettings,
    rule: FromChanges,
    make: impl FnOnce(&StepRun<'_>, Wanted) -> Result<S, Unrenderable>,
) -> Performed {
    if let Some(problem) = lacks_codebase(&step.around.plan, settings) {
        return Performed::Raised(format!("step '{}': {problem}\n", step.name));
    }
    let made = wanted(step, settings, rule)
        .and_then(|wanted| make(step, wanted.clone()).map(|system| (wanted, system)));
    match made {
        Ok((wanted, mut system)) => run_system(step, settings, &wanted, &mut system).await,
        Err(problem) => Performed::Raised(format!("step '{}': {problem}\n", step.name)),
    }
}

/// Runs a source step of a system; the same code for all of them.
async fn run_system(
    step: &mut StepRun<'_>,
    settings: &SourceSettings,
    wanted: &Wanted,
    system: &mut dyn System,
) -> Performed {
    let ((workdir, env), (doing, done)) = match prepare(step, settings, system.name()) {
        Ok(prepared) => prepared,
        Err(problem) => return Performed::Raised(format!("step '{}': {problem}\n", step.name)),
    };
    step.begin(doing, done, &[STDIO]).await;
    if !settings.log_environ {
        step.logs.note(ENVIRONMENT_HIDDEN.to_owned()).await;
    }
    let mut at = Workspace {
        step,
        workdir,
        env,
        default_env: NO_PROMPTS.to_vec(),
        timeout: settings.timeout,
        log_environ: settings.log_environ,
    };
    let obtained = obtain_source(system, &mut at, settings, wanted).await;
    let left = match &obtained {
        // Nothing can be removed there.
        Err(Performed::SlaveLost | Performed::GivenUp) => Ok(()),
        Err(_) | Ok(()) => leave(system, &mut at).await,
    };
    match obtained.and(left) {
        Ok(()) => Performed::Ended {
            result: Results::Success,
            detail: Vec::new(),
        },
        Err(ended) => ended,
    }
}

/// Cleans up. A stop of the build that came before does not end this.
async fn leave(system: &mut dyn System, at: &mut Workspace<'_, '_>) -> Part<()> {
    let interrupted = at.step.interrupted.take();
    let left = system.leave(at).await;
    at.step.interrupted = interrupted.or(at.step.interrupted.take());
    left
}

/// What a step is to check out.
fn wanted(
    step: &StepRun<'_>,
    settings: &SourceSettings,
    rule: FromChanges,
) -> Result<Wanted, Unrenderable> {
    let stamp = stamp_of(&step.around.plan, settings);
    let own = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let branch = match (
        stamp.and_then(|s| own(s.branch.as_deref()?)),
        &settings.branch,
    ) {
        (None, Some(default)) => own(&put_in(default, step.values(), "branch")?),
        (branch, _) => branch,
    };
    Ok(Wanted {
        branch,
        revision: stamp.and_then(|stamp| choice::revision(stamp, rule)),
    })
}

/// The directory and environment of a step, and its texts.
type Prepared = ((String, Env), (Vec<String>, Vec<String>));

fn prepare(
    step: &StepRun<'_>,
    settings: &SourceSettings,
    name: &str,
) -> Result<Prepared, Unrenderable> {
    let values = step.values();
    let workdir = put_in(&settings.workdir, values, "workdir")?;
    let env = merged_env(&step.around.plan.builder.env, &settings.env, values)?;
    let command = ShellCommand::Line(name.to_owned());
    let doing = describe(step.config, &command, false, values)?;
    let done = describe(step.config, &command, true, values)?;
    Ok(((workdir, env), (doing, done)))
}

/// The stamp of the codebase of the step, which is the codebase of the build if the step names none
/// and the build has one.
pub(super) fn stamp_of_codebase<'p>(
    plan: &'p BuildPlan,
    settings: &SourceSettings,
) -> Option<&'p SourceStamp> {
    match (&settings.codebase, plan.stamps.single()) {
        (None, Some(single)) => Some(single),
        (codebase, _) => plan.stamps.of(codebase.as_deref().unwrap_or_default()),
    }
}

/// The stamp that the step follows, if any: the stamp of its codebase, unless it always takes the
/// latest revision.
fn stamp_of<'p>(plan: &'p BuildPlan, settings: &SourceSettings) -> Option<&'p SourceStamp> {
    stamp_of_codebase(plan, settings).filter(|_| !settings.always_use_latest)
}

/// What is wrong with a step that follows a codebase that the build has not (CBS-06).
fn lacks_codebase(plan: &BuildPlan, settings: &SourceSettings) -> Option<String> {
    if settings.always_use_latest || stamp_of_codebase(plan, settings).is_some() {
        return None;
    }
    let all: Vec<_> = plan
        .stamps
        .codebases()
        .map(|name| format!("{name:?}"))
        .collect();
    let all = all.join(", ");
    Some(match &settings.codebase {
        Some(codebase) => {
            format!("the build has no source stamp of codebase {codebase:?}; it has {all}")
        }
        None => format!("the step names no codebase; the build has {all}"),
    })
}

async fn obtain_source(
    system: &mut dyn System,
    at: &mut Workspace<'_, '_>,
    settings: &SourceSettings,
    wanted: &Wanted,
) -> Part<()> {
    let stamp = stamp_of(&at.step.around.plan, settings);
    let patch = stamp.and_then(|stamp| stamp.patch.as_ref());
    let job = match patch {
        Some(patch) => at.prepare_patch(patch).await?,
        None => None,
    };
    if let Some(problem) = system.improper() {
        return Err(at.refuse(&problem).await);
    }
    let of_build = stamp_of_codebase(&at.step.around.plan, settings);
    let codebase = match (&settings.codebase, of_build) {
        (Some(codebase), _) => codebase.as_str(),
        (None, of_build) => of_build.map_or("", |stamp| &stamp.codebase),
    };
    if settings.slave_side {
        let got = slave_side::obtain(system, at, settings, wanted, patch).await?;
        if let Some(revision) = got {
            tell_revision(at, codebase, wanted, &revision);
        }
        at.step.has_patched = patch.is_some();
        return Ok(());
    }
    system.look_around(at).await?;
    let workdir = at.workdir.clone();
    let beside = match settings.mode {
        SourceMode::Full(method @ (SourceMethod::Copy | SourceMethod::Export)) => Some(method),
        SourceMode::Full(_) | SourceMode::Incremental => None,
    };
    if beside.is_some() {
        // First, because Arch refuses to work beside a copy of its tree.
        at.remove(None).await?;
        at.workdir = tree_beside(&workdir);
    }
    attempt::obtain(system, at, settings).await?;
    let Some(revision) = system.revision(at).await? else {
        let problem = format!("{} does not tell the revision of the tree", system.name());
        return Err(at.refuse(&problem).await);
    };
    tell_revision(at, codebase, wanted, &revision);
    system.tell(at, codebase).await?;
    if let Some(method) = beside {
        let from = std::mem::replace(&mut at.workdir, workdir);
        if method == SourceMethod::Export {
            system.export(at, &from).await?;
        } else {
            at.copy_from(&from).await?;
        }
    }
    if let (Some(patch), Some(job)) = (patch, job) {
        at.apply_patch(patch, &job).await?;
        system.after_patch(at).await?;
    }
    at.step.has_patched = patch.is_some();
    Ok(())
}

/// The directory of the tree that is copied to `workdir`.
fn tree_beside(workdir: &str) -> String {
    match workdir {
        "build" => "source".to_owned(),
        other => format!("source-{}", other.replace(['/', '\\'], "-")),
    }
}

/// Sets the properties for the revision that was checked out (SRC-03).
fn tell_revision(at: &mut Workspace<'_, '_>, codebase: &str, wanted: &Wanted, got: &str) {
    set_by_codebase(at.step, "got_revision", codebase, got);
    if at.step.around.plan.stamps.single().is_none() {
        return;
    }
    let is_unset = match at.step.properties.get("revision") {
        None | Some(Json::Null) => true,
        Some(value) => value.as_str() == Some(""),
    };
    if let (true, Some(revision)) = (is_unset, &wanted.revision) {
        at.step.set_property("revision", revision.as_str());
    }
}

/// Sets a property: for a codebase, its entry in a table (CBS-06). Where a build has several
/// codebases, the one without a name has an entry too.
pub(super) fn set_by_codebase(step: &mut StepRun<'_>, name: &str, codebase: &str, value: &str) {
    if codebase.is_empty() && step.around.plan.stamps.single().is_some() {
        step.set_property(name, value);
        return;
    }
    let mut all = match step.properties.get(name) {
        Some(Json::Object(all)) => all.clone(),
        Some(_) | None => serde_json::Map::new(),
    };
    all.insert(codebase.to_owned(), json!(value));
    step.set_property(name, Json::Object(all));
}

/// The address of the wanted branch (SRC-08).
pub(super) fn address(
    step: &StepRun<'_>,
    location: &Location,
    wanted: &Wanted,
) -> Result<String, Unrenderable> {
    match location {
        Location::Repourl(url) => put_in_repourl(url, step.values()),
        Location::BaseUrl(base) => {
            let base = put_in(base, step.values(), "base_url")?;
            Ok(joined(&base, wanted.branch.as_deref().unwrap_or_default()))
        }
    }
}

/// The address of a branch below `base`.
pub(super) fn joined(base: &str, branch: &str) -> String {
    if branch.is_empty() || base.ends_with('/') || branch.starts_with('/') {
        format!("{base}{branch}")
    } else {
        format!("{base}/{branch}")
    }
}

/// Make ssh fail instead of waiting for a password.
const NO_PROMPTS: [DefaultVariable; 2] = [
    DefaultVariable {
        name: PromptVariable::SshAskpass,
        value: "true",
        unless: &[],
    },
    DefaultVariable {
        name: PromptVariable::SshAskpassRequire,
        value: "force",
        unless: &[PromptVariable::SshAskpass],
    },
];

/// What is wrong with texts from outside that must be one word each and no option.
pub(super) fn improper(wanted: &Wanted, address: &str) -> Option<String> {
    if address.is_empty() || address.starts_with('-') || address.contains('\0') {
        return Some(format!("{address:?} is not an address of a repository"));
    }
    let is_bad = |text: &str| text.starts_with('-') || text.contains(char::is_control);
    let climbs = |text: &str| text.split(['/', '\\']).any(|part| part == "..");
    if let Some(branch) = wanted.branch.as_deref().filter(|b| is_bad(b) || climbs(b)) {
        return Some(format!("{branch:?} is not a branch name"));
    }
    let revision = wanted.revision.as_deref();
    let revision = revision.filter(|r| is_bad(r) || r.contains(char::is_whitespace))?;
    Some(format!("{revision:?} is not a revision"))
}

/// What a server without the wanted branch or revision does not have.
pub(super) fn missing(wanted: &Wanted) -> String {
    let what = match (&wanted.revision, &wanted.branch) {
        (Some(revision), _) => format!("revision {revision:?}"),
        (None, Some(branch)) => format!("the branch {branch:?}"),
        (None, None) => "the default branch".to_owned(),
    };
    format!("the repository does not have {what}")
}
