#![expect(clippy::unwrap_used, reason = "tests")]

use axum::body::Body;
use axum::http::Request;
use hmac::{KeyInit, Mac};
use serde_json::{Value, json};

use crate::web::testing::{Answer, DISK_FULL, Farm, Visitor};

const HOOKS: &str = r#"
[[change_sources]]
type = "ChangeHook"
dialect = "base"
insecure = true

[[change_sources]]
type = "ChangeHook"
dialect = "github"
secret = "s3cret"
previous_secret = "old"
max_size = "100k"

[[change_sources]]
type = "ChangeHook"
name = "other"
dialect = "github"
secret = "another"

[[change_sources]]
type = "ChangeHook"
dialect = "gitlab"
secret = "s3cret"
allow_from = ["192.0.2.0/24", "2001:db8::1"]

[[change_sources]]
type = "ChangeHook"
dialect = "poller"
insecure = true

[[change_sources]]
type = "GitPoller"
name = "mirror"
repourl = "https://git.example.org/widget"

[[permissions]]
who = ["logged-in"]
may = ["view"]
"#;

/// The cases that are of the door.
fn case(id: &str) -> Value {
    let cases: Value =
        serde_json::from_str(include_str!("../../../tests/data/hook-cases.json")).unwrap();
    let mut cases = cases["cases"].as_array().unwrap().iter();
    cases.find(|case| case["id"] == id).unwrap().clone()
}

fn visit<T>(visit: impl AsyncFnOnce(&mut Visitor) -> T) -> T {
    Farm::with(HOOKS).visit(visit)
}

fn sign(secret: &str, body: &str) -> String {
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let bytes = mac.finalize().into_bytes();
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={digits}")
}

async fn post(
    visitor: &mut Visitor,
    address: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let body = Body::from(body.to_owned());
    visitor.send(Request::post(address), headers, body).await
}

/// A push of one commit, signed.
async fn push(visitor: &mut Visitor, address: &str, secret: &str, comments: &str) -> Answer {
    let commit = json!({ "id": "a".repeat(40), "message": comments });
    let payload = json!({ "ref": "refs/heads/main", "commits": [commit] }).to_string();
    let signature = sign(secret, &payload);
    let headers = [
        ("x-github-event", "push"),
        ("x-hub-signature-256", signature.as_str()),
    ];
    post(visitor, address, &headers, &payload).await
}

fn said(answer: &Answer) -> Value {
    serde_json::from_str(&answer.text).unwrap()
}

#[test]
fn hki_01_hooks_are_posted_to_their_dialect_or_their_name() {
    visit(async |visitor| {
        for id in ["hook-002", "hook-035"] {
            let case = case(id);
            let dialect = case["given"]["dialect"].as_str().unwrap();
            let answer = visitor.get(&format!("/change_hook/{dialect}")).await;
            assert_eq!(answer.status, 405, "{id}");
            assert_eq!(case["expect"]["status"], 405);
            assert_eq!(answer.header("allow"), "POST");
        }
        let base = [("content-type", "application/x-www-form-urlencoded")];
        let form = "author=ann&comments=fix";
        for address in [
            "/change_hook",
            "/change_hook/",
            "/change_hook/base/x",
            "/hooks/base",
        ] {
            let answer = post(visitor, address, &base, form).await;
            assert_eq!(answer.status, 202, "{address}: {}", answer.text);
            assert_eq!(said(&answer), json!({ "changes": [79], "known": 0 }));
        }
        for address in ["/change_hook/gitea", "/hooks/nope", "/change_hook/nope"] {
            assert_eq!(
                post(visitor, address, &base, form).await.status,
                404,
                "{address}"
            );
        }
    });
}

#[test]
fn hki_01_a_poller_that_does_not_exist_is_not_found() {
    visit(async |visitor| {
        let case = case("hook-046");
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let answer = post(visitor, "/change_hook/poller", &form, "poller=nope").await;
        assert_eq!(json!(answer.status.as_u16()), case["expect"]["status"]);
        let poked = visitor.listen("widget");
        let answer = post(visitor, "/change_hook/poller", &form, "poller=widget").await;
        assert_eq!(
            (answer.status.as_u16(), &said(&answer)["why"]),
            (200, &json!("widget polls"))
        );
        poked.wait().await;
        let answer = post(visitor, "/change_hook/poller", &form, "").await;
        assert_eq!(said(&answer)["why"], "1 poller polls");
        poked.wait().await;
    });
}

#[test]
fn hki_02_a_hook_has_one_of_its_secrets() {
    visit(async |visitor| {
        for (address, secret, status) in [
            ("/change_hook/github", "s3cret", 202),
            ("/change_hook/github", "old", 202),
            // The other source of this dialect.
            ("/change_hook/github", "another", 202),
            ("/hooks/github", "another", 401),
            ("/hooks/other", "another", 202),
            ("/hooks/other", "wrong", 401),
        ] {
            let answer = push(visitor, address, secret, "fix").await;
            assert_eq!(answer.status, status, "{address} {secret}: {}", answer.text);
        }
        let answer = post(
            visitor,
            "/hooks/github",
            &[("x-github-event", "push")],
            "{}",
        )
        .await;
        let error = json!({ "error": "the request has no signature" });
        assert_eq!((answer.status.as_u16(), said(&answer)), (401, error));
        // hook-058: each signature must be right.
        let case = case("hook-058");
        let headers = [
            ("x-github-event", "push"),
            (
                "x-hub-signature",
                "sha1=e7e0225292f975eab7d48999ea520020ef91b18d",
            ),
            ("x-hub-signature-256", "sha256=00"),
        ];
        let answer = post(visitor, "/hooks/github", &headers, "{}").await;
        assert_eq!(json!(answer.status.as_u16()), case["expect"]["status"]);
    });
}

#[test]
fn hki_02_hooks_come_from_allowed_addresses() {
    visit(async |visitor| {
        for (peer, status) in [
            ("192.0.2.9", 200),
            ("2001:db8::1", 200),
            ("::ffff:192.0.2.9", 200),
            ("198.51.100.1", 403),
        ] {
            let headers = [("x-gitlab-token", "s3cret"), ("x-peer", peer)];
            let answer = post(visitor, "/hooks/gitlab", &headers, "{}").await;
            assert_eq!(answer.status, status, "{peer}: {}", answer.text);
        }
    });
}

#[test]
fn hki_03_a_body_has_a_limit() {
    visit(async |visitor| {
        let case = case("hook-063");
        let large = "x".repeat(100_000);
        let answer = post(visitor, "/hooks/github", &[], &large).await;
        assert_eq!(answer.status, 401);
        let large = format!("{large}{large}");
        let answer = post(visitor, "/hooks/github", &[], &large).await;
        assert_eq!(json!(answer.status.as_u16()), case["expect"]["status"]);
        let length = [("content-length", "99999999")];
        assert_eq!(
            post(visitor, "/hooks/github", &length, "").await.status,
            413
        );
    });
}

#[test]
fn hki_05_the_sender_of_a_change_that_is_not_taken_tries_again() {
    visit(async |visitor| {
        let case = case("hook-065");
        let answer = push(visitor, "/hooks/github", "s3cret", DISK_FULL).await;
        assert_eq!(json!(answer.status.as_u16()), case["expect"]["status"]);
        assert_eq!(answer.header("retry-after"), "30");
        let error = json!({ "error": "the master cannot write its state" });
        assert_eq!(said(&answer), error);
        let wrong = [
            ("content-type", "text/xml"),
            ("x-gitlab-token", "s3cret"),
            ("x-peer", "192.0.2.9"),
        ];
        assert_eq!(
            post(visitor, "/hooks/gitlab", &wrong, "<a/>").await.status,
            415
        );
        let json = [("x-gitlab-token", "s3cret"), ("x-peer", "192.0.2.9")];
        assert_eq!(post(visitor, "/hooks/gitlab", &json, "{").await.status, 400);
    });
}

#[test]
fn hki_07_what_a_push_leaves_out_is_noted_and_its_poller_told() {
    visit(async |visitor| {
        let case = case("hook-052");
        let url = "https://git.example.org/widget";
        let poked = visitor.listen("mirror");
        let commits: Vec<_> = (0..20)
            .map(|n| json!({ "id": format!("{n:040}") }))
            .collect();
        let payload = json!({
            "object_kind": "push", "ref": "refs/heads/main", "after": "23",
            "total_commits_count": 35, "commits": commits,
            "project": { "git_http_url": format!("{url}.git") },
        });
        let headers = [("x-gitlab-token", "s3cret"), ("x-peer", "192.0.2.9")];
        // The answer waits for the poller.
        let poller = async {
            poked.wait().await;
            assert_eq!(poked.waiting().len(), 1);
        };
        let payload = payload.to_string();
        let sent = post(visitor, "/hooks/gitlab", &headers, &payload);
        let (answer, ()) = tokio::join!(sent, poller);
        assert_eq!(json!(answer.status.as_u16()), case["expect"]["status"]);
        let said = said(&answer);
        let count = said["changes"].as_array().unwrap().len();
        assert_eq!(json!(count), case["expect"]["changes_count"]);
        assert_eq!(said["missing"], case["expect"]["gap"]["missing"]);
    });
}

#[test]
fn hki_08_an_address_sends_so_many_hooks_in_a_minute() {
    visit(async |visitor| {
        let mut taken = 0;
        let form = [("content-type", "application/x-www-form-urlencoded")];
        for _ in 0..200 {
            let answer = post(visitor, "/hooks/base", &form, "author=ann").await;
            if answer.status == 202 {
                taken += 1;
                continue;
            }
            assert_eq!(answer.status, 429);
            assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0);
        }
        // The clock goes on meanwhile.
        assert!((60..200).contains(&taken), "{taken}");
        let elsewhere = [&form[..], &[("x-peer", "192.0.2.7")]].concat();
        assert_eq!(
            post(visitor, "/hooks/base", &elsewhere, "author=ann")
                .await
                .status,
            202
        );
    });
}

#[test]
fn lgn_07_hooks_need_neither_a_session_nor_a_form() {
    visit(async |visitor| {
        // Nobody may look at pages without a login here.
        assert_eq!(visitor.get("/about").await.status, 401);
        let elsewhere = [
            ("origin", "https://elsewhere.example"),
            ("sec-fetch-site", "cross-site"),
        ];
        assert_eq!(
            post(visitor, "/hooks/base", &elsewhere, "author=ann")
                .await
                .status,
            202
        );
        // A token of a hook is not a token of the API.
        let token = [("authorization", "Bearer of-the-hook")];
        assert_eq!(
            post(visitor, "/hooks/base", &token, "author=ann")
                .await
                .status,
            202
        );
    });
}
