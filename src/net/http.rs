//! Clients for HTTP, shared by all who ask servers.

use std::net::IpAddr;
use std::sync::OnceLock;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};

/// Most redirections that are followed.
const MOST_REDIRECTIONS: usize = 30;

/// A client that follows redirections or not, and verifies certificates or not; there are four.
///
/// # Errors
/// Why there is none.
pub fn http_client(follows: bool, verifies: bool) -> Result<&'static Client, String> {
    static CLIENTS: [OnceLock<Result<Client, String>>; 4] = [const { OnceLock::new() }; 4];
    let at = usize::from(follows) + 2 * usize::from(verifies);
    let made = CLIENTS.get(at).map(|client| {
        client.get_or_init(|| {
            // Another part of the program may have chosen it.
            drop(rustls::crypto::ring::default_provider().install_default());
            let policy = match follows {
                true => Policy::limited(MOST_REDIRECTIONS),
                false => Policy::none(),
            };
            let client = Client::builder()
                .user_agent(concat!("buildmaster/", env!("CARGO_PKG_VERSION")))
                .redirect(policy)
                .tls_danger_accept_invalid_certs(!verifies)
                .build();
            client.map_err(|error| error_chain(&error))
        })
    });
    match made {
        Some(Ok(client)) => Ok(client),
        Some(Err(problem)) => Err(problem.clone()),
        None => Err("no client".to_owned()),
    }
}

/// A client for addresses of the configuration that are told things: it follows no redirections
/// (PSH-03). Unless it `reaches_private` addresses, it refuses names that stand for them.
///
/// # Errors
/// Why there is none.
pub fn outward_http_client(reaches_private: bool) -> Result<&'static Client, String> {
    static PUBLIC: OnceLock<Result<Client, String>> = OnceLock::new();
    if reaches_private {
        return http_client(false, true);
    }
    let made = PUBLIC.get_or_init(|| {
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = Client::builder()
            .user_agent(concat!("buildmaster/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .no_proxy()
            .dns_resolver(PublicAddresses)
            .build();
        client.map_err(|error| error_chain(&error))
    });
    made.as_ref().map_err(Clone::clone)
}

/// Finds public addresses only.
#[derive(Debug)]
struct PublicAddresses;

impl Resolve for PublicAddresses {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<_> = found.filter(|found| is_public(found.ip())).collect();
            if public.is_empty() {
                let name = name.as_str();
                let why = format!("{name} stands for a private address (see `allow_private`)");
                return Err(why.into());
            }
            let addresses: Addrs = Box::new(public.into_iter());
            Ok(addresses)
        })
    }
}

/// Whether an address is outside of this machine and of private networks.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            let is_shared = a == 100 && (64..128).contains(&b);
            let is_odd = v4.is_loopback() || v4.is_private() || v4.is_link_local();
            !(is_shared || is_odd || a == 0 || v4.is_broadcast() || v4.is_multicast())
        }
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_public(IpAddr::V4(v4)),
            None => {
                let is_odd = v6.is_loopback() || v6.is_unspecified() || v6.is_multicast();
                !(is_odd || v6.is_unique_local() || v6.is_unicast_link_local())
            }
        },
    }
}

/// The body of an answer, of which at most `most` bytes are read, and whether that is all of it.
///
/// # Errors
/// The server does not send it.
pub async fn http_body(
    answer: &mut Response,
    most: usize,
) -> Result<(Vec<u8>, bool), reqwest::Error> {
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await? {
        let room = most - body.len();
        body.extend_from_slice(piece.get(..room).unwrap_or(&piece));
        if piece.len() > room {
            return Ok((body, false));
        }
    }
    Ok((body, true))
}

/// An error with its causes.
#[must_use]
pub fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn psh_03_private_addresses_are_told_from_public_ones() {
        let is_public = |text: &str| is_public(text.parse().unwrap());
        for public in [
            "192.0.2.1",
            "8.8.8.8",
            "100.63.0.1",
            "2001:db8::1",
            "::ffff:8.8.8.8",
        ] {
            assert!(is_public(public), "{public}");
        }
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "::1",
            "fe80::1",
            "fd00::1",
            "::ffff:10.0.0.1",
            "::",
        ] {
            assert!(!is_public(private), "{private}");
        }
    }
}
