//! All builders: the broken ones first.

use std::collections::BTreeMap;

use askama::Template;

use super::common::{Began, Running, pill, running, slaves, squares};
use crate::model::{BuilderName, Results, SlaveName};
use crate::store::State;
use crate::store::read::Wanted;
use crate::view::{Brief, Builder, Slave, Standing};
use crate::web::address;
use crate::web::args::Arg;
use crate::web::page::{Page, Permission, Place, Scene, Shown};
use crate::web::parts::{Links, Outcome, Pill, Square, Time, Tone, took};
use crate::web::refusal::Refusal;

pub(in crate::web) const PAGE: Page = Page {
    path: "/builders",
    args: &[
        Arg::text("tag").also(&["category"]),
        Arg::text("builder").also(&["show"]),
        Arg::text("branch"),
        Arg::text("q"),
        Arg::word("state", &STATES),
        Arg::word("view", &["rows", "compact"]),
    ],
    permission: Permission::View,
    topics: &["summary"],
    api: Some("/api/v1/builders"),
    place: Place::Entry("Builders"),
    show,
};

const STATES: [&str; 4] = ["broken", "running", "waiting", "idle"];

/// From how many builders on only the broken ones have rows.
const MANY: usize = 60;

/// How many builds of a builder are shown.
const BUILDS: u32 = 12;

#[derive(Debug, Template)]
#[template(path = "builders.html", config = "src/web/askama.toml")]
struct Builders {
    count: usize,
    broken: usize,
    q: String,
    states: Vec<Filter>,
    tags: Vec<Filter>,
    rows: Vec<Row>,
    /// The other builders, by their first tag, if there are many.
    names: Vec<(String, Vec<Name>)>,
    /// Whether the reader has logged in, and may perhaps act on several at once.
    is_known: bool,
}

/// A link that leaves some builders out.
#[derive(Debug)]
struct Filter {
    name: String,
    href: String,
    is_current: bool,
    count: usize,
}

#[derive(Debug)]
struct Row {
    name: BuilderName,
    href: String,
    tags: String,
    last: Option<Pill>,
    since: Option<Began>,
    at: Option<Time>,
    squares: Vec<Square>,
    running: Vec<Running>,
    waiting: u64,
    queue: String,
    is_idle: bool,
    usually: String,
    slaves: Links,
}

/// A builder in the list of many.
#[derive(Debug)]
struct Name {
    name: BuilderName,
    href: String,
    outcome: Outcome,
}

/// A builder with where it stands.
struct Seen<'a> {
    builder: &'a Builder,
    standing: Option<&'a Standing>,
    can_build: bool,
}

fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let (moment, live) = (scene.moment(), &scene.live);
    let builders = Builder::all(Some(state), Some(&scene.config), live, moment)?;
    let standings = Standing::all(state)?;
    let connected = Slave::all(Some(state), None, live, moment)?;
    let connected: BTreeMap<SlaveName, bool> = connected
        .into_iter()
        .map(|slave| (slave.name.clone(), !slave.is_away()))
        .collect();
    let mut all: Vec<_> = builders
        .iter()
        .map(|builder| Seen {
            builder,
            standing: standings.get(&builder.name),
            can_build: builder
                .slaves
                .iter()
                .any(|name| connected.get(name) == Some(&true)),
        })
        .collect();
    let broken = all.iter().filter(|seen| seen.is("broken")).count();
    let (states, tags) = (state_filters(scene, &all), tag_filters(scene, &all));
    all.retain(|seen| seen.is_wanted(scene));
    // The sort is stable: otherwise they stay in the order of the configuration.
    all.sort_by_key(Seen::place);
    let is_compact = match scene.args.text("view") {
        Some(view) => view == "compact",
        None => all.len() >= MANY,
    };
    let (with_rows, others): (Vec<_>, Vec<_>) = all
        .into_iter()
        .partition(|seen| !is_compact || seen.is("broken"));
    let mut rows = Vec::new();
    for seen in with_rows {
        rows.push(Row::read(state, scene, &seen)?);
    }
    let runs = rows.iter().any(|row| !row.running.is_empty());
    let page = Builders {
        is_known: scene.reader.user().is_some(),
        count: builders.len(),
        broken,
        q: scene.args.text("q").unwrap_or_default().to_owned(),
        states,
        tags,
        rows,
        names: by_tag(&others),
    };
    let (title, icon) = match broken {
        0 => ("Builders".to_owned(), Tone::Ok),
        _ => (
            format!("✕ {broken} of {} broken · Builders", builders.len()),
            Tone::Fail,
        ),
    };
    let shown = Shown::new(title, &page)?.with_icon(icon).running(runs);
    Ok(shown.with_feed(&[("kind", "builds")]))
}

impl Seen<'_> {
    /// Whether the builder is in this state.
    fn is(&self, state: &str) -> bool {
        match state {
            "broken" => self.standing.is_some_and(Standing::is_broken),
            "running" => !self.builder.running.is_empty(),
            "waiting" => self.builder.pending > 0,
            _ => self.builder.running.is_empty() && self.builder.pending == 0,
        }
    }

    fn is_wanted(&self, scene: &Scene) -> bool {
        let args = &scene.args;
        let name = self.builder.name.as_str();
        let tags = self.builder.tags.as_deref().unwrap_or_default();
        let is_named = |names: &[String]| names.is_empty() || names.iter().any(|n| n == name);
        let (wanted, q) = (args.all("tag"), args.text("q").unwrap_or_default());
        is_named(args.all("builder"))
            && (wanted.is_empty() || wanted.iter().any(|tag| tags.contains(tag)))
            && name.to_lowercase().contains(&q.to_lowercase())
            && args.text("state").is_none_or(|state| self.is(state))
    }

    /// Its place: broken ones first, those that broke last at the front, then those that cannot
    /// build, then those with warnings.
    fn place(&self) -> (u8, i64) {
        match self.standing {
            Some(line) if line.is_broken() => (0, line.since_at.0.saturating_neg()),
            _ if !self.can_build => (1, 0),
            Some(line) if line.result == Results::Warnings => (2, 0),
            Some(_) | None => (3, 0),
        }
    }
}

impl Row {
    fn read(state: &State, scene: &Scene, seen: &Seen<'_>) -> Result<Self, Refusal> {
        let builder = seen.builder;
        let wanted = Wanted {
            branch: scene.args.text("branch"),
            ..Wanted::default()
        };
        let builds = Brief::newest(state, &builder.name, wanted, BUILDS)?;
        let last = builds.iter().find(|build| build.result.is_some());
        let is_news = |line: &&Standing| line.result != Results::Success;
        // Of a branch only its builds are told, for the line may be that of another.
        let standing = seen.standing.filter(is_news);
        let standing = standing.filter(|line| wanted.branch.is_none_or(|b| line.is_of(b)));
        let running = running(state, scene, std::slice::from_ref(builder))?;
        Ok(Self {
            href: address::builder(&builder.name),
            tags: builder.tags.as_deref().unwrap_or_default().join(" "),
            last: last.map(pill),
            since: standing.map(|line| Began::new(&builder.name, line.since, &line.began)),
            at: last
                .and_then(|build| build.finished_at)
                .map(|at| scene.time(at)),
            squares: squares(&builds),
            is_idle: running.is_empty() && builder.pending == 0,
            running,
            waiting: builder.pending,
            queue: address::with_args("/queue", &[("builder", &builder.name)]),
            usually: Brief::usual(&builds).map_or_else(String::new, took),
            slaves: slaves(&builder.slaves),
            name: builder.name.clone(),
        })
    }
}

fn state_filters(scene: &Scene, all: &[Seen<'_>]) -> Vec<Filter> {
    let asked = scene.args.text("state");
    let mut filters = vec![Filter {
        name: "all".to_owned(),
        href: PAGE.path.to_owned(),
        is_current: asked.is_none() && scene.args.all("tag").is_empty(),
        count: all.len(),
    }];
    for state in STATES {
        let count = all.iter().filter(|seen| seen.is(state)).count();
        if count > 0 || asked == Some(state) {
            filters.push(Filter {
                name: state.to_owned(),
                href: address::with_args(PAGE.path, &[("state", state)]),
                is_current: asked == Some(state),
                count,
            });
        }
    }
    filters
}

fn tag_filters(scene: &Scene, all: &[Seen<'_>]) -> Vec<Filter> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for seen in all {
        for tag in seen.builder.tags.iter().flatten() {
            *counts.entry(tag).or_default() += 1;
        }
    }
    let asked = scene.args.all("tag");
    let counts = counts.into_iter().map(|(tag, count)| Filter {
        name: tag.to_owned(),
        href: address::with_args(PAGE.path, &[("tag", tag)]),
        is_current: asked.iter().any(|asked| asked == tag),
        count,
    });
    counts.collect()
}

fn by_tag(others: &[Seen<'_>]) -> Vec<(String, Vec<Name>)> {
    let mut names: BTreeMap<&str, Vec<Name>> = BTreeMap::new();
    for seen in others {
        let first = seen.builder.tags.iter().flatten().next();
        let tag = first.map_or("others", String::as_str);
        let outcome = match (seen.builder.running.is_empty(), seen.standing) {
            (false, _) => Outcome::of(None, None),
            (true, Some(line)) => Outcome::of(Some(line.result), None),
            (true, None) => Outcome::plain(Tone::Off),
        };
        names.entry(tag).or_default().push(Name {
            href: address::builder(&seen.builder.name),
            name: seen.builder.name.clone(),
            outcome,
        });
    }
    let names = names.into_iter();
    names.map(|(tag, names)| (tag.to_owned(), names)).collect()
}

#[cfg(test)]
mod tests {
    use crate::web::testing::Farm;

    #[test]
    fn prb_23_a_broken_builder_is_first_and_says_since_which_build_and_change() {
        let page = Farm::broken().page("/builders");
        assert!(
            page.contains("Builders <small>2, 1 of them broken</small>"),
            "{page}"
        );
        let last =
            r#"<a class="p fail still" href="/builders/linux/builds/2">2<b> still failing</b></a>"#;
        assert!(page.contains(last), "{page}");
        let since = r#"since <a href="/builders/linux/builds/1">1</a>, change <a href="/changes/7">7</a> or <a href="/changes/8">8</a>"#;
        assert!(page.contains(since), "{page}");
        let squares = ["ok", "fail new", "fail still", "run"];
        for (number, class) in squares.iter().enumerate() {
            let square = format!(r#"<a class="q {class}" href="/builders/linux/builds/{number}""#);
            assert!(page.contains(&square), "{square} in {page}");
        }
    }

    #[test]
    fn builders_are_left_out_by_state_tag_and_name() {
        let farm = Farm::broken();
        for (args, linux, other) in [
            ("state=broken", true, false),
            ("state=waiting", false, true),
            ("tag=required", true, false),
            ("category=required", true, false),
            ("builder=a%2Fb+c", false, true),
            ("q=LIN", true, false),
            ("view=compact", true, true),
            ("branch=other", true, true),
        ] {
            let page = farm.page(&format!("/builders?{args}"));
            let has = |href: &str| page.contains(&format!(r#"href="{href}">"#));
            assert_eq!(has("/builders/linux"), linux, "{args}");
            assert_eq!(has("/builders/a%2Fb%20c"), other, "{args}");
        }
        assert_eq!(farm.get("/builders?state=sad").status, 400);
    }
}
