//! News become notices, each once, in the order in which clients need them.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use super::*;
use crate::model::journal::{BuildStart, StepFinish, StepStart};
use crate::model::{BuildNumber, Forecast, Properties, SlaveName};
use crate::store::read::StepRow;

const SET: SetId = SetId(1);
const A: RequestId = RequestId(1);
const B: RequestId = RequestId(2);

fn followed() -> Tracked {
    let mut tracked = Tracked::default();
    tracked.follow(&BuildSet {
        id: SET,
        external_id: None,
        scheduler: Some("try".into()),
        stamps: Arc::default(),
        reason: "'try' job".to_owned(),
        properties: Arc::default(),
        submitted_at: Timestamp(0),
        priority: 0,
        requests: vec![(A, "a".into()), (B, "b".into())],
        parent: None,
    });
    tracked
}

fn real(build: u64) -> BuildKey {
    BuildKey::Real(BuildId(build))
}

fn hear(tracked: &mut Tracked, event: Event) -> Vec<Notice> {
    tracked.on_news(&News::Event(event), Timestamp(9))
}

fn started(tracked: &mut Tracked, build: u64, requests: &[RequestId]) -> Vec<Notice> {
    let start = BuildStart {
        build: BuildId(build),
        builder: "a".into(),
        number: BuildNumber(build),
        builddir: "a".to_owned(),
        slave: SlaveName::from("s"),
        requests: requests.to_vec(),
        choice: "no other slave was idle".to_owned(),
        at: Timestamp(5),
        ..BuildStart::default()
    };
    hear(tracked, Event::Build(BuildEvent::Started(Arc::new(start))))
}

fn ended(tracked: &mut Tracked, build: u64, result: Results) -> Vec<Notice> {
    let event = Event::Build(BuildEvent::Finished {
        build: BuildId(build),
        builder: "a".into(),
        number: BuildNumber(build),
        result,
        text: vec!["text".to_owned()],
    });
    hear(tracked, event)
}

fn done(tracked: &mut Tracked, request: RequestId, result: Results) -> Vec<Notice> {
    hear(
        tracked,
        Event::Intake(IntakeEvent::RequestFinished { request, result }),
    )
}

fn outcome(tracked: &Tracked, key: BuildKey) -> Outcome {
    let build = tracked.build(key).unwrap();
    assert!(build.is_over);
    build.outcome.clone().unwrap()
}

fn step(build: u64, index: u32) -> News {
    News::Build(Op::StepStarted(StepStart {
        build: BuildId(build),
        index,
        name: format!("step {index}"),
        text: Vec::new(),
        waits: false,
        at: Timestamp(6),
    }))
}

#[test]
fn prg_01_a_step_that_waits_for_its_locks_does_not_work_yet() {
    let mut tracked = followed();
    started(&mut tracked, 7, &[A]);
    let News::Build(Op::StepStarted(StepStart {
        build,
        index,
        name,
        text,
        at,
        ..
    })) = step(7, 0)
    else {
        panic!("a step");
    };
    let waits = true;
    let op = Op::StepStarted(StepStart {
        build,
        index,
        name,
        text,
        waits,
        at,
    });
    tracked.on_news(&News::Build(op), at);
    let since = |tracked: &Tracked| tracked.build(real(7)).unwrap().steps()[0].working_since;
    assert_eq!(since(&tracked), None);
    let at = Timestamp(8);
    tracked.on_news(&News::Build(Op::StepHasLocks { build, index, at }), at);
    assert_eq!(since(&tracked), Some(at));
}

fn step_end(build: u64, index: u32) -> News {
    News::Build(Op::StepFinished(StepFinish {
        build: BuildId(build),
        index,
        result: Results::Success,
        text: Vec::new(),
        outcome: Box::default(),
        at: Timestamp(7),
    }))
}

#[test]
fn tup_03_a_set_is_followed_to_its_end() {
    let mut tracked = followed();
    assert_eq!(
        started(&mut tracked, 7, &[A]),
        [Notice::NewBuild(A, real(7))]
    );
    let at = Timestamp(0);
    let began = tracked.on_news(&step(7, 0), at);
    assert_eq!(began, [Notice::StepStarted(real(7), 0)]);
    let over = tracked.on_news(&step_end(7, 0), at);
    assert_eq!(over, [Notice::StepFinished(real(7), 0)]);
    let over = ended(&mut tracked, 7, Results::Success);
    assert_eq!(over, [Notice::BuildOver(real(7))]);
    assert_eq!(done(&mut tracked, A, Results::Success), []);
    assert_eq!(outcome(&tracked, real(7)).result, Results::Success);
    started(&mut tracked, 8, &[B]);
    ended(&mut tracked, 8, Results::Failure);
    let result = Results::Failure;
    let over = hear(
        &mut tracked,
        Event::Intake(IntakeEvent::SetFinished { set: SET, result }),
    );
    assert_eq!(over, [Notice::SetOver(SET)]);
    assert_eq!(tracked.open_sets(), []);
}

#[test]
fn builds_of_others_are_nothing_to_a_client() {
    let mut tracked = followed();
    assert_eq!(started(&mut tracked, 7, &[RequestId(99)]), []);
    assert_eq!(tracked.on_news(&step(7, 0), Timestamp(0)), []);
    assert_eq!(ended(&mut tracked, 7, Results::Success), []);
    assert!(tracked.build(real(7)).is_none());
}

#[test]
fn a_build_that_serves_two_requests_is_told_to_both() {
    let mut tracked = followed();
    let new = started(&mut tracked, 7, &[A, B]);
    assert_eq!(
        new,
        [Notice::NewBuild(A, real(7)), Notice::NewBuild(B, real(7))]
    );
    assert_eq!(ended(&mut tracked, 7, Results::Warnings).len(), 1);
}

#[test]
fn a_build_that_is_repeated_is_not_the_end_of_its_request() {
    let mut tracked = followed();
    started(&mut tracked, 7, &[A]);
    assert_eq!(ended(&mut tracked, 7, Results::Retry), []);
    assert!(!tracked.build(real(7)).unwrap().is_over);
    assert_eq!(
        started(&mut tracked, 8, &[A]),
        [Notice::NewBuild(A, real(8))]
    );
    let over = ended(&mut tracked, 8, Results::Success);
    assert_eq!(over, [Notice::BuildOver(real(8))]);
}

#[test]
fn bui_14_a_request_that_has_lost_too_many_slaves_ends_with_its_last_build() {
    let mut tracked = followed();
    started(&mut tracked, 7, &[A]);
    ended(&mut tracked, 7, Results::Retry);
    let over = done(&mut tracked, A, Results::Exception);
    assert_eq!(over, [Notice::BuildOver(real(7))]);
    assert_eq!(outcome(&tracked, real(7)).result, Results::Exception);
}

#[test]
fn a_cancelled_request_has_a_build_in_its_place() {
    let mut tracked = followed();
    let why = "cancelled".to_owned();
    hear(
        &mut tracked,
        Event::Intake(IntakeEvent::RequestCancelled { request: A, why }),
    );
    let instead = BuildKey::Instead(A);
    let told = done(&mut tracked, A, Results::Failure);
    assert_eq!(
        told,
        [Notice::NewBuild(A, instead), Notice::BuildOver(instead)]
    );
    let outcome = outcome(&tracked, instead);
    assert!(outcome.is_cancelled);
    assert_eq!(outcome.result, Results::Exception);
    assert_eq!(outcome.text, ["cancelled"]);
    assert_eq!(done(&mut tracked, A, Results::Failure), []);
}

#[test]
fn sb_09_a_refused_job_is_a_failed_request_that_says_why() {
    let mut tracked = followed();
    for why in ["first", "second"] {
        let set = tracked.refuse("refused", why);
        let (request, builder) = tracked.set(set).unwrap().requests[0].clone();
        assert_eq!(builder.as_str(), "refused");
        let build = tracked.request(request).unwrap().build.unwrap();
        assert_eq!(outcome(&tracked, build).text, [why]);
        assert_eq!(outcome(&tracked, build).result, Results::Failure);
    }
    assert_eq!(tracked.open_sets(), [SET]);
}

/// What is on disk: the first request has this build, with a step, the other nothing.
fn on_disk(
    build: Option<(u64, Option<Results>)>,
    finished: Option<Results>,
) -> (SetRow, Vec<(RequestRow, Option<BuildRow>)>) {
    let at = Timestamp(9);
    let row = |id, build| RequestRow {
        id,
        set: SET,
        builder: "a".into(),
        reason: String::new(),
        submitted_at: at,
        priority: 0,
        build,
        merged_into: None,
        retries: 0,
        start_count: 0,
        finished: finished.map(|result| (result, at)),
        why: None,
    };
    let build = build.map(|(id, result)| BuildRow {
        id: BuildId(id),
        builder: "a".into(),
        number: BuildNumber(id),
        slave: SlaveName::from("s"),
        requests: vec![A],
        reason: String::new(),
        changes: Vec::new(),
        blamelist: Vec::new(),
        started_at: at,
        finished_at: result.map(|_| at),
        result,
        text: Vec::new(),
        news: None,
        steps: vec![StepRow {
            name: "step".to_owned(),
            started_at: at,
            working_since: Some(at),
            finished_at: None,
            result: None,
            text: Vec::new(),
            logs: Vec::new(),
            links: Vec::new(),
            counts: BTreeMap::new(),
            outcome: None,
        }],
        stop_reason: None,
        properties: Properties::new(),
        forecast: Forecast::default(),
        choice: "no other slave was idle".to_owned(),
        planned: vec![],
    });
    let set = SetRow {
        id: SET,
        external_id: None,
        scheduler: Some("try".into()),
        reason: String::new(),
        submitted_at: at,
        finished: finished.map(|result| (result, at)),
        properties: Properties::new(),
        requests: vec![(A, "a".into()), (B, "b".into())],
        parent: None,
    };
    let number = build.as_ref().map(|build| build.number);
    (set, vec![(row(A, number), build), (row(B, None), None)])
}

#[test]
fn what_was_missed_is_found_on_disk_and_told_once() {
    let mut tracked = followed();
    let (set, requests) = on_disk(Some((7, None)), None);
    let told = tracked.restore(&set, requests.clone());
    assert_eq!(told, [Notice::NewBuild(A, real(7))]);
    assert_eq!(tracked.build(real(7)).unwrap().steps().len(), 1);
    assert_eq!(tracked.restore(&set, requests), []);
    // The news of it come late.
    assert_eq!(started(&mut tracked, 7, &[A]), []);
    assert_eq!(tracked.on_news(&step(7, 0), Timestamp(0)), []);
    let (set, requests) = on_disk(Some((7, Some(Results::Success))), Some(Results::Success));
    let instead = BuildKey::Instead(B);
    assert_eq!(
        tracked.restore(&set, requests),
        [
            Notice::BuildOver(real(7)),
            Notice::NewBuild(B, instead),
            Notice::BuildOver(instead),
            Notice::SetOver(SET)
        ]
    );
}

#[test]
fn tup_06_a_set_of_an_earlier_connection_is_taken_up_as_it_is() {
    let mut tracked = Tracked::default();
    let (set, requests) = on_disk(Some((7, Some(Results::Failure))), Some(Results::Failure));
    tracked.restore(&set, requests);
    assert_eq!(outcome(&tracked, real(7)).result, Results::Failure);
    assert_eq!(tracked.set(SET).unwrap().result, Some(Results::Failure));
    let request = tracked.request(A).unwrap();
    assert_eq!(request.build, Some(real(7)));
}
