//! Asking a Gerrit server for what it has not told.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tracing::debug;

use super::{Cursor, Gerrit, QUERY_TIME, take};
use crate::changes::driver::Desk;
use crate::changes::polling::{HttpTool, PollError, Tool};
use crate::control::read_password;
use crate::model::Delivery;
use crate::protocol::gerrit::{
    GerritEvent, events_log, files_query, query, read_answer, read_event, read_files, set_files,
};

impl Gerrit {
    /// Asks for what was missed, and takes it. Returns what people should know.
    pub(super) async fn catch_up(
        &self,
        desk: &Desk,
        tool: &Tool,
        cursor: &mut Cursor,
    ) -> Result<Option<String>, PollError> {
        let since = cursor.since.saturating_sub(OVERLAP);
        let Some(url) = &self.config.events_log else {
            self.catch_up_with_changes(desk, tool, cursor, since)
                .await?;
            return Ok(self.have_branches_polled(desk));
        };
        let lines = match self.logged(desk, url, since).await {
            Ok(lines) => lines,
            Err(PollError::Stopped) => return Err(PollError::Stopped),
            Err(PollError::Failed(why)) => {
                self.catch_up_with_changes(desk, tool, cursor, since)
                    .await?;
                let why = format!("the plugin events-log cannot be asked: {why}");
                return Ok(Some(match self.have_branches_polled(desk) {
                    Some(note) => format!("{why}; {note}"),
                    None => why,
                }));
            }
        };
        for line in lines.split(|byte| *byte == b'\n') {
            if line.trim_ascii().is_empty() {
                continue;
            }
            let mut event = read_event(line, &self.reading);
            self.add_files(tool, &mut event).await?;
            take(desk, event, Some(Delivery::of(line)), cursor).await?;
        }
        Ok(None)
    }

    /// Asks for the changes that were updated, which do not tell of updates of branches.
    async fn catch_up_with_changes(
        &self,
        desk: &Desk,
        tool: &Tool,
        cursor: &mut Cursor,
        since: i64,
    ) -> Result<(), PollError> {
        let (mut events, mut start) = (Vec::new(), 0);
        loop {
            let printed = tool.output(query(since, start), None, MOST_PRINTED).await?;
            let answer = read_answer(&printed, since, &self.reading).map_err(PollError::new)?;
            start += answer.rows;
            events.extend(answer.events);
            if !answer.has_more || answer.rows == 0 || start >= MOST_ROWS {
                break;
            }
        }
        events.sort_by_key(|event| event.at);
        for event in events {
            take(desk, event, None, cursor).await?;
        }
        Ok(())
    }

    /// Tells the pollers of repositories on the server to look, because they alone see updates of
    /// branches that were missed. Returns what people should know if there are none.
    fn have_branches_polled(&self, desk: &Desk) -> Option<String> {
        if !self
            .reading
            .handled
            .iter()
            .any(|kind| kind == "ref-updated")
        {
            return None;
        }
        let config = desk.control.config();
        let is_here = |polled: &str| match config.repository(polled) {
            Some(known) => known.url().is_some_and(|url| self.is_at_server(url)),
            None => self.is_at_server(polled),
        };
        let mut is_polled = false;
        for source in &config.change_sources {
            if source.kind.polls().is_some_and(|polled| is_here(&polled)) {
                is_polled = true;
                let is_told = desk.control.pokes().poke(&source.name);
                debug!(source = %source.name, is_told, "told the poller to look");
            }
        }
        (!is_polled).then(|| NOT_MADE_UP_FOR.to_owned())
    }

    /// Whether an address of a repository is one on the server.
    fn is_at_server(&self, address: &str) -> bool {
        let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
        let authority = rest.split('/').next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        let host = host.split(':').next().unwrap_or_default();
        host.eq_ignore_ascii_case(&self.config.gerritserver)
    }

    /// What the plugin `events-log` has since a time.
    async fn logged(&self, desk: &Desk, url: &str, since: i64) -> Result<Vec<u8>, PollError> {
        let mut authorization = None;
        if let Some(secret) = &self.config.http_password {
            let password = read_password(secret, Path::new(".")).map_err(PollError::new)?;
            let mut both = format!("{}:", self.config.username).into_bytes();
            both.extend(password);
            authorization = Some(format!("Basic {}", STANDARD.encode(both)));
        }
        let http = HttpTool {
            authorization,
            time: QUERY_TIME,
            stop: desk.leaving.clone(),
        };
        let now = desk.control.clock().wall().0.div_euclid(1_000_000);
        let answer = http.get(&events_log(url, since), None, now).await?;
        let none = || PollError::new("the server takes no more requests for now");
        answer.body.ok_or_else(none)
    }

    /// Asks for the files of a patch set, if the settings say so.
    pub(super) async fn add_files(
        &self,
        tool: &Tool,
        event: &mut GerritEvent,
    ) -> Result<(), PollError> {
        let (Some(number), Ok(change)) = (event.number, &mut event.change) else {
            return Ok(());
        };
        if !self.config.get_files {
            return Ok(());
        }
        let printed = tool.output(files_query(number), None, MOST_PRINTED).await?;
        let revision = change.revision.as_deref().unwrap_or_default();
        if let Some(files) = read_files(&printed, revision) {
            set_files(change, files);
        }
        Ok(())
    }
}

/// What is said where nothing sees the updates of branches that were missed.
const NOT_MADE_UP_FOR: &str = "updates of branches are missed while the connection is lost: set \
    `events_log`, or add a GitPoller for each repository";
/// Seconds before the last event that are asked for again.
const OVERLAP: i64 = 60;
/// Bytes of an answer to a query.
const MOST_PRINTED: usize = 32 << 20;
/// Changes that a catch-up asks for.
const MOST_ROWS: u64 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::GerritConfig;

    #[test]
    fn pol_14_the_repositories_of_the_server_are_known_by_its_name() {
        let gerrit = Gerrit::new(&GerritConfig {
            gerritserver: "review.example.org".to_owned(),
            ..GerritConfig::default()
        });
        for (address, is_there) in [
            ("ssh://bot@review.example.org:29418/widget", true),
            ("https://Review.example.org/a/widget.git", true),
            ("bot@review.example.org:widget", true),
            ("https://example.org/review.example.org", false),
            ("https://review.example.org.evil/widget", false),
            ("/srv/git/widget", false),
        ] {
            assert_eq!(gerrit.is_at_server(address), is_there, "{address}");
        }
    }
}
