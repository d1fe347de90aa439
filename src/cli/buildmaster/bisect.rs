//! `buildmaster bisect`: the search for the change that broke something (SRH-16).

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{anyhow, bail};
use clap::Subcommand;
use serde_json::json;

use super::asking::answer;
use super::base_dir::Master;
use super::listing::write_list;
use super::moment::local;
use super::{complain, say, write_out};
use crate::control::{SearchAct, SearchWish, Service};
use crate::daemon::machine_zone;
use crate::model::{BuilderName, SearchNumber, Verdict, Zone};
use crate::store::State;
use crate::text::{duration, printable, printable_json};
use crate::view::Search;

/// Searches that are listed if nothing else is said.
const LISTED: u32 = 50;

/// How long `--wait` waits between two looks at the state.
const LOOK: Duration = Duration::from_millis(200);

/// Exit codes of `--wait` (SRH-16).
const RANGE: u8 = 1;
const FLAKY: u8 = 2;
const REFUSED: u8 = 3;

/// Search for the change that broke something, or mended it
///
/// The master builds changes between a good and a bad one, one after the other, until one change is
/// left. Both ends are built again first. The builds wait behind all others, and make way for them.
///
/// GOOD and BAD are numbers of changes, revisions, or builds such as '#7'. `bisect` returns once
/// the search is on record. With `--wait` it exits with 0 if the change was found, with 1 if only a
/// range of changes was found or the search was stopped, with 2 if the failure is an accident or
/// comes from outside the sources, and with 3 if the search was refused.
#[derive(Clone, Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Bisect {
    #[command(flatten)]
    begin: Begin,
    #[command(subcommand)]
    what: Option<What>,
}

/// What else is done with searches.
#[derive(Clone, Debug, Subcommand)]
enum What {
    /// List searches
    List(List),
    /// Show a search
    Show(Show),
    /// Stop a search; its builds that wait or run are ended
    Stop(Stop),
}

/// Arguments of the search itself.
#[derive(Clone, Debug, clap::Args)]
struct Begin {
    #[command(flatten)]
    master: Master,
    /// The builder
    #[arg(required = true)]
    builder: Option<String>,
    /// The last change that is good
    #[arg(required = true)]
    good: Option<String>,
    /// The first change that is bad
    #[arg(required = true)]
    bad: Option<String>,
    /// Ask only whether this step passes, and leave out the steps after it
    #[arg(long)]
    step: Option<String>,
    /// Ask only whether this test passes: its name, as `show tests` prints it
    #[arg(long)]
    test: Option<String>,
    /// Build each change up to N times; it is bad if one of the builds fails
    #[arg(long, value_name = "N", default_value_t = 1)]
    runs: u32,
    /// Build N changes at once, or with `idle` as many as there are idle slaves
    #[arg(long, value_name = "N", default_value = "1", value_parser = width)]
    width: Width,
    /// Search for the first change that passes: GOOD is then the last one that fails
    #[arg(long)]
    fixed: bool,
    /// Wait for the verdict
    #[arg(long)]
    wait: bool,
}

/// Arguments of `list`.
#[derive(Clone, Debug, clap::Args)]
struct List {
    #[command(flatten)]
    master: Master,
    /// Print one JSON object for each search
    #[arg(long)]
    json: bool,
    /// How many searches to list, the newest
    #[arg(long, short = 'n', value_name = "N", default_value_t = LISTED)]
    limit: u32,
}

/// Arguments of `show`.
#[derive(Clone, Debug, clap::Args)]
struct Show {
    #[command(flatten)]
    master: Master,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
    /// The number of the search
    number: u64,
}

/// Arguments of `stop`.
#[derive(Clone, Debug, clap::Args)]
struct Stop {
    #[command(flatten)]
    master: Master,
    /// The number of the search
    number: u64,
    /// Why; recorded with the search
    #[arg(long, default_value = "")]
    reason: String,
}

/// How many changes are built at once; absent: as many as there are idle slaves.
type Width = Option<u32>;

fn width(text: &str) -> Result<Width, String> {
    match text {
        "idle" => Ok(None),
        number => number
            .parse()
            .map(Some)
            .map_err(|_| "it is a number or `idle`".to_owned()),
    }
}

impl Bisect {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.what {
            Some(What::List(list)) => list.run(),
            Some(What::Show(show)) => show.run(),
            Some(What::Stop(stop)) => stop.run(),
            None => self.begin.run(),
        }
    }
}

impl Begin {
    fn run(self) -> anyhow::Result<ExitCode> {
        let wish = SearchWish {
            builder: BuilderName::from(self.builder.unwrap_or_default()),
            good: self.good.unwrap_or_default(),
            bad: self.bad.unwrap_or_default(),
            step: self.step,
            test: self.test,
            width: self.width,
            runs: self.runs,
            fixed: self.fixed,
        };
        let act = Box::new(SearchAct::Begin(wish));
        let number = match answer(&self.master.basedir, Service::Search { act }) {
            Ok(number) => number,
            Err(why) if self.wait => {
                complain(&format!("buildmaster: error: {why:#}"));
                return Ok(ExitCode::from(REFUSED));
            }
            Err(why) => return Err(why),
        };
        let number = number.as_u64().map(SearchNumber);
        let number = number.ok_or_else(|| anyhow!("the master did not say which search it is"))?;
        say(&format!("search {number} has begun"));
        if !self.wait {
            return Ok(ExitCode::SUCCESS);
        }
        loop {
            let state = State::open_readonly(&self.master.basedir)?;
            if let Some(row) = state.search(number)?
                && let Some(verdict) = row.verdict
            {
                let zone = machine_zone().unwrap_or(Zone::UTC);
                show(&Search::from(row), zone)?;
                return Ok(match verdict {
                    Verdict::Found { .. } => ExitCode::SUCCESS,
                    Verdict::Range { .. } | Verdict::Unknown { .. } | Verdict::Stopped { .. } => {
                        ExitCode::from(RANGE)
                    }
                    Verdict::Flaky | Verdict::Environment => ExitCode::from(FLAKY),
                });
            }
            thread::sleep(LOOK);
        }
    }
}

impl List {
    fn run(self) -> anyhow::Result<ExitCode> {
        let state = State::open_readonly(&self.master.basedir)?;
        let mut searches = state.searches(None, self.limit)?;
        searches.reverse();
        if searches.is_empty() && !self.json {
            say("no searches");
        }
        let zone = machine_zone().unwrap_or(Zone::UTC);
        let searches = searches.into_iter().map(Search::from);
        write_list(searches, self.json, |search| line(search, zone))
    }
}

impl Show {
    fn run(self) -> anyhow::Result<ExitCode> {
        let state = State::open_readonly(&self.master.basedir)?;
        let number = SearchNumber(self.number);
        let Some(search) = state.search(number)?.map(Search::from) else {
            bail!("there is no search {number}; `buildmaster bisect list` lists them");
        };
        if self.json {
            say(&printable_json(&json!(search).to_string()));
            return Ok(ExitCode::SUCCESS);
        }
        show(&search, machine_zone().unwrap_or(Zone::UTC))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Stop {
    fn run(self) -> anyhow::Result<ExitCode> {
        let search = SearchNumber(self.number);
        let reason = self.reason;
        let act = Box::new(SearchAct::Stop { search, reason });
        answer(&self.master.basedir, Service::Search { act })?;
        say(&format!("search {search} is stopped"));
        Ok(ExitCode::SUCCESS)
    }
}

fn show(search: &Search, zone: Zone) -> anyhow::Result<()> {
    write_out(|out| {
        for line in lines(search, zone) {
            writeln!(out, "{}", printable(&line))?;
        }
        Ok(())
    })
}

/// A search in a line.
fn line(search: &Search, zone: Zone) -> String {
    let Search {
        number,
        builder,
        what,
        summary,
        ..
    } = search;
    let at = local(search.began_at, zone);
    format!("{number}  {at}  {builder}: {what}  {summary}")
}

/// All about a search.
fn lines(search: &Search, zone: Zone) -> Vec<String> {
    let mut lines = vec![line(search, zone)];
    if !search.who.is_empty() {
        lines.push(format!("  begun by {}", search.who));
    }
    if let Some(problem) = search.problem {
        lines.push(format!("  about problem {problem}"));
    }
    if let Some(chance) = search.chance_wrong {
        let better = match search.runs_needed {
            Some(runs) if runs > search.runs => format!("; `--runs {runs}` would make it 1 %"),
            Some(_) => String::new(),
            None => "; no number of runs would make it 1 %".to_owned(),
        };
        lines.push(format!(
            "  wrong with a chance of {:.1} %{better}",
            100.0 * chance
        ));
    }
    for probe in &search.builds {
        let said = probe
            .said
            .map_or("waits or is being built", |said| said.as_str());
        let build = probe.build;
        let build = build.map_or_else(String::new, |build| {
            format!(", build {}/{build}", search.builder)
        });
        let point = match &probe.commit {
            Some(commit) => format!("commit {commit}"),
            None => format!("change {}", probe.change),
        };
        lines.push(format!(
            "  {point}: {said} (request {}{build})",
            probe.request
        ));
    }
    if let Some(why) = &search.why {
        lines.push(format!("  {why}"));
    }
    let took = duration(Duration::from_secs(search.took_secs));
    lines.push(format!(
        "  {} builds, {took} of slave time",
        search.builds.len()
    ));
    lines
}
