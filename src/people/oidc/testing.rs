//! A provider's keys for tests, and tokens that are signed with them.

#![expect(clippy::unwrap_used, reason = "tests")]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
    RsaPublicKeyComponents,
};
use serde_json::{Value, json};

/// An RSA key of 2048 bits that protects nothing.
const RSA: &[u8] = include_bytes!("../../../tests/data/oidc-test-key.der");

/// A key pair of a provider.
pub(crate) enum Signer {
    Rsa(Box<RsaKeyPair>),
    P256(Box<EcdsaKeyPair>),
}

impl Signer {
    /// The RSA key, which is always the same.
    pub(crate) fn rsa() -> Self {
        Self::Rsa(Box::new(RsaKeyPair::from_der(RSA).unwrap()))
    }

    /// A new key on the curve P-256.
    pub(crate) fn p256() -> Self {
        let (how, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let pair = EcdsaKeyPair::generate_pkcs8(how, &random).unwrap();
        Self::P256(Box::new(
            EcdsaKeyPair::from_pkcs8(how, pair.as_ref(), &random).unwrap(),
        ))
    }

    /// The public key, as the provider publishes it.
    pub(crate) fn jwk(&self, id: &str) -> Value {
        match self {
            Self::Rsa(pair) => {
                let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                let (n, e) = (encode(&public.n), encode(&public.e));
                json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": id, "n": n, "e": e })
            }
            Self::P256(pair) => {
                let point = pair.public_key().as_ref();
                let (x, y) = (encode(&point[1..33]), encode(&point[33..]));
                json!({ "kty": "EC", "crv": "P-256", "kid": id, "x": x, "y": y })
            }
        }
    }

    /// A token with these claims, signed.
    pub(crate) fn token(&self, id: &str, claims: &Value) -> String {
        let algorithm = match self {
            Self::Rsa(_) => "RS256",
            Self::P256(_) => "ES256",
        };
        let message = message(&json!({ "alg": algorithm, "kid": id }), claims);
        let random = SystemRandom::new();
        let signature = match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                let how = &RSA_PKCS1_SHA256;
                pair.sign(how, &random, message.as_bytes(), &mut signature)
                    .unwrap();
                signature
            }
            Self::P256(pair) => {
                let signature = pair.sign(&random, message.as_bytes()).unwrap();
                signature.as_ref().to_vec()
            }
        };
        format!("{message}.{}", encode(&signature))
    }
}

/// A token without its signature.
pub(crate) fn message(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| encode(value.to_string().as_bytes());
    format!("{}.{}", part(header), part(claims))
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
