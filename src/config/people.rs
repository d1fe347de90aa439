//! `[people]`: users of the master, what else they are called, and how they log in (WHO-05); and
//! where others are looked up.

use std::time::Duration;

use serde::Serialize;

use super::passwords;
use super::programs::{self, AskedProgram};
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

/// Where people are looked up whom neither the configuration nor the register has.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PeopleLookup {
    /// What lists people as JSON lines: once an hour, if it does not say how often.
    #[serde(flatten)]
    pub program: Option<AskedProgram>,
    /// The domain of the mail addresses of authors that are a bare name.
    pub domain: Option<String>,
}

/// How long the answer of the command counts.
const EVERY: Duration = Duration::from_secs(3600);

/// How long the command may take.
const TIMEOUT: Duration = Duration::from_secs(60);

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

/// Reads all people, in the order of the file, and where others are looked up.
pub(super) fn read(root: &mut Table<'_>) -> (Vec<PersonConfig>, PeopleLookup) {
    let entries = root.take("people").map(|people| people.entries());
    let (mut people, mut lookup): (Vec<PersonConfig>, PeopleLookup) = Default::default();
    let mut every = EVERY;
    for (name, value) in entries.into_iter().flatten() {
        // Somebody may be called as a setting is; a person is a table.
        if !value.data().is_table() && read_setting(name, &value, &mut lookup, &mut every) {
            continue;
        }
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
    if let Some(program) = &mut lookup.program {
        program.every = every;
    }
    (people, lookup)
}

/// Takes a setting of the table; false if it is none.
fn read_setting(
    name: &str,
    value: &Value<'_>,
    lookup: &mut PeopleLookup,
    every: &mut Duration,
) -> bool {
    match name {
        "command" => {
            let command = programs::command(value, "nobody is looked up");
            lookup.program = command.map(|command| AskedProgram {
                command,
                every: EVERY,
                timeout: TIMEOUT,
            });
        }
        "every" => {
            *every = value.duration(programs::EVERY).unwrap_or(*every);
        }
        "domain" => lookup.domain = read_domain(value),
        _ => return false,
    }
    true
}

fn read_domain(value: &Value<'_>) -> Option<String> {
    let domain = value.name()?.trim_start_matches('@');
    if domain.is_empty() || domain.contains(|c: char| c == '@' || c.is_whitespace()) {
        value.error("is not a domain", "for example `\"example.org\"`");
        return None;
    }
    Some(domain.to_owned())
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
            let is_address =
                |value: &Value<'_>| value.data().as_str().is_none_or(|t| t.contains('@'));
            if kind == AttributeKind::Email && !is_address(&entry) {
                entry.error("is not a mail address", "for example `ann@example.org`");
            }
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::config::{Config, parse};
    use crate::model::Zone;

    fn read(text: &str) -> Result<Config, String> {
        let read = parse(text, "master.toml", &Ok(Zone::UTC));
        let read = read.map(|(config, _)| config);
        read.map_err(|errors| errors.errors.first().unwrap().message.clone())
    }

    #[test]
    fn who_05_a_command_and_a_domain_are_settings_beside_the_people() {
        let text = "[people]\ncommand = [\"list\", \"all\"]\nevery = \"5m\"\ndomain = \"@x.org\"\n\
                    [people.ann]\n[people.Every]\n";
        let config = read(text).unwrap();
        let lookup = PeopleLookup {
            program: Some(AskedProgram {
                command: vec!["list".to_owned(), "all".to_owned()],
                every: Duration::from_secs(300),
                timeout: TIMEOUT,
            }),
            domain: Some("x.org".to_owned()),
        };
        assert_eq!(config.people_lookup, lookup);
        assert_eq!(config.people.len(), 2);
        // A person is a table, whatever its name is.
        let config = read("[people.command]\nemail = \"c@x\"\n").unwrap();
        assert_eq!(config.people_lookup, PeopleLookup::default());
        assert_eq!(config.people[0].person.name, "command");
    }

    #[test]
    fn who_05_mistakes_in_the_lookup_are_told() {
        let mistake = |line: &str| read(&format!("[people]\n{line}\n")).unwrap_err();
        assert!(mistake("command = []").contains("names no program"));
        assert!(mistake("domain = \"a b\"").contains("is not a domain"));
        assert!(mistake("every = \"soon\"").contains("is not a duration"));
        assert!(mistake("ann = 7").contains("table"));
    }
}
