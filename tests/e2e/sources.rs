//! Sources from every version control system whose programs are installed, on real slaves: by
//! change, by revision, the latest, another branch, after damage, and with a patch. The tree equals
//! the system's own export.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use buildmaster::model::{BuilderName, TryJob};
use buildmaster::protocol::jobfile;

use crate::harness::{Kind, Master, Sandbox, Setup, Slave, is_slow, run};
use crate::systems::{ALL, Damage, HALF, System, is_installed, script, shell};

#[test]
fn native_slave_has_the_tree_of_every_system() {
    has_the_tree_of_every_system(Kind::Native, false);
}

#[test]
fn slave_0814_has_the_tree_of_every_system() {
    has_the_tree_of_every_system(Kind::Slave0814, false);
}

#[test]
fn worker_430_has_the_tree_of_every_system() {
    has_the_tree_of_every_system(Kind::Worker430, false);
}

#[test]
fn native_slave_copies_and_exports_the_tree_of_every_system() {
    copies_and_exports_the_tree_of_every_system(Kind::Native);
}

#[test]
fn slave_0814_copies_and_exports_the_tree_of_every_system() {
    copies_and_exports_the_tree_of_every_system(Kind::Slave0814);
}

fn copies_and_exports_the_tree_of_every_system(kind: Kind) {
    for method in ["copy", "export"] {
        let sandbox = Sandbox::new();
        let more = format!(", mode = \"full\", method = {method:?}");
        let Some(mut farm) = farm(kind, &sandbox, |_| true, &more) else {
            return;
        };
        for number in 1..3 {
            farm.commits(number);
            let latest = farm.latest();
            farm.check(method, &latest, 0, |farm, system, _| {
                farm.force(system, system.branches[0], "");
            });
            for system in &farm.systems {
                let tree = farm.slave.dir.join(system.program).join("build");
                let has_mark = MARKS.iter().any(|mark| tree.join(mark).exists());
                assert_eq!(has_mark, method == "copy", "{}", system.program);
                // What a build leaves behind is not in the tree of the next one.
                fs::write(tree.join("left"), "").unwrap();
            }
        }
    }
}

/// Of a native slave; with `SLOW_TESTS=1`, all methods on slaves of every generation.
#[test]
fn damaged_trees_are_made_anew_in_mode_full() {
    let all = [Kind::Native, Kind::Slave0814, Kind::Worker430];
    let methods = [("fresh", "build"), ("clean", "build"), ("copy", "source")];
    let (kinds, methods) = if is_slow() {
        (&all[..], &methods[..])
    } else {
        (&all[..1], &methods[..1])
    };
    for (kind, (method, tree)) in kinds
        .iter()
        .flat_map(|k| methods.iter().map(move |m| (k, m)))
    {
        let sandbox = Sandbox::new();
        let more = format!(", mode = \"full\", method = {method:?}");
        let Some(mut farm) = farm(*kind, &sandbox, |_| true, &more) else {
            return;
        };
        farm.commits(1);
        let latest = farm.latest();
        farm.check("first", &latest, 0, |farm, system, _| {
            farm.force(system, system.branches[0], "");
        });
        farm.check_damages(tree, |_| true);
    }
}

/// The directories of the systems in their trees.
const MARKS: [&str; 7] = [".git", ".svn", ".hg", ".bzr", "_darcs", "CVS", "{arch}"];

/// By the slave's own commands.
#[test]
fn native_slave_has_the_tree_of_every_system_by_itself() {
    has_the_tree_of_every_system(Kind::Native, true);
}

#[test]
fn slave_0814_has_the_tree_of_every_system_by_itself() {
    has_the_tree_of_every_system(Kind::Slave0814, true);
}

/// A build that was asked for, and what its tree is to be.
struct Expected {
    builder: &'static str,
    number: u64,
    files: BTreeMap<String, Vec<u8>>,
    /// What the step tells of the revision; none for systems that spell it in another way.
    revision: Option<String>,
}

struct Farm<'a> {
    sandbox: &'a Sandbox,
    master: Master<'a>,
    slave: Slave,
    systems: Vec<&'static System>,
    builds: u64,
}

/// A slave, and a master with a builder for each system, which has a repository.
fn farm<'a>(
    kind: Kind,
    sandbox: &'a Sandbox,
    may: fn(&System) -> bool,
    more: &str,
) -> Option<Farm<'a>> {
    let systems: Vec<&'static System> = ALL
        .iter()
        .filter(|s| may(s) && is_installed(s.program))
        .collect();
    for system in &systems {
        fs::create_dir(sandbox.path(system.program)).unwrap();
        script(sandbox, system, system.setup, &[]);
    }
    let master = start(sandbox, &systems, more);
    let slave = Slave::start(kind, sandbox, "bot", master.port())?;
    master.wait_until_attached("bot");
    Some(Farm {
        sandbox,
        master,
        slave,
        systems,
        builds: 0,
    })
}

fn has_the_tree_of_every_system(kind: Kind, slave_side: bool) {
    let sandbox = Sandbox::new();
    let (may, more): (fn(&System) -> bool, _) = if slave_side {
        (|system| system.has_slave_side, ", slave_side = true")
    } else {
        (|_| true, "")
    };
    let Some(mut farm) = farm(kind, &sandbox, may, more) else {
        return;
    };
    let first = farm.commits(1);
    let second = farm.commits(2);
    farm.check("by revision", &second, 0, |farm, system, revision| {
        // The revision of Darcs has several lines, which a command line cannot carry.
        if system.program == "darcs" {
            farm.send_change(system, revision);
        } else {
            farm.force(system, system.branches[0], revision);
        }
    });
    farm.check("by change, back in time", &first, 0, Farm::send_change);
    farm.commits(3);
    let latest = farm.latest();
    farm.check("latest", &latest, 0, |farm, system, _| {
        farm.force(system, system.branches[0], "");
    });
    farm.check("other branch", &latest, 1, |farm, system, _| {
        farm.force(system, system.branches[1], "");
    });
    farm.check_damages("build", |damage| {
        !slave_side || kind != Kind::Slave0814 || damage.old_slaves_mend
    });
    farm.check_patch();
    farm.check("after the patch", &latest, 0, |farm, system, _| {
        farm.force(system, system.branches[0], "");
    });
}

fn start<'a>(sandbox: &'a Sandbox, systems: &[&'static System], more: &str) -> Master<'a> {
    let mut tables = String::new();
    let mut builders = String::new();
    let mut schedulers = String::new();
    for system in systems {
        let name = system.program;
        let dir = sandbox.path(name);
        let mut step = system.step.replace("DIR", dir.to_str().unwrap());
        step += more;
        let line = "test \"$0\" && echo \"told: $0\"";
        let words = ["sh", "-c", line, "%(got_revision)s"];
        let look = crate::harness::step("look", &words, "");
        tables +=
            &format!("[factories.{name}]\nsteps = [{{ {step}, name = \"source\" }}, {look}]\n");
        builders += &format!(
            "[[builders]]\nname = {name:?}\nslaves = [\"bot\"]\nfactory = {name:?}\nbuilddir = {name:?}\n"
        );
        schedulers += &format!(
            "[[schedulers]]\ntype = \"AnyBranch\"\nname = {name:?}\nbuilders = [{name:?}]\n\
             filter = {{ project = {name:?} }}\n"
        );
    }
    let names: Vec<&str> = systems.iter().map(|system| system.program).collect();
    schedulers += &format!(
        "[[schedulers]]\ntype = \"Try_Jobdir\"\nname = \"ssh\"\njobdir = \"jobs\"\nbuilders = {names:?}\n"
    );
    let look = crate::harness::step("look", &["true"], "");
    let setup = Setup::new(&[look])
        .slave("bot")
        .tables(&(tables + &builders))
        .builder("unused", "")
        .schedulers(&schedulers);
    let mut master = Master::prepare(sandbox, &setup);
    for part in ["jobs/tmp", "jobs/new", "jobs/cur"] {
        fs::create_dir_all(master.dir().join(part)).unwrap();
    }
    master.run();
    master
}

impl Farm<'_> {
    /// Commits to every repository; the new revisions.
    fn commits(&self, number: u32) -> Vec<String> {
        let number = number.to_string();
        let commit = |system: &&'static System| {
            script(self.sandbox, system, system.commit, &[("N", &number)])
        };
        self.systems.iter().map(commit).collect()
    }

    fn latest(&self) -> Vec<String> {
        vec![String::new(); self.systems.len()]
    }

    /// Has every builder build, and compares its tree.
    fn check(
        &mut self,
        what: &str,
        revisions: &[String],
        branch: usize,
        trigger: impl Fn(&Self, &'static System, &str),
    ) {
        let mut expected = Vec::new();
        for (system, revision) in self.systems.iter().zip(revisions) {
            let exported = self.sandbox.path(system.program).join("exported");
            drop(fs::remove_dir_all(&exported));
            let branch = system.branches[branch];
            let vars = [("REV", revision.as_str()), ("BRANCH", branch)];
            script(self.sandbox, system, system.export, &vars);
            trigger(self, system, revision);
            expected.push(Expected {
                builder: system.program,
                number: self.builds,
                files: files(&exported),
                revision: system.told(revision),
            });
        }
        self.builds += 1;
        for build in expected {
            self.finish(what, &build);
        }
    }

    fn finish(&self, what: &str, expected: &Expected) {
        let builder = expected.builder;
        let build = self.master.finished_build(builder, expected.number);
        let log = self.master.log(builder, expected.number, "source");
        let log = String::from_utf8_lossy(&log);
        assert_eq!(
            build.result.as_deref(),
            Some("success"),
            "{builder}, {what}: {log}"
        );
        let tree = files(&self.slave.dir.join(builder).join("build"));
        assert_eq!(tree, expected.files, "{builder}, {what}: {log}");
        // The step has failed if there is no `got_revision`.
        let told = self.master.log(builder, expected.number, "look");
        let told = String::from_utf8_lossy(&told).into_owned();
        let told = told.rsplit("told: ").next().unwrap();
        let told = told.lines().next().unwrap_or_default();
        if let Some(revision) = &expected.revision {
            assert_eq!(told, revision, "{builder}, {what}: prp_07");
        }
    }

    fn send_change(&self, system: &'static System, revision: &str) {
        let when = chrono::DateTime::parse_from_str(revision, "%Y-%m-%d %H:%M:%S %z");
        let mut command = self.sandbox.buildbot();
        command
            .args(["sendchange", "--auth", "change:changepw", "--who", "alice"])
            .args(["--master", &format!("127.0.0.1:{}", self.master.port())])
            .args(["--project", system.program]);
        match when {
            Ok(when) => command.args(["--when", &when.timestamp().to_string()]),
            Err(_) => command.args(["--revision", revision]),
        };
        if !system.branches[0].is_empty() {
            command.args(["--branch", system.branches[0]]);
        }
        run(command.arg("text")).ok();
    }

    fn force(&self, system: &'static System, branch: &str, revision: &str) {
        let mut command = self.sandbox.buildmaster();
        command.args(["force", system.program]);
        for (option, value) in [("--branch", branch), ("--revision", revision)] {
            if !value.is_empty() {
                command.args([option, value]);
            }
        }
        run(command.arg("--basedir").arg(self.master.dir())).ok();
    }

    /// Damages the trees, in the directory `tree` of each builder.
    fn check_damages(&mut self, tree: &str, may: impl Fn(&Damage) -> bool) {
        let latest = self.latest();
        let kinds = self.systems.iter().map(|system| system.damages.len()).max();
        for number in 0..if is_slow() { kinds.unwrap() } else { 3 } {
            self.check(
                &format!("damage {number}"),
                &latest,
                0,
                |farm, system, _| {
                    let tree = farm.slave.dir.join(system.program).join(tree);
                    let damage = system.damages.get(number);
                    if let Some(damage) = damage.filter(|damage| may(damage)) {
                        shell(
                            farm.sandbox,
                            &tree,
                            &format!("{HALF}{}", damage.script),
                            &[],
                        );
                    }
                    farm.force(system, system.branches[0], "");
                },
            );
        }
    }

    /// A patch that changes a file and adds one.
    fn check_patch(&mut self) {
        let patch = b"--- a/text\n+++ b/text\n@@ -1 +1 @@\n-3\n+patched\n\
            --- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+new\n";
        let branch = |system: &System| {
            let branch = system.branches[0];
            (!branch.is_empty()).then(|| branch.to_owned())
        };
        for system in &self.systems {
            let job = TryJob {
                id: system.program.to_owned(),
                branch: branch(system),
                patch_level: 1,
                patch: patch.to_vec(),
                builders: vec![BuilderName::from(system.program)],
                ..TryJob::default()
            };
            let jobs = self.master.dir().join("jobs");
            let draft = jobs.join("tmp").join(system.program);
            fs::write(&draft, jobfile::encode(&job)).unwrap();
            fs::rename(draft, jobs.join("new").join(system.program)).unwrap();
        }
        let files = [("new", "new\n"), ("text", "patched\n")];
        let files = files.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()));
        for system in &self.systems {
            let expected = Expected {
                builder: system.program,
                number: self.builds,
                files: files.clone().into(),
                revision: None,
            };
            self.finish("patched", &expected);
        }
        self.builds += 1;
    }
}

/// The files of a tree, without those of version control systems and of the master.
fn files(tree: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(tree).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let is_own = name.starts_with(".#") || name == ".buildbot-patched";
        if !is_own && entry.file_type().unwrap().is_file() {
            found.insert(name, fs::read(entry.path()).unwrap());
        }
    }
    found
}
