//! The builders that a matrix has columns or rows for.

use super::common::Running;
use crate::config::BuilderConfig;
use crate::model::BuilderName;
use crate::store::State;
use crate::view::{Builder, Standing};
use crate::web::address;
use crate::web::args::Arg;
use crate::web::page::Scene;
use crate::web::parts::{Link, Tone};
use crate::web::refusal::Refusal;

/// The arguments that choose the builders, and those of branches.
pub(super) const BUILDER: Arg = Arg::text("builder").also(&["show"]);
pub(super) const TAG: Arg = Arg::text("tag").also(&["category"]);
pub(super) const BRANCH: Arg = Arg::text("branch");
/// After how many seconds the page is loaded again; Buildbot's own form sends `none` too.
pub(super) const RELOAD: Arg = Arg::text("reload");

/// The builders that the arguments choose, in the order of the configuration.
pub(super) fn chosen(scene: &Scene) -> Vec<&BuilderConfig> {
    let names = scene.args.all(BUILDER.name);
    let tags = non_empty(scene, TAG.name);
    let builders = scene.config.builders.iter().map(AsRef::as_ref);
    let chosen = builders.filter(|builder| {
        let is_named = names.is_empty() || names.iter().any(|n| n == builder.name.as_str());
        is_named && (tags.is_empty() || tags.iter().any(|tag| builder.tags.contains(tag)))
    });
    chosen.collect()
}

/// The values of an argument that are not empty.
pub(super) fn non_empty<'a>(scene: &'a Scene, name: &str) -> Vec<&'a String> {
    let values = scene.args.all(name).iter();
    values.filter(|value| !value.is_empty()).collect()
}

/// All tags, for a field to choose one.
pub(super) fn tags(scene: &Scene) -> Vec<(String, bool)> {
    let mut tags: Vec<_> = scene.config.builders.iter().flat_map(|b| &b.tags).collect();
    tags.sort_unstable();
    tags.dedup();
    let asked = scene.args.text(TAG.name);
    let tags = tags.into_iter();
    tags.map(|tag| (tag.clone(), asked == Some(tag))).collect()
}

/// The head of a column.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) link: Link,
    pub(super) running: Vec<Running>,
    pub(super) waiting: u64,
    pub(super) state: &'static str,
    pub(super) is_offline: bool,
    /// Columns of the table that it spans.
    pub(super) width: usize,
}

impl Head {
    /// The head of the column of a builder.
    pub(super) fn new(name: &BuilderName, builder: Option<&Builder>, width: usize) -> Self {
        let is_offline = builder.is_none_or(|builder| builder.state == "offline");
        Self {
            link: Link::to(name.as_str(), &address::builder(name)),
            running: Vec::new(),
            waiting: builder.map_or(0, |builder| builder.pending),
            state: if is_offline { "no slave" } else { "idle" },
            is_offline,
            width,
        }
    }
}

/// The title of a page that shows all builders, and its icon.
///
/// # Errors
/// The state cannot be read.
pub(super) fn title(state: &State, name: &str) -> Result<(String, Tone), Refusal> {
    let standings = Standing::all(state)?;
    let broken = standings.values().filter(|line| line.is_broken()).count();
    Ok(match broken {
        0 => (name.to_owned(), Tone::Ok),
        broken => (format!("✕ {broken} broken · {name}"), Tone::Fail),
    })
}
