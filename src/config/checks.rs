//! What the parts of a configuration have to do with each other (MAS-02).

use std::sync::Arc;

use super::address::Listen;
use super::builders::BuilderConfig;
use super::change_sources::slave_port::SlavePort;
use super::needs::{Need, Needed};
use super::reader::Sink;
use super::schedulers::Builders;
use super::slaves::{SlaveConfig, SlaveKind};

/// Slaves that connect need a port to connect to.
pub(super) fn slaves_find_the_master(
    sink: &Sink<'_>,
    slaves: &[Arc<SlaveConfig>],
    port: &SlavePort<'_, '_>,
) {
    let place = |slave: &SlaveConfig| {
        let place = port.slaves.place(slave.name.as_str()).cloned();
        place.unwrap_or_default()
    };
    if !port.is_given {
        let mut slaves = slaves.iter();
        if let Some(remote) = slaves.find(|slave| slave.kind != SlaveKind::Local) {
            let message = format!("slave `{}` has no port to connect to", remote.name);
            let help = "add `slave_port = 9989` at the top of the file, or `type = \"local\"` to the slave";
            sink.missing(place(remote), message, help);
        }
    }
    let has_tcp = port.listens.iter().any(|l| matches!(l, Listen::Tcp(_)));
    if !has_tcp && !port.listens.is_empty() {
        let lost = |s: &&Arc<SlaveConfig>| {
            let address = s.kind.latent().map(|latent| &latent.master);
            address.is_some_and(|master| master.as_ref().is_none_or(|m| m.port.is_none()))
        };
        if let Some(slave) = slaves.iter().find(lost) {
            let message = format!("slave `{}` has no TCP port to connect to", slave.name);
            let help = "give `slave_port` a port, or the slave `master = \"HOST:PORT\"`";
            sink.error(place(slave), message, help);
        }
    }
}

/// A builder that nothing starts is an error in Buildbot, a warning here (MAS-02). Where there are
/// errors, it may well be a consequence of one.
pub(super) fn builders_are_started(sink: &Sink<'_>, builders: &Builders<'_>) {
    if sink.has_errors() {
        return;
    }
    for (name, place) in builders.names.iter() {
        if !builders.scheduled.contains(name) {
            let message = format!("no scheduler starts builder `{name}`");
            let help = "add it to the `builders` of a scheduler, unless you only force its builds";
            sink.warning(place.clone(), message, help);
        }
    }
}

/// Slaves on this machine run the master's own programs.
pub(super) fn note_programs(
    sink: &Sink<'_>,
    slaves: &[Arc<SlaveConfig>],
    builders: &[Arc<BuilderConfig>],
    names: &Builders<'_>,
) {
    for builder in builders {
        let is_here = |slave: &&Arc<SlaveConfig>| slave.kind.is_here();
        let mut here = slaves.iter().filter(is_here);
        let slave = here.find(|slave| builder.slaves.contains(&slave.name));
        let place = names.names.place(builder.name.as_str());
        let (Some(slave), Some(place)) = (slave, place) else {
            continue;
        };
        let steps = builder.factory.steps.iter();
        let programs = steps.filter(|_| !builder.env.may_have("PATH"));
        let mut programs: Vec<_> = programs.filter_map(|step| step.program()).collect();
        programs.sort_unstable();
        programs.dedup();
        for (kind, program) in programs {
            sink.need(Need {
                owner: format!("builder `{}`", builder.name),
                what: Needed::Program {
                    program: program.to_owned(),
                    otherwise: format!(
                        "its {kind} step fails on slave `{}`, which runs on this machine",
                        slave.name
                    ),
                    help: format!("install {program}, or give the builder slaves that have it"),
                },
                span: place.clone(),
            });
        }
    }
}
