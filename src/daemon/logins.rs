//! Serves peers that have logged in: slaves, change sources, try clients and status clients.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tracing::{debug, info_span};

use super::keepalive::Keepalives;
use crate::control::Control;
use crate::logs::LogStore;
use crate::model::{Op, SlaveName};
use crate::net::{Login, LoginAnswer, Peer, Refusals, Refused, Tasks, UserKind};
use crate::pb::Luid;
use crate::status::live::Clients;
use crate::status::lookout::Lookout;
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

/// What peers that have logged in are served with.
#[derive(Clone, Debug)]
pub(super) struct Services {
    control: Control,
    writer: Writer,
    logs: LogStore,
    refusals: Arc<Refusals>,
    clients: Clients,
    tasks: Tasks,
}

impl Services {
    pub(super) fn new(
        control: &Control,
        writer: &Writer,
        logs: &LogStore,
        refusals: &Arc<Refusals>,
        lookout: &Lookout,
        tasks: &Tasks,
    ) -> Self {
        Self {
            control: control.clone(),
            writer: writer.clone(),
            logs: logs.clone(),
            refusals: Arc::clone(refusals),
            clients: lookout.clients.clone(),
            tasks: tasks.clone(),
        }
    }

    /// Serves a client in a task of its own.
    fn serve(&self, login: Login) {
        let Login {
            kind,
            peer,
            answer,
            activity,
            ..
        } = login;
        let control = self.control.clone();
        let basedir = PathBuf::from(".");
        match kind {
            // Slaves are handed to the core.
            UserKind::Slave(_) => {}
            UserKind::Change { source, prefix } => {
                debug!(peer.addr = peer.address(), "change source connected");
                let span = info_span!("changes", peer.addr = peer.address());
                let sender = changes::pb::Sender { source, prefix };
                let serve = changes::pb::serve(peer, answer, activity, sender, control);
                self.tasks.spawn(span, serve);
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
                let serve = status::pb::serve(peer, answer, activity, user, control, basedir);
                self.tasks.spawn(span, serve);
            }
            UserKind::Users => {
                debug!(peer.addr = peer.address(), "user manager connected");
                let span = info_span!("user_manager", peer.addr = peer.address());
                let serve = status::users::serve(peer, answer, activity, control);
                self.tasks.spawn(span, serve);
            }
            UserKind::Status { user } => {
                debug!(peer.addr = peer.address(), ?user, "status client connected");
                let span = info_span!("status_client", peer.addr = peer.address(), ?user);
                let around = status::live::Around {
                    control,
                    logs: self.logs.clone(),
                    basedir,
                    clients: self.clients.clone(),
                };
                let serve = status::live::serve(peer, answer, activity, user, around);
                self.tasks.spawn(span, serve);
            }
        }
    }
}

/// Receives completed logins and starts the service for each kind of user.
pub(super) async fn receive(
    mut logins: mpsc::Receiver<Login>,
    slaves: mpsc::Sender<SlaveLogin>,
    keepalives: watch::Receiver<Arc<Keepalives>>,
    services: Services,
) {
    loop {
        let login = tokio::select! {
            biased;
            login = logins.recv() => login,
            () = services.tasks.stopping() => return,
        };
        let Some(mut login) = login else {
            return;
        };
        services.control.measures().logins.add(1);
        if let Some(record) = login.record.take() {
            let at = services.control.clock().wall();
            // Nobody waits for this record. Without it, a user who mistypes a password after a
            // restart waits a little longer.
            let op = Op::LoginKnown { record, at };
            services.writer.hand_in(None, vec![op]);
        }
        let UserKind::Slave(name) = login.kind else {
            services.serve(login);
            continue;
        };
        let Some(bot) = login.mind else {
            let why = "the slave sent no object for calls from the master";
            let refused = Refused::Slave(name);
            services.refusals.note(refused, login.peer.address(), why);
            login.peer.close(why);
            continue;
        };
        let login = SlaveLogin {
            name,
            peer: login.peer,
            bot,
            answer: login.answer,
            keepalives: keepalives.clone(),
        };
        if slaves.send(login).await.is_err() {
            return;
        }
    }
}
