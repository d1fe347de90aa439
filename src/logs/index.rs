//! Runs of bytes of one channel, as the index has them.

use super::Channel;

/// So many bytes of one channel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Run {
    pub(super) channel: Channel,
    pub(super) length: u64,
}

impl Run {
    /// How many bytes [`Run::encode`] appends.
    pub(super) fn encoded_size(self) -> u64 {
        let bits = 64 - (self.length << 2 | self.channel as u64).leading_zeros();
        u64::from(bits.div_ceil(7).max(1))
    }

    /// Appends the run to `out`.
    pub(super) fn encode(self, out: &mut Vec<u8>) {
        let mut rest = (self.length << 2) | self.channel as u64;
        loop {
            let low = u8::try_from(rest & 0x7f).expect("seven bits fit");
            rest >>= 7;
            if rest == 0 {
                out.push(low);
                return;
            }
            out.push(low | 0x80);
        }
    }
}

/// What stands next in an index.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Entry {
    /// A run of bytes.
    Run(Run),
    /// A mark; this version writes none and skips those it meets.
    Mark,
}

impl Entry {
    /// The first entry in `bytes` and how many bytes it takes; `Ok(None)` if it is not whole.
    pub(super) fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, NotAnIndex> {
        let Some((number, taken)) = decode_number(bytes)? else {
            return Ok(None);
        };
        let channel = match number & 3 {
            0 => Channel::Stdout,
            1 => Channel::Stderr,
            2 => Channel::Header,
            _ => {
                let after = bytes.get(taken..).unwrap_or_default();
                let update = decode_number(after)?;
                return Ok(update.map(|(_, more)| (Self::Mark, taken + more)));
            }
        };
        let length = number >> 2;
        Ok(Some((Self::Run(Run { channel, length }), taken)))
    }
}

/// The first number in `bytes` and how many bytes it takes; `Ok(None)` if it is not whole.
fn decode_number(bytes: &[u8]) -> Result<Option<(u64, usize)>, NotAnIndex> {
    let mut number = 0_u64;
    for (i, byte) in bytes.iter().enumerate() {
        if i == LONGEST {
            return Err(NotAnIndex);
        }
        number |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Ok(Some((number, i + 1)));
        }
    }
    Ok(None)
}

/// The file is not the index of a log.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
#[error("the index of the log is broken")]
pub(super) struct NotAnIndex;

/// Bytes of the longest number that is read: 63 bits, more than any disk holds.
const LONGEST: usize = 9;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(channel: Channel, length: u64, bytes: &[u8]) {
        let run = Run { channel, length };
        let mut out = Vec::new();
        run.encode(&mut out);
        assert_eq!(out, bytes);
        assert_eq!(usize::try_from(run.encoded_size()), Ok(bytes.len()));
        check_entry(Entry::Run(run), bytes);
    }

    fn check_entry(entry: Entry, bytes: &[u8]) {
        assert_eq!(Entry::decode(bytes), Ok(Some((entry, bytes.len()))));
        for cut in 0..bytes.len() {
            assert_eq!(Entry::decode(&bytes[..cut]), Ok(None));
        }
    }

    #[test]
    fn runs_are_encoded_as_documented() {
        check(Channel::Stdout, 1, &[0x04]);
        check(Channel::Stderr, 31, &[0x7d]);
        check(Channel::Header, 32, &[0x82, 0x01]);
        check(
            Channel::Stdout,
            1 << 60,
            &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40],
        );
    }

    #[test]
    fn a_mark_is_two_numbers() {
        check_entry(Entry::Mark, &[0x03, 0x00]);
        check_entry(Entry::Mark, &[0x83, 0x01, 0xff, 0x7f]);
    }

    #[test]
    fn what_is_not_an_index_is_refused() {
        assert_eq!(Entry::decode(&[0xff; 9]), Ok(None));
        assert_eq!(Entry::decode(&[0xff; 10]), Err(NotAnIndex));
        let mut mark = [0xff; 11];
        mark[0] = 0x03;
        assert_eq!(Entry::decode(&mark), Err(NotAnIndex));
    }
}
