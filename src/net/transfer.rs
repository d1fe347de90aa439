//! The object that a slave reads a file from or writes a file to (PROTOCOL section 11).
//!
//! Invariant: no call of it is ever answered with an error, because slaves hang for ever when one
//! is. After a problem the command is interrupted, and the transfer remembers why.
//!
//! A slave has one call outstanding. Blocks that it writes are gathered and answered at once, until
//! there is enough for the disk; that call is answered when the disk has taken all of them. So at
//! most [`GATHERED_BYTES`] and one block wait for each transfer, outside the budget.

use bytes::Bytes;
use tokio::sync::mpsc;
use tracing::info_span;

use super::{IncomingCall, Interrupt, Peer};
use crate::model::transfer::MAX_BLOCK_BYTES;
use crate::pb::{Luid, Value};
use crate::transfer::{Lent, Request};

/// Calls that may wait; slaves have one outstanding at a time.
const CALLS: usize = 4;
/// Bytes of blocks that are written together.
const GATHERED_BYTES: usize = 256 * 1024;
/// What a block that waits costs beside its bytes.
const BLOCK_BYTES: usize = 128;

/// Exports an object that serves a transfer, until it is retired. `interrupt` ends the command
/// after a problem.
pub(super) fn serve(peer: &Peer, lent: Lent, interrupt: Interrupt) -> Luid {
    let (object, calls) = peer.export(CALLS);
    let span = info_span!("transfer", peer.addr = peer.address());
    peer.tasks().spawn(span, answer(calls, lent, interrupt));
    object
}

async fn answer(
    mut calls: mpsc::Receiver<Box<IncomingCall>>,
    mut lent: Lent,
    interrupt: Interrupt,
) {
    let mut is_interrupted = false;
    let mut gathered = Gathered::default();
    while let Some(call) = calls.recv().await {
        let IncomingCall {
            method,
            args,
            reply,
            room,
            ..
        } = *call;
        let Some(request) = request(&method, &args) else {
            reply.value(Value::None);
            continue;
        };
        drop(args);
        let is_read = matches!(request, Request::Read(_));
        let Some(requests) = gathered.add(request) else {
            drop(room);
            reply.value(Value::None);
            continue;
        };
        let done = crate::blocking::run(move || {
            let mut block = Bytes::new();
            for request in requests {
                block = lent.answer(request);
            }
            (lent, block)
        });
        let block;
        (lent, block) = match done.await {
            Ok(done) => done,
            // The transfer is gone with the code that failed; the step notices it.
            Err(error) => return tracing::error!("a transfer failed: {error}"),
        };
        // The memory that the message took is given back.
        drop(room);
        reply.value(if is_read {
            Value::Bytes(block)
        } else {
            Value::None
        });
        if let (false, Some(problem)) = (is_interrupted, lent.problem()) {
            is_interrupted = true;
            // A command that is over needs no interruption.
            interrupt.ask(&problem.to_string());
        }
    }
    // If nobody waits for the transfer, files are removed.
    crate::blocking::run(move || {
        for request in gathered.requests {
            lent.answer(request);
        }
    });
}

/// Blocks that wait until there is enough for the disk. A slave sends small ones, and a thread for
/// each would cost more than all the rest.
#[derive(Debug, Default)]
struct Gathered {
    requests: Vec<Request>,
    bytes: usize,
}

impl Gathered {
    /// Adds a request. Returns all that must be done now, in order; absent: nothing yet.
    fn add(&mut self, request: Request) -> Option<Vec<Request>> {
        let more = match &request {
            // Empty ones count too, or a slave could send them without end.
            Request::Write(data) => data.len().saturating_add(BLOCK_BYTES),
            Request::Read(_) | Request::Close | Request::Times(..) | Request::Unpack => {
                GATHERED_BYTES
            }
        };
        self.requests.push(request);
        self.bytes = self.bytes.saturating_add(more);
        (self.bytes >= GATHERED_BYTES).then(|| std::mem::take(self).requests)
    }
}

/// What a call asks for; absent if it is unknown or is invalid.
fn request(method: &[u8], args: &[Value]) -> Option<Request> {
    match (method, args) {
        (b"read", args) => {
            let most = usize::try_from(MAX_BLOCK_BYTES).unwrap_or(usize::MAX);
            let asked = args.first().and_then(Value::as_int);
            let asked = asked.and_then(|asked| usize::try_from(asked).ok());
            Some(Request::Read(asked.unwrap_or(most).min(most)))
        }
        (b"write", [data, ..]) => data.as_raw().cloned().map(Request::Write),
        (b"close", _) => Some(Request::Close),
        (b"unpack", _) => Some(Request::Unpack),
        (b"utime", [times, ..]) => match times.as_items() {
            Some([accessed, modified]) => {
                Some(Request::Times(accessed.as_float()?, modified.as_float()?))
            }
            Some(_) | None => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_blocks_are_written_together_and_in_order() {
        let block = |byte| Request::Write(Bytes::from(vec![byte; GATHERED_BYTES / 2]));
        let mut gathered = Gathered::default();
        assert_eq!(gathered.add(block(1)), None);
        assert_eq!(gathered.add(block(2)), Some(vec![block(1), block(2)]));
        assert_eq!(gathered.add(block(3)), None);
        let end = vec![block(3), Request::Close];
        assert_eq!(gathered.add(Request::Close), Some(end));
        assert_eq!(gathered.add(Request::Read(1)), Some(vec![Request::Read(1)]));
    }

    #[test]
    fn a_slave_cannot_make_the_master_keep_empty_blocks_without_end() {
        let mut gathered = Gathered::default();
        let most = GATHERED_BYTES / BLOCK_BYTES;
        let mut blocks = 1..=most;
        let done = blocks.find_map(|_| gathered.add(Request::Write(Bytes::new())));
        assert_eq!(done.map(|requests| requests.len()), Some(most));
    }

    #[test]
    fn a_block_is_below_the_limit_of_strings_whatever_is_asked() {
        let most = i64::from(MAX_BLOCK_BYTES);
        let block = usize::try_from(most).unwrap_or_default();
        for (asked, got) in [
            (Value::Int(4), 4),
            (Value::Int(most), block),
            (Value::Int(most + 1), block),
            (Value::Int(-1), block),
            (Value::None, block),
            (Value::Int(0), 0),
        ] {
            assert_eq!(request(b"read", &[asked]), Some(Request::Read(got)));
        }
        assert_eq!(request(b"read", &[]), Some(Request::Read(block)));
    }

    #[test]
    fn calls_of_a_writer_are_understood_in_both_spellings() {
        let data = Bytes::from_static(b"x");
        for value in [Value::Bytes(data.clone()), Value::Text(data.clone())] {
            let write = Request::Write(data.clone());
            assert_eq!(request(b"write", &[value]), Some(write));
        }
        let times = vec![Value::Float(1.5), Value::Int(2)];
        let wanted = Some(Request::Times(1.5, 2.0));
        assert_eq!(request(b"utime", &[Value::Tuple(times)]), wanted);
        assert_eq!(request(b"close", &[]), Some(Request::Close));
        assert_eq!(request(b"unpack", &[]), Some(Request::Unpack));
    }

    #[test]
    fn calls_that_make_no_sense_are_nothing() {
        assert_eq!(request(b"seek", &[]), None);
        assert_eq!(request(b"write", &[]), None);
        assert_eq!(request(b"write", &[Value::Int(1)]), None);
        assert_eq!(
            request(b"utime", &[Value::Tuple(vec![Value::Int(1)])]),
            None
        );
        let times = vec![Value::None, Value::None];
        assert_eq!(request(b"utime", &[Value::Tuple(times)]), None);
    }
}
