//! `show set`: one build set, what it is made of, its requests and their builds.

use std::io;

use anyhow::bail;

use super::fields::{Fields, properties};
use super::output::Output;
use super::requests;
use super::screen::Screen;
use super::source::Source;
use crate::model::{SchedulerName, SetId};
use crate::text::commas;
use crate::text::table::{Cell, Colour};
use crate::view::{BuildSetPage, Request};

/// Shows a build set.
pub(super) fn show(
    source: &Source<'_>,
    out: &mut Output<'_, '_>,
    number: u64,
) -> anyhow::Result<()> {
    let (state, wanted) = (source.state()?, SetId(number));
    let Some(found) = BuildSetPage::find(state, wanted, &source.live())? else {
        if state.was_set(wanted)? {
            bail!("build set {number} was pruned (build_horizon)");
        }
        bail!("there is no build set {number}");
    };
    out.print_one(&found, page)
}

fn page(screen: &mut Screen<'_>, page: &BuildSetPage) -> io::Result<()> {
    screen.line(&format!("build set {}", page.set.id))?;
    fields(screen, page).print(screen)?;
    screen.line("  requests")?;
    let row = |request: &Request| {
        vec![
            format!("    {}", request.id).into(),
            request.builder.as_str().into(),
            requests::state(request),
            build(request).into(),
        ]
    };
    let rows: Vec<_> = page.requests.iter().map(row).collect();
    screen.table(&rows)?;
    properties(screen, &page.properties)
}

/// The build of a request that has finished; that of another one is in its state.
fn build(request: &Request) -> String {
    let build = request.build.filter(|_| request.result.is_some());
    build.map_or_else(String::new, |number| format!("build {number}"))
}

fn fields(screen: &Screen<'_>, page: &BuildSetPage) -> Fields {
    let set = &page.set;
    let mut fields = Fields::default();
    fields.cell(
        "result",
        match set.result {
            Some(result) => result.into(),
            None => Cell::coloured("not finished", Colour::Yellow),
        },
    );
    let scheduler = set.scheduler.as_ref();
    fields.text("scheduler", scheduler.map_or("", SchedulerName::as_str));
    fields.text("reason", &set.reason);
    fields.text("triggered by", set.parent.as_deref().unwrap_or_default());
    fields.text(
        "client's id",
        set.external_id.as_deref().unwrap_or_default(),
    );
    fields.text("submitted", &screen.time(set.submitted_at));
    let finished = set.finished_at.map(|at| screen.time(at));
    fields.text("finished", &finished.unwrap_or_default());
    if page.priority != 0 {
        fields.text("priority", &page.priority.to_string());
    }
    for source in &page.sources {
        fields.text(&source.title(), &source.to_string());
    }
    if page.sources.is_empty() {
        fields.text("branch", page.branch.as_deref().unwrap_or("(default)"));
        fields.text(
            "revision",
            page.revision.as_deref().unwrap_or("(the newest)"),
        );
        fields.text("repository", &page.repository);
        fields.text("project", &page.project);
        fields.text("codebase", &page.codebase);
    }
    fields.text("try", if page.is_try { "of a patch" } else { "" });
    fields.text("changes", &commas(&page.changes));
    fields
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{json_of, refusal, shown};

    #[test]
    fn a_build_set_is_shown_with_its_requests_and_their_builds() {
        insta::assert_snapshot!(shown("set 1"), @r"
        build set 1
          result     not finished
          scheduler  quick
          reason     scheduler
          submitted  2011-03-13 07:06:41
          branch     trunk
          revision   r1
          changes    1
          requests
            1  quick  failure  build 0
            2  quick  build 1
            3  full   pending
        ");
        let set = json_of("set 1 --json").remove(0);
        assert_eq!(set["submitted_at"], "2011-03-13T07:06:41.000Z");
        assert_eq!(set["changes"], json!([1]));
        assert_eq!(set["requests"][0]["build"], 0);
        assert_eq!(set["requests"][2]["state"], "pending");
    }

    #[test]
    fn a_build_set_that_never_was_is_missing() {
        assert_eq!(refusal("set 7"), "there is no build set 7");
    }
}
