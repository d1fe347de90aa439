#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use super::*;
use crate::model::journal::PersonOp;
use crate::model::{Op, Outcome, PasswordHash, Pruned, TokenRights};
use crate::store::apply::tests::apply_all;

fn attribute(kind: AttributeKind, value: &str) -> Attribute {
    let value = value.to_owned();
    Attribute { kind, value }
}

fn person(name: &str, attributes: &[(AttributeKind, &str)]) -> Person {
    let attributes = attributes.iter();
    Person {
        name: name.to_owned(),
        attributes: attributes.map(|(kind, v)| attribute(*kind, v)).collect(),
        roles: ["dev".to_owned()].into(),
    }
}

fn saved(person: &Person) -> Op {
    of(PersonOp::Saved {
        person: person.clone(),
        at: Timestamp(1),
    })
}

fn of(op: PersonOp) -> Op {
    Op::Person(Box::new(op))
}

fn session(hash: &str, person: &str) -> Op {
    of(PersonOp::SessionBegun(SessionRecord {
        hash: hash.to_owned(),
        person: person.to_owned(),
        roles: ["sso".to_owned()].into(),
        address: "192.0.2.1".to_owned(),
        begun_at: Timestamp(10),
        ends_at: Timestamp(100),
    }))
}

fn password(person: &str, hash: Option<&str>) -> Op {
    of(PersonOp::PasswordSet {
        person: person.to_owned(),
        hash: hash.map(|hash| PasswordHash(hash.to_owned())),
        at: Timestamp(20),
    })
}

fn audited(at: i64, who: &str, action: Action) -> Op {
    Op::Audited(Box::new(AuditRecord {
        at: Timestamp(at),
        who: who.to_owned(),
        door: Door::Web,
        address: "192.0.2.1".to_owned(),
        token: Some(TokenId(7)),
        action,
        object: "builder full".to_owned(),
        what: "asked".to_owned(),
        reason: "why".to_owned(),
        outcome: Outcome::Failed("no slave".to_owned()),
        ground: "allowed".to_owned(),
    }))
}

fn state(dir: &Path, ops: &[Op]) -> State {
    apply_all(dir, ops);
    State::open_readonly(dir).unwrap()
}

#[test]
fn who_01_an_identity_belongs_to_one_person_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let ann = person(
        "ann",
        &[(AttributeKind::Email, "a@x"), (AttributeKind::Zone, "UTC")],
    );
    let bob = person(
        "bob",
        &[(AttributeKind::Email, "a@x"), (AttributeKind::Zone, "UTC")],
    );
    let state = state(dir.path(), &[saved(&ann), saved(&bob)]);
    let left = person("ann", &[(AttributeKind::Zone, "UTC")]);
    assert_eq!(state.people().unwrap(), [left, bob]);
}

#[test]
fn who_09_of_a_removed_person_nothing_remains_but_the_audit_log() {
    let dir = tempfile::tempdir().unwrap();
    let ann = person("ann", &[(AttributeKind::Irc, "ann_")]);
    let removed = of(PersonOp::Removed {
        person: "ann".to_owned(),
    });
    let state = state(
        dir.path(),
        &[
            saved(&ann),
            session("s", "ann"),
            audited(5, "ann", Action::Force),
            removed,
        ],
    );
    assert_eq!(state.people().unwrap(), []);
    assert_eq!(state.session("s").unwrap(), None);
    assert_eq!(state.audit(&AuditFilter::default(), 9).unwrap().len(), 1);
}

#[test]
fn lgn_05_another_password_ends_the_sessions_of_the_person_only() {
    let dir = tempfile::tempdir().unwrap();
    let (ann, bob) = (person("ann", &[]), person("bob", &[]));
    let state = state(
        dir.path(),
        &[
            saved(&ann),
            saved(&bob),
            session("of ann", "ann"),
            session("of bob", "bob"),
            password("ann", Some("hash")),
            // Attributes are changed without the password.
            saved(&ann),
        ],
    );
    assert_eq!(state.password_hash("ann").unwrap().as_deref(), Some("hash"));
    assert_eq!(state.password_hash("bob").unwrap(), None);
    assert_eq!(state.session("of ann").unwrap(), None);
    let session = state.session("of bob").unwrap().unwrap();
    assert_eq!(session.used_at, Timestamp(10));
    assert!(session.session.roles.contains("sso"));
}

#[test]
fn lgn_02_a_token_is_found_by_its_hash_with_its_last_use() {
    let dir = tempfile::tempdir().unwrap();
    let token = TokenRecord {
        id: TokenId(1),
        hash: "h".to_owned(),
        person: "ann".to_owned(),
        label: "nightly".to_owned(),
        rights: TokenRights {
            may: [Action::Force].into_iter().collect(),
            ..TokenRights::default()
        },
        made_at: Timestamp(1),
        ends_at: Timestamp(9),
    };
    let (id, at) = (TokenId(1), Timestamp(5));
    let state = state(
        dir.path(),
        &[
            of(PersonOp::TokenMade(Box::new(token.clone()))),
            of(PersonOp::TokenUsed { token: id, at }),
            of(PersonOp::TokenEnded { token: id, at }),
        ],
    );
    let row = state.token_by_hash("h").unwrap().unwrap();
    assert_eq!(row.token, token);
    assert_eq!((row.used_at, row.ended_at), (Some(at), Some(at)));
    assert_eq!(state.next_token().unwrap(), TokenId(2));
    assert_eq!(state.tokens(Some("bob")).unwrap(), []);
}

#[test]
fn may_05_the_audit_log_is_read_from_its_end_and_pruned_by_age() {
    let dir = tempfile::tempdir().unwrap();
    let ops = [
        audited(1, "ann", Action::Force),
        audited(2, "bob", Action::Stop),
        audited(3, "ann", Action::Stop),
    ];
    let log = state(dir.path(), &ops);
    let numbers = |log: &State, filter: &AuditFilter, limit| -> Vec<u64> {
        let rows = log.audit(filter, limit).unwrap();
        rows.into_iter().map(|row| row.number).collect()
    };
    let all = AuditFilter::default();
    assert_eq!(numbers(&log, &all, 2), [3, 2]);
    let Op::Audited(newest) = &ops[2] else {
        panic!("it is an entry");
    };
    assert_eq!(log.audit(&all, 1).unwrap()[0].record, **newest);
    let of_ann = AuditFilter {
        who: Some("ann".to_owned()),
        ..AuditFilter::default()
    };
    assert_eq!(numbers(&log, &of_ann, 9), [3, 1]);
    let stops = AuditFilter {
        action: Some(Action::Stop),
        since: Some(Timestamp(3)),
        ..AuditFilter::default()
    };
    assert_eq!(numbers(&log, &stops, 9), [3]);
    let before = AuditFilter {
        before: Some(3),
        ..AuditFilter::default()
    };
    assert_eq!(numbers(&log, &before, 9), [2, 1]);

    assert!(log.has_old_audit(Timestamp(2)).unwrap());
    let pruned = Op::Pruned(Pruned::Audit(Timestamp(2)));
    let log = state(dir.path(), &[pruned]);
    assert_eq!(numbers(&log, &all, 9), [3, 2]);
    assert!(!log.has_old_audit(Timestamp(2)).unwrap());
}

#[test]
fn who_05_the_people_of_the_command_are_replaced_by_its_next_answer() {
    let dir = tempfile::tempdir().unwrap();
    let (ann, mut bob) = (person("ann", &[]), person("bob", &[]));
    bob.roles = ["release".to_owned()].into();
    let listed = |people: &[&Person]| {
        of(PersonOp::Listed {
            people: people.iter().map(|&person| person.clone()).collect(),
        })
    };
    let saved_bob = saved(&person("bob", &[]));
    let state = state(dir.path(), &[listed(&[&ann]), listed(&[&bob]), saved_bob]);
    assert_eq!(state.listed_people().unwrap(), [bob]);
    assert_eq!(state.roles("ann").unwrap(), None);
    let both = ["dev".to_owned(), "release".to_owned()].into();
    assert_eq!(state.roles("bob").unwrap(), Some(both));
}

#[test]
fn esc_10_a_duty_by_hand_replaces_that_of_its_rota() {
    let dir = tempfile::tempdir().unwrap();
    let duty = |person: &str| Duty {
        rota: "sheriff".to_owned(),
        person: person.to_owned(),
        until: Timestamp(9),
    };
    let taken = |person: &str| of(PersonOp::DutyTaken(duty(person)));
    let state = state(dir.path(), &[taken("ann"), taken("bob")]);
    assert_eq!(state.duties().unwrap(), [duty("bob")]);
}

#[test]
fn who_08_a_file_of_owners_is_kept_until_it_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let read = |repository: &str, text: &str| {
        let (repository, text) = (repository.to_owned(), text.to_owned());
        of(PersonOp::OwnersRead { repository, text })
    };
    let ops = [
        read("one", "* @ann"),
        read("one", "* @bob"),
        read("two", "* @cid"),
        read("two", ""),
        read("two", ""),
    ];
    let state = state(dir.path(), &ops);
    assert_eq!(state.owners_file("one").unwrap().as_deref(), Some("* @bob"));
    assert_eq!(state.owners_file("two").unwrap(), None);
}
