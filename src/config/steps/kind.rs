//! What the steps of every kind say of themselves.

use super::StepConfig;
use super::source::SourceSettings;
use crate::config::reader::Table;
use crate::config::shape::KindShape;

/// A row of a table of kinds.
pub(super) struct Kind {
    pub(super) shape: KindShape,
    /// A step of this kind whose table says nothing.
    pub(super) usual: fn() -> StepConfig,
    /// Takes what only this kind has. It comes last, and may make the command of the settings.
    pub(super) own: fn(&mut Table<'_>, &mut StepConfig),
}

/// A kind has no settings beside those of its `StepKind`.
pub(super) fn nothing(_: &mut Table<'_>, _: &mut StepConfig) {}

/// The settings that only steps of one kind have.
pub(super) trait StepSettings {
    /// The settings of a source step.
    fn source(&self) -> Option<&SourceSettings> {
        None
    }

    /// Whether the step gets the source of the build, with its patch.
    fn takes_source(&self) -> bool {
        self.source()
            .is_some_and(|source| !source.always_use_latest)
    }

    /// What its commands leave behind for its expressions.
    fn output(&self) -> Output {
        Output::Lines
    }

    /// What its command prints, if that is known; absent where the master adds logs of its own.
    fn prints(&self) -> Option<Printed> {
        None
    }

    /// The kind of the step, and the program that it runs on a slave, unless the user has to name
    /// that or says where to look for it.
    fn program(&self) -> Option<(&'static str, &'static str)> {
        None
    }
}

/// What the command of a step prints.
#[derive(Debug)]
pub(super) struct Printed {
    /// Whether its output gets here.
    pub(super) has_output: bool,
    /// The names of its log files.
    pub(super) logs: Vec<String>,
}

/// What the commands of a step leave behind for its expressions (CFL-116).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Output {
    /// Lines, if they print some.
    Lines,
    /// Lines, and their standard output is one text.
    Kept,
}
