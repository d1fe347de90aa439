//! What somebody may not see (MAY-04).

use std::collections::{BTreeMap, BTreeSet};

use super::permission::{Object, ObjectPatterns};
use super::{BuilderName, SlaveName};

/// What somebody may not see, as the permissions say.
#[derive(Clone, Debug, Default)]
pub struct Unseen {
    /// Builders.
    pub builders: BTreeSet<BuilderName>,
    /// Slaves.
    pub slaves: BTreeSet<SlaveName>,
    /// Sources: what the rules that forbid repositories are limited to.
    pub sources: Vec<ObjectPatterns>,
    /// The tags of builders, which these rules may name.
    pub tags: BTreeMap<BuilderName, Vec<String>>,
}

impl Unseen {
    /// What stands in place of a slave that is not shown.
    pub const SLAVE: &str = "(not shown)";

    /// Whether everything may be seen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.builders.is_empty() && self.slaves.is_empty() && self.sources.is_empty()
    }

    /// Whether a change from `repository`, or what a builder makes of that repository, is hidden.
    #[must_use]
    pub fn hides_source(&self, builder: Option<&str>, repository: &str) -> bool {
        let tags = builder.and_then(|name| self.tags.get(name));
        let object = Object {
            builder: builder.map(str::to_owned),
            tags: tags.cloned().unwrap_or_default(),
            repository: Some(repository.to_owned()),
            ..Object::default()
        };
        self.sources.iter().any(|on| on.covers(&object))
    }

    /// Whether a sentence has the name of a hidden builder or slave, as a whole word.
    #[must_use]
    pub fn names_one(&self, sentence: &str) -> bool {
        let builders = self.builders.iter().map(BuilderName::as_str);
        let mut names = builders.chain(self.slaves.iter().map(SlaveName::as_str));
        names.any(|name| has_word(sentence, name))
    }

    /// The slave, or what stands in its place.
    #[must_use]
    pub fn slave(&self, slave: SlaveName) -> SlaveName {
        match self.slaves.contains(&slave) {
            true => Self::SLAVE.into(),
            false => slave,
        }
    }
}

fn has_word(sentence: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let mut found = sentence.match_indices(word);
    found.any(|(at, name)| {
        let (before, rest) = sentence.split_at(at);
        // A full stop ends the sentence, or is followed by more of a longer name.
        let after = rest.get(name.len()..).unwrap_or_default();
        let after = after.strip_suffix('.').unwrap_or(after);
        !before.ends_with(is_part) && !after.starts_with(is_part)
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::model::NamePatterns;

    #[test]
    fn may_04_a_rule_about_builders_and_repositories_hides_where_both_match() {
        let patterns = |name: &str| Some(NamePatterns::new(vec![name.to_owned()]).unwrap());
        let both = ObjectPatterns {
            builders: patterns("nightly"),
            repositories: patterns("*/secret"),
            ..ObjectPatterns::default()
        };
        let tagged = ObjectPatterns {
            tags: patterns("release"),
            repositories: patterns("*/inner"),
            ..ObjectPatterns::default()
        };
        let unseen = Unseen {
            sources: vec![both, tagged],
            tags: BTreeMap::from([("ship".into(), vec!["release".to_owned()])]),
            ..Unseen::default()
        };
        let hides = |builder, repository| unseen.hides_source(builder, repository);
        assert!(hides(Some("nightly"), "x/secret"));
        assert!(!hides(Some("quick"), "x/secret") && !hides(None, "x/secret"));
        assert!(hides(Some("ship"), "x/inner") && !hides(Some("quick"), "x/inner"));
    }

    #[test]
    fn may_04_a_sentence_that_names_what_is_hidden_is_told_by_its_words() {
        let unseen = Unseen {
            builders: BTreeSet::from(["lin".into(), "a b".into()]),
            slaves: BTreeSet::from(["oak".into()]),
            ..Unseen::default()
        };
        for (sentence, names) in [
            ("build lin/3 holds the lock", true),
            ("slave elm builds lin.", true),
            ("the build of a b is not over", true),
            ("slave oak is away", true),
            ("build linux/3 holds the lock", false),
            ("build lin-32/3 holds the lock", false),
            ("build x-lin/3 holds the lock", false),
            ("slave oak-2 is away", false),
        ] {
            assert_eq!(unseen.names_one(sentence), names, "{sentence}");
        }
    }
}
