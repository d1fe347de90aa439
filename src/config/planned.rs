//! What the specification has and this program does not have yet. It is refused by name, never
//! ignored. Whoever builds a thing deletes its name here.

use super::advice::{self, Row};

/// Advice on `name`, a key or a value of `place`, if it is planned.
pub(super) fn find(place: &str, name: &str) -> Option<&'static str> {
    advice::find(PLANNED, place, name)
}

/// What is planned for `place`.
pub(super) fn names(place: &str) -> impl Iterator<Item = &'static str> {
    advice::of(PLANNED, place).flat_map(|(_, _, names)| names.iter().copied())
}

const ADVICE: &str = "this version does not have it; remove it to start without it";

/// Keys by the place of their table, values by the place of their key.
const PLANNED: &[Row] = &[
    (
        "slaves.type",
        "start and stop its instances by two commands of yours, with `type = \"command\"`",
        &[
            "ec2",
            "libvirt",
            "openstack",
            "EC2LatentBuildSlave",
            "EC2LatentWorker",
            "HyperLatentWorker",
            "KubeLatentWorker",
            "LibVirtSlave",
            "LibVirtWorker",
            "MarathonLatentWorker",
            "OpenStackLatentBuildSlave",
            "OpenStackLatentWorker",
            "UpcloudLatentWorker",
        ],
    ),
    (
        "",
        "remove it: `[web]` with `port = 8010` serves the pages, and `notify_on_missing` of a slave mails when it is \
         missing",
        &["www"],
    ),
    ("", ADVICE, &["log_encoding", "ping_extends_on_traffic"]),
    (
        "status.type",
        "remove it: `[web]` with `port = 8010` serves pages, and a `MailNotifier` mails",
        &["StatusPush", "TinderboxMailNotifier", "WebStatus"],
    ),
    (
        "status.type",
        "write `type = \"commit-status\"`, or a `webhook` where the service is none that it knows",
        &[
            "GitHubStatus",
            "GitHubStatusPush",
            "BitbucketServerStatusPush",
        ],
    ),
    ("schedulers", ADVICE, &["create_absolute_source_stamps"]),
    (
        "change_sources.type",
        "have the repository's hook, or a job of cron that polls, run `buildbot sendchange`, with `type = \"PB\"` here",
        &[
            "BonsaiPoller",
            "FreshCVSSource",
            "FreshCVSSourceNewcred",
            "GerritEventLogPoller",
            "GoogleCodeAtomPoller",
            "MonotonePoller",
            "MonotoneSource",
        ],
    ),
    (
        "steps",
        "test runs are not written to a database; remove it: `show build` has the failed tests",
        &["dbpool", "auto_create_tables", "test_info"],
    ),
    ("steps", ADVICE, &["log_encoding"]),
    // Steps of `Trial` have a setting of this name, the names of the tests to run.
    (
        "steps",
        "remove it: only steps that run a command of yours have reports of tests",
        &["tests"],
    ),
    (
        "steps",
        "remove it: the expressions of `result` and `set` see the output as `stdout`",
        &["collect_stdout"],
    ),
    (
        "steps",
        "write `2>&1` in the command: the expressions of `result` and `set` see its output as `stdout`",
        &["collect_stderr"],
    ),
    (
        "steps",
        "write an expression as `result`, or rules on lines as `watch`",
        &["log_eval_func"],
    ),
    (
        "steps.type",
        "use `SetPropertyFromCommand` with `rpmspec -q --qf '%{version}' FILE`",
        &["RpmSpec"],
    ),
    (
        "steps.type",
        "use `SetProperty`: properties are what a build knows of its slave",
        &["SetSlaveInfo"],
    ),
    (
        "steps.type",
        ADVICE,
        &[
            "Assert",
            "BK",
            "BuildDebs",
            "DownloadSecretsToWorker",
            "Dummy",
            "FailingDummy",
            "GitCommit",
            "GitDiffInfo",
            "GitPush",
            "GitTag",
            "Maxq",
            "P4Sync",
            "ProcessDocs",
            "RemoteDummy",
            "SlaveSource",
            "Source",
            "TriggerCommand",
            "VisualStudio",
            "Wait",
            "WorkerSource",
        ],
    ),
];
