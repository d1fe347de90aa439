//! Why a page is not shown.

use std::borrow::Cow;

use axum::http::StatusCode;

use super::denied::Denied;
use crate::store::StoreError;

/// Why a page is not shown.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// An argument has a wrong value: 400.
    Argument {
        /// A sentence that names the argument and says what it may be.
        sentence: String,
    },
    /// What the address names does not exist: 404.
    NotFound {
        /// The kind of thing: `builder`.
        what: &'static str,
        /// The name that was asked for.
        name: String,
        /// Pages that may have been meant, the nearest first: name and address.
        near: Vec<(String, String)>,
    },
    /// What the address names was removed: 410.
    Gone {
        /// A sentence that says what was removed and why.
        sentence: String,
    },
    /// The reader must log in: 401, with the login page.
    LogIn {
        /// The address to go on to.
        next: String,
    },
    /// A login has failed: 401, with the login page.
    LoginFailed {
        /// The address to go on to.
        next: String,
        /// The name that was typed.
        name: String,
    },
    /// The reader may not do this: 403.
    Denied(Box<Denied>),
    /// What came of a form, in words.
    Said(Box<Notice>),
    /// The token is not one, or has ended: 401.
    BadToken,
    /// A form was not sent from a page of ours, or is too old: 403.
    NotOurForm {
        /// A sentence that says what is wrong with it.
        sentence: &'static str,
    },
    /// The reader has done something too often: 429.
    TooOften {
        /// A sentence that says what.
        sentence: &'static str,
    },
    /// What was sent is too large: 413.
    TooLarge,
    /// It is elsewhere: 302, or 308 if that is for ever.
    Elsewhere {
        /// The address.
        to: String,
        /// Whether it is there for ever.
        for_ever: bool,
    },
    /// The master cannot answer now: 503.
    Busy {
        /// A sentence that says why.
        sentence: &'static str,
    },
    /// The fault is ours: 500.
    Internal {
        /// Why, for the log.
        why: String,
    },
}

/// What came of a form, in words.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Notice {
    /// The status of the answer.
    pub status: StatusCode,
    /// What has happened.
    pub heading: String,
    /// What the reader should know besides.
    pub sentence: String,
    /// Where the reader goes on.
    pub back: String,
}

impl Notice {
    /// It was done, and this is what came of it.
    pub(super) fn said(heading: &str, sentence: &str, back: String) -> Refusal {
        Refusal::Said(Box::new(Self {
            status: StatusCode::OK,
            heading: heading.to_owned(),
            sentence: sentence.to_owned(),
            back,
        }))
    }

    /// It was not done.
    pub(super) fn conflict(heading: &str, sentence: &str, back: String) -> Refusal {
        Refusal::Said(Box::new(Self {
            status: StatusCode::CONFLICT,
            heading: heading.to_owned(),
            sentence: sentence.to_owned(),
            back,
        }))
    }
}

impl Refusal {
    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Said(notice) => notice.status,
            Self::Argument { .. } => StatusCode::BAD_REQUEST,
            Self::LogIn { .. } | Self::LoginFailed { .. } | Self::BadToken => {
                StatusCode::UNAUTHORIZED
            }
            Self::NotOurForm { .. } | Self::Denied(_) => StatusCode::FORBIDDEN,
            Self::NotFound { .. } => StatusCode::NOT_FOUND,
            Self::Gone { .. } => StatusCode::GONE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooOften { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Elsewhere { for_ever: true, .. } => StatusCode::PERMANENT_REDIRECT,
            Self::Elsewhere {
                for_ever: false, ..
            } => StatusCode::FOUND,
            Self::Busy { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What has happened, as a heading.
    #[must_use]
    pub fn heading(&self) -> String {
        let text = match self {
            Self::NotFound { what, .. } => return format!("There is no {what}"),
            Self::Denied(denied) => return format!("You may not {}", denied.what),
            Self::Said(notice) => return notice.heading.clone(),
            Self::Argument { .. } => "The address has a wrong argument",
            Self::LogIn { .. } => "Log in first",
            Self::LoginFailed { .. } => "The login has failed",
            Self::BadToken => "The token is not right",
            Self::NotOurForm { .. } => "Nothing was changed",
            Self::Gone { .. } => "This was removed",
            Self::TooLarge => "This is too large",
            Self::TooOften { .. } => "Too often",
            Self::Elsewhere { .. } => "This is elsewhere",
            Self::Busy { .. } => "The master cannot answer now",
            Self::Internal { .. } => "The page could not be made",
        };
        text.to_owned()
    }

    /// What the reader should know besides; may be empty. Why something is our fault goes into the
    /// log, under a number that the sentence names.
    #[must_use]
    pub fn sentence(&self) -> Cow<'_, str> {
        match self {
            Self::Argument { sentence } | Self::Gone { sentence } => sentence.as_str().into(),
            Self::LogIn { .. } => "This needs a login.".into(),
            Self::LoginFailed { .. } => "The name or the password is wrong.".into(),
            Self::BadToken => "The token is unknown or has expired.".into(),
            Self::TooLarge => "A form can have at most 64 KiB.".into(),
            Self::NotOurForm { sentence }
            | Self::TooOften { sentence }
            | Self::Busy { sentence } => (*sentence).into(),
            Self::Denied(denied) => denied.sentence().into(),
            Self::Said(notice) => notice.sentence.as_str().into(),
            Self::NotFound { what, name, .. } => {
                format!("There is no {what} \u{201c}{name}\u{201d}.").into()
            }
            Self::Elsewhere { to, .. } => format!("It is at {to}.").into(),
            Self::Internal { why } => {
                let id = format!("{:08x}", rand::random::<u32>());
                tracing::error!(id, "a request could not be answered: {why}");
                format!("The log of the master says why, under the number {id}.").into()
            }
        }
    }

    /// After how many seconds the reader may try again.
    #[must_use]
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all others are for good, or need another request"
    )]
    pub const fn retry_after(&self) -> Option<u32> {
        match self {
            Self::Busy { .. } => Some(2),
            Self::TooOften { .. } => Some(60),
            _ => None,
        }
    }
}

impl From<StoreError> for Refusal {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the reader can do nothing about the others"
    )]
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::TooLong { .. } => Self::Busy {
                sentence: "The page needs too much of the history; ask for less.",
            },
            other => Self::Internal {
                why: other.to_string(),
            },
        }
    }
}
