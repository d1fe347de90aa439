//! Who wants to hear of a build.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Properties;

/// The users interested in a build: its blame list and its owners, sorted and without duplicates
/// (BUI-09).
#[must_use]
pub fn interested_users(blamelist: &[String], properties: &Properties) -> Vec<String> {
    let owners = ["owner", "owners"].into_iter();
    let owners = owners.filter_map(|name| properties.get(name));
    let owners = owners.flat_map(|value| match value.as_array() {
        Some(all) => all.iter().filter_map(Value::as_str).collect(),
        None => Vec::from_iter(value.as_str()),
    });
    let blamed = blamelist.iter().map(String::as_str);
    let all: BTreeSet<_> = blamed.chain(owners).collect();
    all.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bui_09_owners_are_interested_too() {
        let blamelist = ["ann", "bob"].map(str::to_owned);
        let mut properties = Properties::new();
        assert_eq!(interested_users(&blamelist, &properties), blamelist);
        properties.set("owner", "dee", "Force");
        assert_eq!(
            interested_users(&blamelist, &properties),
            ["ann", "bob", "dee"]
        );
        let owners = serde_json::json!(["dee", "ada", "bob", 7]);
        properties.set("owners", owners, "Build");
        let all = ["ada", "ann", "bob", "dee"];
        assert_eq!(interested_users(&blamelist, &properties), all);
        assert_eq!(interested_users(&[], &properties), ["ada", "bob", "dee"]);
    }
}
