//! Try schedulers, `Try_Jobdir` and `Try_Userpass`: they watch nothing, and build what they are
//! handed (TRY-01 to TRY-07).

use std::sync::Arc;

use crate::config::{CodebaseSource, Codebases, is_same_repository};
use crate::model::{
    Change, Decision, Instead, Moment, Patch, PatchBody, SchedulerName, SourceStamp, SourceStamps,
    TryJob,
};
use crate::schedulers::codebases;
use crate::schedulers::kind::{Outcome, Scheduler};

/// A try scheduler; it has no state.
#[derive(Debug)]
pub(super) struct Trying;

impl Scheduler for Trying {
    fn on_change(&mut self, _change: &Arc<Change>, _now: Moment) -> (Outcome, Decision) {
        let instead = Instead::TryJobs;
        (Outcome::default(), Decision::LooksAtNone { instead })
    }
}

/// The stamps of a job: its own, and those of the other `codebases` as they are configured
/// (CBS-05).
pub(in crate::schedulers) fn stamps(
    job: TryJob,
    codebases: &Codebases,
) -> Result<SourceStamps, String> {
    if codebases.is_empty() {
        return Ok(stamp(job).into());
    }
    let (tried, source) = tried(&job, codebases)?;
    let mut stamp = SourceStamp {
        codebase: tried.to_owned(),
        ..stamp(job)
    };
    stamp.branch = stamp.branch.or_else(|| source.branch.clone());
    // The client knows its own copy, which nobody else can reach.
    if !source.repository.is_empty() {
        stamp.repository.clone_from(&source.repository);
    }
    let others = codebases.iter().filter(|(name, _)| *name != tried);
    let others = others.map(|(name, source)| codebases::configured(name, source));
    Ok(others.chain([stamp]).collect())
}

/// The codebase that a job patches: the one that it names, or else the one without a name, the one
/// of its repository, or the only one.
fn tried<'a>(
    job: &TryJob,
    codebases: &'a Codebases,
) -> Result<(&'a str, &'a CodebaseSource), String> {
    let named = |wanted: &str| codebases.iter().find(|(name, _)| *name == wanted);
    let of_repository = || {
        let is_its = |source: &CodebaseSource| {
            let repository = &source.repository;
            !repository.is_empty() && is_same_repository(&[], repository, &job.repository)
        };
        let mut all = codebases.iter().filter(|(_, source)| is_its(source));
        all.next().filter(|_| all.next().is_none())
    };
    let only = || {
        let mut all = codebases.iter();
        all.next().filter(|_| all.next().is_none())
    };
    let found = match job.codebase.as_str() {
        "" => named("").or_else(of_repository).or_else(only),
        name => named(name),
    };
    found.ok_or_else(|| {
        let names: Vec<_> = codebases.iter().map(|(name, _)| name).collect();
        let names = names.join(", ");
        match job.codebase.as_str() {
            "" => format!(
                "the job does not say which codebase it patches, by --codebase or --repository; there are {names}"
            ),
            other => format!("there is no codebase {other}; there are {names}"),
        }
    })
}

/// The stamp of a job: nothing of its own but the base and the patch (TRY-04).
fn stamp(job: TryJob) -> SourceStamp {
    let some = |text: String| not_empty(Some(text));
    let (who, comment) = (some(job.who), some(job.comment));
    // Without a diff there is nothing to apply, and it merges like any other (TRY-07).
    let patch = (!job.patch.is_empty()).then_some(Patch {
        level: job.patch_level,
        body: PatchBody::Given(job.patch.into()),
        subdir: None,
        who,
        comment,
    });
    SourceStamp {
        branch: not_empty(job.branch),
        revision: not_empty(job.base_revision),
        patch,
        changes: Vec::new(),
        project: job.project,
        repository: job.repository,
        codebase: job.codebase,
    }
}

/// Whether the branch of a job is one of `allowed` (OPS-28); all are if that is absent.
pub(in crate::schedulers) fn check_branch(
    job: &TryJob,
    name: &SchedulerName,
    allowed: Option<&[Option<String>]>,
) -> Result<(), String> {
    let branch = not_empty(job.branch.clone());
    let Some(allowed) = allowed.filter(|allowed| !allowed.contains(&branch)) else {
        return Ok(());
    };
    let shown = |branch: &Option<String>| match branch {
        Some(branch) => branch.clone(),
        None => "the default branch".to_owned(),
    };
    let names: Vec<String> = allowed.iter().map(shown).collect();
    Err(format!(
        "{} is not one of those that {name} may try: {}",
        match &branch {
            Some(branch) => format!("branch {branch}"),
            None => shown(&None),
        },
        if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        },
    ))
}

/// Properties are in memory as long as the job is queued.
pub(in crate::schedulers) fn check_properties(job: &TryJob) -> Result<(), String> {
    let sizes = job.properties.iter().map(|(name, value)| {
        let value = serde_json::to_string(value).unwrap_or_default();
        name.len() + value.len()
    });
    if sizes.sum::<usize>() > LONGEST_PROPERTIES {
        return Err(format!(
            "the properties of the try job have more than {LONGEST_PROPERTIES} bytes together"
        ));
    }
    Ok(())
}

/// Cuts a comment that is too long to be in memory as long as the job is queued.
pub(in crate::schedulers) fn cut(comment: &mut String) {
    if comment.len() > LONGEST_COMMENT {
        comment.truncate(comment.floor_char_boundary(LONGEST_COMMENT));
        comment.push_str(CUT);
    }
}

/// Most bytes of the properties of a job.
const LONGEST_PROPERTIES: usize = 64 * 1024;
/// Most bytes of a comment that are kept.
const LONGEST_COMMENT: usize = 4 * 1024;
/// What stands for the rest.
const CUT: &str = " [...]";

/// An empty text says no more than none.
fn not_empty(text: Option<String>) -> Option<String> {
    text.filter(|t| !t.is_empty())
}

/// Why the set is built (TRY-05). Who logged in is a fact; who the sender says it is for is a
/// claim.
pub(in crate::schedulers) fn reason(job: &TryJob, user: Option<&str>) -> String {
    let mut reason = "'try' job".to_owned();
    if let Some(user) = user {
        reason.push_str(" from user ");
        reason.push_str(user);
    }
    if !job.who.is_empty() && user != Some(job.who.as_str()) {
        reason.push_str(" by user ");
        reason.push_str(&job.who);
    }
    if !job.comment.is_empty() {
        reason.push_str(" (");
        reason.push_str(&job.comment);
        reason.push(')');
    }
    reason
}
