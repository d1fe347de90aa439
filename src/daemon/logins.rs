//! What becomes of those who have logged in.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tracing::{debug, info_span};

use super::sessions::Keepalives;
use crate::control::Control;
use crate::model::{Op, SlaveName};
use crate::net::{Login, LoginAnswer, Peer, Refusals, Refused, Tasks, UserKind};
use crate::pb::Luid;
use crate::store::Writer;
use crate::{changes, status};

/// Logins that may wait to be taken in; more wait at their connections.
pub(super) const LOGINS: usize = 64;

/// A slave that gave the right password.
#[derive(Debug)]
pub(super) struct SlaveLogin {
    /// Its name.
    pub(super) name: SlaveName,
    /// Its connection.
    pub(super) peer: Peer,
    /// The object to drive it by.
    pub(super) bot: Luid,
    /// To answer when it is attached.
    pub(super) answer: LoginAnswer,
    /// How it is checked while it is connected.
    pub(super) keepalives: watch::Receiver<Arc<Keepalives>>,
}

/// Takes in who has logged in, and sends each to the one who serves his kind.
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
            // Nobody waits for it: without it, a user who mistypes after a restart may wait a
            // little.
            writer.hand_in(None, vec![Op::LoginKnown { record, at }]);
        }
        match kind {
            UserKind::Slave(name) => {
                let Some(bot) = mind else {
                    let why = "the slave brought no object to be driven by";
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
