//! Passwords and where they are.

use std::hash::{BuildHasher as _, RandomState};
use std::path::PathBuf;
use std::sync::LazyLock;

use serde::{Serialize, Serializer};

/// A password or where it is.
#[derive(Clone, Eq, PartialEq)]
pub enum Secret {
    /// In the configuration.
    Inline(String),
    /// In a file, relative to the base directory; a final newline does not count.
    File(PathBuf),
    /// In an environment variable.
    Env(String),
}

impl Default for Secret {
    fn default() -> Self {
        Self::Inline(String::new())
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Inline(_) => f.write_str("Inline(…)"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Env(name) => f.debug_tuple("Env").field(name).finish(),
        }
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Inline(text) => serializer.serialize_str(&fingerprint(text)),
            Self::File(path) => serializer.collect_str(&format_args!("in {}", path.display())),
            Self::Env(name) => serializer.collect_str(&format_args!("in ${name}")),
        }
    }
}

/// What stands for a secret text where settings are compared or printed: it is equal for equal
/// texts, only as long as this program runs, and says nothing else of them.
pub(super) fn fingerprint(secret: &str) -> String {
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    format!("secret {:016x}", KEY.hash_one(secret))
}
