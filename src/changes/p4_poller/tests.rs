//! Polls of a program that answers what a server of Perforce was recorded to answer.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::changes::polling::testing::Shell;
use crate::config::{ChangeSourceKind, parse};
use crate::model::Zone;

/// Answers from files: `log` is the list of changes, and `N` describes change N.
const P4: &str = r#"#!/bin/sh
cd "${0%/*}"
echo "$* $P4PASSWD" >>asked
while [ "${1#-}" != "$1" ]; do shift 2; done
case "$1 $2" in
"login -p") read -r password; test "$password" = sekrit || exit 1
    echo 'Enter password: '; echo TICKET0123456789;;
"changes -s") case "$4" in
    -m) head -n 1 log;;
    *) after=${4#*@}; while read -r change number rest; do
        if [ "$number" -ge "${after%,now}" ]; then echo "$change $number $rest"; fi
        done <log;;
    esac;;
"describe -s") shift 2; for number; do cat "$number"; done;;
*) echo 'Perforce client error: no such command' >&2; exit 1;;
esac
"#;

struct World {
    shell: Shell,
    poller: P4Poller,
    cursor: Option<String>,
}

impl World {
    fn new(lines: &str) -> Option<Self> {
        let shell = Shell::with(&["sh"])?;
        std::fs::write(shell.dir().join("p4"), P4).unwrap();
        std::fs::write(shell.dir().join("log"), "").unwrap();
        shell.run("chmod +x p4");
        let text = format!(
            "[[change_sources]]\ntype = \"P4Source\"\np4 = \"{}/p4\"\n{lines}\n",
            shell.dir().display()
        );
        let (mut config, _) = parse(&text, "master.toml", &Ok(Zone::UTC)).unwrap();
        let source = config.change_sources.remove(0);
        let ChangeSourceKind::P4(config) = source.kind else {
            panic!("{source:?}");
        };
        let poller = P4Poller::new(*config, CancellationToken::new()).unwrap();
        Some(Self {
            shell,
            poller,
            cursor: None,
        })
    }

    /// Submits a change of these files.
    fn submit(&self, number: u64, files: &[&str]) {
        let dir = self.shell.dir();
        let old = std::fs::read_to_string(dir.join("log")).unwrap();
        let line = format!("Change {number} on 2009/02/13 by me@client 'Fix it'\n");
        std::fs::write(dir.join("log"), line + &old).unwrap();
        let mut text = format!(
            "Change {number} by me@client on 2009/02/13 18:31:30\n\n\tFix it.\n\nAffected files ...\n\n"
        );
        for file in files {
            text.push_str(&format!("... {file}#1 edit\n"));
        }
        std::fs::write(dir.join(number.to_string()), text + "\n").unwrap();
    }

    async fn poll(&mut self) -> Vec<NewChange> {
        let mut changes = Vec::new();
        while let Some(batch) = self.poller.next(self.cursor.as_deref()).await.unwrap() {
            changes.extend(batch.changes);
            self.cursor = Some(batch.cursor);
        }
        changes
    }

    async fn polled(&mut self) -> Vec<String> {
        let changes = self.poll().await;
        let shown = changes.iter().map(|change| {
            let branch = change.branch.as_deref().unwrap_or("-");
            let revision = change.revision.as_deref().unwrap_or("-");
            format!("{revision} {branch} {}", change.files.join(","))
        });
        shown.collect()
    }

    /// The commands so far, each with the password in its environment.
    fn asked(&self) -> String {
        std::fs::read_to_string(self.shell.dir().join("asked")).unwrap()
    }
}

#[tokio::test]
async fn pol_12_changes_of_perforce_come_by_number_one_for_each_branch() {
    let lines = "p4port = \"perforce:1666\"\np4base = \"//depot/p/\"\nsplit_file = \"branch\"\n\
                 server_tz = \"America/New_York\"\nproject = \"widget\"";
    let Some(mut world) = World::new(lines) else {
        return;
    };
    assert_eq!(world.polled().await, [""; 0]);
    world.submit(
        3,
        &[
            "//depot/p/main/a",
            "//depot/p/rel/a",
            "//depot/p/main/b c",
            "//depot/q/x",
        ],
    );
    world.submit(5, &["//depot/q/x"]);
    world.submit(9, &["//depot/p/main/d"]);
    assert_eq!(
        world.polled().await,
        ["3 main a,b c", "3 rel a", "9 main d"]
    );
    assert_eq!(world.polled().await, [""; 0]);
    world.submit(12, &["//depot/p/rel/a", "//depot/p/README"]);
    let [change] = world.poll().await.try_into().unwrap();
    assert_eq!(change.who, "me");
    assert_eq!(change.comments, "Fix it.");
    assert_eq!(change.made_at.unwrap().0, 1_234_567_890_000_000);
    assert_eq!(change.repository, "perforce:1666//depot/p/");
    assert_eq!(
        (change.project.as_str(), change.src.as_deref()),
        ("widget", Some("p4"))
    );
    let asked = world.asked();
    let listed = "-p perforce:1666 changes -s submitted //depot/p/...@10,now ";
    assert!(asked.lines().any(|line| line == listed), "{asked}");
}

#[tokio::test]
async fn pol_12_the_first_poll_of_perforce_remembers_the_newest_change() {
    let Some(mut world) = World::new("p4port = \"one:1\"") else {
        return;
    };
    world.submit(3, &["//depot/a"]);
    assert_eq!(world.polled().await, [""; 0]);
    world.submit(4, &["//depot/b"]);
    assert_eq!(world.polled().await, ["4 - depot/b"]);
    // Another server has numbers of its own.
    world.poller.config.p4port = Some("two:1".to_owned());
    world.submit(5, &["//depot/c"]);
    assert_eq!(world.polled().await, [""; 0]);
}

#[tokio::test]
async fn int_05_a_backlog_of_perforce_comes_in_batches() {
    let Some(mut world) = World::new("") else {
        return;
    };
    assert_eq!(world.polled().await, [""; 0]);
    for number in 1..=250 {
        world.submit(number, &["//depot/a"]);
    }
    let mut numbers = Vec::new();
    while let Some(batch) = world.poller.next(world.cursor.as_deref()).await.unwrap() {
        assert!(batch.changes.len() <= 200);
        numbers.extend(
            batch
                .changes
                .iter()
                .map(|change| change.revision.clone().unwrap()),
        );
        world.cursor = Some(batch.cursor);
        if numbers.len() == 100 {
            // What is stored is not read again by another master.
            world.poller.current = None;
        }
    }
    let expected: Vec<_> = (1..=250).map(|number| number.to_string()).collect();
    assert_eq!(numbers, expected);
}

#[tokio::test]
async fn pol_12_a_ticket_stands_for_the_password_of_perforce() {
    let login = "username = \"bot\"\npassword = \"sekrit\"\n";
    let Some(mut world) = World::new(&format!("{login}use_tickets = true")) else {
        return;
    };
    world.polled().await;
    world.submit(1, &["//depot/a"]);
    assert_eq!(world.polled().await, ["1 - depot/a"]);
    let asked = world.asked();
    let lines: Vec<_> = asked.lines().collect();
    assert_eq!(
        lines,
        [
            "-u bot login -p ",
            "-u bot changes -s submitted -m 1 //... TICKET0123456789",
            "-u bot changes -s submitted //...@1,now TICKET0123456789",
            "-u bot describe -s 1 TICKET0123456789",
        ]
    );
    let Some(mut world) = World::new(login) else {
        return;
    };
    world.polled().await;
    assert_eq!(
        world.asked(),
        "-u bot changes -s submitted -m 1 //... sekrit\n"
    );
}
