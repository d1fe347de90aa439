//! Advice for verbs of another of the three programs, and for verbs that only Buildbot has.

use crate::config::advice::{self, Row};

/// Advice for `verb`, which `program` does not have.
pub(super) fn advice(program: &str, verb: &str) -> Option<String> {
    let (owner, call) = advice::anywhere(OWNERS, verb)?;
    match owner {
        "" => Some(format!("unknown verb {verb}: {call}")),
        owner if owner == program => Some(format!("unknown verb {verb}: use `{program} {call}`")),
        owner => Some(format!(
            "{verb} is not a verb of {program}: use `{owner} {call}`"
        )),
    }
}

/// The program to use and the call, for some verbs; without a program, an explanation.
const OWNERS: &[Row] = &[
    ("buildmaster", "create-master DIR", &["create-master"]),
    ("buildmaster", "start DIR", &["start"]),
    ("buildmaster", "stop DIR", &["stop"]),
    ("buildmaster", "restart DIR", &["restart"]),
    ("buildmaster", "reconfig DIR", &["reconfig", "sighup"]),
    ("buildmaster", "checkconfig DIR", &["checkconfig"]),
    ("buildmaster", "show builds", &["show"]),
    ("buildmaster", "status DIR", &["status"]),
    ("buildmaster", "why REQUEST", &["why"]),
    ("buildmaster", "force BUILDER", &["force", "debugclient"]),
    ("buildmaster", "rebuild BUILDER NUMBER", &["rebuild"]),
    ("buildbot", "statuslog", &["statuslog"]),
    ("buildmaster", "show builders", &["statusgui"]),
    ("buildbot", "sendchange", &["sendchange"]),
    ("buildbot", "try", &["try"]),
    ("buildbot", "tryserver", &["tryserver"]),
    (
        "buildslave",
        "create-slave DIR MASTER NAME PASSWORD",
        &["create-slave", "create-worker"],
    ),
    ("", NO_SLAVE_UPGRADE, &["upgrade-slave", "upgrade-worker"]),
    ("", NO_UPGRADE, &["upgrade-master", "upgrade"]),
    (
        "",
        "build_horizon and log_horizon in master.toml limit the history",
        &["cleanupdb", "cleanup-db"],
    ),
    ("buildmaster", "backup FILE", &["copy-db"]),
    (
        "",
        NO_WEB,
        &[
            "dataspec",
            "dev-proxy",
            "updatejs",
            "processwwwindex",
            "gengraphql",
        ],
    ),
    (
        "",
        "this version has no users with names and addresses",
        &["user"],
    ),
];

const NO_UPGRADE: &str = "the master upgrades its state when it starts";

const NO_SLAVE_UPGRADE: &str = "the base directory of a slave needs no upgrade";

const NO_WEB: &str = "this version has no web pages";
