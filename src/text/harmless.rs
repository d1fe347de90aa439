//! A terminal writer that makes control sequences visible.

use std::io::{self, Write};

use super::steers;

/// Writes bytes from outside to a terminal. Colours may pass. All other control characters are
/// shown as text: `^[` for ESC, `^M` for a carriage return within a line, and `<U+009B>` or `<FF>`
/// for characters without such a name.
#[derive(Debug)]
pub struct Harmless<W: Write> {
    out: W,
    keeps_colours: bool,
    /// An incomplete sequence that may continue in the next piece.
    rest: Vec<u8>,
    /// Whether colours have been set since the last reset.
    is_coloured: bool,
}

/// The kind of text at the beginning of some bytes.
enum Piece<'a> {
    /// Text that can be written unchanged.
    Plain(&'a [u8]),
    /// A colour sequence, and whether it resets the colours.
    Colours(&'a [u8], bool),
    /// A number of bytes that are replaced by this text.
    Shown(usize, String),
    /// An incomplete sequence.
    Unfinished,
}

impl<W: Write> Harmless<W> {
    /// A writer to `out`. Colours are removed unless `keeps_colours`.
    pub const fn new(out: W, keeps_colours: bool) -> Self {
        Self {
            out,
            keeps_colours,
            rest: Vec::new(),
            is_coloured: false,
        }
    }

    /// Finishes the text: writes an incomplete sequence and resets colours.
    ///
    /// # Errors
    /// Writing failed.
    pub fn finish(&mut self) -> io::Result<()> {
        let rest = std::mem::take(&mut self.rest);
        self.pass(&rest, true)?;
        if std::mem::take(&mut self.is_coloured) {
            self.out.write_all(b"\x1b[0m")?;
        }
        self.out.flush()
    }

    /// Writes the complete beginning of `data`. Returns its length.
    fn pass(&mut self, data: &[u8], is_end: bool) -> io::Result<usize> {
        let mut at = 0;
        while let Some(left) = data.get(at..).filter(|left| !left.is_empty()) {
            at += match piece(left, is_end) {
                Piece::Unfinished => break,
                Piece::Plain(text) => {
                    self.out.write_all(text)?;
                    text.len()
                }
                Piece::Colours(command, is_reset) => {
                    if self.keeps_colours {
                        self.out.write_all(command)?;
                        self.is_coloured = !is_reset;
                    }
                    command.len()
                }
                Piece::Shown(len, text) => {
                    self.out.write_all(text.as_bytes())?;
                    len
                }
            };
        }
        Ok(at)
    }
}

impl<W: Write> Write for Harmless<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let mut all = std::mem::take(&mut self.rest);
        all.extend_from_slice(data);
        let passed = self.pass(&all, false)?;
        all.drain(..passed);
        self.rest = all;
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The piece at the beginning of `data`, which is not empty. At the end of the text, nothing counts
/// as incomplete.
fn piece(data: &[u8], is_end: bool) -> Piece<'_> {
    match data {
        [b'\r', b'\n', ..] => return Piece::Shown(1, String::new()),
        [b'\r'] | [0x1b] | [0x1b, b'['] if !is_end => return Piece::Unfinished,
        [0x1b, b'[', command @ ..] => {
            let params = command.iter().take(LONGEST_COLOURS);
            let params = params.take_while(|b| b.is_ascii_digit() || b";:".contains(b));
            let len = params.count();
            match command.get(len) {
                Some(b'm') => {
                    let is_reset = command[..len].iter().all(|b| *b == b'0');
                    return Piece::Colours(&data[..len + 3], is_reset);
                }
                None if !is_end => return Piece::Unfinished,
                Some(_) | None => {}
            }
        }
        _ => {}
    }
    let plain = |b: &u8| matches!(b, b'\n' | b'\t' | b' '..=b'~');
    match data.iter().take_while(|b| plain(b)).count() {
        0 => {}
        len => return Piece::Plain(&data[..len]),
    }
    let first = data[0];
    if first.is_ascii() {
        // Control characters and DEL: `^` and the letter of the key.
        return Piece::Shown(1, format!("^{}", char::from(first ^ 0x40)));
    }
    let window = &data[..data.len().min(LONGEST_CHAR)];
    let text = match std::str::from_utf8(window) {
        Ok(text) => text,
        Err(error) if error.valid_up_to() > 0 => {
            std::str::from_utf8(&window[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(error) if error.error_len().is_none() && !is_end => return Piece::Unfinished,
        Err(_) => return Piece::Shown(1, format!("<{first:02X}>")),
    };
    match text.chars().next() {
        Some(c) if steers(c) => Piece::Shown(c.len_utf8(), format!("<U+{:04X}>", u32::from(c))),
        Some(c) => Piece::Plain(&data[..c.len_utf8()]),
        None => Piece::Shown(1, format!("<{first:02X}>")),
    }
}

/// Maximum length of the numbers in a colour sequence.
const LONGEST_COLOURS: usize = 64;
/// Maximum number of bytes of a character.
const LONGEST_CHAR: usize = 4;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    fn shown(pieces: &[&[u8]], keeps_colours: bool) -> String {
        let mut out = Vec::new();
        let mut harmless = Harmless::new(&mut out, keeps_colours);
        for piece in pieces {
            harmless.write_all(piece).unwrap();
        }
        harmless.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn colours_pass_and_everything_else_is_shown() {
        for (bytes, expected) in [
            (&b"plain\ttext\nmore\n"[..], "plain\ttext\nmore\n"),
            (b"\x1b[1;31mred\x1b[0m", "\x1b[1;31mred\x1b[0m"),
            (b"\x1b[31mred", "\x1b[31mred\x1b[0m"),
            (b"\x1b[2Jgone", "^[[2Jgone"),
            (b"\x1b]0;title\x07", "^[]0;title^G"),
            (b"\x1b]52;c;cm0gLXJm\x1b\\", "^[]52;c;cm0gLXJm^[\\"),
            (b"\x1b[6n\x1b[?1049h\x1bc", "^[[6n^[[?1049h^[c"),
            (b"ends\r\n", "ends\n"),
            (b" 10%\r 20%\r", " 10%^M 20%^M"),
            (b"a\x08b\x7f\x00", "a^Hb^?^@"),
            ("\u{9b}2J \u{202e}x".as_bytes(), "<U+009B>2J <U+202E>x"),
            (b"\x9b2J \xff", "<9B>2J <FF>"),
            ("grün 構築".as_bytes(), "grün 構築"),
            (b"\xc3", "<C3>"),
            (b"\x1b[31", "^[[31"),
        ] {
            assert_eq!(shown(&[bytes], true), expected, "{bytes:?}");
        }
        assert_eq!(shown(&[b"\x1b[31mred\x1b[0m"], false), "red");
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_the_bytes_come(
            bytes in prop::collection::vec(prop_oneof![
                Just(0x1b), Just(b'['), Just(b'm'), Just(b'1'), Just(b'\r'), Just(b'\n'),
                Just(0xc3), Just(0xa9), Just(0x9b), any::<u8>()
            ], 0..40),
            at in 0_usize..40,
        ) {
            let (head, tail) = bytes.split_at(at.min(bytes.len()));
            let whole = shown(&[&bytes], true);
            prop_assert_eq!(&shown(&[head, tail], true), &whole);
            let plain = shown(&[&bytes], false);
            prop_assert!(!plain.contains(|c: char| steers(c) && c != '\n' && c != '\t'));
        }
    }
}
