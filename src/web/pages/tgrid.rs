//! The transposed grid: a row for each of the newest sources, a column for each builder.

use askama::Template;

use super::columns::{self, BRANCH, BUILDER, RELOAD, TAG};
use super::sources::{Cell, SourceHead, Sources};
use crate::store::State;
use crate::web::args::Arg;
use crate::web::page::{Page, Permission, Place, Scene, Shown};
use crate::web::parts::Link;
use crate::web::refusal::Refusal;

pub(in crate::web) const PAGE: Page = Page {
    path: "/tgrid",
    args: &[
        TAG,
        BRANCH,
        BUILDER,
        RELOAD,
        Arg::number("length", 1, 200),
        Arg::word("rev_order", &["asc", "desc"]),
    ],
    permission: Permission::View,
    topics: &["summary"],
    api: None,
    place: Place::Below("Grid"),
    show,
};

/// How many sources are shown if the address does not say.
const LENGTH: u64 = 6;

#[derive(Debug, Template)]
#[template(path = "tgrid.html", config = "src/web/askama.toml")]
struct Contents {
    count: usize,
    length: u64,
    branch: String,
    tags: Vec<(String, bool)>,
    builders: Vec<Link>,
    rows: Vec<(SourceHead, Vec<Cell>)>,
}

fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let length = scene.args.number("length").unwrap_or(LENGTH);
    let sources = Sources::read(state, scene, usize::try_from(length).unwrap_or(1))?;
    let runs = sources.runs;
    let rows = sources.heads.into_iter().zip(sources.cells);
    let mut rows: Vec<_> = rows.collect();
    if scene.args.text("rev_order") == Some("asc") {
        rows.reverse();
    }
    let contents = Contents {
        count: rows.len(),
        length,
        branch: scene.args.text(BRANCH.name).unwrap_or_default().to_owned(),
        tags: columns::tags(scene),
        builders: sources.builders,
        rows,
    };
    let (title, icon) = columns::title(state, "Grid")?;
    Ok(Shown::new(title, &contents)?.with_icon(icon).running(runs))
}
