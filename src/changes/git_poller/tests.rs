//! Polls of real repositories.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use serde_json::Value;

use super::inside::between;
use super::*;
use crate::changes::polling::Tool;
use crate::changes::polling::testing::Shell;
use crate::config::{BranchRules, FilePatterns, GitStart, NewBranch, Secret};
use crate::text::Encoding;

/// A repository, a poller of it, and what the master has stored.
struct World {
    dir: Shell,
    config: GitPollerConfig,
    poller: GitPoller,
    cursor: Option<String>,
}

/// What a poll has given.
#[derive(Debug, Default, PartialEq)]
struct Polled {
    changes: Vec<NewChange>,
    batches: usize,
    notes: Vec<String>,
}

impl World {
    fn new(configure: impl FnOnce(&mut GitPollerConfig)) -> Self {
        let dir = Shell::with(&["git"]).unwrap();
        let url = dir.dir().join("repo");
        let mut config = GitPollerConfig {
            repourl: url.to_str().unwrap().to_owned(),
            git: "git".to_owned(),
            ..GitPollerConfig::default()
        };
        configure(&mut config);
        let poller = poller(&config, dir.dir());
        let world = Self {
            dir,
            config,
            poller,
            cursor: None,
        };
        world.shell("git init -q -b main repo");
        world
    }

    fn shell(&self, script: &str) -> String {
        let commit = "c() { git commit -q --allow-empty -m \"$1\"; }";
        let is_there = self.dir.dir().join("repo").exists();
        let place = if is_there { "cd repo" } else { "true" };
        self.dir.run(&format!("{place}\n{commit}\n{script}"))
    }

    /// Forgets everything but what is stored.
    fn restart(&mut self) {
        self.poller = poller(&self.config, self.dir.dir());
    }

    async fn poll(&mut self) -> Polled {
        let mut polled = Polled::default();
        while let Some(batch) = self.poller.next(self.cursor.as_deref()).await.unwrap() {
            assert!(batch.changes.len() <= MOST_CHANGES);
            polled.changes.extend(batch.changes);
            polled.notes.extend(batch.notes);
            polled.batches += 1;
            self.cursor = Some(batch.cursor);
        }
        polled
    }

    /// Branches and messages of the changes of a poll.
    async fn poll_short(&mut self) -> Vec<String> {
        self.poll().await.short()
    }
}

impl Polled {
    fn short(&self) -> Vec<String> {
        let short = |change: &NewChange| {
            let first = change.comments.lines().next().unwrap_or_default();
            format!("{} {first}", change.branch.as_deref().unwrap())
        };
        self.changes.iter().map(short).collect()
    }
}

fn poller(config: &GitPollerConfig, dir: &Path) -> GitPoller {
    GitPoller::new(
        config.clone(),
        "test",
        &dir.join("mirrors"),
        CancellationToken::new(),
    )
    .unwrap()
}

/// What happens before the poll of each case.
fn step(name: &str) -> &'static str {
    match name {
        "first poll of a repository with one commit" => "c one",
        "two commits on main" => "c two; c three",
        "nothing new" => "true",
        "a new branch without commits of its own" => "git branch feature",
        "one commit on that branch" => "git checkout -q feature; c f1; git checkout -q main",
        "main fast-forwarded to the branch" => "git merge -q --ff-only feature",
        "a new branch with two commits" => {
            "git checkout -q -b other; c o1; c o2; git checkout -q main"
        }
        "that branch force-pushed to another commit" => {
            "git checkout -q other; git reset -q --hard main; c o1b; git checkout -q main"
        }
        "that branch deleted" => "git branch -q -D other",
        "a tag" => "git tag -a -m v1 v1",
        "main moved back by one" => "git reset -q --hard main^",
        "restart with state, one commit meanwhile" => "c late",
        "one of the listed branches does not exist" => "true",
        "a commit on the one that does" => "c x1",
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn pol_05_pol_06_pol_07_polls_are_as_in_the_cases() {
    let cases: Value =
        serde_json::from_str(include_str!("../../../tests/data/gitpoller-cases.json")).unwrap();
    let mut world = World::new(|_| ());
    let mut tried = 0;
    for case in cases["cases"].as_array().unwrap() {
        let (given, expect) = (&case["given"], &case["expect"]);
        let name = given["then"].as_str().unwrap();
        if let Some(branches) = given["branches"].as_array() {
            let branches: Vec<_> = branches.iter().map(|name| name.as_str().unwrap()).collect();
            let rules = BranchRules::from_globs(&branches).unwrap();
            if rules != world.config.branches {
                world.config.branches = rules;
                world.restart();
            }
        }
        if name.starts_with("restart") {
            world.restart();
        }
        world.shell(step(name));
        let polled = world.poll().await;
        let expected: Vec<String> = expect["changes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|change| {
                format!(
                    "{} {}",
                    change[0].as_str().unwrap(),
                    change[1].as_str().unwrap()
                )
            })
            .collect();
        assert_eq!(polled.short(), expected, "{name}");
        let noted = expect["noted"].as_str().unwrap_or_default();
        let start = noted.split(" from ").next().unwrap();
        let is_noted = polled.notes.iter().any(|note| note.starts_with(start));
        assert_eq!(
            is_noted,
            !noted.is_empty() && !polled.notes.is_empty(),
            "{:?}",
            polled.notes
        );
        assert!(noted.is_empty() || is_noted, "{name}: {:?}", polled.notes);
        tried += 1;
    }
    assert_eq!(tried, 14);
}

#[tokio::test]
async fn pol_03_the_first_poll_remembers_or_gives_tips_or_begins_at_a_revision() {
    let history = "c one; c two; git checkout -q -b side; c s1; git checkout -q main; c three";
    let mut world = World::new(|_| ());
    world.shell(history);
    assert!(world.poll_short().await.is_empty());
    let mut world = World::new(|config| config.start = GitStart::Tip);
    world.shell(history);
    assert_eq!(world.poll_short().await, ["main three", "side s1"]);
    let mut world = World::new(|_| ());
    world.shell(history);
    let two = world.shell("git rev-parse --short=9 main^");
    world.config.start = GitStart::Revision(two.trim().to_owned());
    world.restart();
    assert_eq!(world.poll_short().await, ["main three", "side s1"]);
    assert!(world.poll_short().await.is_empty());
}

#[tokio::test]
async fn pol_04_a_commit_that_is_nowhere_any_more_is_no_error() {
    let mut world = World::new(|_| ());
    world.shell("c one; c two");
    world.poll().await;
    // The mirror is gone, and so are the commits.
    std::fs::remove_dir_all(world.dir.dir().join("mirrors")).unwrap();
    world.shell("git reset -q --hard HEAD^; c other; git reflog expire --expire=now --all; git gc -q --prune=now");
    let polled = world.poll().await;
    assert_eq!(polled.short(), ["main other"]);
    assert_eq!(
        polled.changes[0].properties.get("forced"),
        Some(&Value::Bool(true))
    );
}

#[tokio::test]
async fn pol_05_the_mainline_alone_or_all_with_what_brought_them() {
    let script = "git checkout -q -b topic; c t1; c t2; git checkout -q main; c m1; \
                  git merge -q --no-ff -m merge topic; git branch -q -D topic";
    let mut world = World::new(|_| ());
    world.shell("c one");
    world.poll().await;
    world.shell(script);
    let polled = world.poll().await;
    let mut all = polled.short();
    all.sort();
    assert_eq!(all, ["main m1", "main merge", "main t1", "main t2"]);
    let merge = world.shell("git rev-parse HEAD");
    let brought = |change: &&NewChange| {
        change.properties.get("brought_by").and_then(Value::as_str) == Some(merge.trim())
    };
    assert_eq!(polled.changes.iter().filter(brought).count(), 2);
    let mut world = World::new(|config| config.history = History::FirstParent);
    world.shell("c one");
    world.poll().await;
    world.shell(script);
    assert_eq!(world.poll_short().await, ["main m1", "main merge"]);
}

#[tokio::test]
async fn pol_06_what_a_new_branch_gives_is_a_setting() {
    for (rule, expected) in [
        (NewBranch::Tip, vec!["empty one", "own o1", "own o2"]),
        (NewBranch::Commits, vec!["own o1", "own o2"]),
        (NewBranch::Nothing, vec![]),
    ] {
        let mut world = World::new(|config| config.new_branch = rule);
        world.shell("c one");
        world.poll().await;
        world.shell("git branch empty; git checkout -q -b own; c o1; c o2");
        assert_eq!(world.poll_short().await, expected, "{rule:?}");
        assert!(world.poll_short().await.is_empty());
    }
}

#[tokio::test]
async fn prb_09_the_changes_of_a_new_branch_say_where_it_begins() {
    let mut world = World::new(|_| ());
    world.shell("c one; c two");
    world.poll().await;
    let base = world.shell("git rev-parse HEAD");
    world.shell("git branch empty; git checkout -q -b own; c o1; git checkout -q -b side HEAD^");
    world.shell("c s1; git checkout -q own; git merge -q --no-edit side");
    let polled = world.poll().await;
    assert!(polled.changes.len() >= 4, "{:?}", polled.short());
    for change in &polled.changes {
        let from = change
            .properties
            .get("branched_from")
            .and_then(Value::as_str);
        assert_eq!(from, Some(base.trim()), "{:?}", change.branch);
    }
    world.shell("c o2");
    let polled = world.poll().await;
    assert_eq!(polled.short(), ["own o2"]);
    assert_eq!(polled.changes[0].properties.get("branched_from"), None);
}

#[tokio::test]
async fn pol_06_a_renamed_branch_is_noted_and_a_forced_one_has_what_it_had_not() {
    let mut world = World::new(|_| ());
    world.shell("c one; git checkout -q -b old; c o1; c o2");
    world.poll().await;
    world.shell("git branch -m old new/name");
    let polled = world.poll().await;
    assert_eq!(
        (polled.short(), polled.notes),
        (vec![], vec!["old is now new/name".to_owned()])
    );
    // The name of a branch may become a directory, and the other way round.
    world.shell("git branch -m new/name new; c o3; git reset -q --hard HEAD^^; c p1; c p2");
    let polled = world.poll().await;
    assert_eq!(polled.short(), ["new p1", "new p2"]);
    world.shell("git reset -q --hard main; c q");
    let polled = world.poll().await;
    assert_eq!(polled.short(), ["new q"]);
    assert_eq!(
        polled.changes[0].properties.get("forced"),
        Some(&Value::Bool(true))
    );
}

#[tokio::test]
async fn pol_06_tags_and_other_references_are_followed_on_request() {
    let mut world = World::new(|config| {
        config.tags = true;
        config.refs = Some(FilePatterns::from_globs(&["refs/pull/*/head"], &[]).unwrap());
    });
    world.shell("c one; git tag v0");
    world.poll().await;
    let blob = "git tag blob $(echo x | git hash-object -w --stdin)";
    world.shell(&format!(
        "c two; git tag v1 HEAD^; git tag -a -m t v2; {blob}; git update-ref refs/pull/7/head HEAD"
    ));
    let polled = world.poll().await;
    assert_eq!(
        polled.short(),
        [
            "main two",
            "refs/pull/7/head two",
            "refs/tags/v1 one",
            "refs/tags/v2 two"
        ]
    );
    let categories: Vec<_> = polled
        .changes
        .iter()
        .map(|c| c.category.as_deref())
        .collect();
    assert_eq!(categories, [None, None, Some("tag"), Some("tag")]);
    assert!(world.poll_short().await.is_empty());
}

#[tokio::test]
async fn pol_06_branches_that_new_settings_select_are_not_new() {
    let mut world = World::new(|config| {
        config.branches = BranchRules::from_globs(&["main"]).unwrap();
    });
    world.shell("c one; git branch rel-1");
    world.poll().await;
    world.config.branches = BranchRules::default();
    world.restart();
    assert!(world.poll_short().await.is_empty());
    world.shell("git branch rel-2");
    assert_eq!(world.poll_short().await, ["rel-2 one"]);
}

#[tokio::test]
async fn pol_10_a_submodule_is_a_change_when_the_outer_repository_moves() {
    let mut world = World::new(|_| ());
    world.shell("git init -q -b main ../inner; cd ../inner; c inner");
    let add = "git -c protocol.file.allow=always submodule --quiet add ../inner inner";
    world.shell(&format!("{add}; c one"));
    world.poll().await;
    world.shell("cd ../inner; c more");
    assert!(world.poll_short().await.is_empty());
    world.shell("cd inner; git pull -q; cd ..; git add inner; c moved");
    let polled = world.poll().await;
    assert_eq!(polled.short(), ["main moved"]);
    assert_eq!(polled.changes[0].files, ["inner"]);
}

#[tokio::test]
async fn int_05_a_long_absence_is_made_up_for_in_batches_and_in_order() {
    let mut world = World::new(|_| ());
    world.shell("c one");
    world.poll().await;
    let mut stream = String::new();
    for n in 1..=450 {
        // Each is dated before the one that it follows.
        let (time, message) = (1_000_000 - n, format!("n{n}"));
        stream.push_str(&format!(
            "commit refs/heads/main\ncommitter me <me@e> {time} +0000\n"
        ));
        stream.push_str(&format!("data {}\n{message}\n", message.len()));
        stream.push_str(if n == 1 {
            "from refs/heads/main^0\n"
        } else {
            ""
        });
        stream.push_str(&format!("M 644 inline f{n}\ndata 1\nx\n"));
    }
    std::fs::write(world.dir.dir().join("stream"), stream).unwrap();
    world.shell("git fast-import --quiet <../stream");
    let polled = world.poll().await;
    assert_eq!(polled.batches, 3);
    let expected: Vec<_> = (1..=450).map(|n| format!("main n{n}")).collect();
    assert_eq!(polled.short(), expected);
    assert_eq!(polled.changes[449].files, ["f450"]);
    assert_eq!(
        polled.changes[449].made_at.map(|t| t.as_secs_f64()),
        Some(999_550.0)
    );
    assert_eq!(polled.changes[449].when, None);
    // Commits that are dated decades before the one that they follow were not forced.
    let is_forced = |change: &NewChange| change.properties.get("forced").is_some();
    assert!(!polled.changes.iter().any(is_forced));
}

#[tokio::test]
async fn int_02_a_poll_that_is_cut_off_begins_again_with_the_same_commits() {
    let mut world = World::new(|_| ());
    world.shell("c one");
    world.poll().await;
    world.shell("for i in $(seq 201); do c n$i; done");
    let first = world
        .poller
        .next(world.cursor.as_deref())
        .await
        .unwrap()
        .unwrap();
    world.restart();
    let again = world
        .poller
        .next(world.cursor.as_deref())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(first.changes, again.changes);
    world.cursor = Some(again.cursor);
    world.restart();
    // The branch is not done, so that its commits are given again and known by their ids.
    let polled = world.poll().await;
    assert_eq!(polled.changes.len(), 201);
}

#[tokio::test]
async fn int_08_int_09_odd_bytes_many_files_and_merges_are_read() {
    let mut world =
        World::new(|config| config.poller.encoding = Encoding::named("latin-1").unwrap());
    world.shell("c one");
    world.poll().await;
    world.shell(
        "printf 'f\\374r' >m; git -c i18n.commitEncoding=utf-8 commit -q --allow-empty -F m 2>/dev/null; \
         git -c i18n.commitEncoding=iso-8859-1 commit -q --allow-empty -F m; rm m; \
         echo x >\"$(printf 'caf\\351')\"; echo y >\"a\tb\nc\"; git add .; c odd; \
         mkdir d; (cd d; seq 12000 | xargs touch); git add .; c many",
    );
    let polled = world.poll().await;
    let messages: Vec<_> = polled.changes.iter().map(|c| c.comments.as_str()).collect();
    assert_eq!(messages, ["für", "für", "odd", "many"]);
    assert_eq!(polled.changes[2].files, ["a\tb\nc", "café"]);
    assert_eq!(polled.changes[3].files.len(), 10_000);
    assert_eq!(polled.changes[3].files_left_out, 2_000);
    assert_eq!(polled.changes[3].who, "me <me@example.org>");
}

#[tokio::test]
async fn pol_08_an_unchanged_repository_costs_one_listing() {
    let mut world = World::new(|_| ());
    world.shell("c one");
    world.poll().await;
    let (git, calls) = (world.dir.dir().join("git"), world.dir.dir().join("calls"));
    let script = format!(
        "#!/bin/sh\necho \"$*\" >>{}\nexec git \"$@\"\n",
        calls.display()
    );
    std::fs::write(&git, script).unwrap();
    world.shell("chmod +x ../git");
    world.config.git = git.to_str().unwrap().to_owned();
    world.restart();
    for polls in 1..=3 {
        assert!(world.poll_short().await.is_empty());
        let calls = std::fs::read_to_string(&calls).unwrap();
        assert_eq!(calls.lines().count(), polls);
        assert!(calls.lines().all(|line| line.starts_with("ls-remote")));
    }
}

#[tokio::test]
async fn int_01_a_repository_that_is_missing_is_an_error_with_its_reason() {
    let mut world = World::new(|_| ());
    world.config.repourl = "/no/such/repository".to_owned();
    world.config.poller.timeout = Duration::from_secs(60);
    world.restart();
    let error = world.poller.next(None).await.unwrap_err().to_string();
    assert!(
        error.starts_with("git ls-remote ended with exit code 128: "),
        "{error}"
    );
    assert!(error.contains("/no/such/repository"), "{error}");
}

#[tokio::test]
async fn pol_09_passwords_are_given_to_the_configured_server_alone() {
    let world = World::new(|_| ());
    let mut config = world.config.clone();
    config.repourl = "https://me@git.example.org/p.git".to_owned();
    config.login.username = Some("bot".to_owned());
    config.login.password = Some(Secret::Inline("pass'word".to_owned()));
    let mut tool = Tool::new("git", Duration::from_secs(60), CancellationToken::new());
    access::prepare(&mut tool, &config, &world.dir.dir().join("mirror")).unwrap();
    tool.set("GIT_TERMINAL_PROMPT", "0");
    let fill = async |host: &str| {
        let question = format!("protocol=https\nhost={host}\n\n");
        let answer = tool
            .output(["credential", "fill"], Some(question.as_bytes()), 1000)
            .await;
        answer.map(|answer| String::from_utf8(answer).unwrap())
    };
    let answer = fill("git.example.org").await.unwrap();
    assert!(
        answer.contains("username=bot\npassword=pass'word\n"),
        "{answer}"
    );
    let other = fill("evil.example.org").await;
    assert!(other.is_err(), "{other:?}");
}

#[tokio::test]
async fn srh_15_the_mirror_tells_what_lies_between_two_commits_and_what_a_merge_has_brought() {
    let mut world = World::new(|_| {});
    world.shell("c one");
    world.poll().await;
    world.shell(
        "git checkout -q -b side; c s1; c s2; git checkout -q main; c two
         git merge -q --no-ff -m merge side; c three",
    );
    world.poll().await;
    let id = |name: &str| {
        world
            .shell(&format!("git rev-parse {name}"))
            .trim()
            .to_owned()
    };
    let [one, two, s1, s2, merge, three] =
        ["main~3", "main~2", "side^", "side", "main^", "main"].map(id);
    let mirror = &world.poller.mirror;
    let brought = async |good: &str, bad: &str| between(mirror, (good, bad)).await.unwrap();
    let along = Brought {
        commits: vec![one.clone(), two.clone(), merge.clone(), three.clone()],
        is_merge: false,
    };
    assert_eq!(brought(&one, &three).await, Some(along));
    let merged = Brought {
        commits: vec![two.clone(), s1, s2, merge.clone()],
        is_merge: true,
    };
    assert_eq!(brought(&two, &merge).await, Some(merged));
    assert_eq!(brought(&one, &two).await, None);
    assert_eq!(brought("HEAD", &two).await, None);
}
