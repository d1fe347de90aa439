//! `[[owners]]`: who cares for builders and parts of the source tree (WHO-08). All rules add up.

use serde::Serialize;

use super::pattern::FilePatterns;
use super::permissions::{check_name, read_patterns};
use super::reader::{Table, Value};
use super::shape::Shape;
use crate::model::NamePatterns;

/// Who cares for what.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OwnerRule {
    /// What they care for.
    #[serde(flatten)]
    pub what: Owned,
    /// The names of the people.
    pub people: Vec<String>,
}

/// What somebody cares for.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Owned {
    /// Changed files, by globs.
    Files(FilePatterns),
    /// Builders, by their names.
    Builders(NamePatterns),
    /// Builders that have one of these tags.
    Tags(NamePatterns),
    /// Steps of all builders, by their names.
    Steps(NamePatterns),
    /// Tests of all builders, by their names for people.
    Tests(NamePatterns),
}

pub(super) static SHAPE: Shape = Shape {
    place: "owners",
    noun: "owner",
    keys: &["files", "builders", "tags", "steps", "tests", "people"],
    kinds: Vec::new,
};

/// The keys of which a rule has one.
const KINDS: [&str; 5] = ["files", "builders", "tags", "steps", "tests"];

/// Reads all rules; `builders` are the names of the builders.
pub(super) fn read(root: &mut Table<'_>, builders: &[&str]) -> Vec<OwnerRule> {
    let tables = root.take("owners").map(|value| value.tables(&SHAPE));
    let tables = tables.into_iter().flatten();
    tables
        .filter_map(|table| read_rule(table, builders))
        .collect()
}

fn read_rule(mut table: Table<'_>, builders: &[&str]) -> Option<OwnerRule> {
    let given: Vec<_> = KINDS
        .into_iter()
        .filter(|key| table.place(key).is_some())
        .collect();
    let has_people = table.place("people").is_some();
    let people = table.require("people", "[\"ann\"]");
    let people = people
        .and_then(|value| value.one_or_list())
        .unwrap_or_default();
    if people.is_empty() && has_people {
        let message = format!("{} names nobody", table.label);
        let help = "name people, or remove the table";
        table.sink.warning(table.span.clone(), message, help);
    }
    let people: Vec<_> = people
        .iter()
        .filter_map(Value::name)
        .map(str::to_owned)
        .collect();
    let what = KINDS.into_iter().filter_map(|key| {
        let value = table.take(key)?;
        owned(key, &value, builders)
    });
    let what: Vec<_> = what.collect();
    if given.len() != 1 && !KINDS.iter().any(|key| table.has_misspelt(key)) {
        let message = match given.len() {
            0 => format!(
                "{} needs `files`, `builders`, `tags`, `steps` or `tests`",
                table.label
            ),
            _ => format!(
                "{} has several of `files`, `builders`, `tags`, `steps` and `tests`",
                table.label
            ),
        };
        let help = "give each table one of them, for example `files = [\"src/net/**\"]`";
        table.sink.missing(table.span.clone(), message, help);
    }
    table.finish();
    let what = what.into_iter().next()?;
    Some(OwnerRule { what, people })
}

fn owned(key: &str, value: &Value<'_>, builders: &[&str]) -> Option<Owned> {
    let entries = value.one_or_list()?;
    if key == "files" {
        let globs: Vec<_> = entries.iter().filter_map(Value::name).collect();
        return match FilePatterns::from_globs(&globs, &[]) {
            Ok(patterns) => Some(Owned::Files(patterns)),
            Err(error) => {
                value.error(
                    &format!("has a pattern with a mistake: {error}"),
                    "write a glob",
                );
                None
            }
        };
    }
    let kind = match key {
        "tags" => Some(Owned::Tags as fn(_) -> _),
        "steps" => Some(Owned::Steps as fn(_) -> _),
        "tests" => Some(Owned::Tests as fn(_) -> _),
        _ => None,
    };
    if let Some(kind) = kind {
        return read_patterns(value, &entries).map(kind);
    }
    for entry in &entries {
        check_name(entry, "builder", builders);
    }
    read_patterns(value, &entries).map(Owned::Builders)
}

/// The owners of a builder with these tags, each once, by name.
pub(super) fn of_builder(rules: &[OwnerRule], name: &str, tags: &[String]) -> Vec<String> {
    of(rules, |what| match what {
        Owned::Builders(names) => names.is_match(name),
        Owned::Tags(patterns) => tags.iter().any(|tag| patterns.is_match(tag)),
        Owned::Files(_) | Owned::Steps(_) | Owned::Tests(_) => false,
    })
}

/// The owners of a step, or of a test of it, each once, by name.
pub(super) fn of_subject(rules: &[OwnerRule], step: &str, test: Option<&str>) -> Vec<String> {
    of(rules, |what| match what {
        Owned::Steps(names) => names.is_match(step),
        Owned::Tests(names) => test.is_some_and(|test| names.is_match(test)),
        Owned::Files(_) | Owned::Builders(_) | Owned::Tags(_) => false,
    })
}

/// Whether a rule is about files.
pub(super) fn are_of_files(rules: &[OwnerRule]) -> bool {
    let mut rules = rules.iter();
    rules.any(|rule| matches!(rule.what, Owned::Files(_)))
}

/// The owners of files, and those of their repository; each once, by name.
pub(super) fn of_files(rules: &[OwnerRule], files: &[String], own: &[String]) -> Vec<String> {
    let mut owners = of(rules, |what| match what {
        Owned::Files(patterns) => files.iter().any(|file| patterns.is_match(file)),
        Owned::Builders(_) | Owned::Tags(_) | Owned::Steps(_) | Owned::Tests(_) => false,
    });
    owners.extend_from_slice(own);
    sorted(owners)
}

fn of(rules: &[OwnerRule], owns: impl Fn(&Owned) -> bool) -> Vec<String> {
    let rules = rules.iter().filter(|rule| owns(&rule.what));
    sorted(rules.flat_map(|rule| rule.people.iter().cloned()).collect())
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use crate::config::parse;
    use crate::model::Zone;

    const CONFIG: &str = r#"
slave_port = 9989
[[slaves]]
name = "oak"
password_file = "x"
[factories.f]
steps = []
[[builders]]
name = "full-linux"
tags = ["required", "linux"]
slaves = ["oak"]
factory = "f"
[[repositories]]
name = "widget"
urls = ["https://h/widget"]
owners = ["rob"]
"#;

    fn check(rules: &str, expected: (&[&str], &[&str])) {
        let text = format!("{CONFIG}{rules}");
        let (config, _) = parse(&text, "master.toml", &Ok(Zone::UTC)).unwrap();
        let files = ["src/net/tcp.c".to_owned(), "doc/a".to_owned()];
        let of_files = config.owners_of_files(&files, "");
        assert_eq!((config.owners_of_builder("full-linux"), of_files), {
            let owned = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
            (owned(expected.0), owned(expected.1))
        });
    }

    #[test]
    fn who_08_rules_for_files_builders_and_tags_add_up() {
        let rule = |what: &str, people: &str| format!("[[owners]]\n{what}\npeople = {people}\n");
        check("", (&[], &[]));
        let files = rule("files = [\"src/net/**\"]", "[\"ann\"]");
        check(&files, (&[], &["ann"]));
        let docs = rule("files = \"doc/*\"", "[\"cid\", \"ann\"]");
        check(&format!("{files}{docs}"), (&[], &["ann", "cid"]));
        let builders = rule("builders = [\"full-*\"]", "\"bob\"");
        let tags = rule("tags = [\"linux\"]", "[\"ann\", \"bob\"]");
        check(&format!("{builders}{tags}"), (&["ann", "bob"], &[]));
        check(&rule("tags = [\"windows\"]", "\"bob\""), (&[], &[]));
    }

    #[test]
    fn prb_19_steps_and_tests_have_owners() {
        let rules = "[[owners]]\nsteps = \"lint*\"\npeople = \"ann\"\n[[owners]]\n\
                     tests = \"net.*\"\npeople = [\"bob\", \"ann\"]\n";
        let text = format!("{CONFIG}{rules}");
        let (config, _) = parse(&text, "master.toml", &Ok(Zone::UTC)).unwrap();
        let owners = |step, test| config.owners_of_subject(step, test);
        assert_eq!(owners("lint", None), ["ann"]);
        assert_eq!(owners("check", None), [""; 0]);
        assert_eq!(owners("check", Some("net.tcp")), ["ann", "bob"]);
        assert_eq!(config.owners_of_builder("full-linux"), [""; 0]);
    }

    #[test]
    fn who_08_the_owners_of_a_repository_own_its_files() {
        let (config, _) = parse(CONFIG, "master.toml", &Ok(Zone::UTC)).unwrap();
        assert_eq!(config.owners_of_files(&["a".to_owned()], "widget"), ["rob"]);
        assert_eq!(config.owners_of_files(&["a".to_owned()], "other"), [""; 0]);
    }

    #[test]
    fn who_08_a_rule_has_people_and_one_kind_of_thing() {
        let mistake = |rule: &str| {
            let text = format!("{CONFIG}[[owners]]\n{rule}\n");
            let errors = parse(&text, "master.toml", &Ok(Zone::UTC)).unwrap_err();
            errors.errors[0].message.clone()
        };
        assert!(mistake("files = \"a\"").contains("needs `people`"));
        assert!(mistake("people = \"ann\"").contains("`tags`, `steps` or `tests`"));
        let both = "files = \"a\"\ntags = \"b\"\npeople = \"ann\"";
        assert!(mistake(both).contains("has several of"));
        assert!(mistake("builders = \"ful\"\npeople = \"ann\"").contains("ful"));
        assert!(mistake("files = \"[\"\npeople = \"ann\"").contains("pattern with a mistake"));
    }
}
