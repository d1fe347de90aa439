#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::botmaster::{BuildInput, Input, TriggeredBuild};
use crate::build::Control;
use crate::build::testing::{Stage, play, step_config, template};
use crate::config::{BuildersMatching, Otherwise, StepConfig, StepKind, Template};
use crate::model::{BuildNumber, BuildSet, RequestId, SetId, Timestamp};

fn trigger(settings: TriggerStepConfig) -> StepConfig {
    StepConfig {
        name: "trigger".to_owned(),
        kind: StepKind::Trigger(Box::new(TriggerStepConfig {
            schedulers: match settings.builders_matching {
                None if settings.schedulers.is_empty() => vec![template("unit"), template("docs")],
                _ => settings.schedulers,
            },
            ..settings
        })),
        ..StepConfig::default()
    }
}

fn waiting() -> TriggerStepConfig {
    TriggerStepConfig {
        wait_for_finish: true,
        ..TriggerStepConfig::default()
    }
}

fn property(name: &str) -> Template {
    Template(vec![TemplatePart::Form {
        subject: Subject::Property(name.to_owned()),
        otherwise: Otherwise::Fail,
    }])
}

/// What the build asks to trigger.
async fn asked(stage: &mut Stage) -> Trigger {
    match stage.asked.recv().await {
        Some(Input::Build {
            what: BuildInput::TriggerWanted { trigger },
            ..
        }) => *trigger,
        other => panic!("{other:?}"),
    }
}

fn set(id: u64, scheduler: &str) -> Triggered {
    Triggered::Set(Arc::new(BuildSet {
        id: SetId(id),
        external_id: None,
        scheduler: Some(scheduler.into()),
        stamps: Arc::default(),
        reason: String::new(),
        properties: Arc::default(),
        submitted_at: Timestamp(0),
        priority: 0,
        requests: vec![(RequestId(10 + id), "full".into())],
        parent: None,
    }))
}

fn over(set: u64, result: Results) -> Control {
    Control::TriggerOver(TriggerOver {
        set: SetId(set),
        result,
        builds: vec![TriggeredBuild {
            builder: "full".into(),
            number: Some(BuildNumber(20 + set)),
            result,
        }],
    })
}

fn answered(result: Result<Vec<Triggered>, NotTriggered>) -> Control {
    Control::Triggered { step: 0, result }
}

fn both() -> Control {
    answered(Ok(vec![set(1, "unit"), set(2, "docs")]))
}

#[tokio::test(start_paused = true)]
async fn a_step_that_does_not_wait_ends_when_its_sets_are_on_disk() {
    let mut stage = Stage::new(vec![trigger(TriggerStepConfig::default())]);
    let build = stage.build();
    let (outcome, ()) = play(build, async {
        let trigger = asked(&mut stage).await;
        assert!(!trigger.wait);
        let names = trigger.wishes.iter().map(|wish| &wish.what);
        let unit = Wished::Scheduler("unit".into());
        assert_eq!(
            names.collect::<Vec<_>>(),
            [&unit, &Wished::Scheduler("docs".into())]
        );
        stage.tell(both()).await;
    })
    .await;
    assert_eq!(outcome.result, Results::Success);
    let steps = stage.steps();
    let text = "triggered unit docs".to_owned();
    assert_eq!(steps, [("trigger".to_owned(), Results::Success, text)]);
    let log = stage.log("0-trigger", "stdio").unwrap();
    assert!(
        log.contains("set 1 of scheduler unit: full (request 11)"),
        "{log}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_step_that_waits_has_the_worst_result_of_its_sets() {
    for (results, expected) in [
        ([Results::Success, Results::Success], Results::Success),
        ([Results::Success, Results::Failure], Results::Failure),
        ([Results::Failure, Results::Success], Results::Failure),
    ] {
        let mut stage = Stage::new(vec![trigger(waiting())]);
        let build = stage.build();
        let (outcome, ()) = play(build, async {
            assert!(asked(&mut stage).await.wait);
            stage.tell(both()).await;
            stage.tell(over(2, results[1])).await;
            stage.tell(over(1, results[0])).await;
        })
        .await;
        assert_eq!(outcome.result, expected, "{results:?}");
        let log = stage.log("0-trigger", "stdio").unwrap();
        assert!(log.contains("set 2"), "{log}");
        assert!(log.contains("full/22"), "{log}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_scheduler_that_does_not_matter_cannot_fail_the_step() {
    let mut stage = Stage::new(vec![trigger(TriggerStepConfig {
        unimportant_schedulers: vec![template("docs")],
        ..waiting()
    })]);
    let build = stage.build();
    let (outcome, ()) = play(build, async {
        asked(&mut stage).await;
        stage.tell(both()).await;
        stage.tell(over(2, Results::Failure)).await;
        stage.tell(over(1, Results::Success)).await;
    })
    .await;
    assert_eq!(outcome.result, Results::Success);
}

#[tokio::test(start_paused = true)]
async fn what_a_scheduler_keeps_for_later_is_not_waited_for() {
    let mut stage = Stage::new(vec![trigger(waiting())]);
    let build = stage.build();
    let (outcome, ()) = play(build, async {
        asked(&mut stage).await;
        let kept = Triggered::Kept("unit".into());
        stage.tell(answered(Ok(vec![kept]))).await;
    })
    .await;
    assert_eq!(outcome.result, Results::Success);
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_the_wait_and_a_lost_slave_too() {
    for answered in [false, true] {
        let mut stage = Stage::new(vec![trigger(waiting()), step_config("two")]);
        let build = stage.build();
        let (outcome, ()) = play(build, async {
            asked(&mut stage).await;
            if answered {
                stage.tell(both()).await;
            }
            stage.stop("enough").await;
        })
        .await;
        assert_eq!(outcome.result, Results::Exception);
        assert_eq!(outcome.stop_reason.as_deref(), Some("enough"));
        let (name, result, text) = stage.steps().remove(0);
        assert_eq!((&*name, result), ("trigger", Results::Exception));
        assert!(text.ends_with("interrupted"), "{text}");

        let mut stage = Stage::new(vec![trigger(waiting()), step_config("two")]);
        let build = stage.build();
        let (outcome, ()) = play(build, async {
            asked(&mut stage).await;
            if answered {
                stage.tell(both()).await;
            }
            stage.lose_slave().await;
        })
        .await;
        assert_eq!(outcome.result, Results::Retry);
    }
}

#[tokio::test(start_paused = true)]
async fn a_scheduler_that_cannot_be_triggered_fails_the_step() {
    let mut stage = Stage::new(vec![trigger(waiting())]);
    let build = stage.build();
    let (outcome, ()) = play(build, async {
        asked(&mut stage).await;
        let unknown = NotTriggered::Unknown(vec!["docs".into()]);
        stage.tell(answered(Err(unknown))).await;
    })
    .await;
    assert_eq!(outcome.result, Results::Failure);
    let (_, _, text) = stage.steps().remove(0);
    assert!(text.starts_with("not valid scheduler: docs"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn the_stamp_is_that_of_the_build_at_the_revision_that_it_has() {
    let given = TriggerSource::Given(vec![GivenSource {
        branch: Some(property("which")),
        ..GivenSource::default()
    }]);
    for (source, branch, revision) in [
        (TriggerSource::Built, Some("rel"), Some("r8")),
        (TriggerSource::Asked, Some("rel"), Some("r7")),
        (TriggerSource::Latest, None, None),
        (given, Some("other"), None),
    ] {
        let mut stage = Stage::new(vec![trigger(TriggerStepConfig {
            source,
            ..TriggerStepConfig::default()
        })]);
        stage.plan.stamps = Arc::new(SourceStamps::from(SourceStamp {
            branch: Some("rel".to_owned()),
            revision: Some("r7".to_owned()),
            ..SourceStamp::default()
        }));
        stage
            .plan
            .properties
            .set_runtime("got_revision", "r8", "git");
        stage.plan.properties.set("which", "other", "test");
        let build = stage.build();
        let (_, stamps) = play(build, async {
            let trigger = asked(&mut stage).await;
            stage.tell(both()).await;
            Arc::clone(&trigger.wishes[0].stamps)
        })
        .await;
        let stamp = stamps.first();
        assert_eq!(stamp.branch.as_deref(), branch);
        assert_eq!(stamp.revision.as_deref(), revision);
    }
}

#[tokio::test(start_paused = true)]
async fn stp_255_the_stamps_are_one_for_each_codebase_at_the_revisions_that_the_build_has() {
    let given = |codebase: &str, branch| GivenSource {
        codebase: Some(template(codebase)),
        branch: Some(branch),
        ..GivenSource::default()
    };
    let both_given = vec![
        given("lib", property("which")),
        given("core", template("rel")),
    ];
    let of_build = |codebase: &str, revision: &str| SourceStamp {
        codebase: codebase.to_owned(),
        revision: Some(revision.to_owned()),
        ..SourceStamp::default()
    };
    for (source, core, lib) in [
        (TriggerSource::Built, (None, Some("c8")), (None, Some("l7"))),
        (TriggerSource::Asked, (None, Some("c7")), (None, Some("l7"))),
        (
            TriggerSource::Given(both_given),
            (Some("rel"), None),
            (Some("other"), None),
        ),
    ] {
        let mut stage = Stage::new(vec![trigger(TriggerStepConfig {
            source,
            ..TriggerStepConfig::default()
        })]);
        let stamps = [of_build("core", "c7"), of_build("lib", "l7")];
        stage.plan.stamps = Arc::new(stamps.into_iter().collect());
        let got = json!({ "core": "c8" });
        stage
            .plan
            .properties
            .set_runtime("got_revision", got, "git");
        stage.plan.properties.set("which", "other", "test");
        let build = stage.build();
        let (_, stamps) = play(build, async {
            let trigger = asked(&mut stage).await;
            stage.tell(both()).await;
            Arc::clone(&trigger.wishes[0].stamps)
        })
        .await;
        assert_eq!(stamps.codebases().collect::<Vec<_>>(), ["core", "lib"]);
        let of = |codebase| {
            let stamp = stamps.of(codebase).unwrap();
            (stamp.branch.as_deref(), stamp.revision.as_deref())
        };
        assert_eq!((of("core"), of("lib")), (core, lib));
    }
}

#[tokio::test(start_paused = true)]
async fn properties_are_given_along_and_each_value_is_a_set() {
    let text = |text: &str| TriggerValue::Text(template(text));
    let mut stage = Stage::new(vec![trigger(TriggerStepConfig {
        schedulers: vec![template("unit")],
        set_properties: [
            ("a".to_owned(), TriggerValue::Constant(json!(1))),
            ("b".to_owned(), TriggerValue::Text(property("ports"))),
        ]
        .into(),
        copy_properties: vec!["ports".to_owned(), "none".to_owned()],
        for_each: Some(ForEach {
            property: "port".to_owned(),
            values: ForEachValues::Words(property("ports")),
        }),
        ..TriggerStepConfig::default()
    })]);
    stage
        .plan
        .properties
        .set("ports", json!(["zlib", "curl"]), "test");
    let build = stage.build();
    let (_, trigger) = play(build, async {
        let trigger = asked(&mut stage).await;
        stage.tell(both()).await;
        trigger
    })
    .await;
    let ports = trigger
        .wishes
        .iter()
        .map(|wish| wish.properties.get("port"));
    let (zlib, curl) = (json!("zlib"), json!("curl"));
    assert_eq!(ports.collect::<Vec<_>>(), [Some(&zlib), Some(&curl)]);
    let properties = &trigger.wishes[0].properties;
    assert_eq!(properties.get("a"), Some(&json!(1)));
    assert_eq!(properties.get("b"), Some(&json!("['zlib', 'curl']")));
    assert_eq!(properties.get("ports"), Some(&json!(["zlib", "curl"])));
    assert_eq!(properties.get("none"), Some(&json!(null)));
    assert!(properties.iter().all(|(_, p)| p.source == "Trigger"));

    let values = ForEachValues::Listed(vec![text("one"), TriggerValue::Constant(json!(2))]);
    let mut stage = Stage::new(vec![trigger_of(ForEach {
        property: "n".to_owned(),
        values,
    })]);
    let build = stage.build();
    let (_, trigger) = play(build, async {
        let trigger = asked(&mut stage).await;
        stage.tell(both()).await;
        trigger
    })
    .await;
    // Two schedulers, each for two values.
    let values = trigger.wishes.iter().map(|wish| wish.properties.get("n"));
    let (one, two) = (json!("one"), json!(2));
    let expected = [Some(&one), Some(&one), Some(&two), Some(&two)];
    assert_eq!(values.collect::<Vec<_>>(), expected);
}

fn trigger_of(each: ForEach) -> StepConfig {
    trigger(TriggerStepConfig {
        for_each: Some(each),
        ..TriggerStepConfig::default()
    })
}

#[tokio::test(start_paused = true)]
async fn builders_are_selected_by_rendered_patterns() {
    let mut stage = Stage::new(vec![trigger(TriggerStepConfig {
        builders_matching: Some(BuildersMatching {
            name: vec![property("which")],
            tags: vec![template("fast")],
        }),
        ..TriggerStepConfig::default()
    })]);
    stage.plan.properties.set("which", "linux-*", "test");
    let build = stage.build();
    let (_, trigger) = play(build, async {
        let trigger = asked(&mut stage).await;
        stage.tell(answered(Ok(Vec::new()))).await;
        trigger
    })
    .await;
    let pattern = BuilderPattern {
        names: vec!["linux-*".to_owned()],
        tags: vec!["fast".to_owned()],
    };
    assert_eq!(trigger.wishes[0].what, Wished::Builders(pattern));
    let (_, _, text) = stage.steps().remove(0);
    assert_eq!(text, "triggered linux-* fast");
}
