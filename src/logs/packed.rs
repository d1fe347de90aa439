//! Compressed logs: gzip files that can be read from any position.
//!
//! A file is a sequence of gzip members, so `zcat` and browsers read it as one file. Each member
//! has at most [`BLOCK_BYTES`] bytes of the log. Its header has an extra field `BM` (RFC 1952) with
//! three little-endian 32-bit numbers: the size of the member in the file, its bytes before
//! compression, and the line feeds among them. A reader decompresses one member.
//!
//! A file of more than [`FEW`] members ends with a table of them: members without text whose extra
//! field `BT` has the size and the bytes of each, as 32-bit numbers. The last member has
//! [`END_BYTES`] bytes; its field `BE` has the size of the table as a 64-bit number. Where the
//! table is missing or does not fit, a reader skips from header to header.
//!
//! Invariants: a reader keeps one decompressed member and 16 bytes for each member in memory. All
//! sizes in a file are checked before they are used.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::FileExt;

use flate2::read::GzDecoder;
use flate2::{Compression, GzBuilder};

use super::lines;

/// Compresses `input` into `out`; returns the number of bytes read.
///
/// # Errors
/// Reading or writing failed.
pub(super) fn pack(input: &mut dyn Read, out: &mut dyn Write) -> io::Result<u64> {
    let mut block = Vec::with_capacity(BLOCK_BYTES);
    let mut total = 0;
    let mut sizes = Vec::new();
    loop {
        block.clear();
        let limit = u64::try_from(BLOCK_BYTES).unwrap_or(u64::MAX);
        (&mut *input).take(limit).read_to_end(&mut block)?;
        if block.is_empty() {
            break;
        }
        let member = member(&block)?;
        sizes.push((small(length(&member))?, small(length(&block))?));
        out.write_all(&member)?;
        total += length(&block);
    }
    if sizes.len() > FEW {
        out.write_all(&table(&sizes)?)?;
    }
    Ok(total)
}

fn small(number: u64) -> io::Result<u32> {
    u32::try_from(number).map_err(|_| damaged("too large"))
}

/// The table of members of these sizes, in the file and before compression.
fn table(sizes: &[(u32, u32)]) -> io::Result<Vec<u8>> {
    let mut table = Vec::new();
    for part in sizes.chunks(MOST_ENTRIES) {
        let entries = part.iter();
        let numbers = entries.flat_map(|(size, bytes)| [size, bytes].map(|n| n.to_le_bytes()));
        let field: Vec<u8> = numbers.flatten().collect();
        table.extend(member_without_text(b"BT", &field)?);
    }
    let size = length(&table).to_le_bytes();
    table.extend(member_without_text(b"BE", &size)?);
    Ok(table)
}

/// A member that is empty and has a further extra field.
fn member_without_text(name: &[u8; 2], field: &[u8]) -> io::Result<Vec<u8>> {
    let short = |number: usize| u16::try_from(number).map_err(|_| damaged("too large"));
    let extra = EXTRA_BYTES + 4 + field.len();
    let size = 12 + extra + EMPTY.len();
    let mut member = Vec::with_capacity(size);
    member.extend(MAGIC);
    // No time, no other flags, an unknown system.
    member.extend([0, 0, 0, 0, 0, 255]);
    member.extend(short(extra)?.to_le_bytes());
    member.extend(EXTRA_HEAD);
    member.extend(small(u64::try_from(size).unwrap_or(u64::MAX))?.to_le_bytes());
    member.extend([0; 8]);
    member.extend(name);
    member.extend(short(field.len())?.to_le_bytes());
    member.extend(field);
    member.extend(EMPTY);
    Ok(member)
}

/// The member that has the bytes of `block`.
fn member(block: &[u8]) -> io::Result<Vec<u8>> {
    let mut extra = Vec::with_capacity(EXTRA_BYTES);
    extra.extend_from_slice(EXTRA_HEAD);
    extra.extend_from_slice(&[0; 4]);
    extra.extend_from_slice(&small(length(block))?.to_le_bytes());
    extra.extend_from_slice(&small(lines::count(block))?.to_le_bytes());
    let builder = GzBuilder::new().extra(extra);
    let mut encoder = builder.write(Vec::with_capacity(block.len() / 4), LEVEL);
    encoder.write_all(block)?;
    let mut member = encoder.finish()?;
    let size = small(length(&member))?;
    let place = member.get_mut(SIZE_AT..SIZE_AT + 4);
    place
        .ok_or_else(|| damaged("without a header"))?
        .copy_from_slice(&size.to_le_bytes());
    Ok(member)
}

/// A compressed log.
#[derive(Debug)]
pub(super) struct Packed {
    file: File,
    /// The members, once they are known.
    members: Option<Vec<Member>>,
    /// The last decompressed member, by its position in the list.
    block: Option<(usize, Vec<u8>)>,
}

/// A member of the file. The end of the list has one more, which is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Member {
    /// Its place in the file.
    at: u64,
    /// The place of its bytes in the log.
    position: u64,
}

impl Packed {
    pub(super) const fn new(file: File) -> Self {
        Self {
            file,
            members: None,
            block: None,
        }
    }

    /// The file: whole gzip members, one after the other.
    pub(super) const fn file(&self) -> &File {
        &self.file
    }

    /// Number of bytes of the log.
    ///
    /// # Errors
    /// Reading failed, or the file is damaged.
    pub(super) fn len(&mut self) -> io::Result<u64> {
        let end = self.members()?.last().copied();
        Ok(end.unwrap_or_default().position)
    }

    /// Reads bytes at `position` of the log; none at its end.
    ///
    /// # Errors
    /// Reading failed, or the file is damaged.
    pub(super) fn read_at(&mut self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let members = self.members()?;
        let at = members.partition_point(|member| member.position <= position);
        let Some(at) = at.checked_sub(1).filter(|at| at + 1 < members.len()) else {
            return Ok(0);
        };
        let from = position - members.get(at).copied().unwrap_or_default().position;
        let block = self.block(at)?;
        let rest = usize::try_from(from)
            .ok()
            .and_then(|from| block.get(from..));
        let rest = rest.unwrap_or_default();
        let size = rest.len().min(buffer.len());
        buffer[..size].copy_from_slice(&rest[..size]);
        Ok(size)
    }

    /// The decompressed member `at`.
    fn block(&mut self, at: usize) -> io::Result<&[u8]> {
        if self.block.as_ref().is_none_or(|(last, _)| *last != at) {
            let mut bytes = self
                .block
                .take()
                .map(|(_, bytes)| bytes)
                .unwrap_or_default();
            let members = self.members()?;
            let bounds = members.get(at).zip(members.get(at + 1));
            let (this, next) = bounds.ok_or_else(|| damaged("too short"))?;
            let raw = next.position - this.position;
            let (start, size) = (this.at, next.at - this.at);
            let size = usize::try_from(size).map_err(|_| damaged("too large"))?;
            let mut packed = vec![0; size];
            self.file.read_exact_at(&mut packed, start)?;
            bytes.clear();
            let mut decoder = GzDecoder::new(&*packed).take(raw + 1);
            decoder.read_to_end(&mut bytes)?;
            if length(&bytes) != raw {
                return Err(damaged("has a member of another size"));
            }
            self.block = Some((at, bytes));
        }
        let block = self.block.as_ref().map(|(_, bytes)| bytes.as_slice());
        Ok(block.unwrap_or_default())
    }

    /// The members of the file, with their end.
    fn members(&mut self) -> io::Result<&[Member]> {
        if self.members.is_none() {
            let members = match read_table(&self.file)? {
                Some(members) => members,
                None => walk(&self.file)?,
            };
            self.members = Some(members);
        }
        Ok(self.members.as_deref().unwrap_or_default())
    }
}

/// Reads the table at the end of a file; nothing if there is none that fits.
fn read_table(file: &File) -> io::Result<Option<Vec<Member>>> {
    let end = file.metadata()?.len();
    let Some(last) = end.checked_sub(END_BYTES) else {
        return Ok(None);
    };
    let mut bytes = vec![0; usize::try_from(END_BYTES).unwrap_or_default()];
    file.read_exact_at(&mut bytes, last)?;
    let size = field(&bytes, b"BE")
        .and_then(|(field, _)| Some(u64::from_le_bytes(field.try_into().ok()?)));
    let Some(size) = size.filter(|size| *size <= last.min(MOST_TABLE_BYTES)) else {
        return Ok(None);
    };
    let mut bytes = vec![0; usize::try_from(size).unwrap_or_default()];
    file.read_exact_at(&mut bytes, last - size)?;
    let (mut rest, mut members, mut next) = (bytes.as_slice(), Vec::new(), Member::default());
    while let Some((entries, after)) = field(rest, b"BT") {
        for entry in entries.chunks_exact(ENTRY_BYTES) {
            members.push(next);
            next = Member {
                at: next.at + number(entry, 0),
                position: next.position + number(entry, 4),
            };
        }
        rest = after;
    }
    members.push(next);
    Ok((rest.is_empty() && next.at == last - size).then_some(members))
}

/// The field `name` of the member without text that `bytes` begin with, and the bytes after it.
fn field<'b>(bytes: &'b [u8], name: &[u8; 2]) -> Option<(&'b [u8], &'b [u8])> {
    let rest = bytes.strip_prefix(&MAGIC)?;
    let rest = rest.get(8..)?.strip_prefix(EXTRA_HEAD)?;
    let rest = rest.get(12..)?.strip_prefix(name)?;
    let (size, rest) = rest.split_first_chunk()?;
    let (field, rest) = rest.split_at_checked(u16::from_le_bytes(*size).into())?;
    Some((field, rest.strip_prefix(EMPTY)?))
}

/// The 32-bit number at a place.
fn number(bytes: &[u8], at: usize) -> u64 {
    let bytes = bytes
        .get(at..at + 4)
        .and_then(|bytes| bytes.try_into().ok());
    u64::from(u32::from_le_bytes(bytes.unwrap_or_default()))
}

/// Skips from header to header of a whole file.
fn walk(file: &File) -> io::Result<Vec<Member>> {
    let end = file.metadata()?.len();
    let mut members = Vec::new();
    let mut next = Member::default();
    while next.at < end {
        members.push(next);
        let mut header = [0; HEADER_BYTES];
        file.read_exact_at(&mut header, next.at)?;
        let is_ours = header.starts_with(&MAGIC) && header.get(12..16) == Some(EXTRA_HEAD);
        if !is_ours {
            return Err(damaged("was not compressed by this program"));
        }
        let [size, raw, feeds] = [0, 4, 8].map(|at| number(&header, SIZE_AT + at));
        let fits = size > length(&header) && size <= MAX_MEMBER_BYTES && next.at + size <= end;
        if !fits || raw > length(&[0; BLOCK_BYTES]) || feeds > raw {
            return Err(damaged("is damaged"));
        }
        next = Member {
            at: next.at + size,
            position: next.position + raw,
        };
    }
    members.push(next);
    Ok(members)
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn damaged(what: &str) -> io::Error {
    let why = format!("the compressed log {what}");
    io::Error::new(ErrorKind::InvalidData, why)
}

/// Bytes of the log in one member: small enough to be decompressed in a millisecond.
const BLOCK_BYTES: usize = 256 * 1024;
/// Bytes that cannot be compressed grow a little.
const MAX_MEMBER_BYTES: u64 = 2 * 256 * 1024;
/// A level that costs little time: logs are repetitive. On a log of compilations, level 2 takes
/// 2.4 s of CPU per GiB to an eighth, level 1 1.7 s to a seventh, level 3 3.5 s and gains 3 %.
const LEVEL: Compression = Compression::new(2);
/// gzip, deflate, with an extra field.
const MAGIC: [u8; 4] = [0x1f, 0x8b, 8, 4];
/// The head of the extra field: its identification and the size of its data.
const EXTRA_HEAD: &[u8] = b"BM\x0c\x00";
const EXTRA_BYTES: usize = 16;
/// The place of the size of the member in its header.
const SIZE_AT: usize = 16;
const HEADER_BYTES: usize = 12 + EXTRA_BYTES;
/// Files of no more members have no table: their headers are read as fast.
const FEW: usize = 4;
/// Entries of a part of the table: an extra field has at most 64 KiB.
const MOST_ENTRIES: usize = 8000;
const ENTRY_BYTES: usize = 8;
/// A table of more than a TiB of text is not read.
const MOST_TABLE_BYTES: u64 = 64 << 20;
/// The size of the last member of a file with a table.
const END_BYTES: u64 = 12 + 16 + 4 + 8 + 10;
/// What compression makes of nothing, its checksum and its size.
const EMPTY: &[u8] = b"\x03\x00\0\0\0\0\0\0\0\0";

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn packed(bytes: &[u8]) -> Packed {
        let mut file = tempfile::tempfile().unwrap();
        assert_eq!(pack(&mut &*bytes, &mut file).unwrap(), length(bytes));
        Packed::new(file)
    }

    fn whole(packed: &mut Packed) -> io::Result<Vec<u8>> {
        let (mut all, mut buffer) = (Vec::new(), vec![0; 100_000]);
        loop {
            let got = packed.read_at(&mut buffer, length(&all))?;
            if got == 0 {
                return Ok(all);
            }
            all.extend_from_slice(&buffer[..got]);
        }
    }

    fn numbered(lines: u32) -> Vec<u8> {
        let lines = (1..=lines).map(|n| format!("line {n}\n"));
        lines.collect::<String>().into_bytes()
    }

    #[test]
    fn what_was_packed_is_read_from_any_position() {
        let bytes = numbered(100_000);
        assert!(bytes.len() > 4 * BLOCK_BYTES);
        let mut packed = packed(&bytes);
        assert_eq!(packed.len().unwrap(), length(&bytes));
        assert!(whole(&mut packed).unwrap() == bytes);
        for position in [700_000, 262_143, 262_144, 0, 1_088_000] {
            let mut buffer = [0; 10];
            let got = packed.read_at(&mut buffer, position).unwrap();
            let at = usize::try_from(position).unwrap();
            assert!(
                got > 0 && buffer[..got] == bytes[at..at + got],
                "{position}"
            );
        }
    }

    #[test]
    fn the_table_says_what_the_headers_say() {
        for (lines, has_table) in [(60_000, false), (200_000, true)] {
            let packed = packed(&numbered(lines));
            let table = read_table(&packed.file).unwrap();
            assert_eq!(table.is_some(), has_table, "{lines}");
            let mut walked = walk(&packed.file).unwrap();
            if let Some(table) = table {
                // The headers also tell of the table.
                walked.truncate(table.len());
                assert_eq!(table, walked);
            }
        }
    }

    #[test]
    fn a_table_that_does_not_fit_is_not_used() {
        let bytes = numbered(200_000);
        let mut file = Vec::new();
        pack(&mut &*bytes, &mut file).unwrap();
        let of = |file: &[u8]| {
            let mut copy = tempfile::tempfile().unwrap();
            copy.write_all(file).unwrap();
            (
                read_table(&copy).unwrap(),
                whole(&mut Packed::new(copy)).unwrap(),
            )
        };
        assert!(of(&file).0.is_some());
        let end = file.len() - usize::try_from(END_BYTES).unwrap();
        // The name of the table, its size, and the size of a member in it.
        for at in [end + 28, end + 33, end - 34] {
            let mut damaged = file.clone();
            damaged[at] ^= 0x41;
            let (table, read) = of(&damaged);
            assert!(table.is_none() && read == bytes, "{at}");
        }
    }

    #[test]
    fn gzip_programs_read_the_whole_of_it() {
        let bytes = numbered(200_000);
        let mut file = Vec::new();
        pack(&mut &*bytes, &mut file).unwrap();
        let mut read = Vec::new();
        flate2::read::MultiGzDecoder::new(&*file)
            .read_to_end(&mut read)
            .unwrap();
        assert!(read == bytes);
    }

    #[test]
    fn noise_and_nothing_are_packed_too() {
        let mut seed = 1_u32;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed.to_be_bytes()[0]
        })
        .take(600_000)
        .collect();
        assert!(whole(&mut packed(&noise)).unwrap() == noise);
        let mut nothing = packed(b"");
        assert_eq!(
            (nothing.len().unwrap(), whole(&mut nothing).unwrap()),
            (0, Vec::new())
        );
    }

    #[test]
    fn damage_is_an_error_and_never_other_bytes() {
        let bytes = numbered(60_000);
        let mut file = Vec::new();
        pack(&mut &*bytes, &mut file).unwrap();
        let read = |file: &[u8]| {
            let mut copy = tempfile::tempfile().unwrap();
            copy.write_all(file).unwrap();
            whole(&mut Packed::new(copy))
        };
        assert!(read(&file).unwrap() == bytes);
        for at in [0, 3, 17, 21, 25, 100, file.len() - 3] {
            let mut damaged = file.clone();
            damaged[at] ^= 0x41;
            // A wrong number of lines is not noticed by those who only read bytes.
            assert!(read(&damaged).map_or(true, |read| read == bytes), "{at}");
        }
        for cut in [1, 27, 1000, file.len() - 1] {
            assert!(read(&file[..cut]).is_err(), "{cut}");
        }
        assert!(read(b"not gzip at all, but longer than a header").is_err());
    }
}
