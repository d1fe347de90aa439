use super::*;

#[test]
fn slaves_need_a_name_and_one_password() {
    check(
        r#""bot""#,
        r#""change""#,
        r#"5:8: `name` of slave `change` cannot be `change` (clients log in with this name; choose another)
13:11: builder `full` names the slave `bot`, which does not exist (the slaves are `change`)"#,
    );
    check(
        r#""bot""#,
        r#""""#,
        "5:8: `name` of slave is empty (put a value between the quotes)",
    );
    check(
        r#""bot""#,
        r#""a\nb""#,
        "5:8: `name` of slave contains control characters (use printable characters)",
    );
    check(
        r#"name = "bot""#,
        "",
        r#"4:1: slave needs `name` (add `name = "NAME"`)"#,
    );
    check(
        r#"password = "sekrit""#,
        r#"password = """#,
        "6:12: `password` of slave `bot` is empty (put a value between the quotes)",
    );
    check(
        r#"password = "sekrit""#,
        r#"password = "x"
password_env = "X""#,
        "7:1: slave `bot` has two passwords (keep one of the two)",
    );
    check(
        r#"password = "sekrit""#,
        "",
        r#"4:1: slave `bot` needs a password (add `password = "…"`, `password_file = "FILE"` or `password_env = "VARIABLE"`)"#,
    );
    check(
        r#"password = "sekrit""#,
        r#"password = "x"
type = "local""#,
        r#"6:1: `password` is not a setting of a `local` slave (only `slave`, `command`, `docker` slaves have it; remove it)"#,
    );
    check(
        r#"name = "bot""#,
        r#"name = "../x"
type = "local""#,
        r#"5:8: `name` of slave `../x` cannot have `/` in it or begin with `.` (it is the name of its directory too)
7:1: `password` is not a setting of a `local` slave (only `slave`, `command`, `docker` slaves have it; remove it)
14:11: builder `full` names the slave `bot`, which does not exist (the slaves are `../x`)"#,
    );
}

#[test]
fn names_are_used_once() {
    check(
        r#"password = "sekrit""#,
        r#"password = "sekrit"
[[slaves]]
name = "bot"
password = "x""#,
        "8:8: the name `bot` is used by two slaves, here and on line 5 (give each slave a name of its own)",
    );
    check(
        "[[schedulers]]",
        r#"[[schedulers]]
type = "Nightly"
name = "quick"
builders = []
[[schedulers]]"#,
        r#"22:8: the name `quick` is used by two schedulers, here and on line 18 (give each scheduler a name of its own)
19:12: scheduler `quick` has no builders (it starts nothing)"#,
    );
    check(
        "[[builders]]",
        r#"[[builders]]
name = "full"
slaves = ["bot"]
factory = "check"
[[builders]]"#,
        "16:8: the name `full` is used by two builders, here and on line 12 (give each builder a name of its own)",
    );
    check(
        "[[builders]]",
        r#"[[builders]]
name = "x"
slaves = ["bot"]
factory = "check"
builddir = "full"
[[builders]]"#,
        "17:8: two builders have the directory `full` (give one of them another `builddir`)",
    );
    check(
        "[[builders]]",
        r#"[[builders]]
name = "x"
slaves = ["bot"]
factory = "check"
builddir = "full/x/"
slavebuilddir = "/x"
[[builders]]"#,
        r#"16:17: `slavebuilddir` of builder `x` must be a path inside the base directory (for example "full" or "project/full", without `..`, `\` and `:`)
18:8: `full` and `full/x` are inside one another (give one of them another `builddir`)"#,
    );
    check(
        "[factories.check]",
        r#"[factories.check]
steps = []
[factories.check]"#,
        r#"10:12: duplicate key (keep one of the two; several slaves, builders and so on begin with `[[…]]` in two brackets)
11:1: duplicate key (keep one of the two; several slaves, builders and so on begin with `[[…]]` in two brackets)"#,
    );
}

#[test]
fn builders_need_what_they_name() {
    check(
        r#"name = "full""#,
        r#"name = "_full""#,
        r#"12:8: `name` of builder `_full` begins with `_` (such names are reserved; choose another)
19:13: scheduler `quick` names the builder `full`, which does not exist (did you mean `_full`?)"#,
    );
    check(
        r#"name = "full""#,
        r#"name = "full"
builddir = "../x""#,
        "13:12: `builddir` of builder `full` must be a path inside the base directory (for example \"full\" or \"project/full\", without `..`, `\\` and `:`)",
    );
    check(
        r#"slaves = ["bot"]"#,
        "slaves = []",
        "13:10: `slaves` of builder `full` is empty (a builder needs at least one slave)",
    );
    check(
        r#"slaves = ["bot"]"#,
        r#"slaves = ["bot", "bot", "bt", "other"]"#,
        r#"13:18: `slaves` of builder `full` names `bot` twice (remove one of the two)
13:25: builder `full` names the slave `bt`, which does not exist (did you mean `bot`?)
13:31: builder `full` names the slave `other`, which does not exist (the slaves are `bot`)"#,
    );
    check(
        r#"slaves = ["bot"]"#,
        "",
        r#"11:1: builder `full` needs `slaves` (add `slaves = ["NAME"]`)"#,
    );
    check(
        r#"factory = "check""#,
        r#"factory = "chek""#,
        "14:11: builder `full` names the factory `chek`, which does not exist (did you mean `check`?)",
    );
    check(
        r#"factory = "check""#,
        "",
        r#"11:1: builder `full` needs `factory` (add `factory = "NAME"`)"#,
    );
}

#[test]
fn schedulers_need_what_they_name() {
    check(
        r#"builders = ["full"]"#,
        r#"builders = ["fulll"]"#,
        "19:13: scheduler `quick` names the builder `fulll`, which does not exist (did you mean `full`?)",
    );
    check(
        r#"builders = ["full"]"#,
        "builders = []",
        r#"accepted
12:8: no scheduler starts builder `full` (add it to the `builders` of a scheduler, unless you only force its builds)
19:12: scheduler `quick` has no builders (it starts nothing)"#,
    );
    check(
        r#"builders = ["full"]"#,
        "",
        r#"16:1: scheduler `quick` needs `builders` (add `builders = ["NAME"]`)"#,
    );
}

#[test]
fn a_longest_wait_is_not_shorter_than_the_timer() {
    check(
        r#"builders = ["full"]"#,
        r#"builders = ["full"]
tree_stable_timer = "1h"
longest_wait = "10m""#,
        "21:16: `longest_wait` of scheduler `quick` is shorter than `tree_stable_timer` (the timer, which is longer, runs to its end in any case)",
    );
}

#[test]
fn scheduler_settings_must_make_sense() {
    check(
        r#"builders = ["full"]"#,
        r#"builders = ["full"]
tree_stable_timer = -1
timer_from = "x"
reason = "%(x)s"
important_files = { include = ["[a"] }
filter = { project = { regex = "(" }, category = { }, codebase = [1], repository = { regex = "a", not = "b" } }"#,
        r#"20:21: `tree_stable_timer` of scheduler `quick` is not a duration (write "10s", "5m" or "1h30m", or a number of seconds)
21:14: unknown `timer_from = "x"` of scheduler `quick` (it may be `change`, `arrival`)
22:10: `reason` of scheduler `quick` contains an unknown form (`%(name)s` is the scheduler's name; there are no others)
23:32: `include` of important_files is not a valid pattern (unclosed character class; missing ']')
24:32: `regex` of this filter is not a valid pattern (unclosed group)
24:50: `category` of filter must have `regex` or `not` ({ regex = "…" }, or { not = … })
24:67: `codebase` of filter must be a string, not a number (a string, a list of strings, { regex = "…" }, { not = … }, or `false` for changes without it)
24:84: `repository` of filter must have `regex` or `not` ({ regex = "…" }, or { not = … })"#,
    );
    check(
        r#"builders = ["full"]"#,
        r#"builders = ["full"]
branch = "a"
filter = { branch = "b" }
important_files = { include = "a", regex = "b" }"#,
        r#"21:12: a scheduler has either `branch` or a filter on the branch (keep one of the two)
22:44: `regex` of important_files cannot be combined with `include` and `exclude` (keep one of the two)"#,
    );
    check(
        r#"builders = ["full"]"#,
        r#"builders = ["full"]
important_files = { }"#,
        r#"20:19: `important_files` of scheduler `quick` says nothing (`{ include = ["**/*.c"] }`, `exclude`, or `{ regex = "…" }`)"#,
    );
    check(
        r#"builders = ["full"]"#,
        r#"builders = ["full"]
important_files = { include = [] }"#,
        "20:31: `include` of important_files is empty (leave it out, or name a pattern)",
    );
}

#[test]
fn change_sources_need_a_user_and_a_port_of_their_own() {
    check(
        r#"builders = ["full"]"#,
        r#"builders = ["full"]
[[change_sources]]
type = "PB"
user = "bot"
password = "x"
[[change_sources]]
type = "PB"
port = 9989
password = "x""#,
        r#"22:8: the user `bot` logs in at the slave port, where a slave has this name (give it another `user`, or a `port` of its own)
26:8: this port is the slave port (leave `port` out to share it)"#,
    );
    check(
        r#"builders = ["full"]"#,
        r#"builders = ["full"]
[[change_sources]]
type = "PB"
password = "x"
[[change_sources]]
type = "PB"
password = "x"
[[change_sources]]
type = "PB"
password = "x"
port = 1
[[change_sources]]
type = "PB"
password = "x"
port = 1"#,
        r#"23:1: two change sources have the user `change` at the slave port (give it another `user`, or a `port` of its own)
33:8: `port` of change source is the port of another change source (give each a port of its own)"#,
    );
    check(
        r#"builders = ["full"]"#,
        r#"builders = ["full"]
[[change_sources]]
type = "PB"
password = "x"
[[change_sources]]
type = "PB"
name = "change"
port = 1
password = "x""#,
        "25:8: two change sources have the name `change` (give one of them another `name`)",
    );
    check(
        r#"builders = ["full"]"#,
        r#"builders = ["full"]
[[change_sources]]
type = "MonotoneSource"
[[change_sources]]
type="PBChangeSource"
[[change_sources]]
type = "PB""#,
        r#"21:8: `type = "MonotoneSource"` of change source is not available yet (have the repository's hook, or a job of cron that polls, run `buildbot sendchange`, with `type = "PB"` here)
23:6: unknown `type = "PBChangeSource"` of change source (it is called `"PB"` here)
24:1: change source needs a password (add `password = "…"`, `password_file = "FILE"` or `password_env = "VARIABLE"`)"#,
    );
}

#[test]
fn pol_06_pol_09_settings_of_pollers_are_checked() {
    let source = |kind: &str, lines: &str| {
        format!("builders = [\"full\"]\n[[change_sources]]\ntype = \"{kind}\"\n{lines}")
    };
    let git = |lines: &str| source("GitPoller", &format!("repourl = \"https://h/r\"\n{lines}"));
    for (toml, message) in [
        (
            source("GitPoller", "repourl = \"https://me:pw@h/r\""),
            "22:11: `repourl` of change source contains a password, which logs and pages would show \
             (remove it; write `username = \"…\"` and `password_file = \"FILE\"`)",
        ),
        (
            source("SVNPoller", ""),
            "20:1: change source needs `repourl` (add `repourl = \"https://svn.example.org/project\"`)",
        ),
        (
            git("pollInterval = 60"),
            "23:1: unknown key `pollInterval` of change source (it is called `poll_interval` here)",
        ),
        (
            git("pollinterval = 60"),
            "23:1: unknown key `pollinterval` of change source (it is called `poll_interval` here)",
        ),
        (
            git("gitbin = \"git\""),
            "23:1: unknown key `gitbin` of change source (it is called `git` here)",
        ),
        (
            git("usetimestamps = true"),
            "23:1: unknown key `usetimestamps` of change source (it is called `timestamps` here)",
        ),
        (git("branch = \"main\""), "accepted"),
        (
            git("password = \"x\""),
            "20:1: change source has a password and no user (add `username = \"…\"`)",
        ),
        (
            git("encoding = \"klingon\""),
            "23:12: `encoding` of change source is not an encoding (for example `utf-8`, `latin-1` or `shift_jis`)",
        ),
        (
            git("branches = [{ regex = \"(\" }]"),
            "23:23: `regex` of this rule is not a pattern: unclosed group (write a name, a glob or a \
             regular expression)",
        ),
        (
            git("branches = [{ regex = \"a\", not = \"b\" }]"),
            "23:13: `branches` of change source needs one rule a table (write `{ regex = \"…\" }` or \
             `{ not = \"…\" }`)",
        ),
        (
            git("refs = [\"pull/*\"]"),
            "23:9: `refs` of change source does not begin with `refs/` (for example `refs/pull/*/head`)",
        ),
        (
            git("start = \"yesterday\""),
            "23:9: `start` of change source is not a start (write \"now\", \"tip\" or the id of a commit)",
        ),
    ] {
        check(r#"builders = ["full"]"#, &toml, message);
    }
}

#[test]
fn liv_01_status_clients_need_a_password_and_a_user_and_port_of_their_own() {
    check(
        r#"builders = ["full"]"#,
        r#"builders = ["full"]
[[status]]
type = "PBListener"
[[status]]
type = "PBListener"
port = 9989
user = "bot"
password = "x"
[[status]]
type = "PBListener"
port = 1
passwd = "x"
[[status]]
type = "PBListener"
port = 1
password = "x"
[[status]]
type = "WebStatus""#,
        r#"20:1: status target needs `port` (add `port = 9988`)
20:1: status target needs a password (add `password = "…"`, `password_file = "FILE"` or `password_env = "VARIABLE"`)
25:8: the user `bot` logs in at the slave port, where a slave has this name (choose another name, or use a port of its own)
30:1: unknown key `passwd` of status target (it is called `password` here)
33:8: `port` of status target is the port of another PBListener (give each a port of its own)
36:8: `type = "WebStatus"` of status target is not available yet (remove it: `[web]` with `port = 8010` serves pages, and a `MailNotifier` mails)"#,
    );
}

/// The small configuration with more schedulers: `TYPE NAME SETTINGS`.
fn with_schedulers(more: &[&str]) -> String {
    let tables = more.iter().map(|one| {
        let (kind, rest) = one.split_once(' ').unwrap();
        let (name, settings) = rest.split_once(' ').unwrap();
        format!(
            "[[schedulers]]\ntype = \"{kind}\"\nname = \"{name}\"\nbuilders = [\"full\"]\n{settings}\n"
        )
    });
    format!("{SMALL}{}", tables.collect::<String>())
}

#[test]
fn dep_01_upstreams_exist_somewhere_in_the_file_and_do_not_wait_in_a_circle() {
    let good = with_schedulers(&[
        "Dependent a upstream='b'",
        "Dependent b upstream='nightly'",
        "Nightly nightly hour=3",
    ]);
    assert_eq!(mistakes_of(&good), "accepted");
    let text = with_schedulers(&["Dependent a upstream='nobody'", "Dependent b "]);
    assert_eq!(
        mistakes_of(&text),
        "24:10: scheduler `a` names the scheduler `nobody`, which does not exist (the schedulers are `a`, `b`, `quick`)\n\
         25:1: scheduler `b` needs `upstream` (add `upstream = \"SCHEDULER\"`)"
    );
    let text = with_schedulers(&[
        "Dependent c upstream='a'",
        "Dependent a upstream='b'",
        "Dependent b upstream='a'",
        "Dependent self upstream='self'",
    ]);
    assert_eq!(
        mistakes_of(&text),
        "29:10: schedulers wait for each other in a circle: `a` waits for `b` waits for `a` (one of them must start \
         by changes or by the clock)\n\
         39:10: scheduler `self` waits for itself (one of them must start by changes or by the clock)"
    );
}

#[test]
fn scb_07_a_try_scheduler_is_nobodys_upstream() {
    let text = with_schedulers(&["Dependent a upstream='t'", "Try_Jobdir t jobdir='j'"]);
    assert_eq!(
        mistakes_of(&text),
        "24:10: scheduler `a` cannot wait for `t`, whose builds are tries (Try_Jobdir) (name a scheduler that builds \
         what is in the repository)"
    );
}

#[test]
fn a_job_directory_has_one_scheduler_and_sensible_limits() {
    let good = with_schedulers(&[
        "Try_Jobdir a jobdir='/var/jobs/a'\nmax_job_size='128MiB'\npoll_interval='1s'",
        "Try_Jobdir b jobdir='/var/jobs'\nmax_job_size=1",
    ]);
    assert_eq!(mistakes_of(&good), "accepted");
    let text = with_schedulers(&[
        "Try_Jobdir a jobdir='jobs'",
        "Try_Jobdir b jobdir='./jobs/'",
        "Try_Jobdir c ",
        "Try_Jobdir d jobdir=''\nmax_job_size=0\npoll_interval=0",
        "Try_Jobdir e jobdir='e'\nmax_job_size=134217729\nbranch='trunk'",
    ]);
    let mistakes = mistakes_of(&text);
    let expected = [
        "the job directory `./jobs/` belongs to another scheduler",
        "scheduler `c` needs `jobdir` (add `jobdir = \"jobdir\"`)",
        "`jobdir` of scheduler `d` is empty",
        "`max_job_size` of scheduler `d` is out of range (a size from 1 to 128MiB)",
        "`poll_interval` of scheduler `d` is out of range",
        "`max_job_size` of scheduler `e` is out of range",
        "`branch` is not a setting of a `Try_Jobdir` scheduler",
    ];
    for (line, expected) in mistakes.lines().zip(expected) {
        assert!(line.contains(expected), "{line}\n{expected}");
    }
    assert_eq!(mistakes.lines().count(), expected.len(), "{mistakes}");
}

/// What is wrong with these Try_Userpass schedulers, without the advice.
fn tries(schedulers: &[&str]) -> String {
    let text = with_schedulers(schedulers);
    let mistakes = mistakes_of(&text);
    let mistakes = mistakes.lines().map(|line| {
        let line = line.split_once(": ").map_or(line, |(_, message)| message);
        line.split_once(" (").map_or(line, |(message, _)| message)
    });
    mistakes.collect::<Vec<_>>().join("\n")
}

#[test]
fn tup_01_and_tup_07_try_schedulers_share_ports_but_no_users() {
    let good = tries(&[
        "Try_Userpass a port=8031\nuserpass=[['alice', 'pw'], ['bob', 'pw']]",
        "Try_Userpass b port='8031'\nuserpass=[{user='carol', password_file='f'}, {user='dave', password_env='E'}]",
        "Try_Userpass c port='unix:/run/try'\nuserpass=[['alice', 'pw']]",
        "Try_Userpass d port=[8032, 'unix:/run/try2']\nuserpass=[['alice', 'pw']]",
        "Try_Userpass e port=9989\nuserpass=[['alice', 'pw']]\nproperties={a=1}",
    ]);
    assert_eq!(good, "accepted");
    let bad = tries(&[
        "Try_Userpass a port=8031\nuserpass=[['alice', 'pw'], ['alice', 'pw']]",
        "Try_Userpass b port=8031\nuserpass=[['alice', 'pw']]",
        "Try_Userpass c port='127.0.0.1:8031'\nuserpass=[['alice', 'pw']]",
        "Try_Userpass e port=9989\nuserpass=[['bot', 'pw']]",
        "Try_Userpass f ",
    ]);
    assert_eq!(
        bad,
        "there are two users `alice` at this port\n\
         there are two users `alice` at this port\n\
         `port` of scheduler `c` shares an address with another Try_Userpass, but not all of them\n\
         the user `bot` logs in at the slave port, where a slave has this name\n\
         scheduler `f` needs `port`\n\
         scheduler `f` needs `userpass`"
    );
}

#[test]
fn a_try_scheduler_has_the_slave_port_as_a_whole_or_not_at_all() {
    let part = tries(&["Try_Userpass a port='127.0.0.1:9989'\nuserpass=[['alice', 'pw']]"]);
    assert_eq!(part, "this port is a part of the slave port");
}

#[test]
fn kinds_that_buildbot_has_are_refused_by_name_with_what_to_do() {
    for (table, kind, help) in [
        ("change_sources", "FreshCVSSource", "sendchange"),
        ("change_sources", "BonsaiPoller", "sendchange"),
        ("change_sources", "GoogleCodeAtomPoller", "sendchange"),
        ("slaves", "OpenStackLatentWorker", "type = \"command\""),
    ] {
        let text = format!("[[{table}]]\ntype = {kind:?}\nname = \"n\"\nbuilders = []\n");
        let errors = parse(&text, "master.toml", &Ok(Zone::UTC)).unwrap_err();
        let is_named = |e: &&ConfigError| {
            e.message.contains(kind) && e.message.ends_with("is not available yet")
        };
        let named = errors.errors.iter().find(is_named);
        let told = named.and_then(|e| e.help.clone()).unwrap_or_default();
        assert!(told.contains(help), "{kind}: {:?}", errors.errors);
    }
}

#[test]
fn filters_in_buildbots_spelling_are_answered_with_ours() {
    for field in ["branch", "project", "repository", "category", "codebase"] {
        let text = format!(
            "[[schedulers]]\ntype = \"AnyBranch\"\nname = \"n\"\nbuilders = []\nfilter = {{ {field}_re = \"x\" }}\n"
        );
        let errors = parse(&text, "master.toml", &Ok(Zone::UTC)).unwrap_err();
        let help = format!("write `{field} = {{ regex = \"…\" }}`");
        assert_eq!(errors.errors[0].help.as_ref(), Some(&help), "{errors}");
    }
}

#[test]
fn tup_02_users_of_a_try_scheduler_have_a_name_and_a_password() {
    let longest = "x".repeat(256);
    let names = [
        format!("Try_Userpass a port=8031\nuserpass=[['{longest}', 'pw']]"),
        format!("Try_Userpass b port=8032\nuserpass=[['{longest}x', 'pw']]"),
    ];
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let too_long = "`userpass` of scheduler `b` has a name that is too long";
    assert_eq!(tries(&names), too_long);
    for (users, mistake) in [
        ("'alice'", "must be a list, not a string"),
        (
            "['alice', 'pw']",
            "must be a list of users with passwords, not a string",
        ),
        (
            "[['alice']]",
            "has an entry that is not a user and a password",
        ),
        ("[['alice', 1]]", "must be a string, not a number"),
        ("[['alice', '']]", "has an empty password"),
        ("[['', 'pw']]", "is empty"),
        (
            "[['a by user b', 'pw']]",
            "has a name with ` by user ` or `",
        ),
        (
            "[['a', '$argon2id$v=19$m=8']]",
            "has a hash that cannot be used: it is not of the form",
        ),
        (
            "[['a', '$argon2i$v=19$m=8,t=1,p=1$c29tZXNhbHQ$x']]",
            "has a hash that cannot be used",
        ),
    ] {
        let told = tries(&[&format!("Try_Userpass t port=8031\nuserpass={users}")]);
        assert!(told.contains(mistake), "{users}: {told}");
    }
    let told = tries(&["Try_Userpass t port=8031\nuserpass=[{user='alice'}]"]);
    assert_eq!(told, "user `alice` of scheduler `t` needs a password");
    let told = tries(&["Try_Userpass t port=8031\nuserpass=[]"]);
    assert_eq!(told, "accepted\nnobody can log in at scheduler `t`");
}
