//! `buildmaster audit`: who did what, and what was refused (MAY-05).

use std::process::ExitCode;

use super::base_dir::Master;
use super::moment::{self, local};
use super::{say, write_out};
use crate::daemon::machine_zone;
use crate::model::{Action, Timestamp, Zone};
use crate::store::State;
use crate::store::read::AuditFilter;
use crate::text::{printable, printable_json};
use crate::view::Audit;

/// Show who did what, and what was refused
///
/// The audit log has all acts of users, by command, web and API, for a year. The oldest of the
/// entries that are shown comes first.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct AuditArgs {
    #[command(flatten)]
    master: Master,
    /// Print one JSON object for each entry
    #[arg(long)]
    json: bool,
    /// Show only the acts of this user
    #[arg(long, value_name = "NAME")]
    who: Option<String>,
    /// Show only acts that need this permission
    #[arg(long, value_parser = action)]
    action: Option<Action>,
    /// Show only acts from this time on
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    since: Option<Timestamp>,
    /// How many entries to show, the newest [default: 50, and all with --json]
    #[arg(long, short = 'n', value_name = "N")]
    limit: Option<u32>,
}

impl AuditArgs {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let state = State::open_readonly(&self.master.basedir)?;
        let limit = match self.limit {
            Some(limit) => limit,
            None if self.json => u32::MAX,
            None => 50,
        };
        let filter = AuditFilter {
            who: self.who,
            action: self.action,
            since: self.since,
            before: None,
        };
        let mut entries = state.audit(&filter, limit.into())?;
        entries.reverse();
        if entries.is_empty() && !self.json {
            say("no acts yet");
        }
        let zone = machine_zone().unwrap_or(Zone::UTC);
        write_out(|out| {
            for entry in entries {
                let entry = Audit::from(entry);
                let line = match self.json {
                    true => printable_json(&serde_json::to_string(&entry)?),
                    false => printable(&line(&entry, zone)),
                };
                writeln!(out, "{line}")?;
            }
            Ok(())
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// An entry for people.
fn line(entry: &Audit, zone: Zone) -> String {
    let (at, by, what) = (local(entry.at, zone), entry.by(), &entry.what);
    match entry.came_of().as_str() {
        "" => format!("{at}  {by}  {what}"),
        came_of => format!("{at}  {by}  {what}  [{came_of}]"),
    }
}

fn action(name: &str) -> Result<Action, String> {
    let actions = Action::named(name).and_then(|actions| actions.first());
    actions.copied().ok_or_else(|| {
        let names: Vec<_> = Action::ALL.iter().map(|action| action.name()).collect();
        format!("unknown action; it may be {}", names.join(", "))
    })
}
