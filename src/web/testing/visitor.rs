//! Somebody who visits the site, and the core behind it.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, request};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use tokio::sync::mpsc;
use tracing::Span;

use super::{Answer, received};
use crate::botmaster::{self, Ask, Blocker, Live};
use crate::control::{Control, Newsroom, Poked, Question, Said};
use crate::model::{
    AdmittedChange, AdmittedOffer, AuditRecord, BuildSet, ChangeNumber, Op, RequestId, SetId,
    SourceName, TakenChange,
};
use crate::net::Tasks;
use crate::store::Writer;
use crate::store::read::AuditFilter;
use crate::web::log::Peer;

/// A core that does all that it is asked, and remembers it.
#[derive(Clone, Debug, Default)]
pub(super) struct Core {
    asked: Arc<Mutex<Vec<Ask>>>,
}

/// Somebody who visits the site, with a browser.
pub(in crate::web) struct Visitor {
    router: TowerToHyperService<Router>,
    routes: Router,
    control: Control,
    core: Core,
    writer: Writer,
    /// How long a body is received.
    pub(in crate::web) patience: Duration,
    /// Headers that are sent with each request.
    pub(in crate::web) headers: Vec<(String, String)>,
    /// Where the visitor is.
    pub(in crate::web) peer: Option<IpAddr>,
    /// The cookie of the session.
    pub(in crate::web) session: Option<String>,
    /// The mark of the forms on the page that was seen last.
    pub(in crate::web) csrf: String,
}

impl Core {
    pub(super) fn start(
        live: Live,
        writer: Writer,
        mut questions: mpsc::Receiver<Question>,
    ) -> Self {
        let core = Self::default();
        let asked = Arc::clone(&core.asked);
        Tasks::default().spawn(Span::none(), async move {
            while let Some(question) = questions.recv().await {
                match question {
                    Question::Live(answer) => answer.send(live.clone()).unwrap(),
                    Question::Act(ask, audit, answer) => {
                        writer.write_and_wait(vec![Op::Audited(audit)]).await;
                        let said = if let Ask::Force(forced) = &ask {
                            botmaster::Answer::Set(Arc::new(set(forced.builder.clone())))
                        } else {
                            botmaster::Answer::Done
                        };
                        asked.lock().unwrap().push(ask);
                        answer.send(Ok(said)).unwrap();
                    }
                    Question::Why(_, answer) => {
                        let text = "build linux/3 runs".to_owned();
                        let why = Blocker::triggered("linux/3".to_owned(), text);
                        answer.send(Some(vec![why])).unwrap();
                    }
                    Question::Offer(offer, offered) => offered.settle(answer(&offer)),
                    Question::Ask(..) | Question::Reconfigured { .. } => {
                        panic!("{question:?}");
                    }
                }
            }
        });
        core
    }
}

/// People for a configuration: ann may do everything, bob is a guest who has made changes.
pub(in crate::web) const PEOPLE: &str = r#"
[people.ann]
roles = ["admins"]
email = "ann@example.org"
password = "a"
[people.bob]
roles = ["guests"]
any = "Ines Okafor"
password = "b"
[[permissions]]
who = ["anyone"]
may = ["view"]
[[permissions]]
who = ["role:admins"]
may = ["*"]
"#;

/// The comments of a change that this core cannot take.
pub(in crate::web) const DISK_FULL: &str = "the disk is full";

/// The answer to an offer: all changes are new, and numbered from 79 on.
fn answer(offer: &AdmittedOffer) -> Said {
    let taken = offer.changes.iter().zip(79..).map(|(change, number)| {
        match change {
            AdmittedChange::New { change, .. } if change.comments == DISK_FULL => {
                return Err("the master cannot write its state".to_owned());
            }
            AdmittedChange::New { .. } | AdmittedChange::Known(_) | AdmittedChange::Repeated(_) => {
            }
        }
        let (number, is_new) = (ChangeNumber(number), true);
        Ok(TakenChange { number, is_new })
    });
    let taken: Result<_, _> = taken.collect();
    taken.map(botmaster::Answer::Taken)
}

/// The set of a forced build.
fn set(builder: crate::model::BuilderName) -> BuildSet {
    BuildSet {
        id: SetId(77),
        external_id: None,
        scheduler: None,
        stamps: Arc::default(),
        reason: String::new(),
        properties: Arc::default(),
        submitted_at: super::NOW,
        priority: 0,
        requests: vec![(RequestId(78), builder)],
        parent: None,
    }
}

impl Visitor {
    pub(super) fn new(router: Router, control: Control, core: Core, writer: Writer) -> Self {
        Self {
            routes: router.clone(),
            router: TowerToHyperService::new(router),
            control,
            core,
            writer,
            patience: Duration::MAX,
            headers: Vec::new(),
            peer: None,
            session: None,
            csrf: String::new(),
        }
    }

    /// Sends a request with these headers and those of the visitor. The header `x-peer` stands for
    /// the address of the visitor.
    pub(in crate::web) async fn send(
        &mut self,
        mut request: request::Builder,
        headers: &[(&str, &str)],
        body: Body,
    ) -> Answer {
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let mut peer = self.peer;
        for (name, value) in headers {
            match *name {
                "x-peer" => peer = Some(value.parse().unwrap()),
                _ => request = request.header(*name, *value),
            }
        }
        if let Some(session) = &self.session {
            request = request.header("cookie", format!("session={session}"));
        }
        let mut request = request.body(body).unwrap();
        request.extensions_mut().insert(Peer(peer));
        let answer = self.router.call(request).await.unwrap();
        let (head, body) = answer.into_parts();
        let body = received(body, self.patience).await;
        let cookie = head.headers.get("set-cookie");
        let cookie = cookie.and_then(|cookie| cookie.to_str().unwrap().strip_prefix("session="));
        if let Some(cookie) = cookie {
            let value = cookie.split(';').next().unwrap();
            self.session = Some(value.to_owned()).filter(|value| !value.is_empty());
        }
        let text = String::from_utf8_lossy(&body).into_owned();
        if let Some((_, rest)) = text.split_once("name=\"csrf\" value=\"") {
            self.csrf = rest.split('"').next().unwrap().to_owned();
        }
        Answer {
            status: head.status,
            headers: head.headers,
            text,
        }
    }

    /// Hears when the source `name` is told to look.
    pub(in crate::web) fn listen(&self, name: &str) -> Poked {
        self.control.pokes().listen(&SourceName::from(name))
    }

    /// The routes of the site.
    pub(in crate::web) fn routes(&self) -> Router {
        self.routes.clone()
    }

    /// Where the news of the master are told.
    pub(in crate::web) fn newsroom(&self) -> &Newsroom {
        self.control.newsroom()
    }

    /// Looks at a page.
    pub(in crate::web) async fn get(&mut self, address: &str) -> Answer {
        self.send(Request::get(address), &[], Body::empty()).await
    }

    /// Sends a form of a page that was seen.
    pub(in crate::web) async fn post(&mut self, address: &str, fields: &[(&str, &str)]) -> Answer {
        let csrf = self.csrf.clone();
        let fields: Vec<_> = [&[("csrf", csrf.as_str())], fields].concat();
        let from_here = [("sec-fetch-site", "same-origin")];
        self.post_raw(address, &from_here, &fields).await
    }

    /// Sends exactly these fields.
    pub(in crate::web) async fn post_raw(
        &mut self,
        address: &str,
        headers: &[(&str, &str)],
        fields: &[(&str, &str)],
    ) -> Answer {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        let headers = [&kind, headers].concat();
        self.send(Request::post(address), &headers, body.finish().into())
            .await
    }

    /// Logs in, and looks at a page with forms.
    pub(in crate::web) async fn log_in(&mut self, name: &str, password: &str) -> Answer {
        self.get("/login").await;
        let fields = [("username", name), ("passwd", password), ("next", "/about")];
        let answer = self.post("/login", &fields).await;
        self.get("/logout").await;
        answer
    }

    /// The audit log, the oldest entry first.
    pub(in crate::web) async fn audit(&self) -> Vec<AuditRecord> {
        self.writer.write_and_wait(Vec::new()).await;
        let filter = AuditFilter::default();
        let rows = self
            .control
            .reader()
            .read(move |state| state.audit(&filter, 999));
        let rows = rows.await.unwrap();
        rows.into_iter().rev().map(|row| row.record).collect()
    }

    /// What the core was asked to do.
    pub(in crate::web) fn asked(&self) -> Vec<Ask> {
        self.core.asked.lock().unwrap().clone()
    }

    /// The addresses to which something can be posted, as the router itself says.
    pub(in crate::web) fn posted_to(&self) -> BTreeSet<String> {
        let router = format!("{:?}", self.routes);
        let (router, _) = router.split_once("fallback_router").unwrap();
        let (endpoints, paths) = router.split_once("node: Node").unwrap();
        let id = |text: &str| text.split(')').next().unwrap_or_default().to_owned();
        let endpoints = endpoints.split("RouteId(").skip(1);
        let posts = |endpoint: &&str| !endpoint.contains("post: None");
        let takes: BTreeSet<_> = endpoints.filter(posts).map(id).collect();
        let paths = paths.split("RouteId(").skip(1);
        let taking = paths.filter(|path| takes.contains(&id(path)));
        taking
            .map(|path| path.split('"').nth(1).unwrap().to_owned())
            .collect()
    }

    /// The handle of the master.
    pub(in crate::web) const fn control(&self) -> &Control {
        &self.control
    }
}
