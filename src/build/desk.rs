//! What a build asks of the core: locks for itself and its steps, which it waits for and gives back
//! (LCK-04, LCK-07, STP-02), and builds that its steps trigger.
//!
//! A build waits for one thing at a time, and gives back, or says that it no longer wants, what it
//! has asked for; what it still has at its end the core takes back.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use super::control::{Controls, Waited};
use crate::botmaster::{BuildInput, Input, LockUser, Related, Trigger};
use crate::config::LockAccess;
use crate::model::BuildId;

type Sent = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The way to the core, which answers with [`super::Control::LocksGranted`]. Cheap to clone.
#[derive(Clone)]
pub struct Desk(Arc<dyn Fn(Input) -> Sent + Send + Sync>);

impl Desk {
    /// What `send` is given must reach the core, in order; it may wait for that.
    pub fn new<F>(send: impl Fn(Input) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self(Arc::new(move |input| Box::pin(send(input))))
    }

    /// Waits until `user` has all of `locks`, or the wait is over for another reason; then it has
    /// none.
    pub(super) async fn take(
        &self,
        build: BuildId,
        user: &LockUser,
        locks: &[LockAccess],
        controls: &mut Controls,
    ) -> Waited {
        if locks.is_empty() {
            return Waited::Granted;
        }
        (self.0)(
            BuildInput::LocksWanted {
                user: user.clone(),
                locks: locks.to_vec(),
            }
            .of(build),
        )
        .await;
        let waited = controls.granted(user).await;
        match waited {
            Waited::Granted => {}
            Waited::Stopped(_) | Waited::SlaveLost => self.give_back(build, user).await,
        }
        waited
    }

    /// Asks for what a step wants to trigger; answered with [`super::Control::Triggered`].
    pub(super) async fn trigger(&self, build: BuildId, trigger: Trigger) {
        let trigger = Box::new(trigger);
        (self.0)(BuildInput::TriggerWanted { trigger }.of(build)).await;
    }

    /// Asks for the end of what a step describes; answered with [`super::Control::RelatedEnded`].
    pub(super) async fn end_related(&self, build: BuildId, related: Related) {
        let related = Box::new(related);
        (self.0)(BuildInput::RelatedFound { related }.of(build)).await;
    }

    /// `user` has no use for its locks any more.
    pub(super) async fn give_back(&self, build: BuildId, user: &LockUser) {
        let user = user.clone();
        (self.0)(BuildInput::LocksReleased { user }.of(build)).await;
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Desk")
    }
}

/// What a step does while it waits.
pub(super) fn waiting_text(locks: &[LockAccess]) -> Vec<String> {
    let names: Vec<&str> = locks.iter().map(|access| access.lock.as_str()).collect();
    let noun = if names.len() == 1 { "lock" } else { "locks" };
    ["waiting", "for", noun, &names.join(", ")]
        .map(str::to_owned)
        .to_vec()
}
