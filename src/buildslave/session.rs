//! One connection to a master, from its opening to its end.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, info_span};

use super::bot::Bot;
use super::commands::Commands;
use super::{Connector, Controls, Event, Settings};
use crate::net::client::{LoginError, connect_tcp, login};
use crate::net::{CallError, Peer, Tasks, connection};
use crate::pb::{Luid, Target, Value};

/// How a connection ended.
#[derive(Debug)]
pub(super) enum SessionEnd {
    /// The slave could not connect or log in; the reason, for people.
    Failed(String),
    /// The attached slave has lost the connection; the reason, for people.
    Lost(String),
    /// The master told the slave to shut down.
    Shutdown,
    /// A control stopped the slave.
    Stopped,
}

/// Connects, logs in and serves the master. On return, running commands are being killed.
pub(super) async fn run(
    settings: &Arc<Settings>,
    connector: &Connector,
    controls: &Controls,
    commands: &Commands,
    tasks: &Tasks,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> SessionEnd {
    let stopped = controls.stop.cancelled();
    let end = tokio::select! {
        biased;
        () = stopped => SessionEnd::Stopped,
        end = attach_and_serve(settings, connector, controls, commands, tasks, on_event) => end,
    };
    tasks.stop();
    end
}

async fn attach_and_serve(
    settings: &Arc<Settings>,
    connector: &Connector,
    controls: &Controls,
    commands: &Commands,
    tasks: &Tasks,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> SessionEnd {
    let peer = match timeout(CONNECT_PATIENCE, connect(connector, tasks)).await {
        Ok(Ok(peer)) => peer,
        Ok(Err(error)) => return SessionEnd::Failed(error),
        Err(_) => return SessionEnd::Failed("no answer".to_owned()),
    };
    let shutdown = CancellationToken::new();
    let (bot, calls) = peer.export(CALLS);
    let serving = Bot::new(
        Arc::clone(settings),
        commands.clone(),
        peer.clone(),
        tasks.clone(),
        shutdown.clone(),
    );
    tasks.spawn(info_span!("bot"), serving.serve(calls));
    let password = settings.password.as_bytes();
    let mind = Value::Mine(bot);
    let answer = login(&peer, &settings.name, password, mind);
    let avatar = match timeout(LOGIN_PATIENCE, answer).await {
        Ok(Ok(avatar)) => avatar,
        Ok(Err(error)) => {
            peer.close("login failed");
            let text = match error {
                LoginError::Unauthorized => {
                    "the master does not know this name, or the password is wrong".to_owned()
                }
                other @ (LoginError::Refused(_) | LoginError::Lost) => other.to_string(),
            };
            return SessionEnd::Failed(text);
        }
        Err(_) => {
            peer.close("no answer to the login");
            return SessionEnd::Failed("no answer to the login".to_owned());
        }
    };
    info!(master = %connector, "attached");
    on_event(Event::Attached);
    let end = serve(settings, controls, &peer, avatar, &shutdown).await;
    peer.close("the slave closes the connection");
    end
}

async fn connect(connector: &Connector, tasks: &Tasks) -> Result<Peer, String> {
    match connector {
        Connector::Tcp { host, port } => connect_tcp(host, *port, tasks)
            .await
            .map_err(|error| error.to_string()),
        Connector::Memory(master) => {
            let (ours, theirs) = tokio::io::duplex(MEMORY_STREAM);
            let gone = |_| "the master does not accept connections".to_owned();
            master.send(theirs).await.map_err(gone)?;
            Ok(connection::connect(ours, &connector.to_string(), tasks))
        }
    }
}

/// Sends keepalives until the connection ends.
async fn serve(
    settings: &Settings,
    controls: &Controls,
    peer: &Peer,
    avatar: Luid,
    shutdown: &CancellationToken,
) -> SessionEnd {
    let mut next_keepalive = settings.keepalive.map(|every| Instant::now() + every);
    loop {
        let keepalive_due = async {
            match next_keepalive {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            lost = peer.lost() => return SessionEnd::Lost(lost.0),
            () = shutdown.cancelled() => {
                // A delay, so that the answer to the request is sent first.
                sleep(SHUTDOWN_DELAY).await;
                return SessionEnd::Shutdown;
            }
            () = controls.graceful.notified() => ask_for_shutdown(peer, avatar).await,
            () = keepalive_due => {
                next_keepalive = settings.keepalive.map(|every| Instant::now() + every);
                let call = peer.call(Target::Object(avatar), "keepalive", Vec::new(), Vec::new());
                match timeout(KEEPALIVE_PATIENCE, call).await {
                    // A master without keepalives has answered too.
                    Ok(Ok(_) | Err(CallError::Remote(_))) => debug!("the master answered a keepalive"),
                    Ok(Err(CallError::Lost)) => {}
                    Err(_) => {
                        let text = "the master does not answer keepalives".to_owned();
                        return SessionEnd::Lost(text);
                    }
                }
            }
        }
    }
}

/// Asks the master for a graceful shutdown of this slave.
async fn ask_for_shutdown(peer: &Peer, avatar: Luid) {
    info!("asking the master for a graceful shutdown");
    let call = peer.call(Target::Object(avatar), "shutdown", Vec::new(), Vec::new());
    match timeout(KEEPALIVE_PATIENCE, call).await {
        Ok(Err(CallError::Remote(failure))) => {
            info!(%failure, "the master does not support graceful shutdown");
        }
        Ok(_) => {}
        Err(_) => info!("no answer to the request for a graceful shutdown"),
    }
}

/// Maximum number of waiting calls of the master to the bot.
const CALLS: usize = 16;
/// Time limit for connecting.
const CONNECT_PATIENCE: Duration = Duration::from_secs(30);
/// Time limit for a login. A master answers when it has attached all builders, which takes long on
/// a busy master with many slaves.
const LOGIN_PATIENCE: Duration = Duration::from_secs(300);
/// How long a keepalive may stay unanswered before the connection counts as lost. The limit is
/// generous, because a Python master does not answer while it loads a large page, and the loss of a
/// connection ends builds.
const KEEPALIVE_PATIENCE: Duration = Duration::from_secs(120);
/// The delay of a shutdown after the master's request.
const SHUTDOWN_DELAY: Duration = Duration::from_millis(200);
/// Buffer size in bytes of each direction of a connection inside one process.
const MEMORY_STREAM: usize = 256 * 1024;
