//! Public farms as evaluated dumps, where they are: `BUILDMASTER_FARMS` names the directory with
//! `expected.json` and the dumps.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

use std::io::Read;
use std::path::Path;

use buildmaster::config::read;
use buildmaster::import::{Request, import};
use buildmaster::model::Zone;
use serde_json::Value as Json;

/// Each farm has the counts that it should have, is good, and has its secrets in files alone.
#[test]
fn public_farms_are_carried_over() {
    let Some(dir) = std::env::var_os("BUILDMASTER_FARMS") else {
        eprintln!("skipped: BUILDMASTER_FARMS does not name a directory with dumps of farms");
        return;
    };
    let dir = Path::new(&dir);
    let expected = std::fs::read_to_string(dir.join("expected.json")).unwrap();
    let expected: Json = serde_json::from_str(&expected).unwrap();
    for (farm, counts) in expected.as_object().unwrap() {
        carry_over(&dir.join(format!("{farm}.json.gz")), farm, counts);
    }
}

fn carry_over(file: &Path, farm: &str, counts: &Json) {
    let Ok(packed) = std::fs::File::open(file) else {
        return;
    };
    let mut dump = String::new();
    flate2::read::GzDecoder::new(packed)
        .read_to_string(&mut dump)
        .unwrap();
    let zone = Ok(Zone::UTC);
    let import = import(&Request {
        dump: &dump,
        file: farm,
        answers: None,
        dir: farm,
        flat: false,
        zone: &zone,
    })
    .unwrap();
    let text = import.files.get("master.toml").unwrap();
    let read = read(text, "master.toml", &import.files, &zone).into_result();
    assert!(read.is_ok(), "{farm}: {}", read.unwrap_err());
    let ours = |key: &str| import.json.get(key).and_then(Json::as_u64);
    let theirs = |key: &str| counts.get(key).and_then(Json::as_u64);
    for (mine, wanted) in [
        ("slaves", "slaves"),
        ("builders", "builders"),
        ("steps_as_run", "steps_as_run"),
        ("open_questions", "questions"),
        ("builders_that_run_whole", "builders_without_open_question"),
    ] {
        assert_eq!(ours(mine), theirs(wanted), "{farm}: {mine}");
    }
    for (mine, most) in [
        ("factories", "factory_tables_at_most"),
        ("step_entries", "step_entries_at_most"),
    ] {
        assert!(ours(mine) <= theirs(most), "{farm}: {mine}");
    }
    let schedulers = counts.get("schedulers").and_then(Json::as_object).unwrap();
    let schedulers: u64 = schedulers.values().filter_map(Json::as_u64).sum();
    assert_eq!(ours("schedulers"), Some(schedulers), "{farm}");
    let json = import.json.to_string();
    let written = import
        .files
        .values()
        .chain([&import.report, &import.answers, &json]);
    for text in written {
        for (name, secret) in import.secrets.iter().filter(|(_, secret)| secret.len() > 3) {
            let is_there = text.contains(&format!("\"{secret}\""));
            assert!(!is_there, "{farm}: {name}");
        }
    }
}
