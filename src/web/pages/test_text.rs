//! A test in one build: how it ended there, with its whole text (TST-08).

use crate::logs::{Channel, LogReader};
use crate::model::{BuildNumber, BuilderName, TestHash, TextPlace};
use crate::store::State;
use crate::text::sgr::plain;
use crate::view::{Build, StepTests, Test};
use crate::web::address;
use crate::web::parts::{Link, Outcome};

/// So much of a text is shown, in bytes.
const MOST_SHOWN: u64 = 64 << 10;

/// How a test ended in a step of a build.
#[derive(Debug)]
pub(super) struct InBuild {
    pub(super) build: Link,
    pub(super) step: Link,
    pub(super) outcome: Outcome,
    pub(super) result: String,
    pub(super) took: String,
    /// One line about the outcome.
    pub(super) line: String,
    /// The whole text.
    pub(super) text: String,
    /// The log that has it.
    pub(super) log: Option<Link>,
    /// Whether the log has more of it.
    pub(super) is_cut: bool,
}

impl InBuild {
    /// How the test `hash` ended in each step of a build that has it.
    pub(super) fn of(
        state: &State,
        build: &Build,
        hash: TestHash,
        outcome: impl Fn(&Test) -> Outcome,
    ) -> Result<Vec<Self>, crate::store::StoreError> {
        let mut all = Vec::new();
        for step in StepTests::of_build(state, build)? {
            let tests = step.tests.iter();
            for test in tests.filter(|test| test.name.hash() == hash) {
                let text = test.place.as_ref();
                let text = text.map(|place| read(state, build, &step.step, place));
                let of_log = |place: &TextPlace| {
                    let href = address::log(&build.builder, build.number, &step.step, &place.log);
                    Link::to(&place.log, &href)
                };
                all.push(Self {
                    build: build_link(&build.builder, build.number),
                    step: Link::to(
                        &step.step,
                        &address::step(&build.builder, build.number, &step.step),
                    ),
                    outcome: outcome(test),
                    result: test.in_words(),
                    took: test
                        .secs
                        .map_or_else(String::new, |secs| format!("{secs} s")),
                    line: test.text.clone().unwrap_or_default(),
                    text: text.unwrap_or_default(),
                    log: test.place.as_ref().map(of_log),
                    is_cut: test
                        .place
                        .as_ref()
                        .is_some_and(|place| place.length > MOST_SHOWN),
                });
            }
        }
        Ok(all)
    }
}

fn build_link(builder: &BuilderName, number: BuildNumber) -> Link {
    Link::to(&number.to_string(), &address::build(builder, number))
}

/// The text at a place, as a terminal shows it. Nothing if the log was removed.
fn read(state: &State, build: &Build, step: &str, place: &TextPlace) -> String {
    let steps = build.steps.iter().filter(|one| one.name == step);
    let mut logs = steps.flat_map(|step| &step.logs);
    let Some(log) = logs.find(|log| log.name == place.log) else {
        return String::new();
    };
    let mut text = Vec::new();
    let stretch = (place.begin, place.length.min(MOST_SHOWN));
    let read = LogReader::open(state.basedir(), &log.path)
        .and_then(|mut reader| reader.read_stretch(&Channel::OUTPUT, stretch, &mut text));
    match read {
        Ok(()) => plain(&text).trim_end().to_owned(),
        Err(_) => String::new(),
    }
}
