//! Addresses of repositories, and their spellings.

use std::fmt::Write as _;

/// The one spelling of an address: without slashes and `.git` at its end, scheme and host in lower
/// case.
pub(super) fn normal(address: &str) -> String {
    let address = address.trim().trim_end_matches('/');
    let address = address.strip_suffix(".git").unwrap_or(address);
    let address = address.trim_end_matches('/');
    if let Some((scheme, rest)) = address.split_once("://") {
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let scheme = scheme.to_ascii_lowercase();
        return format!("{scheme}://{}{path}", with_lower_host(authority));
    }
    // `git@host:path`, but neither `/path:with/colon` nor the drive of a Windows path.
    match address.split_once(':') {
        Some((authority, path)) if authority.len() > 1 && !authority.contains('/') => {
            format!("{}:{path}", with_lower_host(authority))
        }
        Some(_) | None => address.to_owned(),
    }
}

fn with_lower_host(authority: &str) -> String {
    match authority.rsplit_once('@') {
        Some((user, host)) => format!("{user}@{}", host.to_ascii_lowercase()),
        None => authority.to_ascii_lowercase(),
    }
}

/// `text` as a part of an address; slashes, which branches have, stay.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                escaped.push(char::from(byte));
            }
            _ => write!(escaped, "%{byte:02X}").expect("a string takes all text"),
        }
    }
    escaped
}
