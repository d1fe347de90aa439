//! People whom a command lists, one JSON object a line (WHO-05).

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::config::is_person_name;
use crate::model::{Attribute, AttributeKind, Person};

/// Maximum number of people in an answer.
pub const MOST_LISTED: usize = 20_000;

/// Reads an answer: a person a line, with the keys of a person of the configuration but passwords.
/// Keys that are not known are left out.
///
/// # Errors
/// The number of the first line that is not a person, and why.
pub fn parse_listed(text: &str) -> Result<Vec<Person>, String> {
    let lines = text.lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.trim().is_empty());
    let people = lines.map(|(number, line)| {
        person(line).map_err(|why| format!("line {} of its output {why}", number + 1))
    });
    let people = people.collect::<Result<Vec<_>, _>>()?;
    if people.len() > MOST_LISTED {
        return Err(format!("it lists more than {MOST_LISTED} people"));
    }
    Ok(people)
}

fn person(line: &str) -> Result<Person, String> {
    let object: Map<String, Value> =
        serde_json::from_str(line).map_err(|_| "is not a JSON object".to_owned())?;
    let name = object.get("name").and_then(Value::as_str);
    let name = name.ok_or("has no `name`")?;
    if !is_person_name(name) {
        return Err(format!("has the name {name:?}, which nobody can have"));
    }
    let mut person = Person {
        name: name.to_owned(),
        roles: texts(&object, "roles")?.into_iter().collect(),
        attributes: BTreeSet::new(),
    };
    for kind in AttributeKind::ALL {
        let values = texts(&object, kind.name())?;
        let values = values.into_iter().map(|value| Attribute { kind, value });
        person.attributes.extend(values);
    }
    Ok(person)
}

/// The text or the texts of a key.
fn texts(object: &Map<String, Value>, key: &str) -> Result<Vec<String>, String> {
    let odd = || format!("has a `{key}` that is neither a string nor a list of strings");
    let entries = match object.get(key) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(entries)) => entries.as_slice(),
        Some(one) => std::slice::from_ref(one),
    };
    let texts = entries.iter().map(|entry| {
        let text = entry.as_str().ok_or_else(odd)?;
        Ok(text.to_owned())
    });
    texts.filter(|text| text.as_deref() != Ok("")).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn who_05_a_command_lists_people_as_json_lines() {
        let text = "{\"name\": \"ann\", \"email\": \"a@x\", \"git\": [\"Ann <a@x>\", \"\"], \
                    \"roles\": [\"release\"], \"phone\": 7}\n\n{\"name\":\"bob\",\"irc\":null}\n";
        let [ann, bob] = parse_listed(text).unwrap().try_into().unwrap();
        let known: Vec<_> = ann
            .attributes
            .iter()
            .map(|a| (a.kind, a.value.as_str()))
            .collect();
        let expected = [
            (AttributeKind::Git, "Ann <a@x>"),
            (AttributeKind::Email, "a@x"),
        ];
        assert_eq!(known, expected);
        assert!(ann.roles.contains("release"));
        assert_eq!((bob.name.as_str(), bob.attributes.len()), ("bob", 0));
        assert_eq!(parse_listed(""), Ok(Vec::new()));
    }

    #[test]
    fn who_05_a_line_that_is_no_person_is_told() {
        for (line, why) in [
            ("ann", "is not a JSON object"),
            ("[]", "is not a JSON object"),
            ("{}", "has no `name`"),
            ("{\"name\":7}", "has no `name`"),
            ("{\"name\":\"owner\"}", "which nobody can have"),
            (
                "{\"name\":\"ann\",\"email\":7}",
                "has a `email` that is neither",
            ),
            (
                "{\"name\":\"ann\",\"roles\":[{}]}",
                "has a `roles` that is neither",
            ),
        ] {
            let told = parse_listed(&format!("{{\"name\":\"eve\"}}\n{line}\n")).unwrap_err();
            assert!(
                told.starts_with("line 2 of its output") && told.contains(why),
                "{told}"
            );
        }
        let many = "{\"name\":\"eve\"}\n".repeat(MOST_LISTED + 1);
        assert!(parse_listed(&many).unwrap_err().contains("more than"));
    }
}
