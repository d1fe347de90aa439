//! What people have said of a problem, as its page shows it.

use crate::model::BuildNumber;
use crate::view::{Holding, Problem, ProblemStory};
use crate::web::address;
use crate::web::page::Scene;
use crate::web::parts::{Link, Time, person};

/// Something that holds of a problem.
#[derive(Debug)]
pub(super) struct Hand {
    pub(super) word: &'static str,
    /// Whom it is about; for all, who has said it.
    pub(super) who: Link,
    pub(super) until: Option<Time>,
    /// The reason, perhaps as a link.
    pub(super) text: Link,
    pub(super) has_text: bool,
}

/// Something that has happened to a problem.
#[derive(Debug)]
pub(super) struct Happened {
    pub(super) at: Time,
    pub(super) what: String,
    /// The build that told it.
    pub(super) build: Option<Link>,
    /// How long it holds.
    pub(super) until: Option<Time>,
    /// What somebody has written.
    pub(super) text: String,
}

/// All that holds of a problem by what people have said.
pub(super) fn hands(problem: &Problem, scene: &Scene) -> Vec<Hand> {
    let hands = &problem.hands;
    let one = |word, holding: &Holding| {
        let about = match holding.person.is_empty() {
            true => &holding.by,
            false => &holding.person,
        };
        Hand {
            word,
            who: person(about),
            until: holding.until.map(|at| scene.time(at)),
            text: match address::outside(&holding.text).filter(|_| word == TICKET) {
                Some(href) => Link::to(&holding.text, href),
                None => Link::text(&holding.text),
            },
            has_text: !holding.text.is_empty(),
        }
    };
    let lists = [
        ("Claimed", &hands.claims),
        ("Named guilty", &hands.named_guilty),
        ("Cleared", &hands.cleared),
        ("Not theirs", &hands.not_mine),
        ("Muted for", &hands.mutes),
    ];
    let lists = lists.into_iter();
    let lists = lists.flat_map(|(word, held)| held.iter().map(move |holding| (word, holding)));
    let single = [
        ("Muted for all", &hands.mute_of_all),
        ("Dismissed", &hands.dismissal),
        (TICKET, &hands.ticket),
    ];
    let single = single
        .into_iter()
        .filter_map(|(word, held)| Some((word, held.as_ref()?)));
    lists
        .chain(single)
        .map(|(word, holding)| one(word, holding))
        .collect()
}

const TICKET: &str = "Ticket";

/// What has happened to a problem and what people have said, the oldest first.
pub(super) fn happened(story: &ProblemStory, scene: &Scene) -> Vec<Happened> {
    let events = story.events.iter().map(|event| {
        let told = Happened {
            at: scene.second(event.at),
            what: match event.build {
                Some(_) => format!("{}, told by build", event.event),
                None => event.event.clone(),
            },
            build: event.build.map(|number| build(&story.problem, number)),
            until: None,
            text: String::new(),
        };
        (event.at, told)
    });
    let remarks = story.remarks.iter().map(|remark| {
        let said = Happened {
            at: scene.second(remark.at),
            what: remark.words(),
            build: None,
            until: remark.until.map(|at| scene.time(at)),
            text: remark.text.clone(),
        };
        (remark.at, said)
    });
    let mut all: Vec<_> = events.chain(remarks).collect();
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, happened)| happened).collect()
}

/// A build of the builder of a problem.
pub(super) fn build(problem: &Problem, number: BuildNumber) -> Link {
    let href = address::build(&problem.builder, number);
    Link::to(&number.to_string(), &href)
}
