//! What happens, as a stream that resumes from a number (WEB section 6).
//!
//! Invariants: a stream pulls what has happened, at its own pace; nobody waits for it. Each number
//! is sent once and in order. A stream that cannot go on from where its reader was says `reset`,
//! and the reader looks at the state anew.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use serde::Serialize;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::info_span;

use super::problem::Problem;
use crate::clock::Clock;
use crate::control::{self, Control, Interruption, Newsroom, Numbered, Subscription};
use crate::model::{Facts, Happening};
use crate::net::Tasks;
use crate::store::{Events, Reader, StoreError};
use crate::view::Event;
use crate::web::answer;
use crate::web::args::{Arg, Args};
use crate::web::hidden::Hidden;
use crate::web::limits::{Limit, Taken};
use crate::web::log::{Asked, through};
use crate::web::passing;
use crate::web::refusal::Refusal;
use crate::web::table;
use crate::web::topic::Topic;

/// The address.
pub(in crate::web) const PATH: &str = "/api/v1/events";

/// The arguments.
pub(in crate::web) const ARGS: &[Arg] = &[
    Arg::number("since", 0, u64::MAX),
    Arg::text("topic"),
    Arg::text("page"),
];

/// Maximum number of streams, of all readers and of one address.
pub(in crate::web) const STREAMS: (usize, usize) = (1024, 8);

/// How long a stream may be silent. After as long, a page has other estimates of what runs.
const SILENCE: Duration = Duration::from_secs(15);

/// The shortest time between two messages to a program.
const PACE: Duration = Duration::from_millis(50);

/// The shortest time between two messages to a page, about what it shows.
const PAGE_PACE: Duration = Duration::from_secs(1);

/// The same, if only the counts in the head of the page may have changed.
const HEAD_PACE: Duration = Duration::from_secs(5);

/// A reader who takes nothing for this long is disconnected.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many are looked at together.
const TOGETHER: u16 = 500;

const CROWDED: &str = "Too many event streams are open at the moment.";

/// What event streams need. Cheap to clone.
#[derive(Clone, Debug)]
pub(in crate::web) struct EventStreams {
    events: Events,
    reader: Reader,
    tasks: Tasks,
    clock: Clock,
    limit: Limit,
    newsroom: Newsroom,
}

impl EventStreams {
    /// How many there are.
    pub(in crate::web) fn count(&self) -> usize {
        self.limit.count()
    }

    /// Streams of what happens at the master behind `control`.
    pub(in crate::web) fn new(control: &Control, tasks: Tasks) -> Self {
        Self {
            events: control.events().clone(),
            reader: control.reader().clone(),
            tasks,
            clock: *control.clock(),
            newsroom: control.newsroom().clone(),
            limit: Limit::new(STREAMS.0, STREAMS.1),
        }
    }

    /// Answers a request to follow what happens.
    pub(in crate::web) fn answer(&self, asked: &Asked) -> Response {
        self.begin(asked).unwrap_or_else(|problem| problem.answer())
    }

    fn begin(&self, asked: &Asked) -> Result<Response, Problem> {
        let args = super::arguments(ARGS, &[], &asked.query)?;
        let place = self.limit.take(asked.peer);
        let place = place.ok_or(Refusal::Busy { sentence: CROWDED })?;
        let last = asked.headers.get("last-event-id");
        let last = last.and_then(|last| last.to_str().ok()?.parse().ok());
        let since = args.number("since").max(last);
        let audience = audience(&args, &asked.headers)?;
        let is_page = matches!(audience, Audience::Page { .. });
        let (sender, receiver) = mpsc::channel(1);
        let stream = Stream {
            woken: self.events.follow(),
            news: is_page.then(|| self.newsroom.subscribe_to(control::Topic::Events)),
            at: since.unwrap_or_else(|| self.events.last()),
            streams: self.clone(),
            audience,
            hidden: asked.hidden.clone(),
            looks_at: Instant::now() + SILENCE,
            sender,
        };
        let mut head = HeaderMap::new();
        answer::put(
            &mut head,
            header::CONTENT_TYPE,
            stream.audience.media_type(),
        );
        answer::put(&mut head, header::CACHE_CONTROL, "no-store");
        let unbuffered = HeaderName::from_static("x-accel-buffering");
        answer::put(&mut head, unbuffered, "no");
        let span = info_span!("events");
        self.tasks.spawn(span, stream.run(place));
        Ok(answer::stream(StatusCode::OK, head, through(receiver)))
    }
}

/// Who reads a stream.
#[derive(Debug)]
enum Audience {
    /// A page that shows these topics; it hears that something has changed.
    Page {
        topics: Vec<Topic>,
        /// Something on the page has changed since this time.
        changed: bool,
        /// Only what is in the head of the page may have changed.
        head_changed: bool,
        /// When it heard something last.
        heard_at: Option<Instant>,
    },
    /// A program that hears all that has happened to these topics, or to all if there are none.
    Program {
        topics: Vec<Topic>,
        /// One JSON object a line, rather than an event stream.
        lines: bool,
    },
}

fn audience(args: &Args, headers: &HeaderMap) -> Result<Audience, Problem> {
    if let Some(page) = args.text("page") {
        let (path, _) = page.split_once('?').unwrap_or((page, ""));
        let found = table::find(path);
        let topics = found.map_or_else(Vec::new, |(page, args)| {
            let topics = page.topics.iter();
            topics.filter_map(|t| Topic::of_page(t, &args)).collect()
        });
        return Ok(Audience::Page {
            topics,
            changed: false,
            head_changed: false,
            heard_at: None,
        });
    }
    let mut topics = Vec::new();
    for text in args.all("topic") {
        let topic = Topic::parse(text).map_err(|near| {
            let detail = format!("There is no topic \u{201c}{text}\u{201d}.");
            Problem::value("topic", detail, near)
        })?;
        topics.push(topic);
    }
    let accepted = headers.get_all(header::ACCEPT).iter();
    let mut accepted = accepted.filter_map(|value| value.to_str().ok());
    let lines = accepted.any(|value| value.contains(NDJSON));
    Ok(Audience::Program { topics, lines })
}

const NDJSON: &str = "application/x-ndjson";

impl Audience {
    const fn media_type(&self) -> &'static str {
        match self {
            Self::Program { lines: true, .. } => NDJSON,
            Self::Program { lines: false, .. } | Self::Page { .. } => "text/event-stream",
        }
    }

    /// How a stream begins: the time of the master, for the clocks of a page.
    fn greeting(&self, clock: &Clock) -> String {
        match self {
            Self::Program { lines: true, .. } => String::new(),
            Self::Program { lines: false, .. } => "retry: 2000\n\n".to_owned(),
            Self::Page { .. } => {
                let now = clock.wall().to_rfc3339();
                format!("retry: 2000\n\nevent: time\ndata: {now}\n\n")
            }
        }
    }

    /// What says that the reader is still served.
    const fn sign_of_life(&self) -> &'static str {
        match self {
            Self::Program { lines: true, .. } => "\n",
            Self::Program { lines: false, .. } | Self::Page { .. } => ": \n\n",
        }
    }

    /// Takes in something that has happened; a program is told at once.
    fn hear(&mut self, happening: &Happening, out: &mut String) {
        match self {
            Self::Page {
                topics,
                changed,
                head_changed,
                ..
            } => {
                *changed |= topics.iter().any(|topic| topic.has(happening));
                *head_changed |= Topic::Summary.has(happening);
            }
            Self::Program { topics, lines } => {
                if topics.is_empty() || topics.iter().any(|topic| topic.has(happening)) {
                    let event = Event::from(happening);
                    let name = happening.name.as_str();
                    message(out, *lines, happening.number, name, &event);
                }
            }
        }
    }

    /// Takes in something that has changed and is not on record.
    fn see(&mut self, facts: &Facts) {
        if let Self::Page {
            topics, changed, ..
        } = self
        {
            *changed |= topics.iter().any(|topic| topic.shows(facts));
        }
    }

    /// Anything that is not on record may have changed.
    const fn see_anything(&mut self) {
        if let Self::Page { changed, .. } = self {
            *changed = true;
        }
    }

    /// Everything after `number` may be different.
    fn reset(&mut self, number: u64, out: &mut String) {
        match self {
            Self::Page { changed, .. } => *changed = true,
            Self::Program { lines, .. } => {
                let event = Reset {
                    number,
                    event: "reset",
                };
                message(out, *lines, number, "reset", &event);
            }
        }
    }

    /// When a page is to be told, if it is.
    fn due(&self) -> Option<Instant> {
        let Self::Page {
            changed,
            head_changed,
            heard_at,
            ..
        } = self
        else {
            return None;
        };
        let pace = match (changed, head_changed) {
            (true, _) => PAGE_PACE,
            (false, true) => HEAD_PACE,
            (false, false) => return None,
        };
        Some(heard_at.map_or_else(Instant::now, |at| at + pace))
    }

    /// Tells a page that it has changed, if it is due; it has seen everything up to `number` then.
    fn tell_page(&mut self, number: u64, out: &mut String) {
        let is_due = self.due().is_some_and(|due| due <= Instant::now());
        if let Self::Page {
            changed,
            head_changed,
            heard_at,
            ..
        } = self
            && is_due
        {
            (*changed, *head_changed) = (false, false);
            *heard_at = Some(Instant::now());
            let written = write!(out, "id: {number}\ndata: changed\n\n");
            written.expect("writing to a string cannot fail");
        }
    }
}

/// The reader is to look at the state anew.
#[derive(Serialize)]
struct Reset {
    number: u64,
    event: &'static str,
}

fn message(out: &mut String, lines: bool, number: u64, name: &str, data: &impl Serialize) {
    let data = serde_json::to_string(data).unwrap_or_default();
    let written = match lines {
        true => writeln!(out, "{data}"),
        false => write!(out, "id: {number}\nevent: {name}\ndata: {data}\n\n"),
    };
    written.expect("writing to a string cannot fail");
}

/// A stream.
struct Stream {
    streams: EventStreams,
    audience: Audience,
    hidden: Hidden,
    woken: watch::Receiver<u64>,
    /// What pages show besides what is on record.
    news: Option<Subscription>,
    /// The number of the last one that the reader needs no more.
    at: u64,
    /// When it shows next that it is alive, and looks whether estimates are others.
    looks_at: Instant,
    sender: mpsc::Sender<io::Result<Bytes>>,
}

impl Stream {
    /// Sends what happens until the reader goes away, is too slow, or the master stops.
    async fn run(mut self, place: Taken) {
        let mut out = self.audience.greeting(&self.streams.clock);
        loop {
            // Before the look: what happens after it wakes this task.
            self.woken.mark_unchanged();
            while self.catch_up(&mut out).await {
                if out.len() > LARGEST && !self.send(&mut out).await {
                    return;
                }
            }
            self.look_at_news();
            self.audience.tell_page(self.at, &mut out);
            if !self.send(&mut out).await || !self.wait(&mut out).await {
                break;
            }
        }
        drop(place);
    }

    /// Takes in what comes next. Returns whether there may be more.
    async fn catch_up(&mut self, out: &mut String) -> bool {
        let Ok(next) = self.next().await else {
            // The reader comes back when the state can be read.
            return false;
        };
        let told = match next {
            Next::Told(told) => told,
            Next::Reset => {
                self.at = self.streams.events.last();
                self.audience.reset(self.at, out);
                return false;
            }
        };
        let is_full = told.len() == usize::from(TOGETHER);
        let last = told.last().map(|happening| happening.number);
        let Ok(told) = self.shown(told).await else {
            return false;
        };
        self.at = last.unwrap_or(self.at);
        for happening in &told {
            if let Some(happening) = self.hidden.told(happening) {
                self.audience.hear(&happening, out);
            }
        }
        is_full
    }

    /// Those that are about sources that the reader may see.
    async fn shown(&self, told: Vec<Arc<Happening>>) -> Result<Vec<Arc<Happening>>, StoreError> {
        if !self.hidden.hides_sources() {
            return Ok(told);
        }
        let look = move |state: &crate::store::State| {
            let mut shown = Vec::new();
            for happening in told {
                if state.has(&happening.facts)? {
                    shown.push(happening);
                }
            }
            Ok(shown)
        };
        self.hidden.in_state(&self.streams.reader).read(look).await
    }

    /// Takes in the news of what is not on record that came so far.
    fn look_at_news(&mut self) {
        while let Some(heard) = self.news.as_mut().and_then(Subscription::look) {
            self.hear_news(heard);
        }
    }

    fn hear_news(&mut self, heard: Result<Arc<Numbered>, Interruption>) {
        match heard {
            Ok(heard) => {
                let facts = passing::facts(&heard.news);
                if let Some(facts) = facts.filter(|facts| self.hidden.may_tell(facts)) {
                    self.audience.see(&facts);
                }
            }
            // Some of it may be on the page.
            Err(Interruption::Missed(_)) => self.audience.see_anything(),
            Err(Interruption::Ended) => self.news = None,
        }
    }

    async fn next(&self) -> Result<Next, StoreError> {
        let (at, events) = (self.at, &self.streams.events);
        // A number that was never given belongs to another state.
        if at > events.last() {
            return Ok(Next::Reset);
        }
        if let Some(told) = events.since(at, usize::from(TOGETHER)) {
            return Ok(Next::Told(told));
        }
        let look = move |state: &crate::store::State| {
            let oldest = state.oldest_happening()?;
            if oldest.is_some_and(|oldest| oldest > at + 1) {
                return Ok(Next::Reset);
            }
            let told = state.happened_since(at, u32::from(TOGETHER))?;
            Ok::<_, StoreError>(Next::Told(told.into_iter().map(Arc::new).collect()))
        };
        self.streams.reader.read(look).await
    }

    /// Sends `out`. Returns whether the reader has taken it.
    async fn send(&self, out: &mut String) -> bool {
        if out.is_empty() {
            return true;
        }
        let bytes = Bytes::from(std::mem::take(out));
        let sent = timeout(PATIENCE, self.sender.send(Ok(bytes))).await;
        sent.is_ok_and(|sent| sent.is_ok())
    }

    /// Waits until there is something to do. Returns whether the stream goes on.
    async fn wait(&mut self, out: &mut String) -> bool {
        let due = self.audience.due();
        let due = async {
            match due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.streams.tasks.stopping() => return false,
            () = self.sender.closed() => return false,
            () = due => return true,
            woken = self.woken.changed() => {
                if woken.is_err() {
                    return false;
                }
            }
            heard = next_of(self.news.as_mut()) => self.hear_news(heard),
            () = sleep_until(self.looks_at) => {
                self.looks_at = Instant::now() + SILENCE;
                match self.foresees().await {
                    true => self.audience.see_anything(),
                    false => *out += self.audience.sign_of_life(),
                }
                return true;
            }
        }
        // What happens together is sent together.
        sleep(PACE).await;
        true
    }
}

impl Stream {
    /// Whether the page says how long something that runs will still take. These estimates change
    /// while a step works; nobody is told, and they have no number.
    async fn foresees(&self) -> bool {
        let Audience::Page { topics, .. } = &self.audience else {
            return false;
        };
        let state = self.hidden.in_state(&self.streams.reader);
        let running = state.read(crate::store::State::running).await;
        let running = running.unwrap_or_default();
        let mut running = running.iter();
        running.any(|(builder, number)| topics.iter().any(|t| t.foresees(builder, *number)))
    }
}

/// Waits for the next news; for ever where none are heard. Cancel-safe.
async fn next_of(news: Option<&mut Subscription>) -> Result<Arc<Numbered>, Interruption> {
    match news {
        Some(news) => news.next().await,
        None => std::future::pending().await,
    }
}

/// What comes next for a reader.
enum Next {
    /// These, which may be none.
    Told(Vec<Arc<Happening>>),
    /// What comes next is not kept.
    Reset,
}

/// Maximum number of bytes that wait to be sent.
const LARGEST: usize = 64 * 1024;

#[cfg(test)]
mod tests;
