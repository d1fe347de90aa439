//! A change that waits with a scheduler.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ChangeNumber;

/// A change that waits with a scheduler, besides those of the state that is remembered of it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct WaitingChange {
    /// The change.
    pub change: ChangeNumber,
    /// Whether it is important.
    pub important: bool,
}

impl WaitingChange {
    /// Adds it to those that wait in `state`, which is what is remembered of the scheduler.
    pub fn add_to(self, state: &mut Value) {
        let Value::Object(state) = state else { return };
        let important = self.important.then_some("important");
        for list in ["changes"].into_iter().chain(important) {
            let list = state
                .entry(list)
                .or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(numbers) = list {
                numbers.push(self.change.0.into());
            }
        }
    }
}
