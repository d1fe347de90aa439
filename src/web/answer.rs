//! Answers: their headers, compression and caching.

use std::io::Write as _;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

use super::assets::POLICY;
use super::cache::Rendered;
use super::outlet::Document;

/// Headers of every answer.
const COMMON: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=()",
    ),
];

/// Bytes below which nothing is compressed.
const WORTH_COMPRESSING: usize = 1000;

pub(super) const HTML: &str = "text/html; charset=utf-8";
pub(super) const TEXT: &str = "text/plain; charset=utf-8";
pub(super) const CSS: &str = "text/css; charset=utf-8";
pub(super) const JSON: &str = "application/json";
pub(super) const SVG: &str = "image/svg+xml";

/// The same address has other contents for other readers.
const VARY: &str = "Accept-Encoding, Cookie, Accept";

/// Compressed by gzip.
pub(super) fn gzip(text: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
    encoder
        .write_all(text)
        .expect("writing to memory does not fail");
    let packed = encoder.finish();
    packed.expect("writing to memory does not fail").into()
}

/// A page, or only that it is the one that the reader has. What is only for this reader
/// `is_private`.
pub(super) fn page(asked: &HeaderMap, page: &Rendered, is_private: bool) -> Response {
    let mut head = HeaderMap::new();
    put(&mut head, header::ETAG, &page.etag);
    let kept = match (page.kept, is_private) {
        (false, _) => "no-store",
        (true, true) => "private, no-cache",
        (true, false) => "no-cache",
    };
    put(&mut head, header::CACHE_CONTROL, kept);
    put(&mut head, header::VARY, VARY);
    if is_known(asked, &page.etag) {
        return answer(StatusCode::NOT_MODIFIED, head, Bytes::new());
    }
    if let Some(seconds) = page.refresh {
        put(&mut head, header::REFRESH, &seconds.to_string());
    }
    if let Some((name, value)) = page.cookie {
        let cookie = format!("{name}={value}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax");
        put(&mut head, header::SET_COOKIE, &cookie);
    }
    as_page(&mut head);
    match takes_gzip(asked) {
        true => {
            put(&mut head, header::CONTENT_ENCODING, "gzip");
            answer(page.status, head, page.gzip.clone())
        }
        false => answer(page.status, head, page.html.clone()),
    }
}

/// An error page.
pub(super) fn error_page(
    asked: &HeaderMap,
    status: StatusCode,
    retry_after: Option<u32>,
    html: String,
) -> Response {
    let mut head = HeaderMap::new();
    as_page(&mut head);
    put(&mut head, header::CACHE_CONTROL, "no-store");
    if status == StatusCode::UNAUTHORIZED {
        put(&mut head, header::WWW_AUTHENTICATE, "Bearer");
    }
    if let Some(seconds) = retry_after {
        put(&mut head, header::RETRY_AFTER, &seconds.to_string());
    }
    packed(asked, status, head, html.into())
}

/// A document for programs, or only that it is the one that the reader has.
pub(super) fn document(asked: &HeaderMap, document: Document) -> Response {
    let Document {
        status,
        kind,
        body,
        is_embedded,
        next,
    } = document;
    let mut head = HeaderMap::new();
    put(&mut head, header::CONTENT_TYPE, kind);
    let kept = match (is_embedded, status.is_success()) {
        // The proxies of code hosts must ask each time.
        (true, _) => "no-cache, max-age=0",
        (false, true) => "no-cache",
        (false, false) => "no-store",
    };
    put(&mut head, header::CACHE_CONTROL, kept);
    if let Some(next) = next {
        put(&mut head, header::LINK, &format!("<{next}>; rel=\"next\""));
    }
    let mut answer = match status.is_success() {
        true => {
            let hash = Sha256::digest(&body);
            let hash: String = hash.iter().take(12).map(|b| format!("{b:02x}")).collect();
            let etag = format!("\"{hash}\"");
            put(&mut head, header::ETAG, &etag);
            match is_known(asked, &etag) {
                true => {
                    put(&mut head, header::VARY, VARY);
                    answer(StatusCode::NOT_MODIFIED, head, Bytes::new())
                }
                false => packed(asked, status, head, body),
            }
        }
        false => packed(asked, status, head, body),
    };
    if is_embedded {
        let policy = HeaderName::from_static("cross-origin-resource-policy");
        put(answer.headers_mut(), policy, "cross-origin");
    }
    answer
}

/// A file of the program, which never changes under its name.
pub(super) fn asset(asked: &HeaderMap, kind: &'static str, contents: &'static str) -> Response {
    let mut head = HeaderMap::new();
    put(&mut head, header::CONTENT_TYPE, kind);
    put(
        &mut head,
        header::CACHE_CONTROL,
        "public, max-age=31536000, immutable",
    );
    packed(asked, StatusCode::OK, head, contents.into())
}

/// A few words for programs.
pub(super) fn text(status: StatusCode, text: impl Into<Bytes>) -> Response {
    let mut head = HeaderMap::new();
    put(&mut head, header::CONTENT_TYPE, TEXT);
    put(&mut head, header::CACHE_CONTROL, "no-store");
    answer(status, head, text.into())
}

/// Sends the reader elsewhere.
pub(super) fn elsewhere(status: StatusCode, to: &str) -> Response {
    let mut head = HeaderMap::new();
    put(&mut head, header::LOCATION, to);
    put(&mut head, header::CACHE_CONTROL, "no-cache");
    answer(status, head, Bytes::new())
}

/// Sends the reader to a page of ours after a form, with a cookie to set.
pub(super) fn after_form(to: &str, cookie: Option<&str>) -> Response {
    let mut head = HeaderMap::new();
    put(&mut head, header::LOCATION, to);
    put(&mut head, header::CACHE_CONTROL, "no-store");
    if let Some(cookie) = cookie {
        put(&mut head, header::SET_COOKIE, cookie);
    }
    answer(StatusCode::SEE_OTHER, head, Bytes::new())
}

/// An answer whose body is sent while it is made.
pub(super) fn stream(status: StatusCode, head: HeaderMap, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = head;
    for (name, value) in COMMON {
        put(response.headers_mut(), name, value);
    }
    response
}

/// Sets the headers of a page.
pub(super) fn as_page(head: &mut HeaderMap) {
    put(head, header::CONTENT_TYPE, HTML);
    put(head, header::CONTENT_SECURITY_POLICY, &POLICY);
    put(head, header::X_FRAME_OPTIONS, "DENY");
}

fn packed(asked: &HeaderMap, status: StatusCode, mut head: HeaderMap, text: Bytes) -> Response {
    put(&mut head, header::VARY, VARY);
    if text.len() < WORTH_COMPRESSING || !takes_gzip(asked) {
        return answer(status, head, text);
    }
    put(&mut head, header::CONTENT_ENCODING, "gzip");
    answer(status, head, gzip(&text))
}

fn answer(status: StatusCode, head: HeaderMap, body: Bytes) -> Response {
    stream(status, head, Body::from(body))
}

/// Sets a header; a value that cannot be one, such as an address with a line break, is left out.
pub(super) fn put(head: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        head.insert(name, value);
    }
}

/// Whether the reader takes gzip; a quality of 0 says that they do not.
pub(super) fn takes_gzip(asked: &HeaderMap) -> bool {
    let all = asked.get_all(header::ACCEPT_ENCODING).iter();
    let all = all.filter_map(|value| value.to_str().ok());
    let mut all = all.flat_map(|value| value.split(','));
    all.any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        parts.next() == Some("gzip") && !parts.any(|q| q == "q=0" || q == "q=0.0")
    })
}

/// Whether the reader has the page of this tag.
pub(super) fn is_known(asked: &HeaderMap, etag: &str) -> bool {
    let all = asked.get_all(header::IF_NONE_MATCH).iter();
    let all = all.filter_map(|value| value.to_str().ok());
    let mut tags = all.flat_map(|value| value.split(','));
    tags.any(|tag| tag.trim().trim_start_matches("W/") == etag)
}
