//! Programs that say whether a slave may take a build of a builder.

use super::*;
use crate::config::AskedProgram;

fn check(every: u64) -> AskedProgram {
    AskedProgram {
        command: vec!["check".to_owned()],
        every: Duration::from_secs(every),
        timeout: Duration::from_secs(10),
    }
}

/// Slaves "s" and "t" for builder "b" with this check.
fn checked_by(check: Option<AskedProgram>) -> Config {
    let mut config = config(&[("b", &["s", "t"])]);
    builder_of(&mut config, 0).slave_check = check;
    config
}

fn checked(every: u64) -> Config {
    checked_by(Some(check(every)))
}

impl Harness {
    /// The slaves that are asked about; the questions are forgotten.
    fn asked(&mut self) -> Vec<(CheckId, String)> {
        let mut asked = Vec::new();
        self.out.retain(|command| match command {
            Command::Check { check, what } => {
                asked.push((*check, what.slave.to_string()));
                false
            }
            _ => true,
        });
        asked
    }

    fn check_says(&mut self, check: CheckId, answer: CheckAnswer) {
        self.input(Input::Checked { check, answer });
    }

    fn blockers(&self, request: u64) -> Vec<(BlockerKind, String)> {
        let why = self.core.why(RequestId(request), &[]).unwrap();
        why.into_iter().map(|b| (b.kind, b.text)).collect()
    }
}

fn slaves(asked: &[(CheckId, String)]) -> Vec<&str> {
    asked.iter().map(|(_, slave)| slave.as_str()).collect()
}

#[test]
fn a_slave_is_asked_about_when_requests_wait_and_takes_a_build_after_a_yes() {
    let mut h = Harness::new(checked(60));
    h.attach("s");
    assert!(h.asked().is_empty(), "nothing waits");
    h.change("b");
    let asked = h.asked();
    assert_eq!(slaves(&asked), ["s"]);
    let since = "1970-01-12T13:46:40.000Z";
    let said = format!("slave s is asked about by the slave_check of builder b since {since}");
    assert!(
        h.blockers(1).contains(&(BlockerKind::SlaveCheck, said)),
        "{:?}",
        h.blockers(1)
    );
    h.change("b");
    assert!(h.asked().is_empty(), "it is asked about already");
    h.check_says(asked[0].0, CheckAnswer::Yes);
    let plan = h.run();
    assert_eq!(plan.slave.as_str(), "s");
    h.finish(plan.build, Results::Success, None);
    assert!(h.asked().is_empty(), "the answer still counts");
    assert!(h.queued("b").is_empty());
}

#[test]
fn a_no_and_a_failure_are_told_and_asked_again() {
    let mut h = Harness::new(checked(300));
    h.attach("s");
    h.change("b");
    let asked = h.asked();
    h.check_says(asked[0].0, CheckAnswer::No("the board is taken".to_owned()));
    let said = "slave s may not take it: the slave_check of builder b said no: the board is taken, asked again at \
                1970-01-12T13:51:40.000Z";
    assert_eq!(h.blockers(1)[0], (BlockerKind::SlaveCheck, said.to_owned()));
    let why = h.core.why(RequestId(1), &[]).unwrap();
    assert_eq!(why[0].until, Some(Timestamp::from_secs(1_000_300)));
    h.pass(299);
    assert!(h.asked().is_empty());
    h.pass(1);
    let asked = h.asked();
    assert_eq!(slaves(&asked), ["s"]);
    let said = "slave s may not take it: the slave_check of builder b said no: the board is taken, asked again since \
                1970-01-12T13:51:40.000Z";
    assert_eq!(h.blockers(1)[0].1, said);
    h.check_says(
        asked[0].0,
        CheckAnswer::Failed("it took too long".to_owned()),
    );
    let said = "slave s may not take it: the slave_check of builder b failed, which counts as no: it took too long, asked \
                again at 1970-01-12T13:52:40.000Z";
    assert_eq!(h.blockers(1)[0].1, said, "a failure counts for a minute");
    h.pass(60);
    let asked = h.asked();
    h.check_says(asked[0].0, CheckAnswer::Yes);
    assert_eq!(h.run().slave.as_str(), "s");
}

#[test]
fn an_old_answer_counts_until_the_next_or_is_forgotten() {
    let mut h = Harness::new(checked(60));
    h.attach("s");
    h.change("b");
    let asked = h.asked();
    h.check_says(asked[0].0, CheckAnswer::Yes);
    let plan = h.run();
    h.change("b");
    h.pass(60);
    assert!(h.asked().is_empty(), "it is busy");
    h.finish(plan.build, Results::Success, None);
    let asked = h.asked();
    assert_eq!(slaves(&asked), ["s"], "the answer was old");
    assert_eq!(h.queued("b"), [2]);
    h.check_says(asked[0].0, CheckAnswer::Yes);
    let plan = h.run();
    h.finish(plan.build, Results::Success, None);
    h.pass(3600);
    assert!(h.asked().is_empty(), "nothing waits");
    h.change("b");
    assert_eq!(slaves(&h.asked()), ["s"], "the answer is forgotten");
    assert_eq!(h.queued("b"), [3]);
}

#[test]
fn a_question_that_waits_is_in_nobodys_way() {
    let mut h = Harness::new(checked(60));
    h.attach("s");
    h.attach("t");
    h.change("b");
    let asked = h.asked();
    assert_eq!(slaves(&asked), ["s", "t"]);
    h.check_says(asked[1].0, CheckAnswer::Yes);
    assert_eq!(h.run().slave.as_str(), "t");
}

#[test]
fn another_check_is_asked_anew_and_late_answers_of_the_old_one_change_nothing() {
    let mut h = Harness::new(checked(60));
    h.attach("s");
    h.change("b");
    let old = h.asked();
    h.reconfigure(checked(30));
    let new = h.asked();
    assert_eq!(slaves(&new), ["s"]);
    h.check_says(old[0].0, CheckAnswer::Yes);
    assert_eq!(h.queued("b"), [1]);
    h.check_says(new[0].0, CheckAnswer::No(String::new()));
    assert_eq!(h.queued("b"), [1]);
    h.reconfigure(checked(30));
    assert!(h.asked().is_empty(), "nothing has changed");
    h.reconfigure(checked_by(None));
    assert_eq!(h.run().slave.as_str(), "s");
}

#[test]
fn a_slave_that_comes_again_as_another_is_asked_about_again() {
    let mut h = Harness::new(checked(60));
    let session = h.attach("s");
    h.change("b");
    let asked = h.asked();
    h.check_says(asked[0].0, CheckAnswer::No(String::new()));
    let gone = |h: &mut Harness, session: SessionId| {
        let why = "gone".to_owned();
        h.input(SlaveInput::Lost { why }.of(session));
    };
    gone(&mut h, session);
    let session = h.attach("s");
    assert!(h.asked().is_empty(), "it is the same still");
    gone(&mut h, session);
    let session = h.log_in("s");
    let info = BTreeMap::from([("version".to_owned(), "2".to_owned())]);
    h.input(SlaveInput::Described { info: info.into() }.of(session));
    h.attach_builders(session, vec!["b".into()]);
    assert_eq!(slaves(&h.asked()), ["s"]);
}
