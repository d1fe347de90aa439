//! Passwords that a server stores as argon2id hashes, and the challenge with which a client can log
//! in with such a hash (TUP-02).
//!
//! The login of Perspective Broker proves that both sides know the same bytes (PROTOCOL section 7).
//! A server with only a hash can check knowledge of the hash, not of the password. So the
//! challenge, which may be any byte string, contains the recipe of the hash:
//! `$argon2id$v=19$m=M,t=T,p=P$SALT$` and 32 random hexadecimal digits. A client that knows this
//! format hashes its password and uses the text of the hash as the password. Buildbot's own clients
//! do not know the format and respond with the password, which works only if the server stores the
//! plain password.
//!
//! Invariants: the work that a challenge demands of a client is limited. Users with a hash, users
//! without a hash and unknown users get challenges of the same format, each user always with the
//! same salt.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use blake2::{Blake2b512, Digest};
use bytes::Bytes;

/// Maximum memory for hashing, in KiB: 256 MiB.
pub const MAX_MEMORY_KIB: u32 = 256 * 1024;
/// Maximum number of passes over the memory.
pub const MAX_PASSES: u32 = 16;
/// Maximum number of lanes.
pub const MAX_LANES: u32 = 16;
/// Range of the length of a salt, in bytes.
pub const SALT_BYTES: std::ops::RangeInclusive<usize> = 8..=48;
/// Length of a hash, in bytes.
pub const HASH_BYTES: usize = 32;

/// The parameters and the salt of a hash.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Recipe {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: Vec<u8>,
}

/// A hash in text form, as clients compute it.
#[derive(Clone, Eq, PartialEq)]
pub struct Hashed {
    recipe: Recipe,
    text: String,
}

/// Why a string is not a usable hash.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadHash {
    /// Another kind of hash, or broken.
    #[error(
        "it is not of the form $argon2id$v=19$m=…,t=…,p=…$SALT$HASH with {HASH_BYTES} bytes of hash"
    )]
    Form,
    /// The hash needs more work than clients do.
    #[error(
        "it takes more than {} MiB of memory, {MAX_PASSES} passes or {MAX_LANES} lanes",
        MAX_MEMORY_KIB / 1024
    )]
    Cost,
}

impl Recipe {
    /// The recommended recipe, with a random salt.
    #[must_use]
    pub fn new(salt: [u8; 16]) -> Self {
        Self {
            memory_kib: 64 * 1024,
            passes: 3,
            lanes: 1,
            salt: salt.to_vec(),
        }
    }

    /// The recipe for passwords that users send to the master when they log in, with a random
    /// salt: 19 MiB and 2 passes (LGN-01).
    #[must_use]
    pub fn of_login(salt: [u8; 16]) -> Self {
        Self {
            memory_kib: 19 * 1024,
            passes: 2,
            lanes: 1,
            salt: salt.to_vec(),
        }
    }

    /// Hashes `password`. This takes a fraction of a second and the recipe's memory.
    #[must_use]
    pub fn hash(&self, password: &[u8]) -> Hashed {
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(HASH_BYTES));
        let params = params.expect("recipes are checked when they are made");
        let mut hash = [0; HASH_BYTES];
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(password, &self.salt, &mut hash)
            .expect("recipes are checked when they are made");
        let text = format!("{self}${}", STANDARD_NO_PAD.encode(hash));
        let recipe = self.clone();
        Hashed { recipe, text }
    }

    /// The challenge for users with a hash of this recipe.
    #[must_use]
    pub fn challenge(&self, random: [u8; 16]) -> Bytes {
        format!("{self}${:032x}", u128::from_be_bytes(random)).into()
    }

    /// The recipe in a challenge; absent if the challenge is an ordinary challenge or demands too
    /// much work.
    #[must_use]
    pub fn of_challenge(challenge: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(challenge).ok()?;
        let (recipe, random) = Self::split(text).ok()?;
        let is_hex = random.len() == 32 && random.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hex.then_some(recipe)
    }

    /// Parses the recipe at the beginning of `text`. Also returns the rest after the next `$`.
    fn split(text: &str) -> Result<(Self, &str), BadHash> {
        let fields: Vec<&str> = text.split('$').collect();
        let ["", "argon2id", "v=19", costs, salt, rest] = fields.as_slice() else {
            return Err(BadHash::Form);
        };
        let costs: Vec<&str> = costs.split(',').collect();
        let [memory, passes, lanes] = costs.as_slice() else {
            return Err(BadHash::Form);
        };
        let number = |text: &str, name| -> Result<u32, BadHash> {
            let number = text.strip_prefix(name).and_then(|n| n.parse().ok());
            number.ok_or(BadHash::Form)
        };
        let salt = STANDARD_NO_PAD.decode(salt);
        let recipe = Self {
            memory_kib: number(memory, "m=")?,
            passes: number(passes, "t=")?,
            lanes: number(lanes, "p=")?,
            salt: salt.map_err(|_| BadHash::Form)?,
        };
        if recipe.memory_kib > MAX_MEMORY_KIB
            || recipe.passes > MAX_PASSES
            || recipe.lanes > MAX_LANES
        {
            return Err(BadHash::Cost);
        }
        let least_memory = recipe.lanes.saturating_mul(8);
        let is_sound = recipe.passes > 0
            && recipe.lanes > 0
            && recipe.memory_kib >= least_memory
            && SALT_BYTES.contains(&recipe.salt.len())
            // Both sides must write the same text.
            && text.strip_prefix(&recipe.to_string()).is_some();
        match is_sound {
            true => Ok((recipe, rest)),
            false => Err(BadHash::Form),
        }
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            memory_kib,
            passes,
            lanes,
            salt,
        } = self;
        let salt = STANDARD_NO_PAD.encode(salt);
        write!(
            f,
            "$argon2id$v=19$m={memory_kib},t={passes},p={lanes}${salt}"
        )
    }
}

impl Hashed {
    /// Whether a password begins like a hash, which a plain password must not.
    #[must_use]
    pub fn looks_like(password: &[u8]) -> bool {
        password.starts_with(b"$argon2")
    }

    /// Parses the text form.
    ///
    /// # Errors
    /// The text is not a hash, or clients would not compute the hash.
    pub fn parse(text: &str) -> Result<Self, BadHash> {
        let (recipe, hash) = Recipe::split(text)?;
        match STANDARD_NO_PAD.decode(hash) {
            Ok(hash) if hash.len() == HASH_BYTES => {
                let text = text.to_owned();
                Ok(Self { recipe, text })
            }
            Ok(_) | Err(_) => Err(BadHash::Form),
        }
    }

    /// The text form, as secret as a password.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The recipe of this hash.
    #[must_use]
    pub const fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// A recipe like this hash's for `user`, who has no hash. Nobody can tell the difference
    /// without knowing this hash.
    #[must_use]
    pub fn decoy(&self, user: &[u8]) -> Recipe {
        let digest = Blake2b512::new()
            .chain_update(b"decoy for a user without a hash\0")
            .chain_update(&self.text)
            .chain_update(b"\0")
            .chain_update(user)
            .finalize();
        let salt = digest.iter().copied().take(self.recipe.salt.len());
        Recipe {
            salt: salt.collect(),
            ..self.recipe.clone()
        }
    }
}

impl fmt::Debug for Hashed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hashed(…)")
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const SALT: &str = "c29tZXNhbHQ";

    /// Small enough for tests.
    fn recipe() -> Recipe {
        Recipe {
            memory_kib: 8,
            passes: 1,
            lanes: 1,
            salt: b"somesalt".to_vec(),
        }
    }

    fn parse(costs: &str, salt: &str, hash_bytes: usize) -> Result<Hashed, BadHash> {
        let hash = STANDARD_NO_PAD.encode(vec![7; hash_bytes]);
        Hashed::parse(&format!("$argon2id$v=19${costs}${salt}${hash}"))
    }

    #[test]
    fn a_known_hash_comes_out() {
        // From the reference implementation's own tests.
        let recipe = Recipe {
            memory_kib: 65_536,
            passes: 2,
            ..recipe()
        };
        assert_eq!(
            recipe.hash(b"password").text(),
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
        );
    }

    #[test]
    fn a_hash_is_read_as_it_is_written() {
        let hashed = recipe().hash(b"pw");
        assert_eq!(Hashed::parse(hashed.text()).unwrap(), hashed);
        assert_eq!(hashed.recipe(), &recipe());
        assert!(Hashed::looks_like(hashed.text().as_bytes()));
        assert_ne!(hashed, recipe().hash(b"Pw"));
        assert!(!format!("{hashed:?}").contains("argon2"));
    }

    #[test]
    fn a_challenge_tells_how_the_hash_is_made() {
        let challenge = recipe().challenge([1; 16]);
        assert_eq!(
            challenge,
            format!("$argon2id$v=19$m=8,t=1,p=1${SALT}${}", "01".repeat(16))
        );
        assert_eq!(Recipe::of_challenge(&challenge), Some(recipe()));
        assert_eq!(Recipe::of_challenge(b"0123456789abcdef"), None);
        assert_eq!(Recipe::of_challenge(&[0xff; 16]), None);
        let hash = recipe().hash(b"pw");
        assert_eq!(Recipe::of_challenge(hash.text().as_bytes()), None);
    }

    #[test]
    fn what_a_hash_may_cost_is_limited() {
        for (within, beyond) in [
            ("m=262144,t=1,p=1", "m=262145,t=1,p=1"),
            ("m=8,t=16,p=1", "m=8,t=17,p=1"),
            ("m=128,t=1,p=16", "m=136,t=1,p=17"),
        ] {
            assert!(parse(within, SALT, HASH_BYTES).is_ok(), "{within}");
            assert_eq!(parse(beyond, SALT, HASH_BYTES), Err(BadHash::Cost));
        }
        for (costs, salt, hash) in [
            ("m=7,t=1,p=1", SALT, HASH_BYTES),
            ("m=8,t=0,p=1", SALT, HASH_BYTES),
            ("m=8,t=1,p=0", SALT, HASH_BYTES),
            ("m=08,t=1,p=1", SALT, HASH_BYTES),
            ("m=8,t=1", SALT, HASH_BYTES),
            ("t=1,m=8,p=1", SALT, HASH_BYTES),
            ("m=8,t=1,p=1", "c29tZXNhbA", HASH_BYTES),
            ("m=8,t=1,p=1", "c29tZXNhbHQ=", HASH_BYTES),
            ("m=8,t=1,p=1", SALT, HASH_BYTES - 1),
            ("m=8,t=1,p=1", SALT, HASH_BYTES + 1),
        ] {
            assert_eq!(parse(costs, salt, hash), Err(BadHash::Form), "{costs}");
        }
        let salt = |bytes: usize| STANDARD_NO_PAD.encode(vec![0; bytes]);
        assert!(parse("m=8,t=1,p=1", &salt(48), HASH_BYTES).is_ok());
        assert!(parse("m=8,t=1,p=1", &salt(49), HASH_BYTES).is_err());
    }

    #[test]
    fn tup_02_a_decoy_looks_like_a_hash_of_its_own_and_stays() {
        let hashed = recipe().hash(b"pw");
        let decoy = hashed.decoy(b"nobody");
        assert_eq!(decoy, hashed.decoy(b"nobody"));
        assert_ne!(decoy, hashed.decoy(b"somebody"));
        assert_ne!(decoy, recipe().hash(b"other").decoy(b"nobody"));
        assert_eq!(decoy.salt.len(), recipe().salt.len());
        let random = [0; 16];
        assert_eq!(
            decoy.challenge(random).len(),
            recipe().challenge(random).len()
        );
    }
}
