//! Serving an object that a master calls.

use tokio::sync::mpsc;

use crate::net::{IncomingCall, Tasks};
use crate::pb::{Failure, Value};

/// An object that a master calls.
pub(super) trait Callable {
    /// Answers a call. It never waits for the master.
    ///
    /// # Errors
    /// The call is invalid; the failure is the answer.
    fn call(
        &mut self,
        method: &[u8],
        args: &[Value],
        kwargs: &[(Value, Value)],
    ) -> Result<Value, Failure>;
}

/// Serves the master's calls until `tasks` are stopped or the master has released the object.
pub(super) async fn serve(
    object: &mut impl Callable,
    mut calls: mpsc::Receiver<Box<IncomingCall>>,
    tasks: &Tasks,
) {
    loop {
        let call = tokio::select! {
            biased;
            () = tasks.stopping() => return,
            call = calls.recv() => call,
        };
        let Some(call) = call else { return };
        match object.call(&call.method, &call.args, &call.kwargs) {
            Ok(value) => call.reply.value(value),
            Err(failure) => call.reply.fail(failure),
        }
    }
}

/// The argument of `print`: by position from old masters, by keyword from new ones.
pub(super) fn message(args: &[Value], kwargs: &[(Value, Value)]) -> String {
    let by_name = || kwargs.first().map(|(_, value)| value);
    let message = args.first().or_else(by_name).and_then(Value::as_text);
    message.unwrap_or_default().into_owned()
}
