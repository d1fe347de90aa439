//! What somebody meant who wrote a key or a value that does not exist here.

use super::advice::{self, Row};
use super::gone;
use super::planned;
use super::shape::{KindShape, Shape, of};

/// What is wrong with `key` in a table at `place` that may have `keys`, and what would be right: it
/// may be planned, Buildbot's spelling, near to one that exists, or one of `keys_of_the_master`,
/// which stand before all tables.
pub(super) fn unknown_key(
    place: &str,
    keys: &[&'static str],
    keys_of_the_master: &[&'static str],
    label: &str,
    key: &str,
) -> (String, String) {
    let snake = snake_case(key);
    for name in [key, snake.as_str()] {
        if let Some(help) = planned::find(place, name) {
            return (
                format!("{} is not available yet", of(key, label)),
                help.to_owned(),
            );
        }
    }
    let message = format!("unknown key {}", of(key, label));
    if let Some(help) = hint(place, key) {
        return (message, help.to_owned());
    }
    let is_certain = |keys| matches!(meant(keys, key), Some((_, true)));
    let of_language = match place.is_empty() {
        true => &["include", "vars", "defaults"][..],
        false => &["extends"],
    };
    let of_language = nearest(&snake, of_language.iter().copied()).map(|near| (near, false));
    let help = match meant(keys, key).or(of_language) {
        Some((ours, true)) => format!("it is called `{ours}` here"),
        Some((near, false)) => format!("did you mean `{near}`?"),
        None if !place.is_empty() && is_certain(keys_of_the_master) => {
            "it is a setting of the master: move it above the first table of the file".to_owned()
        }
        None if place.is_empty() => "remove it, or see master.toml.example".to_owned(),
        None => format!("its keys are {}", listing(keys)),
    };
    (message, help)
}

/// What is wrong with `key` in a table of type `kind`, which only tables of the types `others`
/// have.
pub(super) fn key_of_others(
    shape: &Shape,
    kind: KindShape,
    key: &str,
    others: &[&'static str],
) -> (String, String) {
    let KindShape { name, .. } = kind;
    let article = match name.starts_with(['A', 'E', 'I', 'O', 'U']) {
        true => "an",
        false => "a",
    };
    let thing = match name == shape.noun {
        true => format!("a {} of `type = {name:?}`", shape.noun),
        false => format!("{article} `{name}` {}", shape.noun),
    };
    let hint = hint(&format!("{}.{name}", shape.place), key)
        .or_else(|| planned::find(shape.place, key))
        .or_else(|| hint(shape.place, key));
    let help = match (hint, others) {
        (Some(help), _) => help.to_owned(),
        (None, [first, .., last]) if others.len() > MOST_KINDS => format!(
            "{} kinds of {} have it, from `{first}` to `{last}`, but not this one; remove it",
            others.len(),
            shape.noun
        ),
        (None, _) => format!(
            "only {} {}s have it; remove it",
            listing(others),
            shape.noun
        ),
    };
    (format!("`{key}` is not a setting of {thing}"), help)
}

/// What to say about `key` where it cannot be.
pub(super) fn hint(place: &str, key: &str) -> Option<&'static str> {
    advice::find(HINTS, place, key).or_else(|| gone::find(place, key))
}

/// The one of `keys` that `key` means, and whether that is certain: it is Buildbot's spelling of
/// it, and else only near to it.
pub(super) fn meant(keys: &[&'static str], key: &str) -> Option<(&'static str, bool)> {
    let snake = snake_case(key);
    let aliases = ALIASES.iter().filter(|(theirs, _)| *theirs == key);
    let ours = aliases
        .map(|(_, ours)| *ours)
        .find(|ours| keys.contains(ours));
    let ours = ours.unwrap_or(snake.as_str());
    match keys.iter().find(|k| **k == ours) {
        Some(ours) => Some((ours, true)),
        None => nearest(&snake, keys.iter().copied()).map(|near| (near, false)),
    }
}

/// What is wrong with `text` as the value of the key of this place and name.
pub(super) fn unknown_value(
    (place, key): (&str, &str),
    label: &str,
    known: &[&'static str],
    text: &str,
) -> (String, String) {
    let place = match place {
        "" => key.to_owned(),
        _ => format!("{place}.{key}"),
    };
    let setting = of(&format!("{key} = {text:?}"), label);
    if let Some(help) = planned::find(&place, text) {
        return (format!("{setting} is not available yet"), help.to_owned());
    }
    let message = format!("unknown {setting}");
    let ours = VALUE_ALIASES.iter().find(|(theirs, _)| *theirs == text);
    if let Some((_, ours)) = ours.filter(|(_, ours)| known.contains(ours)) {
        return (message, format!("it is called `{ours:?}` here"));
    }
    let mut all = known.to_vec();
    all.extend(planned::names(&place));
    let help = match alike(text, &all).or_else(|| nearest(text, all.iter().copied())) {
        Some(near) => format!("did you mean `{near:?}`?"),
        None => format!("it may be {}", listing(known)),
    };
    (message, help)
}

/// Whether `kind` is a type of Buildbot that this program does not have: its keys have no meaning
/// here.
pub(super) fn is_planned_kind(place: &str, kind: &str) -> bool {
    planned::find(&format!("{place}.type"), kind).is_some()
}

/// The value of `type` that a class of Buildbot's has here, if that is not its name.
pub(super) fn kind_meant(theirs: &str) -> &str {
    let ours = VALUE_ALIASES.iter().find(|(alias, _)| *alias == theirs);
    ours.map_or(theirs, |(_, ours)| ours)
}

/// The one of `known` that is so near to `name` that it may have been meant.
pub(crate) fn nearest<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let lower = name.to_lowercase();
    let length = lower.chars().count();
    known
        .map(|k| (strsim::damerau_levenshtein(&lower, &k.to_lowercase()), k))
        .filter(|(distance, _)| *distance <= (length / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, k)| k)
}

/// The only one of `known` that begins as `word` does, for at least four letters and two thirds of
/// it: `failing` for `failed`, `MailNotifier` for `mail`.
fn alike<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let lower = word.to_lowercase();
    let least = (lower.chars().count() * 2).div_ceil(3).max(4);
    let begins_alike = |k: &&&str| {
        let known = k.to_lowercase();
        let pairs = lower.chars().zip(known.chars());
        pairs.take_while(|(a, b)| a == b).count() >= least
    };
    let mut alike = known.iter().filter(begins_alike);
    alike.next().copied().filter(|_| alike.next().is_none())
}

/// Names for people; of many only the first.
pub(super) fn listing(names: &[&str]) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(MOST_LISTED)
        .map(|n| format!("`{n}`"))
        .collect();
    let more = if names.len() > MOST_LISTED {
        ", …"
    } else {
        ""
    };
    format!("{}{more}", shown.join(", "))
}

/// Buildbot's camelCase as our snake_case: `haltOnFailure`, `buildbotURL`, `usePTY`.
fn snake_case(key: &str) -> String {
    let mut snake = String::with_capacity(key.len() + 4);
    let mut before_was_lower = false;
    for c in key.chars() {
        if c.is_uppercase() && before_was_lower {
            snake.push('_');
        }
        before_was_lower = c.is_lowercase() || c.is_ascii_digit();
        snake.extend(c.to_lowercase());
    }
    snake
}

const MOST_LISTED: usize = 30;

/// If more kinds than this have a key, their names are not told.
const MOST_KINDS: usize = 6;

/// Buildbot's names that are not only spelled otherwise.
const ALIASES: &[(&str, &str)] = &[
    ("buildpython", "build_python"),
    ("schedulerNames", "schedulers"),
    ("unimportantSchedulerNames", "unimportant_schedulers"),
    ("ssh_server_alive_interval_s", "ssh_server_alive_interval"),
    ("slavePortnum", "slave_port"),
    ("slavePort", "slave_port"),
    ("protocols", "slave_port"),
    ("bots", "slaves"),
    ("workers", "slaves"),
    ("slavename", "slaves"),
    ("slavenames", "slaves"),
    ("workername", "slaves"),
    ("workersrc", "slavesrc"),
    ("workersrcs", "slavesrcs"),
    ("workerdest", "slavedest"),
    ("workernames", "slaves"),
    ("workerbuilddir", "slavebuilddir"),
    ("change_source", "change_sources"),
    ("sources", "change_sources"),
    ("projectName", "title"),
    ("projectURL", "title_url"),
    ("collapseRequests", "merge_requests"),
    ("builderNames", "builders"),
    ("change_filter", "filter"),
    ("periodicBuildTimer", "period"),
    ("onlyIfChanged", "only_if_changed"),
    ("category", "tags"),
    ("categories", "tags"),
    ("useSSL", "tls"),
    ("useSASL", "sasl_password"),
    ("passwd", "password"),
    ("lazylogfiles", "lazy_logfiles"),
    ("testpath", "test_path"),
    ("testChanges", "tests_changed_only"),
    ("randomly", "random"),
    ("extrapackages", "extra_packages"),
    ("othermirror", "other_mirrors"),
    ("key", "key_format"),
    ("statusName", "name_format"),
    ("maxWarnings", "max_warn_count"),
    ("maxCountForWorker", "max_count_for_slave"),
    ("factory", "factories"),
    ("separate_repositories", "separate"),
    ("pollinterval", "poll_interval"),
    ("gitbin", "git"),
    ("svnbin", "svn"),
    ("hgbin", "hg"),
    ("usetimestamps", "timestamps"),
    ("useTimestamps", "timestamps"),
    ("svnuser", "username"),
    ("p4user", "username"),
    ("identity_file", "ssh_private_key_file"),
    ("p4bin", "p4"),
    ("svnurl", "repourl"),
    ("revlinktmpl", "revlink"),
    ("fetch_refspec", "refs"),
    ("sshPrivateKey", "ssh_private_key_file"),
    ("sshKnownHosts", "ssh_known_hosts_file"),
    ("sshHostKey", "ssh_host_key"),
    ("fromaddr", "from"),
    ("relayHost", "relayhost"),
    ("categories", "tags"),
    ("useTls", "tls"),
    ("useSmtps", "tls"),
    ("messageFormatter", "template"),
    ("customMesg", "template"),
    ("previousBuildGetter", "previous"),
    ("http_port", "port"),
    ("username", "user"),
];

/// What to say about keys that have no name or no meaning here, by the place of their table.
const HINTS: &[Row] = &[
    (
        "steps.SetProperty",
        "a step that takes a property from a command is `type = \"SetPropertyFromCommand\"`",
        &["command"],
    ),
    (
        "steps",
        "only `mode = \"full\"` has methods; write that, or remove it",
        &["method"],
    ),
    (
        "schedulers.AnyBranch",
        "write `branches = [\"NAME\"]`",
        &["branch"],
    ),
    (
        "schedulers",
        ONLY_IF_CHANGED,
        &[
            "important_files",
            "important_if",
            "only_important",
            "filter",
            "separate",
        ],
    ),
    ("status.IRC", "it is called `host` here", &["server"]),
    (
        "login.oidc",
        "secrets are not in this file: write `client_secret_file = \"FILE\"` or \
         `client_secret_env = \"VARIABLE\"`",
        &["client_secret"],
    ),
    (
        "change_sources.PullRequestPoller",
        "write `branches = [\"NAME\"]`",
        &["branch"],
    ),
    (
        "change_sources",
        "remove it: the copy of the repository is in `repositories` below the base directory",
        &["workdir"],
    ),
    (
        "change_sources",
        "remove it: all revisions since the last poll are read, however many there are",
        &["histmax"],
    ),
    (
        "change_sources",
        "remove it: the last revision is in the state of the master",
        &["cachepath"],
    ),
    (
        "change_sources",
        "write `password_file = \"FILE\"`",
        &["svnpasswd", "p4passwd"],
    ),
    (
        "change_sources",
        "write `tags = true` and `branches = [{ not = \"**\" }]`",
        &["only_tags"],
    ),
    (
        "change_sources",
        "remove it: a new branch gives a change for its tip; see `new_branch`",
        &["buildPushesWithNoCommits"],
    ),
    (
        "",
        "it is called `merge_requests` here; in place of a function, write expressions as `merge_by`",
        &["mergeRequests", "collapseRequests"],
    ),
    (
        "builders",
        "it is called `merge_requests` here; in place of a function, write expressions as `merge_by`",
        &["mergeRequests", "collapseRequests"],
    ),
    (
        "builders",
        "write expressions as `request_order`: the request with the greatest value goes first",
        &["nextBuild", "next_build"],
    ),
    ("builders", NEXT_SLAVE, &["nextSlave", "nextWorker"]),
    ("builders", CAN_START, &["canStartBuild", "can_start_build"]),
    (
        "schedulers",
        "it is called `important_files` here; in place of a function, write an expression as `important_if`",
        &["fileIsImportant"],
    ),
    (
        "builders",
        "use a scheduler of type \"Periodic\" for this builder",
        &["periodicBuildTime"],
    ),
    (
        "schedulers",
        "a scheduler of type \"AnyBranch\" builds every branch",
        &["any_branch"],
    ),
    (
        "schedulers",
        "a scheduler of type \"AnyBranch\" builds several branches; this one has one `branch`",
        &["branches"],
    ),
    (
        "builders",
        "put them under `[factories.NAME]`, and write `factory = \"NAME\"` here",
        &["steps"],
    ),
    (
        "steps",
        "a function cannot be written here: `property` takes the whole output",
        &["extract_fn"],
    ),
    ("steps", "it is called `exclude_files` here", &["exclude"]),
    (
        "steps",
        "leave it out: a Git step always clones a tree anew that cannot be updated",
        &["clobberOnFailure"],
    ),
    (
        "builders",
        "schedulers list their builders: `[[schedulers]]` with `builders = [\"…\"]`",
        &["schedulers"],
    ),
    (
        "",
        "give each entry of `[[repositories]]` its `codebase`",
        &["codebase_generator"],
    ),
    (
        "web",
        "write `comment_links = [{ pattern = '#(\\d+)', url = \"https://bugs.example.org/$1\" }]`",
        &["changecommentlink"],
    ),
    (
        "web",
        "write `project_links = { PROJECT = \"https://…\" }`",
        &["projects"],
    ),
    (
        "web",
        "write `repository_links = { REPOSITORY = \"https://…\" }`",
        &["repositories"],
    ),
    (
        "",
        "give each entry of `[[repositories]]` its `revlink`",
        &["revlink"],
    ),
    (
        "schedulers.filter",
        "write `branch = { regex = \"…\" }`",
        &["branch_re"],
    ),
    (
        "schedulers.filter",
        "write `project = { regex = \"…\" }`",
        &["project_re"],
    ),
    (
        "schedulers.filter",
        "write `repository = { regex = \"…\" }`",
        &["repository_re"],
    ),
    (
        "schedulers.filter",
        "write `category = { regex = \"…\" }`",
        &["category_re"],
    ),
    (
        "schedulers.filter",
        "write `codebase = { regex = \"…\" }`",
        &["codebase_re"],
    ),
    (
        "schedulers.filter",
        NO_FUNCTIONS,
        &[
            "branch_fn",
            "project_fn",
            "repository_fn",
            "category_fn",
            "codebase_fn",
            "fn",
        ],
    ),
    ("schedulers.filter", FILTER_WHEN, &["filter_fn"]),
    (
        "schedulers",
        "write `filter = { category = [\"…\"] }`",
        &["categories"],
    ),
    (
        "locks",
        "only locks of `type = \"slave\"` are counted for each slave by itself",
        &["max_count_for_slave"],
    ),
];

const ONLY_IF_CHANGED: &str =
    "it needs `only_if_changed = true`: without that, changes do not count";

const NEXT_SLAVE: &str =
    "it is called `next_slave` here; in place of a function, write expressions as `slave_order`";

const CAN_START: &str = "write an expression as `slave_if`, times in which nothing starts as `hold`, and a program that \
     looks at the outside as `slave_check`";

const FILTER_WHEN: &str = "in place of a function, write an expression as `when`, for example \
     `when = \"'[skip]' not in change.comments\"`";

const NO_FUNCTIONS: &str = "a function cannot be written here: name strings, `{ regex = \"…\" }` or `{ not = … }` for project, \
                            repository, category, codebase or branch";

/// Buildbot's names of kinds of things.
const VALUE_ALIASES: &[(&str, &str)] = &[
    ("SingleBranchScheduler", "Scheduler"),
    ("AnyBranchScheduler", "AnyBranch"),
    ("BuildSlave", "slave"),
    ("Worker", "slave"),
    ("LocalBuildSlave", "local"),
    ("DockerLatentBuildSlave", "docker"),
    ("DockerLatentWorker", "docker"),
    ("SingleBranch", "Scheduler"),
    ("worker", "slave"),
    ("LocalWorker", "local"),
    ("PBChangeSource", "PB"),
    ("P4Poller", "P4Source"),
    ("BitbucketPullrequestPoller", "PullRequestPoller"),
    ("GitHubPullrequestPoller", "PullRequestPoller"),
    ("Hook", "ChangeHook"),
    ("hook", "ChangeHook"),
    ("BonsaiMaildirSource", "Maildir"),
    ("BzrLaunchpadEmailMaildir", "Maildir"),
    ("BzrLaunchpadEmailMaildirSource", "Maildir"),
    ("CVSMaildir", "Maildir"),
    ("CVSMaildirSource", "Maildir"),
    ("FCMaildirSource", "Maildir"),
    ("SVNCommitEmailMaildir", "Maildir"),
    ("SVNCommitEmailMaildirSource", "Maildir"),
    ("SyncmailMaildirSource", "Maildir"),
    ("MasterLock", "master"),
    ("SlaveLock", "slave"),
    ("WorkerLock", "slave"),
    ("SetPropertyFromCommandNewStyle", "SetPropertyFromCommand"),
    (
        "WarningCountingShellCommandNewStyle",
        "WarningCountingShellCommand",
    ),
    ("ConfigureNewStyle", "Configure"),
    ("CompileNewStyle", "Compile"),
    ("TestNewStyle", "Test"),
    ("ShellCommandNewStyle", "ShellCommand"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn camel_case_becomes_snake_case() {
        for (theirs, ours) in [
            ("treeStableTimer", "tree_stable_timer"),
            ("haltOnFailure", "halt_on_failure"),
            ("buildbotURL", "buildbot_url"),
            ("titleURL", "title_url"),
            ("usePTY", "use_pty"),
            ("decodeRC", "decode_rc"),
            ("name", "name"),
        ] {
            assert_eq!(snake_case(theirs), ours);
        }
    }

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let known = ["builders", "slaves", "schedulers"];
        let near = |name| nearest(name, known.into_iter());
        assert_eq!(near("bulders"), Some("builders"));
        assert_eq!(near("Slave"), Some("slaves"));
        assert_eq!(near("factories"), None);
        assert_eq!(near(""), None);
    }
}
