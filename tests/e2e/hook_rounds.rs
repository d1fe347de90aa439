//! Hook programs of three systems at once, with a master that is killed and started again and again
//! (HKN-03, INT-02).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use crate::harness::{Master, Sandbox, is_slow, run, wait_until};
use crate::hook_programs::{changes, commit, git_repository, has, install, setup, sh, tool};

/// A repository, the place where people work, and what they have committed.
struct Place {
    repository: PathBuf,
    work: PathBuf,
    /// What sends the commits to the repository.
    push: &'static [&'static str],
    vc: &'static str,
}

impl Place {
    /// Begins to send what was committed.
    fn push(&self, sandbox: &Sandbox) -> Child {
        let mut command = tool(sandbox, &self.work, self.push);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(Stdio::null()).spawn().unwrap()
    }

    /// The revisions in the repository, the oldest first.
    fn revisions(&self, sandbox: &Sandbox) -> Vec<String> {
        let words: &[&str] = match self.vc {
            "git" => &["git", "rev-list", "--reverse", "main"],
            "hg" => &["hg", "log", "-r", "0:tip", "--template", "{node}\n"],
            _ => &["svnlook", "youngest", "."],
        };
        let printed = sh(sandbox, &self.repository, words);
        match self.vc {
            "svn" => {
                let youngest: u64 = printed.trim().parse().unwrap();
                (1..=youngest)
                    .map(|revision| revision.to_string())
                    .collect()
            }
            _ => printed.lines().map(str::to_owned).collect(),
        }
    }
}

fn git(sandbox: &Sandbox, port: u16) -> Place {
    let (repository, work) = git_repository(sandbox, port, &[]);
    Place {
        repository,
        work,
        push: &["git", "push", "-q", "origin", "main"],
        vc: "git",
    }
}

fn svn(sandbox: &Sandbox, port: u16) -> Place {
    let (repository, work) = (sandbox.path("svn"), sandbox.path("tree"));
    let top = work.parent().unwrap();
    sh(sandbox, top, &["svnadmin", "create", "svn"]);
    install(sandbox, "svn", &repository, port, &[]);
    let url = format!("file://{}", repository.display());
    sh(sandbox, top, &["svn", "checkout", "-q", &url, "tree"]);
    Place {
        repository,
        work,
        push: &["svn", "commit", "-q", "-m", "more"],
        vc: "svn",
    }
}

fn hg(sandbox: &Sandbox, port: u16) -> Place {
    let (repository, work) = (sandbox.path("central"), sandbox.path("hg-clone"));
    let top = work.parent().unwrap();
    sh(sandbox, top, &["hg", "init", "central"]);
    install(sandbox, "hg", &repository, port, &[]);
    sh(sandbox, top, &["hg", "clone", "-q", "central", "hg-clone"]);
    Place {
        repository,
        work,
        push: &["hg", "push", "-q"],
        vc: "hg",
    }
}

/// Commits twice where that does not send the commits, and prepares one commit elsewhere.
fn work(sandbox: &Sandbox, place: &Place, round: usize) {
    for n in 0..2 {
        let text = format!("{round} {n}");
        let file = format!("f{n}");
        match place.vc {
            "git" => drop(commit(sandbox, &place.work, &file, &text)),
            "hg" => {
                write(&place.work, &file, &text);
                sh(
                    sandbox,
                    &place.work,
                    &["hg", "commit", "-q", "-A", "-m", &text],
                );
            }
            _ => {
                let is_new = !place.work.join(&file).exists();
                write(&place.work, &file, &text);
                if is_new {
                    sh(sandbox, &place.work, &["svn", "add", "-q", &file]);
                }
            }
        }
    }
}

fn write(dir: &Path, file: &str, text: &str) {
    fs::write(dir.join(file), text).unwrap();
}

#[test]
fn hkn_03_nothing_is_lost_or_doubled_while_the_master_is_killed() {
    if !has("svn") || !has("svnadmin") || !has("hg") {
        return;
    }
    let rounds = if is_slow() { 200 } else { 4 };
    let sandbox = Sandbox::new();
    let mut master = Master::start(&sandbox, &setup());
    let port = master.port();
    let places = [git(&sandbox, port), svn(&sandbox, port), hg(&sandbox, port)];
    for round in 0..rounds {
        for place in &places {
            work(&sandbox, place, round);
        }
        let pushes: Vec<_> = places.iter().map(|place| place.push(&sandbox)).collect();
        master.kill();
        // Every other time, the master comes back while the hooks run.
        if round % 2 == 0 {
            master.run();
        }
        for (mut push, place) in pushes.into_iter().zip(&places) {
            assert!(push.wait().unwrap().success(), "{} {round}", place.vc);
        }
        if round % 2 != 0 {
            master.run();
        }
    }
    let mut expected = 0;
    for place in &places {
        run(sandbox
            .buildbot()
            .args(["hook", "flush"])
            .arg(&place.repository))
        .ok();
        expected += place.revisions(&sandbox).len();
    }
    let found = || changes(&master).len();
    wait_until("all commits are there", || found() >= expected);
    for place in &places {
        let repository = place.repository.to_str().unwrap();
        let revisions: Vec<_> = changes(&master)
            .into_iter()
            .filter(|change| change["repository"] == repository)
            .map(|change| change["revision"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(revisions, place.revisions(&sandbox), "{}", place.vc);
    }
    assert_eq!(found(), expected);
}
