use crate::logs::Channel;
use crate::web::testing::Farm;

#[test]
fn web_feeds_tell_the_newest_builds_news_first() {
    let mut farm = Farm::broken();
    let lines = [(
        Channel::Stdout,
        &b"compiling\n\x1b[31mtest.c:7: <oops>\x1b[0m\n"[..],
    )];
    farm.step_log("builders/b/2/0-test/stdio", &lines, true);
    let answer = farm.get("/atom");
    assert_eq!(
        answer.header("content-type"),
        "application/atom+xml; charset=utf-8"
    );
    let atom = &answer.text;
    for text in [
        "<title>Brindle: builds</title>",
        "<title>linux 2: still failing in test</title>",
        "<id>tag:localhost,2026:builders/linux/builds/2</id>",
        "<link href=\"http://localhost:8010/builders/linux/builds/2\"/>",
        "&lt;li&gt;9 by Jonas: api: ssize_t&lt;/li&gt;",
        // Markup of a log is escaped once for HTML and once for XML.
        "&lt;pre&gt;compiling\ntest.c:7: &amp;lt;oops&amp;gt;",
        "<author><name>Ines Okafor</name></author>",
    ] {
        assert!(atom.contains(text), "{text}: {atom}");
    }
    assert_eq!(atom.matches("<entry>").count(), 3, "{atom}");
    let rss = farm.get("/rss?builder=linux");
    assert_eq!(
        rss.header("content-type"),
        "application/rss+xml; charset=utf-8"
    );
    let guid = "<guid isPermaLink=\"false\">tag:localhost,2026:builders/linux/builds/2</guid>";
    assert!(rss.text.contains(guid), "{}", rss.text);
    assert!(
        rss.text
            .contains("<pubDate>Thu, 26 Nov 2026 12:01:50 +0000</pubDate>")
    );
}

#[test]
fn web_feeds_take_the_arguments_of_buildbot() {
    let farm = Farm::broken();
    for (query, entries) in [
        ("", 3),
        ("show=linux", 3),
        ("builder=a/b%20c", 0),
        ("category=required", 3),
        ("tag=none", 0),
        ("branch=main", 3),
        ("branch=next", 0),
        ("failures_only=true", 2),
        ("failures_only=false", 3),
        ("project=x", 0),
        ("name=ines", 1),
        ("revision=r8", 1),
        ("kind=problems", 1),
        ("kind=changes", 4),
        ("kind=changes&name=jonas", 1),
    ] {
        let atom = farm.page(&format!("/atom?{query}"));
        assert_eq!(atom.matches("<entry>").count(), entries, "{query}: {atom}");
        let rss = farm.page(&format!("/rss?{query}"));
        assert_eq!(rss.matches("<item>").count(), entries, "{query}: {rss}");
    }
    assert_eq!(farm.get("/atom?kind=x").status, 400);
}

#[test]
fn web_feeds_are_named_by_the_pages_that_they_belong_to() {
    let farm = Farm::broken();
    for (page, feed) in [
        ("/", "/atom?kind=problems"),
        ("/builders/a%2Fb%20c", "/atom?builder=a%2Fb+c"),
        ("/changes", "/atom?kind=changes"),
    ] {
        let html = farm.page(page);
        let link = format!("type=\"application/atom+xml\" href=\"{feed}\"");
        assert!(html.contains(&link), "{page}: {html}");
        farm.page(feed);
    }
}

#[test]
fn web_feeds_that_have_not_changed_are_not_sent_again() {
    let farm = Farm::broken();
    let etag = farm.get("/atom").header("etag").to_owned();
    let known: &[(&str, &str)] = &[("if-none-match", &etag)];
    assert_eq!(farm.ask(&[("/atom", known)])[0].status, 304);
}

#[test]
fn web_feeds_name_the_master_as_its_reader_does() {
    let farm = Farm::broken();
    for (host, base) in [
        ("ci.example.org:81", "http://ci.example.org:81/"),
        ("a\"b", "http://localhost:8010/"),
    ] {
        let asked: &[(&str, &str)] = &[("host", host)];
        let text = &farm.ask(&[("/atom", asked)])[0].text;
        assert!(text.contains(&format!("<link href=\"{base}\"/>")), "{text}");
    }
}
