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
    /// The text for people, or the name of the class if there is no text.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self.value.trim() {
            "" => self.kind.rsplit('.').next().unwrap_or_default(),
            text => text,
        }
    }

    /// A rejected login (PROTOCOL section 7): the only error allowed in the answer to a login.
    pub const UNAUTHORIZED: &'static str = "twisted.cred.error.UnauthorizedLogin";
    /// A call of an unknown method.
    pub const NO_SUCH_METHOD: &'static str = "twisted.spread.flavors.NoSuchMethod";
    /// A login of an unsupported kind, such as an anonymous login.
    pub const UNHANDLED_CREDENTIALS: &'static str = "twisted.cred.error.UnhandledCredentials";
    /// A value of an unknown type.
    pub const INSECURE_JELLY: &'static str = "twisted.spread.jelly.InsecureJelly";
    /// An error of Perspective Broker itself, such as a call of an object that does not exist.
    pub const PB_ERROR: &'static str = "twisted.spread.pb.Error";
    /// A value that is too large to send.
    pub const BANANA_ERROR: &'static str = "twisted.spread.banana.BananaError";
    /// Wrong arguments.
    pub const TYPE_ERROR: &'static str = "builtins.TypeError";

    /// An exception of class `kind` with the bases that receivers test for, in both spellings of
    /// the built-in bases.
    #[must_use]
    pub fn new(kind: &str, value: impl Into<String>) -> Self {
        Self {
            kind: kind.to_owned(),
            value: value.into(),
            traceback: NO_TRACEBACK.to_owned(),
            parents: parents(kind),
        }
    }

    /// The failure for a rejected login.
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

    /// The reply to an unknown method of a perspective, an avatar of class `class` (PROTOCOL 4.2).
    #[must_use]
    pub fn no_perspective_method(class: &str, method: &str) -> Self {
        Self::new(
            "builtins.AttributeError",
            format!("'{class}' object has no attribute 'perspective_{method}'"),
        )
    }

    /// Whether the exception is of class `kind` or derives from it. Python's own exceptions match
    /// the names of Python 2 and 3, whichever the peer used.
    #[must_use]
    pub fn is(&self, kind: &str) -> bool {
        let same = |name: &str| {
            name == kind || built_in(name).is_some_and(|name| built_in(kind) == Some(name))
        };
        same(&self.kind) || self.parents.iter().any(|parent| same(parent))
    }
}

/// The name of a built-in Python class without its module, which differs between Python 2 and 3.
fn built_in(name: &str) -> Option<&str> {
    ["builtins.", "exceptions.", "__builtin__."]
        .iter()
        .find_map(|module| name.strip_prefix(module))
}

/// A class and those of its bases that receivers test for; built-in classes in both spellings.
fn parents(kind: &str) -> Vec<String> {
    let name = built_in(kind);
    let (bases, own_bases): (&[&str], &[&str]) = match (kind, name) {
        (Failure::UNAUTHORIZED, _) => (
            &[
                "twisted.cred.error.LoginFailed",
                "twisted.cred.error.Unauthorized",
            ],
            &[],
        ),
        (Failure::UNHANDLED_CREDENTIALS, _) => (&["twisted.cred.error.LoginFailed"], &[]),
        (Failure::NO_SUCH_METHOD, _) => (&[], &["AttributeError", "StandardError"]),
        (_, Some("Exception" | "BaseException")) | (_, None) => (&[], &[]),
        (_, Some("NotImplementedError" | "RecursionError")) => {
            (&[], &["RuntimeError", "StandardError"])
        }
        (_, Some("KeyError" | "IndexError")) => (&[], &["LookupError", "StandardError"]),
        (_, Some("UnicodeDecodeError" | "UnicodeEncodeError")) => {
            (&[], &["UnicodeError", "ValueError", "StandardError"])
        }
        (_, Some("IOError" | "OSError")) => (&[], &["EnvironmentError", "StandardError"]),
        (_, Some(_)) => (&[], &["StandardError"]),
    };
    let mut parents = vec![kind.to_owned()];
    parents.extend(bases.iter().map(|&base| base.to_owned()));
    for name in name
        .into_iter()
        .chain(own_bases.iter().copied())
        .chain(["Exception", "BaseException"])
    {
        for module in ["builtins.", "exceptions."] {
            let base = format!("{module}{name}");
            if !parents.contains(&base) {
                parents.push(base);
            }
        }
    }
    parents.extend(["builtins.object", "__builtin__.object"].map(str::to_owned));
    parents
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.value)
    }
}

/// Twisted's text in place of a traceback.
const NO_TRACEBACK: &str = "Traceback unavailable\n";
