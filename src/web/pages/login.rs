//! The login, and what 0.8 showed when a login or a permission was missing.

use askama::Template;

use crate::store::State;
use crate::web::args::Arg;
use crate::web::outside;
use crate::web::page::{Page, Permission, Place, Scene, Shown};
use crate::web::reader::is_ours;
use crate::web::refusal::Refusal;

pub(in crate::web) const LOGIN: Page = Page {
    path: "/login",
    args: &[Arg::text("next")],
    permission: Permission::Nothing,
    topics: &[],
    api: None,
    place: Place::Apart,
    show: |_, scene| login(scene, scene.args.text("next").unwrap_or("/"), None),
};

pub(in crate::web) const LOGOUT: Page = Page {
    path: "/logout",
    show: log_out,
    ..LOGIN
};

pub(in crate::web) const AUTHFAIL: Page = Page {
    path: "/authfail",
    show: |_, scene| login(scene, "/", Some("")),
    ..LOGIN
};

pub(in crate::web) const AUTHZFAIL: Page = Page {
    path: "/authzfail",
    show: |_, _| {
        let mut shown = Shown::new("Not allowed", &NotAllowed)?;
        shown.kept = false;
        Ok(shown)
    },
    ..LOGIN
};

#[derive(Debug, Template)]
#[template(path = "login.html", config = "src/web/askama.toml")]
struct Login<'a> {
    csrf: String,
    next: &'a str,
    /// The name with which a login has failed.
    failed: Option<&'a str>,
    /// Whether also who has not logged in may look.
    is_open: bool,
    /// Who has logged in already.
    user: Option<&'a str>,
    /// The provider where people can log in: its name and the address.
    provider: Option<(String, String)>,
}

#[derive(Debug, Template)]
#[template(path = "logout.html", config = "src/web/askama.toml")]
struct Logout<'a> {
    csrf: String,
    user: Option<&'a str>,
}

#[derive(Debug, Template)]
#[template(
    source = r#"<h1>You may not do that</h1><p class="sub">Nothing was changed.</p><p class="gap"><a href="/">Home</a></p>"#,
    ext = "html"
)]
struct NotAllowed;

/// The login page, from which the reader goes on to `next`. `failed` is the name with which a login
/// has just failed.
///
/// # Errors
/// The template fails.
pub(in crate::web) fn login(
    scene: &Scene,
    next: &str,
    failed: Option<&str>,
) -> Result<Shown, Refusal> {
    let next = if is_ours(next) { next } else { "/" };
    let page = Login {
        csrf: scene.reader.csrf(scene.now),
        next,
        provider: outside::link(&scene.config, next),
        failed,
        is_open: scene.reader.may_look(&scene.config),
        user: scene.reader.user(),
    };
    Ok(Shown::new("Log in", &page)?.unkept())
}

fn log_out(_: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let page = Logout {
        csrf: scene.reader.csrf(scene.now),
        user: scene.reader.user(),
    };
    Ok(Shown::new("Log out", &page)?.unkept())
}
