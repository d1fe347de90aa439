//! The JSON API below `/api/v1`: what the pages know, for programs.

pub(super) mod events;
pub(super) mod problem;

use self::problem::Problem;
use super::args::{Arg, Args, Kind};
use crate::config::nearest;

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
