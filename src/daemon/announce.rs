//! Writes events to the master's log, in one line each. Text from outside is escaped, so it cannot
//! forge lines.

use tracing::{debug, error, info, warn};

use crate::botmaster::{
    BuildEvent, BuilderEvent, Event, InstanceEvent, IntakeEvent, LockUser, MasterEvent, SlaveEvent,
};

pub(super) fn announce(event: &Event) {
    match event {
        Event::Intake(event) => on_intake(event),
        Event::Build(event) => on_build(event),
        Event::Builder(event) => on_builder(event),
        Event::Slave(event) => on_slave(event),
        Event::Instance(event) => on_instance(event),
        Event::Master(event) => on_master(event),
    }
}

fn on_intake(event: &IntakeEvent) {
    match event {
        IntakeEvent::ChangeAdded(change) => info!(
            change = change.number.0,
            who = ?change.who,
            branch = ?change.branch,
            revision = ?change.revision,
            files = change.files.len(),
            files_left_out = change.files_left_out,
            "change accepted"
        ),
        IntakeEvent::SchedulerFailed { scheduler, why } => {
            warn!(%scheduler, "scheduler failed: {why}");
        }
        IntakeEvent::SetSubmitted(set) => info!(
            set = set.id.0,
            requests = set.requests.len(),
            changes = set.stamps.changes().count(),
            reason = ?set.reason,
            "build set submitted"
        ),
        IntakeEvent::FirstFailure { set } => {
            debug!(set = set.0, "first request of the build set failed")
        }
        IntakeEvent::SetFinished { set, result } => {
            info!(set = set.0, "build set finished: {result}")
        }
        IntakeEvent::RequestQueued { request, builder } => {
            debug!(request = request.0, %builder, "request queued");
        }
        IntakeEvent::RequestCancelled { request, why } => {
            info!(request = request.0, "request cancelled: {why}");
        }
        IntakeEvent::RequestFinished { request, result } => {
            debug!(request = request.0, "request finished: {result}");
        }
    }
}

fn on_build(event: &BuildEvent) {
    match event {
        BuildEvent::StartFailed {
            builder,
            slave,
            why,
        } => {
            warn!(%builder, %slave, "build failed to start: {why}");
        }
        BuildEvent::Started(start) => info!(
            builder = %start.builder,
            build = start.number.0,
            slave = %start.slave,
            requests = start.requests.len(),
            "build started"
        ),
        BuildEvent::LocksAwaited(wait) => info!(
            builder = %wait.builder,
            build = wait.number.0,
            "{wait}"
        ),
        BuildEvent::LocksGranted {
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
        BuildEvent::Interrupted {
            builder,
            number,
            reason,
        } => {
            let build = number.map(|number| number.0);
            info!(%builder, build, reason = ?reason, "stopping build");
        }
        BuildEvent::Finished {
            builder,
            number,
            text,
            ..
        } => {
            info!(%builder, build = number.0, "build finished: {}", text.join(" "));
        }
    }
}

fn on_builder(event: &BuilderEvent) {
    match event {
        BuilderEvent::State { builder, state } => debug!(%builder, "builder is {state}"),
        BuilderEvent::Paused {
            builder,
            pause: Some(pause),
        } => info!(%builder, by = %pause.by, reason = %pause.reason, "builder paused"),
        BuilderEvent::Paused {
            builder,
            pause: None,
        } => info!(%builder, "builder unpaused"),
        BuilderEvent::FailedConnect {
            builder,
            slave,
            why,
        } => {
            warn!(%builder, %slave, "builder failed to attach: {why}");
        }
        BuilderEvent::Point {
            builder,
            slave: Some(slave),
            what,
        } => debug!(%builder, %slave, "{}", what.as_str()),
        BuilderEvent::Point {
            builder,
            slave: None,
            what,
        } => debug!(%builder, "{}", what.as_str()),
        BuilderEvent::PingFailed { builder, slave } => {
            warn!(%builder, %slave, "slave did not answer a ping");
        }
        BuilderEvent::PingedLatent { builder, slave } => debug!(%builder, %slave, "ping latent"),
    }
}

fn on_slave(event: &SlaveEvent) {
    match event {
        SlaveEvent::Missing {
            slave, since, why, ..
        } => warn!(
            %slave,
            since = since.to_rfc3339(),
            why = ?why.as_deref().unwrap_or_default(),
            "slave missing"
        ),
        SlaveEvent::Connected { slave, address } => {
            info!(%slave, peer.addr = %address, "slave attached");
        }
        SlaveEvent::Lost { slave, why } => info!(%slave, "slave lost: {why}"),
        SlaveEvent::Refused {
            slave,
            address,
            why,
        } => {
            debug!(%slave, peer.addr = %address, "slave rejected: {why}");
        }
        SlaveEvent::Rejoins { slave, why } => warn!(
            %slave,
            "slave must reconnect after its builds: {}",
            why.escape_debug()
        ),
        SlaveEvent::HeldBack { slave, delay } => {
            warn!(%slave, delay_ms = delay.as_millis(), "slave gets no builds until the delay is over");
        }
        SlaveEvent::Paused {
            slave,
            pause: Some(pause),
        } => info!(%slave, by = %pause.by, reason = %pause.reason, "slave paused"),
        SlaveEvent::Paused { slave, pause: None } => info!(%slave, "slave unpaused"),
        SlaveEvent::Graceful {
            slave,
            graceful: true,
        } => info!(%slave, "graceful shutdown of slave requested"),
        SlaveEvent::Graceful {
            slave,
            graceful: false,
        } => info!(%slave, "graceful shutdown of slave cancelled"),
    }
}

fn on_instance(event: &InstanceEvent) {
    match event {
        InstanceEvent::Substantiating { builder, slave } => {
            info!(%builder, %slave, "a build waits for an instance");
        }
        InstanceEvent::Substantiated { builder, slave } => {
            debug!(%builder, %slave, "instance attached");
        }
        InstanceEvent::SubstantiateFailed {
            builder,
            slave,
            why,
        } => warn!(%builder, %slave, "{}", why.escape_debug()),
        InstanceEvent::Stopping { slave, why } => {
            info!(%slave, "stopping instance: {}", why.escape_debug());
        }
        InstanceEvent::Stopped { slave } => info!(%slave, "instance stopped"),
        InstanceEvent::StopFailed { slave, why, again } => error!(
            %slave,
            again_ms = again.as_millis(),
            "instance failed to stop: {}",
            why.escape_debug()
        ),
    }
}

fn on_master(event: &MasterEvent) {
    match event {
        MasterEvent::Reconfigured => info!("reconfigured"),
        MasterEvent::ShuttingDown { clean: true } => {
            info!("stopping: no new builds, waiting for running builds")
        }
        MasterEvent::ShuttingDown { clean: false } => {
            info!("stopping: no new builds, interrupting running builds")
        }
        MasterEvent::ShutdownCancelled => info!("stop cancelled"),
        MasterEvent::ExpressionFailed {
            place,
            expression,
            why,
            count: 1,
        } => warn!(?expression, "{place} failed: {}", why.escape_debug()),
        MasterEvent::ExpressionFailed {
            expression, count, ..
        } => warn!(
            ?expression,
            count, "the expression has failed several times"
        ),
    }
}
