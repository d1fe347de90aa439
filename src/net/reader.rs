//! The object that a slave reads a file from (PROTOCOL section 11).
//!
//! Invariant: no call of it is ever answered with an error, because slaves hang for ever when one
//! is.

use bytes::Bytes;
use tokio::sync::mpsc;
use tracing::info_span;

use super::{IncomingCall, Peer};
use crate::pb::{Luid, Value};

/// Most bytes in one answer, whatever the slave asks for; below the 640 KiB that a string may have.
const MAX_BLOCK_BYTES: usize = 512 * 1024;
/// Calls that may wait; slaves have one outstanding at a time.
const CALLS: usize = 4;

/// Exports an object that serves `content`, until it is retired.
pub(super) fn serve(peer: &Peer, content: &Bytes) -> Luid {
    let (object, calls) = peer.export(CALLS);
    let span = info_span!("reader", peer.addr = peer.address());
    peer.tasks().spawn(span, answer(calls, content.clone()));
    object
}

async fn answer(mut calls: mpsc::Receiver<Box<IncomingCall>>, mut rest: Bytes) {
    while let Some(call) = calls.recv().await {
        let value = respond(&call.method, &call.args, &mut rest);
        call.reply.value(value);
    }
}

/// The next block for `read`; `close`, and whatever else is asked, gets nothing.
fn respond(method: &[u8], args: &[Value], rest: &mut Bytes) -> Value {
    if method != b"read" {
        return Value::None;
    }
    let asked = args.first().and_then(Value::as_int);
    let asked = asked.and_then(|asked| usize::try_from(asked).ok());
    let size = asked.unwrap_or(MAX_BLOCK_BYTES).min(MAX_BLOCK_BYTES);
    Value::Bytes(rest.split_to(size.min(rest.len())))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn read(asked: Value, rest: &mut Bytes) -> usize {
        respond(b"read", &[asked], rest).as_raw().unwrap().len()
    }

    #[test]
    fn blocks_are_as_long_as_asked_until_there_is_nothing_left() {
        let mut rest = Bytes::from_static(b"0123456789");
        assert_eq!(
            respond(b"read", &[Value::Int(4)], &mut rest),
            Value::bytes("0123")
        );
        assert_eq!(
            respond(b"read", &[Value::Int(40)], &mut rest),
            Value::bytes("456789")
        );
        assert_eq!(
            respond(b"read", &[Value::Int(4)], &mut rest),
            Value::bytes("")
        );
        assert_eq!(respond(b"close", &[], &mut rest), Value::None);
    }

    #[test]
    fn a_block_is_below_the_limit_of_strings_whatever_is_asked() {
        let most = i64::try_from(MAX_BLOCK_BYTES).unwrap();
        for (asked, got) in [
            (Value::Int(most), MAX_BLOCK_BYTES),
            (Value::Int(most + 1), MAX_BLOCK_BYTES),
            (Value::Int(-1), MAX_BLOCK_BYTES),
            (Value::None, MAX_BLOCK_BYTES),
            (Value::Int(0), 0),
        ] {
            let mut rest = Bytes::from(vec![0; MAX_BLOCK_BYTES + 1]);
            assert_eq!(read(asked, &mut rest), got);
        }
    }

    #[test]
    fn unknown_calls_are_answered_and_change_nothing() {
        let mut rest = Bytes::from_static(b"x");
        assert_eq!(respond(b"seek", &[], &mut rest), Value::None);
        assert_eq!(rest, "x");
    }
}
