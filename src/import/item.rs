//! Values of a configuration before they are written, and how they are written as TOML.

use serde_json::{Number, Value as Json};

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item {
    /// A text.
    Text(String),
    /// A whole number or a fraction.
    Number(Number),
    /// A mode of a file, in octal.
    Mode(u32),
    /// True or false.
    Flag(bool),
    /// A list.
    List(Vec<Self>),
    /// A table.
    Table(Table),
    /// A text with `{{ }}` in it.
    Form(String),
    /// A place of a fold that has no form yet.
    Slot(usize),
}

/// A table; its keys keep their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Table(pub(super) Vec<(String, Item)>);

impl Item {
    /// A text.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A list of texts.
    pub(super) fn texts<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Self {
        Self::List(texts.into_iter().map(|t| Self::Text(t.into())).collect())
    }

    /// The entries, if it is a list.
    pub(super) fn as_list(&self) -> Option<&[Self]> {
        match self {
            Self::List(list) => Some(list),
            Self::Text(_)
            | Self::Number(_)
            | Self::Mode(_)
            | Self::Flag(_)
            | Self::Table(_)
            | Self::Form(_)
            | Self::Slot(_) => None,
        }
    }

    /// Its text, if it is one.
    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Number(_)
            | Self::Mode(_)
            | Self::Flag(_)
            | Self::List(_)
            | Self::Table(_)
            | Self::Form(_)
            | Self::Slot(_) => None,
        }
    }

    /// The table, if it is one.
    pub(super) fn as_table(&self) -> Option<&Table> {
        match self {
            Self::Table(table) => Some(table),
            Self::Text(_)
            | Self::Number(_)
            | Self::Mode(_)
            | Self::Flag(_)
            | Self::List(_)
            | Self::Form(_)
            | Self::Slot(_) => None,
        }
    }

    /// Plain data as it is; none is left out.
    pub(super) fn plain(value: &Json) -> Option<Self> {
        Some(match value {
            Json::Null => return None,
            Json::Bool(flag) => Self::Flag(*flag),
            Json::Number(number) => Self::Number(number.clone()),
            Json::String(text) => Self::Text(text.clone()),
            Json::Array(entries) => Self::List(entries.iter().filter_map(Self::plain).collect()),
            Json::Object(entries) => {
                let entries = entries.iter();
                let plain = entries.filter_map(|(k, v)| Some((k.clone(), Self::plain(v)?)));
                Self::Table(Table(plain.collect()))
            }
        })
    }

    /// Writes it behind `out`.
    pub(super) fn write(&self, out: &mut String) {
        match self {
            Self::Text(text) if text.contains("{{") => write_text(out, &braced(text)),
            Self::Text(text) | Self::Form(text) => write_text(out, text),
            Self::Slot(_) => out.push_str("\"\""),
            Self::Number(number) => write_number(out, number),
            Self::Mode(mode) => out.push_str(&format!("0o{mode:o}")),
            Self::Flag(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Self::List(entries) => {
                out.push('[');
                for (at, entry) in entries.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { ", " });
                    entry.write(out);
                }
                out.push(']');
            }
            Self::Table(table) => table.write(out, write_entry),
        }
    }
}

impl Item {
    /// The same, where texts are expressions: `{{` in them is not one of the file (CFL-30).
    pub(super) fn as_expressions(&self) -> Self {
        match self {
            Self::Text(text) => Self::Form(text.replace("{{", "{\\u007b")),
            Self::List(list) => Self::List(list.iter().map(Self::as_expressions).collect()),
            Self::Table(table) => {
                let entries = table.0.iter();
                let entries = entries.map(|(key, value)| (key.clone(), value.as_expressions()));
                Self::Table(Table(entries.collect()))
            }
            Self::Number(_) | Self::Mode(_) | Self::Flag(_) | Self::Form(_) | Self::Slot(_) => {
                self.clone()
            }
        }
    }
}

/// Keys whose texts are expressions: there a value stands as it is.
const EXPRESSIONS: [&str; 10] = [
    "do_step_if",
    "hide_step_if",
    "set",
    "result",
    "when",
    "important_if",
    "slave_if",
    "request_order",
    "slave_order",
    "merge_by",
];

/// Keys of tables whose entries are named values instead of settings.
const NAMES: [&str; 2] = ["let", "with"];

/// Whether the texts below these keys are expressions.
pub(super) fn is_expression(keys: &[String]) -> bool {
    // Named values are plain texts until they stand in a step.
    let is_named = keys
        .first()
        .is_some_and(|first| NAMES.contains(&first.as_str()));
    !is_named && keys.iter().any(|key| is_expression_key(key))
}

fn is_expression_key(key: &str) -> bool {
    EXPRESSIONS.contains(&key)
}

impl Table {
    /// Writes it behind `out`, each entry by `entry`.
    fn write(&self, out: &mut String, entry: impl Fn(&mut String, &str, &Item)) {
        if self.0.is_empty() {
            out.push_str("{}");
            return;
        }
        out.push_str("{ ");
        for (at, (key, value)) in self.0.iter().enumerate() {
            out.push_str(if at == 0 { "" } else { ", " });
            entry(out, key, value);
        }
        out.push_str(" }");
    }

    /// Sets a key, in place of an existing one.
    pub(super) fn set(&mut self, key: &str, value: Item) {
        match self.0.iter_mut().find(|(k, _)| k == key) {
            Some((_, old)) => *old = value,
            None => self.0.push((key.to_owned(), value)),
        }
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&Item> {
        let (_, value) = self.0.iter().find(|(k, _)| k == key)?;
        Some(value)
    }

    /// Takes a key out.
    pub(super) fn remove(&mut self, key: &str) -> Option<Item> {
        let at = self.0.iter().position(|(k, _)| k == key)?;
        Some(self.0.remove(at).1)
    }

    /// With `extends`, `type`, `name` and `let` first, and then the other keys as they are.
    pub(super) fn in_order(mut self) -> Self {
        const FIRST: [&str; 4] = ["extends", "type", "name", "let"];
        self.0.sort_by_key(|(key, _)| {
            let place = FIRST.iter().position(|first| first == key);
            place.unwrap_or(FIRST.len())
        });
        self
    }
}

/// Writes a key and its value.
pub(super) fn write_entry(out: &mut String, key: &str, value: &Item) {
    write_key(out, key);
    out.push_str(" = ");
    let names = value.as_table().filter(|_| NAMES.contains(&key));
    if is_expression_key(key) {
        value.as_expressions().write(out);
    } else if let Some(names) = names {
        names.write(out, |out, name, value| {
            write_key(out, name);
            out.push_str(" = ");
            value.write(out);
        });
    } else {
        value.write(out);
    }
}

/// Writes a key, in quotes if it needs them.
pub(super) fn write_key(out: &mut String, key: &str) {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.chars().all(is_bare) {
        out.push_str(key);
    } else {
        write_text(out, key);
    }
}

fn write_number(out: &mut String, number: &Number) {
    if number.is_i64() {
        out.push_str(&number.to_string());
    } else {
        // TOML has 64 bits with sign; what is greater becomes a fraction.
        out.push_str(&format!("{:?}", number.as_f64().unwrap_or_default()));
    }
}

fn write_text(out: &mut String, text: &str) {
    if text.contains(['\\', '"']) && !text.contains('\'') && !text.contains(char::is_control) {
        out.extend(["'", text, "'"]);
        return;
    }
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// A text as it is in a file where `{{ }}` means something.
pub(super) fn braced(text: &str) -> String {
    text.replace("{{", "{{ '{{' }}")
}
