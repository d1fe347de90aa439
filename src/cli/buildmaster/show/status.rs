//! `buildmaster status`: whether a master runs, and what it does.

use std::io;
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::on_screen;
use super::output::lines;
use super::screen::Screen;
use super::source::look;
use crate::botmaster::Live;
use crate::cli::buildmaster::asking::answer_soon;
use crate::cli::buildmaster::base_dir::BaseDir;
use crate::cli::buildmaster::start;
use crate::clock::Clock;
use crate::control::{Facts, Service};
use crate::model::{RequestId, Timestamp};
use crate::store::State;
use crate::text::table::{Cell, Colour};
use crate::text::{commas, duration};
use crate::view::{Builder, Moment, Slave};

/// Show whether a master runs, since when, and what it does.
///
/// Exits with 0 if the master runs and answers, and with 1 if not.
#[derive(Clone, Debug, clap::Args)]
pub(in crate::cli) struct Status {
    #[command(flatten)]
    dir: BaseDir,
    /// Print one JSON object; times are RFC 3339 in UTC
    #[arg(long)]
    json: bool,
}

/// What there is to do, and who does it.
#[derive(Debug, Default)]
struct Work {
    builders: Vec<Builder>,
    slaves: Vec<Slave>,
    live: Live,
}

impl Status {
    pub(in crate::cli) fn run(&self) -> anyhow::Result<ExitCode> {
        let dir = self.dir.path();
        start::check_dir(dir)?;
        let is_running = State::is_in_use(dir);
        let facts: Option<Facts> = match is_running {
            true => Some(serde_json::from_value(answer_soon(dir, Service::Status)?)?),
            false => None,
        };
        let work = Work::read(dir, is_running)?;
        on_screen(|screen, now| {
            if self.json {
                let value = work.for_programs(facts.as_ref());
                return lines(screen, &[value]);
            }
            match &facts {
                Some(facts) => work.page(screen, dir, facts, now)?,
                None => work.page_of_none(screen, dir)?,
            }
            Ok(())
        })?;
        Ok(match facts {
            Some(_) => ExitCode::SUCCESS,
            None => ExitCode::FAILURE,
        })
    }
}

impl Work {
    /// Reads the state in `dir`; a master that was never started has none.
    fn read(dir: &Path, is_running: bool) -> anyhow::Result<Self> {
        let Some(state) = State::open_if_any(dir)? else {
            return Ok(Self::default());
        };
        let live = look(dir, is_running);
        let now = Clock::system().wall();
        let moment = Moment { is_running, now };
        Ok(Self {
            builders: Builder::all(Some(&state), None, &live, moment)?,
            slaves: Slave::all(Some(&state), None, &live, moment)?,
            live,
        })
    }

    fn pending(&self) -> u64 {
        self.builders.iter().map(|builder| builder.pending).sum()
    }

    fn oldest(&self) -> Option<Timestamp> {
        self.builders.iter().filter_map(|b| b.pending_since).min()
    }

    /// The builds that run, as `builder/number on slave`.
    fn builds(&self) -> Vec<String> {
        let builders = self.builders.iter();
        let builds = builders.flat_map(|builder| {
            let running = builder.running.iter();
            running.map(|build| format!("{}/{} on {}", builder.name, build.number, build.slave))
        });
        builds.collect()
    }

    fn connected(&self) -> usize {
        self.slaves.iter().filter(|slave| slave.connected).count()
    }

    fn queue(&self, screen: &Screen<'_>) -> String {
        match (self.pending(), self.oldest()) {
            (0, _) | (_, None) => "no requests wait".to_owned(),
            (1, Some(since)) => format!("1 request waits since {}", screen.time(since)),
            (n, Some(since)) => {
                format!("{n} requests wait, the oldest since {}", screen.time(since))
            }
        }
    }

    fn page(
        &self,
        screen: &mut Screen<'_>,
        dir: &Path,
        facts: &Facts,
        now: Timestamp,
    ) -> io::Result<()> {
        let word = match facts.stopping {
            true => Cell::coloured("stopping", Colour::Yellow),
            false => Cell::coloured("running", Colour::Green),
        };
        let mut rows = vec![vec!["master".into(), word]];
        let mut field = |name: &str, value: String| {
            rows.push(vec![name.into(), Cell::wrapped(value)]);
        };
        let of_project = [&facts.title, &facts.title_url];
        field(
            "project",
            commas(of_project.into_iter().filter(|text| !text.is_empty())),
        );
        field("buildbot_url", facts.buildbot_url.clone());
        field("directory", dir.display().to_string());
        let up = duration(now.since(facts.started_at));
        let since = screen.time(facts.started_at);
        field("since", format!("{since} ({up})"));
        field("process", facts.pid.to_string());
        field("version", facts.version.clone());
        field(
            "ports",
            match facts.ports.is_empty() {
                true => "none: local slaves only".to_owned(),
                false => commas(facts.ports.iter().map(|port| &port.bound)),
            },
        );
        let loaded = screen.time(facts.configured_at);
        field("configuration", format!("loaded at {loaded}"));
        let (connected, slaves) = (self.connected(), self.slaves.len());
        field("slaves", format!("{connected} of {slaves} connected"));
        field("queue", self.queue(screen));
        let starting = self.live.starting.len();
        let builds = self.builds();
        let mut running = match builds.len() {
            0 => "none".to_owned(),
            n => format!("{n} running: {}", commas(builds)),
        };
        if starting > 0 {
            running += &format!(", {starting} starting");
        }
        field("builds", running);
        screen.table(&rows)
    }

    fn page_of_none(&self, screen: &mut Screen<'_>, dir: &Path) -> io::Result<()> {
        let mut rows = vec![
            vec!["master".into(), Cell::coloured("not running", Colour::Red)],
            vec!["directory".into(), Cell::wrapped(dir.display().to_string())],
        ];
        if self.pending() > 0 {
            rows.push(vec!["queue".into(), Cell::wrapped(self.queue(screen))]);
        }
        screen.table(&rows)
    }

    fn for_programs(&self, facts: Option<&Facts>) -> Value {
        let builds = self.builders.iter().flat_map(|builder| {
            let running = builder.running.iter().filter(|_| facts.is_some());
            running.map(|build| {
                json!({"builder": builder.name, "number": build.number, "slave": build.slave})
            })
        });
        let starting: Vec<&RequestId> = self.live.starting.keys().collect();
        json!({
            "running": facts.is_some(),
            "stopping": facts.is_some_and(|facts| facts.stopping),
            "title": facts.map(|facts| &facts.title),
            "title_url": facts.map(|facts| &facts.title_url),
            "buildbot_url": facts.map(|facts| &facts.buildbot_url),
            "pid": facts.map(|facts| facts.pid),
            "version": facts.map(|facts| &facts.version),
            "started_at": facts.map(|facts| facts.started_at.to_rfc3339()),
            "configured_at": facts.map(|facts| facts.configured_at.to_rfc3339()),
            "ports": facts.map(|facts| facts.ports.iter().map(|port| &port.bound).collect::<Vec<_>>()),
            "slaves": self.slaves.len(),
            "connected": self.connected(),
            "pending": self.pending(),
            "pending_since": self.oldest().map(Timestamp::to_rfc3339),
            "builds": builds.collect::<Vec<_>>(),
            "starting": starting,
        })
    }
}
