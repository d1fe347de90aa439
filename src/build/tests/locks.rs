use super::*;
use crate::botmaster::LockUser;
use crate::config::{LockAccess, LockMode};
use crate::model::journal::StepStart;

fn lock(name: &str) -> LockAccess {
    LockAccess {
        lock: name.into(),
        mode: LockMode::Exclusive,
    }
}

pub(super) fn locked(name: &str, locks: &[&str]) -> StepConfig {
    StepConfig {
        locks: locks.iter().map(|name| lock(name)).collect(),
        ..step_config(name)
    }
}

/// A build whose builder has the lock `disk`.
fn stage(steps: Vec<StepConfig>) -> Stage {
    let mut stage = Stage::new(steps);
    std::sync::Arc::make_mut(&mut stage.plan.builder).locks = vec![lock("disk")];
    stage
}

fn step(index: u32, name: &str) -> LockUser {
    let name = name.into();
    LockUser::Step { index, name }
}

fn names(names: &[&str]) -> Option<Vec<String>> {
    Some(names.iter().map(|&name| name.to_owned()).collect())
}

#[tokio::test(start_paused = true)]
async fn bui_02_a_build_takes_its_locks_before_its_first_step() {
    let mut stage = stage(steps(&["one"]));
    let build = stage.build();
    let (outcome, ()) = play(build, async {
        assert_eq!(stage.asks().await, (LockUser::Build, names(&["disk"])));
        tokio::time::sleep(Duration::from_secs(100_000)).await;
        assert_eq!(stage.ops(), []);
        stage.grant(step(0, "one")).await;
        stage.grant(LockUser::Build).await;
        stage.command().await.exit(0).await;
    })
    .await;
    assert_eq!(outcome.text, ["build", "successful"]);
}

#[tokio::test(start_paused = true)]
async fn stp_02_a_step_is_started_waits_for_its_locks_runs_and_gives_them_back() {
    let mut stage = Stage::new(vec![locked("one", &["disk", "cpu"]), step_config("two")]);
    let build = stage.build();
    let (outcome, ()) = play(build, async {
        let user = step(0, "one");
        assert_eq!(stage.asks().await, (user.clone(), names(&["disk", "cpu"])));
        tokio::time::sleep(Duration::from_secs(100_000)).await;
        let ops = stage.ops();
        assert!(
            matches!(&ops[..], [Op::StepStarted(StepStart { text, .. })]
                if text.join(" ") == "waiting for locks disk, cpu"),
            "{ops:?}"
        );
        assert_eq!(stage.commands_left(), 0);
        stage.grant(user.clone()).await;
        let one = stage.command().await;
        let ops = stage.ops();
        assert!(
            matches!(&ops[..], [Op::StepHasLocks { .. }, Op::StepText { text, .. }, Op::LogOpened { .. }]
                if text.join(" ") == "'one'"),
            "{ops:?}"
        );
        one.exit(0).await;
        assert_eq!(stage.asks().await, (user, None));
        stage.command().await.exit(0).await;
    })
    .await;
    assert_eq!(outcome.result, Results::Success);
}

#[tokio::test(start_paused = true)]
async fn lck_07_a_stop_ends_the_wait_of_a_build_and_steps_that_always_run_still_do() {
    let mut stage = stage(vec![step_config("one"), always("two")]);
    let build = stage.build();
    let (outcome, ()) = play(build, async {
        stage.asks().await;
        stage.stop("enough").await;
        assert_eq!(stage.asks().await, (LockUser::Build, None));
        stage.command().await.exit(0).await;
    })
    .await;
    assert_eq!(outcome.result, Results::Exception);
    assert_eq!(outcome.text, ["exception", "interrupted"]);
    assert_eq!(outcome.stop_reason.as_deref(), Some("enough"));
    assert_eq!(stage.steps(), [ended("two", Results::Success, "'two'")]);
}

#[tokio::test(start_paused = true)]
async fn lck_07_a_stop_ends_the_wait_of_a_step() {
    let mut last = locked("last", &["cpu"]);
    last.always_run = true;
    let mut stage = Stage::new(vec![locked("one", &["disk"]), last]);
    let build = stage.build();
    let (outcome, ()) = play(build, async {
        stage.asks().await;
        stage.stop("enough").await;
        assert_eq!(stage.asks().await, (step(0, "one"), None));
        assert_eq!(stage.asks().await, (step(0, "one"), None), "at its end");
        let (last, wanted) = stage.asks().await;
        assert_eq!(wanted, names(&["cpu"]));
        stage.grant(last).await;
        stage.command().await.exit(0).await;
    })
    .await;
    assert_eq!(outcome.text.join(" "), "exception interrupted");
    assert!(!outcome.abandoned_command);
    let interrupted = ended("one", Results::Exception, "one interrupted");
    let last = ended("last", Results::Success, "'last'");
    assert_eq!(stage.steps(), [interrupted, last]);
    assert_eq!(stage.log("0-one", "interrupt").as_deref(), Some("enough"));
}

#[tokio::test(start_paused = true)]
async fn lck_07_another_stop_ends_the_wait_of_a_step_that_always_runs() {
    let mut cleaning = locked("clean", &["cpu"]);
    cleaning.always_run = true;
    let mut stage = Stage::new(vec![step_config("one"), cleaning, always("last")]);
    let build = stage.build();
    let (outcome, ()) = play(build, async {
        let mut one = stage.command().await;
        stage.stop("enough").await;
        one.interrupts.recv().await.unwrap();
        one.exit(-1).await;
        stage.asks().await;
        stage.stop("really").await;
        assert_eq!(stage.asks().await, (step(1, "clean"), None));
        stage.command().await.exit(0).await;
    })
    .await;
    assert_eq!(outcome.result, Results::Exception);
    assert_eq!(outcome.stop_reason.as_deref(), Some("enough"));
    assert_eq!(
        stage.steps(),
        [
            ended("one", Results::Exception, "'one' interrupted"),
            ended("clean", Results::Exception, "clean interrupted"),
            ended("last", Results::Success, "'last'"),
        ]
    );
    assert_eq!(stage.log("1-clean", "interrupt").as_deref(), Some("really"));
}

#[tokio::test(start_paused = true)]
async fn bui_12_another_stop_ends_a_step_that_always_runs_within_the_grace() {
    let mut stage = Stage::new(vec![step_config("one"), always("clean")]);
    let build = stage.build();
    let (outcome, ()) = play(build, async {
        let one = stage.command().await;
        stage.stop("enough").await;
        one.exit(-1).await;
        let mut clean = stage.command().await;
        tokio::time::sleep(Duration::from_secs(100_000)).await;
        stage.stop("really").await;
        let asked = Instant::now();
        assert_eq!(clean.interrupts.recv().await.as_deref(), Some("really"));
        clean.closed().await;
        assert_eq!(asked.elapsed(), Duration::from_secs(60));
    })
    .await;
    assert_eq!(outcome.result, Results::Exception);
    assert!(outcome.abandoned_command);
}

#[tokio::test(start_paused = true)]
async fn bui_13_a_slave_lost_during_a_wait_for_locks_makes_it_a_retry() {
    let mut stage = stage(vec![always("one")]);
    let build = stage.build();
    let (outcome, ()) = play(build, async {
        stage.asks().await;
        stage.lose_slave().await;
    })
    .await;
    assert_eq!(outcome.result, Results::Retry);
    assert_eq!(outcome.text, ["retry", "lost", "remote"]);
    assert_eq!(stage.steps(), []);

    let mut stage = Stage::new(vec![locked("one", &["disk"]), always("two")]);
    let build = stage.build();
    let (outcome, ()) = play(build, async {
        stage.asks().await;
        stage.lose_slave().await;
    })
    .await;
    assert_eq!(outcome.result, Results::Retry);
    assert_eq!(outcome.text, ["retry", "lost", "remote"]);
    let lost = ended("one", Results::Retry, "one lost remote");
    assert_eq!(stage.steps(), [lost]);
}

#[tokio::test(start_paused = true)]
async fn a_step_that_cannot_be_prepared_gives_its_locks_back() {
    let mut one = locked("one", &["disk"]);
    shell(&mut one).workdir = crate::config::Template::of("%(nosuch)s");
    let mut stage = Stage::new(vec![one]);
    let build = stage.build();
    let (outcome, ()) = play(build, async {
        let (user, _) = stage.asks().await;
        stage.grant(user.clone()).await;
        assert_eq!(stage.asks().await, (user, None));
    })
    .await;
    assert_eq!(outcome.result, Results::Exception);
}
