//! The outbox: letters to people and programs, each delivered at least once (OUT-01 to OUT-18).
//!
//! A letter is written in the transaction of its cause. The outbox reads what waits over its own
//! connection, gives each letter to its target, and writes down what came of it. So a letter
//! survives whatever ends the master, and one that was on its way then is sent again, with the same
//! key. What a letter says was true when it was written; its wording and its recipients are those
//! of the configuration in force.

mod attachments;
mod channels;
mod command;
mod gerrit;
mod lookup;
mod mail;
mod message;
mod objects;
mod packets;
mod preview;
mod problem_mail;
mod program;
mod push;
mod quarantine_mail;
mod recipients;
mod smtp;
mod turns;
mod webhook;
mod wording;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{debug, error, info, info_span, warn};

use self::mail::Post;
use self::turns::{Failure, MOST_AT_ONCE, Turns, fate, stale};
use self::wording::Templates;
use crate::botmaster::{BuildEvent, Event, IntakeEvent, SlaveEvent};
use crate::clock::Clock;
use crate::config::{Config, StatusConfig};
use crate::control::{Control, Interruption, Measures, News, Subscription};
use crate::model::{Fate, Letter, LetterOp, LetterState, Op};
use crate::net::Tasks;
use crate::status::lookout::Lookout;
use crate::store::read::{LetterFilter, LetterRow};
use crate::store::{State, StoreError, Writer};

pub use self::preview::{Preview, PreviewKind};
pub(super) use self::recipients::is_reachable;
pub use self::wording::check_template;

/// Letters of a target that are looked at in one go: those that are on their way, and as many that
/// may follow.
const LOOKED_AT: u32 = 8;

/// Letters of a target that returns that are tried at once.
const MOST_WELCOME: u32 = 10_000;

/// A look that took longer is followed by a pause of nine times as long, so that very many letters
/// that wait cost a tenth of a processor at most (OUT-13).
const QUICK_LOOK: Duration = Duration::from_millis(2);

/// Longest pause after a look.
const LONGEST_REST: Duration = Duration::from_secs(1);

/// Longest time between two looks. The clock may be set meanwhile.
const EVERY: Duration = Duration::from_secs(600);

/// What letters that are on their way may take when the master stops (OUT-16).
const LEAVING: Duration = Duration::from_secs(5);

/// What sends letters.
#[derive(Debug)]
pub struct Outbox {
    /// Reads the letters, and takes what they come to.
    pub writer: Writer,
    /// The clocks of the master.
    pub clock: Clock,
    /// The configuration in force.
    pub config: watch::Receiver<Arc<Config>>,
    /// Told when somebody has changed what waits.
    pub changed: Arc<Notify>,
    /// Counts what letters come to.
    pub measures: Arc<Measures>,
    /// The bots that tell channels, and the clients of people.
    pub lookout: Lookout,
    /// Knows why builds wait.
    pub control: Control,
}

/// An attempt that has ended.
type Attempt = (LetterRow, Fate);

impl Outbox {
    /// Sends letters for as long as the master runs.
    pub async fn run(mut self, mut news: Subscription, tasks: Tasks) {
        let (ended, mut attempts) = mpsc::channel(MOST_AT_ONCE);
        let mut turns = Turns::default();
        let connections = Arc::default();
        let mut in_force = Arc::clone(&self.config.borrow_and_update());
        let mut templates = self.templates(&in_force).await;
        loop {
            let began = Instant::now();
            let (heads, identity) = self.heads().await;
            let rest = rest_after(began.elapsed());
            // Looked at after the letters: what was written under a configuration is sent with it.
            if self.config.has_changed().unwrap_or(false) {
                in_force = Arc::clone(&self.config.borrow_and_update());
                templates = self.templates(&in_force).await;
                self.welcome(&mut turns).await;
            }
            // Whatever wakes the outbox first, the next round sees a new configuration.
            let (told, mut newer) = (self.config.clone(), self.config.clone());
            let now = self.clock.wall();
            for letter in turns.take(&heads, now) {
                let post = Post {
                    reader: self.writer.reader().clone(),
                    config: Arc::clone(&in_force),
                    identity: Arc::clone(&identity),
                    templates: Arc::clone(&templates),
                    connections: Arc::clone(&connections),
                    lookout: self.lookout.clone(),
                    control: Some(self.control.clone()),
                };
                let failed = match post.has_target(&letter.target) {
                    true => stale(&letter, now),
                    false => Some(Failure::Gone(turns.gone_since(&letter.target, now))),
                };
                match failed {
                    None => self.send(letter, post, ended.clone(), &tasks),
                    Some(failure) => {
                        let fate = fate(Err(failure), &letter, now);
                        tell(&letter, &fate);
                        self.note(&mut turns, (letter, fate)).await;
                    }
                }
            }
            if stops_within(rest, &tasks).await {
                break;
            }
            let pause = turns.pause(&heads, now).unwrap_or(EVERY).min(EVERY);
            tokio::select! {
                biased;
                () = tasks.stopping() => break,
                Some(attempt) = attempts.recv() => self.note(&mut turns, attempt).await,
                is_over = written(&mut news, &told) => if is_over { break },
                () = self.changed.notified() => {}
                Ok(()) = newer.changed() => {}
                () = sleep(pause) => {}
            }
        }
        let limit = Instant::now() + LEAVING;
        while turns.are_sending() {
            tokio::select! {
                biased;
                Some(attempt) = attempts.recv() => self.note(&mut turns, attempt).await,
                () = sleep_until(limit) => break,
            }
        }
    }

    /// The templates of the user, as they are now (MSG-03).
    async fn templates(&self, config: &Arc<Config>) -> Arc<Templates> {
        let config = Arc::clone(config);
        let read = move |state: &State| {
            Ok::<_, StoreError>(Arc::new(Templates::read(state.basedir(), &config)))
        };
        let read = self.writer.reader().read(read).await;
        read.unwrap_or_else(|error| {
            error!("cannot read the templates: {error}");
            Arc::default()
        })
    }

    /// The first letters of their orders, and the identity of the state, without which they have
    /// no key (OUT-04).
    async fn heads(&self) -> (Vec<LetterRow>, Arc<str>) {
        let look = |state: &State| {
            let identity = Arc::from(state.identity()?);
            Ok::<_, StoreError>((state.letters_to_send(LOOKED_AT)?, identity))
        };
        let found = self.writer.reader().read(look).await;
        found.unwrap_or_else(|error| {
            error!("cannot read the outbox: {error}");
            (Vec::new(), Arc::default())
        })
    }

    fn send(&self, letter: LetterRow, post: Post, ended: mpsc::Sender<Attempt>, tasks: &Tasks) {
        let clock = self.clock;
        let stopping = tasks.stopping();
        let span = info_span!("letter", number = letter.id.0, target = letter.target);
        tasks.spawn(span, async move {
            let attempt = async {
                let sent = post.send(&letter, clock.wall()).await;
                let fate = fate(sent, &letter, clock.wall());
                tell(&letter, &fate);
                // After the master has stopped, nobody writes down what came of it.
                drop(ended.send((letter, fate)).await);
            };
            let left = async {
                stopping.await;
                sleep(LEAVING).await;
            };
            tokio::select! {
                biased;
                () = attempt => {}
                () = left => {}
            }
        });
    }

    /// Letters to targets that are in the configuration again are tried at once (OUT-11).
    async fn welcome(&self, turns: &mut Turns) {
        let config = Arc::clone(&self.config.borrow());
        for target in turns.returned(|name| has_target(&config, name)) {
            let wanted = LetterFilter {
                states: vec![LetterState::Waiting],
                target: Some(target),
                ..LetterFilter::default()
            };
            let find = move |state: &State| state.letters(&wanted, MOST_WELCOME);
            let letters = self.writer.reader().read(find).await;
            let letters = letters.unwrap_or_else(|error| {
                error!("cannot read the outbox: {error}");
                Vec::new()
            });
            let letters: Vec<_> = letters.iter().map(|letter| letter.id).collect();
            if !letters.is_empty() {
                let at = self.clock.wall();
                let op = Op::Letter(Box::new(LetterOp::Retried { letters, at }));
                self.writer.write_and_wait(vec![op]).await;
            }
        }
    }

    async fn note(&self, turns: &mut Turns, (letter, fate): Attempt) {
        turns.ended(&letter, &fate);
        self.measures.letters.count(&letter.target, fate.word());
        let (letter, at) = (letter.id, self.clock.wall());
        let tried = LetterOp::Tried { letter, fate, at };
        let op = Op::Letter(Box::new(tried));
        self.writer.write_and_wait(vec![op]).await;
    }
}

/// The pause after a look that took so long.
fn rest_after(look: Duration) -> Duration {
    match look > QUICK_LOOK {
        true => (look * 9).min(LONGEST_REST),
        false => Duration::ZERO,
    }
}

/// Waits for so long; true if the master stops meanwhile.
async fn stops_within(time: Duration, tasks: &Tasks) -> bool {
    if time.is_zero() {
        return false;
    }
    tokio::select! {
        biased;
        () = tasks.stopping() => true,
        () = sleep(time) => false,
    }
}

/// Whether the configuration has the target of a letter.
fn has_target(config: &Config, name: &str) -> bool {
    let mut targets = config.status.iter().filter_map(StatusConfig::target);
    [Letter::MAIL, Letter::LIVE].contains(&name) || targets.any(|target| target == name)
}

/// Waits until a letter may have been written. True if there will be none any more.
async fn written(news: &mut Subscription, config: &watch::Receiver<Arc<Config>>) -> bool {
    loop {
        let may_be = match news.next().await.as_deref().map(|told| &told.news) {
            Ok(News::Event(Event::Slave(SlaveEvent::Missing { .. }))) => true,
            Ok(News::Event(
                Event::Build(BuildEvent::Started(_) | BuildEvent::Finished { .. })
                | Event::Intake(IntakeEvent::SetSubmitted(_) | IntakeEvent::SetFinished { .. }),
            )) => {
                let config = config.borrow();
                let mut targets = config.status.iter();
                targets.any(|target| target.target().is_some())
            }
            Ok(News::Event(_) | News::Build(_)) => false,
            Err(Interruption::Missed(_)) => true,
            Err(Interruption::Ended) => return true,
        };
        if may_be {
            return false;
        }
    }
}

fn tell(letter: &LetterRow, fate: &Fate) {
    let about = &letter.facts;
    match fate {
        Fate::Delivered => info!("told that {about}"),
        Fate::DeliveredInPart { why } => warn!("told that {about}, but not all: {why}"),
        Fate::Split { to } => debug!("tell {} recipients, each alone, that {about}", to.len()),
        Fate::Later { why, next_at } => {
            let next_at = next_at.to_rfc3339();
            error!(next_at, "cannot tell that {about}: {why}");
        }
        Fate::Dropped { why } => warn!("will not tell that {about}: {why}"),
        Fate::Dead { why } => {
            let number = letter.id;
            warn!(
                "gave up telling that {about}: {why}; `buildmaster outbox retry {number}` tries again"
            );
        }
    }
}
