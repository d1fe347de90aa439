//! Working out values: `{{ … }}` in them (CFL-15 to CFL-31).

use std::ops::Range;
use std::rc::Rc;

use serde_json::{Map, Value as Json};

use super::super::class::Class;
use super::super::expression::{Expression, Mistake, Scope, literal};
use super::super::places::ContextId;
use super::super::spelling;
use super::super::tree::{Data, Field, Fields, Node, Piece, Text};
use super::Farm;
use super::braces::{Braces, Parsed, Part};
use super::depth::{DEEPEST, depth};
use super::names::is_of_run_time;
use super::rules::Rule;

/// What an entry sees, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Env {
    pub(super) scope: Scope,
    pub(super) context: ContextId,
}

/// What became of a value.
#[derive(Debug)]
pub(super) enum Filled {
    Value(Node),
    /// It is none, which is left out (CFL-20).
    Nothing,
    /// It has a mistake, which was told.
    Broken,
}

impl Filled {
    /// The value, if there is one.
    pub(super) fn value(self) -> Option<Node> {
        match self {
            Self::Value(node) => Some(node),
            Self::Nothing | Self::Broken => None,
        }
    }
}

impl Farm<'_> {
    /// `node` as it is in `env`.
    pub(super) fn fill(&mut self, node: &Node, env: &Env, rule: Rule) -> Filled {
        let place = self.told.places.within(&node.place, env.context);
        let size = node.data.as_str().map_or(0, str::len);
        if !self.has_room(size, &place) {
            return Filled::Broken;
        }
        let data = match &node.data {
            Data::Text(text) => {
                let is_template = rule == Rule::Templates;
                let Some(parsed) = self.parse(&text.value).filter(|_| !is_template) else {
                    return Filled::Value(Node {
                        place,
                        data: Data::Text(text.clone()),
                    });
                };
                return self.fill_text(node, &parsed, env, rule);
            }
            Data::Array(entries) => match self.fill_list(entries, env, rule) {
                Some(entries) => Data::Array(entries),
                None => return Filled::Broken,
            },
            Data::Table(fields) => match self.fill_table(fields, env, rule) {
                Some(fields) => Data::Table(fields),
                None => return Filled::Broken,
            },
            Data::Integer(_) | Data::Float(_) | Data::Boolean(_) | Data::Datetime(_) => {
                node.data.clone()
            }
        };
        Filled::Value(Node { place, data })
    }

    fn fill_list(&mut self, entries: &[Node], env: &Env, rule: Rule) -> Option<Vec<Node>> {
        let mut out = Vec::with_capacity(entries.len());
        let mut is_whole = true;
        for entry in entries {
            if rule != Rule::Expressions
                && let Some(list) = self.splice(entry, env)
            {
                let place = self.told.places.within(&entry.place, env.context);
                match list {
                    Some(list) => {
                        let size = list.iter().map(size_of).fold(0, usize::saturating_add);
                        is_whole &= self.has_room(size, &place);
                        out.extend(list.iter().filter_map(|e| Node::from_json(e, &place)));
                    }
                    None => is_whole = false,
                }
                continue;
            }
            match self.fill(entry, env, rule) {
                Filled::Value(node) => out.push(node),
                Filled::Nothing => {}
                Filled::Broken => is_whole = false,
            }
        }
        is_whole.then_some(out)
    }

    fn fill_table(&mut self, fields: &Fields, env: &Env, rule: Rule) -> Option<Fields> {
        let mut out = Fields(Vec::with_capacity(fields.0.len()));
        let mut is_whole = true;
        for field in fields.iter() {
            is_whole &= self.is_key(field, env.context);
            match self.fill(&field.value, env, rule.below(&field.key)) {
                Filled::Value(value) => out.0.push(Field {
                    key: Rc::clone(&field.key),
                    key_place: self.told.places.within(&field.key_place, env.context),
                    value,
                }),
                Filled::Nothing => {}
                Filled::Broken => is_whole = false,
            }
        }
        is_whole.then_some(out)
    }

    /// Whether the key of `field` is one as it stands (CFL-15).
    pub(super) fn is_key(&mut self, field: &Field, context: ContextId) -> bool {
        let is_key = !field.key.contains("{{");
        if !is_key {
            let place = (&field.key_place, context);
            let message = "a key takes no `{{`";
            self.told.error_in(Class::NotAllowed, place, message, "");
        }
        is_key
    }

    /// The entries that `{{* … }}` puts into a list, if `entry` is that (CFL-19).
    fn splice(&mut self, entry: &Node, env: &Env) -> Option<Option<Vec<Json>>> {
        let Data::Text(text) = &entry.data else {
            return None;
        };
        let parsed = self.parse(&text.value)?;
        let braces = parsed.alone().filter(|braces| braces.is_star)?;
        let list = self.evaluate(entry, braces, env, None);
        Some(list.and_then(|value| {
            if let Json::Array(entries) = value {
                return Some(entries);
            }
            let message = format!(
                "`{{{{*` puts in the entries of a list, and this is {}",
                noun(&value)
            );
            let place = (&entry.place, env.context);
            self.told.error_in(Class::WrongType, place, message, "");
            None
        }))
    }

    fn fill_text(&mut self, node: &Node, parsed: &Parsed, env: &Env, rule: Rule) -> Filled {
        let Some(()) = self.is_closed(node, parsed, env) else {
            return Filled::Broken;
        };
        if rule == Rule::Expressions {
            return self.fill_expression(node, parsed, env);
        }
        let place = self.told.places.within(&node.place, env.context);
        match self.value_of(node, parsed, env) {
            None => Filled::Broken,
            Some(Worked::Text(text)) => {
                if self.has_room(text.value.len(), &place) {
                    let data = Data::Text(text);
                    Filled::Value(Node { place, data })
                } else {
                    Filled::Broken
                }
            }
            Some(Worked::Json(value)) => {
                if !self.has_room(size_of(&value), &place) {
                    return Filled::Broken;
                }
                match Node::from_json(&value, &place) {
                    Some(node) => Filled::Value(node),
                    None => Filled::Nothing,
                }
            }
        }
    }

    fn is_closed(&mut self, node: &Node, parsed: &Parsed, env: &Env) -> Option<()> {
        let Some(at) = parsed.unclosed else {
            return Some(());
        };
        let place = self.part(node, at..at + 2);
        let help = "for two braces as they are, write `{{ '{{' }}`";
        let place = (&place, env.context);
        self.told
            .error_in(Class::ExpressionSyntax, place, "`{{` without `}}`", help);
        None
    }

    /// The value of a text with braces.
    fn value_of(&mut self, node: &Node, parsed: &Parsed, env: &Env) -> Option<Worked> {
        if let Some(braces) = parsed.alone() {
            if braces.is_star {
                self.refuse_star(&node.place, env);
                return None;
            }
            let value = self.evaluate(node, braces, env, Some(&braces.inside))?;
            if let Json::String(text) = &value {
                self.is_short(text.len(), node, env)?;
            }
            return Some(Worked::Json(value));
        }
        let mut out = Composed::default();
        let mut is_whole = true;
        for part in &parsed.parts {
            let braces = match part {
                Part::Plain(range) => {
                    self.push_plain(&mut out, node, range, env);
                    continue;
                }
                Part::Braces(braces) => braces,
            };
            if braces.is_star {
                let at = self.part(node, braces.inside.clone());
                self.refuse_star(&at, env);
                is_whole = false;
                continue;
            }
            let value = self.evaluate(node, braces, env, Some(&braces.inside));
            let piece = value.and_then(|value| self.piece(&value, braces, node, env));
            match piece {
                Some(piece) => {
                    let from = self.part(node, braces.whole.clone());
                    out.push(&piece, self.told.places.within(&from, env.context));
                }
                None => is_whole = false,
            }
        }
        self.is_short(out.text.len(), node, env)?;
        is_whole.then(|| Worked::Text(out.finish()))
    }

    /// `value` as a part of a longer text (CFL-17).
    fn piece(&mut self, value: &Json, braces: &Braces, node: &Node, env: &Env) -> Option<String> {
        match value {
            Json::String(text) => Some(text.clone()),
            Json::Number(number) if !number.is_f64() => Some(number.to_string()),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_) => {
                let text = node.data.as_str().unwrap_or_default();
                let expression = text.get(braces.trimmed.clone()).unwrap_or_default();
                let at = self.part(node, braces.inside.clone());
                let message = format!(
                    "strings and whole numbers can be put into a string, and `{expression}` is {}",
                    noun(value)
                );
                let help = if value.is_f64() {
                    "put the number in quotes where it is written: 3.10 would become 3.1"
                } else {
                    "write `| join(' ')` for a list, or `x if … else y`"
                };
                self.told
                    .error_in(Class::WrongType, (&at, env.context), message, help);
                None
            }
        }
    }

    fn refuse_star(&mut self, at: &Range<usize>, env: &Env) {
        let message = "`{{*` stands alone as an entry of a list";
        let help = "write `{{` without the star for the list itself";
        self.told
            .error_in(Class::NotAllowed, (at, env.context), message, help);
    }

    /// Adds a part of the text of `node` that has no braces.
    fn push_plain(&mut self, out: &mut Composed, node: &Node, range: &Range<usize>, env: &Env) {
        let from = self.part(node, range.clone());
        let from = self.told.places.within(&from, env.context);
        let text = node.data.as_str().unwrap_or_default();
        out.push(text.get(range.clone()).unwrap_or_default(), from);
    }

    /// An expression of run time with values put in as literals (CFL-30, CFL-31).
    fn fill_expression(&mut self, node: &Node, parsed: &Parsed, env: &Env) -> Filled {
        let mut out = Composed::default();
        let mut is_whole = true;
        for part in &parsed.parts {
            let braces = match part {
                Part::Plain(range) => {
                    self.push_plain(&mut out, node, range, env);
                    continue;
                }
                Part::Braces(braces) => braces,
            };
            let value = self.evaluate(node, braces, env, Some(&braces.inside));
            let from = self.part(node, braces.whole.clone());
            let from = self.told.places.within(&from, env.context);
            match value {
                Some(Json::String(piece)) if braces.is_star => out.push(&piece, from),
                Some(other) if braces.is_star => {
                    let message = format!(
                        "`{{{{*` puts in a string here, and this is {}",
                        noun(&other)
                    );
                    let at = self.part(node, braces.inside.clone());
                    let at = (&at, env.context);
                    self.told.error_in(Class::WrongType, at, message, "");
                    is_whole = false;
                }
                Some(value) => out.push(&literal(&value), from),
                None => is_whole = false,
            }
        }
        let place = self.told.places.within(&node.place, env.context);
        if self.is_short(out.text.len(), node, env).is_none()
            || !is_whole
            || !self.has_room(out.text.len(), &place)
        {
            return Filled::Broken;
        }
        Filled::Value(Node {
            place,
            data: Data::Text(out.finish()),
        })
    }

    /// The value of `braces` in the text `node`. That something is not there is told at the bytes
    /// `at` of the text, or at all of it.
    fn evaluate(
        &mut self,
        node: &Node,
        braces: &Braces,
        env: &Env,
        at: Option<&Range<usize>>,
    ) -> Option<Json> {
        let start = braces.trimmed.start;
        let expression = match &braces.expression {
            Ok(expression) => expression,
            Err(mistake) => {
                self.mistake(mistake, node, start, env);
                return None;
            }
        };
        self.knows(expression, node, start, env)?;
        match self.work_out(expression, (node, start), env)? {
            Ok(Some(value)) => Some(value),
            Ok(None) => {
                let message = format!("`{}` is not there", expression.text());
                let help = "write `| default(…)` if it may be missing";
                let at = match at {
                    Some(at) => self.part(node, at.clone()),
                    None => node.place.clone(),
                };
                let place = (&at, env.context);
                self.told.error_in(Class::Undefined, place, message, help);
                None
            }
            Err(mistake) => {
                let end = braces.trimmed.len();
                let mistake = match mistake.at.is_empty() {
                    true => Mistake {
                        at: 0..end,
                        ..mistake
                    },
                    false => mistake,
                };
                self.mistake(&mistake, node, start, env);
                None
            }
        }
    }

    /// Tells a mistake of an expression that stands at the byte `start` of the text `node`.
    pub(super) fn mistake(&mut self, mistake: &Mistake, node: &Node, start: usize, env: &Env) {
        let at = self.part(node, mistake.at.start + start..mistake.at.end + start);
        let (message, help) = (mistake.message.clone(), mistake.help.clone());
        let place = (&at, env.context);
        self.told
            .error_in(mistake.class.into(), place, message, help);
    }

    /// Whether all names of `expression` are known (CFL-22); tells those that are not.
    pub(super) fn knows(
        &mut self,
        expression: &Expression,
        node: &Node,
        start: usize,
        env: &Env,
    ) -> Option<()> {
        let mut is_known = true;
        for used in expression.uses() {
            let Some(name) = used.path.first() else {
                continue;
            };
            if env.scope.given(name).is_some() {
                continue;
            }
            is_known = false;
            if self.broken.contains(name) {
                continue;
            }
            let at = self.part(node, used.at.start + start..used.at.end + start);
            let (class, message, help) = unknown(name, env.scope.given_names());
            self.told.error_in(class, (&at, env.context), message, help);
        }
        is_known.then_some(())
    }

    /// `node` as a value of the language. None is a value; in lists and tables it is left out.
    pub(super) fn json(&mut self, node: &Node, env: &Env) -> Option<Json> {
        let value = self.json_of(node, env)?;
        if depth(&value) > DEEPEST {
            let message = format!("the value is nested deeper than {DEEPEST}");
            let place = (&node.place, env.context);
            self.told.error_in(Class::TooMuch, place, message, "");
            return None;
        }
        Some(value)
    }

    fn json_of(&mut self, node: &Node, env: &Env) -> Option<Json> {
        match &node.data {
            Data::Text(text) => {
                let Some(parsed) = self.parse(&text.value) else {
                    return Some(Json::from(&*text.value));
                };
                self.is_closed(node, &parsed, env)?;
                match self.value_of(node, &parsed, env)? {
                    Worked::Json(value) => Some(value),
                    Worked::Text(text) => Some(Json::from(&*text.value)),
                }
            }
            Data::Boolean(flag) => Some(Json::Bool(*flag)),
            Data::Integer(number) => match number.value() {
                Some(number) => Some(Json::from(number)),
                None => self.no_value(node, env, (Class::TooMuch, "integers have 64 bits")),
            },
            Data::Float(number) => {
                let number = number.as_str().parse().ok();
                match number.and_then(serde_json::Number::from_f64) {
                    Some(number) => Some(Json::Number(number)),
                    None => self.no_value(node, env, (Class::TooMuch, "fractions are finite")),
                }
            }
            Data::Datetime(_) => {
                let message = "dates cannot be computed with; put it in quotes";
                self.no_value(node, env, (Class::WrongType, message))
            }
            Data::Array(entries) => {
                let mut out = Vec::with_capacity(entries.len());
                let mut is_whole = true;
                for entry in entries {
                    match self.splice(entry, env) {
                        Some(Some(list)) => out.extend(list),
                        Some(None) => is_whole = false,
                        None => match self.json_of(entry, env) {
                            Some(Json::Null) => {}
                            Some(value) => out.push(value),
                            None => is_whole = false,
                        },
                    }
                }
                is_whole.then_some(Json::Array(out))
            }
            Data::Table(fields) => {
                let mut out = Map::new();
                let mut is_whole = true;
                for field in fields.iter() {
                    is_whole &= self.is_key(field, env.context);
                    match self.json_of(&field.value, env) {
                        Some(Json::Null) => {}
                        Some(value) => {
                            out.insert(field.key.to_string(), value);
                        }
                        None => is_whole = false,
                    }
                }
                is_whole.then_some(Json::Object(out))
            }
        }
    }

    fn no_value(&mut self, node: &Node, env: &Env, (class, why): (Class, &str)) -> Option<Json> {
        self.told
            .error_in(class, (&node.place, env.context), why, "");
        None
    }

    /// Whether a text of `length` bytes is short enough (CFL-70).
    fn is_short(&mut self, length: usize, node: &Node, env: &Env) -> Option<()> {
        if length <= LONGEST_TEXT {
            return Some(());
        }
        let place = (&node.place, env.context);
        let message = format!("a string has at most {} MiB", LONGEST_TEXT >> 20);
        self.told.error_in(Class::TooMuch, place, message, "");
        None
    }

    /// Whether `length` more bytes, and a value, may come out, at `place`.
    pub(super) fn has_room(&mut self, length: usize, place: &Range<usize>) -> bool {
        self.size = self.size.saturating_add(length).saturating_add(16);
        if self.is_full() {
            self.overflow.get_or_insert_with(|| place.clone());
        }
        !self.is_full()
    }

    /// Whether all together is too large.
    pub(super) const fn is_full(&self) -> bool {
        self.size > LARGEST
    }
}

/// A text that was worked out.
enum Worked {
    /// Braces alone.
    Json(Json),
    /// A longer text.
    Text(Text),
}

/// A text that is being put together.
#[derive(Default)]
struct Composed {
    text: String,
    pieces: Vec<Piece>,
}

impl Composed {
    fn push(&mut self, piece: &str, from: Range<usize>) {
        let start = self.text.len();
        self.text.push_str(piece);
        let here = start..self.text.len();
        self.pieces.push(Piece { here, from });
    }

    fn finish(self) -> Text {
        Text {
            value: self.text.into(),
            pieces: Some(self.pieces.into()),
        }
    }
}

/// What is wrong with a name that is not among `known`.
pub(super) fn unknown<'n>(
    name: &str,
    known: impl Iterator<Item = &'n str>,
) -> (Class, String, String) {
    if is_of_run_time(name) {
        let message = format!("`{name}` is known when a build runs, not when the file is read");
        let help = "expressions without braces see it, such as `do_step_if`".to_owned();
        return (Class::NotVisible, message, help);
    }
    let help = match spelling::nearest(name, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "names come from [vars], `for`, `let` and `with`".to_owned(),
    };
    (Class::UnknownName, format!("there is no `{name}`"), help)
}

/// What a value is called.
pub(super) fn noun(value: &Json) -> &'static str {
    match value {
        Json::Null => "none",
        Json::Bool(_) => "true or false",
        Json::Number(number) if number.is_f64() => "a number with a fraction",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "a list",
        Json::Object(_) => "a table",
    }
}

/// Bytes of texts, and 16 for each value.
fn size_of(value: &Json) -> usize {
    16 + match value {
        Json::String(text) => text.len(),
        Json::Array(entries) => entries.iter().map(size_of).sum(),
        Json::Object(map) => map
            .iter()
            .map(|(key, value)| key.len() + size_of(value))
            .sum(),
        Json::Null | Json::Bool(_) | Json::Number(_) => 0,
    }
}

/// The longest text that may come out, in bytes (CFL-70).
const LONGEST_TEXT: usize = 1 << 20;

/// How much may come out altogether (CFL-70).
const LARGEST: usize = 64 << 20;
