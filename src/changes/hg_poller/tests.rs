//! Polls of real repositories.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::changes::polling::testing::Shell;
use crate::config::BranchRules;

async fn poll(poller: &mut HgPoller, cursor: &mut Option<String>) -> Vec<String> {
    let mut changes = Vec::new();
    while let Some(batch) = poller.next(cursor.as_deref()).await.unwrap() {
        changes.extend(batch.changes.iter().map(|change| {
            let branch = change.branch.as_deref().unwrap();
            format!("{branch} {} {}", change.comments, change.files.join(","))
        }));
        *cursor = Some(batch.cursor);
    }
    changes
}

fn poller(shell: &Shell, branches: &[&str]) -> HgPoller {
    let config = HgPollerConfig {
        repourl: shell.dir().join("repo").to_str().unwrap().to_owned(),
        branches: BranchRules::from_globs(branches).unwrap(),
        hg: "hg".to_owned(),
        ..HgPollerConfig::default()
    };
    HgPoller::new(
        config,
        &shell.dir().join("mirrors"),
        CancellationToken::new(),
    )
    .unwrap()
}

const C: &str = "cd repo; c() { echo $1 >$1; hg commit -qA -u me -m $1; }; ";

#[tokio::test]
async fn pol_12_every_head_of_a_branch_is_followed() {
    let Some(shell) = Shell::with(&["hg"]) else {
        return;
    };
    shell.run("hg init repo");
    shell.run(&format!("{C} c one"));
    let (mut new, mut cursor) = (poller(&shell, &[]), None);
    assert!(poll(&mut new, &mut cursor).await.is_empty());
    shell.run(&format!(
        "{C} c two; hg update -q 0; c head2; hg branch -q side; c s1"
    ));
    // The master was down meanwhile, and its mirror is gone.
    std::fs::remove_dir_all(shell.dir().join("mirrors")).unwrap();
    let mut new = poller(&shell, &[]);
    assert_eq!(
        poll(&mut new, &mut cursor).await,
        ["default two two", "default head2 head2", "side s1 s1"]
    );
    shell.run(&format!(
        "{C} hg update -q 1; c three; hg update -q 2; c four; hg merge -q 4; c merge"
    ));
    assert_eq!(
        poll(&mut new, &mut cursor).await,
        [
            "default three three",
            "default four four",
            "default merge merge"
        ]
    );
    assert!(poll(&mut new, &mut cursor).await.is_empty());
}

#[tokio::test]
async fn pol_12_only_the_branches_that_are_followed_give_changes() {
    let Some(shell) = Shell::with(&["hg"]) else {
        return;
    };
    shell.run("hg init repo");
    let (mut new, mut cursor) = (poller(&shell, &["side"]), None);
    assert!(poll(&mut new, &mut cursor).await.is_empty());
    shell.run(&format!(
        "{C} c one; hg branch -q side; c s1; hg update -q default; c two"
    ));
    assert_eq!(poll(&mut new, &mut cursor).await, ["side s1 s1"]);
}

#[tokio::test]
async fn pol_12_bookmarks_are_branches_of_their_own() {
    let Some(shell) = Shell::with(&["hg"]) else {
        return;
    };
    let c = "c() { echo $1 >>f; hg commit -qA -u me -m $1; }";
    shell.run(&format!(
        "hg init repo; cd repo; {c}; c one; hg bookmark -i main"
    ));
    let config = HgPollerConfig {
        repourl: shell.dir().join("repo").to_str().unwrap().to_owned(),
        hg: "hg".to_owned(),
        has_branches: false,
        bookmarks: Some(BranchRules::from_globs(&["main", "f*"]).unwrap()),
        ..HgPollerConfig::default()
    };
    let poller = || {
        let mirrors = shell.dir().join("mirrors");
        HgPoller::new(config.clone(), &mirrors, CancellationToken::new()).unwrap()
    };
    let mut cursor = None;
    let mut poll = async || {
        let (mut new, mut changes) = (poller(), Vec::new());
        while let Some(batch) = new.next(cursor.as_deref()).await.unwrap() {
            changes.extend(batch.changes.iter().map(|c| {
                let branch = c.branch.as_deref().unwrap();
                format!("{branch} {}", c.comments)
            }));
            cursor = Some(batch.cursor);
        }
        changes
    };
    assert!(poll().await.is_empty());
    // Two commits on a bookmark, a new one at its tip, and one that is not followed.
    shell.run(&format!(
        "cd repo; {c}; c two; c three; hg bookmark -f -r . main; hg bookmark -i feature; hg bookmark -i other"
    ));
    assert_eq!(poll().await, ["feature three", "main two", "main three"]);
    assert!(poll().await.is_empty());
    // Moved back: nothing. Moved on to known commits: they are news of the bookmark.
    shell.run("cd repo; hg bookmark -q -f -r 0 feature; hg bookmark -q -d other");
    assert!(poll().await.is_empty());
    shell.run(&format!(
        "cd repo; {c}; hg bookmark -q -f -r 1 feature; c four; hg bookmark -q -f -r . main"
    ));
    assert_eq!(poll().await, ["feature two", "main four"]);
}
