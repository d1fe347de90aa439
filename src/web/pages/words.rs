//! What schedulers and slaves do, in words.

use crate::model::Timestamp;
use crate::store::{State, StoreError};
use crate::text::commas;
use crate::view::{Scheduler, Slave, Tree};
use crate::web::address;
use crate::web::page::Scene;
use crate::web::parts::{Link, span};

/// What a scheduler holds, in words.
pub(super) fn held(scene: &Scene, tree: &Tree) -> String {
    let changes = match tree.changes.as_slice() {
        [one] => format!("change {one}"),
        many => format!("{} changes", many.len()),
    };
    match tree.until.filter(|until| *until > scene.now) {
        Some(until) if tree.is_timer => {
            let left = span(until.since(scene.now));
            format!("{changes}, in {left} if nobody commits until then")
        }
        Some(until) => format!("{changes}, in {}", span(until.since(scene.now))),
        None => format!("{changes}, until something important comes"),
    }
}

/// What a scheduler does next, in a sentence.
pub(super) fn scheduler(scene: &Scene, scheduler: &Scheduler) -> String {
    let held = scheduler.waiting.iter().map(|tree| tree.changes.len());
    let held: usize = held.sum();
    let next = scheduler.next.map(|at| span(at.since(scene.now)));
    match (next, &scheduler.upstream, held) {
        (Some(next), _, 0) => format!("runs in {next}"),
        (Some(next), _, held) => format!("runs in {next}, holds {held} changes"),
        (None, Some(upstream), _) => format!("follows {upstream}"),
        (None, None, 0) => match scheduler.kind {
            "ForceScheduler" => "waits for users who force builds".to_owned(),
            "Triggerable" | "NightlyTriggerable" => "waits for a build that triggers it".to_owned(),
            "Try_Jobdir" | "Try_Userpass" => "waits for try jobs".to_owned(),
            _ => "waits for changes".to_owned(),
        },
        (None, None, 1) => "holds 1 change".to_owned(),
        (None, None, held) => format!("holds {held} changes"),
    }
}

/// What a slave does, or why it does nothing, in a sentence.
pub(super) fn slave(scene: &Scene, slave: &Slave) -> String {
    let since = |at: Timestamp| span(scene.since(at));
    let mut says = Vec::new();
    match (&slave.instance, slave.connected, slave.last_seen) {
        (Some(instance), false, _) => {
            says.push(format!(
                "instance {} for {}",
                instance.state,
                since(instance.since)
            ));
        }
        (_, true, _) => says.push("connected".to_owned()),
        (None, false, Some(at)) => says.push(format!("away for {}", since(at))),
        (None, false, None) => says.push("has never connected".to_owned()),
    }
    if let Some(pause) = &slave.paused {
        let by = match pause.by.as_str() {
            "" => String::new(),
            by => format!(" by {by}"),
        };
        let why = match pause.reason.as_str() {
            "" => String::new(),
            why => format!(": {why}"),
        };
        says.push(format!("paused for {}{by}{why}", since(pause.since)));
    }
    if slave.graceful_since.is_some() {
        says.push("shuts down when it is idle".to_owned());
    }
    if let Some(until) = slave.held_until {
        let left = span(until.since(scene.now));
        says.push(format!(
            "held back for {left} more, because builds failed to start"
        ));
    }
    commas(says)
}

/// What schedulers hold and will do by themselves, one row each.
///
/// # Errors
/// The state cannot be read.
pub(super) fn soon(state: &State, scene: &Scene) -> Result<Vec<(Link, String)>, StoreError> {
    let configs = scene.config.schedulers.iter().map(AsRef::as_ref);
    let schedulers = Scheduler::all(Some(state), configs, scene.now)?;
    let busy = schedulers
        .iter()
        .filter(|s| s.next.is_some() || !s.waiting.is_empty());
    let rows = busy.map(|scheduler| {
        let name = scheduler.name.as_str();
        let link = Link::to(name, &address::scheduler(&scheduler.name));
        let first = scheduler.waiting.first();
        let says = first.map(|tree| held(scene, tree));
        let says = says.unwrap_or_else(|| self::scheduler(scene, scheduler));
        (link, says)
    });
    Ok(rows.collect())
}
