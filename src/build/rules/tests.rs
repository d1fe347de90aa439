#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::config::expression::Mode;

fn compiled(text: &str) -> Expression {
    Expression::compile(text, Mode::Running, "`x` of step 1, line 3").unwrap()
}

fn rules(step: &Value) -> StepRules {
    let expression = |key: &str| step.get(key).map(|text| compiled(text.as_str().unwrap()));
    let set = step.get("set").and_then(Value::as_object);
    StepRules {
        result: expression("result"),
        set: set
            .into_iter()
            .flatten()
            .map(|(name, text)| (name.clone(), compiled(text.as_str().unwrap())))
            .collect(),
        hide_step_if: step
            .get("hide_step_if")
            .map(|condition| match condition.as_bool() {
                Some(flag) => Condition::Always(flag),
                None => Condition::If(compiled(condition.as_str().unwrap())),
            }),
        ..StepRules::default()
    }
}

#[test]
fn cfl_110_to_112_the_end_of_a_step_becomes_what_the_cases_say() {
    let cases = include_str!("../../../tests/data/config-cases.json");
    let cases: Value = serde_json::from_str(cases).unwrap();
    let cases = cases["results"].as_array().unwrap();
    assert_eq!(cases.len(), 17);
    for case in cases {
        let (ended, becomes) = (&case["ended"], &case["becomes"]);
        let result = Results::from_name(ended["result"].as_str().unwrap()).unwrap();
        let mut scope = Scope::new().with("prop", case["properties"].clone());
        for name in ["rc", "stdout", "count"] {
            if let Some(value) = ended.get(name) {
                scope = scope.with(name, value.clone());
            }
        }
        let is_skipped = result == Results::Skipped;
        let ending = Ending {
            result,
            is_by_itself: ended.get("cut").is_none() && !is_skipped,
            is_skipped,
        };
        let got = conclude(&rules(&case["step"]), ending, &scope);
        let id = &case["id"];
        assert_eq!(got.result.as_str(), becomes["result"], "{id}: {got:?}");
        assert_eq!(
            got.failure.is_some(),
            becomes.get("error").is_some(),
            "{id}: {got:?}"
        );
        let set: Value = got.set.into_iter().collect();
        assert_eq!(&set, becomes.get("set").unwrap_or(&json!({})), "{id}");
        if let Some(hidden) = becomes.get("hidden") {
            assert_eq!(got.is_hidden, *hidden, "{id}");
        }
    }
}

#[test]
fn a_failure_says_what_where_and_with_which_values() {
    let rules = StepRules {
        do_step_if: Some(Condition::If(compiled("prop.level + 1 > prop.other"))),
        ..StepRules::default()
    };
    let scope = Scope::new().with("prop", json!({ "other": "x".repeat(300) }));
    let Asked::Failed(text) = ask(&rules, &scope) else {
        panic!("it does not fail");
    };
    assert!(
        text.starts_with("`x` of step 1, line 3 failed: `prop.level` is not set"),
        "{text}"
    );
    assert!(
        text.contains("expression: prop.level + 1 > prop.other\n"),
        "{text}"
    );
    assert!(text.contains("  prop.level = not set\n"), "{text}");
    let value = text
        .lines()
        .find(|line| line.contains("prop.other = "))
        .unwrap();
    assert!(value.ends_with("xxx…") && value.len() < 230, "{text}");
}

#[test]
fn the_words_of_a_condition_are_the_reason() {
    let rules = |condition| StepRules {
        do_step_if: Some(condition),
        ..StepRules::default()
    };
    let asked = ask(
        &rules(Condition::If(compiled("prop.wipe\n  or false"))),
        &Scope::new(),
    );
    let Asked::Skips(reason) = asked else {
        panic!("it runs");
    };
    assert_eq!(reason, "(do_step_if: prop.wipe or false)");
    assert!(matches!(
        ask(&rules(Condition::Always(true)), &Scope::new()),
        Asked::Runs
    ));
}
