//! `buildmaster`: a continuous-integration master faithful to the Buildbot architecture.

pub mod botmaster;
pub mod build;
pub mod cli;
pub mod config;
pub mod logs;
pub mod model;
pub mod net;
pub mod pb;
pub mod protocol;
pub mod schedulers;
pub mod store;
