//! Helpers for the tests of single machines: an [`Out`] and the effects, commands and outcomes that
//! a machine has written to it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::layout::Layout;
use super::ledger::Effect;
use super::out::Out;
use super::outcome::Outcome;
use super::{BuildOutcome, Command};
use crate::config::Config;
use crate::model::{Mono, Now, Properties, Results, Ticket, Timestamp};

/// An [`Out`] with this configuration laid out.
pub(super) fn out(config: Config) -> Out {
    let config = Arc::new(config);
    let mut layout = Layout::new(Arc::clone(&config));
    let _laid_out = layout.set_config(&config);
    let now = Now {
        mono: Mono(Duration::from_secs(1000)),
        wall: Timestamp::from_secs(1_000_000),
    };
    Out::new(layout, now)
}

/// Confirms all tickets; returns their effects.
pub(super) fn persisted(out: &mut Out) -> Vec<Effect> {
    out.on_persisted(Ticket(u64::MAX));
    std::iter::from_fn(|| out.next_due()).collect()
}

/// How a build ends; its text is the result.
pub(super) fn outcome(result: Results, stop_reason: Option<&str>) -> BuildOutcome {
    BuildOutcome {
        result,
        text: vec![result.as_str().to_owned()],
        stop_reason: stop_reason.map(str::to_owned),
        properties: Properties::new(),
        took: BTreeMap::new(),
        abandoned_command: false,
    }
}

/// Takes the commands.
pub(super) fn commands(out: &mut Out) -> Vec<Command> {
    std::iter::from_fn(|| out.next_command()).collect()
}

/// Takes the outcomes.
pub(super) fn outcomes(out: &mut Out) -> Vec<Outcome> {
    std::iter::from_fn(|| out.next_outcome()).collect()
}
