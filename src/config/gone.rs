//! What Buildbot has and this program does without: refused by name, with what does the same here,
//! or why nothing has to.

use super::advice::{self, Row};

/// Advice on `key`, a setting of Buildbot, in a table at `place`.
pub(super) fn find(place: &str, key: &str) -> Option<&'static str> {
    advice::find(GONE, place, key)
}

/// Keys by the place of their table.
const GONE: &[Row] = &[
    (
        "",
        "write `priority` at builders, and `request_order` for the requests of each",
        &["prioritizeBuilders", "prioritize_builders"],
    ),
    (
        "",
        "remove it: events are not kept apart from builds, and `build_horizon` keeps these",
        &["eventHorizon", "event_horizon"],
    ),
    (
        "",
        "remove it: the master itself chooses the sizes of its caches",
        &[
            "buildCacheSize",
            "build_cache_size",
            "changeCacheSize",
            "change_cache_size",
            "caches",
        ],
    ),
    (
        "",
        "remove it: the state is a SQLite file in the base directory",
        &["db", "db_url", "db_poll_interval"],
    ),
    (
        "",
        "remove it: one master has one base directory, whose state it shares with no other",
        &["multiMaster", "multi_master"],
    ),
    (
        "",
        "remove it: the commands of `buildmaster`, such as `show`, `why` and `simulate`, look into a running master",
        &["debugPassword", "debug_password", "manhole"],
    ),
    (
        "",
        "remove it: with `[web]`, metrics are at /metrics",
        &["metrics"],
    ),
    (
        "change_sources",
        "remove it: a source is polled at its interval; give sources different intervals to spread their polls",
        &["pollRandomDelayMin", "pollRandomDelayMax"],
    ),
    (
        "change_sources",
        "write `user` and `password_file`, or `ssh_private_key_file`",
        &["auth_credentials", "git_credentials"],
    ),
    (
        "change_sources",
        "remove it: a poller reads all changes since its last poll; `branches` says of which branches",
        &["revision"],
    ),
    (
        "change_sources",
        "remove it: events come over ssh, with `gerritserver` and `username`",
        &["http_url", "http_auth", "http_poll_interval"],
    ),
    (
        "change_sources",
        "write the address of the clones as `set = { repository = \"…\" }`",
        &["gitBaseURL"],
    ),
    (
        "change_sources",
        "remove it: a change without a branch is one of the default branch; `set = { branch = \"…\" }` names another",
        &["defaultBranch"],
    ),
    (
        "change_sources",
        "write the repository's address in `[[repositories]]`, and its name as `repository`",
        &["owner", "slug", "repo", "baseURL"],
    ),
    (
        "change_sources",
        "write `branches`, `authors` and `labels`: they say which pull requests count",
        &["pullrequest_filter"],
    ),
    (
        "change_sources",
        "write `token_file` in `host` of the repository in `[[repositories]]`",
        &["auth", "token"],
    ),
    (
        "change_sources",
        "remove it: the properties that a change of a pull request has are always the same",
        &["bitbucket_property_whitelist", "github_property_whitelist"],
    ),
    (
        "change_sources",
        "remove it: a change has the address of the repository in `[[repositories]]`",
        &["magic_link", "repository_type"],
    ),
    (
        "change_sources",
        "remove it: names of files have `/` between directories",
        &["sep"],
    ),
    ("change_sources", LOG_FILE, &["debug"]),
    (
        "schedulers",
        "write it as `reason`, with `%(owner)s` and `%(reason)s`; the field of the form is `reason_parameter`",
        &["reasonString"],
    ),
    ("schedulers", "write `button`", &["buttonName"]),
    (
        "builders",
        "write `description` as plain text",
        &["description_format"],
    ),
    (
        "builders",
        "write `properties`; a property of the request goes before that of the builder if its scheduler sets it",
        &["defaultProperties"],
    ),
    (
        "builders",
        "write a tag such as `tags = [\"project:NAME\"]`: pages and selectors group builders by tags",
        &["project"],
    ),
    (
        "builders",
        "write `do_step_if` at the steps, or a `filter` at the scheduler",
        &["do_build_if"],
    ),
    (
        "locks",
        "the name is in the header of the table: `[locks.NAME]`",
        &["name"],
    ),
    ("slaves", "write `properties`", &["defaultProperties"]),
    (
        "slaves",
        "remove it: a slave with `type = \"command\"` starts and stops its machine by commands of yours",
        &["machine_name"],
    ),
    (
        "slaves",
        "write `master`, the address under which slaves reach this master",
        &["masterFQDN", "master_protocol"],
    ),
    (
        "slaves",
        "write options of `docker run` as `docker_args`; the program `docker` finds its daemon by DOCKER_HOST",
        &[
            "docker_host",
            "volumes",
            "tls",
            "hostconfig",
            "hostname",
            "version",
            "encoding",
        ],
    ),
    (
        "slaves",
        "build the image before, and name it with `image`",
        &[
            "dockerfile",
            "custom_context",
            "buildargs",
            "target",
            "autopull",
            "alwaysPull",
        ],
    ),
    (
        "slaves",
        "remove it: `docker logs` has what the container prints",
        &["followStartupLogs"],
    ),
    (
        "slaves",
        "remove it: an instance is known to be up as soon as its slave has connected",
        &["check_instance_interval"],
    ),
    (
        "factories",
        "write `python`, the words before `trial`",
        &["trialpython"],
    ),
    (
        "factories",
        "remove it: the names of the tests are `tests`",
        &["useTestCaseNames"],
    ),
    (
        "steps",
        "remove it: the summary of a step is its `description` with its result",
        &["updateBuildSummaryPolicy"],
    ),
    ("steps", "write `extra_options`", &["checkout_options"]),
    ("steps", "write `workdir`", &["directory"]),
    ("steps", "write `repourl`", &["server_addr"]),
    (
        "steps",
        "remove it: a build that another one triggered knows it, and pages show both",
        &["parent_relationship"],
    ),
    (
        "steps",
        "write the command so that it prints only what is wanted: `stdout` is its standard output alone",
        &["includeStdout", "includeStderr"],
    ),
    (
        "steps",
        "write `same`, `same_properties` and `only_older`, which say what related builds have in common",
        &["isRelevant", "preProcess"],
    ),
    (
        "steps",
        "write it in the entries of `commands`",
        &["logname"],
    ),
    (
        "status",
        "remove it: `buildmaster preview` shows a mail, and `buildmaster outbox` those that were sent",
        &["dumpMailsToLog"],
    ),
    (
        "status",
        "write `mode`, `builders`, `tags` and `when`, and templates for the text",
        &["generators"],
    ),
    (
        "status",
        "write `[permissions]`: who may do what holds for IRC as for the pages",
        &["authz"],
    ),
    (
        "status",
        "write expressions and templates: a function cannot be written here",
        &[
            "reviewCB",
            "startCB",
            "reviewArg",
            "startArg",
            "summaryCB",
            "summaryArg",
            "serverPushCb",
        ],
    ),
    (
        "status",
        "remove it: what waits to be sent is in the state on disk, and `buildmaster outbox` shows it",
        &[
            "maxMemoryItems",
            "maxDiskItems",
            "queue",
            "path",
            "bufferDelay",
            "retryDelay",
        ],
    ),
    (
        "status",
        "remove it: each event is a request of its own",
        &["chunkSize", "maxHttpRequestSize"],
    ),
    (
        "status",
        "write `when`, an expression that says which builds are told",
        &["blackList"],
    ),
    (
        "status",
        "write the target as one of `type = \"webhook\"`, which signs what it sends",
        &["auth", "headers", "cert", "skip_encoding"],
    ),
    (
        "status",
        "remove it: certificates are always checked, with `ca_file` for those of your own",
        &["verify"],
    ),
    ("status", LOG_FILE, &["debug", "verbose"]),
];

const LOG_FILE: &str = "remove it: the log file of the master has what it did";
