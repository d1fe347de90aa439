//! The names that the configuration has, for those who translate into it.

use super::shape::Shape;
use super::{
    builders, change_sources, language, planned, schedulers, slaves, spelling, status, steps,
};

/// A family of tables of the configuration.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Family {
    /// `[[slaves]]`.
    Slaves,
    /// The steps of factories.
    Steps,
    /// `[[builders]]`.
    Builders,
    /// `[[schedulers]]`.
    Schedulers,
    /// `[[change_sources]]`.
    ChangeSources,
    /// `[[status]]`.
    Status,
}

/// All families.
const FAMILIES: [Family; 6] = [
    Family::Slaves,
    Family::Steps,
    Family::Builders,
    Family::Schedulers,
    Family::ChangeSources,
    Family::Status,
];

impl Family {
    const fn shape(self) -> &'static Shape {
        match self {
            Self::Slaves => &slaves::SHAPE,
            Self::Steps => &steps::STEP,
            Self::Builders => &builders::SHAPE,
            Self::Schedulers => &schedulers::SHAPE,
            Self::ChangeSources => &change_sources::SHAPE,
            Self::Status => &status::SHAPE,
        }
    }

    /// The `type` of this family that is meant by `theirs`, a class of Buildbot's.
    pub(crate) fn kind(self, theirs: &str) -> Option<&'static str> {
        let ours = spelling::kind_meant(theirs);
        let kinds = (self.shape().kinds)();
        kinds.iter().map(|k| k.name).find(|name| *name == ours)
    }

    /// The key of a table of type `kind` that is meant by `theirs`, an argument of Buildbot's.
    pub(crate) fn key(self, kind: Option<&str>, theirs: &str) -> Option<&'static str> {
        let shape = self.shape();
        let mut keys = shape.keys.to_vec();
        let kinds = (shape.kinds)();
        let own = kinds.iter().filter(|row| kind == Some(row.name));
        keys.extend(own.flat_map(|row| row.keys().collect::<Vec<_>>()));
        let (ours, is_certain) = spelling::meant(&keys, theirs)?;
        is_certain.then_some(ours)
    }

    /// What to do without `type = "NAME"`, if this is planned.
    pub(crate) fn planned(self, theirs: &str) -> Option<&'static str> {
        planned::find(&format!("{}.type", self.shape().place), theirs)
    }
}

/// The name and the flags of a step of type `kind` that says nothing; the flags by their keys.
pub(crate) fn usual_step(kind: &str) -> (String, [(&'static str, bool); 6]) {
    let step = steps::usual(kind);
    let flags = [
        ("halt_on_failure", step.halt_on_failure),
        ("flunk_on_warnings", step.flunk_on_warnings),
        ("flunk_on_failure", step.flunk_on_failure),
        ("warn_on_warnings", step.warn_on_warnings),
        ("warn_on_failure", step.warn_on_failure),
        ("always_run", step.always_run),
    ];
    (step.name, flags)
}

/// The directory of a builder of this name that says nothing.
pub(crate) fn usual_builddir(name: &str) -> String {
    builders::BuilderConfig::named(name).builddir
}

/// Whether `[defaults.NAME]` lies under entries that do not extend it, since it has the name of a
/// kind of tables or of a type (CFL-37).
pub(crate) fn is_of_defaults(name: &str) -> bool {
    let has_type = |family: &Family| (family.shape().kinds)().iter().any(|k| k.name == name);
    language::KINDS.contains(&name) || FAMILIES.iter().any(has_type)
}

/// The names that `{{ }}` in a text use. Those of an expression with mistakes are left out.
pub(crate) fn names_in_braces(text: &str) -> Vec<String> {
    language::names_in_braces(text)
}
