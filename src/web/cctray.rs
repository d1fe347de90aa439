//! The state of all builders for tools that watch many servers, such as CCTray and its successors.
//!
//! The document is the same at the two addresses that such tools know.

use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, Utc};

use super::args::Arg;
use super::outlet::{Document, Outlet, Readers};
use super::page::Scene;
use super::refusal::Refusal;
use super::xml::{HEAD, escaped};
use crate::model::Results;
use crate::store::State;
use crate::view::Builder;
use crate::web::address;

/// As most servers have it.
pub(super) const CC: Outlet = Outlet {
    path: "/cc.xml",
    args: &[
        Arg::text("builder").also(&["show"]),
        Arg::text("tag").also(&["category"]),
    ],
    readers: Readers::OfPages,
    show,
    refuse: Document::sentence,
};

/// As the first such server had it.
pub(super) const CCTRAY: Outlet = Outlet {
    path: "/cctray.xml",
    ..CC
};

fn show(state: &State, scene: &Scene) -> Result<Document, Refusal> {
    let (names, tags) = (scene.args.all("builder"), scene.args.all("tag"));
    let base = scene.config.buildbot_url.trim_end_matches('/');
    let mut xml = format!("{HEAD}<Projects>\n");
    for builder in Builder::all(
        Some(state),
        Some(&scene.config),
        &scene.live,
        scene.moment(),
    )? {
        let own = builder.tags.as_deref().unwrap_or_default();
        let is_named = names.is_empty() || names.iter().any(|name| name == builder.name.as_str());
        if !is_named || !(tags.is_empty() || tags.iter().any(|tag| own.contains(tag))) {
            continue;
        }
        let activity = match builder.running.is_empty() {
            true => "Sleeping",
            false => "Building",
        };
        let status = builder.last.map_or("Unknown", |last| match last.result {
            Results::Success | Results::Warnings => "Success",
            Results::Failure => "Failure",
            Results::Exception | Results::Retry => "Exception",
            Results::Skipped => "Unknown",
        });
        let label = builder
            .last
            .map_or_else(String::new, |last| last.number.to_string());
        // The attribute is required, also of what was never built.
        let time = builder.last.map_or_else(DateTime::<Utc>::default, |last| {
            DateTime::from_timestamp_micros(last.finished_at.0).unwrap_or_default()
        });
        let time = time.to_rfc3339_opts(SecondsFormat::Secs, true);
        let name = escaped(builder.name.as_str());
        let url = escaped(&format!("{base}{}", address::builder(&builder.name)));
        let written = writeln!(
            xml,
            "<Project name=\"{name}\" activity=\"{activity}\" lastBuildStatus=\"{status}\" \
             lastBuildLabel=\"{label}\" lastBuildTime=\"{time}\" webUrl=\"{url}\"/>"
        );
        written.expect("writing to a string cannot fail");
    }
    xml += "</Projects>\n";
    Ok(Document::new("application/xml; charset=utf-8", xml))
}

#[cfg(test)]
mod tests {
    use crate::web::testing::Farm;

    #[test]
    fn web_cctray_has_a_project_for_each_builder() {
        let farm = Farm::broken();
        let answer = farm.get("/cc.xml");
        assert_eq!(
            answer.header("content-type"),
            "application/xml; charset=utf-8"
        );
        let linux = "<Project name=\"linux\" activity=\"Building\" lastBuildStatus=\"Failure\" \
                     lastBuildLabel=\"2\" lastBuildTime=\"2026-11-26T12:01:50Z\" \
                     webUrl=\"http://localhost:8010/builders/linux\"/>";
        assert!(answer.text.contains(linux), "{}", answer.text);
        let other = "<Project name=\"a/b c\" activity=\"Sleeping\" lastBuildStatus=\"Unknown\" \
                     lastBuildLabel=\"\" lastBuildTime=\"1970-01-01T00:00:00Z\" \
                     webUrl=\"http://localhost:8010/builders/a%2Fb%20c\"/>";
        assert!(answer.text.contains(other), "{}", answer.text);
        assert_eq!(farm.page("/cctray.xml"), answer.text);
        let some = farm.page("/cc.xml?tag=required");
        assert_eq!(some.matches("<Project ").count(), 1, "{some}");
    }
}
