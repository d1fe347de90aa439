use std::time::Duration;

use super::*;
use crate::model::Results;

#[test]
fn a_small_configuration_has_the_documented_defaults() {
    let config = accept(SMALL);
    assert_eq!(config.title, "Buildbot");
    assert_eq!(config.start_build_timeout, Duration::from_secs(10));
    assert_eq!(config.attach_timeout, Duration::from_secs(30));
    assert_eq!(config.keepalive_timeout, Duration::from_secs(30));
    assert_eq!(config.clients, ClientLimits::default());
    assert_eq!(config.interrupt_grace, Duration::from_secs(60));
    assert_eq!(config.max_retries, 5);
    assert!(!config.duplicate_slave_replaces);
    assert_eq!(config.choose_slaves, SlaveChoice::Random);
    assert_eq!(config.logs, LogLimits::default());
    let rotation = config.log_rotation;
    assert_eq!((rotation.size, rotation.count), (10_000_000, 10));
    assert_eq!(config.horizons, Horizons::default());
    let slave = config.slave("bot").unwrap();
    assert_eq!(slave.max_builds, None);
    assert_eq!(slave.keepalive_interval, Duration::from_secs(3600));
    let builder = config.builder("full").unwrap();
    assert_eq!(builder.merging, Merging::default());
    assert_eq!(builder.merging.rule, MergeRule::Compatible);
    assert_eq!((builder.next_slave, builder.priority), (None, 0));
    assert!(!builder.ignore_patch);
    assert_eq!(config.schedulers[0].priority, 0);
    assert_eq!(
        (builder.builddir.as_str(), builder.slavebuilddir.as_str()),
        ("full", "full")
    );
    let kind = SchedulerKind::Scheduler(SingleBranchConfig {
        branch: None,
        tree_stable: TreeStable {
            tree_stable_timer: None,
            timer_from_arrival: false,
            unimportant_resets_timer: false,
            longest_wait: LongestWait::Usual,
            codebases: Codebases::default(),
            rules: ChangeRules {
                separate: true,
                only_important: false,
                importance: None,
                important_if: None,
                filter: ChangeFilter::default(),
                when: None,
            },
        },
    });
    assert_eq!(config.schedulers[0].kind, kind);
}

#[test]
fn limits_of_clients_are_a_number_and_a_time() {
    let lines = "max_client_connections = 7\nclient_idle_timeout = \"90s\"\n";
    let limits = ClientLimits {
        connections: 7,
        idle: Duration::from_secs(90),
    };
    assert_eq!(accept(&format!("{lines}{SMALL}")).clients, limits);
}

#[test]
fn mas_08_horizons_are_numbers_or_times_or_both() {
    let horizons = |lines: &str| accept(&format!("{lines}\n{SMALL}")).horizons;
    let kept = horizons(
        "build_horizon = { count = 100, age = \"90d\" }\nlog_horizon = 100\nchange_horizon = \"1h30m\"",
    );
    let day = Duration::from_secs(86_400);
    assert_eq!(
        kept,
        Horizons {
            builds: Horizon {
                count: Some(100),
                age: Some(90 * day)
            },
            logs: Horizon {
                count: Some(100),
                age: None
            },
            changes: Horizon {
                count: None,
                age: Some(Duration::from_secs(5400))
            },
        }
    );
    // Nothing can be said of these two.
    horizons("build_horizon = \"1d\"\nlog_horizon = 100");
    horizons("log_horizon = 1");
}

#[test]
fn stp_01_and_stp_05_shell_steps_have_their_defaults() {
    let config = accept(SMALL);
    let step = &config.builders[0].factory.steps[0];
    assert_eq!(step.name, "shell");
    assert!(step.flunk_on_failure);
    assert!(!step.halt_on_failure && !step.flunk_on_warnings && !step.warn_on_warnings);
    assert!(!step.warn_on_failure && !step.always_run && step.use_progress);
    let StepKind::Shell(shell) = &step.kind else {
        panic!("{step:?}");
    };
    assert_eq!(shell.command, CommandWords::Line(Template::literal("make")));
    assert_eq!(shell.workdir, Template::literal("build"));
    assert_eq!(shell.timeout, Some(Duration::from_secs(1200)));
    assert_eq!((shell.max_time, shell.sigterm_time), (None, None));
    assert_eq!((shell.use_pty, shell.max_lines), (None, None));
    assert_eq!(shell.interrupt_signal, None);
    assert!(shell.want_stdout && shell.want_stderr && !shell.log_environ && !shell.lazy_logfiles);
    assert!(
        shell.decode_rc.is_empty() && shell.env.variables.is_empty() && shell.logfiles.is_empty()
    );
}

#[test]
fn every_setting_of_a_shell_step_is_read() {
    let step = r#"{ type = "ShellCommand", name = "t", halt_on_failure = true, flunk_on_failure = false,
        description = ["a", "b"], description_done = "c", timeout = false, max_time = "1h", sigterm_time = 0.5,
        command = ["cc", "%(prop:file)s", { secret = "pw%(n:-1)s", shown = "***" }, { secret = "x" }],
        env = { A = "%(a)s", B = false }, decode_rc = { 77 = "skipped", -1 = "warnings", 4 = { result = "success", ends_build = true } },
        logfiles = { "z.log" = "build/z", a = { filename = "a", follow = true } }, lazy_logfiles = true,
        interrupt_signal = "SIGINT", use_pty = false, log_environ = true, initial_stdin = "yes\n", max_lines = 9 }"#;
    let text = SMALL.replace(r#"{ type = "ShellCommand", command = "make" }"#, step);
    let config = accept(&text);
    let step = &config.builders[0].factory.steps[0];
    assert!(step.halt_on_failure && !step.flunk_on_failure);
    assert_eq!(step.description.as_ref().unwrap().len(), 2);
    assert_eq!(step.description_done, Some(vec![Template::literal("c")]));
    let StepKind::Shell(shell) = &step.kind else {
        panic!("{step:?}");
    };
    let times = (shell.timeout, shell.max_time, shell.sigterm_time);
    let half = Duration::from_millis(500);
    assert_eq!(times, (None, Some(Duration::from_secs(3600)), Some(half)));
    assert_eq!(shell.env.variables["B"], None);
    assert!(shell.env.variables["A"].is_some());
    let rc: Vec<_> = shell
        .decode_rc
        .iter()
        .map(|(c, m)| (*c, m.result, m.ends_build))
        .collect();
    let expected = [
        (-1, Results::Warnings, false),
        (4, Results::Success, true),
        (77, Results::Skipped, false),
    ];
    assert_eq!(rc, expected);
    let logs = [
        ("z.log".to_owned(), Template::literal("build/z"), false),
        ("a".to_owned(), Template::literal("a"), true),
    ];
    assert_eq!(shell.logfiles, logs);
    assert_eq!(shell.interrupt_signal.as_deref(), Some("INT"));
    assert_eq!((shell.use_pty, shell.max_lines), (Some(false), Some(9)));
    let CommandWords::Words(words) = &shell.command else {
        panic!("{:?}", shell.command);
    };
    assert_eq!(words[1], (Template::of("%(file:-)s"), None));
    assert_eq!(words[2].1.as_deref(), Some("***"));
    assert_eq!(words[3].1.as_deref(), Some("XXXXXX"));
    assert!(!format!("{:?}", shell.command).contains("pw"));
}

#[test]
fn every_setting_of_a_scheduler_is_read() {
    let config = accept(&format!(
        "{SMALL}{}",
        r#"
reason = "nightly %(name)s"
tree_stable_timer = "1m"
timer_from = "arrival"
longest_wait = "2h"
separate = false
unimportant_resets_timer = true
only_important = true
important_files = { include = ["**/*.c"], exclude = "doc/**" }
filter = { project = "p", category = ["a", "b"], branch = { not = { regex = "tmp" } }, codebase = false }
properties = { level = 3, tags = ["x"], nested = { a = 1.5 } }
"#
    ));
    let scheduler = &config.schedulers[0];
    assert_eq!(scheduler.reason.as_deref(), Some("nightly %(name)s"));
    assert_eq!(
        scheduler.properties.get("level"),
        Some(&serde_json::json!(3))
    );
    assert_eq!(
        scheduler.properties.get("nested"),
        Some(&serde_json::json!({ "a": 1.5 }))
    );
    assert!(
        scheduler
            .properties
            .iter()
            .all(|(_, p)| p.source == "Scheduler")
    );
    let SchedulerKind::Scheduler(SingleBranchConfig {
        tree_stable: settings,
        ..
    }) = &scheduler.kind
    else {
        panic!("{:?}", scheduler.kind);
    };
    assert_eq!(settings.tree_stable_timer, Some(Duration::from_secs(60)));
    let two_hours = Duration::from_secs(7200);
    assert_eq!(settings.longest_wait, LongestWait::AtMost(two_hours));
    assert!(!settings.rules.separate);
    let ChangeRules {
        importance, filter, ..
    } = &settings.rules;
    let files = &importance.as_ref().unwrap().files;
    assert!(files.is_match("src/a.c") && !files.is_match("doc/a.c"));
    let branch = filter.branch.as_ref().unwrap();
    assert!(branch.is_match(Some("trunk")) && !branch.is_match(Some("tmp/x")));
    assert!(filter.codebase.as_ref().unwrap().is_match(None));
}

#[test]
fn change_sources_share_the_slave_port_or_have_their_own() {
    let config = accept(&format!(
        "{SMALL}{}",
        r#"
[[change_sources]]
type = "PB"
password_file = "secrets/change"
[[change_sources]]
type = "PB"
user = "hook"
password_env = "HOOK"
port = "127.0.0.1:9990"
prefix = "trunk/"
"#
    ));
    let [shared, own] = config.change_sources.as_slice() else {
        panic!("two");
    };
    let PbSourceConfig {
        ports,
        user,
        password,
        prefix,
    } = shared.pb().unwrap();
    assert_eq!((ports.as_slice(), user.as_str()), ([].as_slice(), "change"));
    assert_eq!(
        (password, prefix),
        (&Secret::File("secrets/change".into()), &None)
    );
    let PbSourceConfig {
        ports, password, ..
    } = own.pb().unwrap();
    assert_eq!(ports, &[Listen::Tcp("127.0.0.1:9990".parse().unwrap())]);
    assert_eq!(password, &Secret::Env("HOOK".to_owned()));
}

#[test]
fn int_01_a_change_source_has_a_name() {
    let config = accept(&format!(
        "{SMALL}{}",
        r#"
[[change_sources]]
type = "PB"
password = "x"
[[change_sources]]
type = "PB"
name = "hooks of widget"
password = "x"
port = 9990
"#
    ));
    let names: Vec<_> = config
        .change_sources
        .iter()
        .map(|s| s.name.as_str())
        .collect();
    assert_eq!(names, ["change", "hooks of widget"]);
    let kinds = config
        .change_sources
        .iter()
        .map(|source| source.kind.name());
    assert!(kinds.eq(["PB", "PB"]));
}

#[test]
fn local_slaves_need_neither_port_nor_password() {
    let text = SMALL.replace("slave_port = 9989", "");
    let config = accept(&text.replace("password = \"sekrit\"", "type = \"local\""));
    assert_eq!(config.slaves[0].kind, SlaveKind::Local);
    assert!(config.slave_port.is_empty());
}

#[test]
fn brq_09_and_bld_05_rules_of_choice_are_read_for_all_and_for_each() {
    let read = |all: &str, own: &str| {
        let own = format!("name = \"full\"\n{own}");
        let text = SMALL.replace("name = \"full\"", &own);
        accept(&format!("{all}\n{text}"))
    };
    let config = read(
        "choose_slaves = \"least-loaded\"\nmerge_requests = \"always-same-branch\"\nmerge_compare_properties = true",
        "next_slave = \"first\"\npriority = 10\nignore_patch = true",
    );
    let builder = &config.builders[0];
    assert!(builder.ignore_patch);
    assert_eq!(config.choose_slaves, SlaveChoice::LeastLoaded);
    assert_eq!(config.slave_choice(builder), SlaveChoice::First);
    assert_eq!(builder.priority, 10);
    let merging = Merging {
        rule: MergeRule::SameBranch,
        compare_properties: true,
    };
    assert_eq!(builder.merging, merging);
    let config = read(
        "choose_slaves = \"first\"\nmerge_compare_properties = true",
        "merge_compare_properties = false\nmerge_requests = \"never\"\npriority = -1_000_000",
    );
    let builder = &config.builders[0];
    assert_eq!(config.slave_choice(builder), SlaveChoice::First);
    assert_eq!(builder.priority, -1_000_000);
    let merging = Merging {
        rule: MergeRule::Never,
        compare_properties: false,
    };
    assert_eq!(builder.merging, merging);
}

#[test]
fn brq_09_schedulers_have_priorities() {
    let text = SMALL.replace(
        "type = \"Scheduler\"",
        "type = \"Scheduler\"\npriority = 1_000_000",
    );
    assert_eq!(accept(&text).schedulers[0].priority, 1_000_000);
}

#[test]
fn global_settings_reach_builders_and_builders_override_them() {
    let global = format!("merge_requests = false\nproperties = {{ team = \"core\" }}\n{SMALL}");
    let config = accept(&global);
    assert_eq!(config.builders[0].merging.rule, MergeRule::Never);
    let team = config.properties.iter().next().unwrap();
    assert_eq!((team.0, team.1.source.as_str()), ("team", "master.toml"));
    let own = global.replace("name = \"full\"", "name = \"full\"\nmerge_requests = true");
    let own = accept(&own).builders[0].merging;
    assert_eq!(own.rule, MergeRule::Compatible);
}

#[test]
fn a_builder_directory_is_made_from_its_name() {
    let config = accept(&SMALL.replace("\"full\"", "\"full linux/é.x-1\""));
    assert_eq!(config.builders[0].builddir, "full_linux_é_x-1");
}

#[test]
fn scb_02_a_builder_may_be_listed_twice_by_a_scheduler() {
    let config = accept(&SMALL.replace("builders = [\"full\"]", "builders = [\"full\", \"full\"]"));
    assert_eq!(config.schedulers[0].builders.len(), 2);
}

#[test]
fn equal_texts_give_equal_configurations_and_others_do_not() {
    assert_eq!(accept(SMALL), accept(&format!("# a comment\n{SMALL}")));
    assert_ne!(accept(SMALL), accept(&SMALL.replace("sekrit", "secret")));
    assert_ne!(
        accept(SMALL),
        accept(&format!("{SMALL}filter = {{ project = \"p\" }}"))
    );
}

#[test]
fn the_load_test_configuration_is_accepted() {
    let many = |name: &str, n: usize| -> String {
        let names: Vec<_> = (0..n).map(|i| format!("\"{name}{i}\"")).collect();
        names.join(", ")
    };
    let mut text = String::from(
        "title = \"bench\"\nslave_port = \"tcp:19418:interface=127.0.0.1\"\n\
         [[change_sources]]\ntype = \"PB\"\nuser = \"change\"\npassword = \"changepw\"\n\
         [factories.f]\nsteps = [\n\
         { type = \"ShellCommand\", name = \"step0\", command = [\"echo\", \"%(revision)s\", \"0\"] },\n]\n",
    );
    for i in 0..50 {
        text += &format!("[[slaves]]\nname = \"s{i}\"\npassword = \"pass\"\nmax_builds = 1\n");
        text += &format!(
            "[[builders]]\nname = \"b{i}\"\nslaves = [{}]\nfactory = \"f\"\nmerge_requests = false\n",
            many("s", 50)
        );
        text += &format!(
            "[[schedulers]]\ntype = \"Scheduler\"\nname = \"q{i}\"\nbranch = \"b{i}\"\nbuilders = [\"b{i}\"]\n"
        );
    }
    text += &format!(
        "[[schedulers]]\ntype = \"Scheduler\"\nname = \"fan\"\nbuilders = [{}]\n",
        many("b", 50)
    );
    let config = accept(&text);
    assert_eq!((config.slaves.len(), config.builders.len()), (50, 50));
    assert_eq!(
        config.slave_port,
        [Listen::Tcp("127.0.0.1:19418".parse().unwrap())]
    );
}
