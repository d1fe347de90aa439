//! Small farms for tests: dumps with what a test is about, and nothing else.

use serde_json::{Value as Json, json};

use super::super::{Import, Request, import};
use super::zone;

/// The dump of a farm with one slave, `bot`.
#[derive(Clone, Debug)]
pub(super) struct Farm(Json);

impl Farm {
    /// Without builders.
    pub(super) fn new() -> Self {
        Self(json!({
            "format": "buildmaster farm", "version": 1, "notes": [],
            "made": { "buildbot": "0.8.14", "config": "master.cfg", "python": "2.7.18" },
            "settings": { "slavePortnum": 9989 },
            "slaves": [{ "class": "BuildSlave", "args": { "name": "bot", "password": "sesame" } }],
            "factories": [], "builders": [], "schedulers": [], "change_sources": [], "status": [],
        }))
    }

    /// With a builder that has these steps.
    pub(super) fn builder(self, name: &str, steps: &[Json]) -> Self {
        self.builder_with(name, steps, json!({}))
    }

    /// With a builder that has these steps and arguments.
    pub(super) fn builder_with(mut self, name: &str, steps: &[Json], args: Json) -> Self {
        let at = self.0["factories"].as_array().map_or(0, Vec::len);
        let mut all = json!({ "name": name, "builddir": name, "slavenames": ["bot"] });
        for (key, value) in args.as_object().into_iter().flatten() {
            all[key] = value.clone();
        }
        self = self.entry(
            "factories",
            json!({ "class": "BuildFactory", "steps": steps }),
        );
        self.entry(
            "builders",
            json!({ "class": "BuilderConfig", "args": all, "factory": at }),
        )
    }

    /// With a further entry of a list.
    pub(super) fn entry(mut self, list: &str, entry: Json) -> Self {
        let list = self.0[list].as_array_mut().expect("a list");
        list.push(entry);
        self
    }

    /// With a setting of the top level.
    pub(super) fn setting(mut self, key: &str, value: Json) -> Self {
        self.0["settings"][key] = value;
        self
    }

    /// Imports it.
    pub(super) fn import(&self, answers: &str) -> Result<Import, String> {
        self.import_as(answers, false)
    }

    /// Imports it without folding.
    pub(super) fn import_flat(&self, answers: &str) -> Result<Import, String> {
        self.import_as(answers, true)
    }

    fn import_as(&self, answers: &str, flat: bool) -> Result<Import, String> {
        import(&Request {
            dump: &self.0.to_string(),
            file: "farm.json",
            answers: Some(answers),
            dir: "ci",
            flat,
            zone: &zone(),
        })
    }
}

/// A thing of a class of Buildbot's.
pub(super) fn thing(class: &str, args: Json) -> Json {
    let name = args.get("name").cloned();
    json!({ "class": class, "args": args, "name": name })
}

/// A thing of a class of the farm's own with code, which is in `file`.
pub(super) fn own_thing(own: &str, class: &str, file: &str, args: Json) -> Json {
    let mut thing = thing(class, args);
    thing["custom"] = json!([own]);
    thing["overrides"] = json!([{ "name": "start", "file": file, "line": 7 }]);
    thing
}

/// A function in the dump.
pub(super) fn function(name: &str, line: u64) -> Json {
    json!({ "!": "function", "name": name, "file": "master.cfg", "line": line })
}

/// A question with its answer.
pub(super) fn answer(id: &str, answer: &str) -> String {
    format!("[[question]]\nid = \"{id}\"\nanswer = {answer}\n")
}
