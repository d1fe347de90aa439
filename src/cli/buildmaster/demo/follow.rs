//! Follows a build by reading the state and the logs on disk, as `show` does.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::say;
use crate::logs::{Channel, LogReader};
use crate::model::{BuildNumber, BuilderName, Results};
use crate::store::State;
use crate::view::{Build, Step};

/// Time between two looks.
const POLL: Duration = Duration::from_millis(50);

/// Shows running builds.
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
        say("   the change is on disk; the scheduler waits until the tree is stable for a second");
        let mut shown = Shown::default();
        loop {
            if let Some(build) = state.build(&builder, number)?.map(Build::from) {
                self.show(&build, &mut shown)?;
                if let Some(result) = build.result {
                    self.show_end(&build, result);
                    return Ok(result);
                }
            }
            if Instant::now() > deadline {
                bail!(
                    "build {number} of {builder} has not finished within {} s",
                    patience.as_secs()
                );
            }
            std::thread::sleep(POLL);
        }
    }

    /// Shows the steps and the output since the last call.
    fn show(&self, build: &Build, shown: &mut Shown) -> anyhow::Result<()> {
        if !shown.head {
            shown.head = true;
            let (builder, number, slave) = (&build.builder, build.number, &build.slave);
            say(&format!("   build {number} of {builder} on slave {slave}"));
        }
        for (index, step) in build.steps.iter().enumerate() {
            for log in &step.logs {
                let tail = match shown.logs.entry((index, log.name.clone())) {
                    Entry::Occupied(tail) => tail.into_mut(),
                    Entry::Vacant(place) => match Tail::open(&self.basedir, &log.path) {
                        Ok(tail) => place.insert(tail),
                        // A log is on record a moment before its files are there.
                        Err(error) if step.result.is_none() && is_missing(&error) => continue,
                        Err(error) => {
                            return Err(error)
                                .with_context(|| format!("cannot read the log {}", log.path));
                        }
                    },
                };
                self.show_log(tail)?;
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

    /// Shows the lines of a log since the last call.
    fn show_log(&self, tail: &mut Tail) -> anyhow::Result<()> {
        tail.log
            .copy_to(&Channel::OUTPUT, &mut tail.text)
            .context("cannot read a log")?;
        let whole = tail
            .text
            .iter()
            .rposition(|b| *b == b'\n')
            .map_or(0, |at| at + 1);
        let lines: Vec<u8> = tail.text.drain(..whole).collect();
        for line in String::from_utf8_lossy(&lines).lines() {
            say(&self.paint("2", &format!("     │ {line}")));
        }
        Ok(())
    }

    fn step_line(&self, step: &Step, result: Results) -> String {
        let took = step.took.unwrap_or_default().as_secs_f64();
        let word = self.paint(colour(result), &format!("{result:<9}"));
        format!(
            "  {word} {:<10} {took:>6.2} s  {}",
            step.name,
            step.text.join(" ")
        )
    }

    fn show_end(&self, build: &Build, result: Results) {
        let took = build.took.unwrap_or_default().as_secs_f64();
        let text = self.paint(colour(result), &build.text.join(" "));
        say(&format!(
            "   build {}: {text} ({took:.2} s)\n",
            build.number
        ));
        drop(io::stdout().flush());
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colours {
            format!("\x1b[{colour}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// The part of a build that has been shown.
#[derive(Debug, Default)]
struct Shown {
    head: bool,
    steps: usize,
    logs: BTreeMap<(usize, String), Tail>,
}

/// A log and how far it has been read.
#[derive(Debug)]
struct Tail {
    log: LogReader,
    /// The incomplete last line.
    text: Vec<u8>,
}

impl Tail {
    fn open(basedir: &Path, path: &str) -> io::Result<Self> {
        Ok(Self {
            log: LogReader::open(basedir, path)?,
            text: Vec::new(),
        })
    }
}

fn is_missing(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

const fn colour(result: Results) -> &'static str {
    match result {
        Results::Success => "32",
        Results::Warnings => "33",
        Results::Failure | Results::Exception | Results::Retry => "31",
        Results::Skipped => "2",
    }
}
