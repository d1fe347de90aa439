//! The outbox: letters survive what ends the master, and people see what could not be sent (OUT-01
//! to OUT-18).

use std::fs;

use rustix::process::Signal;
use serde_json::Value;

use crate::harness::{Master, Sandbox, Setup, run, shell, wait_until};

/// Takes a mail if `up` is there, refuses it for good if `refuse` is there, and otherwise wants it
/// later.
const TAKE: &str = "cd DIR; if [ -e refuse ]; then echo 'no such user' >&2; exit 67; fi; \
                    [ -e up ] || { echo 'try later' >&2; exit 75; }; \
                    cat > $$.part && mv $$.part $$.mail";

struct Scene<'a> {
    master: Master<'a>,
    dir: std::path::PathBuf,
}

impl<'a> Scene<'a> {
    /// A master that misses a slave after a second.
    fn prepare(sandbox: &'a Sandbox) -> Self {
        let master = Master::prepare(
            sandbox,
            &Setup::new(&[shell("make", "true", "")]).slave("bot"),
        );
        let dir = sandbox.private_dir("mails");
        let take = TAKE.replace("DIR", &dir.display().to_string());
        let top = format!("mail_command = [\"sh\", \"-c\", {take:?}]\n");
        let wanted =
            "[[slaves]]\nnotify_on_missing = [\"admin@example.org\"]\nmissing_timeout = \"1s\"\n";
        let path = master.dir().join("master.toml");
        let text = fs::read_to_string(&path).unwrap();
        let text = text.replace("[[slaves]]\n", wanted);
        fs::write(&path, format!("{top}{text}")).unwrap();
        Self { master, dir }
    }

    fn outbox(&self, words: &[&str]) -> String {
        let mut command = self.master.program();
        command
            .arg("outbox")
            .args(words)
            .arg("--basedir")
            .arg(self.master.dir());
        run(&mut command).ok()
    }

    /// The only letter.
    fn letter(&self) -> Option<Value> {
        let listed = self.outbox(&["--all", "--json"]);
        let mut lines = listed.lines();
        let letter = lines.next().map(|line| serde_json::from_str(line).unwrap());
        assert_eq!(lines.next(), None, "one letter");
        letter
    }

    fn wait_for(&self, state: &str) -> Value {
        wait_until(state, || {
            self.letter().is_some_and(|letter| letter["state"] == state)
        });
        self.letter().unwrap()
    }

    fn set(&self, flag: &str) {
        fs::write(self.dir.join(flag), "").unwrap();
    }

    fn mails(&self) -> Vec<String> {
        let files = fs::read_dir(&self.dir)
            .unwrap()
            .map(|file| file.unwrap().path());
        let mails = files.filter(|file| file.extension().is_some_and(|end| end == "mail"));
        mails
            .map(|mail| fs::read_to_string(mail).unwrap())
            .collect()
    }
}

#[test]
fn out_02_a_letter_that_could_not_be_sent_survives_a_kill_and_is_sent_once() {
    let sandbox = Sandbox::new();
    let mut scene = Scene::prepare(&sandbox);
    scene.master.run();
    wait_until("an attempt", || {
        scene.letter().is_some_and(|letter| letter["tries"] == 1)
    });
    let waits = scene.letter().unwrap();
    assert_eq!(waits["error"], "sh ended with exit code 75: try later");
    assert_eq!(waits["state"], "waiting");
    let listed = scene.outbox(&[]);
    assert!(
        listed.contains("mail  waiting  slave bot is missing  tried once"),
        "{listed}"
    );
    scene.master.kill();
    scene.set("up");
    scene.master.run();
    assert_eq!(
        scene.outbox(&["retry", "--target", "mail"]),
        "1 letter is sent again\n"
    );
    scene.wait_for("delivered");
    let mails = scene.mails();
    assert_eq!(mails.len(), 1);
    assert!(
        mails[0].contains("\nMessage-ID: <buildmaster."),
        "{}",
        mails[0]
    );
    assert_eq!(
        scene.outbox(&["list"]),
        "no letters wait, and none is dead\n"
    );
}

#[test]
fn out_16_what_is_being_sent_when_the_master_stops_is_sent_and_is_not_sent_again() {
    let sandbox = Sandbox::new();
    let mut scene = Scene::prepare(&sandbox);
    let gate = sandbox.gate("mail");
    let path = scene.master.dir().join("master.toml");
    let text = fs::read_to_string(&path).unwrap();
    let waits = format!("({}) && cat > $$.part", gate.command());
    fs::write(&path, text.replace("cat > $$.part", &waits)).unwrap();
    scene.set("up");
    scene.master.run();
    gate.wait_until_reached(1);
    scene.master.process().signal(Signal::TERM);
    gate.open();
    assert!(scene.master.process().wait().success());
    assert_eq!(scene.letter().unwrap()["state"], "delivered");
    assert_eq!((scene.mails().len(), gate.times_reached()), (1, 1));
}

#[test]
fn out_12_a_dead_letter_is_shown_retried_and_dropped() {
    let sandbox = Sandbox::new();
    let mut scene = Scene::prepare(&sandbox);
    scene.set("refuse");
    scene.master.run();
    let dead = scene.wait_for("dead");
    assert_eq!(dead["error"], "sh ended with exit code 67: no such user");
    assert_eq!(dead["next_at"], Value::Null);
    let number = dead["number"].to_string();
    let shown = scene.outbox(&["show", &number]);
    assert!(shown.contains("dead  slave bot is missing"), "{shown}");
    let mut unknown = scene.master.program();
    unknown
        .args(["outbox", "retry", "99", "--basedir"])
        .arg(scene.master.dir());
    let refused = run(&mut unknown);
    assert!(
        refused.stderr.contains("there is no letter 99"),
        "{}",
        refused.stderr
    );
    fs::remove_file(scene.dir.join("refuse")).unwrap();
    scene.outbox(&["retry", &number]);
    scene.wait_for("waiting");
    assert_eq!(scene.outbox(&["drop", &number]), "1 letter is dropped\n");
    scene.wait_for("dropped");
    assert_eq!(scene.mails(), Vec::<String>::new());
    wait_until("the audit log has it", || {
        let mut command = scene.master.program();
        command.args(["audit", "--basedir"]).arg(scene.master.dir());
        let said = format!("asked to drop letters {number}");
        run(&mut command).ok().contains(&said)
    });
}
