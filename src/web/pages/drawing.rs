//! How builds, changes and times are drawn as the table of the waterfall.

use std::collections::BTreeMap;
use std::time::Duration;

use super::common::first_line;
use crate::model::{BuilderName, Timestamp};
use crate::view::{Builder, Change, Slave, Sourced, StepSpan, Timeline};
use crate::web::address;
use crate::web::layout::elastic::{self, Item};
use crate::web::layout::fold::{Stage, fold};
use crate::web::page::Scene;
use crate::web::parts::{Link, Outcome, Pill, Time, Tone, change, person, slave};

/// Heights in pixels: of a line of text, of the number of a build, of what says that a slave is
/// away.
const LINE: u32 = 18;
const PILL: u32 = 18;
const AWAY: u32 = 32;

/// Changes that a cell names.
const NAMED: usize = 6;

/// How many times are named beside the axis at most.
const TICKS: i64 = 24;

/// A row of the table.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) height: u8,
    pub(super) cells: Vec<Cell>,
}

#[derive(Debug)]
pub(super) struct Cell {
    pub(super) rows: usize,
    pub(super) inside: Inside,
}

/// What is in a cell.
#[derive(Clone, Debug)]
pub(super) enum Inside {
    Empty,
    Tick(String),
    Changes {
        named: Vec<(Link, String, Link)>,
        more: usize,
    },
    Box(Box<Steps>),
    Away(Link, Time),
}

/// Steps that share a box.
#[derive(Clone, Debug)]
pub(super) struct Steps {
    pub(super) tone: Tone,
    pub(super) word: &'static str,
    pub(super) name: Option<Link>,
    /// How many more steps are in it.
    pub(super) more: usize,
    pub(super) took: String,
    pub(super) runs: bool,
    pub(super) log: Option<Link>,
    /// The build, in its first box.
    pub(super) pill: Option<Pill>,
}

/// What is drawn.
pub(super) struct Drawing<'a> {
    scene: &'a Scene,
    from: Timestamp,
    to: Timestamp,
    lanes: usize,
    items: Vec<Item>,
    insides: Vec<Inside>,
}

impl<'a> Drawing<'a> {
    pub(super) fn new(scene: &'a Scene, (from, to): (Timestamp, Timestamp)) -> Self {
        Self {
            scene,
            from,
            to,
            lanes: 2,
            items: Vec::new(),
            insides: Vec::new(),
        }
    }

    fn put(&mut self, item: Item, inside: Inside) {
        self.items.push(item);
        self.insides.push(inside);
    }

    /// Names times beside the axis, but none within a time in which nothing happens.
    pub(super) fn ticks(&mut self, timeline: &Timeline) {
        let (from, to) = (self.from.0 / 1_000_000, self.to.0 / 1_000_000);
        let steps = [
            60, 300, 600, 1800, 3600, 10_800, 21_600, 43_200, 86_400, 604_800,
        ];
        let mut steps = steps.into_iter();
        let step = steps.find(|step| (to - from) / step <= TICKS);
        let step = step.unwrap_or((to - from) / TICKS + 1);
        let offset = self.scene.zone.offset_at(to);
        let first = (from + offset).div_euclid(step) * step + step - offset;
        let mut busy = vec![false; usize::try_from((to - first).max(0) / step + 2).unwrap_or(1)];
        for (build, _) in &timeline.builds {
            let end = build.brief.finished_at.unwrap_or(self.to).min(self.to);
            let place = |at: Timestamp| (at.0 / 1_000_000 - first + step).div_euclid(step).max(0);
            for place in place(build.brief.started_at)..=place(end) {
                let known = usize::try_from(place).ok().and_then(|at| busy.get_mut(at));
                known.into_iter().for_each(|busy| *busy = true);
            }
        }
        let mut begin = self.from;
        let mut at = first;
        for near in busy.windows(2) {
            if at >= to {
                break;
            }
            if near.contains(&true) {
                let end = Timestamp::from_secs(at);
                let now = self.scene.local(self.scene.now);
                self.mark(
                    0,
                    (begin, end),
                    LINE,
                    Inside::Tick(self.scene.local(end).short(now)),
                );
                begin = end;
            }
            at += step;
        }
        let last = match self.to == self.scene.now {
            true => "now".to_owned(),
            false => self
                .scene
                .local(self.to)
                .short(self.scene.local(self.scene.now)),
        };
        self.mark(0, (begin, self.to), LINE, Inside::Tick(last));
    }

    fn mark(&mut self, lane: usize, time: (Timestamp, Timestamp), height: u32, inside: Inside) {
        let (begin, end) = time;
        let item = Item {
            lane,
            begin,
            end,
            height,
            runs: false,
        };
        self.put(item, inside);
    }

    /// Puts each change where it arrived; those that came together share a place.
    pub(super) fn changes(&mut self, changes: &[Change]) {
        let mut begin = self.from;
        let mut left = changes.iter().rev().peekable();
        while let Some(first) = left.next() {
            let mut together = vec![first];
            let is_near =
                |next: &&Change| next.arrived_at.since(first.arrived_at) < Duration::from_secs(7);
            while let Some(next) = left.next_if(|next| is_near(next)) {
                together.push(next);
            }
            together.reverse();
            let named = together.iter().take(NAMED);
            let named = named.map(|known| {
                let who = person(&known.who);
                (change(known.number), first_line(&known.comments), who)
            });
            let inside = Inside::Changes {
                named: named.collect(),
                more: together.len().saturating_sub(NAMED),
            };
            let lines = u32::try_from(together.len().min(NAMED + 1)).unwrap_or(1);
            let end = together[0].arrived_at.max(begin);
            self.mark(1, (begin, end), LINE * lines, inside);
            begin = end;
        }
    }

    /// Puts the builds into the columns of their builders; returns how many lanes each has.
    pub(super) fn builders(&mut self, names: &[BuilderName], timeline: &Timeline) -> Vec<usize> {
        let mut by_builder: BTreeMap<&BuilderName, Vec<&(Sourced, Vec<StepSpan>)>> =
            BTreeMap::new();
        for build in timeline.builds.iter().rev() {
            by_builder
                .entry(&build.0.brief.builder)
                .or_default()
                .push(build);
        }
        let mut widths = Vec::with_capacity(names.len());
        for name in names {
            // Builds at the same time stand side by side.
            let mut ends: Vec<Timestamp> = Vec::new();
            let mut own = by_builder.remove(name).unwrap_or_default();
            own.sort_by_key(|(build, _)| (build.brief.started_at, build.id));
            for (build, steps) in own {
                let begin = build.brief.started_at;
                let free = ends.iter().position(|end| *end <= begin);
                let lane = free.unwrap_or(ends.len());
                let end = build.brief.finished_at.unwrap_or(self.to).max(begin);
                match ends.get_mut(lane) {
                    Some(place) => *place = end,
                    None => ends.push(end),
                }
                self.build(self.lanes + lane, build, steps);
            }
            widths.push(ends.len().max(1));
            self.lanes += ends.len().max(1);
        }
        widths
    }

    /// Puts the boxes of a build into a lane.
    fn build(&mut self, lane: usize, build: &Sourced, steps: &[StepSpan]) {
        let brief = &build.brief;
        let outcome = Outcome::of(brief.result, brief.news);
        let end = |step: &StepSpan| step.finished_at.unwrap_or(self.to).max(step.started_at);
        let stages: Vec<_> = steps
            .iter()
            .map(|step| Stage {
                took: end(step).since(step.started_at),
                may_share: Outcome::of(step.result, None).tone() == Tone::Ok,
            })
            .collect();
        let mut pill = Some(Pill::number(&brief.builder, brief.number, outcome));
        let mut boxes = Vec::new();
        for range in fold(&stages) {
            let own = &steps[range.clone()];
            let longest = range.max_by_key(|&at| stages[at].took);
            let (Some(first), Some(last), Some(longest)) =
                (own.first(), own.last(), longest.map(|at| &steps[at]))
            else {
                continue;
            };
            let time = (first.started_at, end(last));
            boxes.push((time, Steps::new(build, longest, own.len() - 1, time)));
        }
        if boxes.is_empty() {
            let time = (brief.started_at, brief.finished_at.unwrap_or(self.to));
            boxes.push((time, Steps::none(outcome, brief.result.is_none())));
        }
        for ((begin, end), mut steps) in boxes {
            steps.pill = pill.take();
            let lines = LINE * (1 + u32::from(steps.log.is_some()));
            let item = Item {
                lane,
                begin,
                end,
                height: lines + PILL * u32::from(steps.pill.is_some()),
                runs: true,
            };
            self.put(item, Inside::Box(Box::new(steps)));
        }
    }

    /// Says of builders without a slave since when that is so.
    pub(super) fn away(
        &mut self,
        names: &[BuilderName],
        widths: &[usize],
        builders: &[Builder],
        slaves: &[Slave],
    ) {
        let mut lane = 2;
        for (name, width) in names.iter().zip(widths) {
            let builder = builders.iter().find(|builder| builder.name == *name);
            let own = builder.map_or(&[][..], |builder| &builder.slaves);
            let own: Vec<_> = slaves
                .iter()
                .filter(|slave| own.contains(&slave.name))
                .collect();
            let last = own
                .iter()
                .filter_map(|slave| Some((slave.last_seen?, slave)))
                .max_by_key(|(at, _)| *at);
            if own.iter().all(|slave| slave.is_away())
                && let Some((at, last)) = last
            {
                let items = self.items.iter().filter(|item| item.lane == lane);
                let begin = items.map(|item| item.end).max().unwrap_or(self.from);
                let begin = begin.max(at).max(self.from).min(self.to);
                let inside = Inside::Away(slave(&last.name), self.scene.time(at));
                self.mark(lane, (begin, self.to), AWAY, inside);
            }
            lane += width;
        }
    }

    /// The rows of the table.
    pub(super) fn rows(mut self) -> Vec<Row> {
        let mut order: Vec<_> = (0..self.items.len()).collect();
        order.sort_by_key(|&at| self.items[at].begin);
        let items: Vec<_> = order.iter().map(|&at| self.items[at]).collect();
        let rows = elastic::lay_out(&items, self.lanes, (self.from, self.to));
        let rows = rows.into_iter().map(|row| Row {
            height: row.height,
            cells: row
                .cells
                .iter()
                .map(|cell| Cell {
                    rows: cell.rows,
                    inside: match cell.item {
                        Some(item) => {
                            std::mem::replace(&mut self.insides[order[item]], Inside::Empty)
                        }
                        None => Inside::Empty,
                    },
                })
                .collect(),
        });
        rows.collect()
    }
}

impl Steps {
    fn new(
        build: &Sourced,
        step: &StepSpan,
        more: usize,
        (begin, end): (Timestamp, Timestamp),
    ) -> Self {
        let brief = &build.brief;
        let outcome = Outcome::of(step.result, None);
        let tone = outcome.tone();
        let href = address::step(&brief.builder, brief.number, &step.name);
        let log = step
            .log
            .as_ref()
            .filter(|_| matches!(tone, Tone::Fail | Tone::Exc));
        Self {
            tone,
            word: outcome.word(),
            name: Some(Link::to(&step.name, &href)),
            more,
            took: watch(end.since(begin)),
            runs: step.finished_at.is_none(),
            log: log.map(|log| {
                let href = address::log(&brief.builder, brief.number, &step.name, log);
                Link::to(log, &href)
            }),
            pill: None,
        }
    }

    /// The box of a build without steps.
    const fn none(outcome: Outcome, runs: bool) -> Self {
        Self {
            tone: outcome.tone(),
            word: outcome.word(),
            name: None,
            more: 0,
            took: String::new(),
            runs,
            log: None,
            pill: None,
        }
    }
}

/// A duration as a watch shows it: `1:37`, `2:05:00`.
fn watch(duration: Duration) -> String {
    let secs = duration.as_secs();
    let (hours, minutes, secs) = (secs / 3600, secs % 3600 / 60, secs % 60);
    match hours {
        0 => format!("{minutes}:{secs:02}"),
        hours => format!("{hours}:{minutes:02}:{secs:02}"),
    }
}
