//! The door for hooks: `POST /change_hook/DIALECT`, as in Buildbot, and `POST /hooks/NAME` (HKI-01
//! to HKI-08).
//!
//! Invariants: nobody who sends here has a session, and nothing but the secret counts (LGN-07). The
//! secret is checked over the body as it came, before anything is parsed. All that strangers can
//! make the master keep is bounded: bodies together, requests of an address, addresses. A hook is
//! answered with numbers only when its changes are on disk.

mod refused;

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{RawPathParams, Request, State as Shared};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use axum::routing::any;
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, info};

use self::refused::{Refused, in_json};
use super::gate;
use super::log::Peer;
use super::site::{Inner, WAITING};
use crate::config::{ChangeHookConfig, ChangeSourceConfig, is_same_repository};
use crate::control::read_password;
use crate::model::held_pulls::waits;
use crate::model::{
    ChangeNumber, Delivery, HeldPull, Holding, NewChange, Offer, OfferAnswer, SourceAttempt,
    SourceName,
};
use crate::net::network;
use crate::protocol::hook::{self, Dialect, Origin, Post, Pushed, Reading, Told, Unsigned};

/// A hook of the configuration.
#[derive(Clone, Debug)]
struct Hook {
    name: SourceName,
    config: ChangeHookConfig,
}

impl Hook {
    /// The origin of a pull request that needs an approval.
    fn stranger(&self, pushed: &Pushed) -> Option<Origin> {
        let origin = pushed.pull.as_ref().filter(|pull| !pull.is_own)?;
        let needs_it = self
            .config
            .approval
            .ask_for(&origin.author, origin.is_public);
        needs_it.then(|| origin.clone())
    }
}

/// What was made of a hook.
#[derive(Debug, Default)]
struct Made {
    /// The changes that are new.
    new: Vec<ChangeNumber>,
    /// How many were known.
    known: usize,
    /// Why there is nothing new.
    why: Option<String>,
    /// How many more commits the push had than the hook lists (HKI-07).
    missing: u64,
    /// Whether the hook names the tips of branches alone.
    tips_only: bool,
}

/// How long a body may take to arrive (HKI-03).
const ARRIVING: Duration = Duration::from_secs(30);

/// How long the answer to a wrong secret may be delayed. What would take longer is not said.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a hook that leaves commits out waits for the poller that finds them.
const FILLING: Duration = Duration::from_secs(8);

/// The property that says how many commits of a push are not among the changes (HKI-07).
const MISSING: &str = "commits_left_out";

/// Whether this is the address of a hook.
pub(super) fn is_hook(path: &str) -> bool {
    path == "/change_hook" || path.starts_with("/change_hook/") || path.starts_with("/hooks/")
}

/// The routes of hooks. They are outside of the gate.
pub(super) fn routes(router: Router<Arc<Inner>>) -> Router<Arc<Inner>> {
    let by_dialect = async |Shared(inner): Shared<Arc<Inner>>, request: Request| {
        // Buildbot takes what is behind the dialect for options.
        let path = request.uri().path().trim_start_matches("/change_hook");
        let dialect = path.trim_matches('/').split('/').next().unwrap_or_default();
        let dialect = match dialect {
            "" => Dialect::Base.name().to_owned(),
            dialect => dialect.to_owned(),
        };
        let hooks = inner.hooks_where(|hook| hook.config.dialect.name() == dialect);
        inner.take_hook(&dialect, hooks, request).await
    };
    let by_name =
        async |Shared(inner): Shared<Arc<Inner>>, path: RawPathParams, request: Request| {
            let name = path.iter().next().map_or("", |(_, name)| name).to_owned();
            let hooks = inner.hooks_where(|hook| hook.name.as_str() == name);
            inner.take_hook(&name, hooks, request).await
        };
    router
        .route("/change_hook", any(by_dialect))
        .route("/change_hook/{*dialect}", any(by_dialect))
        .route("/change_hook/", any(by_dialect))
        .route("/hooks/{name}", any(by_name))
}

impl Inner {
    /// The largest body of a request to an address, if hooks are sent there.
    pub(super) fn largest_body(&self, path: &str) -> Option<u64> {
        let hooks = is_hook(path).then(|| self.hooks_where(|_| true))?;
        let sizes = hooks.iter().map(|hook| hook.config.max_size);
        Some(sizes.max().unwrap_or_default())
    }

    fn hooks_where(&self, is_meant: impl Fn(&Hook) -> bool) -> Vec<Hook> {
        let config = self.config();
        let sources = config.change_sources.iter();
        let hooks = sources.filter_map(|source| {
            Some(Hook {
                name: source.name.clone(),
                config: source.change_hook()?.clone(),
            })
        });
        hooks.filter(is_meant).collect()
    }

    /// Answers a hook that was sent to those of `hooks` whose secret is right.
    async fn take_hook(&self, asked: &str, hooks: Vec<Hook>, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let peer = parts.extensions.get::<Peer>().and_then(|peer| peer.0);
        let web = self.config().web.clone().unwrap_or_default();
        let origin = gate::origin(&parts.uri, &parts.headers, peer, &web);
        let address = origin.address.parse().ok().or(peer);
        let mut source = hooks.first().map(|hook| hook.name.clone());
        let made = self
            .hook(asked, hooks, &mut source, address, &parts, body)
            .await;
        match made {
            Ok(made) => made.answer(),
            Err(refused) => {
                self.note_refusal(asked, source, &origin.address, &refused);
                refused.answer()
            }
        }
    }

    /// Puts on record that a hook was refused, but for what was in it (HKI-03).
    fn note_refusal(
        &self,
        asked: &str,
        source: Option<SourceName>,
        address: &str,
        refused: &Refused,
    ) {
        let status = refused.status().as_u16();
        if refused.is_repetition() {
            debug!(hook = ?asked, peer.addr = address, status, "hook refused again");
            return;
        }
        info!(hook = ?asked, peer.addr = address, status, "hook refused: {:?}", refused.to_string());
        if let Some(source) = source {
            self.control.source_tried(SourceAttempt {
                source,
                at: self.control.clock().wall(),
                next: None,
                error: Some(format!("hook refused: {refused}")),
                note: None,
            });
        }
    }

    async fn hook(
        &self,
        asked: &str,
        hooks: Vec<Hook>,
        source: &mut Option<SourceName>,
        address: Option<IpAddr>,
        parts: &Parts,
        body: Body,
    ) -> Result<Made, Refused> {
        if parts.method != Method::POST {
            return Err(Refused::Method);
        }
        let per_minute = hooks.iter().map(|hook| hook.config.max_per_minute).max();
        let sender = address.map(network);
        self.hooks
            .rate
            .take(sender, per_minute.unwrap_or(60), Instant::now())
            .map_err(Refused::TooOften)?;
        let place = self.hooks.at_once.take(sender).ok_or(Refused::AtOnce)?;
        let most = hooks.iter().map(|hook| hook.config.max_size).max();
        let most = most.ok_or_else(|| Refused::Unknown(asked.to_owned()))?;
        let (post, room) = self.receive(parts, body, most).await?;
        let believed = self.believed(hooks, address, &post).await;
        let hook = match believed {
            Ok(hook) => hook,
            Err(Refused::Unsigned(why)) => {
                // Places and room are for those who are believed.
                drop((post, room, place));
                let _delayed = self.hooks.delayed.take(sender).ok_or(Refused::AtOnce)?;
                let limit = Instant::now() + PATIENCE;
                sleep_until(self.gatekeeper.failed(asked.as_bytes(), address, limit)).await;
                return Err(why.into());
            }
            Err(refused) => return Err(refused),
        };
        *source = Some(hook.name.clone());
        let reading = Reading {
            tags: hook.config.tags,
            branch: hook.config.fields.branch.clone(),
            encoding: hook.config.fields.encoding,
        };
        match hook::read(hook.config.dialect, &post, &reading)? {
            Told::Nothing(why) => Ok(self.nothing(&hook, why)),
            Told::Over {
                repository,
                number,
                why,
            } => {
                let forgotten = self.control.forget_pull(&hook.name, &repository, number);
                forgotten.await.map_err(Refused::Busy)?;
                Ok(self.nothing(&hook, why))
            }
            Told::Poll { poller } => self.poll(&hook, poller),
            Told::Changes(pushed) => {
                // The body of a script is sent twice on purpose when its change has no identity.
                let is_signed = hook.config.dialect != Dialect::Base;
                let delivery = is_signed.then(|| Delivery::of(&post.body));
                drop((post, room));
                match hook.stranger(&pushed) {
                    Some(origin) => self.hold(&hook, origin, pushed, delivery).await,
                    None => self.changes(&hook, pushed, delivery).await,
                }
            }
        }
    }

    /// Receives the body, when there is room for it.
    async fn receive(
        &self,
        parts: &Parts,
        body: Body,
        most: u64,
    ) -> Result<(Post, OwnedSemaphorePermit), Refused> {
        let length = parts.headers.get("content-length");
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        if length.is_some_and(|length: u64| length > most) {
            return Err(Refused::TooLarge(most));
        }
        let kib = length.unwrap_or(most).div_ceil(1024);
        let kib = u32::try_from(kib).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.hooks.bodies).acquire_many_owned(kib);
        let Ok(Ok(room)) = timeout(WAITING, room).await else {
            let why = "too many hooks are being received";
            return Err(Refused::Busy(why.to_owned()));
        };
        let limit = usize::try_from(most).unwrap_or(usize::MAX);
        let body = timeout(ARRIVING, to_bytes(body, limit)).await;
        let body = body.map_err(|_| Refused::Slow)?;
        let body = body.map_err(|_| Refused::TooLarge(most))?;
        let headers = parts.headers.iter().map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            (name.as_str().to_owned(), value.into_owned())
        });
        let query = parts.uri.query().unwrap_or_default();
        let query = form_urlencoded::parse(query.as_bytes());
        let post = Post {
            headers: headers.collect(),
            query: query.into_owned().collect(),
            body: body.into(),
        };
        Ok((post, room))
    }

    /// The first of `hooks` that takes what this sender says (HKI-02).
    async fn believed(
        &self,
        hooks: Vec<Hook>,
        address: Option<IpAddr>,
        post: &Post,
    ) -> Result<Hook, Refused> {
        let mut refused = Refused::Unsigned(Unsigned::Missing);
        for hook in hooks {
            let allowed = &hook.config.allow_from;
            if let Some(address) = address
                && !allowed.is_empty()
                && !allowed.iter().any(|network| network.contains(address))
            {
                refused = Refused::Address(address.to_canonical());
                continue;
            }
            let secrets = self.secrets(&hook.config).await?;
            if secrets.is_empty() {
                return Ok(hook);
            }
            let secrets: Vec<_> = secrets.iter().map(String::as_str).collect();
            match hook::check(hook.config.dialect, post, &secrets) {
                Ok(()) => return Ok(hook),
                Err(why) => refused = why.into(),
            }
        }
        Err(refused)
    }

    /// The secrets of a hook, which are read each time: whoever replaces the file has changed it.
    async fn secrets(&self, config: &ChangeHookConfig) -> Result<Vec<String>, Refused> {
        let secrets = config.secret.iter().chain(&config.previous_secret);
        let secrets: Vec<_> = secrets.cloned().collect();
        let read = crate::blocking::run(move || {
            let read = |secret| read_password(secret, Path::new("."));
            let read: Result<Vec<_>, String> = secrets.iter().map(read).collect();
            let texts = read?.into_iter().map(String::from_utf8);
            let texts: Result<Vec<_>, _> = texts.collect();
            texts.map_err(|_| "the secret is not UTF-8".to_owned())
        });
        let read = read.await.map_err(|error| error.to_string());
        read.and_then(|read| read).map_err(|why| {
            Refused::Busy(format!(
                "the master cannot read the secret of the hook: {why}"
            ))
        })
    }

    /// There is nothing to do.
    fn nothing(&self, hook: &Hook, why: String) -> Made {
        self.control.source_tried(SourceAttempt {
            source: hook.name.clone(),
            at: self.control.clock().wall(),
            next: None,
            error: None,
            note: Some(why.clone()),
        });
        Made {
            why: Some(why),
            ..Made::default()
        }
    }

    /// Tells pollers to look now.
    fn poll(&self, hook: &Hook, poller: Option<String>) -> Result<Made, Refused> {
        let pokes = self.control.pokes();
        let why = match poller {
            Some(name) if pokes.poke(&SourceName::from(name.as_str())) => format!("{name} polls"),
            Some(name) => return Err(Refused::UnknownPoller(name)),
            None => {
                let names = pokes.names();
                let poked = names.iter().filter(|name| pokes.poke(name)).count();
                match poked {
                    1 => "1 poller polls".to_owned(),
                    poked => format!("{poked} pollers poll"),
                }
            }
        };
        Ok(self.nothing(hook, why))
    }

    /// Keeps the pull request of a stranger until somebody approves it (POL-13).
    async fn hold(
        &self,
        hook: &Hook,
        origin: Origin,
        mut pushed: Pushed,
        delivery: Option<Delivery>,
    ) -> Result<Made, Refused> {
        let Some(change) = pushed.changes.pop() else {
            return Ok(self.nothing(hook, "no changes".to_owned()));
        };
        let Origin { number, author, .. } = origin;
        let head = change.revision.clone().unwrap_or_default();
        let mut kept = change.clone();
        hook.config.fields.fill(&mut kept);
        let pull = HeldPull {
            repository: change.repository.clone(),
            number,
            head: head.clone(),
            author: author.clone(),
            change: Some(Box::new(kept)),
        };
        let held = self.control.hold(&hook.name, delivery, pull).await;
        match held.map_err(Refused::Busy)? {
            Some(Holding::Approved) => {
                let why = format!("pull request {number} was approved at {head}");
                Ok(self.nothing(hook, why))
            }
            Some(Holding::Waits | Holding::Waited) => {
                let why = waits(number, &author, &head);
                Ok(Made {
                    why: Some(why),
                    ..Made::default()
                })
            }
            // A filter drops it, which is counted.
            None => {
                pushed.changes.push(change);
                self.changes(hook, pushed, delivery).await
            }
        }
    }

    /// Offers the changes of a push.
    async fn changes(
        &self,
        hook: &Hook,
        pushed: Pushed,
        delivery: Option<Delivery>,
    ) -> Result<Made, Refused> {
        let Pushed {
            mut changes,
            missing,
            tips_only,
            ..
        } = pushed;
        for change in &mut changes {
            hook.config.fields.fill(change);
        }
        if let (Some(first), true) = (changes.first_mut(), missing > 0) {
            first.properties.set(MISSING, missing, "Change");
        }
        self.poke_pollers(&changes, missing > 0 || tips_only).await;
        let mut made = Made {
            missing,
            tips_only,
            ..Made::default()
        };
        let mut rest = changes.into_iter().peekable();
        while rest.peek().is_some() {
            let changes: Vec<_> = rest.by_ref().take(Offer::MOST_CHANGES).collect();
            let count = changes.len();
            let offer = Offer {
                source: hook.name.clone(),
                // The delivery is complete when its last part is on disk.
                delivery: delivery.filter(|_| rest.peek().is_none()),
                changes,
                ..Offer::default()
            };
            let pending = self.control.offer(offer).await.map_err(Refused::Busy)?;
            match pending.answer().await.map_err(Refused::Busy)? {
                OfferAnswer::Redelivered => made.known += count,
                OfferAnswer::Taken(taken) => {
                    let new = taken.iter().filter(|taken| taken.is_new);
                    made.new.extend(new.map(|taken| taken.number));
                    made.known += taken.iter().filter(|taken| !taken.is_new).count();
                }
            }
        }
        if made.new.is_empty() {
            made.why = Some("all changes are known".to_owned());
            (made.missing, made.tips_only) = (0, false);
        }
        Ok(made)
    }

    /// Tells the pollers of the repository to look, which make up for hooks that were lost. If the
    /// hook leaves commits out, waits until they have looked: they bring all commits in order, and
    /// those of the hook are known then (HKI-07).
    async fn poke_pollers(&self, changes: &[NewChange], has_gap: bool) {
        let Some(change) = changes.first() else {
            return;
        };
        let config = self.config();
        let is_meant = |source: &&ChangeSourceConfig| {
            let polled = source.kind.polls();
            polled.is_some_and(|polled| {
                is_same_repository(&config.repositories, &polled, &change.repository)
            })
        };
        for source in config.change_sources.iter().filter(is_meant) {
            if !has_gap {
                // One that does not run looks when it starts.
                let is_told = self.control.pokes().poke(&source.name);
                debug!(source = %source.name, is_told, "told the poller to look");
                continue;
            }
            let looking = self.control.pokes().poll(&source.name);
            if timeout(FILLING, looking).await.is_err() {
                info!(source = %source.name, "a hook left commits out, and its poller takes long");
            }
        }
    }
}

impl Made {
    /// The answer: 202 with numbers, 200 if there was nothing to do (HKI-05).
    fn answer(&self) -> Response {
        let status = match self.new.is_empty() {
            true => StatusCode::OK,
            false => StatusCode::ACCEPTED,
        };
        let mut body = json!({ "changes": self.new, "known": self.known });
        if let Some(why) = &self.why {
            body["why"] = json!(why);
        }
        if self.missing > 0 {
            body["missing"] = json!(self.missing);
        }
        if self.tips_only {
            body["tips_only"] = json!(true);
        }
        in_json(status, HeaderMap::new(), &body)
    }
}

#[cfg(test)]
mod tests;
