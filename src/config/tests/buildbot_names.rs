//! Every type and setting of Buildbot that the table of features has is known by name: it exists
//! here, is called otherwise, is planned, or is gone with a reason.

use std::collections::BTreeMap;

use super::*;

/// Place, type there, type here, settings there.
fn types() -> BTreeMap<(&'static str, &'static str, &'static str), Vec<&'static str>> {
    let mut types: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let names = include_str!("../../../tests/data/buildbot-names.tsv");
    for line in names.lines().filter(|line| !line.starts_with('#')) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [place, theirs, ours, key] = columns[..] else {
            panic!("{line}");
        };
        types.entry((place, theirs, ours)).or_default().push(key);
    }
    types
}

/// A table of this place and type, alone in its file, with a line for each key.
fn table(place: &str, kind: &str, keys: &[&str]) -> String {
    let header = match place {
        "locks" => "[locks.l]",
        "factories" => "[factories.f]",
        "steps" => "[[factories.f.steps]]",
        "slaves" => "[[slaves]]",
        "builders" => "[[builders]]",
        "schedulers" => "[[schedulers]]",
        "change_sources" => "[[change_sources]]",
        "status" => "[[status]]",
        _ => panic!("{place}"),
    };
    let kind = match kind {
        "" => String::new(),
        _ => format!("type = {kind:?}\n"),
    };
    let keys = keys.iter().filter(|key| **key != "type");
    let lines: String = keys.map(|key| format!("{key} = 1\n")).collect();
    format!("{header}\n{kind}{lines}")
}

fn mistakes_in(text: &str) -> Vec<ConfigError> {
    match parse(text, "master.toml", &Ok(Zone::UTC)) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.errors,
    }
}

/// Whether the mistake says of a name only that it does not exist.
fn is_at_a_loss(mistake: &ConfigError) -> bool {
    let help = mistake.help.as_deref().unwrap_or_default();
    let is_vague = [
        "its keys are",
        "did you mean",
        "it may be",
        "remove it, or see",
    ]
    .iter()
    .any(|words| help.starts_with(words));
    mistake.message.starts_with("unknown") && is_vague
}

#[test]
fn every_type_of_buildbot_is_known_by_name() {
    let mut unknown = Vec::new();
    for (place, theirs, _) in types().keys() {
        let mistakes = mistakes_in(&table(place, theirs, &[]));
        if mistakes.iter().any(is_at_a_loss) {
            unknown.push(format!("{place}: {theirs}"));
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
}

#[test]
fn every_setting_of_buildbot_is_known_by_name() {
    let mut unknown = Vec::new();
    for ((place, theirs, ours), keys) in types() {
        if ours == "-" {
            continue;
        }
        let text = table(place, ours, &keys);
        for mistake in mistakes_in(&text).into_iter().filter(is_at_a_loss) {
            unknown.push(format!("{place}: {theirs}: {}", mistake.message));
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
}
