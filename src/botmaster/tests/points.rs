//! Point events on builders (BLD-15): two runs that provoke them all.

use super::latent::make_latent;
use super::*;

impl Harness {
    /// The events on builders and slaves since the last look, in words.
    fn points(&mut self) -> Vec<String> {
        let events = self.out.drain(..).filter_map(|command| match command {
            Command::Announce(event) => point(&event),
            _ => None,
        });
        events.collect()
    }

    fn ask_ping(&mut self, builder: &str) {
        let (builder, reply) = (builder.into(), self.new_reply());
        self.input(Input::Asked {
            ask: Ask::Ping { builder },
            reply,
        });
    }
}

fn point(event: &Event) -> Option<String> {
    Some(match event {
        Event::Builder(BuilderEvent::Point {
            builder,
            slave,
            what,
        }) => match slave {
            Some(slave) => format!("{builder} {slave}: {}", what.as_str()),
            None => format!("{builder}: {}", what.as_str()),
        },
        Event::Slave(SlaveEvent::Connected { slave, .. }) => format!("{slave} is here"),
        Event::Slave(SlaveEvent::Lost { slave, .. }) => format!("{slave} is gone"),
        Event::Slave(SlaveEvent::Rejoins { slave, .. }) => format!("{slave} is to come again"),
        Event::Builder(BuilderEvent::FailedConnect { builder, slave, .. }) => {
            format!("{builder} {slave}: failed connect")
        }
        Event::Builder(BuilderEvent::PingFailed { builder, slave }) => {
            format!("{builder} {slave}: ping failed")
        }
        Event::Builder(BuilderEvent::PingedLatent { builder, slave }) => {
            format!("{builder} {slave}: ping latent")
        }
        Event::Instance(InstanceEvent::SubstantiateFailed { builder, slave, .. }) => {
            format!("{builder} {slave}: substantiate failed")
        }
        Event::Build(BuildEvent::Interrupted {
            builder,
            number,
            reason,
        }) => {
            let number = number.map_or_else(|| "?".to_owned(), |n| n.to_string());
            format!("{builder}/{number}: interrupt, {reason}")
        }
        Event::Master(MasterEvent::ShuttingDown { .. }) => "master shutdown".to_owned(),
        _ => return None,
    })
}

#[test]
fn bld_15_every_point_event_of_a_slave_with_a_connection() {
    let mut h = Harness::new(config(&[("a", &["s"]), ("b", &["s"])]));
    h.ask_ping("b");
    assert_eq!(h.points(), ["b: ping / no slave"]);

    let session = h.log_in("s");
    h.describe(session);
    let result = Ok(vec!["a".into()]);
    h.input(SlaveInput::BuilderListAnswered { result }.of(session));
    assert_eq!(h.points(), ["b s: failed connect"]);
    h.finish_attach(session);
    assert_eq!(h.answer_list(), ["a"]);
    assert_eq!(h.points(), ["a s: connect", "s is here"]);
    h.pass(1);
    h.answer_list();
    assert_eq!(h.points(), ["b s: connect"]);

    h.ask_ping("b");
    h.pong(true);
    assert_eq!(h.points(), ["b s: pinging", "b s: ping success"]);
    h.change("b");
    let plan = h.run();
    let reply = h.new_reply();
    h.input(Input::Asked {
        ask: Ask::StopBuild {
            builder: "b".into(),
            number: plan.number,
            reason: "enough".to_owned(),
        },
        reply,
    });
    h.persisted();
    assert_eq!(h.points(), ["b/0: interrupt, enough"]);
    h.finish(plan.build, Results::Exception, Some("enough"));

    h.ask_ping("a");
    h.pong(false);
    assert_eq!(
        h.points(),
        [
            "a s: pinging",
            "a s: ping failed",
            "a s: disconnect",
            "b s: disconnect",
            "s is gone"
        ]
    );
}

#[test]
fn bld_15_every_point_event_of_a_slave_that_becomes_latent() {
    let mut h = Harness::new(config(&[("a", &["s"]), ("b", &["s"])]));
    let mut other = config(&[("a", &["s"]), ("b", &["s"])]);
    make_latent(&mut other, 0, None);
    builder_of(&mut other, 0).description = "other".to_owned();
    h.reconfigure(other.clone());
    assert_eq!(
        h.points(),
        [
            "a: config updated",
            "a s: added latent",
            "b s: added latent"
        ]
    );
    h.ask_ping("b");
    assert_eq!(h.points(), ["b s: ping latent"]);
    h.change("b");
    h.persisted();
    h.input(Input::Instance {
        slave: "s".into(),
        instance: InstanceId(1),
        what: InstanceInput::Started {
            result: InstanceStart::Failed("no".to_owned()),
        },
    });
    assert_eq!(
        h.points(),
        ["b s: removing latent", "b s: substantiate failed"]
    );
    builder_of(&mut other, 1).slaves.clear();
    h.reconfigure(other);
    assert_eq!(h.points(), ["b: config updated", "b s: removing latent"]);
    h.input(Input::Shutdown { clean: true });
    assert_eq!(h.points(), ["master shutdown"]);
}
