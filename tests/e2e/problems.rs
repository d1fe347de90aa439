//! What people say of problems on the command line (PRB-16, PRB-20 to PRB-22).

use std::fs;

use serde_json::Value;

use crate::harness::{Master, Sandbox, Setup, run, shell, wait_until};

/// Asks `buildmaster problems` something.
fn problems(master: &Master<'_>, words: &[&str]) -> String {
    let mut command = master.program();
    command.arg("problems").args(words).arg("--basedir");
    run(command.arg(master.dir())).ok()
}

/// Why `buildmaster problems` refuses something.
fn refusal(master: &Master<'_>, words: &[&str]) -> String {
    let mut command = master.program();
    command.arg("problems").args(words).arg("--basedir");
    run(command.arg(master.dir())).stderr
}

fn story(master: &Master<'_>) -> Value {
    serde_json::from_str(&problems(master, &["1", "--json"])).unwrap()
}

#[test]
fn prb_16_people_say_of_a_problem_what_they_do_about_it() {
    let sandbox = Sandbox::new();
    let setup = Setup::new(&[shell("make", "false", "")]).local_slave("here");
    let mut master = Master::start(&sandbox, &setup);
    master.wait_until_attached("here");
    master.send_change("r1");
    master.finished_build("full", 0);
    let listed = problems(&master, &[]);
    assert!(listed.contains("open  full: make"), "{listed}");

    assert_eq!(problems(&master, &["claim", "1"]), "problem 1 is claimed\n");
    let claim = &story(&master)["claims"][0];
    let me = claim["by"].as_str().unwrap().to_owned();
    assert_eq!(claim["person"], *me);
    assert!(claim["until"].is_string(), "{claim}");
    let claimed = problems(&master, &[]);
    assert!(claimed.contains(&format!("; claimed by {me}")), "{claimed}");
    let until = "2030-01-01T00:00:00Z";
    let refused = refusal(&master, &["claim", "1", "--until", until]);
    assert!(refused.contains("in the next 366 days"), "{refused}");
    assert_eq!(
        problems(&master, &["release", "1"]),
        "problem 1 is released\n"
    );
    let refused = refusal(&master, &["release", "1"]);
    assert!(refused.contains("has not claimed problem 1"), "{refused}");

    problems(&master, &["mute", "1"]);
    problems(&master, &["mute", "1", "--all"]);
    problems(&master, &["unmute", "1"]);
    problems(&master, &["note", "1", "seen on oak, too"]);
    problems(&master, &["ticket", "1", "https://t.example/7"]);
    let refused = refusal(&master, &["guilty", "1", "nobody-known"]);
    assert!(
        refused.contains("neither a user nor the author"),
        "{refused}"
    );
    let author = story(&master)["suspects"][0]["who"]
        .as_str()
        .unwrap()
        .to_owned();
    problems(&master, &["not-mine", "1", "--for", &author]);
    assert_eq!(story(&master)["suspects"], Value::Array(Vec::new()));
    problems(&master, &["guilty", "1", &author]);
    let shown = problems(&master, &["1"]);
    for text in [
        format!("named guilty: {author}"),
        format!("muted for all by {me}"),
        format!("note by {me}: seen on oak, too"),
        format!("ticket linked by {me}: https://t.example/7"),
    ] {
        assert!(shown.contains(&text), "{text}: {shown}");
    }

    problems(&master, &["dismiss", "1", "the step is new"]);
    assert_eq!(problems(&master, &[]), "no open problems\n");
    assert_eq!(story(&master)["state"], "dismissed");
    // What people have said survives what ends the master.
    master.kill();
    master.run();
    assert_eq!(story(&master)["dismissal"]["text"], "the step is new");
    problems(&master, &["dismiss", "1", "--undo"]);
    assert_eq!(story(&master)["state"], "open");
    let refused = refusal(&master, &["claim", "99"]);
    assert!(refused.contains("there is no problem 99"), "{refused}");
    let mut audit = master.program();
    let audit = run(audit.args(["audit", "--basedir"]).arg(master.dir())).ok();
    assert!(audit.contains("dismissed problem 1"), "{audit}");
}

/// Puts a configuration in force, and answers what has changed.
fn reconfigure(master: &Master<'_>, text: &str) -> String {
    fs::write(master.dir().join("master.toml"), text).unwrap();
    let mut command = master.program();
    run(command.arg("reconfig").arg(master.dir())).ok()
}

#[test]
fn prb_25_a_builder_with_another_name_goes_on_and_prb_15_one_that_leaves_is_gone() {
    let sandbox = Sandbox::new();
    let setup = Setup::new(&[shell("make", "false", "")]).local_slave("here");
    let mut master = Master::start(&sandbox, &setup);
    master.wait_until_attached("here");
    master.send_change("r1");
    master.finished_build("full", 0);
    let before = story(&master);
    let text = setup.toml(master.port());

    // All that names the builder names it otherwise now, and the builder says what it was.
    let renamed = text.replace("\"full\"", "\"whole\"");
    let is_of_builder = "[[builders]]\nname = \"whole\"";
    assert!(renamed.contains(is_of_builder), "{renamed}");
    let renamed = renamed.replace(is_of_builder, &format!("{is_of_builder}\nwas = \"full\""));
    let done = reconfigure(&master, &renamed);
    assert!(done.contains("builder whole: added"), "{done}");
    // The answer does not wait for the disk.
    wait_until("the other name", || story(&master)["builder"] == "whole");
    let after = story(&master);
    for key in ["number", "state", "opened_at", "first", "first_build"] {
        assert_eq!(after[key], before[key], "{key}");
    }
    master.send_change("r2");
    let build = master.finished_build("whole", 1);
    assert_eq!(build.result.as_deref(), Some("failure"));
    assert_eq!(story(&master)["last_build"], 1);

    // A restart with the same words changes nothing.
    assert!(master.terminate().success());
    master.run();
    master.send_change("r3");
    master.finished_build("whole", 2);
    assert_eq!(story(&master)["last_build"], 2);

    // The step has another name: the problem is closed, and not as mended.
    let other = renamed.replace("\"make\"", "\"build\"");
    reconfigure(&master, &other);
    wait_until("its end", || story(&master)["state"] == "gone");
    let shown = problems(&master, &["1"]);
    assert!(shown.contains("  gone\n"), "{shown}");
    assert_eq!(problems(&master, &[]), "no open problems\n");
}

#[test]
fn inf_05_esc_12_who_runs_the_machines_is_told_of_them_by_a_target_for_problems_alone() {
    let sandbox = Sandbox::new();
    let [loud, silent] = ["loud", "silent"].map(|name| sandbox.private_dir(name));
    let notifier = |name: &str, more: &str, dir: &std::path::Path| {
        format!(
            "[[status]]\ntype = \"MailNotifier\"\nname = {name:?}\nfrom = \"ci@example.org\"\n\
             {more}via = [\"sh\", \"-c\", \"cat > {}/$$\"]\n",
            dir.display()
        )
    };
    let tables = format!(
        "{}{}[problems]\ngather = \"0s\"\npause = \"0s\"\n\
         [people.olga]\nroles = [\"operator\"]\nemail = [\"olga@example.org\"]\n\
         [people.ann]\nemail = [\"ann@example.org\"]\n",
        notifier("loud", "mode = []\nproblems = true\n", &loud),
        notifier("silent", "mode = [\"passing\"]\n", &silent)
    );
    let step = shell("fetch", "false", "infrastructure = true");
    let setup = Setup::new(&[step]).local_slave("here").tables(&tables);
    let master = Master::start(&sandbox, &setup);
    for number in 0..2 {
        master.send_change(&format!("r{number}"));
        master.finished_build("full", number);
    }
    let mails = |dir: &std::path::Path| -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap();
        let texts = entries.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
        texts.filter(|text| text.ends_with('\n')).collect()
    };
    wait_until("the mail", || !mails(&loud).is_empty());
    let mail = mails(&loud).remove(0);
    assert!(mail.contains("To: olga@example.org"), "{mail}");
    assert!(!mail.contains("ann@example.org"), "{mail}");
    assert_eq!(
        mails(&silent).len(),
        0,
        "it was not asked to tell of problems"
    );
}
