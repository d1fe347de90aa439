//! `type = "NightlyTriggerable"`: keeps what a step of another build asks for, and builds it by the
//! clock on the wall.

use serde::Serialize;

use super::kind::SchedulerSettings;
use super::nightly::NightlyConfig;
use crate::config::reader::Table;
use crate::config::zones::MachineZone;
use crate::model::Zone;

/// Settings of `NightlyTriggerable`: those of `Nightly` that say when it runs, and the codebases
/// that have a stamp each in its sets.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct NightlyTriggerableConfig(pub NightlyConfig);

/// The keys besides the calendar.
pub(super) const KEYS: &[&str] = &["codebases"];

impl SchedulerSettings for NightlyTriggerableConfig {
    fn zone(&self) -> Option<Zone> {
        self.0.zone()
    }

    fn search_years(&self) -> Option<u16> {
        self.0.search_years()
    }

    fn takes_triggers(&self) -> bool {
        true
    }
}

impl NightlyTriggerableConfig {
    /// Takes what the table has.
    pub(super) fn read(&mut self, table: &mut Table<'_>, zone: &MachineZone) {
        self.0.read_clock(table, zone);
        self.0.what.codebases.read(table, None);
    }
}
