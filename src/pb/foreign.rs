//! Recognizes peers that speak another protocol by their first bytes, so that the log can name the
//! protocol.
//!
//! A client of Perspective Broker begins with a short string, the name of its dialect, whose first
//! byte is its length.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Maximum number of bytes to examine.
pub const LONGEST_BEGINNING: usize = 4 * 1024;

/// Maximum number of characters to quote from unrecognized text.
const LONGEST_QUOTE: usize = 32;

/// Number of bytes after which unrecognized text is rejected.
const ENOUGH_TEXT: usize = 64;

/// A peer that does not speak Perspective Broker.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Foreign {
    /// A sentence that names the protocol, with the remedy.
    pub what: String,
    /// The user name that the peer sent.
    pub user: Option<String>,
}

/// The protocol according to the first bytes of a peer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Beginning {
    /// Perhaps Perspective Broker.
    Ours,
    /// Undecided: more bytes are needed.
    Undecided,
    /// Another protocol.
    Foreign(Foreign),
}

/// Examines the first bytes of a peer. If the peer `has_ended`, no more bytes follow.
#[must_use]
pub fn recognize(bytes: &[u8], has_ended: bool) -> Beginning {
    let is_done = has_ended || bytes.len() >= LONGEST_BEGINNING;
    match bytes {
        [] => return Beginning::Undecided,
        [TLS_HANDSHAKE] if !is_done => return Beginning::Undecided,
        [TLS_HANDSHAKE, TLS_MAJOR, ..] => return foreign(TLS),
        [first, ..] if !(first.is_ascii_graphic() || matches!(first, b'\r' | b'\n')) => {
            return Beginning::Ours;
        }
        _ => {}
    }
    let has_line = bytes.contains(&b'\n');
    if HTTP_METHODS.iter().any(|method| bytes.starts_with(method)) {
        let has_headers = [&b"\r\n\r\n"[..], b"\n\n"]
            .iter()
            .any(|end| bytes.windows(end.len()).any(|window| window == *end));
        return match has_headers || is_done {
            true => http(&String::from_utf8_lossy(bytes)),
            false => Beginning::Undecided,
        };
    }
    if bytes.starts_with(b"SSH-") {
        return foreign(SSH);
    }
    if bytes.starts_with(b"PROXY ") || bytes.starts_with(b"\r\n\r\n\0\r\nQUIT\n") {
        return foreign(PROXY);
    }
    if !(has_line || is_done || bytes.len() >= ENOUGH_TEXT) {
        return Beginning::Undecided;
    }
    let text = String::from_utf8_lossy(bytes);
    let quote: String = text.trim().chars().take(LONGEST_QUOTE).collect();
    foreign(&format!(
        "it does not speak Perspective Broker: it began with {quote:?}"
    ))
}

fn http(text: &str) -> Beginning {
    let header = |name: &str| {
        let mut fields = text.lines().filter_map(|line| line.split_once(':'));
        let (_, value) = fields.find(|(field, _)| field.eq_ignore_ascii_case(name))?;
        Some(value.trim())
    };
    let is_websocket = header("upgrade").is_some_and(|to| to.eq_ignore_ascii_case("websocket"));
    let credentials = header("authorization").and_then(|value| value.strip_prefix("Basic "));
    let credentials = credentials.and_then(|text| STANDARD.decode(text.trim()).ok());
    let user = credentials.and_then(|bytes| {
        let end = bytes.iter().position(|&byte| byte == b':')?;
        let user = String::from_utf8_lossy(bytes.get(..end)?).into_owned();
        Some(user)
    });
    let what = match is_websocket {
        true => MSGPACK,
        false => HTTP,
    };
    Beginning::Foreign(Foreign {
        what: what.to_owned(),
        user,
    })
}

fn foreign(what: &str) -> Beginning {
    Beginning::Foreign(Foreign {
        what: what.to_owned(),
        user: None,
    })
}

const TLS_HANDSHAKE: u8 = 0x16;
const TLS_MAJOR: u8 = 0x03;
const HTTP_METHODS: [&[u8]; 9] = [
    b"GET ",
    b"HEAD ",
    b"POST ",
    b"PUT ",
    b"DELETE ",
    b"CONNECT ",
    b"OPTIONS ",
    b"PATCH ",
    b"PRI ",
];

const TLS: &str =
    "it speaks TLS, and this port takes only plain Perspective Broker: connect without TLS";
const MSGPACK: &str = "it speaks msgpack over a websocket, and this port takes only Perspective Broker: \
                       create the worker with `--protocol=pb`";
const HTTP: &str = "it speaks HTTP, and this port takes only Perspective Broker";
const SSH: &str = "it speaks SSH, and this port takes only Perspective Broker";
const PROXY: &str = "a proxy announces another address (PROXY protocol), which this port does not take: \
                     have the proxy forward plain TCP";

#[cfg(test)]
mod tests {
    use super::*;

    fn sentence(bytes: &[u8]) -> String {
        match recognize(bytes, false) {
            Beginning::Foreign(Foreign { what, user }) => {
                format!("{what} [{}]", user.unwrap_or_default())
            }
            other @ (Beginning::Ours | Beginning::Undecided) => format!("{other:?}"),
        }
    }

    #[test]
    fn the_dialects_of_perspective_broker_are_ours() {
        for bytes in [
            &b"\x02\x82pb"[..],
            b"\x04\x82none",
            b"\x02",
            b"\x80",
            b"\xff\x00",
        ] {
            assert_eq!(sentence(bytes), "Ours", "{bytes:?}");
        }
        assert_eq!(sentence(b""), "Undecided");
    }

    #[test]
    fn a_websocket_worker_is_told_by_its_headers_with_its_name() {
        // "bot:secret"
        let request =
            b"GET / HTTP/1.1\r\nHost: here:9989\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\
                        authorization: Basic Ym90OnNlY3JldA==\r\n\r\n";
        assert_eq!(sentence(request), format!("{MSGPACK} [bot]"));
        let cut = request.len() - 1;
        assert_eq!(sentence(&request[..cut]), "Undecided");
        let Beginning::Foreign(Foreign { what, .. }) = recognize(&request[..cut], true) else {
            panic!("it has ended");
        };
        assert_eq!(what, MSGPACK);
        let broken = b"GET / HTTP/1.1\nAuthorization: Basic ???\n\n";
        assert_eq!(sentence(broken), format!("{HTTP} []"));
    }

    #[test]
    fn other_protocols_are_named() {
        for (bytes, what) in [
            (&b"\x16\x03\x01\x02\x00\x01"[..], TLS),
            (b"POST /hook HTTP/1.1\r\n\r\n", HTTP),
            (b"SSH-2.0-OpenSSH_9\r\n", SSH),
            (b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n", PROXY),
            (b"\r\n\r\n\0\r\nQUIT\n!", PROXY),
            (
                b"EHLO x\x1b\r\n",
                "it does not speak Perspective Broker: it began with \"EHLO x\\u{1b}\"",
            ),
        ] {
            assert_eq!(sentence(bytes), format!("{what} []"));
        }
    }

    #[test]
    fn what_is_kept_and_quoted_is_bounded() {
        let text = sentence(&[b'x'; ENOUGH_TEXT]);
        assert!(
            text.contains(&format!("\"{}\"", "x".repeat(LONGEST_QUOTE))),
            "{text}"
        );
        assert_eq!(sentence(&[b'x'; ENOUGH_TEXT - 1]), "Undecided");
        let mut headers = b"GET / HTTP/1.1\r\n".to_vec();
        headers.resize(LONGEST_BEGINNING - 1, b'a');
        assert_eq!(sentence(&headers), "Undecided");
        headers.push(b'a');
        assert_eq!(sentence(&headers), format!("{HTTP} []"));
    }
}
