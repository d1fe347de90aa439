//! Environments of commands.

use std::collections::BTreeMap;

use super::reader::Value;
use super::template::Template;

/// Variables of an environment; one without a value is removed.
pub type Environment = BTreeMap<String, Option<Template>>;

impl Value<'_> {
    /// A table of variables; `false` removes one.
    pub(super) fn environment(&self) -> Option<Environment> {
        let mut env = Environment::new();
        for (name, value) in self.entries() {
            if name.is_empty() || name.contains(['=', '\0']) {
                let message = format!("`{name}` is not a valid name of an environment variable");
                let span = value.key_span.clone();
                value.sink.error(span, message, "leave out `=`");
            } else if value.is_false() {
                env.insert(name.to_owned(), None);
            } else if value.raw().is_table() {
                if let Some(template) = value.secret_template() {
                    env.insert(name.to_owned(), Some(template));
                }
            } else if !value.raw().is_str()
                && !value.raw().is_array()
                && !value.raw().is_integer()
            {
                let help = "put it in quotes; `false` removes a variable";
                value.expected::<()>("a string or a list of strings", help);
            } else if let Some(template) = value.path_template() {
                env.insert(name.to_owned(), Some(template));
            }
        }
        Some(env)
    }
}
