use axum::http::StatusCode;

use crate::logs::Channel::Stdout;
use crate::web::acts::ACTS;
use crate::web::api::acts::ACTS as API_ACTS;
use crate::web::api::table::RESOURCES;
use crate::web::log::{follow, text};
use crate::web::table::{OUTLETS, PAGES};
use crate::web::testing::{Answer, Farm};

/// Builder linux, which has all the builds of the farm, is hidden from everybody but Ann.
const RULES: &str = r#"
[people.ann]
password = "a"
[[permissions]]
who = ["anyone"]
may = ["*"]
on = { builders = ["a/b c"] }
[[permissions]]
who = ["anyone"]
may = ["view", "users", "audit"]
[[permissions]]
who = ["ann"]
may = ["*"]
[[permissions]]
who = ["anyone"]
may_not = ["view"]
on = { tags = ["secret"] }
"#;

const HIDDEN: &str = "hush-hush";

fn farm(rules: &str) -> Farm {
    let text = crate::web::testing::config_text()
        .replace("\"linux\"", &format!("{HIDDEN:?}"))
        .replace("[\"required\"]", "[\"secret\"]");
    let mut farm = Farm::broken_of(&format!("{text}{rules}"), HIDDEN);
    farm.step_log("builders/b/1/0-test/stdio", &[(Stdout, b"one\n")], true);
    farm
}

/// An address of a route, with `builder` in it.
fn address(path: &str, builder: &str) -> String {
    let parts = path.split('/').map(|part| match part {
        "{builder}" => builder,
        "{badge}" => "hush-hush.svg",
        "{build}" | "{set}" | "{request}" | "{problem}" | "{search}" => "1",
        "{step}" => "test",
        "{log}" => "stdio",
        "{change}" => "7",
        "{revision}" => "r9",
        "{user}" => "ann",
        "{slave}" => "elm",
        "{scheduler}" => "quick",
        "{test}" => "t",
        "{*node}" => "builders",
        other => other,
    });
    parts.collect::<Vec<_>>().join("/")
}

/// All addresses that are read.
fn routes() -> Vec<&'static str> {
    let pages = PAGES.iter().map(|page| page.path);
    let outlets = OUTLETS.iter().map(|outlet| outlet.path);
    let resources = RESOURCES.iter().map(|resource| resource.path);
    let others = [text::PATH, follow::PATH];
    let all = pages.chain(outlets).chain(resources).chain(others);
    all.collect()
}

/// Addresses with arguments that name a builder.
const ARGUMENTS: &[&str] = &[
    "/waterfall?builder=BUILDER",
    "/waterfall?show_events=true&show=BUILDER",
    "/console?builder=BUILDER",
    "/grid?builder=BUILDER",
    "/atom?builder=BUILDER",
    "/rss?builder=BUILDER",
    "/badge/BUILDER.svg",
    "/png?builder=BUILDER&number=-1",
    "/buildstatus?builder=BUILDER&number=1",
    "/one_line_per_build?builder=BUILDER",
    "/builders?builder=BUILDER",
    "/queue?builder=BUILDER",
    "/search?q=BUILDER",
    "/search?q=BUILDER+1",
    "/api/v1/builds?builder=BUILDER",
    "/api/v1/requests?builder=BUILDER",
    "/api/v1/search?q=BUILDER",
    "/json/builders/BUILDER",
    "/json/builders/BUILDER/builds/1",
    "/json?select=builders/BUILDER",
    "/json/slaves/oak",
    "/json/change_sources",
];

/// The answer but for what was asked and when.
fn shown(answer: &Answer, asked: &str) -> (StatusCode, String) {
    (answer.status, answer.text.replace(asked, "*"))
}

#[test]
fn may_04_routes_name_builders_that_may_be_viewed() {
    // The next test would find nothing if routes did not name builders.
    let all = "[[permissions]]\nwho = [\"anyone\"]\nmay = [\"*\"]\n";
    let farm = farm(all);
    let naming = routes().into_iter().filter(|path| {
        let answer = farm.follow(&address(path, HIDDEN), &[]);
        answer.status == StatusCode::OK && answer.text.contains(HIDDEN)
    });
    let naming = naming.count();
    assert!(naming > 40, "{naming}");
}

#[test]
fn may_04_no_route_names_a_hidden_builder() {
    let farm = farm(RULES);
    for path in routes() {
        let address = address(path, "a%2Fb%20c");
        let answer = farm.follow(&address, &[]);
        let text = answer.text.replace(&address, "");
        let text = match path.contains("{badge}") {
            true => text.replace(HIDDEN, ""),
            false => text,
        };
        let near = text.lines().find(|line| line.contains(HIDDEN));
        assert_eq!(near, None, "{address}");
        let server_error = StatusCode::INTERNAL_SERVER_ERROR;
        assert!(answer.status < server_error, "{address}: {}", answer.text);
    }
}

#[test]
fn may_04_a_hidden_builder_is_answered_like_one_that_does_not_exist() {
    let farm = farm(RULES);
    let routes = routes()
        .into_iter()
        .filter(|path| path.contains("{builder}"));
    let routes = routes.map(|path| address(path, "BUILDER"));
    let arguments = ARGUMENTS.iter().map(|address| (*address).to_owned());
    for address in routes.chain(arguments) {
        let hidden = farm.follow(&address.replace("BUILDER", HIDDEN), &[]);
        let unknown = farm.follow(&address.replace("BUILDER", "no-such-x"), &[]);
        let (hidden, unknown) = (shown(&hidden, HIDDEN), shown(&unknown, "no-such-x"));
        assert_eq!(hidden, unknown, "{address}");
    }
}

#[test]
fn may_04_acts_on_a_hidden_builder_find_nothing() {
    farm(RULES).visit(async |visitor| {
        visitor.get("/login").await;
        let fields = [("selected", HIDDEN), ("id", "all"), ("comments", "x")];
        for act in ACTS.iter().filter(|act| act.path.contains("{builder}")) {
            let answer = visitor.post(&address(act.path, HIDDEN), &fields).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{}", act.path);
        }
        for act in ACTS.iter().filter(|act| act.path.contains("_selected")) {
            let answer = visitor.post(act.path, &fields).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{}", act.path);
        }
        for act in API_ACTS {
            let is_of_builder = ["{builder}", "{request}", "{set}"];
            if is_of_builder.iter().any(|part| act.path.contains(part)) {
                let address = address(act.path, HIDDEN);
                let answer = visitor.post_raw(&address, &[], &[]).await;
                assert_eq!(answer.status, StatusCode::NOT_FOUND, "{}", act.path);
            }
        }
        assert_eq!(visitor.asked(), []);
    });
}

#[test]
fn may_04_events_of_a_hidden_builder_are_not_told() {
    let all = "[[permissions]]\nwho = [\"anyone\"]\nmay = [\"view\"]\n";
    for (rules, is_told) in [(RULES, false), (all, true)] {
        let answer = farm(rules).follow("/api/v1/events?since=0", &[]);
        assert_eq!(answer.text.contains(HIDDEN), is_told, "{}", answer.text);
        assert!(
            answer.text.contains("event: change_added"),
            "{}",
            answer.text
        );
    }
}

#[test]
fn may_04_who_may_view_a_builder_sees_it() {
    farm(RULES).visit(async |visitor| {
        let address = format!("/builders/{HIDDEN}");
        let stranger = visitor.get("/builders").await;
        assert_eq!(visitor.get(&address).await.status, StatusCode::NOT_FOUND);
        visitor.log_in("ann", "a").await;
        // The rule that forbids it to anyone forbids it to Ann, too.
        assert_eq!(visitor.get(&address).await.status, StatusCode::NOT_FOUND);
        assert!(!stranger.text.contains(HIDDEN));
    });
    let rules = RULES.replace("who = [\"anyone\"]\nmay_not", "who = [\"bob\"]\nmay_not");
    farm(&rules).visit(async |visitor| {
        let answer = visitor.get(&format!("/builders/{HIDDEN}")).await;
        assert_eq!(answer.status, StatusCode::OK);
    });
}

/// Everybody may look, but not at what `on` says.
fn looking_but_not(on: &str) -> String {
    format!(
        "[[permissions]]\nwho = [\"anyone\"]\nmay = [\"view\", \"users\", \"audit\"]\n\
         [[permissions]]\nwho = [\"anyone\"]\nmay_not = [\"view\"]\non = {on}\n"
    )
}

/// Where the texts of the routes have one of these words, but for an answer that there is none.
fn naming(farm: &Farm, words: &[&str]) -> Vec<String> {
    let is_part = |c: char| c.is_alphanumeric() || c == '-';
    let mut naming = Vec::new();
    for path in routes() {
        let address = address(path, "hush-hush").replace("/elm", "/oak");
        let answer = farm.follow(&address, &[]);
        let server_error = StatusCode::INTERNAL_SERVER_ERROR;
        assert!(answer.status < server_error, "{address}: {}", answer.text);
        let text = match answer.status {
            StatusCode::NOT_FOUND => String::new(),
            _ => answer.text.replace(&address, ""),
        };
        let mut found = text.split(|c| !is_part(c)).filter(|w| words.contains(w));
        if found.next().is_some() {
            naming.push(address);
        }
    }
    naming
}

#[test]
fn may_04_no_route_names_a_hidden_slave() {
    let seen = farm(&looking_but_not("{ slaves = [\"z*\"] }"));
    assert!(naming(&seen, &["oak"]).len() > 15);
    let hidden = farm(&looking_but_not("{ slaves = [\"o*\"] }"));
    assert_eq!(naming(&hidden, &["oak"]), Vec::<String>::new());
    for address in [
        "/buildslaves/SLAVE",
        "/api/v1/slaves/SLAVE",
        "/json/slaves/SLAVE",
    ] {
        let there = hidden.follow(&address.replace("SLAVE", "oak"), &[]);
        let unknown = hidden.follow(&address.replace("SLAVE", "no-such-x"), &[]);
        assert_eq!(there.status, StatusCode::NOT_FOUND, "{address}");
        assert_eq!(
            shown(&there, "oak"),
            shown(&unknown, "no-such-x"),
            "{address}"
        );
    }
    let build = hidden.follow("/builders/hush-hush/builds/1", &[]);
    assert!(build.text.contains("(not shown)"), "{}", build.text);
}

#[test]
fn may_04_acts_on_a_hidden_slave_find_nothing() {
    let rules = looking_but_not("{ slaves = [\"o*\"] }").replace("may = [\"view\"", "may = [\"*\"");
    farm(&rules).visit(async |visitor| {
        visitor.get("/login").await;
        let fields = [("reason", "x")];
        for act in ACTS.iter().filter(|act| act.path.contains("{slave}")) {
            let answer = visitor
                .post(&act.path.replace("{slave}", "oak"), &fields)
                .await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{}", act.path);
        }
        for act in API_ACTS.iter().filter(|act| act.path.contains("{slave}")) {
            let address = act.path.replace("{slave}", "oak");
            let answer = visitor.post_raw(&address, &[], &[]).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{}", act.path);
        }
        assert_eq!(visitor.asked(), []);
    });
}

#[test]
fn may_04_no_route_names_changes_of_a_hidden_repository_or_what_was_built_of_it() {
    let words = ["Okafor", "decode", "r7", "stubs"];
    let seen = farm(&looking_but_not("{ repositories = [\"x\"] }"));
    assert!(naming(&seen, &words).len() > 15);
    let hidden = farm(&looking_but_not("{ repositories = [\"*\"] }"));
    assert_eq!(naming(&hidden, &words), Vec::<String>::new());
    let builder = hidden.follow("/builders/hush-hush", &[]);
    assert_eq!(builder.status, StatusCode::OK);
    for address in ["/builders/hush-hush/builds/1", "/changes/7", "/buildsets/1"] {
        let answer = hidden.follow(address, &[]);
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{address}");
    }
    let events = hidden.follow("/api/v1/events?since=0", &[]).text;
    assert!(!events.contains("event: change_added") && !events.contains("\"build\""));
    assert!(events.contains("event: slave_connected"), "{events}");
}

#[test]
fn may_04_who_may_view_a_builder_sees_its_slaves_and_sources() {
    let only = "[[permissions]]\nwho = [\"anyone\"]\nmay = [\"view\"]\n\
                on = { builders = [\"hush-hush\"] }\n";
    let farm = farm(only);
    let build = farm.page("/builders/hush-hush/builds/1");
    assert!(
        build.contains("Okafor") && build.contains(">oak<"),
        "{build}"
    );
    let slave = farm.follow("/buildslaves/oak", &[]);
    assert_eq!(slave.status, StatusCode::OK);
}
