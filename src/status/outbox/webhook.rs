//! Letters as HTTP requests (PSH-01 to PSH-03).

use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use serde_json::Value as Json;
use sha2::Sha256;

use super::turns::Failure;
use crate::net::{error_chain, http_body, outward_http_client};
use crate::text::printable;

/// How long a request may take (OUT-06).
const PATIENCE: Duration = Duration::from_secs(30);

/// The kind of most bodies.
pub(super) const JSON: &str = "application/json";

/// Bytes of an answer that are read (PSH-03).
const MOST_OF_ANSWER: usize = 64 * 1024;

/// Characters of an answer that are told.
const MOST_TOLD: usize = 200;

/// A request.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) url: String,
    pub(super) allow_private: bool,
    /// The key of the letter (OUT-04).
    pub(super) key: String,
    /// The kind of the body.
    pub(super) kind: &'static str,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

/// The value of the header that proves who has sent `body` (PSH-02): the time and, for each secret,
/// the HMAC of the time and the body.
pub(super) fn signature(secrets: &[Vec<u8>], at_secs: i64, body: &str) -> String {
    let mut signature = format!("t={at_secs}");
    for secret in secrets {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(secret).expect("an HMAC takes keys of any length");
        mac.update(format!("{at_secs}.{body}").as_bytes());
        signature.push_str(",v1=");
        for byte in mac.finalize().into_bytes() {
            signature.push_str(&format!("{byte:02x}"));
        }
    }
    signature
}

/// Posts a request; gives what the server has answered.
///
/// # Errors
/// It was not taken.
pub(super) async fn post(request: Request) -> Result<Json, Failure> {
    let client = outward_http_client(request.allow_private).map_err(Failure::Later)?;
    let place = printable(request.url.split('?').next().unwrap_or_default());
    let mut posting = client
        .post(&request.url)
        .timeout(PATIENCE)
        .header(CONTENT_TYPE, request.kind)
        .header("Idempotency-Key", &request.key)
        .header("X-Buildmaster-Delivery", &request.key);
    for (name, value) in &request.headers {
        posting = posting.header(*name, value);
    }
    let failed = |error: &reqwest::Error| {
        let why = format!("cannot post to {place}: {}", error_chain(error));
        Failure::Later(printable(&why))
    };
    let mut answer = posting
        .body(request.body)
        .send()
        .await
        .map_err(|error| failed(&error.without_url()))?;
    let status = answer.status();
    let pause = answer.headers().get(RETRY_AFTER).and_then(|after| {
        let secs: u64 = after.to_str().ok()?.trim().parse().ok()?;
        Some(Duration::from_secs(secs))
    });
    // What the server says after that does not matter.
    let body = http_body(&mut answer, MOST_OF_ANSWER).await;
    let body = body.map(|(body, _)| body).unwrap_or_default();
    let said = String::from_utf8_lossy(&body);
    let said: String = printable(said.trim()).chars().take(MOST_TOLD).collect();
    let colon = if said.is_empty() { "" } else { ": " };
    let why = format!("{place} answered {status}{colon}{said}");
    match class(status) {
        Class::Delivered => Ok(serde_json::from_slice(&body).unwrap_or(Json::Null)),
        Class::Never => Err(Failure::Never(why)),
        Class::Later => Err(match pause {
            Some(pause) => Failure::Pause { why, pause },
            None => Failure::Later(why),
        }),
    }
}

/// What a status means for a letter (OUT-06).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Class {
    Delivered,
    Later,
    Never,
}

fn class(status: StatusCode) -> Class {
    match status.as_u16() {
        200..=299 => Class::Delivered,
        408 | 425 | 429 | 500..=599 => Class::Later,
        _ => Class::Never,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn out_06_all_cases_of_http_statuses() {
        let cases: Json =
            serde_json::from_str(include_str!("../../../tests/data/outbox-cases.json")).unwrap();
        let cases = cases["cases"].as_array().unwrap().iter();
        let mut count = 0;
        for case in cases.filter(|case| case["expect"]["class"].is_string()) {
            let Some(status) = case["given"]["status"].as_u64() else {
                continue;
            };
            let class = match class(StatusCode::from_u16(status.try_into().unwrap()).unwrap()) {
                Class::Delivered => "delivered",
                Class::Later => "later",
                Class::Never => "never",
            };
            assert_eq!(case["expect"]["class"], class, "{}", case["id"]);
            count += 1;
        }
        assert_eq!(count, 15);
    }

    #[test]
    fn psh_02_two_secrets_sign_the_time_and_the_body() {
        let signed = signature(&[b"key".to_vec()], 7, "{}");
        // printf '7.{}' | openssl dgst -sha256 -hmac key
        let expected = "77bc83bd1f40422311e47918b203449aecf84b02c1568bb1b570ac2a474cc2d8";
        assert_eq!(signed, format!("t=7,v1={expected}"));
        let both = signature(&[b"key".to_vec(), b"old".to_vec()], 7, "{}");
        assert!(both.starts_with(&format!("{signed},v1=")) && both.len() > signed.len() + 64);
    }
}
