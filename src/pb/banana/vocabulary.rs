//! The words that the dialect `pb` abbreviates: a mere compression of byte strings.

use bytes::Bytes;

/// A word of the vocabulary, by its index on the wire.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Word(u8);

impl Word {
    /// `None`
    pub const NONE: Self = Self(1);
    /// `dereference`
    pub const DEREFERENCE: Self = Self(3);
    /// `reference`
    pub const REFERENCE: Self = Self(4);
    /// `dictionary`
    pub const DICTIONARY: Self = Self(5);
    /// `list`
    pub const LIST: Self = Self(8);
    /// `tuple`
    pub const TUPLE: Self = Self(11);
    /// `unpersistable`
    pub const UNPERSISTABLE: Self = Self(12);
    /// `remote`
    pub const REMOTE: Self = Self(16);
    /// `local`
    pub const LOCAL: Self = Self(17);
    /// `version`
    pub const VERSION: Self = Self(19);
    /// `message`
    pub const MESSAGE: Self = Self(26);
    /// `answer`
    pub const ANSWER: Self = Self(27);
    /// `error`
    pub const ERROR: Self = Self(28);
    /// `decref`
    pub const DECREF: Self = Self(29);

    /// The word with the letters `bytes`, if there is one.
    #[must_use]
    pub fn find(bytes: &[u8]) -> Option<Self> {
        // All words have 4 to 14 letters; most strings of a peer do not.
        if !(4..=14).contains(&bytes.len()) {
            return None;
        }
        let at = WORDS.iter().position(|word| word.as_bytes() == bytes)?;
        u8::try_from(at + 1).ok().map(Self)
    }

    /// The word with an index from the wire.
    #[must_use]
    pub fn at(index: u64) -> Option<Self> {
        let index = u8::try_from(index).ok()?;
        (1..=WORDS.len())
            .contains(&usize::from(index))
            .then_some(Self(index))
    }

    /// The index of the word on the wire.
    #[must_use]
    pub fn index(self) -> u8 {
        self.0
    }

    /// The letters of the word.
    #[must_use]
    pub fn text(self) -> &'static str {
        WORDS
            .get(usize::from(self.0) - 1)
            .copied()
            .unwrap_or_default()
    }

    /// The letters as a byte string, without an allocation.
    #[must_use]
    pub fn bytes(self) -> Bytes {
        Bytes::from_static(self.text().as_bytes())
    }
}

/// In the order of their indexes, which begin with 1.
const WORDS: [&str; 31] = [
    "None",
    "class",
    "dereference",
    "reference",
    "dictionary",
    "function",
    "instance",
    "list",
    "module",
    "persistent",
    "tuple",
    "unpersistable",
    "copy",
    "cache",
    "cached",
    "remote",
    "local",
    "lcache",
    "version",
    "login",
    "password",
    "challenge",
    "logged_in",
    "not_logged_in",
    "cachemessage",
    "message",
    "answer",
    "error",
    "decref",
    "decache",
    "uncache",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_by_letters_and_by_index() {
        for index in 1..=31 {
            let word = Word::at(index).expect("a word");
            assert_eq!(u64::from(word.index()), index);
            assert_eq!(Word::find(word.text().as_bytes()), Some(word));
        }
        assert_eq!(Word::at(0), None);
        assert_eq!(Word::at(32), None);
        assert_eq!(Word::at(u64::MAX), None);
        assert_eq!(Word::find(b"unicode"), None);
        assert_eq!(Word::find(b"Message"), None);
    }

    #[test]
    fn constants_have_the_index_of_their_word() {
        for (word, text) in [
            (Word::NONE, "None"),
            (Word::DEREFERENCE, "dereference"),
            (Word::REFERENCE, "reference"),
            (Word::DICTIONARY, "dictionary"),
            (Word::LIST, "list"),
            (Word::TUPLE, "tuple"),
            (Word::UNPERSISTABLE, "unpersistable"),
            (Word::REMOTE, "remote"),
            (Word::LOCAL, "local"),
            (Word::VERSION, "version"),
            (Word::MESSAGE, "message"),
            (Word::ANSWER, "answer"),
            (Word::ERROR, "error"),
            (Word::DECREF, "decref"),
        ] {
            assert_eq!(word.text(), text);
        }
    }
}
