//! Culprit searches in the answers to why a request waits (SRH-10, SRH-20).

use super::Blocker;
use crate::botmaster::BotMaster;
use crate::botmaster::attempt::{Attempt, Stage};
use crate::botmaster::ids::BuilderIx;
use crate::model::{BuildRequest, SearchNumber};

/// That a request is of a search.
pub(super) fn why_of_search(request: &BuildRequest) -> Option<Blocker> {
    let search = request.search()?;
    let text = format!(
        "{} asks for it: it starts only on a slave on which no other request could start, with its \
         locks free",
        search.reason()
    );
    Some(Blocker::of_search(search, request.submitted_at, text))
}

impl BotMaster {
    /// The builds of searches on slaves that the builder could use, and whether each makes way
    /// (SRH-11).
    pub(super) fn why_searched(&self, builder: BuilderIx) -> Vec<Blocker> {
        let slaves = &self.out.layout.builder(builder).slaves;
        let is_in_the_way = |attempt: &Attempt| {
            slaves.contains(&attempt.slave)
                && (attempt.builder == builder || !self.dispatch.has_room(attempt.slave))
        };
        let searches = self.builds.searches();
        let found = searches.filter(|(_, attempt)| is_in_the_way(attempt));
        found
            .filter_map(|(_, attempt)| self.why_search(attempt))
            .collect()
    }

    fn why_search(&self, attempt: &Attempt) -> Option<Blocker> {
        let search = self.search_of(attempt)?;
        let slave = self.out.layout.slave_name(attempt.slave);
        let reason = search.reason();
        let (Stage::Recording(_, number) | Stage::Running(_, number)) = attempt.stage else {
            let text = format!("a build of {reason} is being started on slave {slave}");
            let blocker = Blocker::of_search(search, attempt.since, text);
            return Some(blocker.on(slave));
        };
        let build = format!("{}/{number}", self.out.layout.builder_name(attempt.builder));
        let is_running = matches!(attempt.stage, Stage::Running(..));
        let does = match &attempt.stop {
            Some(_) => "is being stopped",
            None if is_running && !self.may_interrupt(attempt) => {
                "goes on, as it is past half of its expected time"
            }
            None => "makes way for a request that could start only there",
        };
        let text = format!("build {build} of {reason} on slave {slave} {does}");
        let blocker = Blocker::of_search(search, attempt.since, text);
        Some(blocker.by([build]).on(slave))
    }

    fn search_of(&self, attempt: &Attempt) -> Option<SearchNumber> {
        let first = attempt.requests.first();
        let open = first.and_then(|&id| self.intake.request(id));
        open?.request.search()
    }
}
