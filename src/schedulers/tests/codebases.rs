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

/// A Scheduler, a Nightly and a Periodic that build `lib` at its newest revision.
fn absolute() -> [SchedulerConfig; 3] {
    let newest = || {
        let mut all = codebases();
        all.at_newest = true;
        all
    };
    let what = || TimedBuild {
        codebases: newest(),
        only_if_changed: Some(rules()),
        ..TimedBuild::default()
    };
    let settings = TreeStable {
        codebases: newest(),
        ..tree_stable(Some(60))
    };
    let mut daily = nightly(3);
    daily.what = what();
    let mut often = periodic(300, true);
    periodic_of(&mut often).what = what();
    [
        config_of("quick", single_branch(None, settings)),
        night(daily),
        often,
    ]
}

#[test]
fn cbs_04_absolute_is_the_newest_revision_that_was_seen_also_over_a_restart() {
    for config in absolute() {
        let name = config.name.clone();
        let mut harness = Harness::start(0.0, vec![config.clone()]);
        let lib = |harness: &Harness, n: usize| {
            let stamp = harness.submissions[n].stamps.of("lib").unwrap();
            (stamp.revision.clone(), stamp.repository.clone())
        };
        offer(&mut harness, 400.0, 1, "core", "main");
        harness.run_until(100_000.0);
        // Nothing was seen of it yet.
        let configured = (Some("v2".to_owned()), "git://h/default".to_owned());
        assert_eq!(lib(&harness, 0), configured, "{name}");
        // An unimportant change makes no set, and one without a revision tells nothing.
        let unimportant = change(2, harness.wall(100_001.0), "lib", "stable", false);
        harness.offer(100_001.0, unimportant);
        let mut unnamed = change(3, harness.wall(100_002.0), "lib", "stable", false);
        Arc::make_mut(&mut unnamed).content.revision = None;
        harness.offer(100_002.0, unnamed);
        offer(&mut harness, 100_003.0, 4, "lib", "stable");
        harness.run_until(200_000.0);
        assert_eq!(lib(&harness, 1).0, None, "{name}");
        harness.restart(200_001.0, config.clone());
        offer(&mut harness, 200_002.0, 5, "core", "main");
        harness.run_until(300_000.0);
        let seen = (Some("r4".to_owned()), "git://h/lib".to_owned());
        assert_eq!(lib(&harness, 2), seen, "{name}");
        assert_eq!(harness.submissions.len(), 3, "{name}");
        assert_eq!(harness.problems, [""; 0], "{name}");
    }
}

#[test]
fn cbs_04_a_revision_of_another_branch_is_forgotten_with_the_settings() {
    let [config, ..] = absolute();
    let mut harness = Harness::start(0.0, vec![config.clone()]);
    offer(&mut harness, 100.0, 1, "lib", "stable");
    harness.run_until(1000.0);
    assert!(
        harness
            .stored
            .contains_key(&SchedulerName::from("quick\nnewest"))
    );
    let mut other = config;
    let moved = CodebaseSource {
        branch: Some("next".to_owned()),
        ..CodebaseSource::default()
    };
    let names = [
        ("core".to_owned(), CodebaseSource::default()),
        ("lib".to_owned(), moved),
    ];
    let settings = &mut of(&mut other).codebases;
    *settings = names.into_iter().collect();
    settings.at_newest = true;
    harness.restart(1001.0, other);
    assert!(
        !harness
            .stored
            .contains_key(&SchedulerName::from("quick\nnewest"))
    );
    harness.run_until(1100.0);
    let core = change(2, harness.wall(1100.0), "core", "main", true);
    let mut core = core;
    Arc::make_mut(&mut core).content.branch = None;
    harness.offer(1100.0, core);
    harness.run_until(2000.0);
    let lib = harness.submissions[1].stamps.of("lib").unwrap();
    assert_eq!(
        (lib.branch.as_deref(), lib.revision.as_deref()),
        (Some("next"), None)
    );
}

fn stamp(codebase: &str, branch: Option<&str>, revision: Option<&str>) -> SourceStamp {
    SourceStamp {
        codebase: codebase.to_owned(),
        branch: branch.map(str::to_owned),
        revision: revision.map(str::to_owned),
        ..SourceStamp::default()
    }
}

/// Codebase, branch, revision and repository of each stamp.
fn said(stamps: &SourceStamps) -> Vec<String> {
    let said = |stamp: &SourceStamp| {
        let or_none = |text: &Option<String>| text.clone().unwrap_or_default();
        let (branch, revision) = (or_none(&stamp.branch), or_none(&stamp.revision));
        format!(
            "{} {branch} {revision} {}",
            stamp.codebase, stamp.repository
        )
    };
    stamps.iter().map(said).collect()
}

#[test]
fn cbs_05_a_triggerable_has_the_stamps_of_the_step_and_else_its_own() {
    let triggerable = |codebases| SchedulerKind::Triggerable(TriggerableConfig { codebases });
    let mut clock = nightly(3);
    clock.what.codebases = codebases();
    let configs = vec![
        config_of("asked", triggerable(codebases())),
        config_of("any", triggerable(Codebases::default())),
        config_of(
            "late",
            SchedulerKind::NightlyTriggerable(Box::new(NightlyTriggerableConfig(clock))),
        ),
    ];
    let mut harness = Harness::start(0.0, configs);
    let mut end = 0.0;
    let mut ask = |name: &str, stamps: SourceStamps| {
        let (now, none) = (harness.at(end), Properties::new());
        let stamps = Arc::new(stamps);
        let effects = harness.registry.trigger(&name.into(), &stamps, &none, now);
        harness.take(effects, end);
        end += 100_000.0;
        harness.run_until(end);
        said(&harness.submissions.pop().unwrap().stamps)
    };
    let default = "git://h/default";
    let core = format!("core main  {default}");
    let lib = format!("lib stable v2 {default}");
    // `always_use_latest` names no codebase, nor does what is not listed count.
    assert_eq!(ask("asked", SourceStamps::default()), [&*core, &*lib]);
    let other = || {
        [
            stamp("other", None, Some("r1")),
            stamp("lib", None, Some("r2")),
        ]
    };
    let at_r2 = format!("lib  r2 {default}");
    for name in ["asked", "late"] {
        assert_eq!(ask(name, other().into_iter().collect()), [&*core, &*at_r2]);
    }
    // A branch without a revision is its latest.
    let branch = [stamp("lib", Some("rel"), None)];
    let at_rel = format!("lib rel  {default}");
    assert_eq!(
        ask("asked", branch.into_iter().collect()),
        [&*core, &*at_rel]
    );
    assert_eq!(
        ask("any", other().into_iter().collect()),
        ["lib  r2 ", "other  r1 "]
    );
}

#[test]
fn cbs_05_a_dependent_has_the_stamps_of_the_other_and_its_own_besides() {
    let [first, ..] = &configs()[..] else {
        panic!("there are some");
    };
    let docs = CodebaseSource {
        branch: Some("next".to_owned()),
        ..CodebaseSource::default()
    };
    let after = |name: &str, names: &[&str]| {
        let listed = names.iter().map(|name| ((*name).to_owned(), docs.clone()));
        let settings = DependentConfig {
            upstream: "quick".into(),
            codebases: listed.collect(),
        };
        config_of(name, SchedulerKind::Dependent(settings))
    };
    let configs = vec![
        first.clone(),
        after("same", &["lib"]),
        after("more", &["core", "docs"]),
    ];
    let mut harness = Harness::start(0.0, configs);
    offer(&mut harness, 100.0, 1, "core", "main");
    harness.run_until(1000.0);
    harness.finish(1000.0, 0, true);
    let [first, same, more] = &harness.submissions[..] else {
        panic!("{:?}", harness.submissions);
    };
    assert!(Arc::ptr_eq(&first.stamps, &same.stamps));
    assert_eq!(
        more.stamps.codebases().collect::<Vec<_>>(),
        ["core", "docs", "lib"]
    );
    assert_eq!(more.stamps.of("core"), first.stamps.of("core"));
    assert_eq!(more.stamps.of("lib"), first.stamps.of("lib"));
    assert_eq!(
        more.stamps.of("docs"),
        Some(&stamp("docs", Some("next"), None))
    );
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
