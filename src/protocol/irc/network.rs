//! Who is known on a network: nicks, accounts, and whether they are there (IRC-05, IRC-08).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::model::Mono;

/// People who are followed; others are not known to be there.
const MOST_PEOPLE: usize = 10_000;

/// Who spoke within this time is here.
const HERE: Duration = Duration::from_mins(15);

/// Who was silent for so long is away.
const SILENT: Duration = Duration::from_hours(2);

/// Which characters of nicks and channels are the same (ISUPPORT `CASEMAPPING`).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum CaseMapping {
    /// Letters only.
    Ascii,
    /// Besides, `[]\~` are the capitals of `{}|^`.
    #[default]
    Rfc1459,
}

impl CaseMapping {
    /// The mapping of this name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        match name {
            "ascii" => Self::Ascii,
            _ => Self::Rfc1459,
        }
    }

    /// The form that is the same for all spellings of a nick or a channel.
    #[must_use]
    pub fn folded(self, name: &str) -> String {
        let lower = |c: char| match (self, c) {
            (Self::Rfc1459, '[') => '{',
            (Self::Rfc1459, ']') => '}',
            (Self::Rfc1459, '\\') => '|',
            (Self::Rfc1459, '~') => '^',
            (_, c) => c.to_ascii_lowercase(),
        };
        name.chars().map(lower).collect()
    }
}

/// How likely it is that somebody sees what is said (IRC-08).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Presence {
    /// Spoke a short while ago.
    Here,
    /// Is there and was silent for a while.
    Idle,
    /// Said so, or was silent for two hours.
    Away,
    /// Is not seen on the network.
    Gone,
}

/// What is known of how to find somebody.
#[derive(Clone, Debug, Default)]
pub struct Hints {
    /// Nicks that they have proved to be theirs.
    pub proved: Vec<String>,
    /// Their accounts at the services, which are nicks of theirs, too.
    pub accounts: Vec<String>,
    /// Nicks that somebody has said to be theirs.
    pub said: Vec<String>,
}

/// The people whom the bot sees.
#[derive(Debug, Default)]
pub struct Network {
    case: CaseMapping,
    people: BTreeMap<String, Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// `None`: nothing was said of it; `Some(None)`: logged in nowhere.
    account: Option<Option<String>>,
    channels: BTreeSet<String>,
    since: Mono,
    spoke_at: Option<Mono>,
    is_away: bool,
}

impl Network {
    /// The form of a nick or a channel that is the same for all spellings.
    #[must_use]
    pub fn folded(&self, name: &str) -> String {
        self.case.folded(name)
    }

    /// Whether two nicks or channels are the same.
    #[must_use]
    pub fn same(&self, one: &str, other: &str) -> bool {
        self.folded(one) == self.folded(other)
    }

    /// The server has said how it compares names. Nobody is known before that.
    pub fn set_case(&mut self, case: CaseMapping) {
        self.case = case;
    }

    /// Somebody is in a channel.
    pub fn joined(&mut self, nick: &str, channel: &str, now: Mono) {
        let channel = self.folded(channel);
        if let Some(seen) = self.seen(nick, now) {
            seen.channels.insert(channel);
        }
    }

    /// Somebody is not in a channel any more. True if that was the last where the bot saw them.
    pub fn left(&mut self, nick: &str, channel: &str) -> bool {
        let (nick, channel) = (self.folded(nick), self.folded(channel));
        let Some(seen) = self.people.get_mut(&nick) else {
            return false;
        };
        seen.channels.remove(&channel);
        let is_gone = seen.channels.is_empty();
        if is_gone {
            self.people.remove(&nick);
        }
        is_gone
    }

    /// Somebody has left the network.
    pub fn quit(&mut self, nick: &str) {
        self.people.remove(&self.folded(nick));
    }

    /// The bot is not in a channel any more. Gives those whom it sees nowhere else, folded.
    pub fn forget_channel(&mut self, channel: &str) -> Vec<String> {
        let channel = self.folded(channel);
        let mut gone = Vec::new();
        self.people.retain(|nick, seen| {
            let was_there = seen.channels.remove(&channel);
            let is_gone = was_there && seen.channels.is_empty();
            if is_gone {
                gone.push(nick.clone());
            }
            !is_gone
        });
        gone
    }

    /// Somebody has another nick.
    pub fn renamed(&mut self, nick: &str, new: &str) {
        if let Some(seen) = self.people.remove(&self.folded(nick)) {
            self.people.insert(self.folded(new), seen);
        }
    }

    /// Somebody has spoken.
    pub fn spoke(&mut self, nick: &str, now: Mono) {
        if let Some(seen) = self.people.get_mut(&self.case.folded(nick)) {
            seen.spoke_at = Some(now);
        }
    }

    /// Somebody is away, or back.
    pub fn set_away(&mut self, nick: &str, is_away: bool) {
        if let Some(seen) = self.people.get_mut(&self.case.folded(nick)) {
            seen.is_away = is_away;
        }
    }

    /// The server has said at which account somebody is logged in; `None` for none.
    pub fn set_account(&mut self, nick: &str, account: Option<&str>) {
        if let Some(seen) = self.people.get_mut(&self.case.folded(nick)) {
            seen.account = Some(account.map(str::to_owned));
        }
    }

    /// The account of somebody whom the bot sees: absent if none is known.
    #[must_use]
    pub fn account(&self, nick: &str) -> Option<&str> {
        let seen = self.people.get(&self.folded(nick))?;
        seen.account.as_ref()?.as_deref()
    }

    /// Whether the server has said that somebody is, or is not, logged in.
    #[must_use]
    pub fn knows_account(&self, nick: &str) -> bool {
        let seen = self.people.get(&self.folded(nick));
        seen.is_some_and(|seen| seen.account.is_some())
    }

    /// Whether the bot sees somebody, and so would see them go.
    #[must_use]
    pub fn sees(&self, nick: &str) -> bool {
        self.people.contains_key(&self.folded(nick))
    }

    /// How likely somebody sees what is said.
    #[must_use]
    pub fn presence(&self, nick: &str, now: Mono) -> Presence {
        let Some(seen) = self.people.get(&self.folded(nick)) else {
            return Presence::Gone;
        };
        let silent = now.since(seen.spoke_at.unwrap_or(seen.since));
        match seen.spoke_at {
            _ if seen.is_away || silent >= SILENT => Presence::Away,
            Some(_) if silent < HERE => Presence::Here,
            Some(_) | None => Presence::Idle,
        }
    }

    /// The nick of somebody who is here, and whether it is proved to be theirs (ESC-08).
    #[must_use]
    pub fn here(&self, hints: &Hints, now: Mono) -> Option<(String, bool)> {
        let is_here = |nick: &str| self.presence(nick, now) == Presence::Here;
        let is_theirs = |account: &str| {
            let mut accounts = hints.accounts.iter();
            accounts.any(|known| known.eq_ignore_ascii_case(account))
        };
        let mut proved = hints.proved.iter();
        let proved = proved.find(|nick| is_here(nick)).cloned();
        let proved = proved.or_else(|| {
            let mut people = self.people.iter();
            let found = people.find(|(nick, seen)| {
                let account = seen.account.as_ref().and_then(Option::as_deref);
                account.is_some_and(is_theirs) && is_here(nick)
            });
            found.map(|(nick, _)| nick.clone())
        });
        if let Some(nick) = proved {
            return Some((nick, true));
        }
        let mut nicks = hints.said.iter().chain(&hints.accounts);
        let nick = nicks.find(|nick| self.account(nick).is_none() && is_here(nick));
        nick.map(|nick| (nick.clone(), false))
    }

    /// Somebody who is seen, maybe for the first time.
    fn seen(&mut self, nick: &str, now: Mono) -> Option<&mut Seen> {
        let nick = self.folded(nick);
        if self.people.len() >= MOST_PEOPLE && !self.people.contains_key(&nick) {
            return None;
        }
        Some(self.people.entry(nick).or_insert_with(|| Seen {
            since: now,
            ..Seen::default()
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: u64) -> Mono {
        Mono(Duration::from_mins(minutes))
    }

    #[test]
    fn irc_08_who_is_here_idle_away_or_gone() {
        let mut network = Network::default();
        assert_eq!(network.presence("ann", at(0)), Presence::Gone);
        network.joined("Ann", "#dev", at(0));
        assert_eq!(network.presence("ann", at(1)), Presence::Idle);
        assert_eq!(network.presence("ann", at(120)), Presence::Away);
        network.spoke("ANN", at(121));
        assert_eq!(network.presence("ann", at(135)), Presence::Here);
        assert_eq!(network.presence("ann", at(136)), Presence::Idle);
        network.set_away("ann", true);
        assert_eq!(network.presence("ann", at(122)), Presence::Away);
        network.set_away("ann", false);
        network.renamed("ann", "ann[away]");
        assert_eq!(network.presence("ann", at(122)), Presence::Gone);
        assert_eq!(network.presence("ANN{away}", at(122)), Presence::Here);
        network.joined("ann[away]", "#other", at(123));
        assert!(!network.left("ann[away]", "#DEV"));
        assert!(network.left("ann[away]", "#other"));
        assert_eq!(network.presence("ann[away]", at(124)), Presence::Gone);
    }

    #[test]
    fn irc_05_an_account_is_known_while_the_bot_sees_its_nick() {
        let mut network = Network::default();
        network.set_account("ann", Some("ann"));
        assert_eq!(
            (network.account("ann"), network.knows_account("ann")),
            (None, false)
        );
        network.joined("ann", "#dev", at(0));
        network.set_account("ann", Some("ann"));
        network.renamed("ann", "ann_");
        assert_eq!(network.account("ann_"), Some("ann"));
        network.joined("bob", "#dev", at(0));
        network.joined("bob", "#other", at(0));
        assert_eq!(network.forget_channel("#dev"), ["ann_"]);
        assert_eq!(network.account("ann_"), None);
        network.quit("bob");
        assert!(!network.sees("bob"));
    }

    #[test]
    fn esc_08_somebody_is_found_by_what_is_proved_before_what_is_said() {
        let mut network = Network::default();
        for nick in ["ann", "ann_", "anna", "bob"] {
            network.joined(nick, "#dev", at(0));
            network.spoke(nick, at(0));
        }
        let hints = |proved: &[&str], accounts: &[&str], said: &[&str]| Hints {
            proved: proved.iter().map(|&nick| nick.to_owned()).collect(),
            accounts: accounts.iter().map(|&nick| nick.to_owned()).collect(),
            said: said.iter().map(|&nick| nick.to_owned()).collect(),
        };
        let found = |network: &Network, hints: Hints, minutes| network.here(&hints, at(minutes));
        let some = |nick: &str, is_proved| Some((nick.to_owned(), is_proved));
        let all = || hints(&["anna"], &["ann"], &["ann_"]);
        assert_eq!(found(&network, all(), 3), some("anna", true));
        assert_eq!(found(&network, all(), 16), None, "nobody has spoken lately");
        network.quit("anna");
        assert_eq!(found(&network, all(), 3), some("ann_", false));
        network.set_account("bob", Some("Ann"));
        assert_eq!(found(&network, all(), 3), some("bob", true));
        network.quit("bob");
        network.set_account("ann", Some("mallory"));
        assert_eq!(found(&network, hints(&[], &["ann"], &[]), 3), None);
    }

    #[test]
    fn grd_08_only_so_many_people_are_followed() {
        let mut network = Network::default();
        for number in 0..=MOST_PEOPLE {
            network.joined(&format!("n{number}"), "#dev", at(0));
        }
        assert!(network.sees("n9999") && !network.sees("n10000"));
        assert_eq!(CaseMapping::named("ascii").folded("A[~"), "a[~");
    }
}
