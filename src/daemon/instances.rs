//! Starts and stops instances of latent slaves by commands, and reports the results to the core
//! (LAT-11).
//!
//! Every kind of instance is a pair of commands ([`commands`]), and all commands run in the same
//! way ([`run`]). Each instance has its own tasks, so no instance waits for another (LAT-08).
//!
//! Invariants: a stop begins only after the start of the instance has ended in any way, even if the
//! master that began the start was killed. So a stop never misses an instance that is about to be
//! created. A stop knows the identity if the start printed it. A stop that is running when the
//! master ends continues.

mod commands;
mod orphans;
mod run;

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{Span, info_span};

use super::sessions::Happened;
use crate::botmaster::{Input, InstanceCommand, InstanceId, InstanceInput, InstanceStart};
use crate::config::SlaveConfig;
use crate::model::{InstanceRecord, InstanceStop, SlaveName};
use crate::net::Tasks;
use crate::process::Environment;
use commands::Told;
use run::{Ended, Run, run};

/// The data with which instances connect to the master.
#[derive(Default)]
pub(super) struct Access {
    /// The environment of the start and stop commands, without the variables for the instance.
    pub(super) environment: Arc<Environment>,
    /// The passwords of the latent slaves.
    pub(super) passwords: BTreeMap<SlaveName, Vec<u8>>,
    /// First address of the slave port.
    pub(super) address: Option<SocketAddr>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slaves: Vec<_> = self.passwords.keys().collect();
        f.debug_struct("Access")
            .field("slaves", &slaves)
            .field("address", &self.address)
            .finish()
    }
}

/// The instances that were started in this run of the master.
#[derive(Debug)]
pub(super) struct Instances {
    started: HashMap<SlaveName, Started>,
    access: watch::Receiver<Arc<Access>>,
    tell: mpsc::Sender<Happened>,
    tasks: Tasks,
}

#[derive(Debug)]
struct Started {
    id: InstanceId,
    /// Ends the start command.
    cancel: CancellationToken,
    /// The identity, once the start has ended; empty if the start did not print it.
    identity: watch::Receiver<Option<String>>,
}

impl Instances {
    /// No instances.
    pub(super) fn new(
        access: watch::Receiver<Arc<Access>>,
        tell: mpsc::Sender<Happened>,
        tasks: Tasks,
    ) -> Self {
        Self {
            started: HashMap::new(),
            access,
            tell,
            tasks,
        }
    }

    /// Carries out a command of the core for an instance.
    pub(super) fn carry_out(&mut self, instance: InstanceId, command: InstanceCommand) {
        match command {
            InstanceCommand::Start { slave } => self.start(instance, slave),
            InstanceCommand::Stop { slave, record } => self.stop(instance, slave, record),
        }
    }

    fn start(&mut self, id: InstanceId, slave: Arc<SlaveConfig>) {
        let cancel = CancellationToken::new();
        let (said, identity) = watch::channel(None);
        let started = Started {
            id,
            cancel: cancel.clone(),
            identity,
        };
        self.started.insert(slave.name.clone(), started);
        let (access, tell) = (self.access.clone(), self.tell.clone());
        self.tasks.spawn(span(&slave.name, "start"), async move {
            let (identity, result) = start(&slave, access, cancel).await;
            said.send_replace(Some(identity));
            let input = Input::Instance {
                slave: slave.name.clone(),
                instance: id,
                what: InstanceInput::Started { result },
            };
            // The receiver is gone once the master has ended.
            drop(tell.send(Happened::Told(input)).await);
        });
    }

    /// Stops an instance, which may still be starting or be from an earlier run of the master.
    fn stop(&mut self, id: InstanceId, slave: SlaveName, record: InstanceRecord) {
        let started = self.started.get(&slave).filter(|s| s.id == id);
        let started = started.map(|s| (s.cancel.clone(), s.identity.clone()));
        let (access, tell) = (self.access.clone(), self.tell.clone());
        let tasks = self.tasks.clone();
        self.tasks.spawn(span(&slave, "stop"), async move {
            let mut known = record.identity;
            if started.is_none() {
                orphans::end(&slave).await;
            }
            if let Some((cancel, mut identity)) = started {
                cancel.cancel();
                let said = tokio::select! {
                    biased;
                    ended = identity.wait_for(Option::is_some) => {
                        ended.ok().and_then(|said| said.clone())
                    }
                    // There is no time left to wait for a start that may end by itself.
                    () = tasks.stopping() => None,
                };
                known = said.filter(|said| !said.is_empty()).unwrap_or(known);
            }
            let environment = Arc::clone(&access.borrow().environment);
            let stopped = stop(&slave, known, &record.stop, &environment, &tasks).await;
            let Some(result) = stopped else {
                return;
            };
            let input = Input::Instance {
                slave,
                instance: id,
                what: InstanceInput::Stopped { result },
            };
            drop(tell.send(Happened::Told(input)).await);
        });
    }
}

fn span(slave: &SlaveName, what: &'static str) -> Span {
    info_span!("instance", %slave, what)
}

/// Starts an instance. Returns its identity if known, even on a failure.
async fn start(
    slave: &SlaveConfig,
    mut access: watch::Receiver<Arc<Access>>,
    cancel: CancellationToken,
) -> (String, InstanceStart) {
    // A newly configured slave gets its password a moment later.
    let known = access.wait_for(|access| access.passwords.contains_key(&slave.name));
    let known = match tokio::time::timeout(ACCESS_PATIENCE, known).await {
        Ok(Ok(access)) => Arc::clone(&access),
        Ok(Err(_)) | Err(_) => {
            let why = "its password is not known".to_owned();
            return (String::new(), InstanceStart::Failed(why));
        }
    };
    let told = match Told::of(slave, &known) {
        Ok(told) => told,
        Err(why) => return (String::new(), InstanceStart::Failed(why)),
    };
    let prepared = commands::prepare(slave, &told).await;
    let words = prepared.and_then(|()| commands::start_words(slave));
    let (words, patient) = match words {
        Ok(known) => known,
        Err(why) => return (String::new(), InstanceStart::Failed(why)),
    };
    if cancel.is_cancelled() {
        let why = "it was not wanted any more".to_owned();
        return (String::new(), InstanceStart::Failed(why));
    }
    let run = run(Run {
        words,
        env: with(&known.environment, told.env(slave)),
        cancel: Some(cancel),
        patient,
        limit: None,
    });
    let Ended { code, said, why } = run.await;
    let result = match code {
        Some(0) => InstanceStart::Started(said.clone()),
        Some(NOT_NOW) => InstanceStart::NotNow,
        Some(_) | None => InstanceStart::Failed(why),
    };
    (said, result)
}

/// Waits for the password; nothing if the master ends first.
async fn stop(
    slave: &SlaveName,
    identity: String,
    by: &InstanceStop,
    environment: &Environment,
    tasks: &Tasks,
) -> Option<Result<(), String>> {
    if commands::is_gone(slave, &by.means).await {
        return Some(Ok(()));
    }
    let words = match commands::stop_words(slave, &by.means) {
        Ok(words) => words,
        Err(why) => return Some(Err(why)),
    };
    let its = [
        ("SLAVE_NAME".into(), slave.as_str().into()),
        ("INSTANCE".into(), identity.into()),
    ];
    let env = with(environment, its);
    let run = run(Run {
        words,
        env,
        cancel: None,
        patient: false,
        limit: Some(by.limit),
    });
    tokio::pin!(run);
    let ended = tokio::select! {
        // The command starts before this can be ready.
        biased;
        ended = &mut run => ended,
        () = tasks.stopping() => return None,
    };
    let is_gone = ended.code == Some(0) || commands::tells_gone(&by.means, &ended.why);
    Some(if is_gone { Ok(()) } else { Err(ended.why) })
}

fn with(
    environment: &Environment,
    its: impl IntoIterator<Item = (OsString, OsString)>,
) -> Environment {
    let mut environment = environment.clone();
    environment.extend(its);
    environment
}

/// The exit code of a start command when no instance is available (`EX_TEMPFAIL`).
const NOT_NOW: i32 = 75;

/// How long a newly configured slave may lack its password.
const ACCESS_PATIENCE: Duration = Duration::from_secs(10);
