//! Who sent a request (HKI-02): a signature over its body, or the secret itself in a header.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::{Dialect, Post};

/// Why a request is not believed. Senders are told no more than this.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unsigned {
    /// There is neither a signature nor a secret in it.
    #[error("the request has no signature")]
    Missing,
    /// What is there does not fit any of the secrets of the hook.
    #[error("the signature of the request is wrong")]
    Wrong,
}

/// How a header shows that the sender knows the secret.
#[derive(Clone, Copy, Debug)]
enum Proof {
    /// The secret itself.
    Itself,
    /// The password of a basic login, or a bearer token.
    Login,
    /// HMAC of the body in hexadecimal digits, after a prefix.
    Signed(Hash, &'static str),
}

#[derive(Clone, Copy, Debug)]
enum Hash {
    Md5,
    Sha1,
    Sha256,
}

/// The headers that the senders of a dialect set.
const fn proofs(dialect: Dialect) -> &'static [(&'static str, Proof)] {
    const LOGIN: (&str, Proof) = ("authorization", Proof::Login);
    const SHA256: Proof = Proof::Signed(Hash::Sha256, "sha256=");
    const SHA1: Proof = Proof::Signed(Hash::Sha1, "sha1=");
    const PLAIN: Proof = Proof::Signed(Hash::Sha256, "");
    match dialect {
        Dialect::Github => &[("x-hub-signature-256", SHA256), ("x-hub-signature", SHA1)],
        Dialect::Gitlab => &[("x-gitlab-token", Proof::Itself)],
        Dialect::Gitea | Dialect::Forgejo | Dialect::Gogs => &[
            ("x-forgejo-signature", PLAIN),
            ("x-gitea-signature", PLAIN),
            ("x-gogs-signature", PLAIN),
            ("x-hub-signature-256", SHA256),
            ("x-hub-signature", SHA1),
        ],
        Dialect::BitbucketCloud | Dialect::BitbucketServer => &[("x-hub-signature", SHA256)],
        Dialect::Googlecode => &[(
            "google-code-project-hosting-hook-hmac",
            Proof::Signed(Hash::Md5, ""),
        )],
        Dialect::Base | Dialect::Bitbucket | Dialect::Gitorious | Dialect::Poller => &[LOGIN],
    }
}

/// Checks that the sender knows one of the secrets, of which there are two while one is changed.
/// Where the sender proves it in several ways, each must be right: a good hash of SHA-1 does not
/// make up for a wrong one of SHA-256.
///
/// # Errors
/// The proof is missing or wrong.
pub fn check(dialect: Dialect, post: &Post, secrets: &[&str]) -> Result<(), Unsigned> {
    let given = proofs(dialect)
        .iter()
        .filter_map(|(header, proof)| Some((post.header(header)?, *proof)));
    let given: Vec<_> = given.collect();
    if given.is_empty() {
        return Err(Unsigned::Missing);
    }
    let fits = |secret: &&str| {
        let mut given = given.iter();
        given.all(|(value, proof)| proof.fits(value, secret, &post.body))
    };
    // Empty secrets are refused by the configuration; here they would let everybody in.
    let mut secrets = secrets.iter().filter(|secret| !secret.is_empty());
    match secrets.any(fits) {
        true => Ok(()),
        false => Err(Unsigned::Wrong),
    }
}

impl Proof {
    fn fits(self, value: &str, secret: &str, body: &[u8]) -> bool {
        match self {
            Self::Itself => is_same(value, secret),
            Self::Login => login(value).is_some_and(|password| is_same(&password, secret)),
            Self::Signed(hash, prefix) => {
                let digits = value.strip_prefix(prefix);
                digits.is_some_and(|digits| is_same(digits, &hash.of(secret, body)))
            }
        }
    }
}

fn is_same(a: &str, b: &str) -> bool {
    bool::from(a.as_bytes().ct_eq(b.as_bytes()))
}

/// The password of `Basic …` or the token of `Bearer …`.
fn login(value: &str) -> Option<String> {
    let (scheme, rest) = value.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
    let (_user, password) = decoded.split_once(':')?;
    Some(password.to_owned())
}

impl Hash {
    /// The HMAC in hexadecimal digits.
    fn of(self, secret: &str, body: &[u8]) -> String {
        match self {
            Self::Md5 => digits::<Hmac<Md5>>(secret, body),
            Self::Sha1 => digits::<Hmac<Sha1>>(secret, body),
            Self::Sha256 => digits::<Hmac<Sha256>>(secret, body),
        }
    }
}

fn digits<M: Mac + KeyInit>(secret: &str, body: &[u8]) -> String {
    let mac = <M as KeyInit>::new_from_slice(secret.as_bytes());
    let mut mac = mac.expect("an HMAC takes keys of all lengths");
    mac.update(body);
    let bytes = mac.finalize().into_bytes();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
