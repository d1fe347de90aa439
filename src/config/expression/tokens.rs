//! The tokens of an expression, as far as its checks need them.

use std::ops::Range;

use super::{Class, Mistake};

/// A token and its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) what: What,
    pub(super) at: Range<usize>,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum What {
    /// A name or a word of the language.
    Word(String),
    /// A text in quotes, without them and its escapes.
    Text(String),
    /// A number.
    Number,
    /// An operator, a bracket and so on.
    Sign(&'static str),
}

impl Token {
    /// Whether it is this sign.
    pub(super) fn is(&self, sign: &str) -> bool {
        matches!(&self.what, What::Sign(own) if *own == sign)
    }

    /// The word that it is.
    pub(super) fn word(&self) -> Option<&str> {
        match &self.what {
            What::Word(word) => Some(word),
            What::Text(_) | What::Number | What::Sign(_) => None,
        }
    }
}

/// The tokens of `text`.
pub(super) fn read(text: &str) -> Result<Vec<Token>, Mistake> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = text.get(at..).unwrap_or_default();
        if c.is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let (what, length) = if c == '_' || c.is_ascii_alphabetic() {
            let length = length_while(rest, |c| c == '_' || c.is_ascii_alphanumeric());
            (
                What::Word(rest.get(..length).unwrap_or_default().to_owned()),
                length,
            )
        } else if c.is_ascii_digit() {
            let after_dot = tokens.last().is_some_and(|t: &Token| t.is("."));
            number(rest, after_dot, at)?
        } else if c == '\'' || c == '"' {
            quoted(rest, c, at)?
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            (What::Sign(sign), sign.len())
        } else {
            let message = format!("`{c}` means nothing in an expression");
            let help = match c {
                '&' => "write `and`",
                '!' => "write `not`, or `!=` to compare",
                '?' => "write `A if CONDITION else B`",
                '“' | '”' | '‘' | '’' | '`' => "write straight quotes: 'text'",
                _ => "put text in quotes: 'text'",
            };
            let mistake = Mistake::new(Class::ExpressionSyntax, message, help);
            return Err(mistake.at(at..at + c.len_utf8()));
        };
        tokens.push(Token {
            what,
            at: at..at + length,
        });
        at += length;
    }
    Ok(tokens)
}

/// A number as the engine reads it; a whole one must fit into 64 bits.
fn number(rest: &str, after_dot: bool, at: usize) -> Result<(What, usize), Mistake> {
    let is_radix = ["0x", "0X", "0o", "0O", "0b", "0B"]
        .iter()
        .any(|p| rest.starts_with(p));
    if is_radix {
        let length = 2 + length_while(rest.get(2..).unwrap_or_default(), |c| {
            c == '_' || c.is_ascii_alphanumeric()
        });
        return Ok((What::Number, length));
    }
    let is_digit = |c: char| c == '_' || c.is_ascii_digit();
    let mut length = length_while(rest, is_digit);
    let mut is_whole = true;
    let follows = |at: usize| rest.get(at..).and_then(|r| r.chars().next());
    if !after_dot && follows(length) == Some('.') {
        let next = follows(length + 1);
        if next.is_none_or(|c| c != '_' && !c.is_ascii_alphabetic()) {
            is_whole = false;
            length += 1 + length_while(rest.get(length + 1..).unwrap_or_default(), is_digit);
        }
    }
    if !after_dot && matches!(follows(length), Some('e' | 'E')) {
        is_whole = false;
        length += 1;
        if matches!(follows(length), Some('+' | '-')) {
            length += 1;
        }
        length += length_while(rest.get(length..).unwrap_or_default(), is_digit);
    }
    let digits = rest.get(..length).unwrap_or_default().replace('_', "");
    if is_whole && digits.parse::<i64>().is_err() {
        let message = "integers have 64 bits with a sign";
        return Err(Mistake::new(Class::TooMuch, message, "").at(at..at + length));
    }
    Ok((What::Number, length))
}

/// A text in quotes.
fn quoted(rest: &str, quote: char, at: usize) -> Result<(What, usize), Mistake> {
    let mut inside = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((here, c)) = chars.next() {
        match c {
            c if c == quote => return Ok((What::Text(inside), here + 1)),
            '\\' => escape(&mut inside, &mut chars, rest),
            c => inside.push(c),
        }
    }
    let message = format!("a string that begins with {quote} and does not end");
    Err(syntax(message).at(at..at + rest.len()))
}

/// Takes what follows a backslash. What is not an escape stands for itself, with the backslash.
fn escape(inside: &mut String, chars: &mut impl Iterator<Item = (usize, char)>, rest: &str) {
    let Some((at, c)) = chars.next() else { return };
    let mut digits = |count: usize, radix: u32, from: usize| {
        let digits = rest.get(from..from + count).unwrap_or_default();
        let code = u32::from_str_radix(digits, radix)
            .ok()
            .and_then(char::from_u32);
        if let Some(c) = code {
            inside.push(c);
        }
        digits.chars().count()
    };
    let taken = match c {
        'u' => digits(4, 16, at + 1),
        'x' => digits(2, 16, at + 1),
        '0'..='7' => {
            let tail = rest.get(at..).unwrap_or_default();
            let count = length_while(tail, |c| matches!(c, '0'..='7')).min(3);
            digits(count, 8, at).saturating_sub(1)
        }
        'b' | 'f' | 'n' | 'r' | 't' => {
            inside.push(match c {
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                _ => '\t',
            });
            0
        }
        '"' | '\'' | '\\' | '/' => {
            inside.push(c);
            0
        }
        c => {
            inside.push('\\');
            inside.push(c);
            0
        }
    };
    for _ in 0..taken {
        chars.next();
    }
}

fn length_while(text: &str, is_part: impl Fn(char) -> bool) -> usize {
    text.find(|c| !is_part(c)).unwrap_or(text.len())
}

fn syntax(message: impl Into<String>) -> Mistake {
    Mistake::new(Class::ExpressionSyntax, message, "")
}

/// Longer ones first.
const SIGNS: [&str; 25] = [
    "//", "**", "==", "!=", ">=", "<=", "+", "-", "*", "/", "%", ".", ",", ":", "~", "|", "=", ">",
    "<", "(", ")", "[", "]", "{", "}",
];
