//! `type = "MailNotifier"`: mail about builds (MAL-01 to MAL-10).

use std::collections::BTreeMap;

use serde::Serialize;

use super::Around;
use super::telling::Telling;
use crate::config::expression::Page;
use crate::config::mail::{FROM, is_recipient};
use crate::config::mail_transport::{MailTransport, read_command};
use crate::config::needs::Needed;
use crate::config::reader::{Table, Value};
use crate::config::trace::Wanted;

/// Settings of `MailNotifier`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MailNotifierConfig {
    /// Which builds are told.
    #[serde(flatten)]
    pub telling: Telling,
    /// The sender.
    pub from: String,
    /// How mail leaves.
    #[serde(flatten)]
    pub transport: MailTransport,
    /// The logs that are attached: none.
    pub add_logs: AttachedLogs,
    /// Whether the patch of a try job is attached.
    pub add_patch: bool,
    /// The subject, with forms such as `%(result)s`, or with those of a template.
    pub subject: String,
    /// Where the addresses of users are found whom the register of people does not have.
    pub lookup: MailLookup,
    /// Addresses that get each mail.
    pub extra_recipients: Vec<String>,
    /// Whether the blame list and the owners of a build get its mail.
    #[serde(rename = "send_to_interested_users")]
    pub to_interested: bool,
    /// The name of the file in `templates` that makes the text; absent: the text is the master's
    /// own.
    pub template: Option<String>,
    /// Headers that each mail has besides.
    pub extra_headers: BTreeMap<String, String>,
    /// Whether the mail has its text as HTML, too.
    pub html: bool,
    /// Whether all recipients share a mail; otherwise each has one (MAL-05).
    pub together: bool,
    /// Whether people are told of problems (ESC-12).
    pub problems: bool,
}

/// The logs that a mail has as attachments.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub enum AttachedLogs {
    /// None.
    #[default]
    None,
    /// All of a build.
    All,
    /// Those of these names, or of a step and a name: `stdio`, `compile.stdio`.
    Named(Vec<String>),
}

/// Where the mail addresses of users are found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub enum MailLookup {
    /// Only in the register of people and in their names.
    #[default]
    None,
    /// A domain is appended to the name.
    Domain(String),
    /// A table of names and addresses.
    Table(BTreeMap<String, String>),
    /// A program that is asked with a line of JSON for each name, and answers each with one.
    Command(Vec<String>),
}

/// The keys that only these status targets have.
pub(super) const KEYS: &[&str] = &[
    "from",
    "add_logs",
    "add_patch",
    "subject",
    "lookup",
    "extra_recipients",
    "send_to_interested_users",
    "template",
    "extra_headers",
    "html",
    "together",
    "problems",
];

/// The forms that a subject may have (MAL-07).
const SUBJECT_FORMS: [&str; 4] = ["result", "title", "projectName", "builder"];

/// The headers that a mail has by itself, which no setting replaces (MAL-09).
const OWN_HEADERS: [&str; 18] = [
    "from",
    "to",
    "cc",
    "bcc",
    "subject",
    "date",
    "message-id",
    "in-reply-to",
    "references",
    "list-id",
    "auto-submitted",
    "precedence",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "content-disposition",
    "list-unsubscribe",
    "list-unsubscribe-post",
];

impl Default for MailNotifierConfig {
    fn default() -> Self {
        Self {
            telling: Telling::default(),
            from: FROM.to_owned(),
            transport: MailTransport::default(),
            add_logs: AttachedLogs::None,
            add_patch: true,
            subject: "buildbot %(result)s in %(title)s on %(builder)s".to_owned(),
            lookup: MailLookup::None,
            extra_recipients: Vec::new(),
            to_interested: true,
            template: None,
            extra_headers: BTreeMap::new(),
            html: false,
            together: true,
            problems: false,
        }
    }
}

impl MailNotifierConfig {
    /// Takes what the table has.
    pub(super) fn read(&mut self, table: &mut Table<'_>, around: &Around<'_, '_>) {
        self.telling.read(table, "MailNotifier", around);
        if let Some(from) = table.require("from", "\"ci@example.org\"") {
            self.from = read_sender(&from).unwrap_or_default();
        }
        self.transport = MailTransport::read(table);
        table.set("add_logs", &mut self.add_logs, read_logs);
        table.set("add_patch", &mut self.add_patch, Value::flag);
        table.set("subject", &mut self.subject, read_subject);
        let lookup = table.place("lookup");
        table.set("lookup", &mut self.lookup, read_lookup);
        table.set("extra_recipients", &mut self.extra_recipients, |value| {
            value.list()?.iter().map(read_recipient).collect()
        });
        let to_interested = &mut self.to_interested;
        table.set("send_to_interested_users", to_interested, Value::flag);
        table.set_some("template", &mut self.template, read_template);
        table.set("extra_headers", &mut self.extra_headers, read_headers);
        table.set("html", &mut self.html, Value::flag);
        table.set("together", &mut self.together, Value::flag);
        table.set("problems", &mut self.problems, Value::flag);
        if let (Some(place), false, false) = (lookup, self.to_interested, self.problems) {
            let message = format!(
                "`lookup` of {} does nothing: only lists get mail",
                table.label
            );
            let help = "remove it, or set `send_to_interested_users = true`";
            table.sink.warning(place, message, help);
        }
        if !self.to_interested && self.extra_recipients.is_empty() {
            let message = format!("{} has no recipients", table.label);
            let help = "name some in `extra_recipients`, or set `send_to_interested_users = true`";
            table.sink.error(table.span.clone(), message, help);
        }
    }
}

/// The sender: an address, which may have a name.
fn read_sender(value: &Value<'_>) -> Option<String> {
    let text = value.name()?;
    let address = text.rsplit_once('<').map_or(text, |(_, rest)| rest);
    if !address.contains('@') {
        value.error("is not a mail address", "for example `ci@example.org`");
        return None;
    }
    Some(text.to_owned())
}

fn read_recipient(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    if !is_recipient(text) {
        value.error(
            &format!("has {text:?}, which is not a mail address"),
            "for example `list@example.org` or `Ann Lee <ann@example.org>`",
        );
        return None;
    }
    Some(text.to_owned())
}

fn read_logs(value: &Value<'_>) -> Option<AttachedLogs> {
    match value.among([Wanted::Flag, Wanted::List]).as_bool() {
        Some(true) => Some(AttachedLogs::All),
        Some(false) => Some(AttachedLogs::None),
        None if value.data().is_array() => {
            let names = value.list()?;
            let names = names.iter().map(|name| Some(name.name()?.to_owned()));
            Some(AttachedLogs::Named(names.collect::<Option<_>>()?))
        }
        None => value.expected("true, false or a list", "for example `[\"stdio\"]`"),
    }
}

fn read_subject(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    if text.contains(['\n', '\r']) {
        value.error("has line ends", "a subject is one line");
        return None;
    }
    if text.contains("{{") || text.contains("{%") {
        if let Err(mistake) = Page::compile(text, false) {
            value.error(&format!("is not a template: {mistake}"), mistake.help);
        }
        return Some(text.to_owned());
    }
    for (at, _) in text.match_indices("%(") {
        let rest = text.get(at + 2..).unwrap_or_default();
        let name = rest.split(')').next().unwrap_or_default();
        let is_known = SUBJECT_FORMS.contains(&name) && rest.contains(")s");
        if !is_known {
            value.error(
                &format!("has the unknown form `%({name})s`"),
                "the forms are `%(result)s`, `%(title)s`, `%(projectName)s` and `%(builder)s`",
            );
        }
    }
    Some(text.to_owned())
}

fn read_lookup(value: &Value<'_>) -> Option<MailLookup> {
    let forms = [Wanted::Text, Wanted::List, Wanted::Table];
    if value.among(forms).is_str() {
        let domain = value.name()?.trim_start_matches('@');
        if domain.contains(|c: char| c == '@' || c.is_whitespace()) {
            value.error("is not a domain", "for example `lookup = \"example.org\"`");
            return None;
        }
        return Some(MailLookup::Domain(domain.to_owned()));
    }
    if value.data().is_array() {
        return read_command(value).map(MailLookup::Command);
    }
    let entries = value.entries();
    let entries = entries.iter();
    let entries = entries.filter_map(|(name, value)| {
        let address = read_recipient(value)?;
        Some(((*name).to_owned(), address))
    });
    Some(MailLookup::Table(entries.collect()))
}

/// The name of a file in `templates`, without `.j2`.
pub(super) fn read_template(value: &Value<'_>) -> Option<String> {
    let name = value.name()?;
    let name = name.strip_suffix(".j2").unwrap_or(name);
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !name.chars().all(fits) || name.starts_with('.') {
        value.error(
            "is not the name of a template",
            "write NAME for the file `templates/NAME.j2` in the base directory",
        );
        return None;
    }
    value.needs(Needed::Template(name.to_owned()));
    Some(name.to_owned())
}

fn read_headers(value: &Value<'_>) -> Option<BTreeMap<String, String>> {
    if !value.data().is_table() {
        return value.expected("a table", "for example `{ X-Team = \"core\" }`");
    }
    let mut headers = BTreeMap::new();
    for (name, value) in value.entries() {
        let is_name = |c: char| c.is_ascii_graphic() && c != ':';
        if name.is_empty() || !name.chars().all(is_name) {
            value.error("is not the name of a header", "for example `X-Team`");
            continue;
        }
        let lower = name.to_ascii_lowercase();
        if OWN_HEADERS.contains(&lower.as_str()) || lower.starts_with("x-buildmaster-") {
            value.error(
                "is a header that every mail has by itself",
                "remove it, or give it another name",
            );
            continue;
        }
        if let Some(text) = value.name() {
            headers.insert(name.to_owned(), text.to_owned());
        }
    }
    Some(headers)
}
