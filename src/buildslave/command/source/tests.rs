//! Version control commands with real repositories; those of missing programs are skipped, with a
//! word.

#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(
    clippy::print_stderr,
    reason = "who runs the tests wants to know what was skipped"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::buildslave::command::tests::{Said, run};
use crate::pb::Value;

/// A system: the command, how a repository is made in `repo`, how `$N` is committed, and the
/// arguments of the command for a repository in a directory.
struct System {
    name: &'static str,
    setup: &'static str,
    commit: &'static str,
    args: fn(&str) -> Vec<(&'static str, String)>,
}

const SYSTEMS: [System; 6] = [
    System {
        name: "git",
        setup: "git init -q -b master repo; cd repo; git config user.name me; git config user.email me@e",
        commit: "cd repo; echo $N >text; git add text; git commit -qm $N; git rev-parse HEAD",
        args: |dir| {
            vec![
                ("repourl", format!("{dir}/repo")),
                ("branch", "master".to_owned()),
            ]
        },
    },
    System {
        name: "svn",
        setup: "svnadmin create repo; svn -q checkout file://$PWD/repo work; cd work; touch text; svn -q add text",
        commit: "cd work; echo $N >text; svn -q commit -m $N; svn -q update; svn info --show-item revision",
        args: |dir| vec![("svnurl", format!("file://{dir}/repo"))],
    },
    System {
        name: "hg",
        setup: "hg init repo",
        commit: "cd repo; echo $N >text; hg commit -qA -u me -m $N; hg log -r . --template '{node}'",
        args: |dir| vec![("repourl", format!("{dir}/repo"))],
    },
    System {
        name: "bzr",
        setup: "bzr init -q repo; touch repo/text; bzr add -q repo",
        commit: "cd repo; echo $N >text; bzr commit -qm $N; bzr revno",
        args: |dir| vec![("repourl", format!("{dir}/repo"))],
    },
    System {
        name: "darcs",
        setup: "mkdir repo; cd repo; darcs init -q; touch text; darcs add -q text",
        commit: "cd repo; echo $N >text; touch -d 2020-01-0$N text; darcs record -qa -A me -m $N; darcs log --context",
        args: |dir| vec![("repourl", format!("{dir}/repo"))],
    },
    System {
        name: "cvs",
        setup: "cvs -f -d $PWD/repo init; mkdir repo/project; cvs -f -Q -d $PWD/repo checkout -d work project; \
                cd work; touch text; cvs -f -Q add text",
        commit: "cd work; echo $N >text; cvs -f -Q commit -m $N; cd ..; chmod u+w repo/project/text,v; \
                 sed -i \"0,/^date/s/^date\\t[0-9.]*/date\\t2020.01.0$N.00.00.00/\" repo/project/text,v; \
                 echo 2020-01-0$N 12:00:00 +0000",
        args: |dir| {
            vec![
                ("cvsroot", format!("{dir}/repo")),
                ("cvsmodule", "project".to_owned()),
            ]
        },
    },
];

fn script(dir: &Path, script: &str, number: u32) -> String {
    let done = Command::new("sh")
        .args(["-ec", script])
        .current_dir(dir)
        .env("HOME", dir)
        .env("N", number.to_string())
        .env("EMAIL", "me@example.org")
        .env("BRZ_EMAIL", "me@example.org")
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{script}: {errors}");
    let printed = String::from_utf8(done.stdout).unwrap();
    // Darcs wants the last line end of a context.
    printed
        .strip_suffix('\n')
        .filter(|_| !printed.contains("Context:"))
        .unwrap_or(&printed)
        .to_owned()
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|directory| directory.join(program).exists());
    if !found {
        eprintln!("skipped: no program '{program}' in PATH");
    }
    found
}

/// Runs the command of `system` in `dir`; the repository is there too.
async fn get(system: &System, dir: &Path, more: &[(&str, Value)]) -> Said {
    let strings = (system.args)(dir.to_str().unwrap());
    let mut args = vec![("workdir", Value::bytes("build"))];
    args.extend(strings.iter().map(|(key, text)| (*key, Value::bytes(text))));
    args.extend(more.iter().cloned());
    let said = run(dir, system.name, &args).await;
    assert_eq!(said.rc, Some(0), "{}: {said:?}", system.name);
    said
}

fn text(dir: &Path, tree: &str) -> String {
    fs::read_to_string(dir.join(tree).join("text")).unwrap()
}

fn string(text: &str) -> Value {
    Value::bytes(text)
}

#[tokio::test]
async fn every_system_checks_out_updates_copies_and_patches() {
    for system in SYSTEMS.iter().filter(|system| is_installed(system.name)) {
        let sandbox = tempfile::tempdir().unwrap();
        let dir = sandbox.path();
        script(dir, system.setup, 0);
        let first = script(dir, system.commit, 1);
        let said = get(system, dir, &[]).await;
        assert_eq!(text(dir, "build"), "1\n", "{}", system.name);
        let (key, value) = &said.other[0];
        assert_eq!(key, "got_revision");
        if system.name != "cvs" {
            let got = value.as_text().unwrap();
            assert_eq!(got.trim_end(), first.trim_end(), "{}", system.name);
        }
        // An update keeps what the last build has left; a damaged tree is made anew.
        script(dir, system.commit, 2);
        get(system, dir, &[]).await;
        assert_eq!(text(dir, "build"), "2\n", "{}", system.name);
        let patch = Value::Tuple(vec![
            Value::Int(1),
            string("--- a/text\n+++ b/text\n@@ -1 +1 @@\n-1\n+patched\n"),
            string(""),
        ]);
        get(
            system,
            dir,
            &[("revision", string(&first)), ("patch", patch)],
        )
        .await;
        assert_eq!(text(dir, "build"), "patched\n", "{}", system.name);
        get(system, dir, &[]).await;
        assert_eq!(text(dir, "build"), "2\n", "{}", system.name);
        get(system, dir, &[("mode", string("copy"))]).await;
        assert_eq!(text(dir, "build"), "2\n", "{}", system.name);
        assert!(dir.join("source/text").exists(), "{}", system.name);
        fs::write(dir.join("build/left"), "").unwrap();
        get(system, dir, &[("mode", string("clobber"))]).await;
        assert_eq!(text(dir, "build"), "2\n", "{}", system.name);
        assert!(!dir.join("build/left").exists(), "{}", system.name);
    }
}

#[tokio::test]
async fn a_checkout_that_fails_tells_its_status_and_is_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let retry = Value::List(vec![Value::Float(0.0), Value::Int(2)]);
    let args = [
        ("workdir", string("build")),
        ("repourl", string("/nowhere")),
        ("retry", retry),
    ];
    let said = run(dir.path(), "git", &args).await;
    assert_ne!(said.rc, Some(0));
    let tries = said.header.matches("checkout failed, trying again").count();
    assert_eq!(tries, 2);
}

/// Writes a program into `dir`, which commands find by the variables that are returned.
fn program(dir: &Path, name: &str, script: &str) -> Value {
    let file = dir.join(name);
    fs::write(&file, format!("#!/bin/sh\n{script}")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:${{PATH}}", dir.display());
    Value::Dict(vec![(string("PATH"), string(&path))])
}

/// The lines in which the programs of the test have written how they were called.
fn calls(dir: &Path) -> Vec<String> {
    let text = fs::read_to_string(dir.join("calls")).unwrap();
    fs::remove_file(dir.join("calls")).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn perforce_makes_a_client_and_syncs_it() {
    let sandbox = tempfile::tempdir().unwrap();
    let dir = sandbox.path();
    let env = program(
        dir,
        "p4",
        "echo \"$*\" >>calls\n\
         case \"$*\" in\n\
         *'client -i') cat >spec;;\n\
         *changes*) echo \"Change 28147 on 2008/04/07 by me@here 'Mend it'\";;\n\
         *) mkdir -p build; echo 1 >build/text;;\n\
         esac\n",
    );
    let views = Value::List(vec![Value::Tuple(vec![
        string("//depot/lib"),
        string("/lib"),
    ])]);
    let args = |revision: Value| {
        [
            ("workdir", string("build")),
            ("mode", string("update")),
            ("p4port", string("perforce:1666")),
            ("p4user", string("me")),
            ("p4passwd", string("sekrit")),
            ("p4client", string("bot_full")),
            ("p4base", string("//depot/")),
            ("branch", string("trunk")),
            ("p4extra_views", views.clone()),
            ("revision", revision),
            ("env", env.clone()),
        ]
    };
    let login = "-p perforce:1666 -u me -P sekrit -c bot_full";
    let have = format!("{login} changes -s submitted -m 1 #have");
    let said = run(dir, "p4", &args(Value::None)).await;
    assert_eq!(said.rc, Some(0), "{said:?}");
    assert!(!said.header.contains("sekrit"), "{}", said.header);
    assert_eq!(said.other[0].1.as_text().unwrap(), "28147");
    let client = format!("{login} client -i");
    assert_eq!(
        calls(dir),
        [client, format!("{login} sync -f"), have.clone()]
    );
    let spec = fs::read_to_string(dir.join("spec")).unwrap();
    let root = dir.canonicalize().unwrap();
    let expected = format!(
        "Root:\t{}\n\nClient: bot_full\nOwner: me\nLineEnd: local\nOptions: allwrite rmdir\n\
         View:\n //depot/trunk/... //bot_full/build/...\n \
         //depot/lib/... //bot_full/build/lib/...\n",
        root.display()
    );
    assert_eq!(spec, expected);
    // The client is there.
    let said = run(dir, "p4", &args(string("28000"))).await;
    assert_eq!(said.rc, Some(0), "{said:?}");
    assert_eq!(calls(dir), [format!("{login} sync @28000"), have]);
}

#[tokio::test]
async fn repo_syncs_its_trees_and_tells_what_it_downloads() {
    let sandbox = tempfile::tempdir().unwrap();
    let dir = sandbox.path();
    let env = program(
        dir,
        "repo",
        "case \"$1\" in\n\
         forall) exit 0;;\n\
         init) mkdir .repo;;\n\
         download) test \"$3\" != 9/9 || exit 1;\n\
         echo \" * branch refs/changes/34/$3 -> FETCH_HEAD\" >&2; echo 'HEAD is now at 1a2b3c4 x' >&2;;\n\
         esac\n\
         echo \"$*\" >>../calls\n",
    );
    let args = |downloads: &[&str]| {
        [
            ("workdir", string("build")),
            ("manifest_url", string("git://example.org/manifest")),
            ("manifest_branch", string("stable")),
            ("jobs", Value::Int(3)),
            (
                "repo_downloads",
                Value::List(downloads.iter().map(|text| string(text)).collect()),
            ),
            ("env", env.clone()),
        ]
    };
    let said = run(dir, "repo", &args(&["lib 1234/5", "app 77/1"])).await;
    assert_eq!(said.rc, Some(0), "{said:?}");
    let (key, value) = &said.other[0];
    let told = value.as_text().unwrap();
    assert_eq!(
        (key.as_str(), &*told),
        ("repo_downloaded", "1234/5 1a2b3c4 77/1 1a2b3c4")
    );
    let sync = ["sync -j3", "manifest -r -o manifest-original.xml"];
    let init = "init -u git://example.org/manifest -b stable -m default.xml";
    let downloads = ["download lib 1234/5", "download app 77/1"];
    assert_eq!(calls(dir), [&[init][..], &sync, &downloads].concat());
    // The tree is there; a change that does not fit fails the step and keeps the tree.
    let said = run(dir, "repo", &args(&["lib 9/9"])).await;
    assert_eq!(said.rc, Some(1), "{said:?}");
    assert_eq!(calls(dir), sync);
}
