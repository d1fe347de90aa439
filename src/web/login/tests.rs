#![expect(clippy::unwrap_used, reason = "tests")]

use axum::http::StatusCode;

use crate::control::{Caller, Service, UserAct};
use crate::model::{Action, Outcome, PasswordHash, TokenRights};
use crate::pb::hashed::Recipe;
use crate::web::testing::{Farm, Visitor};

const PEOPLE: &str = r#"
[people.ann]
roles = ["dev"]
password = "open sesame"
[[permissions]]
who = ["anyone"]
may = ["view"]
"#;

const CLOSED: &str = r#"
[people.ann]
password = "open sesame"
[[permissions]]
who = ["logged-in"]
may = ["view"]
"#;

/// Changes the register as the command line does.
async fn user(visitor: &Visitor, act: UserAct) -> serde_json::Value {
    let act = Box::new(act);
    let request = Service::User { act }.into();
    let done = visitor.control().act(&Caller::local("root"), request).await;
    done.unwrap()
}

#[test]
fn lgn_05_a_login_begins_a_session_and_a_logout_ends_it() {
    Farm::with(PEOPLE).visit(async |visitor| {
        let page = visitor.get("/about").await;
        assert_eq!(page.header("cache-control"), "no-cache");
        assert!(
            page.text
                .contains(r#"<a class="who" href="/login">Log in</a>"#)
        );
        let answer = visitor.log_in("ann", "open sesame").await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
        assert_eq!(answer.header("location"), "/about");
        let cookie = answer.header("set-cookie");
        assert!(
            cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax"),
            "{cookie}"
        );
        let page = visitor.get("/about").await;
        assert_eq!(page.header("cache-control"), "private, no-cache");
        assert!(
            page.text
                .contains(r#"<a class="who" href="/users/ann">ann</a>"#)
        );
        let session = visitor.session.clone();
        let answer = visitor.post("/logout", &[]).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        assert_eq!(visitor.session, None);
        visitor.session = session;
        let page = visitor.get("/about").await;
        assert!(page.text.contains(">Log in</a>"), "the session has ended");
        let log = visitor.audit().await;
        let log: Vec<_> = log
            .iter()
            .map(|r| (r.who.as_str(), r.what.as_str()))
            .collect();
        assert_eq!(log, [("ann", "logged in"), ("ann", "logged out")]);
        assert_eq!(visitor.asked(), [], "the core is not asked");
    });
}

#[test]
fn lgn_05_who_wants_to_stay_has_a_cookie_for_30_days_and_each_login_a_new_session() {
    Farm::with(PEOPLE).visit(async |visitor| {
        visitor.log_in("ann", "open sesame").await;
        let first = visitor.session.clone();
        visitor.get("/login").await;
        let fields = [
            ("username", "ann"),
            ("passwd", "open sesame"),
            ("stay", "1"),
        ];
        let answer = visitor.post("/login", &fields).await;
        assert!(answer.header("set-cookie").ends_with("; Max-Age=2592000"));
        assert_ne!(visitor.session, first);
        visitor.session = first;
        let page = visitor.get("/about").await;
        assert!(
            page.text.contains(">Log in</a>"),
            "the first session has ended"
        );
    });
}

#[test]
fn lgn_01_a_wrong_name_and_a_wrong_password_get_one_sentence() {
    Farm::with(PEOPLE).visit(async |visitor| {
        for (name, password) in [("ann", "close"), ("bob", "open sesame"), ("", "")] {
            let answer = visitor.log_in(name, password).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
            assert!(answer.text.contains("The name or the password is wrong."));
            assert_eq!(visitor.session, None);
        }
        let log = visitor.audit().await;
        assert_eq!(log.len(), 3);
        assert_eq!(
            (log[0].who.as_str(), log[0].object.as_str()),
            ("", "user ann")
        );
        assert!(log.iter().all(|record| record.outcome == Outcome::Refused));
    });
}

#[test]
fn lgn_01_who_guesses_waits_longer_and_longer() {
    Farm::with(PEOPLE).visit(async |visitor| {
        let mut waited = Vec::new();
        for _ in 0..11 {
            let before = tokio::time::Instant::now();
            let answer = visitor.log_in("ann", "guess").await;
            let seconds = before.elapsed().as_secs();
            waited.push((answer.status.as_u16(), seconds));
        }
        let free = [(401, 0); 5];
        let slow = [(401, 1), (401, 2), (401, 4), (401, 8), (401, 16)];
        assert_eq!(waited[..10], [free, slow].concat());
        assert_eq!(waited[10].0, 429, "not said at all");
        // A right password is accepted at once.
        let answer = visitor.log_in("ann", "open sesame").await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
    });
}

#[test]
fn lgn_05_a_form_from_elsewhere_or_without_its_mark_logs_nobody_in() {
    Farm::with(PEOPLE).visit(async |visitor| {
        visitor.get("/login").await;
        let csrf = visitor.csrf.clone();
        let fields = [
            ("username", "ann"),
            ("passwd", "open sesame"),
            ("csrf", &csrf),
        ];
        for (headers, fields) in [
            (("sec-fetch-site", "cross-site"), &fields[..]),
            (("origin", "https://evil.example"), &fields[..]),
            (("x", "y"), &fields[..]),
            (("sec-fetch-site", "same-origin"), &fields[..2]),
        ] {
            let answer = visitor.post_raw("/login", &[headers], fields).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{headers:?}");
            assert_eq!(visitor.session, None);
        }
    });
}

#[test]
fn the_next_page_is_one_of_ours() {
    Farm::with(PEOPLE).visit(async |visitor| {
        for (next, expected) in [
            ("/builders/a%2Fb%20c?x=1", "/builders/a%2Fb%20c?x=1"),
            ("//evil.example/", "/"),
            ("https://evil.example/", "/"),
        ] {
            visitor.get("/login").await;
            let fields = [
                ("username", "ann"),
                ("passwd", "open sesame"),
                ("next", next),
            ];
            let answer = visitor.post("/login", &fields).await;
            assert_eq!(answer.header("location"), expected);
        }
    });
}

#[test]
fn lgn_05_all_sessions_end_when_the_password_changes() {
    Farm::with(PEOPLE).visit(async |visitor| {
        let add = |name: &str| UserAct::Add {
            name: name.to_owned(),
            attributes: [].into(),
            roles: ["dev".to_owned()].into(),
        };
        let set = |text: &str| UserAct::Password {
            name: "bob".to_owned(),
            hash: Some(PasswordHash(
                Recipe::of_login([1; 16])
                    .hash(text.as_bytes())
                    .text()
                    .to_owned(),
            )),
        };
        user(visitor, add("bob")).await;
        user(visitor, set("first word")).await;
        visitor.log_in("bob", "first word").await;
        assert!(visitor.get("/about").await.text.contains(">bob</a>"));
        user(visitor, set("second word")).await;
        assert!(visitor.get("/about").await.text.contains(">Log in</a>"));
    });
}

#[test]
fn who_may_not_look_sees_the_login_page_alone() {
    Farm::with(CLOSED).visit(async |visitor| {
        for address in ["/", "/builders/linux?x=1", "/about", "/nothing"] {
            let answer = visitor.get(address).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{address}");
            assert!(answer.text.contains(r#"action="/login""#), "{address}");
            let next = format!(r#"name="next" value="{address}""#);
            assert!(answer.text.contains(&next), "{}", answer.text);
            assert!(!answer.text.contains(">Builders"), "no navigation");
        }
        let log = "/builders/linux/builds/1/steps/test/logs/stdio/text";
        assert_eq!(visitor.get(log).await.status, StatusCode::UNAUTHORIZED);
        let answer = visitor.get("/api/v1/builders").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(visitor.get("/healthz").await.status, StatusCode::OK);
        assert_eq!(visitor.get("/login").await.status, StatusCode::OK);
        visitor.log_in("ann", "open sesame").await;
        assert_eq!(visitor.get("/about").await.status, StatusCode::OK);
    });
}

#[test]
fn lgn_02_a_token_shows_who_a_program_is() {
    Farm::with(CLOSED).visit(async |visitor| {
        let token = |may: Action| UserAct::AddToken {
            name: "ann".to_owned(),
            label: String::new(),
            rights: Box::new(TokenRights {
                may: [may].into_iter().collect(),
                ..TokenRights::default()
            }),
            days: None,
        };
        let mut status = Vec::new();
        for token in [token(Action::View), token(Action::Force)] {
            let token = user(visitor, token).await;
            let bearer = format!("Bearer {}", token.as_str().unwrap());
            visitor.headers = vec![("authorization".to_owned(), bearer)];
            status.push(visitor.get("/about").await.status.as_u16());
        }
        visitor.headers = vec![("authorization".to_owned(), "Bearer bmt_x".to_owned())];
        status.push(visitor.get("/about").await.status.as_u16());
        assert_eq!(status, [200, 403, 401]);
    });
}

#[test]
fn lgn_03_the_header_of_a_trusted_proxy_names_the_reader() {
    let text = CLOSED.replace("[people.ann]", "");
    let text = text.replace("password = \"open sesame\"", "");
    let web = "user_header = \"X-Remote-User\"\ngroups_header = \"X-Groups\"\n\
               trusted_proxies = [\"192.0.2.7\"]\n";
    Farm::with(&format!("{web}{text}")).visit(async |visitor| {
        visitor.headers = vec![("x-remote-user".to_owned(), "zoe".to_owned())];
        visitor.peer = Some("192.0.2.8".parse().unwrap());
        assert_eq!(visitor.get("/about").await.status, StatusCode::UNAUTHORIZED);
        visitor.peer = Some("192.0.2.7".parse().unwrap());
        let page = visitor.get("/about").await;
        assert!(page.text.contains(">zoe</a>"), "{}", page.text);
        assert_eq!(page.header("cache-control"), "private, no-cache");
        visitor
            .headers
            .push(("x-remote-user".to_owned(), "root".to_owned()));
        assert_eq!(visitor.get("/about").await.status, StatusCode::BAD_REQUEST);
    });
}

#[test]
fn readers_with_a_login_do_not_share_their_pages() {
    let people = format!("{PEOPLE}\n[people.bob]\npassword = \"b\"\n");
    Farm::with(&people).visit(async |visitor| {
        let stranger = visitor.get("/about").await;
        visitor.log_in("bob", "b").await;
        let bob = visitor.get("/about").await;
        visitor.session = None;
        visitor.log_in("ann", "open sesame").await;
        let ann = visitor.get("/about").await;
        assert!(ann.text.contains(">ann</a>") && bob.text.contains(">bob</a>"));
        let tags = [&stranger, &bob, &ann].map(|answer| answer.header("etag"));
        assert!(tags[0] != tags[1] && tags[1] != tags[2], "{tags:?}");
    });
}

#[test]
fn a_form_larger_than_64_kib_is_refused() {
    Farm::with(PEOPLE).visit(async |visitor| {
        visitor.get("/login").await;
        let long = "x".repeat(65 * 1024);
        let answer = visitor.post("/login", &[("username", &long)]).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    });
}

#[test]
fn lgn_06_users_of_a_password_file_log_in_and_are_known_from_then_on() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("htpasswd");
    std::fs::write(
        &file,
        "bob:{SHA}W8r/fyL/UzygmbNAjq2HbA67qac=\nanyone:{SHA}\n",
    )
    .unwrap();
    let config = format!("[login]\nhtpasswd_file = {file:?}\n{CLOSED}");
    Farm::with(&config).visit(async |visitor| {
        let answer = visitor.log_in("bob", "wrong").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        let known = visitor.control().register().await.unwrap();
        assert!(known.get("bob").is_none());
        for _ in 0..2 {
            let answer = visitor.log_in("bob", "open sesame").await;
            assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
            let page = visitor.get("/about").await;
            assert!(page.text.contains(r#"href="/users/bob">bob</a>"#));
        }
        let known = visitor.control().register().await.unwrap();
        assert!(known.get("bob").is_some());
        let log = visitor.audit().await;
        let grounds: Vec<_> = log.iter().map(|record| record.ground.as_str()).collect();
        let first = "the password, for the first time";
        let again = ["the password", "the session"];
        assert_eq!(
            grounds,
            [&["the wrong name or password", first][..], &again].concat()
        );
        std::fs::write(&file, "").unwrap();
        let answer = visitor.log_in("bob", "open sesame").await;
        assert_eq!(
            answer.status,
            StatusCode::UNAUTHORIZED,
            "the file is read anew"
        );
        let answer = visitor.log_in("ann", "open sesame").await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
    });
}
