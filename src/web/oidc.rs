//! Logging in at an OpenID Connect provider (LGN-04): the address that begins it, and the address
//! to which the provider sends the browser back.
//!
//! Neither the log nor the state has codes, tokens or the secrets of a login.

use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::Response;
use tracing::warn;

use super::answer;
use super::login::set_cookie;
use super::outside::{CALLBACK, outside};
use super::provider::{self, Failure, word};
use super::reader::{Means, Reader, cookie, is_https, is_ours};
use super::refusal::{Notice, Refusal};
use super::site::Inner;
use crate::config::{Config, OidcConfig};
use crate::people::oidc::{Claims, Expected, Flow, IdTokenError, PATIENCE};
use crate::people::{Lasting, hash_of};

/// Longest argument of the provider that is looked at, in bytes.
const LONGEST: usize = 4096;

const NOT_BEGUN: &str = "This login was not begun in this browser, or more than ten minutes ago. \
                         Begin again.";
const USED: &str = "This login was finished already. Begin again.";
const NO_PROVIDER: &str = "The configuration of this master has no login provider.";

/// Sends the browser to the provider.
pub(super) async fn begin(Shared(inner): Shared<Arc<Inner>>, request: Request) -> Response {
    let parts = request.into_parts().0;
    let reader = inner.reader(&parts);
    let answer = inner.begin_login(&parts.uri, &parts.headers).await;
    inner.or_refused(answer, &reader, &parts).await
}

/// Takes what the provider has sent with the browser.
pub(super) async fn finish(Shared(inner): Shared<Arc<Inner>>, request: Request) -> Response {
    let parts = request.into_parts().0;
    let reader = inner.reader(&parts);
    let answer = inner.finish_login(&reader, &parts.uri, &parts.headers);
    inner.or_refused(answer.await, &reader, &parts).await
}

impl Inner {
    async fn begin_login(&self, uri: &Uri, headers: &HeaderMap) -> Result<Response, Refusal> {
        let config = self.config();
        let oidc = config.oidc().ok_or_else(no_provider)?;
        let next = argument(uri, "next").filter(|next| is_ours(next) && next.len() <= 2000);
        let stays = argument(uri, "stay").is_some();
        let metadata = self.provider.metadata(oidc).await;
        let metadata = metadata.map_err(|why| unreachable(oidc, &why))?;
        let now = self.control.clock().wall();
        let next = next.unwrap_or_else(|| "/".to_owned());
        let flow = Flow::new(rand::random(), now, stays, next);
        let key = self.flow_key();
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs([
            ("response_type", "code"),
            ("client_id", &oidc.client_id),
            ("redirect_uri", &outside(&config, CALLBACK)),
            ("scope", &oidc.scopes.join(" ")),
            ("state", &flow.state(&key)),
            ("nonce", &flow.nonce(&key)),
            ("code_challenge", &flow.challenge(&key)),
            ("code_challenge_method", "S256"),
        ]);
        let endpoint = &metadata.authorization_endpoint;
        let sign = if endpoint.contains('?') { '&' } else { '?' };
        let to = format!("{endpoint}{sign}{}", query.finish());
        let mut answer = answer::elsewhere(StatusCode::FOUND, &to);
        let is_https = is_https(headers, &config);
        let seconds = PATIENCE.as_secs();
        add_cookie(
            &mut answer,
            &flow_cookie(&flow.cookie(&key), seconds, is_https),
        );
        answer::put(answer.headers_mut(), header::CACHE_CONTROL, "no-store");
        Ok(answer)
    }

    async fn finish_login(
        &self,
        reader: &Reader,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<Response, Refusal> {
        let config = self.config();
        let oidc = config.oidc().ok_or_else(no_provider)?;
        let is_https = is_https(headers, &config);
        let (key, now) = (self.flow_key(), self.control.clock().wall());
        let flow = cookie(headers, flow_name(is_https));
        let flow = flow.and_then(|flow| Flow::of_cookie(flow, &key, now));
        let state = argument(uri, "state").unwrap_or_default();
        let flow = flow.filter(|flow| flow.is_state(&key, &state));
        let flow = flow.ok_or_else(|| not_logged_in(StatusCode::BAD_REQUEST, NOT_BEGUN))?;
        if !self.once.take(&format!("oidc {}", hash_of(&state))) {
            return Err(not_logged_in(StatusCode::BAD_REQUEST, USED));
        }
        let origin = reader.origin();
        let claims = match self.claims(&config, oidc, uri, &flow).await {
            Ok(claims) => claims,
            Err(failure) => {
                warn!(
                    issuer = oidc.issuer,
                    "login at the provider failed: {failure}"
                );
                self.control
                    .login_refused("", &origin, &failure.to_string());
                return Err(failed(&failure));
            }
        };
        let lasting = if flow.stays {
            Lasting::STAYING
        } else {
            Lasting::USUAL
        };
        let session = self
            .control
            .log_in_with(&claims, oidc, lasting, &origin)
            .await;
        let session = session.map_err(|why| {
            let sentence = format!("{why}.");
            not_logged_in(StatusCode::FORBIDDEN, &sentence)
        })?;
        if let (Means::Session, Some(user)) = (reader.means(), reader.user()) {
            self.control
                .end_session(reader.secret(), user, &origin)
                .await;
        }
        let cookie = set_cookie(&session, lasting, headers, &config);
        let mut answer = answer::after_form(&flow.next, Some(&cookie));
        add_cookie(&mut answer, &flow_cookie("", 0, is_https));
        Ok(answer)
    }

    /// What the provider says of the person who has come back.
    async fn claims(
        &self,
        config: &Config,
        oidc: &OidcConfig,
        uri: &Uri,
        flow: &Flow,
    ) -> Result<Claims, Failure> {
        let metadata = self.provider.metadata(oidc).await?;
        let issuer = argument(uri, "iss");
        if issuer
            .as_ref()
            .map_or(metadata.names_issuer, |issuer| *issuer != oidc.issuer)
        {
            return Err(Failure::Refused(
                "the answer is that of another issuer".to_owned(),
            ));
        }
        if let Some(error) = argument(uri, "error") {
            return Err(Failure::Refused(format!(
                "the provider answered {}",
                word(&error)
            )));
        }
        let code = argument(uri, "code")
            .ok_or_else(|| Failure::Refused("the answer of the provider has no code".to_owned()))?;
        let key = self.flow_key();
        let back = outside(config, CALLBACK);
        let secret = self.client_secret(oidc).await?;
        let verifier = flow.verifier(&key);
        let fields = [
            ("code", &code),
            ("redirect_uri", &back),
            ("code_verifier", &verifier),
        ];
        let token = provider::exchange(oidc, &metadata, fields, secret).await?;
        let nonce = flow.nonce(&key);
        let expected = Expected {
            issuer: &oidc.issuer,
            client_id: &oidc.client_id,
            nonce: &nonce,
            now: self.control.clock().wall(),
        };
        let keys = self.provider.keys(oidc, &metadata).await?;
        let read = match Claims::read(&token, &keys, expected) {
            // The provider may have other keys by now.
            Err(IdTokenError::UnknownKey | IdTokenError::Signature) => {
                let keys = self.provider.fetch_keys(oidc, &metadata).await?;
                Claims::read(&token, &keys, expected)
            }
            read => read,
        };
        read.map_err(|error| Failure::Refused(error.to_string()))
    }

    /// The secret of the master at the provider, as it is now.
    async fn client_secret(&self, oidc: &OidcConfig) -> Result<Option<String>, Failure> {
        let Some(secret) = &oidc.client_secret else {
            return Ok(None);
        };
        let read = self.control.secret(secret).await;
        let secret = read.map_err(Failure::Unavailable)?;
        Ok(Some(String::from_utf8_lossy(&secret).into_owned()))
    }

    /// The key with which the logins of this master are sealed.
    fn flow_key(&self) -> Vec<u8> {
        format!("oidc {}", self.seed).into_bytes()
    }
}

/// The name of the cookie of a login that is under way.
const fn flow_name(is_https: bool) -> &'static str {
    match is_https {
        true => "__Host-login",
        false => "login",
    }
}

fn flow_cookie(value: &str, seconds: u64, is_https: bool) -> String {
    let secure = if is_https { "; Secure" } else { "" };
    let name = flow_name(is_https);
    format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
}

fn add_cookie(answer: &mut Response, cookie: &str) {
    if let Ok(cookie) = cookie.parse() {
        answer.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

/// An argument of an address; one that is too long is not there.
fn argument(uri: &Uri, name: &str) -> Option<String> {
    let query = uri.query().unwrap_or_default();
    let mut arguments = form_urlencoded::parse(query.as_bytes());
    let (_, value) = arguments.find(|(key, _)| key == name)?;
    (value.len() <= LONGEST).then(|| value.into_owned())
}

fn no_provider() -> Refusal {
    not_logged_in(StatusCode::NOT_FOUND, NO_PROVIDER)
}

fn unreachable(oidc: &OidcConfig, failure: &Failure) -> Refusal {
    warn!(
        issuer = oidc.issuer,
        "login provider cannot be used: {failure}"
    );
    failed(failure)
}

fn failed(failure: &Failure) -> Refusal {
    match failure {
        Failure::Unavailable(_) => {
            let sentence = "The login provider cannot be used now. The log of the master says why.";
            not_logged_in(StatusCode::BAD_GATEWAY, sentence)
        }
        Failure::Refused(why) => {
            let sentence = format!("The login was not accepted: {why}.");
            not_logged_in(StatusCode::FORBIDDEN, &sentence)
        }
    }
}

fn not_logged_in(status: StatusCode, sentence: &str) -> Refusal {
    Refusal::Said(Box::new(Notice {
        status,
        heading: "You are not logged in".to_owned(),
        sentence: sentence.to_owned(),
        back: "/login".to_owned(),
    }))
}

#[cfg(test)]
mod tests;
