//! Tests of the answers to step classes (IMP-22).

use serde_json::{Value as Json, json};

use super::super::Import;
use super::farms::{Farm, answer, function, own_thing, thing};
use super::{assert_has, config};
use crate::config::{Config, StepConfig, parse};

fn master(import: &Import) -> &str {
    import.files.get("master.toml").expect("a master.toml")
}

/// A step of the class `Judged`.
fn judged(args: Json) -> Json {
    own_thing("Judged", "BuildStep", "judged.py", args)
}

fn imported(farm: &Farm, answers: &str) -> Import {
    let import = farm.import(answers).expect("a good dump");
    config(&import);
    assert_eq!(import.faults, Vec::<String>::new());
    import
}

/// A step of Buildbot's own class.
fn shell(args: Json) -> Json {
    let mut step = thing("ShellCommand", args);
    step["name"] = json!("shell");
    step
}

/// What `steps` are that stand in a configuration without bundles.
fn plain(steps: &str) -> Vec<StepConfig> {
    let text = format!(
        "slave_port = 9989\n[values]\njobs = \"prop.cpus\"\n\
         [[slaves]]\nname = \"bot\"\npassword = \"sesame\"\n\
         [factories.f]\nsteps = [{steps}]\n\
         [[builders]]\nname = \"one\"\nslaves = [\"bot\"]\nfactory = \"f\"\n"
    );
    let read = parse(&text, "master.toml", &super::zone());
    let (config, _) = read.unwrap_or_else(|problems| panic!("{problems}"));
    steps_of(&config, 0)
}

fn steps_of(config: &Config, builder: usize) -> Vec<StepConfig> {
    let builder = config.builders.get(builder).expect("a builder");
    builder.factory.steps.clone()
}

/// Fails with the text of the configuration: steps are long.
fn assert_steps(import: &Import, expected: &str) {
    let same = steps_of(&config(import), 0) == plain(expected);
    assert!(same, "not {expected}:\n{}", master(import));
}

/// IMP-22: the answer is written once, and each step of the class gives its arguments.
#[test]
fn imp_22_the_answer_to_a_step_class_is_a_bundle_that_its_steps_extend() {
    let steps = [
        judged(json!({ "name": "build", "target": "all", "haltOnFailure": true })),
        judged(json!({ "name": "test", "target": "50%", "timeout": 60, "unused": 1 })),
        shell(json!({ "command": ["true"] })),
    ];
    let farm = Farm::new().builder("one", &steps);
    let answers = answer(
        "Judged",
        "{ type = \"ShellCommand\", command = [\"make\", \"{{ target }}\"], timeout = \"{{ timeout \
         | default(5) }}\", env = { T = \"-{{ target }}\" }, drop = [\"unused\"] }",
    );
    let import = imported(&farm, &answers);
    let text = master(&import);
    assert_eq!(text.matches("[defaults.Judged]").count(), 1, "{text}");
    assert_eq!(text.matches("extends = \"Judged\"").count(), 2, "{text}");
    assert_has(
        text,
        &[
            "let = { target = \"all\", timeout = \"{{ none }}\" }, halt_on_failure = true }",
            "let = { target = \"50%\", timeout = 60 } }",
        ],
    );
    let expected = "{ type = \"ShellCommand\", name = \"build\", command = [\"make\", \"all\"], \
                 timeout = 5, env = { T = \"-all\" }, halt_on_failure = true }, \
                 { type = \"ShellCommand\", name = \"test\", command = [\"make\", \"50%\"], \
                 timeout = 60, env = { T = \"-50%\" } }, \
                 { type = \"ShellCommand\", command = [\"true\"] }";
    assert_steps(&import, expected);
    assert!(!import.is_partial, "{}", import.report);
}

/// IMP-22: without a type in the answer the class keeps that of Buildbot's class, and what its
/// steps were given goes over the answer, which goes over the attributes of the class.
#[test]
fn imp_22_an_answer_lies_under_the_arguments_and_over_the_attributes() {
    let mut step = own_thing(
        "Judged",
        "ShellCommand",
        "judged.py",
        json!({ "command": ["x"], "timeout": 9 }),
    );
    step["attributes"] = json!({ "haltOnFailure": true, "warnOnFailure": true });
    step["name"] = json!("mine");
    let farm = Farm::new().builder("one", &[step.clone(), step]);
    let answers = answer(
        "Judged",
        "{ result = \"'success'\", timeout = 5, halt_on_failure = false }",
    );
    let import = imported(&farm, &answers);
    let expected = "{ type = \"ShellCommand\", name = \"mine\", command = [\"x\"], timeout = 9, \
                 result = \"'success'\", halt_on_failure = false, warn_on_failure = true }";
    assert_steps(&import, &format!("{expected}, {expected}"));
}

/// IMP-22: an argument that the answer neither names nor drops is told.
#[test]
fn imp_22_arguments_without_a_mention_are_told() {
    let mut step = judged(json!({ "target": "all", "colour": "red" }));
    step["own"] = json!({ "target": "all", "shape": "round", "size": null });
    let farm = Farm::new().builder("one", &[step]);
    let settings = "type = \"ShellCommand\", command = [\"make\", \"{{ target }}\"]";
    let import = farm.import(&answer("Judged", &format!("{{ {settings} }}")));
    let import = import.expect("a good dump");
    for name in ["colour", "shape"] {
        let told = format!("`{name}` of the step class `Judged`");
        assert_has(&import.report, &[&told]);
    }
    assert!(!import.report.contains("size"), "{}", import.report);
    let all = format!("{{ {settings}, name = \"{{{{ shape }}}}\", drop = [\"colour\"] }}");
    let import = farm.import(&answer("Judged", &all)).expect("a good dump");
    config(&import);
    assert!(!import.is_partial, "{}", import.report);
    assert_has(
        master(&import),
        &["let = { shape = \"round\", target = \"all\" }"],
    );
}

/// IMP-22, IMP-40: arguments are translated as settings are: texts with properties, functions, and
/// secrets.
#[test]
fn imp_22_arguments_are_translated() {
    let args = json!({
        "name": "x",
        "where": { "!": "with_properties", "text": "%(where)s", "args": [], "kw": {} },
        "command": ["a", ["b", "c"]], "jobs": function("jobs", 3), "api_key": "opensesame",
        "braces": "{{ x }}",
    });
    let farm = Farm::new().builder("one", &[judged(args)]);
    let class = answer(
        "Judged",
        "{ type = \"ShellCommand\", command = [\"{{* command }}\", \"{{ where }}/x\", \"{{ jobs }}\", \
         \"{{ api_key }}\", \"{{ braces }}\"], do_step_if = \"prop.x == {{ braces }}\" }",
    );
    let import = farm.import(&class).expect("a good dump");
    assert_has(master(&import), &["[\"import-question\", \"jobs\"]"]);
    assert!(!master(&import).contains("defaults"), "{}", master(&import));
    let answers = class + &answer("jobs", "\"prop.cpus\"");
    let import = imported(&farm, &answers);
    let text = master(&import);
    assert!(!text.contains("opensesame"), "{text}");
    let expected = "{ type = \"ShellCommand\", name = \"x\", command = [\"a\", \"b\", \"c\", \
                 \"%(where)s/x\", \"%(kw:jobs)s\", { secret_file = \"secrets/api_key\" }, \
                 \"{{ '{{' }} x }}\"], do_step_if = \"prop.x == {{ '{{ x }}' }}\" }";
    assert_steps(&import, expected);
}

/// IMP-22, IMP-30, IMP-38: factories whose steps extend the same bundle are folded, and mean the
/// same as unfolded ones.
#[test]
fn imp_22_factories_with_step_classes_are_folded() {
    let steps = |target: &str, more: Json| {
        let mut args = json!({ "name": "build", "target": target, "when": "{{ once" });
        args["timeout"] = more;
        [
            judged(args),
            shell(json!({ "command": ["true"], "timeout": 60 })),
        ]
    };
    let farm = Farm::new()
        .builder("one", &steps("all", json!(60)))
        .builder("two", &steps("docs", json!(60)))
        .builder("three", &steps("check", json!(60)))
        .builder("four", &steps("check", Json::Null));
    let answers = answer(
        "Judged",
        "{ type = \"ShellCommand\", command = [\"make\", \"{{ target }}\", \"{{ when }}\"], \
         timeout = \"{{ timeout | default(5) }}\" }",
    );
    let import = imported(&farm, &answers);
    let folded = config(&import);
    let factories = import.json.get("factories").and_then(Json::as_u64);
    assert_eq!(factories, Some(2), "{}", master(&import));
    assert_has(master(&import), &["target = \"{{ let_target }}\""]);
    let flat = farm.import_flat(&answers).expect("a good dump");
    let flat_config = config(&flat);
    for builder in 0..4 {
        let same = steps_of(&folded, builder) == steps_of(&flat_config, builder);
        assert!(same, "{builder} in\n{}", master(&import));
    }
    assert_steps(
        &import,
        "{ type = \"ShellCommand\", name = \"build\", command = [\"make\", \"all\", \
         \"{{ '{{' }} once\"], timeout = 60 }, \
         { type = \"ShellCommand\", command = [\"true\"], timeout = 60 }",
    );
}

/// IMP-22, CFL-37: a bundle does not lie under steps of another class, whatever it is called.
#[test]
fn imp_22_classes_of_any_name_have_bundles_of_their_own() {
    let step =
        |own: &str, file: &str| own_thing(own, "ShellCommand", file, json!({ "name": "shell" }));
    let steps = [
        step("Test", "a.py"),
        step("Test", "b.py"),
        step("Test", "c.py"),
        step("steps", "a.py"),
        thing("Test", json!({ "command": ["check"], "name": "test" })),
    ];
    let farm = Farm::new().builder("one", &steps);
    let ids = ["Test", "Test_7", "Test_7_2", "steps"];
    let answers: String = ids
        .map(|id| answer(id, &format!("{{ command = [\"{id}\"] }}")))
        .concat();
    let import = imported(&farm, &answers);
    let commands = ids.map(|id| format!("{{ type = \"ShellCommand\", command = [\"{id}\"] }}, "));
    let expected = commands.concat() + "{ type = \"Test\", command = [\"check\"] }";
    assert_steps(&import, &expected);
    assert_has(
        master(&import),
        &[
            "[defaults.Test-class]",
            "[defaults.Test_7]",
            "[defaults.steps-class]",
        ],
    );
}

/// IMP-22: a wrong answer is told with its line, whether or not the checks of the configuration
/// find it.
#[test]
fn imp_22_a_wrong_answer_to_a_step_class_is_told() {
    let farm = Farm::new().builder("one", &[judged(json!({ "target": "all" }))]);
    for (wrong, expected) in [
        ("\"make\"", "write a table: "),
        (
            "{ type = \"Shell\" }",
            "there are no steps of the type `Shel`",
        ),
        (
            "{ type = \"ShellCommand\", comand = [\"x\"] }",
            "unknown key `comand`",
        ),
        (
            "{ type = \"ShellCommand\", command = [\"{{ tarrget }}\"] }",
            "no step of the class `Judged` has an argument `tarrget`; they have target",
        ),
        (
            "{ type = \"ShellCommand\", command = [\"{{ target + 1 }}\"] }",
            "",
        ),
    ] {
        let wrong = wrong.replace("\"Shell\"", "\"Shel\"");
        let error = farm.import(&answer("Judged", &wrong)).expect_err(&wrong);
        let start = "answers.toml:3: the answer to Judged: ";
        assert!(error.starts_with(start), "{wrong}: {error}");
        assert!(error.contains(expected), "{wrong}: {error}");
    }
}

/// A lock that only steps with open questions take is not told as a mistake: it is listed in the
/// report, and written when it is used.
#[test]
fn a_lock_of_open_steps_waits_for_the_answer() {
    let lock = json!({
        "!": "lock", "name": "disk", "kind": "master", "mode": "counting", "max_count": 2,
    });
    let args = json!({ "locks": [lock], "command": ["x"], "doStepIf": function("wants", 3) });
    let farm = Farm::new().builder("one", &[thing("ShellCommand", args)]);
    let import = farm.import("").expect("a good dump");
    config(&import);
    assert!(!master(&import).contains("disk"), "{}", master(&import));
    assert_has(&import.report, &["the lock `disk` is not written yet"]);
    let import = farm.import(&answer("wants", "true")).expect("a good dump");
    config(&import);
    assert_has(master(&import), &["[locks.disk]"]);
    assert!(!import.report.contains("disk"), "{}", import.report);
}
