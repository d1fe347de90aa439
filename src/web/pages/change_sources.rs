//! All change sources: whether they work, and what they have brought (INT-01).

use askama::Template;

use crate::store::State;
use crate::view::ChangeSource;
use crate::web::page::{Page, Permission, Place, Scene, Shown};
use crate::web::parts::Time;
use crate::web::refusal::Refusal;

pub(in crate::web) const PAGE: Page = Page {
    path: "/sources",
    args: &[],
    permission: Permission::View,
    topics: &["summary"],
    api: Some("/api/v1/sources"),
    place: Place::Below("Schedulers"),
    show,
};

#[derive(Debug, Template)]
#[template(path = "change_sources.html", config = "src/web/askama.toml")]
struct Contents {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    source: ChangeSource,
    last: Option<Time>,
    next: Option<Time>,
    failure: Option<String>,
    error_at: Option<Time>,
}

fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let sources = ChangeSource::all(Some(state), &scene.config.change_sources)?;
    let rows = sources.into_iter().map(|source| Row {
        last: source.last_attempt.map(|at| scene.time(at)),
        next: source.next_attempt.map(|at| scene.time(at)),
        failure: source.failure(),
        error_at: source.last_error_at.map(|at| scene.time(at)),
        source,
    });
    let rows: Vec<_> = rows.collect();
    Shown::new("Change sources", &Contents { rows })
}

/// The change sources that fail, each in a sentence.
pub(super) fn failing(state: &State, scene: &Scene) -> Result<Vec<String>, Refusal> {
    let sources = ChangeSource::all(Some(state), &scene.config.change_sources)?;
    let failing = sources.iter().filter_map(|source| {
        let failure = source.failure()?;
        Some(format!("{}: {failure}", source.name))
    });
    Ok(failing.collect())
}

#[cfg(test)]
mod tests {
    use crate::model::{Op, SourceAttempt, Timestamp};
    use crate::web::testing::Farm;

    #[test]
    fn int_01_a_source_that_fails_is_shown_with_its_error() {
        let page = Farm::new().page("/sources");
        assert!(page.contains("nothing yet"), "{page}");
        let mut farm = Farm::new();
        farm.add([Op::SourceTried(Box::new(SourceAttempt {
            source: "change".into(),
            at: Timestamp(1),
            next: None,
            error: Some("no such <host>".to_owned()),
            note: None,
        }))]);
        for address in ["/sources", "/schedulers", "/schedulers/quick"] {
            let page = farm.page(address);
            let says = "the last attempt failed: no such &#60;host&#62;";
            assert!(page.contains(says), "{address}: {page}");
        }
        let json = farm.page("/api/v1/sources");
        assert!(json.contains(r#""last_error":"no such <host>""#), "{json}");
        let metrics = farm.page("/metrics");
        let failing = r#"buildmaster_source_failing{source="change"} 1"#;
        assert!(metrics.contains(failing), "{metrics}");
    }
}
