//! Which texts of a configuration are expressions of run time (CFL-90).

/// Which texts are expressions of run time, into which values go as literals (CFL-30, CFL-90).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Rule {
    /// None.
    Plain,
    /// All.
    Expressions,
    Root,
    Locks,
    Lock,
    Builder,
    Scheduler,
    Filter,
    Factory,
    Step,
    Status,
    /// Texts are templates of letters (MAL-07): their braces mean nothing here.
    Templates,
}

impl Rule {
    /// That of the entries of the list `kind`.
    pub(super) fn of_kind(kind: &str) -> Self {
        match kind {
            "builders" => Self::Builder,
            "schedulers" => Self::Scheduler,
            "steps" => Self::Step,
            "status" => Self::Status,
            _ => Self::Plain,
        }
    }

    /// That of the value of `key`.
    pub(super) fn below(self, key: &str) -> Self {
        match (self, key) {
            (Self::Expressions, _)
            | (Self::Root, "values" | "merge_by")
            | (Self::Lock, "per")
            | (Self::Builder, "request_order" | "merge_by" | "slave_if" | "slave_order")
            | (Self::Scheduler, "important_if")
            | (Self::Filter, "when")
            | (Self::Step, "do_step_if" | "hide_step_if" | "result" | "set") => Self::Expressions,
            (Self::Status, "subject") => Self::Templates,
            (Self::Root, "status") => Self::Status,
            (Self::Root, "locks") => Self::Locks,
            (Self::Locks, _) => Self::Lock,
            (Self::Scheduler, "filter") => Self::Filter,
            (Self::Factory, "source") => Self::Step,
            _ => Self::Plain,
        }
    }
}
