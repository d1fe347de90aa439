//! What tests of single machines share.

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

/// Everything that was handed in is on disk; what happens then.
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

/// The commands, which are taken.
pub(super) fn commands(out: &mut Out) -> Vec<Command> {
    std::iter::from_fn(|| out.next_command()).collect()
}

/// The outcomes, which are taken.
pub(super) fn outcomes(out: &mut Out) -> Vec<Outcome> {
    std::iter::from_fn(|| out.next_outcome()).collect()
}
