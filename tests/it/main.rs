//! Tests of parts together.

mod net;
