#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use serde_json::json;
use tokio::sync::{mpsc, watch};

use super::*;
use crate::botmaster::FORCED;
use crate::clock::Clock;
use crate::config::parse;
use crate::control::Newsroom;
use crate::model::{SourceStamp, Zone};
use crate::store::Store;

const MASTER: &str = r#"
[[slaves]]
name = "here"
type = "local"
[factories.f]
steps = []
[[builders]]
name = "full"
slaves = ["here"]
factory = "f"
[[builders]]
name = "free"
slaves = ["here"]
factory = "f"
[[schedulers]]
type = "ForceScheduler"
name = "force"
builders = ["full"]
priority = 3
parameters = [
  { type = "IntParameter", name = "jobs" },
  { type = "BooleanParameter", name = "clean", default = true },
  { type = "AnyPropertyParameter", name = "any" },
]
[[builders]]
name = "both"
slaves = ["here"]
factory = "f"
[[schedulers]]
type = "ForceScheduler"
name = "force-both"
builders = ["both"]
codebases = { core = { branch = { default = "main" } }, lib = {} }
"#;

/// A master with [`MASTER`]; nothing answers its questions.
fn control(dir: &std::path::Path) -> Control {
    let (store, _) = Store::open(dir).unwrap();
    let writer = store.start(Box::new(|_| ())).unwrap();
    let (config, _) = parse(MASTER, "master.toml", &Ok(Zone::UTC)).unwrap();
    Control::new(
        mpsc::channel(1).0,
        writer,
        Newsroom::new(),
        mpsc::channel(1).0,
        watch::channel(Arc::new(config)).1,
        Clock::system(),
    )
}

fn wanted(builder: &str, properties: &[(&str, &str)]) -> Forced {
    let mut given = Properties::new();
    for (name, value) in properties {
        given.set(*name, *value, FORCED);
    }
    Forced {
        builder: builder.into(),
        scheduler: None,
        soon: true,
        stamps: SourceStamps::from(SourceStamp {
            branch: Some("rel".to_owned()),
            ..SourceStamp::default()
        }),
        reason: "to see".to_owned(),
        properties: given,
        priority: 0,
    }
}

#[tokio::test]
async fn frc_01_a_forced_build_fills_in_the_parameters_of_its_scheduler() {
    let dir = tempfile::tempdir().unwrap();
    let control = control(dir.path());
    let given = wanted("full", &[("jobs", "8"), ("os", "linux")]);
    let Ask::Force(forced) = control.force(given, "ann").await.unwrap() else {
        panic!("a build is forced");
    };
    assert_eq!(forced.scheduler, Some("force".into()));
    assert_eq!((forced.soon, forced.priority), (true, 3));
    assert_eq!(forced.stamps.first().branch.as_deref(), Some("rel"));
    assert_eq!(forced.reason, "A build was forced by 'ann': to see");
    let values = forced.properties.iter();
    let values: Vec<_> = values
        .map(|(name, property)| (name, property.value.clone()))
        .collect();
    let expected = [
        ("clean", json!(true)),
        ("jobs", json!(8)),
        ("os", json!("linux")),
        ("owner", json!("ann")),
        ("reason", json!("to see")),
    ];
    assert_eq!(values, expected);
}

#[tokio::test]
async fn frc_03_a_forced_build_is_rejected_with_the_fields_that_are_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let control = control(dir.path());
    let rejected = async |given| control.force(given, "ann").await.unwrap_err().to_string();
    let given = wanted("full", &[("jobs", "many"), ("clean", "maybe")]);
    assert_eq!(
        rejected(given).await,
        "jobs: \"many\" is not an integer; clean: must be true or false"
    );
    let given = wanted("full", &[("jobs", "1"), ("one", "1"), ("two", "2")]);
    assert_eq!(
        rejected(given).await,
        "two: is not a parameter of the scheduler force"
    );
    let mut given = wanted("full", &[]);
    given.scheduler = Some("other".into());
    assert_eq!(
        rejected(given).await,
        "builder full has no ForceScheduler other; it has force"
    );
}

#[tokio::test]
async fn frc_01_a_builder_without_a_force_scheduler_takes_any_property() {
    let dir = tempfile::tempdir().unwrap();
    let control = control(dir.path());
    let given = wanted("free", &[("a", "1"), ("b", "x y")]);
    let asked = control.force(given.clone(), "ann").await.unwrap();
    assert_eq!(asked, Ask::Force(Box::new(given)));
}

#[tokio::test]
async fn frc_04_a_form_takes_the_user_who_has_logged_in_as_the_owner() {
    let dir = tempfile::tempdir().unwrap();
    let control = control(dir.path());
    let sent = serde_json::from_value(json!({"jobs": ["2"], "username": ["root"]})).unwrap();
    let full = "full".into();
    let asked = control.force_by_form(&full, None, &sent, Some("ann"));
    let Ask::Force(forced) = asked.await.unwrap() else {
        panic!("a build is forced");
    };
    assert_eq!(forced.properties.get("owner"), Some(&json!("ann")));
    assert_eq!(forced.properties.get("clean"), Some(&json!(false)));
}

#[tokio::test]
async fn cbs_05_a_forced_build_has_the_sources_of_the_codebases_that_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let control = control(dir.path());
    let source = |codebase: &str, revision: &str| SourceStamp {
        codebase: codebase.to_owned(),
        revision: Some(revision.to_owned()),
        ..SourceStamp::default()
    };
    let force = async |stamps: SourceStamps| {
        let given = Forced {
            stamps,
            ..wanted("both", &[])
        };
        match control.force(given, "ann").await {
            Ok(Ask::Force(forced)) => Ok(forced.stamps),
            Ok(other) => panic!("a build is forced: {other:?}"),
            Err(why) => Err(why.to_string()),
        }
    };
    let main = SourceStamp {
        branch: Some("main".to_owned()),
        ..source("core", "r1")
    };
    let both = [source("core", "r1"), source("lib", "r2")];
    let expected = [main.clone(), source("lib", "r2")];
    assert_eq!(
        force(both.into_iter().collect()).await,
        Ok(expected.into_iter().collect())
    );
    let unsaid = SourceStamp {
        revision: None,
        ..source("lib", "")
    };
    let expected: SourceStamps = [main, unsaid].into_iter().collect();
    assert_eq!(
        force(source("core", "r1").into()).await,
        Ok(expected.clone())
    );
    let defaults = expected.map(|stamp| SourceStamp {
        revision: None,
        ..stamp.clone()
    });
    assert_eq!(force(SourceStamps::default()).await, Ok(defaults));
    assert_eq!(
        force(source("docs", "r1").into()).await.unwrap_err(),
        "the ForceScheduler force-both has no codebase docs; it has core, lib"
    );
    assert_eq!(
        force(source("", "r1").into()).await.unwrap_err(),
        "the request names no codebase; the ForceScheduler force-both has core, lib"
    );
}
