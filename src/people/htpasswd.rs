//! Password files of Apache, as Buildbot's `HTPasswdAuth` reads them (LGN-06).
//!
//! A line is `NAME:HASH`. The hashes are those that `htpasswd` writes: bcrypt (`-B`), SHA-crypt
//! (`-2`, `-5`), apr1 (`-m`) and SHA-1 (`-s`). Not DES crypt (`-d`), which ignores all after eight
//! characters of a password, and not passwords in clear (`-p`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use sha_crypt::{PasswordVerifier as _, ShaCrypt};
use sha1::Sha1;
use subtle::ConstantTimeEq as _;

/// Maximum size of a password file, in bytes: 4 MiB.
pub const LARGEST_HTPASSWD: u64 = 4 * 1024 * 1024;

/// The hash of `name` in the text of a password file; the first if there are several.
#[must_use]
pub fn hash_in<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let entries = text.lines().filter_map(|line| line.split_once(':'));
    let mut of_name = entries.filter(|(known, _)| *known == name);
    let (_, rest) = of_name.next()?;
    // More fields may follow, as in the files of Buildbot's users.
    rest.split(':').next().map(str::trim_end)
}

/// Whether `password` has this hash.
///
/// # Errors
/// The hash is of a kind that is not checked: a clause with the remedy.
pub fn has_hash(password: &[u8], hash: &str) -> Result<bool, &'static str> {
    if let Some(expected) = hash.strip_prefix("{SHA}") {
        let digest = STANDARD.encode(Sha1::digest(password));
        return Ok(is_same(&digest, expected));
    }
    let scheme = hash
        .strip_prefix('$')
        .and_then(|rest| rest.split('$').next());
    match scheme {
        Some("2a" | "2b" | "2x" | "2y") => {
            bcrypt::verify(password, hash).map_err(|_| "the bcrypt hash is damaged")
        }
        Some("5" | "6") => Ok(ShaCrypt::default().verify_password(password, hash).is_ok()),
        Some("apr1") => {
            let salt = hash.split('$').nth(2).unwrap_or_default();
            Ok(is_same(&apr1(password, salt.as_bytes()), hash))
        }
        _ => Err(
            "only bcrypt, SHA-crypt, apr1 and SHA-1 are checked; write it anew with \
                  `htpasswd -B`",
        ),
    }
}

fn is_same(given: &str, expected: &str) -> bool {
    bool::from(given.as_bytes().ct_eq(expected.as_bytes()))
}

/// The hash of Apache that is made of MD5: a thousand rounds over password and salt. No library
/// that is kept has it.
fn apr1(password: &[u8], salt: &[u8]) -> String {
    let salt = &salt[..salt.len().min(8)];
    let inner = Md5::new().chain_update(password).chain_update(salt);
    let inner = inner.chain_update(password).finalize();
    let mut outer = Md5::new().chain_update(password).chain_update("$apr1$");
    outer.update(salt);
    for from in (0..password.len()).step_by(inner.len()) {
        outer.update(&inner[..inner.len().min(password.len() - from)]);
    }
    let mut bits = password.len();
    while bits > 0 {
        match bits & 1 {
            1 => outer.update([0]),
            _ => outer.update(&password[..1]),
        }
        bits >>= 1;
    }
    let mut digest = outer.finalize();
    for round in 0..1000 {
        let (first, last) = match round % 2 {
            0 => (&digest[..], password),
            _ => (password, &digest[..]),
        };
        let mut next = Md5::new().chain_update(first);
        if round % 3 != 0 {
            next.update(salt);
        }
        if round % 7 != 0 {
            next.update(password);
        }
        next.update(last);
        digest = next.finalize();
    }
    let salt = String::from_utf8_lossy(salt);
    format!("$apr1${salt}${}", crypt_digits(&digest.into()))
}

/// The digits of a digest in the order of MD5-crypt: 22 of six bits each, the lowest first.
fn crypt_digits(digest: &[u8; 16]) -> String {
    const DIGITS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    const GROUPS: [[usize; 3]; 5] = [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5]];
    let groups = GROUPS.map(|group| {
        let bytes = group.map(|at| u32::from(digest[at]));
        (bytes[0] << 16 | bytes[1] << 8 | bytes[2], 4)
    });
    let last = (u32::from(digest[11]), 2);
    let mut text = String::new();
    for (bits, count) in groups.into_iter().chain([last]) {
        for digit in 0..count {
            text.push(char::from(DIGITS[(bits >> (6 * digit) & 63) as usize]));
        }
    }
    text
}

#[cfg(test)]
mod tests;
