//! Calls objects of the master, and reads the strings of their answers.

use std::future::Future;

use crate::net::{CallError, Peer};
use crate::pb::{Luid, Target, Value};

/// Calls a method of an object of the master.
pub(super) fn call(
    peer: &Peer,
    object: Luid,
    method: &'static str,
    args: Vec<Value>,
) -> impl Future<Output = Result<Value, CallError>> + Send + use<> {
    peer.call(Target::Object(object), method, args, Vec::new())
}

/// A string for people.
pub(super) fn name(value: &Value) -> Option<String> {
    value.as_text().map(|text| super::clean(&text))
}
