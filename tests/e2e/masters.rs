//! The native slave under real Buildbot masters, with builds from their own `sendchange`.

use crate::harness::real_master::{RealBuild, RealMaster, RealStep, Version};
use crate::harness::{Kind, Sandbox, Slave, run};

#[test]
fn native_slave_builds_for_a_master_0814() {
    native_slave_builds_for(Version::V0814);
}

#[test]
fn native_slave_builds_for_a_master_430() {
    native_slave_builds_for(Version::V430);
}

#[test]
fn native_slave_comes_back_to_a_master_0814_that_was_away() {
    native_slave_comes_back(Version::V0814);
}

fn native_slave_builds_for(version: Version) {
    let sandbox = Sandbox::new();
    let Some(master) = RealMaster::start(version, &sandbox, &FOUR_STEPS) else {
        return;
    };
    let _slave = Slave::start(Kind::Native, &sandbox, "bot", master.port());
    master.wait_until_attached();

    send_change(&sandbox, &master);

    check_build(&sandbox, &master);
}

#[test]
fn native_slave_has_the_commands_that_a_master_0814_uses() {
    native_slave_has_the_commands(Version::V0814);
}

#[test]
fn native_slave_has_the_commands_that_a_master_430_uses() {
    native_slave_has_the_commands(Version::V430);
}

/// Steps with all commands beside those of version control, in the words of both versions.
const COMMANDS: &str = "
from buildbot.steps.transfer import *
def add(name, step, **args):
    factory.addStep(step(name=name, **args))
def ask(command, args, **more):
    add(command, Ask, asked=command, args=args, **more)
def shell(name, line):
    add(name, ShellCommand, command=['sh', '-c', line])
shell('make', 'mkdir -p d/sub && echo 1 >d/a.txt && echo 2 >d/sub/b.txt && echo up >up.txt')
add('up', FileUpload, masterdest='public/up.txt', mode=0o644, **{SRC: 'up.txt'})
add('tree', DirectoryUpload, masterdest='public/d', compress='bz2', **{SRC: 'd'})
add('several', MultipleFileUpload, masterdest='public/several', **dict(GLOB, **{SRC + 's': SEVERAL}))
add('down', FileDownload, mastersrc='public/d/sub/b.txt', mode=0o640, **{DEST: 'down/b.txt'})
add('text', StringDownload, s='a text', **{DEST: 'text'})
add('exists', FileExists, file='build/text')
add('gone', FileExists, file='build/gone', haltOnFailure=False, flunkOnFailure=False)
add('copy', CopyDirectory, src='build/d', dest='build/copy')
add('made', MakeDirectory, dir='build/made/deep')
add('removed', RemoveDirectory, dir='build/d')
ask('glob', {'path': 'build/*.txt'})
ask('listdir', {'dir': 'build'})
";

const COMMANDS_0814: &str = "
from buildbot.process.buildstep import BuildStep, RemoteCommand
from buildbot.steps.slave import *
SRC, DEST = 'slavesrc', 'slavedest'
SEVERAL, GLOB = ['up.txt', 'd'], {}
class Ask(BuildStep):
    def __init__(self, asked, args, **more):
        BuildStep.__init__(self, **more)
        self.asked, self.args = asked, args
    def start(self):
        command = RemoteCommand(self.asked, self.args)
        d = self.runCommand(command)
        def tell(_):
            found = command.updates['files']
            self.addCompleteLog('stdio', '%s' % sorted(found[-1]))
            self.finished(command.results())
        d.addCallbacks(tell, self.failed)
";

const COMMANDS_430: &str = "
from buildbot.process.buildstep import BuildStep
from buildbot.process.remotecommand import RemoteCommand
from buildbot.steps.worker import *
SRC, DEST = 'workersrc', 'workerdest'
SEVERAL, GLOB = ['u*', 'd'], {'glob': True}
class Ask(BuildStep):
    def __init__(self, asked, args, **more):
        BuildStep.__init__(self, **more)
        self.asked, self.args = asked, args
    async def run(self):
        command = RemoteCommand(self.asked, self.args)
        await self.runCommand(command)
        found = command.updates.get('files', [[]])
        log = await self.addLog('stdio')
        log.addStdout('%s\\n' % sorted(found[-1]))
        await log.finish()
        return command.results()
";

fn native_slave_has_the_commands(version: Version) {
    let sandbox = Sandbox::new();
    let (own, last) = match version {
        Version::V0814 => (COMMANDS_0814, ""),
        // No step of 0.8 removes a file.
        Version::V430 => (COMMANDS_430, "ask('rmfile', {'path': 'build/up.txt'})\n"),
    };
    let look =
        "shell('look', 'find . -type f -o -type d | sort && stat -c %a down/b.txt && cat text')\n";
    let python = [own, COMMANDS, last, look].concat();
    let Some(master) = RealMaster::start_with(version, &sandbox, &[], &python) else {
        return;
    };
    let _slave = Slave::native(&sandbox, "bot", master.port());
    master.wait_until_attached();
    send_change(&sandbox, &master);
    let build = master.finished_build(&sandbox);
    let failed: Vec<_> = build
        .steps
        .iter()
        .filter(|(_, result)| *result != SUCCESS)
        .collect();
    assert_eq!(failed, [&("gone".to_owned(), FAILURE)], "{}", master.said());
    let log = |step| String::from_utf8(master.log(step)).unwrap();
    let up = if version == Version::V430 {
        ""
    } else {
        "./up.txt\n"
    };
    let tree = format!(
        ".\n./copy\n./copy/a.txt\n./copy/sub\n./copy/sub/b.txt\n./down\n./down/b.txt\n./made\n\
         ./made/deep\n./text\n{up}640\na text"
    );
    assert_eq!(log("look").trim_end(), tree);
    let glob = log("glob");
    assert!(glob.contains("up.txt']"), "{glob}");
    assert_eq!(
        log("listdir").trim_end(),
        "['copy', 'down', 'made', 'text', 'up.txt']"
    );
    let read =
        |path: &str| std::fs::read_to_string(master.dir().join("public").join(path)).unwrap();
    for path in ["up.txt", "several/up.txt"] {
        assert_eq!(read(path), "up\n");
    }
    for path in ["d/a.txt", "several/d/a.txt"] {
        assert_eq!(read(path), "1\n");
    }
}

fn native_slave_comes_back(version: Version) {
    let sandbox = Sandbox::new();
    let Some(mut master) = RealMaster::start(version, &sandbox, &FOUR_STEPS) else {
        return;
    };
    let mut slave = Slave::native(&sandbox, "bot", master.port());
    master.wait_until_attached();

    master.kill_and_restart(&sandbox);
    master.wait_until_attached();

    assert!(slave.process.is_running());
    send_change(&sandbox, &master);
    check_build(&sandbox, &master);
}

fn send_change(sandbox: &Sandbox, master: &RealMaster) {
    run(sandbox
        .command(master.bin().join("buildbot"))
        .args(["sendchange", "--who", "alice", "--revision", "r1"])
        .args(["--auth", "change:changepw"])
        .args([
            "--master",
            &format!("127.0.0.1:{}", master.port()),
            "src/main.c",
        ]))
    .ok();
}

fn check_build(sandbox: &Sandbox, master: &RealMaster) {
    let ran = |name: &str, result| (name.to_owned(), result);
    let expected = RealBuild {
        result: FAILURE,
        steps: vec![
            ran("print", SUCCESS),
            ran("test", FAILURE),
            ran("clean", SUCCESS),
        ],
    };
    assert_eq!(master.finished_build(sandbox), expected);
    let lines: Vec<String> = (0..3_000).map(|n| format!("line {n}\n")).collect();
    assert_eq!(
        String::from_utf8_lossy(&master.log("print")),
        lines.concat()
    );
    assert_eq!(master.log("test"), b"broken\n");
    assert_eq!(master.log("clean"), b"cleaned in build\n");
}

/// One step prints, one fails and halts the build, one is left out, one always runs.
const FOUR_STEPS: [RealStep<'_>; 4] = [
    RealStep {
        name: "print",
        line: "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done",
        settings: "",
    },
    RealStep {
        name: "test",
        line: "echo broken >&2; exit 3",
        settings: "haltOnFailure=True",
    },
    RealStep {
        name: "package",
        line: "echo packed",
        settings: "",
    },
    RealStep {
        name: "clean",
        line: "echo cleaned in $(basename $PWD)",
        settings: "alwaysRun=True",
    },
];

const SUCCESS: i64 = 0;
const FAILURE: i64 = 2;
