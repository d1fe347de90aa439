//! `.mailmap`: which names and addresses in the commits of Git are one person's (WHO-05).

use std::collections::{BTreeMap, BTreeSet};

use super::Register;
use crate::model::{Attribute, AttributeKind};

/// A person of a `.mailmap` file.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct MailmapPerson {
    /// The name, as the file spells it last; empty if it names none.
    pub name: String,
    /// All addresses.
    pub emails: BTreeSet<String>,
}

/// What a `.mailmap` file adds to the register of a person.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Addition {
    /// The person.
    pub name: String,
    /// Whether the register lacks the person.
    pub is_new: bool,
    /// What the register lacks of the person.
    pub attributes: BTreeSet<Attribute>,
}

/// Largest file in bytes.
pub const LARGEST_MAILMAP: u64 = 1024 * 1024;

/// The people of a file, by their address. Lines that are not as Git has them are left out.
#[must_use]
pub fn parse_mailmap(text: &str) -> BTreeMap<String, MailmapPerson> {
    let mut people: BTreeMap<String, MailmapPerson> = BTreeMap::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let Some((name, proper, rest)) = name_and_email(line) else {
            continue;
        };
        let person = people.entry(proper.to_owned()).or_default();
        if !name.is_empty() {
            name.clone_into(&mut person.name);
        }
        person.emails.insert(proper.to_owned());
        if let Some((_, email, _)) = name_and_email(rest) {
            person.emails.insert(email.to_owned());
        }
    }
    people
}

/// The name, the address and the rest of `Name <address> rest`.
fn name_and_email(text: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = text.split_once('<')?;
    let (email, rest) = rest.split_once('>')?;
    let email = email.trim();
    let is_email = email.contains('@') && !email.contains(char::is_whitespace);
    is_email.then(|| (name.trim(), email, rest))
}

/// What `register` lacks of the people of a file. Who has one of the addresses is that person;
/// somebody new is called as the file says.
#[must_use]
pub fn additions(people: &BTreeMap<String, MailmapPerson>, register: &Register) -> Vec<Addition> {
    let mut additions: Vec<Addition> = Vec::new();
    for person in people.values() {
        let mut emails = person.emails.iter();
        let known = emails.find_map(|email| register.of_email(email));
        let name = match known {
            Some(known) => known.name.clone(),
            None if person.name.is_empty() => continue,
            None => person.name.clone(),
        };
        let emails = person.emails.iter();
        let missing = emails.filter(|email| register.of_email(email).is_none());
        let missing = missing.map(|email| Attribute {
            kind: AttributeKind::Email,
            value: email.clone(),
        });
        let missing: BTreeSet<_> = missing.collect();
        if missing.is_empty() {
            continue;
        }
        // Two addresses may be of people with one name.
        match additions.iter_mut().find(|earlier| earlier.name == name) {
            Some(earlier) => earlier.attributes.extend(missing),
            None => additions.push(Addition {
                is_new: register.get(&name).is_none(),
                name,
                attributes: missing,
            }),
        }
    }
    additions
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Person;

    const FILE: &str = "# people\nAnn Example <ann@example.org>\nAnn Example <ann@example.org> <ann@home>\n\
                        <bob@example.org> Bob <bob@old>  # moved\nCid <cid@example.org> cid <cid>\n\
                        Dee <dee@example.org> <d@old>\nnonsense\n<no address>\n";

    fn shown(people: &[Person]) -> Vec<String> {
        let register = Register::new([], people.iter().cloned());
        let all = additions(&parse_mailmap(FILE), &register).into_iter();
        let shown = all.map(|addition| {
            let emails: Vec<_> = addition.attributes.into_iter().map(|a| a.value).collect();
            let new = if addition.is_new { "new " } else { "" };
            format!("{new}{}: {}", addition.name, emails.join(" "))
        });
        shown.collect()
    }

    #[test]
    fn who_05_a_mailmap_has_the_addresses_of_people() {
        let expected = [
            "new Ann Example: ann@example.org ann@home",
            "new Cid: cid@example.org",
            "new Dee: d@old dee@example.org",
        ];
        assert_eq!(shown(&[]), expected);
    }

    #[test]
    fn who_05_who_has_one_of_the_addresses_is_that_person() {
        let person = |name: &str, email: &str| Person {
            name: name.to_owned(),
            attributes: BTreeSet::from([Attribute {
                kind: AttributeKind::Email,
                value: email.to_owned(),
            }]),
            roles: BTreeSet::new(),
        };
        let people = [
            person("ann", "ann@home"),
            person("bob", "bob@old"),
            person("Cid", "cid@EXAMPLE.org"),
            // The same name with another address.
            person("Dee", "dee@elsewhere"),
        ];
        let expected = [
            "ann: ann@example.org",
            "bob: bob@example.org",
            "Dee: d@old dee@example.org",
        ];
        assert_eq!(shown(&people), expected);
    }
}
