//! The site: who answers requests, and what is kept between them.

use std::sync::atomic::AtomicI64;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use axum::Router;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use bytes::Bytes;
use tokio::sync::Semaphore;

use super::address;
use super::answer;
use super::api::events::EventStreams;
use super::api::problem::{Problem, wants_json};
use super::args::Args;
use super::cache::{Cache, Rendered, Version};
use super::hook_limits::HookLimits;
use super::limits::Limit;
use super::log::{Asked, STREAMS, Streams, rows};
use super::once::Once;
use super::page::{Page, RefusedForm, Scene};
use super::pages::{BUILDER, HEALTH, LOG, REQUEST, THEMES};
use super::provider::Provider;
use super::reader::{Means, Reader, cookie};
use super::refusal::Refusal;
use super::render::{Around, Made, Refused, make, refuse};
use super::table::PAGES;
use super::visits::Visits;
use crate::botmaster::Live;
use crate::config::{Config, nearest};
use crate::control::{Control, Origin};
use crate::logs::Growing;
use crate::model::{BuilderName, Door, RequestId, Timestamp, Zone};
use crate::net::{Gatekeeper, Tasks};
use crate::people::secret;
use crate::store::StoreError;
use crate::view::Overview;

pub(super) use acts::routes as act_routes;
pub(super) use api::routes as api_routes;

/// Answers the requests of readers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Site {
    pub(super) inner: Arc<Inner>,
    /// Made when the first reader comes.
    pub(super) routes: Arc<OnceLock<Router>>,
}

/// What all requests share.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) control: Control,
    pub(super) gatekeeper: Arc<Gatekeeper>,
    zone: Zone,
    pub(super) tasks: Tasks,
    pub(super) streams: Streams,
    pub(super) events: EventStreams,
    /// Acts of programs that are done once.
    done: acts::Done,
    current: RwLock<Current>,
    cache: Cache,
    /// Pages that may be made at once: as many as there are connections to the state.
    pub(super) making: Semaphore,
    /// What was asked so far.
    pub(super) visits: Visits,
    /// Requests that are being answered.
    pub(super) requests: Limit,
    /// Connections that are open.
    pub(super) connections: Limit,
    began: Timestamp,
    /// What the marks of forms of readers without a session are made from.
    pub(super) seed: String,
    /// What hooks may send at once.
    pub(super) hooks: HookLimits,
    /// The forms that were sent.
    pub(super) once: Once,
    /// The provider where people log in.
    pub(super) provider: Provider,
    /// Passwords that are checked at once.
    pub(super) checking: Semaphore,
    /// When somebody was warned of a header of a peer that is not a trusted proxy.
    pub(super) warned_at: AtomicI64,
}

/// The configuration in force.
#[derive(Clone, Debug)]
struct Current {
    config: Arc<Config>,
    /// How often it was replaced.
    number: u64,
}

/// Maximum number of pages that are made at once.
const MAKING: usize = 4;

/// Maximum number of passwords that are checked at once; each takes 19 MiB.
const CHECKING: usize = 2;

/// Time limit for reading the state for a page.
pub(super) const READING: Duration = Duration::from_secs(2);

/// How long a request waits for its turn before it is answered with 503.
pub(super) const WAITING: Duration = Duration::from_secs(5);

/// Maximum number of requests at once, of all readers and of one address.
const REQUESTS: (usize, usize) = (256, 64);

/// Maximum number of open connections, of all readers and of one address.
const CONNECTIONS: (usize, usize) = (1024, 256);

/// Maximum number of bytes of a request target and of a request body.
const LONGEST_TARGET: usize = 8 * 1024;

/// The argument that says after how many seconds a page is loaded again, and the least.
const RELOAD: &str = "reload";
const LEAST_RELOAD: u64 = 15;

pub(super) const STOPPING: &str = "The master is stopping.";
pub(super) const CROWDED: &str = "Too many readers ask for pages at the moment.";

impl Site {
    /// A site that shows the master behind `control`, and its `growing` logs. Who guesses passwords
    /// is slowed down by `gatekeeper`.
    #[must_use]
    pub fn new(
        control: Control,
        config: Arc<Config>,
        zone: Zone,
        growing: Growing,
        gatekeeper: Arc<Gatekeeper>,
        tasks: Tasks,
    ) -> Self {
        let streams = Streams {
            reader: control.reader().clone(),
            growing,
            tasks: tasks.clone(),
            clock: *control.clock(),
            limit: Limit::new(STREAMS.0, STREAMS.1),
        };
        let inner = Arc::new(Inner {
            began: control.clock().wall(),
            events: EventStreams::new(&control, tasks.clone()),
            done: acts::Done::default(),
            control,
            gatekeeper,
            zone,
            tasks,
            streams,
            current: RwLock::new(Current { config, number: 0 }),
            cache: Cache::default(),
            making: Semaphore::new(MAKING),
            visits: Visits::default(),
            requests: Limit::new(REQUESTS.0, REQUESTS.1),
            connections: Limit::new(CONNECTIONS.0, CONNECTIONS.1),
            seed: secret("", rand::random()),
            hooks: HookLimits::default(),
            once: Once::default(),
            provider: Provider::default(),
            checking: Semaphore::new(CHECKING),
            warned_at: AtomicI64::new(i64::MIN),
        });
        let routes = Arc::default();
        Self { inner, routes }
    }

    /// Shows another configuration from now on.
    pub fn configure(&self, config: Arc<Config>) {
        let current = self.inner.current.write();
        let mut current = current.unwrap_or_else(PoisonError::into_inner);
        current.config = config;
        current.number += 1;
    }
}

impl Inner {
    /// Answers a request for a page.
    pub(super) async fn answer(
        self: Arc<Self>,
        page: &'static Page,
        path: Vec<(String, String)>,
        request: &Parts,
    ) -> Response {
        let Parts { uri, headers, .. } = request;
        let reader = self.reader(request);
        let scheme = scheme(headers);
        if target(uri).len() > LONGEST_TARGET {
            let sentence = "The address is too long.".to_owned();
            let refusal = Refusal::Argument { sentence };
            return self.refused(refusal, &reader, uri, headers).await;
        }
        let parts = path.clone();
        let args = match Args::check(page.args, path, uri.query().unwrap_or_default()) {
            Ok(args) => args,
            Err(refusal) => return self.refused(refusal, &reader, uri, headers).await,
        };
        let key = format!("{scheme} {} {}", reader.key(), target(uri));
        let now = self.control.clock().wall();
        let slot = self.cache.slot(&key, self.version(), now);
        let made = slot.get_or_try_init(|| self.render(page, args, scheme, &reader, uri));
        match made.await {
            Ok(rendered) => {
                if !rendered.kept {
                    self.cache.forget(&key, &slot);
                }
                if page.path == LOG
                    && let Some(cut) = rows::Cut::of(&rendered.html)
                {
                    let asked = Asked::of(parts, request);
                    return match rows::answer(&self.streams, asked, cut).await {
                        Ok(answer) => answer,
                        Err(refusal) => self.refused(refusal, &reader, uri, headers).await,
                    };
                }
                answer::page(headers, rendered, reader.means() != Means::Nothing)
            }
            Err(NotMade::Refused(refused)) => refusal(headers, refused),
            Err(NotMade::Refusal(reason)) => self.refused(reason, &reader, uri, headers).await,
        }
    }

    /// Who asks, as the gate has found out.
    pub(super) fn reader(&self, request: &Parts) -> Reader {
        let reader = request.extensions.get::<Reader>();
        reader.cloned().unwrap_or_else(|| {
            self.stranger(Origin {
                door: Door::Web,
                address: String::new(),
            })
        })
    }

    /// Makes a page on a thread for blocking work.
    async fn render(
        &self,
        page: &'static Page,
        args: Args,
        scheme: &'static str,
        reader: &Reader,
        uri: &Uri,
    ) -> Result<Rendered, NotMade> {
        let turn = tokio::time::timeout(WAITING, self.making.acquire()).await;
        let _turn = turn.map_err(|_| busy(CROWDED))?;
        // Before anything is read: the page hears of what happens from here on.
        let happened = self.control.events().last();
        let live = self.control.snapshot().await.map_err(|_| busy(STOPPING))?;
        let mut scene = self.scene(live, args, reader, uri);
        if page.path == REQUEST
            && let Ok(request) = scene.args.part("request").parse()
        {
            // A request that is not there is answered by the page.
            let why = self.control.why(RequestId(request)).await;
            scene.blockers = reader.hidden().in_blockers(why.unwrap_or_default());
        }
        if page.path == BUILDER.path {
            let builder = scene.args.part("builder").into();
            scene.config = self.control.with_choices(scene.config, &builder).await;
        }
        if page.path == HEALTH {
            scene.vitals = Some(Box::new(reader.hidden().in_vitals(self.vitals())));
        }
        let at = scene.now;
        let began = self.began.0;
        let refresh = scene.args.number(RELOAD).map(|secs| secs.max(LEAST_RELOAD));
        let make = move |state: &_| {
            let around = Around {
                pages: PAGES,
                scheme,
                live: Some(happened),
            };
            Ok::<_, StoreError>(match make(page, state, &scene, around) {
                Made::Refused(refused) => Err(refused),
                Made::Page(shown, whole) => Ok(Rendered {
                    status: shown.status,
                    etag: format!("\"{began:x}-{:x}\"", whole.fingerprint),
                    gzip: answer::gzip(whole.html.as_bytes()),
                    html: Bytes::from(whole.html),
                    runs: shown.runs,
                    kept: shown.kept,
                    refresh,
                    at,
                    cookie: shown.cookie,
                }),
            })
        };
        let made = self.state_for(reader).read_within(READING, make).await;
        match made {
            Ok(made) => made.map_err(NotMade::Refused),
            Err(error) => Err(NotMade::Refusal(error.into())),
        }
    }

    /// Shows the page of a builder again, with a form that was refused.
    pub(super) async fn show_again(
        &self,
        builder: &BuilderName,
        refused: RefusedForm,
        reader: &Reader,
        headers: &HeaderMap,
    ) -> Response {
        let path = address::builder(builder);
        let uri = path.parse().unwrap_or_default();
        let Ok(live) = self.control.snapshot().await else {
            let reason = Refusal::Busy { sentence: STOPPING };
            return self.refused(reason, reader, &uri, headers).await;
        };
        let parts = [("builder".to_owned(), builder.to_string())];
        let args = Args::check(&[], parts, "").unwrap_or_default();
        let mut scene = self.scene(live, args, reader, &uri);
        scene.refused = Some(Arc::new(refused));
        scene.config = self.control.with_choices(scene.config, builder).await;
        let scheme = scheme(headers);
        let make = move |state: &_| {
            let around = Around {
                pages: PAGES,
                scheme,
                live: None,
            };
            Ok::<_, StoreError>(make(&BUILDER, state, &scene, around))
        };
        match self.state_for(reader).read_within(READING, make).await {
            Ok(Made::Page(_, whole)) => {
                answer::error_page(headers, StatusCode::BAD_REQUEST, None, whole.html)
            }
            Ok(Made::Refused(refused)) => refusal(headers, refused),
            Err(error) => self.refused(error.into(), reader, &uri, headers).await,
        }
    }

    /// An address without a page.
    pub(super) async fn missing(&self, request: &Parts) -> Response {
        let Parts { uri, headers, .. } = request;
        let path = uri.path();
        if let Some(shorter) = path.strip_suffix('/').filter(|rest| !rest.ends_with('/'))
            && !shorter.is_empty()
            && !shorter.starts_with("//")
        {
            let to = match uri.query() {
                Some(query) => format!("{shorter}?{query}"),
                None => shorter.to_owned(),
            };
            return answer::elsewhere(StatusCode::PERMANENT_REDIRECT, &to);
        }
        let fixed = PAGES.iter().map(|page| page.path);
        let fixed = fixed.filter(|path| !path.contains('{'));
        let near = nearest(path, fixed).map(|near| (near.to_owned(), near.to_owned()));
        let refusal = Refusal::NotFound {
            what: "page",
            name: path.to_owned(),
            near: near.into_iter().collect(),
        };
        let reader = self.reader(request);
        self.refused(refusal, &reader, uri, headers).await
    }

    /// The answer, or the error page for a refusal.
    pub(super) async fn or_refused(
        &self,
        answer: Result<Response, Refusal>,
        reader: &Reader,
        parts: &Parts,
    ) -> Response {
        match answer {
            Ok(answer) => answer,
            Err(reason) => {
                self.refused(reason, reader, &parts.uri, &parts.headers)
                    .await
            }
        }
    }

    /// The error page for a refusal before a page was tried.
    pub(super) async fn refused(
        &self,
        reason: Refusal,
        reader: &Reader,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Response {
        if wants_json(headers) {
            return Problem::from(reason).answer();
        }
        // Without an answer of the core the page has no numbers in its head.
        let live = self.control.snapshot().await.unwrap_or_default();
        let scene = self.scene(live, Args::default(), reader, uri);
        let around = Around {
            pages: PAGES,
            scheme: scheme(headers),
            live: Some(self.control.events().last()),
        };
        let look = move |state: &_| {
            let overview = Overview::read(state, &scene.live, scene.moment()).unwrap_or_default();
            Ok::<_, StoreError>((scene, overview))
        };
        let read = self.state_for(reader).read_within(READING, look).await;
        let (scene, overview) = read.unwrap_or_else(|_| {
            let scene = self.scene(Arc::<Live>::default(), Args::default(), reader, uri);
            (scene, Overview::default())
        });
        refusal(headers, refuse(&reason, None, &scene, &overview, around))
    }

    pub(super) fn scene(&self, live: Arc<Live>, args: Args, reader: &Reader, uri: &Uri) -> Scene {
        Scene {
            live: reader.hidden().in_live(live),
            reader: reader.clone(),
            address: target(uri).to_owned(),
            refused: None,
            config: reader.hidden().in_config(self.config()),
            facts: self.control.newsroom().facts(),
            blockers: Vec::new(),
            vitals: None,
            args,
            now: self.control.clock().wall(),
            zone: reader.zone().unwrap_or(self.zone),
            usual_zone: self.zone,
        }
    }

    fn version(&self) -> Version {
        Version {
            commits: self.control.commits(),
            batch: self.control.snapshots().batch(),
            configuration: self.current().number,
        }
    }

    /// The configuration in force.
    pub(super) fn config(&self) -> Arc<Config> {
        self.current().config
    }

    fn current(&self) -> Current {
        let current = self.current.read();
        current.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Why a page was not made.
enum NotMade {
    /// It is refused, with a page that says so.
    Refused(Refused),
    /// It was not tried.
    Refusal(Refusal),
}

const fn busy(sentence: &'static str) -> NotMade {
    NotMade::Refusal(Refusal::Busy { sentence })
}

fn refusal(headers: &HeaderMap, refused: Refused) -> Response {
    let Refused {
        reason,
        status,
        location,
        retry_after,
        html,
    } = refused;
    match location {
        Some(to) => answer::elsewhere(status, &to),
        None if wants_json(headers) => Problem::from(reason).answer(),
        None => answer::error_page(headers, status, retry_after, html),
    }
}

fn target(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", |target| target.as_str())
}

/// The colour scheme that the reader has chosen.
fn scheme(headers: &HeaderMap) -> &'static str {
    let chosen = cookie(headers, "theme");
    let themes = THEMES.iter();
    let mut themes = themes.filter(|(name, _)| Some(*name) == chosen);
    themes.next().map_or("light dark", |(_, scheme)| scheme)
}

mod acts;
mod api;
#[cfg(test)]
mod tests;
