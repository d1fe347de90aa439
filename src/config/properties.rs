//! Properties, which several kinds of tables have.

use serde::Serializer;

use super::reader::{Table, Value};
use crate::model::Properties;

impl Value<'_> {
    /// A table of properties, which get `source` (PRP-02, PRP-03).
    pub(super) fn properties(&self, source: &str) -> Properties {
        let mut properties = Properties::new();
        for (name, value) in self.entries() {
            if !Properties::is_valid_name(name) {
                let message = format!("`{name}` is not a valid name of a property");
                let help = "letters, digits and `_ . - / ~ :`";
                self.sink.error(value.key_span.clone(), message, help);
            }
            if let Some(value) = value.json() {
                properties.set(name, value, source);
            }
        }
        properties
    }
}

impl Table<'_> {
    /// The properties under the key `properties`.
    pub(super) fn properties(&mut self, source: &str) -> Properties {
        let value = self.take("properties");
        value.map(|v| v.properties(source)).unwrap_or_default()
    }
}

/// Properties as the file has them, without their source.
pub(super) fn plain<S: Serializer>(
    properties: &Properties,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(properties.iter().map(|(name, p)| (name, &p.value)))
}
