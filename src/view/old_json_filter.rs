//! Leaving out what says nothing.

use serde_json::Value;

/// The value without null, false, empty texts, empty lists and empty objects. A list with nothing
/// else in it is empty; other lists keep their length.
#[must_use]
pub fn without_empty(value: Value) -> Value {
    match value {
        Value::Array(items) => {
            let items: Vec<_> = items.into_iter().map(without_empty).collect();
            match items.iter().all(is_empty) {
                true => Value::Null,
                false => Value::Array(items),
            }
        }
        Value::Object(fields) => {
            let fields = fields
                .into_iter()
                .map(|(name, value)| (name, without_empty(value)));
            Value::Object(fields.filter(|(_, value)| !is_empty(value)).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_says_nothing_is_left_out() {
        let value = json!({
            "a": null, "b": false, "c": "", "d": [], "e": {}, "f": [null, ""], "g": {"h": null},
            "i": 0, "j": [null, 1], "k": true, "l": {"m": "n", "o": null},
        });
        let expected = json!({"i": 0, "j": [null, 1], "k": true, "l": {"m": "n"}});
        assert_eq!(without_empty(value), expected);
    }
}
