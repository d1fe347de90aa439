//! Numbers of releases, which the master counts (`RpmBuild` with `auto_release`).
//!
//! As in Buildbot, the file `NAME.release` in the base directory of the master holds the next
//! number.

use std::sync::Mutex;

use super::{put_in, raised};
use crate::blocking;
use crate::build::step::{Performed, StepRun};
use crate::config::ReleaseCounter;
use crate::protocol::ShellCommand;
use crate::transfer::{FileSink, MasterFiles, MasterPath, Problem, Request, Source, Transfer};

/// Adds the next number, and what comes after it, to the command line.
pub(super) async fn add(
    step: &StepRun<'_>,
    counter: &ReleaseCounter,
    command: &mut ShellCommand,
) -> Result<(), Performed> {
    let values = step.values();
    let rendered = put_in(&counter.spec, values, "specfile")
        .and_then(|spec| Ok((spec, put_in(&counter.rest, values, "specfile")?)));
    let (spec, rest) = rendered.map_err(|problem| raised(step, &problem))?;
    let file = spec.rsplit('/').next().unwrap_or_default();
    let name = file.split('.').next().unwrap_or_default();
    let path = MasterPath::new(&format!("{name}.release"), 0);
    let files = step.around.files.clone();
    let number = blocking::run(move || next(&files, &path)).await;
    let number = match number {
        Ok(Ok(number)) => number,
        Ok(Err(problem)) => return Err(failed(step, &problem)),
        Err(error) => return Err(failed(step, &error)),
    };
    if let ShellCommand::Line(line) = command {
        line.push_str(&format!(" --define \"_release {number}\"{rest}"));
    }
    Ok(())
}

fn failed(step: &StepRun<'_>, problem: &impl std::fmt::Display) -> Performed {
    Performed::Raised(format!("step '{}': auto_release: {problem}\n", step.name))
}

/// Takes a number; the file has the one after it then.
fn next(files: &MasterFiles, path: &MasterPath) -> Result<u64, Problem> {
    // Two builds must not get the same number.
    static COUNTING: Mutex<()> = Mutex::new(());
    let counting = COUNTING.lock();
    let number = match Source::file(files, path) {
        Ok(source) => {
            let text = Transfer::from(source).answer(Request::Read(LONGEST));
            let text = String::from_utf8_lossy(&text);
            let number = text.trim().parse::<u64>();
            let no_number = |_| Problem::Refused(format!("{} has no number", path.shown()));
            number.map_err(no_number)?
        }
        Err(problem) if problem.is_missing() => 0,
        Err(problem) => return Err(problem),
    };
    let mut sink = Transfer::from(FileSink::begin(files, path, None, None)?);
    let next = number.saturating_add(1).to_string();
    sink.answer(Request::Write(vec![next.into()]));
    sink.answer(Request::Close);
    sink.finish()?;
    drop(counting);
    Ok(number)
}

/// Bytes of a counter that are read.
const LONGEST: usize = 100;
