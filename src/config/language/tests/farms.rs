//! The two invented farms of the specification, as wholes.

use super::*;
use crate::config::tests::{mistakes_by, schema_of_tests};

/// The files of a farm, with what it becomes.
struct Farm {
    files: BTreeMap<String, String>,
    expanded: Json,
    expected: Json,
}

macro_rules! farm {
    ($name:literal, $($file:literal),+) => {
        Farm::new(
            &[$(($file, include_str!(concat!("../../../../tests/data/farms/", $name, "/", $file)))),+],
            include_bytes!(concat!("../../../../tests/data/farms/", $name, "/expanded.json.gz")),
            include_str!(concat!("../../../../tests/data/farms/", $name, "/expected.json")),
        )
    };
}

impl Farm {
    fn new(files: &[(&str, &str)], expanded: &[u8], expected: &str) -> Self {
        let files = files.iter();
        let expanded = flate2::read::GzDecoder::new(expanded);
        Self {
            files: files
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
                .collect(),
            expanded: serde_json::from_reader(expanded).unwrap(),
            expected: serde_json::from_str(expected).unwrap(),
        }
    }
}

fn farms() -> [Farm; 2] {
    [
        farm!("openwrt-like", "master.toml", "slaves.toml", "targets.txt"),
        farm!(
            "cpython-like",
            "master.toml",
            "branches.toml",
            "builders.toml",
            "kinds.toml",
            "machines.toml"
        ),
    ]
}

#[test]
fn cfl_01_the_two_farms_become_what_the_specification_says() {
    for farm in farms() {
        assert_eq!(tree_of(&expand_case(&farm.files)), farm.expanded);
    }
}

#[test]
fn the_schema_takes_the_farms() {
    let sources = farms()
        .into_iter()
        .map(|farm| farm.files)
        .chain([example_farm()]);
    for (name, text) in sources
        .flatten()
        .filter(|(name, _)| name.ends_with(".toml"))
    {
        assert_eq!(mistakes_by(schema_of_tests(), &text), [""; 0], "{name}");
    }
}

#[test]
fn cfl_64_the_two_farms_pass_all_checks_and_have_their_counts() {
    for farm in farms() {
        let Reading {
            config,
            expansion,
            problems,
            ..
        } = read_case(&farm.files);
        assert!(problems.errors.is_empty(), "{problems}");
        assert!(problems.warnings.is_empty(), "{problems}");
        let config = config.unwrap();
        let steps = config.builders.iter().map(|b| b.factory.steps.len());
        let schedulers = config.schedulers.iter();
        let of_schedulers = schedulers.map(|s| (s.name.to_string(), Json::from(s.builders.len())));
        let wanted = |key: &str| farm.expected[key].clone();
        assert_eq!(wanted("slaves"), config.slaves.len());
        assert_eq!(wanted("builders"), config.builders.len());
        assert_eq!(wanted("steps_as_run"), steps.sum::<usize>());
        assert_eq!(
            wanted("scheduler_builders"),
            Json::Object(of_schedulers.collect())
        );
        let print = expansion.unwrap();
        assert_eq!(wanted("lines_of_the_print"), print.lines().count());
        assert_eq!(mistakes_by(schema_of_tests(), &print), [""; 0]);
        let again = read_and_print(&print, "master.toml", &NoFiles, &Ok(Zone::UTC));
        assert!(again.problems.errors.is_empty(), "{}", again.problems);
        assert_eq!(again.expansion.as_deref(), Some(print.as_str()));
    }
}
