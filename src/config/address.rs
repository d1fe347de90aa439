//! Addresses to listen on: ports, `ADDRESS:PORT`, strports strings.
//!
//! What does not say an interface listens on loopback alone, unlike Buildbot, which opens all
//! interfaces: `interface=0.0.0.0` or an address opens a port to others.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize, Serializer};

/// An address to listen on. A port without a host becomes two: loopback of IPv4 and of IPv6.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Listen {
    /// TCP.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

impl Listen {
    /// Whether both cannot be open at the same time. Port 0 is a new port each time.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Tcp(a), Self::Tcp(b)) => {
                let either = a.ip().is_unspecified() || b.ip().is_unspecified();
                a.port() == b.port()
                    && a.port() != 0
                    && a.is_ipv4() == b.is_ipv4()
                    && (a.ip() == b.ip() || either)
            }
            (Self::Unix(a), Self::Unix(b)) => a == b,
            (Self::Tcp(_), Self::Unix(_)) | (Self::Unix(_), Self::Tcp(_)) => false,
        }
    }
}

impl std::fmt::Display for Listen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Addresses as strings.
pub(super) fn texts<S: Serializer>(addresses: &[Listen], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(addresses.iter().map(ToString::to_string))
}

/// The addresses of a port that names no interface.
pub(super) fn loopback(port: u16) -> Vec<Listen> {
    let addresses: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    let sockets = addresses.map(|ip| Listen::Tcp(SocketAddr::new(ip, port)));
    sockets.into()
}

/// The addresses that `text` names.
pub(super) fn parse(text: &str) -> Option<Vec<Listen>> {
    let text = text.trim();
    if let Ok(port) = text.parse() {
        return Some(loopback(port));
    }
    if let Ok(address) = text.parse() {
        return Some(vec![Listen::Tcp(address)]);
    }
    let fields = split_fields(text);
    let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
    let (port, interface) = match fields.as_slice() {
        ["unix", path] if !path.is_empty() => return Some(vec![Listen::Unix(PathBuf::from(path))]),
        ["tcp", port] | ["localhost", port] => (port, None),
        ["tcp", port, option] => (port, Some(option.strip_prefix("interface=")?)),
        _ => return None,
    };
    let port = port.parse().ok()?;
    match interface {
        None | Some("localhost") => Some(loopback(port)),
        Some(ip) => Some(vec![Listen::Tcp(SocketAddr::new(ip.parse().ok()?, port))]),
    }
}

/// The fields of a strports text: between colons, of which `\:` is none.
fn split_fields(text: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            ':' => fields.push(String::new()),
            _ => {
                let c = if c == '\\' {
                    chars.next().unwrap_or(c)
                } else {
                    c
                };
                fields.last_mut().expect("there is always one").push(c);
            }
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let listens = parse(text).unwrap_or_default();
        let listens: Vec<String> = listens.iter().map(ToString::to_string).collect();
        assert_eq!(listens, expected, "{text}");
    }

    #[test]
    fn a_port_alone_is_on_loopback() {
        check("9989", &["127.0.0.1:9989", "[::1]:9989"]);
        check("tcp:9989", &["127.0.0.1:9989", "[::1]:9989"]);
        check("localhost:9989", &["127.0.0.1:9989", "[::1]:9989"]);
        check(
            "tcp:9989:interface=localhost",
            &["127.0.0.1:9989", "[::1]:9989"],
        );
    }

    #[test]
    fn an_interface_opens_that_one() {
        check("tcp:9989:interface=127.0.0.1", &["127.0.0.1:9989"]);
        check(r"tcp:9989:interface=\:\:1", &["[::1]:9989"]);
        check("tcp:9989:interface=0.0.0.0", &["0.0.0.0:9989"]);
        check("127.0.0.1:9989", &["127.0.0.1:9989"]);
        check("[::1]:9989", &["[::1]:9989"]);
        check("unix:/run/master.sock", &["unix:/run/master.sock"]);
        check(r"unix:/run/a\:b", &["unix:/run/a:b"]);
    }

    #[test]
    fn the_rest_is_refused() {
        for text in [
            "",
            "x",
            "tcp",
            "tcp:",
            "tcp:65536",
            "tcp:-1",
            "tcp:1:interface=",
            "tcp:1:interface=host",
            "tcp:1:backlog=5",
            "tcp:1:interface=::1",
            "unix:",
            "ssl:1",
            "1.2.3:5",
            r"tcp:1\",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn one_port_of_one_family_overlaps_where_the_address_is_the_same_or_any() {
        let listen = |text: &str| Listen::Tcp(text.parse().expect("test"));
        for (a, b, expected) in [
            ("127.0.0.1:1", "127.0.0.1:1", true),
            ("0.0.0.0:1", "127.0.0.1:1", true),
            ("[::]:1", "[::1]:1", true),
            ("[::]:1", "0.0.0.0:1", false),
            ("127.0.0.1:1", "127.0.0.2:1", false),
            ("127.0.0.1:0", "127.0.0.1:0", false),
            ("127.0.0.1:1", "127.0.0.1:2", false),
        ] {
            assert_eq!(listen(a).overlaps(&listen(b)), expected, "{a} {b}");
        }
    }
}
