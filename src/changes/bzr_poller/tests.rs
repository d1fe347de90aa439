//! Polls of real branches.

#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::Value;

use super::*;
use crate::changes::polling::testing::Shell;

#[tokio::test]
async fn pol_12_revisions_of_the_mainline_come_by_number_and_are_checked_by_id() {
    let Some(shell) = Shell::with(&["bzr"]) else {
        return;
    };
    let c = "cd t; c() { echo $1 >$1; bzr add -q; bzr commit -qm $1; }; ";
    shell.run(&format!("bzr init -q t; {c} c one"));
    let config = BzrPollerConfig {
        repourl: shell.dir().join("t").to_str().unwrap().to_owned(),
        branch: Some("trunk".to_owned()),
        bzr: "bzr".to_owned(),
        ..BzrPollerConfig::default()
    };
    let poller = || BzrPoller::new(config.clone(), CancellationToken::new());
    let mut cursor = None;
    let poll = async |cursor: &mut Option<String>| {
        let (mut new, mut changes) = (poller(), Vec::new());
        while let Some(batch) = new.next(cursor.as_deref()).await.unwrap() {
            changes.extend(batch.changes.into_iter().map(|c| {
                let forced = c.properties.get("forced") == Some(&Value::Bool(true));
                let (revision, branch) = (c.revision.unwrap(), c.branch.unwrap());
                format!(
                    "{revision} {branch} {} {} {forced}",
                    c.files.join(","),
                    c.comments
                )
            }));
            *cursor = Some(batch.cursor);
        }
        changes
    };
    assert!(poll(&mut cursor).await.is_empty());
    shell.run(&format!(
        "{c} bzr branch -q . ../s; c two; cd ../s; c side; cd ../t; bzr merge -q ../s; c merge"
    ));
    assert_eq!(
        poll(&mut cursor).await,
        ["2 trunk two two false", "3 trunk merge,side merge false"]
    );
    assert!(poll(&mut cursor).await.is_empty());
    shell.run(&format!(
        "{c} bzr uncommit -q --force; bzr revert -q; rm -f merge; c other"
    ));
    assert_eq!(poll(&mut cursor).await, ["3 trunk other other true"]);
    assert!(poll(&mut cursor).await.is_empty());
}
