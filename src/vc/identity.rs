//! Which revisions name one tree for ever, and in which spelling (INT-04).

use std::borrow::Cow;

use super::Vc;
use crate::model::{Identity, NewChange};

/// By what `change` is known; absent if its revision is only a name for what may be another tree
/// tomorrow, such as `HEAD`, or if nobody says which version control system it is of.
#[must_use]
pub fn identity(change: &NewChange) -> Option<Identity> {
    let revision = change.revision.as_deref()?;
    let revision = whole_name(change.src.as_deref()?, revision)?;
    Some(Identity {
        repository: change.repository.clone(),
        branch: change.branch.clone(),
        revision: revision.into_owned(),
    })
}

/// The name for ever of `revision` in the system that senders call `src`.
fn whole_name<'r>(src: &str, revision: &'r str) -> Option<Cow<'r, str>> {
    if matches!(src, "tla" | "arch") {
        return is_arch_name(revision).then_some(revision.into());
    }
    let vc: Vc = src.parse().ok()?;
    let hash = |lengths: &[usize]| {
        let is_hash =
            lengths.contains(&revision.len()) && revision.bytes().all(|b| b.is_ascii_hexdigit());
        is_hash.then(|| Cow::Owned(revision.to_ascii_lowercase()))
    };
    match vc {
        Vc::Git => hash(&[40, 64]),
        Vc::Hg | Vc::Mtn => hash(&[40]),
        Vc::Svn => number(revision.strip_prefix('r').unwrap_or(revision)),
        Vc::P4 => number(revision.strip_prefix('@').unwrap_or(revision)),
        Vc::Bzr => {
            let is_dotted = revision.split('.').all(|part| number(part).is_some());
            is_dotted.then_some(revision.into())
        }
        // A context lists the patches of the tree; the name of a single patch names none.
        Vc::Darcs => {
            let mut lines = revision.lines();
            let is_context = lines.any(|line| line.starts_with('['));
            is_context.then_some(revision.into())
        }
        // A time.
        Vc::Cvs => None,
    }
}

/// A number without a sign and without leading zeros.
fn number(text: &str) -> Option<Cow<'_, str>> {
    let is_number = !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'));
    is_number.then_some(text.into())
}

/// `someone@example.org--archive/category--branch--0.1--patch-3`
fn is_arch_name(revision: &str) -> bool {
    let Some((archive, version)) = revision.split_once('/') else {
        return false;
    };
    let level = version.rsplit("--").next().unwrap_or_default();
    let (kind, count) = level.rsplit_once('-').unwrap_or((level, "0"));
    archive.contains('@')
        && version.split("--").count() >= 4
        && number(count).is_some()
        && matches!(kind, "base" | "patch" | "version" | "versionfix")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Case {
        id: String,
        given: Pair,
        expect: Expect,
    }

    #[derive(Deserialize)]
    struct Pair {
        first: Said,
        second: Said,
    }

    #[derive(Deserialize)]
    struct Said {
        src: Option<String>,
        repository: String,
        branch: Option<String>,
        revision: Option<String>,
    }

    impl Said {
        fn identity(self) -> Option<Identity> {
            identity(&NewChange {
                src: self.src,
                repository: self.repository,
                branch: self.branch,
                revision: self.revision,
                ..NewChange::default()
            })
        }
    }

    #[derive(Deserialize)]
    struct Expect {
        same: bool,
        identity: Option<(String, Option<String>, String)>,
    }

    #[test]
    fn int_04_all_cases_of_identity() {
        let text = include_str!("../../tests/data/identity-cases.json");
        let cases: Vec<Case> = serde_json::from_str(text).unwrap();
        assert_eq!(cases.len(), 10);
        for Case { id, given, expect } in cases {
            let (first, second) = (given.first.identity(), given.second.identity());
            assert_eq!(first.is_some() && first == second, expect.same, "{id}");
            let parts = second.map(|known| (known.repository, known.branch, known.revision));
            assert_eq!(parts, expect.identity, "{id}");
        }
    }

    #[test]
    fn int_04_each_system_has_its_names_for_ever() {
        let known = |src: &str, revision: &str| {
            let change = NewChange {
                src: Some(src.to_owned()),
                revision: Some(revision.to_owned()),
                ..NewChange::default()
            };
            identity(&change).map(|known| known.revision)
        };
        let short = "123456789abcdef0123456789ABCDEF01234567";
        let hash = &format!("0{short}");
        for src in ["git", "hg", "mtn"] {
            assert_eq!(known(src, hash), Some(hash.to_lowercase()), "{src}");
            assert_eq!(known(src, short), None, "{src}");
        }
        let long = "a".repeat(64);
        assert_eq!(known("git", &long), Some(long.clone()));
        assert_eq!(known("hg", &long), None);
        assert_eq!(known("p4", "@312"), Some("312".to_owned()));
        assert_eq!(known("p4", "now"), None);
        assert_eq!(known("svn", "-7"), None);
        assert_eq!(known("svn", "HEAD"), None);
        assert_eq!(known("bzr", "12.1.3"), Some("12.1.3".to_owned()));
        assert_eq!(known("bzr", "revid:a"), None);
        assert_eq!(known("darcs", "20260101-a1b2c3.gz"), None);
        let arch = "me@example.org--2026/widget--main--0.1--patch-7";
        assert_eq!(known("tla", arch), Some(arch.to_owned()));
        assert_eq!(known("arch", "widget--main--0.1"), None);
        assert_eq!(known("cvs", "2026-01-01 10:00:00"), None);
        assert_eq!(known("rcs", hash), None);
    }
}
