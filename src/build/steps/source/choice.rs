//! Which branch and revision a source step checks out (SRC-01, SRC-02). Pure.

use std::time::Duration;

use chrono::DateTime;

use crate::model::{Change, SourceStamp, Timestamp};
use crate::vc::cvs;

/// What a source step checks out.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(in crate::build::steps) struct Wanted {
    /// Branch; absent: the default of the repository.
    pub(in crate::build::steps) branch: Option<String>,
    /// Revision; absent: the latest.
    pub(in crate::build::steps) revision: Option<String>,
}

/// How the revision is computed from the changes of a build (SRC-02).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::build::steps) enum FromChanges {
    /// The revision of the last change in order of arrival.
    Last,
    /// The greatest number; none if a change has no number.
    Greatest,
    /// The greatest patch level: `patch-3` comes after `base-0`.
    GreatestPatch,
    /// A time: the delay after the latest change, or else the mid-point between the latest change
    /// and the latest request.
    Time {
        delay: Option<Duration>,
        requested: Timestamp,
    },
    /// The revision of the last change, if it is a context of Darcs.
    Context,
}

/// The revision to build: the revision of the stamp, or else a revision from the changes.
pub(super) fn revision(stamp: &SourceStamp, rule: FromChanges) -> Option<String> {
    let own = stamp.revision.as_deref().filter(|own| !own.is_empty());
    match own {
        Some(own) => Some(own.to_owned()),
        None => from_changes(stamp, rule).filter(|computed| !computed.is_empty()),
    }
}

fn from_changes(stamp: &SourceStamp, rule: FromChanges) -> Option<String> {
    let changes = &stamp.changes;
    let last = changes.last()?;
    match rule {
        FromChanges::Last => last.revision.clone(),
        FromChanges::Greatest => {
            let numbers = changes.iter().map(|c| c.revision.as_deref()?.parse().ok());
            let numbers: Option<Vec<u64>> = numbers.collect();
            numbers?.into_iter().max().map(|number| number.to_string())
        }
        FromChanges::GreatestPatch => {
            let newest = changes.iter().max_by_key(|change| patch_number(change));
            newest?.revision.clone()
        }
        FromChanges::Time { delay, requested } => {
            let latest = changes.iter().map(|change| change.when).max()?;
            let when = match delay {
                Some(delay) => latest + delay,
                None => Timestamp(latest.0 / 2 + requested.0 / 2),
            };
            Some(cvs::time(DateTime::from_timestamp_micros(when.0)?))
        }
        FromChanges::Context => {
            let context = last.revision.as_deref()?;
            context.contains("Context:").then(|| context.to_owned())
        }
    }
}

/// The number of `ARCHIVE/VERSION--patch-N`; 0 for the import `base-0`.
fn patch_number(change: &Change) -> Option<u64> {
    let revision = change.revision.as_deref()?;
    let (_, number) = revision.rsplit_once('-')?;
    number.parse().ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::sync::Arc;

    use super::*;
    use crate::model::{ChangeNumber, NewChange};

    fn stamp(own: Option<&str>, revisions: &[Option<&str>]) -> SourceStamp {
        let change = |(number, revision): (u64, &Option<&str>)| {
            Arc::new(Change {
                number: ChangeNumber(number),
                arrived_at: Timestamp::from_secs(1000),
                when: Timestamp::from_secs(1000),
                content: NewChange {
                    revision: revision.map(str::to_owned),
                    ..NewChange::default()
                },
            })
        };
        SourceStamp {
            revision: own.map(str::to_owned),
            changes: (1..).zip(revisions).map(change).collect(),
            ..SourceStamp::default()
        }
    }

    #[test]
    fn src_02_the_revision_comes_from_the_changes() {
        use FromChanges::{Context, Greatest, GreatestPatch, Last};
        let context = "\nContext:\n[x\n] \n";
        for (rule, revisions, expected) in [
            (Last, [Some("a"), Some("b")].as_slice(), Some("b")),
            (Last, &[Some("a"), None], None),
            (Last, &[], None),
            (Greatest, &[Some("3"), Some("7"), Some("5")], Some("7")),
            (Greatest, &[Some("3"), None], None),
            (Greatest, &[Some("3"), Some("x")], None),
            (
                GreatestPatch,
                &[Some("p--base-0"), Some("p--patch-10"), Some("p--patch-9")],
                Some("p--patch-10"),
            ),
            (GreatestPatch, &[Some("p--base-0")], Some("p--base-0")),
            (Context, &[Some(context)], Some(context)),
            (Context, &[Some("12")], None),
        ] {
            let computed = revision(&stamp(None, revisions), rule);
            assert_eq!(computed.as_deref(), expected, "{rule:?} {revisions:?}");
        }
    }

    #[test]
    fn src_02_a_time_comes_from_changes_and_requests() {
        let requested = Timestamp::from_secs(1600);
        for (delay, expected) in [
            (None, "1970-01-01 00:21:40 +0000"),
            (Some(60), "1970-01-01 00:17:40 +0000"),
        ] {
            let delay = delay.map(Duration::from_secs);
            let rule = FromChanges::Time { delay, requested };
            let computed = revision(&stamp(None, &[None]), rule);
            assert_eq!(computed.as_deref(), Some(expected));
            assert_eq!(revision(&stamp(None, &[]), rule), None);
        }
    }

    #[test]
    fn src_01_the_stamp_comes_before_its_changes() {
        let stamp = stamp(Some("9"), &[Some("10")]);
        assert_eq!(revision(&stamp, FromChanges::Greatest).unwrap(), "9");
    }
}
