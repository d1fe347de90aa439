//! Why a request does not run (MAS-10): every blocker, as data and as one sentence.
//!
//! Invariants: nothing is changed by asking; each sentence is true at the time of the last input; a
//! request that is queued has at least one blocker, since none waits that could start. An answer
//! costs what is ahead in the queue of the request's builder, and a look at each of that builder's
//! slaves.

mod absent;
mod searches;
mod slaves;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use self::absent::{Refused, told};
use self::searches::why_of_search;
use super::attempt::{Attempt, Stage};
use super::buildset::Place;
use super::holding::held;
use super::ids::BuilderIx;
use super::stopping::Phase;
use super::{AttemptId, BotMaster};
use crate::model::{
    BuildRequest, BuilderName, Refusal, RequestId, SearchNumber, SlaveName, Timestamp,
};
use crate::text::and_more;

/// Most names that a sentence gives; the data has all.
const NAMES_SHOWN: usize = 10;

/// One reason why a request does not run, or what has become of it.
#[derive(Clone, Debug, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Blocker {
    /// What it is.
    pub kind: BlockerKind,
    /// Since when, where that is known; serialized as RFC 3339 text, or null.
    #[serde(serialize_with = "rfc3339")]
    pub since: Option<Timestamp>,
    /// Until when, if it ends by itself; likewise.
    #[serde(serialize_with = "rfc3339")]
    pub until: Option<Timestamp>,
    /// The slaves that it concerns.
    pub slaves: Vec<SlaveName>,
    /// Who is in the way: builds, requests, people.
    pub who: Vec<String>,
    /// The culprit search that it is about, or null.
    pub search: Option<SearchNumber>,
    /// All of it in a sentence.
    pub text: String,
}

/// What is in the way of a request.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum BlockerKind {
    /// It is not on disk yet.
    NotDurable,
    /// The master stops and interrupts its builds.
    ShuttingDown,
    /// The master waits for its builds and stops then.
    Draining,
    /// Its builder was removed from the configuration.
    BuilderRemoved,
    /// Its builder is paused.
    BuilderPaused,
    /// A culprit search: the request is of one, which stands behind all others, or one has a slave
    /// that the request could start on.
    Search,
    /// A window in which its builder, or a slave, takes no builds (CFL-133).
    Hold,
    /// Other requests of its builder go first.
    Queue,
    /// A build of its builder takes no more requests (CFL-123).
    MergeLimit,
    /// Its builder has no slaves.
    NoSlave,
    /// Its builder runs as many builds as it may.
    BuilderFull,
    /// A slave may not take it, by the builder's `slave_if` or `slave_property` (CFL-130).
    SlaveIf,
    /// A slave may not take it, by the builder's `slave_check`, or that was not answered yet.
    SlaveCheck,
    /// A slave is not connected.
    NotConnected,
    /// A slave is not connected, and was refused.
    Refused,
    /// A slave is being attached.
    Attaching,
    /// A slave is pinged because somebody asked for it.
    Pinging,
    /// A slave runs another build of this builder.
    Busy,
    /// A slave runs as many builds as it may.
    MaxBuilds,
    /// A slave is paused.
    Paused,
    /// A slave is to be shut down when it is idle.
    Graceful,
    /// A slave is held back after failed starts.
    HeldBack,
    /// A lock of a slave's own is taken.
    SlaveLock,
    /// A slave could not be attached to the builder, which is tried again.
    NotAttached,
    /// A slave is to come again when its builds have ended.
    Rejoining,
    /// A slave was told to shut down.
    ToldToEnd,
    /// A latent slave's instance is being stopped.
    InstanceStopping,
    /// Its build is being started.
    Starting,
    /// It is being built.
    Building,
    /// Its build waits for a lock.
    Lock,
    /// It shares a build with other requests.
    Merged,
    /// It has finished.
    Finished,
    /// Not in its way: the build that has triggered it.
    Triggered,
}

/// What keeps one slave from taking a build, without its name, so that equal ones can be told
/// together.
#[derive(Debug)]
struct Obstacle {
    kind: BlockerKind,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    who: Vec<String>,
    /// The sentence's end after the name of one slave.
    one: String,
    /// The same after the names of several.
    many: String,
}

impl Blocker {
    fn new(kind: BlockerKind, since: impl Into<Option<Timestamp>>, text: String) -> Self {
        Self {
            kind,
            since: since.into(),
            until: None,
            slaves: Vec::new(),
            who: Vec::new(),
            search: None,
            text,
        }
    }

    fn by(mut self, who: impl IntoIterator<Item = String>) -> Self {
        self.who = who.into_iter().collect();
        self
    }

    fn on(mut self, slave: SlaveName) -> Self {
        self.slaves.push(slave);
        self
    }

    /// That a request has ended, for those who find it on record.
    #[must_use]
    pub fn finished(at: Option<Timestamp>, text: String) -> Self {
        Self::new(BlockerKind::Finished, at, text)
    }

    /// What a culprit search that a blocker names does and costs, for those who find it on record.
    #[must_use]
    pub fn of_search(search: SearchNumber, began_at: Timestamp, text: String) -> Self {
        Self {
            search: Some(search),
            ..Self::new(BlockerKind::Search, began_at, text)
        }
    }

    /// That the build `who` has triggered a request, for those who find it on record.
    #[must_use]
    pub fn triggered(who: String, text: String) -> Self {
        Self::new(BlockerKind::Triggered, None, text).by([who])
    }
}

impl Obstacle {
    /// `is` or `are` with `rest`.
    fn is(kind: BlockerKind, since: impl Into<Option<Timestamp>>, rest: &str) -> Self {
        Self::new(kind, since, format!("is {rest}"), format!("are {rest}"))
    }

    fn new(
        kind: BlockerKind,
        since: impl Into<Option<Timestamp>>,
        one: String,
        many: String,
    ) -> Self {
        Self {
            kind,
            since: since.into(),
            until: None,
            who: Vec::new(),
            one,
            many,
        }
    }

    fn by(mut self, who: Vec<String>) -> Self {
        self.who = who;
        self
    }
}

impl BotMaster {
    /// Every blocker of an open request; nothing if the request is not open, because it has ended
    /// or never was. `refusals` are the connections that were refused, the latest first.
    #[must_use]
    pub fn why(&self, request: RequestId, refusals: &[Refusal]) -> Option<Vec<Blocker>> {
        let refused = &self.refused(refusals);
        let open = self.intake.request(request)?;
        Some(match open.place {
            Place::Unqueued => {
                let text = format!(
                    "request {request} is being written to disk since {}",
                    at(open.request.submitted_at)
                );
                let since = open.request.submitted_at;
                vec![Blocker::new(BlockerKind::NotDurable, since, text)]
            }
            Place::Queued => self.why_queued(&open.request, refused),
            Place::Starting { attempt, .. } | Place::Building(attempt) => {
                self.why_in_build(request, attempt, refused)
            }
        })
    }

    fn why_queued(&self, request: &BuildRequest, refused: &Refused<'_>) -> Vec<Blocker> {
        let mut all = Vec::new();
        all.extend(self.why_stopping());
        let Some(builder) = self.out.layout.builder_named(&request.builder) else {
            return all;
        };
        let placed = self.out.layout.builder(builder);
        let name = &request.builder;
        if !placed.is_configured {
            let text = format!(
                "builder {name} was removed from the configuration; its requests are given up unless it comes back"
            );
            all.push(Blocker::new(BlockerKind::BuilderRemoved, None, text));
            return all;
        }
        all.extend(self.why_paused(name));
        if let Some((window, until)) = held(&self.out, &placed.config.hold) {
            let text = format!(
                "builder {name} starts no builds{}: hold {window}",
                by(until)
            );
            let mut blocker = Blocker::new(BlockerKind::Hold, None, text);
            blocker.until = until;
            all.push(blocker);
        }
        all.extend(why_of_search(request));
        all.extend(self.why_full(builder));
        all.extend(self.why_behind(builder, request));
        if placed.slaves.is_empty() {
            let text = format!("builder {name} has no slaves in the configuration");
            all.push(Blocker::new(BlockerKind::NoSlave, None, text));
        }
        all.extend(self.why_slaves(builder, request, refused));
        if !request.is_of_search() {
            all.extend(self.why_searched(builder));
        }
        all
    }

    fn why_paused(&self, name: &BuilderName) -> Option<Blocker> {
        let pause = self.paused_builders.get(name)?;
        let by = match pause.by.as_str() {
            "" => String::new(),
            by => format!(" by {by}"),
        };
        let why = match pause.reason.as_str() {
            "" => String::new(),
            reason => format!(": {reason}"),
        };
        let text = format!(
            "builder {name} is paused{by} since {}{why}",
            at(pause.since)
        );
        let blocker = Blocker::new(BlockerKind::BuilderPaused, pause.since, text);
        let by = Some(pause.by.clone()).filter(|by| !by.is_empty());
        Some(blocker.by(by))
    }

    /// The builder runs as many builds as it may.
    fn why_full(&self, builder: BuilderIx) -> Option<Blocker> {
        let config = &self.out.layout.builder(builder).config;
        let max = config.max_builds?;
        if !self.dispatch.is_full(builder) {
            return None;
        }
        let slaves = self.out.layout.slave_indexes();
        let its = slaves.flat_map(|slave| {
            let busy = self.dispatch.is_busy(slave, builder);
            self.occupants(slave, busy.then_some(builder))
        });
        let who: Vec<_> = its.collect();
        let text = format!(
            "builder {} is full with {} (max_builds {max})",
            config.name,
            and_more(&who, NAMES_SHOWN)
        );
        Some(Blocker::new(BlockerKind::BuilderFull, None, text).by(who))
    }

    /// The requests of the builder before this one, and beside it.
    fn why_behind(&self, builder: BuilderIx, request: &BuildRequest) -> Vec<Blocker> {
        let name = &request.builder;
        let mut all = Vec::new();
        let queue = self.dispatch.queue(builder);
        let (ahead, next) = queue.ahead_of(request);
        if let Some((_, first)) = next
            && let Some(open) = self.intake.request(first)
        {
            let since = open.request.submitted_at;
            let them = if ahead == 1 {
                "request goes"
            } else {
                "requests go"
            };
            let order = match queue.order_of(request.id) {
                Some(_) => " (request_order)",
                None => "",
            };
            let text = format!(
                "{ahead} other {them} first on builder {name}{order}, the next (request {first}) waiting since {}",
                at(since)
            );
            let blocker = Blocker::new(BlockerKind::Queue, request.submitted_at, text);
            all.push(blocker.by([format!("request {first}")]));
        }
        let mates: Vec<_> = queue.mates_of(request).collect();
        if !mates.is_empty() {
            let text = format!("it will share a build with {}", requests(&mates));
            let blocker = Blocker::new(BlockerKind::Merged, None, text);
            all.push(blocker.by(mates.iter().map(|id| format!("request {id}"))));
        }
        let before = queue.in_builds_before(request);
        if let Some(limit) = queue.limit().filter(|_| before > 0) {
            let text = format!(
                "a build of builder {name} takes at most {limit} requests (merge_limit), and {before} that it could \
                 share one with go first"
            );
            all.push(Blocker::new(BlockerKind::MergeLimit, None, text));
        }
        all
    }

    fn why_stopping(&self) -> Option<Blocker> {
        let since = at(self.phase_since);
        let (kind, text) = match self.phase {
            Phase::Running => return None,
            Phase::Draining => (
                BlockerKind::Draining,
                format!(
                    "the master starts no builds since {since}: it stops when those that run have ended"
                ),
            ),
            Phase::Stopping | Phase::Exited => (
                BlockerKind::ShuttingDown,
                format!("the master is shutting down since {since}"),
            ),
        };
        Some(Blocker::new(kind, self.phase_since, text))
    }

    /// What is in the way at the slaves of a builder; those of whom the same is true together.
    fn why_slaves(
        &self,
        builder: BuilderIx,
        request: &BuildRequest,
        refused: &Refused<'_>,
    ) -> Vec<Blocker> {
        let mut groups: Vec<(Obstacle, Vec<SlaveName>)> = Vec::new();
        let mut known: BTreeMap<(BlockerKind, String), usize> = BTreeMap::new();
        for &slave in &self.out.layout.builder(builder).slaves {
            for obstacle in self.obstacles(slave, (builder, request), refused) {
                let key = (obstacle.kind, obstacle.one.clone());
                let place = *known.entry(key).or_insert(groups.len());
                if place == groups.len() {
                    groups.push((obstacle, Vec::new()));
                }
                groups[place].1.push(self.out.layout.slave_name(slave));
            }
        }
        let groups = groups.into_iter();
        groups
            .map(|(obstacle, slaves)| {
                let names = slaves.iter().map(ToString::to_string).collect::<Vec<_>>();
                let text = match names.as_slice() {
                    [one] => format!("slave {one} {}", obstacle.one),
                    several => format!(
                        "slaves {} {}",
                        and_more(several, NAMES_SHOWN),
                        obstacle.many
                    ),
                };
                Blocker {
                    kind: obstacle.kind,
                    since: obstacle.since,
                    until: obstacle.until,
                    slaves,
                    who: obstacle.who,
                    search: None,
                    text,
                }
            })
            .collect()
    }

    fn why_in_build(
        &self,
        request: RequestId,
        id: AttemptId,
        refused: &Refused<'_>,
    ) -> Vec<Blocker> {
        let Some(attempt) = self.builds.get(id) else {
            return Vec::new();
        };
        let mut described = self.describe_attempt(request, attempt, refused);
        let open = self.intake.request(request);
        described.search = open.and_then(|open| open.request.search());
        let mut all = vec![described];
        if let Some(wait) = self.lock_wait_of(id) {
            for block in &wait.blocks {
                let text = format!("its build waits for {block}, since {}", at(wait.since));
                let blocker = Blocker::new(BlockerKind::Lock, wait.since, text);
                all.push(blocker.by(block.holders.iter().map(ToString::to_string)));
            }
        }
        let others = attempt.requests.iter().copied();
        let others: Vec<_> = others.filter(|&other| other != request).collect();
        if !others.is_empty() {
            let text = format!("it shares this build with {}", requests(&others));
            let blocker = Blocker::new(BlockerKind::Merged, attempt.chosen_at, text);
            all.push(blocker.by(others.iter().map(|id| format!("request {id}"))));
        }
        all
    }

    fn describe_attempt(
        &self,
        request: RequestId,
        attempt: &Attempt,
        refused: &Refused<'_>,
    ) -> Blocker {
        let (slave, since) = (self.out.layout.slave_name(attempt.slave), attempt.since);
        let when = at(since);
        let builder = self.out.layout.builder_name(attempt.builder);
        let starting = |what: &str| {
            let text =
                format!("request {request} is being started on slave {slave}: {what} {when}");
            Blocker::new(BlockerKind::Starting, since, text)
        };
        let blocker = match &attempt.stage {
            Stage::Substantiating => {
                let mut blocker = starting("it waits for the slave's instance since");
                if let Some(refusal) = refused.of(&slave) {
                    blocker.text = format!("{}; its {}", blocker.text, told(refusal));
                }
                blocker
            }
            Stage::Pinging => starting("the slave is pinged since"),
            Stage::Starting => starting("the slave is asked to start the build since"),
            Stage::Recording(..) => starting("its start is being written to disk since"),
            Stage::Running(_, number) => {
                let text = format!(
                    "request {request} is being built as {builder}/{number} on slave {slave} since {when}"
                );
                let blocker = Blocker::new(BlockerKind::Building, since, text);
                blocker.by([format!("{builder}/{number}")])
            }
        };
        blocker.on(slave)
    }
}

/// Requests in a sentence.
fn requests(ids: &[RequestId]) -> String {
    let noun = if ids.len() == 1 {
        "request"
    } else {
        "requests"
    };
    format!("{noun} {}", and_more(ids, NAMES_SHOWN))
}

/// ` until` a time, if it is known.
fn by(until: Option<Timestamp>) -> String {
    until.map_or_else(String::new, |until| format!(" until {}", at(until)))
}

fn at(time: Timestamp) -> String {
    time.to_rfc3339()
}

#[expect(
    clippy::ref_option,
    reason = "the serializer hands over a reference to the field"
)]
fn rfc3339<S: Serializer>(time: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
    time.map(Timestamp::to_rfc3339).serialize(to)
}
