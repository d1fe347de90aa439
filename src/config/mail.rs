//! Mail: how it is sent, and to whom (SLV-07).

use std::ops::Range;

use super::checked::MailConfig;
use super::needs::{Need, Needed};
use super::reader::{Table, Value};

/// What takes mail on most systems; it reads the recipients from the mail.
const COMMAND: [&str; 3] = ["/usr/sbin/sendmail", "-i", "-t"];

const FROM: &str = "buildmaster@localhost";

/// Reads `mail_command` and `mail_from`; `wish` is the first place that wants mail, if there is one.
pub(super) fn read(root: &mut Table<'_>, wish: Option<Range<usize>>) -> MailConfig {
    let command = root.take("mail_command");
    let place = command.as_ref().map(Value::span);
    let command = command.and_then(|value| {
        let words = value.list()?;
        let words: Option<Vec<_>> = words
            .iter()
            .map(|word| Some(word.text()?.to_owned()))
            .collect();
        let words = words?;
        if words.first().is_none_or(String::is_empty) {
            value.error("has no program", "its first text is the program to run");
            return None;
        }
        Some(words)
    });
    let from = root.take("mail_from").and_then(|value| address(&value));
    let usual = MailConfig::default();
    let command = command.unwrap_or(usual.command);
    if let (Some(wish), Some(program)) = (wish, command.first()) {
        root.sink.need(Need {
            owner: "`mail_command`".to_owned(),
            what: Needed::Program {
                program: program.clone(),
                otherwise: "nobody will be mailed that a slave is missing".to_owned(),
                help: "install a program that takes mail as sendmail does, or name one with `mail_command`"
                    .to_owned(),
            },
            span: place.unwrap_or(wish),
        });
    }
    MailConfig {
        command,
        from: from.unwrap_or(usual.from),
    }
}

impl Default for MailConfig {
    fn default() -> Self {
        Self {
            command: COMMAND.map(str::to_owned).to_vec(),
            from: FROM.to_owned(),
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
