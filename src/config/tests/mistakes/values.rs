use super::*;

#[test]
fn values_of_a_wrong_type_are_refused() {
    check(
        "slave_port = 9989",
        r#"slave_port = 9989
title = 5
max_retries = "5"
start_build_timeout = true
log_max_size = []
properties = 1
log_rotation = 5"#,
        r#"3:9: `title` must be a string, not a number (for example `title = "…"`)
4:15: `max_retries` must be an integer, not a string (write a number without quotes or fraction)
5:23: `start_build_timeout` must be a duration, not `true` (write "10s", "5m" or "1h30m", or a number of seconds)
6:16: `log_max_size` must be a size, not a list (write "10MiB", "1GB" or "4k", or a number of bytes)
7:14: `properties` must be a table, not a number (for example `properties = { NAME = "…" }`)
8:16: `log_rotation` must be a table, not a number (for example `log_rotation = { … }`)"#,
    );
    check(
        r#"slaves = ["bot"]"#,
        r#"slaves = "bot""#,
        r#"13:10: `slaves` of builder `full` must be a list, not a string (for example `slaves = ["…"]`)"#,
    );
    check(
        "[[builders]]",
        "[builders]",
        "11:1: `builders` must be a list of tables, not a table (write `[[builders]]` with two brackets)",
    );
    check(
        r#"command = "make""#,
        "command = 5",
        r#"9:45: `command` of step 1 (ShellCommand) of factory `check` must be a string or a list of strings, not a number (for example `["make", "all"]`)"#,
    );
    check(
        r#"command = "make""#,
        r#"command = "make", use_progress = 1"#,
        r#"9:68: `use_progress` of step 1 (ShellCommand) of factory `check` must be true or false, not a number (write `true` or `false`, without quotes)"#,
    );
    check(
        r#"command = "make""#,
        r#"command = "make", progress_metrics = ["ouput", "tests"]"#,
        r#"9:73: `progress_metrics` of step 1 (ShellCommand) of factory `check` has "ouput", which the step does not count (did you mean `"output"`?)
9:82: `progress_metrics` of step 1 (ShellCommand) of factory `check` has "tests", which the step does not count (write "output", or a name that `count` has in a rule of `watch`)"#,
    );
    check(
        r#"command = "make""#,
        "command = [5.5]",
        r#"9:46: `command` of step 1 (ShellCommand) of factory `check` must be a string, not a number (put it in quotes)"#,
    );
    check(
        "9989",
        "false",
        r#"2:14: `slave_port` must be a port, not `false` (a port such as 9989 (loopback only), "0.0.0.0:9989" or "[::]:9989" to open it to others, "tcp:9989:interface=ADDRESS", or "unix:/path")"#,
    );
}

#[test]
fn tst_01_reports_of_tests_need_a_format_and_one_place() {
    check(
        r#"command = "make""#,
        r#"command = "make", tests_required = true, tests = [{ format = "junit5", log = "stdio" }, { log = "a", files = "b" }, { format = "tap" }, { format = "go", files = [] }]"#,
        "9:96: unknown `format = \"junit5\"` of report (did you mean `\"junit\"`?)\n\
        9:123: report needs `format` (add `format = \"junit\"`)\n\
        9:123: report does not say where it is (give it either `log`, such as \"stdio\", or `files`)\n\
        9:151: report does not say where it is (give it either `log`, such as \"stdio\", or `files`)\n\
        9:196: `files` of report is empty (name the files)",
    );
}

#[test]
fn values_out_of_range_are_refused() {
    check(
        "slave_port = 9989",
        r#"slave_port = 9989
keepalive_timeout = "10x"
attach_timeout = -1
interrupt_grace = 0
max_retries = -1
log_max_size = "10x"
log_max_tail_size = -1
log_rotation = { size = 0, count = 99999 }
duplicate_slave = "replce"
choose_slaves = "x"
merge_requests = "always"
merge_compare_properties = "yes""#,
        r#"3:21: `keepalive_timeout` is not a duration (write "10s", "5m" or "1h30m", or a number of seconds)
4:18: `attach_timeout` is not a duration (write "10s", "5m" or "1h30m", or a number of seconds)
5:19: `interrupt_grace` is out of range (a duration from 1ms to 3650d)
6:15: `max_retries` is out of range (a number from 0 to 4294967295)
7:16: `log_max_size` is not a size (write "10MiB", "1GB" or "4k", or a number of bytes)
8:21: `log_max_tail_size` is not a size (write "10MiB", "1GB" or "4k", or a number of bytes)
9:25: `size` of log_rotation is out of range (at least one byte)
9:36: `count` of log_rotation is out of range (a number from 0 to 9999)
10:19: unknown `duplicate_slave = "replce"` (did you mean `"replace"`?)
11:17: unknown `choose_slaves = "x"` (it may be `random`, `first`, `least-loaded`)
12:18: unknown `merge_requests = "always"` (did you mean `"always-same-branch"`?)
13:28: `merge_compare_properties` must be true or false, not a string (write `true` or `false`, without quotes)"#,
    );
    check(
        r#"command = "make""#,
        r#"command = "make", timeout = 0, max_time = "11y", sigterm_time = -1, max_lines = 0, want_stdout = 1, env = { A = 1.5, "B=" = "x" }, decode_rc = { x = "skipped", 7 = "skiped", 8 = { ends_build = 1 } }, interrupt_signal = "KIL", use_pty = "x", logfiles = { stdio = "x", b = 1 }"#,
        r#"9:63: `timeout` of step 1 (ShellCommand) of factory `check` is out of range (write `timeout = false` for none)
9:77: `max_time` of step 1 (ShellCommand) of factory `check` is not a duration (write "10s", "5m" or "1h30m", or a number of seconds)
9:99: `sigterm_time` of step 1 (ShellCommand) of factory `check` is not a duration (write "10s", "5m" or "1h30m", or a number of seconds)
9:115: `max_lines` of step 1 (ShellCommand) of factory `check` is out of range (a number from 1 to 4294967295)
9:132: `want_stdout` of step 1 (ShellCommand) of factory `check` must be true or false, not a number (write `true` or `false`, without quotes)
9:147: `A` of `env` of step 1 (ShellCommand) of factory `check` must be a string or a list of strings, not a number (put it in quotes; `false` removes a variable)
9:152: `B=` is not a valid name of an environment variable (leave out `=`)
9:180: `x` is not an exit code (exit codes are integers)
9:199: unknown `7 = "skiped"` of `decode_rc` of step 1 (ShellCommand) of factory `check` (did you mean `"skipped"`?)
9:213: this exit code needs `result` (add `result = "success"`)
9:228: `ends_build` of this exit code must be true or false, not a number (write `true` or `false`, without quotes)
9:254: `interrupt_signal` of step 1 (ShellCommand) of factory `check` is not a signal (did you mean `"KILL"`?)
9:271: `use_pty` of step 1 (ShellCommand) of factory `check` must be true or false, not a string (write `true` or `false`, without quotes)
9:289: a log file cannot be called `stdio` (`stdio` is the log of the command's own output; choose another name)
9:306: `b` of `logfiles` of step 1 (ShellCommand) of factory `check` must be a path, not a number (for example "build/test.log", or { filename = "…", follow = true })"#,
    );
    check(
        "9989",
        "70000",
        "2:14: `slave_port` is out of range (a number from 0 to 65535)",
    );
}

#[test]
fn commands_must_be_there_and_their_forms_must_be_right() {
    check(
        r#"command = "make""#,
        r#"command = """#,
        "9:45: `command` of step 1 (ShellCommand) of factory `check` is empty (say what to run)",
    );
    check(
        r#"command = "make""#,
        "command = []",
        "9:45: `command` of step 1 (ShellCommand) of factory `check` is empty (say what to run)",
    );
    check(
        r#", command = "make""#,
        "",
        r#"9:10: step 1 (ShellCommand) of factory `check` needs `command` (add `command = ["make", "all"]`)"#,
    );
    check(
        r#"command = "make""#,
        r#"command = "%(x""#,
        "9:46: `command`: a form that does not end (write `%(property)s`, and `%%(` for a percent sign before a parenthesis)",
    );
    check(
        r#"command = "make""#,
        r#"command = ["a", '%(foo:x)s']"#,
        "9:52: `command`: unknown selector `foo:` (`prop:NAME`, `src::NAME`, `kw:NAME`, `slave:NAME`, or `NAME` with `:-text`, `:~text`, `:+text` after it)",
    );
    check(
        r#"command = "make""#,
        r#"command = "echo ${x%%.*}""#,
        r#"accepted
9:54: `%%` in this `command` becomes one `%` (write `%%%%` for two; one `%` is enough in a string without `%(…)s`)"#,
    );
}

#[test]
fn addresses_must_be_addresses() {
    check(
        "9989",
        r#""9989:x""#,
        r#"2:14: `slave_port` is not an address to listen on (a port such as 9989 (loopback only), "0.0.0.0:9989" or "[::]:9989" to open it to others, "tcp:9989:interface=ADDRESS", or "unix:/path")"#,
    );
    check(
        "9989",
        r#"["0.0.0.0:1", "tcp:1"]"#,
        "2:28: `slave_port` has 127.0.0.1:1 twice (remove one of the two)",
    );
    check(
        "9989",
        "[]",
        "2:14: `slave_port` has no address (leave it out if nothing is to connect)",
    );
    check(
        "slave_port = 9989",
        "",
        r#"5:8: slave `bot` has no port to connect to (add `slave_port = 9989` at the top of the file, or `type = "local"` to the slave)"#,
    );
}

#[test]
fn properties_must_be_json() {
    check(
        "slave_port = 9989",
        r#"slave_port = 9989
properties = { "a b" = 1, d = 1979-05-27, f = inf }"#,
        r#"3:16: `a b` is not a valid name of a property (letters, digits and `_ . - / ~ :`)
3:31: `d` of `properties` must be a JSON value, not a date (put the date in quotes)
3:47: `f` of `properties` is not a JSON value (JSON has no infinite numbers and no NaN)"#,
    );
}

/// What is wrong with a scheduler of this kind and these settings.
fn scheduler(kind: &str, settings: &str) -> String {
    let text = format!(
        "[[schedulers]]\ntype = \"{kind}\"\nname = \"s\"\nbuilders = [\"full\"]\n{settings}\n"
    );
    let mistakes = mistakes_of(&format!("{SMALL}{text}"));
    mistakes.replace("24:", "").replace(" of scheduler `s`", "")
}

#[test]
fn per_01_a_period_is_longer_than_nothing() {
    let out_of_range = "10: `period` is out of range (a duration from 1ms to 3650d)";
    assert_eq!(scheduler("Periodic", "period = 0"), out_of_range);
    assert_eq!(
        scheduler("Periodic", "period = -1"),
        "10: `period` is not a duration (write \"10s\", \"5m\" or \"1h30m\", or a number of seconds)"
    );
    assert_eq!(
        scheduler("Periodic", ""),
        "20:1: scheduler `s` needs `period` (add `period = \"1h\"`)"
    );
    assert_eq!(
        scheduler("Periodic", "period = 1\nhour = 3"),
        "25:1: `hour` is not a setting of a `Periodic` scheduler (only `Nightly`, `NightlyTriggerable` schedulers have it; remove it)"
    );
}

#[test]
fn nig_06_what_can_never_run_is_a_mistake() {
    for (settings, expected) in [
        (
            "hour = 24",
            "8: `hour` is out of range (a number from 0 to 23)",
        ),
        (
            "minute = [0, 60]",
            "14: `minute` is out of range (a number from 0 to 59)",
        ),
        (
            "day_of_week = 7",
            "15: `day_of_week` is out of range (a number from 0 to 6)",
        ),
        (
            "month = 0",
            "9: `month` is out of range (a number from 1 to 12)",
        ),
        (
            "hour = []",
            "8: `hour` is empty, so that it would never run (name a number, or leave it out)",
        ),
        (
            "hour = \"24\"",
            "8: `hour` has a part that is not understood: `24` is none of its values \
             (a number from 0 to 23, \"*/5\", \"1-3\", a list of them, or \"*\")",
        ),
        (
            "day_of_week = [\"fri\", \"satday\"]",
            "23: `day_of_week` has a part that is not understood: `satday` is none of its values \
             (a number from 0 to 6, a name such as \"monday\", \"*/5\", \"1-3\", a list of them, or \"*\")",
        ),
        (
            "day_of_month = 31\nmonth = 4",
            "25:1: scheduler `s` never runs (none of its months has one of its days)",
        ),
        (
            "time_zone = \"Europe/Berlim\"",
            "13: `time_zone` `Europe/Berlim` is not the name of a time zone (did you mean `Europe/Berlin`?)",
        ),
        (
            "force_at_hour = 3",
            "1: `force_at_hour` has no effect here (it needs `only_if_changed = true`: without that every run builds anyway)",
        ),
        (
            "search_years = 0",
            "16: `search_years` is out of range (a number from 1 to 100)",
        ),
        (
            "only_important = true",
            "1: `only_important` has no effect here (it needs `only_if_changed = true`: without that, changes do not count)",
        ),
        ("day_of_month = 29\nmonth = 2", "accepted"),
        ("day_of_month = 30\nmonth = 2\nday_of_week = 0", "accepted"),
        ("minute = \"*\"\nhour = [3, 15]", "accepted"),
    ] {
        assert_eq!(scheduler("Nightly", settings), expected, "{settings}");
    }
}

#[test]
fn nig_10_a_machine_whose_zone_is_unknown_wants_one_for_each_scheduler_that_needs_it() {
    let unknown = Err("TZ is odd".to_owned());
    let nightly = "[[schedulers]]\ntype = \"Nightly\"\nname = \"n\"\nbuilders = []\n";
    let errors = parse(nightly, "master.toml", &unknown).unwrap_err();
    assert_eq!(
        lines(&errors.errors),
        "1:1: scheduler `n` needs `time_zone` (add one, such as `time_zone = \"Europe/Berlin\"`: TZ is odd)"
    );
    let named = format!("{nightly}time_zone = \"UTC\"");
    assert!(parse(&named, "master.toml", &unknown).is_ok());
    assert!(parse(SMALL, "master.toml", &unknown).is_ok());
}

#[test]
fn any_02_an_empty_list_of_branches_is_allowed_with_a_warning() {
    assert_eq!(
        scheduler("AnyBranch", "branches = []"),
        "accepted\n12: scheduler `s` has no branches (it starts nothing; without `branches` it builds every branch)"
    );
    assert_eq!(
        scheduler("AnyBranch", "branches = [\"rel\", false]"),
        "accepted"
    );
    assert_eq!(
        scheduler("AnyBranch", "branches = [true]"),
        "13: `branches` must be a string, not `true` (a string, or `false` for the default branch)"
    );
    assert!(
        scheduler("AnyBranch", "branches = []\nfilter = { branch = \"x\" }")
            .contains("a scheduler has either `branches` or a filter on the branch")
    );
}

#[test]
fn mas_02_horizons_must_be_possible_and_consistent() {
    check(
        "slave_port = 9989",
        r#"slave_port = 9989
change_horizon = 0
build_horizon = { count = "5", age = 5, size = 1 }
log_horizon = false"#,
        r#"3:18: `change_horizon` is out of range (a number from 1 to 4294967295)
4:27: `count` of horizon must be an integer, not a string (write a number without quotes or fraction)
4:38: `age` of horizon must be a duration, not a number (write "90d" or "12h")
4:41: unknown key `size` of horizon (its keys are `count`, `age`)
5:15: `log_horizon` must be a number, a duration or a table, not `false` (how many of the newest are kept, such as 100, or how long, such as "90d", or both: { count = 100, age = "90d" })"#,
    );
    let inconsistent = "`log_horizon` keeps logs longer than `build_horizon` keeps their builds (logs are \
        deleted with their builds at the latest: make `log_horizon` smaller, or leave it out)";
    for (build, log) in [
        ("100", "101"),
        ("\"1d\"", "\"25h\""),
        ("{ count = 5, age = \"1d\" }", "{ count = 5, age = \"2d\" }"),
    ] {
        check(
            "slave_port = 9989",
            &format!("slave_port = 9989\nbuild_horizon = {build}\nlog_horizon = {log}"),
            &format!("4:15: {inconsistent}"),
        );
    }
}

#[test]
fn cbs_04_absolute_needs_codebases_and_changes() {
    let quick = r#"builders = ["full"]"#;
    let lonely = format!("{quick}\nabsolute = true");
    let text = SMALL.replacen(quick, &lonely, 1);
    let (_, warnings) = parse(&text, "master.toml", &Ok(Zone::UTC)).unwrap();
    let warning = "`absolute` of scheduler `quick` has no effect here";
    assert_eq!(warnings[0].message, warning);
    let text = SMALL.replacen("type = \"Scheduler\"", "type = \"Nightly\"", 1);
    let keys = "builders = [\"full\"]\nabsolute = true\ncodebases = { core = {} }";
    assert_eq!(
        mistakes_of(&text.replacen(quick, keys, 1)),
        "20:12: `absolute` of scheduler `quick` has no effect here (it needs `only_if_changed = true`: \
         without that no changes are seen)"
    );
}

#[test]
fn cbs_05_schedulers_of_every_kind_but_a_form_list_codebases() {
    let quick = r#"builders = ["full"]"#;
    for (kind, more) in [
        ("Scheduler", "absolute = true"),
        ("AnyBranch", ""),
        (
            "Periodic",
            "period = 60\nonly_if_changed = true\nabsolute = true",
        ),
        (
            "Nightly",
            "only_if_changed = true\nabsolute = true\ntime_zone = \"UTC\"",
        ),
        ("Triggerable", ""),
        ("NightlyTriggerable", "time_zone = \"UTC\""),
        ("Try_Jobdir", "jobdir = \"jobs\""),
        ("Try_Userpass", "port = 8031\nuserpass = [[\"a\", \"b\"]]"),
    ] {
        let kind = format!("type = {kind:?}");
        let text = SMALL.replacen("type = \"Scheduler\"", &kind, 1);
        let keys = format!("{quick}\ncodebases = {{ core = {{}}, lib = {{}} }}\n{more}");
        let config = accept(&text.replacen(quick, &keys, 1));
        let shown = serde_json::to_value(&config.schedulers[0].kind).unwrap();
        assert_eq!(shown["codebases"]["lib"]["repository"], "", "{kind}");
        let absolute = more.contains("absolute").then_some(true);
        assert_eq!(shown["absolute"].as_bool(), absolute, "{kind}");
    }
}
