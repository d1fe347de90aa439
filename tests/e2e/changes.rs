//! Changes from `buildbot sendchange`, ours and real ones, to our master and to real ones.

use crate::harness::client::{Client, Refused};
use crate::harness::master::ShownChange;
use crate::harness::real_master::{RealMaster, RealStep, Version};
use crate::harness::{Finished, Master, Sandbox, Setup, free_port, peer, run, shell};
use buildmaster::pb::{Failure, Value};
use std::path::Path;
use std::process::Command;

#[test]
fn our_sendchange_tells_our_master_everything() {
    let sandbox = Sandbox::new();
    let master = Master::start(&sandbox, &one_step());

    run(sandbox
        .buildbot()
        .arg("sendchange")
        .args(["--master", &format!("127.0.0.1:{}", master.port())])
        .args([
            "--auth",
            "change:changepw",
            "--who",
            "Ålice <a@example.org>",
        ])
        .args([
            "--branch",
            "rel-1",
            "--revision",
            "abc123",
            "--comments",
            "Mend it",
        ])
        .args([
            "--category",
            "code",
            "--project",
            "widget",
            "--repository",
            "git://x/",
        ])
        .args(["--revlink", "http://x/abc123", "--property", "kind:hot"])
        .args(["--when", "1700000000", "--made-at", "981173106"])
        .args(["src/a.c", "src/b.c"]))
    .ok();

    let changes: Vec<ShownChange> = master.show(&["changes"]);
    let [change] = changes.as_slice() else {
        panic!("{changes:?}");
    };
    assert_eq!(change.who, "Ålice <a@example.org>");
    assert_eq!(change.branch.as_deref(), Some("rel-1"));
    assert_eq!(change.revision.as_deref(), Some("abc123"));
    assert_eq!(change.comments.as_deref(), Some("Mend it"));
    assert_eq!(change.files, ["src/a.c", "src/b.c"]);
    assert_eq!(change.made_at, Some(981_173_106.0));

    // MAY-05: the act is in the audit log.
    let mut audit = master.program();
    let audit = run(audit
        .args(["audit", "--json", "--basedir"])
        .arg(master.dir()))
    .ok();
    let entry: serde_json::Value = serde_json::from_str(audit.lines().next().unwrap()).unwrap();
    assert_eq!(
        entry["what"],
        "sent a change: abc123 by Ålice <a@example.org>"
    );
    assert_eq!(
        (&entry["action"], &entry["door"]),
        (&"submit".into(), &"pb".into())
    );
    assert_eq!(entry["address"], "127.0.0.1");
}

#[test]
fn our_sendchange_reports_a_wrong_password() {
    let sandbox = Sandbox::new();
    let master = Master::start(&sandbox, &one_step());

    let refused = send(&sandbox, None, master.port(), "change:wrong");

    assert_ne!(refused.code, Some(0), "{refused}");
    assert!(!refused.stderr.is_empty());
    assert!(
        !refused.stderr.contains("wrong"),
        "shows the password: {refused}"
    );
    assert!(master.show::<ShownChange>(&["changes"]).is_empty());
}

#[test]
fn our_sendchange_reports_that_nobody_listens() {
    let sandbox = Sandbox::new();

    let refused = send(&sandbox, None, free_port(), "change:changepw");

    assert_ne!(refused.code, Some(0), "{refused}");
    assert!(!refused.stderr.is_empty());
}

#[test]
fn sendchange_0814_with_a_wrong_password_is_refused() {
    wrong_password_of_a_real_client_is_refused("bb0814");
}

#[test]
fn sendchange_430_with_a_wrong_password_is_refused() {
    wrong_password_of_a_real_client_is_refused("bb43");
}

#[test]
fn master_0814_takes_a_change_from_our_sendchange() {
    real_master_takes_our_change(Version::V0814);
}

#[test]
fn master_430_takes_a_change_from_our_sendchange() {
    real_master_takes_our_change(Version::V430);
}

#[test]
fn unknown_user_and_wrong_password_are_refused_alike() {
    let sandbox = Sandbox::new();
    let master = Master::start(&sandbox, &one_step());
    let refusal = |user: &str, password: &str| -> Failure {
        let mut client = Client::connect(master.port()).unwrap();
        match client.login(user, password, Value::None) {
            Err(Refused::Failure(failure)) => failure,
            other => panic!("{other:?}"),
        }
    };

    let unknown = refusal("nobody", "changepw");
    assert!(unknown.is(Failure::UNAUTHORIZED));
    assert_eq!(refusal("change", "wrong"), unknown);
    assert_eq!(refusal("here", "sekrit"), unknown);
}

fn wrong_password_of_a_real_client_is_refused(name: &str) {
    let sandbox = Sandbox::new();
    let Some(bin) = peer(name) else { return };
    let master = Master::start(&sandbox, &one_step());

    let refused = send(&sandbox, Some(&bin), master.port(), "change:wrong");

    assert_ne!(refused.code, Some(0), "{refused}");
    assert!(master.show::<ShownChange>(&["changes"]).is_empty());
}

fn real_master_takes_our_change(version: Version) {
    let sandbox = Sandbox::new();
    let step = RealStep {
        name: "print",
        line: "true",
        settings: "",
    };
    let Some(master) = RealMaster::start(version, &sandbox, &[step]) else {
        return;
    };

    // It does not know the time of the commit, and takes the change without it.
    let made_at = ["--made-at", "981173106"];
    run(sending(&sandbox, None, master.port(), "change:changepw").args(made_at)).ok();
    let refused = send(&sandbox, None, master.port(), "change:wrong");

    assert_ne!(refused.code, Some(0), "{refused}");
    let expected = ("alice".to_owned(), Some("r1".to_owned()), "Süß".to_owned());
    assert_eq!(master.changes(), [expected]);
}

/// Runs `sendchange` of ours or of the peer in `bin`.
fn send(sandbox: &Sandbox, bin: Option<&Path>, port: u16, auth: &str) -> Finished {
    run(&mut sending(sandbox, bin, port, auth))
}

fn sending(sandbox: &Sandbox, bin: Option<&Path>, port: u16, auth: &str) -> Command {
    let mut command = bin.map_or_else(
        || sandbox.buildbot(),
        |bin| sandbox.command(bin.join("buildbot")),
    );
    command
        .args(["sendchange", "--who", "alice", "--revision", "r1"])
        .args(["--auth", auth, "--comments", "Süß"])
        .args(["--master", &format!("127.0.0.1:{port}"), "src/main.c"]);
    command
}

fn one_step() -> Setup {
    Setup::new(&[shell("print", "true", "")]).local_slave("here")
}
