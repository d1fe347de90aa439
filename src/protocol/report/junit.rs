//! Reports in the XML of JUnit (TST-05).

use super::book::{Found, Same, secs};
use super::xml::{Event, Stop, Tokens};
use super::{MOST_MESSAGE, MOST_NESTING, Reader, Report};
use crate::model::{TestName, TestOutcome};

/// Names of elements that are longer end the reading.
const MOST_NAME: usize = 256;

/// A document, or several one after the other.
#[derive(Debug, Default)]
pub(super) struct Junit {
    tokens: Tokens,
    document: Document,
    stop: Option<Stop>,
}

#[derive(Debug, Default)]
struct Document {
    /// The open elements, as far as nesting goes.
    open: Vec<String>,
    /// Open elements that are too deep.
    too_deep: u64,
    /// The names of the open suites, with the depth of each.
    suites: Vec<(usize, String)>,
    /// How many suites there were.
    suite: u32,
    case: Option<Case>,
    problem: Option<Problem>,
    /// Whether a document has ended.
    has_ended: bool,
    is_other: bool,
}

/// A test that is being read.
#[derive(Debug)]
struct Case {
    class: String,
    name: String,
    is_off: bool,
    found: Option<Found>,
    secs: Option<f64>,
    /// The first message, and where its text is.
    about: Option<(String, Option<(u64, u64)>)>,
    more_attempts: u32,
    is_flaky: bool,
}

/// An element about a test's outcome.
#[derive(Debug)]
struct Problem {
    kind: Kind,
    depth: usize,
    message: String,
    /// The first line of its text that is not blank.
    text: Vec<u8>,
    has_line: bool,
    begin: u64,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Outcome(TestOutcome),
    Rerun,
    Flaky,
}

/// The text in a stretch of a document, without its markup.
pub(super) fn plain_text(stretch: &[u8]) -> String {
    let mut text = Vec::new();
    let mut sink = |event: Event<'_>, _| {
        if let Event::Text(piece) = event {
            text.extend_from_slice(piece);
        }
        Ok(())
    };
    // What is not well formed ends the text.
    let _is_whole = Tokens::default().feed(stretch, &mut sink).is_ok();
    String::from_utf8_lossy(&text).trim_end().to_owned()
}

impl Reader for Junit {
    fn feed(&mut self, bytes: &[u8], report: &mut Report) {
        if self.stop.is_some() {
            return;
        }
        let Self {
            tokens, document, ..
        } = self;
        let mut sink = |event: Event<'_>, at| document.take(event, at, report);
        self.stop = tokens.feed(bytes, &mut sink).err();
    }

    fn finish(&mut self, report: &mut Report) -> bool {
        if self.tokens.has_cut() {
            report.note("a tag is too long and was cut".to_owned());
        }
        if self.document.too_deep > 0 || self.document.is_too_deep() {
            report.note(format!(
                "elements nested deeper than {MOST_NESTING} are not read"
            ));
        }
        match self.stop {
            Some(Stop::Dtd) => {
                report.note("a DTD is not read".to_owned());
                return false;
            }
            Some(Stop::Broken) => {}
            None if self.document.is_other => {
                report.note("the document is not a report of JUnit".to_owned());
                return false;
            }
            None if self.document.is_whole() && !self.tokens.is_open() => return true,
            None => {}
        }
        report.note("the report ends early or is not well formed".to_owned());
        false
    }

    fn memory(&self) -> usize {
        let open = self.document.open.iter().map(String::capacity);
        let suites = self.document.suites.iter();
        let suites = suites.map(|(_, name)| name.capacity());
        self.tokens.memory() + open.sum::<usize>() + suites.sum::<usize>() + 4 * MOST_MESSAGE
    }
}

impl Document {
    const fn is_too_deep(&self) -> bool {
        self.too_deep > 0
    }

    const fn is_whole(&self) -> bool {
        self.has_ended && self.open.is_empty() && self.too_deep == 0
    }

    fn take(&mut self, event: Event<'_>, at: u64, report: &mut Report) -> Result<(), Stop> {
        match event {
            Event::Start { name, attributes } => self.start(name, attributes, at, report),
            Event::End(name) => self.end(name, at, report),
            Event::Text(text) => {
                if let Some(problem) = &mut self.problem {
                    problem.take(text);
                }
                Ok(())
            }
        }
    }

    fn start(
        &mut self,
        name: &str,
        attributes: &[(String, String)],
        at: u64,
        report: &mut Report,
    ) -> Result<(), Stop> {
        if name.len() > MOST_NAME {
            return Err(Stop::Broken);
        }
        if self.open.len() >= MOST_NESTING {
            self.too_deep += 1;
            report.note(format!(
                "elements nested deeper than {MOST_NESTING} are not read"
            ));
            return Ok(());
        }
        if self.open.is_empty() {
            self.is_other |= !matches!(name, "testsuites" | "testsuite" | "testcase");
        }
        self.open.push(name.to_owned());
        let value = |wanted: &str| {
            let mut all = attributes.iter();
            all.find_map(|(name, value)| (name == wanted).then_some(value.as_str()))
        };
        match (name, &mut self.case) {
            ("testsuite", None) => {
                self.suite = self.suite.saturating_add(1);
                let name = TestName::new(value("name"));
                self.suites
                    .push((self.open.len(), name.as_stored().to_owned()));
            }
            ("testcase", None) => {
                let status = value("status").or_else(|| value("result"));
                self.case = Some(Case {
                    class: bounded(value("classname")),
                    name: bounded(value("name")),
                    is_off: matches!(status, Some("notrun" | "disabled" | "skipped")),
                    found: None,
                    secs: value("time").and_then(secs),
                    about: None,
                    more_attempts: 0,
                    is_flaky: false,
                });
            }
            (name, Some(_)) if self.problem.is_none() => {
                let kind = match name {
                    "failure" => Kind::Outcome(TestOutcome::Failed),
                    "error" => Kind::Outcome(TestOutcome::Error),
                    "skipped" if value("type") == Some("pytest.xfail") => {
                        Kind::Outcome(TestOutcome::ExpectedFailure)
                    }
                    "skipped" => Kind::Outcome(TestOutcome::Skipped),
                    "rerunFailure" | "rerunError" => Kind::Rerun,
                    "flakyFailure" | "flakyError" => Kind::Flaky,
                    _ => return Ok(()),
                };
                self.problem = Some(Problem {
                    kind,
                    depth: self.open.len(),
                    message: Found::new(TestOutcome::Failed)
                        .message(value("message").unwrap_or_default())
                        .message
                        .unwrap_or_default(),
                    text: Vec::new(),
                    has_line: false,
                    begin: at,
                });
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, name: Option<&str>, at: u64, report: &mut Report) -> Result<(), Stop> {
        if self.too_deep > 0 {
            self.too_deep -= 1;
            return Ok(());
        }
        let depth = self.open.len();
        let Some(open) = self.open.pop() else {
            return Err(Stop::Broken);
        };
        if name.is_some_and(|name| name != open) {
            return Err(Stop::Broken);
        }
        self.has_ended |= self.open.is_empty();
        if self.problem.as_ref().is_some_and(|p| p.depth == depth) {
            if let (Some(problem), Some(case)) = (self.problem.take(), &mut self.case) {
                // The end tag is part of the stretch: where it begins is not known.
                case.take(problem, name.map(|_| at));
            }
        } else if open == "testcase" && self.problem.is_none() {
            if let Some(case) = self.case.take() {
                self.tell(case, report);
            }
        } else if self.suites.last().is_some_and(|(at, _)| *at == depth) {
            self.suites.pop();
        }
        Ok(())
    }

    fn tell(&self, case: Case, report: &mut Report) {
        let suites: Vec<&str> = self.suites.iter().map(|(_, name)| name.as_str()).collect();
        let path = suites.join("/");
        let last = suites.last().copied().unwrap_or_default();
        // pytest calls every suite so.
        let is_said = [path.as_str(), last].iter().any(|suite| {
            let rest = case.class.strip_prefix(suite);
            let ends = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
            !suite.is_empty() && rest.is_some_and(ends)
        });
        let is_left_out = is_said || (path == "pytest" && !case.class.is_empty());
        let suite = if is_left_out { "" } else { &path };
        let parts = [suite, &case.class, &case.name];
        let name = match parts {
            ["", "", ""] => TestName::new(["(unnamed)"]),
            parts => TestName::new(parts),
        };
        let usual = if case.is_off {
            TestOutcome::Skipped
        } else {
            TestOutcome::Passed
        };
        let mut found = case.found.unwrap_or(Found::new(usual)).secs(case.secs);
        (found.more_attempts, found.is_flaky) = (case.more_attempts, case.is_flaky);
        if let Some((message, place)) = case.about {
            (found.message, found.place) = (Some(message), place);
        }
        report.add(&name, found, Same::Attempt(self.suite));
    }
}

impl Case {
    fn take(&mut self, problem: Problem, end: Option<u64>) {
        let text = String::from_utf8_lossy(&problem.text);
        let place = end.map(|end| (problem.begin, end.saturating_sub(problem.begin)));
        let message = match problem.message {
            message if message.is_empty() => text.trim().to_owned(),
            message => message,
        };
        if !message.is_empty() && self.about.is_none() {
            self.about = Some((message, place));
        }
        match problem.kind {
            Kind::Outcome(outcome) => {
                let before = self.found.as_ref().map(|found| found.outcome);
                if before.is_none_or(|before| outcome.is_bad() && !before.is_bad()) {
                    self.found = Some(Found::new(outcome));
                }
            }
            Kind::Rerun => self.more_attempts = self.more_attempts.saturating_add(1),
            Kind::Flaky => {
                self.more_attempts = self.more_attempts.saturating_add(1);
                self.is_flaky = true;
            }
        }
    }
}

impl Problem {
    /// Keeps the first line that is not blank.
    fn take(&mut self, text: &[u8]) {
        for byte in text {
            if self.has_line || self.text.len() >= MOST_MESSAGE {
                return;
            }
            match byte {
                b'\n' => self.has_line = !self.text.is_empty(),
                byte if self.text.is_empty() && byte.is_ascii_whitespace() => {}
                byte => self.text.push(*byte),
            }
        }
    }
}

/// The value of an attribute, as long as a name may be.
fn bounded(value: Option<&str>) -> String {
    TestName::new(value).as_stored().to_owned()
}
