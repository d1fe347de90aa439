//! `[validation]`: what users may fill in where they force builds (FRC-05).

use std::sync::LazyLock;

use serde::Serialize;

use super::pattern::{self, LinePattern};
use super::reader::{Table, Value};
use super::shape::Shape;

/// Patterns that values from users match as a whole. The defaults are those of Buildbot 0.8.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Validation {
    /// Branches.
    pub branch: LinePattern,
    /// Revisions.
    pub revision: LinePattern,
    /// Names of properties.
    pub property_name: LinePattern,
    /// Values of properties whose names the user chooses.
    pub property_value: LinePattern,
}

pub(super) static SHAPE: Shape = Shape {
    place: "validation",
    noun: "validation",
    keys: &["branch", "revision", "property_name", "property_value"],
    kinds: Vec::new,
};

/// Compiled once, since tests and simulations make many configurations.
static DEFAULT: LazyLock<Validation> = LazyLock::new(|| {
    let pattern = |text| LinePattern::from_start(text).expect("the pattern is well-formed");
    Validation {
        branch: pattern(r"^[\w.+/~-]*$"),
        revision: pattern(r"^[ \w.\-/]*$"),
        property_name: pattern(r"^[\w.\-/~:]*$"),
        property_value: pattern(r"^[\w.\-/~:]*$"),
    }
});

impl Default for Validation {
    fn default() -> Self {
        DEFAULT.clone()
    }
}

impl Validation {
    /// Takes the table `validation`.
    pub(super) fn read(root: &mut Table<'_>) -> Self {
        let mut validation = Self::default();
        let Some(mut table) = root.take("validation").and_then(|v| v.table(&SHAPE)) else {
            return validation;
        };
        for (key, pattern) in [
            ("branch", &mut validation.branch),
            ("revision", &mut validation.revision),
            ("property_name", &mut validation.property_name),
            ("property_value", &mut validation.property_value),
        ] {
            table.set(key, pattern, Value::line_start);
        }
        table.finish();
        validation
    }
}

impl Value<'_> {
    /// A regular expression that matches from the beginning of a text on.
    pub(super) fn line_start(&self) -> Option<LinePattern> {
        match LinePattern::from_start(self.text()?) {
            Ok(pattern) => Some(pattern),
            Err(error) => {
                let what = format!("is not a regular expression: {error}");
                self.error(&what, pattern::help(&error.to_string()));
                None
            }
        }
    }
}
