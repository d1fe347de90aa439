//! Takes a form and does what it asks for.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawPathParams, Request as Asked, State as Shared};
use axum::http::request::Parts;
use axum::response::Response;
use serde_json::Value;

use super::{Act, Given, Wish};
use crate::botmaster::{Ask, Pinged};
use crate::control::{NotDone, Request, Service};
use crate::people::Decision;
use crate::store::State;
use crate::text::commas;
use crate::view::Moment;
use crate::web::address::segment;
use crate::web::answer;
use crate::web::args::Args;
use crate::web::denied::Denied;
use crate::web::form::{Form, is_right};
use crate::web::page::RefusedForm;
use crate::web::reader::{Means, Reader, is_ours};
use crate::web::refusal::{Notice, Refusal};
use crate::web::site::Inner;

/// Takes the form of `act`.
pub(in crate::web) async fn take(
    act: &'static Act,
    Shared(inner): Shared<Arc<Inner>>,
    path: RawPathParams,
    request: Asked,
) -> Response {
    let path = path.iter().map(|(k, v)| (k.to_owned(), v.to_owned()));
    let path: Vec<_> = path.collect();
    let (parts, body) = request.into_parts();
    let reader = inner.reader(&parts);
    let answer = inner.take(act, path, &reader, &parts, body).await;
    inner.or_refused(answer, &reader, &parts).await
}

/// What came of a wish.
enum Came {
    /// All is done; what the master has answered.
    Done(Vec<Value>),
    /// The master stops when the running builds have ended.
    Stops,
}

impl Inner {
    async fn take(
        self: &Arc<Self>,
        act: &'static Act,
        path: Vec<(String, String)>,
        reader: &Reader,
        parts: &Parts,
        body: Body,
    ) -> Result<Response, Refusal> {
        let form = Form::read(&parts.headers, body).await?;
        let args = Args::check(&[], path, "")?;
        let back = fill(act.back, &args);
        let next = Some(form.text("next")).filter(|next| is_ours(next));
        let next = next.map(ToOwned::to_owned);
        let given = self.given(args, form, reader).await?;
        let (given, wish) = self.wish(act, given, reader).await?;
        let needs = wish.needs();
        debug_assert!(needs.iter().all(|need| need.action == act.action));
        if needs.is_empty() {
            let sentence = "There is nothing to do.";
            return Err(Notice::said("Nothing was changed", sentence, back));
        }
        self.permit(&wish, reader, &back).await?;
        self.admit(&wish, &given.form, reader, parts)?;
        let once = format!("{} {}", reader.key(), given.form.text("once"));
        let is_numbered = !given.form.text("once").is_empty();
        if is_numbered && !self.once.take(&once) {
            self.refuse(&wish, reader, "the form was sent already");
            return Err(Notice::conflict(
                "This was done already",
                "The form was sent twice. What it asks for was done once.",
                next.unwrap_or(back),
            ));
        }
        match self.fulfil(&wish, reader).await {
            Ok(came) => Ok(self.came(&wish, came, next, back, reader, parts).await),
            Err(why) => {
                if is_numbered {
                    self.once.give_back(&once);
                }
                self.not_done(why, &wish, given.form, back, reader, parts)
                    .await
            }
        }
    }

    async fn given(&self, args: Args, form: Form, reader: &Reader) -> Result<Given, Refusal> {
        let live = self.control.snapshot().await;
        Ok(Given {
            args,
            form,
            config: reader.hidden().in_config(self.config()),
            live: reader.hidden().in_live(live.map_err(|_| Refusal::Busy {
                sentence: "The master is stopping.",
            })?),
            moment: Moment {
                is_running: true,
                now: self.control.clock().wall(),
            },
            user: reader.user().map(ToOwned::to_owned),
        })
    }

    /// What the form asks for.
    async fn wish(
        &self,
        act: &'static Act,
        given: Given,
        reader: &Reader,
    ) -> Result<(Given, Wish), Refusal> {
        let ask = move |state: &State| {
            let wish = (act.ask)(state, &given)?;
            Ok::<_, Refusal>((given, wish))
        };
        self.state_for(reader).read(ask).await
    }

    /// Whether the reader may do all of it.
    async fn permit(&self, wish: &Wish, reader: &Reader, back: &str) -> Result<(), Refusal> {
        for need in wish.needs() {
            let decision = self.control.decide(reader.caller(), &need).await;
            let decision = decision.map_err(|why| Refusal::Internal { why })?;
            if decision.is_allowed() {
                continue;
            }
            self.control
                .refuse(reader.caller(), &need, &decision.to_string());
            if reader.means() == Means::Nothing {
                let next = back.to_owned();
                return Err(Refusal::LogIn { next });
            }
            let (config, reader) = (self.config(), reader.clone());
            let (need, back) = ((need.action, need.target), back.to_owned());
            let now = self.control.clock().wall();
            let denied = move |state: &State| {
                let reader = (&reader, now);
                Denied::new(state, &config, reader, (need.0, &need.1), back).map_err(Refusal::from)
            };
            let denied = self.control.reader().read(denied).await?;
            return Err(Refusal::Denied(Box::new(denied)));
        }
        Ok(())
    }

    /// Whether the form is one that the reader was shown.
    fn admit(
        &self,
        wish: &Wish,
        form: &Form,
        reader: &Reader,
        parts: &Parts,
    ) -> Result<(), Refusal> {
        let now = self.control.clock().wall();
        let is_right = is_right(reader, form, &parts.headers, &self.config(), now);
        if is_right.is_err() {
            self.refuse(
                wish,
                reader,
                "the form was not sent from a page of this master",
            );
        }
        is_right
    }

    /// Puts into the audit log that a form was refused.
    fn refuse(&self, wish: &Wish, reader: &Reader, ground: &str) {
        for need in wish.needs() {
            self.control.refuse(reader.caller(), &need, ground);
        }
    }

    async fn fulfil(self: &Arc<Self>, wish: &Wish, reader: &Reader) -> Result<Came, NotDone> {
        let caller = reader.caller();
        match wish {
            Wish::Wrong(_, wrong) => Err(NotDone::WrongFields(wrong.clone())),
            Wish::Build {
                builder,
                scheduler,
                sent,
            } => {
                let scheduler = scheduler.as_ref();
                let done = self.control.act_by_form(caller, builder, scheduler, sent);
                Ok(Came::Done(vec![done.await?]))
            }
            Wish::Requests(requests) => {
                let mut answers = Vec::new();
                for request in requests {
                    if *request == Request::Core(Ask::CleanShutdown) {
                        self.control.begin_clean_stop(caller).await?;
                        return Ok(Came::Stops);
                    }
                    answers.push(self.control.act(caller, request.clone()).await?);
                }
                Ok(Came::Done(answers))
            }
        }
    }

    /// Tells the reader what came of it.
    async fn came(
        &self,
        wish: &Wish,
        came: Came,
        next: Option<String>,
        back: String,
        reader: &Reader,
        parts: &Parts,
    ) -> Response {
        let answers = match came {
            Came::Stops => Vec::new(),
            Came::Done(answers) => answers,
        };
        let notice = match wish {
            Wish::Requests(requests) => requests.iter().zip(&answers).find_map(notice),
            Wish::Build { .. } | Wish::Wrong(..) => None,
        };
        if let Some((heading, sentence)) = notice {
            let said = Notice::said(heading, &sentence, next.unwrap_or(back));
            return self.refused(said, reader, &parts.uri, &parts.headers).await;
        }
        let request = match answers.as_slice() {
            [answer] => answer.get("request").and_then(Value::as_u64),
            _ => None,
        };
        let to = match (next, request) {
            (Some(next), _) => next,
            (None, Some(request)) => format!("/queue/{request}"),
            (None, None) => back,
        };
        answer::after_form(&to, None)
    }

    /// Tells the reader why it was not done. A form with wrong fields is shown again.
    async fn not_done(
        self: &Arc<Self>,
        why: NotDone,
        wish: &Wish,
        form: Form,
        back: String,
        reader: &Reader,
        parts: &Parts,
    ) -> Result<Response, Refusal> {
        match (why, wish) {
            (
                NotDone::WrongFields(wrong),
                Wish::Build { builder, .. } | Wish::Wrong(builder, _),
            ) => {
                let refused = RefusedForm::new(form, wrong);
                Ok(self
                    .show_again(builder, refused, reader, &parts.headers)
                    .await)
            }
            (NotDone::NotAllowed { decision, .. }, _) => {
                // The rules have changed since they were looked up.
                let sentence = decision_sentence(&decision);
                Err(Notice::conflict("Nothing was changed", &sentence, back))
            }
            (why, _) => {
                let sentence = format!("The master says: {why}.");
                Err(Notice::conflict("It was not done", &sentence, back))
            }
        }
    }
}

fn decision_sentence(decision: &Decision) -> String {
    format!("It is {decision}.")
}

/// The message for an answer that has no page of its own.
fn notice((request, answer): (&Request, &Value)) -> Option<(&'static str, String)> {
    match request {
        Request::Core(Ask::Ping { .. }) => {
            let Pinged {
                answered,
                away,
                down,
            } = serde_json::from_value(answer.clone()).ok()?;
            let mut text = Vec::new();
            for (what, names) in [
                ("These slaves answer", answered),
                ("These are not connected", away),
                ("These are latent and not started", down),
            ] {
                if !names.is_empty() {
                    text.push(format!("{what}: {}.", commas(&names)));
                }
            }
            Some(("The slaves were pinged", text.join(" ")))
        }
        Request::Service(Service::Reconfigure { .. }) => {
            let problems = answer["problems"].as_str().unwrap_or_default();
            if !problems.is_empty() {
                return Some(("The configuration was not changed", problems.to_owned()));
            }
            let changes = answer["changes"].as_array().map_or(0, Vec::len);
            let text = match changes {
                0 => "Nothing is different.".to_owned(),
                1 => "One thing is different.".to_owned(),
                n => format!("{n} things are different."),
            };
            Some(("The configuration is in force", text))
        }
        Request::Core(_) | Request::Service(_) => None,
    }
}

/// An address with the parts of another filled in.
fn fill(pattern: &str, args: &Args) -> String {
    let parts = pattern.split('/').skip(1).map(|part| {
        let name = part.strip_prefix('{').and_then(|p| p.strip_suffix('}'));
        name.map_or_else(|| part.to_owned(), |name| segment(args.part(name)))
    });
    parts.fold(String::new(), |address, part| address + "/" + &part)
}
