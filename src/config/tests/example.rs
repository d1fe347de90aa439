use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::*;
use crate::config::schema::examples::{EXAMPLE, STEPS, with_all_settings};
use crate::config::shapes::shapes;
use crate::config::{factories, steps};

/// The keys of each table below `value`, by their path without indexes.
fn collect(path: &str, value: &DeValue<'_>, keys: &mut BTreeMap<String, BTreeSet<String>>) {
    for entry in value.as_array().into_iter().flat_map(|array| array.iter()) {
        collect(path, entry.get_ref(), keys);
    }
    for (key, value) in value.as_table().into_iter().flatten() {
        let key: &str = key.get_ref();
        keys.entry(path.to_owned())
            .or_default()
            .insert(key.to_owned());
        let free = [
            "factories",
            "locks",
            "people",
            "factories.*.steps.logfiles",
            "factories.*.steps.decode_rc",
            "schedulers.codebases",
            "schedulers.filter",
            "change_sources.filter",
        ];
        let name = if free.contains(&path) { "*" } else { key };
        let below = format!("{path}.{name}");
        collect(below.trim_start_matches('.'), value.get_ref(), keys);
    }
}

#[test]
fn the_examples_have_no_mistakes() {
    assert_eq!(mistakes_of(EXAMPLE), "accepted");
    accept_steps(STEPS);
}

#[test]
fn the_examples_have_no_mistakes_with_all_settings_switched_on() {
    accept(&with_all_settings(EXAMPLE));
    accept_steps(&with_all_settings(STEPS));
}

/// The catalogue of steps has factories to copy from, which no builder uses.
fn accept_steps(text: &str) {
    let (_, mut warnings) = parse(text, "steps.toml", &Ok(Zone::UTC)).unwrap();
    warnings.retain(|warning| warning.class != Class::Unused);
    assert_eq!(lines(&warnings), "");
}

#[test]
fn settings_commented_out_in_the_example_are_the_defaults() {
    let global = |text: &str| {
        let config = accept(text);
        Config {
            slaves: Vec::new(),
            locks: Vec::new(),
            builders: Vec::new(),
            schedulers: Vec::new(),
            repositories: Arc::default(),
            change_sources: Vec::new(),
            status: Vec::new(),
            ..config
        }
    };
    let before_the_tables = with_all_settings(EXAMPLE);
    let global_part = before_the_tables.split("\n[").next().unwrap();
    let plain_part = EXAMPLE.split("\n[").next().unwrap();
    assert_eq!(global(plain_part), global(global_part));
}

#[test]
fn the_examples_show_every_key_there_is() {
    let mut found = BTreeMap::new();
    for example in [EXAMPLE, STEPS] {
        let text = with_all_settings(example);
        let tree = DeTable::parse(&text).unwrap();
        collect("", &DeValue::Table(tree.get_ref().clone()), &mut found);
    }
    for (path, shape) in shapes() {
        let known: BTreeSet<String> = shape.all_keys().into_iter().map(str::to_owned).collect();
        let mut shown = found.get(path).cloned().unwrap_or_default();
        if path == "factories.*" {
            // Some take the settings of a step.
            shown.extend(
                found
                    .get("factories.*.steps")
                    .into_iter()
                    .flatten()
                    .cloned(),
            );
        }
        // The comment explains two that cannot be there together.
        let explained = EXAMPLE.lines().filter_map(|line| line.strip_prefix("#   "));
        let explained = explained.filter_map(|line| line.split_once(':'));
        shown.extend(explained.flat_map(|(keys, _)| keys.split(", ").map(str::to_owned)));
        let missing: Vec<_> = known.difference(&shown).collect();
        assert!(
            missing.is_empty(),
            "keys of `{path}` that the examples do not show: {missing:?}"
        );
    }
}

#[test]
fn the_examples_show_every_kind_of_factory_and_step() {
    let shown = |name: &str| {
        let setting = format!("type = \"{name}\"");
        [EXAMPLE, STEPS].iter().any(|text| text.contains(&setting))
    };
    for shape in [&factories::SHAPE, &steps::STEP] {
        let missing: Vec<_> = (shape.kinds)()
            .into_iter()
            .map(|kind| kind.name)
            .filter(|name| !shown(name))
            .collect();
        assert_eq!(missing, [""; 0], "kinds of {}", shape.noun);
    }
}

/// A setting of the example on one line, and what its comments say of its default.
#[derive(Debug)]
struct Stated<'t> {
    /// Index of its line.
    line: usize,
    key: &'t str,
    default: Statement<'t>,
}

#[derive(Debug)]
enum Statement<'t> {
    /// It has to be there.
    Required,
    /// It has this value where it is not there; none: it has no value then.
    Default(Option<&'t str>),
}

/// What the comments above a setting and behind it say of its default.
fn statement<'t>(comments: &[&'t str]) -> Option<Statement<'t>> {
    let default = comments.iter().find_map(|comment| {
        let (_, rest) = comment.split_once("(default: ")?;
        Some(rest.trim_end().trim_end_matches(')'))
    });
    match default {
        Some(none) if none.starts_with("none") => Some(Statement::Default(None)),
        // What stands behind a comma or semicolon explains the value.
        Some(value) if value.starts_with(['[', '{', '"']) => {
            let end = value.rfind([']', '}', '"'])?;
            Some(Statement::Default(value.get(..=end)))
        }
        Some(value) => Some(Statement::Default(value.split([';', ',']).next())),
        None => {
            let is_required = comments.iter().any(|c| c.contains("(required"));
            is_required.then_some(Statement::Required)
        }
    }
}

/// The settings whose comments state a default, line by line.
fn stated(example: &str) -> Vec<Stated<'_>> {
    let mut comments = Vec::new();
    let mut found = Vec::new();
    for (line, text) in example.lines().enumerate() {
        if text.starts_with("# ") {
            comments.push(text);
            continue;
        }
        let (setting, behind) = text.split_once("  # ").unwrap_or((text, ""));
        comments.push(behind);
        let key = setting.trim_start_matches('#').split_once(" = ");
        let key = key
            .map(|(key, _)| key)
            .filter(|key| !key.contains([' ', '{']));
        if let (Some(key), Some(default)) = (key, statement(&comments)) {
            found.push(Stated { line, key, default });
        }
        comments.clear();
    }
    found
}

#[test]
fn the_defaults_stated_in_the_examples_are_those_of_the_program() {
    check_defaults(EXAMPLE);
    check_defaults(STEPS);
}

/// Compares what `example` states with what the program does without the setting.
fn check_defaults(example: &str) {
    let all = with_all_settings(example);
    let parsed = |text: &str| parse(text, "master.toml", &Ok(Zone::UTC)).map(|(config, _)| config);
    let lines: Vec<&str> = all.lines().collect();
    let with_line = |at: usize, replacement: &str| {
        let mut lines = lines.clone();
        lines[at] = replacement;
        // A list that goes on over further lines goes with its first.
        if example.lines().nth(at).is_some_and(|l| l.ends_with("= [")) {
            let end = lines[at..].iter().position(|l| *l == "]").unwrap();
            lines[at + 1..=at + end].fill("");
        }
        parsed(&lines.join("\n"))
    };
    let messages = |errors: ConfigErrors| {
        let messages = errors.errors.into_iter().map(|e| e.message);
        messages.collect::<Vec<_>>()
    };
    for Stated { line, key, default } in stated(example) {
        let without = with_line(line, "");
        match default {
            Statement::Required => assert!(without.is_err(), "{key} on line {} is not", line + 1),
            Statement::Default(None) => drop(without.unwrap_or_else(|e| panic!("{key}: {e}"))),
            // Both may be refused, for something else that belongs to it, but alike.
            Statement::Default(Some(value)) => {
                let with = with_line(line, &format!("{key} = {value}"));
                let (with, without) = (with.map_err(messages), without.map_err(messages));
                assert!(with == without, "{key} on line {} is not {value}", line + 1);
            }
        }
    }
}

#[test]
fn the_examples_state_the_default_of_every_key() {
    // Tables of tables, keys of inline tables, which their own line explains, and where nothing
    // stands for a default.
    let exempt = [
        "slaves",
        "locks",
        "factories",
        "builders",
        "schedulers",
        "repositories",
        "regex",
        "change_sources",
        "status",
        "people",
        "permissions",
        "validation",
        "properties",
        "values",
        "env",
        "logfiles",
        "decode_rc",
        "web",
        "trusted_proxies",
        "login",
        "oidc",
        "owners",
        "duty",
        "files",
        "tags",
        "user_managers",
    ];
    let inline = [
        "log_rotation",
        "build_horizon",
        "factories.*.steps.command",
        "factories.*.steps.description_suffix",
        "factories.*.steps.logfiles.*",
        "factories.*.steps.decode_rc.*",
        "factories.*.steps.tests",
        "factories.*.steps.watch",
        "factories.*.steps.commands",
        "factories.*.steps.suppression_list",
        "factories.*.steps.source_stamp",
        "factories.*.steps.for_each",
        "factories.*.steps.builders_matching",
        "factories.*.steps.git_credentials",
        "factories.*.steps.git_credentials.credentials",
        "slaves.hold",
        "builders.hold",
        "builders.slave_check",
        "builders.locks",
        "change_sources.branches",
        "schedulers.codebases.*",
        "schedulers.userpass",
        "schedulers.important_files",
        "schedulers.filter",
        "schedulers.filter.*",
        "permissions.on",
        "change_sources.set",
        "change_sources.filter",
        "change_sources.filter.*",
        "status.channels",
        "repositories.urls",
        "repositories.host",
        "repositories.credentials",
        "schedulers.parameters",
        "login.oidc",
        "web.comment_links",
    ];
    let stated: BTreeSet<&str> = [EXAMPLE, STEPS]
        .into_iter()
        .flat_map(stated)
        .map(|s| s.key)
        .collect();
    for (path, shape) in shapes().iter().filter(|(path, _)| !inline.contains(path)) {
        let keys = shape
            .all_keys()
            .into_iter()
            .filter(|key| !exempt.contains(key));
        let missing: Vec<_> = keys.filter(|key| !stated.contains(key)).collect();
        assert_eq!(missing, [""; 0], "of `{path}`");
    }
}

#[test]
fn the_shared_sample_is_refused_for_nothing_but_its_cut_hash() {
    let sample = include_str!("../../../tests/data/master.sample.toml");
    let errors = parse(sample, "master.sample.toml", &Ok(Zone::UTC)).unwrap_err();
    let messages: Vec<&str> = errors.errors.iter().map(|e| e.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            // It is cut short in the sample.
            "`userpass` of scheduler `try2` has a hash that cannot be used: it is not of the form \
             $argon2id$v=19$m=…,t=…,p=…$SALT$HASH with 32 bytes of hash",
        ]
    );
    assert_eq!(lines(&errors.warnings), "");
}
