//! Tests in quarantine: their failures do not fail their steps (FLK-07).

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuilderName, TestName, Timestamp};

/// A test in quarantine.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Quarantine {
    /// The test.
    pub test: TestName,
    /// The only builder where it is; absent: on all builders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builder: Option<BuilderName>,
    /// Who sees to it that it gets well.
    pub owner: String,
    /// Why it is there.
    pub reason: String,
    /// When it counts again.
    #[schemars(with = "i64")]
    pub until: Timestamp,
    /// Who put it there; empty: the master.
    pub by: String,
    /// When.
    #[schemars(with = "i64")]
    pub at: Timestamp,
}

impl Quarantine {
    /// How long it may be there: 90 days.
    pub const LONGEST: Duration = Duration::from_secs(90 * 86_400);
    /// How long before a quarantine ends the owner gets a reminder: one day.
    pub const NOTICE: Duration = Duration::from_secs(86_400);
    /// Most tests in quarantine.
    pub const MOST: usize = 10_000;
}

/// A change of what is in quarantine.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum QuarantineOp {
    /// A test is there from now on; what was said of it before is replaced.
    Begun(Quarantine),
    /// It counts again.
    Ended {
        /// The test.
        test: TestName,
        /// The only builder where it was.
        builder: Option<BuilderName>,
    },
    /// The owner was reminded that it ends soon; the same transaction writes the letter.
    Told {
        /// The test.
        test: TestName,
        /// The only builder where it is.
        builder: Option<BuilderName>,
    },
}
