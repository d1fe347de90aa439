//! The register of people: those of the configuration and those of the state as one list, and whose
//! a name in a version control system is (WHO-03, WHO-05).

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Attribute, AttributeKind, Person};

/// All people, by name.
#[derive(Clone, Debug, Default)]
pub struct Register {
    people: BTreeMap<String, Person>,
    /// The names of the people that the configuration has.
    configured: BTreeSet<String>,
}

/// What a person was recognized by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FoundBy {
    /// The exact text under the version control system.
    Identity,
    /// The mail address in the text.
    Email,
    /// The exact text under `any`.
    Any,
}

impl Register {
    /// The people of the configuration and those of the state. What the configuration says of
    /// somebody counts, and what the state says is added to it; an identity that the configuration
    /// gives to a person is nobody else's.
    #[must_use]
    pub fn new<'p>(
        configured: impl IntoIterator<Item = &'p Person>,
        stored: impl IntoIterator<Item = Person>,
    ) -> Self {
        let mut register = Self::default();
        let mut taken = BTreeSet::new();
        for person in configured {
            let identities = person.attributes.iter();
            taken.extend(identities.filter(|a| a.kind.identifies()).cloned());
            register.configured.insert(person.name.clone());
            register.people.insert(person.name.clone(), person.clone());
        }
        for mut person in stored {
            person.attributes.retain(|a| !taken.contains(a));
            let known = register.people.entry(person.name.clone());
            let known = known.or_insert_with(|| Person {
                name: person.name.clone(),
                ..Person::default()
            });
            known.attributes.append(&mut person.attributes);
            known.roles.append(&mut person.roles);
        }
        register
    }

    /// All people, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Person> {
        self.people.values()
    }

    /// The person of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Person> {
        self.people.get(name)
    }

    /// Whether the configuration has the person.
    #[must_use]
    pub fn is_configured(&self, name: &str) -> bool {
        self.configured.contains(name)
    }

    /// The person who has this identity.
    #[must_use]
    pub fn owner_of(&self, attribute: &Attribute) -> Option<&Person> {
        let mut people = self.iter();
        people.find(|person| person.attributes.contains(attribute))
    }

    /// The person who has this mail address.
    #[must_use]
    pub fn of_email(&self, address: &str) -> Option<&Person> {
        self.iter().find(|person| has_email(person, address))
    }

    /// The person whom `who`, the author text of a change in the version control system `vc`,
    /// means (WHO-03).
    #[must_use]
    pub fn person(&self, vc: AttributeKind, who: &str) -> Option<(&Person, FoundBy)> {
        let exact = |kind| {
            let value = who.to_owned();
            self.owner_of(&Attribute { kind, value })
        };
        if let Some(person) = exact(vc) {
            return Some((person, FoundBy::Identity));
        }
        if let Some(person) = address_in(who).and_then(|address| self.of_email(address)) {
            return Some((person, FoundBy::Email));
        }
        let person = exact(AttributeKind::Any)?;
        Some((person, FoundBy::Any))
    }
}

/// The mail address in a text: between `<` and `>`, or the whole.
fn address_in(who: &str) -> Option<&str> {
    let address = match who.rsplit_once('<') {
        Some((_, rest)) => rest.split_once('>')?.0,
        None => who,
    };
    let address = address.trim();
    address.contains('@').then_some(address)
}

/// The host is compared in any case, and the part before it as it is.
fn has_email(person: &Person, address: &str) -> bool {
    let mut emails = person.attributes.iter();
    emails.any(|attribute| {
        let known = attribute.value.as_str();
        attribute.kind == AttributeKind::Email
            && match (known.rsplit_once('@'), address.rsplit_once('@')) {
                (Some((name, host)), Some((other, other_host))) => {
                    name == other && host.eq_ignore_ascii_case(other_host)
                }
                _ => known == address,
            }
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use serde_json::Value;

    use super::*;

    fn person(name: &str, attributes: &[(AttributeKind, &str)]) -> Person {
        let attributes = attributes.iter().map(|(kind, value)| Attribute {
            kind: *kind,
            value: (*value).to_owned(),
        });
        Person {
            name: name.to_owned(),
            attributes: attributes.collect(),
            roles: BTreeSet::new(),
        }
    }

    fn of_case(user: &Value) -> Person {
        let mut attributes = Vec::new();
        for (kind, values) in user.as_object().unwrap() {
            let Some(kind) = AttributeKind::named(kind) else {
                assert_eq!(kind, "name");
                continue;
            };
            let values = values.as_array().unwrap().iter();
            attributes.extend(values.map(|value| (kind, value.as_str().unwrap())));
        }
        person(user["name"].as_str().unwrap(), &attributes)
    }

    #[test]
    fn who_03_all_cases_of_people() {
        let cases: Value =
            serde_json::from_str(include_str!("../../tests/data/people-cases.json")).unwrap();
        let cases = cases["cases"].as_array().unwrap().iter();
        let cases: Vec<_> = cases.filter(|case| case["area"] == "person").collect();
        assert_eq!(cases.len(), 12);
        for case in cases {
            let given = &case["given"];
            let users = given["users"].as_array().unwrap().iter().map(of_case);
            let register = Register::new([], users);
            let vc = AttributeKind::named(given["vc"].as_str().unwrap()).unwrap();
            let found = register.person(vc, given["who"].as_str().unwrap());
            let by = found.map(|(_, by)| match by {
                FoundBy::Identity => "identity",
                FoundBy::Email => "e-mail",
                FoundBy::Any => "any",
            });
            let name = found.map(|(person, _)| person.name.as_str());
            assert_eq!(case["expect"]["person"].as_str(), name, "{}", case["id"]);
            assert_eq!(case["expect"]["by"].as_str(), by, "{}", case["id"]);
        }
    }

    #[test]
    fn who_05_the_configuration_wins_over_the_state() {
        let configured = person("ann", &[(AttributeKind::Email, "ann@corp.example")]);
        let stored = [
            person("ann", &[(AttributeKind::Irc, "ann_")]),
            person("eve", &[(AttributeKind::Email, "ann@corp.example")]),
        ];
        let register = Register::new([&configured], stored);
        assert_eq!(register.get("ann").unwrap().attributes.len(), 2);
        assert!(register.get("eve").unwrap().attributes.is_empty());
        assert!(register.is_configured("ann") && !register.is_configured("eve"));
        let (found, _) = register
            .person(AttributeKind::Git, "x <ann@corp.example>")
            .unwrap();
        assert_eq!(found.name, "ann");
    }
}
