//! What needs a permission, in words, and who has it.

use super::address;
use super::reader::Reader;
use crate::config::{Config, Who};
use crate::control::{Target, object};
use crate::model::{Action, Object, Timestamp};
use crate::people::{Actor, may};
use crate::store::{State, StoreError};
use crate::text::and;
use crate::view;

/// Maximum number of people that a sentence names.
const PEOPLE: usize = 6;

/// Why a reader may not do something, for the page that says so.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Denied {
    /// `stop builds of package`
    pub(super) what: String,
    /// The name of the permission.
    pub(super) action: &'static str,
    /// The thing, in words; empty for the master as a whole.
    pub(super) object: String,
    /// The roles of the reader.
    pub(super) roles: Vec<String>,
    /// Whom the rules allow it; empty: nobody.
    pub(super) who: String,
    /// People who may: name and page.
    pub(super) people: Vec<(String, String)>,
    /// The page to go back to.
    pub(super) back: String,
}

impl Denied {
    /// Who may, in a sentence: `The permission stop on builder package is given to release.`
    pub(super) fn sentence(&self) -> String {
        let Self {
            action,
            object,
            who,
            ..
        } = self;
        let on = match object.as_str() {
            "" => String::new(),
            object => format!(" on {object}"),
        };
        match who.as_str() {
            "" => format!("No rule gives the permission {action}{on} to anybody."),
            who => format!("The permission {action}{on} is given to {who}."),
        }
    }

    /// Why `reader` may not do `action` to `target`, and who may.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(super) fn new(
        state: &State,
        config: &Config,
        (reader, now): (&Reader, Timestamp),
        (action, target): (Action, &Target),
        back: String,
    ) -> Result<Self, StoreError> {
        let object = object(state, config, target)?;
        let register = view::register_at(state, config, now)?;
        let able = register.iter().filter(|person| {
            let actor = Actor::Person {
                name: person.name.clone(),
                roles: person.roles.clone(),
            };
            may(&config.permissions, &actor, None, action, &object).is_allowed()
        });
        let able = able.map(|person| (person.name.clone(), address::user(&person.name)));
        let what = may_do(action);
        Ok(Self {
            what: match target.to_string().as_str() {
                "" => what.to_owned(),
                target => format!("{what} ({target})"),
            },
            action: action.name(),
            object: target.to_string(),
            roles: match &reader.caller().actor {
                Actor::Person { roles, .. } => roles.iter().cloned().collect(),
                Actor::Stranger | Actor::Local { .. } => Vec::new(),
            },
            who: who_may(config, action, &object),
            people: able.take(PEOPLE).collect(),
            back,
        })
    }
}

/// Whom the rules allow `action` on `object`: `developers and ann`; empty: nobody.
pub(super) fn who_may(config: &Config, action: Action, object: &Object) -> String {
    let rules = config.permissions.rules.iter();
    let rules = rules.filter(|rule| rule.may.contains(action) && rule.on.covers(object));
    let mut who: Vec<String> = Vec::new();
    for named in rules.flat_map(|rule| &rule.who) {
        let named = match named {
            Who::Anyone => "anyone".to_owned(),
            Who::LoggedIn => "everybody who has logged in".to_owned(),
            Who::Owner => "whose it is".to_owned(),
            Who::Role(role) => role.clone(),
            Who::Person(name) => name.clone(),
        };
        if !who.contains(&named) {
            who.push(named);
        }
    }
    and(&who)
}

/// What one may do with a permission: `force builds`.
pub(super) const fn may_do(action: Action) -> &'static str {
    match action {
        Action::View => "look at pages and logs",
        Action::Force => "force builds",
        Action::Rebuild => "repeat builds",
        Action::Stop => "stop builds",
        Action::Cancel => "cancel requests",
        Action::Ping => "ping slaves",
        Action::PauseSlave => "pause slaves",
        Action::StopSlave => "shut slaves down",
        Action::PauseBuilder => "pause builders",
        Action::Shutdown => "stop the master",
        Action::Reconfigure => "reconfigure the master",
        Action::Problem => "take problems and write notes",
        Action::Search => "search for the change that broke something",
        Action::Outbox => "retry or drop letters",
        Action::Users => "manage users and see what they may do",
        Action::Audit => "read the audit log",
        Action::Poll => "make change sources poll",
        Action::Try => "submit try jobs",
        Action::Submit => "submit changes",
    }
}
