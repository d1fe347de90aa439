//! Recorded sessions, spoken again by brokers of ours in both roles.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{HashMap, VecDeque};

use buildmaster::pb::banana::{Decoder, Token};
use buildmaster::pb::broker::ProtocolError;
use buildmaster::pb::jelly::Unjellier;
use buildmaster::pb::{Broker, CallId, Event, Failure, Limits, Luid, Portal, Target, Value};
use bytes::Bytes;

use crate::pb_golden::mirrored;
use crate::pb_transcripts::{
    Connection, Direction, connections, data, decode, joined, real_connections,
};

#[test]
fn real_sessions_can_be_had_again_by_brokers_of_ours() {
    for connection in real_connections() {
        replay(&connection);
    }
}

/// Lets one broker say what the master said and another what its peer said, each fed with the
/// recorded bytes of the other, and compares what they send with what was recorded.
fn replay(connection: &Connection) {
    let name = &connection.name;
    let mut master = Side::new(Broker::server(Limits::LOGGED_IN));
    let mut peer = Side::new(Broker::client(Limits::LOGGED_IN));
    let mut decoders = [Script::default(), Script::default()];
    for (direction, chunk) in &connection.chunks {
        let (speaker, hearer, script) = match direction {
            Direction::FromMaster => (&mut master, &mut peer, &mut decoders[0]),
            Direction::ToMaster => (&mut peer, &mut master, &mut decoders[1]),
        };
        for message in script.read(chunk, connection.has_vocabulary()) {
            hearer.note(&message);
            speaker.say(message, name);
        }
        speaker.sent.extend(joined(speaker.broker.take_output()));
        hearer.hear(chunk, name);
    }
    for (side, direction) in [(master, Direction::FromMaster), (peer, Direction::ToMaster)] {
        assert_eq!(
            side.expected_events, side.seen_events,
            "{name} {direction:?}"
        );
        let recorded = connection.bytes(direction);
        let mut sent = side.sent;
        // What it sends last, in reply to the last bytes of the other, may not be recorded.
        if !side.said_failure {
            sent.truncate(recorded.len());
            let same = recorded.starts_with(&sent) && recorded.len() - sent.len() < 600_000;
            assert!(same, "{name} {direction:?}");
        }
        let (messages, error) = decode([Bytes::from(sent)], connection.has_vocabulary());
        assert_eq!(error, None);
        let (recorded, _) = decode([recorded], connection.has_vocabulary());
        for (ours, theirs) in messages.iter().zip(&recorded) {
            assert_eq!(ours.get(..3), theirs.get(..3), "{name} {direction:?}");
        }
    }
}

/// Decodes what a side was recorded to say.
#[derive(Default)]
struct Script {
    decoder: Decoder,
    negotiated: bool,
}

impl Script {
    fn read(&mut self, chunk: &Bytes, vocabulary: bool) -> Vec<Vec<Token>> {
        self.decoder.push(chunk.clone());
        let mut messages = Vec::new();
        loop {
            let vocabulary = vocabulary && self.negotiated;
            let Some(message) = self.decoder.next(&Limits::LOGGED_IN, vocabulary).unwrap() else {
                return messages;
            };
            if self.negotiated {
                messages.push(message);
            }
            self.negotiated = true;
        }
    }
}

fn int(token: &Token) -> i64 {
    let Token::Int(int) = token else {
        panic!("{token:?} is not an integer")
    };
    *int
}

struct Side {
    broker: Broker,
    sent: Vec<u8>,
    said_failure: bool,
    /// Request numbers of the other side, in order, of which the calls did not come out yet.
    noted: VecDeque<i64>,
    calls: HashMap<i64, CallId>,
    /// Calls and answers.
    expected_events: (usize, usize),
    seen_events: (usize, usize),
}

impl Side {
    fn new(broker: Broker) -> Self {
        Self {
            broker,
            sent: Vec::new(),
            said_failure: false,
            noted: VecDeque::new(),
            calls: HashMap::new(),
            expected_events: (0, 0),
            seen_events: (0, 0),
        }
    }

    /// The other side will be heard to say this.
    fn note(&mut self, message: &[Token]) {
        match &message[1..3] {
            [Token::Bytes(name), Token::Int(request)] if *name == "message" => {
                self.noted.push_back(*request);
                self.expected_events.0 += 1;
            }
            [Token::Bytes(name), _] if *name == "answer" || *name == "error" => {
                self.expected_events.1 += 1;
            }
            _ => {}
        }
    }

    fn say(&mut self, mut message: Vec<Token>, session: &str) {
        let mut rest = message.drain(1..);
        let Some(Token::Bytes(name)) = rest.next() else {
            panic!("{session}: no message")
        };
        let Some(Token::Int(number)) = rest.next() else {
            panic!("{session}: no number")
        };
        let limits = Limits::LOGGED_IN;
        let mut unjellier = Unjellier::new(&limits);
        match &*name {
            b"version" => {}
            b"decref" => self.broker.release(Luid(number)),
            b"answer" => {
                let value = mirrored(&unjellier.value(&mut rest).unwrap());
                let call = self.calls.remove(&number).unwrap();
                self.broker.answer(call, &value);
            }
            b"error" => {
                let value = unjellier.value(&mut rest).unwrap();
                let Value::Failure(failure) = value else {
                    panic!("{session}: {value:?}")
                };
                let call = self.calls.remove(&number).unwrap();
                self.broker.fail(call, &failure);
                self.said_failure = true;
            }
            b"message" => {
                let target = rest.next().unwrap();
                let target = if target == Token::Bytes(Bytes::from_static(b"root")) {
                    Target::Root
                } else {
                    Target::Object(Luid(int(&target)))
                };
                let Some(Token::Bytes(method)) = rest.next() else {
                    panic!("{session}")
                };
                assert_eq!(rest.next(), Some(Token::Int(1)));
                let args = mirrored(&unjellier.value(&mut rest).unwrap());
                let kwargs = mirrored(&unjellier.value(&mut rest).unwrap());
                let args = args.as_items().unwrap();
                self.said_failure |= args.iter().any(|arg| matches!(arg, Value::Failure(_)));
                let method = str::from_utf8(&method).unwrap();
                let request = self
                    .broker
                    .call(target, method, args, kwargs.as_dict().unwrap());
                assert_eq!(request.0, number, "{session}");
            }
            other => panic!("{session}: {other:?}"),
        }
    }

    fn hear(&mut self, chunk: &Bytes, session: &str) {
        self.broker.receive(chunk.clone()).unwrap();
        while let Some(event) = self
            .broker
            .next_event()
            .unwrap_or_else(|e| panic!("{session}: {e}"))
        {
            match event {
                Event::Negotiated | Event::Released(_) => {}
                Event::Call { call, .. } => {
                    self.seen_events.0 += 1;
                    self.calls.insert(self.noted.pop_front().unwrap(), call);
                }
                Event::Answer { .. } => self.seen_events.1 += 1,
            }
        }
    }
}

/// What a real master did with odd and broken input, and what a broker of ours does.
#[test]
fn odd_input_is_taken_as_a_real_master_takes_it() {
    // The newer Twisted stumbles over its own `didNotUnderstand`; we do what the older one does.
    for (session, own_way) in [
        ("probe-raw-master0814", &[][..]),
        ("probe-raw-master430", &["unknown-protocol-message"][..]),
    ] {
        let summary = std::fs::read_to_string(data(&format!("pb/{session}.summary.txt"))).unwrap();
        let probes: Vec<_> = summary
            .lines()
            .filter(|line| !line.starts_with(' '))
            .collect();
        let connections = connections(session);
        assert_eq!(connections.len(), probes.len());
        for (connection, probe) in connections.iter().zip(probes) {
            let (probe, outcome) = probe.split_once(' ').unwrap();
            let stays_open = outcome.trim() == "stays open" || own_way.contains(&probe);
            let (replies, error) = play(connection);
            assert_eq!(error.is_none(), stays_open, "{session} {probe}: {error:?}");
            if !own_way.contains(&probe) {
                assert_eq!(replies, recorded_replies(connection), "{session} {probe}");
            }
        }
    }
}

/// A master of ours with nothing but a login, fed with what the client of a session sent.
fn play(connection: &Connection) -> (Vec<String>, Option<ProtocolError>) {
    let mut broker = Broker::server(Limits::LOGGED_IN);
    let mut portal = Portal::new();
    let mut sent = Vec::new();
    let mut luid = 1;
    let mut error = None;
    'bytes: for (direction, chunk) in &connection.chunks {
        if *direction == Direction::ToMaster {
            broker.receive(chunk.clone()).unwrap();
        }
        loop {
            match broker.next_event() {
                Ok(Some(event)) => {
                    let attempt = portal.handle(
                        &mut broker,
                        event,
                        |_| Bytes::from_static(&[0; 16]),
                        Luid(luid),
                    );
                    luid += i64::from(broker.export_count() > 0 && luid == 1);
                    if let Some(attempt) = attempt {
                        assert!(!attempt.knows(b"changepw"));
                        broker.fail(attempt.call, &Failure::unauthorized());
                    }
                }
                Ok(None) => break,
                Err(fault) => {
                    error = Some(fault);
                    break 'bytes;
                }
            }
        }
        sent.extend(joined(broker.take_output()));
    }
    sent.extend(joined(broker.take_output()));
    (replies(sent.into(), connection.has_vocabulary()), error)
}

fn recorded_replies(connection: &Connection) -> Vec<String> {
    replies(
        connection.bytes(Direction::FromMaster),
        connection.has_vocabulary(),
    )
}

/// The gist of each message: its name, number, and the class of an exception.
fn replies(bytes: Bytes, vocabulary: bool) -> Vec<String> {
    let (messages, error) = decode([bytes], vocabulary);
    assert_eq!(error, None);
    let gist = |message: Vec<Token>| match &message[..] {
        [_, Token::Bytes(name), request, rest @ ..] => {
            let mut gist = format!("{name:?} {request:?}");
            if *name == "error" {
                let mut rest = rest.to_vec();
                let value = Unjellier::new(&Limits::LOGGED_IN)
                    .value(&mut rest.drain(..))
                    .unwrap();
                let Value::Failure(failure) = value else {
                    panic!("{value:?}")
                };
                gist += &failure.kind.replace("exceptions.", "builtins.");
            }
            gist
        }
        other => format!("{other:?}"),
    };
    messages.into_iter().map(gist).collect()
}
