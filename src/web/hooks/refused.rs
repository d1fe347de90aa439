//! Why a hook is not taken, for its sender and for the log (HKI-05).

use std::net::IpAddr;

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde_json::json;

use crate::protocol::hook::{Misread, Unsigned};
use crate::web::answer;
use crate::web::rate::TooOften;

/// Why a hook is not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// Nothing is changed by a GET (HKI-01).
    #[error("hooks are sent by POST")]
    Method,
    /// No hook has this name or dialect.
    #[error("this master has no hook {0:?}")]
    Unknown(String),
    /// The poller is not there.
    #[error("this master has no poller {0:?}")]
    UnknownPoller(String),
    /// The address is not in `allow_from`.
    #[error("hooks are not taken from {0}")]
    Address(IpAddr),
    /// The address sends too much.
    #[error("too many hooks from this address")]
    TooOften(TooOften),
    /// The address sends too much at once.
    #[error("too many hooks from this address at once")]
    AtOnce,
    /// The body is longer than this many bytes.
    #[error("the body is longer than {0} bytes (`max_size`)")]
    TooLarge(u64),
    /// The body did not come in time.
    #[error("the body did not arrive in time")]
    Slow,
    /// The sender is not believed.
    #[error(transparent)]
    Unsigned(#[from] Unsigned),
    /// The request is not what the dialect says.
    #[error(transparent)]
    Misread(#[from] Misread),
    /// The master cannot take it now.
    #[error("{0}")]
    Busy(String),
}

/// Seconds after which a sender tries again when the master could not take a hook.
const AGAIN_SECS: u64 = 30;

impl Refused {
    pub(super) const fn status(&self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unknown(_) | Self::UnknownPoller(_) => StatusCode::NOT_FOUND,
            Self::Address(_) => StatusCode::FORBIDDEN,
            Self::TooOften(_) | Self::AtOnce => StatusCode::TOO_MANY_REQUESTS,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Unsigned(_) => StatusCode::UNAUTHORIZED,
            Self::Misread(Misread::ContentType(..)) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Misread(Misread::Malformed(_)) => StatusCode::BAD_REQUEST,
            Self::Busy(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Whether the log has it already: the address only continues.
    pub(super) const fn is_repetition(&self) -> bool {
        matches!(
            self,
            Self::TooOften(TooOften {
                is_first: false,
                ..
            })
        )
    }

    /// Seconds after which the sender should try again, if that is of use.
    fn again_secs(&self) -> Option<u64> {
        match self {
            Self::TooOften(TooOften { wait, .. }) => Some(wait.as_secs() + 1),
            Self::AtOnce => Some(1),
            Self::Busy(_) => Some(AGAIN_SECS),
            Self::Method
            | Self::Unknown(_)
            | Self::UnknownPoller(_)
            | Self::Address(_)
            | Self::TooLarge(_)
            | Self::Slow
            | Self::Unsigned(_)
            | Self::Misread(_) => None,
        }
    }

    /// The answer.
    pub(super) fn answer(&self) -> Response {
        let mut head = HeaderMap::new();
        if let Some(again) = self.again_secs() {
            answer::put(&mut head, header::RETRY_AFTER, &again.to_string());
        }
        let status = self.status();
        if status == StatusCode::METHOD_NOT_ALLOWED {
            answer::put(&mut head, header::ALLOW, "POST");
        }
        if status == StatusCode::UNAUTHORIZED {
            let asked = "Basic realm=\"hooks\"";
            answer::put(&mut head, header::WWW_AUTHENTICATE, asked);
        }
        in_json(status, head, &json!({ "error": self.to_string() }))
    }
}

/// An answer for a sender.
pub(super) fn in_json(
    status: StatusCode,
    mut head: HeaderMap,
    body: &serde_json::Value,
) -> Response {
    answer::put(&mut head, header::CONTENT_TYPE, "application/json");
    answer::put(&mut head, header::CACHE_CONTROL, "no-store");
    answer::stream(status, head, format!("{body}\n").into())
}
