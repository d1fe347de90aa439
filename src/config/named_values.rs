//! The expressions of `[values]`, and what they come to for one user of them (CFL-100, CFL-104).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde_json::Value as Json;

use super::expression::{Expression, Mistake, Named, Scope, Use};

/// The expressions of `[values]`, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct NamedValues(pub(super) BTreeMap<String, Expression>);

impl NamedValues {
    /// The names that `expression` uses, also through these values, which are left out themselves.
    #[must_use]
    pub fn uses<'s>(&'s self, expression: &'s Expression) -> Vec<&'s Use> {
        let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
        let mut open = vec![expression];
        while let Some(expression) = open.pop() {
            for used in expression.uses() {
                match used.path.as_slice() {
                    [kw, name, ..] if kw == "kw" => {
                        let value = self.0.get(name).filter(|_| seen.insert(name));
                        open.extend(value);
                    }
                    _ => found.push(used),
                }
            }
        }
        found
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These, to be worked out once each: what one step, or one other user, sees as `kw`.
    #[must_use]
    pub fn to_work_out(self: &Arc<Self>) -> Arc<WorkedOut> {
        Arc::new(WorkedOut {
            values: Arc::clone(self),
            done: Mutex::default(),
        })
    }
}

/// Values that are worked out when they are first named, and then kept.
#[derive(Debug)]
pub struct WorkedOut {
    values: Arc<NamedValues>,
    done: Mutex<BTreeMap<String, Result<Option<Json>, Mistake>>>,
}

impl Named for WorkedOut {
    fn value(&self, name: &str, scope: &Scope) -> Result<Option<Json>, Mistake> {
        let done = |values: &Self| {
            let done = values.done.lock().unwrap_or_else(PoisonError::into_inner);
            done.get(name).cloned()
        };
        if let Some(known) = done(self) {
            return known;
        }
        let Some(expression) = self.values.0.get(name) else {
            return Ok(None);
        };
        // Not while the lock is held: it may name other values.
        let value = expression.evaluate(scope).map_err(|mistake| Mistake {
            message: format!("the value `{name}`: {}", mistake.message),
            ..mistake
        });
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.insert(name.to_owned(), value.clone());
        value
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;
    use crate::config::expression::Mode;

    #[test]
    fn cfl_104_a_value_is_worked_out_once_for_a_user_and_only_if_it_is_named() {
        let compile = |text| Expression::compile(text, Mode::Running, "v").unwrap();
        let values = [
            ("n".to_owned(), compile("prop.n + 1")),
            ("bad".to_owned(), compile("1 // 0")),
        ];
        let values = Arc::new(NamedValues(values.into()));
        let seen = |n: i64| Scope::new().with("prop", json!({ "n": n }));
        let user = values.to_work_out();
        assert_eq!(user.value("n", &seen(1)), Ok(Some(json!(2))));
        // What it has come to is not asked again.
        assert_eq!(user.value("n", &seen(5)), Ok(Some(json!(2))));
        let other = values.to_work_out();
        assert_eq!(other.value("n", &seen(5)), Ok(Some(json!(6))));
        let scope = seen(5).with_kw(other);
        let chosen = compile("kw.n if true else kw.bad").evaluate(&scope);
        assert_eq!(chosen, Ok(Some(json!(6))));
        assert!(compile("kw.bad").evaluate(&scope).is_err());
    }
}
