//! The filters of the waterfall as a form.

use askama::Template;

use super::columns::{self, BUILDER, TAG};
use super::waterfall;
use crate::store::State;
use crate::web::page::{Page, Permission, Place, Scene, Shown};
use crate::web::refusal::Refusal;

pub(in crate::web) const PAGE: Page = Page {
    path: waterfall::HELP,
    args: waterfall::PAGE.args,
    permission: Permission::View,
    topics: &[],
    api: None,
    place: Place::Below("Waterfall"),
    show,
};

#[derive(Debug, Template)]
#[template(path = "waterfall_help.html", config = "src/web/askama.toml")]
struct Contents {
    builders: Vec<(String, bool)>,
    tags: Vec<(String, bool)>,
    branch: String,
    committer: String,
    project: String,
    failures_only: bool,
    show_events: bool,
    num_events: String,
    show_time: String,
    reload: String,
}

fn show(_state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let text = |name| scene.args.text(name).unwrap_or_default().to_owned();
    let names = scene.args.all(BUILDER.name);
    let builders = scene.config.builders.iter();
    let asked = scene.args.all(TAG.name);
    let contents = Contents {
        builders: builders
            .map(|builder| builder.name.to_string())
            .map(|name| (name.clone(), names.contains(&name)))
            .collect(),
        tags: columns::tags(scene)
            .into_iter()
            .map(|(tag, _)| (tag.clone(), asked.contains(&tag)))
            .collect(),
        branch: text("branch"),
        committer: text("committer"),
        project: text("project"),
        failures_only: scene.args.flag("failures_only"),
        show_events: scene.args.flag("show_events"),
        num_events: text("num_events"),
        show_time: text("show_time"),
        reload: text("reload"),
    };
    Shown::new("Filters of the waterfall", &contents)
}
