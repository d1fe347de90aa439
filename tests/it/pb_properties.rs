//! Properties of the wire for any value and any conversation.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::Arc;

use buildmaster::pb::banana::{Decoder, Encoder, Token};
use buildmaster::pb::jelly::{Jellier, Unjellier};
use buildmaster::pb::{Broker, CallId, Event, Failure, Limits, Luid, RequestNumber, Target, Value};
use bytes::Bytes;
use proptest::prelude::*;

use crate::pb_transcripts::encode;

proptest! {
    #[test]
    fn tokens_survive_any_chunking(
        expressions in prop::collection::vec(expression(), 1..5),
        vocabulary: bool,
        cuts in prop::collection::vec(1_usize..40, 1..20),
    ) {
        let bytes = Bytes::from(encode(expressions.iter().flatten(), vocabulary));
        let mut decoder = Decoder::default();
        let mut decoded = Vec::new();
        for chunk in chunks(&bytes, &cuts) {
            decoder.push(chunk);
            while let Some(tokens) = decoder.next(&Limits::LOGGED_IN, vocabulary).unwrap() {
                decoded.push(tokens);
            }
        }
        prop_assert_eq!(decoded, expressions);
    }

    #[test]
    fn any_bytes_decode_alike_in_any_chunking(
        bytes in prop::collection::vec(prop_oneof![0_u8..8, 0x80_u8..0x89, any::<u8>()], 0..200),
        cuts in prop::collection::vec(1_usize..20, 1..10),
    ) {
        let bytes = Bytes::from(bytes);
        let decode = |chunks: Vec<Bytes>| {
            let mut decoder = Decoder::default();
            let mut decoded = Vec::new();
            for chunk in chunks {
                decoder.push(chunk);
                loop {
                    match decoder.next(&Limits::BEFORE_LOGIN, true) {
                        Ok(Some(tokens)) => decoded.push(tokens),
                        Ok(None) => break,
                        Err(error) => return (decoded, Some(error)),
                    }
                }
            }
            (decoded, None)
        };
        let whole = decode(vec![bytes.clone()]);
        prop_assert_eq!(format!("{:?}", decode(chunks(&bytes, &cuts))), format!("{whole:?}"));
    }

    #[test]
    fn values_survive_the_wire(value in value(), vocabulary: bool) {
        prop_assert_eq!(decode_one(&encode_one(&value, vocabulary), vocabulary), mirrored(&value));
    }

    #[test]
    fn conversations_arrive_complete_and_in_order(
        acts in prop::collection::vec(act(), 1..60),
        cuts in prop::collection::vec(1_usize..200, 1..10),
    ) {
        converse(acts, &cuts);
    }
}

/// One thing that one of two programs does.
#[derive(Clone, Debug)]
enum Act {
    /// Calls the other's object with a value, and with some objects of its own.
    Call {
        by_server: bool,
        arg: Value,
        objects: Vec<i64>,
    },
    /// Answers the oldest or the newest call that waits.
    Answer {
        by_server: bool,
        newest: bool,
        result: Result<Value, String>,
    },
    /// Gives the oldest reference back.
    Release { by_server: bool },
    /// Bytes reach the other side.
    Carry { from_server: bool },
}

/// A program with its broker, and what it must see.
struct Program {
    broker: Broker,
    calls: Vec<CallId>,
    /// References that it holds.
    held: Vec<Luid>,
    /// References to its own objects that are out there, by object.
    given: BTreeMap<i64, usize>,
    released: Vec<i64>,
    /// Arguments that the other side sent and that did not arrive yet.
    expected_calls: Vec<(Value, Vec<i64>)>,
    expected_answers: BTreeMap<RequestNumber, Result<Value, String>>,
    /// Its requests, in the order in which the other side hears them.
    asked: Vec<RequestNumber>,
    output: Vec<u8>,
}

/// Object 1 of each side, which is never let go of.
const HOME: Luid = Luid(1);

fn converse(acts: Vec<Act>, cuts: &[usize]) {
    let mut programs = [
        Program::new(Broker::client(Limits::LOGGED_IN)),
        Program::new(Broker::server(Limits::LOGGED_IN)),
    ];
    for at in [1, 0, 1] {
        carry(&mut programs, at == 1, cuts);
    }
    for act in acts {
        perform(&mut programs, act, cuts);
    }
    // At the end everything is answered, carried and given back.
    for _ in 0..3 {
        for by_server in [true, false] {
            while !programs[usize::from(by_server)].calls.is_empty() {
                let answer = Act::Answer {
                    by_server,
                    newest: false,
                    result: Ok(Value::None),
                };
                perform(&mut programs, answer, cuts);
            }
            carry(&mut programs, by_server, cuts);
            while !programs[usize::from(by_server)].held.is_empty() {
                perform(&mut programs, Act::Release { by_server }, cuts);
            }
            carry(&mut programs, by_server, cuts);
        }
    }
    for program in programs {
        assert!(program.expected_calls.is_empty() && program.expected_answers.is_empty());
        assert!(program.given.is_empty(), "{:?}", program.given);
        // Only the one that is never let go of is left.
        assert_eq!(program.broker.export_count(), 1);
    }
}

fn perform(programs: &mut [Program; 2], act: Act, cuts: &[usize]) {
    match act {
        Act::Call {
            by_server,
            arg,
            objects,
        } => {
            let [caller, callee] = sides(programs, by_server);
            let mut args = vec![arg.clone()];
            for object in &objects {
                caller.broker.export(Luid(*object));
                *caller.given.entry(*object).or_default() += 1;
                args.push(Value::Mine(Luid(*object)));
            }
            let request = caller.broker.call(Target::Object(HOME), "do", &args, &[]);
            caller.asked.push(request);
            callee.expected_calls.push((mirrored(&arg), objects));
        }
        Act::Answer {
            by_server,
            newest,
            result,
        } => {
            let [callee, caller] = sides(programs, by_server);
            if callee.calls.is_empty() {
                return;
            }
            let at = if newest { callee.calls.len() - 1 } else { 0 };
            let call = callee.calls.remove(at);
            let request = caller.asked.remove(at);
            match &result {
                Ok(value) => callee.broker.answer(call, value),
                Err(text) => callee
                    .broker
                    .fail(call, &Failure::new("builtins.ValueError", text)),
            }
            caller
                .expected_answers
                .insert(request, result.map(|value| mirrored(&value)));
        }
        Act::Release { by_server } => {
            let [holder, _] = sides(programs, by_server);
            if !holder.held.is_empty() {
                let luid = holder.held.remove(0);
                holder.broker.release(luid);
            }
        }
        Act::Carry { from_server } => carry(programs, from_server, cuts),
    }
}

/// The one that acts, and the other.
fn sides(programs: &mut [Program; 2], server_acts: bool) -> [&mut Program; 2] {
    let [client, server] = programs;
    if server_acts {
        [server, client]
    } else {
        [client, server]
    }
}

fn carry(programs: &mut [Program; 2], from_server: bool, cuts: &[usize]) {
    let [from, to] = sides(programs, from_server);
    from.output.extend(from.broker.take_output().concat());
    let bytes = Bytes::from(std::mem::take(&mut from.output));
    for chunk in chunks(&bytes, cuts) {
        to.broker.receive(chunk).unwrap();
        while let Some(event) = to.broker.next_event().unwrap() {
            to.on_event(event);
        }
    }
}

impl Program {
    fn new(mut broker: Broker) -> Self {
        broker.export(HOME);
        Self {
            broker,
            calls: Vec::new(),
            held: Vec::new(),
            given: BTreeMap::new(),
            released: Vec::new(),
            expected_calls: Vec::new(),
            expected_answers: BTreeMap::new(),
            asked: Vec::new(),
            output: Vec::new(),
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Negotiated => {}
            Event::Call {
                call, target, args, ..
            } => {
                assert_eq!(target, Target::Object(HOME));
                let (arg, objects) = self.expected_calls.remove(0);
                assert_eq!(args[0], arg);
                let held: Vec<_> = args[1..]
                    .iter()
                    .map(|arg| arg.as_theirs().unwrap())
                    .collect();
                assert_eq!(held, objects.into_iter().map(Luid).collect::<Vec<_>>());
                self.held.extend(held);
                self.calls.push(call);
            }
            Event::Answer { request, result } => {
                let expected = self.expected_answers.remove(&request).unwrap();
                assert_eq!(result.map_err(|failure| failure.value), expected);
            }
            Event::Released(Luid(object)) => {
                self.given.remove(&object);
                self.released.push(object);
            }
        }
    }
}

fn act() -> impl Strategy<Value = Act> {
    let result = prop_oneof![3 => plain_value().prop_map(Ok), 1 => ".{0,20}".prop_map(Err)];
    prop_oneof![
        (
            any::<bool>(),
            plain_value(),
            prop::collection::vec(2_i64..6, 0..3)
        )
            .prop_map(|(by_server, arg, objects)| Act::Call {
                by_server,
                arg,
                objects
            }),
        (any::<bool>(), any::<bool>(), result).prop_map(|(by_server, newest, result)| {
            Act::Answer {
                by_server,
                newest,
                result,
            }
        }),
        any::<bool>().prop_map(|by_server| Act::Release { by_server }),
        any::<bool>().prop_map(|from_server| Act::Carry { from_server }),
    ]
}

/// A value without references to objects, which are counted.
fn plain_value() -> impl Strategy<Value = Value> {
    value().prop_filter("no objects", |value| {
        let printed = format!("{value:?}");
        !printed.contains("Mine") && !printed.contains("Theirs")
    })
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::None),
        any::<bool>().prop_map(Value::Bool),
        integer().prop_map(Value::Int),
        (any::<bool>(), big_digits())
            .prop_map(|(negative, digits)| Value::BigInt { negative, digits }),
        (-1e300..1e300).prop_map(Value::Float),
        string().prop_map(Value::Bytes),
        string().prop_map(Value::Text),
        (integer(), -50_i64..50).prop_map(|(digits, exponent)| Value::Decimal(digits, exponent)),
        Just(Value::Time(
            "datetime",
            Bytes::from_static(b"2026 1 2 3 4 5 6")
        )),
        integer().prop_map(|luid| Value::Mine(Luid(luid))),
        integer().prop_map(|luid| Value::Theirs(Luid(luid))),
        string().prop_map(Value::Unpersistable),
        ".{0,20}"
            .prop_map(|text| Value::Failure(Box::new(Failure::new("builtins.KeyError", text)))),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        let items = || prop::collection::vec(inner.clone(), 0..5);
        prop_oneof![
            items().prop_map(Value::List),
            items().prop_map(Value::Tuple),
            items().prop_map(Value::Set),
            items().prop_map(Value::FrozenSet),
            prop::collection::vec((inner.clone(), inner.clone()), 0..4).prop_map(Value::Dict),
            (inner.clone(), 1_usize..4).prop_map(|(shared, uses)| {
                Value::List(vec![Value::Shared(Arc::new(shared)); uses])
            }),
        ]
    })
}

fn expression() -> impl Strategy<Value = Vec<Token>> {
    let leaf = prop_oneof![
        integer().prop_map(Token::Int),
        (any::<bool>(), big_digits())
            .prop_map(|(negative, digits)| Token::BigInt { negative, digits }),
        (-1e300..1e300).prop_map(Token::Float),
        string().prop_map(Token::Bytes),
    ];
    leaf.prop_map(|token| vec![token])
        .prop_recursive(6, 60, 6, |inner| {
            prop::collection::vec(inner, 0..6).prop_map(|items| {
                let list = vec![Token::List(items.len())];
                [list].into_iter().chain(items).flatten().collect()
            })
        })
}

fn string() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from),
        prop::sample::select(vec![
            "None",
            "list",
            "reference",
            "remote",
            "unicode",
            "root",
            ""
        ])
        .prop_map(|word| Bytes::from_static(word.as_bytes())),
        (0_usize..10_000).prop_map(|len| Bytes::from(vec![b'x'; len])),
    ]
}

fn integer() -> impl Strategy<Value = i64> {
    let edges = [
        0,
        i64::MIN,
        i64::MAX,
        -(1 << 31),
        (1 << 31) - 1,
        1 << 31,
        -(1 << 31) - 1,
    ];
    prop_oneof![
        any::<i64>(),
        -200_i64..200,
        prop::sample::select(edges.to_vec())
    ]
}

/// Digits of integers that 64 bits do not hold.
fn big_digits() -> impl Strategy<Value = Bytes> {
    (prop::collection::vec(0_u8..0x80, 9..63), 2_u8..0x80).prop_map(|(mut digits, last)| {
        digits.push(last);
        Bytes::from(digits)
    })
}

fn chunks(bytes: &Bytes, cuts: &[usize]) -> Vec<Bytes> {
    let mut rest = bytes.clone();
    let mut chunks = Vec::new();
    for cut in cuts.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        chunks.push(rest.split_to((*cut).min(rest.len())));
    }
    chunks
}

fn encode_one(value: &Value, vocabulary: bool) -> Vec<u8> {
    let mut encoder = Encoder::default();
    encoder.set_vocabulary(vocabulary);
    Jellier::new(&mut encoder).value(value).unwrap();
    encoder.take().concat()
}

fn decode_one(bytes: &[u8], vocabulary: bool) -> Value {
    let mut decoder = Decoder::default();
    decoder.push(Bytes::copy_from_slice(bytes));
    let mut tokens = decoder
        .next(&Limits::LOGGED_IN, vocabulary)
        .unwrap()
        .unwrap();
    Unjellier::new(&Limits::LOGGED_IN)
        .value(&mut tokens.drain(..))
        .unwrap()
}

/// The value as the other side has it.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "no other value holds an object"
)]
fn mirrored(value: &Value) -> Value {
    let all = |items: &[Value]| items.iter().map(mirrored).collect();
    match value {
        Value::Mine(luid) => Value::Theirs(*luid),
        Value::Theirs(luid) => Value::Mine(*luid),
        Value::List(items) => Value::List(all(items)),
        Value::Tuple(items) => Value::Tuple(all(items)),
        Value::Set(items) => Value::Set(all(items)),
        Value::FrozenSet(items) => Value::FrozenSet(all(items)),
        Value::Dict(pairs) => Value::Dict(
            pairs
                .iter()
                .map(|(k, v)| (mirrored(k), mirrored(v)))
                .collect(),
        ),
        Value::Shared(part) => Value::Shared(Arc::new(mirrored(part))),
        other => other.clone(),
    }
}
