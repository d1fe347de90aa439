//! What the result of a build says beside the one before it.

use serde::Serialize;

use super::{ChangeNumber, Properties, Property, Results};

/// The tree that a build is of: builds of other trees say nothing about it.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Line {
    /// The branch; absent: the default one.
    pub branch: Option<String>,
    /// The repository.
    pub repository: String,
    /// The project.
    pub project: String,
    /// The codebase.
    pub codebase: String,
}

/// What a build was made of.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Origin {
    /// Its tree.
    pub line: Line,
    /// The revision that was asked for.
    pub revision: Option<String>,
    /// Its newest change, if it has changes.
    pub newest: Option<ChangeNumber>,
    /// Whether it tried a patch. A try says nothing about the tree.
    pub is_try: bool,
}

/// How the result of a build compares with that of the one before it on the same line.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// It fails and the one before it did not, or there was none.
    New,
    /// It fails like the one before it.
    Still,
    /// It succeeded and the one before it failed.
    Fixed,
}

impl Judgement {
    /// Compares `result` with that of the build before it. Results that say nothing about the tree
    /// are never compared.
    #[must_use]
    pub const fn of(result: Results, before: Option<Results>) -> Option<Self> {
        match (result, before) {
            (Results::Failure, Some(Results::Failure)) => Some(Self::Still),
            (Results::Failure, _) => Some(Self::New),
            (Results::Success | Results::Warnings, Some(Results::Failure)) => Some(Self::Fixed),
            (
                Results::Success
                | Results::Warnings
                | Results::Skipped
                | Results::Exception
                | Results::Retry,
                _,
            ) => None,
        }
    }

    /// Whether a build with this result says something about its tree.
    #[must_use]
    pub const fn is_evidence(result: Results) -> bool {
        match result {
            Results::Success | Results::Warnings | Results::Failure => true,
            Results::Skipped | Results::Exception | Results::Retry => false,
        }
    }
}

/// The revision that was built, as far as the properties of a build tell (SST-07): that which a
/// step found out, else that with which the build began.
#[must_use]
pub fn revision_built(properties: &Properties) -> Option<String> {
    let said = |name: &str, is_so: fn(&Property) -> bool| {
        let mut all = properties.iter();
        let (_, property) = all.find(|(known, property)| *known == name && is_so(property))?;
        let value = Some(&property.value).filter(|value| !value.is_null())?;
        let text = value.as_str().map(ToOwned::to_owned);
        Some(text.unwrap_or_else(|| value.to_string()))
    };
    said("got_revision", |property| property.runtime)
        .or_else(|| said("revision", |property| property.source == "Build"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Results::{Exception, Failure, Retry, Skipped, Success, Warnings};

    #[test]
    fn prb_23_a_failure_is_new_or_goes_on_and_a_success_after_one_has_fixed_it() {
        for (result, before, expected) in [
            (Failure, None, Some(Judgement::New)),
            (Failure, Some(Success), Some(Judgement::New)),
            (Failure, Some(Warnings), Some(Judgement::New)),
            (Failure, Some(Failure), Some(Judgement::Still)),
            (Success, Some(Failure), Some(Judgement::Fixed)),
            (Warnings, Some(Failure), Some(Judgement::Fixed)),
            (Success, Some(Warnings), None),
            (Success, None, None),
            (Exception, Some(Failure), None),
            (Retry, Some(Failure), None),
            (Skipped, Some(Failure), None),
        ] {
            assert_eq!(Judgement::of(result, before), expected, "{result}");
        }
    }
}
