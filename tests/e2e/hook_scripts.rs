//! The hook scripts of Buildbot 0.8.14, unmodified, in real repositories (HKN-04).

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::{Master, Repository, Sandbox, Setup, peer, run, shell};

/// Where the scripts are, and what runs them.
struct Scripts {
    python: PathBuf,
    dir: PathBuf,
}

impl Scripts {
    /// The scripts; absent, with a line that says why, if they cannot be had here.
    fn fetch() -> Option<Self> {
        let bin = peer("bb0814")?;
        let project = Path::new(env!("CARGO_MANIFEST_DIR"));
        let fetched = Command::new(project.join("tests/hook_scripts.sh"))
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&fetched.stdout).into_owned();
        assert!(fetched.status.success(), "{said}");
        if said.trim() != "hooks0814 ok" {
            eprintln!("{said}");
            return None;
        }
        let dir = bin.parent()?.with_file_name("hooks0814");
        let python = bin.join("python");
        Some(Self { python, dir })
    }

    /// A line of a shell that runs a file with their Python and its libraries.
    fn line(&self, file: &str) -> String {
        let (dir, python) = (self.dir.display(), self.python.display());
        format!("PYTHONPATH={dir}/lib {python} {dir}/{file}")
    }
}

fn setup() -> Setup {
    Setup::new(&[shell("make", "true", "")]).slave("nobody")
}

fn write_hook(path: &Path, line: &str) {
    fs::write(path, format!("#!/bin/sh\n{line}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn sh(sandbox: &Sandbox, dir: &Path, script: &str) -> String {
    let mut command = sandbox.command("sh");
    command.env("BZR_EMAIL", "Ann <ann@example.org>");
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    run(command.args(["-ec", script]).current_dir(dir)).ok()
}

/// Some fields of all changes, the oldest first.
fn changes(master: &Master<'_>, fields: &[&str]) -> Vec<Vec<String>> {
    let mut changes: Vec<Value> = master.show(&["changes"]);
    changes.sort_by_key(|change| change["number"].as_u64());
    let text = |change: &Value, field: &&str| {
        let value = &change[*field];
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    let of = |change: &Value| fields.iter().map(|field| text(change, field)).collect();
    changes.iter().map(of).collect()
}

#[test]
fn hkn_04_git_buildbot_tells_of_pushes() {
    let Some(scripts) = Scripts::fetch() else {
        return;
    };
    let sandbox = Sandbox::new();
    let master = Master::start(&sandbox, &setup());
    let repository = Repository::new(&sandbox);
    let bare = sandbox.path("bare.git");
    repository.git(&["init", "-q", "--bare", bare.to_str().unwrap()]);
    let script = scripts.line("contrib/git_buildbot.py");
    write_hook(
        &bare.join("hooks/post-receive"),
        &format!("exec env {script} --master localhost:{}", master.port()),
    );
    let push = |what: &str| repository.git(&["push", "-q", bare.to_str().unwrap(), what]);
    let one = repository.commit("a.c", b"1");
    push("HEAD:refs/heads/main");
    let two = repository.commit("b.c", b"2");
    let three = repository.commit("c d.c", b"3");
    push("HEAD:refs/heads/main");
    let expected = [[&one, "main"], [&two, "main"], [&three, "main"]];
    assert_eq!(changes(&master, &["revision", "branch"]), expected);
    let last = changes(&master, &["who", "files", "comments"])
        .pop()
        .unwrap();
    assert_eq!(last, ["me <me@example.org>", "[\"c d.c\"]", "c d.c\n"]);
}

#[test]
fn hkn_04_svn_buildbot_tells_of_commits() {
    let Some(scripts) = Scripts::fetch() else {
        return;
    };
    let sandbox = Sandbox::new();
    let master = Master::start(&sandbox, &setup());
    let dir = sandbox.private_dir("svn");
    sh(
        &sandbox,
        &dir,
        "svnadmin create repo; svn -q checkout file://$PWD/repo work",
    );
    let script = scripts.line("contrib/svn_buildbot.py");
    write_hook(
        &dir.join("repo/hooks/post-commit"),
        &format!(
            "exec env {script} --repository \"$1\" --revision \"$2\" --bbserver localhost \
             --bbport {}",
            master.port()
        ),
    );
    for n in 1..=2 {
        let commit = format!(
            "cd work; echo {n} >f{n}; svn -q add f{n}; svn -q commit --username ann -m 'no {n}'"
        );
        sh(&sandbox, &dir, &commit);
    }
    let found = changes(&master, &["revision", "who", "comments", "files"]);
    let expected = [
        ["1", "ann", "no 1", "[\"f1\"]"],
        ["2", "ann", "no 2", "[\"f2\"]"],
    ];
    assert_eq!(found, expected);
}

#[test]
fn hkn_04_hgbuildbot_tells_of_pushes() {
    let Some(scripts) = Scripts::fetch() else {
        return;
    };
    let sandbox = Sandbox::new();
    let master = Master::start(&sandbox, &setup());
    let dir = sandbox.private_dir("hg");
    let hg = scripts.line("lib/bin/hg");
    sh(
        &sandbox,
        &dir,
        &format!("{hg} init repo; {hg} -q clone repo work"),
    );
    let hgrc = format!(
        "[hooks]\nchangegroup.buildbot = python:{}/contrib/hgbuildbot.py:hook\n[hgbuildbot]\n\
         master = localhost:{}\nstrip = 0\n",
        scripts.dir.display(),
        master.port()
    );
    fs::write(dir.join("repo/.hg/hgrc"), hgrc).unwrap();
    sh(
        &sandbox,
        &dir,
        &format!(
            "cd work; for n in 1 2; do echo $n >f$n; {hg} commit -qA -u ann -m \"no $n\"; done; \
             {hg} push -q"
        ),
    );
    let found = changes(&master, &["branch", "who", "comments", "files"]);
    let expected = [
        ["default", "ann", "no 1", "[\"f1\"]"],
        ["default", "ann", "no 2", "[\"f2\"]"],
    ];
    assert_eq!(found, expected);
}

#[test]
fn hkn_04_bzr_buildbot_tells_of_pushes() {
    let Some(scripts) = Scripts::fetch() else {
        return;
    };
    let sandbox = Sandbox::new();
    let master = Master::start(&sandbox, &setup());
    let dir = sandbox.private_dir("bzr");
    let plugins = dir.join("plugins");
    fs::create_dir(&plugins).unwrap();
    let script = "bzr_buildbot.py";
    fs::copy(
        scripts.dir.join("contrib").join(script),
        plugins.join(script),
    )
    .unwrap();
    let bzr = format!(
        "BZR_PLUGIN_PATH=$PWD/../plugins {}",
        scripts.line("lib/bin/bzr")
    );
    sh(
        &sandbox,
        &dir,
        &format!("mkdir repo; cd repo; {bzr} init -q; echo 0 >f; {bzr} add -q; {bzr} commit -qm 0"),
    );
    let conf = dir.join("repo/.bzr/branch/branch.conf");
    let settings = format!(
        "buildbot_on = change\nbuildbot_server = localhost\nbuildbot_port = {}\n\
         buildbot_send_branch_name = yes\n",
        master.port()
    );
    fs::write(conf, settings).unwrap();
    sh(
        &sandbox,
        &dir,
        &format!("cd repo; echo 1 >>f; {bzr} commit -qm 'no 1'"),
    );
    let found = changes(&master, &["revision", "who", "comments", "branch"]);
    assert_eq!(found, [["2", "Ann <ann@example.org>", "no 1", "repo"]]);
}

#[test]
fn hkn_04_buildbot_cvs_mail_tells_of_commits() {
    let Some(scripts) = Scripts::fetch() else {
        return;
    };
    let sandbox = Sandbox::new();
    let master = Master::start(&sandbox, &setup());
    let dir = sandbox.private_dir("cvs");
    sh(
        &sandbox,
        &dir,
        "cvs -f -d $PWD/repo init; mkdir repo/project; cvs -f -Q -d $PWD/repo checkout -d work project",
    );
    // Its mail goes to the pipe of a mail server.
    let loginfo = format!(
        "ALL env {} -t -c /cvs -e bot@example.org -P widget -p %p %{{sVv}} | {} buildbot mail-change \
         --format cvs --master localhost:{}\n",
        scripts.line("contrib/buildbot_cvs_mail.py"),
        env!("CARGO_BIN_EXE_buildmaster"),
        master.port()
    );
    fs::write(dir.join("repo/CVSROOT/loginfo"), loginfo).unwrap();
    let config = dir.join("repo/CVSROOT/config");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}\nUseNewInfoFmtStrings=yes\n")).unwrap();
    sh(
        &sandbox,
        &dir,
        "cd work; echo 1 >'a b.c'; cvs -f -Q add 'a b.c'; cvs -f -Q commit -m 'no 1'",
    );
    let found = changes(&master, &["comments", "files", "project", "repository"]);
    assert_eq!(found, [["no 1\n", "[\"project/a b.c\"]", "widget", "/cvs"]]);
}
