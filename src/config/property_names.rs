//! Which properties the file sets, and which it asks for: a name that is asked for and nearly one
//! that is set is probably a mistake (CFL-93).

use std::collections::BTreeSet;
use std::ops::Range;

use super::spelling;

/// The names of properties that a file sets and asks for, while it is read.
#[derive(Debug, Default)]
pub(super) struct PropertyNames {
    set: BTreeSet<String>,
    asked: Vec<(String, Range<usize>)>,
}

impl PropertyNames {
    /// Notes that something sets the property `name`.
    pub(super) fn sets(&mut self, name: &str) {
        if !self.set.contains(name) {
            self.set.insert(name.to_owned());
        }
    }

    /// Notes that the file asks at `span` for the property `name`.
    pub(super) fn asks(&mut self, name: &str, span: Range<usize>) {
        self.asked.push((name.to_owned(), span));
    }

    /// The names that are asked for and that nothing sets, but something nearly: the name, the near
    /// one and the place.
    pub(super) fn near_misses(&self) -> Vec<(&str, &str, &Range<usize>)> {
        let set = || self.set.iter().map(String::as_str).chain(ALWAYS);
        let unset = self.asked.iter();
        let unset = unset.filter(|(name, _)| {
            name.chars().count() >= SHORTEST && set().all(|known| known != name)
        });
        let near = unset.filter_map(|(name, span)| {
            let near =
                spelling::nearest(name, set().filter(|known| !differ_by_digits(name, known)));
            Some((name.as_str(), near?, span))
        });
        near.collect()
    }
}

/// Names that are shorter are near too many others.
const SHORTEST: usize = 3;

/// Whether two names are alike but for their digits, as those of a series are.
fn differ_by_digits(one: &str, other: &str) -> bool {
    let letters = |name: &str| -> String { name.chars().filter(|c| !c.is_ascii_digit()).collect() };
    one != other && letters(one) == letters(other)
}

/// Properties that every build has, or gets from steps of some kinds.
const ALWAYS: [&str; 19] = [
    "branch",
    "builddir",
    "buildername",
    "buildnumber",
    "codebase",
    "deb-changes",
    "got_revision",
    "owner",
    "owners",
    "project",
    "repo_download",
    "repo_downloaded",
    "repository",
    "revision",
    "scheduler",
    "slavename",
    "srpm",
    "warnings-count",
    "workdir",
];
