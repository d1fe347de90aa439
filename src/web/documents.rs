//! Answers to programs: documents, metrics, and whether the master is up.

use std::sync::Arc;

use axum::http::request::Parts;
use axum::http::{StatusCode, Uri, header};
use axum::response::Response;

use super::args::Args;
use super::log::Peer;
use super::outlet::{self, Document, HOST, Outlet, Readers, TARGET};
use super::reader::{Means, Reader};
use super::refusal::Refusal;
use super::site::{CROWDED, Inner, READING, STOPPING, WAITING};
use super::vitals::Vitals;
use super::{answer, metrics};
use crate::config::Metrics;
use crate::store::State;

impl Inner {
    /// Answers a request of a program.
    pub(super) async fn document(
        self: Arc<Self>,
        outlet: &'static Outlet,
        mut path: Vec<(String, String)>,
        request: &Parts,
    ) -> Response {
        let Parts { uri, headers, .. } = request;
        let reader = self.reader(request);
        if outlet.readers == Readers::OfMetrics && !self.may_read_metrics(&reader, request) {
            let (status, sentence) = metrics::GUARDED;
            return answer::document(headers, (outlet.refuse)(status, sentence));
        }
        let host = headers.get(header::HOST);
        let host = host.and_then(|host| host.to_str().ok());
        path.push((TARGET.to_owned(), uri.path().to_owned()));
        path.push((HOST.to_owned(), host.unwrap_or_default().to_owned()));
        let args = Args::check(outlet.args, path, uri.query().unwrap_or_default());
        let made = match args {
            Ok(args) => self.make(outlet, args, &reader, uri).await,
            Err(refusal) => Err(refusal),
        };
        let refusal = match made {
            Ok(document) => {
                return answer::document(headers, metrics::as_accepted(document, headers));
            }
            Err(refusal) => refusal,
        };
        if let Refusal::Elsewhere { to, .. } = refusal {
            return answer::elsewhere(StatusCode::FOUND, &to);
        }
        let (status, sentence) = outlet::in_words(&refusal);
        answer::document(headers, (outlet.refuse)(status, &sentence))
    }

    /// Makes a document on a thread for blocking work.
    async fn make(
        &self,
        outlet: &'static Outlet,
        args: Args,
        reader: &Reader,
        uri: &Uri,
    ) -> Result<Document, Refusal> {
        let turn = tokio::time::timeout(WAITING, self.making.acquire()).await;
        let _turn = turn.map_err(|_| Refusal::Busy { sentence: CROWDED })?;
        let live = self.control.snapshot().await;
        let live = live.map_err(|_| Refusal::Busy { sentence: STOPPING })?;
        let mut scene = self.scene(live, args, reader, uri);
        scene.vitals = Some(Box::new(reader.hidden().in_vitals(self.vitals())));
        let make = move |state: &State| {
            let _moment = state.at_one_moment()?;
            (outlet.show)(state, &scene)
        };
        self.state_for(reader).read_within(READING, make).await
    }

    /// Whether the reader may see the metrics: on this machine, with a token, or if the
    /// configuration opens them.
    fn may_read_metrics(&self, reader: &Reader, request: &Parts) -> bool {
        let web = self.config().web.clone().unwrap_or_default();
        let peer = request.extensions.get::<Peer>();
        let is_here = peer.is_some_and(|Peer(ip)| ip.is_none_or(|ip| ip.is_loopback()));
        is_here || web.metrics == Metrics::Open || reader.means() == Means::Token
    }

    /// How the running program is now.
    pub(super) fn vitals(&self) -> Vitals {
        let streams = self.streams.limit.count() + self.events.count();
        Vitals::take(&self.control, &self.streams.growing, streams, &self.visits)
    }

    /// Whether the master is up and can write its state; with `?ready`, whether it takes work.
    pub(super) async fn health(&self, uri: &Uri) -> Response {
        let unavailable = StatusCode::SERVICE_UNAVAILABLE;
        if !self.control.is_healthy() {
            return answer::text(unavailable, "the state cannot be written\n");
        }
        if uri.query().is_some_and(|query| query.starts_with("ready")) {
            if self.control.newsroom().is_shutting_down() {
                return answer::text(unavailable, "stopping\n");
            }
            // The core answers as soon as it has started, and until it has stopped.
            let answer = tokio::time::timeout(READING, self.control.snapshot()).await;
            if !answer.is_ok_and(|live| live.is_ok()) {
                return answer::text(unavailable, "starting or stopping\n");
            }
        }
        answer::text(StatusCode::OK, "ok\n")
    }
}
