//! The data file on times and trees.

use serde::Deserialize;

use super::*;
use crate::config::LongestWait;
use crate::model::UnusableTime;

#[derive(Deserialize)]
struct Cases {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    given: Given,
    expect: Expect,
}

#[derive(Deserialize)]
struct Given {
    tree_stable_timer: OneOrMore,
    separate: Option<bool>,
    #[serde(default)]
    settings: Settings,
    #[serde(default)]
    events: Vec<Event>,
    /// What an older version has stored.
    stored: Option<Value>,
    change: Option<StoredChange>,
    restart_at: Option<f64>,
    reconfigured_at: Option<f64>,
    clock: Option<Step>,
    /// When the master is stopped, and when it is started again.
    stopped: Option<(f64, f64)>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(u64),
    More(Vec<u64>),
}

#[derive(Default, Deserialize)]
struct Settings {
    timer_from: Option<String>,
    /// Given and null: without a limit.
    #[serde(default, deserialize_with = "given")]
    longest: Option<Option<u64>>,
}

fn given<'d, D: serde::Deserializer<'d>>(from: D) -> Result<Option<Option<u64>>, D::Error> {
    Option::deserialize(from).map(Some)
}

#[derive(Deserialize)]
struct Event {
    id: u64,
    at: f64,
    when: Option<f64>,
    important: Option<bool>,
    branch: Option<String>,
    #[serde(default)]
    repository: String,
    #[serde(default)]
    project: String,
}

#[derive(Deserialize)]
struct StoredChange {
    id: u64,
    arrived_at: f64,
    when: f64,
}

#[derive(Deserialize)]
struct Step {
    after: f64,
    steps: f64,
}

#[derive(Deserialize)]
struct Expect {
    sets: Vec<Set>,
    #[serde(default)]
    not_used: Vec<(u64, String)>,
}

#[derive(Deserialize)]
struct Set {
    at: Option<f64>,
    after_seconds: Option<f64>,
    #[serde(default)]
    changes: Vec<u64>,
    #[serde(default)]
    stamps: Vec<Stamp>,
}

#[derive(Deserialize)]
struct Stamp {
    repository: String,
    changes: Vec<u64>,
}

impl Given {
    fn config(&self, n: usize) -> SchedulerConfig {
        let timer = match &self.tree_stable_timer {
            OneOrMore::One(timer) => *timer,
            OneOrMore::More(timers) => timers[n],
        };
        let mut settings = tree_stable(Some(timer));
        settings.rules.separate = self.separate.unwrap_or(true);
        settings.timer_from_arrival = self.settings.timer_from.as_deref() == Some("arrival");
        settings.longest_wait = match self.settings.longest {
            None => LongestWait::Usual,
            Some(None) => LongestWait::Unlimited,
            Some(Some(secs)) => LongestWait::AtMost(Duration::from_secs(secs)),
        };
        let branch = self.events.first().and_then(|e| e.branch.clone());
        config_of("quick", single_branch(branch.as_deref(), settings))
    }
}

impl Event {
    fn change(&self, arrived_at: Timestamp) -> Arc<Change> {
        let content = NewChange {
            branch: self.branch.clone(),
            repository: self.repository.clone(),
            project: self.project.clone(),
            files: vec![file(self.important.unwrap_or(true)).to_owned()],
            ..NewChange::default()
        };
        Arc::new(Change {
            number: ChangeNumber(self.id),
            arrived_at,
            when: self.when.map_or(arrived_at, Timestamp::from_secs_f64),
            content,
        })
    }
}

fn run(case: &Case) {
    let given = &case.given;
    let mut harness = Harness::start(0.0, vec![given.config(0)]);
    for event in &given.events {
        harness.run_until(event.at);
        harness.offer(event.at, event.change(harness.wall(event.at)));
    }
    if let (Some(stored), Some(change)) = (&given.stored, &given.change) {
        harness.stored = [("quick".into(), stored.clone())].into();
        let arrived_at = Timestamp::from_secs_f64(change.arrived_at);
        let change = Change {
            number: ChangeNumber(change.id),
            arrived_at,
            when: Timestamp::from_secs_f64(change.when),
            content: NewChange::default(),
        };
        harness.changes.insert(change.number, Arc::new(change));
    }
    if let Some(at) = given.restart_at {
        harness.restart(at, given.config(0));
    }
    if let Some(at) = given.reconfigured_at {
        harness.reconfigure(at, vec![given.config(1)]);
    }
    if let Some((at, again)) = given.stopped {
        harness.run_until(at);
        harness.restart(again, given.config(0));
    }
    let first = given.events.first().map_or(0.0, |event| event.at);
    if let Some(clock) = &given.clock {
        harness.run_until(first + clock.after);
        harness.ahead += clock.steps;
    }
    harness.run_until(1e10);
    assert_eq!(harness.problems, [""; 0], "{}", case.id);
    let submitted = harness.sets.iter().zip(&harness.submissions);
    let sets: Vec<_> = submitted
        .map(|(set, submission)| {
            let repository = submission.stamps.first().repository.clone();
            (set.at, repository, set.changes.clone())
        })
        .collect();
    let expected = case.expect.sets.iter().map(|set| {
        let at = set.at.or(set.after_seconds.map(|after| first + after));
        let (repository, changes) = match set.stamps.as_slice() {
            [] => (String::new(), &set.changes),
            [stamp] => (stamp.repository.clone(), &stamp.changes),
            more => panic!("{} stamps", more.len()),
        };
        (at.unwrap(), repository, changes.clone())
    });
    assert_eq!(sets, expected.collect::<Vec<_>>(), "{}", case.id);
    let unusable = given.events.iter().filter_map(|event| {
        let arrived_at = Timestamp::from_secs_f64(event.at);
        let why = event.change(arrived_at).usable_when().err();
        Some((event.id, UnusableTime::as_str(why?).to_owned()))
    });
    let unusable: Vec<_> = unusable.collect();
    assert_eq!(unusable, case.expect.not_used, "{}", case.id);
}

#[test]
fn all_cases_of_times_and_trees() {
    let cases: Cases =
        serde_json::from_str(include_str!("../../../tests/data/told-cases.json")).unwrap();
    assert_eq!(cases.cases.len(), 27);
    cases.cases.iter().for_each(run);
}
