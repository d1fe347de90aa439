//! Takes the form of `/users/U/settings`: what a person sets for themselves.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawPathParams, Request, State as Shared};
use axum::http::HeaderMap;
use axum::response::Response;

use super::reader::{Means, Reader};
use super::refusal::{Notice, Refusal};
use super::site::Inner;
use super::{address, answer};
use crate::control::NotDone;
use crate::model::{Attribute, AttributeKind};

const NOT_YOURS: &str = "People set only their own.";

/// Takes the form.
pub(super) async fn take(
    Shared(inner): Shared<Arc<Inner>>,
    path: RawPathParams,
    request: Request,
) -> Response {
    let user = path.iter().next().map_or("", |(_, user)| user).to_owned();
    let (parts, body) = request.into_parts();
    let reader = inner.reader(&parts);
    let answer = inner.set(&user, &reader, &parts.headers, body).await;
    inner.or_refused(answer, &reader, &parts).await
}

impl Inner {
    async fn set(
        &self,
        user: &str,
        reader: &Reader,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Response, Refusal> {
        let (back, page) = (address::user(user), address::settings(user));
        // A token is for what it was made for.
        if !matches!(reader.means(), Means::Session | Means::Proxy) {
            return Err(Refusal::LogIn { next: page });
        }
        let form = self.form(reader, headers, body).await?;
        if reader.user() != Some(user) {
            return Err(Notice::conflict(
                "Nothing was changed",
                NOT_YOURS,
                "/".to_owned(),
            ));
        }
        let given = AttributeKind::ALL
            .into_iter()
            .filter(|kind| form.has(kind.name()));
        let given = given.map(|kind| Attribute {
            kind,
            value: form.text(kind.name()).trim().to_owned(),
        });
        let given = given
            .filter(|attribute| !attribute.value.is_empty())
            .collect();
        match self.control.set_own(reader.caller(), given).await {
            Ok(()) => Ok(answer::after_form(&back, None)),
            Err(NotDone::Rejected(why)) => {
                let sentence = format!("The master says: {why}.");
                Err(Notice::conflict("Nothing was changed", &sentence, page))
            }
            Err(why) => Err(Refusal::Internal {
                why: why.to_string(),
            }),
        }
    }
}
