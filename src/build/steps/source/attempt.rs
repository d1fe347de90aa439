//! Attempts to bring the tree in a directory to the revision.
//!
//! ```text
//! tree exists ──clean, update──▶ done
//!   │ a command fails, but the server answers
//!   ▼
//! removed ──check out──▶ done, or the attempt has failed
//! ```
//!
//! Invariant: a tree is removed only when the server answers, and at most once in an attempt.

use std::time::Duration;

use super::system::{Outcome, Part, System, Untracked};
use super::workspace::{Workspace, failed};
use crate::build::control::Paused;
use crate::build::step::Performed;
use crate::config::{SourceMethod, SourceMode, SourceSettings};
use crate::vc::patch;

/// Brings the revision into the directory (SRC-07).
pub(super) async fn obtain(
    system: &mut dyn System,
    at: &mut Workspace<'_, '_>,
    settings: &SourceSettings,
) -> Part<()> {
    let (delay, mut tries_left) = settings.retry.unwrap_or((Duration::ZERO, 0));
    while !attempt(system, at, settings.mode).await? {
        if tries_left == 0 {
            return Err(failed());
        }
        tries_left -= 1;
        let seconds = delay.as_secs_f64();
        at.note(&format!(
            "the checkout failed, and is tried again in {seconds} s"
        ))
        .await;
        match at.step.controls.pause(delay).await {
            Paused::Over => {}
            Paused::Stopped(reason) => {
                at.step.interrupted = Some(reason);
                return Err(failed());
            }
            Paused::SlaveLost => return Err(Performed::SlaveLost),
        }
    }
    Ok(())
}

/// One attempt to bring the revision into the directory; whether it succeeded.
async fn attempt(
    system: &mut dyn System,
    at: &mut Workspace<'_, '_>,
    mode: SourceMode,
) -> Part<bool> {
    system.begin();
    let is_clobbered = mode == SourceMode::Full(SourceMethod::Clobber);
    if !is_clobbered && system.may_update(at).await? {
        let outcome = update(system, at, mode).await?;
        if outcome == Outcome::Done {
            return Ok(true);
        }
        if !system.is_to_blame(at, outcome).await? {
            return Ok(false);
        }
    }
    at.remove(None).await?;
    let outcome = system.check_out(at).await?;
    if outcome == Outcome::Missing {
        at.note(&system.missing()).await;
    }
    Ok(outcome == Outcome::Done)
}

/// Brings an existing tree to the revision.
async fn update(
    system: &mut dyn System,
    at: &mut Workspace<'_, '_>,
    mode: SourceMode,
) -> Part<Outcome> {
    let was_patched = at.exists(patch::MARK).await?;
    let removed = match mode {
        _ if was_patched || system.always_cleans() => Some(Untracked::All),
        SourceMode::Full(SourceMethod::Fresh) => Some(Untracked::All),
        SourceMode::Full(SourceMethod::Clean) => Some(Untracked::NotIgnored),
        SourceMode::Full(_) | SourceMode::Incremental => None,
    };
    if let Some(removed) = removed
        && !system.clean(at, removed).await?
    {
        return Ok(Outcome::Failed);
    }
    let outcome = system.bring(at).await?;
    if outcome != Outcome::Done {
        return Ok(outcome);
    }
    if let Some(removed) = removed
        && !system.clean_rest(at, removed).await?
    {
        return Ok(Outcome::Failed);
    }
    if was_patched {
        // Last, so that a clean that is cut short is done again.
        at.remove(Some(patch::MARK)).await?;
    }
    Ok(Outcome::Done)
}
