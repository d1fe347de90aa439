//! The outbox: what the master has to tell people and programs, and what it could not tell
//! (OUT-12).

use askama::Template;

use super::users::require;
use crate::model::{Action, LetterId};
use crate::store::State;
use crate::store::read::{LetterFilter, OutboxRow};
use crate::view::Letter;
use crate::web::address;
use crate::web::args::Arg;
use crate::web::page::{Page, Permission, Place, Scene, Shown};
use crate::web::parts::{Time, Tone};
use crate::web::refusal::Refusal;

pub(in crate::web) const PAGE: Page = Page {
    path: "/outbox",
    args: &[
        Arg::word("state", &["open", "all"]),
        Arg::text("target"),
        Arg::number("before", 0, u64::MAX),
    ],
    permission: Permission::View,
    topics: &["health"],
    api: Some("/api/v1/outbox"),
    place: Place::Apart,
    show,
};

/// How many letters a page has.
const LETTERS: u32 = 100;

#[derive(Debug, Template)]
#[template(path = "outbox.html", config = "src/web/askama.toml")]
struct Contents {
    targets: Vec<Target>,
    rows: Vec<Row>,
    is_all: bool,
    other: String,
    older: Option<String>,
}

#[derive(Debug)]
struct Target {
    name: String,
    href: String,
    waiting: u64,
    oldest: Option<Time>,
    dead: u64,
    error: Option<String>,
}

#[derive(Debug)]
struct Row {
    number: LetterId,
    made: Time,
    target: String,
    about: String,
    state: &'static str,
    class: &'static str,
    tries: u32,
    next: Option<Time>,
    error: Option<String>,
}

fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    require(state, scene, Action::Outbox)?;
    let is_all = scene.args.text("state") == Some("all");
    let target = scene.args.text("target");
    let wanted = LetterFilter {
        states: LetterFilter::states_of(is_all),
        target: target.map(ToOwned::to_owned),
        since: None,
        before: scene.args.number("before").map(LetterId),
    };
    let mut letters = state.letters(&wanted, LETTERS.saturating_add(1))?;
    let limit = usize::try_from(LETTERS).unwrap_or(usize::MAX);
    let has_older = letters.len() > limit;
    letters.truncate(limit);
    let targets = state.outbox()?;
    let dead: u64 = targets.iter().map(|target| target.dead).sum();
    let with = |state: &str, before: Option<LetterId>| {
        let mut args = vec![("state", state.to_owned())];
        args.extend(target.map(|target| ("target", target.to_owned())));
        args.extend(before.map(|before| ("before", before.to_string())));
        address::with_args("/outbox", &args)
    };
    let word = |is_all: bool| if is_all { "all" } else { "open" };
    let last = letters.last().filter(|_| has_older);
    let contents = Contents {
        older: last.map(|last| with(word(is_all), Some(last.id))),
        other: with(word(!is_all), None),
        targets: targets
            .into_iter()
            .map(|row| Target::new(row, scene))
            .collect(),
        rows: letters
            .into_iter()
            .map(|letter| Row::new(Letter::from(letter), scene))
            .collect(),
        is_all,
    };
    let icon = if dead > 0 { Tone::Fail } else { Tone::Ok };
    Ok(Shown::new("Outbox", &contents)?.with_icon(icon))
}

impl Target {
    fn new(row: OutboxRow, scene: &Scene) -> Self {
        Self {
            href: address::with_args("/outbox", &[("target", &row.target)]),
            name: row.target,
            waiting: row.waiting,
            oldest: row.oldest.map(|at| scene.time(at)),
            dead: row.dead,
            error: row.error,
        }
    }
}

impl Row {
    fn new(letter: Letter, scene: &Scene) -> Self {
        Self {
            number: letter.number,
            made: scene.second(letter.made_at),
            class: match letter.state {
                "dead" => "fail",
                "waiting" => "wait",
                "delivered" => "ok",
                _ => "skip",
            },
            next: letter
                .next_at
                .filter(|_| letter.tries > 0)
                .map(|at| scene.second(at)),
            target: letter.target,
            about: letter.about,
            state: letter.state,
            tries: letter.tries,
            error: letter.error,
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::*;
    use crate::model::{Fate, Letter, LetterFacts, LetterOp, Op};
    use crate::web::testing::{Farm, PEOPLE, ago};

    fn letter(slave: &str) -> Op {
        let name = slave.into();
        let facts = LetterFacts::SlaveMissing {
            slave: slave.into(),
            since: ago(4_000),
            why: None,
            admin: String::new(),
        };
        let letter = Letter::of_missing(facts, &name, ago(400));
        Op::Letter(Box::new(LetterOp::Written(letter)))
    }

    fn tried(letter: u64, fate: Fate) -> Op {
        let letter = LetterId(letter);
        let at = ago(300);
        Op::Letter(Box::new(LetterOp::Tried { letter, fate, at }))
    }

    #[test]
    fn out_12_the_outbox_shows_what_waits_and_what_is_dead() {
        let mut farm = Farm::with(PEOPLE);
        let why = "relay <b>denied</b>".to_owned();
        farm.add([
            letter("elm"),
            letter("oak"),
            letter("ash"),
            tried(1, Fate::Delivered),
            tried(2, Fate::Dead { why }),
        ]);
        farm.visit(async |visitor| {
            assert_eq!(
                visitor.get("/outbox").await.status,
                StatusCode::UNAUTHORIZED
            );
            visitor.log_in("ann", "a").await;
            let page = visitor.get("/outbox").await.text;
            for text in [
                "slave oak is missing",
                "slave ash is missing",
                "relay &#60;b&#62;denied",
                "<a href=\"/outbox?target=mail\">mail</a>",
            ] {
                assert!(page.contains(text), "{text}: {page}");
            }
            assert!(!page.contains("slave elm is missing"), "{page}");
            let page = visitor.get("/outbox?state=all").await.text;
            assert!(page.contains("slave elm is missing"), "{page}");
            let none = visitor.get("/outbox?target=nobody").await.text;
            assert!(
                none.contains("No letters wait, and none is dead."),
                "{none}"
            );
        });
    }

    #[test]
    fn out_12_a_long_outbox_goes_on_on_another_page() {
        let mut farm = Farm::with(PEOPLE);
        farm.add((0..150).map(|n| letter(&format!("slave-{n}"))));
        farm.visit(async |visitor| {
            visitor.log_in("ann", "a").await;
            let page = visitor.get("/outbox").await.text;
            assert!(
                page.contains("slave-149 ") && !page.contains("slave-40 "),
                "{page}"
            );
            let older = "/outbox?state=open&#38;before=51";
            assert!(page.contains(older), "{page}");
            let page = visitor.get("/outbox?before=51").await.text;
            assert!(page.contains("slave-40 "), "{page}");
        });
    }
}
