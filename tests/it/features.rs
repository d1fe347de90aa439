//! `tests/data/features.tsv` says what works of steps, factories, builds and properties, and names
//! the tests that show it. What it names must exist.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Names of the functions under a test attribute in all files below `directory`.
pub(crate) fn tests_below(directory: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.extend(tests_in(&fs::read_to_string(&path).unwrap()));
        }
    }
}

fn tests_in(text: &str) -> Vec<String> {
    let mut is_test = false;
    let mut names = Vec::new();
    let mut lines = text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        if line.starts_with("#[") {
            // One may go on over several lines.
            if !line.ends_with(']') {
                lines.by_ref().find(|line| line.ends_with(']'));
            }
            let attribute = line.split(['(', ']']).next().unwrap_or_default();
            is_test |= matches!(attribute, "#[test" | "#[tokio::test");
            continue;
        }
        let signature = line.strip_prefix("async ").unwrap_or(line);
        let name = signature
            .strip_prefix("fn ")
            .and_then(|rest| rest.split('(').next());
        if let Some(name) = name.filter(|_| is_test) {
            names.push(name.to_owned());
        }
        is_test = false;
    }
    names
}

#[test]
fn tests_are_told_from_other_functions() {
    let text = "#[test]\nfn one() {}\nfn no() {}\n  #[tokio::test(start_paused = true)]\n  \
                #[expect(\n    x,\n  )]\n  async fn two() {}\n#[cfg(test)]\nfn neither() {}\n";
    assert_eq!(tests_in(text), ["one", "two"]);
}

#[test]
fn every_feature_that_works_names_a_test_that_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tests = BTreeSet::new();
    for directory in ["src", "tests"] {
        tests_below(&root.join(directory), &mut tests);
    }
    let table = include_str!("../data/features.tsv");
    let mut ids = BTreeSet::new();
    let mut wrong = Vec::new();
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let &[id, need, state, ref rest @ ..] = fields.as_slice() else {
            wrong.push(format!("too few fields: {line}"));
            continue;
        };
        if !ids.insert(id) {
            wrong.push(format!("{id} is there twice"));
        }
        if !["M", "F", "L", "U", "D"].contains(&need) {
            wrong.push(format!("{id}: the need is not {need}"));
        }
        let named: Vec<&str> = rest
            .first()
            .copied()
            .unwrap_or_default()
            .split(' ')
            .collect();
        let named: Vec<&str> = named.into_iter().filter(|name| !name.is_empty()).collect();
        let note = rest.get(1).copied().unwrap_or_default();
        match state {
            "works" if named.is_empty() => wrong.push(format!("{id} works and names no test")),
            "partial" | "declined" if note.is_empty() => {
                wrong.push(format!("{id} is {state} and does not say why"));
            }
            "works" | "partial" | "missing" | "declined" => {}
            other => wrong.push(format!("{id}: the state is not {other}")),
        }
        let missing = named.iter().filter(|name| !tests.contains(**name));
        wrong.extend(missing.map(|name| format!("{id}: there is no test {name}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
