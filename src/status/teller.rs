//! Tells people of problems (ESC-01 to ESC-12), and owners that the quarantine of their tests ends
//! (FLK-07): looks what is due, and writes the letters. What is
//! said and what is written of it are one transaction, so that nothing is told twice or lost.

mod affairs;
mod quarantine;
mod ways;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};
use tracing::error;

use self::affairs::letters;
use self::quarantine::notices;
use crate::clock::Clock;
use crate::config::{Config, StatusConfig};
use crate::control::{Interruption, Subscription};
use crate::model::{Op, Zone};
use crate::net::Tasks;
use crate::status::lookout::Lookout;
use crate::store::{State, StoreError, Writer};

/// How often it looks whether something is due.
const EVERY: Duration = Duration::from_secs(15);

/// Least time between two looks.
const PAUSE: Duration = Duration::from_secs(3);

/// What tells people of problems.
#[derive(Debug)]
pub struct Teller {
    /// Reads the problems, and takes the letters.
    pub writer: Writer,
    /// The clocks of the master.
    pub clock: Clock,
    /// The configuration in force.
    pub config: watch::Receiver<Arc<Config>>,
    /// Told when there are letters.
    pub written: Arc<Notify>,
    /// The time zone for people.
    pub zone: Zone,
    /// Who knows where people are.
    pub lookout: Lookout,
}

impl Teller {
    /// Tells people for as long as the master runs.
    pub async fn run(mut self, mut news: Subscription, tasks: Tasks) {
        loop {
            let looked = Instant::now();
            if is_wanted(&self.config.borrow_and_update()) {
                self.look().await;
            }
            tokio::select! {
                biased;
                () = tasks.stopping() => break,
                changed = self.config.changed() => if changed.is_err() { break },
                heard = news.next() => match heard {
                    Ok(_) | Err(Interruption::Missed(_)) => {}
                    Err(Interruption::Ended) => break,
                },
                () = sleep_until(looked + EVERY) => continue,
            }
            tokio::select! {
                biased;
                () = tasks.stopping() => break,
                () = sleep_until(looked + PAUSE) => {}
            }
        }
    }

    async fn look(&self) {
        let config = Arc::clone(&self.config.borrow());
        let (now, zone, in_force) = (self.clock.wall(), self.zone, Arc::clone(&config));
        let look = move |state: &State| {
            let letters = letters(state, &in_force, zone, now)?;
            Ok::<_, StoreError>((letters, notices(state, &in_force, now)?))
        };
        let (letters, mut ops) = match self.writer.reader().read(look).await {
            Ok(found) => found,
            Err(error) => {
                error!("cannot tell people of problems: {error}");
                return;
            }
        };
        if letters.is_empty() && ops.is_empty() {
            return;
        }
        for telling in letters {
            let op = telling.spread(&self.lookout, &config).await;
            ops.push(Op::Letter(Box::new(op)));
        }
        self.writer.write_and_wait(ops).await;
        self.written.notify_one();
    }
}

/// Whether a target tells people of problems.
fn is_wanted(config: &Config) -> bool {
    let mut mail = config.status.iter().filter_map(StatusConfig::mail);
    mail.any(|mail| mail.problems)
}
