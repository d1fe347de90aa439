//! What fails on one slave and passes on others.

use std::collections::BTreeSet;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng};

use super::Subject;
use crate::model::{BuildId, ChangeNumber};
use crate::verdict::{Answer, Doubt, End, Evidence, Found, Kept, kept, read};

/// What a build of a change says on a slave.
pub(super) fn said(build: u64, point: u64, slave: &str, answer: Answer) -> Evidence {
    Evidence {
        build: BuildId(build),
        point: ChangeNumber(point),
        answer,
        slave: Some(slave.into()),
    }
}

#[test]
fn flk_05_infra_010_what_fails_on_one_slave_only_is_bound_to_it() {
    let cases: serde_json::Value =
        serde_json::from_str(include_str!("../../../tests/data/infra-cases.json")).unwrap();
    let mut cases = cases["cases"].as_array().unwrap().iter();
    let case = cases.find(|case| case["id"] == "infra-010").unwrap();
    let builds = case["given"]["builds"].as_array().unwrap().iter();
    let evidence = builds.zip(1..).map(|(build, number)| {
        let (end, point) = build["end"].as_str().unwrap().split_once(" at ").unwrap();
        let answer = match end {
            "success" => Answer::Pass,
            _ => Answer::Fail(BTreeSet::new()),
        };
        let slave = build["slave"].as_str().unwrap();
        said(number, point.parse().unwrap(), slave, answer)
    });
    let mut evidence: Vec<_> = evidence.collect();
    let reading = read(&evidence);
    let [found] = &reading.problems[..] else {
        panic!("{reading:?}");
    };
    let kind = found.slave.as_ref().map(|slave| format!("slave {slave}"));
    assert_eq!(kind.as_deref(), case["expect"]["kind"].as_str());
    assert_eq!(
        found.doubt,
        Some(Doubt::OnlyOnOneSlave),
        "nobody is accused"
    );
    assert!(!reading.is_flaky(), "the slave explains it");
    assert_eq!((found.first.0, found.last.0), (5, 6));
    // It fails there until it passes there.
    evidence.push(said(5, 7, "s2", Answer::Pass));
    assert_eq!(read(&evidence).problems[0].end, None);
    evidence.push(said(6, 8, "s1", Answer::Pass));
    let end = Some(End::Resolved(ChangeNumber(8)));
    assert_eq!(read(&evidence).problems[0].end, end);
    // It has failed elsewhere, too.
    evidence.push(said(7, 6, "s2", Answer::Fail(BTreeSet::new())));
    assert!(read(&evidence).is_flaky());
}

/// What is read of evidence of which only what is needed is kept.
fn forget(evidence: &mut Vec<Evidence>) {
    let before = read(evidence);
    let since = match kept(evidence, &before) {
        Kept::Nothing => {
            evidence.clear();
            return;
        }
        Kept::Since(since) => {
            evidence.retain(|one| one.point >= since);
            since
        }
        Kept::Points(points) => {
            evidence.retain(|one| points.contains(&one.point));
            points.first().copied().unwrap_or_default()
        }
    };
    let is_left = |found: &&Found| found.first >= since || found.end.is_none();
    let left: Vec<_> = before.problems.iter().filter(is_left).cloned().collect();
    let after = read(evidence);
    assert_eq!(after.problems, left, "since {since}");
    assert_eq!(after.flaky_for, before.flaky_for, "since {since}");
}

#[test]
fn flk_05_what_is_kept_of_a_subject_of_one_slave_says_the_same() {
    let mut kept = 0;
    for seed in 0..20 {
        let mut random = StdRng::seed_from_u64(seed);
        let (mut evidence, mut build, mut is_ill) = (Vec::new(), 0, false);
        for point in 1..500 {
            is_ill ^= random.random_bool(0.02);
            for slave in ["a", "b"] {
                let builds = random.random_bool(if slave == "a" { 0.2 } else { 0.9 });
                if builds {
                    build += 1;
                    let fails = slave == "a" && is_ill;
                    let answer = match fails {
                        true => Answer::Fail(["x".to_owned()].into()),
                        false => Answer::Pass,
                    };
                    evidence.push(said(build, point, slave, answer));
                }
            }
            if point % 8 > 0 {
                continue;
            }
            forget(&mut evidence);
            let problems = read(&evidence).problems;
            kept += usize::from(problems.iter().any(|one| one.slave.is_some()));
            assert!(evidence.len() < 900, "{}", evidence.len());
        }
    }
    assert!(kept > 500, "{kept}");
}

/// A history of builds on three slaves, of which one fails now and then whatever is built,
/// sometimes for a while.
fn history_on_slaves(random: &mut StdRng) -> Vec<Evidence> {
    let (mut point, mut passes, mut is_ill) = (1, true, true);
    let advance = random.random_range(0.2..1.0);
    let builds = 1..random.random_range(20..160);
    let one = |build| {
        passes ^= random.random_bool(0.1);
        is_ill ^= random.random_bool(0.15);
        point += u64::from(random.random_bool(advance));
        let slave = random.random_range(0..3);
        let answer = match passes && !(slave == 0 && is_ill) {
            _ if random.random_bool(0.03) => Answer::Absent,
            _ if random.random_bool(0.003) => Answer::Mixed,
            true => Answer::Pass,
            false => Answer::Fail(["x".to_owned()].into()),
        };
        let late = random.random_bool(0.03);
        let at = if late {
            random.random_range(1..=point)
        } else {
            point
        };
        said(build, at, ["a", "b", "c"][slave], answer)
    };
    builds.map(one).collect()
}

#[test]
fn prb_26_the_short_way_comes_to_the_same_where_a_subject_fails_on_one_slave() {
    let (mut shorter, mut bound, mut unread) = (0, 0, 0);
    for seed in 0..300 {
        let mut random = StdRng::seed_from_u64(seed);
        let (mut short, mut long) = (Subject::default(), Subject::default());
        for new in history_on_slaves(&mut random) {
            let build = new.build;
            long.hear(new.clone());
            short.hear_shortly(new);
            assert_eq!(short.problems, long.problems, "{seed}, build {build}");
            assert_eq!(short.flaky_for, long.flaky_for, "{seed}, build {build}");
            shorter += usize::from(short.flaky_for == 0);
            bound += usize::from(long.problems.values().any(|one| one.found.slave.is_some()));
        }
        unread += short.unread;
    }
    assert!(shorter > 5_000 && bound > 2_000, "{shorter} and {bound}");
    assert!(unread > 1_000, "{unread}");
}
