//! Home: what is broken, what runs, what waits.

use askama::Template;

use crate::store::State;
use crate::view::Overview;
use crate::web::page::{Page, Permission, Place, Scene, Shown};
use crate::web::refusal::Refusal;

pub(in crate::web) const PAGE: Page = Page {
    path: "/",
    args: &[],
    permission: Permission::View,
    topics: &["summary"],
    api: None,
    place: Place::Apart,
    show,
};

#[derive(Debug, Template)]
#[template(path = "home.html", config = "src/web/askama.toml")]
struct Home {
    overview: Overview,
}

fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let overview = Overview::read(state, &scene.live, scene.moment())?;
    Shown::new("Home", &Home { overview })
}

#[cfg(test)]
mod tests {
    use crate::web::testing::Farm;

    #[test]
    fn home_says_what_is_broken_and_what_waits() {
        let page = Farm::broken().page("/");
        assert!(page.contains("<h1>1 broken, 1 waiting</h1>"), "{page}");
    }
}
