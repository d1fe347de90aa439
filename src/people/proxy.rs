//! Users that a proxy in front of the master has logged in: a header counts only from an address
//! that the configuration trusts (LGN-03).

use std::net::IpAddr;

/// What the header of a request says of the user.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ProxyUser<'h> {
    /// Nothing: there is no header.
    Nobody,
    /// The user of this name has logged in at the proxy.
    User(&'h str),
    /// There is a header, but it came from an address that is not trusted: it is ignored, and the
    /// log says so.
    Untrusted,
    /// There are several headers, or one that is not a name: the request is invalid (400).
    Invalid,
}

/// Reads the headers with the name of the user in a request from `peer`. `trusted` are the
/// addresses of proxies.
#[must_use]
pub fn proxy_user<'h>(peer: IpAddr, trusted: &[IpAddr], headers: &[&'h str]) -> ProxyUser<'h> {
    let peer = peer.to_canonical();
    let is_trusted = trusted.iter().any(|known| known.to_canonical() == peer);
    match headers {
        [] => ProxyUser::Nobody,
        _ if !is_trusted => ProxyUser::Untrusted,
        [user] if user.trim().is_empty() || user.contains(char::is_control) => ProxyUser::Invalid,
        [user] => ProxyUser::User(user.trim()),
        _ => ProxyUser::Invalid,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use serde_json::Value;

    use super::*;

    #[test]
    fn lgn_03_all_cases_of_proxy_headers() {
        let cases: Value =
            serde_json::from_str(include_str!("../../tests/data/people-cases.json")).unwrap();
        let cases = cases["cases"].as_array().unwrap().iter();
        let cases: Vec<_> = cases
            .filter(|case| case["area"] == "login" && !case["given"]["peer"].is_null())
            .collect();
        assert_eq!(cases.len(), 3);
        for case in cases {
            let given = &case["given"];
            let headers: Vec<&str> = match given["header"].as_array() {
                Some(list) => list.iter().map(|header| header.as_str().unwrap()).collect(),
                None => vec![given["header"].as_str().unwrap()],
            };
            let peer = given["peer"].as_str().unwrap().parse().unwrap();
            let trusted = ["::ffff:127.0.0.1".parse().unwrap()];
            let said = proxy_user(peer, &trusted, &headers);
            let expected = &case["expect"];
            let is_right = match said {
                ProxyUser::User(user) => expected["user"] == user,
                ProxyUser::Untrusted => expected["user"].is_null() && !expected["logged"].is_null(),
                ProxyUser::Invalid => expected["status"] == 400,
                ProxyUser::Nobody => false,
            };
            assert!(is_right, "{}: {said:?}", case["id"]);
        }
    }

    #[test]
    fn lgn_03_a_header_needs_a_name() {
        let peer = "10.0.0.1".parse().unwrap();
        assert_eq!(proxy_user(peer, &[peer], &[]), ProxyUser::Nobody);
        assert_eq!(proxy_user(peer, &[peer], &[" "]), ProxyUser::Invalid);
        assert_eq!(proxy_user(peer, &[peer], &["a\tb"]), ProxyUser::Invalid);
    }
}
