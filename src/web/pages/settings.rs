//! What people set for themselves.

use askama::Template;

use super::users::register;
use crate::model::{AttributeKind, Zone};
use crate::store::State;
use crate::web::address;
use crate::web::page::{Page, Scene, Shown};
use crate::web::refusal::{Notice, Refusal};

pub(in crate::web) const PAGE: Page = Page {
    path: address::SETTINGS,
    show,
    ..super::users::PAGE
};

#[derive(Debug, Template)]
#[template(path = "settings.html", config = "src/web/askama.toml")]
struct Settings {
    csrf: String,
    name: String,
    action: String,
    page: String,
    zone: String,
    /// The zone of the master.
    usual: &'static str,
    zones: Vec<&'static str>,
    language: String,
    quiet_hours: String,
    notify: String,
    /// What others give: kind and value.
    given: Vec<(&'static str, String)>,
}

fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let name = scene.args.part("user");
    let Some(user) = scene.reader.user() else {
        let next = scene.address.clone();
        return Err(Refusal::LogIn { next });
    };
    if user != name {
        let sentence = "People see and set only their own settings.";
        return Err(Notice::conflict(
            "These are not your settings",
            sentence,
            address::settings(user),
        ));
    }
    let register = register(state, scene)?;
    let attributes = register.get(name).map(|person| person.attributes.clone());
    let attributes = attributes.unwrap_or_default();
    let own = |kind| {
        let mut attributes = attributes.iter();
        let found = attributes.find(|attribute| attribute.kind == kind);
        found
            .map(|attribute| attribute.value.clone())
            .unwrap_or_default()
    };
    let given = attributes
        .iter()
        .filter(|attribute| !attribute.kind.is_own());
    let settings = Settings {
        csrf: scene.reader.csrf(scene.now),
        name: name.to_owned(),
        action: address::settings(name),
        page: address::user(name),
        zone: own(AttributeKind::Zone),
        usual: scene.usual_zone.name(),
        zones: Zone::names().collect(),
        language: own(AttributeKind::Language),
        quiet_hours: own(AttributeKind::QuietHours),
        notify: own(AttributeKind::Notify),
        given: given.map(|a| (a.kind.name(), a.value.clone())).collect(),
    };
    Ok(Shown::new("Settings", &settings)?.unkept())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::collections::BTreeSet;

    use axum::http::StatusCode;

    use crate::control::{Caller, Request, Service, UserAct};
    use crate::model::{Attribute, AttributeKind};
    use crate::web::testing::Farm;

    const PEOPLE: &str = r#"
[people.ann]
email = "ann@example.org"
password = "a"
[people.bob]
password = "b"
[[permissions]]
who = ["anyone"]
may = ["view"]
"#;

    #[test]
    fn people_set_their_time_zone_and_see_times_in_it() {
        Farm::with(PEOPLE).visit(async |visitor| {
            visitor.log_in("ann", "a").await;
            let page = visitor.get("/users/ann/settings").await;
            assert_eq!(page.status, StatusCode::OK, "{}", page.text);
            assert!(page.text.contains("<dt>email</dt><dd>ann@example.org</dd>"));
            let before = visitor.get("/users/ann").await.text;
            assert!(before.contains("Europe/Berlin"), "{before}");
            visitor.get("/users/ann/settings").await;
            let fields = [("zone", "Asia/Tokyo"), ("quiet_hours", "22:00-07:00")];
            let answer = visitor.post("/users/ann/settings", &fields).await;
            assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
            let after = visitor.get("/users/ann").await.text;
            assert!(after.contains("Asia/Tokyo"), "{after}");
            let page = visitor.get("/users/ann/settings").await.text;
            assert!(page.contains(r#"value="22:00-07:00""#), "{page}");
            // What is left out is not set any more.
            let answer = visitor.post("/users/ann/settings", &[("zone", "")]).await;
            assert_eq!(answer.status, StatusCode::SEE_OTHER);
            let after = visitor.get("/users/ann").await.text;
            assert!(
                !after.contains("22:00") && after.contains("Europe/Berlin"),
                "{after}"
            );
            let log = visitor.audit().await;
            let last = log.last().map(|record| record.what.as_str());
            assert_eq!(last, Some("changed their settings"));
        });
    }

    #[test]
    fn who_06_changes_at_the_same_time_all_count() {
        Farm::with(PEOPLE).visit(async |visitor| {
            let control = visitor.control();
            let caller = Caller::local("root");
            let nick = |name: String| Attribute {
                kind: AttributeKind::Irc,
                value: name,
            };
            let change = |nicks: &str| {
                let act = Box::new(UserAct::Update {
                    name: "ann".to_owned(),
                    add: BTreeSet::from([nick(nicks.to_owned())]),
                    remove: BTreeSet::new(),
                    add_roles: BTreeSet::new(),
                    remove_roles: BTreeSet::new(),
                });
                control.act(&caller, Request::Service(Service::User { act }))
            };
            let done = tokio::join!(change("ann1"), change("ann2"), change("ann3"));
            assert!(
                done.0.is_ok() && done.1.is_ok() && done.2.is_ok(),
                "{done:?}"
            );
            let register = control.register().await.unwrap();
            let ann = register.get("ann").unwrap();
            for name in ["ann1", "ann2", "ann3"] {
                assert!(ann.attributes.contains(&nick(name.to_owned())), "{ann:?}");
            }
        });
    }

    #[test]
    fn who_04_nobody_takes_an_identity_or_sets_what_is_not_theirs() {
        Farm::with(PEOPLE).visit(async |visitor| {
            let stranger = visitor
                .post("/users/ann/settings", &[("zone", "UTC")])
                .await;
            assert_eq!(stranger.status, StatusCode::UNAUTHORIZED);
            visitor.log_in("bob", "b").await;
            let other = visitor.get("/users/ann/settings").await;
            assert_eq!(other.status, StatusCode::CONFLICT);
            visitor.get("/users/bob/settings").await;
            let other = visitor
                .post("/users/ann/settings", &[("zone", "UTC")])
                .await;
            assert_eq!(other.status, StatusCode::CONFLICT);
            let marked = visitor.csrf.clone();
            let fields = [("csrf", marked.as_str()), ("zone", "UTC")];
            let site = [("sec-fetch-site", "cross-site")];
            let elsewhere = visitor
                .post_raw("/users/bob/settings", &site, &fields)
                .await;
            assert_eq!(elsewhere.status, StatusCode::FORBIDDEN);
            for kind in AttributeKind::ALL.into_iter().filter(|kind| !kind.is_own()) {
                let fields = [(kind.name(), "ann@example.org")];
                let answer = visitor.post("/users/bob/settings", &fields).await;
                assert_eq!(answer.status, StatusCode::CONFLICT, "{kind}");
                assert!(
                    answer.text.contains("only somebody with the permission"),
                    "{kind}"
                );
            }
            let answer = visitor
                .post("/users/bob/settings", &[("zone", "Mars")])
                .await;
            assert!(
                answer.text.contains("is not a time zone"),
                "{}",
                answer.text
            );
            let page = visitor.get("/users/bob").await.text;
            assert!(!page.contains("Known as"), "{page}");
        });
    }
}
