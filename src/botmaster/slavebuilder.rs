//! One builder on one slave: the table of section 13, rows 1 to 19.
//!
//! ```text
//!   (1) -> Attaching -(3,4)-> Idle -(7,8)-> Pinging -(10)-> Idle
//!             |                ^               |
//!            (5)             (15,17)          (13)
//!             v                |               v
//!            gone <-(6,12,18,19)------------ Building
//! ```
//! Each attachment has an epoch; an answer of another one is [`Unexpected`] and changes nothing (SB-23).
//! A ping that is asked for while a build is on the slave runs beside the state and never changes
//! it (row 16, SB-19).

use super::{AttemptId, Epoch, PingId};
use crate::model::Mono;

/// Names somebody who has all slaves of a builder pinged.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct RoundId(pub u64);

/// One attachment.
#[derive(Debug)]
pub(super) struct SlaveBuilder {
    epoch: Epoch,
    state: State,
    /// A ping beside the state.
    beside: Option<Ping>,
}

#[derive(Debug)]
enum State {
    /// setMaster was sent (row 1).
    Introducing,
    /// The greeting was sent (row 3).
    Greeting,
    /// It can take a build.
    Idle,
    /// Somebody pings it.
    Pinging(Ping),
    /// A build starts or runs on it.
    Building(AttemptId),
}

/// An outstanding ping and those who wait for it.
#[derive(Debug)]
pub(super) struct Ping {
    /// Which.
    pub(super) id: PingId,
    /// The earliest deadline of the waiters (row 9).
    pub(super) deadline: Mono,
    /// The build that is to start after it.
    pub(super) starter: Option<AttemptId>,
    /// Others who want to know, in order.
    pub(super) rounds: Vec<RoundId>,
}

/// The event does not belong to this attachment or not to its state; nothing has changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Unexpected;

/// What the handshake has come to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Handshake {
    /// The greeting is to be sent (row 3).
    Greet,
    /// It is attached (row 4).
    Attached,
    /// It failed: the attachment is to be removed (row 5).
    Failed,
}

/// What is to be done for somebody who asked for a ping.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum PingAsked {
    /// The message is to be sent and the deadline to be set (rows 8, 16).
    Send,
    /// One is outstanding; the deadline is now this (row 9).
    Joined(PingId, Mono),
}

/// Who must be told that an attachment has gone.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Detached {
    /// The build that was starting or running (rows 12, 18).
    pub(super) attempt: Option<AttemptId>,
    /// Those who waited for a ping: it failed.
    pub(super) rounds: Vec<RoundId>,
    /// Outstanding pings, whose deadlines are void.
    pub(super) pings: Vec<PingId>,
    /// Whether it was attached, not attaching.
    pub(super) was_attached: bool,
}

impl SlaveBuilder {
    /// Row 1: setMaster is being sent.
    pub(super) const fn new(epoch: Epoch) -> Self {
        Self {
            epoch,
            state: State::Introducing,
            beside: None,
        }
    }

    /// Rows 3 and 5.
    pub(super) fn on_master_set(
        &mut self,
        epoch: Epoch,
        ok: bool,
    ) -> Result<Handshake, Unexpected> {
        match self.state {
            State::Introducing if epoch == self.epoch => {}
            State::Introducing
            | State::Greeting
            | State::Idle
            | State::Pinging(_)
            | State::Building(_) => return Err(Unexpected),
        }
        if !ok {
            return Ok(Handshake::Failed);
        }
        self.state = State::Greeting;
        Ok(Handshake::Greet)
    }

    /// Rows 4 and 5.
    pub(super) fn on_greeted(&mut self, epoch: Epoch, ok: bool) -> Result<Handshake, Unexpected> {
        match self.state {
            State::Greeting if epoch == self.epoch => {}
            State::Introducing
            | State::Greeting
            | State::Idle
            | State::Pinging(_)
            | State::Building(_) => return Err(Unexpected),
        }
        if !ok {
            return Ok(Handshake::Failed);
        }
        self.state = State::Idle;
        Ok(Handshake::Attached)
    }

    /// Row 5, by the timer: whether the handshake of this epoch is still going on.
    pub(super) fn on_handshake_timeout(&self, epoch: Epoch) -> Result<(), Unexpected> {
        if epoch == self.epoch && self.is_attaching() {
            Ok(())
        } else {
            Err(Unexpected)
        }
    }

    /// Row 7: chosen for a build; the ping is to be sent.
    pub(super) fn on_chosen(
        &mut self,
        attempt: AttemptId,
        ping: PingId,
        deadline: Mono,
    ) -> Result<(), Unexpected> {
        if !self.is_idle() {
            return Err(Unexpected);
        }
        self.state = State::Pinging(Ping {
            id: ping,
            deadline,
            starter: Some(attempt),
            rounds: Vec::new(),
        });
        Ok(())
    }

    /// Rows 8, 9 and 16: somebody wants it pinged. `ping` is the ping to send if none is outstanding.
    pub(super) fn on_ping_asked(
        &mut self,
        round: RoundId,
        ping: PingId,
        deadline: Mono,
    ) -> Result<PingAsked, Unexpected> {
        let outstanding = match &mut self.state {
            State::Introducing | State::Greeting => return Err(Unexpected),
            State::Idle => None,
            State::Pinging(outstanding) => Some(outstanding),
            State::Building(_) => self.beside.as_mut(),
        };
        if let Some(outstanding) = outstanding {
            outstanding.rounds.push(round);
            outstanding.deadline = outstanding.deadline.min(deadline);
            return Ok(PingAsked::Joined(outstanding.id, outstanding.deadline));
        }
        let new = Ping {
            id: ping,
            deadline,
            starter: None,
            rounds: vec![round],
        };
        if self.is_idle() {
            self.state = State::Pinging(new);
        } else {
            self.beside = Some(new);
        }
        Ok(PingAsked::Send)
    }

    /// Rows 10, 13 and 16: the pong. With a starter the state is BUILDING now and startBuild is to be
    /// sent, unless `go` is false: then it is IDLE and the starter is to be given back.
    pub(super) fn on_pong(&mut self, ping: PingId, go: bool) -> Result<Ping, Unexpected> {
        if let Some(beside) = self.beside.take_if(|beside| beside.id == ping) {
            return Ok(beside);
        }
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Pinging(answered) if answered.id == ping => {
                if let Some(attempt) = answered.starter
                    && go
                {
                    self.state = State::Building(attempt);
                }
                Ok(answered)
            }
            other @ (State::Introducing
            | State::Greeting
            | State::Idle
            | State::Pinging(_)
            | State::Building(_)) => {
                self.state = other;
                Err(Unexpected)
            }
        }
    }

    /// Row 11, first half: whether this ping is outstanding, so that its failure ends the connection.
    pub(super) fn on_ping_failed(&self, ping: PingId) -> Result<(), Unexpected> {
        let beside = self.beside.as_ref().is_some_and(|p| p.id == ping);
        if beside || matches!(&self.state, State::Pinging(p) if p.id == ping) {
            Ok(())
        } else {
            Err(Unexpected)
        }
    }

    /// The build that was to start is stopped; the ping goes on for itself.
    pub(super) fn on_start_stopped(&mut self, attempt: AttemptId) -> Result<(), Unexpected> {
        match &mut self.state {
            State::Pinging(ping) if ping.starter == Some(attempt) => {
                ping.starter = None;
                Ok(())
            }
            State::Introducing
            | State::Greeting
            | State::Idle
            | State::Pinging(_)
            | State::Building(_) => Err(Unexpected),
        }
    }

    /// Rows 14 and 15: the answer to startBuild; tells whose it is. Refused, it is IDLE again.
    pub(super) fn on_start_answered(
        &mut self,
        epoch: Epoch,
        ok: bool,
    ) -> Result<AttemptId, Unexpected> {
        match self.state {
            State::Building(attempt) if epoch == self.epoch => {
                if !ok {
                    self.state = State::Idle;
                }
                Ok(attempt)
            }
            State::Introducing
            | State::Greeting
            | State::Idle
            | State::Pinging(_)
            | State::Building(_) => Err(Unexpected),
        }
    }

    /// Row 17: the build has ended.
    pub(super) fn on_build_finished(&mut self, attempt: AttemptId) -> Result<(), Unexpected> {
        match self.state {
            State::Building(its) if its == attempt => {
                self.state = State::Idle;
                Ok(())
            }
            State::Introducing
            | State::Greeting
            | State::Idle
            | State::Pinging(_)
            | State::Building(_) => Err(Unexpected),
        }
    }

    /// Rows 6, 12, 18 and 19: the attachment is gone.
    pub(super) fn on_detached(self) -> Detached {
        let mut gone = Detached {
            was_attached: !self.is_attaching(),
            ..Detached::default()
        };
        let pinging = match self.state {
            State::Introducing | State::Greeting | State::Idle => None,
            State::Pinging(ping) => Some(ping),
            State::Building(attempt) => {
                gone.attempt = Some(attempt);
                None
            }
        };
        for ping in pinging.into_iter().chain(self.beside) {
            gone.attempt = gone.attempt.or(ping.starter);
            gone.pings.push(ping.id);
            gone.rounds.extend(ping.rounds);
        }
        gone
    }

    /// Its epoch.
    pub(super) const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Whether the handshake is going on.
    pub(super) const fn is_attaching(&self) -> bool {
        matches!(self.state, State::Introducing | State::Greeting)
    }

    /// Whether it can take a build.
    pub(super) const fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// Whether it is pinged, for a build or by control.
    pub(super) const fn is_pinging(&self) -> bool {
        matches!(self.state, State::Pinging(_))
    }

    /// Whether it counts against the slave's builds (SLB-02, SLV-10).
    pub(super) const fn is_busy(&self) -> bool {
        matches!(self.state, State::Pinging(_) | State::Building(_))
    }

    /// The build that starts or runs on it.
    pub(super) const fn attempt(&self) -> Option<AttemptId> {
        match &self.state {
            State::Introducing | State::Greeting | State::Idle => None,
            State::Pinging(ping) => ping.starter,
            State::Building(attempt) => Some(*attempt),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::collections::BTreeSet;
    use std::time::Duration;

    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    /// The table as SEMANTICS writes it: the state before, the row taken, the state after.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    enum Is {
        Gone,
        Introducing,
        Greeting,
        Idle,
        Pinging,
        Building,
    }

    /// An attachment, what the table says of it, and which rows have been taken.
    struct Model {
        it: Option<SlaveBuilder>,
        is: Is,
        epoch: u64,
        last_ping: Option<PingId>,
        beside: Option<PingId>,
        starter: Option<AttemptId>,
        waiting: BTreeSet<RoundId>,
        next: u64,
        rows: BTreeSet<u32>,
    }

    impl Model {
        fn step(&mut self, rng: &mut StdRng) {
            let ok = rng.random_bool(0.9);
            let stale = rng.random_bool(0.1);
            let epoch = Epoch(self.epoch - u64::from(stale));
            let ping = if rng.random_bool(0.3) {
                self.beside
            } else {
                self.last_ping
            };
            match rng.random_range(0..10) {
                0 => self.attach(),
                1 => self.master_set(epoch, ok),
                2 => self.greeted(epoch, ok),
                3 => self.chosen(),
                4 => self.ping_asked(),
                5 => self.pong(ping.unwrap_or(PingId(0)), ok),
                6 => self.start_answered(epoch, ok),
                7 => self.build_finished(),
                8 if rng.random_bool(0.2) => self.detach(),
                8 => self.handshake_timeout(epoch),
                _ => self.stop_start(),
            }
            self.check();
        }

        fn attach(&mut self) {
            if self.it.is_none() {
                self.epoch += 1;
                self.it = Some(SlaveBuilder::new(Epoch(self.epoch)));
                self.go(1, Is::Introducing);
            } else {
                self.rows.insert(2);
            }
        }

        fn master_set(&mut self, epoch: Epoch, ok: bool) {
            let Some(it) = &mut self.it else { return };
            let expected = (self.is == Is::Introducing && epoch.0 == self.epoch).then_some(ok);
            match (it.on_master_set(epoch, ok), expected) {
                (Ok(Handshake::Greet), Some(true)) => self.go(3, Is::Greeting),
                (Ok(Handshake::Failed), Some(false)) => self.remove(5),
                (Err(Unexpected), None) => {}
                other => panic!("{other:?}"),
            }
        }

        fn greeted(&mut self, epoch: Epoch, ok: bool) {
            let Some(it) = &mut self.it else { return };
            let expected = (self.is == Is::Greeting && epoch.0 == self.epoch).then_some(ok);
            match (it.on_greeted(epoch, ok), expected) {
                (Ok(Handshake::Attached), Some(true)) => self.go(4, Is::Idle),
                (Ok(Handshake::Failed), Some(false)) => self.remove(5),
                (Err(Unexpected), None) => {}
                other => panic!("{other:?}"),
            }
        }

        fn handshake_timeout(&mut self, epoch: Epoch) {
            let Some(it) = &self.it else { return };
            let attaching = matches!(self.is, Is::Introducing | Is::Greeting);
            let expected = attaching && epoch.0 == self.epoch;
            assert_eq!(it.on_handshake_timeout(epoch).is_ok(), expected);
            if expected {
                self.remove(5);
            }
        }

        fn chosen(&mut self) {
            let (attempt, ping) = (AttemptId(self.number()), PingId(self.number()));
            let Some(it) = &mut self.it else { return };
            let chosen = it.on_chosen(attempt, ping, deadline(10));
            assert_eq!(chosen.is_ok(), self.is == Is::Idle);
            if chosen.is_ok() {
                (self.last_ping, self.starter) = (Some(ping), Some(attempt));
                self.go(7, Is::Pinging);
            }
        }

        fn ping_asked(&mut self) {
            let (round, ping) = (RoundId(self.number()), PingId(self.number()));
            let Some(it) = &mut self.it else { return };
            match (it.on_ping_asked(round, ping, deadline(30)), self.is) {
                (Err(Unexpected), Is::Introducing | Is::Greeting) => return,
                (Ok(PingAsked::Send), Is::Idle) => {
                    self.last_ping = Some(ping);
                    self.go(8, Is::Pinging);
                }
                (Ok(PingAsked::Joined(joined, at)), Is::Pinging) => {
                    assert_eq!(Some(joined), self.last_ping);
                    assert!(at <= deadline(30));
                    self.rows.insert(9);
                }
                (Ok(PingAsked::Send), Is::Building) => {
                    assert_eq!(self.beside, None);
                    self.beside = Some(ping);
                    self.rows.insert(16);
                }
                (Ok(PingAsked::Joined(joined, _)), Is::Building) => {
                    assert_eq!(Some(joined), self.beside);
                    self.rows.insert(16);
                }
                other => panic!("{other:?}"),
            }
            self.waiting.insert(round);
        }

        fn pong(&mut self, ping: PingId, ok: bool) {
            let Some(it) = &mut self.it else { return };
            let beside = self.beside == Some(ping);
            let expected = beside || (self.is == Is::Pinging && self.last_ping == Some(ping));
            if !ok {
                assert_eq!(it.on_ping_failed(ping).is_ok(), expected);
                if expected {
                    self.rows.insert(11);
                    self.detach();
                }
                return;
            }
            let answered = it.on_pong(ping, true);
            assert_eq!(answered.is_ok(), expected);
            let Ok(answered) = answered else { return };
            for round in answered.rounds {
                assert!(self.waiting.remove(&round), "told twice");
            }
            if beside {
                self.beside = None;
                self.rows.insert(16);
            } else {
                assert_eq!(answered.starter, self.starter);
                let (row, is) = match self.starter {
                    Some(_) => (13, Is::Building),
                    None => (10, Is::Idle),
                };
                self.go(row, is);
            }
        }

        fn start_answered(&mut self, epoch: Epoch, ok: bool) {
            let Some(it) = &mut self.it else { return };
            let expected = self.is == Is::Building && epoch.0 == self.epoch;
            let answered = it.on_start_answered(epoch, ok);
            assert_eq!(answered.is_ok(), expected);
            if expected {
                assert_eq!(answered.ok(), self.starter);
                let (row, is) = if ok {
                    (14, Is::Building)
                } else {
                    (15, Is::Idle)
                };
                self.go(row, is);
            }
        }

        fn build_finished(&mut self) {
            let Some(it) = &mut self.it else { return };
            let attempt = self.starter.unwrap_or(AttemptId(0));
            let finished = it.on_build_finished(attempt);
            assert_eq!(finished.is_ok(), self.is == Is::Building);
            if finished.is_ok() {
                self.go(17, Is::Idle);
            }
        }

        fn stop_start(&mut self) {
            let Some(it) = &mut self.it else { return };
            let attempt = self.starter.unwrap_or(AttemptId(0));
            let expected = self.is == Is::Pinging && self.starter.is_some();
            assert_eq!(it.on_start_stopped(attempt).is_ok(), expected);
            if expected {
                self.starter = None;
            }
        }

        fn detach(&mut self) {
            let row = match self.is {
                Is::Gone => return,
                Is::Introducing | Is::Greeting => 6,
                Is::Idle => 19,
                Is::Pinging => 12,
                Is::Building => 18,
            };
            let gone = self.it.take().unwrap().on_detached();
            assert_eq!(gone.attempt, self.starter);
            assert_eq!(gone.was_attached, row != 6);
            let told: BTreeSet<_> = gone.rounds.into_iter().collect();
            assert_eq!(told, self.waiting, "SLB-01 (d)");
            self.waiting.clear();
            self.remove(row);
        }

        fn remove(&mut self, row: u32) {
            self.it = None;
            (self.beside, self.starter) = (None, None);
            self.go(row, Is::Gone);
        }

        fn go(&mut self, row: u32, is: Is) {
            self.rows.insert(row);
            self.is = is;
            if is == Is::Idle {
                self.starter = None;
            }
        }

        fn number(&mut self) -> u64 {
            self.next += 1;
            self.next
        }

        fn check(&self) {
            let Some(it) = &self.it else {
                assert_eq!(self.is, Is::Gone);
                return;
            };
            let attaching = matches!(self.is, Is::Introducing | Is::Greeting);
            assert_eq!(it.is_attaching(), attaching);
            assert_eq!(it.is_idle(), self.is == Is::Idle);
            assert_eq!(it.is_pinging(), self.is == Is::Pinging);
            assert_eq!(it.is_busy(), matches!(self.is, Is::Pinging | Is::Building));
            assert_eq!(it.attempt(), self.starter);
        }
    }

    fn deadline(secs: u64) -> Mono {
        Mono(Duration::from_secs(secs))
    }

    #[test]
    fn slb_01_random_walks_follow_the_table_and_take_every_ordinary_row() {
        let mut rng = StdRng::seed_from_u64(5);
        let mut rows = BTreeSet::new();
        for _ in 0..2000 {
            let mut model = Model {
                it: None,
                is: Is::Gone,
                epoch: 1,
                last_ping: None,
                beside: None,
                starter: None,
                waiting: BTreeSet::new(),
                next: 100,
                rows: BTreeSet::new(),
            };
            for _ in 0..200 {
                model.step(&mut rng);
            }
            rows.extend(model.rows);
        }
        assert_eq!(rows, (1..=19).collect());
    }

    fn building() -> SlaveBuilder {
        let mut it = SlaveBuilder::new(Epoch(1));
        it.on_master_set(Epoch(1), true).unwrap();
        it.on_greeted(Epoch(1), true).unwrap();
        it.on_chosen(AttemptId(1), PingId(1), deadline(10)).unwrap();
        it.on_pong(PingId(1), true).unwrap();
        it
    }

    #[test]
    fn sb_19_pings_beside_a_build_never_change_the_state() {
        let mut it = building();
        it.on_ping_asked(RoundId(1), PingId(2), deadline(30))
            .unwrap();
        it.on_build_finished(AttemptId(1)).unwrap();
        it.on_ping_asked(RoundId(2), PingId(3), deadline(30))
            .unwrap();
        assert_eq!(it.on_pong(PingId(2), true).unwrap().rounds, [RoundId(1)]);
        assert_eq!(it.on_pong(PingId(3), true).unwrap().rounds, [RoundId(2)]);
        assert!(it.is_idle());
    }

    #[test]
    fn sb_23_answers_of_an_older_epoch_change_nothing() {
        let mut it = SlaveBuilder::new(Epoch(2));
        assert_eq!(it.on_master_set(Epoch(1), true), Err(Unexpected));
        assert_eq!(it.on_greeted(Epoch(1), true), Err(Unexpected));
        assert!(it.is_attaching());
    }

    #[test]
    fn a_joined_ping_has_the_earliest_deadline() {
        let mut it = building();
        it.on_build_finished(AttemptId(1)).unwrap();
        it.on_ping_asked(RoundId(1), PingId(2), deadline(30))
            .unwrap();
        let joined = it
            .on_ping_asked(RoundId(2), PingId(3), deadline(20))
            .unwrap();
        assert_eq!(joined, PingAsked::Joined(PingId(2), deadline(20)));
    }
}
