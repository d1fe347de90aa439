//! The rows of the state table for latent slaves (20 to 28) that histories have taken. The other
//! rows have a model test beside the state machine.

use std::sync::atomic::{AtomicU32, Ordering};

use buildmaster::botmaster::{BotMaster, BuilderEvent, Event, InstanceEvent, SlaveEvent};
use buildmaster::model::SlaveName;

/// A bit for each row that was taken.
static TAKEN: AtomicU32 = AtomicU32::new(0);

pub(super) fn take(row: u32) {
    TAKEN.fetch_or(1 << row, Ordering::Relaxed);
}

/// SLB-01: every row was taken by some history.
pub fn check_all_taken() {
    let taken = TAKEN.load(Ordering::Relaxed);
    let missing: Vec<u32> = (20..=28).filter(|row| taken & (1 << row) == 0).collect();
    assert!(
        missing.is_empty(),
        "no history has taken the rows {missing:?}"
    );
}

/// Takes the rows that an event belongs to.
pub(super) fn hear(event: &Event, is_latent: impl Fn(&SlaveName) -> bool) {
    match event {
        Event::Instance(InstanceEvent::Substantiating { .. }) => take(20),
        Event::Instance(InstanceEvent::Substantiated { .. }) => take(21),
        Event::Instance(InstanceEvent::SubstantiateFailed { .. }) => take(23),
        Event::Instance(InstanceEvent::Stopping { why, .. }) if why.contains("no build wants") => {
            take(25)
        }
        Event::Slave(SlaveEvent::Lost { slave, .. }) if is_latent(slave) => take(26),
        Event::Slave(SlaveEvent::Refused { why, .. })
            if why.contains("has not started its instance") =>
        {
            take(27)
        }
        Event::Builder(BuilderEvent::PingedLatent { .. }) => take(28),
        _ => {}
    }
}

/// How many builds wait for instances.
pub(super) fn waiting(core: &BotMaster) -> usize {
    core.instances()
        .iter()
        .map(|instance| instance.waiting.len())
        .sum()
}
