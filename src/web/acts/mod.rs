//! The second table: what a reader can change. Each row is a POST, and the routes come from it.
//!
//! A form is taken in five stages: what it asks for is read from the fields and the state (`ask`);
//! the permission is looked up; the form must come from a page of ours with its mark; what it asks
//! for is done once (`once`); [`crate::control::Control`] does it, with the entry in the audit log
//! (`taking`). Whatever is refused is in the audit log too.
//!
//! A new act is a row here, a function in `ask` that says what it asks of the master, and a form on
//! the page of the thing, shown only to those who may.

mod ask;
mod taking;

use std::sync::Arc;

use serde_json::Value;

use super::args::Args;
use super::form::Form;
use super::refusal::Refusal;
use crate::botmaster::{Ask, Live};
use crate::config::Config;
use crate::control::{Need, Request, Target};
use crate::model::{Action, BuilderName, RemarkKind, SchedulerName};
use crate::schedulers::forcing::{Sent, WrongField};
use crate::store::State;
use crate::view::Moment;

pub(super) use taking::take;

/// Something that a reader can change: a row of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Act {
    /// Its address, with `{name}` for each variable part.
    pub(super) path: &'static str,
    /// What the reader must be allowed.
    pub(super) action: Action,
    /// The page where the reader goes on.
    pub(super) back: &'static str,
    /// What it asks of the master.
    pub(super) ask: fn(&State, &Given) -> Result<Wish, Refusal>,
}

/// What a reader gives.
#[derive(Debug)]
pub(super) struct Given {
    /// The parts of the address.
    pub(super) args: Args,
    /// The fields.
    pub(super) form: Form,
    /// The configuration in force.
    pub(super) config: Arc<Config>,
    /// What the core knows.
    pub(super) live: Arc<Live>,
    /// When.
    pub(super) moment: Moment,
    /// The name of the reader, if the reader has logged in.
    pub(super) user: Option<String>,
}

/// What is asked of the master.
#[derive(Clone, Debug)]
pub(super) enum Wish {
    /// These, one after the other; nothing is done unless all are allowed.
    Requests(Vec<Request>),
    /// A build, as the form of a force scheduler says.
    Build {
        /// The builder.
        builder: BuilderName,
        /// The force scheduler; absent: the first of the builder.
        scheduler: Option<SchedulerName>,
        /// The fields.
        sent: Sent,
    },
    /// Nothing: these fields are wrong.
    Wrong(BuilderName, Vec<WrongField>),
}

impl Wish {
    /// What the reader must be allowed.
    fn needs(&self) -> Vec<Need> {
        match self {
            Self::Requests(requests) => requests.iter().filter_map(Request::need).collect(),
            Self::Build { builder, sent, .. } => {
                let reason = sent.get("reason").and_then(|values| values.first());
                let reason = reason.and_then(Value::as_str).unwrap_or_default();
                vec![force(builder, reason)]
            }
            Self::Wrong(builder, _) => vec![force(builder, "")],
        }
    }
}

fn force(builder: &BuilderName, reason: &str) -> Need {
    Need {
        action: Action::Force,
        target: Target::Builder(builder.clone()),
        what: format!("asked for a build on {builder}{}", Ask::because(reason)),
        reason: reason.to_owned(),
    }
}

/// A row.
const fn row(
    path: &'static str,
    action: Action,
    back: &'static str,
    ask: fn(&State, &Given) -> Result<Wish, Refusal>,
) -> Act {
    Act {
        path,
        action,
        back,
        ask,
    }
}

/// A row of the acts on several builders.
const fn several(
    path: &'static str,
    action: Action,
    ask: fn(&State, &Given) -> Result<Wish, Refusal>,
) -> Act {
    row(path, action, "/builders/_all", ask)
}

/// A row of what people say of a problem.
const fn remark(path: &'static str, ask: fn(&State, &Given) -> Result<Wish, Refusal>) -> Act {
    row(path, Action::Problem, PROBLEM, ask)
}

/// A row of what people say of a problem for themselves, who need no permission but to see it.
const fn own(path: &'static str, ask: fn(&State, &Given) -> Result<Wish, Refusal>) -> Act {
    row(path, Action::View, PROBLEM, ask)
}

const PROBLEM: &str = "/problems/{problem}";
const BUILDER: &str = "/builders/{builder}";
const TEST: &str = "/builders/{builder}/tests/{test}";
const BUILD: &str = "/builders/{builder}/builds/{build}";
const SLAVE: &str = "/buildslaves/{slave}";

/// All that can be changed.
pub(super) const ACTS: &[&Act] = &[
    &row(
        "/builders/{builder}/force",
        Action::Force,
        BUILDER,
        ask::force,
    ),
    &row("/builders/{builder}/ping", Action::Ping, BUILDER, ask::ping),
    &row(
        "/builders/{builder}/cancelbuild",
        Action::Cancel,
        BUILDER,
        ask::cancel_of_builder,
    ),
    &row(
        "/builders/{builder}/builds/{build}/stop",
        Action::Stop,
        BUILD,
        ask::stop,
    ),
    &row(
        "/builders/{builder}/builds/{build}/rebuild",
        Action::Rebuild,
        BUILD,
        ask::rebuild,
    ),
    &row(
        "/builders/{builder}/stopchange",
        Action::Stop,
        BUILDER,
        ask::stop_change,
    ),
    &row(
        "/builders/{builder}/pause",
        Action::PauseBuilder,
        BUILDER,
        ask::pause_builder,
    ),
    &row(
        "/builders/{builder}/unpause",
        Action::PauseBuilder,
        BUILDER,
        ask::unpause_builder,
    ),
    &several(
        "/builders/_all/stopchangeall",
        Action::Stop,
        ask::stop_change_on_all,
    ),
    &several("/builders/_all/forceall", Action::Force, ask::force_all),
    &several("/builders/_all/stopall", Action::Stop, ask::stop_all),
    &several(
        "/builders/_all/cancelpendingall",
        Action::Cancel,
        ask::cancel_all,
    ),
    &several(
        "/builders/_selected/forceselected",
        Action::Force,
        ask::force_selected,
    ),
    &several(
        "/builders/_selected/stopselected",
        Action::Stop,
        ask::stop_selected,
    ),
    &several(
        "/builders/_selected/cancelpendingselected",
        Action::Cancel,
        ask::cancel_selected,
    ),
    &row(
        "/buildslaves/{slave}/pause",
        Action::PauseSlave,
        SLAVE,
        ask::pause,
    ),
    &row(
        "/buildslaves/{slave}/unpause",
        Action::PauseSlave,
        SLAVE,
        ask::unpause,
    ),
    &row(
        "/buildslaves/{slave}/shutdown",
        Action::StopSlave,
        SLAVE,
        ask::shut_down_slave,
    ),
    &row(
        "/buildsets/{set}/cancel",
        Action::Cancel,
        "/buildsets/{set}",
        ask::cancel_set,
    ),
    &row(
        "/try/{set}/cancel",
        Action::Cancel,
        "/try/{set}",
        ask::cancel_set,
    ),
    &row(
        "/queue/{request}/cancel",
        Action::Cancel,
        "/queue/{request}",
        ask::cancel_request,
    ),
    &row(
        "/problems/{problem}/bisect",
        Action::Search,
        PROBLEM,
        ask::bisect,
    ),
    &row(
        "/searches/{search}/stop",
        Action::Search,
        "/searches/{search}",
        ask::stop_search,
    ),
    &row(
        "/builders/{builder}/tests/{test}/quarantine",
        Action::Problem,
        TEST,
        ask::quarantine,
    ),
    &row(
        "/builders/{builder}/tests/{test}/unquarantine",
        Action::Problem,
        TEST,
        ask::end_quarantine,
    ),
    &remark("/problems/{problem}/claim", |state, given| {
        ask::remark(state, given, RemarkKind::Claim)
    }),
    &remark("/problems/{problem}/release", |state, given| {
        ask::remark(state, given, RemarkKind::Release)
    }),
    &own("/problems/{problem}/mute", |state, given| {
        ask::remark(state, given, RemarkKind::Mute)
    }),
    &own("/problems/{problem}/unmute", |state, given| {
        ask::remark(state, given, RemarkKind::Unmute)
    }),
    &remark("/problems/{problem}/mute_all", |state, given| {
        ask::remark(state, given, RemarkKind::MuteAll)
    }),
    &remark("/problems/{problem}/unmute_all", |state, given| {
        ask::remark(state, given, RemarkKind::UnmuteAll)
    }),
    &remark("/problems/{problem}/dismiss", |state, given| {
        ask::remark(state, given, RemarkKind::Dismiss)
    }),
    &remark("/problems/{problem}/reopen", |state, given| {
        ask::remark(state, given, RemarkKind::Reopen)
    }),
    &remark("/problems/{problem}/guilty", |state, given| {
        ask::remark(state, given, RemarkKind::Guilty)
    }),
    &remark("/problems/{problem}/not_guilty", |state, given| {
        ask::remark(state, given, RemarkKind::NotGuilty)
    }),
    &own("/problems/{problem}/not_mine", |state, given| {
        ask::remark(state, given, RemarkKind::NotMine)
    }),
    &remark("/problems/{problem}/note", |state, given| {
        ask::remark(state, given, RemarkKind::Note)
    }),
    &remark("/problems/{problem}/ticket", |state, given| {
        ask::remark(state, given, RemarkKind::Ticket)
    }),
    &row("/shutdown", Action::Shutdown, "/about", ask::shut_down),
    &row(
        "/cancel_shutdown",
        Action::Shutdown,
        "/about",
        ask::cancel_shutdown,
    ),
    &row(
        "/reconfigure",
        Action::Reconfigure,
        "/about",
        ask::reconfigure,
    ),
];

#[cfg(test)]
mod tests;
