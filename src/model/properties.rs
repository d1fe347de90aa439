//! Build properties: named JSON values with their sources (PRP-01 to PRP-05).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One value and its source.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Property {
    /// Any JSON value.
    pub value: Value,
    /// Source: "Change", "Scheduler", "Build", the name of a step and so on (PRP-02).
    pub source: String,
    /// Set while the build ran; a rebuild does not copy it (PRP-04).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub runtime: bool,
}

/// Properties by name; later settings win.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Properties(BTreeMap<String, Property>);

impl Properties {
    /// No properties.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Sets `name`, replacing an earlier value.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<Value>, source: &str) {
        let property = Property {
            value: value.into(),
            source: source.to_owned(),
            runtime: false,
        };
        self.0.insert(name.into(), property);
    }

    /// Sets `name` while a build runs (PRP-04).
    pub fn set_runtime(&mut self, name: impl Into<String>, value: impl Into<Value>, source: &str) {
        let property = Property {
            value: value.into(),
            source: source.to_owned(),
            runtime: true,
        };
        self.0.insert(name.into(), property);
    }

    /// Adds the properties of `other`, which override existing properties.
    pub fn update(&mut self, other: &Self) {
        for (name, property) in &other.0 {
            self.0.insert(name.clone(), property.clone());
        }
    }

    /// The value of `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).map(|p| &p.value)
    }

    /// The source of `name`.
    #[must_use]
    pub fn source_of(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|p| p.source.as_str())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All properties, in order of name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Property)> {
        self.0.iter().map(|(n, p)| (n.as_str(), p))
    }

    /// Whether `name` is allowed: letters, digits and `_ . - / ~ :` (PRP-03).
    #[must_use]
    pub fn is_valid_name(name: &str) -> bool {
        !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_.-/~:".contains(&b))
    }
}
