//! Kills of the master at each step of sending letters (OUT-03, OUT-04, OUT-18).

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::{
    Master, Process, Sandbox, Setup, free_port, from_pypi, is_slow, run, shell, wait_until,
};

/// The steps of a conversation after which the master is killed, each once in a round.
const STEPS: [&str; 24] = [
    "ehlo",
    "ehlo-answered",
    "mail",
    "mail-answered",
    "rcpt",
    "rcpt-answered",
    "data",
    "text",
    "mail-kept",
    "mail-taken",
    "http-connected",
    "head",
    "body",
    "http-kept",
    "http-taken",
    "mail-taken",
    "command-started",
    "command-read",
    "command-kept",
    "command-taken",
    "ssh-started",
    "ssh-read",
    "ssh-kept",
    "ssh-taken",
];

/// A master with a mail target, a webhook, a command and one for Gerrit, which sends by ssh, and
/// what takes their letters.
struct Scene<'a> {
    master: Master<'a>,
    dir: PathBuf,
    _targets: Process,
}

impl<'a> Scene<'a> {
    /// Absent where the mail server cannot be had.
    fn prepare(sandbox: &'a Sandbox) -> Option<Self> {
        let python = from_pypi("mail", "python")?;
        let dir = sandbox.private_dir("targets");
        let [mail, http] = [free_port(), free_port()];
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/killing_targets.py");
        let mut command = sandbox.command(python);
        command
            .arg(script)
            .arg(mail.to_string())
            .arg(http.to_string())
            .arg(&dir);
        let targets = Process::start("targets", &mut command);
        wait_until("the targets", || targets.printed().contains("ready"));
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/killing_program.sh");
        let script = format!("#!/bin/sh\nexec {program:?} {dir:?} ssh\n");
        let ssh = sandbox.file("targets/ssh", script);
        fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
        let tables = format!(
            "[[status]]\ntype = \"MailNotifier\"\nfrom = \"ci@example.org\"\n\
             relayhost = \"127.0.0.1\"\nsmtp_port = {mail}\nlookup = \"example.org\"\n\
             [[status]]\ntype = \"webhook\"\nurl = \"http://127.0.0.1:{http}/\"\n\
             allow_private = true\n\
             [[status]]\ntype = \"command\"\ncommand = [{program:?}, {dir:?}]\n\
             [[status]]\ntype = \"GerritStatusPush\"\nserver = \"review.example.org\"\n\
             username = \"ci\"\nssh = {ssh:?}\nbuild_set_summary = false\n"
        );
        // Reviews are about patch sets.
        let setup = Setup::new(&[shell("make", "true", "")])
            .local_slave("here")
            .schedulers(
                "[[schedulers]]\ntype = \"Scheduler\"\nname = \"quick\"\nbuilders = [\"full\"]\n\
                 properties = { \"event.change.project\" = \"widget\", \
                 \"event.patchSet.revision\" = \"c0ffee\" }\n",
            )
            .tables(&tables);
        let master = Master::start(sandbox, &setup);
        Some(Self {
            master,
            dir,
            _targets: targets,
        })
    }

    /// Has the master killed so long after a step, and waits for that: with what was left if it
    /// `is_hasty`, else with the letters of a new build.
    fn kill(&mut self, step: &str, milliseconds: usize, number: usize, is_hasty: bool) {
        if !is_hasty {
            wait_until("the letters that were left", || {
                self.letters(&[]).is_empty()
            });
        }
        let pid = self.master.process().pid().as_raw_nonzero();
        let victim = self.dir.join("victim");
        fs::write(
            self.dir.join("part"),
            format!("{pid} {step} {milliseconds}\n"),
        )
        .unwrap();
        fs::rename(self.dir.join("part"), &victim).unwrap();
        // A connection that is kept from a mail before has no beginning, so more than one build may
        // be needed. The master may be killed before it has answered.
        wait_until("the kill", || {
            let is_running = self.master.process().is_running();
            if is_running && self.letters(&[]).is_empty() {
                drop(self.master.try_to_send_change(&format!("r{number}")));
            }
            !is_running
        });
        self.master.process().wait();
        assert!(!victim.exists(), "the master ended by itself");
    }

    fn letters(&self, words: &[&str]) -> Vec<Value> {
        let mut command = self.master.program();
        command.args(["outbox", "--json"]).args(words);
        command.arg("--basedir").arg(self.master.dir());
        let listed = run(&mut command).ok();
        let letters = listed.lines();
        letters
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// What was taken, and the kills, in order.
    fn log(&self) -> Vec<(String, String)> {
        let log = fs::read_to_string(self.dir.join("log")).unwrap();
        let lines = log.lines().map(|line| line.split_once(' ').unwrap());
        lines
            .map(|(what, key)| (what.to_owned(), key.to_owned()))
            .collect()
    }

    /// Checks what a target has taken: each letter, and twice only what was on its way at a kill.
    /// Gives how many letters there are, and how many came again.
    fn check(&self, target: &str, what: &str) -> (usize, usize) {
        let letters = self.letters(&["--all", "--target", target]);
        let mut taken: BTreeMap<String, usize> = BTreeMap::new();
        // The kills so far: now, when the last letter was taken, and when the one before was.
        let (mut kills, mut at_last, mut at_other) = (0, 0, 0);
        let mut last = String::new();
        for (kind, key) in self.log() {
            if kind == "kill" {
                kills += 1;
            } else if kind == what {
                let times = taken.entry(key.clone()).or_default();
                // Letters of a builder leave one after the other: the last is on its way.
                assert!(*times == 0 || key == last, "{key} came again after {last}");
                if key != last {
                    at_other = at_last;
                }
                assert!(
                    *times <= kills - at_other,
                    "{key} came again without a kill"
                );
                *times += 1;
                (last, at_last) = (key, kills);
            }
        }
        for letter in &letters {
            assert_eq!(letter["state"], "delivered", "{letter}");
            let end = format!(".{}", letter["number"]);
            let has = |key: &&String| key.split('@').next().unwrap().ends_with(&end);
            let keys = taken.keys().filter(has).count();
            assert_eq!(keys, 1, "the keys of {letter}");
        }
        assert_eq!(taken.len(), letters.len(), "all that came are letters");
        (letters.len(), taken.values().sum::<usize>() - taken.len())
    }
}

#[test]
fn out_03_out_04_out_18_kills_at_each_step_lose_nothing_and_double_only_what_was_on_its_way() {
    let sandbox = Sandbox::new();
    let Some(mut scene) = Scene::prepare(&sandbox) else {
        return;
    };
    let kills = if is_slow() { 1000 } else { STEPS.len() };
    for number in 0..kills {
        let step = STEPS[number % STEPS.len()];
        let round = number / STEPS.len();
        // In the first round at once, then while the master writes down what was taken.
        scene.kill(step, round % 8, number, (number + round).is_multiple_of(2));
        scene.master.run();
    }
    wait_until("all letters", || scene.letters(&[]).is_empty());
    let (mails, doubled_mails) = scene.check("MailNotifier", "mail");
    let (posts, doubled_posts) = scene.check("webhook", "http");
    let (runs, doubled_runs) = scene.check("command", "command");
    let (reviews, doubled_reviews) = scene.check("GerritStatusPush", "ssh");
    let builds: Vec<Value> = scene.master.show(&["builds", "full"]);
    let ended = builds.iter().filter(|build| build["result"] != "retry");
    let count = ended.count();
    assert_eq!([mails, posts, runs, reviews], [count; 4]);
    eprintln!(
        "{kills} kills: {mails} mails, {doubled_mails} came again; {posts} posts, {doubled_posts} \
         came again; {runs} programs, {doubled_runs} came again; {reviews} reviews, \
         {doubled_reviews} came again"
    );
}
