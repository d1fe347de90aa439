//! What a build knows of itself: properties by source, and what merged requests make together.

use super::*;
use crate::model::journal::RecoveredSet;
use crate::model::{BuildRequest, BuildSet, SetId};

#[test]
fn prp_01_later_sources_win() {
    let mut config = config(&[("b", &["s"])]);
    let sources = ["global", "request", "builder", "slave"];
    let properties = |at: usize| {
        let mut all = Properties::new();
        for name in &sources[at..] {
            all.set(*name, sources[at], sources[at]);
        }
        all
    };
    // Each source sets its own property and those of the later ones.
    config.properties = properties(0);
    Arc::make_mut(&mut config.schedulers[0]).properties = properties(1);
    builder_of(&mut config, 0).properties = properties(2);
    slave_of(&mut config, 0).properties = properties(3);
    let mut h = Harness::new(config);
    h.attach("s");
    h.change("b");
    let plan = h.run();
    for source in sources {
        assert_eq!(plan.properties.get(source), Some(&source.into()));
    }
    for (name, value) in [
        ("buildername", "b"),
        ("slavename", "s"),
        ("branch", "b"),
        ("scheduler", "b"),
        ("builddir", "/home/s/b"),
    ] {
        assert_eq!(plan.properties.get(name), Some(&value.into()), "{name}");
    }
    assert_eq!(plan.properties.get("buildnumber"), Some(&0.into()));
    assert_eq!(
        plan.properties.get("revision"),
        Some(&serde_json::Value::Null)
    );
    assert_eq!(plan.log_dir, std::path::Path::new("builders/b/0"));
}

/// One property, set at each of the first `count` sources of a build.
fn set_at(count: usize) -> (serde_json::Value, String) {
    let of = |source: &str| {
        let mut all = Properties::new();
        all.set("p", source, source);
        all
    };
    let mut config = config(&[("b", &["s"])]);
    let mut change = NewChange {
        branch: Some("b".to_owned()),
        ..NewChange::default()
    };
    if count >= 1 {
        config.properties = of("master.toml");
    }
    if count >= 2 {
        change.properties = of("Change");
    }
    if count >= 3 {
        Arc::make_mut(&mut config.schedulers[0]).properties = of("Scheduler");
    }
    if count >= 4 {
        builder_of(&mut config, 0).properties = of("Builder");
    }
    if count >= 5 {
        slave_of(&mut config, 0).properties = of("BuildSlave");
    }
    let mut h = Harness::new(config);
    h.attach("s");
    let (reply, offer) = (h.new_reply(), Box::new(AdmittedOffer::of_one(change)));
    h.input(Input::Offered { offer, reply });
    h.persisted();
    let plan = h.run();
    let mut all = plan.properties.iter();
    let (_, property) = all.find(|(name, _)| *name == "p").unwrap();
    assert!(!property.runtime);
    (property.value.clone(), property.source.clone())
}

#[test]
fn prp_02_each_source_is_remembered_and_the_last_one_wins() {
    let sources = [
        "master.toml",
        "Change",
        "Scheduler",
        "Builder",
        "BuildSlave",
    ];
    for (count, source) in (1..).zip(sources) {
        assert_eq!(set_at(count), (source.into(), source.to_owned()));
    }
    // What the master sets itself, among these.
    let mut h = Harness::new(config(&[("b", &["s"])]));
    h.attach("s");
    h.change("b");
    let plan = h.run();
    let told: Vec<_> = plan
        .properties
        .iter()
        .map(|(n, p)| (n, p.source.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("branch", "Build"),
            ("builddir", "BuildSlave"),
            ("buildername", "Builder"),
            ("buildnumber", "Build"),
            ("codebase", "Build"),
            ("project", "Build"),
            ("repository", "Build"),
            ("revision", "Build"),
            ("scheduler", "Scheduler"),
            ("slavename", "BuildSlave"),
            ("workdir", "BuildSlave"),
        ]
    );
}

#[test]
fn slv_13_prp_01_the_directory_is_spelled_the_way_of_the_slaves_system() {
    for (system, basedir, slavebuilddir, expected) in [
        ("posix", "/home/s", "a/b", "/home/s/a/b"),
        ("posix", "/", "b", "/b"),
        ("nt", "C:\\slave", "b", "C:\\slave\\b"),
        ("nt", "C:\\slave", "a/b", "C:\\slave\\a\\b"),
        ("nt", "C:\\", "b", "C:\\b"),
    ] {
        let mut config = config(&[("b", &["s"])]);
        builder_of(&mut config, 0).slavebuilddir = slavebuilddir.to_owned();
        let mut h = Harness::new(config);
        let session = h.log_in("s");
        h.finish_attach_of(session, basedir, system);
        h.change("b");
        let plan = h.run();
        for property in ["builddir", "workdir"] {
            assert_eq!(plan.properties.get(property), Some(&expected.into()));
        }
    }
}

#[test]
fn brq_08_merged_reasons_properties_and_owners() {
    let mut config = config(&[("b", &["s"])]);
    builder_of(&mut config, 0).merging.rule = MergeRule::Compatible;
    let request = |id: u64, reason: &str, owner: &str| {
        let mut properties = Properties::new();
        properties.set("p", id, "Scheduler");
        if !owner.is_empty() {
            properties.set("owner", owner, "Scheduler");
        }
        (
            RecoveredSet {
                set: Arc::new(BuildSet {
                    id: SetId(id),
                    external_id: None,
                    scheduler: None,
                    stamps: Arc::default(),
                    reason: reason.to_owned(),
                    properties: Arc::default(),
                    submitted_at: Timestamp(0),
                    priority: 0,
                    requests: vec![(RequestId(id), "b".into())],
                    parent: None,
                }),
                finished: Vec::new(),
            },
            BuildRequest {
                id: RequestId(id),
                set: SetId(id),
                builder: "b".into(),
                stamps: Arc::default(),
                reason: reason.into(),
                properties: Arc::new(properties),
                submitted_at: Timestamp(0),
                priority: 0,
                retries: 0,
                start_count: 0,
            },
        )
    };
    let all = [
        request(1, "a", "x"),
        request(2, "", ""),
        request(3, "b", "y"),
        request(4, "a", "x"),
    ];
    let (sets, requests) = all.into_iter().unzip();
    let recovered = Recovered {
        sets,
        requests,
        ..Recovered::default()
    };
    let mut h = Harness::recovered(config, recovered);
    h.attach("s");
    let plan = h.run();
    assert_eq!(plan.reason, "a, b");
    assert_eq!(plan.properties.get("p"), Some(&4.into()));
    let owners = plan.properties.get("owners").unwrap();
    assert_eq!(*owners, serde_json::json!(["x", "y"]));
    h.told();
    h.finish(plan.build, Results::Success, None);
    for set in 1..=4 {
        assert!(h.out.iter().any(|c| matches!(c,
            Command::Announce(Event::Intake(IntakeEvent::SetFinished { set: SetId(s), .. })) if *s == set)));
    }
}
