//! The table walked at random, and its traps.

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
    Starting,
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
        match (it.on_answered(Step::MasterSet, epoch, ok), expected) {
            (Ok(Handshake::Greet), Some(true)) => self.go(3, Is::Greeting),
            (Ok(Handshake::Failed), Some(false)) => self.remove(5),
            (Err(_), None) => {}
            other => panic!("{other:?}"),
        }
    }

    fn greeted(&mut self, epoch: Epoch, ok: bool) {
        let Some(it) = &mut self.it else { return };
        let expected = (self.is == Is::Greeting && epoch.0 == self.epoch).then_some(ok);
        match (it.on_answered(Step::Greeted, epoch, ok), expected) {
            (Ok(Handshake::Attached), Some(true)) => self.go(4, Is::Idle),
            (Ok(Handshake::Failed), Some(false)) => self.remove(5),
            (Err(_), None) => {}
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
            (Err(_), Is::Introducing | Is::Greeting) => return,
            (Ok(PingAsked::Send), Is::Idle) => {
                self.last_ping = Some(ping);
                self.go(8, Is::Pinging);
            }
            (Ok(PingAsked::Joined(joined, at)), Is::Pinging) => {
                assert_eq!(Some(joined), self.last_ping);
                assert!(at <= deadline(30));
                self.rows.insert(9);
            }
            (Ok(PingAsked::Send), Is::Starting | Is::Building) => {
                assert_eq!(self.beside, None);
                self.beside = Some(ping);
                self.rows.insert(16);
            }
            (Ok(PingAsked::Joined(joined, _)), Is::Starting | Is::Building) => {
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
                Some(_) => (13, Is::Starting),
                None => (10, Is::Idle),
            };
            self.go(row, is);
        }
    }

    fn start_answered(&mut self, epoch: Epoch, ok: bool) {
        let Some(it) = &mut self.it else { return };
        let expected = self.is == Is::Starting && epoch.0 == self.epoch;
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
            Is::Starting | Is::Building => 18,
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
        let busy = matches!(self.is, Is::Pinging | Is::Starting | Is::Building);
        assert_eq!(it.is_busy(), busy);
        assert_eq!(it.is_building(), self.is == Is::Building);
        let is_starting = self.is == Is::Starting;
        assert_eq!(it.is_starting(Epoch(self.epoch)), is_starting);
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
    it.on_answered(Step::MasterSet, Epoch(1), true).unwrap();
    it.on_answered(Step::Greeted, Epoch(1), true).unwrap();
    it.on_chosen(AttemptId(1), PingId(1), deadline(10)).unwrap();
    it.on_pong(PingId(1), true).unwrap();
    it.on_start_answered(Epoch(1), true).unwrap();
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
    let unexpected = |event| {
        Err(Unexpected {
            state: "introducing",
            event,
        })
    };
    let old = Epoch(1);
    let master_set = it.on_answered(Step::MasterSet, old, true);
    assert_eq!(master_set, unexpected("master set"));
    let greeted = it.on_answered(Step::Greeted, old, true);
    assert_eq!(greeted, unexpected("greeted"));
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
