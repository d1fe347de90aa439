//! The newest changes, by day, with one square for each builder.

use askama::Template;

use super::common::{first_line, outcome};
use crate::config::MOST_BUILDS;
use crate::model::{ChangeNumber, Judgement, NamePatterns, Results};
use crate::store::State;
use crate::view::{Brief, Change};
use crate::web::address;
use crate::web::args::Arg;
use crate::web::page::{Page, Permission, Place, Scene, Shown};
use crate::web::parts::{Link, Outcome, Pill, Square, Time, Tone, change, person, revision};
use crate::web::refusal::Refusal;

pub(in crate::web) const PAGE: Page = Page {
    path: "/changes",
    args: &[
        Arg::number("limit", 1, MOST_BUILDS as u64),
        Arg::number("before", 0, u64::MAX),
        Arg::text("branch"),
        Arg::text("name").also(&["committer"]),
        Arg::text("file"),
        Arg::text("project"),
        Arg::text("repository"),
        Arg::text("codebase"),
        Arg::text("q"),
    ],
    permission: Permission::View,
    topics: &["change"],
    api: Some("/api/v1/changes"),
    place: Place::Entry("Changes"),
    show,
};

/// How many changes are shown if the address does not say.
const CHANGES: u32 = 50;

/// From how many builders on not all of them have a square.
const MANY: usize = 24;

/// How many changes are looked through for those that are wanted.
const LOOKED_AT: u32 = 1000;

#[derive(Debug, Template)]
#[template(path = "changes.html", config = "src/web/askama.toml")]
struct Contents {
    q: String,
    branch: String,
    who: String,
    file: String,
    count: usize,
    is_filtered: bool,
    days: Vec<(String, Vec<Row>)>,
    older: Option<String>,
}

/// A change in a list.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) number: Link,
    pub(super) title: String,
    /// The codebase, with the changes of it; absent if it has no name.
    pub(super) codebase: Option<Link>,
    pub(super) who: Link,
    pub(super) when: Time,
    pub(super) revision: Option<Link>,
    pub(super) files: usize,
    pub(super) squares: Vec<Square>,
    /// How many more builders are as good as before.
    pub(super) good: usize,
    /// What it did: `broke windows`, `fixed 2 builders`.
    pub(super) did: Vec<Pill>,
}

/// What a change did, as its builds show. What broke with several changes may be the fault of one
/// of the others: `broke linux-asan?`.
pub(super) fn did(builds: &[Brief], number: ChangeNumber) -> Vec<Pill> {
    type Is = fn(&Brief) -> bool;
    let acts: [(&str, Is); 3] = [
        ("broke", |build| {
            (build.result, build.news) == (Some(Results::Failure), Some(Judgement::New))
        }),
        ("warnings in", |build| {
            (build.result, build.news) == (Some(Results::Warnings), Some(Judgement::New))
        }),
        ("fixed", |build| build.news == Some(Judgement::Fixed)),
    ];
    let pills = acts.into_iter().filter_map(|(act, is)| {
        let mut all: Vec<&Brief> = builds.iter().filter(|build| is(build)).collect();
        all.sort_by_key(|build| &build.builder);
        all.dedup_by_key(|build| &build.builder);
        let (first, doubt) = (*all.first()?, all.iter().any(|b| b.changes.len() > 1));
        let doubt = if doubt && act == "broke" { "?" } else { "" };
        Some(match all.len() {
            1 => {
                let text = format!("{act} {}{doubt}", first.builder);
                let href = address::build(&first.builder, first.number);
                Pill::link(text, href, outcome(first))
            }
            count => {
                let text = format!("{act} {count} builders{doubt}");
                Pill::link(text, address::change(number), outcome(first))
            }
        })
    });
    pills.collect()
}

impl Row {
    /// A change with a square for each builder that built it.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(super) fn read(state: &State, scene: &Scene, known: &Change) -> Result<Self, Refusal> {
        let builds = Brief::of_change(state, known.number)?;
        let did = did(&builds, known.number);
        let (squares, good) = by_builder(builds);
        Ok(Self {
            number: change(known.number),
            title: first_line(&known.comments),
            codebase: codebase(&known.codebase),
            who: person(&known.who),
            when: scene.time(known.when),
            revision: known.revision.as_deref().map(revision),
            files: known.files.len(),
            squares,
            good,
            did,
        })
    }
}

/// A square for each builder of some builds, and how many more builders are as good as before.
pub(super) fn by_builder(builds: Vec<Brief>) -> (Vec<Square>, usize) {
    // Of several builds of a builder, the last one counts.
    let mut last: Vec<Brief> = Vec::new();
    for build in builds {
        match last.iter_mut().find(|other| other.builder == build.builder) {
            Some(other) => *other = build,
            None => last.push(build),
        }
    }
    // Of many builders, those that are as good as before are only counted.
    let is_plain = |build: &Brief| outcome(build) == Outcome::plain(Tone::Ok);
    let all = last.len();
    if all > MANY {
        last.retain(|build| !is_plain(build));
    }
    let squares = last.iter();
    let squares =
        squares.map(|build| Square::builder(&build.builder, build.number, outcome(build)));
    (squares.collect(), all - last.len())
}

fn codebase(name: &str) -> Option<Link> {
    let href = address::with_args(PAGE.path, &[("codebase", name)]);
    (!name.is_empty()).then(|| Link::to(name, &href))
}

fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let limit = scene
        .args
        .number("limit")
        .and_then(|n| u32::try_from(n).ok());
    let limit = limit.unwrap_or(CHANGES);
    let is_filtered = PAGE
        .args
        .iter()
        .skip(2)
        .any(|arg| scene.args.text(arg.name).is_some());
    let looked_at = if is_filtered { LOOKED_AT } else { limit };
    let mut days: Vec<(String, Vec<Row>)> = Vec::new();
    let mut left = limit;
    let before = ChangeNumber(scene.args.number("before").unwrap_or(u64::MAX));
    let mut last = None;
    for known in state.changes_before(before, looked_at)? {
        let known = Change::from(&known);
        if left == 0 || !is_wanted(scene, &known) {
            continue;
        }
        left -= 1;
        last = Some(known.number);
        let day = scene.local(known.when).day(scene.local(scene.now));
        let row = Row::read(state, scene, &known)?;
        match days.last_mut().filter(|(last, _)| *last == day) {
            Some((_, rows)) => rows.push(row),
            None => days.push((day, vec![row])),
        }
    }
    let text = |name: &str| scene.args.text(name).unwrap_or_default().to_owned();
    let contents = Contents {
        q: text("q"),
        branch: text("branch"),
        who: text("name"),
        file: text("file"),
        count: days.iter().map(|(_, rows)| rows.len()).sum(),
        is_filtered,
        days,
        older: last.filter(|_| left == 0).map(|last| older(scene, last)),
    };
    let shown = Shown::new("Changes", &contents)?;
    Ok(shown.with_feed(&[("kind", "changes")]))
}

/// The address of the changes before `last`.
fn older(scene: &Scene, last: ChangeNumber) -> String {
    let before = last.to_string();
    let mut args: Vec<(&str, &str)> = Vec::new();
    for arg in PAGE.args.iter().filter(|arg| arg.name != "before") {
        let values = scene.args.all(arg.name).iter();
        args.extend(values.map(|value| (arg.name, value.as_str())));
    }
    args.push(("before", &before));
    address::with_args(PAGE.path, &args)
}

fn is_wanted(scene: &Scene, known: &Change) -> bool {
    let args = &scene.args;
    let is = |name: &str, value: &str| {
        let wanted = args.all(name);
        wanted.is_empty() || wanted.iter().any(|wanted| wanted == value)
    };
    let q = args.text("q").unwrap_or_default().to_lowercase();
    let has = |text: &str| text.to_lowercase().contains(&q);
    is("branch", known.branch.as_deref().unwrap_or_default())
        && is("project", &known.project)
        && is("repository", &known.repository)
        && is("codebase", &known.codebase)
        && args
            .text("name")
            .is_none_or(|name| known.who.contains(name))
        && args
            .text("file")
            .is_none_or(|file| known.files.iter().any(|known| is_file(known, file)))
        && (has(&known.comments) || has(&known.who))
}

/// Whether a file is meant: by its name, or by a pattern with `*` and `?`.
fn is_file(file: &str, wanted: &str) -> bool {
    let is_match = || NamePatterns::new(vec![wanted.to_owned()]).is_ok_and(|p| p.is_match(file));
    file == wanted || (!NamePatterns::is_plain(wanted) && is_match())
}

#[cfg(test)]
mod tests {
    use crate::web::testing::Farm;

    #[test]
    fn changes_have_a_square_for_each_build_of_them() {
        let farm = Farm::broken();
        let page = farm.page("/changes");
        assert!(page.contains("block: decode without a check"), "{page}");
        let square =
            r#"<a class="q fail new" href="/builders/linux/builds/1" title="linux new failure">"#;
        assert_eq!(page.matches(square).count(), 2, "{page}");
        assert!(!page.contains("sam@example.org"), "{page}");
        let some = farm.page("/changes?name=Jonas");
        assert!(some.contains("api: ssize_t") && !some.contains("type stubs"));
        let two = farm.page("/changes?limit=2&before=9");
        assert!(
            two.contains("type stubs") && !two.contains("api: ssize_t"),
            "{two}"
        );
        assert!(
            two.contains(r#"href="/changes?limit=2&#38;before=7""#),
            "{two}"
        );
        let files = |pattern: &str| farm.page(&format!("/changes?file={pattern}"));
        assert!(files("src/*.c").contains("type stubs"));
        assert!(files("src/a.c").contains("type stubs"));
        assert!(!files("docs/*").contains("type stubs"));
        // It broke with two changes; one may be the fault of the other.
        assert_eq!(page.matches(">broke linux?<b>").count(), 2, "{page}");
        let none = farm.page("/changes?branch=other");
        assert!(none.contains("No change matches"), "{none}");
    }

    #[test]
    fn a_change_shows_what_became_of_it() {
        let page = Farm::broken().page("/changes/7");
        assert!(page.contains("faster"), "the whole text: {page}");
        assert!(
            page.contains(">1<b> new failure</b></a> <span class=\"s\">new failure"),
            "{page}"
        );
        assert!(page.contains("src/a.c") && page.contains("/schedulers/quick"));
        assert_eq!(Farm::broken().get("/changes/77").status, 404);
    }
}
