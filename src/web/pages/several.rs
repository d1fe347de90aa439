//! Several builders at once: force, stop or cancel on those that are chosen.

use std::collections::BTreeMap;

use askama::Template;

use super::common::{Running, pill, running};
use crate::control::Target;
use crate::model::Action;
use crate::store::State;
use crate::store::read::Wanted;
use crate::view::{Brief, Builder};
use crate::web::address;
use crate::web::args::Arg;
use crate::web::page::{Marks, Page, Permission, Place, Scene, Shown};
use crate::web::parts::{Link, Pill};
use crate::web::refusal::Refusal;

pub(in crate::web) const ALL: Page = Page {
    path: "/builders/_all",
    args: &[Arg::text("selected")],
    permission: Permission::View,
    topics: &["summary", "queue"],
    api: None,
    place: Place::Below("Builders"),
    show,
};

pub(in crate::web) const SELECTED: Page = Page {
    path: "/builders/_selected",
    ..ALL
};

#[derive(Debug, Template)]
#[template(path = "several.html", config = "src/web/askama.toml")]
struct Contents {
    marks: Marks,
    rows: Vec<Row>,
    /// The buttons: where they lead, their class, and their text.
    buttons: Vec<(&'static str, &'static str, &'static str)>,
    /// Whether one of the buttons forces builds.
    may_force: bool,
}

/// A builder to choose.
#[derive(Debug)]
struct Row {
    name: String,
    link: Link,
    tags: String,
    is_chosen: bool,
    last: Option<Pill>,
    running: Vec<Running>,
    waiting: u64,
}

/// The acts on several builders.
const BUTTONS: [(Action, &str, &str, &str); 3] = [
    (
        Action::Force,
        "/builders/_selected/forceselected",
        "prim",
        "Force",
    ),
    (
        Action::Stop,
        "/builders/_selected/stopselected",
        "danger",
        "Stop builds",
    ),
    (
        Action::Cancel,
        "/builders/_selected/cancelpendingselected",
        "danger",
        "Cancel requests",
    ),
];

fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let builders = Builder::all(Some(state), None, &scene.live, scene.moment())?;
    let mut may = BTreeMap::new();
    for builder in &builders {
        let target = Target::Builder(builder.name.clone());
        for (action, ..) in BUTTONS {
            let may: &mut bool = may.entry(action).or_default();
            *may |= scene.may(state, action, &target)?;
        }
    }
    let is_allowed = |action: &Action| may.get(action).copied().unwrap_or_default();
    let buttons: Vec<_> = BUTTONS
        .iter()
        .filter(|(action, ..)| is_allowed(action))
        .map(|&(_, to, class, text)| (to, class, text))
        .collect();
    let mut rows = Vec::new();
    for builder in &builders {
        let newest = Brief::newest(state, &builder.name, Wanted::default(), 2)?;
        let last = newest.iter().find(|build| build.result.is_some());
        let config = scene.config.builder(builder.name.as_str());
        let name = builder.name.to_string();
        rows.push(Row {
            link: Link::to(&name, &address::builder(&builder.name)),
            tags: config
                .map(|config| config.tags.join(" "))
                .unwrap_or_default(),
            is_chosen: scene.args.all("selected").contains(&name),
            last: last.map(pill),
            running: running(state, scene, std::slice::from_ref(builder))?,
            waiting: builder.pending,
            name,
        });
    }
    let runs = rows.iter().any(|row| !row.running.is_empty());
    let contents = Contents {
        marks: scene.marks(),
        may_force: is_allowed(&Action::Force),
        buttons,
        rows,
    };
    Ok(Shown::new("Act on several builders", &contents)?.running(runs))
}

#[cfg(test)]
mod tests {
    use crate::web::testing::Farm;

    #[test]
    fn several_builders_are_chosen_by_those_who_may_act_on_them() {
        let people = "[people.ann]\npassword = \"a\"\n[[permissions]]\nwho = [\"anyone\"]\nmay \
                      = [\"view\"]\n[[permissions]]\nwho = [\"ann\"]\nmay = [\"stop\"]\n";
        Farm::broken_with(people).visit(async |visitor| {
            let page = visitor.get("/builders/_all").await.text;
            assert!(!page.contains("<button"), "{page}");
            visitor.log_in("ann", "a").await;
            let page = visitor.get("/builders/_selected?selected=linux").await.text;
            assert!(
                page.contains(r#"value="linux" id="s-0" checked>"#)
                    || page.contains(r#"value="linux" id="s-1" checked>"#),
                "{page}"
            );
            assert!(page.contains("Stop builds</button>"), "{page}");
            assert!(!page.contains("Cancel requests"), "{page}");
        });
    }
}
