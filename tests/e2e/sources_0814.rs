//! Source steps under our master and under a real one of Buildbot 0.8.14: for the same
//! repositories, the same results, texts, revisions and trees.

use std::fs;

use crate::harness::real_master::{RealMaster, Version};
use crate::harness::{Master, Sandbox, Setup, Slave, step};
use crate::systems::{ALL, Step0814, System, is_installed, script};

/// Modes as a master of Buildbot 0.8.14 and ours spell them.
const MODES: [(&str, &str); 2] = [
    ("mode='incremental'", "mode = \"incremental\""),
    (
        "mode='full', method='clobber'",
        "mode = \"full\", method = \"clobber\"",
    ),
];
/// Modes of steps that use the slave's own commands.
const OLD_MODES: [&str; 4] = ["update", "copy", "clobber", "export"];
/// What follows each step: it prints the revision and the tree.
const LOOK: &str = "echo \"revision: $0\"; ls; cat text";

#[test]
fn source_steps_end_as_under_a_master_0814() {
    let sandbox = Sandbox::new();
    let mut python = PRELUDE.to_owned();
    let mut steps = Vec::new();
    for (system, theirs) in systems() {
        let dir = prepare(&sandbox, system);
        let [module, class] = theirs.class;
        python += &format!("from buildbot.steps.source.{module} import {class}\n");
        for (look, at, workdir) in trees(system) {
            let (mode, ours) = MODES[at];
            let settings = theirs.settings.replace("DIR", &dir);
            python += &source(
                &format!("{class}({settings}, {mode}, alwaysUseLatest=True"),
                &workdir,
                &look,
            );
            let own = system.step.replace("DIR", &dir);
            steps.push(format!(
                "{{ {own}, {ours}, always_use_latest = true, workdir = {workdir:?} }}"
            ));
            let words = ["sh", "-c", LOOK, "%(got_revision)s"];
            let place = format!("workdir = {workdir:?}");
            steps.push(step(&look, &words, &place));
        }
    }
    let Some(real) = RealMaster::start_with(Version::V0814, &sandbox, &[], &python) else {
        return;
    };
    let _theirs = Slave::native(&sandbox, "bot", real.port());
    real.wait_until_attached();
    let ours = Master::start(&sandbox, &Setup::new(&steps).slave("bot"));
    let _ours = Slave::native(&sandbox, "bot", ours.port());
    ours.wait_until_attached("bot");
    for port in [real.port(), ours.port()] {
        real.send_change_to(port, &sandbox);
    }

    let theirs = real.finished_build(&sandbox);
    let build = ours.finished_build("full", 0);
    assert_eq!(build.told_steps(), real.told_steps(&sandbox));
    assert_eq!(theirs.result, 0);
    for (system, _) in systems() {
        for (name, ..) in trees(system) {
            let [ours, theirs] = [ours.log("full", 0, &name), real.log(&name)].map(|log| {
                let log = String::from_utf8(log).unwrap();
                let (_, tree) = log.split_once("\ntext\n").unwrap();
                let told = system.has_one_spelling().then_some(&*log);
                told.unwrap_or(tree).to_owned()
            });
            assert_eq!(ours, theirs, "{name}");
        }
    }
}

/// A patch set is a reference of a git repository.
#[test]
fn gerrit_checks_out_a_patch_set_as_under_a_master_0814() {
    let sandbox = Sandbox::new();
    let git = ALL.iter().find(|system| system.program == "git").unwrap();
    let repo = prepare(&sandbox, git) + "/repo";
    script(
        &sandbox,
        git,
        "git -C repo update-ref refs/changes/12/112/3 side",
        &[],
    );
    let python = format!(
        "{PRELUDE}from buildbot.steps.master import SetProperty\n\
         from buildbot.steps.source.gerrit import Gerrit\n\
         factory.addStep(SetProperty(property='gerrit_change', value='112/3'))\n{}",
        source(
            &format!("Gerrit(repourl='{repo}', mode='incremental'"),
            "tree",
            "look"
        ),
    );
    let Some(real) = RealMaster::start_with(Version::V0814, &sandbox, &[], &python) else {
        return;
    };
    let _theirs = Slave::native(&sandbox, "bot", real.port());
    real.wait_until_attached();
    let steps = [
        "{ type = \"SetProperty\", property = \"gerrit_change\", value = \"112/3\" }".to_owned(),
        format!("{{ type = \"Gerrit\", repourl = {repo:?}, workdir = \"tree\" }}"),
        step(
            "look",
            &["sh", "-c", LOOK, "%(got_revision)s"],
            "workdir = \"tree\"",
        ),
    ];
    let ours = Master::start(&sandbox, &Setup::new(&steps).slave("bot"));
    let _ours = Slave::native(&sandbox, "bot", ours.port());
    ours.wait_until_attached("bot");
    for port in [real.port(), ours.port()] {
        real.send_change_to(port, &sandbox);
    }

    assert_eq!(real.finished_build(&sandbox).result, 0);
    let build = ours.finished_build("full", 0);
    assert_eq!(build.told_steps(), real.told_steps(&sandbox));
    let look = String::from_utf8(ours.log("full", 0, "look")).unwrap();
    assert!(look.ends_with("text\nside\n"), "{look}");
    assert_eq!(look, String::from_utf8(real.log("look")).unwrap());
}

#[test]
fn native_slave_gets_sources_by_itself_for_a_master_0814() {
    let sandbox = Sandbox::new();
    let mut python = PRELUDE.to_owned() + "from buildbot.steps.source import oldsource\n";
    let mut looks = Vec::new();
    for (system, theirs) in systems().filter(|(system, _)| system.has_slave_side) {
        let dir = prepare(&sandbox, system);
        let settings = theirs.slave_side.replace("DIR", &dir);
        // Buildbot has no such mode for Darcs.
        let modes = OLD_MODES.iter();
        for mode in modes.filter(|mode| **mode != "export" || system.program != "darcs") {
            let workdir = format!("{}-{mode}", system.program);
            let class = format!(
                "oldsource.{}({settings}, mode='{mode}', alwaysUseLatest=True",
                theirs.class[1]
            );
            let look = format!("look-{workdir}");
            python += &source(&class, &workdir, &look);
            looks.push(look);
        }
    }
    let Some(real) = RealMaster::start_with(Version::V0814, &sandbox, &[], &python) else {
        return;
    };
    let _slave = Slave::native(&sandbox, "bot", real.port());
    real.wait_until_attached();
    real.send_change_to(real.port(), &sandbox);

    let build = real.finished_build(&sandbox);
    assert_eq!(build.result, 0, "{build:?}");
    assert_eq!(build.steps.len(), 2 * looks.len());
    for look in looks {
        let log = String::from_utf8(real.log(&look)).unwrap();
        assert!(log.ends_with("text\n1\n"), "{look}: {log}");
        // The context of Darcs begins with an empty line.
        let has_context = log.contains("\nContext:\n");
        let is_empty = log.starts_with("revision: \n") && !has_context;
        assert!(!is_empty, "{look}: {log}");
    }
}

const PRELUDE: &str = "from buildbot.process.properties import WithProperties\n";

/// The systems that are here, with what Buildbot 0.8.14 has for them.
fn systems() -> impl Iterator<Item = (&'static System, &'static Step0814)> {
    let all = ALL.iter().filter(|system| is_installed(system.program));
    all.filter_map(|system| Some((system, system.step_0814.as_ref()?)))
}

/// The names of the steps that look at the trees of a system, with their modes and directories.
fn trees(system: &System) -> [(String, usize, String); 2] {
    // Today's darcs refuses to make a tree in the directory that the slave has made for the command
    // before it, so the step of Buildbot cannot begin with an update.
    let order = match system.program {
        "darcs" => [(1, 0), (0, 0)],
        _ => [(0, 0), (1, 1)],
    };
    order.map(|(mode, tree)| {
        let name = system.program;
        (
            format!("look-{name}-{mode}"),
            mode,
            format!("{name}-{tree}"),
        )
    })
}

/// Makes a repository with two commits, and answers with its directory.
fn prepare(sandbox: &Sandbox, system: &System) -> String {
    let dir = sandbox.path(system.program);
    fs::create_dir(&dir).unwrap();
    script(sandbox, system, system.setup, &[]);
    script(sandbox, system, system.commit, &[("N", "1")]);
    dir.to_str().unwrap().to_owned()
}

/// A source step in Python, without the end of its settings, and a step that looks at its tree.
fn source(step: &str, workdir: &str, look: &str) -> String {
    format!(
        "factory.addStep({step}, workdir='{workdir}'))\n\
         factory.addStep(ShellCommand(name='{look}', workdir='{workdir}', \
         command=['sh', '-c', {LOOK:?}, WithProperties('%(got_revision)s')]))\n"
    )
}
