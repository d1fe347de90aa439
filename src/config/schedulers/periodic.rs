//! `type = "Periodic"`: builds again and again (section 7).

use std::time::Duration;

use serde::Serialize;

use super::kind::SchedulerSettings;
use super::timed::TimedBuild;
use crate::config::quantities::{LONGEST, SHORTEST};
use crate::config::reader::{Table, Value};

/// Settings of `Periodic`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PeriodicConfig {
    /// The time from one build to the next.
    pub period: Duration,
    /// Whether a restart goes on with the last run instead of building at once (PER-06).
    pub resume: bool,
    /// What is built.
    #[serde(flatten)]
    pub what: TimedBuild,
}

/// The keys that only these schedulers have.
pub(super) const KEYS: &[&str] = &["period", "resume"];

impl Default for PeriodicConfig {
    fn default() -> Self {
        Self {
            period: Duration::from_secs(3600),
            resume: false,
            what: TimedBuild::default(),
        }
    }
}

impl SchedulerSettings for PeriodicConfig {
    fn timed(&self) -> Option<&TimedBuild> {
        Some(&self.what)
    }
}

impl PeriodicConfig {
    /// Takes what the table has.
    pub(super) fn read(&mut self, table: &mut Table<'_>) {
        let period = table.require("period", "\"1h\"");
        if let Some(period) = period.and_then(|v| v.duration(SHORTEST..=LONGEST)) {
            self.period = period;
        }
        table.set("resume", &mut self.resume, Value::flag);
        self.what.read(table);
    }
}
