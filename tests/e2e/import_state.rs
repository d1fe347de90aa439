//! Moving over from a real Buildbot: the numbers of its builds and changes (IST-01 to IST-08).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::Connection;
use rustix::process::Signal;

use crate::harness::real_master::{RealMaster, RealStep, Version};
use crate::harness::{
    Kind, Master, Process, Sandbox, Setup, Slave, free_port, peer, run, shell, wait_until,
};

#[test]
fn build_numbers_of_a_master_0814_go_on() {
    numbers_go_on(Version::V0814, Kind::Slave0814, 0);
}

#[test]
fn build_numbers_of_a_master_43_go_on() {
    numbers_go_on(Version::V430, Kind::Worker430, 1);
}

/// IST-01 to IST-08: from an old master with its real slave; the next build here has the next
/// number, and importing twice changes nothing. `built` is the number of its first build.
fn numbers_go_on(version: Version, kind: Kind, built: u64) {
    let sandbox = Sandbox::new();
    let step = RealStep {
        name: "hello",
        line: "pwd",
        settings: "",
    };
    let Some(mut real) = RealMaster::start(version, &sandbox, &[step]) else {
        return;
    };
    let port = real.port();
    let old = real.dir().to_owned();
    let Some(slave) = Slave::start(kind, &sandbox, "bot", port) else {
        return;
    };
    real.wait_until_attached();
    real.send_change_to(port, &sandbox);
    real.finished_build(&sandbox);
    let directory = real.log("hello");
    carry_over_for_start(&sandbox, &real);
    let ci = sandbox.path("ci");
    if version == Version::V430 {
        // Uploads are not builds.
        fs::create_dir(old.join("full")).unwrap();
        fs::write(old.join("full/99"), "uploaded").unwrap();
    }
    let import = || {
        let mut command = sandbox.buildmaster();
        command
            .arg("import-state")
            .arg(&old)
            .arg("--basedir")
            .arg(&ci);
        command
    };
    // That of 4.3 keeps no pid file in the foreground.
    let refused = run(&mut import()).fails_with(2);
    assert!(refused.contains("buildbot stop"), "{refused}");
    let change = sandbox.command(real.bin().join("buildbot"));
    real.stop();
    drop(slave.process);
    if version == Version::V430 {
        // As if it had been killed long ago.
        let database = Connection::open(old.join("state.sqlite")).unwrap();
        let killed = "UPDATE masters SET active = 1, last_active = 1";
        assert_eq!(database.execute(killed, ()).unwrap(), 1);
    }
    let planned = run(import().arg("--dry-run")).ok();
    assert!(planned.contains("nothing was changed"), "{planned}");
    let first = run(&mut import()).ok();
    let next = built + 1;
    assert_eq!(row(&first, "full"), [built, next], "{first}");
    assert!(
        first.contains("the last change there is 1, the next one here gets 2"),
        "{first}"
    );
    assert_eq!(run(&mut import()).ok(), first);

    let mut ours = Master::in_dir(&sandbox, ci, port);
    ours.run();
    let _slave = Slave::restart(kind, &sandbox, slave.dir).unwrap();
    ours.wait_until_attached("bot");
    send_change(change, port);
    let build = ours.finished_build("full", next);
    assert_eq!(build.ran(), [("hello", "success")]);
    assert_eq!(build.changes(), [2]);
    let here = ours.printed(&build).swap_remove(0).runs;
    let directory = String::from_utf8(directory).unwrap();
    assert_eq!(here, [('o', directory)], "the directory on the slave");
}

/// The numbers in the row of a builder.
fn row(table: &str, builder: &str) -> Vec<u64> {
    let row = table.lines().find(|line| line.starts_with(builder));
    let row = row.unwrap_or_else(|| panic!("{builder} in\n{table}"));
    let numbers = row.trim_start_matches(builder).split_whitespace();
    numbers.map(|number| number.parse().unwrap()).collect()
}

/// IST-02, IST-04, IST-06 to IST-08: the directories of builds of 0.7 and 0.8, without a database.
#[test]
fn numbers_are_read_from_directories_and_files_and_only_ever_raised() {
    const OURS: &str = "
slave_port = 9989
[[slaves]]
name = \"bot\"
password = \"long-enough\"
[factories.f]
steps = [{ type = \"ShellCommand\", command = \"true\" }]
[[builders]]
name = \"one/two (x 64)\"
slaves = [\"bot\"]
factory = \"f\"
[[builders]]
name = \"deep\"
builddir = \"deep/old\"
slaves = [\"bot\"]
factory = \"f\"
[[builders]]
name = \"fresh\"
slaves = [\"bot\"]
factory = \"f\"
";
    let sandbox = Sandbox::new();
    let ci = sandbox.private_dir("ci");
    fs::write(ci.join("master.toml"), OURS).unwrap();
    let old = sandbox.private_dir("old");
    let import = |more: &[&str]| {
        let mut command = sandbox.buildmaster();
        command.arg("import-state").arg(&old).args(more);
        run(command.arg("--basedir").arg(&ci))
    };
    let refused = import(&[]).fails_with(2);
    assert!(refused.contains("buildbot.tac"), "{refused}");
    let builds = [
        (
            "one_two__x_64_",
            &["0", "3", "12", "12-log-shell-stdio.bz2"] as &[&str],
        ),
        ("deep/old", &["7"]),
        ("gone", &["1"]),
        ("deep/gone", &["1"]),
        ("deep/new", &["no-build"]),
        ("public_html", &["99"]),
    ];
    for (dir, files) in builds {
        let dir = old.join(dir);
        fs::create_dir_all(&dir).unwrap();
        for file in files {
            fs::write(dir.join(file), "a pickle").unwrap();
        }
        if !dir.ends_with("public_html") {
            fs::write(dir.join("builder"), "a pickle").unwrap();
        }
    }
    let twice = [import(&[]), import(&[])].map(|said| {
        let printed = String::from_utf8(said.stdout.clone()).unwrap();
        let complaint = said.fails_with(1);
        assert!(
            complaint.ends_with("not configured here: deep/gone, gone\n"),
            "{complaint}"
        );
        printed
    });
    let [first, again] = twice;
    assert_eq!(first, again);
    assert!(first.contains("change numbers stay as they are"), "{first}");
    assert!(first.contains("without builds there: fresh"), "{first}");
    assert_eq!(row(&first, "one/two (x 64)"), [12, 13]);
    assert_eq!(row(&first, "deep"), [7, 8]);

    for dir in ["gone", "deep/gone"] {
        fs::remove_dir_all(old.join(dir)).unwrap();
    }
    let numbers = sandbox.file("numbers", "one/two (x 64)\t5\ndeep\t20\n@changes\t41\n");
    let numbers = numbers.to_str().unwrap();
    let raised = import(&["--numbers", numbers]).ok();
    assert_eq!(row(&raised, "one/two (x 64)"), [12, 13]);
    assert_eq!(row(&raised, "deep"), [20, 21]);
    assert!(raised.contains("the next one here gets 42"), "{raised}");
    let kept = import(&[]).ok();
    assert_eq!(row(&kept, "deep"), [7, 21], "only ever raised");
}

/// Imports the configuration of a real master for a start of ours on the same ports.
fn carry_over_for_start(sandbox: &Sandbox, real: &RealMaster) {
    let script = run(sandbox
        .buildmaster()
        .args(["import-config", "--print-script"]))
    .ok();
    let script = sandbox.file("dump.py", script);
    let dump = sandbox.path("farm.json");
    let mut command = sandbox.command(real.bin().join("python"));
    run(command
        .arg(script)
        .arg("--out")
        .arg(&dump)
        .arg(real.dir().join("master.cfg")))
    .ok();
    let ci = sandbox.path("ci");
    let mut import = sandbox.buildmaster();
    let said = run(import.arg("import-config").arg(&dump).arg("--out").arg(&ci)).ok();
    assert!(said.contains("1 of 1 builder run whole"), "{said}");
    for part in ["tmp", "new", "cur"] {
        fs::create_dir_all(ci.join("jobs").join(part)).unwrap();
    }
}

/// Sends a change by the program of the old master.
fn send_change(mut buildbot: Command, port: u16) {
    let master = format!("127.0.0.1:{port}");
    buildbot.args([
        "sendchange",
        "--who",
        "alice",
        "--auth",
        "change:changepw",
        "--master",
    ]);
    run(buildbot.args([&master, "src/main.c"])).ok();
}

/// A configuration of Buildbot 0.7 with builders whose directories are called otherwise.
const OLDEST: &str = r"
from buildbot.buildslave import BuildSlave
from buildbot.changes.pb import PBChangeSource
from buildbot.process.factory import BuildFactory
from buildbot.scheduler import Scheduler
from buildbot.steps.shell import ShellCommand
factory = BuildFactory([ShellCommand(command=['pwd'])])
c = BuildmasterConfig = {'projectName': 't', 'projectURL': 'http://localhost/'}
c['slaves'] = [BuildSlave('bot', 'sekrit')]
c['slavePortnum'] = 'tcp:PORT:interface=127.0.0.1'
c['change_source'] = PBChangeSource()
c['builders'] = [
    {'name': 'plain', 'slavename': 'bot', 'builddir': 'plain', 'factory': factory},
    {'name': 'one/two', 'slavename': 'bot', 'builddir': 'one_two', 'factory': factory},
    {'name': 'three/four', 'slavename': 'bot', 'builddir': 'deep/four', 'factory': factory},
]
c['schedulers'] = [Scheduler('all', None, 0, [b['name'] for b in c['builders']])]
c['status'] = []
";

/// Runs what is in a base directory of Buildbot 0.7, which has no word for the foreground.
fn twistd(sandbox: &Sandbox, bin: &Path, dir: &Path) -> Process {
    let mut command = sandbox.command(bin.join("python"));
    command.arg(bin.join("twistd")).current_dir(dir).args([
        "--nodaemon",
        "--no_save",
        "--logfile=twistd.log",
        "--python=buildbot.tac",
    ]);
    Process::start("Buildbot 0.7.12", &mut command)
}

/// The builders of [`OLDEST`], and their directories.
const OLDEST_BUILDERS: [(&str, &str); 3] = [
    ("plain", "plain"),
    ("one/two", "one_two"),
    ("three/four", "deep/four"),
];

/// A running master of Buildbot 0.7 and its slave.
struct Oldest<'a> {
    sandbox: &'a Sandbox,
    bin: PathBuf,
    port: u16,
    master: Process,
    slave: Process,
}

impl<'a> Oldest<'a> {
    fn start(sandbox: &'a Sandbox) -> Option<Self> {
        let bin = peer("bb0712")?;
        let port = free_port();
        let (old, bot) = (sandbox.path("old"), sandbox.path("bot"));
        let buildbot = || sandbox.command(bin.join("buildbot"));
        run(buildbot().args(["create-master", "-q"]).arg(&old)).ok();
        let address = format!("127.0.0.1:{port}");
        let mut create = buildbot();
        create.args(["create-slave", "-q"]).arg(&bot);
        run(create.args([&address, "bot", "sekrit"])).ok();
        let config = OLDEST.replace("PORT", &port.to_string());
        fs::write(old.join("master.cfg"), config).unwrap();
        let said = |what: &str| {
            wait_until(what, || {
                let log = fs::read_to_string(old.join("twistd.log"));
                log.is_ok_and(|log| log.contains(what))
            });
        };
        let master = twistd(sandbox, &bin, &old);
        said("configuration update complete");
        let slave = twistd(sandbox, &bin, &bot);
        said("bot attached to three/four");
        Some(Self {
            sandbox,
            bin,
            port,
            master,
            slave,
        })
    }

    /// Sends a change by its own program.
    fn send_change(&self) {
        let mut change = self.sandbox.command(self.bin.join("buildbot"));
        let address = format!("127.0.0.1:{}", self.port);
        change.args(["sendchange", "--master", &address]);
        run(change.args(["-u", "alice", "src/main.c"])).ok();
    }

    /// Waits until all builders have a build of this number.
    fn wait_for_builds(&self, number: &str) {
        let old = self.sandbox.path("old");
        wait_until("builds of a real master", || {
            let mut dirs = OLDEST_BUILDERS.iter();
            dirs.all(|(_, dir)| old.join(dir).join(number).exists())
        });
    }

    fn stop(&mut self) {
        for process in [&mut self.master, &mut self.slave] {
            process.signal(Signal::TERM);
            process.wait();
        }
    }
}

/// IST-01, IST-02, IST-05: a master without a database, and its slave, which connects to ours by
/// itself.
#[test]
fn build_numbers_of_a_master_0712_go_on() {
    let sandbox = Sandbox::new();
    let Some(mut real) = Oldest::start(&sandbox) else {
        return;
    };
    for number in ["0", "1"] {
        real.send_change();
        real.wait_for_builds(number);
    }
    let ci = sandbox.private_dir("ci");
    let setup = Setup::new(&[shell("hello", "pwd", "")]).slave("bot");
    let setup = OLDEST_BUILDERS.iter().fold(setup, |setup, (name, dir)| {
        setup.builder(name, &format!("builddir = {dir:?}"))
    });
    fs::write(ci.join("master.toml"), setup.toml(real.port)).unwrap();
    let import = || {
        let mut command = sandbox.buildmaster();
        command.arg("import-state").arg(sandbox.path("old"));
        run(command.arg("--basedir").arg(&ci))
    };
    let refused = import().fails_with(2);
    assert!(refused.contains("buildbot stop"), "{refused}");
    real.stop();
    let first = import().ok();
    for (builder, _) in OLDEST_BUILDERS {
        assert_eq!(row(&first, builder), [1, 2], "{first}");
    }
    assert!(first.contains("change numbers stay as they are"), "{first}");
    assert_eq!(import().ok(), first);

    let mut ours = Master::in_dir(&sandbox, ci.clone(), real.port);
    ours.run();
    let _slave = twistd(&sandbox, &real.bin, &sandbox.path("bot"));
    ours.wait_until_attached("bot");
    real.send_change();
    for (builder, _) in OLDEST_BUILDERS {
        let build = ours.finished_build(builder, 2);
        assert_eq!(build.ran(), [("hello", "success")], "{builder}");
    }
}
