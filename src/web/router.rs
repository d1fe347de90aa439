//! Connects each address with what answers it.

use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, RawPathParams, Request, State as Shared};
use axum::http::{HeaderMap, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use tokio::time::Instant;

use super::acts::{self, ACTS, Act};
use super::address;
use super::answer::{self, CSS, SVG};
use super::api::events;
use super::assets::{ICON, STYLE, STYLE_PATH};
use super::gate;
use super::hooks;
use super::log::{self, Asked};
use super::login;
use super::oidc;
use super::one_click;
use super::outlet::Outlet;
use super::outside::{BEGIN, CALLBACK};
use super::page::Page;
use super::pages::{HEALTH, HEALTH_AS_JSON};
use super::settings;
use super::site::{Inner, Site, act_routes, api_routes};
use super::table::{OUTLETS, PAGES};

impl Site {
    /// The router, for a connection or a test.
    pub fn router(&self) -> Router {
        let router = || router(Arc::clone(&self.inner));
        self.routes.get_or_init(router).clone()
    }
}

/// Connects each address with what answers it.
fn router(inner: Arc<Inner>) -> Router {
    let mut router = Router::new();
    for page in PAGES {
        let page: &'static Page = page;
        let answer = move |Shared(inner): Shared<Arc<Inner>>,
                           path: RawPathParams,
                           request: Request| async move {
            let path = path.iter().map(|(k, v)| (k.to_owned(), v.to_owned()));
            let (path, parts) = (path.collect(), request.into_parts().0);
            if page.path == HEALTH && asks_for_json(&parts.uri) {
                return inner.document(&HEALTH_AS_JSON, path, &parts).await;
            }
            inner.answer(page, path, &parts).await
        };
        router = router.route(page.path, get(answer));
    }
    for outlet in OUTLETS {
        let outlet: &'static Outlet = outlet;
        let answer = move |Shared(inner): Shared<Arc<Inner>>,
                           path: RawPathParams,
                           request: Request| async move {
            let path = path.iter().map(|(k, v)| (k.to_owned(), v.to_owned()));
            let parts = request.into_parts().0;
            inner.document(outlet, path.collect(), &parts).await
        };
        router = router.route(outlet.path, get(answer));
    }
    for act in ACTS {
        let act: &'static Act = act;
        let answer = move |inner: Shared<Arc<Inner>>, path: RawPathParams, request: Request| {
            acts::take(act, inner, path, request)
        };
        router = router.route(act.path, post(answer));
    }
    let style = async |headers: HeaderMap| answer::asset(&headers, CSS, STYLE);
    let icon = async |headers: HeaderMap| answer::asset(&headers, SVG, ICON);
    let health = async |Shared(inner): Shared<Arc<Inner>>, uri: Uri| inner.health(&uri).await;
    let missing = async |Shared(inner): Shared<Arc<Inner>>, request: Request| {
        inner.missing(&request.into_parts().0).await
    };
    let text = async |Shared(inner): Shared<Arc<Inner>>, path: RawPathParams, request: Request| {
        let answer = log::text::answer(&inner.streams, asked(&path, request)).await;
        answer.unwrap_or_else(log::refused)
    };
    let follow =
        async |Shared(inner): Shared<Arc<Inner>>, path: RawPathParams, request: Request| {
            let answer = log::follow::answer(&inner.streams, asked(&path, request)).await;
            answer.unwrap_or_else(log::refused)
        };
    let happens =
        async |Shared(inner): Shared<Arc<Inner>>, path: RawPathParams, request: Request| {
            let asked = asked(&path, request);
            inner.opened(&asked.headers, inner.events.answer(&asked))
        };
    let router = api_routes(act_routes(router))
        .route(events::PATH, get(happens))
        .route(address::SETTINGS, post(settings::take))
        .route(address::ONE_CLICK, post(one_click::take))
        .route("/login", post(login::log_in))
        .route(BEGIN, get(oidc::begin))
        .route(CALLBACK, get(oidc::finish))
        .route("/logout", post(login::log_out))
        .route(log::follow::PATH, get(follow))
        .route(log::text::PATH, get(text))
        .route(&STYLE_PATH, get(style))
        .route("/favicon.ico", get(icon))
        .route("/healthz", get(health))
        .fallback(missing)
        .layer(from_fn_with_state(Arc::clone(&inner), gate::pass));
    // Hooks show who they are each time, and have no session (LGN-07).
    hooks::routes(router)
        .layer(from_fn_with_state(Arc::clone(&inner), count))
        .with_state(inner)
}

/// Counts a request with its answer.
async fn count(Shared(inner): Shared<Arc<Inner>>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let answer = next.run(request).await;
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let status = answer.status().as_u16();
    inner.visits.note(route, status, begun.elapsed());
    answer
}

fn asks_for_json(uri: &Uri) -> bool {
    let query = uri.query().unwrap_or_default();
    query.split('&').any(|argument| argument == "format=json")
}

/// A request for a stream.
fn asked(path: &RawPathParams, request: Request) -> Asked {
    let path = path.iter().map(|(k, v)| (k.to_owned(), v.to_owned()));
    Asked::of(path.collect(), &request.into_parts().0)
}
