//! Asking a running master for something, over its control socket.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::anyhow;
use serde_json::Value;

use super::{say, within};
use crate::control::{Request, socket};

/// Asks the master of `basedir` to do something, and says `done` when it has.
pub(super) fn ask(
    basedir: &Path,
    request: impl Into<Request>,
    done: &str,
) -> anyhow::Result<ExitCode> {
    answer(basedir, request)?;
    say(done);
    Ok(ExitCode::SUCCESS)
}

/// Asks the master of `basedir`, and returns its answer.
pub(super) fn answer(basedir: &Path, request: impl Into<Request>) -> anyhow::Result<Value> {
    reach(basedir, socket::ask(&request.into()))
}

/// Asks the master of `basedir` what it can answer at once, and waits [`SOON`] for the answer.
pub(super) fn answer_soon(basedir: &Path, request: impl Into<Request>) -> anyhow::Result<Value> {
    reach(basedir, async {
        let answer = tokio::time::timeout(SOON, socket::ask(&request.into())).await;
        answer.unwrap_or_else(|_| Err("the master runs, but does not answer".to_owned()))
    })
}

/// How long the master may take for an answer that it only has to look up.
const SOON: Duration = Duration::from_secs(5);

/// Asks the master of `basedir` to end. The master answers only if it goes on instead.
pub(super) fn await_end(basedir: &Path, request: impl Into<Request>) -> anyhow::Result<()> {
    reach(basedir, socket::ask_until_end(&request.into())).map(drop)
}

/// Talks to the master of `basedir`, from there: the path of a socket must be short.
fn reach<T>(basedir: &Path, talk: impl Future<Output = Result<T, String>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    within(basedir, || {
        runtime.block_on(talk).map_err(|error| anyhow!(error))
    })
}
