//! Sources by the version control commands that slaves of Buildbot 0.7 and 0.8 have. The slave
//! decides how a tree is updated, cleaned and patched.

use super::workspace::{Workspace, failed};
use super::{Part, System, Wanted};
use crate::build::step::Performed;
use crate::config::{SourceMethod, SourceMode, SourceSettings};
use crate::model::Patch;
use crate::pb::Value;
use crate::protocol::CommandArgs;
use crate::protocol::source::{SourceArgs, SourcePatch};

/// Has the slave check out what is wanted, and apply `patch`. Answers with the revision, if the
/// slave tells it.
pub(super) async fn obtain(
    system: &dyn System,
    at: &mut Workspace<'_, '_>,
    settings: &SourceSettings,
    wanted: &Wanted,
    patch: Option<&Patch>,
) -> Part<Option<String>> {
    let Some((command, own)) = system.slave_command() else {
        let problem = format!("no slave has a command of its own for {}", system.name());
        return Err(at.refuse(&problem).await);
    };
    let patch = match patch {
        Some(patch) => Some(SourcePatch {
            level: patch.level,
            diff: at.diff(patch).await?,
            subdir: patch.subdir.clone(),
        }),
        None => None,
    };
    let args = CommandArgs::Source(Box::new(SourceArgs {
        command,
        workdir: at.workdir.clone(),
        mode: mode(settings.mode),
        revision: wanted.revision.clone(),
        patch,
        retry: settings
            .retry
            .map(|(delay, count)| (delay.as_secs_f64(), count)),
        timeout: settings.timeout.map(|timeout| timeout.as_secs_f64()),
        log_environ: settings.log_environ,
        env: at.env.clone(),
        own,
    }));
    let report = match at.step.complete(&args).await {
        Err(Performed::Raised(text)) if text.contains(UNKNOWN) => {
            let problem = format!(
                "the slave has no command `{command}` of its own; remove `slave_side = true` for it"
            );
            return Err(at.refuse(&problem).await);
        }
        report => report?,
    };
    if at.step.interrupted.is_some() || report.rc != Some(0) {
        return Err(failed());
    }
    if let Some(downloaded) = report.told.get("repo_downloaded").and_then(text) {
        at.step.set_property("repo_downloaded", downloaded);
    }
    Ok(report.told.get("got_revision").and_then(text))
}

/// What slaves of all generations say of a command that they do not have.
const UNKNOWN: &str = "unrecognized ";

/// The mode in the words of Buildbot 0.8. A configuration with another method is refused.
const fn mode(mode: SourceMode) -> &'static str {
    match mode {
        SourceMode::Incremental => "update",
        SourceMode::Full(SourceMethod::Copy) => "copy",
        SourceMode::Full(SourceMethod::Export) => "export",
        SourceMode::Full(SourceMethod::Clobber | SourceMethod::Fresh | SourceMethod::Clean) => {
            "clobber"
        }
    }
}

/// A revision, which may be a number.
fn text(value: &Value) -> Option<String> {
    let value = value.unshared();
    if let Some(number) = value.as_int() {
        return Some(number.to_string());
    }
    let text = String::from_utf8_lossy(value.as_raw()?).into_owned();
    (!text.is_empty()).then_some(text)
}
