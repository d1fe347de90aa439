//! `[values]`: names for expressions and texts that are worked out when a build runs (CFL-100,
//! CFL-101, CFL-104), and reading expressions in the file.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use super::class::Class;
use super::expression::{Expression, Mistake, Mode, can_be_name};
use super::named_values::NamedValues;
use super::reader::{Sink, Table, Value};
use super::shape::of;
use super::tree::Data;
use super::visible::{self, KnownValues, Sees};

/// Reads `[values]`, and tells the sink what is known of them.
pub(super) fn read(root: &mut Table<'_>) -> Arc<NamedValues> {
    let mut all = Reading::default();
    for (name, value) in root
        .take("values")
        .map(|v| v.entries())
        .into_iter()
        .flatten()
    {
        if !can_be_name(name) {
            let message = format!("`{name}` cannot be the name of a value");
            let help = "letters, digits and `_`, not first a digit";
            let place = value.key_span.clone();
            value.sink.error_of(Class::BadName, place, message, help);
            all.is_incomplete = true;
            continue;
        }
        match value.expression() {
            Some(expression) => {
                all.read.insert(name.to_owned(), (expression, value));
            }
            None => all.is_incomplete = true,
        }
    }
    let mut known = all.check();
    let expressions = all.read.into_iter();
    let named = Arc::new(NamedValues(
        expressions
            .map(|(name, (expression, _))| (name, expression))
            .collect(),
    ));
    known.named = Arc::clone(&named);
    // Nothing else sets it.
    drop(root.sink.values.set(known));
    named
}

impl Sink<'_> {
    /// Whether `expression` needs `name`, also through values.
    pub(super) fn needs_name(&self, expression: &Expression, name: &str) -> bool {
        expression
            .uses()
            .iter()
            .any(|used| match used.path.as_slice() {
                [kw, value, ..] if kw == "kw" => {
                    let mut needs = self
                        .values
                        .get()
                        .into_iter()
                        .flat_map(|known| known.needs(value));
                    needs.any(|need| need == name)
                }
                [first, ..] => first == name,
                [] => false,
            })
    }
}

/// `[values]` while it is read.
#[derive(Default)]
struct Reading<'a> {
    read: BTreeMap<String, (Expression, Value<'a>)>,
    is_incomplete: bool,
}

impl Reading<'_> {
    /// Checks what they name, and that none needs itself.
    fn check(&self) -> KnownValues {
        let mut known = KnownValues {
            is_incomplete: self.is_incomplete,
            ..KnownValues::default()
        };
        for (name, (_, value)) in &self.read {
            known.needs.insert(name.clone(), BTreeSet::new());
            known.places.insert(name.clone(), value.key_span.clone());
        }
        let everything: Vec<&'static str> = visible::names().collect();
        for (expression, value) in self.read.values() {
            value.check_uses(expression, Sees::only(&everything), &known);
        }
        let mut done = BTreeMap::new();
        for name in self.read.keys() {
            self.resolve(name, &mut Vec::new(), &mut done);
        }
        let needs = done.into_iter();
        known.needs = needs
            .map(|(name, found)| (name.to_owned(), found.names))
            .collect();
        known
    }

    /// Finds what `name` needs; `chain` is how it was reached.
    fn resolve<'n>(
        &'n self,
        name: &'n str,
        chain: &mut Vec<&'n str>,
        done: &mut BTreeMap<&'n str, Needs>,
    ) {
        let Some((expression, value)) = self.read.get(name) else {
            return;
        };
        if done.contains_key(name) {
            return;
        }
        if let Some(first) = chain.iter().position(|other| *other == name) {
            let circle = chain.get(first..).unwrap_or_default();
            let shown: Vec<&str> = circle.iter().chain([&name]).copied().collect();
            let message = format!("the value `{name}` needs itself: {}", shown.join(" → "));
            let help = "take one of them apart";
            let place = value.key_span.clone();
            value.sink.error_of(Class::Circle, place, message, help);
            done.extend(chain.iter().map(|name| (*name, Needs::default())));
            return;
        }
        chain.push(name);
        let mut needs = Needs::default();
        for used in expression.uses() {
            match used.path.as_slice() {
                [kw, other, ..] if kw == "kw" => {
                    let other = self.read.get_key_value(other).map_or("", |(name, _)| name);
                    self.resolve(other, chain, done);
                    if let Some(of_other) = done.get(other) {
                        needs.names.extend(of_other.names.iter().cloned());
                        needs.depth = needs.depth.max(of_other.depth + 1);
                    }
                }
                [name, ..] => {
                    needs.names.insert(name.clone());
                }
                [] => {}
            }
        }
        chain.pop();
        if needs.depth > DEEPEST {
            let message = format!("the value `{name}` needs more than {DEEPEST} others in a row");
            let (place, help) = (value.key_span.clone(), "put some of them together");
            value.sink.error_of(Class::TooMuch, place, message, help);
            needs.depth = 0;
        }
        done.entry(name).or_insert(needs);
    }
}

/// What a value needs, also through others.
#[derive(Default)]
struct Needs {
    /// The names of section 15.
    names: BTreeSet<String>,
    /// How many values in a row.
    depth: usize,
}

/// So many values may need each other in a row.
const DEEPEST: usize = 32;

impl Value<'_> {
    /// An expression that is worked out in builds (CFL-90).
    pub(super) fn expression(&self) -> Option<Expression> {
        self.expression_in(Mode::Running)
    }

    fn expression_in(&self, mode: Mode) -> Option<Expression> {
        let text = self.text()?;
        let there = self.sink.places.locate(self.span().start);
        let place = format!("{}, line {}", of(self.key, &self.label), there.line);
        let known = &self.sink.shared.expressions;
        let compile = |(mode, text): &(Mode, String)| Expression::compile(text, *mode, "");
        let compiled = known.get((mode, text.to_owned()), compile);
        match compiled.map(|expression| expression.at(&place)) {
            Ok(expression) => {
                for used in expression.uses() {
                    if let [prop, name, ..] = used.path.as_slice()
                        && prop == "prop"
                    {
                        let span = self.part(used.at.clone());
                        self.sink.properties.borrow_mut().asks(name, span);
                    }
                }
                Some(expression)
            }
            Err(mistake) => {
                self.mistake(mistake);
                None
            }
        }
    }

    /// An expression of a place in builds that sees `sees`.
    pub(super) fn expression_that(&self, sees: Sees<'_>) -> Option<Expression> {
        self.expression_of(Mode::Running, sees)
    }

    /// An expression that is worked out in `mode`, of a place that sees `sees`.
    pub(super) fn expression_of(&self, mode: Mode, sees: Sees<'_>) -> Option<Expression> {
        let expression = self.expression_in(mode)?;
        if let Some(known) = self.sink.values.get() {
            self.check_uses(&expression, sees, known);
        }
        Some(expression)
    }

    fn mistake(&self, mistake: Mistake) {
        let message = format!("{}: {}", of(self.key, &self.label), mistake.message);
        let (class, at) = (mistake.class.into(), self.part(mistake.at));
        let is_put_together = matches!(self.data(), Data::Text(text) if text.pieces.is_some());
        let help = match (is_put_together, mistake.help.as_str()) {
            (true, "") => "a value in braces brings its own quotes".to_owned(),
            _ => mistake.help,
        };
        self.sink.error_of(class, at, message, help);
    }

    /// Checks the names that `expression` uses in a place that sees `sees`.
    fn check_uses(&self, expression: &Expression, sees: Sees<'_>, known: &KnownValues) {
        self.compares_results(expression);
        if let Some((at, wrong)) = known.wrong_use(expression, sees) {
            let message = format!("{}: {}", of(self.key, &self.label), wrong.message);
            let class = wrong.class;
            let name = expression.text().get(at.clone()).unwrap_or_default();
            let help = match self.sink.variables.contains(name) {
                true => format!("a variable is put in with braces: `{{{{ {name} }}}}`"),
                false => wrong.help,
            };
            self.sink.error_of(class, self.part(at), message, help);
        }
    }
}

impl Sink<'_> {
    /// Warns of values that nothing uses; all of the file has been read.
    pub(super) fn warn_unused_values(&self) {
        let Some(known) = self.values.get() else {
            return;
        };
        let used = known.used.borrow();
        for (name, place) in known
            .places
            .iter()
            .filter(|(name, _)| !used.contains(*name))
        {
            self.unused(place.clone(), format!("nothing uses the value `{name}`"));
        }
    }

    /// Checks the name of a value in a text (`%(kw:NAME)s`), which sees what steps see before they
    /// run.
    pub(super) fn names_value(&self, name: &str, span: Range<usize>) {
        let none = KnownValues::default();
        let known = self.values.get().unwrap_or(&none);
        if let Err(Some(wrong)) = known.check(name, visible::BEFORE_STEP) {
            self.error_of(wrong.class, span, wrong.message, wrong.help);
        }
    }
}
