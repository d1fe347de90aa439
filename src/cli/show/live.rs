//! What only a running master knows, beside what is on disk.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde_json::{Value, json};

use super::json::{self, secs};
use super::pages::heading;
use super::screen::Screen;
use crate::botmaster::{InstanceState, Live, LiveSlave, LockHolder, LockUser, LockWait};
use crate::cli::configuration::{self, CONFIG_FILE};
use crate::cli::{complain, control};
use crate::config::LockMode;
use crate::control::socket::Request;
use crate::model::{BuilderName, Timestamp};
use crate::store::read::{BuilderRow, RequestRow, SlaveRow};
use crate::text::commas;
use crate::text::table::{Cell, Colour};

/// Asks the master of `basedir`.
pub(super) fn ask(basedir: &Path) -> anyhow::Result<Live> {
    let said = control::answer_soon(basedir, &Request::Live)?;
    Ok(serde_json::from_value(said)?)
}

/// The same, if a master runs; one that does not answer is complained of.
pub(super) fn look(basedir: &Path, is_running: bool) -> Live {
    if !is_running {
        return Live::default();
    }
    ask(basedir).unwrap_or_else(|error| {
        complain(&format!("note: what is on disk is not all: {error:#}"));
        Live::default()
    })
}

impl Live {
    /// Takes requests that do not wait any more out of what waits for each builder.
    pub(super) fn correct_pending(&self, builders: &mut [BuilderRow]) {
        for starting in self.starting.values() {
            let its = builders.iter_mut().find(|it| it.name == starting.builder);
            if let Some(its) = its {
                its.pending = its.pending.saturating_sub(1);
            }
        }
    }

    /// A request for programs.
    pub(super) fn request(&self, row: &RequestRow) -> Value {
        let mut value = json::request(row);
        if self.is_starting(row) {
            value["state"] = json!("starting");
        }
        value
    }

    /// Whether a build for it is being started.
    pub(super) fn is_starting(&self, row: &RequestRow) -> bool {
        row.build.is_none() && row.finished.is_none() && self.starting.contains_key(&row.id)
    }
}

/// The priorities of builders that are in force, or will be when the master is started.
pub(super) fn priorities(
    live: &Live,
    basedir: &Path,
    is_running: bool,
) -> BTreeMap<BuilderName, i32> {
    if is_running {
        return live.priorities.clone();
    }
    let reading = configuration::read(&basedir.join(CONFIG_FILE));
    let config = reading.ok().and_then(|reading| reading.config);
    let builders = config.map_or_else(Vec::new, |config| config.builders);
    let builders = builders.iter();
    builders.map(|it| (it.name.clone(), it.priority)).collect()
}

/// Brings open requests into the order in which they go (BRQ-02, BRQ-09).
pub(super) fn put_in_order(requests: &mut [RequestRow], priorities: &BTreeMap<BuilderName, i32>) {
    requests.sort_by_key(|row| {
        let builder = priorities.get(&row.builder).copied().unwrap_or_default();
        (
            Reverse(row.priority),
            Reverse(builder),
            row.submitted_at,
            row.id,
        )
    });
}

/// What state a slave is in, in a few words.
pub(super) fn state_of(screen: &Screen<'_>, slave: &SlaveRow, live: Option<&LiveSlave>) -> Cell {
    let none = LiveSlave::default();
    let live = live.unwrap_or(&none);
    let (mut text, mut colour) = match (slave.connected, live.instance) {
        (true, _) => ("connected".to_owned(), Some(Colour::Green)),
        (false, None) => ("offline".to_owned(), Some(Colour::Red)),
        (false, Some((InstanceState::Down, _))) => ("not started".to_owned(), None),
        (false, Some((state, since))) => {
            let since = screen.time(since);
            let text = format!("instance {} since {since}", word(state));
            (text, Some(Colour::Yellow))
        }
    };
    let mut add = |what: &str| {
        text = format!("{text}, {what}");
        if slave.connected || live.instance.is_some() {
            colour = Some(Colour::Yellow);
        }
    };
    match slave.paused.as_ref().map(|pause| pause.by.as_str()) {
        None => {}
        Some("") => add("paused"),
        Some(by) => add(&format!("paused by {by}")),
    }
    match (live.graceful_since, live.told_to_end_at) {
        (_, Some(at)) => add(&format!("told to end at {}", screen.time(at))),
        (Some(_), None) if slave.connected => add("ends when idle"),
        (Some(_), None) => add("was told to end"),
        (None, None) => {}
    }
    if let Some(until) = live.held_until {
        add(&format!("held back until {}", screen.time(until)));
    }
    match colour {
        Some(colour) => Cell::coloured(text, colour),
        None => text.into(),
    }
}

/// When something was heard of a slave last, as far as is known.
pub(super) fn last_heard(slave: &SlaveRow, live: Option<&LiveSlave>) -> Option<Timestamp> {
    let heard = live.and_then(|live| live.heard_at);
    heard.or(slave.heard_at).or(slave.seen_at)
}

/// The same for programs; null for what is not so or is not known.
pub(super) fn add_to_slave(value: &mut Value, live: Option<&LiveSlave>) {
    let none = LiveSlave::default();
    let live = live.unwrap_or(&none);
    value["graceful_since"] = json!(live.graceful_since.map(secs));
    value["told_to_end_at"] = json!(live.told_to_end_at.map(secs));
    value["held_until"] = json!(live.held_until.map(secs));
    value["instance"] = json!(
        live.instance
            .map(|(state, since)| json!({ "state": word(state), "since": secs(since) }))
    );
}

const fn word(state: InstanceState) -> &'static str {
    match state {
        InstanceState::Down => "down",
        InstanceState::Starting => "starting",
        InstanceState::Up => "up",
        InstanceState::Stopping => "stopping",
    }
}

/// Who waits for which lock, who holds it, and at which place.
pub(super) fn locks(screen: &mut Screen<'_>, waits: &[LockWait]) -> io::Result<()> {
    if waits.is_empty() {
        return screen.line("nothing waits for a lock");
    }
    let mut rows = vec![heading(&["waiting", "since", "lock", "held by", "place"])];
    for wait in waits {
        let who = LockHolder {
            builder: wait.builder.clone(),
            number: Some(wait.number),
            user: Some(wait.user.clone()),
        };
        for block in &wait.blocks {
            let slave = block.slave.as_ref();
            let of = slave.map_or_else(String::new, |slave| format!(" of {slave}"));
            let holders = match block.holders.is_empty() {
                true => "(kept for those before)".to_owned(),
                false => commas(&block.holders),
            };
            rows.push(vec![
                who.to_string().into(),
                screen.moment(wait.since),
                format!("{}{of}", block.lock).into(),
                Cell::wrapped(holders),
                Cell::kept(block.place),
            ]);
        }
    }
    screen.table(&rows)
}

/// One wait for programs.
pub(super) fn lock_wait(wait: &LockWait) -> Value {
    let step = |user: &LockUser| match user {
        LockUser::Build => Value::Null,
        LockUser::Step { name, .. } => json!(name),
    };
    let blocks = wait.blocks.iter().map(|block| {
        let holders = block.holders.iter().map(|holder| {
            json!({
                "builder": holder.builder,
                "number": holder.number,
                "step": holder.user.as_ref().map(step),
            })
        });
        json!({
            "lock": block.lock,
            "slave": block.slave,
            "mode": match block.mode {
                LockMode::Counting => "counting",
                LockMode::Exclusive => "exclusive",
            },
            "holders": holders.collect::<Vec<_>>(),
            "place": block.place,
        })
    });
    json!({
        "builder": wait.builder,
        "number": wait.number,
        "step": step(&wait.user),
        "since": secs(wait.since),
        "locks": blocks.collect::<Vec<_>>(),
        "text": wait.to_string(),
    })
}

#[cfg(test)]
mod tests;
