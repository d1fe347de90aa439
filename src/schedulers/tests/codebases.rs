//! Schedulers that build several codebases together (CBS-03, CBS-04).

use proptest::prelude::*;

use super::histories::{event, histories, live};
use super::*;
use crate::config::{CodebaseSource, Codebases};

/// The codebase `core` on the branch `main`, and `lib` at a revision of the branch `stable`.
fn codebases() -> Codebases {
    let source = |branch: &str, revision: Option<&str>| CodebaseSource {
        branch: Some(branch.to_owned()),
        repository: "git://h/default".to_owned(),
        revision: revision.map(str::to_owned),
    };
    let all = [
        ("core", source("main", None)),
        ("lib", source("stable", Some("v2"))),
    ];
    all.into_iter()
        .map(|(name, source)| (name.to_owned(), source))
        .collect()
}

/// One of each kind that builds changes, and one that follows.
fn configs() -> Vec<SchedulerConfig> {
    let settings = |timer| TreeStable {
        codebases: codebases(),
        ..tree_stable(timer)
    };
    let what = || TimedBuild {
        branch: None,
        codebases: codebases(),
        only_if_changed: Some(rules()),
    };
    let mut daily = nightly(3);
    daily.what = what();
    let mut often = periodic(300, true);
    periodic_of(&mut often).what = what();
    vec![
        config_of("quick", single_branch(None, settings(Some(60)))),
        config_of("now", single_branch(None, settings(None))),
        config_of("any", any_branch(None, settings(Some(30)))),
        dependent("after", "quick"),
        often,
        night(daily),
    ]
}

fn change(
    number: u64,
    at: Timestamp,
    codebase: &str,
    branch: &str,
    is_important: bool,
) -> Arc<Change> {
    Arc::new(Change {
        number: ChangeNumber(number),
        arrived_at: at,
        when: at,
        content: NewChange {
            repository: format!("git://h/{codebase}"),
            codebase: codebase.to_owned(),
            branch: Some(branch.to_owned()),
            revision: Some(format!("r{number}")),
            files: vec![file(is_important).to_owned()],
            ..NewChange::default()
        },
    })
}

fn offer(harness: &mut Harness, at: f64, number: u64, codebase: &str, branch: &str) {
    harness.run_until(at);
    let change = change(number, harness.wall(at), codebase, branch, true);
    harness.offer(at, change);
}

/// The changes of each stamp of each set of a scheduler, by codebase.
fn sets(harness: &Harness, scheduler: &str) -> Vec<Vec<(String, Vec<u64>)>> {
    let numbers = |stamp: &SourceStamp| stamp.changes.iter().map(|c| c.number.0).collect();
    let of_set = |stamps: &SourceStamps| {
        let stamps = stamps.iter();
        stamps
            .map(|stamp| (stamp.codebase.clone(), numbers(stamp)))
            .collect()
    };
    let mine = |set: &&Submission| set.scheduler.as_str() == scheduler;
    harness
        .submissions
        .iter()
        .filter(mine)
        .map(|set| of_set(&set.stamps))
        .collect()
}

#[test]
fn cbs_03_codebases_wait_together_also_over_a_restart() {
    let [config, ..] = &configs()[..] else {
        panic!("there are some");
    };
    let mut harness = Harness::start(0.0, vec![config.clone()]);
    offer(&mut harness, 100.0, 1, "core", "main");
    harness.restart(105.0, config.clone());
    offer(&mut harness, 110.0, 2, "lib", "stable");
    assert_eq!(harness.pending("quick"), [170.0]);
    // It is not listed, and neither is that branch of one that is.
    offer(&mut harness, 120.0, 3, "other", "main");
    assert_eq!(harness.decisions, [Decision::CodebaseNotListed]);
    offer(&mut harness, 130.0, 4, "lib", "main");
    assert_eq!(harness.decisions, [Decision::OffBranch]);
    harness.run_until(1000.0);
    let both = vec![("core".to_owned(), vec![1]), ("lib".to_owned(), vec![2])];
    assert_eq!(sets(&harness, "quick"), [both]);
}

#[test]
fn cbs_04_a_timed_build_has_a_stamp_a_codebase_also_without_changes() {
    let mut daily = nightly(3);
    daily.what = TimedBuild {
        codebases: codebases(),
        ..TimedBuild::default()
    };
    let mut harness = Harness::start(0.0, vec![night(daily)]);
    harness.run_until(30_000.0);
    let stamps = &harness.submissions[0].stamps;
    let lib = stamps.of("lib").unwrap();
    assert_eq!(stamps.codebases().collect::<Vec<_>>(), ["core", "lib"]);
    assert_eq!(lib.revision.as_deref(), Some("v2"));
    assert_eq!(lib.branch.as_deref(), Some("stable"));
    assert_eq!(lib.repository, "git://h/default");
    assert_eq!(stamps.of("core").unwrap().revision, None);
}

const NAMES: [&str; 3] = ["core", "lib", "other"];
const BRANCHES: [&str; 2] = ["main", "stable"];

/// Checks that these have a stamp of each codebase, at the revision of its newest change or at the
/// configured revision.
fn check_revisions(stamps: &SourceStamps) -> Result<(), TestCaseError> {
    prop_assert_eq!(stamps.codebases().collect::<Vec<_>>(), ["core", "lib"]);
    for stamp in stamps.iter() {
        for change in &stamp.changes {
            prop_assert_eq!(&change.codebase, &stamp.codebase);
            prop_assert_eq!(&change.branch, &stamp.branch);
            prop_assert_eq!(&change.repository, &stamp.repository);
        }
        let newest = stamp.changes.iter().map(|change| change.number.0).max();
        let configured = (stamp.codebase == "lib").then(|| "v2".to_owned());
        let expected = newest.map(|number| format!("r{number}")).or(configured);
        prop_assert_eq!(stamp.revision_to_build(), expected.as_deref());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(histories()))]

    #[test]
    fn cbs_04_each_build_gets_the_right_revision_of_each_codebase(
        events in proptest::collection::vec(event(NAMES.len(), BRANCHES.len()), 1..30),
    ) {
        let mut counted = Vec::new();
        let harness = live(&events, configs, |number, at, codebase, branch, is_important| {
            let (codebase, branch) = (NAMES[codebase], BRANCHES[branch]);
            let is_listed =
                ("core", "main") == (codebase, branch) || ("lib", "stable") == (codebase, branch);
            if is_listed && is_important {
                counted.push(number);
            }
            change(number, at, codebase, branch, is_important)
        });
        prop_assert_eq!(&harness.problems, &[""; 0]);
        let mut queue: Vec<Arc<SourceStamps>> = Vec::new();
        for set in &harness.submissions {
            check_revisions(&set.stamps)?;
            // What waits for a slave merges, and is built together.
            match queue.first() {
                Some(first) if first.can_merge_with(&set.stamps) => {}
                Some(_) | None => queue.clear(),
            }
            queue.push(Arc::clone(&set.stamps));
            check_revisions(&SourceStamps::merged(&queue))?;
        }
        for name in ["quick", "now"] {
            let of_name = sets(&harness, name);
            let stamps = of_name.iter().flatten();
            let mut built: Vec<u64> = stamps.flat_map(|(_, changes)| changes.clone()).collect();
            built.sort_unstable();
            let once = built.windows(2).all(|pair| pair[0] != pair[1]);
            prop_assert!(once, "{name} {built:?}");
            for number in &counted {
                prop_assert!(built.contains(number), "{name} {number}");
            }
        }
    }
}
