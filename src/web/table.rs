//! The table of pages. The router, the checks of arguments and the navigation come from it.

use super::page::Page;
use super::pages;

/// All pages. The entries of the navigation are in this order.
pub const PAGES: &[&Page] = &[
    &pages::home::PAGE,
    &pages::builders::PAGE,
    &pages::builder::PAGE,
    &pages::build::PAGE,
    &pages::step::PAGE,
    &pages::log::PAGE,
    &pages::changes::PAGE,
    &pages::change::PAGE,
    &pages::queue::PAGE,
    &pages::request::PAGE,
    &pages::build_set::PAGE,
    &pages::slaves::PAGE,
    &pages::slave::PAGE,
    &pages::schedulers::PAGE,
    &pages::scheduler::PAGE,
    &pages::about::PAGE,
];

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
