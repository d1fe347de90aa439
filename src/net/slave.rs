//! A slave as the master drives it: its bot, its builders, its commands (PROTOCOL section 9).

use std::sync::{Arc, Mutex, PoisonError};

use super::command::{self, RunningCommand};
use super::{CallError, Peer};
use crate::model::{BuilderName, CommandId, SlaveName};
use crate::pb::{Failure, Luid, Target, Value};
use crate::protocol::{CommandArgs, SlaveInfo};
use crate::transfer::Lent;

/// A connected slave. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SlaveHandle {
    /// Its name.
    pub name: SlaveName,
    /// Its connection.
    pub peer: Peer,
    /// Its bot object.
    pub bot: Luid,
    /// What it told of itself.
    pub info: Arc<SlaveInfo>,
    /// One of its builders, for the shutdown of slaves before 0.8.3.
    any_builder: Arc<Mutex<Option<Luid>>>,
}

impl SlaveHandle {
    /// Greets a slave that has just logged in and asks what it is: `print`, `getWorkerInfo`, and
    /// for old slaves `getSlaveInfo`, `getVersion`, `getCommands`. Calls that fail with an
    /// exception do not prevent it (SLV-02).
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn greet(name: SlaveName, peer: Peer, bot: Luid) -> Result<Self, CallError> {
        let ask = |method| peer.call(Target::Object(bot), method, Vec::new(), Vec::new());
        // By position and in bytes, which every version takes; what it is shows only afterwards.
        let greeting = vec![Value::bytes("attached")];
        tolerate(
            peer.call(Target::Object(bot), "print", greeting, Vec::new())
                .await,
        )?;
        let info = match ask("getWorkerInfo").await {
            Err(CallError::Remote(failure)) if failure.is(Failure::NO_SUCH_METHOD) => {
                let info = tolerate(ask("getSlaveInfo").await)?;
                let version = tolerate(ask("getVersion").await)?;
                let commands = tolerate(ask("getCommands").await)?;
                SlaveInfo::of_slave(info.as_ref(), version.as_ref(), commands.as_ref())
            }
            answer => SlaveInfo::of_worker(tolerate(answer)?.as_ref()),
        };
        Ok(Self {
            name,
            peer,
            bot,
            info: Arc::new(info),
            any_builder: Arc::default(),
        })
    }

    /// Tells the slave its builders, with their directories; answers with the slave's object for
    /// each for which it has made one.
    ///
    /// # Errors
    /// The slave's exception, a malformed answer, or the connection is gone.
    pub async fn set_builder_list(
        &self,
        builders: &[(BuilderName, String)],
    ) -> Result<Vec<(BuilderName, SlaveBuilderHandle)>, CallError> {
        let text = |text: &str| self.info.style.value(text);
        let list = builders
            .iter()
            .map(|(name, dir)| Value::Tuple(vec![text(name.as_str()), text(dir)]));
        let args = vec![Value::List(list.collect())];
        let answer = self
            .peer
            .call(Target::Object(self.bot), "setBuilderList", args, Vec::new())
            .await?;
        let Some(pairs) = answer.as_dict() else {
            return Err(malformed(
                "the answer to setBuilderList is not a dictionary",
            ));
        };
        let mut objects: Vec<(&Value, SlaveBuilderHandle)> = pairs
            .iter()
            .filter_map(|(name, object)| {
                let builder = SlaveBuilder {
                    slave: self.clone(),
                    object: object.as_theirs()?,
                };
                Some((name, SlaveBuilderHandle(Arc::new(builder))))
            })
            .collect();
        let mut handles = Vec::with_capacity(builders.len());
        for (name, _) in builders {
            let is_it = |key: &Value| key.as_raw().is_some_and(|k| k == name.as_str().as_bytes());
            if let Some(index) = objects.iter().position(|(key, _)| is_it(key)) {
                handles.push((name.clone(), objects.swap_remove(index).1));
            }
        }
        *self.lock_any_builder() = handles.first().map(|(_, builder)| builder.0.object);
        Ok(handles)
    }

    /// A round trip on the bot: keepalive, notices.
    ///
    /// # Errors
    /// The slave's exception, or the connection is gone.
    pub async fn print(&self, message: &str) -> Result<(), CallError> {
        let message = self.info.style.value(message);
        // As the masters of its time do.
        let (args, kwargs) = if self.info.is_worker {
            (Vec::new(), vec![(Value::text("message"), message)])
        } else {
            (vec![message], Vec::new())
        };
        let printed = self
            .peer
            .call(Target::Object(self.bot), "print", args, kwargs);
        printed.await.map(drop)
    }

    /// Asks the slave's process to end (PROTOCOL section 9.5). Its connection is then lost, soon or
    /// before the answer.
    pub async fn shutdown(&self) {
        let ask = |object| {
            let target = Target::Object(object);
            self.peer.call(target, "shutdown", Vec::new(), Vec::new())
        };
        let Err(CallError::Remote(failure)) = ask(self.bot).await else {
            return;
        };
        let builder = *self.lock_any_builder();
        if let (true, Some(builder)) = (failure.is(Failure::NO_SUCH_METHOD), builder) {
            drop(ask(builder).await);
        }
    }

    /// Nothing panics while it holds the lock.
    fn lock_any_builder(&self) -> std::sync::MutexGuard<'_, Option<Luid>> {
        self.any_builder
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// One builder on a connected slave. Cheap to clone; the slave's object is released with the last
/// clone.
#[derive(Clone, Debug)]
pub struct SlaveBuilderHandle(Arc<SlaveBuilder>);

/// One reference to a builder's object of a slave.
#[derive(Debug)]
struct SlaveBuilder {
    slave: SlaveHandle,
    object: Luid,
}

impl SlaveBuilderHandle {
    /// Introduces the master's side of the builder to slaves that need it (before 0.9), else
    /// nothing (row 1).
    ///
    /// # Errors
    /// The slave's exception, or the connection is gone.
    pub async fn set_master(&self) -> Result<(), CallError> {
        if self.0.slave.info.is_worker {
            return Ok(());
        }
        // The slave calls nothing on it; it only watches it go.
        let master = self.0.slave.peer.export_inert();
        self.call("setMaster", vec![Value::Mine(master)]).await
    }

    /// `print`: the greeting "attached" and the "ping" (SLB-04); on the builder's object for
    /// slaves, on the bot for workers.
    ///
    /// # Errors
    /// The slave's exception, or the connection is gone.
    pub async fn print(&self, message: &str) -> Result<(), CallError> {
        if self.0.slave.info.is_worker {
            return self.0.slave.print(message).await;
        }
        self.call("print", vec![self.0.slave.info.style.value(message)])
            .await
    }

    /// Tells the slave that a build begins.
    ///
    /// # Errors
    /// The slave's exception, or the connection is gone.
    pub async fn start_build(&self) -> Result<(), CallError> {
        self.call("startBuild", Vec::new()).await
    }

    /// Starts a remote command. It is sent at once; what it says comes on
    /// [`RunningCommand::events`]. The slave's calls for a transfer are served by `lent`, which is
    /// dropped when the command is over. To be called within the runtime.
    #[must_use]
    pub fn start_command(
        &self,
        id: CommandId,
        args: &CommandArgs,
        lent: Option<Lent>,
    ) -> RunningCommand {
        let SlaveBuilder { slave, object } = &*self.0;
        command::start(&slave.peer, *object, &slave.info, id, args, lent)
    }

    async fn call(&self, method: &'static str, args: Vec<Value>) -> Result<(), CallError> {
        let target = Target::Object(self.0.object);
        let called = self.0.slave.peer.call(target, method, args, Vec::new());
        called.await.map(drop)
    }
}

impl Drop for SlaveBuilder {
    fn drop(&mut self) {
        self.slave.peer.release(self.object);
    }
}

/// The answer, if there is one: only a lost connection is an error.
fn tolerate(answer: Result<Value, CallError>) -> Result<Option<Value>, CallError> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(CallError::Remote(failure)) => {
            tracing::debug!("a slave failed while it attached: {failure}");
            Ok(None)
        }
        Err(CallError::Lost) => Err(CallError::Lost),
    }
}

fn malformed(what: &str) -> CallError {
    CallError::Remote(Failure::new("builtins.ValueError", what))
}
