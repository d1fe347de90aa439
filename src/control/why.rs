//! Why a request does not run: the answer of the core, or the record of a request that has ended
//! (MAS-10).

use std::collections::BTreeSet;

use tokio::sync::oneshot;

use super::{Control, Question, stopping};
use crate::botmaster::Blocker;
use crate::config::Config;
use crate::model::{RequestId, SearchNumber, Timestamp};
use crate::store::State;
use crate::view::search_in_words;

impl Control {
    /// Every blocker of a request, or what has become of it.
    ///
    /// # Errors
    /// The request does not exist, or nobody can be asked.
    pub async fn why(&self, request: RequestId) -> Result<Vec<Blocker>, String> {
        let (answer, blockers) = oneshot::channel();
        self.question(Question::Why(request, answer)).await?;
        let mut found = match blockers.await.map_err(|_| stopping())? {
            Some(blockers) => blockers,
            None => {
                let recorded = self.reader().read(move |state| recorded(state, request));
                vec![recorded.await?]
            }
        };
        let trigger = self.reader().read(move |state| trigger(state, request));
        found.extend(trigger.await?);
        let named: BTreeSet<_> = found.iter().filter_map(|blocker| blocker.search).collect();
        if !named.is_empty() {
            let (config, now) = (self.config(), self.clock().wall());
            let look = move |state: &State| searches(state, &config, (named, now));
            found.extend(self.reader().read(look).await?);
        }
        Ok(found)
    }
}

/// What these searches do and cost (SRH-10).
fn searches(
    state: &State,
    config: &Config,
    (named, now): (BTreeSet<SearchNumber>, Timestamp),
) -> Result<Vec<Blocker>, String> {
    let mut told = Vec::new();
    for number in named {
        if let Some((began_at, text)) = search_in_words(state, config, (number, now))? {
            told.push(Blocker::of_search(number, began_at, text));
        }
    }
    Ok(told)
}

/// The build that has triggered a request, if one has.
fn trigger(state: &State, id: RequestId) -> Result<Option<Blocker>, String> {
    let Some(row) = state.request(id)? else {
        return Ok(None);
    };
    let set = state.build_set(row.set)?;
    let parent = set.and_then(|set| set.parent);
    Ok(parent.map(|parent| {
        let waits = if parent.waits {
            ", which waits for it while it runs"
        } else {
            ""
        };
        let text = format!("build {parent} triggered request {id}{waits}");
        Blocker::triggered(parent.to_string(), text)
    }))
}

/// What the state knows of a request that is not open.
fn recorded(state: &State, id: RequestId) -> Result<Blocker, String> {
    let Some(row) = state.request(id)? else {
        if state.was_request(id)? {
            return Err(format!(
                "request {id} finished and was pruned (build_horizon)"
            ));
        }
        return Err(format!(
            "there is no request {id}; `buildmaster show requests --all` lists them"
        ));
    };
    let build = row
        .build
        .map(|number| format!(" by build {}/{number}", row.builder));
    let build = build.unwrap_or_default();
    Ok(match row.finished {
        Some((result, at)) => {
            let why = row.why.map(|why| format!(": {why}"));
            let text = format!(
                "request {id} has finished with {result} at {}{build}{}",
                at.to_rfc3339(),
                why.unwrap_or_default()
            );
            Blocker::finished(Some(at), text)
        }
        None => {
            let text = format!("request {id} has finished{build}; that is being written to disk");
            Blocker::finished(None, text)
        }
    })
}
