//! The searches that the master begins by itself (SRH-02, SRH-10).

use tokio::time::Instant;

use super::{LATER, Searcher};
use crate::model::Verdict;
use crate::store::State;
use crate::store::read::SearchRow;
use crate::verdict::{Hands, ProblemState, stopped};
use crate::view::Searching;

impl Searcher {
    /// Begins the searches that are due.
    pub(super) async fn begin(&mut self) -> Result<(), String> {
        let config = self.control.config();
        if !config.search.automatic {
            return Ok(());
        }
        let now = self.control.clock().wall();
        let look = move |state: &State| Searching::at(state, &config, now);
        let wanted = self.control.reader().read(look).await;
        let wanted = wanted.map_err(|error| error.to_string())?;
        self.due = wanted.next(now).map(|next| Instant::now() + next + LATER);
        for record in wanted.begin {
            let (builder, problem) = (record.builder.clone(), record.problem);
            let number = self.control.begin_search(record).await?;
            let problem = problem.unwrap_or_default();
            tracing::info!(search = %number, %builder, %problem, "the search for the culprit begins");
        }
        Ok(())
    }

    /// A search that the master has begun ends when its problem is over (SRH-13). Answers whether
    /// it has ended.
    pub(super) async fn end_with_problem(&self, search: &mut SearchRow) -> Result<bool, String> {
        let (Some(problem), true) = (search.record.problem, search.record.who.is_empty()) else {
            return Ok(false);
        };
        let look = move |state: &State| state.problem(problem);
        let row = self.control.reader().read(look).await;
        let row = row.map_err(|error| error.to_string())?;
        let now = self.control.clock().wall();
        let state = row.map(|row| match Hands::at(now, &row.remarks).dismissal {
            Some(_) if row.problem.state == ProblemState::Open => ProblemState::Dismissed,
            Some(_) | None => row.problem.state,
        });
        if state == Some(ProblemState::Open) {
            return Ok(false);
        }
        let state = state.map_or("gone", ProblemState::as_str);
        self.stop(search, format!("its problem is {state}")).await?;
        Ok(true)
    }

    /// A search ends when its builder leaves the configuration: nothing can be built for it any
    /// more. Answers whether it has ended.
    pub(super) async fn end_with_builder(&self, search: &mut SearchRow) -> Result<bool, String> {
        let builder = search.record.builder.clone();
        if self.control.config().builder(builder.as_str()).is_some() {
            return Ok(false);
        }
        let why = format!("builder {builder} was removed from the configuration");
        self.stop(search, why).await?;
        Ok(true)
    }

    async fn stop(&self, search: &mut SearchRow, why: String) -> Result<(), String> {
        let record = search.record.clone();
        let look = move |state: &State| state.known_points(&record);
        let known = self.control.reader().read(look).await;
        let known = known.map_err(|error| error.to_string())?;
        let verdict: Verdict = stopped(&search.record, &known, &search.points());
        self.control
            .end_search(search.record.number, verdict, Some(why))
            .await;
        search.verdict = Some(verdict);
        Ok(())
    }
}
