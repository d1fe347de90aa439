//! Tests of what public farms have and few others: hooks, containers, odd directories.

use serde_json::{Value as Json, json};

use super::super::Import;
use super::farms::{Farm, function, thing};
use super::{assert_has, config};

fn imported(farm: &Farm) -> (Import, String) {
    let import = farm.import("").expect("a good dump");
    config(&import);
    assert_eq!(import.faults, Vec::<String>::new());
    let text = import.files.values().cloned().collect();
    (import, text)
}

/// The hooks of the pages are change sources here, at the same addresses.
#[test]
fn dialects_of_hooks_become_change_sources() {
    let dialects = json!({
        "github": { "secret": "opensesame", "strict": true, "codebase": "lib", "pullrequest_ref": "merge" },
        "gitlab": true, "poller": { "allowed": ["x"] }, "gitorious": false,
        "own": { "url": "x" },
    });
    let www =
        json!({ "port": 8010, "change_hook_dialects": dialects, "change_hook_auth": [["a", "b"]] });
    let (import, text) = imported(&Farm::new().builder("one", &[]).setting("www", www));
    assert_has(
        &text,
        &[
            "type = \"ChangeHook\"\ndialect = \"github\"\ncodebase = \"lib\"\nsecret_file = \
             \"secrets/hook-github\"",
            "type = \"ChangeHook\"\ndialect = \"gitlab\"\ninsecure = true",
            "dialect = \"poller\"\ninsecure = true",
        ],
    );
    assert!(!text.contains("gitorious"), "{text}");
    let secret = import.secrets.get("hook-github").map(String::as_str);
    assert_eq!(secret, Some("opensesame"));
    assert_has(
        &import.report,
        &[
            "hooks of the dialect `own` with url",
            "`pullrequest_ref` of hooks of the dialect `github`",
            "`allowed` of hooks of the dialect `poller`",
            "hooks of the dialect `gitlab` are taken from anybody, as before",
            "`change_hook_auth` of the pages: give each `ChangeHook`",
        ],
    );
    let target = thing(
        "WebStatus",
        json!({ "http_port": 8010, "change_hook_dialects": { "base": true } }),
    );
    let (_, text) = imported(&Farm::new().builder("one", &[]).entry("status", target));
    assert_has(&text, &["dialect = \"base\"\ninsecure = true"]);
}

/// Volumes and the usual settings of a host are options of `docker run`; the others are told with
/// their values.
#[test]
fn settings_of_containers_become_options_of_docker() {
    let args = json!({
        "name": "box", "password": "sesame", "image": "i", "volumes": ["/src:/src:ro"],
        "hostconfig": {
            "network_mode": "host", "dns": ["1.1.1.1"], "privileged": true, "init": false,
            "extra_hosts": { "a": "10.0.0.1" }, "oom_score_adj": 5, "binds": { "/a": "/b" },
        },
    });
    let farm = Farm::new().entry("slaves", thing("DockerLatentWorker", args));
    let farm = farm.builder_with("one", &[], json!({ "slavenames": ["bot", "box"] }));
    let (import, text) = imported(&farm);
    assert_has(
        &text,
        &[
            "docker_args = [\"--dns=1.1.1.1\", \"--add-host=a:10.0.0.1\", \"--network=host\", \
           \"--privileged\", \"--volume=/src:/src:ro\"]",
        ],
    );
    assert_has(
        &import.report,
        &[
            "`oom_score_adj = 5` in `hostconfig` of containers",
            "`binds = {\"/a\":\"/b\"}` in `hostconfig` of containers",
        ],
    );
}

/// A directory of slaves outside of their base directories is told with what to do.
#[test]
fn absolute_directories_of_slaves_are_told() {
    let farm = Farm::new()
        .builder_with("one", &[], json!({ "slavebuilddir": "/scratch/one" }))
        .builder_with("two", &[], json!({ "slavebuilddir": "C:\\two" }))
        .builder_with("three", &[], json!({ "slavebuilddir": "other/three" }));
    let (import, text) = imported(&farm);
    assert_has(&text, &["slavebuilddir = \"other/three\""]);
    assert!(!text.contains("scratch"), "{text}");
    let told =
        "`slavebuilddir = \"/scratch/one\"` of builders: on its slaves, make `one` in the base";
    assert_has(&import.report, &[told, "C:\\two"]);
    assert!(import.is_partial);
}

/// A property of requests that names their slave, in both languages of Buildbot.
#[test]
fn buildbots_own_choice_of_slaves_is_a_property_of_requests() {
    let chosen = |name: &str, file: &str| {
        let mut function = function(name, 37);
        function["file"] = json!(file);
        json!({ "canStartBuild": function })
    };
    let buildbot = "buildbot/process/builder.py";
    let parameter = |class: &str, args: Json| json!({ "!": "object", "class": class, "custom": [], "args": args });
    let parameters = json!([
        parameter("WorkerChoiceParameter", json!({})),
        parameter("StringParameter", json!({ "name": "why" })),
    ]);
    let force = json!({ "name": "force", "builderNames": ["old"], "properties": parameters });
    let farm = Farm::new()
        .builder_with("old", &[], chosen("enforceChosenSlave", buildbot))
        .builder_with("new", &[], chosen("enforceChosenWorker", buildbot))
        .entry("schedulers", thing("ForceScheduler", force));
    let (import, text) = imported(&farm);
    assert_eq!(
        text.matches("slave_property = \"slavename\"").count(),
        2,
        "{text}"
    );
    assert_has(
        &text,
        &["{ type = \"BuildslaveChoiceParameter\", name = \"slavename\" }"],
    );
    assert_has(
        &import.report,
        &["the property `workername`, which is called `slavename`"],
    );
    assert!(!import.is_partial, "{}", import.report);
    let own = Farm::new().builder_with("old", &[], chosen("enforceChosenSlave", "mine.py"));
    let (import, _) = imported(&own);
    assert_has(&import.report, &["| enforceChosenSlave | veto |"]);
}

/// What a nightly scheduler that waits for triggers passes over is left out; what it does not know
/// is told with its value.
#[test]
fn arguments_of_nightly_schedulers_that_are_triggered_are_told() {
    let args = json!({
        "name": "night", "builderNames": ["one"], "hour": 3, "branch": "main",
        "onlyIfChanged": true, "colour": "red",
    });
    let farm = Farm::new().builder("one", &[]);
    let (import, _) = imported(&farm.entry("schedulers", thing("NightlyTriggerable", args)));
    let (missing, rest) = import
        .report
        .split_once("Left out, nothing lost")
        .expect("both parts");
    assert_has(
        missing,
        &["`colour = \"red\"` of the scheduler type `NightlyTriggerable`"],
    );
    assert_has(
        rest,
        &["`branch` of `NightlyTriggerable`", "`onlyIfChanged` of"],
    );
}

/// Buildbot 4 names a source after its port before it knows one.
#[test]
fn sources_without_a_port_are_named_by_their_class() {
    let mut source = thing("PBChangeSource", json!({}));
    source["name"] = json!("PBChangeSource:None");
    let (import, _) = imported(
        &Farm::new()
            .builder("one", &[])
            .entry("change_sources", source),
    );
    assert_has(&import.report, &["change source `PBChangeSource`"]);
}
