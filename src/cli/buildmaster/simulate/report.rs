//! The output of a simulation: a table, or lines of JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Number, Value, json};

use super::changes::History;
use super::culprit::{Course, course};
use crate::botmaster::request_order;
use crate::cli::buildmaster::{complain, moment};
use crate::config::{Config, MachineZone};
use crate::model::{
    BuildRequest, BuilderName, ChangeNumber, Decision, RequestId, SchedulerName, SetId, Timestamp,
    Zone,
};
use crate::schedulers::Submission;
use crate::text::table::Column;
use crate::text::{commas, printable};

/// Prints the build sets of a simulation.
pub(super) struct Report<'a> {
    out: &'a mut dyn Write,
    history: &'a History,
    config: &'a Config,
    zone: Zone,
    what: Printed,
    scheduler: Column,
    branch: Column,
    builders: Column,
    /// Number of sets.
    sets: u64,
    /// The changes that are in some set.
    built: BTreeSet<ChangeNumber>,
    /// The change that breaks every build with it.
    pub(super) broken: Option<ChangeNumber>,
}

/// What is printed, and how.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Printed {
    /// Lines of JSON, not a table.
    pub(super) json: bool,
    /// What schedulers make of changes too.
    pub(super) explain: bool,
    /// The orders of requests too.
    pub(super) orders: bool,
}

/// A decision in JSON.
#[derive(Serialize)]
struct DecisionLine<'a> {
    at: Number,
    change: &'a Value,
    scheduler: &'a str,
    decision: &'a str,
    why: String,
}

/// A set in JSON.
#[derive(Serialize)]
struct Line<'a> {
    at: Number,
    scheduler: &'a str,
    branch: Option<&'a str>,
    changes: Vec<&'a Value>,
    builders: &'a [BuilderName],
    #[serde(skip_serializing_if = "Option::is_none")]
    orders: Option<BTreeMap<&'a BuilderName, Vec<f64>>>,
}

/// Maximum number of changes of a set in the table.
const MOST_LISTED: usize = 10;

/// Text for the default branch, which has no name.
const DEFAULT_BRANCH: &str = "(default)";

/// The width of a time written by [`moment::local`].
const TIME: Column = Column(30);

impl<'a> Report<'a> {
    /// A report on `config` and `history`, with times in `zone`.
    pub(super) fn new(
        out: &'a mut dyn Write,
        config: &'a Config,
        history: &'a History,
        zone: &MachineZone,
        what: Printed,
    ) -> Self {
        let schedulers = config.schedulers.iter();
        let names = schedulers.clone().map(|s| s.name.as_str());
        let builders: Vec<_> = schedulers
            .clone()
            .map(|s| printable(&commas(&s.builders)))
            .collect();
        let timed = schedulers.filter_map(|s| s.kind.timed()?.branch.as_deref());
        let changes = history.changes().iter();
        let branches = changes.filter_map(|c| c.branch.as_deref()).chain(timed);
        Self {
            out,
            history,
            config,
            zone: zone.as_ref().copied().unwrap_or(Zone::UTC),
            what,
            scheduler: Column::wide_enough("scheduler", names),
            branch: Column::wide_enough(DEFAULT_BRANCH, branches),
            builders: Column::wide_enough("builders", builders.iter().map(String::as_str)),
            sets: 0,
            built: BTreeSet::new(),
            broken: None,
        }
    }

    /// Prints the head of the table.
    pub(super) fn begin(&mut self) -> io::Result<()> {
        if self.what.json {
            return Ok(());
        }
        self.row(["time", "scheduler", "branch", "builders"], "changes")
    }

    /// Prints what a scheduler makes of a change.
    pub(super) fn decision(
        &mut self,
        at: Timestamp,
        (change, scheduler): (ChangeNumber, &SchedulerName),
        decision: &Decision,
    ) -> io::Result<()> {
        if !self.what.explain {
            return Ok(());
        }
        let id = self.history.id(change);
        let zone = self.zone;
        let why = decision.sentence(|at| moment::local(at, zone));
        if self.what.json {
            let line = DecisionLine {
                at: moment::seconds(at),
                change: id,
                scheduler: scheduler.as_str(),
                decision: decision.name(),
                why,
            };
            serde_json::to_writer(&mut *self.out, &line)?;
            return writeln!(self.out);
        }
        let at = TIME.cell(&moment::local(at, zone));
        let change = listed([id].into_iter());
        let scheduler = self.scheduler.cell(scheduler.as_str());
        writeln!(self.out, "{at}  {scheduler}  change {change}: {why}")
    }

    /// The values of `request_order` for a set, by builder; those that have none are left out.
    fn orders<'s>(&self, set: &'s Submission) -> BTreeMap<&'s BuilderName, Vec<f64>> {
        let builders = set.builders.iter().filter_map(|name| {
            let builder = self.config.builder(name.as_str())?;
            let request = BuildRequest {
                id: RequestId(self.sets + 1),
                set: SetId(self.sets + 1),
                builder: name.clone(),
                stamps: Arc::clone(&set.stamps),
                reason: set.reason.as_str().into(),
                properties: Arc::new(set.properties.clone()),
                submitted_at: Timestamp(0),
                priority: set.priority,
                retries: 0,
                start_count: 0,
            };
            Some((name, request_order(self.config, builder, &request)?))
        });
        builders.collect()
    }

    /// Prints a set that is submitted at `at`.
    pub(super) fn set(&mut self, at: Timestamp, set: &Submission) -> io::Result<()> {
        let changes: Vec<_> = set.stamps.changes().collect();
        let branch = set.stamps.first().branch.as_deref();
        let history = self.history;
        let ids = changes.iter().map(|c| history.id(c.number));
        let orders = self.what.orders.then(|| self.orders(set));
        self.sets += 1;
        if self.what.json {
            let line = Line {
                at: moment::seconds(at),
                scheduler: set.scheduler.as_str(),
                branch,
                changes: ids.collect(),
                builders: &set.builders,
                orders,
            };
            serde_json::to_writer(&mut *self.out, &line)?;
            return writeln!(self.out);
        }
        self.built.extend(changes.iter().map(|c| c.number));
        let cells = [
            &moment::local(at, self.zone),
            set.scheduler.as_str(),
            branch.unwrap_or(DEFAULT_BRANCH),
            &printable(&commas(&set.builders)),
        ];
        let changes = if changes.is_empty() {
            "(the latest)".to_owned()
        } else {
            listed(ids)
        };
        self.row(cells, &changes)?;
        for (builder, values) in orders.into_iter().flatten() {
            let values: Vec<String> = values.iter().map(f64::to_string).collect();
            let builder = printable(builder.as_str());
            writeln!(
                self.out,
                "  {builder}: request_order [{}]",
                values.join(", ")
            )?;
        }
        Ok(())
    }

    /// Prints what the searches for the broken change ask for after a set with it.
    pub(super) fn searches(&mut self, config: &Config, set: &Submission) -> io::Result<()> {
        let changes: Vec<_> = set.stamps.changes().map(|change| change.number).collect();
        let course = self.broken.and_then(|broken| course(&changes, broken));
        let Some(course) = course else { return Ok(()) };
        for name in &set.builders {
            let builder = config.builder(name.as_str());
            match builder.and_then(|builder| builder.refuses_search_to_the_end()) {
                Some(why) => self.refused(name, &why)?,
                None => self.course(name, &course)?,
            }
        }
        Ok(())
    }

    fn course(&mut self, builder: &BuilderName, course: &Course) -> io::Result<()> {
        let history = self.history;
        let id = |change: &Option<ChangeNumber>| match change {
            Some(change) => history.id(*change),
            None => &Value::Null,
        };
        if self.what.json {
            let asks: Vec<_> = course.asks.iter().map(id).collect();
            let line = json!({ "search": builder, "asks": asks, "found": id(&course.found) });
            return writeln!(self.out, "{line}");
        }
        let ask = |change: &Option<ChangeNumber>| {
            let id = id(change);
            match id.is_null() {
                true => "the change before".to_owned(),
                false => id.as_str().map_or_else(|| id.to_string(), str::to_owned),
            }
        };
        let asks = printable(&commas(course.asks.iter().map(ask)));
        let found = match course.found {
            Some(_) => printable(&format!("finds {}", ask(&course.found))),
            None => "finds nothing".to_owned(),
        };
        let count = course.asks.len();
        let builder = printable(builder.as_str());
        writeln!(
            self.out,
            "  a search on {builder} asks for {count} builds ({asks}) and {found}"
        )
    }

    fn refused(&mut self, builder: &BuilderName, why: &str) -> io::Result<()> {
        if self.what.json {
            return writeln!(self.out, "{}", json!({ "search": builder, "refused": why }));
        }
        let (builder, why) = (printable(builder.as_str()), printable(why));
        writeln!(self.out, "  no search on {builder} by itself: {why}")
    }

    /// Prints a complaint of a scheduler at `at`.
    pub(super) fn problem(&mut self, at: Timestamp, what: &str) -> io::Result<()> {
        // On a terminal, the lines printed so far come first.
        self.out.flush()?;
        let at = moment::local(at, self.zone);
        complain(&format!("buildmaster: note: {at}: scheduler {what}"));
        Ok(())
    }

    /// Prints the summary.
    pub(super) fn end(&mut self, from: Timestamp, until: Timestamp) -> io::Result<()> {
        if self.what.json {
            return Ok(());
        }
        let [start, end] = [from, until].map(|at| moment::local(at, self.zone));
        let sets = match self.sets {
            0 => "no build set".to_owned(),
            1 => "1 build set".to_owned(),
            n => format!("{n} build sets"),
        };
        writeln!(self.out, "{sets} from {start} until {end}")?;
        let changes = self.history.changes().iter();
        let left = changes.filter(|c| c.arrived_at <= until && !self.built.contains(&c.number));
        let left: Vec<_> = left.map(|c| self.history.id(c.number)).collect();
        if left.is_empty() {
            return Ok(());
        }
        writeln!(self.out, "changes in no set: {}", listed(left.into_iter()))
    }

    fn row(&mut self, cells: [&str; 4], changes: &str) -> io::Result<()> {
        let [time, scheduler, branch, builders] = cells;
        writeln!(
            self.out,
            "{}  {}  {}  {}  {changes}",
            TIME.cell(time),
            self.scheduler.cell(scheduler),
            self.branch.cell(branch),
            self.builders.cell(builders),
        )
    }
}

/// The first ids, and the count if there are more.
fn listed<'v>(ids: impl Iterator<Item = &'v Value> + Clone) -> String {
    let count = ids.clone().count();
    let text = |id: &Value| id.as_str().map_or_else(|| id.to_string(), str::to_owned);
    let shown = ids.take(MOST_LISTED).map(text);
    let shown = printable(&commas(shown));
    match count {
        0..=MOST_LISTED => shown,
        _ => format!("{shown}, … ({count} changes)"),
    }
}
