//! Slaves alone: what they leave to be settled, and what others hear of them.

use super::*;
use crate::botmaster::ask::SlaveWish;
use crate::botmaster::outcome::{Counted, Outcome};
use crate::botmaster::testing::{commands, out, outcomes};
use crate::botmaster::tests::config;

const SLAVE: SlaveIx = SlaveIx(0);
const A: BuilderIx = BuilderIx(0);
const B: BuilderIx = BuilderIx(1);
const SESSION: SessionId = SessionId(1);

/// One slave of builders "a" and "b".
struct One {
    roster: Roster,
    out: Out,
}

impl One {
    fn new() -> Self {
        let mut out = out(config(&[("a", &["s"]), ("b", &["s"])]));
        let mut roster = Roster::new(BTreeMap::new());
        assert_eq!(roster.add_slave(&mut out, SLAVE), None);
        let mut one = Self { roster, out };
        one.settle();
        one
    }

    /// One that is attached to both builders.
    fn attached() -> Self {
        let mut one = Self::new();
        let (roster, out) = (&mut one.roster, &mut one.out);
        roster.on_logged_in(out, SLAVE, SESSION, "here".to_owned());
        roster.on_described(out, SESSION, Arc::default());
        let made = Ok(vec!["a".into(), "b".into()]);
        roster.on_builder_list_answered(out, SESSION, made);
        for (builder, epoch) in roster.epochs(SLAVE) {
            for step in [Step::MasterSet, Step::Greeted] {
                let of = (SESSION, out.layout.builder_name(builder));
                roster.on_answered(out, of, step, epoch, true);
            }
        }
        assert!(roster.is_attached(SLAVE));
        one.settle();
        one
    }

    /// Settles what was touched; answers with the pairs.
    fn settle(&mut self) -> Vec<BuilderIx> {
        let mut pairs = Vec::new();
        while let Some((slave, builder)) = self.out.next_pair() {
            self.roster.settle_pair(&mut self.out, slave, builder);
            pairs.push(builder);
        }
        while let Some(slave) = self.out.next_slave() {
            self.roster.settle(&mut self.out, slave);
        }
        pairs
    }

    /// A build of "a" that has been accepted by the slave.
    fn build(&mut self, attempt: AttemptId) {
        assert!(self.roster.ping_for(&mut self.out, (SLAVE, A), attempt));
        let ping = PingId(self.roster.last_ping);
        let of = (SESSION, &"a".into());
        let out = &mut self.out;
        self.roster.on_ping_answered(out, of, ping, true, true);
        let (_, epoch) = self.roster.epochs(SLAVE)[0];
        let answered = self.roster.on_start_answered(out, of, epoch, true);
        assert_eq!(answered, Some((SLAVE, attempt)));
    }

    fn objects(&self) -> bool {
        self.roster.objections(SLAVE).next().is_some()
    }
}

#[test]
fn each_step_of_an_attachment_leaves_its_pair_to_be_settled_and_no_other() {
    let mut one = One::attached();
    assert_eq!(one.settle(), []);
    one.build(AttemptId(1));
    assert_eq!(one.settle(), [A]);
    assert!(one.roster.is_busy(SLAVE));
    let used_for = one.roster.used_for(SLAVE, A);
    assert_eq!(used_for, Some(Use::Building(AttemptId(1))));
    one.roster
        .on_build_finished(&mut one.out, (SLAVE, A), AttemptId(1));
    assert_eq!(one.settle(), [A]);
    assert!(!one.roster.is_busy(SLAVE) && one.roster.is_idle((SLAVE, A)));
}

#[test]
fn rows_4_and_18_others_hear_who_joins_and_what_is_lost() {
    let mut one = One::attached();
    let joined = outcomes(&mut one.out);
    assert!(
        matches!(
            joined[..],
            [
                Outcome::Connected(SLAVE),
                Outcome::Joined(A, Counted::Slave),
                Outcome::Joined(B, Counted::Slave),
                Outcome::Attached(SLAVE),
            ]
        ),
        "{joined:?}"
    );
    one.build(AttemptId(7));
    let pinged = outcomes(&mut one.out);
    assert!(matches!(pinged[..], [Outcome::Pinged(AttemptId(7))]));
    one.roster.on_lost(&mut one.out, SESSION, "gone");
    let lost = outcomes(&mut one.out);
    assert!(
        matches!(
            lost[..],
            [
                Outcome::Left(A, Counted::Slave),
                Outcome::BuildLost {
                    attempt: AttemptId(7),
                    ..
                },
                Outcome::Left(B, Counted::Slave),
                Outcome::Disconnected {
                    slave: SLAVE,
                    was_attached: true,
                    ..
                },
            ]
        ),
        "{lost:?}"
    );
    assert_eq!(one.settle(), [A, B]);
    assert!(!one.roster.is_busy(SLAVE));
}

#[test]
fn slv_08_a_graceful_shutdown_waits_for_the_build_and_needs_no_further_call() {
    let mut one = One::attached();
    one.build(AttemptId(1));
    one.roster.on_wants_shutdown(&mut one.out, SESSION);
    one.settle();
    let told_to_end = |one: &mut One| {
        let is_shutdown = |command: &Command| {
            let shutdown = SlaveCommand::Shutdown.to(SESSION);
            format!("{command:?}") == format!("{shutdown:?}")
        };
        commands(&mut one.out).iter().any(is_shutdown)
    };
    assert!(!told_to_end(&mut one) && one.objects());
    one.roster
        .on_build_finished(&mut one.out, (SLAVE, A), AttemptId(1));
    one.settle();
    assert!(told_to_end(&mut one));
}

#[test]
fn bld_04_each_objection_counts_alone() {
    let mut one = One::attached();
    assert!(!one.objects());
    let wish = |one: &mut One, wish| {
        let reply = crate::botmaster::ReplyId(1);
        one.roster.on_wish(&mut one.out, &"s".into(), wish, reply);
    };
    let (by, reason) = (String::new(), String::new());
    wish(&mut one, SlaveWish::Pause { by, reason });
    assert!(one.objects());
    wish(&mut one, SlaveWish::Unpause);
    assert!(!one.objects());
    for _ in 0..2 {
        one.roster.note_failed_start(&mut one.out, SLAVE, "why");
    }
    assert!(one.objects(), "it is held back");
    one.roster.on_hold_ended(&mut one.out, SLAVE);
    assert!(!one.objects());
}

#[test]
fn sb_23_a_late_answer_changes_nothing_and_leaves_a_trace() {
    let mut one = One::attached();
    commands(&mut one.out);
    let of = (SESSION, "a".into());
    let epoch = Epoch(1);
    one.roster
        .on_answered(&mut one.out, of, Step::Greeted, epoch, false);
    assert_eq!(one.settle(), []);
    let commands = commands(&mut one.out);
    let [Command::Unexpected { state, event, .. }] = commands[..] else {
        panic!("{commands:?}");
    };
    assert_eq!((state, event), ("idle", "greeted"));
}

#[test]
fn brc_05_a_builder_that_is_taken_away_leaves_when_its_build_has_ended() {
    let mut one = One::attached();
    one.build(AttemptId(1));
    let config = Arc::new(config(&[("b", &["s"])]));
    let relaid = one.out.layout.set_config(&config);
    assert_eq!(relaid.relinked, []);
    one.roster.part_and_meet(&mut one.out, SLAVE);
    one.settle();
    assert!(one.roster.used_for(SLAVE, A).is_some());
    one.roster
        .on_build_finished(&mut one.out, (SLAVE, A), AttemptId(1));
    one.settle();
    assert_eq!(one.roster.used_for(SLAVE, A), None);
    let uses: Vec<_> = one.roster.uses(SLAVE).collect();
    assert_eq!(uses, [(B, Use::Idle)]);
}
