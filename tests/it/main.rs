//! Tests of parts together.

mod buildslave;
mod buildslave_program;
mod net;
