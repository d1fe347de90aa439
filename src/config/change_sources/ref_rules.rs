//! `branch` and `branches` of pollers: names, globs, regular expressions, and what is left out
//! (POL-06).

use serde::Serialize;

use crate::config::class::Class;
use crate::config::pattern::{FilePatterns, PatternError, TextMatch};
use crate::config::reader::{Table, Value};
use crate::config::repositories::RepositoryConfig;
use crate::config::shape::Shape;
use crate::config::trace::Wanted;

/// Which branches a poller follows. Two lists are equal if they were written alike.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct BranchRules {
    rules: Vec<BranchRule>,
}

/// An entry of the list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum BranchRule {
    /// The branch with this name.
    Named(String),
    /// The branches that match a glob; `*` stops at slashes, and `**` crosses them.
    Glob(FilePatterns),
    /// The branches whose beginning matches a regular expression.
    Regex(TextMatch),
    /// All branches but those of the rule.
    Not(Box<Self>),
}

pub(in crate::config) static SHAPE: Shape = Shape {
    place: "change_sources.branches",
    noun: "this rule",
    keys: &["regex", "not", "not_regex"],
    kinds: Vec::new,
};

impl BranchRules {
    /// Rules from names and globs.
    ///
    /// # Errors
    /// The first pattern that is invalid.
    pub fn from_globs(globs: &[&str]) -> Result<Self, PatternError> {
        let rules = globs.iter().map(|text| glob(text));
        Ok(Self {
            rules: rules.collect::<Result<_, _>>()?,
        })
    }

    /// Takes `branches`, or else `branch`, the name of the only one. Without both, it is the
    /// default branch of the repository `known`, or else all branches.
    pub(super) fn take(table: &mut Table<'_>, known: Option<&RepositoryConfig>) -> Self {
        let usual = Self::of(known);
        match (table.take("branch"), table.take("branches")) {
            (None, None) => usual,
            (None, Some(several)) => Self::read(&several).unwrap_or(usual),
            (Some(one), None) => Self::one(&one).unwrap_or(usual),
            (Some(one), Some(_)) => {
                let message = format!("{} has both `branch` and `branches`", table.label);
                let help = "keep one of them: `branch` names one branch, `branches` has rules";
                let place = one.key_span;
                table.sink.error_of(Class::NotAllowed, place, message, help);
                usual
            }
        }
    }

    /// What is followed of a repository where the settings do not say it: its default branch, if it
    /// is known, or else all branches.
    fn of(known: Option<&RepositoryConfig>) -> Self {
        let branch = known.and_then(|known| known.default_branch.clone());
        Self {
            rules: branch.map(BranchRule::Named).into_iter().collect(),
        }
    }

    /// Whether the poller follows `branch`: a rule selects it, or all rules only leave branches
    /// out; and no rule leaves it out.
    #[must_use]
    pub fn selects(&self, branch: &str) -> bool {
        let mut selecting = self
            .rules
            .iter()
            .filter(|rule| !rule.leaves_out())
            .peekable();
        let all = selecting.peek().is_none();
        let is_left_out = |rule: &BranchRule| match rule {
            BranchRule::Not(rule) => rule.is_match(branch),
            BranchRule::Named(_) | BranchRule::Glob(_) | BranchRule::Regex(_) => false,
        };
        (all || selecting.any(|rule| rule.is_match(branch))) && !self.rules.iter().any(is_left_out)
    }

    /// Whether one of several names is selected, as if they were branches, and none is left out.
    /// Without rules, no name is needed.
    #[must_use]
    pub fn selects_one_of(&self, names: &[String]) -> bool {
        let is_left_out = |name: &String| {
            let mut leaving = self.rules.iter().filter(|rule| rule.leaves_out());
            leaving.any(|rule| !rule.is_match(name))
        };
        let selects_all = self.rules.iter().all(BranchRule::leaves_out);
        !names.iter().any(is_left_out)
            && (selects_all || names.iter().any(|name| self.selects(name)))
    }

    /// The branches that the rules name.
    pub fn named(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().filter_map(|rule| match rule {
            BranchRule::Named(name) => Some(name.as_str()),
            BranchRule::Glob(_) | BranchRule::Regex(_) | BranchRule::Not(_) => None,
        })
    }

    /// Reads the name of one branch.
    fn one(value: &Value<'_>) -> Option<Self> {
        let name = value.name()?;
        if name.contains(SIGNS) {
            let help = format!("for patterns, write `branches = [{name:?}]`");
            value.error("is not the name of a branch", help);
            return None;
        }
        Some(Self {
            rules: vec![BranchRule::Named(name.to_owned())],
        })
    }

    /// Reads the list.
    pub(super) fn read(value: &Value<'_>) -> Option<Self> {
        let rules = value.list()?;
        let rules: Vec<_> = rules.iter().map(BranchRule::read).collect();
        Some(Self {
            rules: rules.into_iter().collect::<Option<_>>()?,
        })
    }
}

impl BranchRule {
    const fn leaves_out(&self) -> bool {
        matches!(self, Self::Not(_))
    }

    fn is_match(&self, branch: &str) -> bool {
        match self {
            Self::Named(name) => name == branch,
            Self::Glob(globs) => globs.is_match(branch),
            Self::Regex(regex) => regex.is_match(Some(branch)),
            Self::Not(rule) => !rule.is_match(branch),
        }
    }

    fn read(value: &Value<'_>) -> Option<Self> {
        if value.among([Wanted::Text, Wanted::Table]).is_str() {
            return Self::pattern(value, glob);
        }
        if !value.data().is_table() {
            let help = "write a name, a glob, `{ regex = \"…\" }` or `{ not = \"…\" }`";
            return value.expected("a string or a table", help);
        }
        let mut table = value.table(&SHAPE)?;
        let given = ["regex", "not", "not_regex"].map(|key| table.take(key));
        table.finish();
        let regex = |text: &str| TextMatch::regex(&[text]).map(Self::Regex);
        match given {
            [Some(rule), None, None] => Self::pattern(&rule, regex),
            [None, Some(rule), None] => Self::pattern(&rule, glob).map(Self::not),
            [None, None, Some(rule)] => Self::pattern(&rule, regex).map(Self::not),
            _ => {
                let help = "write `{ regex = \"…\" }` or `{ not = \"…\" }`";
                value.error("needs one rule a table", help);
                None
            }
        }
    }

    fn not(self) -> Self {
        Self::Not(Box::new(self))
    }

    fn pattern(
        value: &Value<'_>,
        read: impl FnOnce(&str) -> Result<Self, PatternError>,
    ) -> Option<Self> {
        let rule = read(value.name()?);
        if let Err(error) = &rule {
            value.error(
                &format!("is not a pattern: {error}"),
                "write a name, a glob or a regular expression",
            );
        }
        rule.ok()
    }
}

/// A name, or a glob if it has a sign that names of branches cannot have.
fn glob(text: &str) -> Result<BranchRule, PatternError> {
    if !text.contains(SIGNS) {
        return Ok(BranchRule::Named(text.to_owned()));
    }
    FilePatterns::from_globs(&[text], &[]).map(BranchRule::Glob)
}

/// The signs of globs, which names of branches cannot have.
const SIGNS: [char; 4] = ['*', '?', '[', '{'];

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::config::change_sources::ChangeSourceKind;
    use crate::config::parse;
    use crate::model::Zone;

    #[test]
    fn pol_06_branch_names_the_only_branch() {
        let rules = |kind: &str, lines: &str| {
            let text = format!(
                "slave_port = 9989\n[[change_sources]]\ntype = \"{kind}\"\nrepourl = \"https://h/r\"\n{lines}"
            );
            let (mut config, _) = parse(&text, "master.toml", &Ok(Zone::UTC)).unwrap();
            let source = config.change_sources.remove(0).kind;
            if let ChangeSourceKind::Git(git) = &source {
                return (git.branches.clone(), true);
            }
            let ChangeSourceKind::Hg(hg) = source else {
                panic!("{source:?}");
            };
            (hg.branches, hg.has_branches)
        };
        for kind in ["GitPoller", "HgPoller"] {
            let (one, _) = rules(kind, "branch = \"main\"");
            let (list, _) = rules(kind, "branches = [\"main\"]");
            assert_eq!(one, list, "{kind}");
            assert!(one.selects("main") && !one.selects("rel"), "{kind}");
        }
        let (_, has_branches) = rules("HgPoller", "bookmarks = [\"b\"]\nbranch = \"main\"");
        assert!(has_branches);
        let (_, has_branches) = rules("HgPoller", "bookmarks = [\"b\"]");
        assert!(!has_branches);
    }

    #[test]
    fn pol_06_branches_are_selected_by_name_glob_expression_or_all_but_some() {
        let regex = |text| BranchRule::Regex(TextMatch::regex(&[text]).unwrap());
        let named = |text| glob(text).unwrap();
        let rules = |rules| BranchRules { rules };
        let all = ["main", "maint", "rel-1", "rel-2/x", "wip/a", "wip/a/b"];
        let selected = |rules: BranchRules| {
            let names = all.into_iter().filter(|name| rules.selects(name));
            names.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(selected(rules(vec![])), all.join(" "));
        assert_eq!(selected(rules(vec![named("main")])), "main");
        assert_eq!(
            selected(rules(vec![named("main"), named("rel-*")])),
            "main rel-1"
        );
        assert_eq!(selected(rules(vec![named("rel-2/**")])), "rel-2/x");
        assert_eq!(
            selected(rules(vec![regex("ma|wip/.$")])),
            "main maint wip/a"
        );
        assert_eq!(
            selected(rules(vec![named("wip/**").not()])),
            "main maint rel-1 rel-2/x"
        );
        let both = vec![regex("[mr]"), named("maint").not(), regex("rel-.*/").not()];
        assert_eq!(selected(rules(both)), "main rel-1");
        let listed = BranchRules::from_globs(&["main", "rel-*"]).unwrap();
        assert_eq!(listed.named().collect::<Vec<_>>(), ["main"]);
    }
}
