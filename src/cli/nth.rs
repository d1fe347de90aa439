//! Builds on command lines: by number, or counted from the last one.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use anyhow::bail;

use super::names::check_builder;
use crate::model::{BuildNumber, BuilderName};
use crate::store::State;
use crate::store::read::{Among, FromEnd};

/// Which build of a builder is meant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Nth {
    /// The one with this number.
    Number(u64),
    /// One counted from the end.
    FromEnd(FromEnd),
}

impl FromStr for Nth {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is not a build; write its number, `last`, or `-1` for the newest, `-2` for the one before it"
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
    /// Its number, by the state; `among` says which builds are counted.
    ///
    /// # Errors
    /// There is no such builder, or it has no such build.
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
                bail!("all builds of {builder} are tries; `-1` is the newest")
            }
            (Some(_), _) => bail!("{builder} has fewer builds than that"),
            (None, Among::All) => bail!("{builder} has no builds yet"),
            (None, Among::Finished) => bail!("no build of {builder} has finished yet"),
            (None, Among::Running) => bail!("no build of {builder} is running"),
        }
    }

    /// Like [`Nth::find`], by the state in `basedir`, which is read only if that is necessary.
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
                why.contains("is not a build; write its number, `last`"),
                "{why}"
            );
        }
    }
}
