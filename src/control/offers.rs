//! The door for changes: every source hands its offers in here (GRD-01).
//!
//! Changes are looked up by their identities here, so that the core need not read the state: most
//! are new, and known to be new without a look at the disk (see [`super::claims`]).

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::oneshot;

use super::claims::Claim;
use super::strangers::Noted;
use super::{Control, Question, Said, odd, stopping};
use crate::botmaster::Answer;
use crate::config::{nearest, register};
use crate::model::{
    Action, AdmittedChange, AdmittedOffer, AuditRecord, Digest, Door, NewChange, Offer,
    OfferAnswer, Op, Outcome, SourceAttempt, SourceName, Timestamp,
};
use crate::protocol::bounds::bound;
use crate::store::read::KnownIdentity;
use crate::store::{State, StoreError};
use crate::vc;

/// An offer on its way to the core: who waits for the answer, and what nobody else may offer
/// meanwhile.
#[derive(Debug)]
pub struct Offered {
    answer: oneshot::Sender<Said>,
    claim: Claim,
}

/// An offer whose answer has not come.
#[derive(Debug)]
#[must_use]
pub struct PendingOffer(Progress);

#[derive(Debug)]
enum Progress {
    /// It was known before.
    Over(OfferAnswer),
    /// The core has it.
    Waiting(oneshot::Receiver<Said>),
}

/// What is on record of an offer.
#[derive(Debug, Default)]
struct OnRecord {
    is_redelivered: bool,
    changes: HashMap<Digest, KnownIdentity>,
}

/// How long the same change from the same door counts as sent by mistake (INT-06).
const BY_MISTAKE: Duration = Duration::from_secs(3600);

impl Offered {
    /// Answers. With a good answer, the offer is on disk.
    pub fn settle(self, said: Said) {
        if said.is_ok() {
            self.claim.settle();
        }
        // The source may be gone; its changes remain.
        drop(self.answer.send(said));
    }
}

impl PendingOffer {
    /// Waits until the offer is on disk, with all that follows from it.
    ///
    /// # Errors
    /// Why nothing of it was taken.
    pub async fn answer(self) -> Result<OfferAnswer, String> {
        match self.0 {
            Progress::Over(answer) => Ok(answer),
            Progress::Waiting(said) => match said.await.map_err(|_| stopping())?? {
                Answer::Taken(taken) => Ok(OfferAnswer::Taken(taken)),
                Answer::Set(_) | Answer::Pinged(_) | Answer::Count(_) | Answer::Done => Err(odd()),
            },
        }
    }
}

impl Control {
    /// Offers changes; they are numbered in the order of these calls. The answer comes when they
    /// are on disk.
    ///
    /// # Errors
    /// Why they cannot be taken now. The source keeps them and offers them again.
    pub async fn offer(&self, offer: Offer) -> Result<PendingOffer, String> {
        self.offer_with(offer, None).await
    }

    /// Offers changes of a client that has logged in as a change source, at `address`. The audit
    /// log has them in the transaction that takes them, of each address and of all a limited number
    /// of times.
    ///
    /// # Errors
    /// As [`Control::offer`].
    pub async fn offer_sent(&self, offer: Offer, address: &str) -> Result<PendingOffer, String> {
        let at = self.clock.wall();
        let address = host(address);
        let more = match self.senders.note(&address, at) {
            Noted::Entry => "",
            Noted::Last => "; further changes of this sender are not recorded for now",
            Noted::Nothing => return self.offer(offer).await,
        };
        let what = offer.changes.iter().map(|change| {
            let revision = change.revision.as_deref().unwrap_or("no revision");
            format!("{} by {}", bounded(revision), bounded(&change.who))
        });
        let what: Vec<_> = what.collect();
        let record = AuditRecord {
            object: format!("change source {}", offer.source),
            what: format!("sent a change: {}", what.join(", ")),
            ground: format!("allowed by the password of the change source{more}"),
            ..by_password(Action::Submit, address, at)
        };
        self.offer_with(offer, Some(Box::new(record))).await
    }

    async fn offer_with(
        &self,
        offer: Offer,
        audit: Option<Box<AuditRecord>>,
    ) -> Result<PendingOffer, String> {
        self.admit("the change was not accepted").await?;
        if offer.changes.len() > Offer::MOST_CHANGES {
            let (count, most) = (offer.changes.len(), Offer::MOST_CHANGES);
            return Err(format!(
                "{count} changes were offered together; the maximum is {most}"
            ));
        }
        let mut offer = offer;
        let dropped = self.prepare(&mut offer);
        let identities = offer.changes.iter().map(vc::identity);
        let identities: Vec<_> = identities
            .map(|known| known.map(|known| known.digest()))
            .collect();
        let sums = identities.iter().flatten();
        let delivery = offer.delivery.as_ref().map(|delivery| &delivery.0);
        let fingerprints = sums.chain(delivery).map(Digest::fingerprint);
        let claim = self.claims.claim(fingerprints.collect()).await;
        let on_record = match claim.may_be_on_record() {
            true => self.on_record(&offer, &identities).await?,
            false => OnRecord::default(),
        };
        if on_record.is_redelivered {
            let (source, at) = (offer.source, self.clock.wall());
            self.note(Op::Redelivered { source, at });
            return Ok(PendingOffer(Progress::Over(OfferAnswer::Redelivered)));
        }
        let mut offer = admitted(offer, &identities, &on_record, self.clock.wall());
        offer.dropped = dropped;
        offer.audit = audit;
        let offer = Box::new(offer);
        let (answer, said) = oneshot::channel();
        let offered = Offered { answer, claim };
        self.question(Question::Offer(offer, offered)).await?;
        Ok(PendingOffer(Progress::Waiting(said)))
    }

    /// Where a source goes on from, as it last offered.
    ///
    /// # Errors
    /// The state cannot be read.
    pub async fn source_cursor(&self, name: &SourceName) -> Result<Option<String>, StoreError> {
        let name = name.clone();
        let look = move |state: &State| state.source_cursor(&name);
        self.reader().read(look).await
    }

    /// Has a source that acts by itself look now (INT-11).
    ///
    /// # Errors
    /// No change source has this name.
    pub fn poke(&self, name: &SourceName) -> Result<(), String> {
        if self.pokes.poke(name) {
            return Ok(());
        }
        let config = self.config();
        if config
            .change_sources
            .iter()
            .any(|source| source.name == *name)
        {
            return Err(format!(
                "change source {name} does not poll: it takes what it is sent"
            ));
        }
        let names = self.pokes.names();
        let known = names.iter().map(SourceName::as_str);
        Err(match nearest(name.as_str(), known) {
            Some(near) => format!("there is no change source {name}; did you mean {near}?"),
            None => {
                format!("there is no change source {name}; `buildmaster show sources` lists them")
            }
        })
    }

    /// Has the source `name` build pull request `pull` at the commit `head`, which waits for an
    /// approval. Returns when the change is on disk (POL-13).
    ///
    /// # Errors
    /// Why it is not built.
    pub async fn approve(&self, name: &SourceName, pull: u64, head: &str) -> Result<(), String> {
        let config = self.config();
        let mut sources = config.change_sources.iter();
        let is_meant = |source: &&crate::config::ChangeSourceConfig| source.name == *name;
        let Some(source) = sources.find(is_meant) else {
            return Err(format!("there is no change source {name}"));
        };
        if !source.kind.takes_approvals() {
            let why = format!("change source {name} does not bring pull requests");
            return Err(why);
        }
        let is_id = (7..=64).contains(&head.len()) && head.bytes().all(|b| b.is_ascii_hexdigit());
        if !is_id {
            let why = "is not the id of a commit; write at least 7 digits of it";
            return Err(format!("{head:?} {why}"));
        }
        let head = head.to_ascii_lowercase();
        match source.change_hook() {
            Some(_) => self.approve_held(name, pull, &head).await,
            None => self.pokes.approve(name, pull, head).await,
        }
    }

    /// Puts on record how an attempt of a source went (INT-01). An offer that was taken is on
    /// record without it, but for when the source tries next.
    pub fn source_tried(&self, attempt: SourceAttempt) {
        self.note(Op::SourceTried(Box::new(attempt)));
    }

    /// Does with the changes of `offer` what the configuration says: the rules of the source, and
    /// the register of repositories, which wins. Gives the number of changes that a filter dropped.
    pub(super) fn prepare(&self, offer: &mut Offer) -> u64 {
        let config = self.config();
        let mut sources = config.change_sources.iter();
        let source = sources.find(|source| source.name == offer.source);
        let rules = source.map(|source| &source.rules);
        for change in &mut offer.changes {
            bound(change);
            if let Some(rules) = rules {
                rules.set(change);
            }
            register(&config.repositories, change);
        }
        let before = offer.changes.len();
        if let Some(rules) = rules {
            offer.changes.retain(|change| rules.takes(change));
        }
        u64::try_from(before - offer.changes.len()).unwrap_or(u64::MAX)
    }

    async fn on_record(
        &self,
        offer: &Offer,
        identities: &[Option<Digest>],
    ) -> Result<OnRecord, StoreError> {
        let (source, delivery) = (offer.source.clone(), offer.delivery);
        let identities: Vec<_> = identities.iter().flatten().copied().collect();
        let look = move |state: &State| {
            let mut found = OnRecord::default();
            if let Some(delivery) = delivery {
                found.is_redelivered = state.has_delivery(&source, delivery)?;
            }
            for identity in identities {
                let known = state.known_identity(identity)?;
                found.changes.extend(known.map(|known| (identity, known)));
            }
            Ok(found)
        };
        self.reader().read(look).await
    }
}

/// What the audit log has of each act of a client that has logged in over PB with a password alone.
pub(super) fn by_password(action: Action, address: String, at: Timestamp) -> AuditRecord {
    AuditRecord {
        at,
        who: String::new(),
        door: Door::Pb,
        address,
        token: None,
        action,
        object: String::new(),
        what: String::new(),
        reason: String::new(),
        outcome: Outcome::Done,
        ground: String::new(),
    }
}

/// The address of a client without the port, of which each connection has its own.
pub(super) fn host(address: &str) -> String {
    let host = address.parse::<SocketAddr>();
    host.map_or_else(
        |_| address.to_owned(),
        |a| a.ip().to_canonical().to_string(),
    )
}

/// A text as it can be in the audit log.
fn bounded(text: &str) -> String {
    let text = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    text.take(LONGEST_TEXT).collect()
}

/// Maximum number of characters of a revision or an author in the audit log.
const LONGEST_TEXT: usize = 100;

/// Says of each change whether it is new.
fn admitted(
    offer: Offer,
    identities: &[Option<Digest>],
    on_record: &OnRecord,
    now: Timestamp,
) -> AdmittedOffer {
    let Offer {
        source,
        delivery,
        cursor,
        changes,
        again,
    } = offer;
    // Somebody at a keyboard; hooks and pollers repeat themselves at any time.
    let is_by_hand = delivery.is_none() && cursor.is_none();
    let is_meant = |known: &KnownIdentity| {
        let is_late = known.source == source && known.at + BY_MISTAKE <= now;
        again || (is_by_hand && is_late)
    };
    let mut seen: HashMap<Digest, usize> = HashMap::new();
    let admit = |(at, (change, identity)): (usize, (NewChange, &Option<Digest>))| {
        let Some(identity) = *identity else {
            return AdmittedChange::new(change, None);
        };
        if let Some(&earlier) = seen.get(&identity) {
            return AdmittedChange::Repeated(earlier);
        }
        seen.insert(identity, at);
        match on_record.changes.get(&identity) {
            Some(known) if !is_meant(known) => AdmittedChange::Known(known.change),
            Some(_) | None => AdmittedChange::new(change, Some(identity)),
        }
    };
    let changes = changes.into_iter().zip(identities).enumerate().map(admit);
    let changes = changes.collect();
    AdmittedOffer {
        source,
        delivery,
        cursor,
        changes,
        dropped: 0,
        audit: None,
    }
}

#[cfg(test)]
mod tests;
