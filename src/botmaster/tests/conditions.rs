//! Expressions of schedulers on changes (CFL-140 to CFL-142, CFL-157).

use super::*;
use crate::config::parse;
use crate::model::{Decision, Zone};

/// A scheduler for a builder of its own for each of `settings`, by name.
fn schedulers(settings: &[(&str, &str)]) -> Config {
    let mut text =
        "[[slaves]]\nname = \"s\"\ntype = \"local\"\n[factories.f]\nsteps = []\n".to_owned();
    for (name, settings) in settings {
        text += &format!(
            "[[builders]]\nname = \"{name}\"\nslaves = [\"s\"]\nfactory = \"f\"\n\
             [[schedulers]]\ntype = \"Scheduler\"\nname = \"{name}\"\nbranch = \"trunk\"\n\
             builders = [\"{name}\"]\n{settings}\n"
        );
    }
    parse(&text, "master.toml", &Ok(Zone::UTC)).unwrap().0
}

impl Harness {
    /// What each scheduler says of the change that was submitted last.
    fn decisions(&mut self) -> Vec<(String, Decision)> {
        let ops = self.out.drain(..).filter_map(|command| match command {
            Command::Persist { ops, .. } => Some(ops),
            _ => None,
        });
        let said = ops.flatten().find_map(|op| match op {
            Op::ChangeOffered { decisions, .. } => Some(decisions),
            _ => None,
        });
        let said = said.expect("a change was offered").into_iter();
        said.map(|(name, decision)| (name.to_string(), decision))
            .collect()
    }

    fn change_by(&mut self, who: &str) {
        let reply = self.new_reply();
        let change = NewChange {
            who: who.to_owned(),
            branch: Some("trunk".to_owned()),
            files: vec!["doc/a".to_owned()],
            ..NewChange::default()
        };
        let offer = Box::new(AdmittedOffer::of_one(change));
        self.input(Input::Offered { offer, reply });
    }
}

#[test]
fn cfl_140_141_and_157_a_change_passes_and_is_important_if_expressions_say_so() {
    let mut h = Harness::new(schedulers(&[
        ("bot", "filter = { when = \"change.who == 'bot'\" }"),
        ("others", "filter = { when = \"change.who != 'bot'\" }"),
        (
            "code",
            "important_if = \"change.files | outside('doc/**')\"",
        ),
        (
            "both",
            "filter = { who = \"ann\", when = \"change.who == 'bot'\" }",
        ),
    ]));
    h.out.clear();
    h.change_by("bot");
    let said = h.decisions();
    let words = said.iter().map(|(name, decision)| {
        let sentence = decision.sentence(Timestamp::to_rfc3339);
        format!("{name}: {sentence}")
    });
    assert_eq!(
        words.collect::<Vec<_>>(),
        [
            "bot: counted: built at once",
            "others: not counted: the filter's `when` is false",
            "code: unimportant: not built",
            "both: not counted: the filter rejects its author",
        ]
    );
}

#[test]
fn cfl_142_a_condition_that_fails_counts_for_its_scheduler_alone_and_is_on_record() {
    let mut h = Harness::new(schedulers(&[
        (
            "unsure",
            "important_if = \"change.properties.level + 1 > 1\"",
        ),
        (
            "failing",
            "filter = { when = \"change.properties.level + 1 > 1\" }",
        ),
        ("sure", ""),
    ]));
    h.out.clear();
    h.change_by("ann");
    let failed = h.out.iter().filter(|command| {
        matches!(
            command,
            Command::Announce(Event::Master(MasterEvent::ExpressionFailed { .. }))
        )
    });
    assert_eq!(failed.count(), 2, "{:?}", h.out);
    let said = h.decisions();
    let Decision::Failed { why } = said[1].1.clone() else {
        panic!("{said:?}");
    };
    assert!(
        why.contains("`change.properties.level` is not set"),
        "{why}"
    );
    assert_eq!(
        said,
        [
            ("unsure".to_owned(), Decision::Dropped),
            ("failing".to_owned(), Decision::Failed { why }),
            ("sure".to_owned(), Decision::BuiltAtOnce),
        ]
    );
    h.persisted();
    assert_eq!(h.queued("sure"), [1]);
    for other in ["unsure", "failing"] {
        assert!(h.queued(other).is_empty(), "{other}");
    }
}
