//! The filters, tests and functions of the language (CFL-83): some are the engine's, and those in
//! this file are ours.

mod output;
mod paths;
mod regexes;

use minijinja::value::{Kwargs, Rest, ValueKind};
use minijinja::{Environment, Error, State, UndefinedBehavior, Value, filters, functions, tests};

use super::scope::carrying;
use super::{Class, Mistake};

/// An environment that has what the language has, and nothing else.
pub(super) fn environment(undefined: UndefinedBehavior, fuel: u64) -> Environment<'static> {
    let mut all = Environment::empty();
    all.set_undefined_behavior(undefined);
    all.set_fuel(Some(fuel));
    all.add_function("range", functions::range);
    add_filters(&mut all);
    add_tests(&mut all);
    all
}

fn add_filters(all: &mut Environment<'static>) {
    all.add_filter("lower", filters::lower);
    all.add_filter("upper", filters::upper);
    all.add_filter("trim", filters::trim);
    all.add_filter("replace", filters::replace);
    all.add_filter("split", filters::split);
    all.add_filter("lines", filters::lines);
    all.add_filter("join", filters::join);
    all.add_filter("format", filters::format);
    all.add_filter("abs", filters::abs);
    all.add_filter("round", filters::round);
    all.add_filter("sum", filters::sum);
    all.add_filter("min", filters::min);
    all.add_filter("max", filters::max);
    all.add_filter("length", filters::length);
    all.add_filter("list", filters::list);
    all.add_filter("map", filters::map);
    all.add_filter("select", filters::select);
    all.add_filter("reject", filters::reject);
    all.add_filter("selectattr", filters::selectattr);
    all.add_filter("rejectattr", filters::rejectattr);
    all.add_filter("string", filters::string);
    all.add_filter("first", first);
    all.add_filter("last", last);
    all.add_filter("reverse", reverse);
    all.add_filter("items", items);
    all.add_filter("int", int);
    all.add_filter("float", float);
    all.add_filter("sort", sort);
    all.add_filter("unique", unique);
    all.add_filter("without", without);
    all.add_filter("default", default);
    all.add_filter("to_json", output::to_json);
    all.add_filter("from_json", output::from_json);
    all.add_filter("key_values", output::key_values);
    all.add_filter("version", output::version);
    all.add_filter("basename", paths::basename);
    all.add_filter("dirname", paths::dirname);
    all.add_filter("inside", paths::inside);
    all.add_filter("outside", paths::outside);
    all.add_filter("regex_search", regexes::search);
    all.add_filter("regex_findall", regexes::find_all);
    all.add_filter("regex_replace", regexes::replace);
}

fn add_tests(all: &mut Environment<'static>) {
    all.add_test("defined", tests::is_defined);
    all.add_test("undefined", tests::is_undefined);
    all.add_test("none", tests::is_none);
    all.add_test("string", tests::is_string);
    all.add_test("number", tests::is_number);
    all.add_test("eq", tests::is_eq);
    all.add_test("ne", tests::is_ne);
    all.add_test("in", tests::is_in);
    all.add_test("match", regexes::is_match);
    all.add_test("search", regexes::is_found);
}

/// An error of class *evaluation*.
fn failed(message: impl Into<String>, help: &str) -> Error {
    carrying(Mistake::new(Class::Evaluation, message, help))
}

/// What a value of a wrong kind is called in messages.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the engine may get more kinds"
)]
fn kind(value: &Value) -> &'static str {
    match value.kind() {
        ValueKind::Undefined => "something that is not there",
        ValueKind::None => "none",
        ValueKind::Bool => "true or false",
        ValueKind::Number => "a number",
        ValueKind::String => "a string",
        ValueKind::Map => "a table",
        _ => "a list",
    }
}

/// Whether there is a value for the filter `name`. What is undefined or none is a mistake when the
/// file is read (CFL-85).
fn is_there(state: &State<'_, '_>, value: &Value, name: &str) -> Result<bool, Error> {
    if !value.is_undefined() && !value.is_none() {
        return Ok(true);
    }
    if state.undefined_behavior() == UndefinedBehavior::SemiStrict {
        let message = format!("`{name}` of {}", kind(value));
        let help = "write `| default(…)` before it if it may be missing";
        return Err(carrying(Mistake::new(Class::Undefined, message, help)));
    }
    Ok(false)
}

/// The text that the filter `name` is for; nothing if there is no value.
fn text<'v>(state: &State<'_, '_>, value: &'v Value, name: &str) -> Result<Option<&'v str>, Error> {
    if !is_there(state, value, name)? {
        return Ok(None);
    }
    match value.as_str() {
        Some(text) => Ok(Some(text)),
        None => Err(failed(
            format!("`{name}` is for strings, not for {}", kind(value)),
            "",
        )),
    }
}

/// What is not there is a mistake when the file is read.
fn strict(state: &State<'_, '_>, value: &Value, name: &str) -> Result<(), Error> {
    if value.is_undefined() {
        is_there(state, value, name)?;
    }
    Ok(())
}

fn first(state: &State<'_, '_>, value: &Value) -> Result<Value, Error> {
    strict(state, value, "first")?;
    filters::first(value)
}

fn last(state: &State<'_, '_>, value: &Value) -> Result<Value, Error> {
    strict(state, value, "last")?;
    filters::last(value.clone())
}

fn reverse(state: &State<'_, '_>, value: &Value) -> Result<Value, Error> {
    strict(state, value, "reverse")?;
    filters::reverse(value)
}

fn items(state: &State<'_, '_>, value: &Value) -> Result<Value, Error> {
    strict(state, value, "items")?;
    if value.is_undefined() {
        return Ok(Value::from(Vec::<Value>::new()));
    }
    filters::items(value)
}

/// For undefined and none.
fn default(value: &Value, other: Value) -> Value {
    if value.is_undefined() || value.is_none() {
        other
    } else {
        value.clone()
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the engine may get more kinds"
)]
fn int(state: &State<'_, '_>, value: &Value, other: Option<Value>) -> Result<Value, Error> {
    if !is_there(state, value, "int")? {
        return Ok(other.unwrap_or_else(|| Value::from(())));
    }
    let whole = |number: f64| {
        // 2^63, the first number that is too large.
        let is_in_range = (-9.223_372_036_854_776e18..9.223_372_036_854_776e18).contains(&number);
        is_in_range
            .then(|| format!("{:.0}", number.trunc()).parse::<i64>().ok())
            .flatten()
    };
    let number = match value.kind() {
        ValueKind::Bool => Some(i64::from(value.is_true())),
        ValueKind::Number if value.is_integer() => return Ok(value.clone()),
        ValueKind::Number => f64::try_from(value.clone()).ok().and_then(whole),
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default().trim();
            let exact = text.parse::<i64>().ok();
            exact.or_else(|| text.parse::<f64>().ok().and_then(whole))
        }
        _ => None,
    };
    or_else(number.map(Value::from), other, value, "an integer")
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the engine may get more kinds"
)]
fn float(state: &State<'_, '_>, value: &Value, other: Option<Value>) -> Result<Value, Error> {
    if !is_there(state, value, "float")? {
        return Ok(other.unwrap_or_else(|| Value::from(())));
    }
    let number = match value.kind() {
        ValueKind::Bool => Some(if value.is_true() { 1.0 } else { 0.0 }),
        ValueKind::Number => f64::try_from(value.clone()).ok(),
        ValueKind::String => value.as_str().unwrap_or_default().trim().parse().ok(),
        _ => None,
    };
    let number = number.filter(|number: &f64| number.is_finite());
    or_else(number.map(Value::from), other, value, "a number")
}

/// `number`, else `other`, else a mistake.
fn or_else(
    number: Option<Value>,
    other: Option<Value>,
    value: &Value,
    wanted: &str,
) -> Result<Value, Error> {
    number.or(other).ok_or_else(|| {
        let shown = match value.as_str() {
            Some(text) => format!("`{}`", super::cut(text)),
            None => kind(value).to_owned(),
        };
        failed(
            format!("{shown} is not {wanted}"),
            "write `int(0)` or `float(0)` for a number in its place",
        )
    })
}

/// The engine's filter, but capitals and small letters are told apart.
fn sort(state: &State<'_, '_>, value: Value, kwargs: Kwargs) -> Result<Value, Error> {
    filters::sort(state, value, exact(&kwargs)?)
}

/// The engine's filter, but capitals and small letters are told apart.
fn unique(state: &State<'_, '_>, value: Value, kwargs: Kwargs) -> Result<Value, Error> {
    filters::unique(state, value, exact(&kwargs)?)
}

fn exact(kwargs: &Kwargs) -> Result<Kwargs, Error> {
    let mut all = vec![("case_sensitive", Value::from(true))];
    for name in kwargs.args() {
        all.push((name, kwargs.get(name)?));
    }
    Ok(all.into_iter().collect())
}

/// A table without some names, or a list without some entries.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the engine may get more kinds"
)]
fn without(state: &State<'_, '_>, value: &Value, left_out: Rest<Value>) -> Result<Value, Error> {
    if !is_there(state, value, "without")? {
        return Ok(value.clone());
    }
    let stays = |entry: &Value| !left_out.contains(entry);
    match value.kind() {
        ValueKind::Map => {
            let mut pairs = Vec::new();
            for name in value.try_iter()?.checked() {
                let name = name?;
                if stays(&name) {
                    let entry = value.get_item(&name)?;
                    pairs.push((name, entry));
                }
            }
            Ok(Value::from_pairs(pairs))
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let mut entries = Vec::new();
            for entry in value.try_iter()?.checked() {
                let entry = entry?;
                if stays(&entry) {
                    entries.push(entry);
                }
            }
            Ok(Value::from(entries))
        }
        _ => {
            let message = format!("`without` is for tables and lists, not for {}", kind(value));
            Err(failed(message, ""))
        }
    }
}
