//! Texts from outside that may not be UTF-8.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

/// The encoding of texts that are not UTF-8 (INT-08).
///
/// A text that is valid UTF-8 is read as UTF-8 in any case. Bytes that neither encoding has are
/// replaced; no text is rejected.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Encoding(&'static encoding_rs::Encoding);

impl Encoding {
    /// The encoding with this name, such as `latin-1`, `cp1252` or `Shift_JIS`: the names of the
    /// web, and the spellings of Python.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let plain: String = name.chars().filter(|c| !matches!(c, '-' | '_')).collect();
        let dashed = name.replace('_', "-");
        [name, &dashed, &plain]
            .into_iter()
            .find_map(|label| encoding_rs::Encoding::for_label(label.as_bytes()))
            .map(Self)
    }

    /// Its usual name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// The text in `bytes`.
    #[must_use]
    pub fn decode(self, bytes: &[u8]) -> Cow<'_, str> {
        match str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => self.0.decode_without_bom_handling(bytes).0,
        }
    }
}

impl Default for Encoding {
    fn default() -> Self {
        Self(encoding_rs::UTF_8)
    }
}

impl Serialize for Encoding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn int_08_text_is_utf_8_and_other_bytes_are_of_the_encoding() {
        let latin = Encoding::named("latin-1").unwrap();
        assert_eq!(latin.decode("für".as_bytes()), "für");
        assert_eq!(latin.decode(b"f\xfcr"), "für");
        assert_eq!(Encoding::default().decode(b"f\xfcr"), "f\u{fffd}r");
        let japanese = Encoding::named("Shift_JIS").unwrap();
        assert_eq!(japanese.decode(b"\x93\xfa\x96\x7b"), "日本");
        assert_eq!(japanese.decode(b"\xff"), "\u{fffd}");
    }

    #[test]
    fn encodings_have_the_names_of_python_too() {
        for (name, encoding) in [
            ("utf8", "UTF-8"),
            ("UTF-8", "UTF-8"),
            ("iso-8859-1", "windows-1252"),
            ("latin_1", "windows-1252"),
            ("cp1252", "windows-1252"),
            ("euc_jp", "EUC-JP"),
            ("koi8_r", "KOI8-R"),
        ] {
            assert_eq!(Encoding::named(name).map(Encoding::name), Some(encoding));
        }
        assert_eq!(Encoding::named("klingon"), None);
    }
}
