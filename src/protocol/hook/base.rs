//! `base`: form fields or a JSON object of the same names; and `poller`.

use serde_json::Value;

use super::payload::{form, json};
use super::{Misread, Post, Pushed, Told};
use crate::model::{NewChange, Properties, Timestamp};

/// The source of properties of a change (PRP-02).
const SOURCE: &str = "Change";

/// Reads a change.
pub(super) fn read(post: &Post) -> Result<Told, Misread> {
    let fields = Fields::of(post)?;
    let who = fields.text("author")?;
    let change = NewChange {
        who: match who.is_empty() {
            true => fields.text("who")?,
            false => who,
        },
        files: fields.files()?,
        comments: fields.text("comments")?,
        revision: fields.some("revision")?,
        branch: fields.some("branch")?,
        when: fields.when()?,
        project: fields.text("project")?,
        repository: fields.text("repository")?,
        codebase: fields.text("codebase")?,
        category: fields.some("category")?,
        revlink: fields.text("revlink")?,
        src: fields.some("src")?,
        properties: fields.properties()?,
        ..NewChange::default()
    };
    Ok(Told::Changes(Pushed {
        changes: vec![change],
        ..Pushed::default()
    }))
}

/// Reads an order to poll.
pub(super) fn poll(post: &Post) -> Result<Told, Misread> {
    let poller = Fields::of(post)?.some("poller")?;
    let poller = poller.or_else(|| post.argument("poller").map(str::to_owned));
    Ok(Told::Poll { poller })
}

/// Fields by name.
struct Fields(Vec<(String, Value)>);

impl Fields {
    fn of(post: &Post) -> Result<Self, Misread> {
        if post.content_type().as_deref() != Some("application/json") {
            let fields = form(post).into_iter();
            return Ok(Self(
                fields.map(|(name, value)| (name, value.into())).collect(),
            ));
        }
        let payload = json(&post.body)?;
        let Value::Object(fields) = payload else {
            let why = "the payload is not an object".to_owned();
            return Err(Misread::Malformed(why));
        };
        Ok(Self(fields.into_iter().collect()))
    }

    fn get(&self, name: &str) -> Option<&Value> {
        let mut fields = self.0.iter().filter(|(its, _)| its == name);
        let value = fields.next().map(|(_, value)| value);
        value.filter(|value| !value.is_null())
    }

    fn some(&self, name: &str) -> Result<Option<String>, Misread> {
        Ok(Some(self.text(name)?).filter(|text| !text.is_empty()))
    }

    fn text(&self, name: &str) -> Result<String, Misread> {
        match self.get(name) {
            None => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(Value::Number(number)) => Ok(number.to_string()),
            Some(_) => Err(wrong(name, "a text")),
        }
    }

    /// A value that a form holds as JSON.
    fn json(&self, name: &str, wanted: &str) -> Result<Option<Value>, Misread> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) => match json(text.as_bytes()) {
                Ok(value) => Ok(Some(value)),
                Err(_) => Err(wrong(name, wanted)),
            },
            Some(value) => Ok(Some(value.clone())),
        }
    }

    fn files(&self) -> Result<Vec<String>, Misread> {
        const WANTED: &str = r#"a list of names in JSON, such as ["a.c", "b.c"]"#;
        let list = self
            .json("files", WANTED)?
            .unwrap_or(Value::Array(Vec::new()));
        let names = list.as_array().map(|list| {
            let names = list.iter().map(|name| name.as_str().map(str::to_owned));
            names.collect::<Option<Vec<_>>>()
        });
        names.flatten().ok_or_else(|| wrong("files", WANTED))
    }

    fn properties(&self) -> Result<Properties, Misread> {
        const WANTED: &str = r#"an object in JSON, such as {"kind": "full"}"#;
        let mut properties = Properties::new();
        match self.json("properties", WANTED)? {
            None => {}
            Some(Value::Object(fields)) => {
                for (name, value) in fields {
                    if !Properties::is_valid_name(&name) {
                        let wanted = "names of letters, digits and the signs _ . - / ~ :";
                        return Err(wrong("properties", wanted));
                    }
                    properties.set(name, value, SOURCE);
                }
            }
            Some(_) => return Err(wrong("properties", WANTED)),
        }
        Ok(properties)
    }

    fn when(&self) -> Result<Option<Timestamp>, Misread> {
        let when = self.some("when")?;
        let seconds = when.map(|when| when.parse().map_err(|_| wrong("when", WHEN)));
        Ok(seconds.transpose()?.map(Timestamp::from_secs_f64))
    }
}

const WHEN: &str = "seconds since 1970";

fn wrong(name: &str, wanted: &str) -> Misread {
    Misread::Malformed(format!("{name}: expected {wanted}"))
}
