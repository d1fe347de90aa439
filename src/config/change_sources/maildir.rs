//! `type = "Maildir"`: commit mails that a mail server puts into a directory (section 8.3 of what
//! comes in).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::Around;
use super::fields::ChangeFields;
use super::kind::SourceSettings;
use crate::config::needs::Needed;
use crate::config::quantities::LONGEST;
use crate::config::reader::{Table, Value};
use crate::model::MailFormat;

/// Settings of `Maildir`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MaildirConfig {
    /// The maildir, relative to the base directory.
    pub maildir: PathBuf,
    /// The program that sends the mails.
    pub format: MailFormat,
    /// How often the directory is looked at, in case the system does not tell of a mail: 10 s.
    pub poll_interval: Duration,
    /// Files outside are dropped from the change, those inside lose the prefix.
    pub prefix: Option<String>,
    /// Branches by the names that Launchpad gives to them.
    pub branch_map: BTreeMap<String, String>,
    /// Whether files of Launchpad have Buildbot's marks behind them, such as `a.c ADDED`: no.
    pub launchpad_marks: bool,
    /// Whose mails are taken: addresses, or domains such as `@example.org`; empty: everybody's.
    pub from: Vec<String>,
    /// The mail server whose word counts that a mail has the signature of its sender's domain, as
    /// its `Authentication-Results` name it; absent: no signature is asked for.
    pub signed_by: Option<String>,
    /// What is not said in a mail.
    #[serde(flatten)]
    pub fields: ChangeFields,
    /// Largest mail in bytes: 5 MiB.
    pub max_size: u64,
}

/// The keys that only these change sources have.
pub(super) const KEYS: &[&str] = &[
    "maildir",
    "format",
    "poll_interval",
    "prefix",
    "branch_map",
    "launchpad_marks",
    "from",
    "signed_by",
    "max_size",
];

impl Default for MaildirConfig {
    fn default() -> Self {
        Self {
            maildir: PathBuf::new(),
            format: MailFormat::default(),
            poll_interval: Duration::from_secs(10),
            prefix: None,
            branch_map: BTreeMap::new(),
            launchpad_marks: false,
            from: Vec::new(),
            signed_by: None,
            fields: ChangeFields::default(),
            max_size: 5 * 1024 * 1024,
        }
    }
}

impl SourceSettings for MaildirConfig {
    fn kind(&self) -> &'static str {
        "Maildir"
    }

    /// The directory, as it is written.
    fn usual_name(&self) -> String {
        self.maildir.display().to_string()
    }

    fn read(&mut self, table: &mut Table<'_>, around: &Around<'_, '_>) {
        let text = |v: &Value<'_>| v.text().map(str::to_owned);
        if let Some(maildir) = table.require("maildir", "\"mail/commits\"")
            && let Some(path) = maildir.name()
        {
            self.maildir = PathBuf::from(path);
            let mut others = around.before.iter().filter_map(|other| other.maildir());
            if others.any(|other| other.maildir == self.maildir) {
                maildir.error("is that of another change source", "give each its own");
            }
            maildir.needs(Needed::Jobdir(self.maildir.clone()));
        }
        if let Some(format) = table.require("format", "\"cvs\"") {
            let names = MailFormat::ALL.map(MailFormat::name);
            let named = format.one_of(&names).and_then(MailFormat::named);
            self.format = named.unwrap_or_default();
        }
        table.set("poll_interval", &mut self.poll_interval, |v| {
            v.duration(Duration::from_millis(100)..=LONGEST)
        });
        table.set_some("prefix", &mut self.prefix, text);
        table.set("branch_map", &mut self.branch_map, |v| {
            let entries = v.entries().into_iter();
            let entries = entries.filter_map(|(name, v)| Some((name.to_owned(), text(&v)?)));
            Some(entries.collect())
        });
        table.set("launchpad_marks", &mut self.launchpad_marks, Value::flag);
        let is_launchpad = self.format == MailFormat::Launchpad;
        if !is_launchpad && (!self.branch_map.is_empty() || self.launchpad_marks) {
            let message = format!("{} has settings of `format = \"launchpad\"`", table.label);
            let help = "remove `branch_map` and `launchpad_marks`";
            table.sink.error(table.span.clone(), message, help);
        }
        table.set("from", &mut self.from, |v| {
            let entries = v.one_or_list()?;
            Some(entries.iter().filter_map(sender).collect())
        });
        table.set_some("signed_by", &mut self.signed_by, |v| {
            v.name().map(str::to_owned)
        });
        self.fields.read(table);
        table.set("max_size", &mut self.max_size, Value::size);
    }
}

fn sender(value: &Value<'_>) -> Option<String> {
    let text = value.name()?;
    if !text.contains('@') || text.contains(char::is_whitespace) {
        value.error(
            "is not an address",
            "write an address or a domain, such as `cvs@example.org` or `@example.org`",
        );
        return None;
    }
    Some(text.to_owned())
}
