//! Sends what is in the spool, in order.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::settings::Settings;
use super::spool::{Kept, Lock, Spool};
use crate::client::Failed;
use crate::client::sendchange::add_change;
use crate::net::client::{connect_tcp, login};
use crate::net::{CallError, Peer, Tasks};
use crate::pb::{Luid, Value};
use crate::protocol::change::DELIVERY;

/// What became of the spool.
#[derive(Debug, Default)]
pub(super) struct Sent {
    /// Number of changes that still wait.
    pub(super) left: usize,
    /// Why they wait.
    pub(super) why: Option<String>,
    /// Whether the master took changes until the time was over.
    pub(super) goes_on: bool,
}

/// How often the lock of a process that sends is tried.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(20);

/// A connection to a master that takes changes.
struct Master {
    peer: Peer,
    avatar: Luid,
}

/// Sends what waits, for at most `patience` without an end.
pub(super) async fn send(
    spool: &Spool,
    settings: &Settings,
    patience: Duration,
    tasks: &Tasks,
) -> Sent {
    let deadline = Instant::now() + patience;
    let mut progress = 0;
    let done = send_all(spool, settings, deadline, tasks, &mut progress).await;
    let (why, is_late) = match done {
        Ok(()) => (None, false),
        Err(Unsent::Late) => (Some("the master did not answer in time".to_owned()), true),
        Err(Unsent::Failed(why)) => (Some(why), false),
    };
    Sent {
        left: left(spool),
        why,
        goes_on: is_late && progress > 0,
    }
}

/// Why changes still wait.
enum Unsent {
    Late,
    Failed(String),
}

impl From<io::Error> for Unsent {
    fn from(error: io::Error) -> Self {
        Self::Failed(format!("cannot read the spool: {error}"))
    }
}

impl From<Failed> for Unsent {
    fn from(failed: Failed) -> Self {
        Self::Failed(failed.to_string())
    }
}

async fn send_all(
    spool: &Spool,
    settings: &Settings,
    deadline: Instant,
    tasks: &Tasks,
    progress: &mut usize,
) -> Result<(), Unsent> {
    let _sending = lock(spool, deadline).await?;
    let mut entries: Vec<PathBuf> = spool.entries()?;
    if entries.is_empty() {
        return Ok(());
    }
    let connected = timeout_at(deadline, connect(settings, tasks)).await;
    let master = connected.map_err(|_| Unsent::Late)??;
    let mut sent = Ok(());
    // Whoever adds something meanwhile, and does not get the lock, relies on this process.
    while sent.is_ok() && !entries.is_empty() {
        for path in entries {
            let Some(kept) = spool.read(&path)? else {
                continue;
            };
            let before = *progress;
            sent = send_push(&master, &kept, deadline, progress).await;
            let rest = kept.get(*progress - before..).unwrap_or_default();
            spool.leave(&path, rest)?;
            if sent.is_err() {
                break;
            }
        }
        entries = spool.entries()?;
    }
    master.peer.close("done");
    sent
}

/// Waits until no other process sends.
async fn lock(spool: &Spool, deadline: Instant) -> Result<Lock, Unsent> {
    loop {
        match spool.lock("sending", false) {
            Ok(lock) => return Ok(lock),
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error.into()),
            Err(_) if Instant::now() >= deadline => {
                let why = "changes of another push are being sent".to_owned();
                return Err(Unsent::Failed(why));
            }
            Err(_) => sleep(BETWEEN_ATTEMPTS).await,
        }
    }
}

async fn connect(settings: &Settings, tasks: &Tasks) -> Result<Master, Unsent> {
    let (host, port) = settings.address()?;
    let (user, password) = settings.login()?;
    let at = format!("{host}:{port}");
    let peer = connect_tcp(&host, port, tasks).await;
    let peer = peer.map_err(|error| Unsent::Failed(format!("cannot connect to {at}: {error}")))?;
    let avatar = login(&peer, &user, password.as_bytes(), Value::None).await;
    let avatar = avatar.map_err(|error| {
        Unsent::Failed(format!("the master at {at} refused the login: {error}"))
    })?;
    Ok(Master { peer, avatar })
}

/// Sends the changes of one push, one after the other: the master answers when a change is on disk.
async fn send_push(
    master: &Master,
    push: &[Kept],
    deadline: Instant,
    progress: &mut usize,
) -> Result<(), Unsent> {
    for kept in push {
        let delivery = [(DELIVERY, Value::text(&kept.delivery.0.to_string()))];
        let sent = add_change(&master.peer, master.avatar, &kept.change, &delivery);
        match timeout_at(deadline, sent).await {
            Err(_) => return Err(Unsent::Late),
            Ok(Ok(())) => *progress += 1,
            Ok(Err(CallError::Remote(failure))) => {
                let why = failure.reason();
                return Err(Unsent::Failed(format!(
                    "the master did not take a change: {why}"
                )));
            }
            Ok(Err(CallError::Lost)) => {
                let why = "the connection to the master was lost".to_owned();
                return Err(Unsent::Failed(why));
            }
        }
    }
    Ok(())
}

/// How many changes wait.
fn left(spool: &Spool) -> usize {
    let entries = spool.entries().unwrap_or_default();
    let counts = entries.iter().map(|path| {
        let kept = spool.read(path).ok().flatten();
        kept.map_or(0, |kept| kept.len())
    });
    counts.sum()
}
