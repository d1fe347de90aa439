//! One user: what they broke, their changes, what is known of them, and what they did.

use std::collections::BTreeMap;

use askama::Template;

use super::changes::Row as ChangeRow;
use super::common::{Began, Changes, not_found};
use super::problems::guilty;
use super::users::{AuditTable, mail, register, require};
use crate::model::{Action, ChangeNumber, Judgement, Object};
use crate::people::Register;
use crate::store::State;
use crate::text::and;
use crate::view::{self, Change, Standing};
use crate::web::address;
use crate::web::denied::may_do;
use crate::web::page::{Page, Scene, Shown};
use crate::web::parts::{Outcome, Pill, Time, span};
use crate::web::refusal::Refusal;

pub(in crate::web) const PAGE: Page = Page {
    path: "/users/{user}",
    topics: &["user", "change", "problem"],
    show,
    ..super::users::PAGE
};

/// How many changes are shown, and how many are looked through for them.
const CHANGES: (usize, u32) = (10, 1000);

#[derive(Debug, Template)]
#[template(path = "user.html", config = "src/web/askama.toml")]
struct Contents {
    name: String,
    roles: String,
    mail: String,
    is_self: bool,
    /// The page where the person sets what concerns nobody else.
    settings: String,
    /// The builders that broke with a change of the person.
    broken: Vec<Broken>,
    /// The newest changes of the person.
    changes: Vec<ChangeRow>,
    /// What is known of the person: kind and value.
    attributes: Vec<(&'static str, String)>,
    /// The rotas in which the person is on duty now, and until when.
    duties: Vec<(String, Time)>,
    tokens: Vec<Token>,
    may: String,
    audit: AuditTable,
}

/// A builder that broke.
#[derive(Debug)]
struct Broken {
    pill: Pill,
    began: Began,
    long: String,
}

/// A token, for people.
#[derive(Debug)]
struct Token {
    id: String,
    label: String,
    may: String,
    ends: Time,
    used: Option<Time>,
    has_ended: bool,
}

fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let name = scene.args.part("user");
    let is_self = scene.reader.user() == Some(name);
    if !is_self {
        require(state, scene, Action::Users)?;
    }
    let register = register(state, scene)?;
    let known = register.get(name);
    if known.is_none() && !is_self {
        return Err(not_found("user", name));
    }
    let tokens = state.tokens(Some(name))?.into_iter().map(|row| Token {
        id: row.token.id.to_string(),
        label: row.token.label,
        may: row.token.rights.may.names().collect::<Vec<_>>().join(", "),
        ends: scene.time(row.ended_at.unwrap_or(row.token.ends_at)),
        used: row.used_at.map(|at| scene.time(at)),
        has_ended: row.ended_at.is_some() || row.token.ends_at <= scene.now,
    });
    let attributes = known.into_iter().flat_map(|person| &person.attributes);
    let attributes = attributes.map(|a| (a.kind.name(), a.value.clone()));
    let duties = view::on_duty(state, &scene.config, scene.now)?.into_iter();
    let duties = duties.filter(|duty| duty.person == name);
    let duties = duties.map(|duty| (duty.rota, scene.time(duty.until)));
    let may = Action::ALL
        .into_iter()
        .filter(|&action| is_self && scene.reader.may(&scene.config, action, &Object::default()));
    let roles = known.map(|person| person.roles.iter().cloned().collect::<Vec<_>>());
    let mut theirs = Theirs::new(&register, name);
    let contents = Contents {
        roles: and(roles.unwrap_or_default()),
        mail: known.map(mail).unwrap_or_default(),
        is_self,
        settings: address::settings(name),
        broken: broken(state, scene, &mut theirs)?,
        changes: changes(state, scene, &mut theirs)?,
        attributes: attributes.collect(),
        duties: duties.collect(),
        tokens: tokens.collect(),
        may: and(may
            .map(|action| may_do(action).to_owned())
            .collect::<Vec<_>>()),
        audit: AuditTable::read(state, scene, Some(name), &address::user(name))?,
        name: name.to_owned(),
    };
    Shown::new(name, &contents)
}

/// Which authors of changes a person is, each looked up once.
struct Theirs<'r> {
    register: &'r Register,
    name: &'r str,
    known: BTreeMap<String, bool>,
}

impl<'r> Theirs<'r> {
    const fn new(register: &'r Register, name: &'r str) -> Self {
        Self {
            register,
            name,
            known: BTreeMap::new(),
        }
    }

    /// Whether the author is the person, whatever version control system the change is in.
    fn has(&mut self, who: &str) -> bool {
        if let Some(&known) = self.known.get(who) {
            return known;
        }
        let found = self.register.person_in_any(who);
        let is_theirs = found.is_some_and(|(person, _)| person.name == self.name);
        self.known.insert(who.to_owned(), is_theirs);
        is_theirs
    }
}

fn changes(
    state: &State,
    scene: &Scene,
    theirs: &mut Theirs<'_>,
) -> Result<Vec<ChangeRow>, Refusal> {
    let (shown, looked_at) = CHANGES;
    let newest = state.changes_before(ChangeNumber(u64::MAX), looked_at)?;
    let own = newest.iter().map(Change::from);
    let own = own.filter(|change| theirs.has(&change.who)).take(shown);
    own.map(|change| ChangeRow::read(state, scene, &change))
        .collect()
}

fn broken(state: &State, scene: &Scene, theirs: &mut Theirs<'_>) -> Result<Vec<Broken>, Refusal> {
    let (mut broken, mut changes) = (Vec::new(), Changes::default());
    for (builder, line) in Standing::all(state)? {
        if !line.is_broken() {
            continue;
        }
        let guilty = guilty(state, &line, &mut changes)?;
        if guilty.iter().any(|who| theirs.has(who)) {
            let outcome = Outcome::of(Some(line.result), Some(Judgement::Still));
            broken.push(Broken {
                pill: Pill::link(builder.to_string(), address::builder(&builder), outcome),
                began: Began::new(&builder, line.since, &line.began),
                long: span(scene.since(line.since_at)),
            });
        }
    }
    Ok(broken)
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use crate::web::testing::{Farm, PEOPLE};

    #[test]
    fn anybody_sees_their_own_page_and_logs_out_there() {
        Farm::with(PEOPLE).visit(async |visitor| {
            visitor.log_in("bob", "b").await;
            let page = visitor.get("/users/bob").await;
            assert_eq!(page.status, StatusCode::OK);
            assert!(page.text.contains(r#"href="/logout""#), "{}", page.text);
            let other = visitor.get("/users/ann").await;
            assert_eq!(other.status, StatusCode::FORBIDDEN);
        });
    }

    #[test]
    fn a_person_sees_their_changes_and_what_broke_with_them() {
        Farm::broken_with(PEOPLE).visit(async |visitor| {
            visitor.log_in("bob", "b").await;
            let page = visitor.get("/users/bob").await.text;
            for part in [
                r#"<a class="p fail still" href="/builders/linux">linux<b> still failing</b></a>"#,
                "block: decode without a check",
                "broke linux?",
            ] {
                assert!(page.contains(part), "{part}: {page}");
            }
            assert!(!page.contains("api: ssize_t"), "a change of somebody else");
            visitor.session = None;
            visitor.log_in("ann", "a").await;
            let page = visitor.get("/users/ann").await.text;
            assert!(!page.contains("To see to") && !page.contains("<h2>Changes"));
        });
    }
}
