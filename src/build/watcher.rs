//! The rules of a step on the lines of its commands (CFL-113), and what its expressions may ask of
//! them (CFL-116). Pure, but for writing the lines into further logs and telling the counts.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::lines::LineObserver;
use super::steplogs::StepLogs;
use crate::config::{Lines, StepRules, TESTS, WatchRule};
use crate::logs::Channel;
use crate::model::{Op, Results, Timestamp};

/// What is remembered of the commands of a step while they run.
#[derive(Debug)]
pub(super) struct Watcher<'a> {
    rules: &'a [WatchRule],
    /// For each rule, whether it is between its two lines.
    between: Vec<bool>,
    /// The worst result that a rule gives.
    pub(super) worst: Option<Results>,
    counts: BTreeMap<&'a str, i64>,
    /// By what the progress of the step is estimated.
    metrics: &'a [String],
    /// The tests that its kind has counted.
    tests: Option<u64>,
    /// What was last told of its progress, and when.
    told: Option<(Timestamp, BTreeMap<String, u64>)>,
    /// The properties that rules give, by name.
    pub(super) properties: BTreeMap<&'a str, String>,
    /// The links that rules give, by name.
    pub(super) links: BTreeMap<&'a str, String>,
    /// Lines for further logs, with the names of those.
    lines: Vec<(&'a str, Bytes)>,
    keeps_output: bool,
    output: Vec<u8>,
    /// The exit status of the last command.
    pub(super) rc: Option<i64>,
}

impl<'a> Watcher<'a> {
    /// For a step with these rules and metrics.
    pub(super) fn new(rules: &'a StepRules, metrics: &'a [String]) -> Self {
        Self {
            rules: &rules.watch,
            between: vec![false; rules.watch.len()],
            worst: None,
            counts: rules.counts().map(|name| (name, 0)).collect(),
            metrics,
            tests: None,
            told: None,
            properties: BTreeMap::new(),
            links: BTreeMap::new(),
            lines: Vec::new(),
            keeps_output: rules.keeps_output,
            output: Vec::new(),
            rc: None,
        }
    }

    /// Whether it looks at lines.
    pub(super) fn has_rules(&self) -> bool {
        !self.rules.is_empty()
    }

    /// Keeps the beginning of the standard output, if somebody asks for it.
    pub(super) fn hear(&mut self, data: &[u8]) {
        if self.keeps_output {
            let room = MAX_OUTPUT_BYTES.saturating_sub(self.output.len());
            self.output.extend(data.iter().take(room));
        }
    }

    /// The standard output as text.
    pub(super) fn output(&self) -> Value {
        String::from_utf8_lossy(&self.output).into()
    }

    /// What was counted; what never happened is 0.
    pub(super) fn counts(&self) -> Value {
        let counts = self.counts.iter();
        counts
            .map(|(name, count)| ((*name).to_owned(), Value::from(*count)))
            .collect()
    }

    /// The counts by which the progress of the step is estimated, without those that are 0.
    pub(super) fn progress(&self) -> BTreeMap<String, u64> {
        let counts = self.counts.iter();
        let counts = counts.filter_map(|(name, count)| Some((*name, u64::try_from(*count).ok()?)));
        let tests = self.tests.map(|tests| (TESTS, tests));
        let is_metric = |name: &str| self.metrics.iter().any(|metric| metric == name);
        tests
            .into_iter()
            .chain(counts)
            .filter(|(name, count)| *count > 0 && is_metric(name))
            .map(|(name, count)| (name.to_owned(), count))
            .collect()
    }

    /// What is to be told of its progress at this time: not too often, and only what is new.
    fn progress_to_tell(&mut self, clock: &dyn Fn() -> Timestamp) -> Option<BTreeMap<String, u64>> {
        let counts = self.progress();
        let is_old = match &self.told {
            Some((_, told)) => *told == counts,
            None => counts.is_empty(),
        };
        if is_old {
            return None;
        }
        let now = clock();
        if let Some((at, _)) = &self.told
            && now.since(*at) < TELL_EVERY
        {
            return None;
        }
        self.told = Some((now, counts.clone()));
        Some(counts)
    }

    /// Tells the progress of the step whose logs these are.
    pub(super) async fn tell_progress(&mut self, logs: &StepLogs<'_>) {
        let around = logs.around;
        if let Some(counts) = self.progress_to_tell(&*around.clock) {
            let (build, index) = (around.plan.build, logs.index);
            let op = Op::StepCounted {
                build,
                index,
                counts,
            };
            around.journal.write(vec![op]).await;
        }
    }

    /// Looks at a line of `log`, which is that of the commands' own output if `is_main`.
    pub(super) fn look(&mut self, log: &str, is_main: bool, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        for (rule, between) in self.rules.iter().zip(&mut self.between) {
            let is_asked = rule
                .log_in
                .as_deref()
                .map_or(is_main, |wanted| wanted == log);
            if !is_asked {
                continue;
            }
            match &rule.lines {
                Lines::Match(pattern) => {
                    let Some((whole, group)) = pattern.find(&text) else {
                        continue;
                    };
                    if let Some(result) = rule.result {
                        self.worst = Some(self.worst.map_or(result, |worst| worst.worse(result)));
                    }
                    if let Some(count) = rule.count.as_deref() {
                        let number = group.and_then(|group| group.parse().ok()).unwrap_or(1);
                        let sum = self.counts.entry(count).or_default();
                        *sum = sum.saturating_add(number);
                    }
                    let word = group.unwrap_or(whole);
                    let is_link = word.starts_with("http://") || word.starts_with("https://");
                    if let Some(url) = rule.url.as_deref().filter(|_| is_link) {
                        self.links.insert(url, word.to_owned());
                    }
                    if let Some(property) = rule.property.as_deref() {
                        self.properties.insert(property, word.to_owned());
                    }
                }
                Lines::Between(from, to) => {
                    if !*between {
                        *between = from.is_match(&text);
                        if !*between {
                            continue;
                        }
                    } else if to.as_ref().is_some_and(|to| to.is_match(&text)) {
                        *between = false;
                    }
                }
            }
            if let Some(log) = rule.log.as_deref() {
                let line: Bytes = line.iter().chain(b"\n").copied().collect();
                self.lines.push((log, line));
            }
        }
    }

    /// Writes the lines that were found into their logs.
    pub(super) async fn flush(&mut self, logs: &mut StepLogs<'_>) {
        for (log, line) in self.lines.drain(..) {
            logs.add_to(log, line).await;
        }
    }
}

/// Both who look at the lines of a command: the kind of the step, and its rules.
pub(super) struct Both<'e, 'l, 'a> {
    pub(super) kind: Option<&'e mut (dyn LineObserver + 'l)>,
    pub(super) watcher: &'e mut Watcher<'a>,
    /// The log of the command's own output.
    pub(super) main_log: &'e str,
}

impl LineObserver for Both<'_, '_, '_> {
    fn line(&mut self, log: &str, channel: Channel, line: &[u8]) {
        if let Some(kind) = &mut self.kind {
            kind.line(log, channel, line);
            self.watcher.tests = kind.tests();
        }
        if self.watcher.has_rules() {
            self.watcher.look(log, log == self.main_log, line);
        }
    }
}

/// Progress is told at most this often: it is written to the state.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// So much of the output is kept (CFL-116).
const MAX_OUTPUT_BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;
    use crate::config::WatchPattern;

    fn text(rule: &Value, key: &str) -> Option<String> {
        rule.get(key).map(|text| text.as_str().unwrap().to_owned())
    }

    fn rule(rule: &Value) -> WatchRule {
        let pattern = |key| text(rule, key).map(|text| WatchPattern::new(&text).unwrap());
        WatchRule {
            log_in: text(rule, "in"),
            lines: match pattern("match") {
                Some(pattern) => Lines::Match(pattern),
                None => Lines::Between(pattern("from").unwrap(), pattern("to")),
            },
            result: text(rule, "result").map(|name| Results::from_name(&name).unwrap()),
            count: text(rule, "count"),
            log: text(rule, "log"),
            url: text(rule, "url"),
            property: text(rule, "property"),
        }
    }

    #[test]
    fn cfl_113_rules_find_what_the_cases_say() {
        let cases = include_str!("../../tests/data/config-cases.json");
        let cases: Value = serde_json::from_str(cases).unwrap();
        let cases = cases["watch"].as_array().unwrap();
        assert_eq!(cases.len(), 10);
        for case in cases {
            let rules = StepRules {
                watch: case["watch"].as_array().unwrap().iter().map(rule).collect(),
                ..StepRules::default()
            };
            let mut watcher = Watcher::new(&rules, &[]);
            for line in case["lines"].as_array().unwrap() {
                watcher.look("stdio", true, line.as_str().unwrap().as_bytes());
            }
            let result = Results::from_name(case["result"].as_str().unwrap()).unwrap();
            let mut logs: BTreeMap<&str, Vec<String>> = BTreeMap::new();
            for (log, line) in &watcher.lines {
                let line = String::from_utf8(line.to_vec()).unwrap();
                logs.entry(log)
                    .or_default()
                    .push(line.trim_end().to_owned());
            }
            let got = json!({
                "result": watcher.worst.map_or(result, |worst| worst.worse(result)).as_str(),
                "count": watcher.counts(),
                "logs": logs,
                "properties": watcher.properties,
                "urls": watcher.links,
            });
            assert_eq!(got, case["becomes"], "{}", case["id"]);
        }
    }

    #[test]
    fn a_rule_looks_at_its_own_log_only() {
        let of_log = rule(&json!({ "in": "test.log", "match": "x", "count": "n" }));
        let of_output = rule(&json!({ "match": "x", "count": "m" }));
        let rules = StepRules {
            watch: vec![of_log, of_output],
            ..StepRules::default()
        };
        let mut watcher = Watcher::new(&rules, &[]);
        watcher.look("stdio", true, b"x");
        watcher.look("test.log", false, b"x");
        watcher.look("test.log", false, b"\xffx");
        assert_eq!(watcher.counts(), json!({ "n": 2, "m": 1 }));
    }

    #[test]
    fn cfl_116_no_more_than_the_beginning_of_the_output_is_kept_and_only_if_it_is_asked_for() {
        for keeps_output in [false, true] {
            let rules = StepRules {
                keeps_output,
                ..StepRules::default()
            };
            let mut watcher = Watcher::new(&rules, &[]);
            for _ in 0..20 {
                watcher.hear(&vec![b'x'; 100_000]);
            }
            let expected = if keeps_output { 1 << 20 } else { 0 };
            assert_eq!(watcher.output().as_str().unwrap().len(), expected);
        }
    }

    #[test]
    fn prg_01_what_a_step_counts_is_told_when_it_is_new_and_not_too_often() {
        let rules = StepRules {
            watch: vec![
                rule(&json!({ "match": "^ok", "count": "cases" })),
                rule(&json!({ "match": "^#", "count": "comments" })),
            ],
            ..StepRules::default()
        };
        let metrics = ["output", "cases", "tests"].map(str::to_owned);
        let mut watcher = Watcher::new(&rules, &metrics);
        let at = |watcher: &mut Watcher<'_>, secs| {
            let told = watcher.progress_to_tell(&move || Timestamp::from_secs(secs));
            told.map(|counts| counts["cases"])
        };
        assert_eq!(at(&mut watcher, 0), None);
        watcher.look("stdio", true, b"ok 1");
        watcher.look("stdio", true, b"# a comment");
        assert_eq!(at(&mut watcher, 1), Some(1));
        watcher.look("stdio", true, b"ok 2");
        assert_eq!(at(&mut watcher, 5), None);
        assert_eq!(at(&mut watcher, 6), Some(2));
        assert_eq!(at(&mut watcher, 60), None);
        watcher.tests = Some(7);
        let counts = [("cases", 2), ("tests", 7)].map(|(name, n)| (name.to_owned(), n));
        assert_eq!(watcher.progress(), counts.into());
    }
}
