//! The console: what each builder made of each change, the newest change first.
//!
//! It reads the changes by their numbers (at most 1000 to find those that are wanted), the builds
//! and the waiting requests of these changes by the index of sets that each change is in, and the
//! newest few builds of each builder for those that are made of no changes.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;

use super::columns::{self, BRANCH, BUILDER, RELOAD, TAG};
use super::common::{first_line, outcome};
use crate::config::BuilderConfig;
use crate::model::{BuildNumber, BuilderName, ChangeNumber, Line, RequestId, Results};
use crate::store::State;
use crate::view::{Change, Scheduler, Sourced, Tree};
use crate::web::address;
use crate::web::args::Arg;
use crate::web::layout::fields::{Field, lay_out};
use crate::web::page::{Page, Permission, Place, Scene, Shown};
use crate::web::parts::{Link, Pill, Square, Time, change, person, revision, span};
use crate::web::refusal::Refusal;

pub(in crate::web) const PAGE: Page = Page {
    path: "/console",
    args: &[
        BUILDER,
        TAG,
        BRANCH,
        RELOAD,
        Arg::text("repository"),
        Arg::text("project"),
        Arg::text("codebase"),
        Arg::text("name"),
        Arg::number("revs", 1, 200),
        Arg::number("before", 0, u64::MAX),
    ],
    permission: Permission::View,
    topics: &["summary"],
    api: None,
    place: Place::Entry("Console"),
    show,
};

/// How many changes are shown if the address does not say, and how many are looked through.
const CHANGES: usize = 20;
const LOOKED_AT: u32 = 1000;
const AT_ONCE: u32 = 100;

/// How many builds of a builder are looked through for those that are made of no changes.
const NIGHTLY: u32 = 8;

/// From how many columns on they are grouped by tag, and on they are squares.
const GROUPED: usize = 13;
const NARROW: usize = 40;

/// The number of the field of what waits.
const WAITS: usize = usize::MAX;

#[derive(Debug, Template)]
#[template(path = "console.html", config = "src/web/askama.toml")]
struct Contents {
    count: usize,
    branch: String,
    name: String,
    tags: Vec<(String, bool)>,
    /// The tags over the columns, with the number of columns; empty if they are not grouped.
    groups: Vec<(String, usize)>,
    builders: Vec<Link>,
    is_narrow: bool,
    rows: Vec<Row>,
    older: Option<String>,
}

#[derive(Debug)]
enum Row {
    Day(String, Vec<Cell>),
    Change(Box<ChangeRow>, Vec<Cell>),
}

#[derive(Debug)]
struct ChangeRow {
    number: Link,
    revision: Option<Link>,
    title: Link,
    who: Link,
    when: Time,
}

#[derive(Debug)]
struct Cell {
    rows: usize,
    columns: usize,
    inside: Inside,
}

#[derive(Debug)]
enum Inside {
    Empty,
    Pill(Pill),
    Square(Square),
    Waits {
        count: usize,
        href: String,
    },
    Held {
        scheduler: Link,
        says: String,
        is_first: bool,
    },
}

fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let (changes, older) = changes(state, scene)?;
    let mut builders = columns::chosen(scene);
    let is_grouped = builders.len() >= GROUPED && scene.args.all(TAG.name).is_empty();
    if is_grouped {
        builders.sort_by(|a, b| a.tags.first().cmp(&b.tags.first()));
    }
    let numbers: Vec<_> = changes.iter().map(|change| change.number).collect();
    let matrix = Matrix::read(state, scene, &builders, &changes, &numbers)?;
    let (columns, divides, days) = matrix.fields(scene, &builders, &changes);
    let placed = lay_out(&columns, &divides);
    let mut rows = Vec::with_capacity(placed.len());
    let mut left = changes.iter().enumerate();
    let mut days = days.into_iter();
    let mut at = 0;
    for (fields, divides) in placed.iter().zip(&divides) {
        let mut seen_held = BTreeSet::new();
        let mut cells = Vec::with_capacity(fields.len());
        for field in fields {
            let rows = at..at + field.rows;
            let inside = matrix.inside(scene, &builders, field, rows, &mut seen_held);
            cells.push(Cell {
                rows: field.rows,
                columns: field.columns,
                inside,
            });
        }
        if *divides {
            rows.push(Row::Day(days.next().unwrap_or_default(), cells));
        } else if let Some((place, change)) = left.next() {
            at = place + 1;
            rows.push(Row::Change(Box::new(ChangeRow::new(scene, change)), cells));
        }
    }
    let contents = Contents {
        count: changes.len(),
        branch: scene.args.text(BRANCH.name).unwrap_or_default().to_owned(),
        name: scene.args.text("name").unwrap_or_default().to_owned(),
        tags: columns::tags(scene),
        groups: if is_grouped {
            groups(&builders)
        } else {
            Vec::new()
        },
        builders: builders
            .iter()
            .map(|builder| Link::to(builder.name.as_str(), &address::builder(&builder.name)))
            .collect(),
        is_narrow: matrix.is_narrow,
        rows,
        older,
    };
    let runs = matrix.runs();
    let (title, icon) = columns::title(state, "Console")?;
    Ok(Shown::new(title, &contents)?.with_icon(icon).running(runs))
}

/// The changes that are shown, and the address of those before.
fn changes(state: &State, scene: &Scene) -> Result<(Vec<Change>, Option<String>), Refusal> {
    let wanted = scene
        .args
        .number("revs")
        .and_then(|n| usize::try_from(n).ok());
    let wanted = wanted.unwrap_or(CHANGES);
    let mut before = ChangeNumber(scene.args.number("before").unwrap_or(u64::MAX));
    let mut found = Vec::new();
    let mut looked_at = 0;
    while found.len() <= wanted && looked_at < LOOKED_AT {
        let some = state.changes_before(before, AT_ONCE)?;
        let Some(last) = some.last() else { break };
        before = last.number;
        looked_at += AT_ONCE;
        let some = some.iter().map(Change::from);
        found.extend(some.filter(|change| is_wanted(scene, change)));
    }
    let has_more = found.len() > wanted;
    found.truncate(wanted);
    let older = found.last().filter(|_| has_more).map(|last| {
        let before = last.number.to_string();
        let mut args: Vec<(&str, &str)> = Vec::new();
        for arg in PAGE.args.iter().filter(|arg| arg.name != "before") {
            let values = scene.args.all(arg.name).iter();
            args.extend(values.map(|value| (arg.name, value.as_str())));
        }
        args.push(("before", &before));
        address::with_args(PAGE.path, &args)
    });
    Ok((found, older))
}

fn is_wanted(scene: &Scene, change: &Change) -> bool {
    let is = |name: &str, value: &str| {
        let wanted = columns::non_empty(scene, name);
        wanted.is_empty() || wanted.iter().any(|wanted| *wanted == value)
    };
    let names = columns::non_empty(scene, "name");
    is(BRANCH.name, change.branch.as_deref().unwrap_or_default())
        && is("repository", &change.repository)
        && is("project", &change.project)
        && is("codebase", &change.codebase)
        && (names.is_empty() || names.iter().any(|name| change.who.contains(name.as_str())))
}

/// The tags of the columns.
fn groups(builders: &[&BuilderConfig]) -> Vec<(String, usize)> {
    let tag = |builder: &&BuilderConfig| builder.tags.first().cloned().unwrap_or_default();
    let groups = builders.chunk_by(|a, b| a.tags.first() == b.tags.first());
    groups
        .filter_map(|group| Some((tag(group.first()?), group.len())))
        .collect()
}

/// What the builders made of the changes.
#[derive(Debug, Default)]
struct Matrix {
    builds: Vec<Sourced>,
    /// The build of each builder and row.
    built: BTreeMap<(BuilderName, usize), usize>,
    waiting: BTreeMap<(BuilderName, usize), BTreeSet<RequestId>>,
    held: Vec<(Scheduler, Tree)>,
    /// What is held of each row.
    held_at: BTreeMap<usize, Vec<usize>>,
    is_narrow: bool,
}

impl Matrix {
    fn read(
        state: &State,
        scene: &Scene,
        builders: &[&BuilderConfig],
        changes: &[Change],
        numbers: &[ChangeNumber],
    ) -> Result<Self, Refusal> {
        let mut matrix = Self {
            is_narrow: builders.len() >= NARROW,
            ..Self::default()
        };
        // The changes are in falling order.
        let row = |number: &ChangeNumber| numbers.binary_search_by(|known| number.cmp(known)).ok();
        for build in Sourced::of_changes(state, numbers)? {
            if build.is_try {
                continue;
            }
            let rows: Vec<_> = build.brief.changes.iter().filter_map(row).collect();
            matrix.put(build, rows);
        }
        for builder in builders {
            matrix.read_nightly(state, scene, &builder.name, changes)?;
        }
        for (number, builder, request) in state.waiting_for_changes(numbers)? {
            if let Some(row) = row(&number) {
                matrix
                    .waiting
                    .entry((builder, row))
                    .or_default()
                    .insert(request);
            }
        }
        let configs = scene.config.schedulers.iter().map(AsRef::as_ref);
        for scheduler in Scheduler::all(Some(state), configs, scene.now)? {
            for tree in &scheduler.waiting {
                let place = matrix.held.len();
                for row in tree.changes.iter().filter_map(row) {
                    matrix.held_at.entry(row).or_default().push(place);
                }
                matrix.held.push((scheduler.clone(), tree.clone()));
            }
        }
        Ok(matrix)
    }

    /// Puts a build into rows; the one that started last is seen.
    fn put(&mut self, build: Sourced, rows: impl IntoIterator<Item = usize>) {
        let place = self.builds.len();
        for row in rows {
            let known = self.built.get(&(build.brief.builder.clone(), row));
            let is_older = known.is_some_and(|&known| self.builds[known].id > build.id);
            if !is_older {
                self.built.insert((build.brief.builder.clone(), row), place);
            }
        }
        self.builds.push(build);
    }

    /// Puts builds of no changes and of no asked revision beside the change that was newest for
    /// them.
    fn read_nightly(
        &mut self,
        state: &State,
        scene: &Scene,
        builder: &BuilderName,
        changes: &[Change],
    ) -> Result<(), Refusal> {
        let before = match scene.args.number("before") {
            Some(before) => match state.change(ChangeNumber(before))? {
                Some(next) => state.first_build_after(builder, next.arrived_at)?,
                None => return Ok(()),
            },
            None => BuildNumber(u64::MAX),
        };
        for build in Sourced::of_builder(state, builder, before, NIGHTLY)? {
            if !build.brief.changes.is_empty() || build.is_try || build.asked_revision.is_some() {
                continue;
            }
            let Some(line) = &build.line else { continue };
            let is_of = |change: &Change, tree: &Line| {
                change.branch == tree.branch
                    && change.repository == tree.repository
                    && change.codebase == tree.codebase
            };
            let row = changes.iter().position(|change| {
                change.arrived_at <= build.brief.started_at
                    && line.trees().any(|tree| is_of(change, tree))
            });
            self.put(build, row);
        }
        Ok(())
    }

    /// What is in each row of each column, which rows name days, and these days.
    fn fields(
        &self,
        scene: &Scene,
        builders: &[&BuilderConfig],
        changes: &[Change],
    ) -> (Vec<Vec<Field>>, Vec<bool>, Vec<String>) {
        let mut columns = vec![Vec::new(); builders.len()];
        let (mut divides, mut days): (Vec<bool>, Vec<String>) = (Vec::new(), Vec::new());
        for (row, change) in changes.iter().enumerate() {
            let day = scene.local(change.when).day(scene.local(scene.now));
            if days.last() != Some(&day) {
                days.push(day);
                divides.push(true);
                columns
                    .iter_mut()
                    .for_each(|column| column.push(Field::Empty));
            }
            divides.push(false);
            for (column, builder) in columns.iter_mut().zip(builders) {
                column.push(self.field(&builder.name, row));
            }
        }
        (columns, divides, days)
    }

    fn field(&self, builder: &BuilderName, row: usize) -> Field {
        let place = (builder.clone(), row);
        if let Some(build) = self.built.get(&place) {
            return Field::Tall(*build);
        }
        if self.waiting.contains_key(&place) {
            return Field::Tall(WAITS);
        }
        let mut held = self.held_at.get(&row).into_iter().flatten();
        let held = held.find(|held| self.held[**held].0.builders.contains(builder));
        held.map_or(Field::Empty, |held| Field::Wide(*held))
    }

    /// What a field shows that spans these rows, those of days counted.
    fn inside(
        &self,
        scene: &Scene,
        builders: &[&BuilderConfig],
        placed: &crate::web::layout::fields::Placed,
        rows: std::ops::Range<usize>,
        seen_held: &mut BTreeSet<usize>,
    ) -> Inside {
        let Some(builder) = builders.get(placed.column) else {
            return Inside::Empty;
        };
        match placed.field {
            Field::Empty => Inside::Empty,
            Field::Tall(WAITS) => {
                let of = |row| self.waiting.get(&(builder.name.clone(), row));
                let requests: BTreeSet<_> = rows.filter_map(of).flatten().collect();
                Inside::Waits {
                    count: requests.len().max(1),
                    href: address::with_args("/queue", &[("builder", &builder.name)]),
                }
            }
            Field::Tall(build) => {
                let brief = &self.builds[build].brief;
                let outcome = outcome(brief);
                let is_as_before = brief.result == Some(Results::Success) && brief.news.is_none();
                match (self.is_narrow, is_as_before) {
                    (false, _) => Inside::Pill(Pill::number(&brief.builder, brief.number, outcome)),
                    (true, false) => {
                        Inside::Square(Square::builder(&brief.builder, brief.number, outcome))
                    }
                    (true, true) => {
                        let text = format!("{} {}", brief.builder, brief.number);
                        Inside::Square(Square::bare(&text, outcome))
                    }
                }
            }
            Field::Wide(held) => {
                let (scheduler, tree) = &self.held[held];
                let name = scheduler.name.as_str();
                Inside::Held {
                    scheduler: Link::to(name, &address::scheduler(&scheduler.name)),
                    says: held_until(scene, tree),
                    is_first: seen_held.insert(held),
                }
            }
        }
    }

    fn runs(&self) -> bool {
        let is_running = |build: &Sourced| build.brief.result.is_none();
        self.builds.iter().any(is_running) || !self.held_at.is_empty()
    }
}

/// When a scheduler builds what it holds.
fn held_until(scene: &Scene, tree: &Tree) -> String {
    match tree.until.filter(|until| *until > scene.now) {
        Some(until) => {
            let left = span(until.since(scene.now));
            match tree.is_timer {
                true => format!("builds it in {left}, if nobody commits meanwhile"),
                false => format!("builds it in {left}"),
            }
        }
        None => "holds it until something important comes".to_owned(),
    }
}

impl ChangeRow {
    fn new(scene: &Scene, known: &Change) -> Self {
        let title = first_line(&known.comments);
        let title = if title.is_empty() { "no text" } else { &title };
        Self {
            number: change(known.number),
            revision: known.revision.as_deref().map(revision),
            title: Link::to(title, &address::change(known.number)),
            who: person(&known.who),
            when: scene.time(known.when),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::model::{Results, SourceStamp};
    use crate::web::testing::{Farm, ago};

    #[test]
    fn a_build_of_several_changes_is_one_tall_field() {
        let page = Farm::broken().page("/console");
        let tall = r#"<td class="cc" rowspan="2"><a class="p fail new" href="/builders/linux/builds/1">1<b> new failure</b></a></td>"#;
        assert_eq!(page.matches(tall).count(), 1, "{page}");
        let newest = r#"<a class="p run" href="/builders/linux/builds/3">3<b> running</b></a>"#;
        assert!(page.contains(newest), "{page}");
        assert!(
            !page.contains(r#"href="/builders/linux/builds/2""#),
            "{page}"
        );
        let waits = r#"<a class="p wait" href="/queue?builder=a%2Fb+c">1<b> waiting</b></a>"#;
        assert!(page.contains(waits), "{page}");
        assert!(page.contains("<title>✕ 1 broken · Console · Brindle</title>"));
    }

    #[test]
    fn changes_are_left_out_by_number_branch_and_person() {
        let farm = Farm::broken();
        for (args, expected) in [
            ("revs=1", "9"),
            ("revs=2&before=9", "87"),
            ("name=Jonas", "9"),
            ("branch=other", ""),
            ("branch=", "9876"),
            ("repository=x", ""),
        ] {
            let page = farm.page(&format!("/console?{args}"));
            for number in ["6", "7", "8", "9"] {
                let link = format!(r#"<a href="/changes/{number}">{number}</a>"#);
                assert_eq!(
                    page.contains(&link),
                    expected.contains(number),
                    "{args} {number}"
                );
            }
        }
        let page = farm.page("/console?revs=1&branch=main");
        let older = r#"href="/console?branch=main&#38;revs=1&#38;before=9""#;
        assert!(page.contains(older), "{page}");
    }

    #[test]
    fn a_build_of_no_changes_stands_at_the_newest_change_for_it() {
        let mut farm = Farm::broken();
        let stamp = SourceStamp {
            branch: Some("main".to_owned()),
            ..SourceStamp::default()
        };
        let build = farm.start_of("a/b c", 0, stamp, ago(9_000));
        farm.finish(build, Results::Success, ago(8_900));
        let page = farm.page("/console?revs=1");
        assert!(page.contains(r#"builds/0">0<b> success</b>"#), "{page}");
    }
}
