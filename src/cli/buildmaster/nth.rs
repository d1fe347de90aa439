//! Builds on command lines: by number, or counted from the end.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use anyhow::bail;

use super::names::check_builder;
use crate::model::{BuildNumber, BuilderName};
use crate::store::State;
use crate::store::read::{Among, FromEnd};

/// A build of a builder.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Nth {
    /// The build with this number.
    Number(u64),
    /// A build counted from the end.
    FromEnd(FromEnd),
}

impl FromStr for Nth {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is not a build; write a number, `last`, `-1` for the newest build or `-2` for the build before it"
            )
        };
        if text == "last" {
            return Ok(Self::FromEnd(FromEnd::Last));
        }
        if let Some(back) = text.strip_prefix('-') {
            let back = back.parse().ok().filter(|&back| back > 0);
            return back
                .map(|back| Self::FromEnd(FromEnd::Back(back)))
                .ok_or_else(wrong);
        }
        text.parse().map(Self::Number).map_err(|_| wrong())
    }
}

impl fmt::Display for Nth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::FromEnd(FromEnd::Last) => f.write_str("last"),
            Self::FromEnd(FromEnd::Back(back)) => write!(f, "-{back}"),
        }
    }
}

impl Nth {
    /// Looks the number of the build up in the state. `among` selects the builds to count.
    ///
    /// # Errors
    /// The builder or the build does not exist.
    pub(super) fn find(
        self,
        state: &State,
        builder: &BuilderName,
        among: Among,
    ) -> anyhow::Result<BuildNumber> {
        let place = match self {
            Self::Number(number) => return Ok(BuildNumber(number)),
            Self::FromEnd(place) => place,
        };
        check_builder(state, builder)?;
        if let Some(number) = state.build_from_end(builder, place, among)? {
            return Ok(number);
        }
        let some = state.build_from_end(builder, FromEnd::Back(1), among)?;
        match (some, among) {
            (Some(_), _) if place == FromEnd::Last => {
                bail!("all builds of {builder} are try builds; `-1` is the newest")
            }
            (Some(_), _) => bail!("{builder} has fewer builds than that"),
            (None, Among::All) => bail!("{builder} has no builds yet"),
            (None, Among::Finished) => bail!("no build of {builder} has finished yet"),
            (None, Among::Running) => bail!("no build of {builder} is running"),
        }
    }

    /// Like [`Nth::find`], but opens the state in `basedir`, and only if necessary.
    ///
    /// # Errors
    /// As for [`Nth::find`], or the state cannot be read.
    pub(super) fn find_in(
        self,
        basedir: &Path,
        builder: &BuilderName,
        among: Among,
    ) -> anyhow::Result<BuildNumber> {
        match self {
            Self::Number(number) => Ok(BuildNumber(number)),
            Self::FromEnd(_) => self.find(&State::open_readonly(basedir)?, builder, among),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_are_numbers_or_counted_from_the_end() {
        for (text, nth) in [
            ("0", Nth::Number(0)),
            ("17", Nth::Number(17)),
            ("last", Nth::FromEnd(FromEnd::Last)),
            ("-1", Nth::FromEnd(FromEnd::Back(1))),
            ("-20", Nth::FromEnd(FromEnd::Back(20))),
        ] {
            assert_eq!(text.parse(), Ok(nth));
            assert_eq!(nth.to_string(), text);
        }
        for text in [
            "",
            "-",
            "-0",
            "--1",
            "first",
            "1.5",
            "-x",
            "99999999999999999999999",
        ] {
            let why = text.parse::<Nth>().expect_err(text);
            assert!(
                why.contains("is not a build; write a number, `last`"),
                "{why}"
            );
        }
    }
}
