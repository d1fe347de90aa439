//! What a slave tells of itself (PROTOCOL sections 9.2 and 9.6).

use std::collections::BTreeMap;

use super::TextStyle;

/// A slave as it described itself when it attached.
#[derive(Clone, Debug, PartialEq)]
pub struct SlaveInfo {
    /// `admin`, `host`, `access_uri`, `basedir`, `system`, `version` …: the texts of its info.
    pub texts: BTreeMap<String, String>,
    /// Its environment.
    pub environ: BTreeMap<String, String>,
    /// Command names with their versions; empty for a slave that announces none ("old", SLB-05).
    pub commands: BTreeMap<String, String>,
    /// How to spell text for it.
    pub style: TextStyle,
    /// Whether it is a worker (0.9 and later), which is greeted and pinged on its bot.
    pub is_worker: bool,
}

impl SlaveInfo {
    /// Whether `command` is at least of `version`, compared part by part (PROTOCOL section 9.6).
    #[must_use]
    pub fn command_is_at_least(&self, command: &str, version: &str) -> bool {
        let parts = |v: &str| {
            v.split('.')
                .map(|p| p.parse::<u64>().unwrap_or(0))
                .collect::<Vec<_>>()
        };
        self.commands
            .get(command)
            .is_some_and(|have| parts(have) >= parts(version))
    }
}
