//! Asking a server by HTTP, with its limits respected (POL-13).

use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, ETAG, HeaderMap, IF_NONE_MATCH, RETRY_AFTER};
use tokio_util::sync::CancellationToken;

use super::tool::PollError;
use crate::net::{error_chain, http_body, http_client};
use crate::text;

/// Asks one server.
#[derive(Debug)]
pub(in crate::changes) struct HttpTool {
    /// Value of the header `Authorization`.
    pub(in crate::changes) authorization: Option<String>,
    /// Time limit of a request.
    pub(in crate::changes) time: Duration,
    pub(in crate::changes) stop: CancellationToken,
}

/// An answer.
#[derive(Debug, Default)]
pub(in crate::changes) struct HttpAnswer {
    /// What was asked for; absent: it has not changed.
    pub(in crate::changes) body: Option<Vec<u8>>,
    /// The mark by which it is recognized next time.
    pub(in crate::changes) etag: Option<String>,
    /// How long the server wants to be left alone from now on.
    pub(in crate::changes) pause: Option<Duration>,
}

/// Bytes of an answer.
const MOST_BYTES: usize = 16 << 20;
/// Bytes of an answer that is an error.
const MOST_WRONG: usize = 64 * 1024;
/// The longest pause that a server may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
/// The pause if a server refuses without saying for how long.
const USUAL_PAUSE: Duration = Duration::from_secs(60);

impl HttpTool {
    /// Asks for the content at `url`, unless it is still the one with the mark `etag`. `now` is in
    /// seconds since 1970.
    ///
    /// # Errors
    /// The server cannot be reached, or it refuses.
    pub(in crate::changes) async fn get(
        &self,
        url: &str,
        etag: Option<&str>,
        now: i64,
    ) -> Result<HttpAnswer, PollError> {
        let client = http_client(true, true).map_err(PollError::new)?;
        let mut request = client
            .get(url)
            .timeout(self.time)
            .header(ACCEPT, "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let place = || text::printable(url.split('?').next().unwrap_or_default());
        let answer = tokio::select! {
            biased;
            () = self.stop.cancelled() => return Err(PollError::Stopped),
            answer = receive(request) => answer,
        };
        let (status, headers, body) =
            answer.map_err(|error| PollError::new(format!("cannot ask {}: {error}", place())))?;
        let pause = pause(status, &headers, now);
        let etag = headers.get(ETAG).and_then(|etag| etag.to_str().ok());
        let answer = HttpAnswer {
            body: None,
            etag: etag.map(str::to_owned),
            pause,
        };
        match status {
            200 => Ok(HttpAnswer {
                body: Some(body),
                ..answer
            }),
            304 => Ok(answer),
            // The limit is not a failure.
            403 | 429 if pause.is_some() => Ok(HttpAnswer {
                etag: None,
                ..answer
            }),
            status => Err(PollError::new(format!(
                "{} answered {status}{}",
                place(),
                reason(&body)
            ))),
        }
    }
}

async fn receive(request: reqwest::RequestBuilder) -> Result<(u16, HeaderMap, Vec<u8>), String> {
    let wrong = |error: reqwest::Error| error_chain(&error.without_url());
    let mut response = request.send().await.map_err(wrong)?;
    let status = response.status().as_u16();
    let most = if status == 200 {
        MOST_BYTES
    } else {
        MOST_WRONG
    };
    let (body, is_whole) = http_body(&mut response, most).await.map_err(wrong)?;
    if status == 200 && !is_whole {
        return Err(format!("the answer has more than {most} bytes"));
    }
    Ok((status, response.headers().clone(), body))
}

/// How long the server wants to be left alone: what it says, or a while if it refuses.
fn pause(status: u16, headers: &HeaderMap, now: i64) -> Option<Duration> {
    let value = |name: &str| -> Option<i64> {
        let value = headers.get(name)?.to_str().ok()?;
        value.trim().parse().ok()
    };
    let secs = |secs: i64| Duration::from_secs(secs.max(1).unsigned_abs()).min(LONGEST_PAUSE);
    let is_refused = matches!(status, 403 | 429);
    if let Some(after) = value(RETRY_AFTER.as_str()).filter(|_| is_refused) {
        return Some(secs(after));
    }
    let limits = [
        ("x-ratelimit-remaining", "x-ratelimit-reset"),
        ("ratelimit-remaining", "ratelimit-reset"),
    ];
    for (remaining, reset) in limits {
        if value(remaining) == Some(0) {
            let reset = value(reset).map(|reset| reset.saturating_sub(now));
            return Some(reset.map_or(USUAL_PAUSE, secs));
        }
    }
    (status == 429).then_some(USUAL_PAUSE)
}

/// What the answer says of an error.
fn reason(body: &[u8]) -> String {
    let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let texts = ["/message", "/error/message", "/errors/0/message"];
    let mut texts = texts.iter().filter_map(|path| json.pointer(path)?.as_str());
    match texts.next() {
        Some(said) => {
            let said = text::printable(said);
            let end = said.floor_char_boundary(LONGEST_REASON);
            format!(": {}", said.get(..end).unwrap_or_default())
        }
        None => String::new(),
    }
}

/// Bytes of an error that are shown.
const LONGEST_REASON: usize = 300;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn pol_13_limits_of_servers_are_respected() {
        let pause = |status: u16, lines: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.insert(*name, value.parse().unwrap());
            }
            pause(status, &headers, 1_000).map(|pause| pause.as_secs())
        };
        let limit = |left: &'static str| {
            [
                ("x-ratelimit-remaining", left),
                ("x-ratelimit-reset", "1090"),
            ]
        };
        assert_eq!(pause(200, &limit("17")), None);
        assert_eq!(pause(200, &limit("0")), Some(90));
        assert_eq!(pause(403, &limit("0")), Some(90));
        // Permission is missing, and waiting does not help.
        assert_eq!(pause(403, &limit("17")), None);
        assert_eq!(pause(403, &[("retry-after", "7")]), Some(7));
        assert_eq!(pause(429, &[]), Some(60));
        assert_eq!(pause(429, &[("retry-after", "999999")]), Some(3600));
        let gitlab = [("ratelimit-remaining", "0"), ("ratelimit-reset", "900")];
        assert_eq!(pause(200, &gitlab), Some(1));
        assert_eq!(pause(200, &[]), None);
    }

    #[test]
    fn pol_13_an_error_says_what_the_server_says() {
        assert_eq!(
            reason(br#"{"message": "Bad credentials"}"#),
            ": Bad credentials"
        );
        assert_eq!(reason(br#"{"error": {"message": "no"}}"#), ": no");
        assert_eq!(reason(br#"{"errors": [{"message": "no"}]}"#), ": no");
        assert_eq!(reason(b"<html>"), "");
    }
}
