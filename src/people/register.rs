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
    /// The domain of the mail addresses of authors that are a bare name.
    domain: Option<String>,
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
    /// The mail address that the text and the domain of the configuration make.
    Domain,
}

/// The role of whoever is on duty (ESC-10).
pub const SHERIFF: &str = "sheriff";

/// The role of who runs the machines (INF-05).
pub const OPERATOR: &str = "operator";

impl Register {
    /// The people of the configuration and those known from elsewhere, who may come several times.
    /// What the configuration says of somebody counts, and what the others say is added to it; an
    /// identity belongs to the first who has it.
    #[must_use]
    pub fn new<'p>(
        configured: impl IntoIterator<Item = &'p Person>,
        others: impl IntoIterator<Item = Person>,
    ) -> Self {
        let mut register = Self::default();
        let mut taken = BTreeSet::new();
        for person in configured {
            let identities = person.attributes.iter();
            taken.extend(identities.filter(|a| a.kind.identifies()).cloned());
            register.configured.insert(person.name.clone());
            register.people.insert(person.name.clone(), person.clone());
        }
        for mut person in others {
            person.attributes.retain(|a| !taken.contains(a));
            let identities = person.attributes.iter();
            let identities = identities.filter(|a| a.kind.identifies()).cloned();
            taken.extend(identities);
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

    /// With the domain of the mail addresses of authors that are a bare name.
    #[must_use]
    pub fn with_domain(self, domain: Option<String>) -> Self {
        Self { domain, ..self }
    }

    /// With people who are on duty, and so have the role [`SHERIFF`].
    #[must_use]
    pub fn with_sheriffs<'p>(mut self, names: impl IntoIterator<Item = &'p str>) -> Self {
        for name in names {
            if let Some(person) = self.people.get_mut(name) {
                person.roles.insert(SHERIFF.to_owned());
            }
        }
        self
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
        if let Some(person) = self.exactly(vc, who) {
            return Some((person, FoundBy::Identity));
        }
        self.otherwise(who)
    }

    /// The person whom `who` means, whatever version control system the change is in.
    #[must_use]
    pub fn person_in_any(&self, who: &str) -> Option<(&Person, FoundBy)> {
        let kinds = AttributeKind::ALL.into_iter();
        let mut kinds = kinds.filter(|kind| *kind != AttributeKind::Any);
        if let Some(person) = kinds.find_map(|kind| self.exactly(kind, who)) {
            return Some((person, FoundBy::Identity));
        }
        self.otherwise(who)
    }

    /// The person who has exactly this text.
    fn exactly(&self, kind: AttributeKind, who: &str) -> Option<&Person> {
        let value = who.to_owned();
        self.owner_of(&Attribute { kind, value })
    }

    /// The person whom `who` means, which is nobody's name in a version control system.
    fn otherwise(&self, who: &str) -> Option<(&Person, FoundBy)> {
        if let Some(person) = address_in(who).and_then(|address| self.of_email(address)) {
            return Some((person, FoundBy::Email));
        }
        if let Some(person) = self.exactly(AttributeKind::Any, who) {
            return Some((person, FoundBy::Any));
        }
        let person = self.of_email(&self.in_domain(who)?)?;
        Some((person, FoundBy::Domain))
    }

    /// The mail address of `who`: the first that the person has, else the one that the text and the
    /// domain make, else the one in the text (MAL-06).
    #[must_use]
    pub fn address(&self, vc: Option<AttributeKind>, who: &str) -> Option<String> {
        let found = match vc {
            Some(vc) => self.person(vc, who),
            None => self.person_in_any(who),
        };
        let attributes = found.into_iter().flat_map(|(person, _)| &person.attributes);
        let mut emails = attributes.filter(|known| known.kind == AttributeKind::Email);
        let own = emails.next().map(|email| email.value.clone());
        own.or_else(|| self.in_domain(who))
            .or_else(|| address_in(who).map(str::to_owned))
    }

    /// The mail address of a bare name in the domain of the configuration, if it has one.
    fn in_domain(&self, who: &str) -> Option<String> {
        let domain = self.domain.as_ref()?;
        let is_odd = |c: char| c == '@' || c == '<' || c.is_whitespace() || c.is_control();
        (!who.is_empty() && !who.contains(is_odd)).then(|| format!("{who}@{domain}"))
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
                FoundBy::Domain => "domain",
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
    #[test]
    fn who_05_an_identity_is_the_first_ones_who_has_it() {
        let email = [(AttributeKind::Email, "a@x")];
        let register = Register::new([], [person("ann", &email), person("eve", &email)]);
        assert!(register.get("eve").unwrap().attributes.is_empty());
        let twice = [
            person("ann", &email),
            person("ann", &[(AttributeKind::Irc, "a")]),
        ];
        let register = Register::new([], twice);
        assert_eq!(register.get("ann").unwrap().attributes.len(), 2);
    }

    #[test]
    fn who_05_mal_06_a_bare_name_is_looked_up_in_the_domain() {
        let ann = person("ann", &[(AttributeKind::Email, "annie@example.org")]);
        let bob = person(
            "bob",
            &[
                (AttributeKind::Email, "bob@home.example"),
                (AttributeKind::Svn, "bobby"),
            ],
        );
        let register = Register::new([], [ann, bob]);
        let found = |register: &Register, who: &str| {
            let found = register.person_in_any(who);
            found.map(|(person, by)| (person.name.clone(), by))
        };
        assert_eq!(found(&register, "annie"), None);
        assert_eq!(register.address(None, "annie"), None);
        let register = register.with_domain(Some("example.org".to_owned()));
        let annie = Some(("ann".to_owned(), FoundBy::Domain));
        assert_eq!(found(&register, "annie"), annie);
        for odd in ["", "annie lee", "annie@", "<annie"] {
            assert_eq!(found(&register, odd), None, "{odd}");
        }
        let address = |who: &str| register.address(None, who);
        assert_eq!(address("bobby").as_deref(), Some("bob@home.example"));
        assert_eq!(address("cid").as_deref(), Some("cid@example.org"));
        assert_eq!(address("Eve <eve@x>").as_deref(), Some("eve@x"));
        assert_eq!(address("Eve Lee"), None);
        assert_eq!(
            register.address(Some(AttributeKind::Git), "bobby").unwrap(),
            "bobby@example.org"
        );
    }

    #[test]
    fn esc_10_who_is_on_duty_has_the_role() {
        let register = Register::new([], [person("ann", &[]), person("bob", &[])]);
        let register = register.with_sheriffs(["bob", "nobody"]);
        assert!(register.get("ann").unwrap().roles.is_empty());
        assert!(register.get("bob").unwrap().roles.contains(SHERIFF));
        assert!(register.get("nobody").is_none());
    }
}
