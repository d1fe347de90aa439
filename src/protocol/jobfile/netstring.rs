//! Netstrings: `LENGTH:BYTES,`, one after the other.

use super::{BadJobfile, bad, shown};

/// The netstrings of a file that have not been read yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Netstrings<'f> {
    rest: &'f [u8],
}

impl<'f> Netstrings<'f> {
    pub(super) const fn new(file: &'f [u8]) -> Self {
        Self { rest: file }
    }

    /// Whether all have been read.
    pub(super) const fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next one, which is called `what`.
    ///
    /// # Errors
    /// There is none, or only the beginning of one (SB-08), or something else (TJD-09).
    pub(super) fn require(&mut self, what: &str) -> Result<&'f [u8], BadJobfile> {
        if self.rest.is_empty() {
            return bad(format!("the file ends before the {what}"));
        }
        let digits = self.rest.iter().take_while(|b| b.is_ascii_digit()).count();
        let (length, after) = self.rest.split_at(digits);
        let (length, after) = match (length, after) {
            ([_, ..], []) => return unfinished(what),
            ([b'0', _, ..], _) => {
                let length = shown(length);
                return bad(format!("the length {length} of the {what} begins with 0"));
            }
            ([_, ..], [b':', after @ ..]) => (length, after),
            _ => {
                let found = shown(self.rest);
                return bad(format!("no netstring where the {what} should be: {found}"));
            }
        };
        // A length that no memory can hold is longer than what is there.
        let length = super::decimal(length).and_then(|length| usize::try_from(length).ok());
        let Some((bytes, after)) = length.and_then(|length| after.split_at_checked(length)) else {
            return unfinished(what);
        };
        match after {
            [b',', rest @ ..] => {
                self.rest = rest;
                Ok(bytes)
            }
            [] => unfinished(what),
            _ => bad(format!("no comma behind the {what}, but {}", shown(after))),
        }
    }
}

/// Adds a netstring to `file`.
pub(super) fn push(file: &mut Vec<u8>, bytes: &[u8]) {
    file.extend_from_slice(bytes.len().to_string().as_bytes());
    file.push(b':');
    file.extend_from_slice(bytes);
    file.push(b',');
}

fn unfinished<T>(what: &str) -> Result<T, BadJobfile> {
    bad(format!("the file ends within the {what}"))
}
