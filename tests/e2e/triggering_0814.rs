//! `Trigger` under a real master of Buildbot 0.8.14 and under ours: texts, results, links, and
//! what the triggered builds get.

use serde_json::{Value, json};

use crate::harness::real_master::{RealMaster, Version};
use crate::harness::{Kind, Master, Sandbox, Setup, Slave, run, wait_until};

/// Steps as a master of Buildbot 0.8.14 and ours spell them.
const STEPS: [(&str, &str); 6] = [
    (
        "schedulerNames=['unit'], waitForFinish=True, set_properties={'flavour': 'debug', 'n': 4}, copy_properties=['kind']",
        "schedulers = [\"unit\"], wait_for_finish = true, set_properties = { flavour = \"debug\", n = 4 }, copy_properties = [\"kind\"]",
    ),
    (
        "schedulerNames=['unit', 'bad'], waitForFinish=True, flunkOnFailure=False",
        "schedulers = [\"unit\", \"bad\"], wait_for_finish = true, flunk_on_failure = false",
    ),
    (
        "schedulerNames=['unit'], waitForFinish=True, updateSourceStamp=False",
        "schedulers = [\"unit\"], wait_for_finish = true, update_source_stamp = false",
    ),
    (
        "schedulerNames=['unit'], waitForFinish=True, alwaysUseLatest=True",
        "schedulers = [\"unit\"], wait_for_finish = true, always_use_latest = true",
    ),
    (
        "schedulerNames=['unit'], waitForFinish=True, sourceStamp={'codebase': '', 'branch': 'b', 'revision': 'r7', 'repository': 'repo', 'project': 'p'}",
        "schedulers = [\"unit\"], wait_for_finish = true, source_stamp = { branch = \"b\", revision = \"r7\", repository = \"repo\", project = \"p\" }",
    ),
    (
        "schedulerNames=['nosuch'], flunkOnFailure=False",
        "schedulers = [\"%(prop:none:-nosuch)s\"], flunk_on_failure = false",
    ),
];

/// How many builds of each builder the steps make.
const CHILDREN: [(&str, usize); 2] = [("one", 5), ("two", 1)];

/// The properties of the triggered builds that are compared.
const PROPERTIES: [&str; 9] = [
    "flavour",
    "n",
    "kind",
    "unit",
    "scheduler",
    "branch",
    "revision",
    "repository",
    "project",
];

fn python() -> String {
    let mut python = String::from(
        "from buildbot.schedulers.triggerable import Triggerable\n\
         from buildbot.steps.master import SetProperty\n\
         from buildbot.steps.trigger import Trigger\n\
         factory.addStep(SetProperty('kind', 'nightly'))\n\
         factory.addStep(SetProperty('got_revision', 'built'))\n",
    );
    for (at, (step, _)) in STEPS.iter().enumerate() {
        python += &format!("factory.addStep(Trigger(name='t{at}', {step}))\n");
    }
    for (builder, line) in [("one", "exit 0"), ("two", "exit 1")] {
        python += &format!(
            "child = BuildFactory()\n\
             child.addStep(ShellCommand(name='work', command=['sh', '-c', '{line}']))\n\
             c['builders'].append(BuilderConfig(name='{builder}', slavenames=['bot'], factory=child))\n"
        );
    }
    python += "c['schedulers'].append(Triggerable(name='unit', builderNames=['one'], properties={'unit': 1}))\n\
               c['schedulers'].append(Triggerable(name='bad', builderNames=['two']))\n";
    python
}

/// Prints the builds of a builder of 0.8 in the form of [`ours`], a line each.
const TELL: &str = "
import json, os, pickle, sys
names = sys.argv[2:]
for number in sorted(int(name) for name in os.listdir(sys.argv[1]) if name.isdigit()):
    build = pickle.load(open(os.path.join(sys.argv[1], str(number)), 'rb'))
    found = build.properties.properties
    print json.dumps({
        'result': ['success', 'warnings', 'failure', 'skipped', 'exception'][build.results],
        'properties': dict((n, list(found[n][:2])) for n in names if n in found),
        'steps': [[
            s.name, ' '.join(s.text),
            ['success', 'warnings', 'failure', 'skipped', 'exception'][s.results],
            sorted([n, u] for n, u in s.urls.items()),
        ] for s in build.steps if s.results is not None],
    })
";

fn theirs(real: &RealMaster, sandbox: &Sandbox, builder: &str) -> Vec<Value> {
    let mut python = sandbox.command(real.bin().join("python"));
    python.args(["-c", TELL]).arg(real.dir().join(builder));
    let told = run(python.args(PROPERTIES)).ok();
    told.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn ours(master: &Master<'_>, builder: &str, count: usize) -> Vec<Value> {
    let build = |number: usize| {
        let number = number.to_string();
        let build: Value = master.show(&["build", builder, &number]).remove(0);
        let properties = build["properties"].as_object().unwrap().iter();
        let properties: serde_json::Map<_, _> = properties
            .filter(|(name, _)| PROPERTIES.contains(&name.as_str()))
            .map(|(name, property)| (name.clone(), json!([property["value"], property["source"]])))
            .collect();
        let steps = build["steps"].as_array().unwrap().iter().map(|step| {
            let words = step["text"].as_array().unwrap().iter();
            let words: Vec<_> = words.map(|word| word.as_str().unwrap()).collect();
            let links = step["links"].as_array().unwrap().iter();
            let mut links: Vec<_> = links
                .map(|link| [&link["name"], &link["url"]].map(|text| text.as_str().unwrap()))
                .collect();
            links.sort_unstable();
            json!([step["name"], words.join(" "), step["result"], links])
        });
        json!({
            "result": build["result"],
            "properties": properties,
            "steps": steps.collect::<Vec<_>>(),
        })
    };
    (0..count).map(build).collect()
}

#[test]
fn a_trigger_does_what_it_does_under_a_master_0814() {
    let sandbox = Sandbox::new();
    let Some(real) = RealMaster::start_with(Version::V0814, &sandbox, &[], &python()) else {
        return;
    };
    let _theirs = Slave::start(Kind::Native, &sandbox, "bot", real.port());
    real.wait_until_attached();
    let set = |name: &str, value: &str| {
        format!("{{ type = \"SetProperty\", property = {name:?}, value = {value:?} }}")
    };
    let mut steps = vec![set("kind", "nightly"), set("got_revision", "built")];
    let triggers = STEPS.iter().enumerate();
    steps.extend(
        triggers
            .map(|(at, (_, step))| format!("{{ type = \"Trigger\", name = \"t{at}\", {step} }}")),
    );
    let child = |name: &str, line: &str| {
        format!(
            "[factories.{name}]\nsteps = [{{ type = \"ShellCommand\", name = \"work\", command = [\"sh\", \"-c\", {line:?}] }}]\n\
             [[builders]]\nname = {name:?}\nslaves = [\"bot\"]\nfactory = {name:?}\n"
        )
    };
    let setup = Setup::new(&steps)
        .slave("bot")
        .builder("full", "")
        .tables(&(child("one", "exit 0") + &child("two", "exit 1")));
    let setup = setup.schedulers(
        "[[schedulers]]\ntype = \"Scheduler\"\nname = \"quick\"\nbuilders = [\"full\"]\n\
         [[schedulers]]\ntype = \"Triggerable\"\nname = \"unit\"\nbuilders = [\"one\"]\nproperties = { unit = 1 }\n\
         [[schedulers]]\ntype = \"Triggerable\"\nname = \"bad\"\nbuilders = [\"two\"]\n",
    );
    let master = Master::start(&sandbox, &setup);
    let _ours = Slave::native(&sandbox, "bot", master.port());
    master.wait_until_attached("bot");
    run(sandbox
        .command(real.bin().join("buildbot"))
        .args([
            "sendchange",
            "--who",
            "alice",
            "--auth",
            "change:changepw",
            "--revision",
            "r1",
        ])
        .args([
            "--master",
            &format!("127.0.0.1:{}", real.port()),
            "src/main.c",
        ]))
    .ok();
    master.send_change("r1");
    real.finished_build(&sandbox);
    master.finished_build("full", 0);

    assert_eq!(ours(&master, "full", 1), theirs(&real, &sandbox, "full"));
    for (builder, count) in CHILDREN {
        let written = || theirs(&real, &sandbox, builder);
        wait_until("the builds of a real master", || written().len() == count);
        let mut expected = written();
        for build in &mut expected[..count.min(2)] {
            // When Buildbot starts a build, it replaces the revision that the parent has built
            // with the revision of the newest change. SST-07 keeps it.
            let revision = &mut build["properties"]["revision"][0];
            assert_eq!(*revision, "r1", "{builder}");
            *revision = "built".into();
        }
        assert_eq!(ours(&master, builder, count), expected, "{builder}");
    }
}
