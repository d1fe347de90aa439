//! A login at a try scheduler, and the calls of its avatar (PROTOCOL section 13.1).

use std::future::Future;
use std::time::Duration;

use tokio::time::timeout;

use super::super::Failed;
use crate::model::TryJob;
use crate::net::client::{LoginError, connect_tcp, login};
use crate::net::{CallError, Peer, Tasks};
use crate::pb::{Limits, Luid, Target, Value};
use crate::protocol::TextStyle;
use crate::protocol::try_call::{
    BUILD_SET, BUILDER_NAMES, EXTENSIONS, MAX_CHUNK_BYTES, PATCH_CHUNK, TRY, encode_try,
};

use super::settings::PbWay;

/// A connection that is logged in.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) peer: Peer,
    avatar: Luid,
    /// How the master wants texts to be spelled.
    style: TextStyle,
    /// It takes large patches in parts.
    takes_chunks: bool,
    /// It finds a set again on another connection.
    finds_sets: bool,
}

impl Session {
    /// Connects and logs in.
    ///
    /// # Errors
    /// The master cannot be reached, or refuses the login.
    pub(super) async fn open(way: &PbWay, password: &str, tasks: &Tasks) -> Result<Self, Failed> {
        let PbWay {
            host, port, user, ..
        } = way;
        let connecting = timeout(PATIENCE, connect_tcp(host, *port, tasks));
        let peer = match connecting.await {
            Ok(Ok(peer)) => peer,
            Ok(Err(e)) => return Err(not_done(format!("cannot connect to {host}:{port}: {e}"))),
            Err(_) => return Err(not_done(format!("no connection to {host}:{port}"))),
        };
        let logging_in = timeout(
            PATIENCE,
            login(&peer, user, password.as_bytes(), Value::None),
        );
        let avatar = match logging_in.await {
            Ok(Ok(avatar)) => avatar,
            Ok(Err(LoginError::Unauthorized)) => {
                return Err(Failed::Refused(format!(
                    "the master at {host}:{port} does not know user '{user}' with this password; give --username and \
                     --passwd (try_username and try_password in an options file)"
                )));
            }
            Ok(Err(e @ LoginError::Refused(_))) => {
                return Err(Failed::Refused(format!("{host}:{port}: {e}")));
            }
            Ok(Err(e @ LoginError::Lost)) => {
                return Err(not_done(format!(
                    "{e} while logging in at {host}:{port}; is it the port of a try scheduler?"
                )));
            }
            Err(_) => return Err(no_answer()),
        };
        let mut session = Self {
            peer,
            avatar,
            style: TextStyle::Unicode,
            takes_chunks: false,
            finds_sets: false,
        };
        session.ask_extensions().await?;
        Ok(session)
    }

    /// Learns what the master can do beyond Buildbot, and how it spells texts.
    async fn ask_extensions(&mut self) -> Result<(), Failed> {
        match self.ask(EXTENSIONS, Vec::new()).await? {
            Ok(offered) => {
                let has = |name: &str| {
                    let mut offered = offered.as_items().unwrap_or_default().iter();
                    offered.any(|offer| offer.as_text().is_some_and(|text| text == name))
                };
                self.takes_chunks = has("chunks");
                self.finds_sets = has("sets");
            }
            // The name of the exception tells which Python it was raised in (PROTOCOL section 5).
            Err(failure) if failure.kind.starts_with("exceptions.") => {
                self.style = TextStyle::Bytes;
            }
            Err(_) => {}
        }
        Ok(())
    }

    /// Hands the job in; answers with the status of its set.
    ///
    /// # Errors
    /// The master refuses it, does not answer, or its protocol has no room for the patch.
    pub(super) async fn deliver(&self, job: &TryJob) -> Result<Luid, Failed> {
        let mut job = job.clone();
        if job.patch.len() > Limits::LOGGED_IN.string_bytes {
            if !self.takes_chunks {
                return Err(Failed::Refused(format!(
                    "the diff has {} bytes, and this master takes no more than {} over --connect=pb; use --connect=ssh",
                    job.patch.len(),
                    Limits::LOGGED_IN.string_bytes
                )));
            }
            for chunk in std::mem::take(&mut job.patch).chunks(MAX_CHUNK_BYTES) {
                self.ask(PATCH_CHUNK, vec![Value::bytes(chunk)])
                    .await?
                    .map_err(|failure| refused(&failure))?;
            }
        }
        let answer = self.ask(TRY, encode_try(&job, self.style)).await?;
        let answer = answer.map_err(|failure| refused(&failure))?;
        answer.as_theirs().ok_or_else(|| {
            let builders = if job.builders.is_empty() {
                "its try scheduler has no builders".to_owned()
            } else {
                let names: Vec<&str> = job.builders.iter().map(|name| name.as_str()).collect();
                format!(
                    "one of the builders {} is not open to try jobs; --get-builder-names lists those that are",
                    names.join(", ")
                )
            };
            Failed::Refused(format!("the master refused the job: {builders}"))
        })
    }

    /// The builders that can be tried.
    ///
    /// # Errors
    /// The master does not tell.
    pub(super) async fn builder_names(&self) -> Result<Vec<String>, Failed> {
        let answer = self.ask(BUILDER_NAMES, Vec::new()).await?;
        let names = answer.map_err(|failure| {
            let why = failure.reason();
            not_done(format!("the master does not tell its builders: {why}"))
        })?;
        let names = names.as_items().unwrap_or_default().iter();
        Ok(names
            .filter_map(|name| name.as_text().map(|name| super::clean(&name)))
            .collect())
    }

    /// What `set` is found by on another connection; absent if the master cannot do that.
    ///
    /// # Errors
    /// The connection is gone.
    pub(super) async fn id_of(&self, set: Luid) -> Result<Option<Value>, Failed> {
        if !self.finds_sets {
            return Ok(None);
        }
        let call = self
            .peer
            .call(Target::Object(set), "getID", Vec::new(), Vec::new());
        Ok(answered(call).await?.ok())
    }

    /// The status of the set that was handed in on another connection (TUP-06).
    ///
    /// # Errors
    /// The connection is gone, or the set not known any more.
    pub(super) async fn find_set(&self, id: &Value) -> Result<Luid, Failed> {
        let answer = self.ask(BUILD_SET, vec![id.clone()]).await?;
        let set = answer.ok().and_then(|set| set.as_theirs());
        set.ok_or_else(|| not_done("the master does not know the job any more"))
    }

    async fn ask(
        &self,
        method: &'static str,
        args: Vec<Value>,
    ) -> Result<Result<Value, crate::pb::Failure>, Failed> {
        let target = Target::Object(self.avatar);
        answered(self.peer.call(target, method, args, Vec::new())).await
    }
}

/// Waits for an answer, but not for ever. The inner error is the master's.
async fn answered(
    call: impl Future<Output = Result<Value, CallError>>,
) -> Result<Result<Value, crate::pb::Failure>, Failed> {
    match timeout(PATIENCE, call).await {
        Ok(Ok(value)) => Ok(Ok(value)),
        Ok(Err(CallError::Remote(failure))) => Ok(Err(failure)),
        Ok(Err(CallError::Lost)) => Err(not_done(
            "the connection broke before the master answered; a job may have arrived",
        )),
        Err(_) => Err(no_answer()),
    }
}

fn refused(failure: &crate::pb::Failure) -> Failed {
    let why = failure.reason();
    Failed::Refused(format!("the master refused the job: {why}"))
}

fn not_done(why: impl std::fmt::Display) -> Failed {
    Failed::NotDone(why.to_string())
}

fn no_answer() -> Failed {
    let secs = PATIENCE.as_secs();
    not_done(format!("no answer from the master in {secs} seconds"))
}

/// How long connecting and each answer may take. A master answers when the job is on disk.
const PATIENCE: Duration = Duration::from_secs(120);
