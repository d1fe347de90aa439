//! XML, piece by piece: only what reports of tests need.
//!
//! The libraries for XML either want all of the input or keep a whole text in memory, however long
//! it is. This one keeps a tag at most. It reads no DTD, so there are no entities to expand.

/// A tag is kept up to this length, in bytes.
const MOST_TAG: usize = 64 << 10;
/// The longest reference to a character.
const MOST_REFERENCE: usize = 12;

/// A part of a document.
#[derive(Debug)]
pub(super) enum Event<'x> {
    /// An element begins.
    Start {
        name: &'x str,
        attributes: &'x [(String, String)],
    },
    /// An element ends: its name, or `None` if it was empty.
    End(Option<&'x str>),
    /// A piece of text.
    Text(&'x [u8]),
}

/// Why nothing more is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stop {
    /// A document type.
    Dtd,
    /// It is not well formed.
    Broken,
}

/// Makes events of bytes.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    state: State,
    /// A tag, or the beginning of something in angle brackets.
    tag: Vec<u8>,
    /// A reference to a character.
    reference: Vec<u8>,
    is_cut: bool,
    /// How many bytes were read.
    at: u64,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum State {
    #[default]
    Text,
    Reference,
    /// Behind `<`.
    Open,
    /// In a tag, with the quote that is open, and the last byte.
    Tag {
        quote: Option<u8>,
        last: u8,
    },
    /// In a comment, with the number of dashes before.
    Comment(u8),
    /// In a CDATA section, with the number of brackets before.
    Cdata(u8),
    /// In an instruction, with whether the last byte was a question mark.
    Instruction(bool),
}

/// Takes an event and the offset of its end.
pub(super) type Sink<'s> = &'s mut dyn FnMut(Event<'_>, u64) -> Result<(), Stop>;

impl Tokens {
    /// Whether a tag or something like it is open.
    pub(super) fn is_open(&self) -> bool {
        self.state != State::Text
    }

    /// Whether a tag was longer than is kept.
    pub(super) const fn has_cut(&self) -> bool {
        self.is_cut
    }

    pub(super) fn memory(&self) -> usize {
        self.tag.capacity() + self.reference.capacity()
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// Nothing more can be read.
    pub(super) fn feed(&mut self, mut bytes: &[u8], sink: Sink<'_>) -> Result<(), Stop> {
        while let Some((first, rest)) = bytes.split_first() {
            let plain = match self.state {
                State::Text => memchr::memchr2(b'<', b'&', bytes),
                State::Cdata(0) => memchr::memchr(b']', bytes),
                State::Cdata(_)
                | State::Reference
                | State::Open
                | State::Tag { .. }
                | State::Comment(_)
                | State::Instruction(_) => Some(0),
            };
            let plain = plain.unwrap_or(bytes.len());
            if plain > 0 {
                let (text, rest) = bytes.split_at(plain);
                self.at += text.len() as u64;
                sink(Event::Text(text), self.at)?;
                bytes = rest;
                continue;
            }
            self.at += 1;
            self.state = self.byte(*first, sink)?;
            bytes = rest;
        }
        Ok(())
    }

    /// Takes a byte that is not plain text.
    fn byte(&mut self, byte: u8, sink: Sink<'_>) -> Result<State, Stop> {
        Ok(match (self.state, byte) {
            (State::Text, b'<') => {
                self.tag.clear();
                State::Open
            }
            (State::Text, _) => {
                self.reference.clear();
                State::Reference
            }
            (State::Reference, b';') => {
                let raw = String::from_utf8_lossy(&self.reference);
                let text = character(&raw).map_or_else(|| format!("&{raw};"), String::from);
                sink(Event::Text(text.as_bytes()), self.at)?;
                State::Text
            }
            (State::Reference, b'<') => return Err(Stop::Broken),
            (State::Reference, byte) => {
                self.reference.push(byte);
                if self.reference.len() > MOST_REFERENCE {
                    return Err(Stop::Broken);
                }
                State::Reference
            }
            (State::Open, byte) => self.open(byte)?,
            (State::Tag { quote: None, last }, b'>') => {
                self.end_tag(last == b'/', sink)?;
                State::Text
            }
            (State::Tag { quote, .. }, byte) => {
                self.keep(byte);
                let quote = match (quote, byte) {
                    (None, b'"' | b'\'') => Some(byte),
                    (Some(open), byte) if open == byte => None,
                    (quote, _) => quote,
                };
                State::Tag { quote, last: byte }
            }
            (State::Comment(2..), b'>') => State::Text,
            (State::Comment(dashes), b'-') => State::Comment(dashes.saturating_add(1)),
            (State::Comment(_), _) => State::Comment(0),
            (State::Cdata(brackets @ 0..2), b']') => State::Cdata(brackets + 1),
            (State::Cdata(_), b']') => {
                sink(Event::Text(b"]"), self.at)?;
                State::Cdata(2)
            }
            (State::Cdata(2..), b'>') => State::Text,
            (State::Cdata(brackets), byte) => {
                let before: &[u8] = if brackets == 1 { b"]" } else { b"]]" };
                sink(Event::Text(before), self.at)?;
                sink(Event::Text(&[byte]), self.at)?;
                State::Cdata(0)
            }
            (State::Instruction(true), b'>') => State::Text,
            (State::Instruction(_), byte) => State::Instruction(byte == b'?'),
        })
    }

    /// Takes a byte behind `<`, until it is known what begins there.
    fn open(&mut self, byte: u8) -> Result<State, Stop> {
        self.tag.push(byte);
        let is_begun = |word: &[u8]| word.starts_with(&self.tag);
        Ok(match self.tag.as_slice() {
            b"?" => State::Instruction(false),
            b"!--" => State::Comment(0),
            b"![CDATA[" => State::Cdata(0),
            b"!DOCTYPE" => return Err(Stop::Dtd),
            _ if is_begun(b"!--") || is_begun(b"![CDATA[") || is_begun(b"!DOCTYPE") => State::Open,
            [first, ..] if *first == b'/' || is_name(*first) => State::Tag {
                quote: None,
                last: byte,
            },
            _ => return Err(Stop::Broken),
        })
    }

    fn keep(&mut self, byte: u8) {
        if self.tag.len() < MOST_TAG {
            self.tag.push(byte);
        } else {
            self.is_cut = true;
        }
    }

    fn end_tag(&mut self, is_empty: bool, sink: Sink<'_>) -> Result<(), Stop> {
        let tag = String::from_utf8_lossy(&self.tag);
        if let Some(name) = tag.strip_prefix('/') {
            return sink(Event::End(Some(name.trim_end())), self.at);
        }
        let end = tag.find(|c: char| c.is_ascii_whitespace() || c == '/');
        let (name, mut rest) = tag.split_at(end.unwrap_or(tag.len()));
        let mut attributes = Vec::new();
        while let Some((attribute, after)) = attribute(rest, self.is_cut)? {
            attributes.push(attribute);
            rest = after;
        }
        let attributes = &attributes;
        sink(Event::Start { name, attributes }, self.at)?;
        if is_empty {
            sink(Event::End(None), self.at)?;
        }
        Ok(())
    }
}

/// The next attribute of a tag, and what follows it.
type Attribute<'t> = Option<((String, String), &'t str)>;

/// Reads the first attribute of `rest`. The last one of a tag that `is_cut` may have no end.
fn attribute(rest: &str, is_cut: bool) -> Result<Attribute<'_>, Stop> {
    let rest = rest.trim_start();
    if rest.is_empty() || rest == "/" {
        return Ok(None);
    }
    let broken = || if is_cut { Ok(None) } else { Err(Stop::Broken) };
    let Some((name, value)) = rest.split_once('=') else {
        return broken();
    };
    let value = value.trim_start();
    let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        return broken();
    };
    let inner = value.strip_prefix(quote).unwrap_or_default();
    let (inner, after) = match inner.split_once(quote) {
        Some(parts) => parts,
        None if is_cut => (inner, ""),
        None => return Err(Stop::Broken),
    };
    Ok(Some(((name.trim().to_owned(), unescaped(inner)), after)))
}

const fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte == b':' || byte >= 0x80
}

/// A text with its references to characters put in. Unknown ones stay as they are.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        rest = after;
        let found = after.split_once(';');
        match found.and_then(|(raw, after)| Some((character(raw)?, after))) {
            Some((c, after)) => {
                out.push(c);
                rest = after;
            }
            None => out.push('&'),
        }
    }
    out.push_str(rest);
    out
}

/// The character that is meant by what stands between `&` and `;`.
fn character(raw: &str) -> Option<char> {
    Some(match raw {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = raw.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)?
        }
    })
}
