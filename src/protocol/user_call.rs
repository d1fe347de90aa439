//! `commandline`, the call of `buildbot user` of Buildbot 0.8 (WHO-07).

use std::collections::BTreeSet;

use super::Malformed;
use crate::model::{Attribute, AttributeKind};
use crate::pb::Value;

/// Most users of a call.
const MOST_USERS: usize = 1000;

/// Longest name or value, in bytes.
const LONGEST: usize = 1024;

/// What the client asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UserCall {
    /// What to do.
    pub op: UserOp,
    /// Whether it sends the hash of a password, which is of no use here.
    pub has_password: bool,
    /// The names of the users to remove or to get.
    pub ids: Vec<String>,
    /// The users to add or to update.
    pub info: Vec<UserInfo>,
}

/// What to do with users.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UserOp {
    /// Add them.
    Add,
    /// Remove them.
    Remove,
    /// Change what is known of them.
    Update,
    /// Tell what is known of them.
    Get,
}

/// A user, with what is known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UserInfo {
    /// The name.
    pub name: String,
    /// The attributes.
    pub attributes: BTreeSet<Attribute>,
}

/// Reads the arguments: operation, name and hash for the web status, names, and users with their
/// attributes.
///
/// # Errors
/// An argument has another type, or is too long.
pub fn decode_user_call(args: &[Value]) -> Result<UserCall, Malformed> {
    let arg = |at: usize| args.get(at).map_or(&Value::None, Value::unshared);
    let op = match text(arg(0), "op")?.as_str() {
        "add" => UserOp::Add,
        "remove" => UserOp::Remove,
        "update" => UserOp::Update,
        "get" => UserOp::Get,
        _ => return Err(Malformed::wrong("op", "add, remove, update or get")),
    };
    let ids = items(arg(3), "ids")?.iter().map(|id| text(id, "ids"));
    let info = items(arg(4), "info")?.iter().map(user);
    Ok(UserCall {
        op,
        has_password: !matches!((arg(1), arg(2)), (Value::None, Value::None)),
        ids: ids.collect::<Result<_, _>>()?,
        info: info.collect::<Result<_, _>>()?,
    })
}

fn user(value: &Value) -> Result<UserInfo, Malformed> {
    let entries = value.as_dict();
    let entries = entries.ok_or_else(|| Malformed::wrong("info", "a list of dictionaries"))?;
    let mut name = None;
    let mut attributes = BTreeSet::new();
    for (key, value) in entries {
        let (key, value) = (text(key, "info")?, text(value, "info")?);
        if key == "identifier" {
            name = Some(value);
            continue;
        }
        let kind = AttributeKind::named(&key);
        let kind = kind.ok_or_else(|| Malformed::wrong("info", "attributes that are known"))?;
        attributes.insert(Attribute { kind, value });
    }
    let name = name.ok_or_else(|| Malformed::wrong("info", "users with an identifier"))?;
    Ok(UserInfo { name, attributes })
}

/// The entries of a list, or none.
fn items<'v>(value: &'v Value, key: &str) -> Result<&'v [Value], Malformed> {
    if *value == Value::None {
        return Ok(&[]);
    }
    let items = value.as_items();
    let items = items.ok_or_else(|| Malformed::wrong(key, "a list"))?;
    match items.len() > MOST_USERS {
        true => Err(Malformed::too_many(key, MOST_USERS, "users")),
        false => Ok(items),
    }
}

fn text(value: &Value, key: &str) -> Result<String, Malformed> {
    let text = value.as_text();
    let text = text.ok_or_else(|| Malformed::wrong(key, "text"))?;
    match text.len() > LONGEST {
        true => Err(Malformed::too_many(key, LONGEST, "bytes")),
        false => Ok(text.into_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn list(texts: &[&str]) -> Value {
        Value::List(texts.iter().map(Value::bytes).collect())
    }

    fn call(op: &str, ids: Value, info: Value) -> Result<UserCall, Malformed> {
        decode_user_call(&[Value::bytes(op), Value::None, Value::None, ids, info])
    }

    fn dict(pairs: &[(&str, &str)]) -> Value {
        let pairs = pairs
            .iter()
            .map(|(k, v)| (Value::bytes(k), Value::bytes(v)));
        Value::Dict(pairs.collect())
    }

    #[test]
    fn who_07_a_call_of_0_8_is_read() {
        let read = call("get", list(&["ann", "bob"]), Value::None).unwrap();
        assert_eq!(
            (read.op, read.ids.len(), read.has_password),
            (UserOp::Get, 2, false)
        );
        let info = dict(&[("email", "a@x"), ("identifier", "ann")]);
        let read = call("add", Value::List(Vec::new()), Value::List(vec![info])).unwrap();
        assert_eq!(read.info[0].name, "ann");
        let email = read.info[0].attributes.first().unwrap();
        assert_eq!(
            (email.kind, email.value.as_str()),
            (AttributeKind::Email, "a@x")
        );
        let hash = [
            Value::bytes("update"),
            Value::bytes("a"),
            Value::bytes("hash"),
        ];
        assert!(decode_user_call(&hash).unwrap().has_password);
    }

    #[test]
    fn who_07_what_is_not_such_a_call_is_refused() {
        for (op, ids, info) in [
            ("destroy", Value::None, Value::None),
            ("get", Value::bytes("ann"), Value::None),
            ("get", list(&[&"x".repeat(LONGEST + 1)]), Value::None),
            ("get", list(&vec!["x"; MOST_USERS + 1]), Value::None),
            (
                "add",
                Value::None,
                Value::List(vec![dict(&[("email", "a@x")])]),
            ),
            (
                "add",
                Value::None,
                Value::List(vec![dict(&[("identifier", "a"), ("shoe", "9")])]),
            ),
            ("add", Value::None, list(&["ann"])),
        ] {
            assert!(call(op, ids, info).is_err(), "{op}");
        }
        assert!(call("get", list(&[&"x".repeat(LONGEST)]), Value::None).is_ok());
        assert!(decode_user_call(&[]).is_err());
    }
}
