//! A search that has found a change goes on inside it, if the change has brought several commits
//! (SRH-15).

use super::Searcher;
use crate::changes::{Brought, brought};
use crate::model::{ChangeNumber, Inside, SearchNumber, SearchRecord, Verdict};
use crate::store::read::SearchRow;
use crate::store::{State, StoreError};

/// Searches that look inside what the one before has found.
const MOST_DEPTH: u32 = 5;

impl Searcher {
    /// The search that goes on inside what a search has found, if the mirror of its repository has
    /// more of that.
    pub(super) async fn inside(
        &self,
        search: &SearchRow,
        verdict: Verdict,
    ) -> Result<Option<SearchRecord>, String> {
        let Verdict::Found {
            good,
            bad,
            is_not_monotone: false,
            is_flaky: false,
        } = verdict
        else {
            return Ok(None);
        };
        let record = &search.record;
        let points = (record.points.get(good), record.points.get(bad));
        let (Some(&before), Some(&found)) = points else {
            return Ok(None);
        };
        let ends = match &record.inside {
            Some(inside) => ends_inside(inside, (good, bad)),
            None => self.revisions(before, found).await?,
        };
        let Some((repository, first, last)) = ends else {
            return Ok(None);
        };
        let config = self.control.config();
        let basedir = |state: &State| Ok::<_, StoreError>(state.basedir().to_owned());
        let basedir = self.control.reader().read(basedir).await;
        let basedir = basedir.map_err(|error| error.to_string())?;
        let ends = (first.as_str(), last.as_str());
        let Some(Brought { commits, is_merge }) =
            brought(&config, &basedir, &repository, ends).await
        else {
            return Ok(None);
        };
        let mut points = vec![found; commits.len()];
        points[0] = before;
        let depth = record.inside.as_ref().map_or(0, |inside| inside.depth);
        Ok(Some(SearchRecord {
            number: SearchNumber::default(),
            points,
            guess: None,
            max_builds: None,
            inside: Some(Inside {
                repository,
                commits,
                is_merge,
                depth: depth + 1,
            }),
            at: self.control.clock().wall(),
            ..record.clone()
        }))
    }

    /// The repository of two changes, and their revisions, if they are of one tree.
    async fn revisions(
        &self,
        before: ChangeNumber,
        found: ChangeNumber,
    ) -> Result<Option<(String, String, String)>, String> {
        let look = move |state: &State| {
            let changes = (state.change(before)?, state.change(found)?);
            Ok::<_, StoreError>(match changes {
                (Some(before), Some(found)) => Some((before.content, found.content)),
                _ => None,
            })
        };
        let found = self.control.reader().read(look).await;
        let Some((before, found)) = found.map_err(|error| error.to_string())? else {
            return Ok(None);
        };
        let is_one_tree =
            (&before.repository, &before.branch) == (&found.repository, &found.branch);
        let revisions = before.revision.zip(found.revision);
        let revisions = revisions.filter(|_| is_one_tree);
        Ok(revisions.map(|(before, last)| (found.repository, before, last)))
    }
}

/// What a search inside a change has found. A merge that is guilty itself is not looked into again.
fn ends_inside(inside: &Inside, (good, bad): (usize, usize)) -> Option<(String, String, String)> {
    let is_merge_itself = inside.is_merge && bad + 1 == inside.commits.len();
    if is_merge_itself || inside.depth >= MOST_DEPTH {
        return None;
    }
    let (first, last) = (inside.commits.get(good)?, inside.commits.get(bad)?);
    Some((inside.repository.clone(), first.clone(), last.clone()))
}
