#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::*;
use crate::botmaster::Answer;
use crate::clock::Clock;
use crate::config::parse;
use crate::control::{Newsroom, Question, UserAct};
use crate::model::{Attribute, AttributeKind, Door, PasswordHash, Zone};
use crate::store::Store;
use crate::store::read::AuditFilter;

const MASTER: &str = r#"
[people.ann]
git = "Ann <ann@example.org>"
[[permissions]]
who = ["ann"]
may = ["pause-slave", "users"]
"#;

/// A master with [`MASTER`] whose core does all that it is asked, and puts it into the audit log.
struct World {
    _dir: tempfile::TempDir,
    control: Control,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(dir.path()).unwrap();
        let writer = store.start(Box::new(|_| ())).unwrap();
        let (config, _) = parse(MASTER, "master.toml", &Ok(Zone::UTC)).unwrap();
        let (ask, mut questions) = mpsc::channel(8);
        let core = writer.clone();
        tokio::spawn(async move {
            while let Some(question) = questions.recv().await {
                let Question::Act(_, audit, answer) = question else {
                    panic!("{question:?}");
                };
                core.write_and_wait(vec![Op::Audited(audit)]).await;
                answer.send(Ok(Answer::Done)).unwrap();
            }
        });
        let control = Control::new(
            ask,
            writer,
            Newsroom::new(),
            mpsc::channel(1).0,
            watch::channel(Arc::new(config)).1,
            Clock::system(),
        );
        Self { _dir: dir, control }
    }

    async fn act(&self, caller: &Caller, request: impl Into<Request>) -> Result<Value, String> {
        let done = self.control.act(caller, request.into()).await;
        done.map_err(|why| why.to_string())
    }

    /// The audit log, the oldest entry first.
    async fn log(&self) -> Vec<AuditRecord> {
        self.control.writer.write_and_wait(Vec::new()).await;
        let read = self
            .control
            .reader()
            .read(|state| state.audit(&AuditFilter::default(), 99));
        let rows = read.await.unwrap();
        rows.into_iter().rev().map(|row| row.record).collect()
    }
}

fn caller(name: &str) -> Caller {
    Caller::person(name, BTreeSet::new(), Door::Api, "192.0.2.1")
}

fn pause() -> Ask {
    Ask::Pause {
        slave: "bot".into(),
        by: String::new(),
        reason: "disk".to_owned(),
    }
}

fn user(act: UserAct) -> Service {
    let act = Box::new(act);
    Service::User { act }
}

#[tokio::test]
async fn may_05_acts_and_refusals_are_in_the_audit_log() {
    let world = World::new();
    world.act(&caller("ann"), pause()).await.unwrap();
    let refused = world.act(&caller("bob"), pause()).await.unwrap_err();
    assert_eq!(
        refused,
        "bob may not pause-slave (slave bot): not allowed by any permission"
    );
    let stranger = Caller::stranger(Door::Web, "192.0.2.2");
    world.act(&stranger, pause()).await.unwrap_err();
    world.act(&Caller::local("root"), pause()).await.unwrap();
    let log = world.log().await;
    let told = log.iter().map(|r| (r.who.as_str(), r.door, &r.outcome));
    let expected = [
        ("ann", Door::Api, &Outcome::Done),
        ("bob", Door::Api, &Outcome::Refused),
        ("", Door::Web, &Outcome::Refused),
        ("root", Door::Command, &Outcome::Done),
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected);
    assert_eq!(log[0].object, "slave bot");
    assert_eq!(log[0].reason, "disk");
    assert_eq!(
        log[0].ground,
        "allowed by the permission on line 4 of master.toml"
    );
    assert_eq!(log[3].ground, "allowed by owning the base directory");
}

#[tokio::test]
async fn who_06_users_are_added_changed_and_removed() {
    let world = World::new();
    let ann = caller("ann");
    let email: BTreeSet<_> = [Attribute {
        kind: AttributeKind::Email,
        value: "bob@example.org".to_owned(),
    }]
    .into();
    let add = |name: &str, attributes: &BTreeSet<Attribute>| {
        user(UserAct::Add {
            name: name.to_owned(),
            attributes: attributes.clone(),
            roles: BTreeSet::new(),
        })
    };
    world.act(&ann, add("bob", &email)).await.unwrap();
    let why = world.act(&ann, add("cid", &email)).await.unwrap_err();
    assert_eq!(why, "user bob has the email \"bob@example.org\"");
    let why = world.act(&ann, add("owner", &BTreeSet::new())).await;
    assert_eq!(why.unwrap_err(), "\"owner\" cannot be the name of a user");
    let password = |name: &str| {
        user(UserAct::Password {
            name: name.to_owned(),
            hash: Some(PasswordHash("$argon2id$".to_owned())),
        })
    };
    // Somebody whom only the configuration knows so far.
    world.act(&ann, password("ann")).await.unwrap();
    let why = world.act(&ann, password("eve")).await.unwrap_err();
    assert_eq!(why, "there is no user \"eve\"");
    let merge = user(UserAct::Merge {
        from: "bob".to_owned(),
        into: "ann".to_owned(),
    });
    world.act(&ann, merge).await.unwrap();
    let register = world.control.register().await.unwrap();
    let names: Vec<_> = register.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["ann"]);
    assert_eq!(register.get("ann").unwrap().attributes.len(), 2);
    let failures = world.log().await.into_iter();
    let failures = failures.filter(|record| matches!(record.outcome, Outcome::Failed(_)));
    assert_eq!(failures.count(), 3);
}

#[tokio::test]
async fn lgn_02_a_token_is_shown_once_and_stored_as_a_hash() {
    let world = World::new();
    let make = |days| {
        user(UserAct::AddToken {
            name: "ann".to_owned(),
            label: String::new(),
            rights: Box::default(),
            days,
        })
    };
    let root = Caller::local("root");
    let token = world.act(&root, make(None)).await.unwrap();
    let token = token.as_str().unwrap();
    assert!(token.starts_with("bmt_") && token.len() == 47, "{token}");
    let hash = crate::people::hash_of(token);
    let found = world
        .control
        .reader()
        .read(move |state| state.token_by_hash(&hash));
    let row = found.await.unwrap().unwrap();
    let days = row.token.ends_at.since(row.token.made_at).as_secs() / 86_400;
    assert_eq!((row.token.person.as_str(), days), ("ann", 90));
    let why = world.act(&root, make(Some(366))).await.unwrap_err();
    assert_eq!(why, "a token is good for 1 to 365 days");
    assert!(world.log().await.iter().all(|r| !r.what.contains("bmt_")));
}

#[tokio::test]
async fn may_02_what_changes_nothing_needs_no_permission_and_leaves_no_trace() {
    let world = World::new();
    world.act(&caller("bob"), Service::Status).await.unwrap();
    assert_eq!(world.log().await, []);
}
