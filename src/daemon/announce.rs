//! Writes events to the master's log.

use tracing::{debug, error, info, warn};

use crate::botmaster::{Event, LockUser};

/// Writes one line about `event`. Text from outside is escaped, so it cannot forge lines.
pub(super) fn announce(event: &Event) {
    match event {
        Event::ChangeAdded(change) => info!(
            change = change.number.0,
            who = ?change.who,
            branch = ?change.branch,
            revision = ?change.revision,
            files = change.files.len(),
            files_left_out = change.files_left_out,
            "change accepted"
        ),
        Event::SchedulerFailed { scheduler, why } => {
            warn!(%scheduler, "scheduler failed: {why}");
        }
        Event::SetSubmitted(set) => info!(
            set = set.id.0,
            requests = set.requests.len(),
            changes = set.stamp.changes.len(),
            reason = ?set.reason,
            "build set submitted"
        ),
        Event::FirstFailure { set } => debug!(set = set.0, "first request of the build set failed"),
        Event::SetFinished { set, result } => info!(set = set.0, "build set finished: {result}"),
        Event::RequestQueued { request, builder } => {
            debug!(request = request.0, %builder, "request queued");
        }
        Event::RequestCancelled { request, why } => {
            info!(request = request.0, "request cancelled: {why}");
        }
        Event::RequestFinished { request, result } => {
            debug!(request = request.0, "request finished: {result}");
        }
        Event::SlaveMissing {
            slave, since, why, ..
        } => warn!(
            %slave,
            since = since.to_rfc3339(),
            why = ?why.as_deref().unwrap_or_default(),
            "slave missing"
        ),
        Event::StartFailed {
            builder,
            slave,
            why,
        } => {
            warn!(%builder, %slave, "build failed to start: {why}");
        }
        Event::BuildStarted(start) => info!(
            builder = %start.builder,
            build = start.number.0,
            slave = %start.slave,
            requests = start.requests.len(),
            "build started"
        ),
        Event::LocksAwaited(wait) => info!(
            builder = %wait.builder,
            build = wait.number.0,
            "{wait}"
        ),
        Event::LocksGranted {
            builder,
            number,
            user,
        } => {
            let step = match user {
                LockUser::Build => "",
                LockUser::Step { name, .. } => name,
            };
            debug!(%builder, build = number.0, step, "locks granted");
        }
        Event::BuildInterrupted {
            builder,
            number,
            reason,
        } => {
            let build = number.map(|number| number.0);
            info!(%builder, build, reason = ?reason, "stopping build");
        }
        Event::BuildFinished {
            builder,
            number,
            text,
            ..
        } => {
            info!(%builder, build = number.0, "build finished: {}", text.join(" "));
        }
        Event::BuilderState { builder, state } => debug!(%builder, "builder is {state}"),
        Event::SlaveConnected { slave, address } => {
            info!(%slave, peer.addr = %address, "slave attached");
        }
        Event::SlaveLost { slave, why } => info!(%slave, "slave lost: {why}"),
        Event::SlaveRefused {
            slave,
            address,
            why,
        } => {
            debug!(%slave, peer.addr = %address, "slave rejected: {why}");
        }
        Event::FailedConnect {
            builder,
            slave,
            why,
        } => {
            warn!(%builder, %slave, "builder failed to attach: {why}");
        }
        Event::SlaveRejoins { slave, why } => warn!(
            %slave,
            "slave must reconnect after its builds: {}",
            why.escape_debug()
        ),
        Event::OnBuilder {
            builder,
            slave: Some(slave),
            what,
        } => debug!(%builder, %slave, "{}", what.as_str()),
        Event::OnBuilder {
            builder,
            slave: None,
            what,
        } => debug!(%builder, "{}", what.as_str()),
        Event::PingFailed { builder, slave } => {
            warn!(%builder, %slave, "slave did not answer a ping");
        }
        Event::SlaveHeldBack { slave, delay } => {
            warn!(%slave, delay_ms = delay.as_millis(), "slave gets no builds until the delay is over");
        }
        Event::Substantiating { builder, slave } => {
            info!(%builder, %slave, "starting instance");
        }
        Event::Substantiated { builder, slave } => {
            debug!(%builder, %slave, "instance attached");
        }
        Event::SubstantiateFailed {
            builder,
            slave,
            why,
        } => warn!(%builder, %slave, "{}", why.escape_debug()),
        Event::InstanceStopping { slave, why } => {
            info!(%slave, "stopping instance: {}", why.escape_debug());
        }
        Event::InstanceStopped { slave } => info!(%slave, "instance stopped"),
        Event::InstanceStopFailed { slave, why, again } => error!(
            %slave,
            again_ms = again.as_millis(),
            "instance failed to stop: {}",
            why.escape_debug()
        ),
        Event::PingedLatent { builder, slave } => debug!(%builder, %slave, "ping latent"),
        Event::SlavePaused {
            slave,
            pause: Some(pause),
        } => info!(%slave, by = %pause.by, reason = %pause.reason, "slave paused"),
        Event::SlavePaused { slave, pause: None } => info!(%slave, "slave unpaused"),
        Event::SlaveGraceful {
            slave,
            graceful: true,
        } => info!(%slave, "graceful shutdown of slave requested"),
        Event::SlaveGraceful {
            slave,
            graceful: false,
        } => info!(%slave, "graceful shutdown of slave cancelled"),
        Event::Reconfigured => info!("reconfigured"),
        Event::ShuttingDown { clean: true } => {
            info!("stopping: no new builds, waiting for running builds")
        }
        Event::ShuttingDown { clean: false } => {
            info!("stopping: no new builds, interrupting running builds")
        }
        Event::ShutdownCancelled => info!("stop cancelled"),
    }
}
