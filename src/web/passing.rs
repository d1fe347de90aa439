//! What the core knows and nobody stores, but pages show: waits for locks, instances of latent
//! slaves, slaves that are held back. Pages hear that it has changed; it has neither a row nor a
//! number.

use crate::botmaster::{BuildEvent, Event, InstanceEvent, SlaveEvent};
use crate::control::News;
use crate::model::{BuildNumber, BuilderName, Facts, SlaveName};

/// What news are about that are not on record; nothing for all others, which pages hear of with
/// their numbers.
pub(super) fn facts(news: &News) -> Option<Facts> {
    let News::Event(event) = news else {
        return None;
    };
    match event {
        Event::Build(event) => of_build(event),
        Event::Slave(event) => of_slave(event),
        Event::Instance(event) => Some(of_instance(event)),
        Event::Intake(_) | Event::Builder(_) | Event::Master(_) => None,
    }
}

fn of_build(event: &BuildEvent) -> Option<Facts> {
    match event {
        BuildEvent::LocksAwaited(wait) => Some(build(&wait.builder, Some(wait.number))),
        BuildEvent::LocksGranted {
            builder, number, ..
        } => Some(build(builder, Some(*number))),
        BuildEvent::StartFailed { builder, slave, .. } => Some(Facts {
            slave: Some(slave.clone()),
            ..build(builder, None)
        }),
        BuildEvent::Started(_) | BuildEvent::Interrupted { .. } | BuildEvent::Finished { .. } => {
            None
        }
    }
}

fn of_slave(event: &SlaveEvent) -> Option<Facts> {
    match event {
        SlaveEvent::Missing { slave: name, .. }
        | SlaveEvent::Refused { slave: name, .. }
        | SlaveEvent::Rejoins { slave: name, .. }
        | SlaveEvent::HeldBack { slave: name, .. }
        | SlaveEvent::Graceful { slave: name, .. } => Some(slave(name)),
        SlaveEvent::Connected { .. } | SlaveEvent::Lost { .. } | SlaveEvent::Paused { .. } => None,
    }
}

fn of_instance(event: &InstanceEvent) -> Facts {
    match event {
        InstanceEvent::Substantiating {
            builder,
            slave: name,
        }
        | InstanceEvent::Substantiated {
            builder,
            slave: name,
        }
        | InstanceEvent::SubstantiateFailed {
            builder,
            slave: name,
            ..
        } => Facts {
            slave: Some(name.clone()),
            ..build(builder, None)
        },
        InstanceEvent::Stopping { slave: name, .. }
        | InstanceEvent::Stopped { slave: name }
        | InstanceEvent::StopFailed { slave: name, .. } => slave(name),
    }
}

fn build(builder: &BuilderName, number: Option<BuildNumber>) -> Facts {
    Facts {
        builder: Some(builder.clone()),
        build: number,
        ..Facts::default()
    }
}

fn slave(name: &SlaveName) -> Facts {
    Facts {
        slave: Some(name.clone()),
        ..Facts::default()
    }
}
