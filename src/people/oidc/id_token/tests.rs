#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::json;

use super::super::super::secrets::hmac;
use super::super::testing::{Signer, encode, message};
use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_795_699_930);

const EXPECTED: Expected<'static> = Expected {
    issuer: "https://id.example",
    client_id: "ci",
    nonce: "the nonce",
    now: NOW,
};

fn claims() -> Value {
    json!({
        "iss": "https://id.example",
        "aud": "ci",
        "sub": "77",
        "nonce": "the nonce",
        "iat": NOW.0 / 1_000_000 - 5,
        "exp": NOW.0 / 1_000_000 + 300,
        "email": "ann@corp.example",
        "email_verified": true,
    })
}

fn keys(of: &[(&Signer, &str)]) -> Keys {
    let keys = of.iter().map(|(signer, id)| signer.jwk(id));
    let keys: Vec<_> = keys.collect();
    Keys::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

/// What comes of a token with one other claim; `null` takes the claim away.
fn with(signer: &Signer, claim: &str, value: Value) -> Result<Claims, IdTokenError> {
    let mut claims = claims();
    if value.is_null() {
        claims.as_object_mut().unwrap().remove(claim);
    } else {
        claims[claim] = value;
    }
    let token = signer.token("k", &claims);
    Claims::read(&token, &keys(&[(signer, "k")]), EXPECTED)
}

#[test]
fn lgn_04_a_token_signed_by_rsa_or_a_curve_is_believed() {
    for signer in [Signer::rsa(), Signer::p256()] {
        let token = signer.token("k", &claims());
        let read = Claims::read(&token, &keys(&[(&signer, "k")]), EXPECTED).unwrap();
        assert_eq!(read.subject, "77");
        assert_eq!(read.email.as_deref(), Some("ann@corp.example"));
        assert!(!format!("{read:?}").contains("ann"));
    }
}

#[test]
fn lgn_04_a_key_must_be_one_that_the_provider_publishes() {
    let (ours, theirs) = (Signer::p256(), Signer::p256());
    let read = |token: &str, keys: &Keys| Claims::read(token, keys, EXPECTED).unwrap_err();
    let forged = theirs.token("k", &claims());
    assert_eq!(
        read(&forged, &keys(&[(&ours, "k")])),
        IdTokenError::Signature
    );
    let other = theirs.token("new", &claims());
    assert_eq!(
        read(&other, &keys(&[(&ours, "k")])),
        IdTokenError::UnknownKey
    );
    assert_eq!(read(&other, &Keys::default()), IdTokenError::UnknownKey);
    let both = keys(&[(&ours, "k"), (&theirs, "new")]);
    assert!(Claims::read(&other, &both, EXPECTED).is_ok());
}

#[test]
fn lgn_04_a_changed_token_is_not_believed() {
    let signer = Signer::rsa();
    let (keys, token) = (keys(&[(&signer, "k")]), signer.token("k", &claims()));
    let mut other = claims();
    other["sub"] = json!("1");
    let (_, signature) = token.rsplit_once('.').unwrap();
    let header = json!({ "alg": "RS256", "kid": "k" });
    let changed = format!("{}.{signature}", message(&header, &other));
    let error = Claims::read(&changed, &keys, EXPECTED).unwrap_err();
    assert_eq!(error, IdTokenError::Signature);
    for broken in [
        "",
        "a",
        "a.b",
        "a.b.c",
        &format!("{token}.x"),
        &token.replacen("e", "", 1),
    ] {
        assert!(Claims::read(broken, &keys, EXPECTED).is_err(), "{broken}");
    }
}

#[test]
fn lgn_04_a_token_without_a_signature_or_with_a_shared_secret_is_not_believed() {
    let signer = Signer::rsa();
    let keys = keys(&[(&signer, "k")]);
    let jwk = signer.jwk("k");
    for algorithm in ["none", "None", "HS256", "", "ES256K"] {
        let message = message(&json!({ "alg": algorithm, "kid": "k" }), &claims());
        // The public key as the shared secret, as libraries were once tricked.
        let mac = hmac(jwk["n"].as_str().unwrap().as_bytes(), message.as_bytes());
        for signature in [String::new(), encode(&mac)] {
            let token = format!("{message}.{signature}");
            let error = Claims::read(&token, &keys, EXPECTED).unwrap_err();
            assert_eq!(error, IdTokenError::Algorithm(algorithm.to_owned()));
        }
    }
    // An algorithm of another kind of key.
    let message = message(&json!({ "alg": "ES256", "kid": "k" }), &claims());
    let error = Claims::read(&format!("{message}.{}", encode(&[1; 64])), &keys, EXPECTED);
    assert_eq!(error.unwrap_err(), IdTokenError::UnknownKey);
}

#[test]
fn lgn_04_issuer_audience_and_nonce_must_be_those_of_this_login() {
    let signer = Signer::p256();
    let error = |claim: &str, value: Value| with(&signer, claim, value).unwrap_err();
    for value in [
        json!("https://id.example/"),
        json!("https://evil.example"),
        json!(null),
    ] {
        assert_eq!(error("iss", value), IdTokenError::Issuer);
    }
    for value in [
        json!("other"),
        json!(["other"]),
        json!([]),
        json!(7),
        json!(null),
    ] {
        assert_eq!(error("aud", value), IdTokenError::Audience);
    }
    assert_eq!(error("aud", json!(["ci", "other"])), IdTokenError::Audience);
    assert_eq!(error("azp", json!("other")), IdTokenError::Audience);
    assert!(with(&signer, "aud", json!(["ci"])).is_ok());
    for value in [json!("another"), json!(""), json!(null)] {
        assert_eq!(error("nonce", value), IdTokenError::Nonce);
    }
    for value in [
        json!(""),
        json!(77),
        json!(null),
        json!("a\nb"),
        json!("x".repeat(256)),
    ] {
        assert_eq!(error("sub", value), IdTokenError::Subject);
    }
}

#[test]
fn lgn_04_clocks_may_be_a_minute_apart() {
    let signer = Signer::p256();
    let at = |secs: i64| json!(NOW.0 / 1_000_000 + secs);
    assert!(with(&signer, "exp", at(-59)).is_ok());
    assert_eq!(
        with(&signer, "exp", at(-61)).unwrap_err(),
        IdTokenError::Expired
    );
    assert_eq!(
        with(&signer, "exp", json!(null)).unwrap_err(),
        IdTokenError::Expired
    );
    for claim in ["iat", "nbf"] {
        assert!(with(&signer, claim, at(59)).is_ok());
        let error = with(&signer, claim, at(62)).unwrap_err();
        assert_eq!(error, IdTokenError::FromTheFuture);
    }
}

#[test]
fn lgn_04_a_mail_address_counts_only_if_it_is_verified() {
    let signer = Signer::p256();
    let email = |claim: &str, value: Value| with(&signer, claim, value).unwrap().email;
    for value in [json!(false), json!(null), json!("yes"), json!(1)] {
        assert_eq!(email("email_verified", value), None);
    }
    assert!(email("email_verified", json!("true")).is_some());
    for odd in ["ann", "a b@x", "<ann@x>", "@x", "ann@", "a@b@c", "ann@x\n"] {
        assert_eq!(email("email", json!(odd)), None, "{odd:?}");
    }
}
