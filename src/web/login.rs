//! The forms of logging in and out.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State as Shared};
use axum::http::HeaderMap;
use axum::response::Response;
use tokio::time::Instant;

use super::answer;
use super::form::{Form, is_right};
use super::log::Peer;
use super::reader::{Means, Reader, cookie_name, is_https, is_ours};
use super::refusal::Refusal;
use super::site::Inner;
use crate::config::Config;
use crate::control::Origin;
use crate::model::Op;
use crate::people::Lasting;

/// How long the answer to a wrong password can take. What would take longer is not said.
const PATIENCE: Duration = Duration::from_secs(30);

const TOO_OFTEN: &str = "There were too many wrong passwords. Try again in a minute.";

/// Takes the form of `/login`.
pub(super) async fn log_in(Shared(inner): Shared<Arc<Inner>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let reader = inner.reader(&parts);
    let peer = parts.extensions.get::<Peer>().and_then(|peer| peer.0);
    let answer = inner.log_in(&reader, &parts.headers, peer, body).await;
    inner.or_refused(answer, &reader, &parts).await
}

/// Takes the form of `/logout`.
pub(super) async fn log_out(Shared(inner): Shared<Arc<Inner>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let reader = inner.reader(&parts);
    let answer = inner.log_out(&reader, &parts.headers, body).await;
    inner.or_refused(answer, &reader, &parts).await
}

impl Inner {
    async fn log_in(
        &self,
        reader: &Reader,
        headers: &HeaderMap,
        peer: Option<IpAddr>,
        body: axum::body::Body,
    ) -> Result<Response, Refusal> {
        let form = self.form(reader, headers, body).await?;
        let (name, password) = (form.text("username"), form.text("passwd"));
        let next = Some(form.text("next")).filter(|next| is_ours(next));
        let next = next.unwrap_or("/").to_owned();
        let origin = reader.origin();
        let address = origin.address.parse().ok().or(peer);
        self.check(name, password, &next, address, &origin).await?;
        let lasting = match form.text("stay") {
            "" => Lasting::USUAL,
            _ => Lasting::STAYING,
        };
        let session = self
            .control
            .begin_session(name, BTreeSet::new(), lasting, &origin);
        let session = session.await.map_err(|_| Refusal::Busy {
            sentence: "The master cannot write its state, so nobody can log in.",
        })?;
        // The session from before, if there was one, is not of use any more.
        if let (Means::Session, Some(user)) = (reader.means(), reader.user()) {
            let before = reader.secret();
            self.control.end_session(before, user, &origin).await;
        }
        let cookie = set_cookie(&session, lasting, headers, &self.config());
        Ok(answer::after_form(&next, Some(&cookie)))
    }

    /// The form that was sent, from a page of ours.
    pub(super) async fn form(
        &self,
        reader: &Reader,
        headers: &HeaderMap,
        body: axum::body::Body,
    ) -> Result<Form, Refusal> {
        let form = Form::read(headers, body).await?;
        let now = self.control.clock().wall();
        is_right(reader, &form, headers, &self.config(), now)?;
        Ok(form)
    }

    /// Checks a password. Who guesses waits, at this door as at others.
    async fn check(
        &self,
        name: &str,
        password: &str,
        next: &str,
        address: Option<IpAddr>,
        origin: &Origin,
    ) -> Result<(), Refusal> {
        let limit = Instant::now() + PATIENCE;
        let turn = self.checking.acquire().await;
        let checked = self.control.is_password(name, password.to_owned()).await;
        drop(turn);
        if checked.map_err(|why| Refusal::Internal { why })? {
            if let Some(record) = self.gatekeeper.succeeded(name.as_bytes(), address) {
                let at = self.control.clock().wall();
                self.control.note(Op::LoginKnown { record, at });
            }
            return Ok(());
        }
        let at = self.gatekeeper.failed(name.as_bytes(), address, limit);
        if at >= limit {
            return Err(Refusal::TooOften {
                sentence: TOO_OFTEN,
            });
        }
        let ground = "the wrong name or password";
        self.control.login_refused(name, origin, ground);
        tokio::time::sleep_until(at).await;
        Err(Refusal::LoginFailed {
            next: next.to_owned(),
            name: name.to_owned(),
        })
    }

    async fn log_out(
        &self,
        reader: &Reader,
        headers: &HeaderMap,
        body: axum::body::Body,
    ) -> Result<Response, Refusal> {
        self.form(reader, headers, body).await?;
        if let (Means::Session, Some(name)) = (reader.means(), reader.user()) {
            let origin = reader.origin();
            self.control
                .end_session(reader.secret(), name, &origin)
                .await;
        }
        let name = cookie_name(is_https(headers, &self.config()));
        let cookie = format!("{name}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
        Ok(answer::after_form("/", Some(&cookie)))
    }
}

/// The cookie of a session. Without a wish to stay it ends with the browser.
pub(super) fn set_cookie(
    session: &str,
    lasting: Lasting,
    headers: &HeaderMap,
    config: &Config,
) -> String {
    let is_https = is_https(headers, config);
    let name = cookie_name(is_https);
    let mut cookie = format!("{name}={session}; Path=/; HttpOnly; SameSite=Lax");
    if is_https {
        cookie += "; Secure";
    }
    if lasting == Lasting::STAYING {
        cookie += &format!("; Max-Age={}", lasting.longest.as_secs());
    }
    cookie
}

#[cfg(test)]
mod tests;
