//! The web pages of a running master: what people look at all day.
//!
//! A request is answered in six stages. The listener admits the connection ([`Site`], `serve`,
//! `limits`). The gate finds out who reads (`gate`, [`Reader`]): those who may not look see the
//! login page. The router finds the page in the [table](PAGES) and checks its arguments (`args`).
//! If the page was rendered before and nothing has changed since, the same bytes are sent again
//! (`cache`). Otherwise a thread for blocking work reads the state, makes the page (`render`) and
//! puts the frame around it (`frame`: head, navigation, foot). Pure functions decide where things
//! stand in a matrix ([`layout`]). `answer` adds the headers.
//!
//! Invariants: a page is a pure function of the snapshot, the rows, the arguments, the reader and
//! the time. It reads views (`crate::view`) and contains no SQL. Looking at pages costs the core at
//! most one answer for each batch of its events; only the page of one request asks it more: why
//! that request waits. All text is escaped by the templates, by type: only the parts of `parts` and
//! whole rendered pages are HTML already. Nothing is changed by a GET. Pages are complete without
//! the script, which only keeps them fresh.
//!
//! What readers can change is the second table, `acts`; each row is a POST with a form on the page
//! of the thing.
//!
//! # How to add a page
//!
//! 1. Write `pages/NAME.rs` with one row, `pub(super) const PAGE: Page`: the address, the arguments
//!    with their kinds and limits, the permission, the topics of the events that change the page,
//!    its twin in the JSON API, its place in the navigation, and the function that shows it.
//! 2. Add the row to [`PAGES`] in `table.rs`. The route, the 400 sentences and the navigation come
//!    from the row.
//! 3. Write the function `fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal>`. It
//!    reads views of `crate::view` (extend them there, with the SQL in `crate::store`), makes a
//!    struct of ready-to-print values that derives `askama::Template`, and calls [`Shown::new`]
//!    with a title and that struct. `scene.args` has the checked arguments. `scene.time(at)` and
//!    the parts in [`parts`] (pills, squares, bars, links) print values. Addresses come from
//!    [`address`].
//! 4. Write `templates/NAME.html`: what is inside of `<main>`, with one `<h1>`. The class names are
//!    those of `static/style.css`. Inline styles and scripts are forbidden by the content policy.
//! 5. Test it: `testing::Farm` gives a state, a scene and the text of the page.
//!
//! Programs get the same below `/api/v1` (`api`), and hear what happens (`api::events`); a page
//! hears that it has changed by the topics of its row.
//!
//! Not found, gone and bad arguments are a [`Refusal`], which becomes an error page with the right
//! status.

mod acts;
pub mod address;
mod answer;
mod api;
mod args;
mod assets;
mod badges;
mod cache;
mod cctray;
mod denied;
mod disk;
mod documents;
mod feeds;
mod form;
mod frame;
mod gate;
mod harmless;
mod hidden;
mod hook_limits;
mod hooks;
#[cfg(test)]
mod hostile;
mod json_tree;
pub mod layout;
mod limits;
mod log;
mod login;
mod metrics;
mod oidc;
mod once;
mod one_click;
mod outlet;
mod outside;
mod page;
mod pages;
pub mod parts;
mod passing;
mod patient;
mod place;
mod provider;
mod rate;
mod reader;
mod refusal;
mod render;
mod router;
mod serve;
mod settings;
mod sight;
mod site;
mod table;
#[cfg(test)]
mod testing;
mod topic;
mod visits;
mod vitals;
mod xml;

pub use args::{Arg, Args, Kind};
pub use page::{Page, Permission, Place, Scene, Shown};
pub use parts::{Outcome, Tone};
pub use reader::{Means, Reader};
pub use refusal::Refusal;
pub use site::Site;
pub use table::PAGES;
pub use visits::Visit;
pub use vitals::Vitals;
