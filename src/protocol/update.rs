//! What a running command says, and how: the argument of `update`, both ends (PROTOCOL sections 9.3
//! and 10.1).

use bytes::Bytes;

use crate::pb::Value;

use super::{Malformed, TextStyle};

/// One thing a running command says (PROTOCOL section 10.1).
#[derive(Clone, Debug, PartialEq)]
pub enum Update {
    /// Output.
    Stdout(Bytes),
    /// Output.
    Stderr(Bytes),
    /// What the slave says about the command.
    Header(Bytes),
    /// A piece of a followed file.
    Log {
        /// The log's name.
        name: String,
        /// The piece.
        data: Bytes,
    },
    /// Exit status; −1 when killed by a signal.
    Rc(i64),
    /// Seconds it ran.
    Elapsed(f64),
    /// Why the slave killed it (workers from 3.10 on).
    FailureReason(String),
    /// Anything else: `stat`, `files`, `got_revision` …
    Other {
        /// Its key.
        key: String,
        /// Its value.
        value: Value,
    },
}

/// An update and the number of the dictionary that it came in.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbered {
    /// Counted by the slave for each command. Slaves of Buildbot say 0 of all.
    pub number: i64,
    /// The update.
    pub update: Update,
}

/// Reads `(list (list DICT NUMBER) …)`, in order; byte strings stay slices of what was received. A
/// known key with a value of another type, and an unknown key, become [`Update::Other`].
///
/// # Errors
/// It is not a list of pairs with a dictionary.
pub fn decode_updates(list: &Value) -> Result<Vec<Numbered>, Malformed> {
    let wrong = || Malformed::wrong("update", "a list of (dictionary, number)");
    let items = list.as_items().ok_or_else(wrong)?;
    let mut updates = Vec::with_capacity(items.len());
    for item in items {
        // The pair may come without its number.
        let (dict, number) = match item.as_items() {
            Some([dict, number, ..]) => (dict, number.as_int().unwrap_or_default()),
            Some([dict]) => (dict, 0),
            Some([]) => return Err(wrong()),
            None => (item, 0),
        };
        for (key, value) in dict.as_dict().ok_or_else(wrong)? {
            let key = key.as_raw().ok_or_else(wrong)?;
            let update = decode(key, value);
            updates.push(Numbered { number, update });
        }
    }
    Ok(updates)
}

/// Spells `updates` as slaves do, one dictionary each. Masters from 0.9 on decode strictly, so that
/// for [`TextStyle::Unicode`] output that is not UTF-8 is replaced here.
#[must_use]
pub fn encode_updates(updates: &[Update], style: TextStyle) -> Value {
    let items = updates.iter().map(|update| {
        let (key, value) = encode(update, style);
        let dict = Value::Dict(vec![(style.value(key), value)]);
        Value::List(vec![dict, Value::Int(0)])
    });
    Value::List(items.collect())
}

fn decode(key: &Bytes, value: &Value) -> Update {
    let known = match key.as_ref() {
        b"stdout" => value.as_raw().cloned().map(Update::Stdout),
        b"stderr" => value.as_raw().cloned().map(Update::Stderr),
        b"header" => value.as_raw().cloned().map(Update::Header),
        b"log" => match value.as_items() {
            Some([name, data]) => {
                name.as_text()
                    .zip(data.as_raw())
                    .map(|(name, data)| Update::Log {
                        name: name.into_owned(),
                        data: data.clone(),
                    })
            }
            _ => None,
        },
        b"rc" => value.as_int().map(Update::Rc),
        b"elapsed" => value.as_float().map(Update::Elapsed),
        b"failure_reason" => value
            .as_text()
            .map(|t| Update::FailureReason(t.into_owned())),
        _ => None,
    };
    known.unwrap_or_else(|| Update::Other {
        key: String::from_utf8_lossy(key).into_owned(),
        value: value.clone(),
    })
}

fn encode(update: &Update, style: TextStyle) -> (&str, Value) {
    match update {
        Update::Stdout(data) => ("stdout", output(data, style)),
        Update::Stderr(data) => ("stderr", output(data, style)),
        Update::Header(data) => ("header", output(data, style)),
        Update::Log { name, data } => (
            "log",
            Value::Tuple(vec![style.value(name), output(data, style)]),
        ),
        Update::Rc(code) => ("rc", Value::Int(*code)),
        Update::Elapsed(seconds) => ("elapsed", Value::Float(*seconds)),
        Update::FailureReason(reason) => ("failure_reason", style.value(reason)),
        Update::Other { key, value } => (key, value.clone()),
    }
}

fn output(data: &Bytes, style: TextStyle) -> Value {
    match style {
        TextStyle::Bytes => Value::Bytes(data.clone()),
        TextStyle::Unicode if std::str::from_utf8(data).is_ok() => Value::Text(data.clone()),
        TextStyle::Unicode => Value::text(&String::from_utf8_lossy(data)),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn all() -> Vec<Update> {
        vec![
            Update::Header(Bytes::from_static(b"h")),
            Update::Stdout(Bytes::from_static(b"o")),
            Update::Stderr(Bytes::from_static(b"e")),
            Update::Log {
                name: "tail".into(),
                data: Bytes::from_static(b"l"),
            },
            Update::FailureReason("timeout".into()),
            Update::Rc(-1),
            Update::Elapsed(0.5),
            Update::Other {
                key: "files".into(),
                value: Value::List(vec![Value::text("a")]),
            },
        ]
    }

    fn decoded(list: &Value) -> Vec<Update> {
        let updates = decode_updates(list).unwrap().into_iter();
        updates.map(|numbered| numbered.update).collect()
    }

    #[test]
    fn what_goes_out_comes_back_in_both_spellings() {
        for style in [TextStyle::Bytes, TextStyle::Unicode] {
            let list = encode_updates(&all(), style);
            assert_eq!(decoded(&list), all());
            let numbers = decode_updates(&list).unwrap().into_iter();
            assert!(numbers.map(|numbered| numbered.number).all(|n| n == 0));
        }
    }

    #[test]
    fn output_is_not_copied() {
        let data = Bytes::from_static(b"output");
        let updates = [Update::Stdout(data.clone())];
        let back = decoded(&encode_updates(&updates, TextStyle::Bytes));
        let Update::Stdout(got) = &back[0] else {
            panic!("{back:?}");
        };
        assert_eq!(got.as_ptr(), data.as_ptr());
    }

    #[test]
    fn binary_output_is_replaced_for_masters_that_want_text() {
        let updates = [Update::Stdout(Bytes::from_static(b"a\xffb"))];
        let back = decoded(&encode_updates(&updates, TextStyle::Unicode));
        assert_eq!(back, [Update::Stdout(Bytes::from("a\u{fffd}b"))]);
    }

    #[test]
    fn several_keys_in_one_dictionary_are_several_updates() {
        let dict = Value::Dict(vec![
            (Value::bytes("rc"), Value::Int(1)),
            (Value::bytes("stderr"), Value::text("x")),
        ]);
        let list = Value::List(vec![Value::Tuple(vec![dict, Value::Int(7)])]);
        assert_eq!(
            decoded(&list),
            [Update::Rc(1), Update::Stderr(Bytes::from_static(b"x"))]
        );
        let numbers = decode_updates(&list).unwrap().into_iter();
        assert!(numbers.map(|numbered| numbered.number).eq([7, 7]));
    }

    #[test]
    fn unexpected_types_are_kept_and_nonsense_is_refused() {
        let list = Value::List(vec![Value::List(vec![
            Value::Dict(vec![(Value::bytes("rc"), Value::None)]),
            Value::Int(0),
        ])]);
        let other = Update::Other {
            key: "rc".into(),
            value: Value::None,
        };
        assert_eq!(decoded(&list), [other]);
        for bad in [
            Value::None,
            Value::List(vec![Value::Int(1)]),
            Value::List(vec![Value::List(vec![])]),
        ] {
            assert!(decode_updates(&bad).is_err());
        }
    }
}
