//! Source steps under our master and under a real one of Buildbot 0.8.14: for the same
//! repositories, the same results, texts, revisions and trees.

use std::fs;

use crate::harness::real_master::{RealMaster, Version};
use crate::harness::{Master, Sandbox, Setup, Slave, step};
use crate::sources::{ALL, Step0814, System, is_installed, script};

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
        for (at, (mode, ours)) in MODES.iter().enumerate() {
            let workdir = format!("{}-{at}", system.program);
            let settings = theirs.settings.replace("DIR", &dir);
            python += &source(
                &format!("{class}({settings}, {mode}, alwaysUseLatest=True"),
                &workdir,
            );
            let own = system.step.replace("DIR", &dir);
            steps.push(format!(
                "{{ {own}, {ours}, always_use_latest = true, workdir = {workdir:?} }}"
            ));
            let words = ["sh", "-c", LOOK, "%(got_revision)s"];
            let place = format!("workdir = {workdir:?}");
            steps.push(step(&format!("look-{workdir}"), &words, &place));
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
    for (name, _) in theirs.steps {
        if name.starts_with("look") {
            // CVS has the time as its revision.
            let skipped = usize::from(name.contains("cvs"));
            let [ours, theirs] = [ours.log("full", 0, &name), real.log(&name)].map(|log| {
                let log = String::from_utf8(log).unwrap();
                log.lines()
                    .skip(skipped)
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            });
            assert_eq!(ours, theirs, "{name}");
        }
    }
}

#[test]
fn native_slave_gets_sources_by_itself_for_a_master_0814() {
    let sandbox = Sandbox::new();
    let mut python = PRELUDE.to_owned() + "from buildbot.steps.source import oldsource\n";
    let mut looks = Vec::new();
    for (system, theirs) in systems().filter(|(system, _)| system.has_slave_side) {
        let dir = prepare(&sandbox, system);
        let settings = theirs.slave_side.replace("DIR", &dir);
        for mode in OLD_MODES {
            let workdir = format!("{}-{mode}", system.program);
            let class = format!(
                "oldsource.{}({settings}, mode='{mode}', alwaysUseLatest=True",
                theirs.class[1]
            );
            python += &source(&class, &workdir);
            looks.push(format!("look-{workdir}"));
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
        assert!(!log.starts_with("revision: \n"), "{look}: {log}");
    }
}

const PRELUDE: &str = "from buildbot.process.properties import WithProperties\n";

/// The systems that are here, with what Buildbot 0.8.14 has for them.
fn systems() -> impl Iterator<Item = (&'static System, &'static Step0814)> {
    let all = ALL.iter().filter(|system| is_installed(system.program));
    all.filter_map(|system| Some((system, system.step_0814.as_ref()?)))
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
fn source(step: &str, workdir: &str) -> String {
    format!(
        "factory.addStep({step}, workdir='{workdir}'))\n\
         factory.addStep(ShellCommand(name='look-{workdir}', workdir='{workdir}', \
         command=['sh', '-c', {LOOK:?}, WithProperties('%(got_revision)s')]))\n"
    )
}
