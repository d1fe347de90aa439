//! Who gets a mail, and at which addresses (MAL-05, MAL-06).

use std::collections::{BTreeMap, BTreeSet};

use crate::config::{MailLookup, is_recipient};
use crate::model::AttributeKind;
use crate::people::Register;

/// Recipients of a mail, each address once.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Recipients {
    pub(super) to: Vec<String>,
    pub(super) cc: Vec<String>,
}

impl Recipients {
    /// The interested users whose addresses are known, and the extra ones: these in Cc, or in To if
    /// there is nobody else.
    pub(super) fn new(interested: Vec<String>, extra: &[String]) -> Self {
        let mut seen = BTreeSet::new();
        let mut once = |address: &String| seen.insert(bare(address).to_ascii_lowercase());
        let to: Vec<_> = interested.into_iter().filter(&mut once).collect();
        let extra: Vec<_> = extra.iter().filter(|one| once(one)).cloned().collect();
        if to.is_empty() {
            return Self {
                to: extra,
                cc: Vec::new(),
            };
        }
        Self { to, cc: extra }
    }

    /// One recipient alone.
    pub(super) fn only(address: &str) -> Self {
        Self {
            to: vec![address.to_owned()],
            cc: Vec::new(),
        }
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = &String> {
        self.to.iter().chain(&self.cc)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.to.is_empty() && self.cc.is_empty()
    }
}

/// The address of a user: that of the register, else the one that the setting gives, else the one
/// in the name. `answers` has what a lookup program has said.
pub(super) fn address(
    who: &str,
    register: &Register,
    lookup: &MailLookup,
    answers: &BTreeMap<String, String>,
) -> Option<String> {
    let found = register.person_in_any(who);
    let attributes = found.into_iter().flat_map(|(person, _)| &person.attributes);
    let mut emails = attributes.filter(|known| known.kind == AttributeKind::Email);
    if let Some(email) = emails.next() {
        return Some(email.value.clone());
    }
    let given = match lookup {
        MailLookup::Domain(domain) if !who.contains('@') => Some(format!("{who}@{domain}")),
        MailLookup::None | MailLookup::Domain(_) => None,
        MailLookup::Table(table) => table.get(who).cloned(),
        MailLookup::Command(_) => answers.get(who).cloned(),
    };
    let address = given.unwrap_or_else(|| in_name(who).to_owned());
    is_recipient(&address).then_some(address)
}

/// Whether a mail to a person can be sent, as far as the register and the setting say. What a
/// lookup program would say is not known.
pub(in crate::status) fn is_reachable(
    person: &str,
    register: &Register,
    lookup: &MailLookup,
) -> bool {
    matches!(lookup, MailLookup::Command(_))
        || address_of_person(person, register, lookup, &BTreeMap::new()).is_some()
}

/// The address of a person of the register, or of somebody whom a change names.
pub(super) fn address_of_person(
    person: &str,
    register: &Register,
    lookup: &MailLookup,
    answers: &BTreeMap<String, String>,
) -> Option<String> {
    let known = register.get(person);
    let attributes = known.into_iter().flat_map(|known| &known.attributes);
    let mut emails = attributes.filter(|known| known.kind == AttributeKind::Email);
    let own = emails.next().map(|email| email.value.clone());
    own.or_else(|| address(person, register, lookup, answers))
}

/// The address in a name; of two `@`, what follows the last does not belong to it.
fn in_name(who: &str) -> &str {
    match who.rsplit_once('@') {
        Some((address, _)) if address.contains('@') => address,
        Some(_) | None => who,
    }
}

/// The address without the name beside it.
pub(super) fn bare(address: &str) -> &str {
    let rest = address.rsplit_once('<').map_or(address, |(_, rest)| rest);
    rest.trim_end_matches('>')
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use serde_json::{Value, json};

    use super::*;
    use crate::model::{Attribute, Person, interested_users};

    fn texts(list: &Value) -> Vec<String> {
        let list = list.as_array().into_iter().flatten();
        list.map(|text| text.as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn mal_05_mal_06_all_cases_of_recipients() {
        let cases: Value =
            serde_json::from_str(include_str!("../../../tests/data/letter-cases.json")).unwrap();
        let cases = cases["cases"].as_array().unwrap().iter();
        let cases: Vec<_> = cases.filter(|case| case["area"] == "recipient").collect();
        assert_eq!(cases.len(), 11);
        for case in cases {
            let (given, expect) = (&case["given"], &case["expect"]);
            let lookup = MailLookup::Domain(given["lookup"].as_str().unwrap().to_owned());
            let mut properties = crate::model::Properties::new();
            let owners = texts(&given["owners"]);
            properties.set("owners", json!(owners), "test");
            let mut interested = interested_users(&texts(&given["blamelist"]), &properties);
            if given["send_to_interested"] == false {
                interested.clear();
            }
            let register = Register::default();
            let addresses = interested
                .iter()
                .filter_map(|who| address(who, &register, &lookup, &BTreeMap::new()));
            let extra = texts(&given["extra_recipients"]);
            let recipients = Recipients::new(addresses.collect(), &extra);
            if expect["nothing_sent"] == true {
                assert!(recipients.is_empty(), "{}", case["id"]);
                continue;
            }
            assert_eq!(json!(recipients.to), expect["to"], "{}", case["id"]);
            assert_eq!(json!(recipients.cc), expect["cc"], "{}", case["id"]);
            let all = recipients.all();
            let envelope: Vec<_> = all.map(|address| bare(address)).collect();
            assert_eq!(json!(envelope), expect["envelope"], "{}", case["id"]);
        }
    }

    #[test]
    fn mal_06_the_register_comes_before_the_lookup_and_the_name() {
        let person = |name: &str, attributes: &[(AttributeKind, &str)]| Person {
            name: name.to_owned(),
            attributes: attributes
                .iter()
                .map(|(kind, value)| Attribute {
                    kind: *kind,
                    value: (*value).to_owned(),
                })
                .collect(),
            ..Person::default()
        };
        let ann = person(
            "ann",
            &[
                (AttributeKind::Git, "Ann <ann@home>"),
                (AttributeKind::Email, "ann@corp.example"),
            ],
        );
        let register = Register::new([&ann], []);
        let table = BTreeMap::from([("bob".to_owned(), "bob@b.example".to_owned())]);
        let find = |who: &str| address(who, &register, &MailLookup::Table(table.clone()), &table);
        assert_eq!(find("Ann <ann@home>").as_deref(), Some("ann@corp.example"));
        assert_eq!(find("bob").as_deref(), Some("bob@b.example"));
        assert_eq!(
            find("cid <cid@c.example>").as_deref(),
            Some("cid <cid@c.example>")
        );
        assert_eq!(find("dora"), None);
    }
}
