//! Builders that cannot be attached, and lists of builders that slaves refuse (row 5, SLV-03,
//! MAS-04).

use super::*;

impl Harness {
    /// Whether a slave was told its builders and has not answered.
    pub(super) fn has_list(&self) -> bool {
        let mut out = self.out.iter();
        out.any(|c| {
            matches!(
                c,
                Command::Slave {
                    what: SlaveCommand::SendBuilderList { .. },
                    ..
                }
            )
        })
    }

    /// Refuses the list of builders that a slave was told; answers what was in it.
    fn refuse_list(&mut self) -> Vec<String> {
        let (session, builders) = self.take_list().expect("a list was sent");
        let result = Err("no room".to_owned());
        self.input(SlaveInput::BuilderListAnswered { result }.of(session));
        builders.iter().map(|(name, _)| name.to_string()).collect()
    }

    /// What keeps a request from being built.
    fn obstacles(&self, request: u64) -> Vec<String> {
        let why = self.core.why(RequestId(request), &[]).unwrap();
        why.into_iter().map(|blocker| blocker.text).collect()
    }
}

/// A slave that runs a build of a, and is told of b.
fn busy_and_told() -> (Harness, Box<BuildPlan>) {
    let mut h = Harness::new(config(&[("a", &["s"])]));
    h.attach("s");
    h.change("a");
    let plan = h.run();
    h.told();
    h.reconfigure(config(&[("a", &["s"]), ("b", &["s"])]));
    (h, plan)
}

#[test]
fn row_5_a_builder_that_cannot_be_attached_later_costs_neither_builds_nor_the_connection() {
    for is_refused in [true, false] {
        let (mut h, plan) = busy_and_told();
        h.change("b");
        if is_refused {
            assert_eq!(h.refuse_list(), ["a", "b"]);
        } else {
            let (session, _) = h.take_list().unwrap();
            let result = Ok(vec!["a".into()]);
            h.input(SlaveInput::BuilderListAnswered { result }.of(session));
        }
        // The slave is told what is true now, so that it does what else was in the list.
        assert_eq!(h.answer_list(), ["a"]);
        let why = if is_refused {
            "no room"
        } else {
            "the slave made no object for it"
        };
        let tried = "1970-01-12T13:46:40.000Z, which is tried again at 1970-01-12T13:46:41.000Z";
        assert_eq!(
            h.obstacles(2),
            [format!(
                "slave s could not be attached to the builder at {tried}: {why}"
            )]
        );
        let told = h.told();
        assert!(
            !told.iter().any(|line| line.starts_with("drop")),
            "{told:?}"
        );
        h.finish(plan.build, Results::Success, None);
        h.change("a");
        h.run();
        h.told();
        h.pass(1);
        assert_eq!(h.answer_list(), ["a", "b"]);
        assert_eq!(h.run().builder.name.as_str(), "b");
    }
}

#[test]
fn row_5_what_cannot_be_attached_is_tried_again_after_growing_pauses() {
    let (mut h, _) = busy_and_told();
    h.refuse_list();
    h.answer_list();
    let mut at = Vec::new();
    for second in 1..=2000 {
        h.pass(1);
        if h.has_list() {
            at.push(second);
            assert_eq!(h.refuse_list(), ["a", "b"]);
            assert_eq!(h.answer_list(), ["a"]);
        }
    }
    assert_eq!(at, [1, 3, 7, 15, 31, 63, 127, 255, 511, 1023, 1623]);
}

#[test]
fn row_5_another_directory_is_tried_at_once() {
    let (mut h, _) = busy_and_told();
    h.refuse_list();
    h.answer_list();
    h.told();
    let mut other = config(&[("a", &["s"]), ("b", &["s"])]);
    builder_of(&mut other, 1).slavebuilddir = "elsewhere".to_owned();
    h.reconfigure(other);
    assert_eq!(h.answer_list(), ["a", "b"]);
    assert_eq!(h.core.attachments().len(), 2);
}

#[test]
fn row_5_of_several_builders_the_one_is_found_that_cannot_be_attached() {
    let builders: [(&str, &[&str]); 3] = [("a", &["s"]), ("b", &["s"]), ("c", &["s"])];
    let mut h = Harness::new(config(&builders));
    h.change("c");
    let session = h.log_in("s");
    h.describe(session);
    assert_eq!(h.refuse_list(), ["a", "b", "c"]);
    assert_eq!(h.refuse_list(), ["a"]);
    assert_eq!(h.answer_list(), ["b"]);
    assert_eq!(h.answer_list(), ["b", "c"]);
    assert!(!h.has_list());
    assert_eq!(h.run().builder.name.as_str(), "c");
    h.pass(1);
    assert_eq!(h.answer_list(), ["a", "b", "c"]);
    assert_eq!(h.core.attachments().len(), 3);
}

#[test]
fn bld_12_a_slave_that_can_be_attached_to_nothing_is_let_in_ever_less() {
    let mut h = Harness::new(config(&[("a", &["s"]), ("b", &["s"])]));
    h.change("b");
    let mut lists = 0;
    for _ in 0..120 {
        let session = h.log_in("s");
        let is_in = h.core.roster.slave_of(session).is_some();
        h.describe(session);
        assert_eq!(h.has_list(), is_in);
        if is_in {
            lists += 1;
            for told in [&["a", "b"] as &[_], &["a"], &["b"]] {
                assert_eq!(h.refuse_list(), told);
            }
            assert_eq!(h.core.roster.slave_of(session), None);
        }
        h.pass(1);
    }
    assert!((5..=10).contains(&lists), "{lists}");
    let obstacles = h.obstacles(1);
    let held = obstacles.iter().find(|text| text.contains("held back"));
    assert!(
        held.unwrap()
            .ends_with(": no builder could be attached: no room"),
        "{obstacles:?}"
    );
    h.pass(60);
    h.attach("s");
    h.run();
}

#[test]
fn slv_03_a_list_that_is_not_answered_ends_the_connection_when_the_builds_have_ended() {
    let (mut h, plan) = busy_and_told();
    h.pass(30);
    let told = h.told();
    assert!(
        !told.iter().any(|line| line.starts_with("drop")),
        "{told:?}"
    );
    h.change("a");
    h.pass(1000);
    assert_eq!(h.queued("a"), [2], "it gets no more builds");
    h.finish(plan.build, Results::Success, None);
    assert!(h.is_told("drop 1: it is to come again and get all its builders"));
    h.attach("s");
    h.run();
}

#[test]
fn a_list_that_is_answered_late_leaves_no_deadline_behind() {
    let ok = vec!["a".into(), "b".into()];
    for is_answered in [true, false] {
        // The build of a may end, although the slave has no use for a; b is being attached.
        let (mut h, plan) = busy_and_told();
        h.change("b");
        let (session, _) = h.take_list().unwrap();
        let result = Ok(ok.clone());
        h.input(SlaveInput::BuilderListAnswered { result }.of(session));
        let mut other = config(&[("b", &["s"])]);
        builder_of(&mut other, 0).slavebuilddir = "elsewhere".to_owned();
        h.reconfigure(other);
        let of_b =
            |(builder, epoch): (BuilderName, Epoch)| (builder.as_str() == "b").then_some(epoch);
        let epoch = h
            .attachments_of(session)
            .into_iter()
            .find_map(of_b)
            .unwrap();
        h.input(
            SlaveInput::MasterSet {
                builder: "b".into(),
                epoch,
                ok: false,
            }
            .of(session),
        );
        if is_answered {
            let result = Ok(ok.clone());
            h.input(SlaveInput::BuilderListAnswered { result }.of(session));
        }
        h.told();
        h.pass(100);
        let told = h.told();
        assert!(
            !told.iter().any(|line| line.starts_with("drop")),
            "{told:?}"
        );
        h.finish(plan.build, Results::Success, None);
        assert!(h.is_told("drop 1: it is to come again and get all its builders"));
    }
}

#[test]
fn a_slave_without_builders_that_refuses_that_is_sent_away() {
    let mut config = config(&[("b", &["t"])]);
    config.slaves.push(slave("s"));
    let mut h = Harness::new(config);
    let session = h.log_in("s");
    h.describe(session);
    assert_eq!(h.refuse_list(), [""; 0]);
    assert!(h.is_told("drop 1: it rejected its builders: no room"));
}
