//! The control socket: `control.sock` in the base directory, for the owner of that directory.
//!
//! Each line is a [`Request`], and is answered by a line: `{"ok": true}`, `{"ok": true, "data": …}`
//! or `{"ok": false, "error": "…"}`.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::{Instant, timeout};
use tracing::{debug, info_span, warn};

use super::{Caller, Control, Request, who};
use crate::botmaster::Ask;
use crate::net::Tasks;

/// Name of the socket in the base directory. Programs change to that directory first, because the
/// system limits the length of a socket's path.
pub const FILE: &str = "control.sock";

/// How long a stop of the master waits for the answer to a request that was read.
const ANSWER_TIME: Duration = Duration::from_millis(400);

/// Longest request in bytes: a reason is a line of text, not a book.
const MAX_REQUEST_BYTES: u64 = 64 * 1024;

/// How long a connection may take until it has sent its next request.
const REQUEST_TIME: Duration = Duration::from_secs(60);

/// Shortest time between two log lines that no connection can be accepted.
const WARN_AGAIN: Duration = Duration::from_secs(60);

/// The answer to a [`Request`].
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Response {
    /// Whether the request was done.
    pub ok: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The answer, if there is more to say than that it was done.
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

/// Answers requests until the tasks are to stop.
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
/// No master listens, or it rejects the request: the text says which.
pub async fn ask(request: &Request) -> Result<Value, String> {
    let answer = ask_until_end(request).await?;
    answer.ok_or_else(|| "the master ended without an answer".to_owned())
}

/// Asks the master whose base directory is the current one; the answer is absent if the master ends
/// first.
///
/// # Errors
/// As for [`ask`].
pub async fn ask_until_end(request: &Request) -> Result<Option<Value>, String> {
    let unreachable = |error: io::Error| {
        if matches!(
            error.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
        ) {
            return "no master is running in this base directory; start it with `buildmaster start`"
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
        Response { error, .. } => {
            Err(error.unwrap_or_else(|| "the master rejected the request".to_owned()))
        }
    }
}

/// Answers requests until `stopping`; a request that was read by then is answered, if that is
/// quick.
async fn answer_all(
    stream: UnixStream,
    control: Control,
    stopping: impl Future<Output = ()>,
) -> io::Result<()> {
    let user = who::peer(&stream).await;
    let caller = Caller::local(&user);
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
            // The peer asks nothing: its descriptor is free for others.
            return Ok(());
        };
        if len? == 0 {
            return Ok(());
        }
        let response = match serde_json::from_str::<Request>(&line) {
            Ok(request) => {
                // The end of the connection is the answer to a clean shutdown.
                let patience = if request == Request::Core(Ask::CleanShutdown) {
                    Duration::ZERO
                } else {
                    ANSWER_TIME
                };
                let stopped = async {
                    stopping.as_mut().await;
                    tokio::time::sleep(patience).await;
                };
                let act = request.act();
                let done = tokio::select! {
                    biased;
                    answered = control.act(&caller, request) => answered,
                    () = stopped => return Ok(()),
                };
                let done = done.map_err(|why| why.to_string());
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

impl From<Result<Value, String>> for Response {
    fn from(done: Result<Value, String>) -> Self {
        match done {
            Ok(data) => Self {
                ok: true,
                error: None,
                data: Some(data).filter(|data| !data.is_null()),
            },
            Err(error) => Self {
                ok: false,
                error: Some(error),
                data: None,
            },
        }
    }
}
