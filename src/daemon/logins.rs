//! Serves peers that have logged in: slaves, change sources and try clients.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tracing::{debug, info_span};

use super::keepalive::Keepalives;
use crate::control::Control;
use crate::model::{Op, SlaveName};
use crate::net::{Login, LoginAnswer, Peer, Refusals, Refused, Tasks, UserKind};
use crate::pb::Luid;
use crate::store::Writer;
use crate::{changes, status};

/// Maximum number of completed logins in the queue; further logins wait in their connections.
pub(super) const LOGINS: usize = 64;

/// A slave that has logged in.
#[derive(Debug)]
pub(super) struct SlaveLogin {
    /// The name of the slave.
    pub(super) name: SlaveName,
    /// The connection of the slave.
    pub(super) peer: Peer,
    /// The slave's object for calls from the master.
    pub(super) bot: Luid,
    /// The login to answer once the slave is attached.
    pub(super) answer: LoginAnswer,
    /// The keepalives of the connection.
    pub(super) keepalives: watch::Receiver<Arc<Keepalives>>,
}

/// Receives completed logins and starts the service for each kind of user.
pub(super) async fn receive(
    mut logins: mpsc::Receiver<Login>,
    slaves: mpsc::Sender<SlaveLogin>,
    keepalives: watch::Receiver<Arc<Keepalives>>,
    control: Control,
    writer: Writer,
    refusals: Arc<Refusals>,
    tasks: Tasks,
) {
    loop {
        let login = tokio::select! {
            biased;
            login = logins.recv() => login,
            () = tasks.stopping() => return,
        };
        let Some(Login {
            kind,
            peer,
            mind,
            answer,
            record,
            activity,
        }) = login
        else {
            return;
        };
        if let Some(record) = record {
            let at = control.clock().wall();
            // Nobody waits for this record. Without it, a user who mistypes a password after a
            // restart waits a little longer.
            writer.hand_in(None, vec![Op::LoginKnown { record, at }]);
        }
        match kind {
            UserKind::Slave(name) => {
                let Some(bot) = mind else {
                    let why = "the slave sent no object for calls from the master";
                    refusals.note(Refused::Slave(name), peer.address(), why);
                    peer.close(why);
                    continue;
                };
                let login = SlaveLogin {
                    name,
                    peer,
                    bot,
                    answer,
                    keepalives: keepalives.clone(),
                };
                if slaves.send(login).await.is_err() {
                    return;
                }
            }
            UserKind::Change { prefix } => {
                debug!(peer.addr = peer.address(), "change source connected");
                let span = info_span!("changes", peer.addr = peer.address());
                tasks.spawn(
                    span,
                    changes::pb::serve(peer, answer, activity, prefix, control.clone()),
                );
            }
            UserKind::Try {
                scheduler,
                user,
                builders,
            } => {
                debug!(peer.addr = peer.address(), ?user, "try client connected");
                let span = info_span!("try", peer.addr = peer.address(), %scheduler, ?user);
                let user = status::pb::User {
                    name: user,
                    scheduler,
                    builders,
                };
                let serve = status::pb::serve(
                    peer,
                    answer,
                    activity,
                    user,
                    control.clone(),
                    PathBuf::from("."),
                );
                tasks.spawn(span, serve);
            }
        }
    }
}
