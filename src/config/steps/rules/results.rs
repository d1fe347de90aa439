//! Names of results in expressions (CFL-110): what `result` gives, and what results are compared
//! with.

use crate::config::expression::{Expression, Outcome};
use crate::config::reader::Value;
use crate::config::shape::of;
use crate::config::spelling;
use crate::model::Results;

impl Value<'_> {
    /// Checks that the constants to which `expression` may come are results (CFL-110).
    pub(super) fn gives_results(&self, expression: &Expression) {
        for (outcome, at) in expression.outcomes() {
            let (what, help) = match outcome {
                Outcome::Text(text) if Results::from_name(&text).is_some() => continue,
                Outcome::Text(text) => (format!("{text:?} is not a result"), help_for(&text)),
                Outcome::Number | Outcome::Truth => {
                    let text = expression.text().get(at.clone()).unwrap_or_default();
                    let help = "write `'failure' if CONDITION`: without a condition that holds, \
                                the result stays";
                    (format!("`{text}` is not a result"), help.to_owned())
                }
            };
            let message = format!("{}: {what}", of(self.key, &self.label));
            self.sink.error(self.part(at), message, help);
        }
    }

    /// Warns of strings that are not results and with which `expression` compares results.
    pub(in crate::config) fn compares_results(&self, expression: &Expression) {
        let is_result = |path: &[String]| match path {
            [name] => name == "result",
            [name, part] => name == "step" || (name == "build" && part == "result"),
            _ => false,
        };
        for (text, at) in expression.compared(is_result) {
            if Results::from_name(&text).is_none() {
                let setting = of(self.key, &self.label);
                let message =
                    format!("{setting} compares a result with {text:?}, which is not one");
                self.sink.warning(self.part(at), message, help_for(&text));
            }
        }
    }
}

/// What may be meant by `text`, which is not a result.
fn help_for(text: &str) -> String {
    let names = Results::ALL.map(Results::as_str);
    match spelling::nearest(text, names.into_iter()) {
        Some(near) => format!("did you mean `'{near}'`?"),
        None => format!("the results are {}", spelling::listing(&names)),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::tests::{read_step, refused, warned};

    fn told(settings: &str) -> String {
        refused(
            &format!("{{ type = \"ShellCommand\", command = \"x\", {settings} }}"),
            "",
        )
    }

    #[test]
    fn cfl_110_a_constant_that_is_not_a_result_is_told_when_the_file_is_read() {
        for (expression, wrong) in [
            ("'warnigs' if rc == 1", "\"warnigs\" is not a result"),
            ("'success' if rc == 0 else 'bad'", "\"bad\" is not a result"),
            ("prop.mine | default('fine')", "\"fine\" is not a result"),
            ("rc == 1 and 'failure'", "`rc == 1` is not a result"),
            ("true if rc == 1", "`true` is not a result"),
            ("3 if rc == 1", "`3` is not a result"),
        ] {
            let told = told(&format!("result = \"{expression}\""));
            assert!(told.contains(wrong), "{expression}: {told}");
        }
        let fine = "{ type = \"ShellCommand\", command = \"x\", \
                    result = \"'warnings' if rc == 1 else none\" }";
        assert!(read_step(fine, "").is_ok());
    }

    #[test]
    fn cfl_110_a_result_that_is_compared_with_another_word_is_a_warning() {
        for (settings, word) in [
            ("hide_step_if = \"result == 'sucess'\"", "\"sucess\""),
            (
                "result = \"'failure' if result in ['warnings', 'bad']\"",
                "\"bad\"",
            ),
            ("do_step_if = \"build.result != 'failed'\"", "\"failed\""),
            ("set = { ok = \"result == 'good'\" }", "\"good\""),
        ] {
            let step = format!("{{ type = \"ShellCommand\", command = \"x\", {settings} }}");
            let warned = warned(&step);
            assert!(
                warned.contains("compares a result with"),
                "{settings}: {warned}"
            );
            assert!(warned.contains(word), "{settings}: {warned}");
        }
    }
}
