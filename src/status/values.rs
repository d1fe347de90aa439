//! Values and arguments of the status objects (PROTOCOL sections 13.2 and 14).

use std::time::Duration;

use crate::model::{Results, Timestamp};
use crate::pb::{Failure, Luid, Value};
use crate::protocol::TextStyle;
use crate::protocol::change::json_value;
use crate::view::{Build, Step};

/// The object that is to be notified: the first argument.
///
/// # Errors
/// The argument is not an object.
pub(super) fn observer(args: &[Value]) -> Result<Luid, Failure> {
    let observer = args.first().and_then(Value::as_theirs);
    observer.ok_or_else(|| Failure::new(Failure::TYPE_ERROR, "the observer must be an object"))
}

/// The interval of estimates that an observer asks for, within limits; absent if it asks for none.
pub(super) fn interval(seconds: Option<&Value>) -> Option<Duration> {
    let seconds = seconds.and_then(Value::as_float)?;
    if seconds.is_nan() {
        return None;
    }
    let seconds = seconds.clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL);
    Some(Duration::from_secs_f64(seconds))
}

/// The answer of a build to `method`, if it follows from the build alone. An absent build stands
/// for a request that ended without one.
pub(super) fn of_build(style: TextStyle, build: Option<&Build>, method: &str) -> Option<Value> {
    Some(match method {
        "getNumber" => number(build.map_or(0, |build| build.number.0)),
        "getReason" => style.value(build.map_or("", |build| &build.reason)),
        "getResponsibleUsers" => texts(style, build.map_or(&[], |build| &build.blamelist)),
        "getProperties" => properties(style, build),
        "getTimes" => times(
            build.map(|build| build.started_at),
            build.and_then(|build| build.finished_at),
        ),
        _ => return None,
    })
}

/// The answer of a step to `method`, if it follows from the step alone.
pub(super) fn of_step(style: TextStyle, step: &Step, method: &str) -> Option<Value> {
    Some(match method {
        "getName" => style.value(&step.name),
        "getText" => texts(style, &step.text),
        "getTimes" => times(Some(step.started_at), step.finished_at),
        "isFinished" => Value::Bool(step.finished_at.is_some()),
        "getResults" => Value::Tuple(vec![
            step.result.map_or(Value::None, result_number),
            texts(style, &step.text),
        ]),
        _ => return None,
    })
}

/// When something began and ended, in seconds since the epoch.
pub(super) fn times(start: Option<Timestamp>, end: Option<Timestamp>) -> Value {
    let seconds = |at: Timestamp| Value::Float(at.as_secs_f64());
    let time = |at: Option<Timestamp>| at.map_or(Value::None, seconds);
    Value::Tuple(vec![time(start), time(end)])
}

pub(super) fn result_number(result: Results) -> Value {
    Value::Int(result.number().into())
}

pub(super) fn number(number: u64) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

pub(super) fn texts(style: TextStyle, texts: &[String]) -> Value {
    Value::List(texts.iter().map(|text| style.value(text)).collect())
}

/// The properties of a build with their sources.
fn properties(style: TextStyle, build: Option<&Build>) -> Value {
    let properties = build.into_iter().flat_map(|build| build.properties.iter());
    let pairs = properties.map(|(name, property)| {
        let value = json_value(&property.value, style);
        let source = style.value(&property.source);
        (style.value(name), Value::Tuple(vec![value, source]))
    });
    Value::Dict(pairs.collect())
}

/// The result of a step for observers. Clients up to 0.8 get its text too.
pub(super) fn step_results(style: TextStyle, step: &Step) -> Value {
    let result = step.result.map_or(Value::None, result_number);
    match style {
        TextStyle::Bytes => {
            let text = match step.result {
                Some(Results::Success) | None => &[][..],
                Some(_) => step.text.as_slice(),
            };
            Value::Tuple(vec![result, texts(style, text)])
        }
        TextStyle::Unicode => result,
    }
}

/// Minimum and maximum time between two estimates, in seconds.
const SHORTEST_INTERVAL: f64 = 1.0;
const LONGEST_INTERVAL: f64 = 86_400.0;
