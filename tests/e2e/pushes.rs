//! Builds that are told to servers and programs (PSH-01 to PSH-06).

use std::fs;
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
    check_secrets(&master);
}

/// The state has the letters, and not the secret (OUT-15).
fn check_secrets(master: &Master<'_>) {
    let state: Vec<_> = ["state.sqlite", "state.sqlite-wal"]
        .iter()
        .flat_map(|name| fs::read(master.dir().join(name)).unwrap_or_default())
        .collect();
    let has = |text: &str| {
        state
            .windows(text.len())
            .any(|bytes| bytes == text.as_bytes())
    };
    assert!(has("webhook") && !has("sesame"));
}

#[test]
fn psh_04_a_code_host_is_told_of_a_commit_from_the_queue_to_the_end() {
    let sandbox = Sandbox::new();
    let dir = sandbox.private_dir("posted");
    let port = free_port();
    let Some(_server) = serve(&sandbox, port, &dir) else {
        return;
    };
    let token = sandbox.file("token", "t0ken\n");
    let url = "https://git.example.org/o/widget.git";
    let tables = format!(
        "[[repositories]]\nname = \"widget\"\nurls = [{url:?}]\n\
         host = {{ type = \"gitea\", api = \"http://127.0.0.1:{port}/api/v1\", token_file = {token:?} }}\n\
         [[status]]\ntype = \"commit-status\"\n"
    );
    let setup = Setup::new(&[shell("make", "exit 1", "")])
        .slave("bot")
        .tables(&tables);
    let master = Master::start(&sandbox, &setup);
    run(sandbox
        .buildbot()
        .args(["sendchange", "--auth", CHANGE_AUTH, "--who", "alice"])
        .args(["--master", &format!("127.0.0.1:{}", master.port())])
        .args(["--repository", url, "--revision", "c0ffee", "a.c"]))
    .ok();
    let last = || posted(&dir).last().map(|one| one["body"]["state"].clone());
    wait_until("pending", || last() == Some("pending".into()));
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
}
