//! x

mod net;
mod sendchange;
