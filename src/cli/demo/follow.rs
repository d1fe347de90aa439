//! Following a build by what is on disk, as `show` reads it.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::say;
use crate::logs::{Channel, LogReader};
use crate::model::{BuildNumber, BuilderName, Results, StepSummary};
use crate::store::read::{self, BuildRow, State};

/// How often it looks.
const POLL: Duration = Duration::from_millis(50);

/// Shows builds as they run.
#[derive(Debug)]
pub(super) struct Follower {
    basedir: PathBuf,
    colours: bool,
}

impl Follower {
    pub(super) fn new(basedir: &Path, colours: bool) -> Self {
        Self {
            basedir: basedir.to_owned(),
            colours,
        }
    }

    /// Waits for a build, shows its steps with their output, and returns its result.
    pub(super) fn follow(
        &mut self,
        builder: &str,
        number: u64,
        patience: Duration,
    ) -> anyhow::Result<Results> {
        let builder = BuilderName::from(builder);
        let number = BuildNumber(number);
        let state = State::open_readonly(&self.basedir)?;
        let deadline = Instant::now() + patience;
        say("   the change is on disk; the scheduler waits for a second of quiet");
        let mut shown = Shown::default();
        loop {
            if let Some(build) = read::build(&state.conn, &builder, number)? {
                self.show(&build, &mut shown)?;
                if let Some(result) = build.summary.result {
                    self.show_end(&build, result);
                    return Ok(result);
                }
            }
            if Instant::now() > deadline {
                bail!(
                    "build {number} of {builder} has not ended in {} s",
                    patience.as_secs()
                );
            }
            std::thread::sleep(POLL);
        }
    }

    /// Shows what is new.
    fn show(&self, build: &BuildRow, shown: &mut Shown) -> anyhow::Result<()> {
        let summary = &build.summary;
        if !shown.head {
            shown.head = true;
            let (builder, number, slave) = (&summary.builder, summary.number, &summary.slave);
            say(&format!("   build {number} of {builder} on slave {slave}"));
        }
        for (index, step) in summary.steps.iter().enumerate() {
            for log in build.logs.get(index).into_iter().flatten() {
                let printed = shown.logs.entry((index, log.name.clone())).or_insert(0);
                *printed = self.show_log(&self.basedir.join(&log.path), *printed)?;
            }
            if let Some(result) = step.result
                && shown.steps <= index
            {
                shown.steps = index + 1;
                say(&format!("   {}", self.step_line(step, result)));
            }
        }
        Ok(())
    }

    /// Shows the lines of a log from byte `from` on; returns how far it came.
    fn show_log(&self, path: &Path, from: u64) -> anyhow::Result<u64> {
        let mut text = Vec::new();
        LogReader::open(path)
            .and_then(|mut log| log.copy_to(&[Channel::Stdout, Channel::Stderr], &mut text))
            .with_context(|| format!("cannot read the log {}", path.display()))?;
        let new = text.get(usize::try_from(from)?..).unwrap_or_default();
        let whole = new.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let lines = String::from_utf8_lossy(new.get(..whole).unwrap_or_default()).into_owned();
        for line in lines.lines() {
            say(&self.paint("2", &format!("     │ {line}")));
        }
        Ok(from + u64::try_from(whole)?)
    }

    fn step_line(&self, step: &StepSummary, result: Results) -> String {
        let took = step
            .finished_at
            .map_or(0.0, |at| at.since(step.started_at).as_secs_f64());
        let word = self.paint(colour(result), &format!("{result:<9}"));
        format!(
            "  {word} {:<10} {took:>6.2} s  {}",
            step.name,
            step.text.join(" ")
        )
    }

    fn show_end(&self, build: &BuildRow, result: Results) {
        let summary = &build.summary;
        let took = summary
            .finished_at
            .map_or(0.0, |at| at.since(summary.started_at).as_secs_f64());
        let text = self.paint(colour(result), &summary.text.join(" "));
        say(&format!(
            "   build {}: {text} ({took:.2} s)\n",
            summary.number
        ));
        drop(std::io::stdout().flush());
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colours {
            format!("\x1b[{colour}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// What has been shown of a build.
#[derive(Debug, Default)]
struct Shown {
    head: bool,
    steps: usize,
    logs: BTreeMap<(usize, String), u64>,
}

const fn colour(result: Results) -> &'static str {
    match result {
        Results::Success => "32",
        Results::Warnings => "33",
        Results::Failure | Results::Exception | Results::Retry => "31",
        Results::Skipped => "2",
    }
}
