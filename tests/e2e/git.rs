//! Sources from a git repository on real slaves: changes, updates, and try jobs with every kind of
//! patch.

use std::fs;
use std::path::Path;

use buildmaster::model::TryJob;
use buildmaster::protocol::jobfile;

use crate::harness::{Kind, Master, Repository, Sandbox, Setup, Slave, run, step};

#[test]
fn native_slave_checks_out_updates_and_patches() {
    checks_out_updates_and_patches(Kind::Native);
}

#[test]
fn slave_0814_checks_out_updates_and_patches() {
    checks_out_updates_and_patches(Kind::Slave0814);
}

#[test]
fn worker_430_checks_out_updates_and_patches() {
    checks_out_updates_and_patches(Kind::Worker430);
}

#[test]
fn native_slave_makes_a_damaged_tree_anew() {
    makes_a_damaged_tree_anew(Kind::Native);
}

#[test]
fn slave_0814_makes_a_damaged_tree_anew() {
    makes_a_damaged_tree_anew(Kind::Slave0814);
}

#[test]
fn worker_430_makes_a_damaged_tree_anew() {
    makes_a_damaged_tree_anew(Kind::Worker430);
}

/// What a killed git, a full disk or a person can leave of the tree.
const DAMAGES: [fn(&Path); 6] = [
    |tree| fs::write(tree.join(".git/index.lock"), "").unwrap(),
    |tree| fs::write(tree.join(".git/HEAD"), "").unwrap(),
    |tree| fs::write(tree.join(".git/config"), "\0garbage").unwrap(),
    |tree| fs::remove_dir_all(tree.join(".git/objects")).unwrap(),
    |tree| {
        fs::remove_dir_all(tree.join(".git")).unwrap();
        fs::write(tree.join(".git"), "gitdir: /nowhere\n").unwrap();
    },
    |tree| {
        fs::remove_dir_all(tree).unwrap();
        fs::write(tree, "").unwrap();
    },
];

fn makes_a_damaged_tree_anew(kind: Kind) {
    let sandbox = Sandbox::new();
    let repository = Repository::new(&sandbox);
    let first = repository.commit("text", b"0\n");
    let master = prepare(&sandbox, &repository);
    let Some(slave) = Slave::start(kind, &sandbox, "bot", master.port()) else {
        return;
    };
    // Another repository around the tree, which must be left alone.
    let mut around = sandbox.command("git");
    run(around.args(["init", "-q"]).current_dir(&slave.dir)).ok();
    master.wait_until_attached("bot");
    master.send_change(&first);
    assert_eq!(build(&master, 0), format!("{first} 0 new=no bin=no"));
    for (number, damage) in (1..).zip(DAMAGES) {
        damage(&slave.dir.join("full/build"));
        let revision = repository.commit("text", format!("{number}\n").as_bytes());
        master.send_change(&revision);
        let tree = format!("{revision} {number} new=no bin=no");
        assert_eq!(build(&master, number), tree);
    }
    assert!(slave.dir.join("info").exists());
    assert!(!slave.dir.join(".git/refs/heads/master").exists());

    // A server that is away costs nothing.
    let away = repository.dir.with_extension("away");
    fs::rename(&repository.dir, &away).unwrap();
    let number = 1 + DAMAGES.len() as u64;
    master.send_change(&first);
    assert_eq!(build(&master, number), format!("{first} 0 new=no bin=no"));
    master.send_change(&"0".repeat(40));
    let failed = master.finished_build("full", number + 1);
    assert_eq!(failed.result.as_deref(), Some("failure"));
    assert!(slave.dir.join("full/build/text").exists());
}

fn checks_out_updates_and_patches(kind: Kind) {
    let sandbox = Sandbox::new();
    let repository = Repository::new(&sandbox);
    let first = repository.commit("text", b"one\n");
    let master = prepare(&sandbox, &repository);
    let Some(slave) = Slave::start(kind, &sandbox, "bot", master.port()) else {
        return;
    };
    master.wait_until_attached("bot");

    // The revision of the change is built, not what has come since.
    let second = repository.commit("text", b"two\n");
    master.send_change(&first);
    assert_eq!(build(&master, 0), format!("{first} one new=no bin=no"));
    master.send_change(&second);
    assert_eq!(build(&master, 1), format!("{second} two new=no bin=no"));

    // A diff of git: a text, a new file and a binary one.
    let patch = repository.diff(|dir| {
        fs::write(dir.join("text"), "two and a half\n").unwrap();
        fs::write(dir.join("new"), "new\n").unwrap();
        fs::write(dir.join("bin"), [0, 159, 146, 150, 0, 255]).unwrap();
    });
    drop_job(&master, "git", &second, patch);
    assert_eq!(
        build(&master, 2),
        format!("{second} two and a half new=yes bin=yes")
    );

    // The next build sees nothing of it.
    master.send_change(&second);
    assert_eq!(build(&master, 3), format!("{second} two new=no bin=no"));

    // A diff of another kind.
    let patch = b"--- a/text\n+++ b/text\n@@ -1 +1 @@\n-one\n+other\n".to_vec();
    drop_job(&master, "plain", &first, patch.clone());
    assert_eq!(build(&master, 4), format!("{first} other new=no bin=no"));

    // One that does not apply.
    drop_job(&master, "bad", &second, patch);
    let failed = master.finished_build("full", 5);
    assert_eq!(failed.result.as_deref(), Some("failure"));
    assert_eq!(failed.ran(), [("git", "failure")]);
    master.send_change(&first);
    assert_eq!(build(&master, 6), format!("{first} one new=no bin=no"));
    drop(slave);
}

/// What a build that succeeds has in its tree.
fn build(master: &Master<'_>, number: u64) -> String {
    let build = master.finished_build("full", number);
    let log = |step| String::from_utf8_lossy(&master.log("full", number, step)).into_owned();
    assert_eq!(build.result.as_deref(), Some("success"), "{}", log("git"));
    let look = log("look");
    let seen = look
        .lines()
        .find_map(|line| line.trim().strip_prefix("tree: "));
    seen.unwrap_or_else(|| panic!("{look}")).to_owned()
}

/// A master whose builder looks at a tree of the repository, and that takes try jobs.
fn prepare<'a>(sandbox: &'a Sandbox, repository: &Repository<'_>) -> Master<'a> {
    let url = repository.dir.to_str().unwrap();
    let has = |file: &str| format!("$(test -e {file} && echo yes || echo no)");
    let line = format!(
        "echo tree: $0 $(cat text) new={} bin={}",
        has("new"),
        has("bin")
    );
    let steps = [
        format!("{{ type = \"Git\", repourl = {url:?} }}"),
        step("look", &["sh", "-c", &line, "%(got_revision)s"], ""),
    ];
    let mut master = Master::prepare(sandbox, &Setup::new(&steps).slave("bot"));
    for part in ["jobs/tmp", "jobs/new", "jobs/cur"] {
        fs::create_dir_all(master.dir().join(part)).unwrap();
    }
    let path = master.dir().join("master.toml");
    let text = fs::read_to_string(&path).unwrap()
        + "\n[[schedulers]]\ntype = \"Try_Jobdir\"\nname = \"ssh\"\njobdir = \"jobs\"\nbuilders = [\"full\"]\n";
    fs::write(path, text).unwrap();
    master.run();
    master
}

fn drop_job(master: &Master<'_>, name: &str, base: &str, patch: Vec<u8>) {
    let job = TryJob {
        id: name.to_owned(),
        base_revision: Some(base.to_owned()),
        patch_level: 1,
        patch,
        ..TryJob::default()
    };
    let jobs = master.dir().join("jobs");
    let draft = jobs.join("tmp").join(name);
    fs::write(&draft, jobfile::encode(&job)).unwrap();
    fs::rename(draft, jobs.join("new").join(name)).unwrap();
}
