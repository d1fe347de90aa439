//! What people set themselves (WEB, `/users/U/settings`).
//!
//! The decision: a person sets what concerns nobody else, without a permission: the time zone, the
//! language, quiet hours, and how to be told ([`AttributeKind::is_own`]). Names in version control
//! systems, mail addresses, nicks and logins say which changes and builds are the person's, and so
//! may give the rights of an owner. Whoever has the permission `users` gives them, or the login
//! provider that has verified the address (WHO-04); nobody takes them.

use std::collections::BTreeSet;

use super::acts::{Need, NotDone};
use super::{Caller, Control, Target};
use crate::model::journal::PersonOp;
use crate::model::{Action, Attribute, AttributeKind, Op, Outcome, QuietHours, Zone};
use crate::people::Actor;

/// Longest value of a setting, in bytes.
const LONGEST: usize = 200;

impl Control {
    /// Replaces what `caller` has set. The audit log has it in the same transaction.
    ///
    /// # Errors
    /// Nothing has changed: the caller is nobody, an attribute is not one that people set, or has a
    /// wrong value.
    pub async fn set_own(
        &self,
        caller: &Caller,
        settings: BTreeSet<Attribute>,
    ) -> Result<(), NotDone> {
        let Actor::Person { name, .. } = &caller.actor else {
            return Err("only a user who has logged in has settings"
                .to_owned()
                .into());
        };
        check(&settings)?;
        self.admit("nothing has changed").await?;
        let changing = self.changing().await?;
        let mut person = changing.stored(name);
        person
            .attributes
            .retain(|attribute| !attribute.kind.is_own());
        person.attributes.extend(settings);
        let need = Need {
            action: Action::View,
            target: Target::User(name.clone()),
            what: "changed their settings".to_owned(),
            reason: String::new(),
        };
        let ground = "the settings of one's own".to_owned();
        let record = self.record(caller, &need, Outcome::Done, ground);
        let at = changing.at;
        let saved = Op::Person(Box::new(PersonOp::Saved { person, at }));
        self.writer
            .write_and_wait(vec![saved, Op::Audited(record)])
            .await;
        Ok(())
    }
}

impl Control {
    /// The time zone of a person, by the configuration or else the register.
    ///
    /// # Errors
    /// The state cannot be read.
    pub async fn zone_of(&self, name: &str) -> Result<Option<Zone>, String> {
        let config = self.config();
        let mut people = config.people.iter();
        let configured = people.find(|known| known.person.name == name);
        let attributes = configured
            .into_iter()
            .flat_map(|known| &known.person.attributes);
        let mut zones = attributes.filter(|attribute| attribute.kind == AttributeKind::Zone);
        if let Some(zone) = zones.find_map(|attribute| Zone::named(&attribute.value)) {
            return Ok(Some(zone));
        }
        let name = name.to_owned();
        let read = self.reader().read(move |state| state.zone_of(&name)).await;
        let value = read.map_err(|error| error.to_string())?;
        Ok(value.and_then(|value| Zone::named(&value)))
    }
}

fn check(settings: &BTreeSet<Attribute>) -> Result<(), String> {
    for Attribute { kind, value } in settings {
        if !kind.is_own() {
            return Err(format!(
                "only somebody with the permission `users` can set the {kind}"
            ));
        }
        if value.len() > LONGEST || value.contains(char::is_control) {
            return Err(format!(
                "the {kind} must be one line of at most {LONGEST} bytes"
            ));
        }
        if *kind == AttributeKind::QuietHours && QuietHours::parse(value).is_none() {
            return Err(format!(
                "{value:?} are not quiet hours; write \"22:00-07:00\", or \"none\""
            ));
        }
        if *kind == AttributeKind::Zone && Zone::named(value).is_none() {
            return Err(format!(
                "{value:?} is not a time zone; one is \"Europe/Berlin\""
            ));
        }
    }
    Ok(())
}
