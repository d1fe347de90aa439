#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

const CREATED: &str = r#"{"type": "patchset-created", "eventCreatedOn": 1234567890,
    "change": {"project": "tools/gerrit", "branch": "main", "id": "I0f", "number": 123,
        "subject": "Speed it up", "url": "http://review/123",
        "owner": {"name": "Eve", "email": "eve@example.org", "username": "eve"}},
    "patchSet": {"number": 2, "revision": "6dcb09b5b57875f334f61aebed695e2e4193db5e",
        "ref": "refs/changes/23/123/2", "createdOn": 1234567880},
    "uploader": {"username": "eve"}}"#;

const UPDATED: &str = r#"{"type": "ref-updated", "eventCreatedOn": 1234567891,
    "submitter": {"username": "ann"},
    "refUpdate": {"oldRev": "a", "newRev": "7dcb09b5b57875f334f61aebed695e2e4193db5e",
        "refName": "refs/heads/main", "project": "tools/gerrit"}}"#;

fn reading(handled: &[&str]) -> GerritReading {
    GerritReading {
        base: "ssh://bot@review:29418".to_owned(),
        handled: handled.iter().map(|kind| (*kind).to_owned()).collect(),
    }
}

fn read(event: &str) -> NewChange {
    let event = read_event(event.as_bytes(), &reading(&USUAL_EVENTS));
    *event.change.unwrap()
}

fn refused(event: &str, handled: &[&str]) -> String {
    read_event(event.as_bytes(), &reading(handled))
        .change
        .unwrap_err()
}

#[test]
fn pol_14_a_patch_set_is_a_change_on_a_branch_of_its_own() {
    let change = read(CREATED);
    assert_eq!(change.who, "Eve <eve@example.org>");
    assert_eq!(change.branch.as_deref(), Some("main/123"));
    assert_eq!(
        change.revision.as_deref(),
        Some("6dcb09b5b57875f334f61aebed695e2e4193db5e")
    );
    assert_eq!(change.category.as_deref(), Some("patchset-created"));
    assert_eq!(change.comments, "Speed it up");
    assert_eq!(change.revlink, "http://review/123");
    assert_eq!(change.project, "tools/gerrit");
    assert_eq!(change.repository, "ssh://bot@review:29418/tools/gerrit");
    assert_eq!(change.made_at, Some(Timestamp::from_secs(1_234_567_890)));
    assert_eq!((change.files.len(), change.files_left_out), (0, 1));
    let property = |name| change.properties.get(name).unwrap();
    assert_eq!(property("event.type"), "patchset-created");
    assert_eq!(property("event.patchSet.ref"), "refs/changes/23/123/2");
    assert_eq!(property("event.change.number"), &123);
    assert_eq!(property("event.change.owner.username"), "eve");
}

#[test]
fn pol_14_an_update_of_a_branch_is_a_change_of_the_branch() {
    let change = read(UPDATED);
    assert_eq!(change.who, "ann");
    assert_eq!(change.branch.as_deref(), Some("main"));
    assert_eq!(change.category.as_deref(), Some("ref-updated"));
    assert_eq!(change.comments, "Gerrit: patchset(s) merged.");
    assert_eq!(change.project, "tools/gerrit");
    let anonymous = UPDATED.replace("submitter", "nobody");
    assert_eq!(read(&anonymous).who, "gerrit");
    // Old servers leave the beginning out.
    let short = UPDATED.replace("refs/heads/main", "main");
    assert_eq!(read(&short).branch.as_deref(), Some("main"));
}

#[test]
fn pol_14_events_that_are_not_changes_are_refused_with_the_reason() {
    let usual = &USUAL_EVENTS[..];
    let merged = CREATED.replace("patchset-created", "change-merged");
    assert_eq!(
        refused(&merged, usual),
        "events of the type change-merged are not asked for"
    );
    let event = read_event(merged.as_bytes(), &reading(&["change-merged"]));
    assert_eq!(event.change.unwrap().branch.as_deref(), Some("main"));
    let patch_set = UPDATED.replace("refs/heads/main", "refs/changes/23/123/2");
    assert!(refused(&patch_set, usual).ends_with("is told as a patch set"));
    let deleted = UPDATED.replace("7dcb09b5b57875f334f61aebed695e2e4193db5e", &"0".repeat(40));
    assert!(refused(&deleted, usual).ends_with("was deleted"));
    assert!(refused("{}", usual).contains("no type"));
    assert!(refused("not json", usual).contains("not JSON"));
    let other = r#"{"type": "project-created"}"#;
    assert!(refused(other, &["project-created"]).contains("no patch set"));
}

#[test]
fn pol_14_what_was_missed_is_read_from_a_query() {
    let words = query(1_234_567_890, 200);
    assert_eq!(
        words,
        [
            "gerrit query --format=JSON --current-patch-set --files --start 200 \
          \"after:{2009-02-13 23:31:30 +0000}\" limit:200"
        ]
    );
    let row = |number: u64, at: i64| {
        format!(
            r#"{{"project": "p", "branch": "main", "number": {number}, "subject": "s", "url": "u",
            "owner": {{"username": "eve"}}, "lastUpdated": 2000, "currentPatchSet": {{"number": 1,
            "revision": "6dcb09b5b57875f334f61aebed695e2e4193db5e", "ref": "refs/changes/1/1/1",
            "createdOn": {at}, "files": [{{"file": "/COMMIT_MSG"}}, {{"file": "a b.c",
            "fileOld": "old.c"}}]}}}}"#
        )
        .replace('\n', " ")
    };
    let stats = r#"{"type": "stats", "rowCount": 3, "moreChanges": true}"#;
    // The last one was only commented.
    let printed = format!(
        "{}\n{}\n{}\n{stats}\n",
        row(2, 1900),
        row(1, 1800),
        row(3, 100)
    );
    let answer = read_answer(printed.as_bytes(), 1000, &reading(&USUAL_EVENTS)).unwrap();
    assert!(answer.has_more && answer.rows == 3);
    let branches: Vec<_> = answer
        .events
        .iter()
        .map(|event| event.change.as_ref().unwrap().branch.clone().unwrap())
        .collect();
    assert_eq!(branches, ["main/1", "main/2"]);
    let change = answer.events[0].change.as_ref().unwrap();
    let property = change.properties.get("event.patchSet.ref");
    assert_eq!(property.unwrap(), "refs/changes/1/1/1");
    assert!(change.properties.get("event.patchSet.files").is_none());
    assert_eq!(change.files, ["old.c", "a b.c"]);
    assert_eq!(change.files_left_out, 0);
    let revision = "6dcb09b5b57875f334f61aebed695e2e4193db5e";
    let files = read_files(row(1, 1800).as_bytes(), revision).unwrap();
    assert_eq!(files, ["old.c", "a b.c"]);
    assert_eq!(read_files(row(1, 1800).as_bytes(), "other"), None);
    let error = br#"{"type": "error", "message": "no such operator"}"#;
    let error = read_answer(error, 0, &reading(&USUAL_EVENTS)).unwrap_err();
    assert_eq!(error, "gerrit query: no such operator");
}

#[test]
fn pol_14_the_log_of_events_is_asked_for_what_was_missed() {
    assert_eq!(
        events_log("https://review", 1_234_567_890),
        "https://review/a/plugins/events-log/events/?t1=2009-02-13%2023:31:30"
    );
}
