//! The page of a link of a mail, with the button that does what the link is for (MAL-11).

use askama::Template;

use crate::model::{RemarkKind, Timestamp};
use crate::people::OneClick;
use crate::store::State;
use crate::text::commas;
use crate::web::address;
use crate::web::page::{Page, Scene, Shown};
use crate::web::refusal::{Notice, Refusal};

pub(in crate::web) const PAGE: Page = Page {
    path: address::ONE_CLICK,
    show,
    ..super::login::LOGIN
};

#[derive(Debug, Template)]
#[template(path = "one_click.html", config = "src/web/askama.toml")]
struct Contents {
    what: String,
    person: String,
    action: String,
}

/// Shows what the link is for, and does nothing: programs that check mails follow all links.
fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let sealed = scene.args.part("link");
    let link = opened(state, sealed, scene.now)?;
    let page = Contents {
        what: what(&link),
        action: address::one_click(sealed),
        person: link.person,
    };
    Ok(Shown::new("From a mail", &page)?.unkept())
}

/// What a link is for.
///
/// # Errors
/// It is for nothing, or the state cannot be read.
pub(in crate::web) fn opened(
    state: &State,
    sealed: &str,
    now: Timestamp,
) -> Result<OneClick, Refusal> {
    let key = state.link_key()?;
    OneClick::open(sealed, key.as_bytes(), now).map_err(|why| {
        let sentence = format!("Nothing was changed: {why}.");
        Notice::conflict("This link does nothing", &sentence, "/problems".to_owned())
    })
}

/// What a link is for, in words.
pub(in crate::web) fn what(link: &OneClick) -> String {
    let numbers: Vec<_> = link.problems.iter().map(ToString::to_string).collect();
    let problems = match numbers.len() {
        1 => format!("problem {}", numbers.concat()),
        _ => format!("problems {}", commas(&numbers)),
    };
    if link.kind == RemarkKind::Claim {
        return format!("See to {problems}");
    }
    match link.kind == RemarkKind::NotMine {
        true => format!("Say that {problems} is not yours"),
        false => format!("Hear no more of {problems}"),
    }
}
