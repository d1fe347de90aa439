//! What the specification has and this program does not have yet. It is refused by name, never
//! ignored. Whoever builds a thing deletes its name here.

/// Advice on `name`, a key or a value of `place`, if it is planned.
pub(super) fn find(place: &str, name: &str) -> Option<&'static str> {
    let (_, advice, _) = rows(place).find(|(_, _, names)| names.contains(&name))?;
    Some(advice)
}

/// What is planned for `place`.
pub(super) fn names(place: &str) -> impl Iterator<Item = &'static str> {
    rows(place).flat_map(|(_, _, names)| names.iter().copied())
}

fn rows(place: &str) -> impl Iterator<Item = &'static Row> {
    PLANNED.iter().filter(move |(its, _, _)| *its == place)
}

/// A place, what to do without, and names there.
type Row = (&'static str, &'static str, &'static [&'static str]);

const ADVICE: &str = "this version does not have it; remove it to go on without";

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
            "LibVirtSlave",
            "OpenStackLatentBuildSlave",
        ],
    ),
    (
        "schedulers.type",
        "remove it: `buildmaster force BUILDER` builds whenever you want",
        &["ForceScheduler"],
    ),
    (
        "",
        ADVICE,
        &[
            "status",
            "www",
            "prioritize_builders",
            "event_horizon",
            "build_cache_size",
            "change_cache_size",
            "caches",
            "log_compression_limit",
            "log_compression_method",
            "log_encoding",
            "codebase_generator",
            "db",
            "db_url",
            "db_poll_interval",
            "multi_master",
            "debug_password",
            "manhole",
            "metrics",
            "validation",
            "revlink",
            "user_managers",
            "ping_extends_on_traffic",
        ],
    ),
    ("builders", ADVICE, &["next_build", "can_start_build"]),
    (
        "schedulers",
        ADVICE,
        &["codebases", "create_absolute_source_stamps"],
    ),
    (
        "change_sources.type",
        ADVICE,
        &[
            "GitPoller",
            "SVNPoller",
            "HgPoller",
            "P4Source",
            "BzrPoller",
            "CVSMaildir",
            "SVNCommitEmailMaildir",
            "BzrLaunchpadEmailMaildir",
            "GerritChangeSource",
            "MonotonePoller",
            "Hook",
        ],
    ),
    (
        "steps",
        ADVICE,
        &[
            "do_step_if",
            "hide_step_if",
            "progress_metrics",
            "collect_stdout",
            "collect_stderr",
            "log_encoding",
        ],
    ),
    (
        "steps.type",
        ADVICE,
        &[
            "Arch",
            "Assert",
            "BK",
            "Bazaar",
            "BuildEPYDoc",
            "Bzr",
            "CMake",
            "CVS",
            "CopyDirectory",
            "Darcs",
            "DebLintian",
            "DebPbuilder",
            "DirectoryUpload",
            "FileDownload",
            "FileExists",
            "FileUpload",
            "Gerrit",
            "GitCommit",
            "GitPush",
            "GitTag",
            "HLint",
            "HTTPStep",
            "JSONPropertiesDownload",
            "JSONStringDownload",
            "LogRenderable",
            "MTR",
            "MakeDirectory",
            "MasterShellCommand",
            "MaxQ",
            "Mercurial",
            "Mock",
            "MockBuildSRPM",
            "MockRebuild",
            "Monotone",
            "MsBuild",
            "MultipleFileUpload",
            "P4",
            "PerlModuleTest",
            "PyFlakes",
            "PyLint",
            "RemoveDirectory",
            "RemovePYCs",
            "Repo",
            "Robocopy",
            "RpmBuild",
            "RpmLint",
            "RpmSpec",
            "SVN",
            "SetProperties",
            "SetPropertiesFromEnv",
            "SetProperty",
            "SetPropertyFromCommand",
            "SetSlaveInfo",
            "ShellSequence",
            "Sphinx",
            "StringDownload",
            "SubunitShellCommand",
            "TreeSize",
            "Trial",
            "Trigger",
            "VisualStudio",
            "WarningCountingShellCommand",
        ],
    ),
];
