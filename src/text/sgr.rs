//! Colours and other styles of text for terminals: what the control sequences in it set.
//!
//! The sequences are those of ECMA-48. Of these, `ESC [ … m` (Select Graphic Rendition, SGR) sets
//! the style of the text after it; all others are recognized and ignored. A line feed ends every
//! sequence, so a broken one hides at most the rest of its line.

/// The style of a piece of text.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Style {
    /// Colour of the characters; absent: the usual one.
    pub foreground: Option<Ink>,
    /// Colour behind the characters; absent: the usual one.
    pub background: Option<Ink>,
    /// Bold.
    pub is_bold: bool,
    /// Faint.
    pub is_faint: bool,
    /// Italic.
    pub is_italic: bool,
    /// Underlined.
    pub is_underlined: bool,
    /// Foreground and background are exchanged.
    pub is_inverse: bool,
}

/// One of the sixteen colours of a terminal: 0 to 7 are black, red, green, yellow, blue, magenta,
/// cyan and white; 8 to 15 are their bright variants. All other colours become the nearest of
/// these.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Ink(u8);

impl Ink {
    /// The number of the colour, from 0 to 15.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// The colour for a number of the 256 colours that many terminals have.
    fn of_256(number: u8) -> Self {
        match number {
            0..=15 => Self(number),
            16..=231 => {
                // A cube of six by six by six.
                let level = |step: u8| [0, 95, 135, 175, 215, 255][usize::from(step)];
                let place = number - 16;
                Self::nearest([level(place / 36), level(place / 6 % 6), level(place % 6)])
            }
            232..=255 => Self::nearest([8 + (number - 232) * 10; 3]),
        }
    }

    /// The colour that is nearest to one of red, green and blue.
    fn nearest(wanted: [u8; 3]) -> Self {
        let distance = |colour: [u8; 3]| -> u32 {
            let parts = colour.into_iter().zip(wanted);
            parts.map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum()
        };
        let nearest = (0_u8..)
            .zip(PALETTE)
            .min_by_key(|(_, colour)| distance(*colour));
        Self(nearest.map_or(0, |(number, _)| number))
    }
}

impl Style {
    /// The style as a number of 15 bits.
    #[must_use]
    pub fn to_bits(self) -> u16 {
        let ink = |ink: Option<Ink>| ink.map_or(0, |ink| u16::from(ink.0) + 1);
        let flags = [
            self.is_bold,
            self.is_faint,
            self.is_italic,
            self.is_underlined,
            self.is_inverse,
        ];
        let flags = flags.into_iter().rev();
        let flags = flags.fold(0, |bits, flag| bits << 1 | u16::from(flag));
        flags << 10 | ink(self.background) << 5 | ink(self.foreground)
    }

    /// The style of [`Style::to_bits`]; unknown colours become the usual ones.
    #[must_use]
    pub fn from_bits(bits: u16) -> Self {
        let ink = |bits: u16| {
            let number = u8::try_from(bits & 0x1f).ok()?.checked_sub(1)?;
            (number < 16).then_some(Ink(number))
        };
        let flag = |at: u16| bits >> (10 + at) & 1 == 1;
        Self {
            foreground: ink(bits),
            background: ink(bits >> 5),
            is_bold: flag(0),
            is_faint: flag(1),
            is_italic: flag(2),
            is_underlined: flag(3),
            is_inverse: flag(4),
        }
    }

    /// Applies the numbers of a sequence, which are separated by `;` or `:`.
    fn apply(&mut self, numbers: &[u8]) {
        let mut numbers = numbers.split(|byte| b";:".contains(byte)).map(number);
        while let Some(code) = numbers.next() {
            match code {
                0 => *self = Self::default(),
                1 => self.is_bold = true,
                2 => self.is_faint = true,
                3 => self.is_italic = true,
                4 => self.is_underlined = true,
                7 => self.is_inverse = true,
                21 | 22 => (self.is_bold, self.is_faint) = (false, false),
                23 => self.is_italic = false,
                24 => self.is_underlined = false,
                27 => self.is_inverse = false,
                30..=37 => self.foreground = Some(Ink(code - 30)),
                40..=47 => self.background = Some(Ink(code - 40)),
                90..=97 => self.foreground = Some(Ink(code - 82)),
                100..=107 => self.background = Some(Ink(code - 92)),
                38 => self.foreground = long_colour(&mut numbers).or(self.foreground),
                48 => self.background = long_colour(&mut numbers).or(self.background),
                39 => self.foreground = None,
                49 => self.background = None,
                _ => {}
            }
        }
    }
}

/// A colour of 256, or of red, green and blue.
fn long_colour(numbers: &mut impl Iterator<Item = u8>) -> Option<Ink> {
    match numbers.next()? {
        5 => numbers.next().map(Ink::of_256),
        2 => {
            let mut part = || numbers.next();
            Some(Ink::nearest([part()?, part()?, part()?]))
        }
        _ => None,
    }
}

/// A number of a sequence; none is 0.
fn number(digits: &[u8]) -> u8 {
    let add = |sum: u8, digit: &u8| sum.saturating_mul(10).saturating_add(digit & 0x0f);
    digits.iter().fold(0, add)
}

/// What a terminal shows of some text: without sequences, and without control characters other than
/// the ends of lines and tabs.
#[must_use]
pub fn plain(text: &[u8]) -> String {
    let mut scanner = Scanner::default();
    let seen: Vec<u8> = text
        .iter()
        .copied()
        .filter(|byte| scanner.push(*byte))
        .collect();
    let is_shown = |c: &char| !c.is_control() || matches!(c, '\n' | '\t');
    String::from_utf8_lossy(&seen)
        .chars()
        .filter(is_shown)
        .collect()
}

/// Reads text byte by byte, and knows the style that is in force.
#[derive(Clone, Debug, Default)]
pub struct Scanner {
    style: Style,
    state: State,
    /// The numbers of the sequence that is being read.
    numbers: Vec<u8>,
    /// Bytes of the sequence so far.
    length: usize,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum State {
    /// Text.
    #[default]
    Text,
    /// After ESC.
    Escape,
    /// In `ESC [ …`.
    Control,
    /// In a sequence with a string, such as `ESC ] …`.
    String,
    /// After ESC in such a string.
    StringEscape,
}

impl Scanner {
    /// Begins within text in this style.
    #[must_use]
    pub fn with_style(style: Style) -> Self {
        Self {
            style,
            ..Self::default()
        }
    }

    /// The style of the text that comes next.
    #[must_use]
    pub const fn style(&self) -> Style {
        self.style
    }

    /// Whether the next byte is not within a sequence.
    #[must_use]
    pub fn is_in_text(&self) -> bool {
        self.state == State::Text
    }

    /// Reads many bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        loop {
            if self.is_in_text() {
                let Some(at) = memchr::memchr(ESCAPE, rest) else {
                    return;
                };
                rest = rest.get(at..).unwrap_or_default();
            }
            let Some((byte, after)) = rest.split_first() else {
                return;
            };
            self.push(*byte);
            rest = after;
        }
    }

    /// Reads one byte; returns whether it is text, and not part of a sequence.
    pub fn push(&mut self, byte: u8) -> bool {
        if self.is_in_text() {
            if byte != ESCAPE {
                return true;
            }
            self.begin();
            return false;
        }
        self.length += 1;
        let is_control = self.state == State::Control;
        let longest = if is_control {
            LONGEST_CONTROL
        } else {
            LONGEST_STRING
        };
        if byte == b'\n' || self.length > longest {
            self.state = State::Text;
            return true;
        }
        self.state = match (self.state, byte) {
            (State::String, ESCAPE) => State::StringEscape,
            (State::StringEscape, b'\\') | (State::String, 0x07) => State::Text,
            (State::String | State::StringEscape, _) => State::String,
            (_, ESCAPE) => {
                self.begin();
                State::Escape
            }
            (State::Control, b'0'..=b'9' | b';' | b':') => {
                self.numbers.push(byte);
                State::Control
            }
            (State::Control, 0x40..=0x7e) => {
                // With a mark such as `>` or a space, `m` means something else.
                if byte == b'm' && self.numbers.len() + 2 == self.length {
                    self.style.apply(&self.numbers);
                }
                State::Text
            }
            (State::Control, _) => State::Control,
            (_, b'[') => State::Control,
            (_, b']' | b'P' | b'X' | b'^' | b'_') => State::String,
            (_, 0x20..=0x2f) => State::Escape,
            (_, _) => State::Text,
        };
        false
    }

    /// ESC begins a sequence.
    fn begin(&mut self) {
        self.state = State::Escape;
        self.numbers.clear();
        self.length = 0;
    }
}

const ESCAPE: u8 = 0x1b;
/// Maximum number of bytes after ESC in a control sequence.
const LONGEST_CONTROL: usize = 64;
/// Maximum number of bytes after ESC in a sequence with a string, such as the title of a window.
const LONGEST_STRING: usize = 4096;
/// Red, green and blue of the sixteen colours.
const PALETTE: [[u8; 3]; 16] = [
    [0, 0, 0],
    [205, 0, 0],
    [0, 205, 0],
    [205, 205, 0],
    [0, 0, 238],
    [205, 0, 205],
    [0, 205, 205],
    [229, 229, 229],
    [127, 127, 127],
    [255, 0, 0],
    [0, 255, 0],
    [255, 255, 0],
    [92, 92, 255],
    [255, 0, 255],
    [0, 255, 255],
    [255, 255, 255],
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The style after `text`, and what of it is text.
    fn scanned(text: &str) -> (Style, String) {
        let mut scanner = Scanner::default();
        let bytes = text.bytes().filter(|byte| scanner.push(*byte)).collect();
        let shown = String::from_utf8(bytes).unwrap_or_default();
        let mut fed = Scanner::default();
        fed.feed(text.as_bytes());
        assert_eq!(fed.style(), scanner.style());
        (scanner.style(), shown)
    }

    fn check(text: &str, expected: Style) {
        assert_eq!(scanned(text).0, expected, "{text:?}");
    }

    #[test]
    fn colours_and_styles_are_set_and_reset() {
        let none = Style::default();
        let fore = |number| Style {
            foreground: Some(Ink(number)),
            ..none
        };
        let back = |number| Style {
            background: Some(Ink(number)),
            ..none
        };
        check("plain", none);
        check("\x1b[31mred", fore(1));
        check("\x1b[1;31mred\x1b[0m", none);
        check("\x1b[31mred\x1b[m", none);
        check("\x1b[31mred\x1b[39m", none);
        check("\x1b[92m", fore(10));
        check("\x1b[44m", back(4));
        check("\x1b[104m", back(12));
        check("\x1b[38;5;9m", fore(9));
        check("\x1b[38;5;196m", fore(9));
        check("\x1b[48:5:244m", back(8));
        check("\x1b[38;2;0;200;10m", fore(2));
        check("\x1b[38;2;1m", none);
        let all = Style {
            is_bold: true,
            is_faint: true,
            is_italic: true,
            is_underlined: true,
            is_inverse: true,
            ..none
        };
        check("\x1b[1;2;3;4;7m", all);
        check("\x1b[1;2;3;4;7m\x1b[22;23;24;27m", none);
    }

    #[test]
    fn other_sequences_are_not_text_and_set_nothing() {
        for text in [
            "a\x1b[2Jb",
            "a\x1b[?25lb",
            "a\x1b[>4;1mb",
            "a\x1b]0;title\x07b",
            "a\x1b]8;;http://x\x1b\\b",
            "a\x1b(Bb",
            "a\x1bcb",
            "a\x1b\x1b[Kb",
        ] {
            assert_eq!(
                scanned(text),
                (Style::default(), "ab".to_owned()),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_broken_sequence_ends_with_its_line_or_by_its_length() {
        assert_eq!(scanned("a\x1b]0;title\nb").1, "a\nb");
        assert_eq!(scanned("a\x1b[31\nb").1, "a\nb");
        let long = format!("\x1b[{}", "1".repeat(100));
        assert_eq!(scanned(&long).1.len(), 100 + 1 - LONGEST_CONTROL);
    }

    proptest! {
        #[test]
        fn a_style_is_read_from_its_bits(bits in 0_u16..1 << 15) {
            let style = Style::from_bits(bits);
            prop_assert_eq!(Style::from_bits(style.to_bits()), style);
            let is_known = bits & 0x1f <= 16 && bits >> 5 & 0x1f <= 16;
            prop_assert_eq!(style.to_bits() == bits, is_known);
        }
    }
}
