//! `type = "IRC"`: a bot in channels, which tells of builds and does what people ask (IRC-01 to
//! IRC-10).

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::Around;
use super::telling::Telling;
use crate::config::reader::{Table, Value};
use crate::config::secret::Secret;
use crate::config::shape::Shape;
use crate::config::spelling::nearest;
use crate::config::trace::Wanted;
use crate::model::NotifyEvent;

/// Settings of `IRC`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct IrcConfig {
    /// The name of the target, and the builders whose builds it tells.
    #[serde(flatten)]
    pub telling: Telling,
    /// The server.
    pub host: String,
    /// Its port: 6697, without TLS 6667.
    pub port: u16,
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// A file with the certificates that the server's is checked against, besides the system's.
    pub ca_file: Option<PathBuf>,
    /// A file with a certificate and its key, by which the bot logs in (SASL EXTERNAL).
    pub certificate_file: Option<PathBuf>,
    /// The nick.
    pub nick: String,
    /// The channels.
    pub channels: Vec<IrcChannel>,
    /// The nicks that hear in private what the channels hear.
    pub pm_to_nicks: Vec<String>,
    /// The password of the server.
    pub server_password: Option<Secret>,
    /// The account of the SASL login: the nick.
    pub sasl_account: Option<String>,
    /// The password of the SASL login (SASL PLAIN).
    pub sasl_password: Option<Secret>,
    /// The password for `NickServ`.
    pub password: Option<Secret>,
    /// The events that channels hear until they ask for others: none.
    pub notify_events: Vec<NotifyEvent>,
    /// The name of the file in `templates` that makes what channels are told of builds; absent: the
    /// text is the master's own.
    pub template: Option<String>,
    /// Whether channels are told by notices.
    pub notice_on_channel: bool,
    /// Whether builds are named by their revisions.
    pub use_revisions: bool,
    /// Whether the end of a bad build names who is to blame.
    pub show_blame_list: bool,
    /// Whether results have colours.
    pub use_colors: bool,
    /// Whether people are told of problems in private while they are there, and channels of those
    /// that nobody solves.
    pub problems: bool,
    /// Whether anyone may force and stop builds by IRC.
    pub allow_force: bool,
    /// Whether anyone may stop the master by IRC.
    pub allow_shutdown: bool,
    /// The first pause after a connection was lost.
    pub lost_delay: Duration,
    /// The first pause after a connection could not be made.
    pub failed_delay: Duration,
}

/// A channel.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct IrcChannel {
    /// Its name, with the `#`.
    pub name: String,
    /// Its key.
    pub key: Option<Secret>,
}

/// The keys that only these status targets have.
pub(super) const KEYS: &[&str] = &[
    "name",
    "builders",
    "tags",
    "host",
    "port",
    "tls",
    "ca_file",
    "certificate_file",
    "nick",
    "channels",
    "pm_to_nicks",
    "server_password",
    "server_password_file",
    "server_password_env",
    "sasl_account",
    "sasl_password",
    "sasl_password_file",
    "sasl_password_env",
    "password",
    "password_file",
    "password_env",
    "notify_events",
    "template",
    "notice_on_channel",
    "use_revisions",
    "show_blame_list",
    "use_colors",
    "problems",
    "allow_force",
    "allow_shutdown",
    "lost_delay",
    "failed_delay",
];

pub(in crate::config) static CHANNEL: Shape = Shape {
    place: "status.channels",
    noun: "channel",
    keys: &["name", "key", "key_file", "key_env"],
    kinds: Vec::new,
};

/// The port with and without TLS.
const PORTS: (u16, u16) = (6697, 6667);

/// Channels of a bot, and nicks that it tells in private.
const MOST: usize = 50;

/// Bytes of a nick or a channel.
const LONGEST_NAME: usize = 64;

impl Default for IrcConfig {
    fn default() -> Self {
        Self {
            telling: Telling::default(),
            host: String::new(),
            port: PORTS.0,
            tls: true,
            ca_file: None,
            certificate_file: None,
            nick: String::new(),
            channels: Vec::new(),
            pm_to_nicks: Vec::new(),
            server_password: None,
            sasl_account: None,
            sasl_password: None,
            password: None,
            notify_events: Vec::new(),
            template: None,
            notice_on_channel: false,
            use_revisions: false,
            show_blame_list: true,
            use_colors: true,
            problems: false,
            allow_force: false,
            allow_shutdown: false,
            lost_delay: Duration::from_secs(5),
            failed_delay: Duration::from_secs(5),
        }
    }
}

impl IrcConfig {
    /// Takes what the table has.
    pub(super) fn read(&mut self, table: &mut Table<'_>, around: &Around<'_, '_>) {
        self.telling.read_builders(table, "IRC", around);
        if let Some(host) = table.require("host", "\"irc.example.org\"") {
            host.name().unwrap_or_default().clone_into(&mut self.host);
        }
        if let Some(nick) = table.require("nick", "\"widget-ci\"") {
            self.nick = read_nick(&nick).unwrap_or_default();
        }
        if let Some(channels) = table.require("channels", "[\"#widget\"]") {
            self.channels = read_channels(&channels).unwrap_or_default();
        }
        table.set("tls", &mut self.tls, Value::flag);
        self.port = if self.tls { PORTS.0 } else { PORTS.1 };
        table.set("port", &mut self.port, |value| value.integer(1..=u16::MAX));
        table.set_some("ca_file", &mut self.ca_file, |value| {
            value.name().map(PathBuf::from)
        });
        table.set_some("certificate_file", &mut self.certificate_file, |value| {
            value.name().map(PathBuf::from)
        });
        self.read_logins(table);
        table.set("pm_to_nicks", &mut self.pm_to_nicks, |value| {
            let nicks = value.list()?;
            limited(value, nicks.len(), "nicks")?;
            Some(nicks.iter().filter_map(read_nick).collect())
        });
        table.set("notify_events", &mut self.notify_events, |value| {
            let events = value.list()?;
            Some(events.iter().filter_map(read_event).collect())
        });
        table.set_some(
            "template",
            &mut self.template,
            super::mail_notifier::read_template,
        );
        for (key, flag) in [
            ("notice_on_channel", &mut self.notice_on_channel),
            ("use_revisions", &mut self.use_revisions),
            ("show_blame_list", &mut self.show_blame_list),
            ("use_colors", &mut self.use_colors),
            ("problems", &mut self.problems),
        ] {
            table.set(key, flag, Value::flag);
        }
        read_permission(
            table,
            "allow_force",
            "force and stop builds",
            &mut self.allow_force,
        );
        read_permission(
            table,
            "allow_shutdown",
            "stop the master",
            &mut self.allow_shutdown,
        );
        let delays = Duration::from_secs(1)..=Duration::from_mins(5);
        table.set("lost_delay", &mut self.lost_delay, |value| {
            value.duration(delays.clone())
        });
        table.set("failed_delay", &mut self.failed_delay, |value| {
            value.duration(delays)
        });
    }

    fn read_logins(&mut self, table: &mut Table<'_>) {
        let keys = [
            "server_password",
            "server_password_file",
            "server_password_env",
        ];
        self.server_password = table.secret(keys, "passwords of the server", false);
        let keys = ["sasl_password", "sasl_password_file", "sasl_password_env"];
        self.sasl_password = table.secret(keys, "passwords for SASL", false);
        let keys = ["password", "password_file", "password_env"];
        self.password = table.secret(keys, "passwords for NickServ", false);
        table.set_some("sasl_account", &mut self.sasl_account, read_nick);
        let label = &table.label;
        let wrong = if self.certificate_file.is_some() && !self.tls {
            Some((
                format!("{label} has a `certificate_file` without TLS"),
                "remove `tls = false`",
            ))
        } else if self.certificate_file.is_some() && self.sasl_password.is_some() {
            let message = format!("{label} has a `certificate_file` and a password for SASL");
            Some((message, "keep one of the two"))
        } else {
            None
        };
        if let Some((message, help)) = wrong {
            table.sink.error(table.span.clone(), message, help);
        }
    }
}

/// A setting that allows something to anyone, with a warning (IRC-09).
fn read_permission(table: &mut Table<'_>, key: &'static str, what: &str, setting: &mut bool) {
    let Some(value) = table.take(key) else { return };
    *setting = value.flag().unwrap_or(false);
    if *setting {
        let message = format!("`{key} = true`: anyone may {what} by IRC");
        let help = "remove it, and say in [[permissions]] who may";
        table.sink.warning(value.key_span, message, help);
    }
}

/// A name without spaces and control characters.
fn read_nick(value: &Value<'_>) -> Option<String> {
    let name = value.name()?;
    let is_odd = |c: char| c.is_whitespace() || c.is_control() || c == ',' || c == '!';
    let begins_oddly = name.starts_with(|c: char| c.is_ascii_digit() || "#&+:@-".contains(c));
    if name.len() > LONGEST_NAME || begins_oddly || name.contains(is_odd) {
        value.error("is not a nick", "for example `widget-ci`");
        return None;
    }
    Some(name.to_owned())
}

fn read_channels(value: &Value<'_>) -> Option<Vec<IrcChannel>> {
    let entries = value.list()?;
    limited(value, entries.len(), "channels")?;
    let mut channels: Vec<IrcChannel> = Vec::new();
    for entry in entries {
        let mut channel = IrcChannel::default();
        if entry.among([Wanted::Text, Wanted::Table]).is_str() {
            channel.name = read_channel(&entry).unwrap_or_default();
        } else {
            let mut table = entry.table(&CHANNEL)?;
            if let Some(name) = table.require("name", "\"#widget\"") {
                channel.name = read_channel(&name).unwrap_or_default();
            }
            channel.key = table.secret(["key", "key_file", "key_env"], "keys", false);
            table.finish();
        }
        if channels
            .iter()
            .any(|known| known.name.eq_ignore_ascii_case(&channel.name))
        {
            entry.error("has this channel twice", "remove one of the two");
        }
        channels.push(channel);
    }
    Some(channels)
}

fn read_channel(value: &Value<'_>) -> Option<String> {
    let name = value.name()?;
    let is_odd = |c: char| c.is_whitespace() || c.is_control() || c == ',';
    if name.len() > LONGEST_NAME || !name.starts_with(['#', '&', '+', '!']) || name.contains(is_odd)
    {
        value.error("is not a channel", "for example `#widget`, with the `#`");
        return None;
    }
    Some(name.to_owned())
}

fn read_event(value: &Value<'_>) -> Option<NotifyEvent> {
    let name = value.name()?;
    let event = NotifyEvent::named(name);
    if event.is_none() {
        let known = [
            "started",
            "finished",
            "success",
            "warnings",
            "failure",
            "exception",
        ];
        let turns = ["successToFailure", "failureToSuccess"];
        let help = match nearest(name, known.into_iter().chain(turns)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "it is started, finished, success, warnings, failure, exception, or two \
                     results such as successToFailure"
                .to_owned(),
        };
        value.error("is not an event", help);
    }
    event
}

fn limited(value: &Value<'_>, count: usize, things: &str) -> Option<()> {
    if count > MOST {
        let what = format!("has more than {MOST} {things}");
        value.error(&what, "add another status target for the others");
        return None;
    }
    Some(())
}
