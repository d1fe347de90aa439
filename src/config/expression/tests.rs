#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;

static CASES: LazyLock<Json> = LazyLock::new(|| {
    let text = include_str!("../../../tests/data/config-cases.json");
    serde_json::from_str(text).unwrap()
});

fn class_name(class: Class) -> &'static str {
    match class {
        Class::ExpressionSyntax => "expression-syntax",
        Class::NotAllowed => "not-allowed",
        Class::UnknownFilter => "unknown-filter",
        Class::UnknownTest => "unknown-test",
        Class::UnknownFunction => "unknown-function",
        Class::Pattern => "pattern",
        Class::Undefined => "undefined",
        Class::Evaluation => "evaluation",
        Class::WrongType => "wrong-type",
        Class::TooMuch => "too-much",
    }
}

fn scope_of(context: &Json) -> Scope {
    let mut scope = Scope::new();
    for (name, value) in context.as_object().unwrap() {
        scope = scope.with(name.clone().leak(), value.clone());
    }
    scope
}

fn worked_out(text: &str, mode: Mode, scope: &Scope) -> Result<Option<Json>, Mistake> {
    Expression::compile(text, mode, "test")?.evaluate(scope)
}

/// What a case expects, in the form of what we got.
fn told(result: &Result<Option<Json>, Mistake>) -> Json {
    match result {
        Ok(Some(value)) => json!({ "value": value }),
        Ok(None) => json!({ "undefined": true }),
        Err(mistake) => json!({ "error": class_name(mistake.class) }),
    }
}

#[test]
fn cfl_80_to_87_expressions_are_worked_out_as_in_the_cases() {
    let cases = CASES["expressions"].as_array().unwrap();
    assert!(cases.len() > 280);
    let mut wrong = Vec::new();
    for case in cases {
        let mode = match case["mode"].as_str().unwrap() {
            "read" => Mode::Reading,
            "build" => Mode::Running,
            "core" => Mode::Core,
            other => panic!("{other}"),
        };
        let text = case["expression"].as_str().unwrap();
        let got = worked_out(text, mode, &scope_of(&case["context"]));
        let expected: Json = ["value", "undefined", "error"]
            .into_iter()
            .filter_map(|key| Some((key.to_owned(), case.get(key)?.clone())))
            .collect();
        if told(&got) != expected {
            wrong.push(format!("{} {text}: {got:?}, not {expected}", case["id"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Groups of cases that belong to parts of the language that are not built, with how many there
/// are: who builds one takes it out here and drives its cases.
#[test]
fn groups_of_cases_that_are_not_driven_yet() {
    let not_yet = [("expansion", 59), ("errors", 67)];
    for (group, count) in not_yet {
        assert_eq!(CASES[group].as_array().unwrap().len(), count, "{group}");
    }
}

#[test]
fn a_mistake_has_its_place_and_what_was_meant() {
    for (text, class, at, words) in [
        ("prop.a | lowr", Class::UnknownFilter, 9..13, "`lower`"),
        (
            "true or prop.a is nmber",
            Class::UnknownTest,
            18..23,
            "`number`",
        ),
        (
            "false and rnge(3)",
            Class::UnknownFunction,
            10..14,
            "`range`",
        ),
        ("prop.a is search('(')", Class::Pattern, 17..20, ""),
        (
            "prop.a is search(prop.b)",
            Class::Pattern,
            10..16,
            "when the file is read",
        ),
        (
            "prop.l | map('lowr')",
            Class::UnknownFilter,
            13..19,
            "`lower`",
        ),
        (
            "prop.l | select('match', prop.x)",
            Class::Pattern,
            9..15,
            "",
        ),
        ("prop.l | map(prop.x)", Class::NotAllowed, 13..17, ""),
        ("prop.l | inside()", Class::Pattern, 9..15, ""),
        ("prop.a.upper()", Class::NotAllowed, 7..12, "`| upper`"),
        ("(prop.a)(1)", Class::NotAllowed, 7..8, ""),
        ("prop.f(*prop.l)", Class::NotAllowed, 5..6, ""),
        ("1 +", Class::ExpressionSyntax, 3..3, ""),
        ("prop.a ; 1", Class::ExpressionSyntax, 7..8, ""),
        ("99999999999999999999", Class::TooMuch, 0..20, ""),
    ] {
        let mistake = Expression::compile(text, Mode::Running, "").unwrap_err();
        assert_eq!(
            (mistake.class, mistake.at.clone()),
            (class, at),
            "{text}: {mistake:?}"
        );
        assert!(mistake.help.contains(words), "{text}: {mistake:?}");
    }
}

#[test]
fn cfl_161_all_names_are_found_also_in_branches_never_taken() {
    let text =
        "prop['a b'].c if true else kw.x ~ step[prop.y] ~ (stdout | lines)[0] ~ range(count.n)";
    let expression = Expression::compile(text, Mode::Running, "").unwrap();
    let uses: Vec<_> = expression
        .uses()
        .iter()
        .map(|used| {
            (
                used.path.join("."),
                used.is_computed,
                text.get(used.at.clone()).unwrap(),
            )
        })
        .collect();
    assert_eq!(
        uses,
        [
            ("prop.a b.c".to_owned(), false, "prop['a b'].c"),
            ("kw.x".to_owned(), false, "kw.x"),
            ("step".to_owned(), true, "step"),
            ("prop.y".to_owned(), false, "prop.y"),
            ("stdout".to_owned(), false, "stdout"),
            ("count.n".to_owned(), false, "count.n"),
        ]
    );
    let sorted = Expression::compile("[1] | sort(reverse=true)", Mode::Running, "").unwrap();
    assert!(sorted.uses().is_empty());
}

#[test]
fn cfl_88_values_of_unlike_kinds_have_an_order() {
    let scope = Scope::new();
    let text = "[{'a': 1}, [1], 'a', 2, true, none, x.y] | sort";
    let sorted = worked_out(text, Mode::Running, &scope).unwrap().unwrap();
    assert_eq!(sorted, json!([null, null, true, 2, "a", [1], {"a": 1}]));
    let split = "('b,a' | split(',') | sort) == ['a', 'b'] and range(2) == [0, 1]";
    assert_eq!(
        worked_out(split, Mode::Running, &scope),
        Ok(Some(json!(true)))
    );
}

#[test]
fn cfl_161_much_work_ends_at_once() {
    for text in [
        "'x' * 99999999999",
        "range(90000) | map('string') | join | length",
    ] {
        let got = worked_out(text, Mode::Core, &Scope::new());
        assert!(
            matches!(got.unwrap_err().class, Class::TooMuch | Class::Evaluation),
            "{text}"
        );
    }
    let long = "1 + ".repeat(1100);
    let mistake = Expression::compile(&long, Mode::Running, "").unwrap_err();
    assert_eq!(mistake.class, Class::TooMuch);
}

#[test]
fn what_is_nested_as_deep_as_allowed_needs_no_more_than_a_usual_stack() {
    for text in [
        format!("{}1{}", "(".repeat(50), ")".repeat(50)),
        format!("{}1{}", "[".repeat(50), "]".repeat(50)),
        format!("x{}", " + x".repeat(999)),
        format!("x{}", " | int".repeat(600)),
        format!("x{}", ".a".repeat(999)),
        format!("{}1", "x if x else ".repeat(300)),
        format!("{}1", "not ".repeat(50)),
        format!("x{}", " and x".repeat(600)),
        format!("x{}", " ~ x".repeat(900)),
    ] {
        let compiled = Expression::compile(&text, Mode::Running, "");
        assert!(compiled.is_ok(), "{text}: {compiled:?}");
        drop(compiled.unwrap().evaluate(&Scope::new()));
    }
    for text in [
        format!("{}1{}", "(".repeat(500), ")".repeat(500)),
        format!("{}1", "not ".repeat(1000)),
        format!("{}1", "-".repeat(4000)),
        format!("x{}", "+x".repeat(2000)),
        format!("x{}", "|int".repeat(1001)),
        "{".repeat(4000),
    ] {
        let mistake = Expression::compile(&text, Mode::Running, "").unwrap_err();
        assert_eq!(mistake.class, Class::ExpressionSyntax, "{text}");
    }
}

#[test]
fn a_failing_expression_names_the_property_that_is_not_set() {
    let expression = Expression::compile("prop.level + 1 > kw.x", Mode::Running, "").unwrap();
    let scope = Scope::new().with("prop", json!({ "other": 1 }));
    let mistake = expression.evaluate(&scope).unwrap_err();
    assert!(
        mistake.message.starts_with("`prop.level` is not set"),
        "{mistake}"
    );
    let values = expression.values(&scope);
    assert_eq!(values[0], ("prop.level".to_owned(), "not set".to_owned()));
}

#[test]
fn values_are_shown_cut() {
    let expression = Expression::compile("prop.text", Mode::Running, "").unwrap();
    let scope = Scope::new().with("prop", json!({ "text": "é".repeat(500) }));
    let values = expression.values(&scope);
    assert_eq!(values[0].1.chars().count(), 201);
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(|number| json!(number)),
        any::<String>().prop_map(Json::from),
        "[{}'\\\\\n\"]{0,6}".prop_map(Json::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|map| map.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn a_literal_gives_its_value_back(value in any_json()) {
        let text = literal(&value);
        if text.chars().count() <= 4096 {
            let read = worked_out(&text, Mode::Running, &Scope::new());
            // The lowest number is written as the negative of one that is too large.
            if !text.contains("-9223372036854775808") {
                prop_assert_eq!(read, Ok(Some(value)), "{}", text);
            }
        }
    }

    #[test]
    fn odd_texts_do_no_harm(text in any::<String>(), value in any_json()) {
        let scope = Scope::new().with("a", value);
        drop(worked_out(&text, Mode::Running, &scope));
    }

    #[test]
    fn odd_expressions_do_no_harm(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "a", "a.b", "a[", "]", "(", ")", "[", "{", "}", "'x'", "'\\u00", "1", "1.5e3", "|",
                "lower", "int", "sort", "map('int')", "is", "not", "in", "match('a')", "if", "else",
                "and", "or", "==", "<", "+", "*", "//", "%", "~", ",", ":", "=", "range(9)", "none",
                "regex_replace('a', '\\\\1')", "-", ".", "version", "first", "without(1)", "default(",
            ]),
            0..14,
        ),
        value in any_json(),
    ) {
        let scope = Scope::new().with("a", value);
        for mode in [Mode::Reading, Mode::Running, Mode::Core] {
            drop(worked_out(&words.join(" "), mode, &scope));
        }
    }
}
