//! The forms that times and durations have in JSON.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serializer;

use crate::model::{Remaining, Timestamp};

/// A time as RFC 3339 text; null for one that has no such text.
///
/// # Errors
/// The serializer fails.
pub fn time<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    match DateTime::<Utc>::from_timestamp_micros(at.0) {
        Some(_) => to.serialize_str(&at.to_rfc3339()),
        None => to.serialize_none(),
    }
}

/// A time as RFC 3339 text; null if it is absent.
///
/// # Errors
/// The serializer fails.
pub fn time_if_any<S: Serializer>(at: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => time(at, to),
        None => to.serialize_none(),
    }
}

/// A duration in seconds; null if it is absent.
///
/// # Errors
/// The serializer fails.
pub fn seconds_if_any<S: Serializer>(took: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    match took {
        Some(took) => to.serialize_f64(took.as_secs_f64()),
        None => to.serialize_none(),
    }
}

/// Seconds that remain, below zero for what is overdue; null if that is unknown.
///
/// # Errors
/// The serializer fails.
pub fn remaining_if_any<S: Serializer>(
    remaining: &Option<Remaining>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match remaining {
        Some(Remaining(seconds)) => to.serialize_f64(*seconds),
        None => to.serialize_none(),
    }
}
