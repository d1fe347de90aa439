//! The public keys of a provider (RFC 7517), and the signatures that they check (RFC 7518).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};
use serde::Deserialize;

/// The keys of a provider that can check signatures.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Keys(Vec<Key>);

/// A key. An algorithm belongs to one kind of key, so a token cannot make a public key into a
/// shared secret by naming another algorithm.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Key {
    id: Option<String>,
    /// The algorithm, if the key is for one alone.
    algorithm: Option<String>,
    public: Public,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Public {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// An uncompressed point.
    P256(Vec<u8>),
    /// An uncompressed point.
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// Maximum number of keys that are read.
const MOST_KEYS: usize = 100;

#[derive(Deserialize)]
struct Document {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Entry {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Keys {
    /// Reads the keys of a provider. Keys of kinds that cannot be used are left out.
    ///
    /// # Errors
    /// It is not a set of keys: a clause without a full stop.
    pub fn parse(document: &[u8]) -> Result<Self, String> {
        let document: Document = serde_json::from_slice(document)
            .map_err(|error| format!("the keys of the provider cannot be read: {error}"))?;
        let entries = document.keys.into_iter().take(MOST_KEYS);
        let entries = entries.filter_map(|entry| serde_json::from_value(entry).ok());
        Ok(Self(entries.filter_map(Key::of).collect()))
    }

    /// Whether there is a key for a token with this algorithm and this key id.
    #[must_use]
    pub fn has(&self, algorithm: &str, id: Option<&str>) -> bool {
        self.matching(algorithm, id).next().is_some()
    }

    /// Whether one of the keys has signed `message`.
    #[must_use]
    pub fn verify(&self, algorithm: &str, id: Option<&str>, message: &[u8], sig: &[u8]) -> bool {
        let mut keys = self.matching(algorithm, id);
        keys.any(|key| key.public.verify(algorithm, message, sig))
    }

    fn matching<'k>(
        &'k self,
        algorithm: &'k str,
        id: Option<&'k str>,
    ) -> impl Iterator<Item = &'k Key> {
        self.0.iter().filter(move |key| {
            key.public.does(algorithm)
                && key.algorithm.as_deref().is_none_or(|own| own == algorithm)
                && (id.is_none() || key.id.is_none() || key.id.as_deref() == id)
        })
    }
}

impl Key {
    fn of(entry: Entry) -> Option<Self> {
        if entry.purpose.is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let bytes =
            |text: Option<&String>| URL_SAFE_NO_PAD.decode(text?.trim_end_matches('=')).ok();
        let (x, y) = (bytes(entry.x.as_ref()), bytes(entry.y.as_ref()));
        let public = match (entry.kty.as_str(), entry.crv.as_deref()) {
            ("RSA", _) => Public::Rsa {
                n: without_zeros(bytes(entry.n.as_ref())?),
                e: without_zeros(bytes(entry.e.as_ref())?),
            },
            ("EC", Some("P-256")) => Public::P256([&[4], &x?[..], &y?[..]].concat()),
            ("EC", Some("P-384")) => Public::P384([&[4], &x?[..], &y?[..]].concat()),
            ("OKP", Some("Ed25519")) => Public::Ed25519(x?),
            _ => return None,
        };
        Some(Self {
            id: entry.kid,
            algorithm: entry.alg,
            public,
        })
    }
}

/// A number without zeros in front, which some providers send and `ring` refuses.
fn without_zeros(mut number: Vec<u8>) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.drain(..zeros);
    number
}

impl Public {
    /// Whether a key of this kind does `algorithm`.
    fn does(&self, algorithm: &str) -> bool {
        match self {
            Self::Rsa { .. } => rsa(algorithm).is_some(),
            Self::P256(_) => algorithm == "ES256",
            Self::P384(_) => algorithm == "ES384",
            Self::Ed25519(_) => matches!(algorithm, "EdDSA" | "Ed25519"),
        }
    }

    fn verify(&self, algorithm: &str, message: &[u8], sig: &[u8]) -> bool {
        let by = |how: &'static dyn VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(how, key)
                .verify(message, sig)
                .is_ok()
        };
        match self {
            Self::Rsa { n, e } => rsa(algorithm).is_some_and(|how| {
                RsaPublicKeyComponents { n, e }
                    .verify(how, message, sig)
                    .is_ok()
            }),
            Self::P256(point) => by(&ECDSA_P256_SHA256_FIXED, point),
            Self::P384(point) => by(&ECDSA_P384_SHA384_FIXED, point),
            Self::Ed25519(key) => by(&ED25519, key),
        }
    }
}

fn rsa(algorithm: &str) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        "RS256" => &RSA_PKCS1_2048_8192_SHA256,
        "RS384" => &RSA_PKCS1_2048_8192_SHA384,
        "RS512" => &RSA_PKCS1_2048_8192_SHA512,
        "PS256" => &RSA_PSS_2048_8192_SHA256,
        "PS384" => &RSA_PSS_2048_8192_SHA384,
        "PS512" => &RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}
