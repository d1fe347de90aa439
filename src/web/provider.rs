//! What the master asks of a provider: what it says of itself, its keys, and tokens for codes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Request, Url};
use serde::Deserialize;
use tokio::time::Instant;

use crate::config::OidcConfig;
use crate::net::{error_chain, http_body, http_client};
use crate::people::oidc::{Keys, Metadata, SecretPlace};

/// Why the provider is of no help: a clause without a full stop, and without anything secret.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum Failure {
    /// It cannot be used at the moment, or at all.
    #[error("{0}")]
    Unavailable(String),
    /// It does not vouch for the person.
    #[error("{0}")]
    Refused(String),
}

/// What is known of the provider, from when it was last asked.
#[derive(Debug, Default)]
pub(super) struct Provider {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Who it is about.
    issuer: String,
    metadata: Option<(Result<Arc<Metadata>, Failure>, Instant)>,
    keys: Option<(Arc<Keys>, Instant)>,
}

/// How long what a provider says is used before it is asked again.
const KEPT: Duration = Duration::from_secs(3600);

/// How long a provider that cannot be reached is left alone.
const LEFT_ALONE: Duration = Duration::from_secs(5);

/// Time limit of a request to the provider.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum number of bytes of an answer of the provider.
const LARGEST: usize = 256 * 1024;

impl Provider {
    /// What the provider says of itself.
    pub(super) async fn metadata(&self, oidc: &OidcConfig) -> Result<Arc<Metadata>, Failure> {
        if let Some((metadata, at)) = &self.known(oidc).metadata {
            let kept = if metadata.is_ok() { KEPT } else { LEFT_ALONE };
            if at.elapsed() < kept {
                return metadata.clone();
            }
        }
        let metadata = fetch(&Metadata::address(&oidc.issuer)).await;
        let metadata = metadata.and_then(|document| {
            let metadata = Metadata::parse(&document, &oidc.issuer);
            metadata.map(Arc::new).map_err(Failure::Unavailable)
        });
        self.known(oidc).metadata = Some((metadata.clone(), Instant::now()));
        metadata
    }

    /// The keys of the provider.
    pub(super) async fn keys(
        &self,
        oidc: &OidcConfig,
        metadata: &Metadata,
    ) -> Result<Arc<Keys>, Failure> {
        if let Some((keys, at)) = &self.known(oidc).keys
            && at.elapsed() < KEPT
        {
            return Ok(Arc::clone(keys));
        }
        self.fetch_keys(oidc, metadata).await
    }

    /// The keys that the provider has now.
    pub(super) async fn fetch_keys(
        &self,
        oidc: &OidcConfig,
        metadata: &Metadata,
    ) -> Result<Arc<Keys>, Failure> {
        let keys = Keys::parse(&fetch(&metadata.jwks_uri).await?);
        let keys = Arc::new(keys.map_err(Failure::Unavailable)?);
        self.known(oidc).keys = Some((Arc::clone(&keys), Instant::now()));
        Ok(keys)
    }

    /// What is known; nothing if that is about another provider. No code panics while it holds the
    /// lock.
    fn known(&self, oidc: &OidcConfig) -> MutexGuard<'_, Known> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.issuer != oidc.issuer {
            *known = Known {
                issuer: oidc.issuer.clone(),
                ..Known::default()
            };
        }
        known
    }
}

/// Exchanges a code for the ID token, with the client secret, if there is one. `fields` are those
/// of the form besides the usual ones.
pub(super) async fn exchange(
    oidc: &OidcConfig,
    metadata: &Metadata,
    fields: [(&str, &String); 3],
    secret: Option<String>,
) -> Result<String, Failure> {
    let request = exchange_request(oidc, metadata, fields, secret)?;
    let (status, body) = send(request).await?;
    if !(200..300).contains(&status) {
        let error = serde_json::from_slice::<Errors>(&body);
        return Err(match error {
            Ok(Errors { error }) if (400..500).contains(&status) => {
                Failure::Refused(format!("the provider answered {}", word(&error)))
            }
            Ok(_) | Err(_) => Failure::Unavailable(format!(
                "{} answered with the status {status}",
                metadata.token_endpoint
            )),
        });
    }
    let tokens = serde_json::from_slice::<Tokens>(&body);
    // The error could have a part of a token.
    let tokens = tokens.map_err(|_| Failure::Refused("the provider sent no ID token".to_owned()));
    Ok(tokens?.id_token)
}

/// The request that exchanges a code.
fn exchange_request(
    oidc: &OidcConfig,
    metadata: &Metadata,
    fields: [(&str, &String); 3],
    secret: Option<String>,
) -> Result<Request, Failure> {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "authorization_code");
    form.extend_pairs(fields);
    let mut request = request(Method::POST, &metadata.token_endpoint)?;
    match (&secret, metadata.secret_place) {
        (Some(secret), SecretPlace::Header) => {
            // RFC 6749, section 2.3.1: both are encoded as in forms first.
            let encoded =
                |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            let both = format!("{}:{}", encoded(&oidc.client_id), encoded(secret));
            let value = format!("Basic {}", STANDARD.encode(both));
            let mut value = HeaderValue::try_from(value)
                .map_err(|_| Failure::Unavailable("the client secret is not a text".to_owned()))?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        (secret, _) => {
            form.append_pair("client_id", &oidc.client_id);
            if let Some(secret) = secret {
                form.append_pair("client_secret", secret);
            }
        }
    }
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
    request.headers_mut().insert(CONTENT_TYPE, kind);
    *request.body_mut() = Some(form.finish().into());
    Ok(request)
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
}

#[derive(Deserialize)]
struct Errors {
    error: String,
}

/// The document at an address.
async fn fetch(address: &str) -> Result<Vec<u8>, Failure> {
    let (status, body) = send(request(Method::GET, address)?).await?;
    match status {
        200 => Ok(body),
        status => {
            let why = format!("{address} answered with the status {status}");
            Err(Failure::Unavailable(why))
        }
    }
}

fn request(method: Method, address: &str) -> Result<Request, Failure> {
    let url = Url::parse(address);
    let url = url.map_err(|error| Failure::Unavailable(format!("{address:?}: {error}")))?;
    let mut request = Request::new(method, url);
    *request.timeout_mut() = Some(TIMEOUT);
    let json = HeaderValue::from_static("application/json");
    request.headers_mut().insert(ACCEPT, json);
    Ok(request)
}

/// Sends a request; answers with the status and the body.
async fn send(request: Request) -> Result<(u16, Vec<u8>), Failure> {
    let host = request.url().host_str().unwrap_or_default().to_owned();
    let unavailable = |error: reqwest::Error| {
        let why = error_chain(&error.without_url());
        Failure::Unavailable(format!("the provider at {host} does not answer: {why}"))
    };
    // Redirections are not followed: they could lead to an address that the issuer did not name.
    let client = http_client(false, true).map_err(Failure::Unavailable)?;
    let mut answer = client.execute(request).await.map_err(unavailable)?;
    let (body, is_whole) = http_body(&mut answer, LARGEST).await.map_err(unavailable)?;
    if !is_whole {
        let why = format!("the answer of {host} is larger than 256 KiB");
        return Err(Failure::Unavailable(why));
    }
    Ok((answer.status().as_u16(), body))
}

/// The code of an error of a provider, as it can be shown.
pub(super) fn word(error: &str) -> String {
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    error.chars().take_while(is_plain).take(64).collect()
}
