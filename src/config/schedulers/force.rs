//! `type = "ForceScheduler"`: the builds that people ask for, with the parameters that they fill in
//! (FRC-01).

mod parameters;

use serde::Serialize;

use super::kind::SchedulerSettings;
use crate::config::reader::{Table, Value};

#[cfg(test)]
pub(in crate::config) use self::parameters::SHAPE as PARAMETER;
pub use self::parameters::{ChoicesCommand, Parameter, ParameterKind, full_name};

/// Settings of `ForceScheduler`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ForceConfig {
    /// Text on the button.
    pub button: String,
    /// Title of the form; empty: the name of the scheduler.
    pub label: String,
    /// The user name, which somebody who has not logged in fills in (FRC-04).
    pub username: Parameter,
    /// The reason that the user fills in.
    pub reason_parameter: Parameter,
    /// Codebase of what is built.
    pub codebase: String,
    /// Branch, revision, repository and project of what is built.
    pub source: Vec<Parameter>,
    /// The other parameters, which become properties.
    pub parameters: Vec<Parameter>,
}

/// The keys that only these schedulers have.
pub(super) const KEYS: &[&str] = &[
    "button",
    "label",
    "username",
    "reason_parameter",
    "codebase",
    "branch",
    "revision",
    "repository",
    "project",
    "parameters",
];

/// The parameters that say what is built, with their labels.
const SOURCE: [(&str, &str); 4] = [
    ("branch", "Branch:"),
    ("revision", "Revision:"),
    ("repository", "Repository:"),
    ("project", "Project:"),
];

impl Default for ForceConfig {
    fn default() -> Self {
        let text = |name: &str, label: &str| Parameter::text(name, label);
        Self {
            button: "Force build".to_owned(),
            label: String::new(),
            username: Parameter {
                kind: ParameterKind::UserNameParameter { need_email: true },
                ..text("username", "Your name:")
            },
            reason_parameter: Parameter {
                default: Some("force build".into()),
                ..text("reason", "reason")
            },
            codebase: String::new(),
            source: SOURCE.map(|(name, label)| text(name, label)).into(),
            parameters: (1..=4)
                .map(|number| Parameter {
                    kind: ParameterKind::AnyPropertyParameter,
                    ..text(&format!("property{number}"), "")
                })
                .collect(),
        }
    }
}

/// Reads branch, revision, repository and project.
fn read_source(table: &mut Table<'_>, source: &mut Vec<Parameter>) {
    for (key, label) in SOURCE {
        let usual = Parameter::text(key, label);
        let Some(value) = table.take(key) else {
            source.push(usual);
            continue;
        };
        // `false` leaves the field out.
        if !value.is_false() {
            source.extend(parameters::read_one(&value, &usual));
        }
    }
}

impl SchedulerSettings for ForceConfig {}

impl ForceConfig {
    /// Takes what the table has.
    pub(super) fn read(&mut self, table: &mut Table<'_>) {
        let text = |value: &Value<'_>| value.text().map(str::to_owned);
        table.set("button", &mut self.button, text);
        table.set("label", &mut self.label, text);
        table.set("codebase", &mut self.codebase, text);
        for (key, parameter) in [
            ("username", &mut self.username),
            ("reason_parameter", &mut self.reason_parameter),
        ] {
            let usual = parameter.clone();
            table.set(key, parameter, |value| parameters::read_one(value, &usual));
        }
        let mut names = vec!["username".to_owned(), "reason".to_owned()];
        let mut source = Vec::new();
        read_source(table, &mut source);
        names.extend(SOURCE.map(|(name, _)| name.to_owned()));
        self.source = source;
        table.set("parameters", &mut self.parameters, |value| {
            Some(parameters::read_all(value, &mut names))
        });
    }

    /// Whether choices come from commands.
    #[must_use]
    pub fn has_commands(&self) -> bool {
        self.source
            .iter()
            .chain(&self.parameters)
            .any(Parameter::has_command)
    }

    /// All parameters in the order of the form; those of groups are in their groups.
    pub fn fields(&self) -> impl Iterator<Item = &Parameter> {
        let own = [&self.username, &self.reason_parameter];
        own.into_iter().chain(&self.source).chain(&self.parameters)
    }
}

/// Reads the text of the reasons of builds, with `%(owner)s` and `%(reason)s`.
pub(super) fn read_reason(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    let rest = text.replace("%(owner)s", "").replace("%(reason)s", "");
    if rest.contains("%(") {
        value.error(
            "contains an unknown form",
            "`%(owner)s` is who forces the build, and `%(reason)s` is the reason that was given",
        );
        return None;
    }
    Some(text.to_owned())
}
