//! `[people]`: users of the master, what else they are called, and how they log in (WHO-05).

use serde::Serialize;

use super::passwords;
use super::reader::{Table, Value};
use super::secret::Secret;
use super::shape::{Shape, of};
use crate::model::{Attribute, AttributeKind, Person};
use crate::pb::hashed::Hashed;

/// A person of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PersonConfig {
    /// Name, attributes and roles.
    #[serde(flatten)]
    pub person: Person,
    /// The password, which may be an argon2 hash; absent: that of the register, if there is one.
    pub password: Option<Secret>,
}

pub(super) static SHAPE: Shape = Shape {
    place: "people",
    noun: "person",
    keys: &[
        "roles",
        "password",
        "password_file",
        "password_env",
        "git",
        "svn",
        "hg",
        "bzr",
        "cvs",
        "darcs",
        "p4",
        "mtn",
        "tla",
        "any",
        "email",
        "irc",
        "jid",
        "login",
        "zone",
        "language",
        "quiet_hours",
        "notify",
    ],
    kinds: Vec::new,
};

/// Names that permissions use for groups, which nobody can have.
const RESERVED: [&str; 3] = ["anyone", "logged-in", "owner"];

/// Reads all people, in the order of the file.
pub(super) fn read(root: &mut Table<'_>) -> Vec<PersonConfig> {
    let entries = root.take("people").map(|people| people.entries());
    let mut people: Vec<PersonConfig> = Vec::new();
    for (name, value) in entries.into_iter().flatten() {
        if !is_name(name) {
            let message = format!("`{}` cannot be the name of a person", name.escape_debug());
            let help = "use printable characters without `:`, and not `anyone`, `logged-in` or \
                        `owner`";
            value.sink.error(value.key_span.clone(), message, help);
        }
        let Some(person) = read_person(name, &value) else {
            continue;
        };
        for attribute in &person.person.attributes {
            let mut others = people.iter();
            let other = others.find(|other| other.person.attributes.contains(attribute));
            if let (Some(other), true) = (other, attribute.kind.identifies()) {
                let message = format!(
                    "the people `{}` and `{name}` have the same {} {:?}",
                    other.person.name, attribute.kind, attribute.value
                );
                let help = "give it to one of them";
                value.sink.error(value.key_span.clone(), message, help);
            }
        }
        people.push(person);
    }
    people
}

/// Whether somebody can be called `name`.
#[must_use]
pub fn is_name(name: &str) -> bool {
    !name.trim().is_empty()
        && !name.contains(|c: char| c.is_control() || c == ':')
        && !RESERVED.contains(&name)
}

fn read_person(name: &str, value: &Value<'_>) -> Option<PersonConfig> {
    let mut table = value.table(&SHAPE)?;
    table.label = format!("person `{name}`").into();
    let mut person = Person {
        name: name.to_owned(),
        ..Person::default()
    };
    table.set("roles", &mut person.roles, |value| {
        let entries = value.one_or_list()?;
        let names = entries.iter().filter_map(Value::name);
        Some(names.map(str::to_owned).collect())
    });
    for kind in AttributeKind::ALL {
        let entries = table.take(kind.name()).and_then(|v| v.one_or_list());
        for entry in entries.into_iter().flatten() {
            person
                .attributes
                .extend(entry.name().map(|value| Attribute {
                    kind,
                    value: value.to_owned(),
                }));
        }
    }
    let mut keys = passwords::KEYS.into_iter();
    let password = keys.find_map(|key| table.place(key));
    let password = password.and_then(|place| {
        let secret = table.password(true)?;
        if let Secret::Inline(text) = &secret
            && !Hashed::looks_like(text.as_bytes())
        {
            let message = format!("{} is in clear", of("password", &table.label));
            let help = "write the output of `buildmaster hash-password`, or `password_file`";
            table.sink.warning(place, message, help);
        }
        Some(secret)
    });
    table.finish();
    Some(PersonConfig { person, password })
}
