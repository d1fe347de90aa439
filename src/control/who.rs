//! Who asks over the control socket, and what is logged of it.

use tokio::net::UnixStream;
use tracing::info;

use super::socket::Request;

/// The name of the user at the other end of `stream`, as the system knows it.
pub(super) async fn peer(stream: &UnixStream) -> String {
    let Ok(credentials) = stream.peer_cred() else {
        return "an unknown user".to_owned();
    };
    let uid = credentials.uid();
    // The directory of users may be on another machine.
    let user = tokio::task::spawn_blocking(move || uzers::get_user_by_uid(uid)).await;
    match user {
        Ok(Some(user)) => user.name().to_string_lossy().into_owned(),
        Ok(None) | Err(_) => format!("user {uid}"),
    }
}

/// Logs that `user` has asked for this, and what came of it. Questions that change nothing are not logged.
pub(super) fn log(
    user: &str,
    act: Option<String>,
    done: &Result<Option<serde_json::Value>, String>,
) {
    let Some(act) = act else { return };
    match done {
        Ok(_) => info!(by = ?user, "{act}"),
        Err(why) => info!(by = ?user, "{act}: refused: {}", why.escape_debug()),
    }
}

/// What a request asks for, in words; nothing if it changes nothing.
pub(super) fn act(request: &Request) -> Option<String> {
    let with = |reason: &str| match reason {
        "" => String::new(),
        reason => format!(": {}", reason.escape_debug()),
    };
    Some(match request {
        Request::StopBuild {
            builder,
            number,
            reason,
        } => format!("asked to stop build {builder}/{number}{}", with(reason)),
        Request::StopRequest { request, reason } => {
            format!(
                "asked to stop the build of request {request}{}",
                with(reason)
            )
        }
        Request::Force {
            builder,
            owner,
            reason,
            ..
        } => {
            let owner = owner.as_deref().map(str::escape_debug);
            let owner = owner.map_or_else(String::new, |owner| format!(" for {owner}"));
            format!("asked for a build on {builder}{owner}{}", with(reason))
        }
        Request::Rebuild {
            builder,
            number,
            reason,
        } => format!("asked to rebuild {builder}/{number}{}", with(reason)),
        Request::Pause { slave, by, reason } => {
            let by = match by.as_str() {
                "" => String::new(),
                by => format!(" for {}", by.escape_debug()),
            };
            format!("asked to pause slave {slave}{by}{}", with(reason))
        }
        Request::Unpause { slave } => format!("asked to unpause slave {slave}"),
        Request::Graceful {
            slave,
            cancel: false,
        } => format!("asked slave {slave} to end when it is idle"),
        Request::Graceful {
            slave,
            cancel: true,
        } => format!("asked to keep slave {slave}"),
        Request::Cancel { request } => format!("asked to cancel request {request}"),
        Request::Ping { builder } => format!("asked to ping the slaves of {builder}"),
        Request::Reconfigure { dry_run: false } => "asked to reconfigure".to_owned(),
        Request::CleanShutdown => "asked to stop when the running builds have ended".to_owned(),
        Request::CancelShutdown => "asked to go on instead of stopping".to_owned(),
        Request::Reconfigure { dry_run: true }
        | Request::Live
        | Request::Listening
        | Request::Status
        | Request::Why { .. } => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_act_names_what_it_concerns_and_cannot_forge_a_line() {
        let stop = Request::StopBuild {
            builder: "full".into(),
            number: crate::model::BuildNumber(3),
            reason: "old\nforged".to_owned(),
        };
        assert_eq!(
            act(&stop).as_deref(),
            Some("asked to stop build full/3: old\\nforged")
        );
        let cancel = Request::Cancel {
            request: crate::model::RequestId(7),
        };
        assert_eq!(act(&cancel).as_deref(), Some("asked to cancel request 7"));
        assert_eq!(act(&Request::Live), None);
    }
}
