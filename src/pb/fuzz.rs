//! Entry points of the fuzz targets in `tests/fuzz`. An ordinary test runs them on the committed
//! corpus.
//!
//! Each function accepts arbitrary bytes and panics only if [`crate::pb`] breaks a promise: any
//! split of the input gives the same result, decoded values survive encoding and decoding, and
//! nothing exceeds its limits.

use bytes::Bytes;

use super::banana::{BananaError, Decoder, Encoder, Token};
use super::broker::ProtocolError;
use super::cred::Portal;
use super::jelly::{Jellier, Unjellier};
use super::{Broker, Event, Failure, Limits, Luid, Value};

/// Limits that are small enough for a fuzzer to reach.
const LIMITS: Limits = Limits {
    string_bytes: 1024,
    list_items: 64,
    depth: 16,
    part_bytes: usize::MAX,
    message_bytes: 8 * 1024,
    expanded_values: 256,
    unanswered_calls: 8,
    exports: 8,
};

/// Decodes `data` with and without vocabulary, whole and in pieces, and encodes the result.
pub fn banana(data: &[u8]) {
    for vocabulary in [true, false] {
        let whole = expressions(data, usize::MAX, vocabulary);
        for piece in [1, 3, 17] {
            assert_same(&expressions(data, piece, vocabulary), &whole);
        }
        let mut encoder = Encoder::default();
        encoder.set_vocabulary(vocabulary);
        whole
            .0
            .iter()
            .flatten()
            .for_each(|token| encoder.token(token));
        let again = encoder.take().concat();
        assert!(
            again.len() <= data.len() * 16 + 16,
            "an encoding is much longer than its source"
        );
        assert_same(
            &expressions(&again, usize::MAX, vocabulary),
            &(whole.0, None),
        );
    }
}

/// Decodes the values of `data`, encodes them and decodes them again.
pub fn jelly(data: &[u8]) {
    for expression in expressions(data, usize::MAX, true).0 {
        let Some(value) = value(expression) else {
            continue;
        };
        let mut encoder = Encoder::default();
        encoder.set_vocabulary(true);
        // A value written from the other side's view comes back unchanged.
        if Jellier::new(&mut encoder).value(&value).is_err() {
            continue;
        }
        let bytes = encoder.take().concat();
        let (mut again, error) = expressions_within(&bytes, usize::MAX, true, &Limits::LOGGED_IN);
        assert_eq!(error, None);
        let again = again.pop().and_then(value_within_twisted);
        let again = again.expect("what was encoded can be decoded");
        let mut encoder = Encoder::default();
        encoder.set_vocabulary(true);
        // Each pass swaps `remote` and `local`, so two passes restore them.
        assert!(Jellier::new(&mut encoder).value(&again).is_ok());
        let third = expressions_within(
            &encoder.take().concat(),
            usize::MAX,
            true,
            &Limits::LOGGED_IN,
        );
        let third = third
            .0
            .into_iter()
            .next_back()
            .and_then(value_within_twisted);
        assert!(
            third.is_some_and(|third| same(&third, &value)),
            "a value changed on the way"
        );
    }
}

/// Feeds `data` to a server before a login, whole and in pieces, and answers every call.
pub fn broker(data: &[u8]) {
    let (output, fault) = converse(data, usize::MAX);
    for piece in [1, 5] {
        let (output_again, fault_again) = converse(data, piece);
        assert_eq!(fault_again, fault, "the chunking made a difference");
        assert!(output_again == output, "the chunking made a difference");
    }
}

/// The output of a server for `data`, and the reason for the end of the connection.
fn converse(data: &[u8], piece: usize) -> (Vec<u8>, Option<ProtocolError>) {
    let mut broker = Broker::server(LIMITS);
    let mut portal = Portal::new();
    let mut next = 1;
    let mut fault = None;
    for chunk in data.chunks(piece.min(data.len()).max(1)) {
        fault = fault.or_else(|| broker.receive(Bytes::copy_from_slice(chunk)).err());
        fault = fault.or_else(|| hear(&mut broker, &mut portal, &mut next).err());
    }
    // Take the output only at the end, because unread rejections are limited.
    let output = broker.take_output().concat();
    assert!(
        output.len() <= data.len() * 64 + LIMITS.message_bytes,
        "too much output"
    );
    (output, fault)
}

fn hear(broker: &mut Broker, portal: &mut Portal, next: &mut i64) -> Result<(), ProtocolError> {
    while let Some(event) = broker.next_event()? {
        if let Event::Released(luid) = &event {
            assert!(
                (1..*next).contains(&luid.0),
                "an unknown object is released"
            );
        }
        let exports = broker.export_count();
        let challenge = |_: &[u8]| Bytes::from_static(&[7; 16]);
        if let Some(attempt) = portal.handle(broker, event, challenge, Luid(*next)) {
            broker.fail(attempt.call, &Failure::unauthorized());
        }
        *next += i64::from(broker.export_count() > exports);
        assert!(
            broker.export_count() <= LIMITS.exports + 1,
            "too many objects"
        );
    }
    assert_eq!(broker.input_len(), 0, "input is left that could be decoded");
    Ok(())
}

type Expressions = (Vec<Vec<Token>>, Option<BananaError>);

fn expressions(data: &[u8], piece: usize, vocabulary: bool) -> Expressions {
    expressions_within(data, piece, vocabulary, &LIMITS)
}

fn expressions_within(data: &[u8], piece: usize, vocabulary: bool, limits: &Limits) -> Expressions {
    let mut decoder = Decoder::default();
    let mut expressions = Vec::new();
    for chunk in data.chunks(piece.min(data.len()).max(1)) {
        decoder.push(Bytes::copy_from_slice(chunk));
        loop {
            match decoder.next(limits, vocabulary) {
                Ok(Some(expression)) => expressions.push(expression),
                Ok(None) => break,
                Err(error) => return (expressions, Some(error)),
            }
        }
    }
    (expressions, None)
}

fn value(mut expression: Vec<Token>) -> Option<Value> {
    Unjellier::new(&LIMITS)
        .value(&mut expression.drain(..))
        .ok()
}

fn value_within_twisted(mut expression: Vec<Token>) -> Option<Value> {
    Unjellier::new(&Limits::LOGGED_IN)
        .value(&mut expression.drain(..))
        .ok()
}

/// Compares the printed values, because a float may be NaN, which does not equal itself.
fn assert_same(one: &Expressions, other: &Expressions) {
    assert_eq!(format!("{one:?}"), format!("{other:?}"));
}

fn same(one: &Value, other: &Value) -> bool {
    format!("{one:?}") == format!("{other:?}")
}
