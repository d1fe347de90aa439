//! Steps that have several commands, count on the master, or set properties there.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::like_0814::step_of;
use crate::build::testing::{Played, Stage};
use crate::config::StepConfig;
use crate::model::journal::{LogOpening, StepFinish};
use crate::model::{Op, Results};
use crate::protocol::ShellCommand;

/// What became of the one step of a build.
struct Ended {
    result: Results,
    text: String,
    /// Values and sources.
    properties: BTreeMap<String, (Value, String)>,
    logs: BTreeMap<String, String>,
    /// The command lines that ran.
    commands: Vec<String>,
}

async fn played(step: StepConfig, slave: impl AsyncFnMut(&str, Played)) -> Ended {
    played_in(&mut Stage::new(vec![step]), slave).await
}

async fn played_in(stage: &mut Stage, mut slave: impl AsyncFnMut(&str, Played)) -> Ended {
    let mut build = std::pin::pin!(stage.build());
    let mut commands = Vec::new();
    loop {
        tokio::select! {
            biased;
            _ = &mut build => break,
            command = stage.command() => {
                let line = match &command.args.command {
                    ShellCommand::Line(line) => line.clone(),
                    ShellCommand::Words(words) => {
                        let words: Vec<_> = words.iter().map(|word| word.shown().as_str()).collect();
                        words.join(" ")
                    }
                };
                slave(&line, command).await;
                commands.push(line);
            }
        }
    }
    let mut finished = None;
    let mut logs = BTreeMap::new();
    for op in stage.ops() {
        if let Op::LogOpened(LogOpening { name, path, .. }) = op {
            let path = stage.directory.path().join(format!("{path}.log"));
            logs.insert(name, std::fs::read_to_string(path).unwrap());
        } else if let Op::StepFinished(StepFinish {
            result,
            text,
            outcome,
            ..
        }) = op
        {
            let properties = outcome.properties.iter();
            let properties =
                properties.map(|(name, p)| (name.to_owned(), (p.value.clone(), p.source.clone())));
            finished = Some((result, text.join(" "), properties.collect()));
        }
    }
    let (result, text, properties) = finished.unwrap();
    Ended {
        result,
        text,
        properties,
        logs,
        commands,
    }
}

const SEQUENCE: &str = r#"type = "ShellSequence"
commands = [
  { command = ["make", "check"], logname = "check", flunk_on_failure = false, warn_on_failure = true },
  { command = "make dist", halt_on_failure = true },
  { command = ["make", "clean"], logname = "clean", flunk_on_warnings = true },
  { command = ["make", "last"], warn_on_warnings = true },
]
decode_rc = { 3 = "warnings" }
"#;

#[tokio::test(start_paused = true)]
async fn each_command_of_a_sequence_is_judged_by_its_own_flags() {
    use Results::{Failure, Success, Warnings};
    for (statuses, result, text) in [
        ([0, 0, 0, 0], Success, "'make last'"),
        ([1, 0, 0, 0], Warnings, "'make last' warnings"),
        ([1, 0, 3, 0], Failure, "'make last' failed"),
        ([0, 0, 0, 3], Warnings, "'make last' warnings"),
        ([0, 0, 0, 1], Failure, "'make last' failed"),
        ([3, 0, 0, 0], Success, "'make last'"),
    ] {
        let mut statuses = statuses.into_iter();
        let ended = played(step_of(SEQUENCE), async |line, command| {
            command.print(&format!("<{line}>")).await;
            command.exit(statuses.next().unwrap()).await;
        })
        .await;
        assert_eq!((ended.result, ended.text.as_str()), (result, text));
        assert_eq!(
            ended.commands,
            ["make check", "make dist", "make clean", "make last"]
        );
        for (log, parts) in [
            ("check", &["<make check>"][..]),
            ("clean", &["<make clean>"]),
            ("stdio", &["<make dist>", "<make last>"]),
        ] {
            let (text, foreign) = (&ended.logs[log], 4 - parts.len());
            assert!(
                parts.iter().all(|part| text.contains(part)),
                "{log}: {text}"
            );
            assert_eq!(4 - text.matches('<').count(), foreign, "{log}: {text}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_of_a_sequence_can_halt_it() {
    let ended = played(step_of(SEQUENCE), async |line, command| {
        command.exit(i64::from(line == "make dist")).await;
    })
    .await;
    assert_eq!(ended.result, Results::Failure);
    assert_eq!(ended.text, "'make dist' failed");
    assert_eq!(ended.commands, ["make check", "make dist"]);
}

async fn no_command(line: &str, _: Played) {
    panic!("{line}");
}

#[tokio::test(start_paused = true)]
async fn stp_264_properties_are_set_with_their_values_rendered() {
    let mut stage = Stage::new(vec![step_of(
        "type = \"SetProperty\"\nproperty = \"flavor\"\nvalue = \"x-%(prop:branch:-trunk)s\"",
    )]);
    stage.plan.properties.set("branch", "b1", "Build");
    let ended = played_in(&mut stage, no_command).await;
    let from = |value: Value, step: &str| (value, step.to_owned());
    let expected = [("flavor".to_owned(), from(json!("x-b1"), "SetProperty"))];
    assert_eq!(ended.properties, expected.into());
    assert_eq!(
        (ended.result, ended.text.as_str()),
        (Results::Success, "Set")
    );

    let several = "type = \"SetProperties\"\nname = \"s\"\n\
                   properties = { a = \"%(prop:none:-n)s\", b = 4, c = [1, \"%(prop:x)s\"] }";
    let ended = played(step_of(several), no_command).await;
    let expected = [
        ("a".to_owned(), from(json!("n"), "s")),
        ("b".to_owned(), from(json!(4), "s")),
        ("c".to_owned(), from(json!([1, "%(prop:x)s"]), "s")),
    ];
    assert_eq!(ended.properties, expected.into());
    assert_eq!(ended.text, "Properties Set");

    let missing = "type = \"SetProperty\"\nproperty = \"p\"\nvalue = \"%(nosuch)s\"";
    let ended = played(step_of(missing), no_command).await;
    assert_eq!(ended.result, Results::Exception);
    let problem = &ended.logs["err.text"];
    assert!(
        problem.contains("property 'nosuch' is not set"),
        "{problem}"
    );
}

#[tokio::test(start_paused = true)]
async fn stp_272_a_log_has_a_rendered_text_or_a_value() {
    for (content, expected) in [
        ("\"at %(prop:got_revision)s\"", "at abc\n"),
        (
            "{ a = 1, b = [true] }",
            "{\n  \"a\": 1,\n  \"b\": [\n    true\n  ]\n}\n",
        ),
    ] {
        let step = step_of(&format!("type = \"LogRenderable\"\ncontent = {content}"));
        let mut stage = Stage::new(vec![step]);
        stage.plan.properties.set("got_revision", "abc", "Git");
        let ended = played_in(&mut stage, no_command).await;
        assert_eq!(
            ended.logs,
            [("Output".to_owned(), expected.to_owned())].into()
        );
        assert_eq!(
            (ended.result, ended.text.as_str()),
            (Results::Success, "Logged")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn stp_274_properties_from_the_environment_have_their_source() {
    let step = "type = \"SetPropertiesFromEnv\"\nvariables = [\"A\", \"B\"]";
    for (system, question) in [("posix", "printenv A"), ("nt", "cmd /c echo %A%")] {
        let mut stage = Stage::new(vec![step_of(step)]);
        let info = [("system".to_owned(), system.to_owned())];
        stage.plan.slave_info = std::sync::Arc::new(info.into());
        let ended = played_in(&mut stage, async |line, command| {
            let (output, rc) = match line {
                "printenv A" | "cmd /c echo %A%" => ("x y\r\n", 0),
                "cmd /c echo %B%" => ("%B%\r\n", 0),
                _ => ("", 1),
            };
            command.print(output).await;
            command.exit(rc).await;
        })
        .await;
        assert_eq!(ended.commands[0], question);
        let value = (json!("x y"), "SlaveEnvironment".to_owned());
        assert_eq!(ended.properties, [("A".to_owned(), value)].into());
    }
}

#[tokio::test(start_paused = true)]
async fn stp_352_the_master_counts_releases_in_a_file() {
    let step = "type = \"RpmBuild\"\nspecfile = \"rpm/tool.el9.spec\"\nauto_release = true";
    for (before, number, after) in [(None, "0", "1"), (Some("41\n"), "41", "42")] {
        let mut stage = Stage::new(vec![step_of(step)]);
        let file = stage.directory.path().join("tool.release");
        if let Some(before) = before {
            std::fs::write(&file, before).unwrap();
        }
        let ended = played_in(&mut stage, async |_, command| command.exit(0).await).await;
        let define = format!("--define \"_release {number}\" -ba rpm/tool.el9.spec");
        assert!(ended.commands[0].ends_with(&define), "{:?}", ended.commands);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), after);
    }
    let mut stage = Stage::new(vec![step_of(step)]);
    std::fs::write(stage.directory.path().join("tool.release"), "many").unwrap();
    let ended = played_in(&mut stage, no_command).await;
    assert_eq!(ended.result, Results::Exception);
    let problem = &ended.logs["err.text"];
    assert!(problem.contains("tool.release has no number"), "{problem}");
}

#[tokio::test(start_paused = true)]
async fn steps_can_come_from_a_file_of_the_tree() {
    let step = "type = \"StepsFrom\"\nfile = \"ci/%(prop:branch:-x)s.toml\"";
    let ended = played(step_of(step), async |_, command| {
        command.print("steps = []\n").await;
        command.exit(0).await;
    })
    .await;
    assert_eq!(ended.commands, ["cat -- ci/x.toml"]);
    assert_eq!(ended.result, Results::Success);
}

#[tokio::test(start_paused = true)]
async fn stp_328_sphinx_takes_warnings_for_errors_if_told() {
    for (setting, line) in [
        ("", "sphinx-build . out"),
        ("strict_warnings = false", "sphinx-build . out"),
        ("strict_warnings = true", "sphinx-build -W . out"),
        (
            "strict_warnings = true\nmode = \"full\"",
            "sphinx-build -E -W . out",
        ),
    ] {
        let step = format!("type = \"Sphinx\"\nsphinx_builddir = \"out\"\n{setting}\n");
        let ended = played(step_of(&step), async |_, command| command.exit(1).await).await;
        assert_eq!(ended.commands, [line]);
        assert_eq!(ended.result, Results::Failure, "{setting}");
    }
}

#[tokio::test(start_paused = true)]
async fn programs_of_later_buildbots_have_their_settings_in_the_command() {
    for (step, line) in [
        (
            "type = \"CMake\"\npath = \"src\"\ngenerator = \"Ninja\"\noptions = [\"-Wdev\"]\n\
             definitions = { B = \"2\", A = \"%(prop:none:-1)s\" }",
            "cmake -G Ninja -DA=1 -DB=2 -Wdev src",
        ),
        ("type = \"CMake\"\ncmake = \"cmake3\"", "cmake3"),
        (
            "type = \"Cppcheck\"\nsource = [\"a\", \"b\"]\nenable = [\"style\", \"unused\"]\n\
             inconclusive = true\nextra_args = [\"-q\"]",
            "cppcheck a b --enable=style,unused --inconclusive -q",
        ),
        (
            "type = \"RpmBuild\"\nspecfile = \"a.spec\"\ndefine = { _smp = \"4\" }",
            "rpmbuild --define \"_topdir `pwd`\" --define \"_builddir `pwd`\" \
             --define \"_rpmdir `pwd`\" --define \"_sourcedir `pwd`\" --define \"_specdir `pwd`\" \
             --define \"_srcrpmdir `pwd`\" --define \"dist .el5\" --define \"_smp 4\" -ba a.spec",
        ),
        (
            "type = \"MsBuild12\"\nprojectfile = \"a.sln\"\nplatform = \"Win32\"\n\
             defines = [\"A\", \"B=1\"]",
            "\"%VCENV_BAT%\" x86 && msbuild \"a.sln\" /p:Configuration=\"release\" \
             /p:Platform=\"Win32\" /p:DefineConstants=\"A;B=1\"",
        ),
    ] {
        let ended = played(step_of(step), async |_, command| command.exit(0).await).await;
        assert_eq!(ended.commands, [line]);
        assert_eq!(ended.result, Results::Success, "{step}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_base_image_has_packages_of_further_mirrors() {
    let step = "type = \"DebPbuilder\"\nother_mirrors = [\"deb http://a/ x main\", \"deb http://b/ y main\"]";
    let ended = played(step_of(step), async |line, command| {
        command.exit(i64::from(line.starts_with("find "))).await;
    })
    .await;
    let create = &ended.commands[1];
    let others = " --othermirror deb http://a/ x main|deb http://b/ y main";
    assert!(
        create.starts_with("sudo /usr/sbin/pbuilder --create "),
        "{create}"
    );
    assert!(create.ends_with(others), "{create}");
}
