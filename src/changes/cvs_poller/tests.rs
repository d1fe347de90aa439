//! Polls of real repositories.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::changes::polling::testing::Shell;

#[tokio::test]
async fn pol_12_commits_of_a_module_are_found_once() {
    let Some(shell) = Shell::with(&["cvs"]) else {
        return;
    };
    shell.run("cvs -f -d $PWD/repo init; mkdir repo/project; cvs -f -Q -d $PWD/repo checkout -d work project");
    let config = CvsPollerConfig {
        cvsroot: shell.dir().join("repo").to_str().unwrap().to_owned(),
        cvsmodule: "project".to_owned(),
        cvs: "cvs".to_owned(),
        ..CvsPollerConfig::default()
    };
    let now = Clock::system().wall().0 / 1_000_000;
    let poller = || CvsPoller::new(config.clone(), Clock::system(), CancellationToken::new());
    // The commits are dated some minutes ago, so that they have ended.
    let stored = Cursor {
        seen: now - 1000,
        last: BTreeSet::new(),
    };
    let mut cursor = serde_json::to_string(&stored).unwrap();
    let poll = async |cursor: &mut String| {
        let (mut new, mut changes) = (poller(), Vec::new());
        while let Some(batch) = new.next(Some(cursor)).await.unwrap() {
            changes.extend(batch.changes.into_iter().map(|c| {
                let branch = c.branch.as_deref().unwrap_or("-");
                format!("{branch} {} {}", c.files.join(","), c.comments)
            }));
            *cursor = batch.cursor;
        }
        changes
    };
    let date = |ago: i64| {
        let time = DateTime::<Utc>::from_timestamp(now - ago, 0).unwrap();
        time.format("%Y.%m.%d.%H.%M.%S").to_string()
    };
    let redate = |file: &str, ago: i64| {
        format!(
            "chmod u+w ../repo/project/{file},v; sed -i \"0,/^date/s/^date\\t[0-9.]*/date\\t{}/\" \
             ../repo/project/{file},v; ",
            date(ago)
        )
    };
    shell.run(&format!(
        "cd work; mkdir d; cvs -f -Q add d; echo 1 >a; echo 2 >d/x; cvs -f -Q add a d/x; \
         cvs -f -Q commit -m 'one & two'; {}{}",
        redate("a", 500),
        redate("d/x", 499)
    ));
    assert_eq!(poll(&mut cursor).await, ["- a,d/x one & two"]);
    assert!(poll(&mut cursor).await.is_empty());
    // The branch is dated between the others; its first revision is in the overlap.
    shell.run(&format!(
        "cd work; cvs -f -Q tag -b side; echo 3 >>a; cvs -f -Q commit -m three; {}",
        redate("a", 450)
    ));
    assert_eq!(poll(&mut cursor).await, ["- a three"]);
    assert!(poll(&mut cursor).await.is_empty());
}
