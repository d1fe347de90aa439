//! Try jobs become sets, or are refused as a whole.

use serde_json::json;

use super::*;
use crate::config::{CodebaseSource, Codebases, TryJobdirConfig, TryUserpassConfig};
use crate::model::{BuilderName, Patch, PatchBody, TryJob};

fn jobdir() -> SchedulerKind {
    SchedulerKind::TryJobdir(TryJobdirConfig {
        jobdir: "jobs".into(),
        ..TryJobdirConfig::default()
    })
}

fn userpass() -> SchedulerKind {
    SchedulerKind::TryUserpass(TryUserpassConfig::default())
}

/// Schedulers `try` of the kind and `quick`, both on b1 and b2.
fn registry(kind: SchedulerKind) -> Registry {
    let mut other = config(Some(60));
    other.name = "quick".into();
    Harness::start(0.0, vec![config_of("try", kind), other]).registry
}

fn submit(job: TryJob, user: Option<&str>) -> Submission {
    let registry = registry(jobdir());
    registry.try_submission(&"try".into(), job, user).unwrap()
}

fn on(builders: &[&str]) -> TryJob {
    TryJob {
        builders: builders.iter().map(|&b| b.into()).collect(),
        ..TryJob::default()
    }
}

#[test]
fn try_01_it_ignores_changes_reports_no_times_and_lists_its_builders() {
    for kind in [jobdir(), userpass()] {
        let mut harness = Harness::start(0.0, vec![config_of("try", kind)]);
        harness.change(10.0, 1, None, None, "important");
        assert_eq!(harness.pending("try"), [0.0; 0]);
        assert_eq!(harness.sets(100_000.0), []);
        assert!(harness.stored.is_empty());
        let builders = harness.registry.try_builders(&"try".into());
        assert_eq!(builders, ["b1".into(), "b2".into()], "TUP-05");
    }
}

#[test]
fn ops_28_a_job_for_a_branch_that_is_not_listed_is_refused() {
    let branches = Some(vec![Some("rel-1".to_owned()), None]);
    let limited = |branches: &Option<Vec<Option<String>>>| {
        [
            SchedulerKind::TryJobdir(TryJobdirConfig {
                branches: branches.clone(),
                ..TryJobdirConfig::default()
            }),
            SchedulerKind::TryUserpass(TryUserpassConfig {
                branches: branches.clone(),
                ..TryUserpassConfig::default()
            }),
        ]
    };
    let attempt = |kind: SchedulerKind, branch: Option<&str>| {
        let job = TryJob {
            branch: branch.map(str::to_owned),
            ..TryJob::default()
        };
        registry(kind)
            .try_submission(&"try".into(), job, None)
            .map(|set| set.stamps.first().branch.clone())
    };
    for kind in limited(&branches) {
        let refused =
            "branch trunk is not one of those that try may try: rel-1, the default branch";
        assert_eq!(
            attempt(kind.clone(), Some("trunk")),
            Err(refused.to_owned())
        );
        assert_eq!(
            attempt(kind.clone(), Some("rel-1")),
            Ok(Some("rel-1".to_owned()))
        );
        // An empty branch is the default branch.
        assert_eq!(attempt(kind.clone(), Some("")), Ok(None));
        assert_eq!(attempt(kind, None), Ok(None));
    }
    for kind in limited(&Some(Vec::new())) {
        let refused = "the default branch is not one of those that try may try: none";
        assert_eq!(attempt(kind, None), Err(refused.to_owned()));
    }
}

#[test]
fn try_02_a_job_that_names_one_builder_too_many_is_refused_as_a_whole() {
    let registry = registry(userpass());
    let refused = registry.try_submission(&"try".into(), on(&["b1", "b9"]), Some("alice"));
    let why = refused.unwrap_err();
    assert_eq!(
        why,
        "builder b9 is not one of those that try may try: b1, b2"
    );
}

#[test]
fn sb_14_a_job_that_names_no_builder_runs_on_all() {
    let all: [BuilderName; 2] = ["b1".into(), "b2".into()];
    assert_eq!(submit(on(&[]), None).builders, all);
    assert_eq!(submit(on(&["b2"]), None).builders, all[1..]);
    assert_eq!(
        submit(on(&["b2", "b1"]), None).builders,
        ["b2".into(), "b1".into()]
    );
}

#[test]
fn try_04_the_stamp_is_base_and_patch_without_changes() {
    let job = TryJob {
        branch: Some("rel".to_owned()),
        base_revision: Some("r1".to_owned()),
        patch_level: 1,
        patch: vec![0, 255],
        who: "zo\u{eb}".to_owned(),
        comment: "mend it".to_owned(),
        project: "p".to_owned(),
        repository: "r".to_owned(),
        ..TryJob::default()
    };
    let expected = SourceStamp {
        branch: Some("rel".to_owned()),
        revision: Some("r1".to_owned()),
        patch: Some(Patch {
            level: 1,
            body: PatchBody::Given(vec![0, 255].into()),
            subdir: None,
            who: Some("zo\u{eb}".to_owned()),
            comment: Some("mend it".to_owned()),
        }),
        changes: Vec::new(),
        project: "p".to_owned(),
        repository: "r".to_owned(),
        codebase: String::new(),
    };
    assert_eq!(*submit(job, None).stamps, expected.into());
}

#[test]
fn try_04_empty_texts_mean_default_branch_and_latest_revision() {
    let job = TryJob {
        branch: Some(String::new()),
        base_revision: Some(String::new()),
        ..TryJob::default()
    };
    assert_eq!(*submit(job, None).stamps, SourceStamps::default());
}

/// The codebases `core` and `lib`, in repositories of these names.
fn codebases() -> Codebases {
    let source = |name: &str| CodebaseSource {
        branch: Some("main".to_owned()),
        repository: format!("https://Host/{name}.git"),
        revision: (name == "lib").then(|| "v2".to_owned()),
    };
    let all = ["core", "lib"].into_iter();
    all.map(|name| (name.to_owned(), source(name))).collect()
}

/// The stamps of a job for `codebase` of `repository`, as code and revision and whether patched.
fn tried(codebases: Codebases, codebase: &str, repository: &str) -> Result<Vec<String>, String> {
    let settings = TryUserpassConfig {
        codebases,
        ..TryUserpassConfig::default()
    };
    let job = TryJob {
        codebase: codebase.to_owned(),
        repository: repository.to_owned(),
        base_revision: Some("r1".to_owned()),
        patch: b"diff".to_vec(),
        ..TryJob::default()
    };
    let set =
        registry(SchedulerKind::TryUserpass(settings)).try_submission(&"try".into(), job, None)?;
    let said = |stamp: &SourceStamp| {
        let texts = [&stamp.branch, &stamp.revision].map(|text| text.as_deref().unwrap_or(""));
        let patched = if stamp.patch.is_some() {
            " patched"
        } else {
            ""
        };
        format!(
            "{}: {} {}{patched}",
            stamp.codebase,
            texts.join(" "),
            stamp.repository
        )
    };
    Ok(set.stamps.iter().map(said).collect())
}

#[test]
fn cbs_05_a_try_patches_one_codebase_and_builds_the_others_as_configured() {
    let of_lib = [
        "core: main  https://Host/core.git",
        "lib: main r1 https://Host/lib.git patched",
    ];
    let said = tried(codebases(), "lib", "/home/ann/work").unwrap();
    assert_eq!(said, of_lib);
    // Clients of Buildbot name no codebase, but may name the repository.
    assert_eq!(tried(codebases(), "", "https://host/lib/").unwrap(), of_lib);
    assert_eq!(
        tried(codebases(), "", "/home/ann/work").unwrap_err(),
        "the job does not say which codebase it patches, by --codebase or --repository; there are core, lib"
    );
    assert_eq!(
        tried(codebases(), "libs", "https://host/lib").unwrap_err(),
        "there is no codebase libs; there are core, lib"
    );
    let only = || {
        codebases()
            .iter()
            .take(1)
            .map(|(name, s)| (name.to_owned(), s.clone()))
            .collect()
    };
    let said = tried(only(), "", "/home/ann/work").unwrap();
    assert_eq!(said, ["core: main r1 https://Host/core.git patched"]);
    // Without a list there is the one codebase.
    let said = tried(Codebases::default(), "lib", "/home/ann/work").unwrap();
    assert_eq!(said, ["lib:  r1 /home/ann/work patched"]);
}

#[test]
fn try_05_the_reason_names_who_logged_in_and_who_it_is_said_to_be_for() {
    let reason = |user, who: &str, comment: &str| {
        let job = TryJob {
            who: who.to_owned(),
            comment: comment.to_owned(),
            ..TryJob::default()
        };
        submit(job, user).reason
    };
    assert_eq!(reason(None, "", ""), "'try' job");
    assert_eq!(reason(None, "W", "C"), "'try' job by user W (C)");
    assert_eq!(reason(Some("alice"), "", ""), "'try' job from user alice");
    assert_eq!(
        reason(Some("alice"), "bob", "C"),
        "'try' job from user alice by user bob (C)"
    );
    assert_eq!(
        reason(Some("alice"), "alice", "C"),
        "'try' job from user alice (C)"
    );
}

#[test]
fn try_06_properties_come_from_the_job_over_those_of_the_scheduler() {
    let mut settings = config_of("try", jobdir());
    settings.properties.set("level", 1, "Scheduler");
    settings.properties.set("kept", true, "Scheduler");
    let registry = Harness::start(0.0, vec![settings]).registry;
    let mut job = TryJob::default();
    job.properties.insert("level".to_owned(), json!([2]));
    let set = registry.try_submission(&"try".into(), job, None).unwrap();
    let all: Vec<_> = set.properties.iter().collect();
    let all: Vec<_> = all
        .iter()
        .map(|(name, p)| (*name, p.value.clone(), p.source.as_str()))
        .collect();
    assert_eq!(
        all,
        [
            ("kept", json!(true), "Scheduler"),
            ("level", json!([2]), "try build"),
            ("scheduler", json!("try"), "Scheduler"),
        ]
    );
}

#[test]
fn try_07_a_patch_merges_with_nothing_and_a_job_without_one_as_usual() {
    let patched = || {
        let job = TryJob {
            patch: b"diff".to_vec(),
            ..TryJob::default()
        };
        submit(job, None).stamps
    };
    let plain = || submit(TryJob::default(), None).stamps;
    assert!(!patched().can_merge_with(&patched()));
    assert!(!patched().can_merge_with(&plain()));
    assert!(plain().can_merge_with(&plain()));
    let on_r1 = TryJob {
        base_revision: Some("r1".to_owned()),
        ..TryJob::default()
    };
    assert!(!plain().can_merge_with(&submit(on_r1, None).stamps));
}

#[test]
fn try_08_only_a_running_try_scheduler_takes_jobs() {
    let mut registry = registry(jobdir());
    let ask = |registry: &Registry, name: &str| {
        let job = TryJob::default();
        let made = registry.try_submission(&name.into(), job, None);
        made.map(|set| set.scheduler.to_string())
    };
    let none = |name| Err(format!("there is no try scheduler {name}"));
    assert_eq!(ask(&registry, "try"), Ok("try".to_owned()));
    assert_eq!(ask(&registry, "quick"), none("quick"));
    assert_eq!(ask(&registry, "nobody"), none("nobody"));
    registry.stop(0);
    assert_eq!(ask(&registry, "try"), none("try"));
    assert_eq!(registry.try_builders(&"try".into()), []);
}

#[test]
fn tjd_11_the_set_has_the_id_of_the_job_if_it_has_one() {
    let named = TryJob {
        id: "id1".to_owned(),
        ..TryJob::default()
    };
    assert_eq!(submit(named, None).external_id.as_deref(), Some("id1"));
    assert_eq!(submit(TryJob::default(), None).external_id, None);
}

#[test]
fn a_long_comment_is_cut_and_large_properties_are_refused() {
    let long = TryJob {
        patch: b"diff".into(),
        comment: "\u{eb}".repeat(3_000),
        ..TryJob::default()
    };
    let submission = submit(long, None);
    let kept = format!("{} [...]", "\u{eb}".repeat(2_048));
    assert!(submission.reason.ends_with(&format!("({kept})")));
    let patch = submission.stamps.first().patch.as_ref().unwrap();
    assert_eq!(patch.comment.as_deref(), Some(kept.as_str()));

    let with = |bytes: usize| {
        let value = Value::from("x".repeat(bytes));
        TryJob {
            properties: [("p".to_owned(), value)].into(),
            ..TryJob::default()
        }
    };
    submit(with(64 * 1024 - 3), None);
    let refused = registry(jobdir()).try_submission(&"try".into(), with(64 * 1024 - 2), None);
    let why = refused.unwrap_err();
    assert!(why.contains("more than 65536 bytes"), "{why}");
}
