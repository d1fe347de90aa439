//! The clients of people, by which they can be told something (LIV-05).
//!
//! A client that has subscribed, and has logged in as somebody of the register, is a way to reach
//! that person until it answers that it takes no messages.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

/// Messages that wait for a client.
const MESSAGES: usize = 16;

/// How long a client may take to take a message.
const PATIENCE: Duration = Duration::from_secs(30);

/// The clients of people that are connected. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Clients {
    seats: Arc<watch::Sender<Seats>>,
}

#[derive(Debug, Default)]
struct Seats {
    taken: BTreeMap<Key, mpsc::Sender<Message>>,
    last: u64,
}

/// The person, and which of their clients it is.
type Key = (String, u64);

/// Something to tell a person.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) text: String,
    pub(super) link: String,
    /// Told whether the client has taken it.
    pub(super) taken: oneshot::Sender<Taken>,
}

/// Whether a client has taken a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Taken {
    Yes,
    /// It could not this time.
    No,
    /// It takes no messages: it has no such method.
    Never,
}

/// The place of a client, which is given up when it is dropped.
#[derive(Debug)]
pub(in crate::status) struct Seat {
    key: Key,
    messages: mpsc::Receiver<Message>,
    clients: Clients,
}

impl Clients {
    /// Whether a person has a client that may take messages.
    #[must_use]
    pub fn has(&self, person: &str) -> bool {
        !self.of(person).is_empty()
    }

    /// Tells a person something at all of their clients. False if none has taken it.
    pub async fn tell(&self, person: &str, text: &str, link: &str) -> bool {
        let mut is_told = false;
        for (key, client) in self.of(person) {
            let (taken, answer) = oneshot::channel();
            let message = Message {
                text: text.to_owned(),
                link: link.to_owned(),
                taken,
            };
            let telling = async {
                client.send(message).await.ok()?;
                answer.await.ok()
            };
            match timeout(PATIENCE, telling).await {
                Ok(Some(Taken::Yes)) => is_told = true,
                Ok(Some(Taken::Never)) => self.leave(&key),
                Ok(Some(Taken::No) | None) | Err(_) => {}
            }
        }
        is_told
    }

    fn of(&self, person: &str) -> Vec<(Key, mpsc::Sender<Message>)> {
        let seats = self.seats.borrow();
        let of_person = seats.taken.range((person.to_owned(), 0)..);
        let of_person = of_person.take_while(|((name, _), _)| name == person);
        let of_person = of_person.map(|(key, client)| (key.clone(), client.clone()));
        of_person.collect()
    }

    /// A client of a person can be told something from now on.
    pub(in crate::status) fn enter(&self, person: &str) -> Seat {
        let (sender, messages) = mpsc::channel(MESSAGES);
        let mut key = (person.to_owned(), 0);
        self.seats.send_modify(|seats| {
            seats.last += 1;
            key.1 = seats.last;
            seats.taken.insert(key.clone(), sender);
        });
        Seat {
            key,
            messages,
            clients: self.clone(),
        }
    }

    fn leave(&self, key: &Key) {
        self.seats.send_modify(|seats| {
            seats.taken.remove(key);
        });
    }
}

impl Seat {
    /// The next message; for ever none if the client takes none. Cancel-safe.
    pub(super) async fn next(&mut self) -> Message {
        match self.messages.recv().await {
            Some(message) => message,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.clients.leave(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn liv_05_a_person_is_told_at_each_client_that_takes_messages() {
        let clients = Clients::default();
        assert!(!clients.has("ann"));
        assert!(!clients.tell("ann", "text", "link").await);
        let (mut first, mut second) = (clients.enter("ann"), clients.enter("ann"));
        let other = clients.enter("anna");
        let answering = async {
            let message = first.next().await;
            assert_eq!((&*message.text, &*message.link), ("text", "link"));
            message.taken.send(Taken::Never).unwrap_or_default();
            let message = second.next().await;
            message.taken.send(Taken::Yes).unwrap_or_default();
        };
        let (is_told, ()) = tokio::join!(clients.tell("ann", "text", "link"), answering);
        assert!(is_told);
        drop(second);
        assert!(!clients.has("ann"), "the first takes no messages");
        drop(other);
        assert!(!clients.has("anna"));
    }
}
