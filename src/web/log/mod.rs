//! Logs as streams: their text for tools, and their lines for pages that follow them.
//!
//! A stream is sent in blocks. Each block is read on a thread for blocking work when the one before
//! is sent, so a slow reader costs one block of memory and no thread. At the end of a log that
//! grows, the stream waits for the writer of logs; nothing asks the core.

mod blocks;
pub(super) mod follow;
pub(super) mod rows;
pub(super) mod text;

use std::net::IpAddr;

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::Response;

use super::answer;
use super::args::{Arg, Args};
use super::hidden::Hidden;
use super::limits::{Limit, Taken};
use super::outlet::in_words;
use super::place::LogPlace;
use super::reader::Reader;
use super::refusal::Refusal;
use crate::clock::Clock;
use crate::logs::{Growing, LogReader};
use crate::net::Tasks;
use crate::store;
use crate::view::Moment;

pub(super) use blocks::through;

/// What streams need.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    /// Reads the state.
    pub(super) reader: store::Reader,
    /// The logs that grow.
    pub(super) growing: Growing,
    /// Where the streams run.
    pub(super) tasks: Tasks,
    /// The time.
    pub(super) clock: Clock,
    /// How many there may be.
    pub(super) limit: Limit,
}

/// The address of a reader, as the listener tells it to the router.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) Option<IpAddr>);

/// A request for a stream.
#[derive(Debug)]
pub(super) struct Asked {
    /// The variable parts of the path.
    pub(super) path: Vec<(String, String)>,
    /// The arguments as they were written.
    pub(super) query: String,
    /// The headers.
    pub(super) headers: HeaderMap,
    /// Where the reader is.
    pub(super) peer: Option<IpAddr>,
    /// What the reader may not see.
    pub(super) hidden: Hidden,
}

/// Maximum number of streams, of all readers and of one address.
pub(super) const STREAMS: (usize, usize) = (512, 128);

/// Says that what follows comes while it is made, so that nothing keeps or gathers it on the way.
fn as_it_comes(head: &mut HeaderMap) {
    answer::put(head, header::CACHE_CONTROL, "no-store");
    let unbuffered = HeaderName::from_static("x-accel-buffering");
    answer::put(head, unbuffered, "no");
}

const CROWDED: &str = "Too many logs are followed at the moment.";

impl Streams {
    /// When a stream begins, for views.
    fn moment(&self) -> Moment {
        Moment {
            is_running: false,
            now: self.clock.wall(),
        }
    }

    /// The log that is asked for: its path, its address, and what reads it.
    async fn open(
        &self,
        hidden: &Hidden,
        args: Args,
    ) -> Result<(String, String, LogReader), Refusal> {
        let (moment, state) = (self.moment(), hidden.in_state(&self.reader));
        let opened = state.read(move |state| {
            let found = LogPlace::find(state, &args, moment)?;
            let reader = found.open(state.basedir())?;
            Ok((found.log().path.clone(), found.address(), reader))
        });
        opened.await
    }

    /// Takes a place for a stream.
    fn take(&self, peer: Option<IpAddr>) -> Result<Taken, Refusal> {
        let place = self.limit.take(peer);
        place.ok_or(Refusal::Busy { sentence: CROWDED })
    }
}

impl Asked {
    /// A request whose path has these variable parts.
    pub(super) fn of(path: Vec<(String, String)>, request: &Parts) -> Self {
        let peer = request.extensions.get::<Peer>();
        let reader = request.extensions.get::<Reader>();
        Self {
            path,
            query: request.uri.query().unwrap_or_default().to_owned(),
            headers: request.headers.clone(),
            peer: peer.and_then(|peer| peer.0),
            hidden: reader
                .map(|reader| reader.hidden().clone())
                .unwrap_or_default(),
        }
    }

    fn args(&self, known: &[Arg]) -> Result<Args, Refusal> {
        Args::check(known, self.path.clone(), &self.query)
    }
}

/// A refusal in one line of text, for tools.
pub(super) fn refused(refusal: Refusal) -> Response {
    if let Refusal::Elsewhere { to, .. } = refusal {
        return answer::elsewhere(StatusCode::FOUND, &to);
    }
    let (status, sentence) = in_words(&refusal);
    answer::text(status, format!("{sentence}\n"))
}
