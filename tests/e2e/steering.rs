//! Steps that steer builds: they end others that are needless, or add further steps to their own.

use std::fs;

use crate::harness::{Kind, Master, Sandbox, Setup, Slave, run, shell};

#[test]
fn a_step_ends_older_builds_and_requests_with_the_same_property() {
    let sandbox = Sandbox::new();
    let gate = sandbox.gate("gate");
    let newer = "[factories.newer]\nsteps = [{ type = \"CancelRelatedBuilds\", builders = [\"fu*\"], \
                 same_properties = [\"flavour\"], stop_running = true, reason = \"newer %(prop:flavour)s\" }]\n\
                 [[builders]]\nname = \"newer\"\nslaves = [\"here\"]\nfactory = \"newer\"\n";
    let setup = Setup::new(&[shell("wait", &gate.command(), "")])
        .local_slave("here")
        .builder("full", "")
        .tables(newer);
    let master = Master::start(&sandbox, &setup);
    let force = |builder: &str, flavour: &str| {
        let mut command = sandbox.buildmaster();
        command.args(["force", builder, "--property"]);
        command.arg(format!("flavour={flavour}")).arg("--basedir");
        run(command.arg(master.dir())).ok();
    };
    force("full", "a");
    gate.wait_until_reached(1);
    // Of these two, only the first is like the newer build.
    force("full", "a");
    force("full", "b");

    force("newer", "a");

    let ending = master.finished_build("newer", 0);
    assert_eq!(ending.result.as_deref(), Some("success"));
    let text = ending.steps[0].text.join(" ");
    assert!(
        text.contains("1 cancelled") && text.contains("1 stopped"),
        "{text}"
    );
    let log = "builders/newer/0/0-CancelRelatedBuilds.stdio.log";
    let log = fs::read_to_string(master.dir().join(log)).unwrap();
    assert!(
        log.contains("of full: cancelled\nbuild full/0: stopped\n"),
        "{log}"
    );
    let stopped = master.finished_build("full", 0);
    assert_eq!(stopped.result.as_deref(), Some("exception"));
    gate.wait_until_reached(2);
    gate.open();
    let other = master.finished_build("full", 1);
    assert_eq!(other.result.as_deref(), Some("success"));
    let shown: serde_json::Value = master.show(&["build", "full", "1"]).remove(0);
    let flavours = shown["properties"].to_string();
    assert!(
        flavours.contains("\"b\"") && !flavours.contains("\"a\""),
        "{flavours}"
    );
    assert!(master.build("full", 2).is_none());
}

#[test]
fn steps_come_from_the_tree_and_from_a_command_on_every_slave() {
    let sandbox = Sandbox::new();
    let file = "printf '[[steps]]\\ntype = \"ShellCommand\"\\nname = \"first\"\\ncommand = \"echo one\"\\n\
                [[steps]]\\ntype = \"Test\"\\nname = \"second\"\\ncommand = \"exit 0\"\\n' >ci.toml";
    let line =
        "echo 'steps = [{ type = \"ShellCommand\", name = \"third\", command = \"echo three\" }]'";
    let steps = [
        shell("prepare", file, ""),
        "{ type = \"StepsFrom\", name = \"file\", file = \"ci.toml\" }".to_owned(),
        format!("{{ type = \"StepsFrom\", name = \"command\", command = {line:?} }}"),
        "{ type = \"StepsFrom\", name = \"many\", file = \"ci.toml\", max_steps = 1, \
         flunk_on_failure = false, halt_on_failure = false }"
            .to_owned(),
        shell("last", "true", ""),
    ];
    let master = Master::start(&sandbox, &Setup::new(&steps).slave("bot"));
    let mut number = 0;
    for kind in [Kind::Native, Kind::Slave0814, Kind::Worker430] {
        let Some(slave) = Slave::start(kind, &sandbox, "bot", master.port()) else {
            continue;
        };
        master.wait_until_attached("bot");
        master.send_change(&format!("r{number}"));
        let build = master.finished_build("full", number);
        let names: Vec<_> = build.ran().into_iter().map(|(name, _)| name).collect();
        let expected = [
            "prepare", "file", "first", "second", "command", "third", "many", "last",
        ];
        assert_eq!(names, expected, "{kind:?}");
        assert_eq!(build.result.as_deref(), Some("success"), "{kind:?}");
        let many = build.steps.iter().find(|step| step.name == "many").unwrap();
        assert_ne!(many.result.as_deref(), Some("success"), "{kind:?}");
        assert_eq!(master.log("full", number, "third"), b"three\n");
        drop(slave);
        master.wait_until_detached("bot");
        number += 1;
    }
    assert!(number > 0, "no slave ran");
}
