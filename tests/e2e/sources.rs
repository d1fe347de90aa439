//! Sources from every version control system whose programs are installed, on real slaves: by
//! change, by revision, the latest, another branch, after damage, and with a patch. The tree equals
//! the system's own export.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use buildmaster::model::{BuilderName, TryJob};
use buildmaster::protocol::jobfile;

use crate::harness::{Kind, Master, Sandbox, Setup, Slave, run};

/// A version control system. The scripts run in a directory of its own. `$N` is the number of a
/// commit, `$REV` a revision, `$BRANCH` a branch. Some systems notice a change by size and time of
/// a file, so each commit has a time of its own.
pub(crate) struct System {
    pub(crate) program: &'static str,
    /// The step, with `DIR` for the directory.
    pub(crate) step: &'static str,
    /// How a master of Buildbot 0.8.14 spells it, if it has such a step.
    pub(crate) step_0814: Option<Step0814>,
    /// Makes a repository with the branches `trunk` and `side`, whose file `text` is `side`.
    pub(crate) setup: &'static str,
    /// Commits `$N` to the file `text` of the main branch, and prints the revision.
    pub(crate) commit: &'static str,
    /// The main branch and the other one in changes; none: the default.
    branches: [&'static str; 2],
    /// Writes the files of `$REV`, or of the latest on `$BRANCH`, to `exported`.
    export: &'static str,
    /// Damage a tree.
    damages: [&'static str; 3],
    /// Whether slaves have a command of their own for it.
    pub(crate) has_slave_side: bool,
    /// Which of the damages the command of a slave of Buildbot 0.8.14 notices and mends.
    old_slaves_mend: [bool; 3],
}

/// A source step in Python, with `DIR` for the directory.
pub(crate) struct Step0814 {
    /// Its module and class.
    pub(crate) class: [&'static str; 2],
    pub(crate) settings: &'static str,
    /// The settings of the class of the same name that uses the slave's own command.
    pub(crate) slave_side: &'static str,
}

const GIT: System = System {
    program: "git",
    step: r#"type = "Git", repourl = "DIR/repo", branch = "trunk""#,
    step_0814: Some(Step0814 {
        class: ["git", "Git"],
        settings: "repourl='DIR/repo', branch='trunk'",
        slave_side: "repourl='DIR/repo', branch='trunk'",
    }),
    setup: "git init -q -b trunk repo && cd repo && git config user.name me && git config user.email me@e && \
            echo side >text && git add text && git commit -qm side && git branch side",
    commit: "cd repo && echo $N >text && git commit -qam $N && git rev-parse HEAD",
    branches: ["trunk", "side"],
    export: "mkdir exported && git -C repo archive ${REV:-$BRANCH} | tar -x -C exported",
    damages: [
        "echo garbage >.git/HEAD; echo changed >text",
        "for f in $(find .git/objects -type f); do rm -f $f; echo half >$f; done",
        "rm -rf .git; mkdir .svn .hg; echo junk >junk",
    ],
    has_slave_side: true,
    old_slaves_mend: [true; 3],
};

const SVN: System = System {
    program: "svn",
    step: r#"type = "SVN", base_url = "file://DIR/repo", default_branch = "trunk""#,
    step_0814: Some(Step0814 {
        class: ["svn", "SVN"],
        settings: "repourl='file://DIR/repo/trunk'",
        slave_side: "baseURL='file://DIR/repo/', defaultBranch='trunk'",
    }),
    setup: "svnadmin create repo && U=file://$PWD/repo && svn -q mkdir -m 0 $U/trunk && svn -q checkout $U/trunk work && \
            cd work && echo side >text && svn -q add text && svn -q commit -m side && svn -q copy -m b $U/trunk $U/side",
    commit: "cd work && svn -q update && echo $N >text && svn -q commit -m $N && svn -q update && \
             svn info --show-item revision",
    branches: ["trunk", "side"],
    export: "svn -q export file://$PWD/repo/$BRANCH@$REV exported",
    damages: [
        "echo garbage >.svn/wc.db; echo changed >text",
        "rm -rf .svn/pristine; rm text",
        "rm -rf .svn; mkdir .git; echo junk >junk",
    ],
    has_slave_side: true,
    old_slaves_mend: [true; 3],
};

const HG: System = System {
    program: "hg",
    step: r#"type = "Mercurial", repourl = "DIR/repo", branch_type = "inrepo""#,
    step_0814: Some(Step0814 {
        class: ["mercurial", "Mercurial"],
        settings: "repourl='DIR/repo', branchType='inrepo'",
        slave_side: "repourl='DIR/repo', branchType='inrepo', defaultBranch='default'",
    }),
    setup: "hg init repo && cd repo && echo side >text && hg commit -qA -u me -m side && hg branch -q side && \
            hg commit -q -u me -m b && hg update -q default",
    commit: "cd repo && echo $N >text && hg commit -q -u me -m $N && hg log -r . --template '{node}'",
    branches: ["default", "side"],
    export: "hg -R repo archive -q --config ui.archivemeta=0 -r ${REV:-$BRANCH} exported",
    damages: [
        "rm .hg/store/00changelog.i; echo garbage >.hg/store/00changelog.i; echo changed >text",
        "rm -rf .hg/store/data; rm text",
        "rm -rf .hg; mkdir .git; echo junk >junk",
    ],
    has_slave_side: true,
    old_slaves_mend: [true; 3],
};

const BZR: System = System {
    program: "bzr",
    step: r#"type = "Bzr", base_url = "DIR", default_branch = "trunk""#,
    step_0814: Some(Step0814 {
        class: ["bzr", "Bzr"],
        settings: "baseURL='DIR/', defaultBranch='trunk'",
        slave_side: "baseURL='DIR/', defaultBranch='trunk'",
    }),
    setup: "bzr init -q trunk && cd trunk && echo side >text && bzr add -q && bzr commit -qm side && cd .. && \
            bzr branch -q trunk side",
    commit: "cd trunk && echo $N >text && bzr commit -qm $N && bzr revno",
    branches: ["trunk", "side"],
    export: "bzr export -q ${REV:+-r $REV} exported $BRANCH",
    damages: [
        "echo garbage >.bzr/branch-format; echo changed >text",
        "rm -rf .bzr/repository/packs; rm text",
        "rm -rf .bzr; mkdir .git; echo junk >junk",
    ],
    has_slave_side: true,
    old_slaves_mend: [true, false, true],
};

const DARCS: System = System {
    program: "darcs",
    step: r#"type = "Darcs", base_url = "DIR", default_branch = "trunk""#,
    // The step of 0.8.14 reads what darcs printed in its time.
    step_0814: None,
    setup: "mkdir trunk && cd trunk && darcs init -q && echo side >text && darcs add -q text && \
            darcs record -qa -A me -m side && cd .. && darcs clone -q trunk side",
    commit: "cd trunk && echo $N >text && touch -d 2020-01-0$N text && darcs record -qa -A me -m $N && darcs log --context",
    branches: ["trunk", "side"],
    export: "if [ \"$REV\" ]; then printf %s \"$REV\" >ctx; set -- --context=ctx; fi; \
             darcs clone -q \"$@\" $BRANCH exported && rm -rf exported/_darcs",
    damages: [
        "echo garbage >_darcs/hashed_inventory; echo changed >text",
        "rm -rf _darcs/inventories _darcs/patches _darcs/pristine.hashed; rm text",
        "rm -rf _darcs; mkdir .git; echo junk >junk",
    ],
    has_slave_side: true,
    old_slaves_mend: [true; 3],
};

/// Its revisions are times, so its commits are dated one day apart.
const CVS: System = System {
    program: "cvs",
    step: r#"type = "CVS", cvsroot = "DIR/repo", cvsmodule = "project", checkout_delay = "1m""#,
    step_0814: Some(Step0814 {
        class: ["cvs", "CVS"],
        settings: "cvsroot='DIR/repo', cvsmodule='project'",
        slave_side: "cvsroot='DIR/repo', cvsmodule='project'",
    }),
    setup: "cvs -f -d $PWD/repo init && mkdir repo/project && cvs -f -Q -d $PWD/repo checkout -d work project && \
            cd work && echo side >text && cvs -f -Q add text && cvs -f -Q commit -m side && cvs -f -Q tag -b side && \
            chmod u+w ../repo/project/text,v && sed -i 's/^date\\t[0-9.]*/date\\t2019.12.31.00.00.00/' ../repo/project/text,v",
    commit: "cd work && echo $N >text && cvs -f -Q commit -m $N && cd .. && chmod u+w repo/project/text,v && \
             sed -i \"0,/^date/s/^date\\t[0-9.]*/date\\t2020.01.0$N.00.00.00/\" repo/project/text,v && \
             echo 2020-01-0$N 12:00:00 +0000",
    branches: ["", "side"],
    export: "cvs -f -Q -d $PWD/repo export -d exported ${BRANCH:+-r $BRANCH} ${REV:+-D \"$REV\"} \
             $([ \"$BRANCH$REV\" ] || echo -r HEAD) project",
    damages: [
        "echo garbage >CVS/Entries; echo changed >text",
        "rm CVS/Root; rm text",
        "rm -rf CVS; mkdir .git; echo junk >junk",
    ],
    has_slave_side: true,
    old_slaves_mend: [true; 3],
};

/// Its branches are versions, and `side` is one of them.
const ARCH: System = System {
    program: "tla",
    step: r#"type = "Arch", url = "DIR/archive", version = "p--trunk--1.0""#,
    step_0814: None,
    setup: "tla my-id 'me <me@example.org>' && tla make-archive me@e--2004 $PWD/archive && \
            for v in side trunk; do tla archive-setup me@e--2004/p--$v--1.0 && mkdir $v && cd $v && \
            tla init-tree me@e--2004/p--$v--1.0 && echo side >text && tla add text && tla import -S -s side && cd ..; done",
    commit: "cd trunk && echo $N >text && touch -d 2020-01-0$N text && tla commit -s $N >/dev/null && echo patch-$N",
    branches: ["p--trunk--1.0", "p--side--1.0"],
    export: "tla get me@e--2004/$BRANCH${REV:+--$REV} exported && rm -rf exported/.arch-ids",
    damages: [
        "echo garbage >'{arch}/++default-version'; echo changed >text",
        "rm -rf '{arch}/p' '{arch}/++pristine-trees'; rm text",
        "rm -rf '{arch}'; mkdir .git; echo junk >junk",
    ],
    has_slave_side: false,
    old_slaves_mend: [false; 3],
};

pub(crate) const ALL: [System; 7] = [GIT, SVN, HG, BZR, DARCS, CVS, ARCH];

impl System {
    /// What a step tells of this revision, if the system has one spelling for it.
    fn told(&self, revision: &str) -> Option<String> {
        let is_alike = !["darcs", "cvs"].contains(&self.program);
        (is_alike && !revision.is_empty()).then(|| revision.to_owned())
    }
}

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
    let by_old = slave_side && kind == Kind::Slave0814;
    for damage in 0..3 {
        farm.check("damaged", &latest, 0, |farm, system, _| {
            let tree = farm.slave.dir.join(system.program).join("build");
            if !by_old || system.old_slaves_mend[damage] {
                shell(&sandbox, &tree, system.damages[damage], &[]);
            }
            farm.force(system, system.branches[0], "");
        });
    }
    farm.check_patch();
    farm.check("after the patch", &latest, 0, |farm, system, _| {
        farm.force(system, system.branches[0], "");
    });
}

pub(crate) fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|directory| directory.join(program).exists());
    if !found {
        eprintln!("skipped: no program '{program}' in PATH");
    }
    found
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

pub(crate) fn script(
    sandbox: &Sandbox,
    system: &System,
    script: &str,
    vars: &[(&str, &str)],
) -> String {
    shell(sandbox, &sandbox.path(system.program), script, vars)
}

fn shell(sandbox: &Sandbox, dir: &Path, script: &str, vars: &[(&str, &str)]) -> String {
    let mut command = sandbox.command("sh");
    command
        .args(["-ec", script])
        .current_dir(dir)
        .env("EMAIL", "me@example.org")
        .env("BRZ_EMAIL", "me@example.org")
        .envs(vars.iter().copied());
    let printed = run(&mut command).ok();
    printed.strip_suffix('\n').unwrap_or(&printed).to_owned()
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
