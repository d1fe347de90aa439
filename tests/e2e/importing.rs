//! Moving over from a real Buildbot: its configuration.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::harness::{Sandbox, peer, run};

/// A configuration of Buildbot 0.8 with things of each kind.
const OLD: &str = r"
from buildbot.buildslave import BuildSlave
from buildbot.config import BuilderConfig
from buildbot.changes.pb import PBChangeSource
from buildbot.changes.filter import ChangeFilter
from buildbot.locks import SlaveLock
from buildbot.process.factory import BuildFactory
from buildbot.process.properties import Interpolate, Property, WithProperties, renderer
from buildbot.schedulers.basic import SingleBranchScheduler
from buildbot.schedulers.forcesched import ForceScheduler
from buildbot.schedulers.timed import Nightly
from buildbot.schedulers.triggerable import Triggerable
from buildbot.steps.master import MasterShellCommand
from buildbot.steps.shell import Compile, SetPropertyFromCommand, ShellCommand
from buildbot.steps.source.git import Git
from buildbot.steps.transfer import FileUpload, StringDownload
from buildbot.steps.trigger import Trigger

class Quiet(ShellCommand):
    haltOnFailure = True
    def __init__(self, target, **kw):
        ShellCommand.__init__(self, command=['make', target], **kw)

class Formed(ShellCommand):
    command = ['make', WithProperties('-j%(cpus)s')]

class Judged(ShellCommand):
    def evaluateCommand(self, cmd):
        return 0

@renderer
def jobs(props):
    return 3

def wanted(word):
    return lambda step: step.getProperty('what') == word

disk = SlaveLock('disk', maxCount=2)
f = BuildFactory()
f.addStep(Git(repourl='git://example.org/x', mode='full', method='clobber'))
f.addStep(Quiet('all', env={'CC': WithProperties('%(cc)s'), 'PATH': ['/a', '${PATH}']}))
f.addStep(Formed())
f.addStep(Judged(command=['true']))
f.addStep(Compile(command=['make', '-j', jobs, Property('x', default='y')]))
f.addStep(ShellCommand(command='date +%s', doStepIf=wanted('date'), locks=[disk.access('counting')]))
f.addStep(SetPropertyFromCommand(command=['id'], property='id'))
f.addStep(FileUpload(slavesrc='a', masterdest=Interpolate('up/%(prop:id)s')))
f.addStep(StringDownload('text', slavedest='b', mode=0644))
f.addStep(Trigger(schedulerNames=['later'], waitForFinish=True))
f.addStep(MasterShellCommand('echo done'))
c = BuildmasterConfig = {}
c['slaves'] = [BuildSlave('bot', 'sesame-1', max_builds=2), BuildSlave('tob', 'sesame-2')]
c['builders'] = [
    BuilderConfig(name='one/two', slavenames=['bot', 'tob'], factory=f, tags=['fast']),
    {'name': 'old', 'slavename': 'bot', 'builddir': 'deep/old', 'factory': f},
]
c['schedulers'] = [
    SingleBranchScheduler('main', change_filter=ChangeFilter(branch='master'),
                          treeStableTimer=60, builderNames=['one/two']),
    Triggerable('later', builderNames=['old']),
    Nightly('night', builderNames=['old'], hour=[3], branch='master'),
    ForceScheduler('force', builderNames=['old']),
]
c['change_source'] = PBChangeSource(user='alice', passwd='sesame-3')
c['status'] = []
c['slavePortnum'] = 9989
c['title'] = 'Widget'
";

/// A configuration of Buildbot 0.9 and later.
const NEW: &str = r"
from buildbot.plugins import changes, schedulers, steps, util, worker

@util.renderer
def jobs(props):
    return 3

f = util.BuildFactory([
    steps.Git(repourl='git://example.org/x', mode='full'),
    steps.Compile(command=['make', util.Interpolate('-j%(prop:n:-2)s')]),
    steps.ShellCommand(command=['make', jobs], doStepIf=lambda step: True),
    steps.ShellSequence(commands=[util.ShellArg(command=['a'], logname='x')]),
    steps.SetProperties(properties={'a': 'b'}),
    steps.Trigger(schedulerNames=['later']),
])
c = BuildmasterConfig = {}
c['workers'] = [worker.Worker('bot', 'sesame-1', max_builds=2), worker.LocalWorker('here')]
c['builders'] = [
    util.BuilderConfig(name='one/two', workernames=['bot'], factory=f, tags=['fast'],
                       locks=[util.MasterLock('m').access('exclusive')], collapseRequests=False),
]
c['schedulers'] = [
    schedulers.SingleBranchScheduler('main', change_filter=util.ChangeFilter(branch='master'),
                                     treeStableTimer=60, builderNames=['one/two']),
    schedulers.Triggerable('later', builderNames=['one/two']),
]
c['change_source'] = [changes.GitPoller('git://example.org/x', branches=['main'])]
c['protocols'] = {'pb': {'port': 9989}}
c['title'] = 'Widget'
";

/// Prints the script, has the Python of `name` run it on `config`, which has `counts`, and imports
/// the dump; the text of the configuration.
fn carry_over(sandbox: &Sandbox, python: &Path, config: &Path, counts: &str) -> String {
    let script = run(sandbox
        .buildmaster()
        .args(["import-config", "--print-script"]))
    .ok();
    let script = sandbox.file("dump.py", script);
    let dumps = ["farm.json", "again.json"].map(|name| {
        let dump = sandbox.path(name);
        let mut command = sandbox.command(python);
        // Some versions warn of modules of their own.
        command.env("PYTHONWARNINGS", "ignore");
        let said = run(command.arg(&script).arg("--out").arg(&dump).arg(config)).fails_with(0);
        let last = said.lines().last().unwrap();
        let end = format!("farm (mode 0600): {counts}");
        assert!(last.ends_with(&end), "{said}");
        let mode = fs::metadata(&dump).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        dump
    });
    let [dump, again] = dumps.each_ref().map(|dump| fs::read(dump).unwrap());
    assert_eq!(dump, again, "twice the same bytes");
    let [dump, _] = dumps;
    let out = sandbox.path("ci");
    let mut import = sandbox.buildmaster();
    let said = run(import
        .arg("import-config")
        .arg(&dump)
        .arg("--out")
        .arg(&out));
    said.fails_with(1);
    let mut check = sandbox.buildmaster();
    run(check
        .args(["checkconfig", "--file-only"])
        .arg(out.join("master.toml")))
    .ok();
    let mut again = sandbox.buildmaster();
    let refused = run(again.arg("import-config").arg(&dump).arg("--out").arg(&out)).fails_with(2);
    assert!(refused.contains("--force"), "{refused}");
    ["slaves.toml", "master.toml"]
        .map(|name| fs::read_to_string(out.join(name)).unwrap())
        .concat()
}

/// IMP-01, IMP-02, IMP-05, IMP-06, IMP-10 to IMP-13.
#[test]
fn a_farm_of_buildbot_0814_is_carried_over() {
    let Some(bin) = peer("bb0814") else { return };
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("old")).unwrap();
    let config = sandbox.file("old/master.cfg", OLD);
    let counts = "2 slaves, 2 builders, 1 factories, 11 steps (22 as run), 4 schedulers";
    let text = carry_over(&sandbox, &bin.join("python"), &config, counts);
    for expected in [
        "method = \"clobber\", mode = \"full\", repourl = \"git://example.org/x\"",
        "command = [\"make\", \"all\"], env = { CC = \"%(cc)s\", PATH = [\"/a\", \"${PATH}\"] }, halt_on_failure = true",
        "[\"import-question\", \"Judged\"], do_step_if = false",
        "[\"import-question\", \"jobs\"], do_step_if = false",
        "masterdest = \"up/%(prop:id)s\"",
        "command = [\"make\", \"-j%(cpus)s\"]",
        "mode = 0o644",
        "builddir = \"deep/old\"",
        "password_file = \"secrets/slave-bot\"",
    ] {
        assert!(text.contains(expected), "{expected} in\n{text}");
    }
    assert!(!text.contains("sesame"), "{text}");
    let secret = fs::read_to_string(sandbox.path("ci/secrets/slave-bot")).unwrap();
    assert_eq!(secret, "sesame-1");
}

#[test]
fn a_farm_of_buildbot_09_is_carried_over() {
    a_new_farm_is_carried_over("bb0915");
}

#[test]
fn a_farm_of_buildbot_210_is_carried_over() {
    a_new_farm_is_carried_over("bb210");
}

#[test]
fn a_farm_of_buildbot_43_is_carried_over() {
    a_new_farm_is_carried_over("bb43");
}

/// IMP-01, IMP-05, IMP-06: the same for 0.9 and later.
fn a_new_farm_is_carried_over(name: &str) {
    let Some(bin) = peer(name) else { return };
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("old")).unwrap();
    let config = sandbox.file("old/master.cfg", NEW);
    let counts = "2 slaves, 1 builders, 1 factories, 6 steps (6 as run), 2 schedulers";
    let text = carry_over(&sandbox, &bin.join("python"), &config, counts);
    for expected in [
        "command = [\"make\", \"-j%(prop:n:-2)s\"]",
        "type = \"ShellSequence\"",
        "type = \"local\"",
        "merge_requests = false",
        "locks = [{ name = \"m\", mode = \"exclusive\" }]",
        "branches = [\"main\"]",
    ] {
        assert!(text.contains(expected), "{expected} in\n{text}");
    }
}

/// Has the rest of its arguments run as a Python script that may make no socket.
const GUARD: &str = r#"
import os, runpy, socket, ssl, sys

class Refused(socket.socket):
    def __init__(self, *args, **kw):
        os.write(2, b"a socket was made\n")
        os._exit(9)

socket.socket = Refused
sys.argv.pop(0)
runpy.run_path(sys.argv[0], run_name="__main__")
"#;

/// What makes the script stumble: a step that cannot be made, objects that answer to every name,
/// texts that only warn.
const STUMBLES: &str = r#"
from buildbot.steps.master import SetProperty
class Willing(object):
    def __getattr__(self, name):
        if name.startswith('__'):
            raise AttributeError(name)
        return Willing()
    __getitem__ = __getattr__
f.addStep(SetProperty())
c['willing'] = Willing()
c['escape'] = "\d"
"#;

/// The script as a file, and a command that has the Python of a peer run it on `config`.
fn script_run(sandbox: &Sandbox, python: &Path, before: &[&Path], config: &Path) -> Command {
    let script = run(sandbox
        .buildmaster()
        .args(["import-config", "--print-script"]))
    .ok();
    assert!(script.lines().count() < 400);
    let script = sandbox.file("dump.py", script);
    let mut command = sandbox.command(python);
    command.args(before).arg(script);
    command
        .arg("--out")
        .arg(sandbox.path("farm.json"))
        .arg(config);
    command
}

/// IMP-02, IMP-04: it makes no socket, and a step that cannot be made does not end it.
fn stumbles(name: &str, farm: &str) {
    let Some(bin) = peer(name) else { return };
    let sandbox = Sandbox::new();
    let python = bin.join("python");
    let guard = sandbox.file("guard.py", GUARD);
    let config = sandbox.file("master.cfg", format!("{farm}{STUMBLES}"));
    run(&mut script_run(&sandbox, &python, &[&guard], &config)).ok();
    let mut import = sandbox.buildmaster();
    let import = import.arg("import-config").arg(sandbox.path("farm.json"));
    run(import.arg("--out").arg(sandbox.path("ci"))).fails_with(1);
    let text = fs::read_to_string(sandbox.path("ci/master.toml")).unwrap();
    assert!(text.contains("\"import-error\""), "{text}");
    let report = fs::read_to_string(sandbox.path("ci/import-report.md")).unwrap();
    assert!(
        report.contains("a step that Buildbot could not make: TypeError"),
        "{report}"
    );
    let asks = sandbox.file(
        "asks.cfg",
        format!("{farm}\nimport socket\nsocket.socket()\n"),
    );
    run(&mut script_run(&sandbox, &python, &[&guard], &asks)).fails_with(9);
}

#[test]
fn the_script_stumbles_over_nothing_of_0814() {
    stumbles("bb0814", &format!("print 'old Python'\n{OLD}"));
}

#[test]
fn the_script_stumbles_over_nothing_of_09() {
    stumbles("bb0915", NEW);
}

#[test]
fn the_script_stumbles_over_nothing_of_210() {
    stumbles("bb210", NEW);
}

#[test]
fn the_script_stumbles_over_nothing_of_43() {
    stumbles("bb43", NEW);
}

/// IMP-03: a module that is not there.
#[test]
fn a_missing_module_is_named_with_the_option() {
    let Some(bin) = peer("bb0814") else { return };
    let sandbox = Sandbox::new();
    let config = sandbox.file(
        "master.cfg",
        format!("import nosuch.below\nnosuch.x(1)\n{USES}\n{OLD}"),
    );
    let dump = || script_run(&sandbox, &bin.join("python"), &[], &config);
    let refused = run(&mut dump()).fails_with(1);
    assert!(refused.contains("--stub nosuch"), "{refused}");
    run(dump().args(["--stub", "nosuch"])).ok();
    let below = ["--stub", "nosuch.below", "--stub", "nosuch.names"];
    run(dump().args(below)).ok();
}

/// What configurations do with what they import.
const USES: &str = r#"
from nosuch.names import *
from nosuch.names import words, host
for word in words:
    raise ValueError(word)
assert len(words["a"].all("b")) == 0
BASE = "http://%s/" % host(1)
assert "0x" not in BASE
"#;

/// Services without a constructor of their own, and objects that Buildbot calls.
const CALLED: &str = r#"
from buildbot.plugins import reporters
class Exists(object):
    def __init__(self, path):
        self.path = path
    def __call__(self, step):
        return True
f.addStep(steps.ShellCommand(command=['a'], doStepIf=Exists('Makefile')))
f.addStep(steps.ShellCommand(command=['b'], doStepIf=util.Property('os') == 'mac'))
c['services'] = [reporters.IRC('irc.example.org', 'builds', channels=['#widget'])]
"#;

#[test]
fn services_and_objects_that_are_called_are_in_the_dump() {
    let Some(bin) = peer("bb43") else { return };
    let sandbox = Sandbox::new();
    let config = sandbox.file("master.cfg", format!("{NEW}{CALLED}"));
    run(&mut script_run(&sandbox, &bin.join("python"), &[], &config)).ok();
    let mut import = sandbox.buildmaster();
    let import = import.arg("import-config").arg(sandbox.path("farm.json"));
    run(import.arg("--out").arg(sandbox.path("ci"))).fails_with(1);
    let read = |name: &str| fs::read_to_string(sandbox.path("ci").join(name)).unwrap();
    let (text, answers) = (read("master.toml"), read("answers.toml"));
    for expected in [
        "channels = [\"#widget\"]",
        "do_step_if = \"prop['os'] == 'mac'\"",
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    for expected in ["id = \"Exists\"", "path = \"Makefile\""] {
        assert!(answers.contains(expected), "{expected} in {answers}");
    }
}

/// IMP-22: a step class with a constructor of its own, in Python that both Buildbots have.
const CLASS: &str = r"
from buildbot.process.buildstep import BuildStep
class Made(BuildStep):
    def __init__(self, target, jobs=2, **kw):
        BuildStep.__init__(self, **kw)
        self.target = target
    def getResultSummary(self):
        return {}
f.addStep(Made('all', name='make all', haltOnFailure=True))
f.addStep(Made(target='docs', jobs=3, name='make docs'))
";

/// Imports a farm with two steps of a step class, and answers the question of the class.
fn a_step_class_becomes_a_bundle(name: &str, farm: &str) {
    let Some(bin) = peer(name) else { return };
    let sandbox = Sandbox::new();
    let config = sandbox.file("master.cfg", format!("{farm}{CLASS}"));
    run(&mut script_run(&sandbox, &bin.join("python"), &[], &config)).ok();
    let ci = sandbox.path("ci");
    let import = |more: &[&str]| {
        let mut import = sandbox.buildmaster();
        let import = import.arg("import-config").arg(sandbox.path("farm.json"));
        run(import.arg("--out").arg(&ci).args(more))
    };
    import(&[]).fails_with(1);
    let answers = fs::read_to_string(ci.join("answers.toml")).unwrap();
    let (before, rest) = answers.split_once("id = \"Made\"").unwrap();
    let answer = "{ type = \"ShellCommand\", command = [\"make\", \"-j{{ jobs | default(2) }}\", \
                  \"{{ target }}\"] }";
    let rest = rest.replacen("answer = \"\"", &format!("answer = {answer}"), 1);
    fs::write(
        ci.join("answers.toml"),
        format!("{before}id = \"Made\"{rest}"),
    )
    .unwrap();
    import(&["--force"]).fails_with(1);
    let text = fs::read_to_string(ci.join("master.toml")).unwrap();
    assert_eq!(text.matches("[defaults.Made]").count(), 1, "{text}");
    assert_eq!(text.matches("extends = \"Made\"").count(), 2, "{text}");
    let mut expand = sandbox.buildmaster();
    let plain = run(expand
        .args(["checkconfig", "--file-only", "--expand"])
        .arg(&ci))
    .ok();
    for expected in [
        r#"{ type = "ShellCommand", name = "make all", command = ["make", "-j2", "all"], "#,
        r#"{ type = "ShellCommand", name = "make docs", command = ["make", "-j3", "docs"]"#,
    ] {
        assert!(plain.contains(expected), "{expected} in\n{plain}");
    }
}

#[test]
fn imp_22_a_step_class_of_0814_becomes_a_bundle() {
    a_step_class_becomes_a_bundle("bb0814", OLD);
}

#[test]
fn imp_22_a_step_class_of_43_becomes_a_bundle() {
    a_step_class_becomes_a_bundle("bb43", NEW);
}
