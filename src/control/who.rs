//! The user at the other end of the control socket, and the log of the requests.

use tokio::net::UnixStream;
use tracing::info;

/// The name of the user at the other end of `stream`, as the system knows it.
pub(super) async fn peer(stream: &UnixStream) -> String {
    let Ok(credentials) = stream.peer_cred() else {
        return "an unknown user".to_owned();
    };
    let uid = credentials.uid();
    // The directory of users may be on another machine.
    let user = crate::blocking::run(move || uzers::get_user_by_uid(uid)).await;
    match user {
        Ok(Some(user)) => user.name().to_string_lossy().into_owned(),
        Ok(None) | Err(_) => format!("user {uid}"),
    }
}

/// Logs what `user` has asked for, and whether it was done. `act` is absent for a request that
/// changes nothing: that is not logged.
pub(super) fn log(user: &str, act: Option<String>, done: &Result<serde_json::Value, String>) {
    let Some(act) = act else { return };
    match done {
        Ok(_) => info!(by = ?user, "{act}"),
        Err(why) => info!(by = ?user, "{act}: rejected: {}", why.escape_debug()),
    }
}
