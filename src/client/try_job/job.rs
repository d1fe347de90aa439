//! Makes the job from the settings and the diff with its base.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::super::Failed;
use super::super::vc::{self, Source, SourceQuery, VcError, find_source};
use super::settings::{Origin, Settings};
use crate::model::{BuilderName, TryJob};
use crate::protocol::try_call::MAX_PATCH_BYTES;
use crate::vc::{UnknownVc, Vc};

/// A job, and notes for the user on how it was made.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) job: TryJob,
    pub(super) notes: Vec<String>,
}

/// Makes the job of `settings` in the working tree `here`, under the id `id`.
///
/// # Errors
/// The diff cannot be read or made, or is too large.
pub(super) async fn make(settings: &Settings, here: &Path, id: String) -> Result<Made, Failed> {
    let (source, repository) = match &settings.origin {
        Origin::Diff(file) => (read_diff(settings, file)?, String::new()),
        Origin::Tree {
            vc,
            topdir,
            topfile,
        } => {
            let vc = match vc {
                Some(vc) => parse_vc(vc)?,
                None => vc::detect(here).ok_or_else(|| unknown_tree(here))?,
            };
            let query = SourceQuery {
                vc,
                tree: here,
                branch: settings.branch.as_deref(),
                repository: settings.repository.as_deref(),
                base_revision: settings.base_revision.as_deref(),
                patch_level: settings.patch_level,
                topdir: topdir.as_deref(),
                topfile: topfile.as_deref(),
            };
            let source = find_source(&query).await.map_err(no_source)?;
            let top = source.top.display().to_string();
            (source, top)
        }
    };
    if source.patch.len() > MAX_PATCH_BYTES {
        return Err(Failed::NotDone(format!(
            "no job created: the diff has {} bytes; a master accepts at most {MAX_PATCH_BYTES}",
            source.patch.len()
        )));
    }
    let mut notes = source.notes;
    if source.patch.is_empty() {
        notes
            .push("the diff is empty: the base revision will be built without a change".to_owned());
    }
    let builders = settings.builders.iter();
    let properties = settings.properties.iter();
    let job = TryJob {
        id,
        branch: source.branch,
        base_revision: source.base_revision,
        patch_level: source.patch_level,
        patch: source.patch,
        repository: settings.repository.clone().unwrap_or(repository),
        codebase: settings.codebase.clone().unwrap_or_default(),
        project: String::new(),
        who: settings.who.clone().unwrap_or_default(),
        comment: settings.comment.clone().unwrap_or_default(),
        builders: builders
            .map(|name| BuilderName::from(name.as_str()))
            .collect(),
        properties: properties
            .map(|(name, value)| (name.clone(), Value::String(value.clone())))
            .collect(),
    };
    Ok(Made { job, notes })
}

/// The job as text for people, followed by the diff.
pub(super) fn describe(job: &TryJob) -> Vec<u8> {
    let or = |text: &str, none: &str| match text {
        "" => none.to_owned(),
        text => text.to_owned(),
    };
    let builders: Vec<&str> = job.builders.iter().map(BuilderName::as_str).collect();
    let mut text = String::from("Job:\n");
    let mut line = |name: &str, value: String| {
        text.push_str(&format!("    {name}: {value}\n"));
    };
    line("Repository", or(&job.repository, "not given"));
    if !job.codebase.is_empty() {
        line("Codebase", job.codebase.clone());
    }
    line("Branch", or(job.branch.as_deref().unwrap_or(""), "default"));
    let base = job.base_revision.as_deref();
    line("Revision", or(base.unwrap_or(""), "latest"));
    line("Builders", or(&builders.join(", "), "all"));
    line("Who", or(&job.who, "not given"));
    line("Comment", or(&job.comment, "none"));
    for (name, value) in &job.properties {
        line("Property", format!("{name} = {value}"));
    }
    line(
        "Patch",
        format!("{} bytes, level {}", job.patch.len(), job.patch_level),
    );
    let mut shown = text.into_bytes();
    shown.push(b'\n');
    shown.extend_from_slice(&job.patch);
    shown
}

fn read_diff(settings: &Settings, file: &Path) -> Result<Source, Failed> {
    // One byte more than the limit, so that an oversized file is noticed.
    let limit = u64::try_from(MAX_PATCH_BYTES).map_or(u64::MAX, |max| max + 1);
    let mut patch = Vec::new();
    let read = if file == Path::new("-") {
        io::stdin().take(limit).read_to_end(&mut patch)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(limit).read_to_end(&mut patch))
    };
    read.map_err(|e| Failed::Usage(format!("--diff: cannot read {}: {e}", file.display())))?;
    Ok(Source {
        branch: settings.branch.clone(),
        base_revision: settings.base_revision.clone(),
        patch_level: settings.patch_level.unwrap_or(0),
        patch,
        top: PathBuf::new(),
        notes: Vec::new(),
    })
}

fn parse_vc(vc: &str) -> Result<Vc, Failed> {
    vc.parse()
        .map_err(|e: UnknownVc| Failed::Usage(format!("--vc: {e} (try_vc in an options file)")))
}

fn no_source(error: VcError) -> Failed {
    match error {
        e @ (VcError::Option(_) | VcError::NoTopFile { .. }) => Failed::Usage(e.to_string()),
        e @ (VcError::NoProgram { .. }
        | VcError::NotRun { .. }
        | VcError::CommandFailed { .. }
        | VcError::Surprising { .. }
        | VcError::TooLong { .. }) => Failed::NotDone(format!("no job created: {e}")),
    }
}

fn unknown_tree(here: &Path) -> Failed {
    Failed::Usage(format!(
        "{} is not a working tree of a version control system; give --vc (try_vc in an options file), or a patch with --diff",
        here.display()
    ))
}

/// Replaces a leading `~` by the home directory, as Buildbot does.
pub(in crate::client) fn expand_home(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), std::env::var_os("HOME")) {
        (Ok(rest), Some(home)) => PathBuf::from(home).join(rest),
        (Ok(_), None) | (Err(_), _) => path.to_owned(),
    }
}
