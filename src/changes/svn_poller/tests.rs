//! Polls of real repositories.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::changes::polling::testing::Shell;
use crate::config::Layout;

async fn poll(poller: &mut SvnPoller, cursor: &mut Option<String>) -> (Vec<String>, Vec<String>) {
    let (mut changes, mut notes) = (Vec::new(), Vec::new());
    while let Some(batch) = poller.next(cursor.as_deref()).await.unwrap() {
        changes.extend(batch.changes.iter().map(|change| {
            let branch = change.branch.as_deref().unwrap_or("-");
            let revision = change.revision.as_deref().unwrap();
            format!(
                "{revision} {branch} {} {}",
                change.files.join(","),
                change.comments
            )
        }));
        notes.extend(batch.notes);
        *cursor = Some(batch.cursor);
    }
    (changes, notes)
}

fn config(shell: &Shell, below: &str) -> SvnPollerConfig {
    SvnPollerConfig {
        repourl: format!("file://{}/repo{below}", shell.dir().display()),
        split_file: Layout::Branches,
        svn: "svn".to_owned(),
        ..SvnPollerConfig::default()
    }
}

const SETUP: &str = "svnadmin create repo; U=file://$PWD/repo; svn -q mkdir -m 0 $U/trunk $U/branches; \
    svn -q checkout $U/trunk work";

#[tokio::test]
async fn pol_11_revisions_come_by_number_split_by_branches() {
    let Some(shell) = Shell::with(&["svn", "svnadmin"]) else {
        return;
    };
    shell.run(SETUP);
    let new = || SvnPoller::new(config(&shell, ""), shell.dir(), CancellationToken::new()).unwrap();
    let (mut poller, mut cursor) = (new(), None);
    assert_eq!(poll(&mut poller, &mut cursor).await, Default::default());
    shell.run(
        "U=file://$PWD/repo; cd work; echo a >'a b'; svn -q add 'a b'; \
         svn -q commit -m 'one & <two>'; svn -q copy -m branch $U/trunk $U/branches/x; \
         svn -q update; svn -q checkout $U ../all; cd ../all; echo b >trunk/b; echo b >branches/x/b; \
         svn -q add trunk/b branches/x/b; svn -q commit -m both; svn -q rm -m gone $U/branches/x",
    );
    // The master was down meanwhile.
    let mut poller = new();
    let (changes, notes) = poll(&mut poller, &mut cursor).await;
    assert_eq!(
        changes,
        [
            "2 - a b one & <two>",
            "3 branches/x  branch",
            "4 - b both",
            "4 branches/x b both"
        ]
    );
    assert_eq!(notes, ["branches/x is gone since revision 5"]);
    assert_eq!(poll(&mut poller, &mut cursor).await, Default::default());
}

#[tokio::test]
async fn pol_11_nothing_falls_out_however_long_the_master_was_away() {
    let Some(shell) = Shell::with(&["svn", "svnadmin"]) else {
        return;
    };
    shell.run(SETUP);
    let mut settings = config(&shell, "/trunk");
    settings.split_file = Layout::Trunk;
    let mut poller = SvnPoller::new(settings, shell.dir(), CancellationToken::new()).unwrap();
    let mut cursor = None;
    poll(&mut poller, &mut cursor).await;
    // Three windows, made as a dump, which is faster than commits.
    let mut dump = "SVN-fs-dump-format-version: 2\n\n".to_owned();
    for number in 2..=260 {
        let log = format!("n{number}");
        let props = format!("K 7\nsvn:log\nV {}\n{log}\nPROPS-END\n", log.len());
        let length = props.len();
        dump.push_str(&format!(
            "Revision-number: {number}\nProp-content-length: {length}\nContent-length: {length}\n\n{props}\n\
             Node-path: trunk/f{number}\nNode-kind: file\nNode-action: add\nProp-content-length: 10\n\
             Text-content-length: 1\nContent-length: 11\n\nPROPS-END\nx\n\n"
        ));
    }
    std::fs::write(shell.dir().join("dump"), dump).unwrap();
    shell.run("svnadmin load -q repo <dump");
    let (changes, _) = poll(&mut poller, &mut cursor).await;
    let expected: Vec<_> = (2..=260).map(|n| format!("{n} - f{n} n{n}")).collect();
    assert_eq!(changes, expected);
}
