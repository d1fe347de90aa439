//! Properties, which several kinds of tables have, and their names.

use serde::Serializer;

use super::reader::{Sink, Table, Value};
use super::template::Template;
use crate::model::Properties;

impl Value<'_> {
    /// A table of properties, which get `source` (PRP-02, PRP-03).
    pub(super) fn properties(&self, source: &str) -> Properties {
        let mut properties = Properties::new();
        for (name, value) in self.entries() {
            value.key_sets_property();
            if let Some(value) = value.json() {
                properties.set(name, value, source);
            }
        }
        properties
    }

    /// The name of a property (PRP-03).
    pub(super) fn property_name(&self) -> Option<String> {
        let name = self.text()?;
        if !Properties::is_valid_name(name) {
            self.error("is not a valid name of a property", NAMES);
            return None;
        }
        Some(name.to_owned())
    }

    /// The name of a property that something sets.
    pub(super) fn sets_property(&self) -> Option<String> {
        let name = self.property_name()?;
        self.sink.properties.borrow_mut().sets(&name);
        Some(name)
    }

    /// Checks that its key is the name of a property, which something sets.
    pub(super) fn key_sets_property(&self) {
        if !Properties::is_valid_name(self.key) {
            let message = format!("`{}` is not a valid name of a property", self.key);
            self.sink.error(self.key_span.clone(), message, NAMES);
        }
        self.sink.properties.borrow_mut().sets(self.key);
    }

    /// Notes the properties that its text, which was read as `template`, asks for.
    pub(super) fn asks_for_properties(&self, template: &Template) {
        for name in template.named_properties() {
            let found = self.data().as_str().and_then(|text| text.find(name));
            let span = found.map_or_else(|| self.span(), |at| self.part(at..at + name.len()));
            self.sink.properties.borrow_mut().asks(name, span);
        }
    }
}

/// How a name of a property is made.
const NAMES: &str = "letters, digits and `_ . - / ~ :`";

impl Sink<'_> {
    /// Warns of names of properties that are probably misspelt (CFL-93).
    pub(super) fn warn_of_near_misses(&self) {
        for (name, near, span) in self.properties.borrow().near_misses() {
            let message = format!("nothing in the configuration sets the property `{name}`");
            self.warning(span.clone(), message, format!("did you mean `{near}`?"));
        }
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
