//! Serves `sendchange` and commit hooks over Perspective Broker (PROTOCOL section 12).

use tokio::task::JoinSet;
use tracing::{debug, info};

use crate::control::{Control, PendingOffer};
use crate::model::{Offer, SourceName};
use crate::net::{Activity, IncomingCall, LoginAnswer, Peer, Reply, Room, headline, idle_for};
use crate::pb::{Failure, Value};
use crate::protocol::change::{decode_change, delivery, is_again};

/// Maximum number of calls that wait for decoding.
const CALLS: usize = 16;

/// Maximum number of changes of one connection that wait for the disk; further changes wait at the
/// sender.
const IN_FLIGHT: usize = 64;

/// Who sends changes.
#[derive(Clone, Debug)]
pub struct Sender {
    /// The change source.
    pub source: SourceName,
    /// Files outside are dropped from the changes, those inside lose it.
    pub prefix: Option<String>,
}

/// Serves a client that has logged in as a change source, until the client disconnects or is idle
/// for too long. Changes are submitted in order of arrival and acknowledged as they become durable.
pub async fn serve(
    peer: Peer,
    login: LoginAnswer,
    activity: Activity,
    sender: Sender,
    control: Control,
) {
    let (avatar, mut calls) = peer.export(CALLS);
    login.accept(avatar);
    let mut waiting = JoinSet::new();
    loop {
        activity.set_busy(!waiting.is_empty());
        tokio::select! {
            // An answer makes room for the next call.
            biased;
            _ = waiting.join_next(), if !waiting.is_empty() => {}
            call = calls.recv(), if waiting.len() < IN_FLIGHT => {
                let Some(call) = call else { break };
                activity.touch();
                if let Some(taken) = on_call(call, &peer, &sender, &control).await {
                    waiting.spawn(answer(taken));
                }
            }
            limit = activity.idled_out() => {
                peer.close(&idle_for(limit));
                break;
            }
        }
    }
    // The sender may be gone. Its pending changes are kept; only their acknowledgements are lost.
    debug!(peer.addr = peer.address(), "change source disconnected");
}

/// A submitted change, which takes memory until it is durable.
struct Taken {
    pending: PendingOffer,
    reply: Reply,
    room: Option<Room>,
}

async fn on_call(
    call: Box<IncomingCall>,
    peer: &Peer,
    sender: &Sender,
    control: &Control,
) -> Option<Taken> {
    if &call.method[..] != b"addChange" {
        let method = String::from_utf8_lossy(&call.method).into_owned();
        call.reply
            .fail(Failure::no_perspective_method("ChangePerspective", &method));
        return None;
    }
    let dict = call.args.first().unwrap_or(&Value::None);
    let refused = match decode_change(dict, sender.prefix.as_deref()) {
        Ok(change) => {
            let offer = Offer {
                source: sender.source.clone(),
                changes: vec![change],
                delivery: delivery(dict),
                again: is_again(dict),
                ..Offer::default()
            };
            match control.offer_sent(offer, peer.address()).await {
                Ok(pending) => {
                    return Some(Taken {
                        pending,
                        reply: call.reply,
                        room: call.room,
                    });
                }
                Err(why) => why,
            }
        }
        Err(malformed) => format!("the change was not accepted: {malformed}"),
    };
    refuse(call.reply, refused);
    None
}

async fn answer(taken: Taken) {
    let Taken {
        pending,
        reply,
        room,
    } = taken;
    let answered = pending.answer().await;
    drop(room);
    match answered {
        Ok(_) => reply.value(Value::None),
        Err(why) => refuse(reply, why),
    }
}

fn refuse(reply: Reply, why: String) {
    info!("{}", headline(&why));
    reply.fail(Failure::new("builtins.ValueError", why));
}
