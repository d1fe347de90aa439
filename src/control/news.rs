//! What happens in the master, for subscribers: try clients, mail, pruning, later pages and
//! notifiers (STA-01).
//!
//! Invariants: telling never waits and never fails, so that no subscriber can slow the master down.
//! News have consecutive numbers, and every subscriber hears them in that order. The latest
//! [`KEPT`] news are kept: a subscriber can begin at the number of any of them, and one that is
//! slower than that is told how many it has missed, and looks at the state instead. What is on
//! record is told only when it is durable or on its way to the disk in the same order.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::Facts;
use crate::botmaster::{BuildEvent, Event, IntakeEvent, MasterEvent, SlaveEvent};
use crate::model::{Op, SlaveName, Timestamp};

/// Most news that are kept for subscribers.
pub const KEPT: usize = 4096;

/// At each number that is a multiple of this the subscribers of all topics go through what they do
/// not hear.
const WAKING: u64 = 1024;

/// The number of a piece of news. Numbers of one run of the master are consecutive.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct NewsNumber(pub u64);

/// One thing that has happened.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum News {
    /// The core announced it.
    Event(Event),
    /// A running build has it stored: `StepStarted`, `StepHasLocks`, `StepText`, `StepFinished`,
    /// `LogOpened`, `LogClosed`.
    Build(Op),
}

/// News with their number.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Numbered {
    /// The number.
    pub number: NewsNumber,
    /// What has happened.
    #[serde(flatten)]
    pub news: News,
}

/// News cannot be heard from the number that was asked for: they are not kept any more, or this run
/// of the master has not told them.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("news are kept from number {} on", oldest.0)]
pub struct NotKept {
    /// The number of the oldest news that are kept, or of the next, if none are.
    pub oldest: NewsNumber,
}

/// Why a subscriber hears no news now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Interruption {
    /// The subscriber was too slow: this number of news was dropped. The next are the oldest that
    /// are kept.
    Missed(u64),
    /// The master is ending: no more news come.
    Ended,
}

/// What a subscriber hears.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Topic {
    /// All news.
    Everything,
    /// What the core announced.
    Events,
    /// What the core announced that may have been told in a letter: slaves, and the
    /// begins and ends of builds and sets.
    Letters,
}

impl Topic {
    const ALL: [Self; 3] = [Self::Everything, Self::Events, Self::Letters];

    const fn has(self, news: &News) -> bool {
        match self {
            Self::Everything => true,
            Self::Events => matches!(news, News::Event(_)),
            Self::Letters => matches!(
                news,
                News::Event(
                    Event::Slave(_)
                        | Event::Build(BuildEvent::Started(_) | BuildEvent::Finished { .. })
                        | Event::Intake(
                            IntakeEvent::SetSubmitted(_) | IntakeEvent::SetFinished { .. }
                        )
                )
            ),
        }
    }
}

/// Where news are told and heard. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Newsroom {
    ring: Arc<Mutex<Ring>>,
    /// Wake the subscribers of each topic.
    told: [watch::Sender<()>; Topic::ALL.len()],
    /// The last that was told of a shutdown.
    shutting_down: Arc<AtomicBool>,
    /// The slaves that are to be shut down when they are idle.
    graceful: Arc<watch::Sender<BTreeSet<SlaveName>>>,
    /// What this master says of its own process.
    facts: Arc<watch::Sender<Facts>>,
}

/// The latest news. A leaf: the lock is held for a push or a look.
#[derive(Debug)]
struct Ring {
    /// The number of the next news.
    next: u64,
    /// With the numbers up to `next`.
    kept: VecDeque<Arc<Numbered>>,
}

/// Hears news, one after the other.
#[derive(Debug)]
pub struct Subscription {
    ring: Arc<Mutex<Ring>>,
    told: watch::Receiver<()>,
    topic: Topic,
    /// The number of the news that come next.
    next: u64,
}

impl Newsroom {
    /// A newsroom whose news are numbered from 1.
    #[must_use]
    pub fn new() -> Self {
        Self::numbered_from(1)
    }

    /// The newsroom of a master that starts at `at`. The numbers of all its news are above those of
    /// earlier runs, so that a number from before a restart is recognized as one that is not kept.
    #[must_use]
    pub fn started_at(at: Timestamp) -> Self {
        Self::numbered_from(u64::try_from(at.0).unwrap_or(1))
    }

    fn numbered_from(next: u64) -> Self {
        let kept = VecDeque::new();
        Self {
            ring: Arc::new(Mutex::new(Ring { next, kept })),
            told: Topic::ALL.map(|_| watch::Sender::new(())),
            shutting_down: Arc::default(),
            graceful: Arc::default(),
            facts: Arc::default(),
        }
    }

    /// Tells all subscribers.
    pub fn tell(&self, news: News) {
        if let News::Event(event) = &news {
            self.note(event);
        }
        let topics = Topic::ALL.map(|topic| topic.has(&news));
        // What a subscriber does not hear must not drop what it has to hear.
        let wakes_all = lock(&self.ring).push(news).is_multiple_of(WAKING);
        for (told, is_concerned) in self.told.iter().zip(topics) {
            if is_concerned || wakes_all {
                told.send_replace(());
            }
        }
    }

    /// Hears all news from now on.
    #[must_use]
    pub fn subscribe(&self) -> Subscription {
        self.subscribe_to(Topic::Everything)
    }

    /// Hears the news of a topic from now on.
    #[must_use]
    pub fn subscribe_to(&self, topic: Topic) -> Subscription {
        let next = lock(&self.ring).next;
        self.subscription(topic, next)
    }

    /// Hears all news from `number` on, also those that were told before.
    ///
    /// # Errors
    /// The news of that number are not kept.
    pub fn subscribe_from(&self, number: NewsNumber) -> Result<Subscription, NotKept> {
        let ring = lock(&self.ring);
        if (ring.oldest()..=ring.next).contains(&number.0) {
            return Ok(self.subscription(Topic::Everything, number.0));
        }
        let oldest = NewsNumber(ring.oldest());
        Err(NotKept { oldest })
    }

    fn subscription(&self, topic: Topic, next: u64) -> Subscription {
        let [everything, events, letters] = &self.told;
        let told = match topic {
            Topic::Everything => everything,
            Topic::Events => events,
            Topic::Letters => letters,
        };
        Subscription {
            ring: Arc::clone(&self.ring),
            told: told.subscribe(),
            topic,
            next,
        }
    }

    /// Whether the master has been told to stop and takes no work any more; a clean shutdown can be
    /// cancelled.
    #[must_use]
    pub fn is_shutting_down(&self) -> bool {
        self.shutting_down.load(Ordering::Relaxed)
    }

    /// The slaves that are to be shut down when they are idle, or were, and have not come again
    /// (SLV-08).
    #[must_use]
    pub fn graceful(&self) -> watch::Receiver<BTreeSet<SlaveName>> {
        self.graceful.subscribe()
    }

    /// What this master says of its own process.
    #[must_use]
    pub fn facts(&self) -> Facts {
        Facts {
            stopping: self.is_shutting_down(),
            ..self.facts.borrow().clone()
        }
    }

    /// Changes what this master says of its own process.
    pub fn change_facts(&self, change: impl FnOnce(&mut Facts)) {
        self.facts.send_modify(change);
    }

    fn note(&self, event: &Event) {
        if let Event::Slave(SlaveEvent::Graceful { slave, graceful }) = event {
            self.graceful.send_modify(|all| match graceful {
                true => drop(all.insert(slave.clone())),
                false => drop(all.remove(slave)),
            });
        }
        let (begins, ends) = (
            matches!(event, Event::Master(MasterEvent::ShuttingDown { .. })),
            matches!(event, Event::Master(MasterEvent::ShutdownCancelled)),
        );
        if begins || ends {
            self.shutting_down.store(begins, Ordering::Relaxed);
        }
    }
}

impl Ring {
    fn oldest(&self) -> u64 {
        self.kept.front().map_or(self.next, |told| told.number.0)
    }

    /// Returns the number of the news.
    fn push(&mut self, news: News) -> u64 {
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        let number = NewsNumber(self.next);
        self.kept.push_back(Arc::new(Numbered { number, news }));
        self.next += 1;
        number.0
    }

    /// The news of a number that is not too old; absent if they are not told yet.
    fn get(&self, number: u64) -> Option<&Arc<Numbered>> {
        let at = usize::try_from(number - self.oldest()).ok()?;
        self.kept.get(at)
    }
}

impl Subscription {
    /// Waits for the next news of its topic. Cancel-safe: what was not returned comes with the next
    /// call.
    ///
    /// # Errors
    /// News were missed, or no more come.
    pub async fn next(&mut self) -> Result<Arc<Numbered>, Interruption> {
        loop {
            // Before the look: what is told after it wakes this task.
            self.told.mark_unchanged();
            if let Some(heard) = self.look() {
                return heard;
            }
            if self.told.changed().await.is_err() {
                // What was told last is still heard.
                return self.look().unwrap_or(Err(Interruption::Ended));
            }
        }
    }

    /// Hears the news of another topic from now on.
    pub(super) fn turn_to(&mut self, room: &Newsroom, topic: Topic) {
        if self.topic != topic {
            *self = room.subscription(topic, self.next);
        }
    }

    /// The next news, if they are told already; then the caller calls again.
    ///
    /// # Errors
    /// News were missed.
    pub fn look(&mut self) -> Option<Result<Arc<Numbered>, Interruption>> {
        let ring = lock(&self.ring);
        let missed = ring.oldest().saturating_sub(self.next);
        if missed > 0 {
            self.next += missed;
            return Some(Err(Interruption::Missed(missed)));
        }
        loop {
            let news = ring.get(self.next)?;
            self.next += 1;
            if self.topic.has(&news.news) {
                return Some(Ok(Arc::clone(news)));
            }
        }
    }
}

/// No code panics while it holds the lock.
fn lock(ring: &Mutex<Ring>) -> MutexGuard<'_, Ring> {
    ring.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for Newsroom {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::task::{Context, Waker};

    use super::*;
    use crate::botmaster::IntakeEvent;
    use crate::model::{RequestId, Results};

    fn news(id: u64) -> News {
        News::Event(Event::Intake(IntakeEvent::RequestFinished {
            request: RequestId(id),
            result: Results::Success,
        }))
    }

    fn tell(room: &Newsroom, ids: std::ops::Range<u64>) {
        for id in ids {
            room.tell(news(id));
        }
    }

    async fn hear(subscription: &mut Subscription) -> (u64, News) {
        let told = subscription.next().await.unwrap();
        (told.number.0, told.news.clone())
    }

    #[tokio::test]
    async fn sta_01_a_subscriber_hears_news_in_order_from_now_on() {
        let room = Newsroom::new();
        tell(&room, 0..2);
        let mut subscription = room.subscribe();
        tell(&room, 2..4);
        assert_eq!(hear(&mut subscription).await, (3, news(2)));
        assert_eq!(hear(&mut subscription).await, (4, news(3)));
    }

    #[tokio::test]
    async fn sta_01_a_second_subscriber_from_a_number_gets_the_rest() {
        let room = Newsroom::new();
        tell(&room, 0..3);
        let mut subscription = room.subscribe_from(NewsNumber(2)).unwrap();
        assert_eq!(hear(&mut subscription).await, (2, news(1)));
        assert_eq!(hear(&mut subscription).await, (3, news(2)));
        tell(&room, 3..4);
        assert_eq!(hear(&mut subscription).await, (4, news(3)));
    }

    #[tokio::test]
    async fn a_subscriber_that_waits_is_woken() {
        let room = Newsroom::new();
        let mut subscription = room.subscribe();
        let told = tokio::spawn(async move { hear(&mut subscription).await });
        tokio::task::yield_now().await;
        tell(&room, 7..8);
        assert_eq!(told.await.unwrap(), (1, news(7)));
    }

    #[test]
    fn a_number_that_is_too_old_or_not_of_this_run_is_rejected_with_the_oldest_that_is_kept() {
        let room = Newsroom::new();
        let not_kept = |number| room.subscribe_from(NewsNumber(number)).map(drop);
        let oldest_is = |number| {
            Err(NotKept {
                oldest: NewsNumber(number),
            })
        };
        assert_eq!(not_kept(0), oldest_is(1));
        assert_eq!(not_kept(1), Ok(()), "the next");
        assert_eq!(not_kept(2), oldest_is(1));
        tell(&room, 0..KEPT as u64);
        assert_eq!(not_kept(1), Ok(()), "as many as are kept");
        tell(&room, 0..1);
        assert_eq!(not_kept(1), oldest_is(2));
        assert_eq!(not_kept(2), Ok(()));
    }

    #[tokio::test]
    async fn a_slow_subscriber_learns_how_many_it_has_missed_and_goes_on() {
        let room = Newsroom::new();
        let mut subscription = room.subscribe();
        tell(&room, 0..KEPT as u64 + 3);
        let missed = subscription.next().await.unwrap_err();
        assert_eq!(missed, Interruption::Missed(3));
        assert_eq!(hear(&mut subscription).await, (4, news(3)));
        assert_eq!(lock(&room.ring).kept.len(), KEPT);
    }

    #[tokio::test]
    async fn a_subscriber_of_a_topic_is_not_woken_by_other_news_and_misses_nothing() {
        let room = Newsroom::new();
        let mut slaves = room.subscribe_to(Topic::Letters);
        let slave = |name: &str| {
            News::Event(Event::Slave(SlaveEvent::Graceful {
                slave: name.into(),
                graceful: true,
            }))
        };
        room.tell(slave("first"));
        assert_eq!(hear(&mut slaves).await, (1, slave("first")));
        slaves.told.mark_unchanged();
        tell(&room, 0..WAKING - 2);
        assert!(!slaves.told.has_changed().unwrap());
        tell(&room, 0..1);
        assert!(slaves.told.has_changed().unwrap());
        let mut told = Box::pin(slaves.next());
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..2 * KEPT {
            tell(&room, 0..1);
            assert!(told.as_mut().poll(&mut context).is_pending());
        }
        room.tell(slave("second"));
        let told = told.await.unwrap();
        assert_eq!(told.news, slave("second"));
    }

    #[tokio::test]
    async fn at_the_end_the_last_news_are_heard() {
        let room = Newsroom::new();
        let mut subscription = room.subscribe();
        tell(&room, 0..1);
        drop(room);
        assert_eq!(hear(&mut subscription).await, (1, news(0)));
        let end = subscription.next().await.unwrap_err();
        assert_eq!(end, Interruption::Ended);
    }

    #[test]
    fn numbers_of_an_earlier_run_are_not_kept() {
        let before = Newsroom::started_at(Timestamp::from_secs(1_000));
        tell(&before, 0..100);
        let room = Newsroom::started_at(Timestamp::from_secs(1_001));
        let number = NewsNumber(lock(&before.ring).next);
        assert!(room.subscribe_from(number).is_err());
    }

    #[test]
    fn news_have_a_stable_format() {
        let told = Numbered {
            number: NewsNumber(7),
            news: news(3),
        };
        let text = r#"{"number":7,"event":{"intake":{"request_finished":{"request":3,"result":"success"}}}}"#;
        assert_eq!(serde_json::to_string(&told).unwrap(), text);
        assert_eq!(serde_json::from_str::<Numbered>(text).unwrap(), told);
    }
}
