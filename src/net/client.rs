//! The client's side: connecting, and the challenge-response login (PROTOCOL section 7).

use std::io;

use tokio::net::TcpStream;

use super::{CallError, Peer, Tasks, connection, listen};
use crate::pb::{Failure, Luid, Target, Value, cred};

/// Why a login did not succeed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LoginError {
    /// The user is unknown or the password wrong.
    #[error("unknown user or wrong password")]
    Unauthorized,
    /// The server gave another reason, or an answer that makes no sense.
    #[error("login refused: {0}")]
    Refused(Failure),
    /// The connection is gone.
    #[error("connection lost")]
    Lost,
}

/// Connects to a server over TCP.
///
/// # Errors
/// No address of the host takes the connection.
pub async fn connect_tcp(host: &str, port: u16, tasks: &Tasks) -> io::Result<Peer> {
    let stream = TcpStream::connect((host, port)).await?;
    listen::prepare(&stream)?;
    Ok(connection::connect(
        stream,
        &format!("{host}:{port}"),
        tasks,
    ))
}

/// Logs in and answers with the avatar, the server's object for the user. A slave gives its bot as `mind`
/// ([`Value::Mine`]), others [`Value::None`].
///
/// # Errors
/// The login was refused, or the connection is gone.
pub async fn login(
    peer: &Peer,
    user: &str,
    password: &[u8],
    mind: Value,
) -> Result<Luid, LoginError> {
    let answer = peer
        .call(Target::Root, "login", vec![Value::bytes(user)], Vec::new())
        .await
        .map_err(refusal)?;
    let (challenge, challenger) = match answer.as_items() {
        Some([challenge, challenger]) => challenge.as_raw().zip(challenger.as_theirs()),
        _ => None,
    }
    .ok_or_else(|| nonsense("no challenge in the answer to login"))?;
    let response = cred::response(password, challenge);
    let answer = peer.call(
        Target::Object(challenger),
        "respond",
        vec![Value::bytes(response), mind],
        Vec::new(),
    );
    // As real clients do, at once.
    peer.release(challenger);
    answer
        .await
        .map_err(refusal)?
        .as_theirs()
        .ok_or_else(|| nonsense("no avatar in the answer to respond"))
}

fn refusal(error: CallError) -> LoginError {
    match error {
        CallError::Lost => LoginError::Lost,
        CallError::Remote(failure) if failure.is(Failure::UNAUTHORIZED) => LoginError::Unauthorized,
        CallError::Remote(failure) => LoginError::Refused(failure),
    }
}

fn nonsense(what: &str) -> LoginError {
    LoginError::Refused(Failure::new("builtins.ValueError", what))
}
