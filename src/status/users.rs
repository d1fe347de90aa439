//! Serves `buildbot user` of Buildbot 0.8, which manages the register of people (WHO-07).
//!
//! A password comes as a hash of another kind, which is not stored: the answer says how to set it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use tracing::{debug, info};

use crate::control::{Control, UserAct};
use crate::model::AttributeKind;
use crate::net::{Activity, IncomingCall, LoginAnswer, Peer, headline, idle_for};
use crate::pb::{Failure, Value};
use crate::protocol::user_call::{UserCall, UserInfo, UserOp, decode_user_call};

/// Maximum number of calls that wait.
const CALLS: usize = 4;

/// Serves a client that has logged in as a user manager, until it disconnects or is idle for too
/// long.
pub async fn serve(peer: Peer, login: LoginAnswer, activity: Activity, control: Control) {
    let (avatar, mut calls) = peer.export(CALLS);
    login.accept(avatar);
    loop {
        tokio::select! {
            biased;
            call = calls.recv() => {
                let Some(call) = call else { break };
                activity.set_busy(true);
                on_call(call, peer.address(), &control).await;
                activity.set_busy(false);
                activity.touch();
            }
            limit = activity.idled_out() => {
                peer.close(&idle_for(limit));
                break;
            }
        }
    }
    debug!(peer.addr = peer.address(), "user manager disconnected");
}

async fn on_call(call: Box<IncomingCall>, address: &str, control: &Control) {
    if &call.method[..] != b"commandline" {
        let method = String::from_utf8_lossy(&call.method).into_owned();
        let class = "CommandlineUserManagerPerspective";
        call.reply
            .fail(Failure::no_perspective_method(class, &method));
        return;
    }
    let done = match decode_user_call(&call.args) {
        Ok(wanted) => manage(wanted, address, control).await,
        Err(malformed) => Err(malformed.to_string()),
    };
    match done {
        // These clients run on Python 2, and print what they get.
        Ok(text) => call.reply.value(Value::bytes(text)),
        Err(why) => {
            info!("{}", headline(&why));
            call.reply.fail(Failure::new("builtins.ValueError", why));
        }
    }
}

/// Does what is asked for; answers as Buildbot 0.8 prints it.
async fn manage(wanted: UserCall, address: &str, control: &Control) -> Result<String, String> {
    let UserCall {
        op,
        has_password,
        ids,
        info,
    } = wanted;
    let mut text = match op {
        UserOp::Add => "user(s) added:\n",
        UserOp::Remove => "user(s) removed:\n",
        UserOp::Update => "user(s) updated:\n",
        UserOp::Get => "user(s) found:\n",
    }
    .to_owned();
    for name in ids {
        let register = control.register().await?;
        let known = register.get(&name);
        match (op, known) {
            (UserOp::Get, Some(person)) => {
                append(&mut text, "identifier", &name);
                for attribute in &person.attributes {
                    append(&mut text, attribute.kind.name(), &attribute.value);
                }
                text.push('\n');
            }
            (UserOp::Get, None) => text.push_str("no match found\n"),
            (UserOp::Remove, Some(_)) => {
                append(&mut text, "identifier", &name);
                control
                    .user_of_manager(UserAct::Remove { name }, address)
                    .await?;
            }
            (UserOp::Remove, None) => {}
            (UserOp::Add | UserOp::Update, _) => {
                return Err("users are added and updated with --info".to_owned());
            }
        }
    }
    for user in info {
        let name = user.name.clone();
        let act = match op {
            UserOp::Add | UserOp::Update => saving(user, op, control).await?,
            UserOp::Remove | UserOp::Get => {
                return Err("users are removed and found with --ids".to_owned());
            }
        };
        if let Some(act) = act {
            control.user_of_manager(act, address).await?;
        }
        append(&mut text, "identifier", &name);
        if has_password {
            writeln!(
                text,
                "the password was not set: run `buildmaster user password {name}` at the master"
            )
            .expect("writing to memory does not fail");
        }
    }
    Ok(text)
}

fn append(text: &mut String, key: &str, value: &str) {
    writeln!(text, "{key}: {value}").expect("writing to memory does not fail");
}

/// What adds or updates a user; absent if there is nothing to change. As in Buildbot, a user who is
/// there is not added again, and an attribute replaces the one of its kind.
async fn saving(user: UserInfo, op: UserOp, control: &Control) -> Result<Option<UserAct>, String> {
    let UserInfo { name, attributes } = user;
    let register = control.register().await?;
    let Some(known) = register.get(&name) else {
        return match op {
            UserOp::Add => Ok(Some(UserAct::Add {
                name,
                attributes,
                roles: BTreeSet::new(),
            })),
            UserOp::Update | UserOp::Remove | UserOp::Get => {
                Err(format!("there is no user {name:?}"))
            }
        };
    };
    if attributes.is_empty() {
        return Ok(None);
    }
    let kinds: BTreeSet<AttributeKind> = attributes.iter().map(|a| a.kind).collect();
    let replaced = known.attributes.iter().filter(|old| {
        op == UserOp::Update && kinds.contains(&old.kind) && !attributes.contains(old)
    });
    // What the configuration says stays.
    let remove = match register.is_configured(&name) {
        true => BTreeSet::new(),
        false => replaced.cloned().collect(),
    };
    Ok(Some(UserAct::Update {
        name,
        add: attributes,
        remove,
        add_roles: BTreeSet::new(),
        remove_roles: BTreeSet::new(),
    }))
}
