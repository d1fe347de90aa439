//! The search: straight to what a number, a revision or `builder number` names, else lists of what
//! has the words.
//!
//! It looks at the configuration and at the newest 5000 changes.

use askama::Template;

use super::common::first_line;
use crate::model::{BuildNumber, BuilderName, ChangeNumber, RequestId, SetId};
use crate::store::State;
use crate::view::Change;
use crate::web::address;
use crate::web::args::Arg;
use crate::web::page::{Page, Permission, Place, Scene, Shown};
use crate::web::parts::{Link, Time, change, person};
use crate::web::refusal::Refusal;

pub(in crate::web) const PAGE: Page = Page {
    path: "/search",
    args: &[Arg::text("q")],
    permission: Permission::View,
    topics: &[],
    api: Some("/api/v1/search"),
    place: Place::Apart,
    show,
};

/// How many things of a kind are listed, and how many characters of a revision are enough.
const LISTED: usize = 20;
const REVISION: usize = 4;

#[derive(Debug, Template)]
#[template(path = "search.html", config = "src/web/askama.toml")]
struct Contents {
    q: String,
    count: usize,
    builders: Vec<(Hit, String, String)>,
    changes: Vec<Row>,
    people: Vec<(Hit, String)>,
    others: Vec<(&'static str, Hit, String)>,
}

#[derive(Debug)]
struct Row {
    number: Link,
    title: Hit,
    file: Option<Hit>,
    who: Link,
    when: Time,
}

/// A text with what was found in it, and where it leads.
#[derive(Clone, Debug, Default, Template)]
#[template(
    source = "{{ before }}{% if !found.is_empty() %}<mark>{{ found }}</mark>{% endif %}{{ after }}",
    ext = "html"
)]
struct Hit {
    before: String,
    found: String,
    after: String,
}

impl askama::filters::HtmlSafe for Hit {}

impl Hit {
    /// The text with the first place of `q` in it, whatever the case.
    fn new(text: &str, q: &str) -> Self {
        let place = text.to_ascii_lowercase().find(&q.to_ascii_lowercase());
        let parts = place.and_then(|at| {
            Some((
                text.get(..at)?,
                text.get(at..at + q.len())?,
                text.get(at + q.len()..)?,
            ))
        });
        match parts {
            Some((before, found, after)) => Self {
                before: before.to_owned(),
                found: found.to_owned(),
                after: after.to_owned(),
            },
            None => Self {
                before: text.to_owned(),
                ..Self::default()
            },
        }
    }

    /// A text in which something was found.
    fn is_hit(text: &str, q: &str) -> bool {
        text.to_ascii_lowercase().contains(&q.to_ascii_lowercase())
    }
}

fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let q = scene.args.text("q").unwrap_or_default().trim();
    if q.is_empty() {
        return Shown::new("Search", &Contents::empty());
    }
    if let Some(to) = straight(state, q)? {
        return Err(Refusal::Elsewhere {
            to,
            for_ever: false,
        });
    }
    let found = state.search_changes(q, u32::try_from(LISTED).unwrap_or(u32::MAX))?;
    let changes: Vec<_> = found
        .iter()
        .map(|known| Row::new(scene, &Change::from(known), q))
        .collect();
    let mut people: Vec<_> = found
        .iter()
        .map(|known| known.content.who.as_str())
        .filter(|who| Hit::is_hit(who, q))
        .collect();
    people.sort_unstable();
    people.dedup();
    let people = people.into_iter().map(|who| {
        let href = address::with_args("/changes", &[("name", who)]);
        (Hit::new(&person_name(who), q), href)
    });
    let mut contents = Contents {
        q: q.to_owned(),
        count: 0,
        builders: builders(scene, q),
        changes,
        people: people.collect(),
        others: others(scene, q),
    };
    contents.count = contents.builders.len()
        + contents.changes.len()
        + contents.people.len()
        + contents.others.len();
    Shown::new(format!("{q} · Search"), &contents)
}

/// The address of what `q` names.
fn straight(state: &State, q: &str) -> Result<Option<String>, Refusal> {
    let number = |text: &str| text.parse::<u64>().ok().filter(|_| !text.starts_with('+'));
    if let Some(number) = number(q) {
        if state.change(ChangeNumber(number))?.is_some() {
            return Ok(Some(address::change(ChangeNumber(number))));
        }
        if state.request(RequestId(number))?.is_some() {
            return Ok(Some(address::request(RequestId(number))));
        }
        if state.build_set(SetId(number))?.is_some() {
            return Ok(Some(address::build_set(SetId(number))));
        }
    }
    if let Some((name, last)) = q.rsplit_once([' ', '/', '#'])
        && let Some(number) = number(last)
    {
        let name = BuilderName::from(name.trim());
        if state.build(&name, BuildNumber(number))?.is_some() {
            return Ok(Some(address::build(&name, BuildNumber(number))));
        }
    }
    let is_word = !q.contains(char::is_whitespace) && q.chars().count() >= REVISION;
    if is_word {
        let found = state.changes_of_revision(q, 2)?;
        if let Some(first) = found
            .first()
            .and_then(|change| change.content.revision.as_deref())
            && found
                .iter()
                .all(|change| change.content.revision.as_deref() == Some(first))
        {
            return Ok(Some(address::revision(first)));
        }
    }
    Ok(None)
}

/// A person without the mail address that may stand behind the name.
fn person_name(who: &str) -> String {
    let name = who.split_once(" <").map_or(who, |(name, _)| name).trim();
    if name.is_empty() { who } else { name }.to_owned()
}

fn builders(scene: &Scene, q: &str) -> Vec<(Hit, String, String)> {
    let builders = scene.config.builders.iter();
    let found = builders.filter(|builder| {
        let mut texts = builder.tags.iter().chain([&builder.description]);
        Hit::is_hit(builder.name.as_str(), q) || texts.any(|text| Hit::is_hit(text, q))
    });
    let found = found.take(LISTED).map(|builder| {
        let href = address::builder(&builder.name);
        (
            Hit::new(builder.name.as_str(), q),
            href,
            builder.description.clone(),
        )
    });
    found.collect()
}

/// Slaves and schedulers.
fn others(scene: &Scene, q: &str) -> Vec<(&'static str, Hit, String)> {
    let slaves = scene.config.slaves.iter().map(|slave| {
        let name = &slave.name;
        ("slave", name.as_str(), address::slave(name))
    });
    let schedulers = scene.config.schedulers.iter().map(|scheduler| {
        let name = &scheduler.name;
        ("scheduler", name.as_str(), address::scheduler(name))
    });
    let found = slaves
        .chain(schedulers)
        .filter(|(_, name, _)| Hit::is_hit(name, q));
    let found = found.take(LISTED);
    found
        .map(|(kind, name, href)| (kind, Hit::new(name, q), href))
        .collect()
}

impl Contents {
    /// The page before something is asked.
    const fn empty() -> Self {
        Self {
            q: String::new(),
            count: 0,
            builders: Vec::new(),
            changes: Vec::new(),
            people: Vec::new(),
            others: Vec::new(),
        }
    }
}

impl Row {
    fn new(scene: &Scene, known: &Change, q: &str) -> Self {
        let title = first_line(&known.comments);
        let file = known.files.iter().find(|file| Hit::is_hit(file, q));
        Self {
            number: change(known.number),
            title: Hit::new(if title.is_empty() { "no text" } else { &title }, q),
            file: file.map(|file| Hit::new(file, q)),
            who: person(&known.who),
            when: scene.time(known.when),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::web::testing::Farm;

    #[test]
    fn numbers_revisions_and_builds_are_gone_to_straight() {
        let farm = Farm::broken();
        for (q, to) in [
            ("7", "/changes/7"),
            ("5", "/queue/5"),
            ("linux+2", "/builders/linux/builds/2"),
            ("linux%232", "/builders/linux/builds/2"),
        ] {
            let answer = farm.get(&format!("/search?q={q}"));
            assert_eq!(
                (answer.status.as_u16(), answer.header("location")),
                (302, to),
                "{q}"
            );
        }
    }

    #[test]
    fn words_are_looked_for_in_builders_changes_and_people() {
        let farm = Farm::broken();
        let page = farm.page("/search?q=DECODE");
        assert!(
            page.contains("block: <mark>decode</mark> without a check"),
            "{page}"
        );
        let person = farm.page("/search?q=okafor");
        let link = r#"<a href="/changes?name=Ines+Okafor">Ines <mark>Okafor</mark></a>"#;
        assert!(person.contains(link), "{person}");
        let builder = farm.page("/search?q=lin");
        assert!(builder.contains(r#"<a href="/builders/linux"><mark>lin</mark>ux</a>"#));
        let file = farm.page("/search?q=src%2Fa");
        assert!(file.contains("<mark>src/a</mark>.c"), "{file}");
        let none = farm.page("/search?q=100%25_");
        assert!(none.contains("Nothing has"), "{none}");
        let slave = farm.page("/search?q=oak");
        assert!(slave.contains(r#"<a href="/buildslaves/oak">"#), "{slave}");
        assert!(
            farm.page("/search")
                .contains("a number goes to that change")
        );
    }
}
