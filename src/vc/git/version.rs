//! Which git there is.

use std::fmt;

/// The version of a git; of an unknown one nothing is expected that came later than the rest of
/// what we use.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Version(u32, u32);

impl Version {
    /// Reads what `git --version` prints.
    pub(crate) fn read(text: &str) -> Self {
        let mut numbers = text
            .split(|c: char| c.is_whitespace())
            .find(|word| word.starts_with(|c: char| c.is_ascii_digit()))
            .into_iter()
            .flat_map(|word| word.split('.'))
            .map(|part| part.parse().unwrap_or(0));
        Self(numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
    }

    /// Whether the version is at least `major.minor`.
    pub(crate) fn is_at_least(self, major: u32, minor: u32) -> bool {
        self >= Self(major, minor)
    }

    /// `words` if the version is at least `major.minor`, else none.
    pub(crate) fn since(
        self,
        major: u32,
        minor: u32,
        words: &'static [&'static str],
    ) -> &'static [&'static str] {
        if self.is_at_least(major, minor) {
            words
        } else {
            &[]
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_git_prints() {
        for (text, version) in [
            ("git version 2.47.3\n", Version(2, 47)),
            ("git version 2.39.3 (Apple Git-146)\r\n", Version(2, 39)),
            ("git version 2.45.1.windows.1", Version(2, 45)),
            ("git version 1.8.3.1", Version(1, 8)),
            ("git version 2.52.GIT", Version(2, 52)),
            ("git version 3.x", Version(3, 0)),
            ("", Version(0, 0)),
            ("no such thing", Version(0, 0)),
        ] {
            assert_eq!(Version::read(text), version, "{text}");
        }
        let new = Version(2, 11);
        assert_eq!(new.since(2, 11, &["x"]), ["x"]);
        assert_eq!(new.since(2, 7, &["x"]), ["x"]);
        assert_eq!(new.since(1, 99, &["x"]), ["x"]);
        assert!(new.since(2, 12, &["x"]).is_empty());
        assert!(new.since(3, 0, &["x"]).is_empty());
    }
}
