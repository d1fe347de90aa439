//! `buildmaster quarantine`: tests whose failures do not fail their steps (FLK-07).

use std::process::ExitCode;

use clap::Subcommand;

use super::asking::answer;
use super::base_dir::Master;
use super::listing::write_list;
use super::moment::{self, local};
use super::say;
use crate::clock::Clock;
use crate::control::{QuarantineAct, QuarantineBegin, Service};
use crate::daemon::machine_zone;
use crate::model::{Quarantine, Timestamp, Zone};
use crate::store::State;
use crate::text::printable;

/// Show tests in quarantine, put one there, or take it out
///
/// A test in quarantine still runs and is reported, but a step of which no other test fails ends
/// with warnings. It needs an owner and a reason, and after a while it counts again.
#[derive(Clone, Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct QuarantineArgs {
    #[command(flatten)]
    list: List,
    #[command(subcommand)]
    what: Option<What>,
}

/// What to do with tests.
#[derive(Clone, Debug, Subcommand)]
enum What {
    /// List the tests in quarantine
    List(List),
    /// Put a test in quarantine
    Add(Add),
    /// Take a test out of quarantine
    Remove(Remove),
}

/// Arguments of `list`.
#[derive(Clone, Debug, clap::Args)]
struct List {
    #[command(flatten)]
    master: Master,
    /// Print one JSON object for each test
    #[arg(long)]
    json: bool,
}

/// Arguments of `add`.
#[derive(Clone, Debug, clap::Args)]
struct Add {
    #[command(flatten)]
    test: Which,
    /// Who sees to it that the test gets well
    #[arg(long)]
    owner: String,
    /// Why it is put there
    #[arg(long)]
    reason: String,
    /// When it counts again, at most 90 days from now [default: by `quarantine_days`, in 14 days]
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    until: Option<Timestamp>,
}

/// Arguments of `remove`.
#[derive(Clone, Debug, clap::Args)]
struct Remove {
    #[command(flatten)]
    test: Which,
}

/// A test.
#[derive(Clone, Debug, clap::Args)]
struct Which {
    #[command(flatten)]
    master: Master,
    /// Only on this builder
    #[arg(long)]
    builder: Option<String>,
    /// The test, as `show tests` has it
    test: String,
}

impl QuarantineArgs {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.what.unwrap_or(What::List(self.list)) {
            What::List(list) => list.run(),
            What::Add(add) => add.run(),
            What::Remove(remove) => remove.test.tell(None, "counts again"),
        }
    }
}

impl List {
    fn run(self) -> anyhow::Result<ExitCode> {
        let state = State::open_readonly(&self.master.basedir)?;
        let (all, now) = (state.quarantine()?, Clock::system().wall());
        if all.is_empty() && !self.json {
            say("no test is in quarantine");
        }
        let zone = machine_zone().unwrap_or(Zone::UTC);
        write_list(all.into_iter(), self.json, |one| line(one, zone, now))
    }
}

impl Add {
    fn run(self) -> anyhow::Result<ExitCode> {
        let begin = QuarantineBegin {
            owner: self.owner,
            reason: self.reason,
            until: self.until,
        };
        self.test.tell(Some(begin), "is in quarantine")
    }
}

impl Which {
    fn tell(self, begin: Option<QuarantineBegin>, done: &str) -> anyhow::Result<ExitCode> {
        let act = Box::new(QuarantineAct {
            test: self.test.clone(),
            builder: self.builder.map(Into::into),
            begin,
        });
        let _: serde_json::Value = answer(&self.master.basedir, Service::Quarantine { act })?;
        say(&printable(&format!("test {} {done}", self.test)));
        Ok(ExitCode::SUCCESS)
    }
}

fn line(one: &Quarantine, zone: Zone, now: Timestamp) -> String {
    let until = local(one.until, zone);
    let over = if one.until <= now {
        "over since"
    } else {
        "until"
    };
    let place = match &one.builder {
        Some(builder) => format!(" on {builder}"),
        None => String::new(),
    };
    let (test, owner, reason) = (one.test.shown(), &one.owner, &one.reason);
    format!("{test}{place}  {over} {until}, owner {owner}: {reason}")
}
