//! One file contains three programs. The name by which the file is called selects the program.

use std::ffi::{OsStr, OsString};
use std::path::Path;

/// A program that the file contains.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Program {
    /// The master and its administration.
    Buildmaster,
    /// The client for developers and commit hooks.
    Buildbot,
    /// The native slave.
    Buildslave,
}

impl Program {
    const ALL: [Self; 3] = [Self::Buildmaster, Self::Buildbot, Self::Buildslave];

    /// The name of the program.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Buildmaster => "buildmaster",
            Self::Buildbot => "buildbot",
            Self::Buildslave => "buildslave",
        }
    }

    /// The program that a command line calls. If the first argument names a program, as in
    /// `buildmaster buildslave start DIR`, the argument is removed and counts. Otherwise the name
    /// of the file counts, which may have a suffix such as `buildslave-0.2`.
    pub(super) fn called(args: &mut Vec<OsString>) -> Self {
        if let Some(named) = args.get(1).and_then(|word| Self::named(word)) {
            args.remove(1);
            return named;
        }
        let file = args.first().and_then(|path| Path::new(path).file_name());
        let file = file.unwrap_or_default().to_string_lossy();
        let is_called = |program: &Self| {
            let ending = file.strip_prefix(program.name());
            ending.is_some_and(|ending| !ending.starts_with(char::is_alphanumeric))
        };
        let called = Self::ALL.into_iter().find(is_called);
        called.unwrap_or(Self::Buildmaster)
    }

    fn named(word: &OsStr) -> Option<Self> {
        let is_named = |program: &Self| word == program.name();
        Self::ALL.into_iter().find(is_named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, program: Program, rest: &str) {
        let words = line.split(' ').map(OsString::from);
        let mut args: Vec<_> = words.collect();
        assert_eq!(Program::called(&mut args), program, "{line}");
        let rest: Vec<_> = rest.split_whitespace().map(OsString::from).collect();
        assert_eq!(args[1..], rest, "{line}");
    }

    #[test]
    fn a_file_is_the_program_that_it_is_called() {
        check(
            "/usr/bin/buildmaster start ci",
            Program::Buildmaster,
            "start ci",
        );
        check("./buildbot try", Program::Buildbot, "try");
        check("buildslave-0.2 start x", Program::Buildslave, "start x");
        check("buildslaves start x", Program::Buildmaster, "start x");
        check("renamed start ci", Program::Buildmaster, "start ci");
    }

    #[test]
    fn a_first_argument_that_is_a_program_counts_more_than_the_name() {
        check(
            "buildmaster buildslave start x",
            Program::Buildslave,
            "start x",
        );
        check(
            "buildbot buildmaster show builds",
            Program::Buildmaster,
            "show builds",
        );
        check("buildmaster buildbot", Program::Buildbot, "");
    }
}
