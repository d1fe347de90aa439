//! Environments of commands.

use std::collections::BTreeMap;

use serde::Serialize;

use super::reader::Value;
use super::template::Template;
use super::trace::Wanted;

/// Variables that a command gets beside those that are there.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Environment {
    /// A list form that stands for a whole table of variables (CFL-102); `variables` override them.
    #[serde(rename = "*", skip_serializing_if = "Option::is_none")]
    pub table: Option<Template>,
    /// Variables by name; one without a value is removed.
    #[serde(flatten)]
    pub variables: BTreeMap<String, Option<Template>>,
}

impl Environment {
    /// Whether it may say what the variable `name` is.
    pub(super) fn may_have(&self, name: &str) -> bool {
        self.table.is_some() || self.variables.contains_key(name)
    }

    /// Whether a variable can have this name.
    #[must_use]
    pub fn is_valid_name(name: &str) -> bool {
        !name.is_empty() && !name.contains(['=', '\0'])
    }
}

impl Value<'_> {
    /// A table of variables, of which `false` removes one; or a list form that stands for one.
    pub(super) fn environment(&self) -> Option<Environment> {
        let mut env = Environment::default();
        if self.among([Wanted::Text, Wanted::Table]).is_str() {
            let (table, _) = self.word()?;
            if !table.is_list() {
                let help =
                    "write `{ NAME = \"…\" }`, or \"%(*kw:NAME)s\" for a table that is a value";
                return self.expected("a table", help);
            }
            env.table = Some(table);
            return Some(env);
        }
        for (name, value) in self.entries() {
            if !Environment::is_valid_name(name) {
                let message = format!("`{name}` is not a valid name of an environment variable");
                let span = value.key_span.clone();
                value.sink.error(span, message, "leave out `=`");
            } else if value.is_false() {
                env.variables.insert(name.to_owned(), None);
            } else if value.data().is_table() {
                if let Some(template) = value.secret_template() {
                    env.variables.insert(name.to_owned(), Some(template));
                }
            } else if !value.data().is_str()
                && !value.data().is_array()
                && !value.data().is_integer()
            {
                let help = "put it in quotes; `false` removes a variable";
                value.expected::<()>("a string or a list of strings", help);
            } else if let Some(template) = value.path_template() {
                env.variables.insert(name.to_owned(), Some(template));
            }
        }
        Some(env)
    }
}
