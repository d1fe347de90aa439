//! Decodes bytes into tokens, in any chunking.

use std::collections::VecDeque;
use std::{fmt, mem};

use bytes::Bytes;

use super::{BananaError, PREFIX_LIMIT, SIZE_LIMIT, TOKEN_COST, Token, Word, kind};
use crate::pb::Limits;

/// Turns chunks of bytes into expressions, one at a time.
#[derive(Default)]
pub struct Decoder {
    /// Received bytes that have not been decoded; the first chunk starts at `at`.
    chunks: VecDeque<Bytes>,
    at: usize,
    partial: Partial,
    /// The number of missing elements of each open list; never zero.
    open: Vec<usize>,
    /// The expression so far.
    tokens: Vec<Token>,
    /// The memory count of the expression so far.
    cost: usize,
    /// The memory count of the last expression that was returned.
    last_cost: usize,
    /// Whether the expression cannot be split into parts.
    is_one: bool,
}

/// An incomplete token.
#[derive(Default)]
enum Partial {
    #[default]
    Nothing,
    Prefix(Prefix),
    Float(u64, u32),
    /// The buffer, with the announced capacity.
    String(Vec<u8>, usize),
}

/// The digits before a type byte.
struct Prefix {
    digits: [u8; PREFIX_LIMIT],
    len: usize,
}

/// A type byte with its prefix.
struct Header {
    kind: u8,
    /// The prefix as a number; `None` when 64 bits do not hold it.
    magnitude: Option<u64>,
    /// The digits, only if they exceed 64 bits and the type uses them.
    digits: Bytes,
}

impl Decoder {
    /// Adds received bytes without decoding them.
    pub fn push(&mut self, data: Bytes) {
        if !data.is_empty() {
            self.chunks.push_back(data);
        }
    }

    /// Decodes the next expression; `None` if it is incomplete. `vocabulary` says whether the
    /// dialect has a vocabulary. Return the tokens with [`Decoder::recycle`] to save an allocation.
    ///
    /// # Errors
    /// The bytes are not banana or exceed a limit. The decoder must not be used again.
    pub fn next(
        &mut self,
        limits: &Limits,
        vocabulary: bool,
    ) -> Result<Option<Vec<Token>>, BananaError> {
        self.next_or_part(limits, vocabulary, 0, |_| None)
    }

    /// Like [`Decoder::next`], but may return a large expression in parts. Whenever an element
    /// within `depth` open lists is complete and the expression so far counts more than
    /// [`Limits::part_bytes`], `take` may take elements out of the tokens.
    ///
    /// # Errors
    /// As for [`Decoder::next`].
    pub fn next_or_part(
        &mut self,
        limits: &Limits,
        vocabulary: bool,
        depth: usize,
        take: impl Fn(&mut Vec<Token>) -> Option<Vec<Token>>,
    ) -> Result<Option<Vec<Token>>, BananaError> {
        while let Some(token) = self.token(limits, vocabulary)? {
            if self.place(token) {
                self.last_cost = mem::take(&mut self.cost);
                self.is_one = false;
                return Ok(Some(mem::take(&mut self.tokens)));
            }
            if self.cost > limits.part_bytes && self.open.len() == depth && !self.is_one {
                let before = cost(&self.tokens);
                if let Some(part) = take(&mut self.tokens) {
                    self.last_cost = cost(&part);
                    let taken = before.saturating_sub(cost(&self.tokens));
                    self.cost = self.cost.saturating_sub(taken);
                    return Ok(Some(part));
                }
                self.is_one = true;
            }
        }
        Ok(None)
    }

    /// The memory count of the incomplete expression.
    #[must_use]
    pub const fn cost(&self) -> usize {
        self.cost
    }

    /// The memory count of the last decoded expression.
    #[must_use]
    pub const fn last_cost(&self) -> usize {
        self.last_cost
    }

    /// Keeps the allocation of an expression for the next one, unless it is large.
    pub fn recycle(&mut self, mut tokens: Vec<Token>) {
        tokens.clear();
        if self.tokens.capacity() == 0 && tokens.capacity() <= KEPT_TOKENS {
            self.tokens = tokens;
        }
    }

    /// Number of received bytes that have not been decoded.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.chunks.iter().map(Bytes::len).sum::<usize>() - self.at
    }

    /// Adds a token. Returns whether the token ends the expression.
    fn place(&mut self, token: Token) -> bool {
        let elements = if let Token::List(n) = &token { *n } else { 0 };
        self.tokens.push(token);
        if elements > 0 {
            self.open.push(elements);
            return false;
        }
        while let Some(missing) = self.open.last_mut() {
            *missing -= 1;
            if *missing > 0 {
                return false;
            }
            self.open.pop();
        }
        true
    }

    fn token(&mut self, limits: &Limits, vocabulary: bool) -> Result<Option<Token>, BananaError> {
        match &self.partial {
            Partial::Nothing | Partial::Prefix(_) => {}
            Partial::Float(..) => return Ok(self.float()),
            Partial::String(..) => return Ok(self.string()),
        }
        let Some(Header {
            kind,
            magnitude,
            digits,
        }) = self.header()?
        else {
            return Ok(None);
        };
        if self.open.is_empty() {
            self.charge(TOKEN_COST, limits)?;
        }
        match kind {
            kind::INT | kind::LONG_INT => {
                Ok(Some(match magnitude.and_then(|m| m.try_into().ok()) {
                    Some(int) => Token::Int(int),
                    None => Token::BigInt {
                        negative: false,
                        digits: big(magnitude, digits),
                    },
                }))
            }
            kind::NEG | kind::LONG_NEG => Ok(Some(
                match magnitude.and_then(|m| 0_i64.checked_sub_unsigned(m)) {
                    Some(int) => Token::Int(int),
                    None => Token::BigInt {
                        negative: true,
                        digits: big(magnitude, digits),
                    },
                },
            )),
            kind::STRING => {
                let len = size(magnitude, limits.string_bytes).ok_or(BananaError::StringTooLong)?;
                self.charge(len, limits)?;
                Ok(self.begin_string(len))
            }
            kind::LIST => {
                let len = size(magnitude, limits.list_items).ok_or(BananaError::ListTooLong)?;
                if self.open.len() >= limits.depth {
                    return Err(BananaError::TooDeep);
                }
                // Count the elements in advance: each is at least a token.
                self.charge(len.saturating_mul(TOKEN_COST), limits)?;
                Ok(Some(Token::List(len)))
            }
            kind::FLOAT => {
                self.partial = Partial::Float(0, 0);
                Ok(self.float())
            }
            kind::VOCAB => {
                let word = magnitude.filter(|_| vocabulary).and_then(Word::at);
                Ok(Some(Token::Bytes(
                    word.ok_or(BananaError::UnknownWord)?.bytes(),
                )))
            }
            other => Err(BananaError::UnknownType(other)),
        }
    }

    fn charge(&mut self, amount: usize, limits: &Limits) -> Result<(), BananaError> {
        self.cost = self.cost.saturating_add(amount);
        if self.cost > limits.message_bytes {
            return Err(BananaError::MessageTooLarge);
        }
        Ok(())
    }

    /// Reads on to the next type byte.
    fn header(&mut self) -> Result<Option<Header>, BananaError> {
        loop {
            let Some(chunk) = self.chunks.front() else {
                return Ok(None);
            };
            let rest = chunk.get(self.at..).unwrap_or_default();
            let len = rest
                .iter()
                .take(PREFIX_LIMIT + 1)
                .take_while(|b| **b < 0x80)
                .count();
            let (digits, rest) = rest.split_at(len);
            if let Partial::Prefix(prefix) = &mut self.partial {
                prefix.extend(digits)?;
                if let Some(&kind) = rest.first() {
                    let header = Header::new(kind, prefix.digits());
                    self.partial = Partial::Nothing;
                    self.consume(len + 1);
                    return Ok(Some(header));
                }
            } else if let Some(&kind) = rest.first() {
                if len > PREFIX_LIMIT {
                    return Err(BananaError::PrefixTooLong);
                }
                let header = Header::new(kind, digits);
                self.consume(len + 1);
                return Ok(Some(header));
            } else {
                let mut prefix = Prefix {
                    digits: [0; PREFIX_LIMIT],
                    len: 0,
                };
                prefix.extend(digits)?;
                self.partial = Partial::Prefix(prefix);
            }
            self.consume(len);
        }
    }

    fn begin_string(&mut self, len: usize) -> Option<Token> {
        if len == 0 {
            return Some(Token::Bytes(Bytes::new()));
        }
        if let Some(chunk) = self.chunks.front() {
            let end = self.at.saturating_add(len);
            if end <= chunk.len() {
                let bytes = chunk.slice(self.at..end);
                self.consume(len);
                return Some(Token::Bytes(bytes));
            }
        }
        self.partial = Partial::String(Vec::with_capacity(len), len);
        self.string()
    }

    fn string(&mut self) -> Option<Token> {
        loop {
            let Partial::String(buffer, len) = &mut self.partial else {
                return None;
            };
            let missing = *len - buffer.len();
            if missing == 0 {
                let bytes = Bytes::from(mem::take(buffer));
                self.partial = Partial::Nothing;
                return Some(Token::Bytes(bytes));
            }
            let rest = self.chunks.front()?.get(self.at..).unwrap_or_default();
            let part = rest.get(..missing).unwrap_or(rest);
            buffer.extend_from_slice(part);
            let taken = part.len();
            self.consume(taken);
        }
    }

    fn float(&mut self) -> Option<Token> {
        loop {
            let Partial::Float(bits, bytes) = &mut self.partial else {
                return None;
            };
            if *bytes == 8 {
                let float = f64::from_bits(*bits);
                self.partial = Partial::Nothing;
                return Some(Token::Float(float));
            }
            let byte = self
                .chunks
                .front()?
                .get(self.at)
                .copied()
                .unwrap_or_default();
            *bits = *bits << 8 | u64::from(byte);
            *bytes += 1;
            self.consume(1);
        }
    }

    /// Releases bytes of the first chunk, and the chunk with its last byte, so an idle connection
    /// holds no receive buffer.
    fn consume(&mut self, bytes: usize) {
        self.at += bytes;
        if self
            .chunks
            .front()
            .is_some_and(|chunk| chunk.len() <= self.at)
        {
            self.chunks.pop_front();
            self.at = 0;
        }
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("buffered", &self.buffered())
            .field("open_lists", &self.open.len())
            .finish_non_exhaustive()
    }
}

impl Prefix {
    fn extend(&mut self, digits: &[u8]) -> Result<(), BananaError> {
        let end = self.len + digits.len();
        let room = self
            .digits
            .get_mut(self.len..end)
            .ok_or(BananaError::PrefixTooLong)?;
        room.copy_from_slice(digits);
        self.len = end;
        Ok(())
    }

    fn digits(&self) -> &[u8] {
        self.digits.get(..self.len).unwrap_or_default()
    }
}

impl Header {
    fn new(kind: u8, digits: &[u8]) -> Self {
        let used = digits
            .iter()
            .rposition(|d| *d != 0)
            .map_or(0, |last| last + 1);
        let digits = digits.get(..used).unwrap_or_default();
        let magnitude = digits.iter().rev().try_fold(0_u64, |number, digit| {
            Some(number.checked_mul(128)? | u64::from(*digit))
        });
        let digits = match magnitude {
            Some(_) => Bytes::new(),
            None => Bytes::copy_from_slice(digits),
        };
        Self {
            kind,
            magnitude,
            digits,
        }
    }
}

/// The memory count of `tokens`.
fn cost(tokens: &[Token]) -> usize {
    let strings = tokens.iter().map(|token| match token {
        Token::Bytes(bytes) => bytes.len(),
        Token::List(_) | Token::Int(_) | Token::BigInt { .. } | Token::Float(_) => 0,
    });
    tokens.len() * TOKEN_COST + strings.sum::<usize>()
}

/// The digits of an integer beyond `i64`, which may fit a `u64`.
fn big(magnitude: Option<u64>, digits: Bytes) -> Bytes {
    let Some(mut rest) = magnitude else {
        return digits;
    };
    let mut digits = Vec::with_capacity(10);
    while rest > 0 {
        digits.push(u8::try_from(rest & 0x7f).unwrap_or_default());
        rest >>= 7;
    }
    Bytes::from(digits)
}

fn size(magnitude: Option<u64>, limit: usize) -> Option<usize> {
    let size = usize::try_from(magnitude?).ok()?;
    (size <= limit.min(SIZE_LIMIT)).then_some(size)
}

/// Maximum number of tokens whose allocation is reused: about as many as in the call of a shell
/// command. An idle connection must stay small.
const KEPT_TOKENS: usize = 64;
