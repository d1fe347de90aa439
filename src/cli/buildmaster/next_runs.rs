//! `buildmaster checkconfig --next`: lists the next runs of the timed schedulers.
//!
//! Each run is computed and written before the next, so a long list needs no memory.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, Write};
use std::sync::Arc;

use serde::Serialize;
use serde_json::Number;

use super::moment::{self, MOMENTS};
use crate::config::{Config, MachineZone, SchedulerConfig, TimedBuild};
use crate::model::{BuilderName, Timestamp, Zone};
use crate::schedulers::{self, Run};
use crate::text::table::Column;
use crate::text::{commas, printable};

/// Maximum number of runs to list for each scheduler.
pub(super) const MOST_RUNS: i64 = 100_000;

/// What to list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    /// Number of runs to list for each scheduler.
    pub(super) count: u32,
    /// Runs after this time are listed; a Periodic starts at this time.
    pub(super) from: Timestamp,
    /// Whether to print JSON.
    pub(super) json: bool,
    /// The time zone of schedulers that have none.
    pub(super) zone: &'a MachineZone,
}

/// A line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    scheduler: &'a str,
    at: Number,
    builders: &'a [BuilderName],
}

/// A timed scheduler.
struct Timed<'a> {
    config: &'a SchedulerConfig,
    what: &'a TimedBuild,
    zone: Zone,
    runs: std::iter::Take<Box<dyn Iterator<Item = Run>>>,
    /// Number of runs that were listed.
    listed: u32,
    /// The last run that was listed.
    last: Option<Timestamp>,
}

/// Lists the runs of all schedulers in order of time. Returns a note for each scheduler with fewer
/// runs than requested.
pub(super) fn list(
    config: &Config,
    asked: Asked<'_>,
    out: &mut dyn Write,
) -> io::Result<Vec<String>> {
    let timed = |config| Timed::new(config, asked);
    let schedulers = config.schedulers.iter();
    let mut timed: Vec<_> = schedulers.map(Arc::as_ref).filter_map(timed).collect();
    let columns = Columns::of(&timed);
    if !asked.json {
        match timed.is_empty() {
            true => writeln!(out, "the configuration has no timed schedulers")?,
            false => columns.heading(out)?,
        }
    }
    // The next run of each scheduler; runs at the same time in the order of the configuration.
    let mut next = BinaryHeap::new();
    for (ix, scheduler) in timed.iter_mut().enumerate() {
        next.extend(scheduler.run().map(|run| Reverse((run.at, ix, run.forced))));
    }
    while let Some(Reverse((at, ix, forced))) = next.pop() {
        let Some(scheduler) = timed.get_mut(ix) else {
            continue;
        };
        if asked.json {
            let line = Line {
                scheduler: scheduler.config.name.as_str(),
                at: moment::seconds(at),
                builders: &scheduler.config.builders,
            };
            serde_json::to_writer(&mut *out, &line)?;
            writeln!(out)?;
        } else {
            columns.row(out, scheduler, at, forced)?;
        }
        next.extend(scheduler.run().map(|run| Reverse((run.at, ix, run.forced))));
    }
    if !asked.json {
        followers(config, &timed, out)?;
    }
    let notes = timed.iter().filter_map(|t| t.note(asked.count));
    Ok(notes.collect())
}

impl<'a> Timed<'a> {
    fn new(config: &'a SchedulerConfig, asked: Asked<'_>) -> Option<Self> {
        let runs = schedulers::runs(&config.kind, asked.from)?;
        let zone = config.kind.zone();
        let count = usize::try_from(asked.count).unwrap_or(usize::MAX);
        Some(Self {
            config,
            what: config.kind.timed()?,
            zone: zone.unwrap_or_else(|| asked.zone.as_ref().copied().unwrap_or(Zone::UTC)),
            runs: runs.take(count),
            listed: 0,
            last: None,
        })
    }

    /// The next run of the scheduler.
    fn run(&mut self) -> Option<Run> {
        let run = self.runs.next().filter(|run| run.at <= *MOMENTS.end())?;
        self.listed += 1;
        self.last = Some(run.at);
        Some(run)
    }

    /// A note if the scheduler has fewer than `count` runs.
    fn note(&self, count: u32) -> Option<String> {
        let years = self.config.kind.search_years()?;
        if self.listed == count {
            return None;
        }
        let name = &self.config.name;
        let after = match self.last {
            None => "has no run".to_owned(),
            Some(last) => format!("has no run after {}", moment::local(last, self.zone)),
        };
        Some(format!(
            "{name} {after} within {years} calendar years (`search_years`); the master searches again at each new year"
        ))
    }
}

/// The columns of the table.
struct Columns {
    scheduler: Column,
}

impl Columns {
    fn of(timed: &[Timed<'_>]) -> Self {
        let names = timed.iter().map(|t| t.config.name.as_str());
        Self {
            scheduler: Column::wide_enough("scheduler", names),
        }
    }

    fn heading(&self, out: &mut dyn Write) -> io::Result<()> {
        let (time, scheduler) = (TIME.cell("time"), self.scheduler.cell("scheduler"));
        writeln!(out, "{time}  {scheduler}  builders")
    }

    fn row(
        &self,
        out: &mut dyn Write,
        timed: &Timed<'_>,
        at: Timestamp,
        forced: bool,
    ) -> io::Result<()> {
        let time = TIME.cell(&moment::local(at, timed.zone));
        let scheduler = self.scheduler.cell(timed.config.name.as_str());
        let builders = printable(&commas(&timed.config.builders));
        let condition = match timed.what.only_if_changed {
            Some(_) if !forced => "  (if something has changed)",
            _ => "",
        };
        writeln!(out, "{time}  {scheduler}  {builders}{condition}")
    }
}

/// The schedulers that run after a success of a listed scheduler.
fn followers(config: &Config, timed: &[Timed<'_>], out: &mut dyn Write) -> io::Result<()> {
    let mut leaders: Vec<_> = timed.iter().map(|t| &t.config.name).collect();
    let mut place = 0;
    // Upstreams form no cycles, so each follower occurs once.
    while let Some(&leader) = leaders.get(place) {
        place += 1;
        for scheduler in &config.schedulers {
            if scheduler.kind.upstream() == Some(leader) {
                let (name, builders) = (&scheduler.name, printable(&commas(&scheduler.builders)));
                writeln!(out, "after a success of {leader}, {name} runs: {builders}")?;
                leaders.push(name);
            }
        }
    }
    Ok(())
}

/// The width of a time written by [`moment::local`].
const TIME: Column = Column(30);

#[cfg(test)]
pub(super) mod tests;
