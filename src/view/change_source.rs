//! Change sources: whether they work, and what they have brought (INT-01).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::json;
use crate::config::ChangeSourceConfig;
use crate::model::{HeldPulls, SourceName, SourceReport, Timestamp};
use crate::store::{State, StoreError};

/// A change source of the configuration, with what is on record of it.
#[derive(Clone, Debug, Default, Eq, JsonSchema, PartialEq, Serialize)]
pub struct ChangeSource {
    /// Its name.
    pub name: SourceName,
    /// Its type, as the configuration calls it.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// When it last tried to get something, or was last sent something.
    #[serde(serialize_with = "json::time_if_any")]
    pub last_attempt: Option<Timestamp>,
    /// When that last succeeded.
    #[serde(serialize_with = "json::time_if_any")]
    pub last_success: Option<Timestamp>,
    /// When it tries next; null if it is only sent things.
    #[serde(serialize_with = "json::time_if_any")]
    pub next_attempt: Option<Timestamp>,
    /// The last error, also if attempts have succeeded since.
    pub last_error: Option<String>,
    /// When the last error occurred.
    #[serde(serialize_with = "json::time_if_any")]
    pub last_error_at: Option<Timestamp>,
    /// What the last attempt noted.
    pub note: Option<String>,
    /// Number of errors so far.
    pub errors: u64,
    /// Number of errors since the last success.
    pub failing: u64,
    /// Number of changes that it brought.
    pub taken: u64,
    /// Number of changes that were known already.
    pub known: u64,
    /// Number of changes that its filter dropped.
    pub dropped: u64,
    /// Number of deliveries that were taken before.
    pub redelivered: u64,
    /// Where it goes on from, as JSON text in its own format.
    pub cursor: Option<String>,
}

impl ChangeSource {
    /// The sources with these settings; `state` is absent before the first start.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn all<'a>(
        state: Option<&State>,
        configs: impl IntoIterator<Item = &'a ChangeSourceConfig>,
    ) -> Result<Vec<Self>, StoreError> {
        let mut reports = state.map_or_else(|| Ok(BTreeMap::new()), State::source_reports)?;
        let configs = configs.into_iter();
        let all = configs.map(|config| {
            let report = reports.remove(&config.name).unwrap_or_default();
            Self::new(config, report)
        });
        Ok(all.collect())
    }

    /// The current failure in words, if the last attempt failed.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        let error = self.last_error.as_deref().filter(|_| self.failing > 0)?;
        Some(match self.failing {
            1 => format!("the last attempt failed: {error}"),
            times => format!("the last {times} attempts failed: {error}"),
        })
    }

    fn new(config: &ChangeSourceConfig, report: SourceReport) -> Self {
        let SourceReport {
            last_attempt,
            last_success,
            next_attempt,
            last_error,
            last_error_at,
            note,
            errors,
            failing,
            taken,
            known,
            dropped,
            redelivered,
            cursor,
        } = report;
        // What waits for an approval is shown as long as it waits.
        let held = config
            .change_hook()
            .map(|_| HeldPulls::parse(cursor.as_deref()));
        let waiting = held.map(|held| held.waiting()).unwrap_or_default();
        let note = match waiting.is_empty() {
            true => note,
            false => Some(waiting.join("; ")),
        };
        Self {
            name: config.name.clone(),
            kind: config.kind.name(),
            last_attempt,
            last_success,
            next_attempt,
            last_error,
            last_error_at,
            note,
            errors,
            failing,
            taken,
            known,
            dropped,
            redelivered,
            cursor,
        }
    }
}
