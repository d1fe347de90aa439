//! The state of the builds of a try job: turns the notifications of the master into lines for
//! people and an exit code.
//!
//! Invariants: no clock, no output; times are relative to the start of the try. After a build with
//! the result RETRY, its builder waits for the next build (CLI-05). Notifications of earlier builds
//! of a builder are ignored.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::Results;

/// The builders of a try job and the progress of each.
#[derive(Clone, Debug, Default)]
pub(super) struct Board {
    builders: BTreeMap<String, Progress>,
}

/// The progress of one builder.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    /// Number of builds so far; only the last one counts.
    builds: u64,
    state: State,
}

/// The state of a builder.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum State {
    /// No build yet.
    #[default]
    Waiting,
    /// A build is running.
    Building {
        /// The current step.
        step: Option<String>,
        /// Expected end of the build in seconds since the start of the try; negative if the build
        /// was already overdue.
        build_end: Option<f64>,
        /// Expected end of the step, likewise.
        step_end: Option<f64>,
    },
    /// A build was interrupted; another one will follow.
    WaitingAgain,
    /// The builder is done.
    Ended(Ending),
}

/// How a build ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Ending {
    /// Buildbot's number for the result.
    pub(super) result: i64,
    /// The text of the build.
    pub(super) text: String,
    /// The end of the log of the step that failed.
    pub(super) tail: Option<Tail>,
}

/// The end of a log.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tail {
    /// The log and step, for people.
    pub(super) what: String,
    /// The lines.
    pub(super) lines: Vec<String>,
}

/// A line about a builder.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Line {
    /// The builder.
    pub(super) builder: String,
    /// Its state, for people.
    pub(super) text: String,
    /// The mood of the state.
    pub(super) mood: Mood,
}

/// The mood of a line, which decides its colour.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mood {
    /// Waiting.
    Idle,
    /// Running.
    Busy,
    /// Success.
    Good,
    /// Success with warnings.
    Doubtful,
    /// Failure.
    Bad,
}

impl Board {
    /// Adds a builder, unless it is known.
    pub(super) fn add(&mut self, builder: &str) {
        self.builders.entry(builder.to_owned()).or_default();
    }

    /// A build of a builder has started, or was already running. Returns its number among the
    /// builds of the builder.
    pub(super) fn build_started(&mut self, builder: &str) -> u64 {
        let progress = self.builders.entry(builder.to_owned()).or_default();
        progress.builds += 1;
        if !matches!(progress.state, State::Ended(_)) {
            progress.state = State::Building {
                step: None,
                build_end: None,
                step_end: None,
            };
        }
        progress.builds
    }

    /// A step of the running build has started.
    pub(super) fn step_started(&mut self, builder: &str, name: &str) {
        if let Some(State::Building { step, step_end, .. }) = self.state(builder) {
            *step = Some(name.to_owned());
            *step_end = None;
        }
    }

    /// A step of the running build has ended.
    pub(super) fn step_finished(&mut self, builder: &str, name: &str) {
        if let Some(State::Building { step, step_end, .. }) = self.state(builder)
            && step.as_deref() == Some(name)
        {
            *step_end = None;
        }
    }

    /// Sets the expected end of the running build.
    pub(super) fn build_expected(&mut self, builder: &str, end: f64) {
        if let Some(State::Building { build_end, .. }) = self.state(builder) {
            *build_end = Some(end);
        }
    }

    /// Sets the expected end of a step of the running build.
    pub(super) fn step_expected(&mut self, builder: &str, name: &str, end: f64) {
        if let Some(State::Building { step, step_end, .. }) = self.state(builder)
            && step.as_deref() == Some(name)
        {
            *step_end = Some(end);
        }
    }

    /// Build number `build` of a builder has ended.
    pub(super) fn build_ended(&mut self, builder: &str, build: u64, ending: Ending) {
        let Some(progress) = self.builders.get_mut(builder) else {
            return;
        };
        if progress.builds == build {
            progress.state = if ending.result == i64::from(Results::Retry.number()) {
                State::WaitingAgain
            } else {
                State::Ended(ending)
            };
        }
    }

    /// The whole set has ended, so builders without a build will not get one.
    pub(super) fn set_ended(&mut self) {
        for progress in self.builders.values_mut() {
            if matches!(progress.state, State::Waiting | State::WaitingAgain) {
                progress.state = State::Ended(Ending {
                    result: CANCELLED,
                    text: "no build was started".to_owned(),
                    tail: None,
                });
            }
        }
    }

    /// The connection is new: the master will report running builds again.
    pub(super) fn reconnected(&mut self) {
        for progress in self.builders.values_mut() {
            progress.builds += 1;
            if let State::Building { .. } = progress.state {
                progress.state = State::WaitingAgain;
            }
        }
    }

    /// Whether all builders are done.
    pub(super) fn is_over(&self) -> bool {
        self.endings().all(|(_, ending)| ending.is_some())
    }

    /// 0 if all builds were successful (or had warnings, with `warnings_ok`), otherwise 1.
    pub(super) fn exit_code(&self, warnings_ok: bool) -> u8 {
        let is_fine = |ending: &Ending| match outcome(ending.result) {
            Some(Results::Success) => true,
            Some(Results::Warnings) => warnings_ok,
            Some(Results::Failure | Results::Skipped | Results::Exception | Results::Retry)
            | None => false,
        };
        let fine = self
            .endings()
            .all(|(_, ending)| ending.is_some_and(is_fine));
        u8::from(!fine)
    }

    /// A line about each builder at the time `now`.
    pub(super) fn lines(&self, now: Duration) -> Vec<Line> {
        let lines = self.builders.iter().map(|(builder, progress)| {
            let (text, mood) = progress.state.describe(now);
            Line {
                builder: builder.clone(),
                text,
                mood,
            }
        });
        lines.collect()
    }

    /// The builders and the ends of their builds.
    pub(super) fn endings(&self) -> impl Iterator<Item = (&str, Option<&Ending>)> {
        self.builders.iter().map(|(builder, progress)| {
            let ending = match &progress.state {
                State::Ended(ending) => Some(ending),
                State::Waiting | State::Building { .. } | State::WaitingAgain => None,
            };
            (builder.as_str(), ending)
        })
    }

    fn state(&mut self, builder: &str) -> Option<&mut State> {
        self.builders
            .get_mut(builder)
            .map(|progress| &mut progress.state)
    }
}

impl State {
    fn describe(&self, now: Duration) -> (String, Mood) {
        match self {
            Self::Waiting => ("no build yet".to_owned(), Mood::Idle),
            Self::WaitingAgain => ("interrupted, will be rebuilt".to_owned(), Mood::Idle),
            Self::Building {
                step,
                build_end,
                step_end,
            } => {
                let mut text = step.clone().unwrap_or_else(|| "building".to_owned());
                let left = |end: &Option<f64>| end.map(|end| end - now.as_secs_f64());
                text += &expectation(left(build_end), left(step_end));
                (text, Mood::Busy)
            }
            Self::Ended(ending) => (ending.describe(), ending.mood()),
        }
    }
}

/// Words for the expected ends of a build and its step, in seconds from now (PRG-05).
fn expectation(build: Option<f64>, step: Option<f64>) -> String {
    let say = |secs: f64| {
        let (whole, is_late) = (secs.trunc().abs(), secs <= -1.0);
        let text = match is_late {
            true => format!("overdue by {whole} s"),
            false => format!("{whole}s"),
        };
        (is_late, text)
    };
    match (build.map(say), step.map(say)) {
        (None, None) => String::new(),
        (None, Some((false, step))) => format!(" [step ETA {step}]"),
        (None, Some((true, step))) => format!(" [step {step}]"),
        (Some((is_late, build)), step) => {
            let eta = if is_late { "" } else { "ETA " };
            let step = step.map_or_else(String::new, |(_, step)| format!(", step {step}"));
            format!(" [{eta}{build}{step}]")
        }
    }
}

impl Ending {
    /// Result and text.
    fn describe(&self) -> String {
        let result = match outcome(self.result) {
            Some(result) => result.to_string(),
            None if self.result == CANCELLED => "cancelled".to_owned(),
            None => format!("result {}", self.result),
        };
        match self.text.as_str() {
            "" => result,
            text => format!("{result} ({text})"),
        }
    }

    fn mood(&self) -> Mood {
        match outcome(self.result) {
            Some(Results::Success) => Mood::Good,
            Some(Results::Warnings | Results::Skipped) => Mood::Doubtful,
            Some(Results::Failure | Results::Exception | Results::Retry) | None => Mood::Bad,
        }
    }
}

/// A result that masters have since 0.9.
const CANCELLED: i64 = 6;

fn outcome(number: i64) -> Option<Results> {
    u8::try_from(number).ok().and_then(Results::from_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    fn board(builders: &[&str]) -> Board {
        let mut board = Board::default();
        for builder in builders {
            board.add(builder);
        }
        board
    }

    /// Whether a builder is done.
    fn has_ended(board: &Board, builder: &str) -> bool {
        let mut endings = board.endings();
        endings.any(|(name, ending)| name == builder && ending.is_some())
    }

    fn end(board: &mut Board, builder: &str, result: i64) {
        let build = board.build_started(builder);
        let ending = Ending {
            result,
            ..Ending::default()
        };
        board.build_ended(builder, build, ending);
    }

    fn text(board: &Board, now: Duration) -> String {
        let lines = board.lines(now);
        let lines = lines.iter().map(|l| format!("{}: {}", l.builder, l.text));
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn cli_05_the_exit_code_tells_the_truth() {
        for (results, plain, with_flag) in [
            ([0, 0], 0, 0),
            ([0, 1], 1, 0),
            ([0, 2], 1, 1),
            ([0, 3], 1, 1),
            ([4, 0], 1, 1),
            ([0, 6], 1, 1),
            ([0, 99], 1, 1),
            ([0, -1], 1, 1),
        ] {
            let mut board = board(&["a", "b"]);
            end(&mut board, "a", results[0]);
            assert!(!board.is_over());
            assert_eq!(board.exit_code(true), 1, "not over");
            end(&mut board, "b", results[1]);
            assert!(board.is_over());
            assert_eq!(board.exit_code(false), plain, "{results:?}");
            assert_eq!(board.exit_code(true), with_flag, "{results:?}");
        }
    }

    #[test]
    fn cli_05_a_retry_is_followed_to_the_next_build() {
        let mut board = board(&["a"]);
        end(&mut board, "a", 5);
        assert!(!board.is_over());
        assert_eq!(text(&board, at(0)), "a: interrupted, will be rebuilt");
        end(&mut board, "a", 0);
        assert!(board.is_over());
        assert_eq!(board.exit_code(false), 0);
    }

    #[test]
    fn the_end_of_an_earlier_build_does_not_count() {
        let mut board = board(&["a"]);
        let first = board.build_started("a");
        let second = board.build_started("a");
        board.build_ended(
            "a",
            first,
            Ending {
                result: 4,
                ..Ending::default()
            },
        );
        assert!(!board.is_over());
        board.build_ended("a", second, Ending::default());
        assert_eq!(board.exit_code(false), 0);
    }

    #[test]
    fn a_line_tells_step_and_expectation() {
        let mut board = board(&["b", "a"]);
        assert_eq!(text(&board, at(0)), "a: no build yet\nb: no build yet");
        board.build_started("a");
        assert_eq!(board.lines(at(0))[0].text, "building");
        board.step_started("a", "compile");
        board.build_expected("a", 100.0);
        board.step_expected("a", "another", 1.0);
        assert_eq!(board.lines(at(40))[0].text, "compile [ETA 60s]");
        board.step_expected("a", "compile", 50.0);
        assert_eq!(board.lines(at(40))[0].text, "compile [ETA 60s, step 10s]");
        assert_eq!(
            board.lines(at(60))[0].text,
            "compile [ETA 40s, step overdue by 10 s]"
        );
        board.step_finished("a", "compile");
        board.step_started("a", "test");
        assert_eq!(board.lines(at(100))[0].text, "test [ETA 0s]");
        assert_eq!(board.lines(at(140))[0].text, "test [overdue by 40 s]");
        let ending = Ending {
            result: 2,
            text: "failed test".to_owned(),
            tail: None,
        };
        board.build_ended("a", 1, ending);
        assert_eq!(board.lines(at(0))[0].text, "failure (failed test)");
        assert_eq!(board.lines(at(0))[0].mood, Mood::Bad);
    }

    #[test]
    fn a_request_that_ends_without_a_build_was_cancelled() {
        let mut board = board(&["a", "b"]);
        board.build_started("b");
        board.set_ended();
        assert!(has_ended(&board, "a") && !has_ended(&board, "b"));
        assert_eq!(
            board.lines(at(0))[0].text,
            "cancelled (no build was started)"
        );
        board.build_ended("b", 1, Ending::default());
        assert_eq!(board.exit_code(true), 1);
    }

    #[test]
    fn a_new_connection_keeps_what_has_ended() {
        let mut board = board(&["a", "b"]);
        end(&mut board, "a", 0);
        let old = board.build_started("b");
        board.reconnected();
        assert!(has_ended(&board, "a"));
        board.build_ended("b", old, Ending::default());
        assert!(!board.is_over(), "that was the old connection");
        board.add("b");
        end(&mut board, "b", 0);
        assert_eq!(board.exit_code(false), 0);
    }
}
