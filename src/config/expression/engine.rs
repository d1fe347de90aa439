//! The engine: its environments, compiling and running (CFL-160, CFL-161).

use std::cell::Cell;
use std::error::Error as _;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior, Value};
use serde_json::Value as Json;

use super::patterns::Patterns;
use super::scope::{Root, Scope};
use super::tokens::{self, Token};
use super::{Class, Mistake, Mode, filters, json};

/// A compiled expression.
pub(super) struct Code(minijinja::Expression<'static, 'static>);

/// Compiles `text`, of which only the syntax is checked.
pub(super) fn compile(text: &str, mode: Mode, tokens: &[Token]) -> Result<Code, Mistake> {
    let environment = environment(mode);
    let compiled = environment.compile_expression_owned(text.to_owned());
    let compiled = compiled.map_err(|error| {
        let message = error.detail().unwrap_or("this is not an expression");
        let at = first_wrong(text, mode, tokens);
        let help = advice(text, &at);
        Mistake::new(Class::ExpressionSyntax, message, help).at(at)
    })?;
    let counted = match mode {
        Mode::Reading => format!("({text})|{COUNTING}"),
        Mode::Running | Mode::Core => return Ok(Code(compiled)),
    };
    let counted = environment.compile_expression_owned(counted);
    Ok(Code(counted.unwrap_or(compiled)))
}

/// Which part of `text` was too much work with the names of `scope`: the first filter up to which
/// it is too much already; the engine does not say it. All of it, if no filter is.
pub(super) fn too_much(
    text: &str,
    mode: Mode,
    (scope, patterns): (&Scope, &Arc<Patterns>),
) -> Range<usize> {
    let tokens = tokens::read(text).unwrap_or_default();
    let mut depth = 0_usize;
    let mut filters: Vec<&Token> = Vec::new();
    for pair in tokens.windows(2) {
        let [token, next] = pair else { continue };
        if ["(", "[", "{"].iter().any(|sign| token.is(sign)) {
            depth += 1;
        } else if [")", "]", "}"].iter().any(|sign| token.is(sign)) {
            depth = depth.saturating_sub(1);
        } else if token.is("|") && depth == 0 {
            filters.push(next);
        }
    }
    let is_too_much = |end: usize| {
        let before = text.get(..end).unwrap_or_default().to_owned();
        let code = environment(mode).compile_expression_owned(before).map(Code);
        let result = code.map(|code| code.run(scope, patterns));
        matches!(result, Ok(Err(mistake)) if mistake.class == Class::TooMuch)
    };
    // The text up to the next filter is that with this one.
    let end_of = |at: usize| {
        let next = filters.get(at + 1);
        next.map_or(text.len(), |next| before_pipe(text, next.at.start))
    };
    let ends: Vec<usize> = (0..filters.len()).map(end_of).collect();
    let first = ends.partition_point(|end| !is_too_much(*end));
    let start = filters
        .first()
        .map(|first| before_pipe(text, first.at.start));
    match filters.get(first) {
        Some(filter) if !start.is_some_and(is_too_much) => filter.at.clone(),
        Some(_) | None => 0..text.len(),
    }
}

/// Where the pipe is before the filter that begins at `start`.
fn before_pipe(text: &str, start: usize) -> usize {
    let before = text.get(..start).unwrap_or_default();
    before.rfind('|').unwrap_or(0)
}

/// The filter behind each expression that is worked out when the file is read, which notes how much
/// work it was. Nobody can write it, since the language does not have it.
const COUNTING: &str = "counted";

thread_local! {
    /// How much work the last expression was that came to its end.
    static WORK: Cell<u64> = const { Cell::new(0) };
}

fn count(state: &State<'_, '_>, value: Value) -> Value {
    let done = state.fuel_levels().map_or(0, |(done, _)| done);
    WORK.set(done);
    value
}

/// What to write in place of what cannot stand at `at`.
fn advice(text: &str, at: &Range<usize>) -> &'static str {
    let word = text.get(at.clone()).unwrap_or_default();
    let rest = text.get(at.start..).unwrap_or_default();
    if text.trim_start().starts_with("lambda") {
        return "write the expression alone: there are no functions";
    }
    if rest.is_empty() {
        return "write what comes after it, or remove its last sign";
    }
    match word {
        "=" => "write `==` to compare",
        "|" if rest.starts_with("||") || text.get(..at.start).is_some_and(|t| t.ends_with('|')) => {
            "write `or`"
        }
        ":" => "write `A if CONDITION else B` for one of two",
        _ => "an expression is such as `prop.branch == 'main' and not prop.clean`",
    }
}

/// Where the first token is that cannot stand there: the engine does not say it. A text is wrong up
/// to it and with all that follows; before it, only something is missing at its end. If all tokens
/// can stand there, the end of the text is wrong.
fn first_wrong(text: &str, mode: Mode, tokens: &[Token]) -> Range<usize> {
    let is_wrong = |token: &Token| {
        let until = text.get(..token.at.end).unwrap_or(text);
        match environment(mode).compile_expression_owned(until.to_owned()) {
            Ok(_) => false,
            Err(error) => !error
                .detail()
                .is_some_and(|detail| detail.contains("end of input")),
        }
    };
    let right = tokens.partition_point(|token| !is_wrong(token));
    let end = tokens.last().map_or(text.len(), |token| token.at.end);
    tokens.get(right).map_or(end..end, |token| token.at.clone())
}

impl Code {
    /// The value with the names of `scope`; nothing if it is undefined.
    pub(super) fn run(
        &self,
        scope: &Scope,
        patterns: &Arc<Patterns>,
    ) -> Result<Option<Json>, Mistake> {
        let root = Value::from_object(Root::new(scope.clone(), Arc::clone(patterns)));
        WORK.set(WORK_OF_A_MISTAKE);
        let value = self.0.eval(root).map_err(|error| mistake(&error))?;
        if value.is_undefined() {
            return Ok(None);
        }
        let value = json::from_value(&value).map_err(|error| mistake(&error))?;
        Ok(Some(value))
    }
}

/// How much work the last expression of this thread was that was worked out for the file. One that
/// failed counts for a fixed amount, since the engine does not say it.
pub(super) fn last_work() -> u64 {
    WORK.get()
}

/// What an expression counts for that fails.
const WORK_OF_A_MISTAKE: u64 = 10_000;

/// What an error of the engine says. Those of our own filters carry theirs.
fn mistake(error: &Error) -> Mistake {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(mistake) = inner.downcast_ref::<Mistake>() {
            return mistake.clone();
        }
        source = inner.source();
    }
    if error.kind() == ErrorKind::OutOfFuel {
        let message = "the expression is too much work";
        let help = "it may do so much as 200 000 steps in a build, and 10 000 in the master itself";
        return Mistake::new(Class::TooMuch, message, help);
    }
    let (class, usual) = if error.kind() == ErrorKind::UndefinedError {
        (Class::Undefined, "something that is not there is used")
    } else {
        (Class::Evaluation, "it cannot be worked out")
    };
    Mistake::new(class, error.detail().unwrap_or(usual), "")
}

fn environment(mode: Mode) -> &'static Environment<'static> {
    static READING: LazyLock<Environment<'static>> = LazyLock::new(|| {
        let mut all = filters::environment(UndefinedBehavior::SemiStrict, FUEL);
        all.add_filter(COUNTING, count);
        all
    });
    static RUNNING: LazyLock<Environment<'static>> =
        LazyLock::new(|| filters::environment(UndefinedBehavior::Chainable, FUEL));
    static CORE: LazyLock<Environment<'static>> =
        LazyLock::new(|| filters::environment(UndefinedBehavior::Chainable, FUEL_OF_CORE));
    match mode {
        Mode::Reading => &READING,
        Mode::Running => &RUNNING,
        Mode::Core => &CORE,
    }
}

/// How much work an expression may be, at read time and in builds (CFL-70).
pub(super) const FUEL: u64 = 200_000;

/// How much work an expression may be in the core.
const FUEL_OF_CORE: u64 = 10_000;
