//! Does what a link of a mail is for (MAL-11).
//!
//! The link is the permission: there is no session, so no form of another site can misuse one. Mail
//! programs send the form by themselves when somebody unsubscribes (RFC 8058).

use std::sync::Arc;

use axum::extract::{RawPathParams, Request, State as Shared};
use axum::response::Response;

use super::address;
use super::pages::one_click::{opened, what};
use super::reader::Reader;
use super::refusal::{Notice, Refusal};
use super::site::Inner;
use crate::control::{self, Caller, NotDone, RemarkAct, Service};
use crate::model::Action;
use crate::people::Ground;
use crate::store::State;

/// Takes the form.
pub(super) async fn take(
    Shared(inner): Shared<Arc<Inner>>,
    path: RawPathParams,
    request: Request,
) -> Response {
    let sealed = path.iter().next().map_or("", |(_, link)| link).to_owned();
    let parts = request.into_parts().0;
    let reader = inner.reader(&parts);
    let answer = inner.click(sealed, &reader).await;
    inner.or_refused(answer, &reader, &parts).await
}

impl Inner {
    async fn click(&self, sealed: String, reader: &Reader) -> Result<Response, Refusal> {
        let now = self.control.clock().wall();
        let open = move |state: &State| opened(state, &sealed, now);
        let link = self.state_for(reader).read(open).await?;
        let register = self.control.register().await;
        let register = register.map_err(|why| Refusal::Internal { why })?;
        let known = register.get(&link.person);
        let roles = known.map(|person| person.roles.clone());
        let origin = reader.origin();
        let roles = roles.unwrap_or_default();
        let caller = Caller::person(&link.person, roles, origin.door, &origin.address);
        let granted = [Action::View, Action::Problem].map(|action| (action, Ground::Link));
        let caller = caller.granted(granted.to_vec());
        let mut refused = None;
        let mut is_done = false;
        for &problem in &link.problems {
            let act = Box::new(RemarkAct {
                problem,
                kind: link.kind,
                person: None,
                until: None,
                text: String::new(),
            });
            let ask = control::Request::Service(Service::Problem { act });
            match self.control.act(&caller, ask).await {
                Ok(_) => is_done = true,
                // One of several may be over.
                Err(NotDone::Rejected(why)) => refused = Some(why),
                Err(why) => refused = Some(why.to_string()),
            }
        }
        let back = match link.problems.as_slice() {
            [problem] => address::problem(*problem),
            _ => "/problems".to_owned(),
        };
        match refused {
            Some(why) if !is_done => {
                let sentence = format!("The master says: {why}.");
                Err(Notice::conflict("Nothing was changed", &sentence, back))
            }
            Some(_) | None => {
                let sentence = format!("{}: that is on record now.", what(&link));
                Err(Notice::said("Done", &sentence, back))
            }
        }
    }
}
