//! Sends the updates of a command to its master.
//!
//! A command puts its updates into a bounded queue. [`deliver`] takes them out, joins adjacent
//! pieces of one channel, and calls `update` on the master's command object. Small pieces are held
//! for a moment ([`COALESCE`]), so that a talkative program costs few messages and its log is still
//! live. At most [`WINDOW`] calls are unanswered. If the master is slow to store updates, the queue
//! fills and the command waits.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use crate::net::{CallError, Peer};
use crate::pb::{Luid, Target, Value};
use crate::protocol::{TextStyle, Update, encode_updates};

/// The queue into which a command puts its updates. Cheap to clone.
#[derive(Clone, Debug)]
pub(in crate::buildslave) struct Outlet(mpsc::Sender<Update>);

impl Outlet {
    /// An outlet and the queue behind it.
    pub(in crate::buildslave) fn new() -> (Self, mpsc::Receiver<Update>) {
        let (sender, queue) = mpsc::channel(QUEUE);
        (Self(sender), queue)
    }

    /// Adds an update when there is room. Without a receiver, the update is dropped.
    pub(in crate::buildslave) async fn say(&self, update: Update) {
        self.0.send(update).await.ok();
    }

    /// Adds a header: text about the command, for people.
    pub(in crate::buildslave) async fn header(&self, text: impl Into<Vec<u8>>) {
        self.say(Update::Header(Bytes::from(text.into()))).await;
    }
}

/// The answer to a call, in the future.
type Answer = Pin<Box<dyn Future<Output = Result<Value, CallError>> + Send>>;

/// The calls to a master's command object, in order.
pub(in crate::buildslave) struct Delivery {
    peer: Peer,
    command: Luid,
    speller: Speller,
    unanswered: VecDeque<Answer>,
}

impl Delivery {
    pub(in crate::buildslave) fn new(peer: Peer, command: Luid, style: TextStyle) -> Self {
        Self {
            peer,
            command,
            speller: Speller::new(style),
            unanswered: VecDeque::new(),
        }
    }

    /// Delivers all updates from the queue until the command has dropped its outlet.
    ///
    /// # Errors
    /// The connection is lost.
    pub(in crate::buildslave) async fn deliver(
        &mut self,
        mut queue: mpsc::Receiver<Update>,
    ) -> Result<(), CallError> {
        while let Some(first) = queue.recv().await {
            let mut batch = Batch::default();
            batch.push(first);
            let deadline = Instant::now() + COALESCE;
            while batch.bytes < FULL {
                match timeout_at(deadline, queue.recv()).await {
                    Ok(Some(update)) => batch.push(update),
                    Ok(None) | Err(_) => break,
                }
            }
            self.update(batch.updates).await?;
        }
        let rest = self.speller.rest();
        if rest.is_empty() {
            return Ok(());
        }
        let pairs = encode_updates(&rest, self.speller.style);
        self.call("update", pairs).await
    }

    /// Tells the master that the command has ended. This is the last call.
    ///
    /// # Errors
    /// The connection is lost.
    pub(in crate::buildslave) async fn complete(
        &mut self,
        failure: Value,
    ) -> Result<(), CallError> {
        self.call("complete", failure).await
    }

    /// Waits until all calls are answered, and releases the master's object.
    pub(in crate::buildslave) async fn finish(mut self) {
        // Released before the wait: the object is not called any more.
        self.peer.release(self.command);
        while let Some(answer) = self.unanswered.pop_front() {
            if let Err(CallError::Lost) = answer.await {
                return;
            }
        }
    }

    async fn update(&mut self, updates: Vec<Update>) -> Result<(), CallError> {
        let whole: Vec<_> = updates
            .into_iter()
            .filter_map(|update| self.speller.whole(update))
            .collect();
        if whole.is_empty() {
            return Ok(());
        }
        let pairs = encode_updates(&whole, self.speller.style);
        self.call("update", pairs).await
    }

    async fn call(&mut self, method: &'static str, arg: Value) -> Result<(), CallError> {
        while self.unanswered.len() >= WINDOW
            && let Some(oldest) = self.unanswered.pop_front()
        {
            match oldest.await {
                Err(CallError::Lost) => return Err(CallError::Lost),
                Err(CallError::Remote(failure)) => {
                    tracing::info!(%failure, "the master rejected an update");
                }
                Ok(_) => {}
            }
        }
        let target = Target::Object(self.command);
        let answer = self.peer.call(target, method, vec![arg], Vec::new());
        self.unanswered.push_back(Box::pin(answer));
        Ok(())
    }
}

/// Updates of one call, with adjacent pieces of one channel joined.
#[derive(Default)]
struct Batch {
    updates: Vec<Update>,
    bytes: usize,
}

impl Batch {
    fn push(&mut self, update: Update) {
        self.bytes += match &update {
            Update::Stdout(data) | Update::Stderr(data) | Update::Header(data) => data.len(),
            Update::Log { data, .. } => data.len(),
            Update::Rc(_)
            | Update::Elapsed(_)
            | Update::FailureReason(_)
            | Update::Other { .. } => 0,
        };
        match (self.updates.last_mut(), update) {
            (Some(Update::Stdout(last)), Update::Stdout(data))
            | (Some(Update::Stderr(last)), Update::Stderr(data))
            | (Some(Update::Header(last)), Update::Header(data)) => join(last, &data),
            (Some(Update::Log { name, data: last }), Update::Log { name: same, data })
                if *name == same =>
            {
                join(last, &data);
            }
            (_, update) => self.updates.push(update),
        }
    }
}

fn join(last: &mut Bytes, data: &[u8]) {
    let mut joined = match std::mem::take(last).try_into_mut() {
        Ok(same) => same,
        Err(shared) => BytesMut::from(&shared[..]),
    };
    joined.extend_from_slice(data);
    *last = joined.freeze();
}

/// Prepares updates for their spelling. For text, each channel is decoded on its own: an incomplete
/// character at the end of a piece waits for the next piece.
struct Speller {
    style: TextStyle,
    /// The incomplete character at the end of each channel, if there is one.
    pending: BTreeMap<Channel, Vec<u8>>,
}

#[derive(Clone, Eq, Ord, PartialEq, PartialOrd)]
enum Channel {
    Stdout,
    Stderr,
    Log(String),
}

impl Speller {
    fn new(style: TextStyle) -> Self {
        Self {
            style,
            pending: BTreeMap::new(),
        }
    }

    /// The update with complete characters only; `None` if it has none.
    fn whole(&mut self, update: Update) -> Option<Update> {
        Some(match update {
            Update::Stdout(data) => Update::Stdout(self.piece(Channel::Stdout, data)?),
            Update::Stderr(data) => Update::Stderr(self.piece(Channel::Stderr, data)?),
            Update::Log { name, data } => {
                let data = self.piece(Channel::Log(name.clone()), data)?;
                Update::Log { name, data }
            }
            other @ (Update::Header(_)
            | Update::Rc(_)
            | Update::Elapsed(_)
            | Update::FailureReason(_)
            | Update::Other { .. }) => other,
        })
    }

    /// The remaining incomplete characters.
    fn rest(&mut self) -> Vec<Update> {
        std::mem::take(&mut self.pending)
            .into_iter()
            .map(|(channel, data)| (channel, Bytes::from(data)))
            .map(|(channel, data)| match channel {
                Channel::Stdout => Update::Stdout(data),
                Channel::Stderr => Update::Stderr(data),
                Channel::Log(name) => Update::Log { name, data },
            })
            .collect()
    }

    fn piece(&mut self, channel: Channel, data: Bytes) -> Option<Bytes> {
        if self.style == TextStyle::Bytes {
            return (!data.is_empty()).then_some(data);
        }
        let mut raw = match self.pending.remove(&channel) {
            None => data,
            Some(begun) => Bytes::from([&begun[..], &data[..]].concat()),
        };
        let tail = raw.split_off(raw.len() - unfinished_character(&raw));
        if !tail.is_empty() {
            self.pending.insert(channel, tail.to_vec());
        }
        (!raw.is_empty()).then_some(raw)
    }
}

/// The number of bytes of an incomplete character at the end.
fn unfinished_character(raw: &[u8]) -> usize {
    let last = raw.utf8_chunks().last();
    let invalid = last.map_or(&[][..], |chunk| chunk.invalid());
    match std::str::from_utf8(invalid) {
        Err(error) if error.error_len().is_none() => invalid.len(),
        _ => 0,
    }
}

/// How long a small piece waits for further pieces.
const COALESCE: Duration = Duration::from_millis(50);
/// Size in bytes at which a batch is sent at once.
const FULL: usize = 64 * 1024;
/// Maximum number of updates in the queue; each is at most one read of output.
const QUEUE: usize = 4;
/// Maximum number of unanswered calls.
const WINDOW: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(pieces: &[&[u8]]) -> Vec<String> {
        let mut speller = Speller::new(TextStyle::Unicode);
        let mut out = Vec::new();
        for piece in pieces {
            let update = Update::Stdout(Bytes::copy_from_slice(piece));
            if let Some(Update::Stdout(data)) = speller.whole(update) {
                out.push(String::from_utf8_lossy(&data).into_owned());
            }
        }
        for update in speller.rest() {
            if let Update::Stdout(data) = update {
                out.push(String::from_utf8_lossy(&data).into_owned());
            }
        }
        out
    }

    #[test]
    fn a_character_cut_by_a_piece_waits_for_its_end() {
        assert_eq!(texts(&[b"caf\xc3", b"\xa9!"]), ["caf", "é!"]);
        assert_eq!(texts(&[b"\xe2", b"\x82", b"\xac"]), ["€"]);
        assert_eq!(texts(&[b"\xf0\x9f\x98", b"\x80"]), ["😀"]);
    }

    #[test]
    fn what_is_not_utf_8_is_replaced_at_once() {
        assert_eq!(texts(&[b"a\xff", b"b"]), ["a\u{fffd}", "b"]);
        assert_eq!(texts(&[b"\xe0\x80", b"b"]), ["\u{fffd}\u{fffd}", "b"]);
    }

    #[test]
    fn a_character_that_never_ends_is_replaced_at_the_end() {
        assert_eq!(texts(&[b"a\xc3"]), ["a", "\u{fffd}"]);
    }

    #[test]
    fn any_cut_of_the_same_output_decodes_alike() {
        let whole = "aé€😀\u{fffd}z".as_bytes();
        let mut raw = whole.to_vec();
        raw.extend(b"\xff\xe2\x82x\xf0\x9f");
        let expect = texts(&[&raw]).concat();
        for cut in 0..raw.len() {
            let (a, b) = raw.split_at(cut);
            assert_eq!(texts(&[a, b]).concat(), expect, "cut at {cut}");
        }
    }

    #[test]
    fn neighbours_of_one_channel_are_joined_and_order_is_kept() {
        let mut batch = Batch::default();
        let out = |t: &'static str| Update::Stdout(Bytes::from_static(t.as_bytes()));
        let err = |t: &'static str| Update::Stderr(Bytes::from_static(t.as_bytes()));
        for update in [out("a"), out("b"), err("c"), out("d")] {
            batch.push(update);
        }
        assert_eq!(batch.updates, [out("ab"), err("c"), out("d")]);
        assert_eq!(batch.bytes, 4);
    }
}
