//! `buildmaster problems`: what is broken, since when, and which changes may have done it (PRB-01).

mod hands;

use std::process::ExitCode;

use anyhow::bail;

use self::hands::Hands;
use super::base_dir::Master;
use super::configuration::{Scope, Source, Tell};
use super::listing::write_list;
use super::moment::local;
use super::{USAGE, say, write_out};
use crate::clock::Clock;
use crate::daemon::machine_zone;
use crate::model::{BuilderName, ProblemNumber, Timestamp, Zone};
use crate::store::State;
use crate::store::read::ProblemFilter;
use crate::text::{and_more, printable, printable_json};
use crate::verdict::Suspect;
use crate::view::{Holding, InHands, Presumed, Problem, ProblemStory};

/// Problems that are listed if nothing else is said.
const LISTED: u32 = 50;

/// Show what is broken, since when, and which changes may have done it
///
/// A problem is a step of a builder that fails on a tree. It lasts from the first build that fails
/// to the next one that passes. The changes in between the last build that passes and the first one
/// that fails are its suspects; later ones never are. A step that both passes and fails with the
/// same sources is flaky, and nobody is accused.
#[derive(Clone, Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Problems {
    #[command(flatten)]
    list: List,
    #[command(subcommand)]
    said: Option<Hands>,
}

/// Arguments of the list.
#[derive(Clone, Debug, clap::Args)]
struct List {
    #[command(flatten)]
    master: Master,
    /// Print one JSON object for each problem
    #[arg(long)]
    json: bool,
    /// List problems that are over, too
    #[arg(long)]
    all: bool,
    /// List only problems of this builder
    #[arg(long)]
    builder: Option<String>,
    /// How many problems to list, the newest [default: 50, and all with --json]
    #[arg(long, short = 'n', value_name = "N")]
    limit: Option<u32>,
    /// Show the problem of this number and what has happened to it
    #[arg(conflicts_with_all = ["all", "builder", "limit"])]
    number: Option<u64>,
}

impl Problems {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.said {
            Some(said) => said.run(),
            None => self.list.run(),
        }
    }
}

impl List {
    fn run(self) -> anyhow::Result<ExitCode> {
        let state = State::open_readonly(&self.master.basedir)?;
        let zone = machine_zone().unwrap_or(Zone::UTC);
        match self.number {
            Some(number) => self.show(&state, ProblemNumber(number), zone),
            None => self.list(&state, zone),
        }
    }

    fn list(self, state: &State, zone: Zone) -> anyhow::Result<ExitCode> {
        let most = if self.json { u32::MAX } else { LISTED };
        let wanted = ProblemFilter {
            all: self.all,
            builder: self.builder.map(BuilderName::from),
            before: None,
        };
        let mut problems = state.problems(&wanted, self.limit.unwrap_or(most))?;
        problems.reverse();
        if problems.is_empty() && !self.json {
            say(match self.all {
                true => "no problems",
                false => "no open problems",
            });
        }
        let now = Clock::system().wall();
        let problems = problems.into_iter().map(|row| Problem::at(now, row));
        write_list(problems, self.json, |problem| line(problem, zone))
    }

    fn show(self, state: &State, number: ProblemNumber, zone: Zone) -> anyhow::Result<ExitCode> {
        let source = Source::of(&self.master.basedir);
        let Some(config) = source.load(Scope::File, Tell::Errors)? else {
            return Ok(ExitCode::from(USAGE));
        };
        let now = Clock::system().wall();
        let Some(story) = ProblemStory::find(state, &config, number, now)? else {
            bail!("there is no problem {number}; `buildmaster problems --all` lists them");
        };
        if self.json {
            say(&printable_json(&serde_json::to_string(&story)?));
            return Ok(ExitCode::SUCCESS);
        }
        write_out(|out| {
            for line in lines(&story, zone) {
                writeln!(out, "{}", printable(&line))?;
            }
            Ok(())
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A problem in one line.
fn line(problem: &Problem, zone: Zone) -> String {
    let Problem {
        number,
        builder,
        what,
        ..
    } = problem;
    let (opened, state) = (local(problem.opened_at, zone), problem.state.as_str());
    let tree = tree(problem);
    let mut line = format!("{number}  {opened}  {state}  {builder}{tree}: {what}");
    line += &format!("; {}", cause(problem));
    let claims: Vec<_> = problem.hands.claims.iter().map(|one| &one.person).collect();
    if !claims.is_empty() {
        line += &format!("; claimed by {}", and_more(&claims, 5));
    }
    line
}

/// All about a problem.
fn lines(story: &ProblemStory, zone: Zone) -> Vec<String> {
    let problem = &story.problem;
    let mut lines = vec![line(problem, zone)];
    lines.extend(
        story
            .again
            .map(|problem| format!("  again: problem {problem} was the same")),
    );
    lines.extend(story.at_origin.map(|problem| {
        format!("  nobody is told: the branch has it from where it begins (problem {problem})")
    }));
    lines.extend(story.unsearched.as_ref().map(|why| format!("  {why}")));
    lines.extend(story.presumed.as_ref().map(|presumed| {
        let Presumed {
            change,
            who,
            builder,
            search,
        } = presumed;
        format!("  presumed from builder {builder}: change {change} by {who} (search {search})")
    }));
    lines.extend(story.guilty.as_ref().map(|guilty| {
        let Suspect { change, who } = guilty;
        format!("  proved by a search: change {change} by {who}")
    }));
    let build = |word: &str, build: Option<_>| {
        build.map(|number| format!("  {word}: build {}/{number}", problem.builder))
    };
    lines.extend(build("last build without it", problem.good_build));
    lines.extend(build("first build with it", problem.first_build));
    lines.extend(build("last build with it", problem.last_build));
    if let Some(change) = problem.unseen_since {
        lines.push(format!("  since change {change} it fails in another way"));
    }
    let flaky = story.flaky.iter();
    lines.extend(flaky.map(|flaky| format!("  flaky: {}", flaky.in_words())));
    let errors = problem.symptoms.iter().filter(|print| *print != "*");
    lines.extend(errors.map(|print| format!("  error: {print}")));
    for (word, changes) in [
        ("suspected", &problem.suspects),
        ("fixed by", &problem.fixed_in),
    ] {
        let each = changes.iter();
        lines.extend(each.map(|one| format!("  {word}: change {} by {}", one.change, one.who)));
    }
    lines.extend(held(&problem.hands, zone));
    lines.extend(happened(story, zone));
    lines
}

/// What holds by what people have said.
fn held(hands: &InHands, zone: Zone) -> Vec<String> {
    let until = |holding: &Holding| {
        let until = holding.until.map(|until| local(until, zone));
        until.map_or_else(String::new, |until| format!(" until {until}"))
    };
    let why = |holding: &Holding| match holding.text.as_str() {
        "" => String::new(),
        text => format!(": {text}"),
    };
    let of_people = [
        ("claimed by", &hands.claims),
        ("named guilty:", &hands.named_guilty),
        ("cleared:", &hands.cleared),
        ("not theirs:", &hands.not_mine),
        ("muted for", &hands.mutes),
    ];
    let of_people = of_people
        .into_iter()
        .flat_map(|(word, held)| held.iter().map(move |one| (word, &one.person, one)));
    let of_all = [
        ("muted for all by", &hands.mute_of_all),
        ("dismissed by", &hands.dismissal),
        ("ticket linked by", &hands.ticket),
    ];
    let of_all = of_all.into_iter();
    let of_all = of_all.filter_map(|(word, held)| held.as_ref().map(|one| (word, &one.by, one)));
    let lines = of_people.chain(of_all);
    let line = |(word, who, one): (&str, &String, &Holding)| {
        format!("  {word} {who}{}{}", until(one), why(one))
    };
    lines.map(line).collect()
}

/// What builds and people have said, the oldest first.
fn happened(story: &ProblemStory, zone: Zone) -> Vec<String> {
    let events = story.events.iter().map(|event| {
        let told = event.build.map(|build| format!(", told by build {build}"));
        (event.at, event.event.clone() + &told.unwrap_or_default())
    });
    let remarks = story.remarks.iter().map(|remark| {
        let said = match remark.text.as_str() {
            "" => remark.words(),
            text => format!("{}: {text}", remark.words()),
        };
        (remark.at, said)
    });
    let mut all: Vec<_> = events.chain(remarks).collect();
    all.sort_by_key(|(at, _)| *at);
    let line = |(at, what): (Timestamp, String)| format!("  {}  {what}", local(at, zone));
    all.into_iter().map(line).collect()
}

/// Which tree, where it is not the default branch.
fn tree(problem: &Problem) -> String {
    let branch = problem.branch.as_ref();
    branch.map_or_else(String::new, |branch| format!(" on {branch}"))
}

/// Who may have done it, and why nobody is accused.
fn cause(problem: &Problem) -> String {
    if problem.is_infrastructure() {
        return "infrastructure".to_owned();
    }
    if let Some(doubt) = problem.doubt_in_words() {
        return format!("doubt: {doubt}");
    }
    let change = |suspect: &Suspect| format!("{} by {}", suspect.change, suspect.who);
    let changes: Vec<_> = problem.suspects.iter().map(change).collect();
    match changes.len() {
        0 => "no change is suspected".to_owned(),
        1 => format!("suspected: change {}", changes[0]),
        _ => format!("suspected: changes {}", and_more(&changes, 5)),
    }
}
