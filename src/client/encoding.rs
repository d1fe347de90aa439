//! Decodes arguments and files (`--encoding`).

/// An encoding of arguments and files.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Encoding {
    /// UTF-8; invalid bytes are replaced.
    #[default]
    Utf8,
    /// ISO 8859-1, where every byte is a character.
    Latin1,
    /// ASCII; other bytes are replaced.
    Ascii,
}

impl Encoding {
    /// The encoding that has this name in Python.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        let letters = name.chars().filter(char::is_ascii_alphanumeric);
        let name: String = letters.map(|c| c.to_ascii_lowercase()).collect();
        match name.as_str() {
            "utf8" | "u8" | "utf" => Some(Self::Utf8),
            "latin1" | "iso88591" | "l1" | "latin" | "88591" => Some(Self::Latin1),
            "ascii" | "usascii" | "646" => Some(Self::Ascii),
            _ => None,
        }
    }

    /// `bytes` as text. Like Buildbot's client, it replaces undecodable bytes by U+FFFD.
    pub(super) fn decode(self, bytes: &[u8]) -> String {
        match self {
            Self::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
            Self::Latin1 => bytes.iter().copied().map(char::from).collect(),
            Self::Ascii => bytes
                .iter()
                .map(|b| {
                    if b.is_ascii() {
                        char::from(*b)
                    } else {
                        char::REPLACEMENT_CHARACTER
                    }
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pythons_names_are_known() {
        for (name, encoding) in [
            ("utf8", Encoding::Utf8),
            ("UTF-8", Encoding::Utf8),
            ("latin-1", Encoding::Latin1),
            ("iso-8859-1", Encoding::Latin1),
            ("us-ascii", Encoding::Ascii),
        ] {
            assert_eq!(Encoding::from_name(name), Some(encoding), "{name}");
        }
        assert_eq!(Encoding::from_name("klingon"), None);
    }

    #[test]
    fn undecodable_bytes_are_replaced() {
        assert_eq!(Encoding::Utf8.decode(b"a\xc3\xa9\xff"), "aé\u{fffd}");
        assert_eq!(Encoding::Latin1.decode(b"a\xe9"), "aé");
        assert_eq!(Encoding::Ascii.decode(b"a\xe9"), "a\u{fffd}");
    }
}
