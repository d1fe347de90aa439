//! The table of pages. The router, the checks of arguments and the navigation come from it.

use percent_encoding::percent_decode_str;

use super::args::Args;
use super::outlet::Outlet;
use super::page::Page;
use super::{badges, cctray, feeds, json_tree, metrics, pages};

/// All pages. The entries of the navigation are in this order.
pub const PAGES: &[&Page] = &[
    &pages::home::PAGE,
    &pages::builders::PAGE,
    &pages::builder::PAGE,
    &pages::several::ALL,
    &pages::several::SELECTED,
    &pages::build::PAGE,
    &pages::step::PAGE,
    &pages::log::PAGE,
    &pages::console::PAGE,
    &pages::grid::PAGE,
    &pages::tgrid::PAGE,
    &pages::waterfall::PAGE,
    &pages::waterfall_help::PAGE,
    &pages::changes::PAGE,
    &pages::change::PAGE,
    &pages::revision::PAGE,
    &pages::problems::PAGE,
    &pages::problem::PAGE,
    &pages::searches::PAGE,
    &pages::searches::ONE,
    &pages::queue::PAGE,
    &pages::request::PAGE,
    &pages::build_set::PAGE,
    &pages::try_job::PAGE,
    &pages::slaves::PAGE,
    &pages::slave::PAGE,
    &pages::schedulers::PAGE,
    &pages::scheduler::PAGE,
    &pages::change_sources::PAGE,
    &pages::one_line::PAGE,
    &pages::one_line::OF_BUILDER,
    &pages::one_line::BOXES,
    &pages::buildstatus::PAGE,
    &pages::search::PAGE,
    &pages::tests::PAGE,
    &pages::tests::ONE,
    &pages::tests::OF_BUILDER,
    &pages::builder_tests::PAGE,
    &pages::about::PAGE,
    &pages::outbox::PAGE,
    &pages::users::PAGE,
    &pages::user::PAGE,
    &pages::settings::PAGE,
    &pages::one_click::PAGE,
    &pages::login::LOGIN,
    &pages::login::LOGOUT,
    &pages::login::AUTHFAIL,
    &pages::login::AUTHZFAIL,
    &pages::health::PAGE,
];

/// All addresses for programs.
pub(super) const OUTLETS: &[&Outlet] = &[
    &metrics::OUTLET,
    &json_tree::ROOT,
    &json_tree::BELOW,
    &feeds::ATOM,
    &feeds::RSS,
    &badges::BADGE,
    &badges::OF_REVISION,
    &badges::PNG,
    &cctray::CC,
    &cctray::CCTRAY,
    &pages::try_job::PATCH,
];

/// The page at this path, with the parts of the path; the one with the fewest variable parts if
/// there are several.
pub(super) fn find(path: &str) -> Option<(&'static Page, Args)> {
    let found = PAGES.iter().filter_map(|page| {
        let parts = parts(page.path, path)?;
        Some((*page, parts))
    });
    let (page, parts) = found.min_by_key(|(_, parts)| parts.len())?;
    let args = Args::check(&[], parts, "").ok()?;
    Some((page, args))
}

/// The variable parts of a path, by the names that `template` has for them; absent if the path does
/// not match.
fn parts(template: &str, path: &str) -> Option<Vec<(String, String)>> {
    let mut found = Vec::new();
    let mut asked = path.split('/');
    for part in template.split('/') {
        let asked = asked.next()?;
        let name = part.strip_prefix('{').and_then(|p| p.strip_suffix('}'));
        match name {
            Some(name) => {
                let text = percent_decode_str(asked).decode_utf8().ok()?;
                found.push((name.to_owned(), text.into_owned()));
            }
            None if part == asked => {}
            None => return None,
        }
    }
    asked.next().is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::web::page::Place;

    #[test]
    fn each_address_and_each_entry_is_there_once() {
        let mut paths = BTreeSet::new();
        let mut entries = BTreeSet::new();
        for page in PAGES {
            assert!(paths.insert(page.path), "{} twice", page.path);
            if let Place::Entry(name) = page.place {
                assert!(entries.insert(name), "{name} twice");
                assert!(!page.path.contains('{'), "{name} has no address of its own");
            }
        }
        for page in PAGES {
            if let Place::Below(name) = page.place {
                assert!(entries.contains(name), "{}: no entry {name}", page.path);
            }
        }
    }

    #[test]
    fn topics_and_twins_name_the_parts_of_the_address() {
        for page in PAGES {
            let texts = page.topics.iter().chain(&page.api);
            for part in texts.flat_map(|text| text.split(['/', ':'])) {
                let is_known = !part.starts_with('{') || page.path.contains(part);
                assert!(is_known, "{}: {part}", page.path);
            }
        }
    }

    #[test]
    fn a_page_is_found_by_its_path() {
        let found = |path| {
            let (page, args) = find(path)?;
            Some((page.path, args.part("builder").to_owned()))
        };
        let builder = Some(("/builders/{builder}", "a/b c".to_owned()));
        assert_eq!(found("/builders/a%2Fb%20c"), builder);
        assert_eq!(found("/"), Some(("/", String::new())));
        assert_eq!(found("/builders/x/y"), None);
        assert_eq!(found(""), None);
    }

    #[test]
    fn arguments_are_there_once() {
        for page in PAGES {
            let mut names = BTreeSet::new();
            for arg in page.args {
                for name in arg.also.iter().chain([&arg.name]) {
                    assert!(names.insert(*name), "{}: {name} twice", page.path);
                }
            }
        }
    }
}
