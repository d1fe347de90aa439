//! Each rule of part A by its cases, and the rules that have none.

use super::*;
use crate::config::class::Class;
use crate::config::expression::Mode;
use crate::config::shared::Shared;

/// All cases that name `rule`, of which there are some, are as they should be.
fn holds_in_its_cases(rule: &str) {
    let Cases { expansion, errors } = cases();
    let names = |case: &&Case| case.rules.iter().any(|name| name == rule);
    let expansion: Vec<_> = expansion.iter().filter(names).collect();
    let errors: Vec<_> = errors.iter().filter(names).collect();
    assert!(expansion.len() + errors.len() > 0, "{rule} has no case");
    let wrong = expansion.into_iter().filter_map(wrong_expansion);
    let wrong = wrong.chain(errors.into_iter().flat_map(wrong_mistakes));
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

macro_rules! rules {
    ($($name:ident: $rule:literal,)*) => {
        $(
            #[test]
            fn $name() {
                holds_in_its_cases($rule);
            }
        )*
    };
}

rules! {
    cfl_02_the_order_of_the_work: "CFL-02",
    cfl_04_include: "CFL-04",
    cfl_05_paths: "CFL-05",
    cfl_06_the_order_of_files: "CFL-06",
    cfl_07_files_are_united: "CFL-07",
    cfl_10_names: "CFL-10",
    cfl_11_variables: "CFL-11",
    cfl_12_data_files: "CFL-12",
    cfl_13_what_is_unused: "CFL-13",
    cfl_15_where_braces_count: "CFL-15",
    cfl_16_where_braces_end: "CFL-16",
    cfl_17_braces_alone_and_in_longer_texts: "CFL-17",
    cfl_18_what_comes_out_is_plain: "CFL-18",
    cfl_19_lists_are_put_in: "CFL-19",
    cfl_20_none_is_left_out: "CFL-20",
    cfl_21_what_is_not_there: "CFL-21",
    cfl_22_unknown_names: "CFL-22",
    cfl_23_one_name_means_one_thing: "CFL-23",
    cfl_24_where_rows_may_stand: "CFL-24",
    cfl_25_for: "CFL-25",
    cfl_26_let: "CFL-26",
    cfl_27_if: "CFL-27",
    cfl_28_entries_without_rows: "CFL-28",
    cfl_30_literals_in_expressions: "CFL-30",
    cfl_31_pieces_of_expressions: "CFL-31",
    cfl_35_bundles: "CFL-35",
    cfl_36_tables_are_merged: "CFL-36",
    cfl_37_bundles_of_kinds_and_types: "CFL-37",
    cfl_38_bundles_are_pasted: "CFL-38",
    cfl_40_factories_have_rows: "CFL-40",
    cfl_41_arguments: "CFL-41",
    cfl_42_with: "CFL-42",
    cfl_43_use: "CFL-43",
    cfl_44_builders_share_factories: "CFL-44",
    cfl_45_what_a_factory_sees: "CFL-45",
    cfl_46_missing_arguments: "CFL-46",
    cfl_50_selectors: "CFL-50",
    cfl_51_names_and_selectors: "CFL-51",
    cfl_52_selectors_of_nothing: "CFL-52",
    cfl_61_rows_and_ways: "CFL-61",
}

#[test]
fn cfl_03_equal_files_give_equal_configurations() {
    let read = || read_case(&example_farm()).config.unwrap();
    assert_eq!(read(), read());
}

#[test]
fn cfl_50_owners_and_permissions_take_selectors() {
    let lines = "[[slaves]]\nname = \"two\"\ntags = [\"fast\"]\n\
                 [[builders]]\nname = \"a[b]\"\ntags = [\"fast\"]\nslaves = [\"two\"]\n\
                 [[owners]]\nbuilders = [\"b*\", { tags = \"fast\" }]\n\
                 [[permissions]]\non = { builders = { not_tags = \"fast\" }, slaves = {} }\n\
                 [[permissions]]\non = { slaves = { tags = \"slow\" } }\n";
    let expanded = expand_case(&farm(lines));
    assert!(expanded.errors.is_empty(), "{:?}", expanded.errors);
    let tree = tree_of(&expanded);
    assert_eq!(
        tree["owners"][0]["builders"],
        serde_json::json!(["b*", "a[[]b[]]"])
    );
    let on = &tree["permissions"][0]["on"];
    assert_eq!(on["builders"], serde_json::json!(["b"]));
    assert_eq!(on["slaves"], serde_json::json!(["two", "one"]));
    let warned = places(&expanded.warnings);
    assert_eq!(warned, [("master.toml".to_owned(), 13, "no-match")]);
}

#[test]
fn cfl_63_all_mistakes_are_told_in_one_run_and_none_that_follows_from_another() {
    let more = "[vars]\ntable = 1\n".to_owned();
    let files = BTreeMap::from([
        ("master.toml".to_owned(), ALL_KINDS.to_owned()),
        ("more.toml".to_owned(), more),
    ]);
    let problems = read_case(&files).problems;
    let errors = problems.errors.iter();
    let found: Vec<_> = errors.map(|e| (e.line, e.class.name())).collect();
    let wanted = [
        (1, "missing-file"),
        (1, "bad-path"),
        (3, "bad-name"),
        (4, "not-visible"),
        (5, "evaluation"),
        (6, "unknown-name"),
        (7, "circle"),
        (8, "evaluation"),
        (9, "missing-file"),
        (10, "expression-syntax"),
        (11, "unknown-filter"),
        (12, "unknown-test"),
        (13, "unknown-function"),
        (14, "pattern"),
        (15, "duplicate"),
        (16, "undefined"),
        (17, "too-much"),
        (19, "not-allowed"),
        (23, "unknown-reference"),
        (25, "hides"),
        (29, "missing-key"),
        (31, "unknown-key"),
        (33, "wrong-type"),
        (38, "circle"),
        (44, "argument"),
        (45, "missing-key"),
    ];
    assert_eq!(found, wanted, "{problems}");
    assert!(problems.warnings.is_empty(), "{problems}");
}

#[test]
fn cfl_63_mistakes_of_the_plain_checks_are_told_together() {
    let text = "[[slaves]]\nname = \"one\"\npassword = \"p\"\n\
                [factories.f]\nsteps = [{ type = \"ShellCommand\", command = [\"true\"] }]\n\
                [[builders]]\nname = \"a\"\nslaves = [\"two\"]\nfactory = \"f\"\n\
                [[builders]]\nname = \"b\"\nslaves = { tags = \"fast\" }\nfactory = \"f\"\n";
    let files = BTreeMap::from([("master.toml".to_owned(), text.to_owned())]);
    let problems = read_case(&files).problems;
    let errors = problems.errors.iter();
    let found: Vec<_> = errors.map(|e| (e.line, e.class.name())).collect();
    let wanted = [
        (2, "missing-key"),
        (8, "unknown-reference"),
        (12, "no-match"),
    ];
    assert_eq!(found, wanted, "{problems}");
}

#[test]
fn cfl_64_a_name_that_is_there_twice_names_both_rows() {
    let twice = "[[slaves]]\nfor = { n = [1, 2, 3], twice = [\"x\"] }\n\
                 name = \"s{{ 0 if n == 3 else n }}\"\ntype = \"local\"\n";
    let again = twice.replace("0 if n == 3 else n", "1 if n == 3 else n");
    assert!(read_case(&farm(twice)).problems.errors.is_empty());
    let problems = read_case(&farm(&again)).problems;
    let [error] = problems.errors.as_slice() else {
        panic!("one mistake, not {problems}");
    };
    assert_eq!(error.class, Class::Duplicate);
    let row: Vec<_> = error
        .row
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect();
    assert_eq!(row, [("n", "3"), ("twice", "\"x\"")]);
    assert!(error.message.contains("n = 1"), "{problems}");
}

#[test]
fn cfl_71_equal_texts_are_compiled_once() {
    let shared = Shared::default();
    let mut compiled = 0;
    let mut compile = |text: &str| {
        let key = (Mode::Running, text.to_owned());
        shared.expressions.get(key, |(mode, text)| {
            compiled += 1;
            Expression::compile(text, *mode, "")
        })
    };
    for text in ["prop.a", "prop.b", "prop.a", "prop.a +", "prop.a +"] {
        assert_eq!(compile(text).is_ok(), !text.ends_with('+'), "{text}");
    }
    assert_eq!(compiled, 3);
}

/// A mistake of each class, in entries of their own.
const ALL_KINDS: &str = r#"include = ["more.toml", "absent.toml", "../up.toml"]
[vars]
not = 1
late = "{{ prop.level }}"
zero = "{{ 1 // 0 }}"
typo = "{{ nothing }}"
ring = "{{ ring }}"
day = "{{ 'a' + 1 }}"
json = { json = "absent.json" }
cut = "{{ 1 + }}"
filter = "{{ 'a' | uper }}"
test = "{{ 'a' is uper }}"
function = "{{ uper('a') }}"
regex = "{{ 'a' is match('(') }}"
table = {}
missing = "{{ table.a }}"
long = "{{ 'x' * 99999999999 }}"
[defaults.bundle]
if = true
[[slaves]]
name = "one"
password = "secret"
extends = "bundel"
[[slaves]]
for = { table = [1] }
name = "two-{{ table }}"
password = "secret"
[[slaves]]
name = "three"
password = "secret"
colour = "red"
[[slaves]]
for = { n = 3 }
name = "four-{{ n }}"
password = "secret"
[factories.f]
steps = [{ type = "ShellCommand", command = ["true"] }]
[factories.g]
steps = [{ use = "g" }]
[[builders]]
name = "b"
slaves = ["three"]
factory = "f"
with = { speed = 1 }
[[builders]]
slaves = ["three"]
factory = "f"
[[schedulers]]
type = "Scheduler"
name = "s"
builders = ["b"]
"#;

#[test]
fn cfl_50_steps_that_end_builds_select_their_builders() {
    let ended = |builders: &str| {
        let files = farm(&format!(
            "[[builders]]\nname = \"x\"\nslaves = [\"one\"]\nfactory = \"g\"\ntags = [\"t\"]\n\
             [factories.g]\nsteps = [{{ type = \"CancelRelatedBuilds\", builders = {builders} }}, \
             {{ type = \"StopRelatedBuilds\", builders = {builders} }}]\n"
        ));
        let expanded = expand_case(&files);
        let steps = &expanded.root.json()["factories"]["g"]["steps"];
        assert_eq!(steps[0]["builders"], steps[1]["builders"]);
        let told = expanded.errors.iter().chain(&expanded.warnings);
        let classes: Vec<_> = told.map(|told| told.class.name()).collect();
        (steps[0]["builders"].clone(), classes)
    };
    let names = |names: &[&str]| Json::from(names);
    assert_eq!(ended("{ tags = \"t\" }"), (names(&["x"]), vec![]));
    assert_eq!(ended("[\"b*\", {}]"), (names(&["b*", "x", "b"]), vec![]));
    assert_eq!(ended("[\"b*\"]"), (names(&["b*"]), vec![]));
    // Nothing is not everything.
    assert_eq!(
        ended("{ tags = \"u\" }"),
        (names(&[""]), vec!["no-match"; 2])
    );
    assert_eq!(
        ended("{ tag = \"t\" }"),
        (names(&[""]), vec!["unknown-key"; 2])
    );
}
