//! Clients for HTTP, shared by all who ask servers.

use std::sync::OnceLock;

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
