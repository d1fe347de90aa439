//! Who may do what, and which rule says so (MAY-01, MAY-02).

use std::collections::BTreeSet;
use std::fmt;

use crate::config::{PermissionRule, Permissions, Who};
use crate::model::{Action, Object, TokenRights};

/// Who wants to do something.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Actor {
    /// Somebody who can use the control socket, and so owns the base directory: everything is
    /// allowed.
    Local {
        /// The user name on this machine.
        user: String,
    },
    /// Somebody who has not logged in.
    Stranger,
    /// A person who has logged in.
    Person {
        /// The name of the person.
        name: String,
        /// The roles of the person.
        roles: BTreeSet<String>,
    },
}

/// Whether an act is allowed, and by what.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Decision {
    /// The act is allowed.
    Allowed(Ground),
    /// The act is forbidden.
    Forbidden(Ground),
    /// No rule allows the act.
    NotAllowed,
}

/// What decides.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Ground {
    /// Whoever owns the base directory may do everything.
    Local,
    /// A rule of the configuration.
    Rule {
        /// The name of the file.
        file: String,
        /// The line of the rule.
        line: usize,
    },
    /// The rule that holds if the configuration has none: anyone may view.
    DefaultRule,
    /// The person may, but the token may not.
    Token,
    /// A setting of the door, which allows it to anyone (IRC-09).
    Setting(&'static str),
    /// The link of a mail, which the person was sent (MAL-11).
    Link,
}

impl Decision {
    /// Whether the act is allowed.
    #[must_use]
    pub const fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed(_))
    }
}

impl fmt::Display for Decision {
    /// A sentence without a full stop: `allowed by the permission on line 12 of master.toml`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allowed(ground) => write!(f, "allowed by {ground}"),
            Self::Forbidden(ground) => write!(f, "forbidden by {ground}"),
            Self::NotAllowed => f.write_str("not allowed by any permission"),
        }
    }
}

impl fmt::Display for Ground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("owning the base directory"),
            Self::Rule { file, line } => write!(f, "the permission on line {line} of {file}"),
            Self::DefaultRule => f.write_str("the default permission"),
            Self::Token => f.write_str("the limits of the token"),
            Self::Setting(name) => write!(f, "the setting `{name}`"),
            Self::Link => f.write_str("the link of a mail"),
        }
    }
}

/// Whether `actor`, who may have shown a token, may do `action` to `object` (MAY-01). It is allowed
/// if a rule allows it and no rule forbids it.
#[must_use]
pub fn may(
    permissions: &Permissions,
    actor: &Actor,
    token: Option<&TokenRights>,
    action: Action,
    object: &Object,
) -> Decision {
    if let Actor::Local { .. } = actor {
        return Decision::Allowed(Ground::Local);
    }
    let mut rules = permissions.rules.iter();
    let about = |rule: &&PermissionRule| {
        rule.on.covers(object) && rule.who.iter().any(|who| is_meant(who, actor, object))
    };
    let forbidding = rules.clone().filter(about);
    if let Some(rule) = forbidding
        .clone()
        .find(|rule| rule.may_not.contains(action))
    {
        return Decision::Forbidden(ground(permissions, rule));
    }
    let Some(rule) = rules.find(|rule| rule.may.contains(action) && about(rule)) else {
        return Decision::NotAllowed;
    };
    match token {
        Some(token) if !(token.may.contains(action) && token.on.covers(object)) => {
            Decision::Forbidden(Ground::Token)
        }
        Some(_) | None => Decision::Allowed(ground(permissions, rule)),
    }
}

/// Whether a rule is about `actor`, who owns nothing.
#[must_use]
pub fn is_about(rule: &PermissionRule, actor: &Actor) -> bool {
    let nothing = Object::default();
    rule.who.iter().any(|who| is_meant(who, actor, &nothing))
}

fn is_meant(who: &Who, actor: &Actor, object: &Object) -> bool {
    let (name, roles) = match actor {
        Actor::Local { .. } => return true,
        Actor::Stranger => return *who == Who::Anyone,
        Actor::Person { name, roles } => (name, roles),
    };
    match who {
        Who::Anyone | Who::LoggedIn => true,
        Who::Owner => object.owners.contains(name),
        Who::Role(role) => roles.contains(role),
        Who::Person(person) => person == name,
    }
}

fn ground(permissions: &Permissions, rule: &PermissionRule) -> Ground {
    match rule.line {
        Some(line) => Ground::Rule {
            file: permissions.file.clone(),
            line,
        },
        None => Ground::DefaultRule,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use serde_json::Value;

    use super::*;
    use crate::config::parse;
    use crate::model::Zone;

    /// The configuration whose permissions are `rules`, the first on line 1, each on a line of its
    /// own; TOML and JSON write these lists and tables alike but for the colon.
    fn configured(rules: &[Value]) -> Permissions {
        let rule = |rule: &Value| {
            let rule = rule.as_object().unwrap();
            let keys = rule.iter().map(|(key, value)| {
                let value = match value.as_object() {
                    Some(on) => {
                        let on = on.iter().map(|(key, list)| format!("{key} = {list}"));
                        format!("{{ {} }}", on.collect::<Vec<_>>().join(", "))
                    }
                    None => value.to_string(),
                };
                format!("{key} = {value}")
            });
            format!("  {{ {} }}", keys.collect::<Vec<_>>().join(", "))
        };
        let rules: Vec<_> = rules.iter().map(rule).collect();
        if rules.is_empty() {
            return Permissions {
                rules: Vec::new(),
                file: String::new(),
            };
        }
        let text = format!("permissions = [\n{}\n]\n", rules.join(",\n"));
        // The builders that the cases name are not there: patterns need none.
        parse(&text, "/x/master.toml", &Ok(Zone::UTC))
            .unwrap()
            .0
            .permissions
    }

    fn actor(who: &Value) -> (Actor, Option<TokenRights>) {
        let Some(name) = who["name"].as_str() else {
            return (Actor::Stranger, None);
        };
        let roles = who["roles"].as_array().into_iter().flatten();
        let roles = roles.map(|role| role.as_str().unwrap().to_owned());
        let actor = Actor::Person {
            name: name.to_owned(),
            roles: roles.collect(),
        };
        let token = who.get("token");
        let token = token.map(|token| serde_json::from_value(token.clone()).unwrap());
        (actor, token)
    }

    #[test]
    fn may_01_all_cases_of_permissions() {
        let cases: Value =
            serde_json::from_str(include_str!("../../tests/data/people-cases.json")).unwrap();
        let cases = cases["cases"].as_array().unwrap().iter();
        let cases: Vec<_> = cases.filter(|case| case["area"] == "may").collect();
        assert_eq!(cases.len(), 15);
        for case in cases {
            let given = &case["given"];
            let rules = configured(given["rules"].as_array().unwrap());
            let (actor, token) = actor(&given["who"]);
            let action = Action::named(given["action"].as_str().unwrap()).unwrap()[0];
            let object = serde_json::from_value(given["on"].clone()).unwrap();
            let decision = may(&rules, &actor, token.as_ref(), action, &object);
            let by = match &decision {
                Decision::Allowed(Ground::Rule { line, .. })
                | Decision::Forbidden(Ground::Rule { line, .. }) => Value::from(line - 2),
                Decision::Forbidden(Ground::Token) => Value::from("token"),
                Decision::NotAllowed => Value::Null,
                Decision::Allowed(_) | Decision::Forbidden(_) => panic!("{decision}"),
            };
            let expected = &case["expect"];
            assert_eq!(decision.is_allowed(), expected["allowed"], "{}", case["id"]);
            assert_eq!(by, expected["by_rule"], "{}", case["id"]);
        }
    }

    #[test]
    fn may_01_without_rules_anyone_may_view_and_the_local_socket_everything() {
        let rules = parse("", "master.toml", &Ok(Zone::UTC))
            .unwrap()
            .0
            .permissions;
        let ann = Actor::Person {
            name: "ann".to_owned(),
            roles: BTreeSet::from(["admin".to_owned()]),
        };
        let local = Actor::Local {
            user: "root".to_owned(),
        };
        let master = Object::default();
        for action in Action::ALL {
            for actor in [&ann, &Actor::Stranger] {
                let decision = may(&rules, actor, None, action, &master);
                assert_eq!(decision.is_allowed(), action == Action::View, "{action:?}");
            }
            let decision = may(&rules, &local, None, action, &master);
            assert_eq!(decision, Decision::Allowed(Ground::Local));
        }
    }

    #[test]
    fn may_02_a_decision_names_file_and_line() {
        let text = "[[permissions]]\nwho = \"anyone\"\nmay = \"view\"\n\n[[permissions]]\nwho = \
                    [\"eve\"]\nmay_not = [\"*\"]\n";
        let rules = parse(text, "/farm/master.toml", &Ok(Zone::UTC))
            .unwrap()
            .0
            .permissions;
        let eve = Actor::Person {
            name: "eve".to_owned(),
            roles: BTreeSet::new(),
        };
        let decision = may(&rules, &eve, None, Action::View, &Object::default());
        assert_eq!(
            decision.to_string(),
            "forbidden by the permission on line 5 of master.toml"
        );
        let decision = may(
            &rules,
            &Actor::Stranger,
            None,
            Action::Force,
            &Object::default(),
        );
        assert_eq!(decision.to_string(), "not allowed by any permission");
    }

    #[test]
    fn may_03_buildbots_names_are_spellings() {
        let text = "[[permissions]]\nwho = \"ann\"\nmay = [\"forceBuild\", \"pauseSlave\"]\n";
        let rules = parse(text, "master.toml", &Ok(Zone::UTC))
            .unwrap()
            .0
            .permissions;
        let ann = Actor::Person {
            name: "ann".to_owned(),
            roles: BTreeSet::new(),
        };
        let allowed = Action::ALL
            .into_iter()
            .filter(|&action| may(&rules, &ann, None, action, &Object::default()).is_allowed());
        assert_eq!(
            allowed.collect::<Vec<_>>(),
            [Action::Force, Action::Rebuild, Action::PauseSlave]
        );
    }
}
