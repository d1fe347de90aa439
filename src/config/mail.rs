//! Mail: how it is sent, and to whom (SLV-07).

use std::ops::Range;

use serde::Serialize;

use super::needs::{Need, Needed};
use super::reader::{Table, Value};

/// What takes mail on most systems; it reads the recipients from the mail.
const COMMAND: [&str; 3] = ["/usr/sbin/sendmail", "-i", "-t"];

const FROM: &str = "buildmaster@localhost";

/// How mail is sent.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct MailConfig {
    /// The program that takes a mail on its standard input, with its arguments.
    #[serde(rename = "mail_command")]
    pub command: Vec<String>,
    /// The sender.
    #[serde(rename = "mail_from")]
    pub from: String,
}

impl Default for MailConfig {
    fn default() -> Self {
        Self {
            command: COMMAND.map(str::to_owned).to_vec(),
            from: FROM.to_owned(),
        }
    }
}

impl MailConfig {
    /// Takes `mail_command` and `mail_from`; `wish` is the first place that wants mail, if there is
    /// one.
    pub(super) fn read(&mut self, root: &mut Table<'_>, wish: Option<Range<usize>>) {
        let command = root.take("mail_command");
        if let Some(words) = command.as_ref().and_then(read_command) {
            self.command = words;
        }
        root.set("mail_from", &mut self.from, address);
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

fn read_command(value: &Value<'_>) -> Option<Vec<String>> {
    let words = value.list()?;
    let words = words.iter().map(|word| word.text().map(str::to_owned));
    let words: Vec<_> = words.collect::<Option<_>>()?;
    if words.first().is_none_or(String::is_empty) {
        value.error("names no program", "its first string is the program to run");
        return None;
    }
    Some(words)
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
