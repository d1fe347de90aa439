//! What each scheduler says it made of a change, and that it did so.

use super::*;
use crate::config::{Codebases, TextMatch};
use crate::config::{TryJobdirConfig, TryUserpassConfig};
use crate::model::{FilterField, Instead};

/// What the only scheduler, or the first, made of a change now.
fn after(
    harness: &mut Harness,
    at: f64,
    id: u64,
    branch: Option<&str>,
    important: bool,
) -> Decision {
    harness.change(at, id, None, branch, file(important));
    harness.decisions[0].clone()
}

fn until(secs: i64) -> Decision {
    let until = Timestamp::from_secs(secs);
    Decision::TimerRuns { until }
}

fn along_with(secs: i64) -> Decision {
    let until = Some(Timestamp::from_secs(secs));
    Decision::Remembered { until }
}

const REMEMBERED: Decision = Decision::Remembered { until: None };

#[test]
fn a_scheduler_says_when_its_timer_fires_and_why_it_looks_away() {
    let mut harness = Harness::new(config(Some(60)));
    assert_eq!(after(&mut harness, 100.0, 1, None, false), REMEMBERED);
    assert_eq!(after(&mut harness, 110.0, 2, None, true), until(170));
    assert_eq!(after(&mut harness, 120.0, 3, None, false), along_with(170));
    let elsewhere = after(&mut harness, 130.0, 4, Some(""), true);
    assert_eq!(elsewhere, Decision::OffBranch);
    assert_eq!(after(&mut harness, 140.0, 5, None, true), until(200));
    assert_eq!(harness.sets(1000.0), [(200.0, vec![1, 2, 3, 5])]);
    // Long past by its own clock: the timer runs for a second (SCH-05).
    harness.change(2000.0, 6, Some(10.0), None, "important");
    assert_eq!(harness.decisions, [until(2001)]);
    harness.registry.stop(0);
    let stopped = after(&mut harness, 2000.5, 7, None, true);
    assert_eq!(stopped, Decision::Stopped);
}

#[test]
fn without_a_timer_a_change_is_built_at_once_or_dropped() {
    let mut harness = Harness::new(config(None));
    assert_eq!(
        after(&mut harness, 1.0, 1, None, true),
        Decision::BuiltAtOnce
    );
    assert_eq!(after(&mut harness, 2.0, 2, None, false), Decision::Dropped);
    let mut settings = config(Some(60));
    of(&mut settings).rules.only_important = true;
    let mut harness = Harness::new(settings);
    assert_eq!(after(&mut harness, 1.0, 1, None, false), Decision::Dropped);
}

#[test]
fn a_filter_names_the_first_field_that_it_refuses() {
    let is = |text: &str| Some(TextMatch::one_of(vec![Some(text.to_owned())]));
    for field in [
        FilterField::Project,
        FilterField::Repository,
        FilterField::Category,
        FilterField::Codebase,
        FilterField::Branch,
        FilterField::Who,
        FilterField::Files,
    ] {
        let mut settings = config(Some(60));
        let filter = &mut of(&mut settings).rules.filter;
        if field == FilterField::Files {
            filter.files = Some(FilePatterns::from_globs(&["other"], &[]).unwrap());
        }
        let wanted = match field {
            FilterField::Project => &mut filter.project,
            FilterField::Repository => &mut filter.repository,
            FilterField::Category => &mut filter.category,
            FilterField::Codebase => &mut filter.codebase,
            FilterField::Branch => &mut filter.branch,
            FilterField::Who => &mut filter.who,
            FilterField::Files | FilterField::When => &mut None,
        };
        *wanted = is("other");
        let mut harness = Harness::new(settings);
        let decision = after(&mut harness, 1.0, 1, None, true);
        assert_eq!(decision, Decision::Filtered { by: field });
        assert_eq!(harness.sets(1000.0), []);
    }
}

#[test]
fn an_any_branch_speaks_of_the_timer_of_the_branch() {
    let listed = Some(vec![None, Some("rel".to_owned())]);
    let kind = any_branch(listed, tree_stable(Some(60)));
    let mut harness = Harness::new(config_of("any", kind));
    assert_eq!(after(&mut harness, 100.0, 1, None, true), until(160));
    assert_eq!(
        after(&mut harness, 110.0, 2, Some("rel"), false),
        REMEMBERED
    );
    assert_eq!(after(&mut harness, 120.0, 3, Some("rel"), true), until(180));
    let unlisted = after(&mut harness, 130.0, 4, Some("x"), true);
    assert_eq!(unlisted, Decision::BranchNotListed);
    assert_eq!(
        harness.sets(1000.0),
        [(160.0, vec![1]), (180.0, vec![2, 3])]
    );

    let mut settings = tree_stable(None);
    settings.rules.filter.category = Some(TextMatch::one_of(vec![Some("c".to_owned())]));
    let mut harness = Harness::new(config_of("any", any_branch(None, settings)));
    let by = FilterField::Category;
    let refused = after(&mut harness, 1.0, 1, None, true);
    assert_eq!(refused, Decision::Filtered { by });
    let kind = any_branch(None, tree_stable(None));
    let mut harness = Harness::new(config_of("any", kind));
    assert_eq!(
        after(&mut harness, 1.0, 1, None, true),
        Decision::BuiltAtOnce
    );
    assert_eq!(after(&mut harness, 1.0, 2, None, false), Decision::Dropped);
}

#[test]
fn those_by_the_clock_keep_changes_for_the_run_if_they_build_any() {
    let what = TimedBuild {
        only_if_changed: Some(rules()),
        ..TimedBuild::default()
    };
    let mut settings = nightly(3);
    settings.what = what.clone();
    let mut often = periodic(1000, false);
    periodic_of(&mut often).what = what;
    let at_three = 3 * 3600;
    for (settings, at) in [(night(settings), at_three), (often, 1000)] {
        let mut harness = Harness::start(0.0, vec![settings]);
        assert_eq!(after(&mut harness, 10.0, 1, None, false), REMEMBERED);
        let kept = Decision::KeptForRun {
            at: Some(Timestamp::from_secs(at)),
        };
        assert_eq!(after(&mut harness, 20.0, 2, None, true), kept);
        assert_eq!(after(&mut harness, 30.0, 3, None, false), along_with(at));
        let elsewhere = after(&mut harness, 40.0, 4, Some("rel"), true);
        assert_eq!(elsewhere, Decision::OffBranch);
        let end = Timestamp::from_secs(at).as_secs_f64();
        assert_eq!(harness.sets(end), [(end, vec![1, 2, 3])]);
    }
}

#[test]
fn who_looks_at_no_changes_says_what_it_waits_for() {
    let jobdir = TryJobdirConfig {
        jobdir: "jobs".into(),
        max_job_size: 1,
        poll_interval: Duration::from_secs(10),
        branches: None,
        codebases: Codebases::default(),
    };
    let userpass = TryUserpassConfig {
        ports: Vec::new(),
        users: Vec::new(),
        branches: None,
        codebases: Codebases::default(),
    };
    let all = vec![
        periodic(100, false),
        night(nightly(3)),
        dependent("after", "hourly"),
        config_of(
            "triggered",
            SchedulerKind::Triggerable(TriggerableConfig::default()),
        ),
        config_of("jobdir", SchedulerKind::TryJobdir(jobdir)),
        config_of("userpass", SchedulerKind::TryUserpass(userpass)),
    ];
    let mut harness = Harness::start(0.0, all);
    harness.change(10.0, 1, None, None, "important");
    let expected = [
        Instead::Clock,
        Instead::Clock,
        Instead::Upstream,
        Instead::Trigger,
        Instead::TryJobs,
        Instead::TryJobs,
    ];
    let expected = expected.map(|instead| Decision::LooksAtNone { instead });
    assert_eq!(harness.decisions, expected);
}
