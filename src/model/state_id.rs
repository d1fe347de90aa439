//! Which state it is.

/// The identity of a state.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct StateId {
    /// 32 random hexadecimal digits, created with the state and kept by copies.
    pub identity: String,
    /// Number of starts of a master on the state; 0 before the first start.
    pub epoch: u64,
}
