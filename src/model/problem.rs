//! What a problem is about.

use super::{SlaveName, TestName};

/// What fails (PRB-01, INF-02, INF-03).
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum ProblemSubject {
    /// A step of a builder, by its name.
    Step(String),
    /// A test of a step.
    Test {
        /// Name of the step.
        step: String,
        /// The test.
        test: TestName,
    },
    /// The builder: its builds end without saying anything about the sources.
    Builder,
    /// This slave: so do builds of several builders on it.
    Slave(SlaveName),
    /// The master: so do builds of all builders.
    Master,
}

impl ProblemSubject {
    /// The step with this name, or a test of it.
    #[must_use]
    pub fn of_step(step: String, test: Option<TestName>) -> Self {
        match test {
            Some(test) => Self::Test { step, test },
            None => Self::Step(step),
        }
    }

    /// The step; absent for infrastructure.
    #[must_use]
    pub fn step(&self) -> Option<&str> {
        match self {
            Self::Step(step) | Self::Test { step, .. } => Some(step),
            Self::Builder | Self::Slave(_) | Self::Master => None,
        }
    }

    /// The test, if it is about one.
    #[must_use]
    pub const fn test(&self) -> Option<&TestName> {
        match self {
            Self::Test { test, .. } => Some(test),
            Self::Step(_) | Self::Builder | Self::Slave(_) | Self::Master => None,
        }
    }

    /// The slave, if it is about one.
    #[must_use]
    pub const fn slave(&self) -> Option<&SlaveName> {
        match self {
            Self::Slave(slave) => Some(slave),
            Self::Step(_) | Self::Test { .. } | Self::Builder | Self::Master => None,
        }
    }

    /// Whether it is about the infrastructure and not about the sources.
    #[must_use]
    pub const fn is_infrastructure(&self) -> bool {
        match self {
            Self::Step(_) | Self::Test { .. } => false,
            Self::Builder | Self::Slave(_) | Self::Master => true,
        }
    }

    /// Its kind: `step`, `test`, `builder`, `slave` or `master`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Step(_) => "step",
            Self::Test { .. } => "test",
            Self::Builder => "builder",
            Self::Slave(_) => "slave",
            Self::Master => "master",
        }
    }
}

/// What fails, for people.
impl std::fmt::Display for ProblemSubject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Step(step) => f.write_str(step),
            Self::Test { step, test } => write!(f, "{step}: {}", test.shown()),
            Self::Builder => f.write_str("the builder cannot build"),
            Self::Slave(slave) => write!(f, "slave {slave} cannot build"),
            Self::Master => f.write_str("no builder can build"),
        }
    }
}
