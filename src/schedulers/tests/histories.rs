//! Random histories of five repositories whose branches have the same names (CBS-02).

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// What happens, some seconds after what was before.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// A change of this repository or codebase, on this branch, important or not.
    Change(usize, usize, bool),
    /// The master is started again.
    Restart,
    /// The configuration is read again.
    Reconfigure,
    /// The oldest set that has not finished ends.
    Finish,
}

const REPOSITORIES: [(&str, &str, &str); 5] = [
    ("one", "", ""),
    ("two", "", ""),
    ("two", "project", ""),
    ("two", "", "core"),
    ("", "", ""),
];

const BRANCHES: [Option<&str>; 3] = [None, Some("main"), Some("")];

/// An event, whose changes are of this number of repositories or codebases, and of branches.
pub(super) fn event(repositories: usize, branches: usize) -> impl Strategy<Value = (f64, Event)> {
    let change = (0..repositories, 0..branches, prop::bool::weighted(0.7));
    let event = prop_oneof![
        8 => change.prop_map(|(r, b, i)| Event::Change(r, b, i)),
        1 => Just(Event::Restart),
        1 => Just(Event::Reconfigure),
        2 => Just(Event::Finish),
    ];
    let after = prop_oneof![0.0..5.0, 0.0..100.0, 0.0..40_000.0];
    (after.prop_map(f64::round), event)
}

/// One of each kind that builds changes, and one that follows.
fn configs() -> Vec<SchedulerConfig> {
    let what = |branch: Option<&str>| TimedBuild {
        branch: branch.map(str::to_owned),
        only_if_changed: Some(rules()),
        ..TimedBuild::default()
    };
    let mut daily = nightly(3);
    daily.what = what(Some("main"));
    let mut often = periodic(300, true);
    periodic_of(&mut often).what = what(None);
    vec![
        config_of("quick", single_branch(Some("main"), tree_stable(Some(60)))),
        config_of("any", any_branch(None, tree_stable(Some(30)))),
        config_of("now", any_branch(None, tree_stable(None))),
        dependent("after", "any"),
        often,
        night(daily),
    ]
}

/// How many histories are tried: more with `SLOW_TESTS=1`.
pub(super) fn histories() -> u32 {
    match std::env::var_os("SLOW_TESTS") {
        Some(_) => 100_000,
        None => 1000,
    }
}

/// Schedulers that have lived through `events`, and then for more than a day. `change` makes a
/// change of its number, its arrival, and what its event says.
pub(super) fn live(
    events: &[(f64, Event)],
    configs: fn() -> Vec<SchedulerConfig>,
    mut change: impl FnMut(u64, Timestamp, usize, usize, bool) -> Arc<Change>,
) -> Harness {
    let mut at = 1e6;
    let mut harness = Harness::start(at, configs());
    let mut finished = 0;
    for (number, (after, event)) in (1..).zip(events) {
        at += after;
        harness.run_until(at);
        match *event {
            Event::Change(repository, branch, is_important) => {
                let change = change(number, harness.wall(at), repository, branch, is_important);
                harness.offer(at, change);
            }
            Event::Restart => harness.restart_all(at, configs()),
            Event::Reconfigure => harness.reconfigure(at, configs()),
            Event::Finish => {
                if finished < harness.submissions.len() {
                    harness.finish(at, finished, true);
                    finished += 1;
                }
            }
        }
    }
    harness.run_until(at + 100_000.0);
    harness
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(histories()))]

    #[test]
    fn cbs_02_no_stamp_ever_holds_changes_of_two_trees(
        events in proptest::collection::vec(event(REPOSITORIES.len(), BRANCHES.len()), 1..30),
    ) {
        let mut important = BTreeSet::new();
        let harness = live(&events, configs, |number, at, repository, branch, is_important| {
            if is_important {
                important.insert(number);
            }
            change(number, at, repository, branch, is_important)
        });
        prop_assert_eq!(&harness.problems, &[""; 0]);
        let mut built: BTreeMap<(SchedulerName, u64), usize> = BTreeMap::new();
        for set in &harness.submissions {
            let stamp = set.stamps.first();
            for change in &stamp.changes {
                let own = (&change.branch, &change.repository, &change.project, &change.codebase);
                let of_stamp = (&stamp.branch, &stamp.repository, &stamp.project, &stamp.codebase);
                prop_assert_eq!(own, of_stamp, "{:?}", set);
                let count = built.entry((set.scheduler.clone(), change.number.0)).or_default();
                *count += 1;
            }
        }
        // No change is in two sets of a scheduler, and each important one is in one.
        prop_assert!(built.values().all(|count| *count == 1), "{:?}", built);
        for number in important {
            for name in ["any", "now"] {
                prop_assert!(built.contains_key(&(name.into(), number)), "{name} {number}");
            }
        }
    }
}

fn change(
    number: u64,
    arrived_at: Timestamp,
    repository: usize,
    branch: usize,
    is_important: bool,
) -> Arc<Change> {
    let (repository, project, codebase) = REPOSITORIES[repository];
    Arc::new(Change {
        number: ChangeNumber(number),
        arrived_at,
        when: arrived_at,
        content: NewChange {
            repository: repository.to_owned(),
            project: project.to_owned(),
            codebase: codebase.to_owned(),
            branch: BRANCHES[branch].map(str::to_owned),
            files: vec![file(is_important).to_owned()],
            ..NewChange::default()
        },
    })
}
