//! The handle by which change sources, the control socket and later the web ask the core.
//!
//! Invariants: a question is answered once, and only when what the answer says is on disk, except
//! that a configuration is in force before that. While the state cannot be written, work is
//! rejected here, so that no caller is answered too early or waits for ever; while the disk is only
//! slow, work waits here.

mod acts;
mod caller;
mod choices;
mod claims;
mod facts;
mod force;
mod held;
mod letters;
mod logins;
mod measures;
mod news;
mod object;
mod offers;
mod oidc;
mod people;
mod pokes;
mod quarantine;
mod rebuild;
mod reconfigure;
mod remarks;
mod request;
mod searches;
mod settings;
mod sight;
mod snapshot;
pub mod socket;
mod strangers;
pub mod tally;
mod who;
mod why;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use crate::botmaster::{Answer, Ask, Blocker, Event, Live, MasterEvent};
use crate::clock::Clock;
use crate::config::Config;
use crate::model::{
    Action, AdmittedOffer, AuditRecord, BuildSet, Door, Op, Outcome, RequestId, SchedulerName,
    TryJob,
};
use crate::protocol::try_call::MAX_PATCH_BYTES;
use crate::store::{Events, Reader, Writer};

use self::choices::ChoiceLists;
use self::claims::Claims;
use self::searches::Searches;
use self::strangers::Strangers;

pub use acts::{Need, NotDone};
pub use caller::Caller;
pub use facts::{Facts, OpenPort};
pub use force::NotForced;
pub use letters::{LetterAct, LetterDeed};
pub use logins::{Origin, read_password};
pub use measures::Measures;
pub use news::{
    Interruption, KEPT, News, NewsNumber, Newsroom, NotKept, Numbered, Subscription, Topic,
};
pub use object::{Target, object};
pub use offers::{Offered, PendingOffer};
pub use oidc::NotLoggedIn;
pub use people::UserAct;
pub use pokes::{Approval, Poked, Pokes};
pub use quarantine::{QuarantineAct, QuarantineBegin};
pub use reconfigure::{Reconfigure, Reconfigured};
pub use remarks::RemarkAct;
pub use request::{Request, Service};
pub use searches::{SearchAct, SearchWish};
pub use snapshot::Snapshots;

/// What the core answers: what was done, or why not.
pub type Said = Result<Answer, String>;

/// Something that is asked of the task that owns the core, with the way for its answer.
#[derive(Debug)]
pub enum Question {
    /// A question to the core.
    Ask(Ask, oneshot::Sender<Said>),
    /// A question of a user, with the entry for the audit log (MAY-05).
    Act(Ask, Box<AuditRecord>, oneshot::Sender<Said>),
    /// A source offers changes.
    Offer(Box<AdmittedOffer>, Offered),
    /// Every blocker of a request (MAS-10); absent if the request is not open.
    Why(RequestId, oneshot::Sender<Option<Vec<Blocker>>>),
    /// What is known beyond what is on disk.
    Live(oneshot::Sender<Live>),
    /// Another configuration, read and checked, is to be in force (MAS-03); answered when it is.
    Reconfigured {
        /// The configuration.
        config: Arc<Config>,
        /// Only answer whether it would be in force.
        dry_run: bool,
        /// Where the answer is sent.
        answer: oneshot::Sender<Said>,
    },
}

/// Asks the core. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Control {
    questions: mpsc::Sender<Question>,
    writer: Writer,
    newsroom: Newsroom,
    reconfigure: mpsc::Sender<Reconfigure>,
    config: watch::Receiver<Arc<Config>>,
    clock: Clock,
    snapshots: Snapshots,
    measures: Arc<Measures>,
    choices: ChoiceLists,
    strangers: Strangers,
    senders: Strangers,
    /// Kibibytes of patches that may be on their way to the state.
    patches: Arc<Semaphore>,
    claims: Claims,
    /// Held while the register of people is changed.
    register: Arc<Mutex<()>>,
    pokes: Pokes,
    /// For whoever replaces what hooks keep.
    held: Arc<Mutex<()>>,
    /// Told when somebody has changed what waits in the outbox.
    letters: Arc<Notify>,
    searches: Searches,
}

impl Control {
    /// A handle that sends its questions to `questions`.
    #[must_use]
    pub fn new(
        questions: mpsc::Sender<Question>,
        writer: Writer,
        newsroom: Newsroom,
        reconfigure: mpsc::Sender<Reconfigure>,
        config: watch::Receiver<Arc<Config>>,
        clock: Clock,
    ) -> Self {
        Self {
            questions,
            writer,
            newsroom,
            reconfigure,
            config,
            clock,
            snapshots: Snapshots::default(),
            measures: Arc::default(),
            choices: ChoiceLists::default(),
            strangers: Strangers::refused(),
            senders: Strangers::sending(),
            patches: Arc::new(Semaphore::new(PATCHES_KIB)),
            claims: Claims::default(),
            register: Arc::default(),
            pokes: Pokes::default(),
            held: Arc::default(),
            letters: Arc::default(),
            searches: Searches::default(),
        }
    }

    /// This handle, before it is cloned, of a state with these fingerprints of identities and
    /// deliveries on record.
    #[must_use]
    pub fn with_fingerprints(self, fingerprints: Vec<u64>) -> Self {
        Self {
            claims: Claims::on_record(fingerprints),
            ..self
        }
    }

    /// How sources are told to look now.
    #[must_use]
    pub const fn pokes(&self) -> &Pokes {
        &self.pokes
    }

    /// The clocks of this master.
    #[must_use]
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The configuration that is in force.
    #[must_use]
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.borrow())
    }

    /// Where to hear what happens.
    #[must_use]
    pub const fn newsroom(&self) -> &Newsroom {
        &self.newsroom
    }

    /// Reads what is on disk.
    #[must_use]
    pub const fn reader(&self) -> &Reader {
        self.writer.reader()
    }

    /// What has happened and is on disk, numbered across restarts (STA-01).
    #[must_use]
    pub fn events(&self) -> &Events {
        self.writer.events()
    }

    /// Whether the master takes work now: it is not stopping, and can write its state.
    #[must_use]
    pub fn takes_work(&self) -> bool {
        self.writer.is_healthy() && !self.newsroom.is_shutting_down()
    }

    /// Puts something on record that nobody waits for.
    pub fn note(&self, op: Op) {
        self.writer.hand_in(None, vec![op]);
    }

    /// Whether the master can write its state now.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.writer.is_healthy()
    }

    /// What this master measures of its own work.
    #[must_use]
    pub const fn measures(&self) -> &Arc<Measures> {
        &self.measures
    }

    /// What writes the state.
    #[must_use]
    pub const fn writer(&self) -> &Writer {
        &self.writer
    }

    /// How often the state was written. What is read of it is the same as long as this is.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.writer.commits()
    }

    /// Waits until everything that was told so far is on disk, for those who hear news and read the
    /// state; not for long while the disk takes no writes.
    pub async fn settled(&self) {
        if self.writer.is_healthy() {
            let writing = self.writer.write_and_wait(Vec::new());
            // Without it, what was told last may be missing from what is read.
            tokio::time::timeout(SETTLING, writing).await.ok();
        }
    }

    /// Waits until a patch of this size may be in memory; the permit is kept until its job is
    /// answered.
    pub async fn room_for_patch(&self, size_bytes: usize) -> OwnedSemaphorePermit {
        let kib = size_bytes.div_ceil(1024).min(PATCHES_KIB);
        let kib = u32::try_from(kib).expect("the limit is a small number");
        let room = Arc::clone(&self.patches).acquire_many_owned(kib).await;
        room.expect("the semaphore is never closed")
    }

    /// Submits a try job to `scheduler`; `user` has logged in for that. Answered with its set.
    ///
    /// # Errors
    /// Why it is not built.
    pub async fn submit_try(
        &self,
        scheduler: &SchedulerName,
        job: TryJob,
        user: Option<String>,
    ) -> Result<Arc<BuildSet>, String> {
        let ask = Ask::SubmitTry {
            scheduler: scheduler.clone(),
            job: Box::new(job),
            user: user.clone(),
        };
        // MAY-05: who has logged in to a try scheduler may submit jobs to it, and so may who can
        // write to its job directory.
        let (door, ground) = match &user {
            Some(_) => (Door::Pb, "allowed by the password of the scheduler"),
            None => (
                Door::Command,
                "allowed by the job directory of the scheduler",
            ),
        };
        let record = Box::new(AuditRecord {
            at: self.clock.wall(),
            who: user.unwrap_or_default(),
            door,
            address: String::new(),
            token: None,
            action: Action::Try,
            object: Target::Scheduler(scheduler.clone()).to_string(),
            what: ask.act(),
            reason: String::new(),
            outcome: Outcome::Done,
            ground: ground.to_owned(),
        });
        let Answer::Set(set) = self.ask_for(ask, record).await? else {
            return Err(odd());
        };
        Ok(set)
    }

    /// Reads the configuration file again and puts it in force, or with `dry_run` only compares.
    ///
    /// # Errors
    /// Why the configuration is unchanged: all errors of the file, or what could not be opened.
    pub async fn reconfigure(&self, dry_run: bool) -> Result<Reconfigured, String> {
        let (answer, done) = oneshot::channel();
        let request = Reconfigure { dry_run, answer };
        self.reconfigure
            .send(request)
            .await
            .map_err(|_| stopping())?;
        done.await.map_err(|_| stopping())?
    }

    /// Stops the master when the running builds have ended. Returns only if the master goes on, and
    /// says why.
    async fn clean_shutdown(&self, record: Box<AuditRecord>) -> String {
        let mut news = self.newsroom.subscribe();
        if let Err(why) = self.ask_for(Ask::CleanShutdown, record).await {
            return why;
        }
        loop {
            let cancelled = match news.next().await {
                Ok(told) => told.news == News::Event(Event::Master(MasterEvent::ShutdownCancelled)),
                Err(Interruption::Missed(_)) => !self.newsroom.is_shutting_down(),
                Err(Interruption::Ended) => return stopping(),
            };
            if cancelled {
                return "the clean stop was cancelled: the master goes on".to_owned();
            }
        }
    }

    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// Why it was not done.
    pub async fn ask(&self, ask: Ask) -> Said {
        self.begin(ask).await?.answer().await
    }

    /// Asks for a user, whose act is `record` in the audit log, and waits for the answer.
    async fn ask_for(&self, ask: Ask, record: Box<AuditRecord>) -> Said {
        if let Some(not_done) = ask.work() {
            self.admit(not_done).await?;
        }
        let (answer, said) = oneshot::channel();
        self.question(Question::Act(ask, record, answer)).await?;
        Pending(said).answer().await
    }

    /// What is known beyond what is on disk.
    ///
    /// # Errors
    /// The master is shutting down.
    pub async fn live(&self) -> Result<Live, String> {
        let (answer, live) = oneshot::channel();
        self.question(Question::Live(answer)).await?;
        live.await.map_err(|_| stopping())
    }

    /// What is known beyond what is on disk, for those who look often: the answer that everybody
    /// has got who looked since the core's last batch. When a slave was last heard of and who was
    /// refused may be as old.
    ///
    /// # Errors
    /// The master is shutting down.
    pub async fn snapshot(&self) -> Result<Arc<Live>, String> {
        self.snapshots.current(async || self.live().await).await
    }

    /// What the core outdates with each batch.
    #[must_use]
    pub const fn snapshots(&self) -> &Snapshots {
        &self.snapshots
    }

    /// Puts another configuration in force, or with `dry_run` only asks whether it could be.
    ///
    /// # Errors
    /// Why it cannot be in force.
    pub async fn put_in_force(&self, config: Arc<Config>, dry_run: bool) -> Result<(), String> {
        let (answer, done) = oneshot::channel();
        let question = Question::Reconfigured {
            config,
            dry_run,
            answer,
        };
        self.question(question).await?;
        done.await.map_err(|_| stopping())?.map(|_| ())
    }

    /// Waits until the state can take work; `not_done` is what is not done if it cannot.
    async fn admit(&self, not_done: &str) -> Result<(), String> {
        if !self.writer.is_healthy() {
            return Err(format!("{not_done}: the master cannot write its state"));
        }
        tokio::select! {
            biased;
            () = self.writer.room() => Ok(()),
            () = self.questions.closed() => Err(stopping()),
        }
    }

    async fn begin(&self, ask: Ask) -> Result<Pending, String> {
        if let Some(not_done) = ask.work() {
            self.admit(not_done).await?;
        }
        let (answer, said) = oneshot::channel();
        self.question(Question::Ask(ask, answer)).await?;
        Ok(Pending(said))
    }

    async fn question(&self, question: Question) -> Result<(), String> {
        self.questions.send(question).await.map_err(|_| stopping())
    }
}

/// A question whose answer has not come.
#[derive(Debug)]
#[must_use]
pub struct Pending(oneshot::Receiver<Said>);

impl Pending {
    /// Waits for the answer: of a change, until it and its consequences are on disk.
    ///
    /// # Errors
    /// Why it was not done.
    pub async fn answer(self) -> Said {
        self.0.await.map_err(|_| stopping())?
    }
}

/// How long a reader of the state waits for what was told before.
const SETTLING: Duration = Duration::from_secs(2);

/// Most memory of all patches that are on their way from their senders to the state: two of the
/// largest.
const PATCHES_KIB: usize = 2 * MAX_PATCH_BYTES / 1024;

/// The core gave an answer of another kind than the question has.
fn odd() -> String {
    "the master answered another question".to_owned()
}

fn stopping() -> String {
    "the master is shutting down".to_owned()
}
