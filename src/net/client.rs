//! The client's side: connecting, and the challenge-response login (PROTOCOL section 7).

use std::io;

use tokio::net::TcpStream;

use super::keepalive::prepare;
use super::{CallError, Peer, Tasks, connection};
use crate::pb::hashed::Recipe;
use crate::pb::{Failure, Luid, Target, Value, cred};

/// Why a login did not succeed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LoginError {
    /// The user is unknown or the password wrong.
    #[error("unknown user or wrong password")]
    Unauthorized,
    /// The server gave another reason, or an invalid answer.
    #[error("login rejected: {}", .0.reason())]
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
    prepare(&stream)?;
    Ok(connection::connect(
        stream,
        &format!("{host}:{port}"),
        tasks,
    ))
}

/// Logs in and answers with the avatar, the server's object for the user. A slave gives its bot as
/// `mind` ([`Value::Mine`]), others [`Value::None`]. Where the server may keep only a hash of the
/// password, its challenge says so, and it is answered with the hash first (see
/// [`crate::pb::hashed`]).
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
    let respond = |response: [u8; 16]| {
        let args = vec![Value::bytes(response), mind.clone()];
        peer.call(Target::Object(challenger), "respond", args, Vec::new())
    };
    if let Some(recipe) = Recipe::of_challenge(challenge) {
        let password = password.to_vec();
        let hashed = crate::blocking::run(move || recipe.hash(&password)).await;
        let hashed = hashed.map_err(|error| nonsense(&format!("hashing failed: {error}")))?;
        let response = cred::response(hashed.text().as_bytes(), challenge);
        match respond(response).await.map_err(refusal).and_then(avatar_of) {
            // This user's password may be kept in plain.
            Err(LoginError::Unauthorized) => {}
            done => {
                peer.release(challenger);
                return done;
            }
        }
    }
    let answer = respond(cred::response(password, challenge));
    // As real clients do, at once.
    peer.release(challenger);
    answer.await.map_err(refusal).and_then(avatar_of)
}

fn avatar_of(answer: Value) -> Result<Luid, LoginError> {
    let avatar = answer.as_theirs();
    avatar.ok_or_else(|| nonsense("no avatar in the answer to respond"))
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
