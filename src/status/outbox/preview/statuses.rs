//! What code hosts would be told of a build (PSH-04).

use super::{Case, Preview};
use crate::config::CommitStatusConfig;
use crate::model::{CommitFacts, CommitState, LetterFacts};
use crate::status::outbox::mail::Post;
use crate::store::{State, StoreError};
use crate::view::{Build, Moment};

impl Preview {
    /// What each code host would be told, a text for each.
    pub(super) async fn statuses(
        &self,
        post: &Post,
        target: &CommitStatusConfig,
    ) -> Result<Vec<String>, String> {
        let (wanted, config) = (self.clone(), target.clone());
        let reading = post
            .reader
            .read(move |state| wanted.commits(state, &config));
        let name = &target.telling.name;
        let mut shown = Vec::new();
        for facts in reading.await.map_err(|error| error.to_string())? {
            let builder = post.config.builder(facts.builder.as_str());
            let is_its = builder.is_some_and(|builder| target.telling.has_builder(builder));
            let case = Case {
                facts: LetterFacts::Commit(facts),
                unwanted: (!is_its).then_some("it does not tell of such builds"),
            };
            shown.push(self.shown_of_push(post, name, case).await);
        }
        Ok(shown)
    }

    /// The commits of the build, with what it makes of them; none of a try.
    fn commits(
        &self,
        state: &State,
        target: &CommitStatusConfig,
    ) -> Result<Vec<CommitFacts>, StoreError> {
        let Some(row) = self.row(state)? else {
            return Ok(Vec::new());
        };
        let moment = Moment {
            is_running: false,
            now: self.now,
        };
        let build = Build::of_id(state, row.id, moment)?;
        let Some((build, result)) = build.and_then(|build| Some((build, row.result?))) else {
            return Ok(Vec::new());
        };
        let single = match build.sources.is_empty() && !build.is_try {
            true => build.revision_or_change(state)?,
            false => None,
        };
        let single =
            single.map(|revision| (build.repository.clone().unwrap_or_default(), revision));
        let several = build.sources.iter().filter(|source| !source.is_try);
        let several = several
            .filter_map(|source| Some((source.repository.clone(), source.revision.clone()?)));
        let commits = single.into_iter().chain(several);
        let commits = commits.map(|(repository, revision)| CommitFacts {
            repository,
            revision,
            context: target.context_of(row.builder.as_str()),
            builder: row.builder.clone(),
            build: Some((row.id, row.number)),
            state: CommitState::of(result),
        });
        Ok(commits.collect())
    }
}
