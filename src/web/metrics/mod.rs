//! `/metrics`: what Prometheus reads.
//!
//! Gauges are made from the state and the snapshot of the core when they are read. Counters are
//! kept where they arise. The text is written here: it needs a few lines for each family, and the
//! usual library would bring families of its own, with locks in the hot path.

mod process;
mod text;

use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::{HeaderMap, StatusCode, header};

use self::process::Process;
use self::text::{Family, Kind, MOST_SERIES, OPEN_METRICS};
use super::answer;
use super::disk::disk;
use super::outlet::{Document, Outlet, Readers};
use super::page::Scene;
use super::pages::{Component, components};
use super::refusal::Refusal;
use super::vitals::Vitals;
use crate::model::{Results, Timestamp};
use crate::store::State;
use crate::view::{Builder, ChangeSource, Scheduler, Slave, Standing};

pub(super) const OUTLET: Outlet = Outlet {
    path: "/metrics",
    args: &[],
    readers: Readers::OfMetrics,
    show,
    refuse: Document::sentence,
};

fn show(state: &State, scene: &Scene) -> Result<Document, Refusal> {
    let mut families = vec![
        Family::new("buildmaster_info", Kind::Sum, "The program that runs.").with(
            &[
                ("version", scene.facts.version.as_str()),
                ("commit", option_env!("BUILDMASTER_COMMIT").unwrap_or("")),
            ],
            1.0,
        ),
        Family::new(
            "buildmaster_start_time_seconds",
            Kind::Sum,
            "When the master was started, in seconds since 1970.",
        )
        .with(&[], seconds(scene.facts.started_at)),
    ];
    families.extend(of_process(scene));
    families.extend(of_builders(state, scene)?);
    families.extend(of_slaves(state, scene)?);
    families.extend(of_schedulers(state, scene)?);
    families.extend(of_sources(state, scene)?);
    if let Some(vitals) = &scene.vitals {
        families.extend(of_counts(vitals));
        families.extend(of_steps(vitals));
        families.extend(of_parts(vitals, scene));
        families.extend(of_visits(vitals));
    }
    families.push(of_disk(state));
    families.extend(of_outbox(state, scene)?);
    families.push(of_health(&components(state, scene)?));
    let (text, is_too_much) = text::text(families);
    // Once is enough: the limit is exceeded again with each reading.
    if is_too_much && !SAID.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            "/metrics has more than {MOST_SERIES} series: the labels `builder` and `slave` are left out"
        );
    }
    Ok(Document::new(OPEN_METRICS, text))
}

/// The metrics as a plain text for those who do not ask for OpenMetrics, such as browsers.
pub(super) fn as_accepted(document: Document, asked: &HeaderMap) -> Document {
    let accepted = asked.get_all(header::ACCEPT).iter();
    let mut accepted = accepted.filter_map(|value| value.to_str().ok());
    let kind = match document.kind {
        OPEN_METRICS if !accepted.any(|value| value.contains("application/openmetrics-text")) => {
            answer::TEXT
        }
        kind => kind,
    };
    Document { kind, ..document }
}

/// Whether the log says already that there are too many series.
static SAID: AtomicBool = AtomicBool::new(false);

/// Why another machine does not get the metrics.
pub(super) const GUARDED: (StatusCode, &str) = (
    StatusCode::FORBIDDEN,
    "Only this machine and readers with a token may read the metrics, unless the table [web] has \
     metrics = \"open\".",
);

fn of_process(scene: &Scene) -> Vec<Family> {
    let process = Process::read();
    let mut families = Vec::new();
    let mut add = |name, kind, help, value: Option<f64>| {
        families.extend(value.map(|value| Family::new(name, kind, help).with(&[], value)));
    };
    let started = Some(seconds(scene.facts.started_at));
    add(
        "process_cpu_seconds",
        Kind::Counter,
        "Processor time.",
        process.cpu_secs,
    );
    add(
        "process_resident_memory_bytes",
        Kind::Sum,
        "Memory in use.",
        process.resident_bytes,
    );
    add(
        "process_virtual_memory_bytes",
        Kind::Sum,
        "Address space.",
        process.virtual_bytes,
    );
    add(
        "process_open_fds",
        Kind::Sum,
        "Open files and sockets.",
        process.open_files,
    );
    add(
        "process_max_fds",
        Kind::Sum,
        "Files and sockets allowed.",
        process.most_files,
    );
    add("process_threads", Kind::Sum, "Threads.", process.threads);
    add(
        "process_start_time_seconds",
        Kind::Sum,
        "When the process was started.",
        started,
    );
    families
}

fn of_builders(state: &State, scene: &Scene) -> Result<Vec<Family>, Refusal> {
    let mut running = Family::new("buildmaster_builds_running", Kind::Sum, "Builds that run.");
    let mut waiting = Family::new(
        "buildmaster_requests_waiting",
        Kind::Sum,
        "Requests that wait, by what is in the way of the first.",
    );
    let mut oldest = Family::new(
        "buildmaster_request_oldest_seconds",
        Kind::Greatest,
        "How long the oldest request has waited.",
    );
    for builder in Builder::all(Some(state), None, &scene.live, scene.moment())? {
        let name = ("builder", builder.name.as_str());
        running.count(&[name], number(builder.running.len()));
        let kind = scene.live.wait_kinds.get(&builder.name);
        let kind = kind.and_then(|kind| serde_json::to_value(kind).ok());
        let kind = kind.as_ref().and_then(|kind| kind.as_str());
        waiting.count(&[name, ("reason", kind.unwrap_or("none"))], builder.pending);
        let since = builder.pending_since.filter(|_| builder.pending > 0);
        let waited = since.map_or(0.0, |at| scene.since(at).as_secs_f64());
        oldest.add(&[name], waited);
    }
    let mut broken = Family::new(
        "buildmaster_builder_broken",
        Kind::Sum,
        "Whether the last build that says something failed.",
    );
    let mut since = Family::new(
        "buildmaster_builder_broken_since_seconds",
        Kind::Least,
        "When the builder broke, in seconds since 1970.",
    );
    for (builder, line) in Standing::all(state)? {
        let branch = line.branch.as_deref().unwrap_or_default();
        let labels = [("builder", builder.as_str()), ("branch", branch)];
        broken.count(&labels, u64::from(line.is_broken()));
        if line.is_broken() {
            since.add(&labels, seconds(line.since_at));
        }
    }
    Ok(vec![running, waiting, oldest, broken, since])
}

fn of_slaves(state: &State, scene: &Scene) -> Result<Vec<Family>, Refusal> {
    let mut connected = Family::new(
        "buildmaster_slave_connected",
        Kind::Sum,
        "Whether the slave is connected.",
    );
    let mut builds = Family::new(
        "buildmaster_slave_builds",
        Kind::Sum,
        "Builds on the slave.",
    );
    let mut paused = Family::new(
        "buildmaster_slave_paused",
        Kind::Sum,
        "Whether the slave is paused.",
    );
    let builders = Builder::all(Some(state), None, &scene.live, scene.moment())?;
    for slave in Slave::all(Some(state), None, &scene.live, scene.moment())? {
        let name = [("slave", slave.name.as_str())];
        let running = builders.iter().flat_map(|builder| &builder.running);
        let own = running.filter(|build| build.slave == slave.name);
        connected.count(&name, u64::from(slave.connected));
        builds.count(&name, number(own.count()));
        paused.count(&name, u64::from(slave.paused.is_some()));
    }
    Ok(vec![connected, builds, paused])
}

fn of_schedulers(state: &State, scene: &Scene) -> Result<Vec<Family>, Refusal> {
    let mut next = Family::new(
        "buildmaster_scheduler_next_run_seconds",
        Kind::Sum,
        "When the scheduler runs next by the clock, in seconds since 1970.",
    );
    let mut held = Family::new(
        "buildmaster_scheduler_held_changes",
        Kind::Sum,
        "Changes that wait in the scheduler.",
    );
    let configs = scene.config.schedulers.iter().map(AsRef::as_ref);
    for scheduler in Scheduler::all(Some(state), configs, scene.now)? {
        let name = [("scheduler", scheduler.name.as_str())];
        if let Some(at) = scheduler.next {
            next.add(&name, seconds(at));
        }
        let changes = scheduler.waiting.iter().map(|tree| tree.changes.len());
        held.count(&name, number(changes.sum()));
    }
    Ok(vec![next, held])
}

fn of_sources(state: &State, scene: &Scene) -> Result<Vec<Family>, Refusal> {
    let family = |name, kind, help| Family::new(name, kind, help);
    let mut changes = family(
        "buildmaster_source_changes",
        Kind::Counter,
        "Changes that sources have offered, by what became of them.",
    );
    let mut errors = family(
        "buildmaster_source_errors",
        Kind::Counter,
        "Errors of change sources.",
    );
    let mut failing = family(
        "buildmaster_source_failing",
        Kind::Sum,
        "Errors of the change source since its last success.",
    );
    let mut success = family(
        "buildmaster_source_success_seconds",
        Kind::Sum,
        "When the change source last succeeded, in seconds since 1970.",
    );
    for source in ChangeSource::all(Some(state), &scene.config.change_sources)? {
        let name = ("source", source.name.as_str());
        for (what, count) in [
            ("new", source.taken),
            ("known", source.known),
            ("dropped", source.dropped),
        ] {
            changes.count(&[name, ("became", what)], count);
        }
        errors.count(&[name], source.errors);
        failing.count(&[name], source.failing);
        if let Some(at) = source.last_success {
            success.add(&[name], seconds(at));
        }
    }
    Ok(vec![changes, errors, failing, success])
}

fn of_counts(vitals: &Vitals) -> Vec<Family> {
    let counts = &vitals.counts;
    let mut builds = Family::new("buildmaster_builds", Kind::Counter, "Builds that ended.");
    let mut took = Family::new(
        "buildmaster_build_seconds",
        Kind::Histogram,
        "How long builds took.",
    );
    let mut waited = Family::new(
        "buildmaster_build_wait_seconds",
        Kind::Histogram,
        "How long builds waited, from their first request to their beginning.",
    );
    for (builder, counts) in &counts.builders {
        let name = ("builder", builder.as_str());
        for result in Results::ALL {
            let count = counts.results[usize::from(result.number())];
            builds.count(&[name, ("result", result.as_str())], count);
        }
        took.durations(&[name], &counts.took);
        waited.durations(&[name], &counts.waited);
    }
    let mut connects = Family::new(
        "buildmaster_slave_connects",
        Kind::Counter,
        "How often the slave was attached.",
    );
    for (slave, count) in &counts.connects {
        connects.count(&[("slave", slave.as_str())], *count);
    }
    let mut lost = Family::new(
        "buildmaster_builds_lost",
        Kind::Counter,
        "Builds that were interrupted and are built again.",
    );
    for (slave, count) in &counts.lost {
        lost.count(&[("slave", slave.as_str())], *count);
    }
    let mut changes = Family::new("buildmaster_changes", Kind::Counter, "Changes accepted.");
    changes.count(&[("source", "pb")], counts.changes);
    vec![builds, took, waited, connects, lost, changes]
}

fn of_steps(vitals: &Vitals) -> Vec<Family> {
    let mut steps = Family::new("buildmaster_steps", Kind::Counter, "Steps that ended.");
    let mut took = Family::new(
        "buildmaster_step_seconds",
        Kind::Histogram,
        "How long steps took.",
    );
    for ((builder, step), counts) in &vitals.counts.steps {
        let names = [("builder", builder.as_str()), ("step", step.as_str())];
        for result in Results::ALL {
            let count = counts.results[usize::from(result.number())];
            if count > 0 {
                steps.count(&[names[0], names[1], ("result", result.as_str())], count);
            }
        }
        took.durations(&names, &counts.took);
    }
    vec![steps, took]
}

/// What the parts of the program count and measure.
fn of_parts(vitals: &Vitals, scene: &Scene) -> Vec<Family> {
    let mut letters = Family::new(
        "buildmaster_outbox_sent",
        Kind::Counter,
        "Attempts to send letters, by what they came to.",
    );
    for ((target, outcome), count) in &vitals.letters {
        letters.count(&[("target", target), ("outcome", outcome)], *count);
    }
    let mut logins = Family::new("buildmaster_logins", Kind::Counter, "Logins at a door.");
    let refused = scene.live.refused_connections;
    logins.count(&[("door", "pb"), ("outcome", "accepted")], vitals.logins);
    logins.count(&[("door", "pb"), ("outcome", "rejected")], refused);
    let counter = |name, help| Family::new(name, Kind::Counter, help);
    let gauge = |name, help| Family::new(name, Kind::Sum, help);
    let histogram = |name, help| Family::new(name, Kind::Histogram, help);
    let (written, lost) = vitals.log_bytes;
    vec![
        logins,
        letters,
        counter("buildmaster_log_bytes", "Bytes written to logs.").with_count(written),
        counter(
            "buildmaster_log_dropped_bytes",
            "Bytes that closed logs lack because they could not be written.",
        )
        .with_count(lost),
        histogram("buildmaster_store_commit_seconds", "How long commits took.")
            .with_durations(&vitals.commits),
        gauge("buildmaster_store_queue", "Writes that wait for a commit.")
            .with_count(number(vitals.waiting_ops)),
        histogram(
            "buildmaster_core_turn_seconds",
            "How long the core worked on a batch of events.",
        )
        .with_durations(&vitals.turns),
        gauge(
            "buildmaster_event_number",
            "The number of what happened last.",
        )
        .with_count(vitals.happened),
        gauge("buildmaster_event_streams", "Streams that are open.")
            .with_count(number(vitals.streams)),
        counter(
            "buildmaster_events_dropped",
            "Events that the counters of these metrics have missed.",
        )
        .with_count(vitals.counts.missed),
    ]
}

fn of_visits(vitals: &Vitals) -> Vec<Family> {
    let mut requests = Family::new(
        "buildmaster_http_requests",
        Kind::Counter,
        "Requests to the web that were answered.",
    );
    let mut took = Family::new(
        "buildmaster_http_seconds",
        Kind::Histogram,
        "How long it took until the head of the answer.",
    );
    for (route, visit) in &vitals.visits {
        for (status, count) in &visit.statuses {
            let status = status.to_string();
            requests.count(&[("route", route), ("status", &status)], *count);
        }
        took.durations(&[("route", route)], &visit.took);
    }
    vec![requests, took]
}

fn of_disk(state: &State) -> Family {
    let mut free = Family::new(
        "buildmaster_disk_free_bytes",
        Kind::Sum,
        "Bytes that are free where the state and the logs are.",
    );
    for (what, below) in [("state", ""), ("logs", "builders")] {
        // Without builds there are no logs.
        if let Some((bytes, _)) = disk(&state.basedir().join(below)) {
            free.add(&[("what", what)], bytes);
        }
    }
    free
}

fn of_outbox(state: &State, scene: &Scene) -> Result<Vec<Family>, Refusal> {
    let mut waiting = Family::new(
        "buildmaster_outbox_waiting",
        Kind::Sum,
        "Letters that wait to be sent.",
    );
    let mut oldest = Family::new(
        "buildmaster_outbox_oldest_seconds",
        Kind::Greatest,
        "How long the oldest of them has waited.",
    );
    let mut dead = Family::new(
        "buildmaster_outbox_dead",
        Kind::Sum,
        "Letters that could not be sent.",
    );
    for row in state.outbox()? {
        let target = ("target", row.target.as_str());
        waiting.count(&[target], row.waiting);
        dead.count(&[target], row.dead);
        if let Some(at) = row.oldest {
            oldest.add(&[target], scene.since(at).as_secs_f64());
        }
    }
    Ok(vec![waiting, oldest, dead])
}

fn of_health(components: &[Component]) -> Family {
    let mut health = Family::new(
        "buildmaster_health",
        Kind::Greatest,
        "How a part of the master is: 0 ok, 1 degraded, 2 failing.",
    );
    for component in components {
        let state = u64::from(component.state.number());
        health.count(&[("component", &component.name)], state);
    }
    health
}

/// A time in seconds since 1970.
#[expect(clippy::cast_precision_loss, reason = "seconds are few enough")]
fn seconds(at: Timestamp) -> f64 {
    at.0 as f64 / 1e6
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
