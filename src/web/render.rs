//! Makes whole pages: on a thread for blocking work, from the state and the scene.

use std::borrow::Cow;

use askama::Template;
use axum::http::StatusCode;

use super::denied::Denied;
use super::frame::Frame;
use super::page::{Page, Scene, Shown};
use super::pages::login;
use super::parts::Link;
use super::refusal::Refusal;
use crate::store::State;
use crate::view::Overview;

/// A page that was made: the page itself, or an error page in its place.
#[derive(Debug)]
pub(super) enum Made {
    /// The page, and all of it.
    Page(Shown, Whole),
    /// Why there is none.
    Refused(Refused),
}

/// A whole page.
#[derive(Debug)]
pub(super) struct Whole {
    /// The HTML.
    pub(super) html: String,
    /// Equal for pages that show the same.
    pub(super) fingerprint: u64,
}

/// An error page.
#[derive(Debug)]
pub(super) struct Refused {
    /// Why.
    pub(super) reason: Refusal,
    /// The status.
    pub(super) status: StatusCode,
    /// Where it is instead.
    pub(super) location: Option<String>,
    /// After how many seconds the reader may try again.
    pub(super) retry_after: Option<u32>,
    /// The whole HTML; empty if it is elsewhere.
    pub(super) html: String,
}

/// Where and for whom a page is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Around<'a> {
    /// All pages.
    pub(super) pages: &'a [&'a Page],
    /// The colour scheme.
    pub(super) scheme: &'a str,
    /// The number of what happened last before the page was made; absent for a page that is not
    /// kept fresh.
    pub(super) live: Option<u64>,
}

/// The contents of an error page.
#[derive(Debug, Template)]
#[template(path = "error.html", config = "src/web/askama.toml")]
struct ErrorPage<'a> {
    heading: String,
    /// The name that was not found.
    name: &'a str,
    status: u16,
    sentence: Cow<'a, str>,
    near: Option<super::parts::Links>,
    /// Where the reader goes on.
    back: Option<&'a str>,
}

/// What is said to somebody who has tried what they may not do.
#[derive(Debug, Template)]
#[template(path = "forbidden.html", config = "src/web/askama.toml")]
struct Forbidden<'a> {
    denied: &'a Denied,
    sentence: String,
    user: Option<(&'a str, String)>,
}

/// Makes a page, or the error page in its place.
pub(super) fn make(page: &Page, state: &State, scene: &Scene, around: Around<'_>) -> Made {
    match try_to_make(page, state, scene, around) {
        Ok((shown, whole)) => Made::Page(shown, whole),
        Err(refusal) => {
            let overview = Overview::read(state, &scene.live, scene.moment()).unwrap_or_default();
            Made::Refused(refuse(&refusal, Some(page), scene, &overview, around))
        }
    }
}

fn try_to_make(
    page: &Page,
    state: &State,
    scene: &Scene,
    around: Around<'_>,
) -> Result<(Shown, Whole), Refusal> {
    let moment = state.at_one_moment()?;
    let overview = Overview::read(state, &scene.live, scene.moment())?;
    let shown = (page.show)(state, scene)?;
    drop(moment);
    let whole = whole(&shown, Some(page), scene, &overview, around)?;
    Ok((shown, whole))
}

fn whole(
    shown: &Shown,
    page: Option<&Page>,
    scene: &Scene,
    overview: &Overview,
    around: Around<'_>,
) -> Result<Whole, Refusal> {
    let Around {
        pages,
        scheme,
        live,
    } = around;
    // Who may not look at anything is told no numbers.
    let nothing = Overview::default();
    let (pages, overview) = match scene.reader.may_look(&scene.config) {
        true => (pages, overview),
        false => (&[][..], &nothing),
    };
    let frame = Frame::new(shown, page, pages, scene, overview, scheme, live);
    let html = frame.render().map_err(|error| Refusal::Internal {
        why: error.to_string(),
    })?;
    let fingerprint = frame.fingerprint();
    Ok(Whole { html, fingerprint })
}

/// The login page; `failed` is the name with which a login has failed.
fn log_in(
    refusal: &Refusal,
    (next, failed): (&str, Option<&str>),
    page: Option<&Page>,
    scene: &Scene,
    overview: &Overview,
    around: Around<'_>,
) -> Refused {
    let html = login(scene, next, failed)
        .and_then(|shown| whole(&shown, page, scene, overview, around))
        .map(|whole| whole.html)
        .unwrap_or_else(|_| "<!doctype html><title>Error</title>".to_owned());
    Refused {
        reason: refusal.clone(),
        status: StatusCode::UNAUTHORIZED,
        location: None,
        retry_after: None,
        html,
    }
}

/// The page for somebody who has tried what they may not do.
fn refuse_act(
    refusal: &Refusal,
    denied: &Denied,
    page: Option<&Page>,
    scene: &Scene,
    overview: &Overview,
    around: Around<'_>,
) -> Refused {
    let user = scene.reader.user();
    let contents = Forbidden {
        denied,
        sentence: denied.sentence(),
        user: user.map(|name| (name, super::address::user(name))),
    };
    let html = Shown::new(format!("You may not {}", denied.what), &contents)
        .and_then(|shown| whole(&shown, page, scene, overview, around))
        .map(|whole| whole.html)
        .unwrap_or_else(|_| "<!doctype html><title>Error</title>".to_owned());
    Refused {
        reason: refusal.clone(),
        status: StatusCode::FORBIDDEN,
        location: None,
        retry_after: None,
        html,
    }
}

/// The error page for a refusal.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "all others have the same page"
)]
pub(super) fn refuse(
    refusal: &Refusal,
    page: Option<&Page>,
    scene: &Scene,
    overview: &Overview,
    around: Around<'_>,
) -> Refused {
    // Only a page that cannot be made now comes back by itself.
    let around = Around {
        live: around
            .live
            .filter(|_| matches!(refusal, Refusal::Busy { .. })),
        ..around
    };
    let (status, heading) = (refusal.status(), refusal.heading());
    let mut name = "";
    let mut near = None;
    let mut back = None;
    match refusal {
        Refusal::Elsewhere { to, .. } => {
            return Refused {
                reason: refusal.clone(),
                status,
                location: Some(to.clone()),
                retry_after: None,
                html: String::new(),
            };
        }
        Refusal::LogIn { next } => {
            return log_in(refusal, (next, None), page, scene, overview, around);
        }
        Refusal::LoginFailed { next, name } => {
            return log_in(refusal, (next, Some(name)), page, scene, overview, around);
        }
        Refusal::Denied(denied) => {
            return refuse_act(refusal, denied, page, scene, overview, around);
        }
        Refusal::Said(notice) => back = Some(notice.back.as_str()),
        Refusal::NotFound {
            name: asked,
            near: pages,
            ..
        } => {
            name = asked;
            let links = pages.iter().map(|(name, href)| Link::to(name, href));
            near = Some(super::parts::Links::new(links, "or", 3)).filter(|l| !l.is_empty());
        }
        _ => {}
    }
    let contents = ErrorPage {
        heading: heading.clone(),
        name,
        status: status.as_u16(),
        // The heading says it of what was not found.
        sentence: match name {
            "" => refusal.sentence(),
            _ => Cow::Borrowed(""),
        },
        near,
        back,
    };
    let title = match name {
        "" => heading,
        name => format!("{heading} {name}"),
    };
    let html = Shown::new(title, &contents)
        .and_then(|shown| whole(&shown, page, scene, overview, around))
        .map(|whole| whole.html)
        .unwrap_or_else(|_| "<!doctype html><title>Error</title>".to_owned());
    Refused {
        reason: refusal.clone(),
        status,
        location: None,
        retry_after: refusal.retry_after(),
        html,
    }
}
