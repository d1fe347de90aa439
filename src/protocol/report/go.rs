//! The output of `go test -json` (TST-05).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Report;
use super::book::{Found, Same, cut};
use super::lines::LineReader;
use crate::model::{TestName, TestOutcome};

/// So many packages and tests are open at once.
const MOST_OPEN: usize = 4_000;

/// A line of the output.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Line {
    action: String,
    #[serde(default)]
    package: Option<String>,
    #[serde(default)]
    import_path: Option<String>,
    #[serde(default)]
    test: Option<String>,
    #[serde(default)]
    elapsed: Option<f64>,
    #[serde(default)]
    output: Option<String>,
}

/// The packages that run.
#[derive(Debug, Default)]
pub(super) struct Go {
    packages: BTreeMap<String, Package>,
    /// What building a package said.
    builds: BTreeMap<String, String>,
    has_ended: bool,
    open: usize,
}

#[derive(Debug, Default)]
struct Package {
    message: String,
    has_bad: bool,
    /// Tests that run, or that have run and may be the parents of others.
    tests: BTreeMap<String, Test>,
}

#[derive(Debug, Default)]
struct Test {
    /// Where the test begins.
    begin: u64,
    message: String,
    has_children: bool,
    has_bad_children: bool,
}

impl Go {
    fn end_package(&mut self, name: &str, has_failed: bool, secs: Option<f64>, out: &mut Report) {
        let mut package = self.packages.remove(name).unwrap_or_default();
        self.open = self.open.saturating_sub(1 + package.tests.len());
        let built = self.builds.remove(name).unwrap_or_default();
        for (test, state) in std::mem::take(&mut package.tests) {
            if !state.has_children {
                package.has_bad = true;
                end_open(name, &test, &state, out);
            }
        }
        if has_failed && !package.has_bad {
            let message = if package.message.is_empty() {
                built
            } else {
                package.message
            };
            let found = Found::new(TestOutcome::Error).secs(secs).message(&message);
            out.add(&TestName::new([name, "(package)"]), found, Same::Another);
        }
        self.has_ended = true;
    }
}

/// Tells of a test that did not end.
fn end_open(package: &str, test: &str, state: &Test, report: &mut Report) {
    let message = match state.message.as_str() {
        "" => "did not end",
        message => message,
    };
    let mut found = Found::new(TestOutcome::Error).message(message);
    found.place = report.since(state.begin);
    report.add(&TestName::new([package, test]), found, Same::Another);
}

impl Package {
    /// Ends a test. Those that have subtests count only if they fail alone.
    fn end_test(
        &mut self,
        (package, name): (&str, &str),
        outcome: TestOutcome,
        secs: Option<f64>,
        report: &mut Report,
    ) {
        let test = self.tests.remove(name).unwrap_or_default();
        if outcome.is_bad() {
            self.has_bad = true;
            if let Some((parent, _)) = name.rsplit_once('/')
                && let Some(parent) = self.tests.get_mut(parent)
            {
                parent.has_bad_children = true;
            }
        }
        if test.has_children && (test.has_bad_children || !outcome.is_bad()) {
            return;
        }
        let mut found = Found::new(outcome).secs(secs);
        if outcome != TestOutcome::Passed {
            found = found.message(&test.message);
            found.place = report.since(test.begin);
        }
        report.add(&TestName::new([package, name]), found, Same::Another);
    }
}

impl LineReader for Go {
    fn line(&mut self, line: &str, report: &mut Report) {
        if !line.starts_with('{') {
            return;
        }
        let Ok(line) = serde_json::from_str::<Line>(line) else {
            return;
        };
        let (action, output) = (line.action.as_str(), line.output.unwrap_or_default());
        let imported = line.import_path.as_deref().map(|path| {
            let path = path.split_once(' ');
            path.map_or_else(
                || line.import_path.clone().unwrap_or_default(),
                |(p, _)| p.to_owned(),
            )
        });
        let Some(name) = line.package.or(imported) else {
            return;
        };
        if action == "build-output" || action == "build-fail" {
            if self.builds.len() < MOST_OPEN {
                keep_first(self.builds.entry(cut(&name)).or_default(), &output);
            }
            return;
        }
        let is_known = self.packages.contains_key(&name);
        if !is_known && self.open >= MOST_OPEN {
            report.note(format!("more than {MOST_OPEN} tests are open at once"));
            return;
        }
        self.open += usize::from(!is_known);
        let package = self.packages.entry(name.clone()).or_default();
        let outcome = match action {
            "pass" | "bench" => TestOutcome::Passed,
            "fail" => TestOutcome::Failed,
            "skip" => TestOutcome::Skipped,
            "run" => {
                if let Some(test) = line.test
                    && self.open < MOST_OPEN
                {
                    if let Some((parent, _)) = test.rsplit_once('/')
                        && let Some(parent) = package.tests.get_mut(parent)
                    {
                        parent.has_children = true;
                    }
                    let begun = Test {
                        begin: report.here(),
                        ..Test::default()
                    };
                    self.open += usize::from(package.tests.insert(test, begun).is_none());
                }
                return;
            }
            "output" => {
                let message = match &line.test {
                    Some(test) => package.tests.get_mut(test).map(|test| &mut test.message),
                    None => Some(&mut package.message),
                };
                if let Some(message) = message {
                    keep_first(message, &output);
                }
                return;
            }
            _ => return,
        };
        match line.test {
            Some(test) => {
                let was_open = package.tests.len();
                package.end_test((&name, &test), outcome, line.elapsed, report);
                self.open = self.open.saturating_sub(was_open - package.tests.len());
            }
            None => self.end_package(&name, outcome.is_bad(), line.elapsed, report),
        }
    }

    fn end(&mut self, report: &mut Report) -> bool {
        let open = std::mem::take(&mut self.packages);
        let is_complete = open.is_empty() && self.has_ended;
        for (name, package) in open {
            for (test, state) in package.tests {
                if !state.has_children {
                    end_open(&name, &test, &state, report);
                }
            }
        }
        is_complete
    }

    fn memory(&self) -> usize {
        let packages = self.packages.iter().map(|(name, package)| {
            let tests = package.tests.iter();
            let tests = tests.map(|(name, test)| name.capacity() + test.message.capacity() + 100);
            name.capacity() + package.message.capacity() + 100 + tests.sum::<usize>()
        });
        let builds = self.builds.iter();
        let builds = builds.map(|(name, said)| name.capacity() + said.capacity() + 64);
        packages.sum::<usize>() + builds.sum::<usize>()
    }
}

/// Keeps the first line that says something.
fn keep_first(message: &mut String, output: &str) {
    let line = output.trim();
    let is_frame = ["=== ", "--- ", "# "]
        .iter()
        .any(|mark| line.starts_with(mark))
        || line == "FAIL"
        || line.starts_with("FAIL\t");
    if message.is_empty() && !is_frame {
        // Several thousand of them are kept.
        *message = line.chars().take(500).collect();
    }
}
