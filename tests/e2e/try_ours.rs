//! Our `buildbot try` at our master: from a working tree to the slave that has its patch.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::harness::{Finished, Master, Repository, Sandbox, Setup, free_port, run, shell};
use crate::jobdir::make_jobdir;
use crate::programs::program;
use crate::try_client::stand_in_for_ssh;
use crate::try_userpass::hash_password;

#[test]
fn src_05_a_working_tree_is_tried_with_all_that_is_changed_in_it() {
    let sandbox = Sandbox::new();
    let place = Place::new(&sandbox);
    let master = place.master();
    let tree = place.repository.cloned("tree");

    let unchanged = place.attempt(&tree, &["--wait"]);
    assert_eq!(unchanged.code, Some(0), "{unchanged}");
    assert_eq!(seen(&master, 0), "base gone=yes new=no big=0");

    fs::write(tree.dir.join("text"), "changed\n").unwrap();
    fs::remove_file(tree.dir.join("gone")).unwrap();
    fs::write(tree.dir.join("new"), [0, 159, 146, 150, 255]).unwrap();
    fs::write(tree.dir.join("big"), noise(LARGE)).unwrap();
    tree.git(&["add", "--all"]);
    let good = place.attempt(&tree, &["--wait"]);
    assert_eq!(good.code, Some(0), "{good}");
    assert!(said(&good).contains("full: success"), "{good}");
    let expected = format!("changed gone=no new=yes big={LARGE}");
    assert_eq!(seen(&master, 1), expected);

    fs::write(tree.dir.join("text"), "fail\n").unwrap();
    let bad = place.attempt(&tree, &["--wait"]);
    assert_eq!(bad.code, Some(1), "{bad}");
    assert!(said(&bad).contains("full: failure"), "{bad}");
    assert!(said(&bad).contains("log stdio of step judge"), "{bad}");

    fs::write(tree.dir.join("text"), "again\n").unwrap();
    let hashed = place.attempt_as(&tree, "bob", "secret", &["--wait"]);
    assert_eq!(hashed.code, Some(0), "{hashed}");
    let sent = place.attempt(&tree, &["--wait", "--no-wait"]).ok();
    assert!(
        sent.contains("has accepted the job as build set "),
        "{sent}"
    );
    let names = place.attempt(&tree, &["--get-builder-names"]).ok();
    assert_eq!(names, "full\n");
}

#[test]
fn each_refusal_is_told_to_the_sender_and_the_next_job_works() {
    let sandbox = Sandbox::new();
    let place = Place::new(&sandbox);
    let mut master = place.master();
    let tree = place.repository.cloned("tree");
    fs::write(tree.dir.join("text"), "changed\n").unwrap();

    let wrong = place.attempt_as(&tree, "alice", "wrong", &[]).fails_with(2);
    assert!(wrong.contains("does not know user 'alice'"), "{wrong}");
    let wrong = place.attempt_as(&tree, "bob", "wrong", &[]).fails_with(2);
    assert!(wrong.contains("does not know user 'bob'"), "{wrong}");
    master.process().wait_for_line("login rejected");
    let refused = place.attempt(&tree, &["-b", "other"]).fails_with(2);
    let why = "builder other is not one of those that try may try: full";
    assert!(refused.contains(why), "{refused}");
    master.process().wait_for_line(why);

    let good = place.attempt(&tree, &["--wait"]);
    assert_eq!(good.code, Some(0), "{good}");
    assert_eq!(seen(&master, 0), "changed gone=yes new=no big=0");
}

#[test]
fn a_job_through_ssh_is_built() {
    let sandbox = Sandbox::new();
    let place = Place::new(&sandbox);
    let master = place.master();
    let tree = place.repository.cloned("tree");
    fs::write(tree.dir.join("text"), "changed\n").unwrap();
    let ssh = stand_in_for_ssh(&sandbox);
    let jobdir = master.dir().join("jobs");
    let by_ssh = |jobdir: &Path| {
        let mut command = place.program(&tree);
        command
            .args(["--connect=ssh", "--host=master.example"])
            .arg("--buildbotbin")
            .arg(program("buildbot"))
            .arg(format!("--ssh={}", ssh.display()))
            .arg("--jobdir")
            .arg(jobdir);
        run(&mut command)
    };
    let missing = by_ssh(&sandbox.path("missing")).fails_with(1);
    assert!(missing.contains("there is no directory"), "{missing}");
    let said = by_ssh(&jobdir).ok();
    assert!(said.contains("The job was delivered."), "{said}");
    assert_eq!(seen(&master, 0), "changed gone=yes new=no big=0");
}

#[test]
fn prb_18_a_try_says_what_fails_in_its_base_too_and_what_fails_in_it_alone() {
    let sandbox = Sandbox::new();
    let place = Place::new(&sandbox);
    let quick = "[[schedulers]]\ntype = \"Scheduler\"\nname = \"quick\"\nbuilders = [\"full\"]\n";
    let master = place.master_with(
        &[shell("lint", "echo 'a.c:7: error: wide'; false", "")],
        quick,
    );
    let tree = place.repository.cloned("tree");
    master.send_change(tree.git(&["rev-parse", "HEAD"]).trim());
    master.finished_build("full", 0);

    fs::write(tree.dir.join("text"), "fail\n").unwrap();
    let bad = place.attempt(&tree, &["--wait"]);
    assert_eq!(bad.code, Some(1), "{bad}");
    let told = |number: &str| {
        let mut show = master.program();
        show.args(["show", "build", "full", number, "--basedir"]);
        run(show.arg(master.dir())).ok()
    };
    let shown = told("1");
    for text in [
        "problems: 1 of yours, 1 known failure",
        "yours: the base does not fail so",
        "known, the base fails so since build 0",
        "(problem 1)",
    ] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
    // A try is not evidence.
    let mut problems = master.program();
    problems.args(["problems", "--all", "--basedir"]);
    let problems = run(problems.arg(master.dir())).ok();
    assert_eq!(problems.lines().count(), 1, "{problems}");
    assert!(problems.contains("full: lint"), "{problems}");
}

/// Bytes of a large file; its patch takes several parts, as it cannot be compressed.
const LARGE: usize = 3 << 20;

/// Bytes without a pattern, the same each time.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state.to_be_bytes()[0]
    };
    (0..len).map(|_| next()).collect()
}

/// What the build found in its tree.
fn seen(master: &Master<'_>, number: u64) -> String {
    let build = master.finished_build("full", number);
    let look = String::from_utf8_lossy(&master.log("full", number, "look")).into_owned();
    assert_eq!(build.result.as_deref(), Some("success"), "{look}");
    let mut lines = look.lines();
    let line = lines.find_map(|line| line.trim().strip_prefix("tree: "));
    line.unwrap_or_else(|| panic!("{look}")).to_owned()
}

fn said(finished: &Finished) -> String {
    String::from_utf8_lossy(&finished.stdout).into_owned()
}

/// A repository, and what a developer needs to try with the master beside it.
struct Place<'a> {
    sandbox: &'a Sandbox,
    repository: Repository<'a>,
    port: u16,
}

impl<'a> Place<'a> {
    fn new(sandbox: &'a Sandbox) -> Self {
        let repository = Repository::new(sandbox);
        repository.commit("gone", b"soon\n");
        repository.commit("text", b"base\n");
        Self {
            sandbox,
            repository,
            port: free_port(),
        }
    }

    /// A master whose builder looks at a patched checkout and likes all texts but `fail`.
    fn master(&self) -> Master<'a> {
        self.master_with(&[], "")
    }

    /// One whose builder has more steps, and more schedulers.
    fn master_with(&self, more: &[String], schedulers: &str) -> Master<'a> {
        let url = self.repository.dir.to_str().unwrap();
        let look = "has() { test -e $1 && echo yes || echo no; }
            echo tree: $(cat text) gone=$(has gone) new=$(has new) big=$(cat big 2>/dev/null | wc -c)";
        let steps = [
            &[
                format!("{{ type = \"Git\", repourl = {url:?} }}"),
                shell("look", look, ""),
                shell("judge", "cat text; test $(cat text) != fail", ""),
            ],
            more,
        ]
        .concat();
        let hash = hash_password(self.sandbox, "secret");
        let port = self.port;
        let setup = Setup::new(&steps)
            .builder("full", "")
            .builder("other", "")
            .local_slave("here")
            .schedulers(&format!(
                "[[schedulers]]\ntype = \"Try_Jobdir\"\nname = \"ssh\"\njobdir = \"jobs\"\n\
                 builders = [\"full\"]\n\
                 [[schedulers]]\ntype = \"Try_Userpass\"\nname = \"try\"\nport = \"127.0.0.1:{port}\"\n\
                 userpass = [[\"alice\", \"pw\"], [\"bob\", {hash:?}]]\nbuilders = [\"full\"]\n{schedulers}"
            ));
        let mut master = Master::prepare(self.sandbox, &setup);
        make_jobdir(&master);
        master.run();
        master
    }

    fn program(&self, tree: &Repository<'_>) -> Command {
        let mut command = self.sandbox.buildbot();
        command.current_dir(&tree.dir).args(["try", "--vc=git"]);
        command
    }

    fn attempt(&self, tree: &Repository<'_>, args: &[&str]) -> Finished {
        self.attempt_as(tree, "alice", "pw", args)
    }

    fn attempt_as(&self, tree: &Repository<'_>, user: &str, pw: &str, args: &[&str]) -> Finished {
        let mut command = self.program(tree);
        command
            .args(["--connect=pb", "--username", user, "--passwd", pw])
            .arg(format!("--master=127.0.0.1:{}", self.port));
        run(command.args(args))
    }
}
