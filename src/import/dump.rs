//! The dump of a farm: format "buildmaster farm", version 1.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;

/// Arguments by name.
pub(super) type Args = BTreeMap<String, Json>;

/// A farm as its Buildbot configured it.
#[derive(Debug, Deserialize)]
pub(super) struct Farm {
    /// Which programs made it.
    #[serde(default)]
    pub(super) made: BTreeMap<String, String>,
    /// Complaints of Buildbot's.
    #[serde(default)]
    pub(super) notes: Vec<String>,
    /// Top-level settings.
    #[serde(default)]
    pub(super) settings: Args,
    /// Slaves.
    #[serde(default)]
    pub(super) slaves: Vec<Thing>,
    /// Factories, each once.
    #[serde(default)]
    pub(super) factories: Vec<Factory>,
    /// Builders.
    #[serde(default)]
    pub(super) builders: Vec<Builder>,
    /// Schedulers.
    #[serde(default)]
    pub(super) schedulers: Vec<Thing>,
    /// Change sources.
    #[serde(default)]
    pub(super) change_sources: Vec<Thing>,
    /// Status targets, reporters and services.
    #[serde(default)]
    pub(super) status: Vec<Thing>,
}

/// A slave, a step, a scheduler and so on.
#[derive(Debug, Deserialize)]
pub(super) struct Thing {
    /// The nearest class of Buildbot's.
    pub(super) class: Option<String>,
    /// The arguments of that class.
    #[serde(default)]
    pub(super) args: Args,
    /// Its name.
    #[serde(default)]
    pub(super) name: Option<String>,
    /// Where it was made.
    #[serde(default)]
    pub(super) at: Option<Place>,
    /// The farm's own classes, the most derived first.
    #[serde(default)]
    pub(super) custom: Vec<String>,
    /// The methods that these define.
    #[serde(default)]
    pub(super) overrides: Vec<Override>,
    /// The arguments that the most derived of these was given, where it has code.
    #[serde(default)]
    pub(super) own: Args,
    /// The attributes that these define.
    #[serde(default)]
    pub(super) attributes: Args,
    /// Why it could not be made.
    #[serde(default)]
    pub(super) error: Option<String>,
}

/// A factory.
#[derive(Debug, Deserialize)]
pub(super) struct Factory {
    /// Work directory of its steps.
    #[serde(default)]
    pub(super) workdir: Option<Json>,
    /// Its steps.
    #[serde(default)]
    pub(super) steps: Vec<Thing>,
}

/// A builder.
#[derive(Debug, Deserialize)]
pub(super) struct Builder {
    /// Its settings.
    #[serde(default)]
    pub(super) args: Args,
    /// Where it was made.
    #[serde(default)]
    pub(super) at: Option<Place>,
    /// The index of its factory.
    pub(super) factory: usize,
}

/// A place in the farm's code.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub(super) struct Place {
    /// The file.
    pub(super) file: String,
    /// The line, from 1.
    pub(super) line: u64,
}

/// A method of an own class.
#[derive(Debug, Deserialize)]
pub(super) struct Override {
    /// Its name.
    pub(super) name: String,
    /// Its file.
    pub(super) file: String,
    /// Its line.
    pub(super) line: u64,
}

impl Place {
    /// `file:line`.
    pub(super) fn show(place: Option<&Self>) -> String {
        place.map_or_else(String::new, |p| format!("{}:{}", p.file, p.line))
    }
}

impl Thing {
    /// Its most derived own class, if own code changes what things of its kind do. `any` counts
    /// methods with a leading underscore as well.
    pub(super) fn own_code(&self, any: bool) -> Option<&str> {
        let counts = |o: &Override| any || !o.name.starts_with('_');
        let class = self.custom.first()?;
        self.overrides.iter().any(counts).then_some(class.as_str())
    }

    /// `file:line` of the code of its own classes.
    pub(super) fn own_place(&self) -> String {
        let first = self.overrides.first();
        first.map_or_else(String::new, |o| format!("{}:{}", o.file, o.line))
    }

    /// An argument, or the attribute of that name.
    pub(super) fn named(&self, name: &str) -> Option<&Json> {
        let all = [&self.args, &self.own, &self.attributes];
        all.into_iter().find_map(|named| named.get(name))
    }

    /// The names of its arguments and attributes.
    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        let all = [&self.args, &self.own, &self.attributes];
        all.into_iter().flat_map(|named| named.keys())
    }
}

/// Reads a dump.
///
/// # Errors
/// It is not a dump, or one of another version: what to do.
pub(super) fn read(text: &str) -> Result<Farm, String> {
    let json: Json = serde_json::from_str(text)
        .map_err(|error| format!("not JSON ({error}): give the file that dump.py has written"))?;
    let format = json.get("format").and_then(Json::as_str);
    if format != Some("buildmaster farm") {
        return Err("not a dump of a farm: give the file that dump.py has written".to_owned());
    }
    if json.get("version").and_then(Json::as_u64) != Some(1) {
        return Err(
            "a dump of another version: print the script with --print-script of this \
                    program, and run it again"
                .to_owned(),
        );
    }
    let farm: Farm = serde_json::from_value(json)
        .map_err(|error| format!("a damaged dump ({error}): run dump.py again"))?;
    let count = farm.factories.len();
    match farm.builders.iter().find(|b| b.factory >= count) {
        Some(_) => Err("a damaged dump (a builder without factory): run dump.py again".to_owned()),
        None => Ok(farm),
    }
}
