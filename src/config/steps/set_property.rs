//! Steps of the master alone: `SetProperty`, `SetProperties`, `LogRenderable`.

use serde::Serialize;
use serde_json::Value as Json;

use super::kind::StepSettings;
use crate::config::reader::{Table, Value};
use crate::config::template::Template;

/// Settings of `SetProperty` and `SetProperties`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SetPropertyConfig {
    /// Names and values, in order.
    pub properties: Vec<(String, PropertyValue)>,
    /// Whether it has a list of them.
    #[serde(skip)]
    pub(super) is_several: bool,
}

/// The value of a property.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum PropertyValue {
    /// A text.
    Text(Template),
    /// Anything else.
    Json(Json),
}

/// Settings of `LogRenderable`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LogTextConfig {
    /// What is logged.
    pub content: PropertyValue,
}

pub(super) const ONE: &[&str] = &["property", "value"];
pub(super) const SEVERAL: &[&str] = &["properties"];
pub(super) const LOG: &[&str] = &["content"];

impl StepSettings for SetPropertyConfig {}
impl StepSettings for LogTextConfig {}

impl SetPropertyConfig {
    /// Takes what the table has. One with expressions in `set` needs nothing else.
    pub(super) fn read(&mut self, table: &mut Table<'_>) {
        if self.is_several {
            let properties = table.require("properties", "{ flavor = \"debug\" }");
            let entries = properties.map(|value| value.entries()).unwrap_or_default();
            let entries = entries.into_iter().filter_map(|(name, value)| {
                value.key_sets_property();
                Some((name.to_owned(), value.property()?))
            });
            self.properties = entries.collect();
            return;
        }
        if table.place("set").is_some() && table.place("property").is_none() {
            return;
        }
        let name = table.require("property", "\"flavor\"");
        let value = table.require("value", "\"debug\"");
        let name = name.and_then(|name| name.sets_property());
        let value = value.and_then(|value| value.property());
        self.properties.extend(name.zip(value));
    }
}

impl Default for LogTextConfig {
    fn default() -> Self {
        Self {
            content: PropertyValue::Json(Json::Null),
        }
    }
}

impl LogTextConfig {
    pub(super) fn read(&mut self, table: &mut Table<'_>) {
        let content = table.require("content", "\"%(prop:got_revision)s\"");
        if let Some(content) = content.and_then(|value| value.property()) {
            self.content = content;
        }
    }
}

impl Value<'_> {
    /// The value of a property: a string may have forms.
    fn property(&self) -> Option<PropertyValue> {
        if self.raw().is_str() {
            self.template().map(PropertyValue::Text)
        } else {
            self.json().map(PropertyValue::Json)
        }
    }
}
