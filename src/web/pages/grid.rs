//! The grid: a row for each builder, a column for each of the newest sources.

use askama::Template;

use super::columns::{self, BRANCH, BUILDER, RELOAD, TAG};
use super::sources::{Cell, SourceHead, Sources};
use crate::store::State;
use crate::web::args::Arg;
use crate::web::page::{Page, Permission, Place, Scene, Shown};
use crate::web::parts::Link;
use crate::web::refusal::Refusal;

pub(in crate::web) const PAGE: Page = Page {
    path: "/grid",
    args: &[TAG, BRANCH, BUILDER, RELOAD, Arg::number("width", 1, 50)],
    permission: Permission::View,
    topics: &["summary"],
    api: None,
    place: Place::Entry("Grid"),
    show,
};

/// How many sources are shown if the address does not say.
const WIDTH: u64 = 6;

#[derive(Debug, Template)]
#[template(path = "grid.html", config = "src/web/askama.toml")]
struct Contents {
    count: usize,
    width: u64,
    branch: String,
    tags: Vec<(String, bool)>,
    heads: Vec<SourceHead>,
    rows: Vec<(Link, Vec<Cell>)>,
}

fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let width = scene.args.number("width").unwrap_or(WIDTH);
    let sources = Sources::read(state, scene, usize::try_from(width).unwrap_or(1))?;
    let runs = sources.runs;
    let rows = sources
        .builders
        .into_iter()
        .enumerate()
        .map(|(row, builder)| {
            let cells = sources.cells.iter().filter_map(|cells| cells.get(row));
            (builder, cells.cloned().collect())
        });
    let contents = Contents {
        count: sources.heads.len(),
        width,
        branch: scene.args.text(BRANCH.name).unwrap_or_default().to_owned(),
        tags: columns::tags(scene),
        rows: rows.collect(),
        heads: sources.heads,
    };
    let (title, icon) = columns::title(state, "Grid")?;
    Ok(Shown::new(title, &contents)?.with_icon(icon).running(runs))
}

#[cfg(test)]
mod tests {
    use crate::web::testing::Farm;

    #[test]
    fn the_grid_has_what_each_builder_made_of_the_newest_sources() {
        let farm = Farm::broken();
        let page = farm.page("/grid");
        let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text}: {page}"));
        let builds = [
            r#"builds/3">3<b> running</b></a> <span class="s">running</span>"#,
            r#"builds/1">1<b> new failure</b></a> <span class="s">new failure</span>"#,
            r#"builds/0">0<b> success</b></a></td>"#,
        ];
        assert!(place(builds[0]) < place(builds[1]) && place(builds[1]) < place(builds[2]));
        assert!(place(">r9<") < place(">r8<"), "{page}");
        assert!(
            !page.contains(">r7<"),
            "no build has it as the newest: {page}"
        );
        assert!(page.contains(r#"<a class="p wait" href="/queue?builder=a%2Fb+c">waits</a>"#));
        let narrow = farm.page("/grid?width=1&tag=required");
        assert!(
            narrow.contains(">r9<") && !narrow.contains(">r8<"),
            "{narrow}"
        );
        assert!(!narrow.contains("a/b c"), "{narrow}");
        assert_eq!(farm.get("/grid?width=51").status, 400);
    }

    #[test]
    fn the_transposed_grid_has_a_row_for_each_source() {
        let farm = Farm::broken();
        let order = |args: &str| {
            let page = farm.page(&format!("/tgrid{args}"));
            let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text}: {page}"));
            assert!(page.contains(r#"<span><a href="/builders/linux">linux</a></span>"#));
            place(">r9<").cmp(&place(">r6<"))
        };
        assert!(order("").is_lt());
        assert!(order("?rev_order=asc&length=3").is_gt());
        assert!(order("?rev_order=desc").is_lt());
        assert!(!farm.page("/tgrid?length=1").contains(">r8<"));
    }
}
