//! Links of mails that do one thing for one person (MAL-11).
//!
//! A link says for whom, for which problems, what, and until when, and is signed by the master. It
//! allows nothing else. Whoever has the link can use it, as whoever has the mail can.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq as _;

use super::secrets::hmac;
use crate::model::{ProblemNumber, RemarkKind, Timestamp};

/// Longest text of a link, in bytes. What would be longer has no link.
const LONGEST_LINK: usize = 800;

/// Bytes of a signature.
const SIGNATURE: usize = 32;

/// What a link does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OneClick {
    /// For whom.
    pub person: String,
    /// What is said of the problems: a claim, a mute, or that they are not theirs.
    pub kind: RemarkKind,
    /// The problems.
    pub problems: Vec<ProblemNumber>,
    /// Until when the link is good.
    pub until: Timestamp,
}

/// Why a link does nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoLink {
    /// The master has not made it.
    #[error("this is not a link of this master")]
    Forged,
    /// It was good once.
    #[error("the link has expired")]
    Expired,
}

impl OneClick {
    /// The text of the link, signed with `key`; absent if it would be too long.
    #[must_use]
    pub fn sealed(&self, key: &[u8]) -> Option<String> {
        let problems = self.problems.iter().map(ToString::to_string);
        let problems: Vec<_> = problems.collect();
        let text = format!(
            "{} {} {} {}",
            word(self.kind)?,
            problems.join(","),
            self.until.0.div_euclid(1_000_000),
            self.person
        );
        let mut bytes = hmac(key, text.as_bytes()).to_vec();
        bytes.extend_from_slice(text.as_bytes());
        let sealed = URL_SAFE_NO_PAD.encode(bytes);
        (sealed.len() <= LONGEST_LINK).then_some(sealed)
    }

    /// What a link does at `now`.
    ///
    /// # Errors
    /// It does nothing.
    pub fn open(sealed: &str, key: &[u8], now: Timestamp) -> Result<Self, NoLink> {
        let link = Self::verified(sealed, key).ok_or(NoLink::Forged)?;
        match link.until > now {
            true => Ok(link),
            false => Err(NoLink::Expired),
        }
    }

    fn verified(sealed: &str, key: &[u8]) -> Option<Self> {
        if sealed.len() > LONGEST_LINK {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (signature, text) = bytes.split_at_checked(SIGNATURE)?;
        if !bool::from(hmac(key, text).ct_eq(signature)) {
            return None;
        }
        let mut words = std::str::from_utf8(text).ok()?.splitn(4, ' ');
        let kind = words.next().and_then(kind_of)?;
        let problems = words.next()?.split(',');
        let problems: Option<_> = problems
            .map(|number| number.parse().ok().map(ProblemNumber))
            .collect();
        let until = words.next()?.parse().ok()?;
        Some(Self {
            person: words.next()?.to_owned(),
            kind,
            problems: problems?,
            until: Timestamp::from_secs(until),
        })
    }
}

const WORDS: [(RemarkKind, &str); 3] = [
    (RemarkKind::Claim, "claim"),
    (RemarkKind::Mute, "mute"),
    (RemarkKind::NotMine, "not-mine"),
];

fn word(kind: RemarkKind) -> Option<&'static str> {
    let mut words = WORDS.iter();
    let (_, word) = words.find(|(known, _)| *known == kind)?;
    Some(word)
}

fn kind_of(word: &str) -> Option<RemarkKind> {
    let mut words = WORDS.iter();
    let (kind, _) = words.find(|(_, known)| *known == word)?;
    Some(*kind)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const KEY: &[u8] = b"key";

    fn link() -> OneClick {
        OneClick {
            person: "Ann B <ann@example.org>".to_owned(),
            kind: RemarkKind::Mute,
            problems: vec![ProblemNumber(3), ProblemNumber(12)],
            until: Timestamp::from_secs(100),
        }
    }

    #[test]
    fn mal_11_a_link_does_one_thing_until_its_end() {
        let sealed = link().sealed(KEY).unwrap();
        let at = Timestamp::from_secs;
        assert_eq!(OneClick::open(&sealed, KEY, at(99)), Ok(link()));
        let open =
            |sealed: &str, key: &[u8], now| OneClick::open(sealed, key, at(now)).unwrap_err();
        assert_eq!(open(&sealed, KEY, 100), NoLink::Expired);
        assert_eq!(open(&sealed, b"other", 99), NoLink::Forged);
        assert_eq!(open("", KEY, 99), NoLink::Forged);
        assert_eq!(open(&"A".repeat(2000), KEY, 99), NoLink::Forged);
    }

    #[test]
    fn mal_11_no_bit_of_a_link_can_be_changed() {
        let sealed = link().sealed(KEY).unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(&sealed).unwrap();
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            let changed = URL_SAFE_NO_PAD.encode(changed);
            let opened = OneClick::open(&changed, KEY, Timestamp::from_secs(1));
            assert_eq!(opened, Err(NoLink::Forged), "{place}");
        }
    }

    #[test]
    fn mal_11_only_what_concerns_the_person_alone_has_a_link() {
        let dismiss = OneClick {
            kind: RemarkKind::Dismiss,
            ..link()
        };
        assert_eq!(dismiss.sealed(KEY), None);
        let long = OneClick {
            person: "x".repeat(LONGEST_LINK),
            ..link()
        };
        assert_eq!(long.sealed(KEY), None);
    }
}
