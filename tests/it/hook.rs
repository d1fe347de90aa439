//! The hook script in `examples`, with a real git and a stand-in for `buildbot`.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

fn git(dir: &Path, args: &[&str]) -> Option<String> {
    let mut git = Command::new("git");
    git.current_dir(dir)
        .args(args)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_AUTHOR_DATE", "2001-02-03T04:05:06Z")
        .env("GIT_COMMITTER_DATE", "2001-02-03T04:05:06Z");
    let out = git.output().ok()?;
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(out.status.success(), "git {args:?}");
    Some(text.trim().to_owned())
}

/// TIM-01: a push of old commits waits for the tree to be still as any other does.
#[test]
fn the_git_hook_sends_the_time_of_a_commit_only_to_be_shown() {
    let dir = tempfile::tempdir().unwrap();
    let (repository, bin) = (dir.path().join("repository"), dir.path().join("bin"));
    fs::create_dir_all(&repository).unwrap();
    fs::create_dir_all(&bin).unwrap();
    if git(&repository, &["init", "-q"]).is_none() {
        return;
    }
    for (key, value) in [
        ("user.name", "Zoe"),
        ("user.email", "zoe@example.org"),
        ("buildmaster.master", "127.0.0.1:1"),
        ("buildmaster.auth", "change:pw"),
    ] {
        git(&repository, &["config", key, value]).unwrap();
    }
    fs::write(repository.join("a.c"), "1").unwrap();
    git(&repository, &["add", "a.c"]).unwrap();
    git(&repository, &["commit", "-q", "-m", "- fix it"]).unwrap();
    let tip = git(&repository, &["rev-parse", "HEAD"]).unwrap();

    let sent = dir.path().join("sent");
    let stand_in = bin.join("buildbot");
    let script = format!(
        "#!/bin/sh\nprintf '%s\\n' \"$@\" >> {0}\ncat >> {0}\n",
        sent.display()
    );
    fs::write(&stand_in, script).unwrap();
    fs::set_permissions(&stand_in, fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let hook = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/git-post-receive");
    let mut child = Command::new("sh")
        .arg(hook)
        .current_dir(&repository)
        .env("PATH", format!("{}:{path}", bin.display()))
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let nothing = "0".repeat(40);
    let line = format!("{nothing} {tip} refs/heads/trunk\n");
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(line.as_bytes()).unwrap();
    drop(stdin);
    assert!(child.wait().unwrap().success());

    let sent = fs::read_to_string(sent).unwrap();
    let expected = ["sendchange", "a.c", "- fix it", "trunk", tip.as_str()];
    for part in expected {
        assert!(sent.contains(part), "{part} in {sent}");
    }
    assert!(!sent.contains("--when"), "{sent}");
    assert!(sent.contains("--made-at\n981173106\n"), "{sent}");
}
