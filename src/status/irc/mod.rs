//! The bots on IRC (IRC-01 to IRC-10).
//!
//! A target has two tasks. `link` owns the connection and what is known of the people there; it
//! comes back after every loss. `desk` owns what the bot knows of its talks, answers commands, and
//! tells of builds. What a bot says of the ends of builds that the configuration names is in
//! letters of the outbox, which hands them to the desk and hears when the server has taken them.
//!
//! Invariant: a letter counts as taken only when the server has answered a ping that was sent after
//! its lines. If the connection is lost before that, the letter waits for the next one.

mod chat;
mod desk;
mod link;
mod looking;
mod saying;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::info_span;

use crate::config::IrcConfig;
use crate::control::Control;
use crate::model::{BuildFacts, Unseen};
use crate::net::Tasks;

pub use self::saying::{said_of_build, said_to};

/// Letters that wait for a desk.
const LETTERS: usize = 16;

/// How long it may take to find somebody.
const PATIENCE: Duration = Duration::from_secs(10);

/// A letter for a target.
#[derive(Debug)]
struct Announcement {
    says: Says,
    /// Told when the server has taken it.
    taken: oneshot::Sender<()>,
}

/// What a letter says.
#[derive(Clone, Debug)]
pub enum Says {
    /// To the channels: what became of a build, in these words or those of the bot.
    Build(BuildFacts, Option<String>),
    /// To the channels: this text.
    Channels(String),
    /// To a nick: this text.
    Nick(String, String),
}

/// Where a person is.
#[derive(Clone, Debug)]
pub struct Spot {
    /// The nick.
    pub nick: String,
    /// What is not said there: what nobody may view who is not known, if it is not proved that the
    /// nick is that of the person.
    pub unseen: Option<Arc<Unseen>>,
}

/// A question to a desk.
#[derive(Debug)]
enum Question {
    /// The code of a nick, to be sent to a person (IRC-06).
    Code {
        person: String,
        nick: String,
        answer: oneshot::Sender<Option<String>>,
    },
    /// Where a person is likely to see what is said (ESC-08).
    Spot {
        person: String,
        answer: oneshot::Sender<Spot>,
    },
}

/// How a desk is reached.
#[derive(Clone, Debug)]
struct Way {
    letters: mpsc::Sender<Announcement>,
    questions: mpsc::Sender<Question>,
}

/// The bots that run, for those who have letters for them. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Bots {
    desks: Arc<watch::Sender<BTreeMap<String, Way>>>,
}

impl Bots {
    /// Says what a letter has for `target`. Returns when the server has taken it, however long
    /// there is no connection.
    pub async fn tell(&self, target: &str, says: &Says) {
        let mut desks = self.desks.subscribe();
        loop {
            let way = desks.borrow_and_update().get(target).cloned();
            if let Some(Way { letters: desk, .. }) = way {
                let (taken, done) = oneshot::channel();
                let says = says.clone();
                let is_there = desk.send(Announcement { says, taken }).await.is_ok();
                if is_there && done.await.is_ok() {
                    return;
                }
                // The connection was lost, or the bot is being replaced.
                tokio::task::yield_now().await;
                if !desk.is_closed() {
                    continue;
                }
            }
            if desks.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// The code for a nick of a person; absent if it is not good any more.
    pub async fn code(&self, target: &str, person: &str, nick: &str) -> Option<String> {
        let way = self.desks.borrow().get(target).cloned()?;
        let (answer, code) = oneshot::channel();
        let asked = Question::Code {
            person: person.to_owned(),
            nick: nick.to_owned(),
            answer,
        };
        way.questions.send(asked).await.ok()?;
        code.await.ok().flatten()
    }

    /// Where a person is likely to see what the bot of `target` says; absent if they are not there.
    pub async fn find(&self, target: &str, person: &str) -> Option<Spot> {
        let way = self.desks.borrow().get(target).cloned()?;
        let (answer, spot) = oneshot::channel();
        let person = person.to_owned();
        let asked = Question::Spot { person, answer };
        way.questions.send(asked).await.ok()?;
        // Without a connection nobody answers.
        timeout(PATIENCE, spot).await.ok()?.ok()
    }

    /// Runs the bot of a target until `leaving` is cancelled or the master stops.
    pub async fn run(
        &self,
        config: IrcConfig,
        control: Control,
        tasks: Tasks,
        leaving: CancellationToken,
    ) {
        let name = config.telling.name.clone();
        let (letters, announcements) = mpsc::channel(LETTERS);
        let (questions, asked) = mpsc::channel(LETTERS);
        let (says, to_say) = mpsc::channel(link::LINES);
        let (hears, heard) = mpsc::channel(link::HEARD);
        let config = Arc::new(config);
        let link = link::Link::new(Arc::clone(&config), control.clone(), to_say, hears);
        let ended = leaving.clone();
        tasks.spawn(info_span!("irc", target = name), link.run(ended));
        let desk = desk::Desk::new(config, control, says);
        self.desks.send_modify(|desks| {
            desks.insert(name.clone(), Way { letters, questions });
        });
        desk.run(heard, (announcements, asked), leaving).await;
        self.desks.send_modify(|desks| {
            desks.remove(&name);
        });
    }
}
