//! Badges: the state of a builder or of several in a small picture, for
//! pages of others.

mod picture;
mod png;

use axum::http::StatusCode;

use self::picture::svg;
use self::png::{Size, png};
use super::args::Arg;
use super::outlet::{Document, Outlet, Readers};
use super::page::Scene;
use super::pages::revision;
use super::parts::{Outcome, Tone};
use super::refusal::Refusal;
use crate::model::{BuildNumber, BuilderName};
use crate::store::State;
use crate::store::read::Wanted;
use crate::view::{Brief, Build, Builder, Standing};

/// The badge of a builder, or with the name `_all` of all builders.
pub(super) const BADGE: Outlet = Outlet {
    path: "/badge/{badge}",
    args: &[
        Arg::text("branch"),
        Arg::text("label"),
        Arg::text("tag").also(&["category"]),
    ],
    readers: Readers::OfPages,
    show: badge,
    refuse: Document::sentence,
};

/// The badge of a revision.
pub(super) const OF_REVISION: Outlet = Outlet {
    path: "/badge/revision/{revision}",
    args: &[Arg::text("label")],
    show: of_revision,
    ..BADGE
};

/// The picture of a build, as Buildbot has it.
pub(super) const PNG: Outlet = Outlet {
    path: "/png",
    args: &[
        Arg::text("builder"),
        Arg::text("number"),
        Arg::text("revision"),
        Arg::text("size"),
    ],
    show: picture_of_build,
    ..BADGE
};

/// How many builds are looked at for one that says something.
const SEARCHED: u32 = 100;

fn badge(state: &State, scene: &Scene) -> Result<Document, Refusal> {
    let name = scene.args.part("badge");
    let name = name.strip_suffix(".svg").unwrap_or(name);
    if name == "_all" {
        return of_all(state, scene);
    }
    let name = BuilderName::from(name);
    if !state.builder_names()?.contains(&name) {
        let document = drawn(scene, "builder", "unknown", Tone::Off);
        return Ok(document.with_status(StatusCode::NOT_FOUND));
    }
    let (word, tone) = match scene.args.text("branch") {
        Some(branch) => on_branch(state, &name, branch)?,
        None => match Standing::all(state)?.get(&name) {
            Some(line) => {
                let outcome = Outcome::of(Some(line.result), None);
                (outcome.word(), outcome.tone())
            }
            None => NOT_BUILT,
        },
    };
    Ok(drawn(scene, name.as_str(), word, tone))
}

const NOT_BUILT: (&str, Tone) = ("not built", Tone::Off);

/// What the newest build of a branch says that says something.
fn on_branch(
    state: &State,
    builder: &BuilderName,
    branch: &str,
) -> Result<(&'static str, Tone), Refusal> {
    let wanted = Wanted {
        branch: Some(branch),
        ..Wanted::default()
    };
    let newest = Brief::newest(state, builder, wanted, SEARCHED)?;
    let outcomes = newest.iter().map(|build| Outcome::of(build.result, None));
    let mut saying =
        outcomes.filter(|one| matches!(one.tone(), Tone::Ok | Tone::Warn | Tone::Fail));
    let found = saying
        .next()
        .map(|outcome| (outcome.word(), outcome.tone()));
    Ok(found.unwrap_or(NOT_BUILT))
}

fn of_revision(state: &State, scene: &Scene) -> Result<Document, Refusal> {
    let asked = scene.args.part("revision");
    let asked = asked.strip_suffix(".svg").unwrap_or(asked);
    match revision::in_words(state, asked) {
        Ok((short, words, tone)) => Ok(drawn(scene, &short, &words, tone)),
        Err(Refusal::Elsewhere { to, for_ever }) => {
            let name = to.strip_prefix("/revisions").unwrap_or_default();
            let to = format!("/badge/revision{name}.svg");
            Err(Refusal::Elsewhere { to, for_ever })
        }
        Err(Refusal::NotFound { .. }) => {
            let document = drawn(scene, "revision", "unknown", Tone::Off);
            Ok(document.with_status(StatusCode::NOT_FOUND))
        }
        Err(other) => Err(other),
    }
}

fn of_all(state: &State, scene: &Scene) -> Result<Document, Refusal> {
    let tags = scene.args.all("tag");
    let all = Builder::all(
        Some(state),
        Some(&scene.config),
        &scene.live,
        scene.moment(),
    )?;
    let chosen = all.iter().filter(|builder| {
        let own = builder.tags.as_deref().unwrap_or_default();
        tags.is_empty() || tags.iter().any(|tag| own.contains(tag))
    });
    let standings = Standing::all(state)?;
    let lines: Vec<_> = chosen.map(|builder| standings.get(&builder.name)).collect();
    let built = lines.iter().flatten().count();
    let broken = lines
        .iter()
        .flatten()
        .filter(|line| line.is_broken())
        .count();
    let (words, tone) = match (lines.len(), built, broken) {
        (0, ..) => ("unknown".to_owned(), Tone::Off),
        (_, 0, _) => ("not built".to_owned(), Tone::Off),
        (all, _, 0) => (format!("all {all} good"), Tone::Ok),
        (all, _, broken) => (format!("{broken} of {all} broken"), Tone::Fail),
    };
    let label = tags.first().map_or("builds", String::as_str);
    let document = drawn(scene, label, &words, tone);
    Ok(match lines.is_empty() {
        true => document.with_status(StatusCode::NOT_FOUND),
        false => document,
    })
}

fn drawn(scene: &Scene, label: &str, words: &str, tone: Tone) -> Document {
    let label = scene.args.text("label").unwrap_or(label);
    let mut document = Document::new("image/svg+xml", svg(label, words, tone));
    document.is_embedded = true;
    document
}

/// The picture of a build. As in Buildbot, it is `unknown` where there is no such build, and a size
/// that does not exist is the normal one.
fn picture_of_build(state: &State, scene: &Scene) -> Result<Document, Refusal> {
    let args = &scene.args;
    let size = match args.text("size") {
        Some("small") => Size::Small,
        Some("large") => Size::Large,
        _ => Size::Normal,
    };
    let result = match args.text("builder") {
        Some(builder) => result_of(state, scene, &builder.into())?,
        None => None,
    };
    let mut document = Document::new("image/png", png(result, size));
    document.is_embedded = true;
    Ok(document)
}

/// The result of the build that the arguments name: of that number, which counts from the end if it
/// is below zero, or of that revision.
fn result_of(
    state: &State,
    scene: &Scene,
    builder: &BuilderName,
) -> Result<Option<crate::model::Results>, Refusal> {
    let args = &scene.args;
    let number = args.text("number").unwrap_or("-1");
    let Ok(number) = number.parse::<i64>() else {
        let sentence =
            format!("The argument number is \u{201c}{number}\u{201d}. It must be a number.");
        return Err(Refusal::Argument { sentence });
    };
    let wanted = Wanted {
        tries: true,
        ..Wanted::default()
    };
    let moment = scene.moment();
    if let Some(revision) = args.text("revision") {
        for brief in Brief::newest(state, builder, wanted, SEARCHED)? {
            let build = Build::find(state, builder, brief.number, moment)?;
            if let Some(build) = build
                && build.revision_or_change(state)?.as_deref() == Some(revision)
            {
                return Ok(brief.result);
            }
        }
        return Ok(None);
    }
    if let Ok(number) = u64::try_from(number) {
        let build = Build::find(state, builder, BuildNumber(number), moment)?;
        return Ok(build.and_then(|build| build.result));
    }
    let from_end = u32::try_from(number.unsigned_abs()).unwrap_or(u32::MAX);
    let newest = Brief::newest(state, builder, wanted, from_end.min(SEARCHED))?;
    let place = usize::try_from(from_end - 1).unwrap_or(usize::MAX);
    Ok(newest.get(place).and_then(|build| build.result))
}

#[cfg(test)]
mod tests {
    use crate::web::testing::Farm;

    #[test]
    fn web_badges_show_how_builders_are() {
        let farm = Farm::broken();
        for (address, status, texts) in [
            ("/badge/linux.svg", 200, ["linux", "failure", "#c22a27"]),
            (
                "/badge/linux.svg?branch=main&label=main",
                200,
                ["main", "failure", "#c22a27"],
            ),
            (
                "/badge/linux.svg?branch=next",
                200,
                ["linux", "not built", "#5f666d"],
            ),
            (
                "/badge/a%2Fb%20c.svg",
                200,
                ["a/b c", "not built", "#5f666d"],
            ),
            ("/badge/none.svg", 404, ["builder", "unknown", "#5f666d"]),
            (
                "/badge/_all.svg",
                200,
                ["builds", "1 of 2 broken", "#c22a27"],
            ),
            (
                "/badge/_all.svg?tag=required",
                200,
                ["required", "1 of 1 broken", "#c22a27"],
            ),
            (
                "/badge/_all.svg?tag=none",
                404,
                ["none", "unknown", "#5f666d"],
            ),
        ] {
            let answer = farm.get(address);
            assert_eq!(answer.status.as_u16(), status, "{address}");
            assert_eq!(answer.header("content-type"), "image/svg+xml");
            for text in texts {
                assert!(
                    answer.text.contains(text),
                    "{address}, {text}: {}",
                    answer.text
                );
            }
        }
    }

    #[test]
    fn web_badges_show_how_revisions_are() {
        let farm = Farm::broken();
        for (address, status, words) in [
            ("/badge/revision/r9.svg", 200, "1 builder running"),
            ("/badge/revision/none.svg", 404, "unknown"),
        ] {
            let answer = farm.get(address);
            assert_eq!(answer.status, status, "{address}");
            assert!(answer.text.contains(words), "{address}: {}", answer.text);
        }
    }

    #[test]
    fn web_badges_may_be_shown_by_other_sites_and_are_asked_for_each_time() {
        let answer = Farm::broken().get("/badge/linux.svg");
        assert_eq!(
            answer.header("cross-origin-resource-policy"),
            "cross-origin"
        );
        assert_eq!(answer.header("cache-control"), "no-cache, max-age=0");
        assert!(answer.header("etag").starts_with('"'));
        let page = Farm::broken().get("/about");
        assert_eq!(page.header("cross-origin-resource-policy"), "same-origin");
    }

    #[test]
    fn web_badges_escape_what_they_are_told_to_say() {
        let text = Farm::broken().page("/badge/linux.svg?label=%3Cscript%3E%22%00");
        assert!(text.contains("&lt;script&gt;&quot;\u{fffd}"), "{text}");
    }

    #[test]
    fn web_png_has_a_picture_of_each_result() {
        let farm = Farm::broken();
        let png = |query: &str| {
            let answer = farm.get(&format!("/png?{query}"));
            assert_eq!(answer.status, 200, "{query}");
            assert_eq!(answer.header("content-type"), "image/png");
            answer.header("etag").to_owned()
        };
        let unknown = png("");
        assert_eq!(unknown, png("builder=none"));
        assert_eq!(unknown, png("builder=linux"), "the last build runs");
        let failed = png("builder=linux&number=1");
        assert_ne!(unknown, failed);
        assert_eq!(failed, png("builder=linux&number=-2"));
        assert_eq!(failed, png("builder=linux&revision=r8&size=huge"));
        assert_ne!(failed, png("builder=linux&number=1&size=small"));
        assert_ne!(failed, png("builder=linux&number=0"));
        assert_eq!(farm.get("/png?builder=linux&number=x").status, 400);
    }
}
