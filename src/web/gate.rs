//! The gate: each request passes here. It is found out who asks, and those who may not look at
//! anything see the login page.
//!
//! Invariant: what is behind the gate has a [`Reader`] among its extensions, who may look, and who
//! knows which builders are hidden (`sight`).

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::{Request, State as Shared};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::Response;
use tracing::warn;

use super::answer;
use super::log::Peer;
use super::reader::{Means, Reader, cookie, cookie_name, is_https, text};
use super::refusal::Refusal;
use super::site::Inner;
use crate::config::WebConfig;
use crate::control::{Caller, Origin};
use crate::model::{Door, Zone};
use crate::people::{ProxyUser, proxy_user};

/// Longest name of a user and longest secret that are looked up, in bytes.
const LONGEST: usize = 256;

/// Lets a request pass, or answers it.
pub(super) async fn pass(
    Shared(inner): Shared<Arc<Inner>>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let (uri, headers) = (&parts.uri, &parts.headers);
    let peer = parts.extensions.get::<Peer>();
    let peer = peer.and_then(|peer| peer.0);
    let reader = match inner.identify(uri, headers, peer).await {
        Ok(reader) => reader,
        Err(refusal) => {
            let stranger = inner.stranger(origin(uri, headers, peer, &WebConfig::default()));
            return inner.refused(refusal, &stranger, uri, headers).await;
        }
    };
    if !is_open(uri.path()) && !reader.may_look(&inner.config()) {
        return inner
            .log_in_first(&reader, &parts.method, uri, headers)
            .await;
    }
    let reader = match inner.hidden_from(&reader).await {
        Ok(hidden) => reader.with_hidden(hidden),
        Err(error) => return inner.refused(error.into(), &reader, uri, headers).await,
    };
    let reader = match inner.zone_of(&reader).await {
        Ok(zone) => reader.with_zone(zone),
        Err(why) => return inner.refused(internal(why), &reader, uri, headers).await,
    };
    parts.extensions.insert(reader);
    next.run(Request::from_parts(parts, body)).await
}

/// Whether anybody may ask for this address.
fn is_open(path: &str) -> bool {
    const OPEN: [&str; 6] = [
        "/healthz",
        "/favicon.ico",
        "/login",
        "/logout",
        "/authfail",
        "/authzfail",
    ];
    OPEN.contains(&path) || path.starts_with("/static/") || path.starts_with("/login/")
        // The link says for whom it is.
        || path.starts_with("/one-click/")
}

/// Where a request comes from, by which way.
pub(super) fn origin(
    uri: &Uri,
    headers: &HeaderMap,
    peer: Option<IpAddr>,
    web: &WebConfig,
) -> Origin {
    let door = match uri.path().starts_with("/api/") {
        true => Door::Api,
        false => Door::Web,
    };
    // The last address is the one that the proxy has seen.
    let forwarded = peer.filter(|peer| is_trusted(*peer, web)).and_then(|_| {
        let forwarded = text(headers, &HeaderName::from_static("x-forwarded-for"));
        let last = forwarded.rsplit(',').next()?;
        last.trim().parse::<IpAddr>().ok()
    });
    let address = forwarded.or(peer);
    let address = address.map(|address| address.to_canonical().to_string());
    Origin {
        door,
        address: address.unwrap_or_default(),
    }
}

fn is_trusted(peer: IpAddr, web: &WebConfig) -> bool {
    let mut trusted = web.trusted_proxies.iter();
    trusted.any(|known| known.to_canonical() == peer.to_canonical())
}

impl Inner {
    /// Somebody who has not logged in.
    pub(super) fn stranger(&self, origin: Origin) -> Reader {
        let caller = Caller::stranger(origin.door, &origin.address);
        Reader::new(caller, Means::Nothing, format!("stranger {}", self.seed))
    }

    /// Finds out who asks.
    async fn identify(
        &self,
        uri: &Uri,
        headers: &HeaderMap,
        peer: Option<IpAddr>,
    ) -> Result<Reader, Refusal> {
        let config = self.config();
        let web = config.web.clone().unwrap_or_default();
        let origin = origin(uri, headers, peer, &web);
        if let Some(token) = token(headers) {
            let origin = Origin {
                door: Door::Api,
                ..origin
            };
            let caller = self
                .control
                .of_token(token, origin)
                .await
                .map_err(internal)?;
            let caller = caller.ok_or(Refusal::BadToken)?;
            return Ok(Reader::new(caller, Means::Token, token.to_owned()));
        }
        if let Some(reader) = self.of_proxy(headers, peer, &web, &origin).await? {
            return Ok(reader);
        }
        let session = cookie(headers, cookie_name(is_https(headers, &config)));
        if let Some(session) = session.filter(|session| session.len() <= LONGEST)
            && let Some(caller) = self
                .control
                .of_session(session, origin.clone())
                .await
                .map_err(internal)?
        {
            return Ok(Reader::new(caller, Means::Session, session.to_owned()));
        }
        Ok(self.stranger(origin))
    }

    /// The time zone that somebody at a browser has set.
    async fn zone_of(&self, reader: &Reader) -> Result<Option<Zone>, String> {
        match (reader.means(), reader.user()) {
            (Means::Session | Means::Proxy, Some(user)) => self.control.zone_of(user).await,
            _ => Ok(None),
        }
    }

    /// The user whom a proxy names.
    async fn of_proxy(
        &self,
        headers: &HeaderMap,
        peer: Option<IpAddr>,
        web: &WebConfig,
        origin: &Origin,
    ) -> Result<Option<Reader>, Refusal> {
        let (Some(header), Some(peer)) = (&web.user_header, peer) else {
            return Ok(None);
        };
        let named: Vec<_> = headers.get_all(header.as_str()).iter().collect();
        let named: Vec<_> = named
            .iter()
            .map(|v| v.to_str().unwrap_or_default())
            .collect();
        let user = match proxy_user(peer, &web.trusted_proxies, &named) {
            ProxyUser::Nobody => return Ok(None),
            ProxyUser::User(user) if user.len() <= LONGEST => user.to_owned(),
            ProxyUser::Untrusted => {
                self.warn_of(peer, header);
                return Ok(None);
            }
            ProxyUser::User(_) | ProxyUser::Invalid => {
                let sentence = format!("The header {header} must name one user.");
                return Err(Refusal::Argument { sentence });
            }
        };
        let groups = web
            .groups_header
            .as_ref()
            .map(|name| headers.get_all(name.as_str()));
        let groups = groups
            .into_iter()
            .flatten()
            .filter_map(|value| value.to_str().ok());
        let groups = groups.flat_map(|value| value.split(',')).map(str::trim);
        let groups = groups.filter(|group| !group.is_empty());
        let groups: BTreeSet<_> = groups.map(ToOwned::to_owned).collect();
        let caller = self.control.of_proxy(&user, groups, origin.clone());
        let caller = caller.await.map_err(internal)?;
        let seed = format!("proxy {} {user}", self.seed);
        Ok(Some(Reader::new(caller, Means::Proxy, seed)))
    }

    /// Says, at most once a minute, that a header is ignored.
    fn warn_of(&self, peer: IpAddr, header: &str) {
        let now = self.control.clock().wall().0;
        let before = self.warned_at.load(Ordering::Relaxed);
        if now >= before.saturating_add(60_000_000) {
            self.warned_at.store(now, Ordering::Relaxed);
            warn!(%peer, header, "a header of a peer that is not a trusted proxy is ignored");
        }
    }

    /// Answers somebody who may not look at anything: with the login page, or in a line for
    /// programs.
    async fn log_in_first(
        &self,
        reader: &Reader,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Response {
        let is_for_programs = reader.means() == Means::Token
            || ["/api/", "/json", "/metrics"]
                .iter()
                .any(|path| uri.path().starts_with(path));
        if is_for_programs {
            let (status, sentence) = match reader.user() {
                None => (StatusCode::UNAUTHORIZED, "this needs a token\n"),
                Some(_) => (
                    StatusCode::FORBIDDEN,
                    "the token does not allow to look at this\n",
                ),
            };
            return answer::text(status, sentence);
        }
        let asked = uri.path_and_query().map_or("/", |asked| asked.as_str());
        let next = match *method {
            Method::GET => asked.to_owned(),
            _ => "/".to_owned(),
        };
        self.refused(Refusal::LogIn { next }, reader, uri, headers)
            .await
    }
}

/// The token in a request.
fn token(headers: &HeaderMap) -> Option<&str> {
    let value = text(headers, &header::AUTHORIZATION);
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && token.len() <= LONGEST).then_some(token)
}

fn internal(why: String) -> Refusal {
    Refusal::Internal { why }
}
