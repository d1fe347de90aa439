//! Exceptions on the wire (PROTOCOL section 5).

use std::fmt;

/// An exception of a peer, or one of ours for a peer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failure {
    /// Dotted class name.
    pub kind: String,
    /// Text of the exception.
    pub value: String,
    /// Traceback, for people.
    pub traceback: String,
    /// The class and its bases, dotted, in order.
    pub parents: Vec<String>,
}

impl Failure {
    /// A refused login (PROTOCOL section 7): the only error that a login may be answered with.
    pub const UNAUTHORIZED: &'static str = "twisted.cred.error.UnauthorizedLogin";
    /// A method that an object does not have.
    pub const NO_SUCH_METHOD: &'static str = "twisted.spread.flavors.NoSuchMethod";

    /// An exception of class `kind` with the bases that receivers test for; both spellings of the
    /// built-in bases.
    #[must_use]
    pub fn new(kind: &str, value: impl Into<String>) -> Self {
        let _ = (kind, value.into());
        todo!()
    }

    /// The refusal of a login.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self::new(Self::UNAUTHORIZED, "")
    }

    /// The reply to an unknown method of a plain object.
    #[must_use]
    pub fn no_such_method(method: &str) -> Self {
        Self::new(
            Self::NO_SUCH_METHOD,
            format!("No such method: remote_{method}"),
        )
    }

    /// Whether it is, or derives from, class `kind`.
    #[must_use]
    pub fn is(&self, kind: &str) -> bool {
        self.kind == kind || self.parents.iter().any(|p| p == kind)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.value)
    }
}
