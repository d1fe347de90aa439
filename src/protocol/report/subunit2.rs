//! Subunit, version 2: packets among other bytes (TST-05).

use std::collections::BTreeMap;

use super::book::{Found, Same, cut};
use super::saying::Saying;
use super::{Reader, Report};
use crate::model::{TestName, TestOutcome};

/// The first byte of a packet.
const SIGNATURE: u8 = 0xb3;
/// Longer packets are passed over, in bytes.
const MOST_PACKET: usize = 1 << 20;
/// So many tests run at once.
const MOST_OPEN: usize = 1_000;
/// So many bytes are read again behind wrong packets; then each is passed over as a whole.
const MOST_AGAIN: usize = 16 << 20;

/// A stream.
#[derive(Debug, Default)]
pub(super) struct Packets {
    /// A packet that is not whole.
    open: Vec<u8>,
    /// Bytes to be passed over.
    skip: usize,
    read_again: usize,
    /// Tests that run, in the order of their names: when they began, and their message.
    running: BTreeMap<String, Running>,
    order: u64,
}

#[derive(Debug, Default)]
struct Running {
    order: u64,
    began: Option<f64>,
    message: Option<String>,
}

/// What a packet says.
#[derive(Debug, Default)]
struct Packet<'p> {
    status: u16,
    time: Option<f64>,
    test: Option<&'p str>,
    content: Option<&'p [u8]>,
}

/// What the first bytes are.
enum Look {
    /// Not a packet, or a wrong one.
    Other,
    /// A packet that is not whole.
    Short,
    /// A packet of this length.
    Whole(usize),
    /// A packet of this length that is too long.
    Long(usize),
}

impl Packets {
    /// Reads the packets that are whole.
    fn read(&mut self, report: &mut Report, is_end: bool) {
        let open = std::mem::take(&mut self.open);
        let mut rest = open.as_slice();
        while !rest.is_empty() {
            let skipped = self.skip.min(rest.len());
            self.skip -= skipped;
            rest = rest.get(skipped..).unwrap_or_default();
            let Some(at) = memchr::memchr(SIGNATURE, rest) else {
                rest = &[];
                break;
            };
            rest = rest.get(at..).unwrap_or_default();
            match look(rest) {
                Look::Short if !is_end => break,
                Look::Short | Look::Other => rest = rest.get(1..).unwrap_or_default(),
                Look::Long(length) => {
                    report.note(format!(
                        "a packet longer than {MOST_PACKET} bytes is not read"
                    ));
                    self.skip = length;
                }
                Look::Whole(length) => {
                    let (packet, after) = rest.split_at(length.min(rest.len()));
                    if let Some(packet) = parse(packet) {
                        self.take(&packet, report);
                        rest = after;
                    } else {
                        report.note("a packet with a wrong checksum".to_owned());
                        // The next packet may be inside, if this was none.
                        self.read_again += length;
                        let passed = if self.read_again > MOST_AGAIN {
                            length
                        } else {
                            1
                        };
                        rest = rest.get(passed..).unwrap_or_default();
                    }
                }
            }
        }
        self.open = rest.to_vec();
    }

    fn take(&mut self, packet: &Packet<'_>, report: &mut Report) {
        let Some(test) = packet.test else { return };
        let message = packet.content.and_then(|content| {
            let mut saying = Saying::default();
            let text = String::from_utf8_lossy(content);
            text.lines().for_each(|line| saying.take(line));
            Some(saying.line()).filter(|line| !line.is_empty())
        });
        let outcome = match packet.status {
            0 | 2 => {
                if packet.status == 0 && message.is_none() {
                    return;
                }
                if !self.running.contains_key(test) {
                    if self.running.len() >= MOST_OPEN {
                        report.note(format!("more than {MOST_OPEN} tests run at once"));
                        return;
                    }
                    self.order += 1;
                }
                let order = self.order;
                let running = self.running.entry(cut(test)).or_insert_with(|| Running {
                    order,
                    ..Running::default()
                });
                running.began = running.began.or(packet.time);
                running.message = message.or(running.message.take());
                return;
            }
            3 => TestOutcome::Passed,
            4 => TestOutcome::BadSuccess,
            5 => TestOutcome::Skipped,
            6 => TestOutcome::Failed,
            7 => TestOutcome::ExpectedFailure,
            _ => return,
        };
        let running = self.running.remove(test).unwrap_or_default();
        let secs = packet
            .time
            .zip(running.began)
            .map(|(end, begin)| end - begin);
        let message = message.or(running.message).unwrap_or_default();
        let found = Found::new(outcome).secs(secs).message(&message);
        report.add(&TestName::new([test]), found, Same::Another);
    }
}

impl Reader for Packets {
    fn feed(&mut self, bytes: &[u8], report: &mut Report) {
        for piece in bytes.chunks(64 << 10) {
            self.open.extend_from_slice(piece);
            self.read(report, false);
        }
    }

    fn finish(&mut self, report: &mut Report) -> bool {
        let was_open = !self.open.is_empty();
        self.read(report, true);
        let mut running: Vec<_> = std::mem::take(&mut self.running).into_iter().collect();
        let is_complete = running.is_empty() && !was_open;
        running.sort_by_key(|(_, running)| running.order);
        for (test, _) in running {
            let found = Found::new(TestOutcome::Error).message("did not end");
            report.add(&TestName::new([test.as_str()]), found, Same::Another);
        }
        is_complete
    }

    fn memory(&self) -> usize {
        let sizes = self.running.iter().map(|(name, running)| {
            name.capacity() + running.message.as_ref().map_or(0, String::capacity) + 128
        });
        self.open.capacity() + sizes.sum::<usize>()
    }
}

fn look(bytes: &[u8]) -> Look {
    let Some(high) = bytes.get(1) else {
        return Look::Short;
    };
    if high >> 4 != 2 {
        return Look::Other;
    }
    let Some((length, _)) = bytes.get(3..).and_then(number) else {
        // At most four bytes of a number are missing.
        return if bytes.len() < 7 {
            Look::Short
        } else {
            Look::Other
        };
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    match length {
        0..8 => Look::Other,
        _ if length > MOST_PACKET => Look::Long(length),
        _ if length > bytes.len() => Look::Short,
        _ => Look::Whole(length),
    }
}

/// A number of one to four bytes, and what follows it.
fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (first, _) = bytes.split_first()?;
    let length = usize::from(first >> 6) + 1;
    let (number, rest) = bytes.split_at_checked(length)?;
    let value = number
        .iter()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    Some((value & ((1 << (8 * length - 2)) - 1), rest))
}

/// A text with its length in front, and what follows it.
fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = number(bytes)?;
    rest.split_at_checked(usize::try_from(length).ok()?)
}

/// Reads a whole packet. One whose checksum or parts are wrong is none.
fn parse(packet: &[u8]) -> Option<Packet<'_>> {
    let (body, sum) = packet.split_at_checked(packet.len().checked_sub(4)?)?;
    let mut crc = flate2::Crc::new();
    crc.update(body);
    let sum: [u8; 4] = sum.try_into().ok()?;
    if crc.sum() != u32::from_be_bytes(sum) {
        return None;
    }
    let flags = u16::from_be_bytes([*body.get(1)?, *body.get(2)?]);
    let (_, mut rest) = number(body.get(3..)?)?;
    let has = |flag: u16| flags & flag != 0;
    let mut found = Packet {
        status: flags & 0x7,
        ..Packet::default()
    };
    if has(0x0200) {
        let (secs, after) = rest.split_at_checked(4)?;
        let secs = secs.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
        let (nanos, after) = number(after)?;
        let nanos = u32::try_from(nanos).unwrap_or(0);
        found.time = Some(f64::from(secs) + f64::from(nanos) / 1e9);
        rest = after;
    }
    if has(0x0800) {
        let (test, after) = text(rest)?;
        found.test = std::str::from_utf8(test).ok();
        rest = after;
    }
    if has(0x0080) {
        let (count, mut after) = number(rest)?;
        for _ in 0..count {
            (_, after) = text(after)?;
        }
        rest = after;
    }
    if has(0x0020) {
        (_, rest) = text(rest)?;
    }
    if has(0x0040) {
        let (_, after) = text(rest)?;
        let (content, _) = text(after)?;
        found.content = Some(content);
    }
    Some(found)
}
