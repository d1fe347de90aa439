//! Conditions on changes: `filter.when` and `important_if` (CFL-140, CFL-141).

use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value as Json, json};

use super::condition::Condition;
use super::expression::{Expression, Scope};
use super::named_values::NamedValues;
use super::visible::PARTS_OF_CHANGE;
use crate::model::NewChange;

/// A condition on changes.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangeCondition {
    /// What it is.
    pub(super) condition: Condition,
    /// What it sees as `kw`.
    pub(super) values: Arc<NamedValues>,
}

impl ChangeCondition {
    /// Whether it is true of `change`.
    ///
    /// # Errors
    /// The expression and why it cannot be worked out (CFL-142).
    pub fn holds(&self, change: &NewChange) -> Result<bool, (Expression, String)> {
        let expression = match &self.condition {
            Condition::Always(flag) => return Ok(*flag),
            Condition::If(expression) => expression,
        };
        let mut scope = Scope::new().with("change", self.facts(expression, change));
        if !self.values.is_empty() {
            scope = scope.with_kw(self.values.to_work_out());
        }
        let held = expression.holds(&scope);
        held.map_err(|mistake| (expression.clone(), mistake.message))
    }

    /// What it sees of `change`: what it names, since changes may have many files.
    fn facts(&self, expression: &Expression, change: &NewChange) -> Json {
        let mut facts = Map::new();
        for used in self.values.uses(expression) {
            let named: Vec<&str> = used.path.iter().map(String::as_str).collect();
            let parts: &[&str] = match named.as_slice() {
                ["change", part, ..] => &[*part],
                ["change"] => &PARTS_OF_CHANGE,
                _ => &[],
            };
            for part in parts {
                if let Some(fact) = fact(change, part) {
                    facts.insert((*part).to_owned(), fact);
                }
            }
        }
        Json::Object(facts)
    }
}

fn fact(change: &NewChange, part: &str) -> Option<Json> {
    Some(match part {
        "who" => json!(change.who),
        "files" => json!(change.files),
        "comments" => json!(change.comments),
        "branch" => json!(change.branch),
        "revision" => json!(change.revision),
        "project" => json!(change.project),
        "repository" => json!(change.repository),
        "category" => json!(change.category),
        "codebase" => json!(change.codebase),
        "properties" => {
            let properties = change.properties.iter();
            properties
                .map(|(name, p)| (name.to_owned(), p.value.clone()))
                .collect()
        }
        _ => return None,
    })
}

/// As it is written.
impl Serialize for ChangeCondition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.condition.serialize(serializer)
    }
}
