//! The server's side of a login: who may come in, and what is done about those who have not
//! (PROTOCOL section 7).
//!
//! Invariants: until a connection is logged in it has 30 seconds, 64 KiB and a place in the lobby,
//! and costs little more than its socket. An unknown user and a wrong password look alike, in what
//! is answered and in how long it takes. A login is refused as "unauthorized" or the connection is
//! dropped; any other answer ends a real worker's process.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::budget::Share;
use super::clients::Visit;
use super::directory::{Directory, Password, UserKind};
use super::lobby::Place;
use super::peer::Reply;
use super::{Activity, Gatekeeper, Peer, Refused, Tasks};
use crate::model::LoginRecord;
use crate::pb::foreign::{Beginning, Foreign, recognize};
use crate::pb::{Attempt, Broker, Event, Failure, Luid, Portal, Value};

/// How long a connection may take to log in.
pub const LOGIN_TIME: Duration = Duration::from_secs(30);
/// How much it may send for that; a login takes less than 200 bytes.
pub const LOGIN_BYTES: usize = 64 * 1024;

/// A user who has proved to know the password. To be answered; a login that is dropped drops its
/// connection.
#[derive(Debug)]
pub struct Login {
    /// Who it is.
    pub kind: UserKind,
    /// The connection.
    pub peer: Peer,
    /// The object that a slave wants to be driven by: its bot.
    pub mind: Option<Luid>,
    /// To answer the login with.
    pub answer: LoginAnswer,
    /// What is to be put on record of it, so that it is known after a restart.
    pub record: Option<LoginRecord>,
    /// To tell whether the connection is in use.
    pub activity: Activity,
}

/// The answer that a [`Login`] waits for. Dropping it drops the connection, which every kind of
/// peer survives.
#[derive(Debug)]
pub struct LoginAnswer {
    reply: Option<Reply>,
    peer: Peer,
}

/// What all connections of one set of listeners are judged by.
pub(super) struct Desk {
    pub(super) directory: Mutex<Arc<Directory>>,
    pub(super) gatekeeper: Arc<Gatekeeper>,
    /// Bounded: a login waits for its turn.
    pub(super) logins: mpsc::Sender<Login>,
    pub(super) tasks: Tasks,
}

/// What a connection has to be until it is logged in.
pub(super) struct Gate {
    desk: Arc<Desk>,
    portal: Portal,
    place: Place,
    peer: Peer,
    origin: Option<IpAddr>,
    received: usize,
    /// What came first, until it shows what the client speaks.
    beginning: Option<Vec<u8>>,
    /// Whether it is known that the client was refused.
    is_noted: bool,
    /// An attempt with a wrong password, which the client does not hear of yet.
    waiting: Option<Attempt>,
    /// When its time is up.
    pub(super) deadline: Instant,
}

/// What becomes of an attempt to log in.
pub(super) enum Verdict {
    /// It was wrong, and is to be refused at this time.
    RefuseAt(Instant),
    /// It was wrong.
    Refuse(Attempt),
    /// It was right.
    Enter(Box<Admitted>),
    /// It was right, but there is no place for another connection.
    TurnAway(String),
}

/// A client that gave the right password and has a place.
pub(super) struct Admitted {
    kind: UserKind,
    attempt: Attempt,
    record: Option<LoginRecord>,
    visit: Visit,
    activity: Activity,
}

/// What a connection is from its login on.
pub(super) struct Entered {
    /// Its place.
    pub(super) visit: Visit,
    /// Its share of the memory.
    pub(super) share: Share,
    /// The login, for who takes logins.
    pub(super) login: Login,
    /// Where that goes.
    pub(super) logins: mpsc::Sender<Login>,
}

impl LoginAnswer {
    /// Accepts the login: `avatar` is the object on which the user calls us.
    pub fn accept(mut self, avatar: Luid) {
        if let Some(reply) = self.reply.take() {
            reply.value(Value::Mine(avatar));
        }
    }

    /// Refuses the login as unauthorized, and closes the connection.
    pub fn refuse(mut self) {
        if let Some(reply) = self.reply.take() {
            reply.fail(Failure::unauthorized());
            self.peer.close("login rejected");
        }
    }
}

impl Drop for LoginAnswer {
    fn drop(&mut self) {
        if let Some(reply) = self.reply.take() {
            reply.close("login dropped");
        }
    }
}

impl Gate {
    /// A connection from `origin` that has just come to `desk`.
    pub(super) fn new(desk: &Arc<Desk>, peer: Peer, origin: Option<IpAddr>) -> Self {
        Self {
            desk: Arc::clone(desk),
            portal: Portal::new(),
            place: desk.gatekeeper.enter_lobby(origin),
            peer,
            origin,
            received: 0,
            beginning: Some(Vec::new()),
            is_noted: false,
            waiting: None,
            deadline: Instant::now() + LOGIN_TIME,
        }
    }

    /// Counts bytes; false when there were too many.
    pub(super) const fn may_send(&mut self, bytes: usize) -> bool {
        self.received = self.received.saturating_add(bytes);
        self.received <= LOGIN_BYTES
    }

    /// Takes what was received; gives what is to be decoded, unless it is too early to tell what
    /// the client speaks.
    ///
    /// # Errors
    /// It speaks something else.
    pub(super) fn begin(&mut self, data: Bytes) -> Result<Option<Bytes>, Foreign> {
        let Some(mut seen) = self.beginning.take() else {
            return Ok(Some(data));
        };
        seen.extend_from_slice(&data);
        match recognize(&seen, false) {
            Beginning::Ours => Ok(Some(seen.into())),
            Beginning::Undecided => {
                self.beginning = Some(seen);
                Ok(None)
            }
            Beginning::Foreign(foreign) => Err(foreign),
        }
    }

    /// What the client speaks that sends nothing more, if that is something else.
    pub(super) fn finish_beginning(&mut self) -> Option<Foreign> {
        match recognize(&self.beginning.take()?, true) {
            Beginning::Foreign(foreign) => Some(foreign),
            Beginning::Ours | Beginning::Undecided => None,
        }
    }

    /// Keeps in mind that the client was refused, which says to be `user`.
    pub(super) fn note_refusal(&mut self, user: Option<&[u8]>, why: &str) {
        if std::mem::replace(&mut self.is_noted, true) && user.is_none() {
            return;
        }
        let directory = Arc::clone(&lock(&self.desk.directory));
        let who = match user {
            None => Refused::Nameless,
            Some(user) => match directory.find(user) {
                Some((_, UserKind::Slave(name))) => Refused::Slave(name.clone()),
                Some((
                    _,
                    UserKind::Change { .. }
                    | UserKind::Try { .. }
                    | UserKind::Status { .. }
                    | UserKind::Users,
                )) => Refused::User(String::from_utf8_lossy(user).into_owned()),
                None => Refused::unknown(user),
            },
        };
        let refusals = self.desk.gatekeeper.refusals();
        refusals.note(who, self.peer.address(), why);
    }

    /// Ends when the connection must leave the lobby.
    pub(super) const fn leave(&mut self) -> &mut tokio::sync::oneshot::Receiver<()> {
        &mut self.place.leave
    }

    /// Handles what the client did.
    pub(super) fn on_event(&mut self, broker: &mut Broker, event: Event) -> Option<Verdict> {
        let luid = match &event {
            Event::Call { .. } => self.peer.next_luid(),
            Event::Negotiated | Event::Answer { .. } | Event::Released(_) => Luid(0),
        };
        let directory = Arc::clone(&lock(&self.desk.directory));
        let challenge = |user: &[u8]| directory.challenge(user, rand::random());
        let attempt = self.portal.handle(broker, event, challenge, luid)?;
        Some(self.judge(attempt))
    }

    /// Refuses the attempt that had to wait for it.
    pub(super) fn on_turn(&mut self) -> Option<Verdict> {
        self.waiting.take().map(Verdict::Refuse)
    }

    /// A right password is good at once, whatever others have tried; a wrong one may have to wait
    /// for its answer.
    fn judge(&mut self, attempt: Attempt) -> Verdict {
        let directory = Arc::clone(&lock(&self.desk.directory));
        // Nobody knows this password; but to find that out takes as long as with any other.
        let (password, kind) = match directory.find(&attempt.user) {
            Some((password, kind)) => (Some(password), Some(kind)),
            None => (None, None),
        };
        let knows = attempt.knows(password.map_or(&b"nobody"[..], Password::bytes));
        let gatekeeper = &self.desk.gatekeeper;
        if let Some(kind) = kind.filter(|_| knows) {
            let record = gatekeeper.succeeded(&attempt.user, self.origin);
            return match gatekeeper.admit(&attempt.user, kind, self.origin) {
                Ok((visit, activity)) => Verdict::Enter(Box::new(Admitted {
                    kind: kind.clone(),
                    attempt,
                    record,
                    visit,
                    activity,
                })),
                Err(why) => {
                    self.note_refusal(Some(&attempt.user), &why);
                    Verdict::TurnAway(why)
                }
            };
        }
        let told_at = gatekeeper.failed(&attempt.user, self.origin, self.deadline);
        let why = match password {
            Some(Password::Plain(_)) => "wrong password",
            Some(Password::Hashed(_)) => {
                "wrong password (it is kept as a hash: only this project's own `buildbot try` can log in)"
            }
            None => "no slave or user of this name may log in on this port",
        };
        self.note_refusal(Some(&attempt.user), why);
        if told_at <= Instant::now() {
            return Verdict::Refuse(attempt);
        }
        self.waiting = Some(attempt);
        Verdict::RefuseAt(told_at)
    }

    /// Hands the connection over to who takes logins.
    pub(super) fn enter(self, admitted: Admitted) -> Entered {
        let Admitted {
            kind,
            attempt,
            record,
            visit,
            activity,
        } = admitted;
        let share = self.desk.tasks.budget().share(&attempt.user, &kind);
        let reply = self.peer.reply(attempt.call);
        let login = Login {
            kind,
            mind: attempt.mind.as_theirs(),
            answer: LoginAnswer {
                reply: Some(reply),
                peer: self.peer.clone(),
            },
            peer: self.peer,
            record,
            activity,
        };
        Entered {
            visit,
            share,
            login,
            logins: self.desk.logins.clone(),
        }
    }
}

/// Nothing panics while it holds one of these locks, and each value is whole at every point.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
