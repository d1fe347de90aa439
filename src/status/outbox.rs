//! The outbox: letters to people and programs, each delivered at least once (OUT-01 to OUT-18).
//!
//! A letter is written in the transaction of its cause. The outbox reads what waits over its own
//! connection, gives each letter to its target, and writes down what came of it. So a letter
//! survives whatever ends the master, and one that was on its way then is sent again, with the same
//! key. What a letter says was true when it was written; its wording and its recipients are those
//! of the configuration in force.

mod mail;
mod turns;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{error, info, info_span, warn};

use self::turns::{MOST_AT_ONCE, Turns, fate};
use crate::botmaster::{Event, SlaveEvent};
use crate::clock::Clock;
use crate::config::Config;
use crate::control::{Interruption, News, Subscription};
use crate::model::{Fate, LetterOp, Op};
use crate::net::Tasks;
use crate::store::read::LetterRow;
use crate::store::{State, StoreError, Writer};

/// Letters that are looked at in one go.
const LOOKED_AT: u32 = 200;

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
}

/// An attempt that has ended.
type Attempt = (LetterRow, Fate);

impl Outbox {
    /// Sends letters for as long as the master runs.
    pub async fn run(mut self, mut news: Subscription, tasks: Tasks) {
        let (ended, mut attempts) = mpsc::channel(MOST_AT_ONCE);
        let mut turns = Turns::default();
        loop {
            let (heads, identity) = self.heads().await;
            let now = self.clock.wall();
            for letter in turns.take(&heads, now) {
                self.send(letter, &identity, ended.clone(), &tasks);
            }
            let pause = turns.pause(&heads, now).unwrap_or(EVERY).min(EVERY);
            tokio::select! {
                biased;
                () = tasks.stopping() => break,
                Some(attempt) = attempts.recv() => self.note(&mut turns, attempt).await,
                is_over = written(&mut news) => if is_over { break },
                () = self.changed.notified() => {}
                Ok(()) = self.config.changed() => {}
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

    fn send(
        &self,
        letter: LetterRow,
        identity: &Arc<str>,
        ended: mpsc::Sender<Attempt>,
        tasks: &Tasks,
    ) {
        let config = Arc::clone(&self.config.borrow());
        let (identity, clock) = (Arc::clone(identity), self.clock);
        let stopping = tasks.stopping();
        let span = info_span!("letter", number = letter.id.0, target = letter.target);
        tasks.spawn(span, async move {
            let attempt = async {
                let sent = mail::send(&letter, &config, &identity).await;
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

    async fn note(&self, turns: &mut Turns, (letter, fate): Attempt) {
        turns.ended(&letter, &fate);
        let (letter, at) = (letter.id, self.clock.wall());
        let tried = LetterOp::Tried { letter, fate, at };
        let op = Op::Letter(Box::new(tried));
        self.writer.write_and_wait(vec![op]).await;
    }
}

/// Waits until a letter may have been written. True if there will be none any more.
async fn written(news: &mut Subscription) -> bool {
    loop {
        match news.next().await.as_deref().map(|told| &told.news) {
            Ok(News::Event(Event::Slave(SlaveEvent::Missing { .. }))) => return false,
            Ok(News::Event(_) | News::Build(_)) => {}
            Err(Interruption::Missed(_)) => return false,
            Err(Interruption::Ended) => return true,
        }
    }
}

fn tell(letter: &LetterRow, fate: &Fate) {
    let about = &letter.facts;
    match fate {
        Fate::Delivered => info!("told that {about}"),
        Fate::Later { why, next_at } => {
            let next_at = next_at.to_rfc3339();
            error!(next_at, "cannot tell that {about}: {why}");
        }
        Fate::Dead { why } => {
            let number = letter.id;
            warn!(
                "gave up telling that {about}: {why}; `buildmaster outbox retry {number}` tries again"
            );
        }
    }
}
