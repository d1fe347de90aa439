use super::*;
use crate::config::Condition;

/// The small configuration with these settings of its step, on line 9, and with this at its end.
fn with(settings: &str, values: &str) -> String {
    let step = format!("command = \"make\", {settings} }}");
    let text = SMALL.replacen("command = \"make\" }", &step, 1);
    format!("{text}{values}")
}

#[test]
fn rules_of_a_step_are_taken() {
    let settings = r#"do_step_if = "prop.a", hide_step_if = true, drop_empty = true,
        logfiles = { l = "l" },
        watch = [{ match = "^x", count = "n" }, { in = "l", from = "a", to = "b", log = "c" }],
        result = "'warnings' if count.n", set = { p = "stdout | trim", "q-r" = "kw.v" }"#;
    let values = "[values]\nv = \"rc ~ kw.w\"\nw = \"1\"\n";
    let config = accept(&with(settings, values));
    let step = &config.builders[0].factory.steps[0];
    assert!(step.drop_empty && step.rules.keeps_output);
    assert_eq!(step.rules.hide_step_if, Some(Condition::Always(true)));
    assert_eq!(step.rules.watch.len(), 2);
    let names: Vec<&str> = step
        .rules
        .set
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(names, ["p", "q-r"]);
    assert!(!config.values.is_empty());
    let plain = with("do_step_if = true, hide_step_if = false", "");
    assert_eq!(accept(&plain).builders, accept(SMALL).builders);
    let quiet = accept(&with("set = { p = \"rc\" }", ""));
    assert!(!quiet.builders[0].factory.steps[0].rules.keeps_output);
}

#[test]
fn cfl_114_a_step_has_at_most_50_rules_and_20_logs() {
    let rules = |count: usize, what: &dyn Fn(usize) -> String| {
        let rules: Vec<_> = (0..count)
            .map(|n| format!("{{ match = \"x{n}\", {} }}", what(n)))
            .collect();
        with(&format!("watch = [{}]", rules.join(", ")), "")
    };
    let counts = |n| format!("count = \"c{n}\"");
    let logs = |n| format!("log = \"l{n}\"");
    let config = accept(&rules(50, &counts));
    assert_eq!(config.builders[0].factory.steps[0].rules.watch.len(), 50);
    accept(&rules(20, &logs));
    for (text, said) in [
        (rules(51, &counts), "has more than 50 rules"),
        (rules(21, &logs), "fills more than 20 logs"),
    ] {
        let found = mistakes_of(&text);
        assert!(found.contains(said), "{found}");
    }
}

#[test]
fn output_is_kept_if_a_value_that_is_named_asks_for_it() {
    let values = "[values]\nv = \"kw.w\"\nw = \"stdout\"\n";
    let config = accept(&with("set = { p = \"kw.v\" }", values));
    assert!(config.builders[0].factory.steps[0].rules.keeps_output);
}

#[test]
fn cfl_102_env_may_be_a_list_form_that_stands_for_a_table() {
    let text = r#"
slave_port = 9989
slaves = [{ name = "bot", password = "sekrit" }]
schedulers = [{ type = "Scheduler", name = "quick", builders = ["full", "auto"] }]
[[builders]]
name = "full"
slaves = ["bot"]
factory = "check"
env = "%(*prop:variables)s"
[[builders]]
name = "auto"
slaves = ["bot"]
factory = "auto"
[factories.check]
steps = [
    { type = "Git", repourl = "u", env = "%(*kw:v)s" },
    { type = "Patch", env = "%(*kw:v)s" },
    { type = "MasterShellCommand", command = "m", env = "%(*kw:v)s" },
    { type = "Compile", env = "%(*kw:v)s" },
]
[factories.auto]
type = "GNUAutoconf"
source = { type = "Git", repourl = "u" }
configure_env = "%(*kw:v)s"
[values]
v = "{'A': 'b'}"
"#;
    let config = accept(text);
    let of_builder = config.builders[0].env.table.as_ref().unwrap();
    assert_eq!(of_builder.to_string(), "%(*prop:variables)s");
    let plain = serde_json::to_value(&config.builders[0].factory.steps).unwrap();
    for step in plain.as_array().unwrap() {
        assert_eq!(
            step["env"],
            serde_json::json!({ "*": "%(*kw:v)s" }),
            "{step}"
        );
    }
    let auto = serde_json::to_value(&config.builders[1].factory.steps[1]).unwrap();
    assert_eq!(auto["env"]["*"], "%(*kw:v)s");
}

#[test]
fn cfl_29_a_whole_number_is_taken_as_its_decimal_text() {
    let step = |settings: &str| {
        let replaced = SMALL.replacen("command = \"make\"", settings, 1);
        accept(&replaced).builders
    };
    let numbers = "command = [\"sleep\", 5, -1, 0x10], env = { A = 1, B = [\"a\", 2] }, \
                   initial_stdin = 7, workdir = 3, logfiles = { l = { filename = 4 } }";
    let texts = "command = [\"sleep\", \"5\", \"-1\", \"16\"], env = { A = \"1\", B = [\"a\", \"2\"] }, \
                 initial_stdin = \"7\", workdir = \"3\", logfiles = { l = { filename = \"4\" } }";
    assert_eq!(step(numbers), step(texts));
    for (wrong, message) in [
        (
            "command = [1.0]",
            "must be a string, not a number (put it in quotes)",
        ),
        ("command = [true]", "must be a string, not `true`"),
        ("command = [99999999999999999999]", "is out of range"),
    ] {
        let found = mistakes_of(&SMALL.replacen("command = \"make\"", wrong, 1));
        assert!(found.contains(message), "{wrong}: {found}");
    }
}

/// Settings of the step, further lines of the file, and the error message.
const MISTAKES: &[(&str, &str, &str)] = &[
    (
        "do_step_if = \"prop.a ==\"",
        "",
        "9:76: `do_step_if` of step 1 (ShellCommand) of factory `check`: unexpected end",
    ),
    (
        "do_step_if = \"1 and slave.tgas\"",
        "",
        "9:73: `do_step_if` of step 1 (ShellCommand) of factory `check`: `slave` has no `tgas` (did you mean `tags`?)",
    ),
    ("do_step_if = \"rc == 1\"", "", "`rc` is not known here"),
    (
        "do_step_if = \"request.number\"",
        "",
        "`request` is not known here (here are known `prop`",
    ),
    (
        "do_step_if = \"brop.a\"",
        "",
        "there is no `brop` (did you mean `prop`?)",
    ),
    (
        "do_step_if = 1",
        "",
        "must be an expression, true or false, not a number",
    ),
    (
        "do_step_if = \"kw.jobs\"",
        "",
        "there is no value `jobs` (there are no [values] in this file)",
    ),
    ("do_step_if = \"kw[prop.x]\"", "", "a value must be named"),
    (
        "env = \"%(*kw:jobs)s\"",
        "",
        "there is no value `jobs` (there are no [values] in this file)",
    ),
    (
        "env = \"A=%(*kw:v)s\"",
        "[values]\nv = \"1\"\n",
        "a list form can only be a whole word of a command, or a whole `env`",
    ),
    (
        "env = \"%(kw:v)s\"",
        "[values]\nv = \"1\"\n",
        "must be a table, not a string (write `{ NAME = \"…\" }`, or \"%(*kw:NAME)s\"",
    ),
    (
        "do_step_if = \"kw.v\"",
        "[values]\nv = \"kw.w\"\nw = \"rc\"\n",
        "the value `v` needs `rc`, which is not known here",
    ),
    (
        "hide_step_if = \"count.x\"",
        "",
        "no `watch` rule of this step counts `x` (there are none)",
    ),
    (
        "want_stdout = false, set = { p = \"stdout\" }",
        "",
        "`stdout` is not known here",
    ),
    (
        "set = { \"a b\" = \"1\" }",
        "",
        "`a b` is not a valid name of a property",
    ),
    (
        "watch = [{ match = \"(\", count = \"x\" }]",
        "",
        "is not a regular expression: unclosed group",
    ),
    (
        "watch = [{ match = \"a\" }]",
        "",
        "does not say what to do with the lines",
    ),
    (
        "watch = [{ count = \"a\" }]",
        "",
        "does not say which lines it is about",
    ),
    (
        "watch = [{ from = \"a\", count = \"n\" }]",
        "",
        "give it `log` alone",
    ),
    (
        "watch = [{ match = \"a\", log = \"stdio\" }]",
        "",
        "is the log of the output itself",
    ),
    (
        "watch = [{ match = \"a\", result = \"bad\" }]",
        "",
        "`result = \"bad\"` of watch rule",
    ),
    ("doStepIf = \"1\"", "", "it is called `do_step_if` here"),
    (
        "",
        "[values]\n\"a-b\" = \"1\"\n",
        "`a-b` cannot be the name of a value",
    ),
    (
        "",
        "[values]\na = \"kw.b\"\nb = \"kw.c\"\nc = \"kw.a\"\n",
        "21:1: the value `a` needs itself: a → b → c → a",
    ),
    (
        "",
        "[values]\na = \"nothing | lowr\"\n",
        "there is no filter `lowr` (did you mean `lower`?)",
    ),
];

#[test]
fn cfl_91_92_100_and_101_mistakes_are_told_with_their_place_and_what_was_meant() {
    let mut wrong = Vec::new();
    for (settings, values, expected) in MISTAKES {
        let text = with(settings, values).replace(", }", " }");
        let found = mistakes_of(&text);
        if !found.contains(expected) || found.lines().count() != 1 {
            wrong.push(format!("{settings} {values}:\n{found}\nnot {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn too_many_values_in_a_row_are_refused() {
    let chain: String = (0..40)
        .map(|n| format!("v{n} = \"kw.v{}\"\n", n + 1))
        .collect();
    let text = format!("{SMALL}[values]\n{chain}v40 = \"1\"\n");
    let found = mistakes_of(&text);
    assert!(
        found.contains("needs more than 32 others in a row"),
        "{found}"
    );
}

/// Cases of the group of errors that need nothing but expressions and values.
#[test]
fn mistakes_are_where_the_cases_say() {
    let cases = include_str!("../../../tests/data/config-cases.json");
    let cases: serde_json::Value = serde_json::from_str(cases).unwrap();
    let mut driven = 0;
    for case in cases["errors"].as_array().unwrap() {
        let id = case["id"].as_str().unwrap();
        if !["E053", "E054", "E056", "E058", "E059"].contains(&id) {
            continue;
        }
        driven += 1;
        let text = case["files"]["master.toml"].as_str().unwrap();
        let errors = parse(text, "master.toml", &Ok(Zone::UTC))
            .unwrap_err()
            .errors;
        let expected = &case["errors"][0];
        assert_eq!(errors.len(), 1, "{id}: {errors:?}");
        let place = (errors[0].line, errors[0].column);
        let number = |key: &str| usize::try_from(expected[key].as_u64().unwrap()).unwrap();
        assert_eq!(place, (number("line"), number("column")), "{id}");
        let told = format!("{} {:?}", errors[0].message, errors[0].help);
        for name in expected["names"].as_array().unwrap() {
            assert!(told.contains(name.as_str().unwrap()), "{id}: {told}");
        }
    }
    assert_eq!(driven, 5);
}

#[test]
fn limits_properties_and_checks_of_slaves_are_taken() {
    let settings = "max_builds = 2\nslave_property = \"board\"\n\
                    slave_check = { command = [\"c\", \"x\"], every = \"2m\" }";
    let text = SMALL.replacen(
        "factory = \"check\"",
        &format!("factory = \"check\"\n{settings}"),
        1,
    );
    let config = accept(&text);
    let builder = &config.builders[0];
    assert_eq!(builder.max_builds, Some(2));
    assert_eq!(builder.slave_rules.slave_property.as_deref(), Some("board"));
    let expected = AskedProgram {
        command: vec!["c".to_owned(), "x".to_owned()],
        every: std::time::Duration::from_secs(120),
        timeout: std::time::Duration::from_secs(10),
    };
    assert_eq!(builder.slave_check, Some(expected));
}

#[test]
fn cfl_90_rules_of_queues_and_slaves_are_taken() {
    let builder = |settings: &str| {
        let text = SMALL.replacen(
            "factory = \"check\"",
            &format!("factory = \"check\"\n{settings}"),
            1,
        );
        assert_ne!(text, SMALL);
        text
    };
    let top = "request_order = [\"request.number\"]\nmerge_limit = 3\n";
    let own = "merge_by = [\"prop.a\"]\nslave_if = \"slave.name == kw.v\"\nslave_order = [\"-slave.running\"]\n\
               hold = [{ days = \"Sat-Mon\", to = \"06:00\", time_zone = \"UTC\" }]";
    let config = accept(&format!(
        "{top}{}[values]\nv = \"src.branch\"\n",
        builder(own)
    ));
    let builder_of = &config.builders[0];
    assert_eq!(builder_of.queue.request_order.len(), 1);
    assert_eq!(builder_of.queue.merge_by[0].text(), "prop.a");
    assert_eq!(builder_of.queue.merge_limit, Some(3));
    assert!(matches!(
        builder_of.slave_rules.slave_if,
        Some(Condition::If(_))
    ));
    let hold = serde_json::to_value(&builder_of.hold).unwrap();
    let expected = serde_json::json!([
        { "days": "Sat-Mon", "from": "00:00", "to": "06:00", "time_zone": "UTC" }
    ]);
    assert_eq!(hold, expected);
    let plain = builder("slave_if = true\nrequest_order = []");
    assert_eq!(accept(&plain).builders, accept(SMALL).builders);
    for (wrong, message) in [
        (
            "request_order = [\"slave.name\"]",
            "`slave` is not known here",
        ),
        (
            "slave_if = \"slave.running\"",
            "`slave.running` is not known here",
        ),
        (
            "slave_order = [\"slave.runing\"]",
            "`slave` has no `runing`",
        ),
        ("max_builds = 0", "is out of range"),
        ("slave_property = \"\"", "is empty"),
        ("slave_check = { every = \"1m\" }", "needs `command`"),
        ("slave_check = { command = [] }", "names no program"),
        (
            "slave_check = { command = [\"c\"], timeout = \"1h\" }",
            "is out of range",
        ),
        ("merge_by = \"prop.a\"", "must be a list"),
        ("merge_limit = 0", "is out of range"),
        ("hold = [{ days = \"Mo\" }]", "has no days in `Mo`"),
        ("hold = [{ to = \"25:00\" }]", "must be a time of the day"),
        (
            "hold = [{ from = \"08:00\", to = \"08:00\" }]",
            "is when it begins",
        ),
        (
            "hold = [{ time_zone = \"CEST\" }]",
            "is not the name of a time zone",
        ),
        ("hold = [{ time_zone = \"UTC\" }]", "covers the whole week"),
    ] {
        let found = mistakes_of(&builder(wrong));
        assert!(found.contains(message), "{wrong}: {found}");
    }
}
