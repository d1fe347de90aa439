//! The users of the master: who may do what, the register, and who did what.

use askama::Template;

use crate::config::{PermissionRule, Who};
use crate::control::Target;
use crate::model::{Action, AttributeKind, ObjectPatterns, Person};
use crate::people::Register;
use crate::store::State;
use crate::store::read::AuditFilter;
use crate::text::and;
use crate::view::{self, Audit};
use crate::web::address;
use crate::web::args::Arg;
use crate::web::denied::{Denied, may_do};
use crate::web::page::{Page, Permission, Place, Scene, Shown};
use crate::web::parts::{Link, Time};
use crate::web::refusal::Refusal;

pub(in crate::web) const PAGE: Page = Page {
    path: "/users",
    args: &[Arg::number("before", 0, u64::MAX)],
    permission: Permission::View,
    topics: &["user"],
    api: None,
    place: Place::Apart,
    show,
};

/// How many entries of the audit log a page has.
const ENTRIES: usize = 50;

#[derive(Debug, Template)]
#[template(path = "users.html", config = "src/web/askama.toml")]
struct Contents {
    file: String,
    /// Whom the rules name.
    columns: Vec<String>,
    rows: Vec<Row>,
    people: Vec<PersonRow>,
    /// Who is on duty: the rota, the person, and until when.
    duties: Vec<(String, Link, Time)>,
    audit: Option<AuditTable>,
}

/// A permission and who has it.
#[derive(Debug)]
struct Row {
    action: &'static str,
    meaning: &'static str,
    cells: Vec<Cell>,
}

/// Whether somebody has a permission.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Cell {
    Yes,
    /// On some things.
    Some,
    No,
    /// It is forbidden.
    Never,
}

#[derive(Debug)]
struct PersonRow {
    link: Link,
    mail: String,
    roles: String,
    is_configured: bool,
}

/// A part of the audit log, the newest first.
#[derive(Debug, Template)]
#[template(path = "audit.html", config = "src/web/askama.toml")]
pub(super) struct AuditTable {
    entries: Vec<Entry>,
    older: Option<String>,
}

impl askama::filters::HtmlSafe for AuditTable {}

#[derive(Debug)]
struct Entry {
    at: Time,
    who: Option<Link>,
    what: String,
    came_of: String,
    from: String,
}

impl AuditTable {
    /// The entries of `who`, or of all.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(super) fn read(
        state: &State,
        scene: &Scene,
        who: Option<&str>,
        path: &str,
    ) -> Result<Self, Refusal> {
        let filter = AuditFilter {
            who: who.map(ToOwned::to_owned),
            before: scene.args.number("before"),
            ..AuditFilter::default()
        };
        let mut rows = state.audit(&filter, ENTRIES as u64 + 1)?;
        let has_older = rows.len() > ENTRIES;
        rows.truncate(ENTRIES);
        let older = rows.last().filter(|_| has_older);
        let older = older.map(|last| address::with_args(path, &[("before", last.number)]));
        let entries = rows.into_iter().map(Audit::from).map(|entry| Entry {
            at: scene.second(entry.at),
            who: Some(&entry.who)
                .filter(|who| !who.is_empty())
                .map(|who| Link::to(who, &address::user(who))),
            came_of: entry.came_of(),
            from: match (entry.address.as_str(), entry.token) {
                ("", None) => entry.door.name().to_owned(),
                (address, None) => format!("{}, {address}", entry.door.name()),
                (address, Some(token)) => format!("token {token}, {address}"),
            },
            what: entry.what,
        });
        Ok(Self {
            entries: entries.collect(),
            older,
        })
    }
}

/// The reader must have the permission `action`.
///
/// # Errors
/// The reader must log in first, or does not have it.
pub(super) fn require(state: &State, scene: &Scene, action: Action) -> Result<(), Refusal> {
    if scene.may(state, action, &Target::Master)? {
        return Ok(());
    }
    if scene.reader.user().is_none() {
        return Err(Refusal::LogIn {
            next: scene.address.clone(),
        });
    }
    let about = (action, &Target::Master);
    let reader = (&scene.reader, scene.now);
    let denied = Denied::new(state, &scene.config, reader, about, "/".to_owned());
    Err(Refusal::Denied(Box::new(denied?)))
}

/// All people.
///
/// # Errors
/// The state cannot be read.
pub(super) fn register(state: &State, scene: &Scene) -> Result<Register, Refusal> {
    Ok(view::register_at(state, &scene.config, scene.now)?)
}

/// The mail addresses of a person.
pub(super) fn mail(person: &Person) -> String {
    let mail = person.attributes.iter();
    let mail = mail.filter(|attribute| attribute.kind == AttributeKind::Email);
    let mail: Vec<_> = mail.map(|attribute| attribute.value.clone()).collect();
    mail.join(", ")
}

fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    require(state, scene, Action::Users)?;
    let rules = &scene.config.permissions.rules;
    let mut whom: Vec<&Who> = Vec::new();
    for who in rules.iter().flat_map(|rule| &rule.who) {
        if !whom.contains(&who) {
            whom.push(who);
        }
    }
    let rows = Action::ALL.into_iter().map(|action| Row {
        action: action.name(),
        meaning: may_do(action),
        cells: whom.iter().map(|who| cell(rules, who, action)).collect(),
    });
    let register = register(state, scene)?;
    let people = register.iter().map(|person| PersonRow {
        link: Link::to(&person.name, &address::user(&person.name)),
        mail: mail(person),
        roles: and(person.roles.iter().cloned().collect::<Vec<_>>()),
        is_configured: register.is_configured(&person.name),
    });
    let duties = view::on_duty(state, &scene.config, scene.now)?;
    let duties = duties.into_iter().map(|duty| {
        let link = Link::to(&duty.person, &address::user(&duty.person));
        (duty.rota, link, scene.time(duty.until))
    });
    let audit = match scene.may(state, Action::Audit, &Target::Master)? {
        true => Some(AuditTable::read(state, scene, None, "/users")?),
        false => None,
    };
    let contents = Contents {
        file: scene.config.permissions.file.clone(),
        columns: whom.iter().map(ToString::to_string).collect(),
        rows: rows.collect(),
        people: people.collect(),
        duties: duties.collect(),
        audit,
    };
    Shown::new("Users", &contents)
}

/// Whether the rules give `action` to `who`.
fn cell(rules: &[PermissionRule], who: &Who, action: Action) -> Cell {
    let everything = ObjectPatterns::default();
    let own = rules.iter().filter(|rule| rule.who.contains(who));
    let forbids = |rule: &PermissionRule| rule.may_not.contains(action);
    if own
        .clone()
        .any(|rule| forbids(rule) && rule.on == everything)
    {
        return Cell::Never;
    }
    let mut allowing = own
        .clone()
        .filter(|rule| rule.may.contains(action))
        .peekable();
    match (
        allowing.peek().is_some(),
        allowing.any(|rule| rule.on == everything),
    ) {
        (false, _) => Cell::No,
        (true, true) if !own.clone().any(forbids) => Cell::Yes,
        (true, _) => Cell::Some,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use crate::web::testing::{Farm, PEOPLE};

    #[test]
    fn may_05_those_who_may_see_the_rules_the_users_and_the_audit_log() {
        let force = "[[permissions]]\nwho = [\"logged-in\"]\nmay = [\"force\"]\n\
                     on = { builders = [\"linux\"] }\n";
        Farm::with(&format!("{PEOPLE}{force}")).visit(async |visitor| {
            assert_eq!(visitor.get("/users").await.status, StatusCode::UNAUTHORIZED);
            visitor.log_in("bob", "b").await;
            let denied = visitor.get("/users").await;
            assert_eq!(denied.status, StatusCode::FORBIDDEN);
            assert!(denied.text.contains(r#"ann</a> may do it."#), "{}", denied.text);
            visitor.post("/queue/1/cancel", &[]).await;
            visitor.session = None;
            visitor.log_in("ann", "a").await;
            visitor.audit().await;
            let page = visitor.get("/users").await.text;
            for part in [
                r#"<th scope="col">role:admins</th>"#,
                r#"<th scope="row" class="m">force</th><td class="s d k">force builds</td><td><span class="d">no</span></td><td><span class="p ok">yes</span></td><td><span class="p ok">some</span></td>"#,
                r#"<a href="/users/ann">ann</a>"#,
                "ann@example.org",
                "logged in",
            ] {
                assert!(page.contains(part), "{part}: {page}");
            }
        });
    }
    #[test]
    fn esc_10_who_is_on_duty_has_the_rights_of_a_sheriff() {
        let duty = "[[duty]]\nname = \"build\"\npeople = [\"bob\"]\ntime_zone = \"UTC\"\n\
                    [[permissions]]\nwho = [\"role:sheriff\"]\nmay = [\"users\"]\n";
        Farm::with(&format!("{PEOPLE}{duty}")).visit(async |visitor| {
            visitor.log_in("bob", "b").await;
            let page = visitor.get("/users").await;
            assert_eq!(page.status, StatusCode::OK);
            let on_duty = r#"build: <a href="/users/bob">bob</a></span><span class="d">until"#;
            assert!(page.text.contains(on_duty), "{}", page.text);
            let own = visitor.get("/users/bob").await.text;
            assert!(own.contains("on duty (build) until"), "{own}");
            let users = visitor.get("/api/v1/users/bob").await.text;
            assert!(users.contains("sheriff"), "{users}");
        });
    }
}
