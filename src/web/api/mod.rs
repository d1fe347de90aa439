//! The JSON API below `/api/v1`: what the pages know, for programs.
//!
//! A resource is a row of [`table`], with a function that makes its answer from the state and the
//! scene, as a page is made. `resource` chooses the members that are asked for, and the pages of
//! lists. The routes, the checks of arguments and the document (`openapi`) come from the rows.
//!
//! Invariants: an answer is a view, the same that `show --json` prints. An unknown argument is an
//! error. Lists go on by number, and a request looks through a limited part of the history; what
//! is left is behind `next`.
//!
//! # How to add a resource
//!
//! Write its row and its function in `resources`, and add it to [`table`]. Its type derives
//! `JsonSchema`. The tests of `openapi` ask for it and compare its answer with the document.

pub(super) mod acts;
pub(super) mod events;
mod openapi;
pub(super) mod problem;
pub(super) mod resource;
mod resources;
pub(super) mod table;

pub(super) use self::openapi::{DOCUMENT, OPENAPI};
use self::problem::Problem;
use super::args::{Arg, Args, Kind};
use crate::config::nearest;

/// The address of the API.
pub(super) const PATH: &str = "/api/v1";

/// Checks the arguments in `query`: unlike on a page, an unknown one is an error. `path` has the
/// variable parts of the path.
///
/// # Errors
/// An argument does not exist, or has a value that it cannot have.
pub(super) fn arguments(
    known: &[Arg],
    path: &[(String, String)],
    query: &str,
) -> Result<Args, Problem> {
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let Some(arg) = known.iter().find(|arg| arg.is(&name)) else {
            let names = known.iter().map(|arg| arg.name);
            return Err(Problem::unknown_argument(&name, nearest(&name, names)));
        };
        if let Some(sentence) = arg.complaint(&name, &value) {
            let near = match arg.kind {
                Kind::Word(words) => nearest(&value, words.iter().copied()),
                Kind::Text | Kind::Number { .. } | Kind::Flag => None,
            };
            return Err(Problem::value(&name, sentence, near));
        }
    }
    Args::check(known, path.iter().cloned(), query).map_err(Problem::from)
}

#[cfg(test)]
mod tests;
