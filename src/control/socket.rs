//! The control socket: `control.sock` in the base directory, for the owner of that directory.
//!
//! One JSON object a line, answered by one: `{"command": "stop-build", "builder": "full",
//! "number": 3, "reason": "wrong branch"}` by `{"ok": true}` or `{"ok": false, "error": "…"}`.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::{Instant, timeout};
use tracing::{debug, info_span, warn};

use super::{Control, odd, who};
use crate::botmaster::{Answer, Ask, Forced};
use crate::model::{
    BuildNumber, BuildSet, BuilderName, Properties, RequestId, SlaveName, SourceStamp,
};
use crate::net::Tasks;

/// Name of the socket in the base directory. Programs change to that directory first, because the
/// system limits the length of a socket's path.
pub const FILE: &str = "control.sock";

/// How long a stop of the master waits for the answer to a request that was taken.
const ANSWER_TIME: Duration = Duration::from_millis(400);
/// Longest request in bytes: a reason is a line of text, not a book.
const MAX_REQUEST_BYTES: u64 = 64 * 1024;

/// How long a connection may take until it has sent its next request.
const REQUEST_TIME: Duration = Duration::from_secs(60);

/// That no connection can be accepted is logged at most once in this time.
const WARN_AGAIN: Duration = Duration::from_secs(60);

/// The source of properties that come with a forced build.
const FORCED: &str = "Force";

/// A request over the socket.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Stop a build.
    StopBuild {
        /// Its builder.
        builder: BuilderName,
        /// Its number.
        number: BuildNumber,
        /// Why.
        #[serde(default)]
        reason: String,
    },
    /// Stop the build that a request is in, also one that has no number yet.
    StopRequest {
        /// Which request.
        request: RequestId,
        /// Why.
        #[serde(default)]
        reason: String,
    },
    /// Build something on one builder.
    Force {
        /// The builder.
        builder: BuilderName,
        /// Refuse if no slave is connected to it and none can be started.
        #[serde(default)]
        soon: bool,
        /// The branch; absent: the default one.
        #[serde(default)]
        branch: Option<String>,
        /// The revision; absent: the latest.
        #[serde(default)]
        revision: Option<String>,
        /// The project.
        #[serde(default)]
        project: String,
        /// The repository.
        #[serde(default)]
        repository: String,
        /// The codebase.
        #[serde(default)]
        codebase: String,
        /// How urgent it is: those with a higher number go first.
        #[serde(default)]
        priority: i32,
        /// Why.
        #[serde(default)]
        reason: String,
        /// Properties of the build.
        #[serde(default)]
        properties: BTreeMap<String, Value>,
        /// Who wants it.
        #[serde(default)]
        owner: Option<String>,
    },
    /// Build again what a finished build has built.
    Rebuild {
        /// The build's builder.
        builder: BuilderName,
        /// The build's number.
        number: BuildNumber,
        /// Why.
        #[serde(default)]
        reason: String,
    },
    /// Give a slave no new builds, also after a restart.
    Pause {
        /// The slave.
        slave: SlaveName,
        /// Who wants it.
        #[serde(default)]
        by: String,
        /// Why.
        #[serde(default)]
        reason: String,
    },
    /// Give a paused slave builds again.
    Unpause {
        /// The slave.
        slave: SlaveName,
    },
    /// Tell a slave to end when it is idle.
    Graceful {
        /// The slave.
        slave: SlaveName,
        /// Take that back.
        #[serde(default)]
        cancel: bool,
    },
    /// Cancel a queued request.
    Cancel {
        /// Which request.
        request: RequestId,
    },
    /// Ping all slaves of a builder.
    Ping {
        /// Which builder.
        builder: BuilderName,
    },
    /// Read the configuration file again, and take it or say what would change.
    Reconfigure {
        /// Only say what would change.
        #[serde(default)]
        dry_run: bool,
    },
    /// Tell what is known beyond what is on disk.
    Live,
    /// Tell the addresses that the master listens on, as its configuration names them.
    Listening,
    /// Tell since when the master runs, where it listens, and which process it is.
    Status,
    /// Tell why a request does not run.
    Why {
        /// Which request.
        request: RequestId,
    },
    /// Stop when the running builds have ended. Answered only if that comes to nothing; else the connection ends with
    /// the master.
    CleanShutdown,
    /// Go on after a clean shutdown was asked for.
    CancelShutdown,
}

/// The answer to a [`Request`].
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Response {
    /// Whether it was done.
    pub ok: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What there is to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

/// Opens the socket in the current directory, in place of one that a killed master left.
///
/// # Errors
/// The socket cannot be made.
pub fn listen() -> io::Result<UnixListener> {
    match std::fs::remove_file(FILE) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(FILE)?;
    std::fs::set_permissions(FILE, Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Serves the socket until `stop`.
pub async fn serve(listener: UnixListener, control: Control, tasks: Tasks) {
    let mut warned: Option<Instant> = None;
    loop {
        let accepted = tokio::select! {
            biased;
            accepted = listener.accept() => accepted,
            () = tasks.stopping() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                let served = answer_all(stream, control.clone(), tasks.stopping());
                tasks.spawn(info_span!("control connection"), async move {
                    if let Err(error) = served.await {
                        debug!("control connection ended: {error}");
                    }
                });
            }
            Err(error) => {
                if warned.is_none_or(|at| at.elapsed() >= WARN_AGAIN) {
                    warn!("cannot accept connections to the control socket: {error}");
                    warned = Some(Instant::now());
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Asks the master whose base directory is the current one.
///
/// # Errors
/// Nobody listens, or the master said no: the text tells which.
pub async fn ask(request: &Request) -> Result<Value, String> {
    let answer = ask_until_end(request).await?;
    answer.ok_or_else(|| "the master went away without an answer".to_owned())
}

/// The same, with nothing as the answer if the master ends instead of giving one.
///
/// # Errors
/// As for [`ask`].
pub async fn ask_until_end(request: &Request) -> Result<Option<Value>, String> {
    let unreachable = |error: io::Error| {
        if matches!(
            error.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
        ) {
            return "no master runs in this base directory; start it with `buildmaster start`"
                .to_owned();
        }
        format!("cannot talk to the master over {FILE}: {error}")
    };
    let mut stream = UnixStream::connect(Path::new(FILE))
        .await
        .map_err(unreachable)?;
    let mut line = serde_json::to_vec(request).map_err(|e| e.to_string())?;
    line.push(b'\n');
    stream.write_all(&line).await.map_err(unreachable)?;
    let mut text = String::new();
    match BufReader::new(stream).read_line(&mut text).await {
        Ok(_) if text.ends_with('\n') => {}
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
        Err(error) => return Err(unreachable(error)),
    }
    let response: Response =
        serde_json::from_str(&text).map_err(|error| format!("bad answer: {error}"))?;
    match response {
        Response { ok: true, data, .. } => Ok(Some(data.unwrap_or_default())),
        Response { error, .. } => Err(error.unwrap_or_else(|| "the master refused".to_owned())),
    }
}

/// Answers requests until `stopping`; one that was taken by then is answered, if that does not take long.
async fn answer_all(
    stream: UnixStream,
    control: Control,
    stopping: impl Future<Output = ()>,
) -> io::Result<()> {
    let user = who::peer(&stream).await;
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    let mut stopping = std::pin::pin!(stopping);
    loop {
        let mut line = String::new();
        let mut request = (&mut read).take(MAX_REQUEST_BYTES);
        let read = tokio::select! {
            biased;
            () = &mut stopping => return Ok(()),
            read = timeout(REQUEST_TIME, request.read_line(&mut line)) => read,
        };
        let Ok(len) = read else {
            // Nobody asks anything: the descriptor is for those who do.
            return Ok(());
        };
        if len? == 0 {
            return Ok(());
        }
        let response = match serde_json::from_str::<Request>(&line) {
            Ok(request) => {
                // That the master has stopped is the answer to this one.
                let patience = if matches!(request, Request::CleanShutdown) {
                    Duration::ZERO
                } else {
                    ANSWER_TIME
                };
                let stopped = async {
                    stopping.as_mut().await;
                    tokio::time::sleep(patience).await;
                };
                let act = who::act(&request);
                let done = tokio::select! {
                    biased;
                    answered = answer(request, &control) => answered,
                    () = stopped => return Ok(()),
                };
                who::log(&user, act, &done);
                Response::from(done)
            }
            Err(error) => Response::from(Err(format!("bad request: {error}"))),
        };
        let mut text = serde_json::to_vec(&response)?;
        text.push(b'\n');
        write.write_all(&text).await?;
    }
}

/// Does what is asked; gives what there is to say of it.
async fn answer(request: Request, control: &Control) -> Result<Option<Value>, String> {
    let ask = match request {
        Request::Reconfigure { dry_run } => {
            let done = control.reconfigure(dry_run).await?;
            let data = json!({
                "changes": done.difference,
                "warnings": done.warnings,
                "problems": done.problems,
            });
            return Ok(Some(data));
        }
        Request::CleanShutdown => return Err(control.clean_shutdown().await),
        Request::Status => return Ok(Some(json!(control.newsroom().facts()))),
        Request::Why { request } => {
            let why = control.why(request).await?;
            return Ok(Some(json!(why)));
        }
        Request::Force {
            builder,
            soon,
            branch,
            revision,
            project,
            repository,
            codebase,
            priority,
            reason,
            properties: given,
            owner,
        } => {
            let mut properties = Properties::new();
            for (name, value) in given {
                properties.set(name, value, FORCED);
            }
            if let Some(owner) = owner {
                properties.set("owner", owner, FORCED);
            }
            let stamp = SourceStamp {
                branch,
                revision,
                patch: None,
                changes: Vec::new(),
                project,
                repository,
                codebase,
            };
            let forced = Forced {
                builder,
                soon,
                stamp,
                reason,
                properties,
                priority,
            };
            return control
                .force(forced)
                .await
                .map(|set| Some(forced_set(&set)));
        }
        Request::Rebuild {
            builder,
            number,
            reason,
        } => {
            let set = control.rebuild(builder, number, reason).await?;
            return Ok(Some(forced_set(&set)));
        }
        Request::Pause { slave, by, reason } => Ask::Pause { slave, by, reason },
        Request::Unpause { slave } => Ask::Unpause { slave },
        Request::Graceful { slave, cancel } => Ask::Graceful { slave, cancel },
        Request::StopBuild {
            builder,
            number,
            reason,
        } => Ask::StopBuild {
            builder,
            number,
            reason,
        },
        Request::StopRequest { request, reason } => Ask::StopRequest { request, reason },
        Request::Cancel { request } => Ask::Cancel { request },
        Request::Ping { builder } => {
            let Answer::Pinged(pinged) = control.ask(Ask::Ping { builder }).await? else {
                return Err(odd());
            };
            return Ok(Some(json!(pinged)));
        }
        Request::Live => return Ok(Some(json!(control.live().await?))),
        Request::Listening => return Ok(Some(json!(control.newsroom().listening()))),
        Request::CancelShutdown => Ask::CancelShutdown,
    };
    control.ask(ask).await.map(|_| None)
}

/// The numbers of a set and of its only request.
fn forced_set(set: &BuildSet) -> Value {
    let request = set.requests.first().map(|(request, _)| request);
    json!({ "set": set.id, "request": request })
}

impl From<Result<Option<Value>, String>> for Response {
    fn from(done: Result<Option<Value>, String>) -> Self {
        match done {
            Ok(data) => Self {
                ok: true,
                error: None,
                data,
            },
            Err(error) => Self {
                ok: false,
                error: Some(error),
                data: None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn requests_are_spelled_for_programs() {
        let text = r#"{"command":"stop-build","builder":"full","number":3,"reason":"old"}"#;
        let request: Request = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&request).unwrap(), text);
        let cancel: Request = serde_json::from_str(r#"{"command":"cancel","request":7}"#).unwrap();
        assert_eq!(
            cancel,
            Request::Cancel {
                request: RequestId(7)
            }
        );
        assert!(serde_json::from_str::<Request>(r#"{"command":"explode"}"#).is_err());
    }
}
