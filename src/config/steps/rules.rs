//! What steps of every kind have beside their work: conditions, properties from results, and rules
//! on lines (CFL-110 to CFL-116).

mod results;
pub(in crate::config) mod watch;

use serde::Serialize;

use super::kind::{Output, Printed};
use crate::config::condition::Condition;
use crate::config::expression::{Expression, Mode};
use crate::config::reader::{Table, Value};
use crate::config::trace::Wanted;
use crate::config::visible::{AFTER_STEP, BEFORE_STEP, Sees};

pub use self::watch::{Lines, WatchPattern, WatchRule};

/// When a step runs, and what is made of its end.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct StepRules {
    /// Whether it runs; else it is SKIPPED (CFL-115).
    pub do_step_if: Option<Condition>,
    /// Rules on the lines that its commands print (CFL-113).
    pub watch: Vec<WatchRule>,
    /// Its result instead of that by exit code (CFL-110).
    pub result: Option<Expression>,
    /// Properties that it sets at its end, by name (CFL-111).
    pub set: Vec<(String, Expression)>,
    /// Whether pages and listings leave it out (CFL-112).
    pub hide_step_if: Option<Condition>,
    /// Whether the beginning of its output is kept for these expressions (CFL-116).
    #[serde(skip)]
    pub keeps_output: bool,
}

impl StepRules {
    /// The names of the logs that rules write.
    pub fn logs(&self) -> impl Iterator<Item = &str> {
        self.watch.iter().filter_map(|rule| rule.log.as_deref())
    }

    /// The names that `count` has.
    pub fn counts(&self) -> impl Iterator<Item = &str> {
        self.watch.iter().filter_map(|rule| rule.count.as_deref())
    }

    /// Whether there are expressions.
    #[must_use]
    pub fn have_expressions(&self) -> bool {
        let is_asked = |condition: &Option<Condition>| matches!(condition, Some(Condition::If(_)));
        is_asked(&self.do_step_if)
            || is_asked(&self.hide_step_if)
            || self.result.is_some()
            || !self.set.is_empty()
    }
}

impl StepRules {
    /// Takes what the table has. `earlier` are the names of the steps before, if all are known, and
    /// `output` and `printed` say what the commands of the step leave behind.
    pub(super) fn read(
        &mut self,
        table: &mut Table<'_>,
        earlier: Option<&[String]>,
        (output, printed): (Output, Option<&Printed>),
    ) {
        let before = Sees {
            names: BEFORE_STEP,
            steps: earlier,
            counts: None,
        };
        table.set_some("do_step_if", &mut self.do_step_if, |v| v.condition(before));
        self.do_step_if
            .take_if(|condition| *condition == Condition::Always(true));
        table.set("watch", &mut self.watch, |v| watch::read(v, printed));
        let mut counts: Vec<String> = self.counts().map(str::to_owned).collect();
        counts.dedup();
        let names: Vec<&'static str> = AFTER_STEP
            .iter()
            .copied()
            .filter(|name| output == Output::Kept || *name != "stdout")
            .collect();
        let after = Sees {
            names: &names,
            steps: earlier,
            counts: Some(&counts),
        };
        table.set_some("result", &mut self.result, |v| {
            let expression = v.expression_that(after)?;
            v.gives_results(&expression);
            Some(expression)
        });
        table.set("set", &mut self.set, |v| read_set(v, after));
        table.set_some("hide_step_if", &mut self.hide_step_if, |v| {
            v.condition(after)
        });
        self.hide_step_if
            .take_if(|condition| *condition == Condition::Always(false));
        let hides = match &self.hide_step_if {
            Some(Condition::If(expression)) => Some(expression),
            Some(Condition::Always(_)) | None => None,
        };
        let mut asked = self
            .result
            .iter()
            .chain(hides)
            .chain(self.set.iter().map(|(_, expression)| expression));
        self.keeps_output = asked.any(|expression| table.sink.needs_name(expression, "stdout"));
    }
}

fn read_set(value: &Value<'_>, sees: Sees<'_>) -> Option<Vec<(String, Expression)>> {
    let mut all = Vec::new();
    for (name, value) in value.entries() {
        value.key_sets_property();
        if let Some(expression) = value.expression_that(sees) {
            all.push((name.to_owned(), expression));
        }
    }
    Some(all)
}

impl Value<'_> {
    /// A condition of a place in builds that sees `sees`: true, false or an expression.
    fn condition(&self, sees: Sees<'_>) -> Option<Condition> {
        self.condition_of(Mode::Running, sees)
    }

    /// A condition that is worked out in `mode`, of a place that sees `sees`: true, false or an
    /// expression.
    pub(in crate::config) fn condition_of(&self, mode: Mode, sees: Sees<'_>) -> Option<Condition> {
        match self.among([Wanted::Flag, Wanted::Text]).as_bool() {
            Some(flag) => Some(Condition::Always(flag)),
            None if self.data().is_str() => self.expression_of(mode, sees).map(Condition::If),
            None => self.expected(
                "an expression, true or false",
                format!("for example `{} = \"prop.branch == 'trunk'\"`", self.key),
            ),
        }
    }
}
