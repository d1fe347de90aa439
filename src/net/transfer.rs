//! The object that a slave reads a file from or writes a file to (PROTOCOL section 11).
//!
//! Invariant: no call of it is ever answered with an error, because slaves hang for ever when one
//! is. After a problem the command is interrupted, and the transfer remembers why.
//!
//! The connection gathers small blocks, and answers reads from what was read ahead
//! ([`super::file_buffer`]). A call that comes here is answered when the disk has taken all blocks.

use tokio::sync::mpsc;
use tracing::info_span;

use super::file_buffer::{ahead, asked, written};
use super::{IncomingCall, Interrupt, Peer};
use crate::pb::{Luid, Value};
use crate::transfer::{Lent, Request};

/// Calls that may wait; slaves have one outstanding at a time.
const CALLS: usize = 1;

/// Exports an object that serves a transfer, until it is retired. `interrupt` ends the command
/// after a problem.
pub(super) fn serve(peer: &Peer, lent: Lent, interrupt: Interrupt) -> Luid {
    let (object, calls) = peer.export_file(CALLS);
    let span = info_span!("transfer", peer.addr = peer.address());
    peer.tasks()
        .spawn(span, answer(object, calls, lent, interrupt));
    object
}

async fn answer(
    object: Luid,
    mut calls: mpsc::Receiver<Box<IncomingCall>>,
    mut lent: Lent,
    interrupt: Interrupt,
) {
    let mut is_interrupted = false;
    while let Some(call) = calls.recv().await {
        let IncomingCall {
            method,
            args,
            mut blocks,
            reply,
            room,
            ..
        } = *call;
        let most = (method == "read").then(|| asked(&args));
        // A block that is written itself goes with the others.
        let last = if method == "write" {
            blocks.extend(written(&args).cloned());
            None
        } else {
            request(&method, &args)
        };
        drop(args);
        let done = crate::blocking::run(move || {
            if !blocks.is_empty() {
                lent.answer(Request::Write(blocks));
            }
            let data = last.map(|last| lent.answer(last));
            (lent, data.unwrap_or_default())
        });
        let data;
        (lent, data) = match done.await {
            Ok(done) => done,
            // The transfer is gone with the code that failed; the step notices it.
            Err(error) => return tracing::error!("a transfer failed: {error}"),
        };
        // The memory that the message took is given back.
        drop(room);
        match most {
            Some(most) => reply.read(object, most, data),
            None => reply.value(Value::None),
        }
        if let (false, Some(problem)) = (is_interrupted, lent.problem()) {
            is_interrupted = true;
            // A command that is over needs no interruption.
            interrupt.ask(&problem.to_string());
        }
    }
    // If nobody waits for the transfer, files are removed.
    crate::blocking::run(move || drop(lent));
}

/// What a call other than `write` asks for; absent if it is unknown or is invalid.
fn request(method: &[u8], args: &[Value]) -> Option<Request> {
    match (method, args) {
        (b"read", args) => Some(Request::Read(ahead(asked(args)))),
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
    fn calls_of_a_writer_are_understood() {
        let times = vec![Value::Float(1.5), Value::Int(2)];
        let wanted = Some(Request::Times(1.5, 2.0));
        assert_eq!(request(b"utime", &[Value::Tuple(times)]), wanted);
        assert_eq!(request(b"close", &[]), Some(Request::Close));
        assert_eq!(request(b"unpack", &[]), Some(Request::Unpack));
    }

    #[test]
    fn more_is_read_than_was_asked_for() {
        let read = request(b"read", &[Value::Int(16 * 1024)]);
        assert_eq!(read, Some(Request::Read(ahead(16 * 1024))));
    }

    #[test]
    fn calls_that_make_no_sense_are_nothing() {
        assert_eq!(request(b"seek", &[]), None);
        assert_eq!(
            request(b"utime", &[Value::Tuple(vec![Value::Int(1)])]),
            None
        );
        let times = vec![Value::None, Value::None];
        assert_eq!(request(b"utime", &[Value::Tuple(times)]), None);
    }
}
