//! Hook programs: real repositories whose hooks tell a master of pushes (HKN-01 to HKN-04).

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::harness::{Master, Sandbox, Setup, peer, run, shell, wait_until};

pub(crate) fn setup() -> Setup {
    Setup::new(&[shell("make", "true", "")]).slave("nobody")
}

/// Whether a program of a version control system is here.
pub(crate) fn has(program: &str) -> bool {
    let there = Command::new(program).arg("--version").output().is_ok();
    if !there {
        eprintln!("{program} is not installed: nothing was tried");
    }
    there
}

/// A program in a directory of the sandbox, with what version control systems want.
pub(crate) fn tool(sandbox: &Sandbox, dir: &Path, words: &[&str]) -> Command {
    let mut command = sandbox.command(words[0]);
    command
        .args(&words[1..])
        .current_dir(dir)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("EMAIL", "Ann <ann@example.org>")
        .env("HGUSER", "Ann <ann@example.org>")
        .env("BRZ_EMAIL", "Ann <ann@example.org>")
        .env("BZR_EMAIL", "Ann <ann@example.org>");
    for who in ["AUTHOR", "COMMITTER"] {
        command
            .env(format!("GIT_{who}_NAME"), "Ann")
            .env(format!("GIT_{who}_EMAIL"), "ann@example.org")
            .env(format!("GIT_{who}_DATE"), "2001-02-03T04:05:06Z");
    }
    command
}

pub(crate) fn sh(sandbox: &Sandbox, dir: &Path, words: &[&str]) -> String {
    run(&mut tool(sandbox, dir, words)).ok()
}

/// Installs the hook of a repository.
pub(crate) fn install(sandbox: &Sandbox, vc: &str, dir: &Path, port: u16, more: &[&str]) {
    run(sandbox
        .buildbot()
        .args(["hook", "install", vc])
        .arg(dir)
        .args([
            "--master",
            &format!("127.0.0.1:{port}"),
            "--auth",
            "change:changepw",
        ])
        .args(more))
    .ok();
}

/// A bare repository with a hook, and a clone of it.
pub(crate) fn git_repository(sandbox: &Sandbox, port: u16, more: &[&str]) -> (PathBuf, PathBuf) {
    let (bare, clone) = (sandbox.path("bare.git"), sandbox.path("clone"));
    let top = bare.parent().unwrap().to_owned();
    sh(
        sandbox,
        &top,
        &["git", "init", "-q", "--bare", "-b", "main", "bare.git"],
    );
    install(sandbox, "git", &bare, port, more);
    sh(sandbox, &top, &["git", "clone", "-q", "bare.git", "clone"]);
    sh(sandbox, &clone, &["git", "checkout", "-q", "-B", "main"]);
    (bare, clone)
}

pub(crate) fn commit(sandbox: &Sandbox, clone: &Path, file: &str, message: &str) -> String {
    fs::write(clone.join(file), message).unwrap();
    sh(sandbox, clone, &["git", "add", "-A"]);
    sh(sandbox, clone, &["git", "commit", "-q", "-m", message]);
    sh(sandbox, clone, &["git", "rev-parse", "HEAD"])
        .trim()
        .to_owned()
}

/// The changes of the master, the oldest first.
pub(crate) fn changes(master: &Master<'_>) -> Vec<Value> {
    let mut changes: Vec<Value> = master.show(&["changes", "--limit", "100000"]);
    changes.sort_by_key(|change| change["number"].as_u64());
    changes
}

pub(crate) fn texts(changes: &[Value], field: &str) -> Vec<String> {
    let texts = changes
        .iter()
        .map(|change| change[field].as_str().unwrap_or("").to_owned());
    texts.collect()
}

#[test]
fn hkn_01_one_command_installs_a_hook_and_another_tries_it() {
    let sandbox = Sandbox::new();
    let mut master = Master::start(&sandbox, &setup());
    let (bare, _) = git_repository(&sandbox, master.port(), &[]);
    let hook = fs::read_to_string(bare.join("hooks/post-receive")).unwrap();
    assert!(hook.contains("hook git"), "{hook}");
    let try_it = || run(sandbox.buildbot().args(["hook", "test"]).arg(&bare));
    try_it().ok();
    assert_eq!(changes(&master).len(), 1);
    master.kill();
    assert_eq!(try_it().code, Some(1));
}

#[test]
fn hkn_02_a_push_to_git_is_told_in_order_with_all_its_branches() {
    let sandbox = Sandbox::new();
    let master = Master::start(&sandbox, &setup());
    let (_, clone) = git_repository(&sandbox, master.port(), &["--tags", "--project", "widget"]);
    let first = commit(&sandbox, &clone, "a.c", "first");
    let second = commit(
        &sandbox,
        &clone,
        "odd 'name\"\n\u{e4}.c",
        "- second; $(touch x) `id`",
    );
    sh(&sandbox, &clone, &["git", "push", "-q", "origin", "main"]);
    let told = changes(&master);
    assert_eq!(texts(&told, "revision"), [first.as_str(), second.as_str()]);
    assert_eq!(texts(&told, "branch"), ["main", "main"]);
    assert_eq!(told[1]["comments"], "- second; $(touch x) `id`");
    assert_eq!(
        told[1]["files"],
        serde_json::json!(["odd 'name\"\n\u{e4}.c"])
    );
    assert_eq!(told[1]["who"], "Ann <ann@example.org>");
    assert_eq!(told[1]["project"], "widget");
    // TIM-01: the time of a commit is shown, and timers count from the push.
    assert!(
        told[1]["made_at"].to_string().contains("2001-02-03"),
        "{}",
        told[1]
    );
    assert_eq!(told[1]["when"], told[1]["arrived_at"]);

    // Two new branches at once, one of them at a known commit, and a tag.
    sh(&sandbox, &clone, &["git", "branch", "old", &first]);
    sh(&sandbox, &clone, &["git", "checkout", "-q", "-b", "new"]);
    let third = commit(&sandbox, &clone, "c.c", "third");
    sh(&sandbox, &clone, &["git", "tag", "-m", "one", "v1"]);
    sh(
        &sandbox,
        &clone,
        &["git", "push", "-q", "origin", "new", "old", "v1"],
    );
    let mut told: Vec<_> = changes(&master)
        .split_off(2)
        .into_iter()
        .map(|change| {
            format!(
                "{} {}",
                change["branch"].as_str().unwrap(),
                change["revision"].as_str().unwrap()
            )
        })
        .collect();
    told.sort();
    let expected = [
        format!("new {third}"),
        format!("old {first}"),
        format!("refs/tags/v1 {third}"),
    ];
    assert_eq!(told, expected);

    // A push that was forced, and a branch that was deleted.
    sh(&sandbox, &clone, &["git", "reset", "-q", "--hard", &first]);
    let fourth = commit(&sandbox, &clone, "d.c", "fourth");
    sh(
        &sandbox,
        &clone,
        &["git", "push", "-q", "-f", "origin", "new", ":old"],
    );
    let told = changes(&master).split_off(5);
    assert_eq!(texts(&told, "revision"), [fourth.as_str()]);
    assert!(
        told[0]["properties"].to_string().contains("forced"),
        "{}",
        told[0]
    );
}

#[test]
fn hkn_03_what_a_master_that_is_down_misses_comes_later_in_order_and_once() {
    let sandbox = Sandbox::new();
    let mut master = Master::start(&sandbox, &setup());
    let (bare, clone) = git_repository(&sandbox, master.port(), &[]);
    let push = || {
        run(&mut tool(
            &sandbox,
            &clone,
            &["git", "push", "-q", "origin", "main"],
        ))
    };
    let mut revisions = vec![commit(&sandbox, &clone, "a", "1")];
    push().ok();
    master.kill();
    for n in 2..5 {
        revisions.push(commit(&sandbox, &clone, "a", &n.to_string()));
        // The push does not fail.
        push().ok();
    }
    let waiting = fs::read_dir(bare.join("buildbot-spool/queue"))
        .unwrap()
        .count();
    assert_eq!(waiting, 3);
    master.run();
    revisions.push(commit(&sandbox, &clone, "a", "5"));
    push().ok();
    let queue = || {
        fs::read_dir(bare.join("buildbot-spool/queue"))
            .unwrap()
            .count()
    };
    wait_until("the spool is empty", || queue() == 0);
    assert_eq!(texts(&changes(&master), "revision"), revisions);

    // Without another push: by hand.
    master.kill();
    revisions.push(commit(&sandbox, &clone, "a", "6"));
    push().ok();
    let flush = || run(sandbox.buildbot().args(["hook", "flush"]).arg(&bare));
    flush().fails_with(1);
    master.run();
    flush().ok();
    assert_eq!(texts(&changes(&master), "revision"), revisions);
    run(sandbox.buildbot().args(["hook", "test"]).arg(&bare)).ok();
    let told = changes(&master);
    assert_eq!(told.len(), revisions.len() + 1);
    assert_eq!(told.last().unwrap()["category"], "hook-test");
}

#[test]
fn hkn_02_a_commit_to_subversion_is_told() {
    if !has("svn") || !has("svnadmin") {
        return;
    }
    let sandbox = Sandbox::new();
    let master = Master::start(&sandbox, &setup());
    let (repository, tree) = (sandbox.path("svn"), sandbox.path("tree"));
    let top = tree.parent().unwrap().to_owned();
    sh(&sandbox, &top, &["svnadmin", "create", "svn"]);
    install(
        &sandbox,
        "svn",
        &repository,
        master.port(),
        &["--layout", "standard"],
    );
    let url = format!("file://{}", repository.display());
    sh(&sandbox, &top, &["svn", "checkout", "-q", &url, "tree"]);
    fs::create_dir_all(tree.join("trunk")).unwrap();
    fs::create_dir_all(tree.join("branches/rel")).unwrap();
    fs::write(tree.join("trunk/a b.c"), "1").unwrap();
    fs::write(tree.join("branches/rel/\u{e4}.c"), "1").unwrap();
    sh(&sandbox, &tree, &["svn", "add", "-q", "trunk", "branches"]);
    sh(
        &sandbox,
        &tree,
        &["svn", "commit", "-q", "-m", "first; $(id)"],
    );
    let told = changes(&master);
    assert_eq!(texts(&told, "branch"), ["", "branches/rel"]);
    assert_eq!(texts(&told, "revision"), ["1", "1"]);
    assert_eq!(told[0]["files"], serde_json::json!(["a b.c"]));
    assert_eq!(told[1]["files"], serde_json::json!(["\u{e4}.c"]));
    assert_eq!(told[0]["comments"], "first; $(id)");
}

#[test]
fn hkn_02_a_push_to_mercurial_is_told() {
    if !has("hg") {
        return;
    }
    let sandbox = Sandbox::new();
    let master = Master::start(&sandbox, &setup());
    let (central, clone) = (sandbox.path("central"), sandbox.path("clone"));
    let top = clone.parent().unwrap().to_owned();
    sh(&sandbox, &top, &["hg", "init", "central"]);
    install(&sandbox, "hg", &central, master.port(), &[]);
    sh(&sandbox, &top, &["hg", "clone", "-q", "central", "clone"]);
    for (file, message) in [("a b.c", "first"), ("\u{e4}.c", "second\n\nmore")] {
        fs::write(clone.join(file), message).unwrap();
        sh(
            &sandbox,
            &clone,
            &["hg", "commit", "-q", "-A", "-m", message],
        );
    }
    let log = ["hg", "log", "-r", "0:tip", "--template", "{node}\n"];
    let nodes = sh(&sandbox, &clone, &log);
    sh(&sandbox, &clone, &["hg", "push", "-q"]);
    let told = changes(&master);
    assert_eq!(texts(&told, "revision"), nodes.lines().collect::<Vec<_>>());
    assert_eq!(texts(&told, "comments"), ["first", "second\n\nmore"]);
    assert_eq!(told[1]["files"], serde_json::json!(["\u{e4}.c"]));
}

#[test]
fn hkn_02_a_push_to_bazaar_is_told() {
    if !has("brz") {
        return;
    }
    let sandbox = Sandbox::new();
    let master = Master::start(&sandbox, &setup());
    let (central, clone) = (sandbox.path("central"), sandbox.path("clone"));
    let top = clone.parent().unwrap().to_owned();
    sh(&sandbox, &top, &["brz", "init", "-q", "central"]);
    install(&sandbox, "bzr", &central, master.port(), &[]);
    sh(&sandbox, &top, &["brz", "branch", "-q", "central", "clone"]);
    for (file, message) in [("a b.c", "first"), ("c.c", "second\nmore")] {
        fs::write(clone.join(file), message).unwrap();
        sh(&sandbox, &clone, &["brz", "add", "-q"]);
        sh(&sandbox, &clone, &["brz", "commit", "-q", "-m", message]);
    }
    sh(&sandbox, &clone, &["brz", "push", "-q", "../central"]);
    let told = changes(&master);
    assert_eq!(texts(&told, "revision"), ["1", "2"]);
    assert_eq!(texts(&told, "comments"), ["first\n", "second\nmore\n"]);
    assert_eq!(told[0]["files"], serde_json::json!(["a b.c"]));
}

#[test]
fn hkn_02_the_directories_of_a_commit_to_cvs_are_one_change() {
    if !has("cvs") {
        return;
    }
    let sandbox = Sandbox::new();
    let master = Master::start(&sandbox, &setup());
    let (root, tree) = (sandbox.path("cvsroot"), sandbox.path("module"));
    let top = tree.parent().unwrap().to_owned();
    let cvs = |dir: &Path, words: &[&str]| {
        let root = root.display().to_string();
        let words = [&["cvs", "-Q", "-d", &root], words].concat();
        sh(&sandbox, dir, &words)
    };
    fs::create_dir(&root).unwrap();
    cvs(&top, &["init"]);
    install(&sandbox, "cvs", &root, master.port(), &[]);
    fs::create_dir_all(root.join("module/lib")).unwrap();
    cvs(&top, &["checkout", "module"]);
    fs::write(tree.join("a b.c"), "1").unwrap();
    fs::write(tree.join("lib/c.c"), "1").unwrap();
    cvs(&tree, &["add", "a b.c", "lib/c.c"]);
    cvs(&tree, &["commit", "-m", "first"]);
    let is_ours = |change: &Value| change["comments"] == "first";
    wait_until("the commit is told", || {
        changes(&master).iter().any(is_ours)
    });
    let told: Vec<_> = changes(&master).into_iter().filter(is_ours).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    let files = serde_json::json!(["module/a b.c", "module/lib/c.c"]);
    assert_eq!(told[0]["files"], files);
}

#[test]
fn hkn_02_patches_that_are_applied_to_darcs_are_told() {
    if !has("darcs") {
        return;
    }
    let sandbox = Sandbox::new();
    let master = Master::start(&sandbox, &setup());
    let (central, clone) = (sandbox.path("central"), sandbox.path("clone"));
    let top = clone.parent().unwrap().to_owned();
    sh(&sandbox, &top, &["darcs", "init", "-q", "central"]);
    sh(&sandbox, &top, &["darcs", "init", "-q", "clone"]);
    install(&sandbox, "darcs", &central, master.port(), &[]);
    fs::write(clone.join("a.c"), "1").unwrap();
    sh(&sandbox, &clone, &["darcs", "add", "-q", "a.c"]);
    sh(
        &sandbox,
        &clone,
        &[
            "darcs",
            "record",
            "-q",
            "-a",
            "-A",
            "Ann <ann@example.org>",
            "-m",
            "first",
        ],
    );
    sh(
        &sandbox,
        &clone,
        &["darcs", "push", "-q", "-a", "../central"],
    );
    let told = changes(&master);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["who"], "Ann <ann@example.org>");
    assert!(
        told[0]["comments"].as_str().unwrap().contains("first"),
        "{}",
        told[0]
    );
    assert!(
        told[0]["revision"].as_str().unwrap().contains("[first"),
        "{}",
        told[0]
    );
}

#[test]
fn hkn_03_a_push_does_not_wait_for_a_master_that_does_not_answer() {
    let sandbox = Sandbox::new();
    // It takes connections and is silent.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let (bare, clone) = git_repository(&sandbox, port, &[]);
    commit(&sandbox, &clone, "a", "1");
    let pushed = run(&mut tool(
        &sandbox,
        &clone,
        &["git", "push", "origin", "main"],
    ));
    // What it prints, after the check that it did not fail.
    let said = pushed.fails_with(0);
    assert!(said.contains("1 change is kept"), "{said}");
    assert_eq!(
        fs::read_dir(bare.join("buildbot-spool/queue"))
            .unwrap()
            .count(),
        1
    );
}

/// What the hook scripts of Buildbot 0.8.14 do, with its own Twisted: they log in as `change`, and
/// send dictionaries of these keys, one after the other or all at once.
const OLD_SCRIPT: &str = r#"
import sys
from twisted.cred import credentials
from twisted.internet import defer, reactor
from twisted.spread import pb

git = {"revision": "a" * 40, "comments": "fix\n", "branch": u"main", "src": "git",
       "who": u"Ann <ann@example.org>", "files": [u"a.c", u"b.c"],
       "repository": u"r", "project": u"p", "codebase": u""}
svn = {"who": u"ann", "repository": u"", "comments": u"fix", "revision": 7, "project": u"",
       "src": "svn", "branch": None, "files": [u"trunk/a.c"]}
bzr = {"who": u"Ann", "files": ["c.c ADDED"], "comments": "fix", "revision": 3, "branch": u"nick"}


@defer.inlineCallbacks
def send(remote):
    yield remote.callRemote("addChange", git)
    yield defer.gatherResults([remote.callRemote("addChange", c) for c in (svn, bzr)])


factory = pb.PBClientFactory()
reactor.connectTCP("localhost", int(sys.argv[1]), factory)
sent = factory.login(credentials.UsernamePassword("change", "changepw"))
sent.addCallback(send)
failures = []
sent.addErrback(failures.append)
sent.addBoth(lambda _: reactor.stop())
reactor.run()
sys.exit(str(failures[0]) if failures else 0)
"#;

#[test]
fn hkn_04_the_hook_scripts_of_buildbot_are_understood() {
    let Some(bin) = peer("bb0814") else { return };
    let sandbox = Sandbox::new();
    let master = Master::start(&sandbox, &setup());
    let script = sandbox.file("old.py", OLD_SCRIPT);
    let mut python = sandbox.command(bin.join("python"));
    run(python.arg(script).arg(master.port().to_string())).ok();
    let told = changes(&master);
    assert_eq!(
        texts(&told, "revision"),
        ["a".repeat(40).as_str(), "7", "3"]
    );
    assert_eq!(texts(&told, "branch"), ["main", "", "nick"]);
    assert_eq!(texts(&told, "who"), ["Ann <ann@example.org>", "ann", "Ann"]);
}
