//! What bots say, as it goes to the server; and what one would say, without a connection (MSG-05).

use super::chat::{Chat, Kind, Reply, Settings, lines, lines_to};
use super::looking;
use crate::config::{Config, IrcConfig};
use crate::model::BuildFacts;
use crate::store::{State, StoreError};

/// What the configuration says of the chat of a target.
pub(super) fn settings(irc: &IrcConfig) -> Settings {
    let channels = irc.channels.iter();
    Settings {
        nick: irc.nick.clone(),
        channels: channels.map(|channel| channel.name.clone()).collect(),
        pm_to_nicks: irc.pm_to_nicks.clone(),
        events: irc.notify_events.clone(),
        use_revisions: irc.use_revisions,
        show_blame_list: irc.show_blame_list,
        use_colors: irc.use_colors,
    }
}

/// Replies as lines for the server: the command, the place, and the text.
pub(super) fn spoken(
    irc: &IrcConfig,
    url: &str,
    replies: &[Reply],
) -> Vec<(&'static str, String, String)> {
    let spoken = lines(replies, url).into_iter().map(|(to, kind, text)| {
        let is_told = matches!(kind, Kind::BuildStarted | Kind::BuildEnded);
        let is_notice = is_told && irc.notice_on_channel && to.starts_with(['#', '&']);
        let command = if is_notice { "NOTICE" } else { "PRIVMSG" };
        let text = match kind == Kind::Action {
            true => format!("\u{1}ACTION {text}\u{1}"),
            false => text,
        };
        (command, to, text)
    });
    spoken.collect()
}

/// What a bot would say of the end of a build in its channels, in these words or its own, a line
/// each. Nothing if the configuration has no channel that hears of such an end, or the build was
/// pruned.
///
/// # Errors
/// The state cannot be read.
pub fn said_of_build(
    state: &State,
    (config, irc): (&Config, &IrcConfig),
    facts: &BuildFacts,
    text: Option<&str>,
) -> Result<Vec<String>, StoreError> {
    let (build, ending) = (facts.build, Some(facts.ending));
    let url = &config.buildbot_url;
    let Some(ended) = looking::end(state, (irc, url), build, ending)? else {
        return Ok(Vec::new());
    };
    let replies = Chat::new(settings(irc)).letter(&ended);
    let replies = replies.iter().flat_map(|reply| {
        let worded = reply.worded(text);
        spoken(irc, url, &worded)
    });
    Ok(replies.map(shown).collect())
}

/// What a bot would say to somebody in private, a line each.
#[must_use]
pub fn said_to((config, irc): (&Config, &IrcConfig), to: &str, text: &str) -> Vec<String> {
    let replies = lines_to(to, text);
    let spoken = spoken(irc, &config.buildbot_url, &replies);
    spoken.into_iter().map(shown).collect()
}

fn shown((command, to, text): (&'static str, String, String)) -> String {
    format!("{command} {to} :{text}")
}
