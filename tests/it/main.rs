//! Tests of parts together.

mod net;
mod sendchange;
