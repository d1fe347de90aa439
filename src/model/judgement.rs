//! Compares the result of a build with the previous build of the same line.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ChangeNumber, Properties, Property, Results};

/// The tree of a build. Only builds of the same tree are compared.
#[derive(
    Clone, Debug, Default, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
pub struct Line {
    /// The branch; absent: the default one.
    pub branch: Option<String>,
    /// The repository.
    pub repository: String,
    /// The project.
    pub project: String,
    /// The codebase.
    pub codebase: String,
    /// The trees of the further codebases, in their order (PRB-02).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more: Vec<Self>,
}

impl Line {
    /// The tree of each codebase.
    pub fn trees(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.more)
    }
}

/// The sources of a build.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Origin {
    /// The tree.
    pub line: Line,
    /// The requested revision; of the first codebase, if there are several.
    pub revision: Option<String>,
    /// The requested revisions of the further codebases, in the order of the line.
    pub more_revisions: Vec<Option<String>>,
    /// The newest change, if there are changes.
    pub newest: Option<ChangeNumber>,
    /// Whether the build applied a patch. Such a build says nothing about the tree.
    pub is_try: bool,
}

/// How the result of a build compares with the previous build of the same line.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// The build failed; the previous build did not, or there was none. Or it has warnings, and the
    /// previous build had none.
    New,
    /// The build failed, and so did the previous build. Or both have warnings.
    Still,
    /// The build succeeded; the previous build failed.
    Fixed,
}

impl Judgement {
    /// Compares `result` with the result of the previous build. Results that say nothing about the
    /// tree are not compared.
    #[must_use]
    pub const fn of(result: Results, before: Option<Results>) -> Option<Self> {
        match (result, before) {
            (Results::Failure, Some(Results::Failure)) => Some(Self::Still),
            (Results::Failure, _) => Some(Self::New),
            (Results::Success | Results::Warnings, Some(Results::Failure)) => Some(Self::Fixed),
            (Results::Warnings, Some(Results::Warnings)) => Some(Self::Still),
            (Results::Warnings, Some(Results::Success)) => Some(Self::New),
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

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Still => "still",
            Self::Fixed => "fixed",
        }
    }

    /// The judgement of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let mut all = [Self::New, Self::Still, Self::Fixed].into_iter();
        all.find(|judgement| judgement.as_str() == name)
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

/// The revision that was built, according to the properties of the build (SST-07): the revision
/// that a step reported, or else the revision at the start. A build of several codebases has none.
#[must_use]
pub fn revision_built(properties: &Properties) -> Option<String> {
    let text_of = |name: &str, is_so: fn(&Property) -> bool| {
        let mut all = properties.iter();
        let (_, property) = all.find(|(known, property)| *known == name && is_so(property))?;
        match &property.value {
            Value::Object(all) => revision_text(all.values().next().filter(|_| all.len() == 1)?),
            value @ (Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)) => revision_text(value),
        }
    };
    text_of("got_revision", |property| property.runtime)
        .or_else(|| text_of("revision", |property| property.source == "Build"))
}

/// The revision of `codebase` in `got`, the value of a property for which a build has a table by
/// codebase (CBS-06).
#[must_use]
pub fn revision_of_codebase(got: &Value, codebase: &str) -> Option<String> {
    revision_text(got.as_object()?.get(codebase)?)
}

/// A revision as a text; absent if there is none.
#[must_use]
pub fn revision_text(value: &Value) -> Option<String> {
    let text = value.as_str().map(ToOwned::to_owned);
    text.or_else(|| (!value.is_null()).then(|| value.to_string()))
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
            (Warnings, Some(Success), Some(Judgement::New)),
            (Warnings, Some(Warnings), Some(Judgement::Still)),
            (Warnings, None, None),
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
