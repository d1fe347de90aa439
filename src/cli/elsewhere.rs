//! Advice for verbs of another of the three programs, and for verbs that only Buildbot has.

/// Advice for `verb`, which `program` does not have.
pub(super) fn advice(program: &str, verb: &str) -> Option<String> {
    let (_, owner, call) = OWNERS.iter().find(|(known, ..)| *known == verb)?;
    match *owner {
        "" => Some(format!("unknown verb {verb}: {call}")),
        owner if owner == program => Some(format!("unknown verb {verb}: use `{program} {call}`")),
        owner => Some(format!(
            "{verb} is not a verb of {program}: use `{owner} {call}`"
        )),
    }
}

/// Verbs, each with the program to use and the call; without a program, with an explanation.
const OWNERS: [(&str, &str, &str); 33] = [
    ("create-master", "buildmaster", "create-master DIR"),
    ("start", "buildmaster", "start DIR"),
    ("stop", "buildmaster", "stop DIR"),
    ("restart", "buildmaster", "restart DIR"),
    ("reconfig", "buildmaster", "reconfig DIR"),
    ("sighup", "buildmaster", "reconfig DIR"),
    ("checkconfig", "buildmaster", "checkconfig DIR"),
    ("show", "buildmaster", "show builds"),
    ("status", "buildmaster", "status DIR"),
    ("why", "buildmaster", "why REQUEST"),
    ("force", "buildmaster", "force BUILDER"),
    ("rebuild", "buildmaster", "rebuild BUILDER NUMBER"),
    ("statuslog", "buildbot", "statuslog"),
    ("statusgui", "buildmaster", "show builders"),
    ("debugclient", "buildmaster", "force BUILDER"),
    ("sendchange", "buildbot", "sendchange"),
    ("try", "buildbot", "try"),
    ("tryserver", "buildbot", "tryserver"),
    (
        "create-slave",
        "buildslave",
        "create-slave DIR MASTER NAME PASSWORD",
    ),
    (
        "create-worker",
        "buildslave",
        "create-slave DIR MASTER NAME PASSWORD",
    ),
    ("upgrade-slave", "", NO_SLAVE_UPGRADE),
    ("upgrade-worker", "", NO_SLAVE_UPGRADE),
    ("upgrade-master", "", NO_UPGRADE),
    ("upgrade", "", NO_UPGRADE),
    (
        "cleanupdb",
        "",
        "build_horizon and log_horizon in master.toml limit the history",
    ),
    (
        "cleanup-db",
        "",
        "build_horizon and log_horizon in master.toml limit the history",
    ),
    ("copy-db", "buildmaster", "backup FILE"),
    ("dataspec", "", NO_WEB),
    ("dev-proxy", "", NO_WEB),
    ("updatejs", "", NO_WEB),
    ("processwwwindex", "", NO_WEB),
    (
        "user",
        "",
        "this version has no users with names and addresses",
    ),
    ("gengraphql", "", NO_WEB),
];

const NO_UPGRADE: &str = "the master upgrades its state when it starts";

const NO_SLAVE_UPGRADE: &str = "the base directory of a slave needs no upgrade";

const NO_WEB: &str = "this version has no web pages";
