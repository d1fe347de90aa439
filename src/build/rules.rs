//! What is made of the end of a step: its result, the properties that it sets, whether it is hidden
//! (CFL-110 to CFL-112), and what its expressions see (CFL-90). Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::render::Lookup;
use crate::botmaster::BuildPlan;
use crate::config::expression::{Expression, Mistake, Scope};
use crate::config::{Condition, StepRules};
use crate::model::{Properties, Results};

/// What is known of a build beside its plan.
#[derive(Debug)]
pub(super) struct SoFar {
    /// The worst result.
    pub(super) result: Results,
    /// The results of the steps that have ended, by name.
    pub(super) steps: BTreeMap<String, Results>,
}

impl Default for SoFar {
    fn default() -> Self {
        Self {
            result: Results::Success,
            steps: BTreeMap::new(),
        }
    }
}

/// What the expressions of a step see before it runs. `kw` is not there yet.
pub(super) fn scope(plan: &BuildPlan, properties: &Properties, so_far: &SoFar) -> Scope {
    let failed = matches!(so_far.result, Results::Failure | Results::Exception);
    let steps = so_far.steps.iter();
    let steps = steps.map(|(name, result)| (name.clone(), Value::from(result.as_str())));
    with_properties(Scope::new(), properties)
        .with("src", plan.stamps.facts())
        .with("slave", plan.slave_facts.clone())
        .with(
            "build",
            json!({
                "number": plan.number.0,
                "builder": plan.builder.name.as_str(),
                "tags": plan.builder.tags,
                "reason": plan.reason,
                "url": plan.url,
                "result": so_far.result.as_str(),
                "failed": failed,
            }),
        )
        .with("step", steps.collect())
}

/// The same with these properties.
pub(super) fn with_properties(scope: Scope, properties: &Properties) -> Scope {
    let all = properties.iter();
    scope.with(
        "prop",
        all.map(|(name, p)| (name.to_owned(), p.value.clone()))
            .collect(),
    )
}

impl Lookup for Scope {
    fn value(&self, name: &str) -> Result<Option<Value>, String> {
        self.named_value(name).map_err(|mistake| mistake.message)
    }
}

/// Why a step does not run, or that it does.
pub(super) enum Asked {
    /// It runs.
    Runs,
    /// It does not; the text says why.
    Skips(String),
    /// The expression failed; the text says how.
    Failed(String),
}

/// Asks whether the step runs (CFL-115).
pub(super) fn ask(rules: &StepRules, scope: &Scope) -> Asked {
    match &rules.do_step_if {
        None | Some(Condition::Always(true)) => Asked::Runs,
        Some(Condition::Always(false)) => Asked::Skips("(do_step_if: false)".to_owned()),
        Some(Condition::If(expression)) => match expression.holds(scope) {
            Ok(true) => Asked::Runs,
            Ok(false) => {
                let words: Vec<&str> = expression.text().split_whitespace().collect();
                Asked::Skips(format!("(do_step_if: {})", words.join(" ")))
            }
            Err(mistake) => Asked::Failed(failure(expression, &mistake, scope)),
        },
    }
}

/// How the work of a step ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending {
    /// Its result by exit code and rules on lines.
    pub(super) result: Results,
    /// Whether its command ended by itself.
    pub(super) is_by_itself: bool,
    /// Whether it was skipped by its condition.
    pub(super) is_skipped: bool,
}

/// What is made of it.
#[derive(Debug, PartialEq)]
pub(super) struct Conclusion {
    pub(super) result: Results,
    /// Properties to set.
    pub(super) set: Vec<(String, Value)>,
    /// Whether pages and listings leave it out.
    pub(super) is_hidden: bool,
    /// What an expression that failed has to say; the result is EXCEPTION then, unless the step is
    /// to be done again.
    pub(super) failure: Option<String>,
}

/// Works out `result`, `set` and `hide_step_if`, in this order. `scope` has all but `result`.
pub(super) fn conclude(rules: &StepRules, ending: Ending, scope: &Scope) -> Conclusion {
    let mut conclusion = Conclusion {
        result: ending.result,
        set: Vec::new(),
        is_hidden: false,
        failure: None,
    };
    let worked_out = result_and_set(rules, ending, scope, &mut conclusion);
    if let Err(failure) = worked_out {
        conclusion.fail(failure);
    }
    match &rules.hide_step_if {
        None => {}
        Some(Condition::Always(flag)) => conclusion.is_hidden = *flag,
        Some(Condition::If(expression)) => {
            let scope = with_result(scope, conclusion.result);
            match expression.holds(&scope) {
                Ok(flag) => conclusion.is_hidden = flag,
                Err(mistake) => conclusion.fail(failure(expression, &mistake, &scope)),
            }
        }
    }
    conclusion
}

impl Conclusion {
    /// The first failure is told.
    fn fail(&mut self, failure: String) {
        if self.result != Results::Retry {
            self.result = Results::Exception;
        }
        self.set.clear();
        self.failure.get_or_insert(failure);
    }
}

fn with_result(scope: &Scope, result: Results) -> Scope {
    scope.clone().with("result", result.as_str().into())
}

fn result_and_set(
    rules: &StepRules,
    ending: Ending,
    scope: &Scope,
    conclusion: &mut Conclusion,
) -> Result<(), String> {
    if let Some(expression) = rules.result.as_ref().filter(|_| ending.is_by_itself) {
        let scope = with_result(scope, ending.result);
        let value = expression.evaluate(&scope);
        let value = value.map_err(|mistake| failure(expression, &mistake, &scope))?;
        match &value {
            None | Some(Value::Null) => {}
            Some(value) => {
                let result = value.as_str().and_then(Results::from_name);
                conclusion.result =
                    result.ok_or_else(|| not_a_result(expression, value, &scope))?;
            }
        }
    }
    if ending.is_skipped || conclusion.result == Results::Retry {
        return Ok(());
    }
    let scope = with_result(scope, conclusion.result);
    for (name, expression) in &rules.set {
        let value = expression.evaluate(&scope);
        let value = value.map_err(|mistake| failure(expression, &mistake, &scope))?;
        if let Some(value) = value.filter(|value| !value.is_null()) {
            conclusion.set.push((name.clone(), value));
        }
    }
    Ok(())
}

fn not_a_result(expression: &Expression, value: &Value, scope: &Scope) -> String {
    let names = Results::ALL.map(Results::as_str).join(", ");
    let message = format!("it gives {value}, which is not a result: {names}");
    described(expression, &message, "", scope)
}

/// What `err.text` says of an expression that failed (CFL-145).
pub(super) fn failure(expression: &Expression, mistake: &Mistake, scope: &Scope) -> String {
    described(expression, &mistake.message, &mistake.help, scope)
}

fn described(expression: &Expression, message: &str, help: &str, scope: &Scope) -> String {
    let mut text = format!("{} failed: {message}\n", expression.place());
    if !help.is_empty() {
        writeln!(text, "help: {help}").expect("writing to a string cannot fail");
    }
    writeln!(text, "expression: {}", expression.text()).expect("writing to a string cannot fail");
    for (name, value) in expression.values(scope) {
        writeln!(text, "  {name} = {value}").expect("writing to a string cannot fail");
    }
    text
}

#[cfg(test)]
mod tests;
