//! The schema of the file, against what the reader takes and refuses.

use std::sync::LazyLock;

use serde_json::json;

use super::*;
use crate::config::schema::examples::{EXAMPLE, STEPS, with_all_settings};

/// The mistakes that the schema finds in `text`: the path and what is wrong.
pub(in crate::config) fn mistakes_by(validator: &jsonschema::Validator, text: &str) -> Vec<String> {
    let table: toml::Table = toml::from_str(text).unwrap();
    let file = serde_json::to_value(table).unwrap();
    let mistakes = validator.iter_errors(&file);
    mistakes
        .map(|e| format!("{}: {e}", e.instance_path()))
        .collect()
}

/// What checks files by the schema.
pub(in crate::config) fn schema_of_tests() -> &'static jsonschema::Validator {
    static VALIDATOR: LazyLock<jsonschema::Validator> =
        LazyLock::new(|| jsonschema::validator_for(&schema()).unwrap());
    &VALIDATOR
}

#[test]
fn the_schema_takes_all_that_the_examples_have() {
    let schema = schema_of_tests();
    for example in [
        SMALL,
        &with_all_settings(EXAMPLE),
        &with_all_settings(STEPS),
    ] {
        let mistakes = mistakes_by(schema, example);
        assert_eq!(mistakes, [""; 0]);
    }
}

#[test]
fn the_schema_takes_the_words_of_the_language() {
    let text = r#"
include = ["more.toml"]
[vars]
branches = ["a", "b"]
[defaults.ShellCommand]
timeout = 60
[[builders]]
for = { b = "{{ branches }}" }
let = { x = 1 }
if = true
extends = "usual"
name = "{{ b }}"
slaves = { tags = ["big"] }
factory = "f"
with = { b = "{{ b }}" }
priority = "{{ 1 + 1 }}"
[factories.f]
with = { b = "a" }
steps = [{ use = "g", with = { c = 1 } }]
"#;
    assert_eq!(mistakes_by(schema_of_tests(), text), [""; 0]);
}

#[test]
fn the_schema_finds_keys_values_and_settings_of_other_types_that_cannot_be() {
    let schema = schema_of_tests();
    for (from, to) in [
        ("slave_port", "slave_prot"),
        (r#"password = "sekrit""#, "max_builds = []"),
        (r#"type = "Scheduler""#, r#"type = "Schedular""#),
        (r#"name = "quick""#, "name = \"quick\"\nhour = 3"),
        (
            r#"command = "make" }"#,
            r#"command = "make", haltOnFailure = true }"#,
        ),
        (
            r#"command = "make" }"#,
            r#"command = "make", halt_on_failure = "yes" }"#,
        ),
    ] {
        let text = SMALL.replacen(from, to, 1);
        assert_ne!(mistakes_by(schema, &text), [""; 0], "{to}");
    }
}

#[test]
fn the_schema_finds_what_is_missing_in_a_whole_file() {
    let schema = schema_of_tests();
    assert_eq!(mistakes_by(schema, SMALL), [""; 0]);
    for line in [
        "name = \"bot\"\n",
        "type = \"ShellCommand\", ",
        ", command = \"make\"",
        "slaves = [\"bot\"]\n",
        "factory = \"check\"\n",
        "type = \"Scheduler\"\n",
        "builders = [\"full\"]\n",
    ] {
        assert!(SMALL.contains(line), "{line}");
        let text = SMALL.replacen(line, "", 1);
        assert_ne!(mistakes_by(schema, &text), [""; 0], "without {line}");
        // Another file may have it.
        let text = format!("include = [\"more.toml\"]\n{text}");
        assert_eq!(mistakes_by(schema, &text), [""; 0], "without {line}");
    }
    for (table, key) in [
        (
            "[[status]]\ntype = \"IRC\"\nnick = \"n\"\nchannels = []",
            "host",
        ),
        ("[[duty]]\nname = \"d\"", "people"),
        ("[login.oidc]\nissuer = \"https://h\"", "client_id"),
        ("[[web.comment_links]]\npattern = \"x\"", "url"),
    ] {
        let mistakes = mistakes_by(schema, &format!("{SMALL}{table}\n")).join("\n");
        assert!(
            mistakes.contains(&format!("{key:?} is a required property")),
            "{mistakes}"
        );
    }
}

#[test]
fn settings_in_the_schema_have_their_descriptions_and_defaults() {
    let schema = schema();
    let retries = &schema["properties"]["max_retries"];
    assert_eq!(
        retries["description"],
        json!("How often a build is retried after losing its slave.")
    );
    assert_eq!(retries["default"], json!(5));
    let words = &schema["properties"]["vars"]["description"];
    assert_eq!(*words, json!("Names for values, for `{{ }}` anywhere."));
    let properties = schema["properties"].as_object().unwrap();
    let silent = properties
        .iter()
        .filter(|(_, setting)| setting.get("description").is_none());
    let silent: Vec<&String> = silent.map(|(key, _)| key).collect();
    assert_eq!(silent, [""; 0]);
}

#[test]
fn the_schema_is_small_enough_for_editors() {
    assert!(schema().to_string().len() < 500_000);
}
