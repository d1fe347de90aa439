//! Conditions: true, false, or an expression.

use serde::Serialize;

use super::expression::Expression;

/// Whether something is to be done.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Condition {
    /// It is known already.
    Always(bool),
    /// If an expression is true (CFL-27).
    If(Expression),
}
