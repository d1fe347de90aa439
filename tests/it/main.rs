//! x

mod sendchange;
