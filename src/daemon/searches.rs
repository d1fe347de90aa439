//! Runs the culprit searches (SRH-14): when a build of one has ended, asks the pure core what it
//! says next, and asks for that.
//!
//! Invariants: the state of a search is what is on record. Each look reads it anew, so a master
//! that was killed goes on where it was: requests outlive it. One task runs all searches, so that
//! no point is asked twice.

mod automatic;
mod flaky;
mod inside;

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use tracing::{info, warn};

use crate::botmaster::{Answer, Ask, BuildEvent, Event, IntakeEvent, Probe};
use crate::control::{Control, Interruption, News, Subscription, Topic};
use crate::model::{BuilderName, Op, RequestId, SearchOp};
use crate::net::Tasks;
use crate::store::read::SearchRow;
use crate::store::{State, StoreError};
use crate::verdict::{Next, go_on};

/// How long after a look that has failed the next one is.
const PAUSE: Duration = Duration::from_secs(10);

/// How long after a problem has gathered it is looked at, so that it surely has.
const LATER: Duration = Duration::from_millis(100);

/// Runs the searches until the master stops.
pub(super) async fn run(control: Control, tasks: Tasks) {
    let mut news = control.newsroom().subscribe_to(Topic::Events);
    let mut searcher = Searcher {
        control,
        asked: BTreeSet::new(),
        ended: BTreeSet::new(),
        followed: BTreeSet::new(),
        due: None,
        unowned: BTreeSet::new(),
    };
    let work = async {
        loop {
            let pause = match searcher.look().await {
                Ok(()) => None,
                Err(why) => {
                    warn!("cannot go on with the searches: {why}");
                    Some(PAUSE)
                }
            };
            searcher.wait(&mut news, pause).await;
        }
    };
    tokio::select! {
        biased;
        () = work => {}
        () = tasks.stopping() => {}
    }
}

struct Searcher {
    control: Control,
    /// Requests that are waited for.
    asked: BTreeSet<RequestId>,
    /// Those of them that are not needed any more and were ended.
    ended: BTreeSet<RequestId>,
    /// The builders whose problems the master searches: a build of one of them may end its problem.
    followed: BTreeSet<BuilderName>,
    /// When the next problem has gathered.
    due: Option<Instant>,
    /// Flaky tests without an owner that were told of.
    unowned: BTreeSet<String>,
}

impl Searcher {
    /// Goes on with each search.
    async fn look(&mut self) -> Result<(), String> {
        self.begin().await?;
        self.look_at_suspects().await?;
        self.quarantine().await?;
        let searches = self.control.reader().read(State::unsettled_searches).await;
        let searches = searches.map_err(|error| error.to_string())?;
        self.asked.clear();
        self.followed.clear();
        for mut search in searches {
            self.hear(&mut search).await?;
            if search.verdict.is_none()
                && !self.end_with_problem(&mut search).await?
                && !self.end_with_builder(&mut search).await?
            {
                self.go_on(&mut search).await?;
            }
            let open = search.asks.iter().filter(|ask| ask.said.is_none());
            let open: Vec<_> = open.map(|ask| ask.request).collect();
            self.asked.extend(&open);
            match (search.verdict, search.record.who.as_str()) {
                (Some(_), _) => self.end(open).await,
                (None, "") => self.followed.extend([search.record.builder]),
                (None, _) => {}
            }
        }
        let asked = &self.asked;
        self.ended.retain(|request| asked.contains(request));
        Ok(())
    }

    /// Takes the answers that have come.
    async fn hear(&self, search: &mut SearchRow) -> Result<(), String> {
        let open = search.asks.iter().filter(|ask| ask.said.is_none());
        let open: Vec<_> = open.map(|ask| ask.request).collect();
        if open.is_empty() {
            return Ok(());
        }
        let record = search.record.clone();
        let look = move |state: &State| {
            let found = open.into_iter();
            let found = found.map(|request| Ok((request, state.finding(&record, request)?)));
            found.collect::<Result<Vec<_>, StoreError>>()
        };
        let found = self.control.reader().read(look).await;
        let found = found.map_err(|error| error.to_string())?;
        let mut ops = Vec::new();
        for (request, finding) in found {
            let Some(finding) = finding else { continue };
            let asks = search.asks.iter_mut();
            for ask in asks.filter(|ask| ask.request == request) {
                ask.said = Some(finding.said);
            }
            ops.push(Op::Search(SearchOp::Answered {
                request,
                said: finding.said,
                build: finding.build,
                took_secs: finding.took_secs,
            }));
        }
        if !ops.is_empty() {
            self.control.writer().write_and_wait(ops).await;
        }
        Ok(())
    }

    /// Asks for what is to be asked next, or puts the verdict on record.
    async fn go_on(&self, search: &mut SearchRow) -> Result<(), String> {
        let record = search.record.clone();
        let look = move |state: &State| state.known_points(&record);
        let known = self.control.reader().read(look).await;
        let known = known.map_err(|error| error.to_string())?;
        let number = search.record.number;
        let idle = match search.record.width {
            Some(_) => 1,
            None => self.idle(&search.record.builder).await?,
        };
        match go_on(&search.record, &known, &search.points(), idle) {
            Next::Ask(points) => {
                for point in points {
                    self.ask(search, point).await?;
                }
            }
            Next::Over(verdict) => {
                info!(search = %number, "the search is over: {}", verdict.as_str());
                match self.inside(search, verdict).await? {
                    Some(next) => {
                        let next = self.control.go_inside(number, verdict, next).await?;
                        info!(search = %next, "the search goes on inside what search {number} found");
                    }
                    None => self.control.end_search(number, verdict, None).await,
                }
                search.verdict = Some(verdict);
            }
        }
        Ok(())
    }

    /// How many slaves could build for a search on `builder`.
    async fn idle(&self, builder: &BuilderName) -> Result<usize, String> {
        let builder = builder.clone();
        match self.control.ask(Ask::RoomForSearch { builder }).await? {
            Answer::Count(idle) => Ok(idle),
            Answer::Taken(_) | Answer::Set(_) | Answer::Pinged(_) | Answer::Done => Ok(1),
        }
    }

    /// Asks for a build at a point.
    async fn ask(&self, search: &mut SearchRow, point: usize) -> Result<(), String> {
        let record = &search.record;
        let Some(&change) = record.points.get(point) else {
            return Ok(());
        };
        let line = record.line.clone();
        let look = move |state: &State| state.stamps_at(&line, change);
        let stamps = self.control.reader().read(look).await;
        let stamps = stamps.map_err(|error| error.to_string())?;
        let stamps = match &record.inside {
            Some(inside) => inside.stamps(&stamps, point),
            None => stamps,
        };
        let probe = Probe {
            search: record.number,
            point: u32::try_from(point).unwrap_or(u32::MAX),
            builder: record.builder.clone(),
            stamps,
            step: record.step.clone(),
        };
        let answer = self.control.ask(Ask::Probe(Box::new(probe))).await?;
        if let Answer::Set(set) = answer {
            let requests = set.requests.iter().map(|(request, _)| *request);
            search
                .asks
                .extend(requests.map(|request| crate::store::read::AskRow {
                    point,
                    request,
                    said: None,
                    build: None,
                    took_secs: 0,
                }));
        }
        Ok(())
    }

    /// Ends builds that are not needed any more (SRH-13).
    async fn end(&mut self, requests: Vec<RequestId>) {
        for request in requests {
            if !self.ended.insert(request) {
                continue;
            }
            let reason = "its search is over".to_owned();
            let end = Ask::EndProbe { request, reason };
            if let Err(why) = self.control.ask(end).await {
                info!(%request, "the build of a search goes on: {why}");
            }
        }
    }

    /// Waits until there may be something to do.
    async fn wait(&mut self, news: &mut Subscription, pause: Option<Duration>) {
        if let Some(pause) = pause {
            return sleep(pause).await;
        }
        loop {
            let due = self.due;
            let heard = tokio::select! {
                biased;
                () = self.control.searches_changed().notified() => return,
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    self.due = None;
                    return;
                }
                heard = news.next() => heard,
            };
            match heard.as_deref().map(|told| &told.news) {
                Ok(News::Event(Event::Intake(IntakeEvent::RequestFinished {
                    request, ..
                }))) if self.asked.contains(request) => {
                    return;
                }
                Ok(News::Event(Event::Build(BuildEvent::Finished { builder, .. })))
                    if self.followed.contains(builder) =>
                {
                    return;
                }
                // One that fails may begin a problem, one that passes may end one (FLK-04).
                Ok(News::Event(Event::Build(BuildEvent::Finished { .. })))
                    if self.due.is_none() =>
                {
                    self.due = Some(Instant::now() + self.control.config().search.gather + LATER);
                }
                Ok(News::Event(_) | News::Build(_)) => {}
                Err(Interruption::Missed(_)) => return,
                Err(Interruption::Ended) => std::future::pending().await,
            }
        }
    }
}
