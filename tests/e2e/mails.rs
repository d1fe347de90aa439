//! Commit mails: in a maildir, and through the pipe of a mail server (MLD-01 to MLD-06).

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use rusqlite::Connection;
use serde_json::Value;

use crate::harness::{Master, Sandbox, Setup, free_port, shell, wait_until};

const SOURCE: &str = "[[change_sources]]\ntype = \"Maildir\"\nmaildir = \"mail\"\nformat = \"svn\"\n\
                      prefix = \"trunk/\"\nfrom = [\"@svn.example.org\"]\nproject = \"widget\"\n";

fn mail(revision: u32, id: &str) -> String {
    format!(
        "From: jdoe@svn.example.org\nMessage-ID: <{id}@svn.example.org>\nSubject: svn commit\n\n\
         Author: jdoe\nNew Revision: {revision}\n\nModified:\n   trunk/a.c\nLog:\nFix it\n"
    )
}

/// Puts a mail into the maildir as a mail server does.
fn deliver(dir: &Path, name: &str, mail: &str) {
    let draft = dir.join("mail/tmp").join(name);
    fs::write(&draft, mail).unwrap();
    fs::rename(draft, dir.join("mail/new").join(name)).unwrap();
}

fn in_cur(dir: &Path, name: &str) -> bool {
    dir.join("mail/cur").join(name).exists()
}

fn prepare(sandbox: &Sandbox) -> Master<'_> {
    let setup = Setup::new(&[shell("make", "true", "")]).slave("nobody");
    let master = Master::prepare(sandbox, &setup.tables(SOURCE));
    fs::create_dir_all(master.dir().join("mail/tmp")).unwrap();
    fs::create_dir_all(master.dir().join("mail/new")).unwrap();
    master
}

#[test]
fn mld_02_a_mail_moves_when_its_change_is_on_disk() {
    let sandbox = Sandbox::new();
    let mut master = prepare(&sandbox);
    let dir = master.dir().to_owned();
    // One that came while the master was away, and those that come while it runs.
    deliver(&dir, "1", &mail(7, "one"));
    master.run();
    wait_until("the first mail is taken", || in_cur(&dir, "1"));
    deliver(&dir, "2", &mail(8, "two"));
    wait_until("the second mail is taken", || in_cur(&dir, "2"));
    let changes: Vec<Value> = master.show(&["changes"]);
    assert_eq!(changes.len(), 2);
    let all = serde_json::to_string(&changes).unwrap();
    for part in [
        "\"7\"", "\"8\"", "jdoe", "Fix it", "\"a.c\"", "widget", "svn",
    ] {
        assert!(all.contains(part), "{part} in {all}");
    }
    // A mail about something else, and one of a sender who is not listed.
    deliver(&dir, "3", "From: x@svn.example.org\n\nHello.\n");
    deliver(
        &dir,
        "4",
        &mail(9, "four").replace("svn.example.org\nMess", "evil.example\nMess"),
    );
    wait_until("the others are refused", || {
        in_cur(&dir, "3") && in_cur(&dir, "4")
    });
    let reason = fs::read_to_string(dir.join("mail/cur/3.refused")).unwrap();
    assert_eq!(reason, "the mail lists no files\n");
    let reason = fs::read_to_string(dir.join("mail/cur/4.refused")).unwrap();
    assert_eq!(
        reason,
        "the sender \"jdoe@evil.example\" is not listed in `from`\n"
    );
    assert_eq!(master.show::<Value>(&["changes"]).len(), 2);
}

/// Case identity-015.
#[test]
fn mld_02_a_mail_waits_while_the_disk_takes_no_writes() {
    let sandbox = Sandbox::new();
    let mut master = prepare(&sandbox);
    let dir = master.dir().to_owned();
    master.run();
    // As on a full disk, writes fail.
    let state = Connection::open(dir.join("state.sqlite")).unwrap();
    state.execute_batch("BEGIN IMMEDIATE").unwrap();
    deliver(&dir, "1", &mail(7, "one"));
    master.process().wait_for_line("cannot write to");
    assert!(dir.join("mail/new/1").exists() && !in_cur(&dir, "1"));
    state.execute_batch("ROLLBACK").unwrap();
    wait_until("the mail is taken", || in_cur(&dir, "1"));
    assert_eq!(master.show::<Value>(&["changes"]).len(), 1);
}

/// Case identity-014.
#[test]
fn mld_05_a_mail_counts_once_by_its_number() {
    let sandbox = Sandbox::new();
    let mut master = prepare(&sandbox);
    let dir = master.dir().to_owned();
    let cvs = SOURCE.replace("svn\"\nprefix = \"trunk/\"", "cvs\"");
    let config = dir.join("master.toml");
    let text = fs::read_to_string(&config).unwrap();
    assert!(text.contains(SOURCE));
    fs::write(&config, text.replace(SOURCE, &cvs)).unwrap();
    master.run();
    // CVS has no identity of a commit: only the number of the mail tells a copy.
    let mail = |id: &str| {
        format!(
            "From: bob@svn.example.org\nMessage-ID: <{id}@h>\nDate: Wed, 11 Aug 2010 12:25:40 +0200\n\n\
             Path: src\nFiles: a.c 1.1 1.2\nLog Message:\nx\n"
        )
    };
    for (name, id) in [("1", "x"), ("2", "x"), ("3", "y")] {
        deliver(&dir, name, &mail(id));
        wait_until("the mail is taken", || in_cur(&dir, name));
    }
    assert_eq!(master.show::<Value>(&["changes"]).len(), 2);
    master.kill();
    deliver(&dir, "4", &mail("x"));
    master.run();
    wait_until("the copy is taken", || in_cur(&dir, "4"));
    assert_eq!(master.show::<Value>(&["changes"]).len(), 2);
}

#[test]
fn mld_01_a_mail_comes_through_the_pipe_of_a_mail_server() {
    let sandbox = Sandbox::new();
    let setup = Setup::new(&[shell("make", "true", "")]).slave("nobody");
    let master = Master::start(&sandbox, &setup);
    let pipe = |port: u16, mail: &str| {
        let mut command = sandbox.buildbot();
        command
            .args([
                "mail-change",
                "--format",
                "svn",
                "--prefix",
                "trunk/",
                "--auth",
                "change:changepw",
            ])
            .args(["--master", &format!("127.0.0.1:{port}")])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(mail.as_bytes())
            .unwrap();
        child.wait_with_output().unwrap().status.code()
    };
    assert_eq!(pipe(master.port(), &mail(7, "one")), Some(0));
    assert_eq!(pipe(master.port(), &mail(7, "one")), Some(0));
    assert_eq!(pipe(master.port(), "From: a@h\n\nHello.\n"), Some(0));
    assert_eq!(master.show::<Value>(&["changes"]).len(), 1);
    // The mail server keeps it and tries again.
    assert_eq!(pipe(free_port(), &mail(8, "two")), Some(75));
}
