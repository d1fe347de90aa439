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
    /// It could not be opened, or the login was refused, or it was lost; as words.
    Failed(String),
    /// It was in use and is lost; as words.
    Lost(String),
    /// The master asked the slave to end.
    Shutdown,
    /// The slave was told to stop.
    Stopped,
}

/// Connects, logs in and serves the master. What runs when it returns is being killed.
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
    peer.close("the slave ends the connection");
    end
}

async fn connect(connector: &Connector, tasks: &Tasks) -> Result<Peer, String> {
    match connector {
        Connector::Tcp { host, port } => connect_tcp(host, *port, tasks)
            .await
            .map_err(|error| error.to_string()),
        Connector::Memory(master) => {
            let (ours, theirs) = tokio::io::duplex(MEMORY_STREAM);
            let gone = |_| "the master does not take connections".to_owned();
            master.send(theirs).await.map_err(gone)?;
            Ok(connection::connect(ours, &connector.to_string(), tasks))
        }
    }
}

/// Stays until the connection is over, telling the master from time to time that the slave lives.
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
                // So that the answer to the request is on its way.
                sleep(SHUTDOWN_DELAY).await;
                return SessionEnd::Shutdown;
            }
            () = controls.graceful.notified() => ask_for_shutdown(peer, avatar).await,
            () = keepalive_due => {
                next_keepalive = settings.keepalive.map(|every| Instant::now() + every);
                let call = peer.call(Target::Object(avatar), "keepalive", Vec::new(), Vec::new());
                match timeout(KEEPALIVE_PATIENCE, call).await {
                    // A master that cannot keep alive is alive.
                    Ok(Ok(_) | Err(CallError::Remote(_))) => debug!("the master lives"),
                    Ok(Err(CallError::Lost)) => {}
                    Err(_) => {
                        let text = "the master does not answer a keepalive".to_owned();
                        return SessionEnd::Lost(text);
                    }
                }
            }
        }
    }
}

/// Asks the master to give this slave no more builds, and to end it when it is idle.
async fn ask_for_shutdown(peer: &Peer, avatar: Luid) {
    info!("asking the master for a graceful end");
    let call = peer.call(Target::Object(avatar), "shutdown", Vec::new(), Vec::new());
    match timeout(KEEPALIVE_PATIENCE, call).await {
        Ok(Err(CallError::Remote(failure))) => {
            info!(%failure, "the master cannot end slaves gracefully");
        }
        Ok(_) => {}
        Err(_) => info!("no answer to the request for a graceful end"),
    }
}

/// Calls of the master to the bot that wait to be served.
const CALLS: usize = 16;
/// How long a connection may take to open.
const CONNECT_PATIENCE: Duration = Duration::from_secs(30);
/// How long a login may take. Its answer comes when the master has attached all builders, which on
/// a busy master with many slaves takes its time.
const LOGIN_PATIENCE: Duration = Duration::from_secs(300);
/// How long a keepalive may go unanswered before the connection counts as lost. Generous: a Python
/// master is deaf while it loads a large page, and builds die with their connection.
const KEEPALIVE_PATIENCE: Duration = Duration::from_secs(120);
/// How long after the master's request the slave ends.
const SHUTDOWN_DELAY: Duration = Duration::from_millis(200);
/// Bytes in flight each way of a connection inside one process.
const MEMORY_STREAM: usize = 256 * 1024;
