//! Mail: how it is sent, and to whom (SLV-07).

use std::ops::Range;

use serde::Serialize;

use super::mail_transport::{MailTransport, read_command};
use super::needs::{Need, Needed};
use super::reader::{Table, Value};

/// What takes mail on most systems; it reads the recipients from the mail.
const COMMAND: [&str; 3] = ["/usr/sbin/sendmail", "-i", "-t"];

pub(super) const FROM: &str = "buildmaster@localhost";

/// How mail is sent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MailConfig {
    /// The program that takes a mail on its standard input, with its arguments.
    #[serde(rename = "mail_command")]
    pub command: Vec<String>,
    /// The sender.
    #[serde(rename = "mail_from")]
    pub from: String,
    /// How mail leaves instead, if there is no `mail_command`: as that of the first `MailNotifier`.
    #[serde(skip)]
    pub transport: Option<MailTransport>,
}

impl Default for MailConfig {
    fn default() -> Self {
        Self {
            command: COMMAND.map(str::to_owned).to_vec(),
            from: FROM.to_owned(),
            transport: None,
        }
    }
}

impl MailConfig {
    /// How mail leaves.
    #[must_use]
    pub fn transport(&self) -> MailTransport {
        let program = || MailTransport::Program(self.command.clone());
        self.transport.clone().unwrap_or_else(program)
    }

    /// Takes `mail_command` and `mail_from`; `wish` is the first place that wants mail, if there is
    /// one, and `notifier` the sender and the transport of the first `MailNotifier`.
    pub(super) fn read(
        &mut self,
        root: &mut Table<'_>,
        wish: Option<Range<usize>>,
        notifier: Option<(&str, &MailTransport)>,
    ) {
        let command = root.take("mail_command");
        if let Some((from, transport)) = notifier {
            from.clone_into(&mut self.from);
            self.transport = command.is_none().then(|| transport.clone());
        }
        if let Some(words) = command.as_ref().and_then(read_command) {
            self.command = words;
        }
        root.set("mail_from", &mut self.from, address);
        let wish = wish.filter(|_| self.transport.is_none());
        if let (Some(wish), Some(program)) = (wish, self.command.first()) {
            root.sink.need(Need {
                owner: "`mail_command`".to_owned(),
                what: Needed::Program {
                    program: program.clone(),
                    otherwise: "nobody will be mailed that a slave is missing".to_owned(),
                    help: "install a program that takes mail as sendmail does, or name one with `mail_command`"
                        .to_owned(),
                },
                span: command.map_or(wish, |value| value.span()),
            });
        }
    }
}

/// Addresses to mail to.
pub(super) fn addresses(value: &Value<'_>) -> Option<Vec<String>> {
    value.one_or_list()?.iter().map(address).collect()
}

/// It goes into a header as it is, so that it must not bring another one.
fn address(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    let fits =
        |c: char| c.is_ascii_graphic() && !matches!(c, ',' | ';' | '<' | '>' | '"' | '(' | ')');
    let parts = text.split_once('@');
    let is_address = parts
        .is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@'));
    if !is_address || !text.chars().all(fits) {
        value.error(
            "is not a mail address",
            "write one such as `admin@example.org`",
        );
        return None;
    }
    Some(text.to_owned())
}

/// Whether mail can be sent to `text`: an address, or a name with one, at a host with a dot.
#[must_use]
pub fn is_recipient(text: &str) -> bool {
    let bare = match text.rsplit_once('<') {
        Some((_, rest)) => rest.strip_suffix('>'),
        None => Some(text),
    };
    let fits = |c: char| c.is_ascii_graphic() && !"<>()[],;:\\\"".contains(c);
    let is_address = bare.is_some_and(|address| {
        address.chars().all(fits)
            && address.split_once('@').is_some_and(|(name, host)| {
                let mut parts = host.split('.');
                !name.is_empty()
                    && host.contains('.')
                    && parts.all(|part| !part.is_empty())
                    && !host.contains('@')
            })
    });
    is_address && !text.contains(char::is_control)
}
