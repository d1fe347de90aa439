//! What people say, and at which account they are.

use super::{ASKING, EXTENSIONS, Heard, Held, MOST_HELD, Session};
use crate::model::Mono;
use crate::protocol::irc::message::Message;
use crate::protocol::irc::network::Network;
use crate::protocol::irc::text::{ctcp, plain};

impl Session {
    pub(super) fn on_account(&mut self, nick: &str, account: Option<&str>) {
        self.network.set_account(nick, account);
        for held in &mut self.held {
            if let Heard::Said { account: known, .. } = &mut held.said
                && self.network.same(&held.nick, nick)
            {
                *known = account.map(str::to_owned);
            }
        }
    }

    /// What somebody said is heard: the server has told all that it knows of them.
    pub(super) fn release(&mut self, nick: &str) {
        let folded = self.network.folded(nick);
        let network = &self.network;
        let of_nick = |held: &mut Held| network.folded(&held.nick) == folded;
        let known: Vec<_> = self.held.extract_if(.., of_nick).collect();
        if !self.network.knows_account(nick) {
            self.network.set_account(nick, None);
        }
        self.heard.extend(known.into_iter().map(|held| held.said));
    }

    pub(super) fn on_said(&mut self, message: &Message, now: Mono) {
        let (nick, target, text) = (&message.nick, message.param(0), message.param(1));
        if nick.is_empty() || self.is_me(nick) {
            return;
        }
        self.network.spoke(nick, now);
        let channel = match self.is_me(target) {
            true => None,
            false if self.channel(target).is_some() => Some(target.to_owned()),
            false => return,
        };
        let (text, is_action) = match ctcp(text) {
            Some(("ACTION", did)) => (did.to_owned(), true),
            Some((command, rest)) => {
                self.on_ctcp(&nick.clone(), command, rest);
                return;
            }
            None => {
                let text = plain(text);
                match (&channel, addressed(&self.me, &text, &self.network)) {
                    (_, Some(rest)) => (rest.to_owned(), false),
                    (None, None) => (text, false),
                    (Some(_), None) => return,
                }
            }
        };
        let known = self.network.account(nick).map(str::to_owned);
        let is_known = self.has_account_tag || self.network.knows_account(nick);
        let account = match self.has_account_tag {
            true => message.account.clone(),
            false => known,
        };
        let said = Heard::Said {
            nick: nick.clone(),
            address: message.address.clone(),
            account,
            channel,
            text,
            is_action,
        };
        if is_known || self.held.len() >= MOST_HELD {
            self.heard.push_back(said);
            return;
        }
        let is_asked = self
            .held
            .iter()
            .any(|held| self.network.same(&held.nick, nick));
        self.held.push(Held {
            until: now + ASKING,
            nick: nick.clone(),
            said,
        });
        if !is_asked {
            self.send("WHOIS", &[nick]);
        }
    }

    pub(super) fn on_ctcp(&mut self, nick: &str, command: &str, rest: &str) {
        let answer = match command {
            "VERSION" => self.wishes.version.clone(),
            "PING" => rest.chars().take(50).collect(),
            _ => return,
        };
        // Nobody makes the bot flood: what cannot be sent soon is not answered.
        if self.sent.len() < EXTENSIONS.len() {
            self.send("NOTICE", &[nick, &format!("\u{1}{command} {answer}\u{1}")]);
        }
    }
}

/// What is said to `me`: what follows the nick with a colon or a comma (IRC-03).
fn addressed<'t>(me: &str, text: &'t str, network: &Network) -> Option<&'t str> {
    let (nick, rest) = text.split_once([':', ','])?;
    network.same(nick, me).then_some(rest)
}
