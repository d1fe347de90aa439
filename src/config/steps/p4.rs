//! The settings of `P4` (section 21).

use serde::Serialize;

use super::kind::StepSettings;
use super::source::{SourceMethod, SourceSettings, secretly, strings};
use crate::config::reader::{Table, Value};
use crate::config::template::{Otherwise, Subject, Template, TemplatePart};

/// Settings of `P4`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct P4StepConfig {
    /// Settings of every source step.
    #[serde(flatten)]
    pub source: SourceSettings,
    /// Path in the depot that the branches are below; absent with a view of its own.
    pub p4base: Option<Template>,
    /// Depot paths and directories of the client, instead of a base and a branch.
    pub p4viewspec: Vec<(Template, Template)>,
    /// Added to both sides of each line of the view.
    pub p4viewspec_suffix: String,
    /// Further depot paths, with their directories.
    pub p4extra_views: Vec<(Template, Template)>,
    /// Address of the server.
    pub p4port: Option<Template>,
    /// User.
    pub p4user: Option<Template>,
    /// Password of the user.
    #[serde(serialize_with = "secretly")]
    pub p4passwd: Option<Template>,
    /// Name of the client.
    pub p4client: Template,
    /// Options of the client.
    pub p4client_spec_options: String,
    /// Line ends of the client.
    pub p4line_end: String,
    /// Further arguments of `p4 sync`.
    pub p4extra_args: Vec<String>,
    /// Program.
    pub p4bin: String,
    /// Whether the password is used for a ticket only.
    pub use_tickets: bool,
}

/// The keys that only these steps have.
pub(super) const KEYS: &[&str] = &[
    "p4base",
    "p4branch",
    "p4viewspec",
    "p4viewspec_suffix",
    "p4extra_views",
    "p4port",
    "p4user",
    "p4passwd",
    "p4client",
    "p4client_spec_options",
    "p4line_end",
    "p4extra_args",
    "p4bin",
    "use_tickets",
];

impl Default for P4StepConfig {
    fn default() -> Self {
        let property = |name: &str| TemplatePart::Form {
            subject: Subject::Property(name.to_owned()),
            otherwise: Otherwise::Fail,
        };
        let text = |text: &str| TemplatePart::Text(text.to_owned());
        Self {
            source: SourceSettings::default(),
            p4base: None,
            p4viewspec: Vec::new(),
            p4viewspec_suffix: "...".to_owned(),
            p4extra_views: Vec::new(),
            p4port: None,
            p4user: None,
            p4passwd: None,
            p4client: Template(vec![
                text("buildbot_"),
                property("slavename"),
                text("_"),
                property("buildername"),
            ]),
            p4client_spec_options: "allwrite rmdir".to_owned(),
            p4line_end: "local".to_owned(),
            p4extra_args: Vec::new(),
            p4bin: "p4".to_owned(),
            use_tickets: false,
        }
    }
}

impl StepSettings for P4StepConfig {
    fn source(&self) -> Option<&SourceSettings> {
        Some(&self.source)
    }
}

impl P4StepConfig {
    /// Reads the settings.
    pub(super) fn read(&mut self, table: &mut Table<'_>) {
        self.source.read(table, "p4branch", SourceMethod::Fresh);
        table.set("p4viewspec", &mut self.p4viewspec, views);
        if self.p4viewspec.is_empty() {
            let base = table.require("p4base", "\"//depot/project\"");
            self.p4base = base.and_then(|base| base.template());
        } else if let Some(base) = table.take("p4base") {
            base.error("cannot be used with `p4viewspec`", "remove one of the two");
        }
        table.set("p4extra_views", &mut self.p4extra_views, views);
        for (key, text) in [("p4port", &mut self.p4port), ("p4user", &mut self.p4user)] {
            table.set_some(key, text, Value::template);
        }
        table.set_some("p4passwd", &mut self.p4passwd, Value::secret_template);
        table.set("p4client", &mut self.p4client, Value::template);
        for (key, text) in [
            ("p4viewspec_suffix", &mut self.p4viewspec_suffix),
            ("p4client_spec_options", &mut self.p4client_spec_options),
            ("p4bin", &mut self.p4bin),
        ] {
            table.set(key, text, |v| v.text().map(str::to_owned));
        }
        table.set("p4line_end", &mut self.p4line_end, |v| {
            let known = ["local", "unix", "mac", "win", "share"];
            v.one_of(&known).map(str::to_owned)
        });
        table.set("p4extra_args", &mut self.p4extra_args, strings);
        table.set("use_tickets", &mut self.use_tickets, Value::flag);
    }
}

/// Pairs of a depot path and a directory.
fn views(value: &Value<'_>) -> Option<Vec<(Template, Template)>> {
    let pair = |entry: &Value<'_>| {
        let entries = entry.list()?;
        let [depot, client] = entries.as_slice() else {
            let help = "for example `[\"//depot/project/\", \"project/\"]`";
            return entry.expected("a list of two strings", help);
        };
        Some((depot.template()?, client.template()?))
    };
    let entries = value.list()?;
    entries.iter().map(pair).collect()
}
