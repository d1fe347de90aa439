//! `buildmaster outbox`: letters to people and programs outside (OUT-12).

use std::process::ExitCode;

use anyhow::bail;
use clap::Subcommand;

use super::asking::answer;
use super::base_dir::Master;
use super::listing::write_list;
use super::moment::{self, local};
use super::say;
use crate::control::{LetterAct, LetterDeed, Service};
use crate::daemon::machine_zone;
use crate::model::{LetterId, Timestamp, Zone};
use crate::store::State;
use crate::store::read::LetterFilter;
use crate::text::printable_json;
use crate::view::Letter;

/// Letters that are listed if nothing else is said.
const LISTED: u32 = 50;

/// Show what the master has to tell people, and what it could not tell
///
/// A letter waits until its target has taken it, across restarts of the master. One that cannot be
/// sent in three days is dead; `retry` sends it all the same.
#[derive(Clone, Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Outbox {
    #[command(flatten)]
    list: List,
    #[command(subcommand)]
    what: Option<What>,
}

/// What to do with letters.
#[derive(Clone, Debug, Subcommand)]
enum What {
    /// List letters that wait or are dead
    List(List),
    /// Show a letter
    Show(Show),
    /// Send letters again that wait or are dead
    Retry(Chosen),
    /// Drop letters that wait or are dead
    Drop(Chosen),
}

/// Arguments of `list`.
#[derive(Clone, Debug, clap::Args)]
struct List {
    #[command(flatten)]
    master: Master,
    /// Print one JSON object for each letter
    #[arg(long)]
    json: bool,
    /// List letters that were delivered or dropped, too
    #[arg(long)]
    all: bool,
    /// List only letters to this target
    #[arg(long)]
    target: Option<String>,
    /// How many letters to list, the newest [default: 50, and all with --json]
    #[arg(long, short = 'n', value_name = "N")]
    limit: Option<u32>,
}

/// Arguments of `show`.
#[derive(Clone, Debug, clap::Args)]
struct Show {
    #[command(flatten)]
    master: Master,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
    /// The number of the letter
    number: u64,
}

/// Arguments of `retry` and `drop`.
#[derive(Clone, Debug, clap::Args)]
struct Chosen {
    #[command(flatten)]
    master: Master,
    /// The numbers of letters
    #[arg(required_unless_present = "target")]
    numbers: Vec<u64>,
    /// All letters to this target
    #[arg(long, conflicts_with = "numbers")]
    target: Option<String>,
    /// Only letters that were written from this time on
    #[arg(long, value_name = "TIME", value_parser = moment::parse, requires = "target")]
    since: Option<Timestamp>,
}

impl Outbox {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.what.unwrap_or(What::List(self.list)) {
            What::List(list) => list.run(),
            What::Show(show) => show.run(),
            What::Retry(chosen) => chosen.run(LetterDeed::Retry, "is sent again", "are sent again"),
            What::Drop(chosen) => chosen.run(LetterDeed::Drop, "is dropped", "are dropped"),
        }
    }
}

impl List {
    fn run(self) -> anyhow::Result<ExitCode> {
        let state = State::open_readonly(&self.master.basedir)?;
        let most = if self.json { u32::MAX } else { LISTED };
        let wanted = LetterFilter {
            states: LetterFilter::states_of(self.all),
            target: self.target,
            ..LetterFilter::default()
        };
        let mut letters = state.letters(&wanted, self.limit.unwrap_or(most))?;
        letters.reverse();
        if letters.is_empty() && !self.json {
            say(match self.all {
                true => "no letters",
                false => "no letters wait, and none is dead",
            });
        }
        let zone = machine_zone().unwrap_or(Zone::UTC);
        let letters = letters.into_iter().map(Letter::from);
        write_list(letters, self.json, |letter| line(letter, zone))
    }
}

impl Show {
    fn run(self) -> anyhow::Result<ExitCode> {
        let state = State::open_readonly(&self.master.basedir)?;
        let number = LetterId(self.number);
        let Some(letter) = state.letter(number)?.map(Letter::from) else {
            bail!("there is no letter {number}");
        };
        if self.json {
            say(&printable_json(&serde_json::to_string(&letter)?));
        } else {
            say(&line(&letter, machine_zone().unwrap_or(Zone::UTC)));
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Chosen {
    fn run(self, deed: LetterDeed, one: &str, several: &str) -> anyhow::Result<ExitCode> {
        let act = LetterAct {
            deed,
            letters: self.numbers.into_iter().map(LetterId).collect(),
            target: self.target,
            since: self.since,
        };
        let act = Box::new(act);
        let count = answer(&self.master.basedir, Service::Letters { act })?;
        let count = count.as_u64().unwrap_or(0);
        say(&match count {
            1 => format!("1 letter {one}"),
            count => format!("{count} letters {several}"),
        });
        Ok(ExitCode::SUCCESS)
    }
}

/// A letter for people.
fn line(letter: &Letter, zone: Zone) -> String {
    let Letter {
        number,
        target,
        about,
        state,
        ..
    } = letter;
    let made = local(letter.made_at, zone);
    let mut line = format!("{number}  {made}  {target}  {state}  {about}");
    match letter.tries {
        0 => {}
        1 => line += "  tried once",
        tries => line += &format!("  tried {tries} times"),
    }
    if let Some(next) = letter.next_at.filter(|_| letter.tries > 0) {
        line += &format!(", next at {}", local(next, zone));
    }
    if let Some(error) = &letter.error {
        line += &format!(": {error}");
    }
    line
}
