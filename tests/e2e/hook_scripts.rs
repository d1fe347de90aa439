//! The hook scripts of Buildbot 0.8.14, unmodified, in real repositories (HKN-04).

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::git_servers::Servers;
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

/// A master, a directory for repositories, and the scripts.
struct Scene<'s> {
    scripts: Scripts,
    sandbox: &'s Sandbox,
    master: Master<'s>,
    dir: PathBuf,
}

/// Runs a test of the scripts, if they can be had here.
fn with_scripts(test: impl FnOnce(&Scene<'_>)) {
    let Some(scripts) = Scripts::fetch() else {
        return;
    };
    let sandbox = Sandbox::new();
    let setup = Setup::new(&[shell("make", "true", "")]).slave("nobody");
    test(&Scene {
        scripts,
        sandbox: &sandbox,
        master: Master::start(&sandbox, &setup),
        dir: sandbox.private_dir("repositories"),
    });
}

fn write_hook(path: &Path, line: &str) {
    fs::write(path, format!("#!/bin/sh\n{line}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

impl Scene<'_> {
    /// Runs lines of a shell in the directory.
    fn sh(&self, script: &str) -> String {
        let mut command = self.sandbox.command("sh");
        command.env("BZR_EMAIL", "Ann <ann@example.org>");
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        run(command.args(["-ec", script]).current_dir(&self.dir)).ok()
    }

    /// Some fields of all changes, the oldest first.
    fn changes(&self, fields: &[&str]) -> Vec<Vec<String>> {
        let mut changes: Vec<Value> = self.master.show(&["changes"]);
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
}

#[test]
fn hkn_04_git_buildbot_tells_of_pushes() {
    with_scripts(|scene| {
        let repository = Repository::new(scene.sandbox);
        let bare = scene.sandbox.path("bare.git");
        repository.git(&["init", "-q", "--bare", bare.to_str().unwrap()]);
        let script = scene.scripts.line("contrib/git_buildbot.py");
        write_hook(
            &bare.join("hooks/post-receive"),
            &format!(
                "exec env {script} --master localhost:{}",
                scene.master.port()
            ),
        );
        let push = |what: &str| repository.git(&["push", "-q", bare.to_str().unwrap(), what]);
        let one = repository.commit("a.c", b"1");
        push("HEAD:refs/heads/main");
        let two = repository.commit("b.c", b"2");
        let three = repository.commit("c d.c", b"3");
        push("HEAD:refs/heads/main");
        let expected = [[&one, "main"], [&two, "main"], [&three, "main"]];
        assert_eq!(scene.changes(&["revision", "branch"]), expected);
        let last = scene.changes(&["who", "files", "comments"]).pop().unwrap();
        assert_eq!(last, ["me <me@example.org>", "[\"c d.c\"]", "c d.c\n"]);
        let servers = Servers::of(scene.sandbox, &bare);
        for url in &servers.urls {
            let revision = repository.commit("served", url.as_bytes());
            let setting = servers.ssh_setting.as_str();
            repository.git(&["-c", setting, "push", "-q", url, "HEAD:refs/heads/main"]);
            let newest = scene.changes(&["revision"]).pop().unwrap();
            assert_eq!(newest, [revision], "{url}");
        }
    });
}

#[test]
fn hkn_04_svn_buildbot_tells_of_commits() {
    with_scripts(|scene| {
        scene.sh("svnadmin create repo; svn -q checkout file://$PWD/repo work");
        let script = scene.scripts.line("contrib/svn_buildbot.py");
        write_hook(
            &scene.dir.join("repo/hooks/post-commit"),
            &format!(
                "exec env {script} --repository \"$1\" --revision \"$2\" --bbserver localhost \
             --bbport {}",
                scene.master.port()
            ),
        );
        for n in 1..=2 {
            let commit = format!(
                "cd work; echo {n} >f{n}; svn -q add f{n}; svn -q commit --username ann -m 'no {n}'"
            );
            scene.sh(&commit);
        }
        let found = scene.changes(&["revision", "who", "comments", "files"]);
        let expected = [
            ["1", "ann", "no 1", "[\"f1\"]"],
            ["2", "ann", "no 2", "[\"f2\"]"],
        ];
        assert_eq!(found, expected);
    });
}

#[test]
fn hkn_04_hgbuildbot_tells_of_pushes() {
    with_scripts(|scene| {
        let hg = scene.scripts.line("lib/bin/hg");
        scene.sh(&format!("{hg} init repo; {hg} -q clone repo work"));
        let hgrc = format!(
            "[hooks]\nchangegroup.buildbot = python:{}/contrib/hgbuildbot.py:hook\n[hgbuildbot]\n\
         master = localhost:{}\nstrip = 0\n",
            scene.scripts.dir.display(),
            scene.master.port()
        );
        fs::write(scene.dir.join("repo/.hg/hgrc"), hgrc).unwrap();
        scene.sh(&format!(
            "cd work; for n in 1 2; do echo $n >f$n; {hg} commit -qA -u ann -m \"no $n\"; done; \
             {hg} push -q"
        ));
        let found = scene.changes(&["branch", "who", "comments", "files"]);
        let expected = [
            ["default", "ann", "no 1", "[\"f1\"]"],
            ["default", "ann", "no 2", "[\"f2\"]"],
        ];
        assert_eq!(found, expected);
    });
}

#[test]
fn hkn_04_bzr_buildbot_tells_of_pushes() {
    with_scripts(|scene| {
        let plugins = scene.dir.join("plugins");
        fs::create_dir(&plugins).unwrap();
        let script = "bzr_buildbot.py";
        fs::copy(
            scene.scripts.dir.join("contrib").join(script),
            plugins.join(script),
        )
        .unwrap();
        let bzr = format!(
            "BZR_PLUGIN_PATH=$PWD/../plugins {}",
            scene.scripts.line("lib/bin/bzr")
        );
        scene.sh(&format!(
            "mkdir repo; cd repo; {bzr} init -q; echo 0 >f; {bzr} add -q; {bzr} commit -qm 0"
        ));
        let conf = scene.dir.join("repo/.bzr/branch/branch.conf");
        let settings = format!(
            "buildbot_on = change\nbuildbot_server = localhost\nbuildbot_port = {}\n\
         buildbot_send_branch_name = yes\n",
            scene.master.port()
        );
        fs::write(conf, settings).unwrap();
        scene.sh(&format!("cd repo; echo 1 >>f; {bzr} commit -qm 'no 1'"));
        let found = scene.changes(&["revision", "who", "comments", "branch"]);
        assert_eq!(found, [["2", "Ann <ann@example.org>", "no 1", "repo"]]);
    });
}

#[test]
fn hkn_04_buildbot_cvs_mail_tells_of_commits() {
    with_scripts(|scene| {
        scene.sh("cvs -f -d $PWD/repo init; mkdir repo/project; cvs -f -Q -d $PWD/repo checkout -d work project",
    );
        // Its mail goes to the pipe of a mail server.
        let loginfo = format!(
            "ALL env {} -t -c /cvs -e bot@example.org -P widget -p %p %{{sVv}} | {} buildbot mail-change \
         --format cvs --master localhost:{}\n",
            scene.scripts.line("contrib/buildbot_cvs_mail.py"),
            env!("CARGO_BIN_EXE_buildmaster"),
            scene.master.port()
        );
        fs::write(scene.dir.join("repo/CVSROOT/loginfo"), loginfo).unwrap();
        let config = scene.dir.join("repo/CVSROOT/config");
        let text = fs::read_to_string(&config).unwrap();
        fs::write(&config, format!("{text}\nUseNewInfoFmtStrings=yes\n")).unwrap();
        scene.sh("cd work; echo 1 >'a b.c'; cvs -f -Q add 'a b.c'; cvs -f -Q commit -m 'no 1'");
        let found = scene.changes(&["comments", "files", "project", "repository"]);
        assert_eq!(found, [["no 1\n", "[\"project/a b.c\"]", "widget", "/cvs"]]);
    });
}
