//! The data file on times and trees.

use serde::Deserialize;

use super::*;
use crate::config::{CodebaseSource, LongestWait};
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
    codebases: BTreeMap<String, Codebase>,
    #[serde(default)]
    repositories: Vec<Registered>,
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
struct Codebase {
    branch: Option<String>,
    revision: Option<String>,
}

/// A row of the register.
#[derive(Deserialize)]
struct Registered {
    name: String,
    urls: Vec<String>,
    #[serde(default)]
    codebase: String,
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
    #[serde(default)]
    codebase: String,
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
    #[serde(default)]
    decisions: Vec<(u64, String)>,
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

#[derive(Debug, Deserialize, PartialEq)]
struct Stamp {
    repository: Option<String>,
    codebase: Option<String>,
    branch: Option<String>,
    revision: Option<String>,
    changes: Vec<u64>,
}

impl Stamp {
    /// What `stamp` says, as far as the case says it.
    fn of(&self, stamp: &SourceStamp) -> Self {
        let said = |own: &Option<String>, text: &String| own.as_ref().map(|_| text.clone());
        Self {
            repository: said(&self.repository, &stamp.repository),
            codebase: said(&self.codebase, &stamp.codebase),
            branch: stamp.branch.clone().filter(|_| self.branch.is_some()),
            revision: stamp.revision.clone().filter(|_| self.revision.is_some()),
            changes: stamp.changes.iter().map(|change| change.number.0).collect(),
        }
    }
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
        let codebases = self.codebases.iter().map(|(name, codebase)| {
            let source = CodebaseSource {
                branch: codebase.branch.clone(),
                revision: codebase.revision.clone(),
                ..CodebaseSource::default()
            };
            (name.clone(), source)
        });
        settings.codebases = codebases.collect();
        let branch = self.events.first().and_then(|e| e.branch.clone());
        config_of("quick", single_branch(branch.as_deref(), settings))
    }
}

impl Event {
    fn change(&self, arrived_at: Timestamp, register: &[Registered]) -> Arc<Change> {
        let mut register = register.iter();
        let url = self
            .repository
            .trim_end_matches('/')
            .trim_end_matches(".git");
        let known = register.find(|row| row.urls.iter().any(|known| known == url));
        let (repository, codebase) = match known {
            Some(row) => (&row.name, &row.codebase),
            None => (&self.repository, &self.codebase),
        };
        let content = NewChange {
            branch: self.branch.clone(),
            repository: repository.clone(),
            codebase: codebase.clone(),
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
        let change = event.change(harness.wall(event.at), &given.repositories);
        harness.offer(event.at, change);
        for (_, why) in case
            .expect
            .decisions
            .iter()
            .filter(|(id, _)| *id == event.id)
        {
            let [decision] = &harness.decisions[..] else {
                panic!("{}: {:?}", case.id, harness.decisions);
            };
            let words = decision.sentence(|_| String::new());
            let words = words.replace("not counted: its codebase is", "codebase");
            assert_eq!(words, *why, "{}", case.id);
        }
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
    assert_eq!(harness.sets.len(), case.expect.sets.len(), "{}", case.id);
    let submitted = harness.sets.iter().zip(&harness.submissions);
    for ((set, submission), expected) in submitted.zip(&case.expect.sets) {
        let at = expected.after_seconds.map(|after| first + after);
        assert_eq!(Some(set.at), expected.at.or(at), "{}", case.id);
        let stamps: Vec<_> = submission.stamps.iter().collect();
        match expected.stamps.as_slice() {
            [] => assert_eq!(set.changes, expected.changes, "{}", case.id),
            all => {
                assert_eq!(stamps.len(), all.len(), "{}", case.id);
                for (stamp, expected) in stamps.into_iter().zip(all) {
                    assert_eq!(expected.of(stamp), *expected, "{}", case.id);
                }
            }
        }
    }
    let unusable = given.events.iter().filter_map(|event| {
        let arrived_at = Timestamp::from_secs_f64(event.at);
        let why = event.change(arrived_at, &[]).usable_when().err();
        Some((event.id, UnusableTime::as_str(why?).to_owned()))
    });
    let unusable: Vec<_> = unusable.collect();
    assert_eq!(unusable, case.expect.not_used, "{}", case.id);
}

#[test]
fn all_cases_of_times_and_trees() {
    let cases: Cases =
        serde_json::from_str(include_str!("../../../tests/data/told-cases.json")).unwrap();
    assert_eq!(cases.cases.len(), 31);
    cases.cases.iter().for_each(run);
}
