//! The command of the configuration that lists people (WHO-05): runs it when its last answer is
//! old, and keeps the answer in the state. When it fails, the last answer stays.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, warn};

use crate::config::{AskedProgram, Config, PeopleLookup};
use crate::control::Control;
use crate::net::Tasks;
use crate::people::parse_listed;
use crate::process;

/// Maximum number of bytes of an answer.
const LARGEST: usize = 8 << 20;

/// Keeps whom the command lists, until the master stops.
pub(super) async fn run(control: Control, mut config: watch::Receiver<Arc<Config>>, tasks: Tasks) {
    let work = async {
        let mut complaint = None;
        loop {
            let lookup = config.borrow_and_update().people_lookup.clone();
            let mut due = None;
            if let Some(program) = &lookup.program {
                let result = look(&control, program).await;
                due = Some(Instant::now() + program.wait(result.is_ok()));
                complain(&mut complaint, result.err());
            } else if let Err(why) = control.people_listed(Vec::new()).await {
                complain(&mut complaint, Some(why));
            }
            if !wait(&mut config, due, &lookup).await {
                return;
            }
        }
    };
    tokio::select! {
        biased;
        () = tasks.stopping() => {}
        () = work => {}
    }
}

/// Waits until the answer is old, or another command is to be run; false at the end of the master.
async fn wait(
    config: &mut watch::Receiver<Arc<Config>>,
    due: Option<Instant>,
    lookup: &PeopleLookup,
) -> bool {
    loop {
        let changed = tokio::select! {
            biased;
            changed = config.changed() => changed,
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                return true;
            }
        };
        if changed.is_err() {
            return false;
        }
        if config.borrow().people_lookup != *lookup {
            return true;
        }
    }
}

/// Runs the command and keeps its answer.
async fn look(control: &Control, program: &AskedProgram) -> Result<(), String> {
    let listed = process::ask(&program.command, None, program.timeout, LARGEST).await?;
    let people = parse_listed(&listed)?;
    debug!(people = people.len(), "the command has listed people");
    control.people_listed(people).await
}

/// Logs why people are not known, once.
fn complain(last: &mut Option<String>, why: Option<String>) {
    if let Some(why) = why.as_ref().filter(|why| last.as_ref() != Some(*why)) {
        warn!(
            "the command of [people] has not listed people, so those of its last answer count: {why}"
        );
    }
    *last = why;
}
