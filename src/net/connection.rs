//! The task that owns a socket and its broker.
