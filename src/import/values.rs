//! Values of a dump as those of a configuration (IMPORT section 4).

use serde_json::Value as Json;

use super::desk::{Desk, Got};
use super::item::{Item, Table};
use super::questions::{Ask, inner_function, is_function, operands};
use super::spot::Gap;
use crate::config::expression::literal;

/// The `!` of a value that is something else than data.
pub(super) fn mark(value: &Json) -> Option<&str> {
    value.get("!").and_then(Json::as_str)
}

/// The text under `key` of a form.
pub(super) fn part<'v>(value: &'v Json, key: &str) -> &'v str {
    value.get(key).and_then(Json::as_str).unwrap_or_default()
}

/// A text as it is, in a place where `%(…)s` means something.
pub(super) fn escaped(text: &str) -> String {
    if text.contains("%(") || text.contains("%%") {
        text.replace('%', "%%")
    } else {
        text.to_owned()
    }
}

/// Whether an argument or a variable of this name is a secret (IMP-40).
pub(super) fn is_secret_name(name: &str) -> bool {
    let name = name.to_lowercase();
    let words = [
        "password",
        "passwd",
        "token",
        "secret",
        "api_key",
        "apikey",
        "access_key",
    ];
    words.iter().any(|word| name.contains(word))
}

impl Desk {
    /// A text in which `%(…)s` means something.
    pub(super) fn text(&mut self, value: &Json) -> Got {
        match value {
            Json::Null => Ok(None),
            Json::String(text) => {
                self.note_url(text);
                Ok(Some(Item::Text(escaped(text))))
            }
            Json::Bool(flag) => Ok(Some(Item::text(if *flag { "True" } else { "False" }))),
            Json::Number(number) => Ok(Some(Item::Text(number.to_string()))),
            Json::Array(_) => Err(self.misses("a list where a text is wanted")),
            Json::Object(_) => self.form(value).map(Some),
        }
    }

    fn note_url(&mut self, text: &str) {
        let user = text.split_once("://").map(|(_, rest)| rest);
        let user = user.and_then(|rest| rest.split(['/', ' ']).next()?.split_once('@'));
        if user.is_some_and(|(user, _)| user.contains(':')) {
            self.look_at("an address with a password in it");
        }
    }

    /// A form: what is rendered while a build runs, or a secret.
    fn form(&mut self, value: &Json) -> Result<Item, Gap> {
        match mark(value) {
            Some("with_properties") => self.with_properties(value).map(Item::Text),
            Some("interpolate") => self.interpolate(value),
            Some("property") => Ok(Item::Text(self.property(value))),
            Some("hidden") => {
                let secret = part(value, "real").to_owned();
                let file = self.secret("hidden", &secret);
                Ok(Item::Table(Table(vec![
                    ("secret_file".to_owned(), Item::Text(file)),
                    ("shown".to_owned(), Item::text(part(value, "shown"))),
                ])))
            }
            Some("secret") => Ok(self.secret_form(part(value, "name"))),
            Some("function" | "renderer") => self.value_of(value, false),
            Some("object") => match inner_function(value) {
                Some(function) => self.value_of(&function, false),
                None => {
                    let class = part(value, "class").to_owned();
                    Err(self.misses(format!("a value of the class `{class}`")))
                }
            },
            Some(other) => Err(self.misses(format!("a value of the kind `{other}`"))),
            None => Err(self.misses("a table where a text is wanted")),
        }
    }

    /// The file of a secret that Buildbot keeps elsewhere.
    pub(super) fn named_secret(&mut self, name: &str) -> String {
        let file = format!("secrets/{name}");
        self.look_at(format!("the secret `{name}`: write it into {file}"));
        file
    }

    fn secret_form(&mut self, name: &str) -> Item {
        let file = Item::Text(self.named_secret(name));
        Item::Table(Table(vec![("secret_file".to_owned(), file)]))
    }

    /// The text that stands for what a function gives, as a whole word or a part of a text.
    pub(super) fn value_of(&mut self, function: &Json, whole: bool) -> Result<Item, Gap> {
        let id = super::questions::words(part(function, "name"));
        match self.ask(Ask::Value, function)? {
            None => Ok(Item::text("")),
            Some(Json::Object(table)) => {
                let text = table.get("text").and_then(Json::as_str);
                Ok(Item::text(text.unwrap_or_default()))
            }
            Some(answer) => {
                let expression = answer
                    .as_str()
                    .map_or_else(|| answer.to_string(), str::to_owned);
                let known = self.values.iter().find(|(_, e)| **e == expression);
                let name = match known {
                    Some((name, _)) => name.clone(),
                    None => {
                        let is_taken =
                            |name: &str| self.values.contains_key(&name.replace('-', "_"));
                        super::desk::unused(&id, is_taken).replace('-', "_")
                    }
                };
                self.values.insert(name.clone(), expression);
                let star = if whole { "*" } else { "" };
                Ok(Item::Text(format!("%({star}kw:{name})s")))
            }
        }
    }

    fn property(&mut self, value: &Json) -> String {
        let name = property_name(value);
        let sign = match value.get("default_when_false").and_then(Json::as_bool) {
            Some(false) => '-',
            Some(true) | None => '~',
        };
        match value.get("default") {
            None | Some(Json::Null) => format!("%(prop:{name})s"),
            Some(Json::String(text)) => {
                format!("%(prop:{name}:{sign}{})s", text.replace('%', "%%"))
            }
            Some(Json::Number(number)) => format!("%(prop:{name}:{sign}{number})s"),
            Some(Json::Bool(_) | Json::Array(_) | Json::Object(_)) => {
                self.look_at("the default of a property that is not a text");
                format!("%(prop:{name})s")
            }
        }
    }

    fn with_properties(&mut self, value: &Json) -> Result<String, Gap> {
        let text = of_slaves(part(value, "text"));
        let text = text.as_str();
        let args = value.get("args").and_then(Json::as_array);
        if let Some(args) = args.filter(|args| !args.is_empty()) {
            let mut out = String::new();
            let mut args = args.iter();
            let mut rest = text;
            while let Some((before, after)) = rest.split_once("%s") {
                out.push_str(before);
                let name = args.next().and_then(Json::as_str).unwrap_or_default();
                out.push_str(&format!("%({name})s"));
                rest = after;
            }
            out.push_str(rest);
            return Ok(out);
        }
        let kw = value.get("kw").and_then(Json::as_object);
        let mut out = text.to_owned();
        let mut gap = None;
        for (name, function) in kw.into_iter().flatten() {
            match self.value_of(function, false) {
                Ok(item) => {
                    let piece = item.as_text().unwrap_or_default().to_owned();
                    out = out.replace(&format!("%({name})s"), &piece);
                }
                Err(found) => gap = Some(found),
            }
        }
        gap.map_or(Ok(out), Err)
    }

    fn interpolate(&mut self, value: &Json) -> Result<Item, Gap> {
        let text = of_slaves(part(value, "text"));
        let text = text.as_str();
        let args = value.get("args").and_then(Json::as_array);
        if let Some(args) = args.filter(|args| !args.is_empty()) {
            let mut out = String::new();
            let mut gap = None;
            let mut rest = text;
            for arg in args {
                let (before, after) = rest.split_once("%s").unwrap_or((rest, ""));
                out.push_str(before);
                rest = after;
                match self.piece(arg) {
                    Ok(piece) => out.push_str(&piece),
                    Err(found) => gap = Some(found),
                }
            }
            out.push_str(rest);
            return gap.map_or(Ok(Item::Text(out)), Err);
        }
        let name = text
            .strip_prefix("%(secret:")
            .and_then(|t| t.strip_suffix(")s"));
        if let Some(name) = name.filter(|name| !name.contains(')')) {
            return Ok(self.secret_form(name));
        }
        if text.contains("%(secret:") {
            return Err(self.misses("a secret within a longer text"));
        }
        let mut gap = None;
        let mut pieces = std::collections::BTreeMap::new();
        for (name, kw) in value
            .get("kw")
            .and_then(Json::as_object)
            .into_iter()
            .flatten()
        {
            match self.piece(kw) {
                Ok(piece) => drop(pieces.insert(name.as_str(), piece)),
                Err(found) => gap = Some(found),
            }
        }
        match gap {
            Some(gap) => Err(gap),
            None => Ok(Item::Text(with_pieces(text, &pieces))),
        }
    }

    /// A value as a piece of a text.
    fn piece(&mut self, value: &Json) -> Result<String, Gap> {
        match value {
            Json::Null => Ok(String::new()),
            Json::String(text) => Ok(text.replace('%', "%%")),
            Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_) => {
                match self.text(value)? {
                    Some(Item::Text(text)) => Ok(text),
                    Some(
                        Item::Number(_)
                        | Item::Mode(_)
                        | Item::Flag(_)
                        | Item::List(_)
                        | Item::Table(_)
                        | Item::Form(_)
                        | Item::Slot(_),
                    ) => Err(self.misses("a secret within a longer text")),
                    None => Ok(String::new()),
                }
            }
        }
    }

    /// Words of a command: lists in lists are flattened. A single text stays one.
    pub(super) fn command(&mut self, value: &Json) -> Got {
        match value {
            Json::Array(entries) => {
                let mut words = Vec::new();
                let gap = self.words(entries, &mut words);
                gap.map_or(Ok(Some(Item::List(words))), Err)
            }
            Json::Object(_) if mark(value) == Some("property") => {
                let name = part(value, "name");
                Ok(Some(Item::texts([format!("%(*prop:{name})s")])))
            }
            Json::Object(_) if is_function(value) => {
                let word = self.value_of(value, true)?;
                // A text that is answered is a line for a shell, as one that a function returns.
                let is_line = matches!(&word, Item::Text(text) if !text.starts_with("%(*kw:"));
                Ok(Some(if is_line {
                    word
                } else {
                    Item::List(vec![word])
                }))
            }
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Object(_) => {
                self.text(value)
            }
        }
    }

    /// Adds words; returns the last gap.
    fn words(&mut self, entries: &[Json], words: &mut Vec<Item>) -> Option<Gap> {
        let mut gap = None;
        for entry in entries {
            let got = match entry {
                Json::Array(inner) => {
                    gap = self.words(inner, words).or(gap);
                    continue;
                }
                Json::Object(_) if is_function(entry) => self.value_of(entry, true).map(Some),
                Json::Null
                | Json::Bool(_)
                | Json::Number(_)
                | Json::String(_)
                | Json::Object(_) => self.text(entry),
            };
            match got {
                Ok(word) => words.extend(word),
                Err(found) => gap = Some(found),
            }
        }
        gap
    }

    /// Environment variables: lists are joined with `:`, none removes a variable.
    pub(super) fn env(&mut self, value: &Json) -> Got {
        let Json::Object(entries) = value else {
            return Ok(None);
        };
        match mark(value) {
            Some("property") => {
                let name = part(value, "name");
                return Ok(Some(Item::Text(format!("%(*prop:{name})s"))));
            }
            Some("function" | "renderer") => return self.value_of(value, true).map(Some),
            Some(other) => {
                return match inner_function(value) {
                    Some(function) => self.value_of(&function, true).map(Some),
                    None => Err(self.misses(format!("an `env` of the kind `{other}`"))),
                };
            }
            None => {}
        }
        let mut table = Table::default();
        let mut gap = None;
        for (name, value) in entries {
            match self.variable(name, value) {
                Ok(item) => table.set(name, item),
                Err(found) => gap = Some(found),
            }
        }
        match gap {
            Some(gap) => Err(gap),
            None => Ok(Some(Item::Table(table))),
        }
    }

    /// An environment variable.
    pub(super) fn variable(&mut self, name: &str, value: &Json) -> Result<Item, Gap> {
        match value {
            Json::Null => Ok(Item::Flag(false)),
            Json::Array(entries) => {
                let parts: Result<Vec<String>, Gap> =
                    entries.iter().map(|entry| self.piece(entry)).collect();
                Ok(Item::texts(parts?))
            }
            Json::String(secret) if is_secret_name(name) && !secret.is_empty() => {
                let file = self.secret(&format!("env-{name}"), secret);
                Ok(Item::Table(Table(vec![(
                    "secret_file".to_owned(),
                    Item::Text(file),
                )])))
            }
            Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Object(_) => {
                Ok(self.text(value)?.unwrap_or(Item::Flag(false)))
            }
        }
    }

    /// Any setting whose texts are rendered: its shape stays.
    pub(super) fn rendered(&mut self, value: &Json) -> Got {
        match value {
            Json::Null => Ok(None),
            Json::Bool(flag) => Ok(Some(Item::Flag(*flag))),
            Json::Number(number) => Ok(Some(Item::Number(number.clone()))),
            Json::String(_) => self.text(value),
            Json::Array(entries) => {
                let mut list = Vec::new();
                let mut gap = None;
                for entry in entries {
                    match self.rendered(entry) {
                        Ok(item) => list.extend(item),
                        Err(found) => gap = Some(found),
                    }
                }
                gap.map_or(Ok(Some(Item::List(list))), Err)
            }
            Json::Object(entries) if mark(value).is_none() => {
                let mut table = Table::default();
                let mut gap = None;
                for (key, value) in entries {
                    match self.rendered(value) {
                        Ok(Some(item)) => table.set(key, item),
                        Ok(None) => {}
                        Err(found) => gap = Some(found),
                    }
                }
                gap.map_or(Ok(Some(Item::Table(table))), Err)
            }
            Json::Object(_) => self.data(value),
        }
    }

    /// Something that is not data: a pattern, a set, or a form.
    fn data(&mut self, value: &Json) -> Got {
        match mark(value) {
            Some("regex") => Ok(Some(self.pattern(value))),
            Some("set") => match value.get("values") {
                Some(values) => self.rendered(values),
                None => Ok(None),
            },
            Some("class") => Ok(Some(Item::text(part(value, "name")))),
            Some(_) | None => self.form(value).map(Some),
        }
    }

    /// `{ regex = "…" }` of a pattern or of its text.
    pub(super) fn pattern(&mut self, value: &Json) -> Item {
        let text = value.as_str().unwrap_or_else(|| part(value, "pattern"));
        if text.contains("(?=") || text.contains("(?!") || text.contains("(?<") {
            self.look_at(format!("a pattern that looks around: {text}"));
        }
        let flags = value.get("flags").and_then(Json::as_u64).unwrap_or(0);
        let text = match flags & 2 {
            0 => text.to_owned(),
            _ => format!("(?i){text}"),
        };
        Item::Table(Table(vec![("regex".to_owned(), Item::Text(text))]))
    }

    /// A condition of a step: an expression, or false.
    pub(super) fn condition(&mut self, value: &Json) -> Got {
        let function = inner_function(value);
        match function.as_ref().unwrap_or(value) {
            Json::Bool(flag) => Ok(Some(Item::Flag(*flag))),
            function @ Json::Object(_) if is_function(function) => {
                let answer = self.ask(Ask::Condition, function)?;
                Ok(answer.as_ref().and_then(Item::plain))
            }
            Json::Null => Ok(None),
            Json::Number(_) | Json::String(_) | Json::Array(_) | Json::Object(_) => {
                let expression = mark(value).and_then(|_| expression(value));
                let missing = "a condition that is neither a function nor made of properties";
                expression.map_or_else(|| Err(self.misses(missing)), |e| Ok(Some(Item::Text(e))))
            }
        }
    }

    /// Sets a key to plain data. What is worked out while a build runs is left out, asked for and
    /// told; the other entries of a table stay.
    pub(super) fn put_plain(&mut self, key: &str, value: &Json, table: &mut Table) {
        if !has_marks(value) {
            // Properties may come from two arguments.
            let item = match (table.remove(key), Item::plain(value)) {
                (Some(Item::Table(mut both)), Some(Item::Table(new))) => {
                    both.0.retain(|(name, _)| new.get(name).is_none());
                    both.0.extend(new.0);
                    Some(Item::Table(both))
                }
                (known, new) => new.or(known),
            };
            if let Some(item) = item {
                table.set(key, item);
            }
            return;
        }
        self.functions_within(value);
        let entries = value.as_object().filter(|_| mark(value).is_none());
        let Some(entries) = entries else {
            self.misses(format!("`{key}` that is worked out"));
            return;
        };
        let mut plain = serde_json::Map::new();
        for (name, value) in entries {
            if has_marks(value) {
                self.misses(format!("`{name}` of `{key}`, which is worked out"));
            } else {
                plain.insert(name.clone(), value.clone());
            }
        }
        self.put_plain(key, &Json::Object(plain), table);
    }
}

/// Sets a key to plain data.
pub(super) fn set(table: &mut Table, key: &str, value: &Json) {
    if let Some(item) = Item::plain(value) {
        table.set(key, item);
    }
}

/// Whether there is something else than data in it.
pub(super) fn has_marks(value: &Json) -> bool {
    match value {
        Json::Object(entries) => entries.contains_key("!") || entries.values().any(has_marks),
        Json::Array(entries) => entries.iter().any(has_marks),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => false,
    }
}

/// The text of an `Interpolate` with the values of its keyword arguments in the place of
/// `%(kw:name)s`.
fn with_pieces(text: &str, pieces: &std::collections::BTreeMap<&str, String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("%(kw:") {
        out.push_str(before);
        let Some((form, behind)) = after.split_once(")s") else {
            out.push_str("%(kw:");
            rest = after;
            continue;
        };
        let (name, otherwise) = form.split_once(':').unwrap_or((form, ""));
        let piece = pieces.get(name).map_or("", String::as_str);
        let mut signs = otherwise.chars();
        match signs.next() {
            Some('~') if piece.is_empty() => out.push_str(signs.as_str()),
            Some('-') if !pieces.contains_key(name) => out.push_str(signs.as_str()),
            Some('+') => out.push_str(if piece.is_empty() { "" } else { signs.as_str() }),
            Some(_) | None => out.push_str(piece),
        }
        rest = behind;
    }
    out.push_str(rest);
    out
}

/// A text with forms, in which 0.9 and later call slaves workers.
fn of_slaves(text: &str) -> String {
    const NAMES: [(&str, &str); 3] = [
        ("%(worker:", "%(slave:"),
        ("%(prop:workername", "%(prop:slavename"),
        ("%(workername", "%(slavename"),
    ];
    let plain = text.split("%%").map(|text| {
        let rename = |text: String, (theirs, ours): &(&str, &str)| text.replace(theirs, ours);
        NAMES.iter().fold(text.to_owned(), rename)
    });
    plain.collect::<Vec<_>>().join("%%")
}

/// What a property is called here.
fn property_name(value: &Json) -> &str {
    match part(value, "name") {
        "workername" => "slavename",
        name => name,
    }
}

/// The expression for a property, for what is compared or calculated with properties, and for plain
/// data.
fn expression(value: &Json) -> Option<String> {
    if let Some((left, operator, right)) = operands(value) {
        let side = |value: &Json| {
            let text = expression(value)?;
            let is_simple = operands(value).is_none() && !text.contains('|');
            Some(if is_simple { text } else { format!("({text})") })
        };
        return Some(format!("{} {operator} {}", side(left)?, side(right)?));
    }
    if mark(value) == Some("property") {
        let name = literal(&Json::from(property_name(value)));
        let default = value.get("default").filter(|default| !default.is_null());
        let default = default.map_or_else(String::new, |d| format!(" | default({})", literal(d)));
        return Some(format!("prop[{name}]{default}"));
    }
    (!has_marks(value)).then(|| literal(value))
}
