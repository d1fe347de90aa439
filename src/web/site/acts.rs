//! Acts over the API: who may send them, each once, and what comes of them.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{RawPathParams, Request, State as Shared};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use axum::routing::post;
use serde_json::{Map, Value, json};
use tokio::sync::OnceCell;

use super::Inner;
use crate::control::{Caller, NotDone};
use crate::model::{DoneAct, Op, RequestId, SchedulerName, Timestamp};
use crate::store::State;
use crate::web::answer;
use crate::web::api::acts::{ACTS, Accepted, Act, How};
use crate::web::api::problem::Problem;
use crate::web::args::Args;
use crate::web::form::is_marked;
use crate::web::place;
use crate::web::reader::{Means, Reader};
use crate::web::refusal::Refusal;

/// Maximum number of bytes of what is sent.
const LARGEST: usize = 64 * 1024;

/// How long an act is remembered by its key.
const REMEMBERED: Duration = Duration::from_secs(24 * 3600);

/// Maximum number of acts that are remembered.
const MOST_REMEMBERED: usize = 10_000;

/// Maximum number of characters of a key.
const LONGEST_KEY: usize = 255;

/// Acts that were done lately, by the caller and the key of the request. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Done {
    acts: Arc<Mutex<BTreeMap<(String, String), Once>>>,
}

/// An act that is done once.
#[derive(Clone, Debug)]
struct Once {
    at: Timestamp,
    /// Equal for equal requests.
    fingerprint: u64,
    result: Arc<OnceCell<Result<Accepted, Problem>>>,
}

/// Adds the routes of the acts.
pub(in crate::web) fn routes(mut router: Router<Arc<Inner>>) -> Router<Arc<Inner>> {
    for act in ACTS {
        let answer = move |Shared(inner): Shared<Arc<Inner>>,
                           path: RawPathParams,
                           request: Request| async move {
            let path = path.iter().map(|(k, v)| (k.to_owned(), v.to_owned()));
            let path: Vec<_> = path.collect();
            let (parts, body) = request.into_parts();
            let done = inner.act(act, path, &parts, body).await;
            done.map_or_else(|problem| problem.answer(), |accepted| answer_of(&accepted))
        };
        router = router.route(act.path, post(answer));
    }
    router
}

impl Inner {
    /// Does an act, unless the same request has come before.
    async fn act(
        &self,
        act: &'static Act,
        path: Vec<(String, String)>,
        request: &Parts,
        body: Body,
    ) -> Result<Accepted, Problem> {
        let reader = self.reader(request);
        let body = to_bytes(body, LARGEST).await.map_err(|_| {
            let detail = format!("What is sent can have at most {LARGEST} bytes.");
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "Too large", detail)
        })?;
        let caller = reader.caller().clone();
        let key = key(&request.headers)?;
        let mut fields = fields(&request.headers, &body)?;
        let mark = fields.remove("csrf").unwrap_or_default();
        if !self.is_right(&reader, mark.as_str().unwrap_or_default(), &request.headers) {
            let detail = "The request was not sent by a page of this master.".to_owned();
            return Err(Problem::new(StatusCode::FORBIDDEN, "Not allowed", detail));
        }
        act.check(&fields)?;
        let args = Args::check(&[], path, "").map_err(Problem::from)?;
        self.is_there(&args, &reader).await?;
        let Some(key) = key else {
            return self.do_act(act, &args, fields, &caller).await;
        };
        let mut hasher = DefaultHasher::new();
        (request.uri.path(), &body).hash(&mut hasher);
        let now = self.control.clock().wall();
        let fingerprint = hasher.finish();
        let by = (caller.name().to_owned(), key.clone());
        let once = self.done.once(by, fingerprint, now)?;
        let kept = DoneAct {
            caller: caller.name().to_owned(),
            key,
            fingerprint: format!("{fingerprint:x}"),
            at: now,
            result: Value::Null,
        };
        let doing = async || {
            if let Some(before) = self.done_before(&kept).await? {
                return Ok(before);
            }
            let done = self.do_act(act, &args, fields, &caller).await?;
            let result = serde_json::to_value(&done).unwrap_or_default();
            let kept = Box::new(DoneAct { result, ..kept });
            self.control.note(Op::ActDone(kept));
            Ok(done)
        };
        once.get_or_init(doing).await.clone()
    }

    /// What was answered to the same request, also before the master was started again.
    async fn done_before(&self, asked: &DoneAct) -> Result<Option<Accepted>, Problem> {
        let (caller, key, now) = (asked.caller.clone(), asked.key.clone(), asked.at);
        let look = move |state: &State| state.done_act(&caller, &key, now);
        let found = self.control.reader().read(look).await;
        let found = found.map_err(|error| Problem::from(Refusal::from(error)))?;
        match found {
            Some(found) if found.fingerprint != asked.fingerprint => Err(used_twice()),
            Some(found) => Ok(serde_json::from_value(found.result).ok()),
            None => Ok(None),
        }
    }

    /// Whether no page of another site has made a browser send a request. Programs with a token
    /// need no mark.
    fn is_right(&self, reader: &Reader, mark: &str, headers: &HeaderMap) -> bool {
        let now = self.control.clock().wall();
        match reader.means() {
            Means::Token => true,
            Means::Nothing => !is_from_elsewhere(headers),
            Means::Session | Means::Proxy => is_marked(reader, mark, headers, &self.config(), now),
        }
    }

    /// Whether what the address names exists for the reader (MAY-04).
    async fn is_there(&self, args: &Args, reader: &Reader) -> Result<(), Problem> {
        let args = args.clone();
        let slave = args.part("slave");
        let config = reader.hidden().in_config(self.config());
        if !slave.is_empty() && !config.slaves.iter().any(|s| s.name.as_str() == slave) {
            return Err(Problem::from(Refusal::NotFound {
                what: "slave",
                name: slave.to_owned(),
                near: Vec::new(),
            }));
        }
        let look = move |state: &State| {
            if !args.part("builder").is_empty() {
                place::builder(state, &args)?;
            }
            if !args.part("problem").is_empty() {
                place::problem(state, &args)?;
            }
            let asked = args.part("request");
            let request = asked.parse().ok().map(RequestId);
            let row = request.map(|request| state.request(request)).transpose()?;
            if row.flatten().is_none() && !asked.is_empty() {
                return Err(Refusal::NotFound {
                    what: "request",
                    name: asked.to_owned(),
                    near: Vec::new(),
                });
            }
            Ok(())
        };
        self.state_for(reader)
            .read(look)
            .await
            .map_err(Problem::from)
    }

    async fn do_act(
        &self,
        act: &'static Act,
        args: &Args,
        fields: Map<String, Value>,
        caller: &Caller,
    ) -> Result<Accepted, Problem> {
        let done = match act.how {
            How::Form => {
                let scheduler = fields.get("forcescheduler").and_then(Value::as_str);
                let scheduler = scheduler.map(SchedulerName::from);
                let sent = fields
                    .into_iter()
                    .filter(|(name, _)| name != "forcescheduler");
                let sent = sent.map(|(name, value)| (name, all(value)));
                let builder = args.part("builder").into();
                let sent = sent.collect();
                let forced = self
                    .control
                    .act_by_form(caller, &builder, scheduler.as_ref(), &sent);
                forced.await
            }
            How::Verb("clean-shutdown") => {
                let begun = self.control.begin_clean_stop(caller).await;
                begun.map(|()| json!("the master stops when the running builds have ended"))
            }
            How::Verb(_) | How::Change | How::Remark(_) => {
                let request = act.request(args, fields, caller.name())?;
                self.control.act(caller, request).await
            }
        };
        let answer = done.map_err(|why| not_done(why, caller))?;
        Ok(act.accepted(answer))
    }
}

impl Done {
    /// The act that was asked for with this key; a new one if there is none.
    fn once(
        &self,
        key: (String, String),
        fingerprint: u64,
        now: Timestamp,
    ) -> Result<Arc<OnceCell<Result<Accepted, Problem>>>, Problem> {
        let mut acts = self.acts.lock().unwrap_or_else(PoisonError::into_inner);
        acts.retain(|_, once| once.at <= now && now.since(once.at) < REMEMBERED);
        if let Some(once) = acts.get(&key) {
            if once.fingerprint != fingerprint {
                return Err(used_twice());
            }
            return Ok(Arc::clone(&once.result));
        }
        if acts.len() >= MOST_REMEMBERED {
            let detail = "Too many requests with an Idempotency-Key.".to_owned();
            let status = StatusCode::TOO_MANY_REQUESTS;
            return Err(Problem::new(status, "Too many requests", detail));
        }
        let once = Once {
            at: now,
            fingerprint,
            result: Arc::default(),
        };
        let result = Arc::clone(&once.result);
        acts.insert(key, once);
        Ok(result)
    }
}

fn used_twice() -> Problem {
    let detail = "Another request had this Idempotency-Key.".to_owned();
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "Key used twice", detail)
}

/// Whether a browser says that a page of another site has sent the request.
fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return !matches!(site, "same-origin" | "none");
    }
    let host = text("host").unwrap_or_default();
    let origin = text("origin").map(|origin| origin.split_once("://"));
    origin.is_some_and(|origin| origin.is_none_or(|(_, of)| of != host))
}

/// The key by which a request is known when it comes again.
fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(key) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let text = key
        .to_str()
        .ok()
        .filter(|key| !key.is_empty() && key.len() <= LONGEST_KEY);
    let text = text.ok_or_else(|| {
        let detail = format!("An Idempotency-Key has 1 to {LONGEST_KEY} characters.");
        Problem::bad(detail)
    })?;
    Ok(Some(text.to_owned()))
}

/// The fields of a request: of a JSON object, or of a form.
fn fields(headers: &HeaderMap, body: &[u8]) -> Result<Map<String, Value>, Problem> {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if body.is_empty() {
        return Ok(Map::new());
    }
    if kind.eq_ignore_ascii_case("application/json") {
        return serde_json::from_slice(body)
            .map_err(|error| Problem::bad(format!("The body is not a JSON object: {error}.")));
    }
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        let detail = "Send application/json, or application/x-www-form-urlencoded.".to_owned();
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(Problem::new(status, "Unknown kind of body", detail));
    }
    let mut fields = Map::new();
    for (name, value) in form_urlencoded::parse(body) {
        let value = match &*value {
            "true" => json!(true),
            "false" => json!(false),
            text => json!(text),
        };
        match fields.get_mut(&*name) {
            Some(Value::Array(values)) => values.push(value),
            Some(one) => *one = json!([one.take(), value]),
            None => drop(fields.insert(name.into_owned(), value)),
        }
    }
    Ok(fields)
}

/// The values of a field.
#[expect(clippy::wildcard_enum_match_arm, reason = "one value is a list of one")]
fn all(value: Value) -> Vec<Value> {
    match value {
        Value::Array(values) => values,
        one => vec![one],
    }
}

fn not_done(why: NotDone, caller: &Caller) -> Problem {
    let detail = why.to_string();
    match why {
        NotDone::NotAllowed { .. } if caller.user().is_none() => {
            Problem::new(StatusCode::UNAUTHORIZED, "A token is needed", detail)
        }
        NotDone::NotAllowed { .. } => Problem::new(StatusCode::FORBIDDEN, "Not allowed", detail),
        NotDone::WrongFields(wrong) => {
            let field = wrong.first().map(|wrong| wrong.field.clone());
            Problem {
                argument: field,
                ..Problem::bad(detail)
            }
        }
        NotDone::Rejected(_) => Problem::new(StatusCode::CONFLICT, "Not done", detail),
    }
}

fn answer_of(accepted: &Accepted) -> Response {
    let mut head = HeaderMap::new();
    answer::put(&mut head, header::CONTENT_TYPE, answer::JSON);
    answer::put(&mut head, header::CACHE_CONTROL, "no-store");
    if let Some(address) = &accepted.address {
        answer::put(&mut head, header::LOCATION, address);
    }
    let body = serde_json::to_vec(accepted).unwrap_or_default();
    answer::stream(StatusCode::ACCEPTED, head, body.into())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000_000);

    fn key(caller: &str) -> (String, String) {
        (caller.to_owned(), "k".to_owned())
    }

    #[test]
    fn a_key_stands_for_one_request_of_a_caller_for_a_day() {
        let done = Done::default();
        let first = done.once(key("ann"), 7, NOW).unwrap();
        let again = done.once(key("ann"), 7, NOW + REMEMBERED / 2).unwrap();
        assert!(Arc::ptr_eq(&first, &again));
        assert_eq!(done.once(key("ann"), 8, NOW).unwrap_err().status, 422);
        let other = done.once(key("bob"), 7, NOW).unwrap();
        assert!(!Arc::ptr_eq(&first, &other));
        let later = done.once(key("ann"), 7, NOW + REMEMBERED).unwrap();
        assert!(!Arc::ptr_eq(&first, &later));
    }

    #[test]
    fn fields_come_as_json_or_as_a_form() {
        let of = |kind: &str, body: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
            fields(&headers, body.as_bytes())
        };
        let form = of(
            "application/x-www-form-urlencoded",
            "reason=a+b&files=1&files=2&dry_run=true",
        );
        let json = of(
            "application/json; charset=utf-8",
            r#"{"reason":"a b","files":["1","2"],"dry_run":true}"#,
        );
        assert_eq!(form.unwrap(), json.unwrap());
        assert_eq!(of("text/plain", "reason=x").unwrap_err().status, 415);
        assert_eq!(of("application/json", "[1]").unwrap_err().status, 400);
        assert_eq!(of("text/plain", "").unwrap(), Map::new());
    }

    #[test]
    fn pages_of_other_sites_are_told_apart() {
        for (header, value, is_elsewhere) in [
            ("sec-fetch-site", "cross-site", true),
            ("sec-fetch-site", "same-site", true),
            ("sec-fetch-site", "same-origin", false),
            ("origin", "https://example.org", true),
            ("origin", "http://ci.example:8010", false),
            ("origin", "null", true),
            ("accept", "*/*", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, "ci.example:8010".parse().unwrap());
            headers.insert(header, value.parse().unwrap());
            assert_eq!(
                is_from_elsewhere(&headers),
                is_elsewhere,
                "{header}: {value}"
            );
        }
    }

    #[test]
    fn may_05_every_act_but_a_form_is_a_request_that_needs_a_permission() {
        for act in ACTS {
            let path = act.parts().map(|part| (part.to_owned(), "1".to_owned()));
            let args = Args::check(&[], path, "").unwrap();
            let mut fields = Map::new();
            if act.how == How::Change {
                fields.insert("who".to_owned(), json!("ann"));
            }
            let request = act.request(&args, fields, "ann");
            match act.how {
                How::Form => assert!(request.is_err()),
                How::Verb(_) | How::Change | How::Remark(_) => {
                    assert!(request.unwrap().need().is_some(), "{}", act.path);
                }
            }
        }
    }
}
