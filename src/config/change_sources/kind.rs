//! What the change sources of every kind say of themselves.

use super::Around;
use super::poller::PollerConfig;
use crate::config::reader::Table;
use crate::config::secret::Secret;

/// The settings that only change sources of one kind have.
pub(super) trait SourceSettings {
    /// The kind, as the configuration calls it.
    fn kind(&self) -> &'static str;

    /// What a source with these settings is called unless it has a `name`.
    fn usual_name(&self) -> String;

    /// Takes what the table has.
    fn read(&mut self, table: &mut Table<'_>, around: &Around<'_, '_>);

    /// The password or secret that its senders know, if they need one.
    fn password(&self) -> Option<&Secret> {
        None
    }

    /// The repository whose commits it looks for, by name or address, if it looks for commits.
    fn polls(&self) -> Option<String> {
        self.poller().map(|_| self.usual_name())
    }

    /// What it has in common with all sources that look for changes themselves, if it does.
    fn poller(&self) -> Option<&PollerConfig> {
        None
    }
}
