//! One build as a column of the waterfall, for pages that show it in a frame of their own.

use askama::Template;

use super::common::{not_found, outcome};
use super::drawing::{Drawing, Inside, Row};
use crate::model::{BuildNumber, BuilderName};
use crate::store::State;
use crate::view::{Sourced, StepSpan, Timeline};
use crate::web::address;
use crate::web::args::Arg;
use crate::web::page::{Page, Permission, Place, Scene, Shown};
use crate::web::parts::{Link, Tone};
use crate::web::refusal::Refusal;

pub(in crate::web) const PAGE: Page = Page {
    path: "/buildstatus",
    args: &[Arg::text("builder"), Arg::number("number", 0, u64::MAX - 1)],
    permission: Permission::View,
    topics: &["summary"],
    api: None,
    place: Place::Below("Builders"),
    show,
};

#[derive(Debug, Template)]
#[template(path = "buildstatus.html", config = "src/web/askama.toml")]
struct Contents {
    builder: Link,
    build: Link,
    word: &'static str,
    rows: Vec<Row>,
}

fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let Some(name) = scene.args.text("builder") else {
        let sentence = "The argument builder is missing. It names a builder.".to_owned();
        return Err(Refusal::Argument { sentence });
    };
    let builder = BuilderName::from(name);
    let number = scene.args.number("number");
    // Without a number it is the last build.
    let before = BuildNumber(number.map_or(u64::MAX, |number| number + 1));
    let found = Sourced::of_builder(state, &builder, before, 1)?;
    let is_asked = |build: &Sourced| number.is_none_or(|number| build.brief.number.0 == number);
    let Some(build) = found.into_iter().find(is_asked) else {
        let number = number.map_or_else(String::new, |number| format!(" {number}"));
        return Err(not_found("build", &format!("{name}{number}")));
    };
    let steps = StepSpan::of_build(state, build.id)?;
    let brief = build.brief.clone();
    let outcome = outcome(&brief);
    let end = brief.finished_at.unwrap_or(scene.now);
    let timeline = Timeline {
        builds: vec![(build, steps)],
        cut_at: None,
    };
    let mut drawing = Drawing::new(scene, (brief.started_at, end));
    drawing.ticks(&timeline);
    drawing.builders(std::slice::from_ref(&builder), &timeline);
    let href = address::build(&builder, brief.number);
    let contents = Contents {
        builder: Link::to(name, &address::builder(&builder)),
        build: Link::to(&brief.number.to_string(), &href),
        word: outcome.word(),
        rows: drawing.rows(),
    };
    let title = format!("{builder} {}: {}", brief.number, outcome.word());
    let shown = Shown::new(title, &contents)?.of(outcome);
    Ok(shown.running(brief.finished_at.is_none()))
}

#[cfg(test)]
mod tests {
    use crate::web::testing::Farm;

    #[test]
    fn one_build_is_a_column() {
        let farm = Farm::broken();
        let page = farm.page("/buildstatus?builder=linux&number=1");
        assert!(
            page.contains(r#"/builds/1">1<b> new failure</b></a>"#),
            "{page}"
        );
        assert!(!page.contains("/builds/2"), "{page}");
        assert!(
            farm.page("/buildstatus?builder=linux")
                .contains("/builds/3")
        );
        assert_eq!(farm.get("/buildstatus?builder=linux&number=9").status, 404);
        assert_eq!(farm.get("/buildstatus").status, 400);
    }
}
