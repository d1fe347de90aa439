//! The source stamps of a build set: one for each codebase (CBS-04, CBS-05).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::iter;
use std::sync::Arc;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::{Change, ChangeNumber, Patch, SourceStamp};

/// The source stamps of a set, a request or a build: at least one, and one for each codebase, in
/// order of codebase. At most one stamp has a patch, since a try patches one codebase.
///
/// As JSON, a single stamp is the stamp itself; several are a list.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SourceStamps {
    first: SourceStamp,
    /// The stamps of the further codebases; empty in most installations.
    more: Vec<SourceStamp>,
}

impl SourceStamps {
    /// The first stamp, which is the only one in most builds.
    #[must_use]
    pub const fn first(&self) -> &SourceStamp {
        &self.first
    }

    /// The stamps of the codebases after the first.
    #[must_use]
    pub fn more(&self) -> &[SourceStamp] {
        &self.more
    }

    /// The stamp, if there is exactly one.
    #[must_use]
    pub fn single(&self) -> Option<&SourceStamp> {
        self.more.is_empty().then_some(&self.first)
    }

    /// The stamp of this codebase.
    #[must_use]
    pub fn of(&self, codebase: &str) -> Option<&SourceStamp> {
        self.iter().find(|stamp| stamp.codebase == codebase)
    }

    /// All stamps, in order of codebase.
    pub fn iter(&self) -> impl Iterator<Item = &SourceStamp> {
        iter::once(&self.first).chain(&self.more)
    }

    /// The names of the codebases, in order.
    pub fn codebases(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|stamp| stamp.codebase.as_str())
    }

    /// The stamp with a patch.
    #[must_use]
    pub fn patched(&self) -> Option<&SourceStamp> {
        self.iter().find(|stamp| stamp.patch.is_some())
    }

    /// The patch of a try job.
    #[must_use]
    pub fn patch(&self) -> Option<&Patch> {
        self.patched()?.patch.as_ref()
    }

    /// The patch of a try job.
    pub fn patch_mut(&mut self) -> Option<&mut Patch> {
        let mut all = iter::once(&mut self.first).chain(&mut self.more);
        all.find_map(|stamp| stamp.patch.as_mut())
    }

    /// These with `patch` as their only one: for the stamp that had a patch, else for the first.
    #[must_use]
    pub fn with_patch(mut self, patch: Patch) -> Self {
        match self.patch_mut() {
            Some(old) => *old = patch,
            None => self.first.patch = Some(patch),
        }
        self
    }

    /// The changes of all stamps, in order of number.
    pub fn changes(&self) -> impl Iterator<Item = &Arc<Change>> {
        let mut all: Vec<_> = self.iter().flat_map(|stamp| &stamp.changes).collect();
        if !self.more.is_empty() {
            all.sort_by_key(|change| change.number);
        }
        all.into_iter()
    }

    /// The numbers of the changes of all stamps, in order.
    #[must_use]
    pub fn change_numbers(&self) -> Vec<ChangeNumber> {
        self.changes().map(|change| change.number).collect()
    }

    /// The blame list over all stamps: the authors of the changes and of the patch, sorted and
    /// without duplicates (BUI-09).
    #[must_use]
    pub fn blamelist(&self) -> Vec<String> {
        let all: BTreeSet<_> = self.iter().flat_map(SourceStamp::blamelist).collect();
        all.into_iter().collect()
    }

    /// The files that the changes of all stamps touch, sorted and without duplicates, at most
    /// [`SourceStamp::MOST_FILES`].
    #[must_use]
    pub fn files(&self) -> Vec<String> {
        let all: BTreeSet<_> = self.iter().flat_map(SourceStamp::files).collect();
        all.into_iter().take(SourceStamp::MOST_FILES).collect()
    }

    /// What expressions see as `src`. Of several codebases, the table `codebases` has each by its
    /// name, and only the files and the authors are of all together.
    #[must_use]
    pub fn facts(&self) -> Value {
        let names = ["codebases"].into_iter().chain(SourceStamp::FACTS);
        let facts = names.filter_map(|name| Some((name.to_owned(), self.fact(name)?)));
        facts.collect()
    }

    /// One of [`SourceStamps::facts`]; nothing if there is none of this name.
    #[must_use]
    pub fn fact(&self, name: &str) -> Option<Value> {
        if let Some(stamp) = self.single() {
            return stamp.fact(name);
        }
        match name {
            "codebases" => {
                let stamps = self.iter();
                let stamps = stamps.map(|stamp| (stamp.codebase.clone(), stamp.facts()));
                Some(stamps.collect())
            }
            "files" => Some(self.files().into()),
            "who" => Some(self.blamelist().into()),
            _ => None,
        }
    }

    /// The stamps that `change` makes of each of these.
    #[must_use]
    pub fn map(&self, change: impl FnMut(&SourceStamp) -> SourceStamp) -> Self {
        self.iter().map(change).collect()
    }

    /// Whether requests for the two may share a build: they are of the same codebases, and each
    /// pair of stamps can merge (CBS-07, SST-05).
    #[must_use]
    pub fn can_merge_with(&self, other: &Self) -> bool {
        let mut pairs = self.iter().zip(other.iter());
        self.more.len() == other.more.len() && pairs.all(|(one, other)| one.can_merge_with(other))
    }

    /// The stamps of a build for all `members`, which are of the same codebases: each as
    /// [`SourceStamp::merged`] makes it. `members` are sorted by age, oldest first.
    #[must_use]
    pub fn merged(members: &[Arc<Self>]) -> Arc<Self> {
        let [.., last] = members else {
            return Arc::default();
        };
        if members.len() == 1 {
            return Arc::clone(last);
        }
        let of_codebase = |stamp: &SourceStamp| {
            let codebase = stamp.codebase.as_str();
            let stamps = members.iter().filter_map(|member| member.of(codebase));
            SourceStamp::merged(&stamps.collect::<Vec<_>>())
        };
        Arc::new(last.map(of_codebase))
    }
}

impl From<SourceStamp> for SourceStamps {
    fn from(stamp: SourceStamp) -> Self {
        Self {
            first: stamp,
            more: Vec::new(),
        }
    }
}

/// Of several stamps of one codebase, the last counts. No stamp at all is the latest of the default
/// branch.
impl FromIterator<SourceStamp> for SourceStamps {
    fn from_iter<I: IntoIterator<Item = SourceStamp>>(stamps: I) -> Self {
        let mut stamps = stamps.into_iter();
        let first = stamps.next().unwrap_or_default();
        let Some(second) = stamps.next() else {
            return first.into();
        };
        let all = [first, second].into_iter().chain(stamps);
        let by_codebase: BTreeMap<_, _> = all.map(|s| (s.codebase.clone(), s)).collect();
        let mut sorted = by_codebase.into_values();
        Self {
            first: sorted.next().unwrap_or_default(),
            more: sorted.collect(),
        }
    }
}

impl Serialize for SourceStamps {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.single() {
            Some(stamp) => stamp.serialize(serializer),
            None => serializer.collect_seq(self.iter()),
        }
    }
}

impl<'de> Deserialize<'de> for SourceStamps {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrSeveral)
    }
}

/// Reads a stamp or a list of stamps, so that an error is about the stamp.
struct OneOrSeveral;

impl<'de> Visitor<'de> for OneOrSeveral {
    type Value = SourceStamps;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a source stamp, or a list of source stamps")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SourceStamps, A::Error> {
        SourceStamp::deserialize(MapAccessDeserializer::new(map)).map(Into::into)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<SourceStamps, A::Error> {
        let stamps = Vec::<SourceStamp>::deserialize(SeqAccessDeserializer::new(seq))?;
        let several = stamps.len();
        let stamps: SourceStamps = stamps.into_iter().collect();
        if several != stamps.more.len() + 1 {
            return Err(A::Error::custom("source stamps are one for each codebase"));
        }
        if stamps.iter().filter(|stamp| stamp.patch.is_some()).count() > 1 {
            return Err(A::Error::custom("only one source stamp can have a patch"));
        }
        Ok(stamps)
    }
}

#[cfg(test)]
mod tests;
