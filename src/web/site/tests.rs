use axum::http::StatusCode;

use crate::web::assets::STYLE_PATH;
use crate::web::testing::Farm;

#[test]
fn a_page_has_the_headers_that_keep_it_safe() {
    let answer = Farm::new().get("/about");
    assert_eq!(answer.status, StatusCode::OK);
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("x-frame-options", "DENY"),
        ("cache-control", "no-cache"),
        ("vary", "Accept-Encoding, Cookie, Accept"),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    let policy = answer.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; "), "{policy}");
    assert!(answer.text.contains("<title>About · Brindle</title>"));
    assert!(
        answer
            .text
            .contains("Thu 26 Nov 2026, 14:32:10</time> Europe/Berlin")
    );
}

#[test]
fn a_reader_who_has_the_page_is_told_so_until_something_changes() {
    let farm = Farm::new();
    let first = farm.get("/about");
    let etag = first.header("etag").to_owned();
    assert!(etag.starts_with('"') && etag.ends_with('"'), "{etag}");
    let known: &[(&str, &str)] = &[("if-none-match", &etag)];
    let other: &[(&str, &str)] = &[("if-none-match", "\"0-7\"")];
    let answers = farm.ask(&[("/about", &[]), ("/about", known), ("/about", other)]);
    let statuses: Vec<_> = answers.iter().map(|a| a.status.as_u16()).collect();
    assert_eq!(statuses, [200, 304, 200]);
    assert_eq!(answers[1].text, "");
    assert_eq!(answers[1].header("etag"), etag);
}

#[test]
fn a_page_is_compressed_for_those_who_take_that() {
    let farm = Farm::new();
    let gzip: &[(&str, &str)] = &[("accept-encoding", "br, gzip")];
    let none: &[(&str, &str)] = &[("accept-encoding", "gzip;q=0")];
    let answers = farm.ask(&[("/about", gzip), ("/about", none)]);
    assert_eq!(answers[0].header("content-encoding"), "gzip");
    assert_eq!(answers[1].header("content-encoding"), "");
}

#[test]
fn an_address_with_a_slash_at_its_end_leads_to_the_one_without() {
    let answer = Farm::new().get("/about/?theme=dark");
    assert_eq!(answer.status, StatusCode::PERMANENT_REDIRECT);
    assert_eq!(answer.header("location"), "/about?theme=dark");
    // Nobody is sent to another host.
    assert_eq!(
        Farm::new().get("//example.org/").status,
        StatusCode::NOT_FOUND
    );
}

#[test]
fn an_unknown_address_names_the_nearest() {
    let answer = Farm::new().get("/abuot");
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let expected = r#"Did you mean <a href="/about">/about</a>?"#;
    assert!(answer.text.contains(expected), "{}", answer.text);
    let hostile = Farm::new().get("/%3Cscript%3Ealert(1)%3C/script%3E");
    assert!(!hostile.text.contains("<script>alert"));
}

#[test]
fn a_wrong_argument_is_answered_with_a_sentence() {
    let answer = Farm::new().get("/about?theme=%3Cb%3E");
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let expected =
        "The argument theme is \u{201c}&#60;b&#62;\u{201d}. It must be system, light or dark.";
    assert!(answer.text.contains(expected), "{}", answer.text);
}

#[test]
fn a_theme_is_kept_in_a_cookie_and_used() {
    let farm = Farm::new();
    let chosen = farm.get("/about?theme=dark");
    assert!(chosen.header("set-cookie").starts_with("theme=dark; "));
    let cookie: &[(&str, &str)] = &[("cookie", "a=b; theme=dark")];
    let answers = farm.ask(&[("/about", cookie), ("/about", &[])]);
    assert!(answers[0].text.contains(r#"content="dark""#));
    assert!(answers[1].text.contains(r#"content="light dark""#));
}

#[test]
fn the_style_sheet_never_changes_under_its_name() {
    let answer = Farm::new().get(&STYLE_PATH);
    assert_eq!(answer.status, StatusCode::OK);
    let kept = "public, max-age=31536000, immutable";
    assert_eq!(answer.header("cache-control"), kept);
    let other = Farm::new().get("/static/style-0.css");
    assert_eq!(other.status, StatusCode::NOT_FOUND);
}

#[test]
fn probes_learn_whether_the_master_is_up() {
    let answer = Farm::new().get("/healthz");
    assert_eq!(
        (answer.status, answer.text.as_str()),
        (StatusCode::OK, "ok\n")
    );
}
