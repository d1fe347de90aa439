//! Every rule of what comes in, of mail and of problems that is kept has a test, and every case of
//! it is run.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::features::tests_below;

/// The areas with the number of their rules. Of GRD, only the rules that are about what comes in
/// and goes out.
const RULES: [(&str, &[u32]); 23] = [
    ("GRD", &[1, 3, 4, 5, 8, 9]),
    ("TIM", &[1, 2, 3, 4, 5, 6, 7, 8]),
    ("INT", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
    ("POL", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]),
    ("MLD", &[1, 2, 3, 4, 5, 6]),
    ("HKI", &[1, 2, 3, 4, 5, 6, 7, 8]),
    ("HKN", &[1, 2, 3, 4]),
    ("WHO", &[1, 2, 3, 4, 5, 6, 7, 8, 9]),
    ("MAY", &[1, 2, 3, 4, 5]),
    ("LGN", &[1, 2, 3, 4, 5, 6, 7]),
    ("CBS", &[1, 2, 3, 4, 5, 6, 7, 8]),
    (
        "OUT",
        &[
            1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18,
        ],
    ),
    ("MSG", &[1, 2, 3, 4, 5]),
    ("MAL", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]),
    ("IRC", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    ("LIV", &[1, 2, 3, 4, 5, 6]),
    ("PSH", &[1, 2, 3, 4, 5, 6, 7]),
    (
        "PRB",
        &[
            1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24,
            25, 26,
        ],
    ),
    ("FLK", &[1, 2, 3, 4, 5, 6, 7, 8]),
    ("INF", &[1, 2, 3, 4, 5]),
    (
        "SRH",
        &[
            1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
        ],
    ),
    ("ESC", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
    ("TST", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
];

/// The groups with the number of their cases.
const CASES: [(&str, u32); 22] = [
    ("hook", 65),
    ("gitpoller", 14),
    ("commitmail", 43),
    ("identity", 18),
    ("time", 23),
    ("tree", 17),
    ("person", 12),
    ("may", 15),
    ("login", 7),
    ("mode", 45),
    ("mailconf", 9),
    ("recipient", 11),
    ("mailtext", 24),
    ("irc", 129),
    ("outbox", 41),
    ("report", 63),
    ("problem", 27),
    ("fingerprint", 14),
    ("infra", 10),
    ("live", 5),
    ("search", 39),
    ("pester", 20),
];

/// Whether the name of a test has the number of a rule, such as `pol_05`.
fn has_number(test: &str, rule: &str) -> bool {
    let number = rule.to_lowercase().replace('-', "_");
    let mut rests = test.match_indices(&number).map(|(at, _)| {
        let (before, rest) = test.split_at(at);
        (before, rest.strip_prefix(&number).unwrap_or(rest))
    });
    rests.any(|(before, rest)| {
        (before.is_empty() || before.ends_with('_')) && (rest.is_empty() || rest.starts_with('_'))
    })
}

/// The ids of the cases of all data files that a source includes.
fn cases_that_run(root: &Path) -> BTreeSet<String> {
    let mut sources = String::new();
    for directory in ["src", "tests"] {
        texts_below(&root.join(directory), &mut sources);
    }
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(root.join("tests/data")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.ends_with("-cases.json") || !sources.contains(&format!("data/{name}\")")) {
            continue;
        }
        let data: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let cases = data.get("cases").unwrap_or(&data).as_array();
        let ids = cases
            .into_iter()
            .flatten()
            .filter_map(|case| case["id"].as_str());
        found.extend(ids.map(str::to_owned));
    }
    found
}

fn texts_below(directory: &Path, texts: &mut String) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            texts_below(&path, texts);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            texts.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn a_rule_is_found_by_its_number_alone() {
    assert!(has_number("pol_05_pol_06_polls", "POL-05"));
    assert!(has_number("pol_05_pol_06_polls", "POL-06"));
    assert!(has_number("who_03", "WHO-03"));
    for other in ["pol_056_x", "xpol_05_x", "pol_5_x"] {
        assert!(!has_number(other, "POL-05"), "{other}");
    }
}

#[test]
fn every_rule_and_every_case_of_what_comes_in_has_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tests = BTreeSet::new();
    for directory in ["src", "tests"] {
        tests_below(&root.join(directory), &mut tests);
    }
    let mut wrong = Vec::new();
    let mut listed = BTreeMap::new();
    let table = include_str!("../data/told-tests.tsv");
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let mut fields = line.split('\t');
        let (id, named) = (fields.next().unwrap(), fields.next().unwrap_or_default());
        let why = fields.next().unwrap_or_default();
        if named.is_empty() == why.is_empty() {
            wrong.push(format!("{id} has neither tests nor a reason, or both"));
        }
        let named: Vec<&str> = named.split(' ').filter(|name| !name.is_empty()).collect();
        let missing = named.iter().filter(|name| !tests.contains(**name));
        wrong.extend(missing.map(|name| format!("{id}: there is no test {name}")));
        listed.insert(id, named.len());
    }
    let rules = RULES.iter().flat_map(|(area, numbers)| {
        let numbers = numbers.iter();
        numbers.map(move |number| format!("{area}-{number:02}"))
    });
    for rule in rules {
        let is_shown = tests.iter().any(|test| has_number(test, &rule));
        match listed.remove(rule.as_str()) {
            None if !is_shown => wrong.push(format!("{rule} has no test")),
            Some(0) if is_shown => wrong.push(format!("{rule} has a test and a reason for none")),
            None | Some(_) => {}
        }
    }
    let run = cases_that_run(root);
    for (group, count) in CASES {
        for id in (1..=count).map(|number| format!("{group}-{number:03}")) {
            let is_listed = listed.remove(id.as_str()).is_some();
            if !is_listed && !run.contains(&id) {
                wrong.push(format!("case {id} is not run"));
            }
        }
    }
    wrong.extend(
        listed
            .keys()
            .map(|id| format!("{id} is neither a rule nor a case")),
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
