//! The build, the step and the log that an address names.

use std::io;
use std::path::Path;

use super::args::Args;
use super::refusal::Refusal;
use crate::config::nearest;
use crate::logs::LogReader;
use crate::model::{BuildNumber, BuilderName, ProblemNumber, TestHash};
use crate::store::{State, StoreError};
use crate::view::{Build, Log, Moment, Step};

/// A log, with the build and the step it belongs to.
#[derive(Clone, Debug)]
pub(super) struct LogPlace {
    /// The build.
    pub(super) build: Build,
    /// The position of the step in the build, from 0.
    pub(super) step: usize,
    /// The position of the log in the step, from 0.
    pub(super) log: usize,
}

impl LogPlace {
    /// The log that the parts `builder`, `build`, `step` and `log` of an address name.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn find(state: &State, args: &Args, moment: Moment) -> Result<Self, Refusal> {
        let build = build(state, args, moment)?;
        let step = step(&build, args)?;
        let name = args.part("log");
        let logs = build.steps.get(step).map_or(&[][..], |step| &step.logs);
        let Some(log) = logs.iter().position(|log| log.name == name) else {
            let near = nearest(name, logs.iter().map(|log| log.name.as_str()));
            let step = args.part("step");
            let address = |near| super::address::log(&build.builder, build.number, step, near);
            let near = near.map(|near| (near.to_owned(), address(near)));
            return Err(Refusal::NotFound {
                what: "log",
                name: name.to_owned(),
                near: near.into_iter().collect(),
            });
        };
        Ok(Self { build, step, log })
    }

    /// The step.
    pub(super) fn step(&self) -> &Step {
        &self.build.steps[self.step]
    }

    /// The log.
    pub(super) fn log(&self) -> &Log {
        &self.step().logs[self.log]
    }

    /// Opens the files of the log.
    ///
    /// # Errors
    /// They were removed, or cannot be read.
    pub(super) fn open(&self, basedir: &Path) -> Result<LogReader, Refusal> {
        LogReader::open(basedir, &self.log().path).map_err(unreadable)
    }

    /// Whether the log may still grow.
    pub(super) fn is_growing(&self) -> bool {
        !self.log().complete && self.build.finished_at.is_none()
    }

    /// The address of the page of the log.
    pub(super) fn address(&self) -> String {
        let Build {
            builder, number, ..
        } = &self.build;
        super::address::log(builder, *number, &self.step().name, &self.log().name)
    }
}

/// Why the files of a log cannot be read.
pub(super) fn unreadable(error: io::Error) -> Refusal {
    if error.kind() == io::ErrorKind::NotFound {
        let sentence = "The files of the log were removed.".to_owned();
        return Refusal::Gone { sentence };
    }
    Refusal::Internal {
        why: error.to_string(),
    }
}

/// The build that the parts `builder` and `build` name; `-1` is the last one.
///
/// # Errors
/// There is none.
pub(super) fn build(state: &State, args: &Args, moment: Moment) -> Result<Build, Refusal> {
    let builder = BuilderName::from(args.part("builder"));
    let asked = args.part("build");
    let found = match asked {
        "-1" => Build::newest(state, Some(&builder), 1, moment)?.pop(),
        _ => match asked.parse() {
            Ok(number) => Build::find(state, &builder, BuildNumber(number), moment)?,
            Err(_) => None,
        },
    };
    found.ok_or_else(|| Refusal::NotFound {
        what: "build",
        name: format!("{builder} {asked}"),
        near: Vec::new(),
    })
}

/// The test that is asked for: by the number of its name, or by its name with dots, as addresses of
/// Buildbot 0.8 have it.
///
/// # Errors
/// The state cannot be read.
pub(super) fn test(state: &State, asked: &str) -> Result<Option<TestHash>, StoreError> {
    let number = u64::from_str_radix(asked, 16).ok();
    match number.filter(|_| asked.len() == 16).map(TestHash) {
        Some(hash) => Ok(Some(hash)),
        None => Ok(state.test_shown(asked)?.map(|name| name.hash())),
    }
}

/// The builder that the address names: configured, or with builds.
///
/// # Errors
/// There is none.
pub(super) fn builder(state: &State, args: &Args) -> Result<BuilderName, Refusal> {
    let asked = args.part("builder");
    let names = state.builder_names()?;
    if let Some(name) = names.iter().find(|name| name.as_str() == asked) {
        return Ok(name.clone());
    }
    let near = nearest(asked, names.iter().map(|name| name.as_str()));
    let near = near.map(|name| (name.to_owned(), super::address::builder(&name.into())));
    Err(Refusal::NotFound {
        what: "builder",
        name: asked.to_owned(),
        near: near.into_iter().collect(),
    })
}

/// The problem that the part `problem` names.
///
/// # Errors
/// There is none.
pub(super) fn problem(state: &State, args: &Args) -> Result<ProblemNumber, Refusal> {
    let asked = args.part("problem");
    let number = asked.parse().ok().map(ProblemNumber);
    let row = number.map(|number| state.problem(number)).transpose()?;
    let found = row.flatten().map(|row| row.problem.number);
    found.ok_or_else(|| Refusal::NotFound {
        what: "problem",
        name: asked.to_owned(),
        near: Vec::new(),
    })
}

/// The position of the step that the part `step` names: by its name, or by its number from 0.
///
/// # Errors
/// There is none.
pub(super) fn step(build: &Build, args: &Args) -> Result<usize, Refusal> {
    let name = args.part("step");
    let by_name = build.steps.iter().position(|step| step.name == name);
    let by_number = || {
        let number = name.parse().ok();
        number.filter(|number| *number < build.steps.len())
    };
    let found = by_name.or_else(by_number);
    found.ok_or_else(|| {
        let near = nearest(name, build.steps.iter().map(|step| step.name.as_str()));
        let address = |near| super::address::step(&build.builder, build.number, near);
        let near = near.map(|near| (near.to_owned(), address(near)));
        Refusal::NotFound {
            what: "step",
            name: name.to_owned(),
            near: near.into_iter().collect(),
        }
    })
}
