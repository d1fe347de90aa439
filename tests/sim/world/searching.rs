//! Culprit searches, begun, stopped and gone on with at random. Each comes to its end, what they
//! ask for stands behind everything that people wait for, and none accuses a wrong change (SRH-05,
//! SRH-11, SRH-13, SRH-14).

use std::collections::{BTreeMap, BTreeSet};

use buildmaster::botmaster::{Answer, Ask, Input, Probe, ReplyId};
use buildmaster::model::{
    BuildId, BuilderName, ChangeNumber, Line, RequestId, Results, Said, SearchNumber, SearchRecord,
    SourceStamp, Timestamp, Verdict,
};
use buildmaster::verdict::{Next, go_on, stopped};
use rand::RngExt;

use super::World;

/// Searches that go on at once.
const MOST: usize = 3;

/// A search on record.
#[derive(Debug)]
pub struct Search {
    pub record: SearchRecord,
    /// The first point that fails.
    breaks: usize,
    pub verdict: Option<Verdict>,
}

/// What is known of the searches besides what is on record.
#[derive(Debug, Default)]
pub struct Searching {
    /// What was asked for and not answered yet.
    probing: BTreeMap<ReplyId, SearchNumber>,
    /// Requests of searches that are over, which were ended.
    ended: BTreeSet<RequestId>,
    /// Requests of searches that were in the queue after the last input.
    queued: BTreeSet<RequestId>,
}

impl Searching {
    /// The master begins.
    pub fn begin(&mut self) {
        *self = Self::default();
    }
}

impl World {
    pub(super) fn begin_search(&mut self) {
        let open = self.disk.searches.values().filter(|s| s.verdict.is_none());
        if open.count() >= MOST {
            return;
        }
        let last = self.disk.searches.keys().next_back();
        let number = last.copied().unwrap_or_default().next();
        let changes = self.rng.random_range(1..=8);
        let at = self.rng.random_range(0..self.config.builders.len());
        let step = self.rng.random_bool(0.5).then(|| "test".to_owned());
        let record = SearchRecord {
            number,
            problem: None,
            builder: self.config.builders[at].name.clone(),
            line: Line::default(),
            step,
            test: None,
            is_absent_before: false,
            symptoms: Vec::new(),
            points: (0..=changes).map(ChangeNumber).collect(),
            width: [None, Some(1), Some(3)][self.rng.random_range(0..3)],
            runs: self.rng.random_range(1..=2),
            max_builds: [None, Some(4)][usize::from(self.rng.random_bool(0.1))],
            passed_before: [0, 100][self.rng.random_range(0..2)],
            has_failed_alone: false,
            seeks_fix: false,
            guess: None,
            inside: None,
            who: "me".to_owned(),
            at: Timestamp(0),
        };
        let search = Search {
            breaks: usize::try_from(self.rng.random_range(1..=changes)).unwrap(),
            record,
            verdict: None,
        };
        self.disk.searches.insert(number, search);
        self.move_searches();
    }

    /// Goes on with the first search with which something is to be done; answers whether there was
    /// one.
    pub(super) fn move_searches(&mut self) -> bool {
        let numbers: Vec<_> = self.disk.searches.keys().copied().collect();
        numbers.into_iter().any(|number| self.move_search(number))
    }

    fn move_search(&mut self, number: SearchNumber) -> bool {
        if self.searching.probing.values().any(|&it| it == number) {
            return false;
        }
        if self.disk.searches[&number].verdict.is_some() {
            return self.end_what_is_left(number);
        }
        let idle = self.rng.random_range(1..=3);
        let record = &self.disk.searches[&number].record;
        match go_on(record, &BTreeMap::new(), &self.said(number), idle) {
            Next::Ask(points) if points.is_empty() => return false,
            Next::Ask(points) => {
                for point in points {
                    self.probe(number, point);
                }
            }
            Next::Over(verdict) => self.conclude(number, verdict),
        }
        true
    }

    fn probe(&mut self, number: SearchNumber, point: usize) {
        let reply = self.new_reply();
        self.searching.probing.insert(reply, number);
        let record = &self.disk.searches[&number].record;
        let stamp = SourceStamp {
            revision: Some(format!("p{point}")),
            ..SourceStamp::default()
        };
        let probe = Box::new(Probe {
            search: number,
            point: u32::try_from(point).unwrap(),
            builder: record.builder.clone(),
            stamps: stamp.into(),
            step: record.step.clone(),
        });
        self.input(Input::Asked {
            ask: Ask::Probe(probe),
            reply,
        });
    }

    /// What the requests of a search have said that ended: the last build of each.
    fn said(&self, number: SearchNumber) -> Vec<(usize, Option<Said>)> {
        let its = self.disk.asks.iter().filter(|(_, ask)| ask.0 == number);
        let said = its.map(|(request, &(_, point))| {
            let request = &self.disk.requests[request];
            let last = request
                .build
                .and_then(|build| self.disk.builds[&build].finished);
            let said = request.finished.map(|_| match last {
                Some(Results::Success | Results::Warnings) => Said::Pass,
                Some(Results::Failure) => Said::Fail,
                _ => Said::Unclear,
            });
            (point, said)
        });
        said.collect()
    }

    /// Somebody stops a search.
    pub(super) fn stop_search(&mut self) {
        let mut open = self.disk.searches.iter();
        let open = open.find(|(_, search)| search.verdict.is_none());
        if let Some((&number, search)) = open {
            let verdict = stopped(&search.record, &BTreeMap::new(), &self.said(number));
            self.conclude(number, verdict);
        }
    }

    /// A verdict may name the right change, or leave more of them in question; where every point
    /// tells the truth, nothing else is to blame.
    fn conclude(&mut self, number: SearchNumber, verdict: Verdict) {
        let search = self.disk.searches.get_mut(&number).unwrap();
        let breaks = search.breaks;
        match verdict {
            Verdict::Found {
                good,
                bad,
                is_not_monotone,
                is_flaky,
            } => {
                assert_eq!((good + 1, bad), (breaks, breaks), "SRH-17: {search:?}");
                assert!(!is_not_monotone && !is_flaky, "GRD-07: {search:?}");
            }
            Verdict::Range { good, bad } | Verdict::Stopped { good, bad } => {
                assert!(good < breaks && breaks <= bad, "SRH-07: {search:?}");
            }
            Verdict::Unknown { .. } => {}
            Verdict::Flaky | Verdict::Environment => panic!("SRH-05: {verdict:?} of {search:?}"),
        }
        search.verdict = Some(verdict);
    }

    /// SRH-13: what a search that is over has asked for ends.
    fn end_what_is_left(&mut self, number: SearchNumber) -> bool {
        let mut its = self.disk.asks.iter().filter(|(_, ask)| ask.0 == number);
        let left = its.find(|(request, _)| {
            let is_open = self.disk.requests[*request].finished.is_none();
            is_open && !self.searching.ended.contains(*request)
        });
        let Some((&request, _)) = left else {
            return false;
        };
        self.searching.ended.insert(request);
        let reply = self.new_reply();
        let reason = "its search is over".to_owned();
        self.input(Input::Asked {
            ask: Ask::EndProbe { request, reason },
            reply,
        });
        true
    }

    /// A search is answered with its set, which is on disk with what it is for (SRH-14). One whose
    /// builder is gone cannot go on.
    pub(super) fn on_probed(&mut self, reply: ReplyId, result: &Result<Answer, String>) {
        let Some(number) = self.searching.probing.remove(&reply) else {
            return;
        };
        match result {
            Ok(Answer::Set(set)) => {
                let mut requests = set.requests.iter().map(|(request, _)| request);
                let is_known = |request| self.disk.asks[request].0 == number;
                assert!(requests.all(is_known), "not durable");
            }
            Ok(answer) => panic!("a search is answered with its set: {answer:?}"),
            Err(_) if self.disk.searches[&number].verdict.is_some() => {}
            Err(_) => {
                let record = &self.disk.searches[&number].record;
                let verdict = stopped(record, &BTreeMap::new(), &self.said(number));
                self.conclude(number, verdict);
            }
        }
    }

    /// What becomes of a build that nobody has stopped: one of a search tells the truth about its
    /// point, if it can be told.
    pub(super) fn truth(&self, build: BuildId, result: Results) -> Results {
        let first = self.disk.builds[&build].start.requests.first();
        let Some((search, point)) = first.and_then(|request| self.disk.asks.get(request)) else {
            return result;
        };
        match result {
            Results::Success | Results::Warnings | Results::Failure => {
                match *point < self.disk.searches[search].breaks {
                    true => Results::Success,
                    false => Results::Failure,
                }
            }
            other => other,
        }
    }

    /// Whether all searches are over.
    pub(super) fn has_no_searches(&self) -> bool {
        let mut searches = self.disk.searches.values();
        searches.all(|search| search.verdict.is_some())
    }

    /// The builders for which people wait.
    pub(super) fn waited_for(&self) -> BTreeSet<BuilderName> {
        let builders = self.config.builders.iter().map(|b| &b.name);
        let is_of_people = |request: &RequestId| !self.disk.asks.contains_key(request);
        let waited = builders.filter(|name| self.core.queued(name).iter().any(is_of_people));
        waited.cloned().collect()
    }

    /// SRH-11: no build of a search begins to start while people wait for its builder. What was
    /// asked may have been ended instead, so only what slaves and the disk say counts.
    pub(super) fn check_searches(&mut self) {
        let mut queued = BTreeSet::new();
        for builder in &self.config.builders {
            let all = self.core.queued(&builder.name);
            let of_search = |request: &&RequestId| self.disk.asks.contains_key(*request);
            queued.extend(all.iter().filter(of_search).copied());
            let has_rule = builder.slave_rules.slave_if.is_some() || builder.slave_check.is_some();
            let is_waited_for = all.iter().any(|request| !of_search(&request));
            if !self.hears_slaves || has_rule || !is_waited_for {
                continue;
            }
            let begun = self.searching.queued.iter().find(|request| {
                let it = &self.disk.requests[*request];
                it.builder == builder.name && it.finished.is_none() && !all.contains(*request)
            });
            assert_eq!(begun, None, "SRH-11: {} is waited for", builder.name);
        }
        self.searching.queued = queued;
    }
}
