//! Builds that are told to servers and programs (PSH-01 to PSH-06).

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;

use crate::harness::setup::CHANGE_AUTH;
use crate::harness::{
    Master, Process, Sandbox, Setup, Slave, free_port, from_pypi, run, shell, wait_until,
};

/// A server that keeps what is posted to it in `dir`.
fn serve(sandbox: &Sandbox, port: u16, dir: &Path) -> Option<Process> {
    let python = from_pypi("mail", "python")?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/http_target.py");
    let mut command = sandbox.command(python);
    command.arg(script).arg(port.to_string()).arg(dir);
    let server = Process::start("server", &mut command);
    wait_until("the server", || server.printed().contains("ready"));
    Some(server)
}

/// What was posted, in order.
fn posted(dir: &Path) -> Vec<Value> {
    let files = (1..).map(|number| dir.join(format!("{number}.json")));
    let files = files.map_while(|path| fs::read_to_string(path).ok());
    files
        .map(|text| serde_json::from_str(&text).unwrap())
        .collect()
}

fn outbox(master: &Master<'_>, words: &[&str]) -> String {
    let mut command = master.program();
    command
        .arg("outbox")
        .args(words)
        .arg("--basedir")
        .arg(master.dir());
    run(&mut command).ok()
}

/// The letters to a target, the oldest first.
fn letters(master: &Master<'_>, target: &str) -> Vec<Value> {
    let listed = outbox(master, &["--all", "--json"]);
    let letters = listed
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut letters: Vec<_> = letters
        .filter(|letter| letter["target"] == target)
        .collect();
    letters.sort_by_key(|letter| letter["number"].as_u64());
    letters
}

#[test]
fn psh_01_a_webhook_and_a_command_get_signed_facts_with_the_key_of_the_letter() {
    let sandbox = Sandbox::new();
    let dir = sandbox.private_dir("posted");
    let [nobody, port] = [free_port(), free_port()];
    let Some(_server) = serve(&sandbox, port, &dir) else {
        return;
    };
    fs::write(dir.join("missing"), "").unwrap();
    let told = dir.join("told");
    let keep = format!(
        "cat > {0}; echo \"$BUILDMASTER_LETTER\" >> {0}",
        told.display()
    );
    let targets = format!(
        "[[status]]\ntype = \"webhook\"\nurl = \"http://127.0.0.1:{nobody}/ci?x=1\"\nsecret = \"sesame-key\"\n\
         previous_secret = \"sesame-old\"\nallow_private = true\n\
         [[status]]\ntype = \"command\"\ncommand = [\"sh\", \"-c\", {keep:?}]\nmode = \"passing\"\n"
    );
    let setup = Setup::new(&[shell("make", "true", "")])
        .local_slave("here")
        .tables(&targets);
    let master = Master::start(&sandbox, &setup);
    master.send_change("r1");
    master.finished_build("full", 0);
    wait_until("the command", || {
        letters(&master, "command")
            .iter()
            .any(|letter| letter["state"] == "delivered")
    });
    let text = fs::read_to_string(&told).unwrap();
    let (body, key) = text.rsplit_once('}').unwrap();
    let body: Value = serde_json::from_str(&format!("{body}}}")).unwrap();
    assert_eq!(body["event"], "build");
    assert_eq!(body["facts"]["opening"], "passing");
    assert!(
        key.trim().ends_with(&format!(".{}", body["letter"])),
        "{key}"
    );

    wait_until("an attempt", || {
        letters(&master, "webhook")[0]["tries"].as_u64() > Some(0)
    });
    assert_eq!(letters(&master, "webhook")[0]["state"], "waiting");
    // Letters go to the address of today.
    let path = master.dir().join("master.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace(&nobody.to_string(), &port.to_string())).unwrap();
    let mut reconfigure = master.program();
    reconfigure.arg("reconfig").arg(master.dir());
    run(&mut reconfigure).ok();
    outbox(&master, &["retry", "--target", "webhook"]);
    wait_until("a dead letter", || {
        letters(&master, "webhook")[0]["state"] == "dead"
    });
    let error = letters(&master, "webhook")[0]["error"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(error.contains("/ci answered 404"), "{error}");
    fs::remove_file(dir.join("missing")).unwrap();
    let number = letters(&master, "webhook")[0]["number"].to_string();
    outbox(&master, &["retry", &number]);
    wait_until("delivery", || {
        letters(&master, "webhook")[0]["state"] == "delivered"
    });
    let posted = posted(&dir);
    assert_eq!(posted.len(), 2);
    for one in &posted {
        assert_eq!(one["path"], "/ci?x=1");
        assert_eq!(one["is_signed"], true);
        assert_eq!(one["body"]["facts"]["build"]["result"], "success");
        let key = &one["headers"]["X-Buildmaster-Delivery"];
        assert!(
            key.as_str()
                .is_some_and(|key| key.ends_with(&format!(".{number}")))
        );
        assert_eq!(key, &one["headers"]["Idempotency-Key"]);
        assert_eq!(key, &posted[0]["headers"]["X-Buildmaster-Delivery"]);
    }
    // The state has the letters, and not the secret (OUT-15).
    assert!(master.state_has("webhook") && !master.state_has("sesame"));
}

/// The repository whose code host is told.
const REPOSITORY: &str = "https://git.example.org/o/widget.git";

/// A master that tells a code host on this port what becomes of commits.
fn with_code_host(sandbox: &Sandbox, port: u16) -> Setup {
    let token = sandbox.file("token", "t0ken\n");
    let tables = format!(
        "[[repositories]]\nname = \"widget\"\nurls = [{REPOSITORY:?}]\n\
         host = {{ type = \"gitea\", api = \"http://127.0.0.1:{port}/api/v1\", token_file = {token:?} }}\n\
         [[status]]\ntype = \"commit-status\"\n"
    );
    Setup::new(&[shell("make", "exit 1", "")])
        .slave("bot")
        .tables(&tables)
}

fn send_commit(sandbox: &Sandbox, master: &Master<'_>) {
    run(sandbox
        .buildbot()
        .args(["sendchange", "--auth", CHANGE_AUTH, "--who", "alice"])
        .args(["--master", &format!("127.0.0.1:{}", master.port())])
        .args(["--repository", REPOSITORY, "--revision", "c0ffee", "a.c"]))
    .ok();
}

#[test]
fn grd_03_a_code_host_that_was_down_is_told_the_last_state_once() {
    let sandbox = Sandbox::new();
    let dir = sandbox.private_dir("posted");
    let port = free_port();
    let mut master = Master::start(&sandbox, &with_code_host(&sandbox, port));
    send_commit(&sandbox, &master);
    let slave = Slave::native(&sandbox, "bot", master.port());
    master.finished_build("full", 0);
    let states = |master: &Master<'_>| {
        let letters = letters(master, "commit-status");
        let states = letters.iter().map(|letter| letter["state"].clone());
        states.collect::<Vec<_>>()
    };
    wait_until("the end", || {
        states(&master) == ["dropped", "dropped", "waiting"]
    });
    drop(slave);
    master.kill();
    let Some(_server) = serve(&sandbox, port, &dir) else {
        return;
    };
    master.run();
    outbox(&master, &["retry", "--target", "commit-status"]);
    wait_until("delivery", || {
        states(&master).last() == Some(&"delivered".into())
    });
    let posted = posted(&dir);
    assert_eq!(posted.len(), 1, "{posted:?}");
    assert_eq!(posted[0]["body"]["state"], "failure");
}

#[test]
fn psh_04_a_code_host_is_told_of_a_commit_from_the_queue_to_the_end() {
    let sandbox = Sandbox::new();
    let dir = sandbox.private_dir("posted");
    let port = free_port();
    let Some(_server) = serve(&sandbox, port, &dir) else {
        return;
    };
    let master = Master::start(&sandbox, &with_code_host(&sandbox, port));
    send_commit(&sandbox, &master);
    let last = || posted(&dir).last().map(|one| one["body"]["state"].clone());
    wait_until("pending", || last() == Some("pending".into()));
    let pending = posted(&dir).remove(0);
    let why = pending["body"]["description"].as_str().unwrap().to_owned();
    assert!(
        why.contains("bot"),
        "it says which slave it waits for: {why}"
    );
    let _slave = Slave::native(&sandbox, "bot", master.port());
    master.finished_build("full", 0);
    wait_until("the end", || last() == Some("failure".into()));
    let posted = posted(&dir);
    let last = posted.last().unwrap();
    assert_eq!(last["path"], "/api/v1/repos/o/widget/statuses/c0ffee");
    assert_eq!(last["headers"]["Authorization"], "token t0ken");
    assert_eq!(last["body"]["context"], "buildmaster/full");
    assert_eq!(last["body"]["description"], "failed make 1 new failure");
    assert_eq!(
        last["body"]["target_url"],
        "http://localhost/builders/full/builds/0"
    );
    let states: Vec<_> = posted
        .iter()
        .map(|one| one["body"]["state"].clone())
        .collect();
    let failures = states.iter().filter(|state| **state == "failure").count();
    assert_eq!((states.first(), failures), (Some(&"pending".into()), 1));
    let mut preview = master.program();
    preview.args(["preview", "build", "--basedir"]);
    let shown = run(preview.arg(master.dir())).ok();
    for part in [
        "=== commit-status: c0ffee is failure on full\n",
        "/api/v1/repos/o/widget/statuses/c0ffee\n",
        "failed make 1 new failure",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[test]
fn psh_05_a_stash_is_told_of_commits_of_any_repository() {
    let sandbox = Sandbox::new();
    let dir = sandbox.private_dir("posted");
    let port = free_port();
    let Some(_server) = serve(&sandbox, port, &dir) else {
        return;
    };
    let password = sandbox.file("password", "s3cret\n");
    let target = format!(
        "[[status]]\ntype = \"StashStatusPush\"\nbase_url = \"http://127.0.0.1:{port}/\"\n\
         user = \"ci\"\npassword_file = {password:?}\nkey_format = \"%(prop:builderName)s\"\n\
         name_format = \"build of %(builder)s\"\n"
    );
    let setup = Setup::new(&[shell("make", "exit 1", "")])
        .local_slave("here")
        .tables(&target);
    let master = Master::start(&sandbox, &setup);
    send_commit(&sandbox, &master);
    master.finished_build("full", 0);
    let last = || posted(&dir).last().map(|one| one["body"]["state"].clone());
    wait_until("the end", || last() == Some("FAILED".into()));
    let posted = posted(&dir);
    let last = posted.last().unwrap();
    assert_eq!(last["path"], "/rest/build-status/1.0/commits/c0ffee");
    assert_eq!(last["headers"]["Authorization"], "Basic Y2k6czNjcmV0");
    assert_eq!(last["body"]["key"], "full");
    assert_eq!(last["body"]["name"], "build of full");
    assert_eq!(
        last["body"]["url"],
        "http://localhost/builders/full/builds/0"
    );
    let mut preview = master.program();
    preview.args(["preview", "build", "--basedir"]);
    let shown = run(preview.arg(master.dir())).ok();
    assert!(shown.contains("/rest/build-status/1.0/"), "{shown}");
    assert!(!shown.contains("Y2k6czNjcmV0"), "{shown}");
}

#[test]
fn psh_05_a_patch_set_is_reviewed_once_by_all_builds_of_its_set() {
    let sandbox = Sandbox::new();
    let dir = sandbox.private_dir("gerrit");
    let script = format!(
        "#!/bin/sh\ncd {}\nif [ -e down ]; then echo 'no route' >&2; exit 255; fi\n\
         printf '%s|' \"$@\" >> log; echo >> log\n",
        dir.display()
    );
    let ssh = sandbox.file("gerrit/ssh", script);
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(dir.join("down"), "").unwrap();
    let target = format!(
        "[[status]]\ntype = \"GerritStatusPush\"\nserver = \"review.example.org\"\n\
         username = \"ci\"\nidentity_file = \"key\"\nnotify = \"OWNER\"\nssh = {ssh:?}\n"
    );
    let setup = Setup::new(&[shell("make", "true", "")])
        .local_slave("here")
        .builder("full", "")
        .builder("quick", "")
        .tables(&target);
    let mut master = Master::start(&sandbox, &setup);
    // A change that is not of Gerrit is not reviewed.
    master.send_change("r1");
    wait_until("the letter", || {
        let letters = letters(&master, "GerritStatusPush");
        letters.len() == 1 && letters[0]["state"] == "dropped"
    });
    run(sandbox
        .buildbot()
        .args(["sendchange", "--auth", CHANGE_AUTH, "--who", "alice"])
        .args(["--master", &format!("127.0.0.1:{}", master.port())])
        .args(["--property", "event.change.project:widget"])
        .args(["--property", "event.patchSet.revision:c0ffee"])
        .args(["--revision", "c0ffee", "a.c"]))
    .ok();
    wait_until("an attempt", || {
        let letters = letters(&master, "GerritStatusPush");
        letters.len() == 2 && letters[1]["tries"].as_u64() > Some(0)
    });
    let error = &letters(&master, "GerritStatusPush")[1]["error"];
    assert!(
        error.as_str().unwrap().ends_with("exit code 255: no route"),
        "{error}"
    );
    master.kill();
    fs::remove_file(dir.join("down")).unwrap();
    master.run();
    outbox(&master, &["retry", "--target", "GerritStatusPush"]);
    wait_until("the review", || {
        letters(&master, "GerritStatusPush")[1]["state"] == "delivered"
    });
    let log = fs::read_to_string(dir.join("log")).unwrap();
    let begin = "-i|key|-o|BatchMode=yes|-p|29418|ci@review.example.org|gerrit review \
                 --project 'widget' --notify 'OWNER' --message '";
    assert!(log.starts_with(begin), "{log}");
    assert!(log.ends_with("' --label Verified=1 'c0ffee'|\n"), "{log}");
    for builder in ["full", "quick"] {
        assert!(log.contains(&format!("{builder} #1: success")), "{log}");
        assert!(
            log.contains(&format!("http://localhost/builders/{builder}/builds/1")),
            "{log}"
        );
    }
    assert_eq!(log.matches("gerrit review").count(), 1, "{log}");
}

#[test]
fn psh_05_packets_of_buildbot_tell_of_the_end_of_a_build() {
    let sandbox = Sandbox::new();
    let dir = sandbox.private_dir("posted");
    let port = free_port();
    let Some(_server) = serve(&sandbox, port, &dir) else {
        return;
    };
    let target = format!(
        "[[status]]\ntype = \"HttpStatusPush\"\nserver_url = \"http://127.0.0.1:{port}/push\"\n\
         allow_private = true\nextra_post_params = {{ farm = \"a&b\" }}\n"
    );
    let setup = Setup::new(&[shell("make", "exit 1", "")])
        .local_slave("here")
        .tables(&target);
    let master = Master::start(&sandbox, &setup);
    master.send_change("r1");
    master.finished_build("full", 0);
    wait_until("the packet", || posted(&dir).len() == 1);
    let posted = posted(&dir);
    assert_eq!(posted[0]["path"], "/push");
    assert_eq!(posted[0]["body"]["farm"], "a&b");
    let packets: Value =
        serde_json::from_str(posted[0]["body"]["packets"].as_str().unwrap()).unwrap();
    let packet = &packets[0];
    assert_eq!(packet["event"], "buildFinished");
    assert_eq!(packet["project"], "End to end");
    let build = &packet["payload"]["build"];
    assert_eq!(build["builderName"], "full");
    assert_eq!(build["results"], 2);
    assert_eq!(build["blame"], serde_json::json!(["alice"]));
    assert_eq!(build["sourceStamps"][0]["changes"][0]["revision"], "r1");
    assert_eq!(build["steps"][0]["name"], "make");
    assert!(
        build.get("eta").is_none() && build.get("number").is_some(),
        "{build}"
    );
}
