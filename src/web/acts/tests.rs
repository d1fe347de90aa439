#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

use super::{ACTS, Act};
use crate::botmaster::Ask;
use crate::model::{Action, AuditRecord, Outcome, RequestId};
use crate::web::api::{self, acts::ACTS as API_ACTS};
use crate::web::table::PAGES;
use crate::web::testing::{Answer, Farm, PEOPLE, Visitor};

/// A farm on which each act has something to do: build 3 of linux runs, request 5 waits.
fn farm() -> Farm {
    Farm::broken_with(PEOPLE)
}

/// The address of an act on that farm.
fn address(act: &Act) -> String {
    let number = match act.action == Action::Rebuild {
        true => "2",
        false => "3",
    };
    act.path
        .replace(
            "{builder}",
            if act.path.ends_with("/cancelbuild") {
                "a%2Fb%20c"
            } else {
                "linux"
            },
        )
        .replace("{build}", number)
        .replace("{slave}", "oak")
        .replace("{set}", "5")
        .replace("{request}", "5")
        .replace("{problem}", "1")
        .replace("{search}", "1")
        .replace("{test}", "net.test_x")
}

const FIELDS: [(&str, &str); 5] = [
    ("change", "all"),
    ("id", "all"),
    ("selected", "linux"),
    ("selected", "a/b c"),
    ("comments", "a reason"),
];

/// The newest entry of the audit log, which must be about this act.
async fn newest(visitor: &Visitor, act: &Act) -> AuditRecord {
    let log = visitor.audit().await;
    let newest = log.last().cloned().unwrap();
    assert_eq!(newest.action, act.action, "{}: {newest:?}", act.path);
    newest
}

#[test]
fn each_address_is_there_once_and_leads_to_a_page() {
    let mut paths = BTreeSet::new();
    let pages: BTreeSet<_> = PAGES.iter().map(|page| page.path).collect();
    for act in ACTS {
        assert!(paths.insert(act.path), "{} twice", act.path);
        assert!(
            pages.contains(act.back),
            "{}: no page {}",
            act.path,
            act.back
        );
        assert!(!pages.contains(act.path), "{} is a page", act.path);
    }
}

#[test]
fn may_05_every_address_of_the_router_that_takes_something_is_an_act() {
    farm().visit(async |visitor| {
        let acts = ACTS.iter().map(|act| act.path);
        let acts = acts.chain(API_ACTS.iter().map(|act| act.path));
        // What concerns the one who sends it; these have tests of their own.
        let own = [
            "/login",
            "/logout",
            "/one-click/{link}",
            "/users/{user}/settings",
        ];
        let acts: BTreeSet<_> = acts.chain(own).map(ToOwned::to_owned).collect();
        assert!(acts.len() > 30, "{acts:?}");
        assert_eq!(visitor.posted_to(), acts);
    });
}

#[test]
fn may_05_no_form_does_anything_without_a_login() {
    farm().visit(async |visitor| {
        visitor.get("/login").await;
        for (number, act) in (1..).zip(ACTS) {
            // A stranger at one address is refused silently after a while.
            visitor.peer = Some([192, 0, 2, number].into());
            let answer = visitor.post(&address(act), &FIELDS).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", act.path);
            assert!(answer.text.contains(r#"action="/login""#), "{}", act.path);
            let record = newest(visitor, act).await;
            assert_eq!(
                (record.who.as_str(), record.outcome),
                ("", Outcome::Refused)
            );
        }
        assert_eq!(visitor.asked(), []);
    });
}

#[test]
fn may_05_no_form_does_anything_without_the_permission() {
    farm().visit(async |visitor| {
        visitor.log_in("bob", "b").await;
        for act in ACTS.iter().filter(|act| act.action != Action::View) {
            let answer = visitor.post(&address(act), &FIELDS).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", act.path);
            assert!(answer.text.contains("<h1>You may not "), "{}", answer.text);
            assert!(
                answer.text.contains("in the role guests"),
                "{}",
                answer.text
            );
            assert!(
                answer.text.contains("is given to admins."),
                "{}",
                answer.text
            );
            assert!(
                answer
                    .text
                    .contains(r#"href="/users/ann">ann</a> may do it."#)
            );
            let record = newest(visitor, act).await;
            assert_eq!(
                (record.who.as_str(), record.outcome),
                ("bob", Outcome::Refused)
            );
        }
        assert_eq!(visitor.asked(), []);
    });
}

#[test]
fn lgn_05_no_form_does_anything_without_its_mark_or_from_elsewhere() {
    farm().visit(async |visitor| {
        visitor.log_in("ann", "a").await;
        let mark = visitor.csrf.clone();
        let marked = [&[("csrf", mark.as_str())], &FIELDS[..]].concat();
        for act in ACTS {
            for (header, fields) in [
                (("sec-fetch-site", "same-origin"), &FIELDS[..]),
                (("sec-fetch-site", "cross-site"), &marked[..]),
                (("origin", "https://evil.example"), &marked[..]),
                (("x", "y"), &marked[..]),
            ] {
                let answer = visitor.post_raw(&address(act), &[header], fields).await;
                assert_eq!(
                    answer.status,
                    StatusCode::FORBIDDEN,
                    "{} {header:?}",
                    act.path
                );
                assert!(
                    answer.text.contains("Nothing was changed"),
                    "{}",
                    answer.text
                );
                let record = newest(visitor, act).await;
                assert_eq!(
                    (record.who.as_str(), record.outcome),
                    ("ann", Outcome::Refused)
                );
            }
        }
        assert_eq!(visitor.asked(), []);
    });
}

/// Whether everybody who has logged in may do it.
fn is_own(act: &api::acts::Act) -> bool {
    matches!(act.how, api::acts::How::Remark(kind) if kind.is_own())
}

/// Sends an act of the API with these headers, as JSON.
async fn send(visitor: &mut Visitor, path: &str, headers: &[(&str, &str)], mark: &str) -> Answer {
    let path = path.replace("{builder}", "linux").replace("{build}", "3");
    let path = path.replace("{slave}", "oak").replace("{request}", "5");
    let path = path.replace("{problem}", "1").replace("{search}", "1");
    let mut body = match path.as_str() {
        "/api/v1/changes" => json!({ "who": "eve", "files": [], "comments": "x" }),
        _ => json!({}),
    };
    if !mark.is_empty() {
        body["csrf"] = json!(mark);
    }
    let headers = [&[("content-type", "application/json")], headers].concat();
    let request = Request::post(path);
    visitor
        .send(request, &headers, body.to_string().into())
        .await
}

#[test]
fn may_05_no_act_of_the_api_does_anything_without_a_login_or_the_permission() {
    farm().visit(async |visitor| {
        for (number, act) in (1..).zip(API_ACTS) {
            visitor.peer = Some([192, 0, 2, number].into());
            let answer = send(visitor, act.path, &[], "").await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", act.path);
            let log = visitor.audit().await;
            assert_eq!(log.last().unwrap().outcome, Outcome::Refused);
        }
        visitor.peer = None;
        visitor.log_in("bob", "b").await;
        let mark = visitor.csrf.clone();
        for act in API_ACTS.iter().filter(|act| !is_own(act)) {
            let here = [("sec-fetch-site", "same-origin")];
            let answer = send(visitor, act.path, &here, &mark).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", act.path);
            assert!(answer.text.contains("bob may not "), "{}", answer.text);
            let log = visitor.audit().await;
            let newest = log.last().unwrap();
            let expected = ("bob", Outcome::Refused);
            assert_eq!((newest.who.as_str(), newest.outcome.clone()), expected);
        }
        assert_eq!(visitor.asked(), []);
    });
}

#[test]
fn lgn_05_no_act_of_the_api_does_anything_without_a_mark_or_from_elsewhere() {
    farm().visit(async |visitor| {
        visitor.log_in("ann", "a").await;
        let mark = visitor.csrf.clone();
        for act in API_ACTS {
            for (header, mark) in [
                (("sec-fetch-site", "same-origin"), ""),
                (("sec-fetch-site", "cross-site"), mark.as_str()),
                (("origin", "https://evil.example"), &mark),
                (("x", "y"), &mark),
            ] {
                let answer = send(visitor, act.path, &[header], mark).await;
                assert_eq!(
                    answer.status,
                    StatusCode::FORBIDDEN,
                    "{} {header:?}",
                    act.path
                );
                let sentence = "The request was not sent by a page of this master.";
                assert!(answer.text.contains(sentence), "{}", answer.text);
            }
        }
        assert_eq!(visitor.asked(), []);
    });
}

#[test]
fn a_form_that_is_sent_twice_is_done_once() {
    farm().visit(async |visitor| {
        visitor.log_in("ann", "a").await;
        // The reconfiguration has nobody who does it on this farm. Of problems, searches and tests
        // the core knows nothing.
        let is_of_core = |act: &&&Act| {
            let others = ["/reconfigure", "/problems/", "/searches/", "/tests/"];
            !others.iter().any(|other| act.path.contains(other))
        };
        for (number, act) in ACTS.iter().filter(is_of_core).enumerate() {
            let number = number.to_string();
            let fields = [&[("once", number.as_str())], &FIELDS[..]].concat();
            let before = visitor.asked().len();
            let answer = visitor.post(&address(act), &fields).await;
            assert!(
                matches!(answer.status, StatusCode::SEE_OTHER | StatusCode::OK),
                "{}: {} {}",
                act.path,
                answer.status,
                answer.text
            );
            // A clean stop is not waited for.
            visitor.audit().await;
            tokio::task::yield_now().await;
            let after = visitor.asked().len();
            assert!(after > before, "{}", act.path);
            let answer = visitor.post(&address(act), &fields).await;
            assert_eq!(answer.status, StatusCode::CONFLICT, "{}", act.path);
            assert!(
                answer.text.contains("The form was sent twice."),
                "{}",
                answer.text
            );
            assert_eq!(visitor.asked().len(), after, "{}", act.path);
            let record = newest(visitor, act).await;
            assert_eq!(record.outcome, Outcome::Refused);
            assert_eq!(record.ground, "the form was sent already");
        }
    });
}

#[test]
fn what_is_asked_for_is_asked_of_the_core() {
    farm().visit(async |visitor| {
        visitor.log_in("ann", "a").await;
        for (address, fields, back) in [
            (
                "/builders/linux/builds/3/stop",
                &[("comments", "why")][..],
                "/builders/linux/builds/3",
            ),
            ("/queue/5/cancel", &[], "/queue/5"),
            (
                "/buildslaves/oak/pause",
                &[("reason", "disk")],
                "/buildslaves/oak",
            ),
            (
                "/buildslaves/oak/shutdown",
                &[("cancel", "1")],
                "/buildslaves/oak",
            ),
            ("/cancel_shutdown", &[("next", "/queue")], "/queue"),
        ] {
            let answer = visitor.post(address, fields).await;
            assert_eq!(
                answer.status,
                StatusCode::SEE_OTHER,
                "{address}: {}",
                answer.text
            );
            assert_eq!(answer.header("location"), back);
        }
        let expected = [
            Ask::StopBuild {
                builder: "linux".into(),
                number: crate::model::BuildNumber(3),
                reason: "why".to_owned(),
            },
            Ask::Cancel {
                request: RequestId(5),
                reason: String::new(),
            },
            Ask::Pause {
                slave: "oak".into(),
                by: "ann".to_owned(),
                reason: "disk".to_owned(),
            },
            Ask::Graceful {
                slave: "oak".into(),
                cancel: true,
            },
            Ask::CancelShutdown,
        ];
        assert_eq!(visitor.asked(), expected);
        let record = visitor.audit().await.into_iter().next_back().unwrap();
        assert_eq!(record.outcome, Outcome::Done);
        assert!(
            record
                .ground
                .starts_with("allowed by the permission on line")
        );
    });
}

#[test]
fn what_is_not_there_cannot_be_changed() {
    farm().visit(async |visitor| {
        visitor.log_in("ann", "a").await;
        for address in [
            "/builders/linus/force",
            "/builders/linux/builds/99/stop",
            "/queue/99/cancel",
            "/buildsets/99/cancel",
            "/buildslaves/oka/pause",
        ] {
            let answer = visitor.post(address, &[]).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{address}");
        }
        let answer = visitor.get("/queue/5/cancel").await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    });
}

/// The problem of this farm as the API tells it.
async fn problem(visitor: &mut Visitor) -> Value {
    let answer = visitor.get("/api/v1/problems/1").await;
    serde_json::from_str(&answer.text).unwrap()
}

#[test]
fn prb_16_prb_20_problems_are_claimed_muted_and_dismissed_by_forms() {
    farm().visit(async |visitor| {
        visitor.log_in("ann", "a").await;
        for (what, fields) in [
            ("claim", &[("hours", "48"), ("text", "on it")][..]),
            ("mute_all", &[("hours", "1")]),
            ("guilty", &[("person", "Yuki Arai")]),
            ("ticket", &[("text", "https://t.example/7")]),
            ("note", &[("text", "<b>seen</b> on oak")]),
        ] {
            let answer = visitor.post(&format!("/problems/1/{what}"), fields).await;
            assert_eq!(
                answer.status,
                StatusCode::SEE_OTHER,
                "{what}: {}",
                answer.text
            );
            assert_eq!(answer.header("location"), "/problems/1");
        }
        let told = problem(visitor).await;
        assert_eq!(told["claims"][0]["person"], "ann");
        assert_eq!(told["claims"][0]["until"], "2026-11-28T13:32:10.000Z");
        assert_eq!(told["named_guilty"][0]["person"], "Yuki Arai");
        assert_eq!(told["remarks"].as_array().unwrap().len(), 5);
        let page = visitor.get("/problems/1").await.text;
        for text in [
            "&#60;b&#62;seen&#60;/b&#62; on oak",
            "https://t.example/7",
            "muted for all",
            r#"action="/problems/1/release""#,
        ] {
            assert!(page.contains(text), "{text}: {page}");
        }
        let refused = visitor.post("/problems/1/dismiss", &[]).await;
        assert_eq!(refused.status, StatusCode::CONFLICT);
        assert!(refused.text.contains("says why"), "{}", refused.text);
        let why = [("text", "the tests are wrong")];
        visitor.post("/problems/1/dismiss", &why).await;
        assert_eq!(problem(visitor).await["state"], "dismissed");
        let list = visitor.get("/api/v1/problems").await.text;
        assert!(!list.contains("the tests are wrong"), "{list}");
        let log = visitor.audit().await;
        let newest = log.last().unwrap();
        assert_eq!(newest.what, "dismissed problem 1");
        assert_eq!(
            (newest.action, newest.reason.as_str()),
            (Action::Problem, why[0].1)
        );
    });
}

#[test]
fn prb_21_prb_22_a_person_without_a_permission_mutes_and_says_not_mine() {
    farm().visit(async |visitor| {
        visitor.log_in("bob", "b").await;
        let page = visitor.get("/problems/1").await.text;
        assert!(page.contains(r#"action="/problems/1/mute""#), "{page}");
        assert!(!page.contains(r#"action="/problems/1/claim""#), "{page}");
        for what in ["mute", "not_mine"] {
            let answer = visitor.post(&format!("/problems/1/{what}"), &[]).await;
            assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
        }
        let told = problem(visitor).await;
        assert_eq!(told["mutes"][0]["person"], "bob");
        // Bob is Ines Okafor; the change of Yuki Arai alone is left.
        assert_eq!(told["suspects"].as_array().unwrap().len(), 1);
        assert_eq!(told["sole_suspect"], "Yuki Arai");
    });
}

#[test]
fn prb_20_programs_say_of_problems_what_people_say() {
    farm().visit(async |visitor| {
        visitor.log_in("ann", "a").await;
        let mark = visitor.csrf.clone();
        let here = [
            ("sec-fetch-site", "same-origin"),
            ("content-type", "application/json"),
        ];
        let mut say = async |what: &str, fields: Value| {
            let mut body = fields;
            body["csrf"] = json!(mark);
            let request = Request::post(format!("/api/v1/problems/1/{what}"));
            visitor.send(request, &here, body.to_string().into()).await
        };
        let claim = json!({ "until": "2026-11-27T00:00:00Z", "person": "bob" });
        let answer = say("claim", claim).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
        for (what, fields, why) in [
            ("claim", json!({ "until": "soon" }), "A time is written as"),
            ("claim", json!({ "person": "eve" }), "eve is neither a user"),
            (
                "note",
                json!({ "until": "2026-11-27T00:00:00Z" }),
                "no argument until",
            ),
        ] {
            let answer = say(what, fields).await;
            assert!(answer.status.is_client_error(), "{}", answer.status);
            assert!(answer.text.contains(why), "{}", answer.text);
        }
        let told = problem(visitor).await;
        assert_eq!(told["claims"][0]["person"], "bob");
        assert_eq!(told["claims"][0]["by"], "ann");
    });
}
