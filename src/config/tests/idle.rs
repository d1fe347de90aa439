//! Settings that do nothing beside the others are warnings.

use super::*;
use crate::config::idle::IDLE;

/// A setting that does nothing: the place of its table, its key, and the lines of the table.
const SAMPLES: &[(&str, &str, &str)] = &[
    ("", "login", "login = { htpasswd_file = \"x\" }"),
    (
        "",
        "merge_by",
        "merge_requests = false\nmerge_by = [\"prop.a\"]",
    ),
    (
        "",
        "merge_limit",
        "merge_requests = \"never\"\nmerge_limit = 2",
    ),
    (
        "",
        "merge_compare_properties",
        "merge_requests = false\nmerge_compare_properties = true",
    ),
    (
        "builders",
        "merge_by",
        "merge_requests = false\nmerge_by = [\"prop.a\"]",
    ),
    (
        "builders",
        "merge_limit",
        "merge_requests = false\nmerge_limit = 2",
    ),
    (
        "builders",
        "merge_compare_properties",
        "merge_requests = false\nmerge_compare_properties = true",
    ),
    (
        "schedulers",
        "longest_wait",
        "type = \"Scheduler\"\nlongest_wait = \"1h\"",
    ),
    (
        "schedulers",
        "timer_from",
        "type = \"AnyBranch\"\ntimer_from = \"arrival\"",
    ),
    (
        "schedulers",
        "unimportant_resets_timer",
        "type = \"Scheduler\"\nunimportant_resets_timer = true",
    ),
    (
        "steps",
        "progress_metrics",
        "type = \"Test\", use_progress = false, progress_metrics = [\"output\"]",
    ),
    (
        "steps",
        "infrastructure_lines",
        "type = \"Test\", infrastructure = true, infrastructure_lines = \"x\"",
    ),
    (
        "steps",
        "lazy_logfiles",
        "type = \"ShellCommand\", command = \"x\", lazy_logfiles = true",
    ),
    (
        "steps",
        "strip",
        "type = \"SetPropertyFromCommand\", command = \"x\", set = { a = \"stdout\" }, strip = false",
    ),
    (
        "steps",
        "remote_submodules",
        "type = \"Git\", repourl = \"x\", remote_submodules = true",
    ),
    (
        "steps",
        "ssh_known_hosts",
        "type = \"Git\", repourl = \"x\", ssh_known_hosts = \"k\"",
    ),
    (
        "steps",
        "ssh_host_key",
        "type = \"Git\", repourl = \"x\", ssh_host_key = \"k\"",
    ),
    (
        "steps",
        "keep_on_purge",
        "type = \"SVN\", repourl = \"x\", keep_on_purge = [\"a\"]",
    ),
    (
        "steps",
        "ignore_ignores",
        "type = \"SVN\", repourl = \"x\", ignore_ignores = false",
    ),
    (
        "steps",
        "p4branch",
        "type = \"P4\", p4viewspec = [[\"//a/\", \"b/\"]], p4branch = \"c\"",
    ),
    (
        "steps",
        "p4extra_views",
        "type = \"P4\", p4viewspec = [[\"//a/\", \"b/\"]], p4extra_views = [[\"//c/\", \"d/\"]]",
    ),
    (
        "steps",
        "p4viewspec_suffix",
        "type = \"P4\", p4base = \"//a\", p4viewspec_suffix = \"x\"",
    ),
    (
        "steps",
        "use_tickets",
        "type = \"P4\", p4base = \"//a\", use_tickets = true",
    ),
    (
        "steps",
        "url_text",
        "type = \"FileUpload\", slavesrc = \"a\", masterdest = \"b\", url_text = \"c\"",
    ),
    (
        "steps",
        "tests_decide",
        "type = \"ShellCommand\", command = \"x\", tests_decide = false",
    ),
    (
        "steps",
        "tests_required",
        "type = \"ShellCommand\", command = \"x\", tests_required = true",
    ),
    (
        "steps",
        "unimportant_schedulers",
        "type = \"Trigger\", schedulers = [\"later\"], unimportant_schedulers = [\"later\"]",
    ),
    (
        "steps",
        "reason",
        "type = \"CancelRelatedBuilds\", reason = \"x\"",
    ),
    (
        "change_sources",
        "ticket_login_interval",
        "type = \"P4Source\"\np4base = \"//a/\"\nticket_login_interval = \"1h\"",
    ),
    (
        "change_sources",
        "catch_up_interval",
        "type = \"GerritChangeSource\"\ngerritserver = \"h\"\nusername = \"u\"\ncatch_up_interval = \"1h\"",
    ),
    (
        "change_sources",
        "trusted",
        "type = \"ChangeHook\"\ndialect = \"github\"\nsecret = \"s\"\napproval = \"never\"\ntrusted = [\"ann\"]",
    ),
    (
        "status",
        "ca_file",
        "type = \"IRC\"\nIRC\ntls = false\nca_file = \"x\"",
    ),
    (
        "status",
        "ca_file",
        "type = \"MailNotifier\"\nfrom = \"a@b.example\"\ntls = \"none\"\nca_file = \"x\"",
    ),
    (
        "status",
        "html",
        "type = \"MailNotifier\"\nfrom = \"a@b.example\"\nhtml = true",
    ),
    (
        "status",
        "sasl_account",
        "type = \"IRC\"\nIRC\nsasl_account = \"x\"",
    ),
    (
        "status",
        "previous_secret",
        "type = \"webhook\"\nurl = \"https://h/\"\nprevious_secret = \"x\"",
    ),
    (
        "status",
        "previous_secret_file",
        "type = \"webhook\"\nurl = \"https://h/\"\nprevious_secret_file = \"x\"",
    ),
    (
        "status",
        "previous_secret_env",
        "type = \"webhook\"\nurl = \"https://h/\"\nprevious_secret_env = \"x\"",
    ),
    (
        "web",
        "groups_header",
        "port = 8010\ngroups_header = \"X-Groups\"",
    ),
];

/// The small configuration with a table of these lines at `place`.
fn with_table(place: &str, lines: &str) -> String {
    let irc = "host = \"h\"\nnick = \"n\"\nchannels = [\"#a\"]";
    let lines = lines.replace("\nIRC\n", &format!("\n{irc}\n"));
    match place {
        "" => format!("{lines}\n{SMALL}"),
        "steps" => SMALL.replace("type = \"ShellCommand\", command = \"make\"", &lines),
        "builders" => SMALL.replace(
            "factory = \"check\"",
            &format!("factory = \"check\"\n{lines}"),
        ),
        "schedulers" => SMALL.replace("type = \"Scheduler\"", &lines),
        "web" => format!("{SMALL}[web]\n{lines}\n"),
        list => format!("{SMALL}[[{list}]]\n{lines}\n"),
    }
}

const LATER: &str =
    "[[schedulers]]\ntype = \"Triggerable\"\nname = \"later\"\nbuilders = [\"full\"]\n";

/// The warnings of `text` on settings that do nothing.
fn idle(text: &str) -> Vec<String> {
    let text = format!("{text}{LATER}");
    let (_, warnings) =
        parse(&text, "master.toml", &Ok(Zone::UTC)).unwrap_or_else(|e| panic!("{e}"));
    let messages = warnings.into_iter().map(|warning| warning.message);
    messages
        .filter(|message| message.contains("does nothing"))
        .collect()
}

#[test]
fn cfl_13_a_setting_that_does_nothing_beside_the_others_is_a_warning() {
    for (place, key, lines) in SAMPLES {
        let told = idle(&with_table(place, lines));
        let [told] = told.as_slice() else {
            panic!("{place} {key}: {told:?}");
        };
        assert!(told.starts_with(&format!("`{key}`")), "{told}");
    }
    let sampled = |row: &&crate::config::idle::Idle| {
        let mut samples = SAMPLES.iter();
        samples.any(|(place, key, _)| *place == row.place && *key == row.key)
    };
    let bare: Vec<_> = IDLE.iter().filter(|row| !sampled(row)).collect();
    assert!(bare.is_empty(), "without a sample: {bare:?}");
}

#[test]
fn cfl_13_what_a_bundle_brings_and_what_has_an_effect_are_not_told() {
    let of_defaults = "[defaults.ShellCommand]\nlazy_logfiles = true\n";
    assert_eq!(idle(&format!("{SMALL}{of_defaults}")), [""; 0]);
    for (place, lines) in [
        ("builders", "merge_by = [\"prop.a\"]"),
        (
            "steps",
            "type = \"Git\", repourl = \"x\", submodules = true, remote_submodules = true",
        ),
        (
            "steps",
            "type = \"Git\", repourl = \"x\", remote_submodules = false",
        ),
        (
            "schedulers",
            "type = \"Scheduler\"\ntree_stable_timer = 5\nlongest_wait = \"1h\"",
        ),
    ] {
        assert_eq!(idle(&with_table(place, lines)), [""; 0], "{lines}");
    }
}

#[test]
fn cfl_13_what_merges_nothing_since_the_whole_file_says_so_is_told() {
    let with = |top: &str| {
        let small = with_table("builders", "merge_by = [\"prop.a\"]");
        idle(&format!("{top}{small}"))
    };
    assert_eq!(with(""), [""; 0]);
    let told = with("merge_requests = false\n");
    assert_eq!(
        told,
        ["`merge_by` of builder `full` does nothing: the file has `merge_requests = false`"]
    );
}

#[test]
fn cfl_52_what_is_told_of_no_builds_or_nobody_is_a_warning() {
    for (table, warning) in [
        (
            "[[status]]\ntype = \"IRC\"\nIRC\nbuilders = []",
            "selects no builds",
        ),
        (
            "[[status]]\ntype = \"IRC\"\nIRC\ntags = []",
            "selects no builds",
        ),
        ("[[owners]]\nfiles = [\"**\"]\npeople = []", "names nobody"),
        ("[login]", "lets nobody log in"),
        (
            "[[status]]\ntype = \"MailNotifier\"\nfrom = \"a@b.example\"\nlookup = \"x.example\"\n\
             send_to_interested_users = false\nextra_recipients = [\"c@d.example\"]",
            "only lists get mail",
        ),
    ] {
        let lines = table.replace(
            "\nIRC\n",
            "\nhost = \"h\"\nnick = \"n\"\nchannels = [\"#a\"]\n",
        );
        let warned = mistakes_of(&format!("{SMALL}[web]\nport = 8010\n{lines}\n"));
        assert!(
            warned.starts_with("accepted\n") && warned.contains(warning),
            "{warned}"
        );
    }
}

#[test]
fn cfl_52_a_scheduler_for_which_no_builder_is_selected_is_told_once() {
    for (builders, line) in [
        ("{ tags = \"none\" }", "no builder is selected for `quick`"),
        ("[]", "scheduler `quick` has no builders"),
    ] {
        let text = SMALL.replace("[\"full\"]", builders);
        let warned = mistakes_of(&text);
        let of_line = warned
            .lines()
            .filter(|w| w.contains(" builder is selected") || w.contains("no builders"));
        let of_line: Vec<_> = of_line.collect();
        assert_eq!(of_line.len(), 1, "{warned}");
        assert!(of_line[0].contains(line), "{warned}");
    }
}

#[test]
fn cfl_113_a_rule_on_lines_that_never_come_is_a_warning() {
    let warned = |settings: &str| {
        warned(&format!(
            "{{ type = \"ShellCommand\", command = \"x\", {settings} }}"
        ))
    };
    let told = warned("watch = [{ in = \"tets\", match = \"x\", count = \"c\" }]");
    assert!(
        told.contains("names `tets`, which is not a log of the step"),
        "{told}"
    );
    let told = warned(
        "want_stdout = false, want_stderr = false, watch = [{ match = \"x\", count = \"c\" }]",
    );
    assert!(told.contains("output that does not get here"), "{told}");
    let fine = warned(
        "want_stdout = false, logfiles = { test = \"t.log\" }, \
         watch = [{ in = \"test\", match = \"x\", count = \"c\" }, { match = \"x\", count = \"d\" }]",
    );
    assert!(!fine.contains("watch"), "{fine}");
}

#[test]
fn tests_that_are_required_are_named() {
    let step = "{ type = \"ShellCommand\", command = \"x\", tests = [], tests_required = true }";
    assert_eq!(
        refused(step, ""),
        "`tests` names no reports, but tests are required"
    );
}
