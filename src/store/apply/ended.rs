//! A build that ends.

use crate::model::{BuildNumber, BuilderName, ChangeNumber, RequestId, SlaveName};

/// A build that ends.
pub(super) struct EndedBuild {
    /// Its builder.
    pub(super) builder: BuilderName,
    /// Its number.
    pub(super) number: BuildNumber,
    /// Its slave.
    pub(super) slave: SlaveName,
    /// The newest change that it was built of.
    pub(super) newest: Option<ChangeNumber>,
    /// Its requests.
    pub(super) requests: Vec<RequestId>,
}
