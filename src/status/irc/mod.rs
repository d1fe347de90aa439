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

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::info_span;

use crate::config::IrcConfig;
use crate::control::Control;
use crate::model::BuildFacts;
use crate::net::Tasks;

/// Letters that wait for a desk.
const LETTERS: usize = 16;

/// A letter for the channels of a target.
#[derive(Debug)]
struct Announcement {
    facts: BuildFacts,
    /// Told when the server has taken it.
    taken: oneshot::Sender<()>,
}

/// The code of a nick is asked for, to be sent to a person (IRC-06).
#[derive(Debug)]
struct CodeAsked {
    person: String,
    nick: String,
    answer: oneshot::Sender<Option<String>>,
}

/// How a desk is reached.
#[derive(Clone, Debug)]
struct Way {
    letters: mpsc::Sender<Announcement>,
    codes: mpsc::Sender<CodeAsked>,
}

/// The bots that run, for those who have letters for them. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Bots {
    desks: Arc<watch::Sender<BTreeMap<String, Way>>>,
}

impl Bots {
    /// Tells the channels of `target` of a build. Returns when the server has taken it, however
    /// long there is no connection.
    pub async fn tell(&self, target: &str, facts: &BuildFacts) {
        let mut desks = self.desks.subscribe();
        loop {
            let way = desks.borrow_and_update().get(target).cloned();
            if let Some(Way { letters: desk, .. }) = way {
                let (taken, done) = oneshot::channel();
                let facts = facts.clone();
                let is_there = desk.send(Announcement { facts, taken }).await.is_ok();
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
        let asked = CodeAsked {
            person: person.to_owned(),
            nick: nick.to_owned(),
            answer,
        };
        way.codes.send(asked).await.ok()?;
        code.await.ok().flatten()
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
        let (codes, asked) = mpsc::channel(LETTERS);
        let (says, to_say) = mpsc::channel(link::LINES);
        let (hears, heard) = mpsc::channel(link::HEARD);
        let config = Arc::new(config);
        let link = link::Link::new(Arc::clone(&config), control.clone(), to_say, hears);
        let ended = leaving.clone();
        tasks.spawn(info_span!("irc", target = name), link.run(ended));
        let desk = desk::Desk::new(config, control, says);
        self.desks.send_modify(|desks| {
            desks.insert(name.clone(), Way { letters, codes });
        });
        desk.run(heard, (announcements, asked), leaving).await;
        self.desks.send_modify(|desks| {
            desks.remove(&name);
        });
    }
}
