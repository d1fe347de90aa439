//! Who wants to hear of a build, and where it is shown.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

use super::{BuildNumber, BuilderName, Properties};

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

/// The address of a build on the pages of the master at `base`, which Buildbot 0.8 has there too.
#[must_use]
pub fn build_url(base: &str, builder: &BuilderName, number: BuildNumber) -> String {
    let mut url = base.to_owned();
    if !base.ends_with('/') {
        url.push('/');
    }
    url.push_str("builders/");
    for byte in builder.as_str().bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            write!(url, "%{byte:02X}").expect("writing to a string cannot fail");
        }
    }
    write!(url, "/builds/{number}").expect("writing to a string cannot fail");
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_builder_is_escaped_in_its_address() {
        let url = |base| build_url(base, &"a b/ü".into(), BuildNumber(7));
        let expected = "http://h/builders/a%20b%2F%C3%BC/builds/7";
        assert_eq!([url("http://h/"), url("http://h")], [expected, expected]);
    }

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
