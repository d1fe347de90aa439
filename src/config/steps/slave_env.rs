//! The settings of `SetPropertiesFromEnv`.

use serde::Serialize;

use super::kind::StepSettings;
use crate::config::reader::{Table, Value};

/// Settings of `SetPropertiesFromEnv`: properties from the environment of the slave.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SlaveEnvConfig {
    /// Names of the environment variables, which are the names of the properties too.
    pub variables: Vec<String>,
    /// Source of the properties: `SlaveEnvironment`.
    pub source: String,
}

/// The keys of this kind.
pub(super) const KEYS: &[&str] = &["variables", "source"];

impl Default for SlaveEnvConfig {
    fn default() -> Self {
        Self {
            variables: Vec::new(),
            source: "SlaveEnvironment".to_owned(),
        }
    }
}

impl StepSettings for SlaveEnvConfig {}

impl SlaveEnvConfig {
    /// Takes what the table has.
    pub(super) fn read(&mut self, table: &mut Table<'_>) {
        if let Some(variables) = table.require("variables", "[\"HOME\", \"LANG\"]") {
            let names = variables.one_or_list().unwrap_or_default();
            self.variables = names.iter().filter_map(variable_name).collect();
        }
        table.set("source", &mut self.source, |value| {
            value.text().map(str::to_owned)
        });
    }
}

/// The name of a variable: the slave asks its system for it in a command.
fn variable_name(value: &Value<'_>) -> Option<String> {
    let name = value.sets_property()?;
    if name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Some(name);
    }
    let help = "letters, digits and `_`";
    value.error("is not the name of an environment variable", help);
    None
}
