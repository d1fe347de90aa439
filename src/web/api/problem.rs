//! Errors for programs: `application/problem+json` (RFC 9457).

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;

use crate::web::answer;
use crate::web::refusal::Refusal;

/// Why a program gets no answer.
#[derive(Clone, Debug, Eq, JsonSchema, PartialEq, Serialize)]
pub(in crate::web) struct Problem {
    /// What kind of problem it is, as an address.
    #[serde(rename = "type")]
    pub(in crate::web) kind: &'static str,
    /// The kind in words.
    pub(in crate::web) title: &'static str,
    /// The HTTP status.
    pub(in crate::web) status: u16,
    /// A sentence about this one.
    pub(in crate::web) detail: String,
    /// The argument that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::web) argument: Option<String>,
    /// What may have been meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::web) did_you_mean: Option<String>,
}

/// Seconds after which a program may ask again when the master could not answer.
const AGAIN_SECS: &str = "2";

impl Problem {
    /// An argument that does not exist.
    pub(in crate::web) fn unknown_argument(name: &str, near: Option<&str>) -> Self {
        Self {
            argument: Some(name.to_owned()),
            did_you_mean: near.map(ToOwned::to_owned),
            ..Self::bad(format!("There is no argument {name}."))
        }
    }

    /// An argument with a value that it cannot have.
    pub(in crate::web) fn value(argument: &str, detail: String, near: Option<&str>) -> Self {
        Self {
            argument: Some(argument.to_owned()),
            did_you_mean: near.map(ToOwned::to_owned),
            ..Self::bad(detail)
        }
    }

    /// A request that cannot be understood.
    pub(in crate::web) fn bad(detail: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "Bad request", detail)
    }

    /// A problem of this kind.
    pub(in crate::web) fn new(status: StatusCode, title: &'static str, detail: String) -> Self {
        Self {
            kind: "about:blank",
            title,
            status: status.as_u16(),
            detail,
            argument: None,
            did_you_mean: None,
        }
    }

    /// The answer.
    pub(in crate::web) fn answer(&self) -> Response {
        let mut head = HeaderMap::new();
        answer::put(&mut head, header::CONTENT_TYPE, PROBLEM_JSON);
        answer::put(&mut head, header::CACHE_CONTROL, "no-store");
        let status = StatusCode::from_u16(self.status);
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if status == StatusCode::SERVICE_UNAVAILABLE || status == StatusCode::TOO_MANY_REQUESTS {
            answer::put(&mut head, header::RETRY_AFTER, AGAIN_SECS);
        }
        let body = serde_json::to_vec(self).unwrap_or_default();
        answer::stream(status, head, body.into())
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let title = match &refusal {
            Refusal::Argument { .. } => "Bad request",
            Refusal::NotFound { .. } => "Not found",
            Refusal::Gone { .. } => "Removed",
            Refusal::Elsewhere { .. } => "Elsewhere",
            Refusal::Busy { .. } => "The master cannot answer now",
            Refusal::LogIn { .. } | Refusal::LoginFailed { .. } | Refusal::BadToken => {
                "Login needed"
            }
            Refusal::NotOurForm { .. } | Refusal::Denied(_) => "Not allowed",
            Refusal::TooOften { .. } => "Too often",
            Refusal::TooLarge => "Too large",
            Refusal::Said(notice) if notice.status == StatusCode::OK => "Done",
            Refusal::Said(_) => "Not done",
            Refusal::Internal { .. } => "Internal error",
        };
        let status = match matches!(refusal, Refusal::Elsewhere { .. }) {
            true => StatusCode::NOT_FOUND,
            false => refusal.status(),
        };
        let sentence = refusal.sentence().into_owned();
        let mut problem = Self::new(status, title, sentence);
        if let Refusal::NotFound { near, .. } = refusal {
            problem.did_you_mean = near.into_iter().next().map(|(name, _)| name);
        }
        problem
    }
}

/// Whether JSON is asked for rather than a page.
pub(in crate::web) fn wants_json(asked: &HeaderMap) -> bool {
    let all = asked.get_all(header::ACCEPT).iter();
    let all = all.filter_map(|value| value.to_str().ok());
    let mut kinds = all.flat_map(|value| value.split(','));
    let is = |kind: &str, wanted: &[&str]| {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        wanted.contains(&kind)
    };
    let first = kinds.find(|kind| is(kind, &["application/json", PROBLEM_JSON, "text/html"]));
    first.is_some_and(|kind| !is(kind, &["text/html"]))
}

/// The media type of problems.
const PROBLEM_JSON: &str = "application/problem+json";

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn json_is_wanted_by_those_who_name_it_before_pages() {
        for (accept, wants) in [
            ("application/json", true),
            ("application/problem+json;q=0.9", true),
            (
                "text/html,application/xhtml+xml,application/json;q=0.1",
                false,
            ),
            ("application/json, text/html", true),
            ("*/*", false),
            ("", false),
        ] {
            let mut asked = HeaderMap::new();
            asked.insert(header::ACCEPT, accept.parse().unwrap());
            assert_eq!(wants_json(&asked), wants, "{accept}");
        }
    }
}
