//! Everything that real peers were recorded to say, decoded and encoded again.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use buildmaster::pb::banana::{Decoder, Encoder, Token};
use buildmaster::pb::cred;
use buildmaster::pb::jelly::{Jellier, Refused, Unjellier};
use buildmaster::pb::{Failure, Limits, Luid, Value};
use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::pb_transcripts::{
    Direction, connections, data, decode, encode, joined, json_lines, real_connections, unhex,
};

const BOTH: [Direction; 2] = [Direction::FromMaster, Direction::ToMaster];

#[test]
fn any_chunking_of_real_traffic_decodes_alike() {
    for connection in connections("") {
        let vocabulary = connection.has_vocabulary();
        for direction in BOTH {
            let bytes = connection.bytes(direction);
            let whole = decode([bytes.clone()], vocabulary);
            for seed in 0..3 {
                let chunks = random_chunks(&bytes, seed);
                assert!(
                    decode(chunks, vocabulary) == whole,
                    "{}, {seed}",
                    connection.name
                );
            }
            // One by one, as far as it is interesting: long runs of output are strings.
            let head = bytes.slice(..bytes.len().min(200_000));
            let singles = (0..head.len()).map(|i| head.slice(i..=i));
            let whole = decode([head.clone()], vocabulary);
            assert!(
                decode(singles, vocabulary) == whole,
                "{}, by bytes",
                connection.name
            );
        }
    }
}

#[test]
fn tokens_of_real_peers_encode_to_their_own_bytes() {
    for connection in real_connections() {
        let vocabulary = connection.has_vocabulary();
        for direction in BOTH {
            let bytes = connection.bytes(direction);
            let (messages, error) = decode([bytes.clone()], vocabulary);
            assert_eq!(error, None, "{}", connection.name);
            let mut again = Vec::new();
            for (n, message) in messages.iter().enumerate() {
                again.extend(encode(message, vocabulary && n > 0));
            }
            // The last message of a killed peer may be incomplete.
            let rest = bytes.strip_prefix(&*again);
            assert!(
                rest.is_some_and(|rest| rest.len() < 600_000),
                "{}",
                connection.name
            );
        }
    }
}

#[test]
fn values_of_real_peers_encode_to_their_own_bytes() {
    let mut compared = 0;
    for connection in real_connections() {
        for direction in BOTH {
            let (messages, _) = decode([connection.bytes(direction)], connection.has_vocabulary());
            for message in messages.iter().skip(1) {
                for tokens in jellied(message) {
                    let value = unjelly(tokens.clone()).unwrap();
                    // Failures have a spelling of ours, see below.
                    if !has_failure(&value) {
                        compared += 1;
                        let again = jelly(&mirrored(&value));
                        assert!(
                            again == encode(&tokens, true),
                            "{}: {value:?}",
                            connection.name
                        );
                    }
                }
            }
        }
    }
    assert!(compared > 10_000, "{compared}");
}

#[test]
fn failures_of_real_peers_survive_our_spelling() {
    let mut kinds = BTreeSet::new();
    for connection in real_connections() {
        for direction in BOTH {
            let (messages, _) = decode([connection.bytes(direction)], connection.has_vocabulary());
            for tokens in messages.iter().skip(1).flat_map(|message| jellied(message)) {
                let value = unjelly(tokens).unwrap();
                if !has_failure(&value) {
                    continue;
                }
                if let Value::Failure(failure) = &value {
                    assert!(!failure.traceback.is_empty(), "{failure:?}");
                    assert!(failure.parents.contains(&failure.kind), "{failure:?}");
                    assert!(failure.is("builtins.Exception") && failure.is("exceptions.Exception"));
                    kinds.insert(failure.kind.clone());
                }
                let mut decoder = Decoder::default();
                decoder.push(jelly(&value).into());
                let tokens = decoder.next(&Limits::LOGGED_IN, true).unwrap().unwrap();
                assert_eq!(unjelly(tokens).unwrap(), value);
            }
        }
    }
    for kind in [
        Failure::UNAUTHORIZED,
        Failure::NO_SUCH_METHOD,
        "exceptions.AttributeError",
    ] {
        assert!(kinds.contains(kind), "{kinds:?}");
    }
}

#[test]
fn vectors_of_real_twisted_hold() {
    let mut checked = 0;
    for file in [
        "pb/vectors-twisted20.3-py2.7.jsonl",
        "pb/vectors-twisted26.10-py3.12.jsonl",
    ] {
        for vector in json_lines(&data(file)) {
            let text = |key: &str| vector[key].as_str().unwrap_or_default().to_owned();
            let bytes = unhex(&text("hex"));
            checked += 1;
            match &*text("kind") {
                "banana" => check_banana(&text("name"), &bytes),
                "jelly" => check_jelly(&text("name"), &bytes, file),
                "respond" => {
                    let (password, challenge) = (text("password_hex"), text("challenge"));
                    let response = cred::response(&unhex(&password), &unhex(&challenge));
                    assert_eq!(response[..], bytes, "{password}");
                }
                kind => panic!("unknown vector {kind}"),
            }
        }
    }
    assert!(checked > 200, "{checked}");
}

fn check_banana(name: &str, bytes: &[u8]) {
    let vocabulary = !name.ends_with("dialect none") && name != "dialect offer";
    let mut decoder = Decoder::default();
    decoder.push(Bytes::copy_from_slice(bytes));
    let tokens = decoder
        .next(&Limits::LOGGED_IN, vocabulary)
        .unwrap()
        .unwrap();
    assert_eq!(decoder.buffered(), 0, "{name}");
    assert_eq!(encode(&tokens, vocabulary), bytes, "{name}");
    if let Some(float) = name.strip_prefix("float ") {
        assert_eq!(tokens, [Token::Float(float.parse().unwrap())], "{name}");
    }
    if let Some(int) = name.strip_prefix("int ") {
        match (&tokens[..], int.parse::<i64>()) {
            ([Token::Int(decoded)], Ok(int)) => assert_eq!(*decoded, int, "{name}"),
            ([Token::BigInt { negative, digits }], Err(_)) => {
                assert_eq!((*negative, decimal(digits)), split_sign(int), "{name}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    if let Some(word) = name
        .strip_prefix("vocab ")
        .and_then(|rest| rest.split_once(' '))
        && word.0.parse::<u8>().is_ok()
    {
        assert_eq!(
            tokens,
            [Token::Bytes(Bytes::copy_from_slice(word.1.as_bytes()))],
            "{name}"
        );
    }
}

fn check_jelly(name: &str, bytes: &[u8], file: &str) {
    let mut decoder = Decoder::default();
    decoder.push(Bytes::copy_from_slice(bytes));
    let tokens = decoder.next(&Limits::LOGGED_IN, true).unwrap().unwrap();
    let decoded = unjelly(tokens);
    let list = || Value::List(vec![Value::Int(1)]);
    let time =
        |tag, numbers: &'static str| Value::Time(tag, Bytes::from_static(numbers.as_bytes()));
    let expected = match name {
        "None" => Value::None,
        "True" => Value::Bool(true),
        "False" => Value::Bool(false),
        "native str" if file.contains("py2") => Value::bytes("abc"),
        "native str" => Value::text("abc"),
        "bytes" => Value::bytes("abc"),
        "unicode" => Value::text("caf\u{e9}"),
        "unicode vocabulary word" => Value::text("login"),
        "empty tuple" => Value::Tuple(vec![]),
        "tuple" => Value::Tuple(vec![Value::Int(1), Value::bytes("a"), Value::None]),
        "list" => Value::List(vec![Value::Int(1), Value::List(vec![Value::Int(2)])]),
        "empty dict" => Value::Dict(vec![]),
        "dict" => Value::Dict(vec![(Value::bytes("k"), Value::Int(1))]),
        "dict key is vocabulary word" => {
            Value::Dict(vec![(Value::bytes("reference"), Value::None)])
        }
        "set" => Value::Set(vec![Value::Int(1)]),
        "frozenset" => Value::FrozenSet(vec![Value::Int(1)]),
        "decimal 1.25" => Value::Decimal(125, -2),
        "decimal -3e5" => Value::Decimal(-3, 5),
        "datetime" => time("datetime", "2020 1 2 3 4 5 6"),
        "date" => time("date", "2020 1 2"),
        "time" => time("time", "3 4 5 6"),
        "timedelta" => time("timedelta", "1 2 3"),
        "same list twice" | "same empty tuple twice" => {
            let shared = if name.contains("list") {
                list()
            } else {
                Value::Tuple(vec![])
            };
            let shared = Value::Shared(shared.into());
            let items = vec![shared.clone(), shared];
            if name.contains("list") {
                Value::Tuple(items)
            } else {
                Value::List(items)
            }
        }
        "recursive list" => {
            assert!(matches!(decoded, Err(Refused::Malformed(_))), "{decoded:?}");
            return;
        }
        "big int" => Value::Int(1 << 40),
        "negative" => Value::Int(-5),
        "float" => Value::Float(1.5),
        "class" => {
            assert!(matches!(decoded, Err(Refused::Insecure(_))), "{decoded:?}");
            return;
        }
        other => panic!("unknown vector {other}: {decoded:?}"),
    };
    assert_eq!(decoded.as_ref(), Ok(&expected), "{name}");
    assert_eq!(jelly(&expected), bytes, "{name}");
}

fn random_chunks(bytes: &Bytes, seed: u64) -> Vec<Bytes> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut rest = bytes.clone();
    let mut chunks = Vec::new();
    while !rest.is_empty() {
        let most = [3, 64, 4096, 65_536][random.random_range(0..4)];
        let len = random.random_range(1..=most).min(rest.len());
        chunks.push(rest.split_to(len));
    }
    chunks
}

/// The jellied values of a message, each with its tokens.
fn jellied(message: &[Token]) -> Vec<Vec<Token>> {
    let [Token::List(_), Token::Bytes(name), rest @ ..] = message else {
        panic!("{message:?}");
    };
    let mut parts = Vec::new();
    let mut rest = rest;
    while !rest.is_empty() {
        let mut missing = 1;
        let mut len = 0;
        while missing > 0 {
            missing -= 1;
            if let Token::List(elements) = &rest[len] {
                missing += elements;
            }
            len += 1;
        }
        parts.push(rest[..len].to_vec());
        rest = &rest[len..];
    }
    match &**name {
        b"message" => parts.split_off(4),
        b"answer" | b"error" => parts.split_off(1),
        _ => Vec::new(),
    }
}

fn unjelly(mut tokens: Vec<Token>) -> Result<Value, Refused> {
    let mut tokens = tokens.drain(..);
    let value = Unjellier::new(&Limits::LOGGED_IN).value(&mut tokens)?;
    assert_eq!(tokens.len(), 0);
    Ok(value)
}

fn jelly(value: &Value) -> Vec<u8> {
    let mut encoder = Encoder::default();
    encoder.set_vocabulary(true);
    Jellier::new(&mut encoder).value(value).unwrap();
    joined(encoder.take())
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "no other value of Buildbot holds an object"
)]
/// The value as the other side has it: its objects are ours, ours are its.
pub(crate) fn mirrored(value: &Value) -> Value {
    let all = |items: &[Value]| items.iter().map(mirrored).collect();
    match value {
        Value::Mine(luid) => Value::Theirs(Luid(luid.0)),
        Value::Theirs(luid) => Value::Mine(Luid(luid.0)),
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
        other => other.clone(),
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "no other value of Buildbot holds one"
)]
fn has_failure(value: &Value) -> bool {
    match value {
        Value::Failure(_) => true,
        Value::List(items) | Value::Tuple(items) => items.iter().any(has_failure),
        _ => false,
    }
}

fn split_sign(int: &str) -> (bool, String) {
    match int.strip_prefix('-') {
        Some(magnitude) => (true, magnitude.to_owned()),
        None => (false, int.to_owned()),
    }
}

/// Digits in base 128, least significant first, in base 10.
fn decimal(digits: &[u8]) -> String {
    let mut decimal = vec![0_u32];
    for digit in digits.iter().rev() {
        let mut carry = u32::from(*digit);
        for place in &mut decimal {
            carry += *place * 128;
            *place = carry % 10;
            carry /= 10;
        }
        while carry > 0 {
            decimal.push(carry % 10);
            carry /= 10;
        }
    }
    decimal
        .iter()
        .rev()
        .map(|digit| char::from_digit(*digit, 10).unwrap())
        .collect()
}
