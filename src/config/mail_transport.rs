//! How mail leaves: to a server by SMTP, or to a program (MAL-10).

use std::path::PathBuf;

use serde::Serialize;

use super::needs::Needed;
use super::reader::{Table, Value};
use super::secret::Secret;

/// How mail leaves.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum MailTransport {
    /// A program takes each mail on its standard input, with its arguments.
    #[serde(rename = "via")]
    Program(Vec<String>),
    /// A server takes mail by SMTP.
    #[serde(rename = "relayhost")]
    Smtp(SmtpConfig),
}

/// A server that takes mail.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SmtpConfig {
    /// Its name or address: `localhost`.
    pub host: String,
    /// Its port: 25, or 465 if the connection begins with TLS.
    pub port: u16,
    /// When the connection is encrypted.
    pub tls: SmtpTls,
    /// A file with certificates of authorities that are trusted besides those of the system.
    pub ca_file: Option<PathBuf>,
    /// User and password, if it wants a login.
    pub login: Option<(String, Secret)>,
}

/// When the connection to a mail server is encrypted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub enum SmtpTls {
    /// Never.
    #[default]
    None,
    /// If the server offers it.
    Offered,
    /// Always, by STARTTLS.
    StartTls,
    /// Always, from the first byte.
    Implicit,
}

/// The keys of a transport.
pub(super) const KEYS: &[&str] = &[
    "relayhost",
    "smtp_port",
    "tls",
    "ca_file",
    "smtp_user",
    "smtp_password",
    "smtp_password_file",
    "smtp_password_env",
    "via",
];

/// The keys of the three forms of the password.
const PASSWORD: [&str; 3] = ["smtp_password", "smtp_password_file", "smtp_password_env"];

impl Default for MailTransport {
    fn default() -> Self {
        Self::Smtp(SmtpConfig::default())
    }
}

impl SmtpConfig {
    /// Whether the server is on this machine.
    #[must_use]
    pub fn is_here(&self) -> bool {
        let address = self.host.parse::<std::net::IpAddr>();
        address.map_or(self.host == "localhost", |address| address.is_loopback())
    }
}

impl MailTransport {
    /// Takes what the table has.
    pub(super) fn read(table: &mut Table<'_>) -> Self {
        let via = table.take("via");
        if let Some(via) = via {
            if let Some(host) = table.place("relayhost") {
                table.sink.clash(
                    (via.key_span.clone(), host),
                    format!("{} has either `relayhost` or `via`", table.label),
                    "here is the other",
                    "keep one of the two",
                );
                table.take("relayhost");
            }
            let words = read_command(&via).unwrap_or_default();
            if let Some(program) = words.first() {
                via.needs(Needed::Program {
                    program: program.clone(),
                    otherwise: "mail will wait in the outbox".to_owned(),
                    help: "install a program that takes mail as sendmail does, or name a mail \
                           server with `relayhost`"
                        .to_owned(),
                });
            }
            return Self::Program(words);
        }
        let mut smtp = SmtpConfig {
            host: "localhost".to_owned(),
            ..SmtpConfig::default()
        };
        if let Some(host) = table.take("relayhost").and_then(|value| read_host(&value)) {
            smtp.host = host;
        }
        if !smtp.is_here() {
            smtp.tls = SmtpTls::Offered;
        }
        table.set("tls", &mut smtp.tls, read_tls);
        smtp.port = match smtp.tls {
            SmtpTls::Implicit => 465,
            SmtpTls::None | SmtpTls::Offered | SmtpTls::StartTls => 25,
        };
        table.set("smtp_port", &mut smtp.port, |v| v.integer(1..=u16::MAX));
        table.set_some("ca_file", &mut smtp.ca_file, |value| {
            value.name().map(PathBuf::from)
        });
        smtp.read_login(table);
        Self::Smtp(smtp)
    }
}

impl SmtpConfig {
    fn read_login(&mut self, table: &mut Table<'_>) {
        let user = table.take("smtp_user");
        let password = table.secret(PASSWORD, "passwords", false);
        match (user, password) {
            (Some(user), Some(password)) => {
                let name = user.name().unwrap_or_default().to_owned();
                if self.tls == SmtpTls::None && !self.is_here() {
                    user.error(
                        "needs an encrypted connection",
                        "write `tls = \"starttls\"` or `tls = \"implicit\"`",
                    );
                }
                self.login = Some((name, password));
            }
            (Some(user), None) => user.error(
                "comes without a password",
                "add `smtp_password_file = \"FILE\"`, or remove `smtp_user`",
            ),
            (None, Some(_)) => {
                let message = format!("{} has a password and no `smtp_user`", table.label);
                let help = "add `smtp_user = \"NAME\"`, or remove the password";
                table.sink.error(table.span.clone(), message, help);
            }
            (None, None) => {}
        }
    }
}

fn read_tls(value: &Value<'_>) -> Option<SmtpTls> {
    let words = ["none", "offered", "starttls", "implicit"];
    Some(match value.one_of(&words)? {
        "none" => SmtpTls::None,
        "offered" => SmtpTls::Offered,
        "implicit" => SmtpTls::Implicit,
        _ => SmtpTls::StartTls,
    })
}

fn read_host(value: &Value<'_>) -> Option<String> {
    let host = value.name()?;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '_');
    if !host.chars().all(fits) {
        value.error(
            "is not the name of a host",
            "for example `relayhost = \"mail.example.org\"`",
        );
        return None;
    }
    Some(host.to_owned())
}

/// The words of a command.
pub(super) fn read_command(value: &Value<'_>) -> Option<Vec<String>> {
    let words = value.list()?;
    let words = words.iter().map(|word| word.text().map(str::to_owned));
    let words: Vec<_> = words.collect::<Option<_>>()?;
    if words.first().is_none_or(String::is_empty) {
        value.error("names no program", "its first string is the program to run");
        return None;
    }
    Some(words)
}
