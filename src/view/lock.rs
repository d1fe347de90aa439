//! What waits for locks (LCK-11).

use schemars::JsonSchema;
use serde::Serialize;

use super::json;
use crate::botmaster::{self, LockUser};
use crate::config::{LockMode, LockScope};
use crate::model::{BuildNumber, BuilderName, LockName, SlaveName, Timestamp};

/// A build or a step that waits for locks.
#[derive(Clone, Debug, Eq, JsonSchema, PartialEq, Serialize)]
pub struct LockWait {
    /// The builder.
    pub builder: BuilderName,
    /// The number of the build.
    pub number: BuildNumber,
    /// The step; absent if it is the build that waits.
    pub step: Option<String>,
    /// Since when.
    #[serde(serialize_with = "json::time")]
    pub since: Timestamp,
    /// The locks that it cannot have yet.
    pub locks: Vec<LockBlock>,
    /// All of it in a sentence.
    pub text: String,
    /// What waits, in words.
    #[serde(skip)]
    pub who: String,
}

/// A lock that is taken.
#[derive(Clone, Debug, Eq, JsonSchema, PartialEq, Serialize)]
pub struct LockBlock {
    /// Its name.
    pub lock: LockName,
    /// The slave, for a lock of slaves.
    pub slave: Option<SlaveName>,
    /// What the slaves have in common that share the lock, for a lock with `per`.
    pub group: Option<String>,
    /// How it is wanted: `counting` or `exclusive`.
    pub mode: &'static str,
    /// Who holds it; empty if it is kept for those that came before.
    pub holders: Vec<LockHolder>,
    /// The place in the queue of the lock, from 1; 0 for what does not queue.
    pub place: usize,
}

/// A build or a step that holds a lock.
#[derive(Clone, Debug, Eq, JsonSchema, PartialEq, Serialize)]
pub struct LockHolder {
    /// The builder.
    pub builder: BuilderName,
    /// The number of the build; absent while it is being started.
    pub number: Option<BuildNumber>,
    /// The step; absent if it is the build.
    pub step: Option<String>,
    /// The holder in words.
    #[serde(skip)]
    pub who: String,
}

impl From<&botmaster::LockWait> for LockWait {
    fn from(wait: &botmaster::LockWait) -> Self {
        let who = botmaster::LockHolder {
            builder: wait.builder.clone(),
            number: Some(wait.number),
            user: Some(wait.user.clone()),
        };
        Self {
            builder: wait.builder.clone(),
            number: wait.number,
            step: step(&wait.user),
            since: wait.since,
            locks: wait.blocks.iter().map(LockBlock::from).collect(),
            text: wait.to_string(),
            who: who.to_string(),
        }
    }
}

impl From<&botmaster::LockBlock> for LockBlock {
    fn from(block: &botmaster::LockBlock) -> Self {
        let (slave, group) = match &block.scope {
            LockScope::Master => (None, None),
            LockScope::Slave(slave) => (Some(slave.clone()), None),
            LockScope::Group(group) => (None, Some(group.to_string())),
        };
        Self {
            lock: block.lock.clone(),
            slave,
            group,
            mode: match block.mode {
                LockMode::Counting => "counting",
                LockMode::Exclusive => "exclusive",
            },
            holders: block.holders.iter().map(LockHolder::from).collect(),
            place: block.place,
        }
    }
}

impl From<&botmaster::LockHolder> for LockHolder {
    fn from(holder: &botmaster::LockHolder) -> Self {
        Self {
            builder: holder.builder.clone(),
            number: holder.number,
            step: holder.user.as_ref().and_then(step),
            who: holder.to_string(),
        }
    }
}

fn step(user: &LockUser) -> Option<String> {
    match user {
        LockUser::Build => None,
        LockUser::Step { name, .. } => Some(name.to_string()),
    }
}
