//! Bookmarks, which are branches of their own (POL-12).
//!
//! The new changesets of a bookmark are those that it has now and had not before. A bookmark that
//! appears is one change for its tip; one that has moved back is none.

use std::collections::{BTreeMap, BTreeSet};

use super::{Cursor, HgPoller, MOST_LISTED, Poll, stand_for};
use crate::changes::polling::PollError;
use crate::model::NewChange;
use crate::vc::hg::{advance, parse_bookmarks, unknown_of};

impl Poll {
    /// The bookmarks, as what is known of them.
    pub(super) fn remembered(&self) -> BTreeMap<String, BTreeSet<String>> {
        let marks = self.bookmarks.iter();
        marks
            .map(|(name, node)| (name.clone(), BTreeSet::from([node.clone()])))
            .collect()
    }
}

impl HgPoller {
    /// The bookmarks of the repository that are followed.
    pub(super) async fn bookmarks(&self, ssh: &str) -> Result<BTreeMap<String, String>, PollError> {
        let Some(rules) = &self.config.bookmarks else {
            return Ok(BTreeMap::new());
        };
        let url = self.config.repourl.as_str();
        let words = ["--config", ssh, "debugpushkey", "--", url, "bookmarks"];
        let printed = self.tool.output(words, None, MOST_LISTED).await?;
        let decode = |name: &[u8]| self.config.poller.encoding.decode(name).into_owned();
        let marks = parse_bookmarks(&printed).into_iter();
        let marks = marks.map(|(name, node)| (decode(&name), node));
        let marks: BTreeMap<_, _> = marks.filter(|(name, _)| rules.selects(name)).collect();
        if marks.len() > MOST_BOOKMARKS {
            let why = format!("the repository has more than {MOST_BOOKMARKS} such bookmarks");
            return Err(PollError::new(why));
        }
        Ok(marks)
    }

    /// The next changes of bookmarks, which `stored` has seen afterwards; none if nothing has
    /// moved.
    pub(super) async fn bookmarked(
        &self,
        poll: &Poll,
        stored: &mut Cursor,
    ) -> Result<Option<Vec<NewChange>>, PollError> {
        if self.config.bookmarks.is_none() {
            return Ok(None);
        }
        let Some(known) = &mut stored.bookmarks else {
            // They are followed from now on.
            stored.bookmarks = Some(poll.remembered());
            return Ok(Some(Vec::new()));
        };
        let before = known.len();
        known.retain(|name, _| poll.bookmarks.contains_key(name));
        let has_gone = known.len() < before;
        for (name, node) in &poll.bookmarks {
            let done = BTreeSet::from([node.clone()]);
            let Some(heads) = known.get_mut(name) else {
                let sets = self.log(node).await?;
                known.insert(name.clone(), done);
                let changes = sets.iter().map(|set| self.change_on(name.clone(), set));
                return Ok(Some(changes.collect()));
            };
            if *heads == done {
                continue;
            }
            let skipped = self.skip(&unknown_of(node, heads), heads).await?;
            let sets = self.log(&unknown_of(node, heads)).await?;
            let Some(last) = sets.last() else {
                *heads = done;
                return Ok(Some(Vec::new()));
            };
            for set in &sets {
                advance(heads, set);
            }
            if last.node == *node {
                *heads = done;
            }
            let changes = sets.iter().map(|set| self.change_on(name.clone(), set));
            let mut changes: Vec<_> = changes.collect();
            if let Some(change) = changes.first_mut() {
                stand_for(change, skipped);
            }
            return Ok(Some(changes));
        }
        Ok(has_gone.then(Vec::new))
    }
}

/// Most bookmarks that are followed.
const MOST_BOOKMARKS: usize = 2_000;
