//! Hiding secrets in what others read (LOG-06). Pure.
//!
//! A secret is found as it is, and as programs print it: each line of one with several lines, and
//! spelled for an address, for JSON or for Python. In a stream it is also found across the borders
//! of the pieces in which the stream comes.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::Value;

/// Shorter texts are not hidden: they are in every output.
const SHORTEST: usize = 3;

/// Lines of a secret with several lines are hidden from this length on, so that a bracket is not.
const SHORTEST_LINE: usize = 6;

/// The secrets of a build that are known so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Masks {
    patterns: Vec<Pattern>,
    /// Whether a pattern begins with this byte.
    begins: Vec<bool>,
}

#[derive(Clone)]
struct Pattern {
    hidden: Vec<u8>,
}

impl std::fmt::Debug for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// What is put in place of a secret.
const SHOWN: &str = "XXXXXX";

/// What there is at a place of a stream.
enum Found {
    /// A secret of this number of bytes.
    Secret(usize),
    /// What may become a secret with what follows.
    Beginning,
    /// Nothing.
    Nothing,
}

impl Masks {
    /// Hides `secret` from now on.
    pub(super) fn hide(&mut self, secret: &str) {
        self.add(secret.trim(), SHORTEST);
        for line in secret.lines() {
            self.add(line.trim(), SHORTEST_LINE);
        }
        // The longest one counts where several fit.
        let longest_first = |p: &Pattern| std::cmp::Reverse(p.hidden.len());
        self.patterns.sort_by_key(longest_first);
        self.begins = vec![false; 256];
        for pattern in &self.patterns {
            if let Some(first) = pattern.hidden.first() {
                self.begins[usize::from(*first)] = true;
            }
        }
    }

    fn add(&mut self, secret: &str, shortest: usize) {
        if secret.len() < shortest {
            return;
        }
        for hidden in [
            secret.to_owned(),
            for_address(secret),
            for_json(secret),
            for_python(secret),
        ] {
            let hidden = hidden.into_bytes();
            if !self.patterns.iter().any(|known| known.hidden == hidden) {
                self.patterns.push(Pattern { hidden });
            }
        }
    }

    /// Whether there is nothing to hide.
    pub(super) const fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// `text` without the secrets.
    pub(super) fn masked<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.is_empty() || self.next(text.as_bytes(), 0, true).is_none() {
            return Cow::Borrowed(text);
        }
        let mut stream = Stream::default();
        let mut bytes = stream
            .feed(self, Bytes::copy_from_slice(text.as_bytes()))
            .to_vec();
        bytes.extend_from_slice(&stream.end(self));
        Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Replaces `text` by what may be seen of it.
    pub(super) fn mask(&self, text: &mut String) {
        if let Cow::Owned(masked) = self.masked(text) {
            *text = masked;
        }
    }

    /// Replaces each text in `value` by what may be seen of it.
    pub(super) fn mask_value(&self, value: &mut Value) {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
            Value::String(text) => self.mask(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.mask_value(item)),
            Value::Object(pairs) => {
                let masked = std::mem::take(pairs)
                    .into_iter()
                    .map(|(mut key, mut value)| {
                        self.mask(&mut key);
                        self.mask_value(&mut value);
                        (key, value)
                    });
                *pairs = masked.collect();
            }
        }
    }

    /// The next place from `from` on where there is a secret, or may be one.
    fn next(&self, bytes: &[u8], from: usize, is_end: bool) -> Option<(usize, Found)> {
        let mut at = from;
        loop {
            let rest = bytes.get(at..)?;
            let begins = |byte: &u8| self.begins.get(usize::from(*byte)) == Some(&true);
            at += rest.iter().position(begins)?;
            match self.at(bytes.get(at..)?, is_end) {
                Found::Nothing => at += 1,
                found @ (Found::Secret(_) | Found::Beginning) => return Some((at, found)),
            }
        }
    }

    fn at(&self, bytes: &[u8], is_end: bool) -> Found {
        for Pattern { hidden } in &self.patterns {
            if bytes.starts_with(hidden) {
                return Found::Secret(hidden.len());
            }
            // A longer one may still come; patterns are in the order of their length.
            if !is_end && hidden.starts_with(bytes) {
                return Found::Beginning;
            }
        }
        Found::Nothing
    }
}

/// One stream of bytes, from which secrets are taken. It keeps back what may be the beginning of a
/// secret: less than the longest secret.
#[derive(Debug, Default)]
pub(super) struct Stream {
    kept: Vec<u8>,
}

impl Stream {
    /// What may be seen of `data`, and of what was kept back before.
    pub(super) fn feed(&mut self, masks: &Masks, data: Bytes) -> Bytes {
        if self.kept.is_empty() && (masks.is_empty() || masks.next(&data, 0, false).is_none()) {
            return data;
        }
        let mut bytes = std::mem::take(&mut self.kept);
        bytes.extend_from_slice(&data);
        self.pass(masks, bytes, false)
    }

    /// What was kept back, when nothing follows.
    pub(super) fn end(&mut self, masks: &Masks) -> Bytes {
        let bytes = std::mem::take(&mut self.kept);
        self.pass(masks, bytes, true)
    }

    fn pass(&mut self, masks: &Masks, bytes: Vec<u8>, is_end: bool) -> Bytes {
        let mut seen = Vec::with_capacity(bytes.len());
        let mut from = 0;
        while let Some((at, found)) = masks.next(&bytes, from, is_end) {
            seen.extend_from_slice(bytes.get(from..at).unwrap_or_default());
            match found {
                Found::Secret(length) => {
                    seen.extend_from_slice(SHOWN.as_bytes());
                    from = at + length;
                }
                Found::Beginning | Found::Nothing => {
                    self.kept = bytes.get(at..).unwrap_or_default().to_vec();
                    return seen.into();
                }
            }
        }
        seen.extend_from_slice(bytes.get(from..).unwrap_or_default());
        seen.into()
    }
}

/// As in an address: `%2F` for `/`.
fn for_address(text: &str) -> String {
    let mut spelled = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                spelled.push(char::from(byte));
            }
            _ => spelled.push_str(&format!("%{byte:02X}")),
        }
    }
    spelled
}

/// As in JSON, without the quotes.
fn for_json(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    let inside = quoted.strip_prefix('"').and_then(|q| q.strip_suffix('"'));
    inside.unwrap_or_default().to_owned()
}

/// As Python 2 shows it in quotes.
fn for_python(text: &str) -> String {
    let mut spelled = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'\\' => spelled.push_str("\\\\"),
            b'\'' if text.contains('"') => spelled.push_str("\\'"),
            b'\n' => spelled.push_str("\\n"),
            b'\r' => spelled.push_str("\\r"),
            b'\t' => spelled.push_str("\\t"),
            b' '..=b'~' => spelled.push(char::from(byte)),
            _ => spelled.push_str(&format!("\\x{byte:02x}")),
        }
    }
    spelled
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn masks(secrets: &[&str]) -> Masks {
        let mut masks = Masks::default();
        for secret in secrets {
            masks.hide(secret);
        }
        masks
    }

    fn streamed(masks: &Masks, pieces: &[&[u8]]) -> String {
        let mut stream = Stream::default();
        let mut seen = Vec::new();
        for piece in pieces {
            seen.extend_from_slice(&stream.feed(masks, Bytes::copy_from_slice(piece)));
            assert!(stream.kept.len() < 100);
        }
        seen.extend_from_slice(&stream.end(masks));
        String::from_utf8(seen).unwrap()
    }

    #[test]
    fn a_secret_is_hidden_in_texts_and_values() {
        let masks = masks(&["s3cret", "a \"b\"\\/c"]);
        assert_eq!(masks.masked("no secrt here"), "no secrt here");
        assert_eq!(masks.masked("xs3crets3crety s3cre"), "xXXXXXXXXXXXXy s3cre");
        assert_eq!(
            masks.masked(r#"{"a": "a \"b\"\\/c"}"#),
            r#"{"a": "XXXXXX"}"#
        );
        assert_eq!(
            masks.masked("http://u:a%20%22b%22%5C%2Fc@h"),
            "http://u:XXXXXX@h"
        );
        assert_eq!(masks.masked(r#"['a "b"\\/c']"#), "['XXXXXX']");
        let mut value = json!({"s3cret": ["s3cret", 1, null], "k": {"x": "-s3cret-"}});
        masks.mask_value(&mut value);
        assert_eq!(
            value,
            json!({"XXXXXX": ["XXXXXX", 1, null], "k": {"x": "-XXXXXX-"}})
        );
    }

    #[test]
    fn lines_of_a_long_secret_are_hidden_and_its_brackets_are_not() {
        let key = "-----BEGIN KEY-----\nMIIabcdefgh\n}\n-----END KEY-----\n";
        let masks = masks(&[key]);
        assert_eq!(masks.masked(&format!("<{}>", key.trim())), "<XXXXXX>");
        assert_eq!(masks.masked("MIIabcdefgh }"), "XXXXXX }");
    }

    #[test]
    fn the_longest_secret_counts_and_short_ones_are_none() {
        let masks = masks(&["token", "token-of-two", "ab"]);
        assert_eq!(masks.masked("token-of-two token ab"), "XXXXXX XXXXXX ab");
        assert_eq!(streamed(&masks, &[b"token", b"-of-x"]), "XXXXXX-of-x");
        assert_eq!(streamed(&masks, &[b"token", b"-of-two"]), "XXXXXX");
    }

    #[test]
    fn what_cannot_be_a_secret_is_not_kept_back() {
        let masks = masks(&["s3cret"]);
        let mut stream = Stream::default();
        let seen = stream.feed(&masks, Bytes::from_static(b"a line\nand s"));
        assert_eq!(seen, "a line\nand ");
        assert_eq!(stream.feed(&masks, Bytes::from_static(b"ome")), "some");
    }

    proptest! {
        /// However a stream is cut, it looks the same, and has no secret.
        #[test]
        fn a_stream_is_masked_wherever_it_is_cut(
            text in "[abc]{0,40}",
            cuts in proptest::collection::vec(0_usize..40, 0..6),
        ) {
            let masks = masks(&["abca", "bcb", "abcabc", "ccc"]);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(text.len())).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut rest = text.as_bytes();
            let mut at = 0;
            for cut in cuts {
                let (piece, after) = rest.split_at(cut - at);
                pieces.push(piece);
                rest = after;
                at = cut;
            }
            pieces.push(rest);
            let seen = streamed(&masks, &pieces);
            prop_assert_eq!(&seen, &streamed(&masks, &[text.as_bytes()]));
            for secret in ["abca", "bcb", "abcabc", "ccc"] {
                prop_assert!(!seen.contains(secret));
            }
        }
    }
}
