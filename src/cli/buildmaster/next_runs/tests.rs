//! From the text of a configuration to the text that is printed.

#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::{Value, json};

use super::*;
use crate::cli::buildmaster::simulate::tests::{configuration, scheduler};
use crate::config;

/// A sequence of the shared case file.
pub(in crate::cli) struct Sequence {
    pub(in crate::cli) id: String,
    /// The scheduler's table.
    pub(in crate::cli) scheduler: String,
    pub(in crate::cli) start: f64,
    pub(in crate::cli) fires: Vec<f64>,
}

fn case_file() -> Value {
    serde_json::from_str(include_str!("../../../../tests/data/nightly-cases.json")).unwrap()
}

fn nightly(case: &Value) -> String {
    let key = |key: &str| match key {
        "dayOfMonth" => "day_of_month",
        "dayOfWeek" => "day_of_week",
        "minute" => "minute",
        "hour" => "hour",
        "month" => "month",
        other => panic!("{other}"),
    };
    let spec = case["spec"].as_object().unwrap();
    let mut settings: Vec<_> = spec.iter().map(|(k, v)| (key(k), v.clone())).collect();
    settings.push(("time_zone", case["tz"].clone()));
    scheduler("Nightly", "nightly", &settings)
}

pub(in crate::cli) fn sequences() -> Vec<Sequence> {
    let file = case_file();
    let sequences = file["sequences"].as_array().unwrap();
    assert_eq!(sequences.len(), 10);
    let epoch = |at: &Value| at["epoch"].as_f64().unwrap();
    let sequence = |case: &Value| Sequence {
        id: case["id"].to_string(),
        scheduler: nightly(case),
        start: epoch(&case["start"]),
        fires: case["fires"]
            .as_array()
            .unwrap()
            .iter()
            .map(epoch)
            .collect(),
    };
    sequences.iter().map(sequence).collect()
}

fn listed(config: &Config, count: u32, from: f64, json: bool) -> (String, Vec<String>) {
    let asked = Asked {
        count,
        from: Timestamp::from_secs_f64(from),
        json,
        zone: &Ok(Zone::named("Europe/Berlin").unwrap()),
    };
    let mut out = Vec::new();
    let notes = list(config, asked, &mut out).unwrap();
    (String::from_utf8(out).unwrap(), notes)
}

/// When, and who.
fn runs(config: &Config, count: u32, from: f64) -> Vec<(f64, String)> {
    let (text, _) = listed(config, count, from, true);
    let run = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        let name = line["scheduler"].as_str().unwrap().to_owned();
        (line["at"].as_f64().unwrap(), name)
    };
    text.lines().map(run).collect()
}

#[test]
fn all_cases_of_nightly() {
    let file = case_file();
    let cases = file["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 215);
    let mut refused = 0;
    for case in cases {
        let scheduler = nightly(case);
        let base = "[[slaves]]\nname = \"s\"\ntype = \"local\"\n[factories.f]\nsteps = []\n\
                    [[builders]]\nname = \"b1\"\nslaves = [\"s\"]\nfactory = \"f\"\n\
                    [[builders]]\nname = \"b2\"\nslaves = [\"s\"]\nfactory = \"f\"\n";
        let text = format!("{base}{scheduler}");
        let expected = case["next"]["epoch"].as_f64();
        let Ok((config, _)) = config::parse(&text, "master.toml", &Ok(Zone::UTC)) else {
            // A weekday that there is not is a mistake here, even where the day of the month can
            // match (NIG-06).
            assert!(expected.is_none() || case["id"] == "N079", "{}", case["id"]);
            refused += 1;
            continue;
        };
        let now = case["now"]["epoch"].as_f64().unwrap();
        let found = runs(&config, 1, now);
        let found: Vec<_> = found.into_iter().map(|(at, _)| at).collect();
        assert_eq!(found, Vec::from_iter(expected), "{}", case["id"]);
    }
    assert_eq!(refused, 13);
}

#[test]
fn all_sequences_of_nightly() {
    for sequence in sequences() {
        let config = configuration(&sequence.scheduler);
        let count = u32::try_from(sequence.fires.len()).unwrap();
        let found = runs(&config, count, sequence.start);
        let found: Vec<_> = found.into_iter().map(|(at, _)| at).collect();
        assert_eq!(found, sequence.fires, "{}", sequence.id);
    }
}

#[test]
fn runs_of_all_schedulers_come_in_order_of_time_and_each_has_as_many() {
    let config = configuration(
        &[
            scheduler("Nightly", "hourly", &[]),
            scheduler(
                "Periodic",
                "often",
                &[("period", json!("30m")), ("builders", json!(["b1"]))],
            ),
            scheduler("Scheduler", "quick", &[]),
        ]
        .concat(),
    );
    let found = runs(&config, 3, 1800.5);
    let found: Vec<_> = found
        .iter()
        .map(|(at, name)| (*at, name.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (1800.5, "often"),
            (3600.0, "hourly"),
            (3600.5, "often"),
            (5400.5, "often"),
            (7200.0, "hourly"),
            (10800.0, "hourly"),
        ]
    );
    let (text, _) = listed(&config, 1, 0.0, true);
    assert_eq!(
        text,
        "{\"scheduler\":\"often\",\"at\":0,\"builders\":[\"b1\"]}\n\
         {\"scheduler\":\"hourly\",\"at\":3600,\"builders\":[\"b1\",\"b2\"]}\n"
    );
}

#[test]
fn people_get_local_times_who_follows_and_who_does_not_run() {
    let leap = [
        ("month", json!(2)),
        ("day_of_month", json!(29)),
        ("hour", json!(0)),
    ];
    let changed = [
        ("only_if_changed", json!(true)),
        ("hour", json!(2)),
        ("time_zone", json!("America/New_York")),
        ("force_at_hour", json!(4)),
        ("force_at_minute", json!(0)),
    ];
    let config = configuration(
        &[
            scheduler("Dependent", "package", &[("upstream", json!("often"))]),
            scheduler("Dependent", "upload", &[("upstream", json!("package"))]),
            scheduler("Nightly", "leap", &leap),
            scheduler("Nightly", "changed", &changed),
            scheduler("Periodic", "often", &[("period", json!("1h"))]),
        ]
        .concat(),
    );
    let (text, notes) = listed(&config, 2, 1_767_225_600.0, false);
    insta::assert_snapshot!(text, @r"
    time                            scheduler  builders
    Thu 2026-01-01 01:00:00 +01:00  often      b1, b2
    Thu 2026-01-01 02:00:00 +01:00  often      b1, b2
    Thu 2026-01-01 02:00:00 -05:00  changed    b1, b2  (if something has changed)
    Thu 2026-01-01 04:00:00 -05:00  changed    b1, b2
    after a success of often, package runs: b1, b2
    after a success of package, upload runs: b1, b2
    ");
    insta::assert_snapshot!(
        notes.join("\n"),
        @"leap has no run within 2 calendar years (`search_years`); the master searches again at each new year"
    );
}

#[test]
fn without_clocks_there_is_nothing_to_list() {
    let config = configuration(&scheduler("Scheduler", "quick", &[]));
    assert_eq!(listed(&config, 5, 0.0, true).0, "");
    assert_eq!(
        listed(&config, 5, 0.0, false).0,
        "the configuration has no timed schedulers\n"
    );
}

#[test]
fn nothing_is_listed_after_the_year_9999() {
    let config = configuration(
        &[
            scheduler("Nightly", "nightly", &[("hour", json!(3))]),
            scheduler("Periodic", "rarely", &[("period", json!("3650d"))]),
        ]
        .concat(),
    );
    let last = MOMENTS.end().as_secs_f64();
    let found = runs(&config, 5, last - 86_400.0);
    assert_eq!(found.len(), 2, "{found:?}");
}
