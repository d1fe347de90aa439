//! Secrets of people: tokens, sessions, and the marks in forms that belong to a session (LGN-02,
//! LGN-05).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::model::Timestamp;
use crate::pb::hashed::{Hashed, Recipe};

/// What every token begins with.
pub const TOKEN_PREFIX: &str = "bmt_";

/// How long sessions last.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lasting {
    /// Time from the last use of a session to its end.
    pub idle: Duration,
    /// Time from the login to the end of a session, however much it is used.
    pub longest: Duration,
}

impl Lasting {
    /// Of somebody who wants to stay logged in: 7 days without use, 30 days at most.
    pub const STAYING: Self = Self {
        idle: Duration::from_secs(7 * DAY_SECS),
        longest: Duration::from_secs(30 * DAY_SECS),
    };

    /// Of anybody else: 12 hours without use, 7 days at most.
    pub const USUAL: Self = Self {
        idle: Duration::from_secs(DAY_SECS / 2),
        longest: Duration::from_secs(7 * DAY_SECS),
    };

    /// That of a session which began and ends at these times.
    #[must_use]
    pub fn between(begun_at: Timestamp, ends_at: Timestamp) -> Self {
        match ends_at.since(begun_at) > Self::USUAL.longest {
            true => Self::STAYING,
            false => Self::USUAL,
        }
    }
}

/// How long a token is good if nothing else is said: 90 days.
pub const TOKEN_DAYS: u64 = 90;

/// How long a token can be good at most: a year.
pub const LONGEST_TOKEN_DAYS: u64 = 365;

const DAY_SECS: u64 = 86_400;

/// The token, or the secret of a session, of 256 random bits.
#[must_use]
pub fn secret(prefix: &str, random: [u8; 32]) -> String {
    format!("{prefix}{}", URL_SAFE_NO_PAD.encode(random))
}

/// SHA-256 of a secret, in hexadecimal digits: what is stored of a secret of 256 random bits.
#[must_use]
pub fn hash_of(secret: &str) -> String {
    hexadecimal(&Sha256::digest(secret.as_bytes()))
}

/// Whether a session that began, was last used and ends at these times is good at `now`.
#[must_use]
pub fn is_good(
    begun_at: Timestamp,
    used_at: Timestamp,
    ends_at: Timestamp,
    now: Timestamp,
) -> bool {
    let Lasting { idle, .. } = Lasting::between(begun_at, ends_at);
    now < ends_at && now < used_at + idle
}

/// Whether `password` is the one that is `known`, as a hash or in clear. A person without a
/// password, or nobody, takes as long as others. This takes a fraction of a second and 19 MiB.
#[must_use]
pub fn is_password(known: Option<&[u8]>, password: &[u8]) -> bool {
    let hashed = known.filter(|known| Hashed::looks_like(known));
    let hashed = hashed.and_then(|known| Hashed::parse(std::str::from_utf8(known).ok()?).ok());
    let (expected, given) = match (hashed, known) {
        (Some(hashed), _) => {
            let given = hashed.recipe().hash(password);
            (hashed.text().to_owned(), given.text().to_owned())
        }
        (None, known) => {
            drop(Recipe::of_login([0; 16]).hash(password));
            let digest = |text: &[u8]| hexadecimal(&Sha256::digest(text));
            let expected = known.filter(|known| !Hashed::looks_like(known));
            (expected.map_or_else(String::new, digest), digest(password))
        }
    };
    bool::from(expected.as_bytes().ct_eq(given.as_bytes()))
}

/// The mark of all forms of a session on the day of `now`: an HMAC of the session and the day.
#[must_use]
pub fn csrf(session: &str, now: Timestamp) -> String {
    csrf_of_day(session, day(now))
}

/// Whether `mark` is that of the session today or yesterday, so that a form that was opened before
/// midnight is good after it.
#[must_use]
pub fn is_csrf(session: &str, mark: &str, now: Timestamp) -> bool {
    let today = day(now);
    [today, today - 1].into_iter().any(|day| {
        let expected = csrf_of_day(session, day);
        bool::from(expected.as_bytes().ct_eq(mark.as_bytes()))
    })
}

fn day(at: Timestamp) -> i64 {
    at.0.div_euclid(1_000_000 * DAY_SECS.cast_signed())
}

fn csrf_of_day(session: &str, day: i64) -> String {
    hexadecimal(&hmac(session.as_bytes(), format!("csrf {day}").as_bytes()))
}

/// HMAC-SHA-256 (RFC 2104).
pub(super) fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut block = [0; BLOCK_BYTES];
    let short: [u8; 32] = Sha256::digest(key).into();
    let key = if key.len() > BLOCK_BYTES {
        &short[..]
    } else {
        key
    };
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    let mut inner = Sha256::new();
    inner.update(block.map(|byte| byte ^ 0x36));
    inner.update(text);
    let mut outer = Sha256::new();
    outer.update(block.map(|byte| byte ^ 0x5c));
    outer.update(inner.finalize());
    outer.finalize().into()
}

/// The block of SHA-256 in bytes.
const BLOCK_BYTES: usize = 64;

fn hexadecimal(bytes: &[u8]) -> String {
    let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
    digits.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(DAY_SECS);

    #[test]
    fn lgn_02_a_token_has_256_bits_and_is_stored_as_sha_256() {
        let token = secret(TOKEN_PREFIX, [0xff; 32]);
        assert_eq!(token, format!("bmt_{}8", "_".repeat(42)));
        assert_eq!(
            hash_of("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn hmac_is_that_of_rfc_4231() {
        assert_eq!(
            hexadecimal(&hmac(b"Jefe", b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        let text = b"Test Using Larger Than Block-Size Key - Hash Key First";
        assert_eq!(
            hexadecimal(&hmac(&[0xaa; 131], text)),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    #[test]
    fn lgn_05_a_session_ends_when_it_is_idle_or_old() {
        let begun = Timestamp::from_secs_f64(1e9);
        let ends = begun + Lasting::STAYING.longest;
        assert!(is_good(begun, begun, ends, begun + DAY * 6));
        assert!(!is_good(begun, begun, ends, begun + DAY * 7));
        assert!(is_good(begun, begun + DAY * 6, ends, begun + DAY * 12));
        assert!(!is_good(begun, begun + DAY * 29, ends, begun + DAY * 30));
        let ends = begun + Lasting::USUAL.longest;
        assert!(is_good(
            begun,
            begun + DAY * 6,
            ends,
            begun + DAY * 6 + DAY / 3
        ));
        assert!(!is_good(begun, begun, ends, begun + DAY / 2));
        assert!(!is_good(begun, begun + DAY * 7, ends, begun + DAY * 7));
    }

    #[test]
    fn lgn_01_a_password_is_compared_with_a_hash_or_with_itself() {
        let hash = Recipe::of_login([7; 16]).hash(b"open sesame");
        let hash = hash.text().as_bytes();
        assert!(is_password(Some(hash), b"open sesame"));
        assert!(!is_password(Some(hash), hash), "the hash is not a password");
        assert!(!is_password(Some(hash), b"close"));
        assert!(is_password(Some(b"plain"), b"plain"));
        assert!(!is_password(Some(b"plain"), b"plai"));
        assert!(!is_password(None, b""), "nobody has an empty password");
        assert!(!is_password(Some(b"$argon2i$broken"), b"$argon2i$broken"));
    }

    #[test]
    fn lgn_05_a_form_belongs_to_its_session_and_to_two_days() {
        let now = Timestamp::from_secs_f64(1e9);
        let mark = csrf("session", now);
        assert_eq!(mark.len(), 64);
        assert!(is_csrf("session", &mark, now));
        assert!(is_csrf("session", &mark, now + DAY));
        assert!(!is_csrf("session", &mark, now + DAY * 2));
        assert!(!is_csrf("other", &mark, now));
        assert!(!is_csrf("session", "", now));
    }
}
