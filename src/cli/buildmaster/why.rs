//! `buildmaster why`: what a request waits for (MAS-10).

use std::process::ExitCode;

use serde::Deserialize;

use super::asking::answer;
use super::base_dir::Master;
use super::say;
use crate::control::Service;
use crate::model::RequestId;
use crate::text::{printable, printable_json};

/// Tell why a request waits: every blocker, since when, and who is in the way.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Why {
    #[command(flatten)]
    master: Master,
    /// Print one JSON object for each blocker instead of a sentence.
    #[arg(long)]
    json: bool,
    /// The request's number.
    request: u64,
}

#[derive(Debug, Deserialize)]
struct Sentence {
    text: String,
}

impl Why {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let request = RequestId(self.request);
        let blockers = answer(&self.master.basedir, Service::Why { request })?;
        let blockers: Vec<serde_json::Value> = serde_json::from_value(blockers)?;
        for blocker in blockers {
            if self.json {
                say(&printable_json(&blocker.to_string()));
            } else {
                let sentence: Sentence = serde_json::from_value(blocker)?;
                say(&printable(&sentence.text));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
