//! The decisions of a connection: registration, nick, channels, pings, accounts (IRC-01, IRC-05).
//!
//! ```text
//! Greeting -- 001 --> Registered, each channel: Joining --> Joined --> Out (a minute) --> Joining
//! ```
//!
//! Whoever holds a session hands it lines and the time, sends what it wants sent, and hears what it
//! has heard. After [`Heard::Failed`] the connection is of no use.

mod greeting;
mod listening;

use std::collections::VecDeque;
use std::time::Duration;

use super::message::{Message, line};
use super::network::Network;
use super::sasl::Sasl;
use crate::model::Mono;

/// What a bot wants of a server.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Wishes {
    /// The nick.
    pub nick: String,
    /// The user name and the name for people.
    pub name: String,
    /// The password of the server.
    pub password: Option<String>,
    /// How it logs in to the services.
    pub sasl: Option<Sasl>,
    /// The password that `NickServ` gets, if there is no SASL.
    pub nickserv: Option<String>,
    /// The channels, with their keys.
    pub channels: Vec<(String, Option<String>)>,
    /// The answer to a CTCP `VERSION`.
    pub version: String,
}

/// What was heard.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Heard {
    /// Somebody has addressed the bot.
    Said {
        /// The nick.
        nick: String,
        /// `user@host`.
        address: String,
        /// The account at the services of the network.
        account: Option<String>,
        /// The channel; absent for what was said in private.
        channel: Option<String>,
        /// What, without the name of the bot.
        text: String,
        /// Whether it is an action (`/me hugs bb`).
        is_action: bool,
    },
    /// Somebody has another nick.
    Renamed {
        /// The nick before.
        nick: String,
        /// The nick now.
        new: String,
    },
    /// The bot does not see somebody any more.
    Gone {
        /// The nick.
        nick: String,
    },
    /// The server has worked off everything before this mark.
    Reached {
        /// The mark.
        mark: String,
    },
    /// The connection is of no use any more.
    Failed {
        /// Why.
        why: String,
    },
}

/// A connection to a server.
#[derive(Debug)]
pub struct Session {
    wishes: Wishes,
    /// The nick that the server knows the bot by.
    me: String,
    is_registered: bool,
    /// The extensions that are on.
    has_account_tag: bool,
    channels: Vec<Channel>,
    network: Network,
    held: Vec<Held>,
    sent: VecDeque<String>,
    heard: VecDeque<Heard>,
    began: Mono,
    last_heard: Mono,
    pinged_at: Option<Mono>,
    reclaim_at: Option<Mono>,
}

#[derive(Debug)]
struct Channel {
    name: String,
    key: Option<String>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    Joining { since: Mono },
    Joined,
    Out { again_at: Mono },
}

/// What somebody said whose account is being asked for.
#[derive(Debug)]
struct Held {
    until: Mono,
    nick: String,
    said: Heard,
}

/// Extensions that are asked for if the server has them.
const EXTENSIONS: [&str; 4] = [
    "account-tag",
    "account-notify",
    "extended-join",
    "away-notify",
];

/// The mark of the bot's own pings.
const OWN_PING: &str = "buildmaster";

/// A server that is silent for so long is pinged (IRC-01).
const SILENT: Duration = Duration::from_mins(2);

/// An answer takes at most this time.
const PATIENCE: Duration = Duration::from_mins(1);

/// The pause before a channel or a nick is tried again (IRC-01).
const AGAIN: Duration = Duration::from_mins(1);

/// What somebody said waits at most this time for the account.
const ASKING: Duration = Duration::from_secs(5);

/// What waits for accounts.
const MOST_HELD: usize = 50;

/// Channels of a bot.
const MOST_CHANNELS: usize = 50;

impl Session {
    /// A connection that has just been made; the first lines are to be sent.
    #[must_use]
    pub fn new(wishes: Wishes, now: Mono) -> Self {
        let channels = wishes.channels.iter().map(|(name, key)| Channel {
            name: name.clone(),
            key: key.clone(),
            stage: Stage::Joining { since: now },
        });
        let mut session = Self {
            me: wishes.nick.clone(),
            channels: channels.take(MOST_CHANNELS).collect(),
            wishes,
            is_registered: false,
            has_account_tag: false,
            network: Network::default(),
            held: Vec::new(),
            sent: VecDeque::new(),
            heard: VecDeque::new(),
            began: now,
            last_heard: now,
            pinged_at: None,
            reclaim_at: None,
        };
        session.send("CAP", &["LS", "302"]);
        if let Some(password) = session.wishes.password.clone() {
            session.send("PASS", &[&password]);
        }
        let (nick, name) = (session.me.clone(), session.wishes.name.clone());
        session.send("NICK", &[&nick]);
        session.send("USER", &[&nick, "0", "*", &name]);
        session
    }

    /// The next line to send at once, without its end.
    pub fn next_line(&mut self) -> Option<String> {
        self.sent.pop_front()
    }

    /// What was heard next.
    pub fn next_heard(&mut self) -> Option<Heard> {
        self.heard.pop_front()
    }

    /// Takes a line from the server.
    pub fn handle(&mut self, message: &Message, now: Mono) {
        self.last_heard = now;
        self.pinged_at = None;
        match message.command.as_str() {
            "PING" => self.send("PONG", &[message.param(0)]),
            "PONG" => self.on_pong(message),
            "CAP" => self.on_cap(message),
            "AUTHENTICATE" => self.on_authenticate(message),
            "903" => self.send("CAP", &["END"]),
            "902" | "904" | "905" | "906" | "908" => {
                let why = format!("the login by SASL was refused: {}", said_last(message));
                self.fail(why);
            }
            "001" => self.on_welcome(message, now),
            "005" => self.on_support(message),
            "433" | "436" | "437" => self.on_nick_taken(message, now),
            "432" if !self.is_registered => {
                let why = format!("the server refuses the nick: {}", said_last(message));
                self.fail(why);
            }
            "464" | "465" => self.fail(format!("the server refuses: {}", said_last(message))),
            "ERROR" => self.fail(format!("the server says: {}", said_last(message))),
            "403" | "405" | "471" | "473" | "474" | "475" | "476" | "477" => {
                self.on_not_joined(message, now);
            }
            "301" => self.network.set_away(message.param(1), true),
            "330" => {
                let (nick, account) = (message.param(1), message.param(2));
                self.on_account(nick, Some(account));
            }
            "318" => self.release(message.param(1)),
            "353" => self.on_names(message, now),
            "JOIN" => self.on_join(message, now),
            "PART" => self.on_left(&message.nick, message.param(0), now),
            "KICK" => self.on_left(message.param(1), message.param(0), now),
            "QUIT" => self.on_quit(message, now),
            "NICK" => self.on_nick(message),
            "AWAY" => self
                .network
                .set_away(&message.nick, !message.params.is_empty()),
            "ACCOUNT" => {
                let account = Some(message.param(0)).filter(|account| *account != "*");
                self.network.set_account(&message.nick, account);
            }
            "PRIVMSG" => self.on_said(message, now),
            _ => {}
        }
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Mono) {
        if !self.is_registered && now.since(self.began) >= PATIENCE {
            self.fail("the server does not greet".to_owned());
        }
        match self.pinged_at {
            Some(at) if now.since(at) >= PATIENCE => {
                self.fail("the server does not answer".to_owned());
            }
            None if now.since(self.last_heard) >= SILENT => {
                self.pinged_at = Some(now);
                self.send("PING", &[OWN_PING]);
            }
            Some(_) | None => {}
        }
        if self.reclaim_at.is_some_and(|at| at <= now) {
            self.reclaim(now);
        }
        let due: Vec<_> = self.held.extract_if(.., |held| held.until <= now).collect();
        self.heard.extend(due.into_iter().map(|held| held.said));
        if self.is_registered {
            for at in 0..self.channels.len() {
                match self.channels[at].stage {
                    Stage::Out { again_at } if again_at <= now => self.enter(at, now),
                    Stage::Joining { since } if now.since(since) >= PATIENCE => {
                        self.channels[at].stage = Stage::Out {
                            again_at: now + AGAIN,
                        };
                    }
                    Stage::Out { .. } | Stage::Joining { .. } | Stage::Joined => {}
                }
            }
        }
    }

    /// When something is due.
    #[must_use]
    pub fn due(&self) -> Mono {
        let mut due = match self.pinged_at {
            Some(at) => at + PATIENCE,
            None => self.last_heard + SILENT,
        };
        if !self.is_registered {
            due = due.min(self.began + PATIENCE);
        }
        let channels = self
            .channels
            .iter()
            .filter_map(|channel| match channel.stage {
                Stage::Joining { since } => Some(since + PATIENCE),
                Stage::Out { again_at } => Some(again_at),
                Stage::Joined => None,
            });
        let channels = channels.filter(|_| self.is_registered);
        let held = self.held.iter().map(|held| held.until);
        let others = channels.chain(held).chain(self.reclaim_at);
        others.fold(due, Ord::min)
    }

    /// Whether what is said now is heard: the bot is in its channels, as far as it can be.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let is_joined = |channel: &Channel| channel.stage == Stage::Joined;
        let waits = |channel: &Channel| matches!(channel.stage, Stage::Joining { .. });
        self.is_registered
            && !self.channels.iter().any(waits)
            && (self.channels.is_empty() || self.channels.iter().any(is_joined))
    }

    /// The people whom the bot sees.
    #[must_use]
    pub const fn network(&self) -> &Network {
        &self.network
    }

    /// The nick of the bot.
    #[must_use]
    pub fn nick(&self) -> &str {
        &self.me
    }

    /// Whether the bot is in a channel.
    #[must_use]
    pub fn is_in(&self, channel: &str) -> bool {
        let found = self.channel(channel);
        found.is_some_and(|at| self.channels[at].stage == Stage::Joined)
    }

    /// Joins another channel. False if there are too many.
    pub fn join(&mut self, name: &str, key: Option<&str>, now: Mono) -> bool {
        let at = match self.channel(name) {
            Some(at) => at,
            None if self.channels.len() >= MOST_CHANNELS => return false,
            None => {
                self.channels.push(Channel {
                    name: name.to_owned(),
                    key: None,
                    stage: Stage::Out { again_at: now },
                });
                self.channels.len() - 1
            }
        };
        if let Some(key) = key {
            self.channels[at].key = Some(key.to_owned());
        }
        if self.channels[at].stage != Stage::Joined {
            self.enter(at, now);
        }
        true
    }

    /// Leaves a channel, and does not come back by itself.
    pub fn leave(&mut self, name: &str) {
        if let Some(at) = self.channel(name) {
            self.channels.remove(at);
            self.send("PART", &[name]);
            self.forget(name);
        }
    }

    /// The line that makes the server say, by [`Heard::Reached`], that it has come so far.
    #[must_use]
    pub fn mark(mark: &str) -> Option<String> {
        line("PING", &[mark])
    }

    fn channel(&self, name: &str) -> Option<usize> {
        let mut channels = self.channels.iter();
        channels.position(|channel| self.network.same(&channel.name, name))
    }

    fn is_me(&self, nick: &str) -> bool {
        self.network.same(&self.me, nick)
    }

    fn send(&mut self, command: &str, params: &[&str]) {
        self.sent.extend(line(command, params));
    }

    fn fail(&mut self, why: String) {
        self.heard.push_back(Heard::Failed { why });
    }

    fn enter(&mut self, at: usize, now: Mono) {
        let channel = &mut self.channels[at];
        channel.stage = Stage::Joining { since: now };
        let (name, key) = (channel.name.clone(), channel.key.clone());
        match key {
            Some(key) => self.send("JOIN", &[&name, &key]),
            None => self.send("JOIN", &[&name]),
        }
    }

    fn on_pong(&mut self, message: &Message) {
        let mark = message.params.last().cloned().unwrap_or_default();
        if mark != OWN_PING {
            self.heard.push_back(Heard::Reached { mark });
        }
    }

    fn on_not_joined(&mut self, message: &Message, now: Mono) {
        if let Some(at) = self.channel(message.param(1)) {
            self.channels[at].stage = Stage::Out {
                again_at: now + AGAIN,
            };
        }
    }

    fn on_names(&mut self, message: &Message, now: Mono) {
        let channel = message.param(2);
        for name in message.param(3).split(' ').filter(|name| !name.is_empty()) {
            let nick = name.trim_start_matches(['~', '&', '@', '%', '+', '!', '.']);
            if !self.is_me(nick) {
                self.network.joined(nick, channel, now);
            }
        }
    }

    fn on_join(&mut self, message: &Message, now: Mono) {
        let channel = message.param(0);
        if self.is_me(&message.nick) {
            if let Some(at) = self.channel(channel) {
                self.channels[at].stage = Stage::Joined;
            }
            return;
        }
        self.network.joined(&message.nick, channel, now);
        // With `extended-join` the account follows.
        if message.params.len() >= 3 {
            let account = Some(message.param(1)).filter(|account| *account != "*");
            self.network.set_account(&message.nick, account);
        }
    }

    fn on_left(&mut self, nick: &str, channel: &str, now: Mono) {
        if !self.is_me(nick) {
            if self.network.left(nick, channel) {
                let nick = nick.to_owned();
                self.heard.push_back(Heard::Gone { nick });
            }
            return;
        }
        self.forget(channel);
        if let Some(at) = self.channel(channel) {
            self.channels[at].stage = Stage::Out {
                again_at: now + AGAIN,
            };
        }
    }

    fn forget(&mut self, channel: &str) {
        let gone = self.network.forget_channel(channel);
        self.heard
            .extend(gone.into_iter().map(|nick| Heard::Gone { nick }));
    }

    fn on_quit(&mut self, message: &Message, now: Mono) {
        let nick = message.nick.clone();
        self.network.quit(&nick);
        // The nick may be free now.
        if self.reclaim_at.is_some() && self.network.same(&nick, &self.wishes.nick) {
            self.reclaim(now);
        }
        self.heard.push_back(Heard::Gone { nick });
    }

    fn on_nick(&mut self, message: &Message) {
        let (nick, new) = (message.nick.clone(), message.param(0).to_owned());
        if self.is_me(&nick) {
            self.me = new;
            if self.is_me(&self.wishes.nick) {
                self.reclaim_at = None;
            }
            return;
        }
        self.network.renamed(&nick, &new);
        self.heard.push_back(Heard::Renamed { nick, new });
    }
}

fn said_last(message: &Message) -> String {
    let said = message.params.last().map_or("", String::as_str);
    super::text::safe(said)
}

#[cfg(test)]
mod tests;
