use super::*;
use crate::config::shape::KindShape;
use crate::config::{spelling, steps};

#[test]
fn unknown_keys_of_the_master_are_answered_with_the_key_that_was_meant() {
    check(
        "slave_port = 9989",
        "slave_prot = 9989",
        "2:1: unknown key `slave_prot` (did you mean `slave_port`?)",
    );
    check(
        "slave_port = 9989",
        "slavePortnum = 9989",
        "2:1: unknown key `slavePortnum` (it is called `slave_port` here)",
    );
    check(
        "slave_port = 9989",
        r#"slave_port = 9989
titleURL = "x"
buildbotURL = ""
mergeRequests = true
logMaxSize = 1
workers = 1
change_source = 1"#,
        r#"3:1: unknown key `titleURL` (it is called `title_url` here)
4:1: unknown key `buildbotURL` (it is called `buildbot_url` here)
5:1: unknown key `mergeRequests` (it is called `merge_requests` here; in place of a function, write expressions as `merge_by`)
6:1: unknown key `logMaxSize` (it is called `log_max_size` here)
7:1: unknown key `workers` (it is called `slaves` here)
8:1: unknown key `change_source` (it is called `change_sources` here)"#,
    );
    check(
        "slave_port = 9989",
        r#"slave_port = 9989
caches = {}
eventHorizon = 5
www = {}
xyzzy = 1"#,
        r#"3:1: unknown key `caches` (remove it: the master itself chooses the sizes of its caches)
4:1: unknown key `eventHorizon` (remove it: events are not kept apart from builds, and `build_horizon` keeps these)
5:1: `www` is not available yet (remove it: `[web]` with `port = 8010` serves the pages, and `notify_on_missing` of a slave mails when it is missing)
6:1: unknown key `xyzzy` (remove it, or see master.toml.example)"#,
    );
}

#[test]
fn unknown_keys_of_slaves_and_builders_are_answered_with_the_key_that_was_meant() {
    check(
        "password",
        "passwd",
        "6:1: unknown key `passwd` of slave `bot` (it is called `password` here)",
    );
    check(
        r#"password = "sekrit""#,
        r#"password = "sekrit"
notify_on_missing = ["a@b", "nobody"]
missing_timeout = 0
max_bulds = 1"#,
        r#"7:29: `notify_on_missing` of slave `bot` is not a mail address (write one such as `admin@example.org`)
8:19: `missing_timeout` of slave `bot` is out of range (a duration from 1ms to 3650d)
9:1: unknown key `max_bulds` of slave `bot` (did you mean `max_builds`?)"#,
    );
    check(
        r#"slaves = ["bot"]"#,
        r#"slavenames = ["bot"]"#,
        "13:1: unknown key `slavenames` of builder `full` (it is called `slaves` here)",
    );
    check(
        r#"slaves = ["bot"]"#,
        r#"slaves = ["bot"]
periodicBuildTime = 5
category = "x"
nextSlave = 1
steps = []"#,
        r#"14:1: unknown key `periodicBuildTime` of builder `full` (use a scheduler of type "Periodic" for this builder)
15:1: unknown key `category` of builder `full` (it is called `tags` here)
16:1: unknown key `nextSlave` of builder `full` (it is called `next_slave` here; in place of a function, write expressions as `slave_order`)
17:1: unknown key `steps` of builder `full` (put them under `[factories.NAME]`, and write `factory = "NAME"` here)"#,
    );
}

#[test]
fn unknown_keys_of_schedulers_are_answered_with_the_key_that_was_meant() {
    check(
        r#"builders = ["full"]"#,
        r#"builderNames = ["full"]"#,
        "19:1: unknown key `builderNames` of scheduler `quick` (it is called `builders` here)",
    );
    check(
        r#"builders = ["full"]"#,
        r#"builders = ["full"]
treeStableTimer = 1
fileIsImportant = 1
any_branch = true
branches = []
change_filter = {}
onlyImportant = true
colour = 1"#,
        r#"20:1: unknown key `treeStableTimer` of scheduler `quick` (it is called `tree_stable_timer` here)
21:1: unknown key `fileIsImportant` of scheduler `quick` (it is called `important_files` here; in place of a function, write an expression as `important_if`)
22:1: unknown key `any_branch` of scheduler `quick` (a scheduler of type "AnyBranch" builds every branch)
23:1: `branches` is not a setting of a `Scheduler` scheduler (a scheduler of type "AnyBranch" builds several branches; this one has one `branch`)
24:1: unknown key `change_filter` of scheduler `quick` (it is called `filter` here)
25:1: unknown key `onlyImportant` of scheduler `quick` (it is called `only_important` here)
26:1: unknown key `colour` of scheduler `quick` (its keys are `type`, `name`, `builders`, `properties`, `reason`, `priority`, `branch`, `absolute`, `separate`, `codebases`, `tree_stable_timer`, `timer_from`, `longest_wait`, `unimportant_resets_timer`, `important_if`, `only_important`, `important_files`, `filter`)"#,
    );
}

#[test]
fn unknown_keys_of_steps_and_filters_are_answered_with_the_key_that_was_meant() {
    check(
        r#"command = "make""#,
        r#"command = "make", haltOnFailure = true, usePTY = 1, maxTime = 1, logEnviron = true, lazylogfiles = true, doStepIf = false, hideStepIf = false, comand = 1"#,
        r#"9:53: unknown key `haltOnFailure` of step 1 (ShellCommand) of factory `check` (it is called `halt_on_failure` here)
9:75: unknown key `usePTY` of step 1 (ShellCommand) of factory `check` (it is called `use_pty` here)
9:87: unknown key `maxTime` of step 1 (ShellCommand) of factory `check` (it is called `max_time` here)
9:100: unknown key `logEnviron` of step 1 (ShellCommand) of factory `check` (it is called `log_environ` here)
9:119: unknown key `lazylogfiles` of step 1 (ShellCommand) of factory `check` (it is called `lazy_logfiles` here)
9:140: unknown key `doStepIf` of step 1 (ShellCommand) of factory `check` (it is called `do_step_if` here)
9:158: unknown key `hideStepIf` of step 1 (ShellCommand) of factory `check` (it is called `hide_step_if` here)
9:178: unknown key `comand` of step 1 (ShellCommand) of factory `check` (did you mean `command`?)"#,
    );
    check(
        r#"command = "make""#,
        r#"command = "make", logfiles = { a = { filename = "x", folow = true } }"#,
        "9:88: unknown key `folow` of this log file (did you mean `follow`?)",
    );
    check(
        r#"command = "make""#,
        r#"command = [{ secret = "x", show = "" }]"#,
        "9:62: unknown key `show` of a secret of step 1 (ShellCommand) of factory `check` (did you mean `shown`?)",
    );
    check(
        "[factories.check]",
        r#"[factories.check]
step = 1"#,
        "9:1: unknown key `step` of factory `check` (did you mean `steps`?)",
    );
    check(
        r#"builders = ["full"]"#,
        r#"builders = ["full"]
filter = { projct = 1, branch = { re = "" } }
important_files = { includes = [] }"#,
        r#"20:12: unknown key `projct` of filter (did you mean `project`?)
20:33: `branch` of filter must have `regex` or `not` ({ regex = "…" }, or { not = … })
20:35: unknown key `re` of this filter (its keys are `regex`, `not`)
21:19: `important_files` of scheduler `quick` says nothing (`{ include = ["**/*.c"] }`, `exclude`, or `{ regex = "…" }`)
21:21: unknown key `includes` of important_files (did you mean `include`?)"#,
    );
}

#[test]
fn settings_and_kinds_of_step_that_have_no_place_are_refused_with_what_to_write() {
    let factory = |step: &str| {
        format!("[factories.f]\nsteps = [{{ name = \"s\", command = \"make\", {step} }}]\n")
    };
    for (step, name, help) in [
        ("type = \"MTR\", dbpool = \"p\"", "dbpool", "show build"),
        (
            "type = \"MTR\", auto_create_tables = true",
            "auto_create_tables",
            "show build",
        ),
        (
            "type = \"MTR\", test_info = \"i\"",
            "test_info",
            "show build",
        ),
        (
            "type = \"ShellCommand\", log_eval_func = \"f\"",
            "log_eval_func",
            "`result`",
        ),
        (
            "type = \"ShellCommand\", collect_stdout = true",
            "collect_stdout",
            "`stdout`",
        ),
        (
            "type = \"ShellCommand\", collect_stderr = true",
            "collect_stderr",
            "2>&1",
        ),
        ("type = \"RpmSpec\"", "RpmSpec", "SetPropertyFromCommand"),
        ("type = \"SetSlaveInfo\"", "SetSlaveInfo", "`SetProperty`"),
    ] {
        let errors = parse(&factory(step), "master.toml", &Ok(Zone::UTC)).unwrap_err();
        let named = errors.errors.iter().find(|e| e.message.contains(name));
        let told = named.and_then(|e| e.help.clone()).unwrap_or_default();
        assert!(told.contains(help), "{name}: {:?}", errors.errors);
    }
}

#[test]
fn kinds_are_known_or_planned_or_near_to_one() {
    check(
        "ShellCommand",
        "ProcessDocs",
        r#"9:19: `type = "ProcessDocs"` of step 1 of factory `check` is not available yet (this version does not have it; remove it to start without it)"#,
    );
    check(
        "ShellCommand",
        "ShelCommand",
        r#"9:19: unknown `type = "ShelCommand"` of step 1 of factory `check` (did you mean `"ShellCommand"`?)"#,
    );
    check(
        "ShellCommand",
        "Compil",
        r#"9:19: unknown `type = "Compil"` of step 1 of factory `check` (did you mean `"Compile"`?)"#,
    );
    let kinds = (steps::STEP.kinds)();
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name).collect();
    let names = spelling::listing(&names);
    check(
        "ShellCommand",
        "xyzzy",
        &format!(
            r#"9:19: unknown `type = "xyzzy"` of step 1 of factory `check` (it may be {names})"#
        ),
    );
    check(
        r#""Scheduler""#,
        r#""SingleBranchScheduler""#,
        r#"17:8: unknown `type = "SingleBranchScheduler"` of scheduler `quick` (it is called `"Scheduler"` here)"#,
    );
    check(
        r#""Scheduler""#,
        r#""nightly""#,
        r#"17:8: unknown `type = "nightly"` of scheduler `quick` (did you mean `"Nightly"`?)"#,
    );
    check(
        r#"password = "sekrit""#,
        r#"type = "dcoker""#,
        r#"6:8: unknown `type = "dcoker"` of slave `bot` (did you mean `"docker"`?)"#,
    );
    check(
        r#"password = "sekrit""#,
        r#"type = "worker"
password = "x""#,
        r#"6:8: unknown `type = "worker"` of slave `bot` (it is called `"slave"` here)"#,
    );
    check(
        r#"password = "sekrit""#,
        r#"type = "ec2""#,
        r#"6:8: `type = "ec2"` of slave `bot` is not available yet (start and stop its instances by two commands of yours, with `type = "command"`)"#,
    );
    check(
        r#"type = "Scheduler""#,
        "",
        r#"16:1: scheduler `quick` needs `type` (add `type = "Scheduler"`)"#,
    );
}

#[test]
fn tst_01_reports_of_tests_are_refused_by_name_on_kinds_without_a_command_of_the_users() {
    let kinds = (steps::STEP.kinds)();
    assert!(kinds.len() > 60, "{}", kinds.len());
    // The tests that `trial` runs are a setting of its own.
    let has_tests = |kind: &KindShape| kind.keys().any(|key| key == "tests");
    assert!(
        kinds
            .iter()
            .any(|kind| kind.name == "Test" && has_tests(kind))
    );
    for kind in kinds.iter().filter(|kind| !has_tests(kind)) {
        let step = format!("{{ type = {:?}, tests = [\"junit.xml\"] }}", kind.name);
        let text = format!("[factories.f]\nsteps = [{step}]\n");
        let errors = parse(&text, "master.toml", &Ok(Zone::UTC)).unwrap_err();
        let mut errors = errors.errors.iter();
        let named = errors.find(|error| error.message.starts_with("`tests` "));
        let help = named.and_then(|error| error.help.as_deref());
        let help = help.unwrap_or_default();
        assert!(
            help.contains("only steps that run a command of yours"),
            "{}: {help}",
            kind.name
        );
    }
}
