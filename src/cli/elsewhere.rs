//! Verbs that belong to another of the three programs, or that Buildbot has and these do not need.

/// What to do in place of `verb`, which `program` does not have.
pub(super) fn advice(program: &str, verb: &str) -> Option<String> {
    let (_, owner, call) = OWNERS.iter().find(|(known, ..)| *known == verb)?;
    match *owner {
        "" => Some(format!("there is no verb {verb}: {call}")),
        owner if owner == program => {
            Some(format!("there is no verb {verb}: use `{program} {call}`"))
        }
        owner => Some(format!(
            "{verb} is not a verb of {program}: use `{owner} {call}`"
        )),
    }
}

/// Verbs with the program that has them, and how they are called there; without a program, what to
/// do instead.
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
    ("statuslog", "buildmaster", "show builds"),
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
        "build_horizon and log_horizon in master.toml say how much is kept",
    ),
    (
        "cleanup-db",
        "",
        "build_horizon and log_horizon in master.toml say how much is kept",
    ),
    ("copy-db", "buildmaster", "backup FILE"),
    ("dataspec", "", NO_WEB),
    ("dev-proxy", "", NO_WEB),
    ("updatejs", "", NO_WEB),
    ("processwwwindex", "", NO_WEB),
    (
        "user",
        "",
        "there are no users with names and addresses in this version",
    ),
    ("gengraphql", "", NO_WEB),
];

const NO_UPGRADE: &str = "a new version brings the state up to date when the master is started";

const NO_SLAVE_UPGRADE: &str = "the base directory of a slave needs no upgrade";

const NO_WEB: &str = "there are no web pages in this version";
