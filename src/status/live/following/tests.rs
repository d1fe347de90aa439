#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use super::*;
use crate::botmaster::BuilderPoint;
use crate::model::journal::BuildStart;
use crate::model::{BuildNumber, Results};

const ID: BuildId = BuildId(7);

fn started(id: u64) -> News {
    News::Event(Event::Build(BuildEvent::Started(Arc::new(BuildStart {
        build: BuildId(id),
        builder: "full".into(),
        number: BuildNumber(id),
        ..BuildStart::default()
    }))))
}

fn finished(id: u64) -> News {
    News::Event(Event::Build(BuildEvent::Finished {
        build: BuildId(id),
        builder: "full".into(),
        number: BuildNumber(id),
        result: Results::Failure,
        text: vec!["failed".to_owned()],
    }))
}

/// A build with one step, whose only log is complete.
fn ops() -> Vec<News> {
    let op = |op| News::Build(op);
    vec![
        op(Op::StepStarted(StepStart {
            build: ID,
            index: 0,
            name: "test".to_owned(),
            text: Vec::new(),
            waits: false,
            at: Timestamp(1),
        })),
        op(Op::LogOpened(LogOpening {
            build: ID,
            step: 0,
            position: 0,
            name: "stdio".to_owned(),
            path: "log".to_owned(),
        })),
        op(Op::LogClosed {
            build: ID,
            step: 0,
            name: "stdio".to_owned(),
            size_bytes: 3,
        }),
        op(Op::StepFinished(StepFinish {
            build: ID,
            index: 0,
            result: Results::Failure,
            text: Vec::new(),
            at: Timestamp(2),
            outcome: Box::default(),
        })),
    ]
}

fn hear(following: &mut Following, news: &[News]) -> Vec<Notice> {
    let heard = news.iter();
    heard
        .flat_map(|news| following.on_news(news, Timestamp(3)))
        .collect()
}

/// Everything that there is to be told of the build.
fn all() -> Vec<Notice> {
    vec![
        Notice::BuildStarted(ID),
        Notice::StepStarted(ID, 0),
        Notice::LogStarted(ID, 0, 0),
        Notice::LogFinished(ID, 0, 0),
        Notice::StepFinished(ID, 0),
        Notice::BuildFinished(ID),
    ]
}

fn whole_build() -> Vec<News> {
    let mut news = vec![started(ID.0)];
    news.extend(ops());
    news.push(finished(ID.0));
    news
}

#[test]
fn liv_02_a_build_is_told_in_the_order_of_its_life_and_once() {
    let mut following = Following::default();
    let news = whole_build();
    assert_eq!(hear(&mut following, &news), all());
    assert_eq!(hear(&mut following, &news), []);
    following.forget(ID);
    assert_eq!(hear(&mut following, &news), [], "it was told");
    assert!(following.build(ID).is_none());
}

#[test]
fn liv_06_what_was_missed_is_told_in_the_same_order() {
    let news = whole_build();
    let mut other = Following::default();
    hear(&mut other, &news);
    let end = other.build(ID).cloned();
    for heard in 0..=news.len() {
        let mut following = Following::default();
        let mut told = hear(&mut following, &news[..heard]);
        following.restore(end.clone().unwrap(), &mut told);
        assert_eq!(told, all(), "after {heard} news");
        assert_eq!(hear(&mut following, &news), [], "after {heard} news");
    }
}

#[test]
fn liv_06_a_disk_that_lags_behind_the_news_takes_nothing_back() {
    let mut following = Following::default();
    hear(&mut following, &[started(ID.0)]);
    let early = following.build(ID).cloned();
    hear(&mut following, &ops());
    let mut told = Vec::new();
    following.restore(early.unwrap(), &mut told);
    assert_eq!(told, []);
    let steps = following.build(ID).map(|build| build.steps.len());
    assert_eq!(steps, Some(1));
}

#[test]
fn builds_from_before_the_beginning_are_not_told_to_start() {
    let mut other = Following::default();
    hear(&mut other, &[started(3)]);
    let running = other.build(BuildId(3)).cloned().into_iter().collect();
    let mut following = Following::default();
    following.begin(Vec::new(), running, BuildId(5));
    assert_eq!(hear(&mut following, &[started(3), started(5)]), []);
    assert_eq!(
        hear(&mut following, &[finished(3), finished(5)]),
        [Notice::BuildFinished(BuildId(3))]
    );
    assert_eq!(
        hear(&mut following, &[started(6)]),
        [Notice::BuildStarted(BuildId(6))]
    );
}

#[test]
fn liv_06_a_build_that_is_passed_over_is_not_looked_for_again() {
    let mut following = Following::default();
    following.pass_over(BuildId(4));
    assert_eq!(following.newest(), BuildId(4));
    following.pass_over(BuildId(3));
    assert_eq!(following.newest(), BuildId(4));
    assert_eq!(hear(&mut following, &[started(4), finished(4)]), []);
}

#[test]
fn liv_02_builders_are_told_with_their_states_and_what_changes() {
    let state = |builder: &str, state| {
        News::Event(Event::Builder(BuilderEvent::State {
            builder: builder.into(),
            state,
        }))
    };
    let mut following = Following::default();
    following.begin(vec![("a".into(), BigState::Idle)], Vec::new(), BuildId(0));
    following.set_builders(["a".into(), "b".into()].into());
    let told = |builder: &str, state| Notice::State(builder.into(), state);
    assert_eq!(
        following.announce(),
        [
            Notice::BuilderAdded("a".into()),
            told("a", BigState::Idle),
            Notice::BuilderAdded("b".into()),
            told("b", BigState::Offline),
        ]
    );
    let news = [
        state("a", BigState::Building),
        state("a", BigState::Building),
        // It is not in force yet.
        state("c", BigState::Idle),
        News::Event(Event::Builder(BuilderEvent::Point {
            builder: "a".into(),
            slave: None,
            what: BuilderPoint::Pinging,
        })),
    ];
    assert_eq!(hear(&mut following, &news), [told("a", BigState::Building)]);
    assert_eq!(
        following.set_builders(["a".into(), "c".into()].into()),
        [
            Notice::BuilderRemoved("b".into()),
            Notice::BuilderAdded("c".into()),
            told("c", BigState::Idle),
        ]
    );
}

#[test]
fn liv_02_a_builder_is_building_until_the_end_of_its_build_is_told() {
    let state = |state| {
        let builder = "full".into();
        News::Event(Event::Builder(BuilderEvent::State { builder, state }))
    };
    let told = |state| Notice::State("full".into(), state);
    let mut following = Following::default();
    following.set_builders(["full".into()].into());
    let news = [
        state(BigState::Building),
        started(1),
        state(BigState::Idle),
        finished(1),
    ];
    assert_eq!(
        hear(&mut following, &news),
        [
            told(BigState::Building),
            Notice::BuildStarted(BuildId(1)),
            Notice::BuildFinished(BuildId(1)),
            told(BigState::Idle),
        ]
    );
}
