//! Answers of the API: routes from the table of resources, and what all answers have in common.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::{RawPathParams, Request, State as Shared};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;

use super::{CROWDED, Inner, LONGEST_TARGET, READING, STOPPING, WAITING, target};
use crate::model::{Action, Object, RequestId};
use crate::web::answer;
use crate::web::api::problem::Problem;
use crate::web::api::resource::{Body, Made, Resource, choose};
use crate::web::api::table::RESOURCES;
use crate::web::api::{self, DOCUMENT, OPENAPI};
use crate::web::args::Args;
use crate::web::outlet::Document;
use crate::web::reader::Reader;
use crate::web::refusal::Refusal;

/// Adds the routes of the API.
pub(in crate::web) fn routes(mut router: Router<Arc<Inner>>) -> Router<Arc<Inner>> {
    for resource in RESOURCES {
        let resource: &'static Resource = resource;
        let answer = move |Shared(inner): Shared<Arc<Inner>>,
                           path: RawPathParams,
                           request: Request| async move {
            let path = path.iter().map(|(k, v)| (k.to_owned(), v.to_owned()));
            let path: Vec<_> = path.collect();
            let request = request.into_parts().0;
            let answered = inner.resource(resource, &path, &request).await;
            let answer = answered.unwrap_or_else(|problem| problem.answer());
            inner.opened(&request.headers, answer)
        };
        router = router.route(resource.path, get(answer));
    }
    let document = async |Shared(inner): Shared<Arc<Inner>>, headers: HeaderMap| {
        inner.opened(&headers, document(&headers))
    };
    router.route(DOCUMENT, get(document))
}

impl Inner {
    /// Answers a request for a resource.
    async fn resource(
        &self,
        resource: &'static Resource,
        path: &[(String, String)],
        request: &Parts,
    ) -> Result<Response, Problem> {
        let Parts { uri, headers, .. } = request;
        if target(uri).len() > LONGEST_TARGET {
            return Err(Problem::bad("The address is too long.".to_owned()));
        }
        let reader = self.reader(request);
        if let Some(action) = resource.action
            && !reader.may(&self.config(), action, &Object::default())
        {
            return Err(not_allowed(action, &reader));
        }
        let query = uri.query().unwrap_or_default();
        let args = api::arguments(&resource.all_args(), path, query)?;
        let made = self
            .make_resource(resource, args.clone(), &reader, uri)
            .await?;
        let Body { value, next } = choose(resource, made, uri.path(), &args)?;
        let text = serde_json::to_vec(&value).map_err(|error| Refusal::Internal {
            why: error.to_string(),
        })?;
        let document = Document {
            next,
            ..Document::new(answer::JSON, text)
        };
        Ok(answer::document(headers, document))
    }

    /// An answer that pages of the origins in the configuration may read; never with cookies.
    pub(in crate::web) fn opened(&self, asked: &HeaderMap, mut answer: Response) -> Response {
        let config = self.current().config;
        let open = config.web.as_ref().map_or(&[][..], |web| &web.cors);
        if open.is_empty() {
            return answer;
        }
        let head = answer.headers_mut();
        head.append(header::VARY, HeaderValue::from_static("Origin"));
        let origin = asked
            .get(header::ORIGIN)
            .and_then(|origin| origin.to_str().ok());
        if let Some(origin) = origin.filter(|origin| open.iter().any(|open| open == origin)) {
            answer::put(head, header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        }
        answer
    }

    /// Makes an answer on a thread for blocking work.
    async fn make_resource(
        &self,
        resource: &'static Resource,
        args: Args,
        reader: &Reader,
        uri: &Uri,
    ) -> Result<Made, Problem> {
        let busy = |sentence| Problem::from(Refusal::Busy { sentence });
        let turn = tokio::time::timeout(WAITING, self.making.acquire()).await;
        let _turn = turn.map_err(|_| busy(CROWDED))?;
        let live = self.control.snapshot().await.map_err(|_| busy(STOPPING))?;
        let mut scene = self.scene(live, args, reader, uri);
        if resource.asks_why
            && let Ok(request) = scene.args.part("request").parse()
        {
            // A request that does not exist is found missing below.
            let why = self.control.why(RequestId(request)).await;
            scene.blockers = reader.hidden().in_blockers(why.unwrap_or_default());
        }
        let make = move |state: &crate::store::State| {
            let _moment = state.at_one_moment()?;
            resource.answer.make(state, &scene)
        };
        let made = self.state_for(reader).read_within(READING, make).await;
        made.map_err(Problem::from)
    }
}

/// That a reader may not see something.
fn not_allowed(action: Action, reader: &Reader) -> Problem {
    let (status, title, who) = match reader.user() {
        None => (
            StatusCode::UNAUTHORIZED,
            "A login is needed",
            "Somebody who has not logged in",
        ),
        Some(user) => (StatusCode::FORBIDDEN, "Not allowed", user),
    };
    let detail = format!(
        "{who} may not see this: it needs the permission {}.",
        action.name()
    );
    Problem::new(status, title, detail)
}

/// The document that describes the API.
fn document(asked: &HeaderMap) -> Response {
    static TEXT: LazyLock<Bytes> = LazyLock::new(|| {
        let text = serde_json::to_vec(&*OPENAPI);
        text.unwrap_or_default().into()
    });
    answer::document(asked, Document::new(answer::JSON, TEXT.clone()))
}
