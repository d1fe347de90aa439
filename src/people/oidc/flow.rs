//! One login at a provider, from the login page to the answer.
//!
//! The browser carries the flow in a cookie, so that nobody can fill the memory of the master with
//! logins that are never finished. State, nonce and verifier are made from the secret of the flow
//! with a key that only this master has: who reads one of them cannot make another.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::super::secrets::hmac;
use crate::model::Timestamp;

/// How long a person can take at the provider.
pub const PATIENCE: Duration = Duration::from_secs(600);

/// A login at a provider.
#[derive(Clone, Eq, PartialEq)]
pub struct Flow {
    /// 256 random bits.
    secret: [u8; 32],
    /// When the login began.
    begun_at: Timestamp,
    /// Whether the person wants to stay logged in.
    pub stays: bool,
    /// The address of the master to go on to.
    pub next: String,
}

impl Flow {
    /// A login that begins now.
    #[must_use]
    pub const fn new(random: [u8; 32], now: Timestamp, stays: bool, next: String) -> Self {
        Self {
            secret: random,
            begun_at: now,
            stays,
            next,
        }
    }

    /// The value of the cookie, sealed with the key of the master.
    #[must_use]
    pub fn cookie(&self, key: &[u8]) -> String {
        let Self {
            secret,
            begun_at,
            stays,
            next,
        } = self;
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (secret, next) = (encode(secret), encode(next.as_bytes()));
        let text = format!("{secret}.{}.{}.{next}", begun_at.0, u8::from(*stays));
        let seal = seal(key, &text);
        format!("{text}.{seal}")
    }

    /// The flow in a cookie; absent if the cookie was not made with this key, or is too old.
    #[must_use]
    pub fn of_cookie(cookie: &str, key: &[u8], now: Timestamp) -> Option<Self> {
        let (text, given) = cookie.rsplit_once('.')?;
        let expected = seal(key, text);
        if !bool::from(expected.as_bytes().ct_eq(given.as_bytes())) {
            return None;
        }
        let mut parts = text.split('.');
        let secret = URL_SAFE_NO_PAD.decode(parts.next()?).ok()?;
        let begun_at = Timestamp(parts.next()?.parse().ok()?);
        let stays = parts.next()? == "1";
        let next = String::from_utf8(URL_SAFE_NO_PAD.decode(parts.next()?).ok()?).ok()?;
        let flow = Self {
            secret: secret.try_into().ok()?,
            begun_at,
            stays,
            next,
        };
        (begun_at <= now && now < begun_at + PATIENCE).then_some(flow)
    }

    /// The value of `state`, which the provider sends back.
    #[must_use]
    pub fn state(&self, key: &[u8]) -> String {
        self.derived(key, "state")
    }

    /// Whether `state` is the one of this flow.
    #[must_use]
    pub fn is_state(&self, key: &[u8], state: &str) -> bool {
        bool::from(self.state(key).as_bytes().ct_eq(state.as_bytes()))
    }

    /// The value of `nonce`, which the provider puts into the ID token.
    #[must_use]
    pub fn nonce(&self, key: &[u8]) -> String {
        self.derived(key, "nonce")
    }

    /// The code verifier of PKCE, which only the master sends, when it fetches the token.
    #[must_use]
    pub fn verifier(&self, key: &[u8]) -> String {
        self.derived(key, "verifier")
    }

    /// The code challenge of PKCE, by the method `S256`.
    #[must_use]
    pub fn challenge(&self, key: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier(key).as_bytes()))
    }

    fn derived(&self, key: &[u8], what: &str) -> String {
        let text = [what.as_bytes(), b" ", &self.secret].concat();
        URL_SAFE_NO_PAD.encode(hmac(key, &text))
    }
}

impl fmt::Debug for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flow")
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

fn seal(key: &[u8], text: &str) -> String {
    URL_SAFE_NO_PAD.encode(hmac(key, format!("login {text}").as_bytes()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const KEY: &[u8] = b"key of the master";
    const NOW: Timestamp = Timestamp::from_secs(1_000_000);

    fn flow() -> Flow {
        Flow::new([7; 32], NOW, true, "/builders/a%2Fb?x=1.2".to_owned())
    }

    #[test]
    fn lgn_04_a_flow_survives_its_cookie_for_ten_minutes() {
        let cookie = flow().cookie(KEY);
        assert_eq!(Flow::of_cookie(&cookie, KEY, NOW).unwrap(), flow());
        let last = NOW + Duration::from_secs(599);
        assert!(Flow::of_cookie(&cookie, KEY, last).is_some());
        assert!(Flow::of_cookie(&cookie, KEY, NOW + PATIENCE).is_none());
    }

    #[test]
    fn lgn_04_a_cookie_that_was_changed_or_made_elsewhere_is_not_believed() {
        let cookie = flow().cookie(KEY);
        assert!(Flow::of_cookie(&cookie, b"another key", NOW).is_none());
        let stays = cookie.replacen(".1.", ".0.", 1);
        assert_ne!(stays, cookie);
        for changed in [stays.as_str(), "", ".", "a.b.c.d.e"] {
            assert!(Flow::of_cookie(changed, KEY, NOW).is_none(), "{changed}");
        }
    }

    #[test]
    fn lgn_04_state_nonce_and_verifier_are_different_and_belong_to_the_flow() {
        let (one, two) = (flow(), Flow::new([8; 32], NOW, true, "/".to_owned()));
        let all = [&one, &two].map(|f| [f.state(KEY), f.nonce(KEY), f.verifier(KEY)]);
        let mut all = all.concat();
        assert!(
            all.iter().all(|text| text.len() == 43),
            "RFC 7636: at least 43"
        );
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 6);
        assert!(one.is_state(KEY, &one.state(KEY)));
        assert!(!one.is_state(KEY, &two.state(KEY)));
        assert!(!one.is_state(KEY, ""));
        assert!(!format!("{one:?}").contains('7'));
    }

    #[test]
    fn lgn_04_the_challenge_is_sha_256_of_the_verifier() {
        let flow = flow();
        let hash = Sha256::digest(flow.verifier(KEY).as_bytes());
        assert_eq!(
            URL_SAFE_NO_PAD.decode(flow.challenge(KEY)).unwrap(),
            hash[..]
        );
    }
}
