//! A connection to a try scheduler, and the calls of its perspective (PROTOCOL section 13.1).

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
    BUILD_SET, BUILDER_NAMES, CODEBASES, EXTENSIONS, MAX_CHUNK_BYTES, PATCH_CHUNK, TRY, encode_try,
};

use super::settings::PbWay;

/// A connection that has logged in.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) peer: Peer,
    avatar: Luid,
    /// How the master spells strings.
    style: TextStyle,
    /// Whether the master takes large patches in chunks.
    takes_chunks: bool,
    /// Whether the master finds a set of another connection.
    finds_sets: bool,
    /// Whether the master takes jobs for one of several codebases.
    takes_codebases: bool,
}

impl Session {
    /// Connects and logs in.
    ///
    /// # Errors
    /// The master cannot be reached, or rejects the login.
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
            takes_codebases: false,
        };
        session.ask_extensions().await?;
        Ok(session)
    }

    /// Asks the master for its extensions to Buildbot, and notes how it spells strings.
    async fn ask_extensions(&mut self) -> Result<(), Failed> {
        match self.ask(EXTENSIONS, Vec::new()).await? {
            Ok(offered) => {
                let has = |name: &str| {
                    let mut offered = offered.as_items().unwrap_or_default().iter();
                    offered.any(|offer| offer.as_text().is_some_and(|text| text == name))
                };
                self.takes_chunks = has("chunks");
                self.finds_sets = has("sets");
                self.takes_codebases = has(CODEBASES);
            }
            // The name of the exception tells the version of Python (PROTOCOL section 5).
            Err(failure) if failure.kind.starts_with("exceptions.") => {
                self.style = TextStyle::Bytes;
            }
            Err(_) => {}
        }
        Ok(())
    }

    /// Submits the job; returns the status object of its set.
    ///
    /// # Errors
    /// The master rejects the job, does not answer, or the patch is too large for its protocol.
    pub(super) async fn deliver(&self, job: &TryJob) -> Result<Luid, Failed> {
        if !job.codebase.is_empty() && !self.takes_codebases {
            return Err(Failed::Refused(
                "this master takes no try jobs for one of several codebases; leave out --codebase"
                    .to_owned(),
            ));
        }
        let mut job = job.clone();
        if job.patch.len() > Limits::LOGGED_IN.string_bytes {
            if !self.takes_chunks {
                return Err(Failed::Refused(format!(
                    "the diff has {} bytes; this master accepts at most {} with --connect=pb; use --connect=ssh",
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
                    "one of the builders {} does not accept try jobs; --get-builder-names lists the builders that do",
                    names.join(", ")
                )
            };
            Failed::Refused(format!("the master rejected the job: {builders}"))
        })
    }

    /// The builders that accept try jobs.
    ///
    /// # Errors
    /// The call fails.
    pub(super) async fn builder_names(&self) -> Result<Vec<String>, Failed> {
        let answer = self.ask(BUILDER_NAMES, Vec::new()).await?;
        let names = answer.map_err(|failure| {
            let why = failure.reason();
            not_done(format!("the master does not list its builders: {why}"))
        })?;
        let names = names.as_items().unwrap_or_default().iter();
        Ok(names
            .filter_map(|name| name.as_text().map(|name| super::clean(&name)))
            .collect())
    }

    /// The number by which another connection finds `set`; absent if the master cannot do that.
    ///
    /// # Errors
    /// The connection is lost.
    pub(super) async fn id_of(&self, set: Luid) -> Result<Option<Value>, Failed> {
        if !self.finds_sets {
            return Ok(None);
        }
        let call = self
            .peer
            .call(Target::Object(set), "getID", Vec::new(), Vec::new());
        Ok(answered(call).await?.ok())
    }

    /// The status object of a set that was submitted on another connection (TUP-06).
    ///
    /// # Errors
    /// The connection is lost, or the master no longer knows the set.
    pub(super) async fn find_set(&self, id: &Value) -> Result<Luid, Failed> {
        let answer = self.ask(BUILD_SET, vec![id.clone()]).await?;
        let set = answer.ok().and_then(|set| set.as_theirs());
        set.ok_or_else(|| not_done("the master no longer knows the job"))
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

/// Waits for an answer, with a time limit. The inner error is the master's.
async fn answered(
    call: impl Future<Output = Result<Value, CallError>>,
) -> Result<Result<Value, crate::pb::Failure>, Failed> {
    match timeout(PATIENCE, call).await {
        Ok(Ok(value)) => Ok(Ok(value)),
        Ok(Err(CallError::Remote(failure))) => Ok(Err(failure)),
        Ok(Err(CallError::Lost)) => Err(not_done(
            "the connection was lost before the master answered; the master may have the job",
        )),
        Err(_) => Err(no_answer()),
    }
}

fn refused(failure: &crate::pb::Failure) -> Failed {
    let why = failure.reason();
    Failed::Refused(format!("the master rejected the job: {why}"))
}

fn not_done(why: impl std::fmt::Display) -> Failed {
    Failed::NotDone(why.to_string())
}

fn no_answer() -> Failed {
    let secs = PATIENCE.as_secs();
    not_done(format!("no answer from the master in {secs} seconds"))
}

/// Time limit for connecting and for each answer. A master answers when the job is on disk.
const PATIENCE: Duration = Duration::from_secs(120);
