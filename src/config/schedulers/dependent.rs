//! `type = "Dependent"`: builds what another scheduler has built with success (section 6).

use serde::Serialize;

use super::codebases::Codebases;
use super::kind::SchedulerSettings;
use super::upstream::Upstreams;
use crate::config::reader::Table;
use crate::model::SchedulerName;

/// Settings of `Dependent`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DependentConfig {
    /// The other scheduler.
    pub upstream: SchedulerName,
    /// The codebases that its sets have besides those of the other scheduler.
    #[serde(flatten)]
    pub codebases: Codebases,
}

/// The keys that only these schedulers have.
pub(super) const KEYS: &[&str] = &["upstream", "codebases"];

impl SchedulerSettings for DependentConfig {
    fn upstream(&self) -> Option<&SchedulerName> {
        Some(&self.upstream)
    }
}

impl DependentConfig {
    /// Takes what the table has of the scheduler called `name`.
    pub(super) fn read<'a>(
        &mut self,
        table: &mut Table<'a>,
        name: Option<&'a str>,
        upstreams: &mut Upstreams<'a>,
    ) {
        self.codebases.read(table, None);
        let Some(value) = table.require("upstream", "\"SCHEDULER\"") else {
            return;
        };
        if let (Some(upstream), Some(name)) = (value.name(), name) {
            self.upstream = upstream.into();
            upstreams.add(name, value);
        }
    }
}
