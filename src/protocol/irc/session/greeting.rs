//! The registration: extensions, the login to the services, and the nick.

use super::{AGAIN, EXTENSIONS, Session};
use crate::model::Mono;
use crate::protocol::irc::message::Message;
use crate::protocol::irc::network::CaseMapping;
use crate::protocol::irc::sasl::Sasl;

impl Session {
    pub(super) fn reclaim(&mut self, now: Mono) {
        self.reclaim_at = Some(now + AGAIN);
        let nick = self.wishes.nick.clone();
        self.send("NICK", &[&nick]);
    }

    pub(super) fn on_cap(&mut self, message: &Message) {
        let offered = message.params.last().map_or("", String::as_str);
        let offered: Vec<_> = offered.split(' ').collect();
        let has = |wanted: &str| {
            let mut offered = offered.iter();
            offered.any(|offer| offer.split('=').next() == Some(wanted))
        };
        match message.param(1) {
            "LS" => {
                let mut wanted: Vec<_> = EXTENSIONS.into_iter().filter(|e| has(e)).collect();
                let knows_sasl = has("sasl");
                if self.wishes.sasl.is_some() && knows_sasl {
                    wanted.push("sasl");
                }
                // With `*` more is to come; each line is answered by itself.
                let is_last = message.param(2) != "*";
                if !wanted.is_empty() {
                    self.send("CAP", &["REQ", &wanted.join(" ")]);
                } else if is_last && self.wishes.sasl.is_none() {
                    self.send("CAP", &["END"]);
                }
                if is_last && self.wishes.sasl.is_some() && !knows_sasl {
                    self.fail("the server has no SASL; see `sasl_password`".to_owned());
                }
            }
            "ACK" => {
                self.has_account_tag |= has("account-tag");
                match self.wishes.sasl.as_ref().map(Sasl::mechanism) {
                    Some(mechanism) if has("sasl") => self.send("AUTHENTICATE", &[mechanism]),
                    Some(_) => {}
                    None => self.send("CAP", &["END"]),
                }
            }
            "NAK" => self.send("CAP", &["END"]),
            _ => {}
        }
    }

    pub(super) fn on_authenticate(&mut self, message: &Message) {
        let pieces = match &self.wishes.sasl {
            Some(sasl) if message.param(0) == "+" => sasl.answer(),
            Some(_) | None => Vec::new(),
        };
        for piece in pieces {
            self.send("AUTHENTICATE", &[&piece]);
        }
    }

    pub(super) fn on_welcome(&mut self, message: &Message, now: Mono) {
        if self.is_registered {
            return;
        }
        self.is_registered = true;
        message.param(0).clone_into(&mut self.me);
        if let (None, Some(password)) = (&self.wishes.sasl, self.wishes.nickserv.clone()) {
            let text = match self.is_me(&self.wishes.nick) {
                true => format!("IDENTIFY {password}"),
                false => format!("IDENTIFY {} {password}", self.wishes.nick),
            };
            self.send("PRIVMSG", &["NickServ", &text]);
        }
        if !self.is_me(&self.wishes.nick) {
            self.reclaim_at = Some(now + AGAIN);
        }
        for at in 0..self.channels.len() {
            self.enter(at, now);
        }
    }

    pub(super) fn on_support(&mut self, message: &Message) {
        let mut said = message.params.iter();
        if let Some(case) = said.find_map(|said| said.strip_prefix("CASEMAPPING=")) {
            self.network.set_case(CaseMapping::named(case));
        }
    }

    pub(super) fn on_nick_taken(&mut self, message: &Message, now: Mono) {
        if self.is_registered {
            // 437 also says that a channel cannot be joined.
            self.on_not_joined(message, now);
            return;
        }
        self.me.push('_');
        let nick = self.me.clone();
        // Servers cut nicks; then more of them are of no use.
        if nick.len() > self.wishes.nick.len() + 8 {
            self.fail(format!(
                "the nick {} and others like it are taken",
                self.wishes.nick
            ));
        } else {
            self.send("NICK", &[&nick]);
        }
    }
}
