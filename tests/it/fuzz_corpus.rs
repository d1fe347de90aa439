//! The corpus of the fuzz targets, replayed.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;

use buildmaster::config::expression::fuzz::expression;
use buildmaster::pb::fuzz;
use buildmaster::protocol::report::fuzz::report;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

#[test]
fn the_corpus_of_each_fuzz_target_breaks_no_promise() {
    for (target, entry) in targets() {
        let seeds = corpus(target);
        assert!(seeds.len() > 20, "{target}: the corpus is missing");
        seeds.iter().for_each(|seed| entry(seed));
    }
}

#[test]
fn neither_does_the_corpus_with_random_damage() {
    let mut random = StdRng::seed_from_u64(20_26);
    for (target, entry) in targets() {
        let seeds = corpus(target);
        for _ in 0..1500 {
            let mut data = seeds[random.random_range(0..seeds.len())].clone();
            data.truncate(600);
            for _ in 0..random.random_range(1..6) {
                let at = random.random_range(0..=data.len());
                match random.random_range(0..4) {
                    0 if at < data.len() => data[at] = random.random(),
                    1 if at < data.len() => drop(data.remove(at)),
                    2 => data.insert(at, 0x80 + random.random_range(0..8)),
                    _ => data.insert(at, random.random_range(0..40)),
                }
            }
            entry(&data);
        }
    }
}

type Entry = fn(&[u8]);

fn targets() -> [(&'static str, Entry); 5] {
    [
        ("banana", fuzz::banana),
        ("jelly", fuzz::jelly),
        ("broker", fuzz::broker),
        ("expression", expression),
        ("report", report),
    ]
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz/corpus")
        .join(target);
    let mut paths: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}
