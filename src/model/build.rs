//! A build and its steps as they are remembered and shown.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    BuildId, BuildNumber, BuilderName, ChangeNumber, Properties, RequestId, Results, SlaveName,
    Timestamp,
};

/// A build as the state remembers it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct BuildSummary {
    /// Its number over all builders.
    pub id: BuildId,
    /// Its builder.
    pub builder: BuilderName,
    /// Its number within the builder.
    pub number: BuildNumber,
    /// The slave that ran it.
    pub slave: SlaveName,
    /// The requests it answers for.
    pub requests: Vec<RequestId>,
    /// Why it ran.
    pub reason: String,
    /// The changes it is made of.
    pub changes: Vec<ChangeNumber>,
    /// Who is to blame for what it is made of (BUI-09).
    pub blamelist: Vec<String>,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended; absent while it runs.
    pub finished_at: Option<Timestamp>,
    /// Its result; absent while it runs.
    pub result: Option<Results>,
    /// Short text about the result (BUI-08).
    pub text: Vec<String>,
    /// Its steps so far.
    pub steps: Vec<StepSummary>,
}

/// A step as the state remembers it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct StepSummary {
    /// Unique within the build (BUI-04).
    pub name: String,
    /// When it started.
    pub started_at: Timestamp,
    /// When its own work began; absent while it waits for its locks.
    pub working_since: Option<Timestamp>,
    /// When it ended; absent while it runs.
    pub finished_at: Option<Timestamp>,
    /// Its result; absent while it runs.
    pub result: Option<Results>,
    /// Short text about what it does or did.
    pub text: Vec<String>,
    /// Names of its logs, in the order in which they were opened.
    pub logs: Vec<String>,
}

/// Who wants to hear of a build with these properties: who is to blame, and its owners; sorted,
/// each once (BUI-09).
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
