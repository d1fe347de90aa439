//! Changes of numbered revisions, given in batches (INT-05).

use std::collections::VecDeque;

use super::batch::{MOST_CHANGES, MOST_OF_A_POLL};
use crate::model::NewChange;

/// Changes that wait for their batch, each with the number of its revision.
#[derive(Debug, Default)]
pub(in crate::changes) struct Backlog {
    changes: VecDeque<(u64, NewChange)>,
    /// All revisions up to this one have been read.
    upto: u64,
}

impl Backlog {
    /// Adds the changes of all revisions up to `upto`, oldest first.
    pub(in crate::changes) fn fill(
        &mut self,
        changes: impl IntoIterator<Item = (u64, NewChange)>,
        upto: u64,
    ) {
        self.changes.extend(changes);
        self.upto = upto;
    }

    pub(in crate::changes) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The next changes, with the last revision whose changes are all given.
    pub(in crate::changes) fn take(&mut self) -> (Vec<NewChange>, u64) {
        let amount = self.changes.len().min(MOST_CHANGES);
        let batch = self
            .changes
            .drain(..amount)
            .map(|(_, change)| change)
            .collect();
        let done = match self.changes.front() {
            Some((next, _)) => next.saturating_sub(1),
            None => self.upto,
        };
        (batch, done)
    }
}

/// The first revision to read after `last`, and the number of revisions before it for which its
/// change stands.
pub(in crate::changes) fn first_after(last: u64, newest: u64) -> (u64, u64) {
    let first = newest.saturating_sub(MOST_OF_A_POLL).max(last) + 1;
    (first, first - last - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn int_05_changes_of_one_revision_may_need_several_batches() {
        let mut backlog = Backlog::default();
        let numbers = [(5, 150), (6, 151), (7, 1)];
        let all = numbers
            .into_iter()
            .flat_map(|(n, amount)| vec![(n, NewChange::default()); amount]);
        backlog.fill(all, 9);
        let mut batches = Vec::new();
        while !backlog.is_empty() {
            let (changes, done) = backlog.take();
            batches.push((changes.len(), done));
        }
        // Revision 6 is not done after the first batch.
        assert_eq!(batches, [(200, 5), (102, 9)]);
        assert_eq!(backlog.take(), (vec![], 9));
    }

    #[test]
    fn int_05_revisions_older_than_the_limit_are_one_change() {
        assert_eq!(first_after(7, 9), (8, 0));
        assert_eq!(first_after(0, 10_000), (1, 0));
        assert_eq!(first_after(0, 10_001), (2, 1));
        assert_eq!(first_after(9, 9), (10, 0));
    }
}
