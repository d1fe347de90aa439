//! What a build stands on breaks: it ends all the same, once (BUI-15).

use super::locks::locked;
use super::*;

/// A build of two steps, the first of which has a lock.
fn two_steps() -> Stage {
    Stage::new(vec![locked("one", &["disk"]), always("two")])
}

#[tokio::test(start_paused = true)]
async fn bui_15_a_build_whose_journal_fails_ends_as_exception_wherever_that_is() {
    let mut failures = 0;
    loop {
        let mut stage = two_steps();
        stage.op_fails = Some(failures);
        let outcome = stage.play_out().await;
        if outcome.result == Results::Success {
            break;
        }
        assert_eq!(outcome.result, Results::Exception);
        failures += 1;
    }
    // Start, locks, text, log, its end, end; the second step does without two of these.
    assert_eq!(failures, 10);
}

#[tokio::test(start_paused = true)]
async fn bui_15_a_build_that_cannot_ask_for_locks_or_give_them_back_ends_as_exception() {
    for asking in 0..2 {
        let mut stage = two_steps();
        stage.asking_fails = Some(asking);
        let outcome = stage.play_out().await;
        assert_eq!(outcome.result, Results::Exception);
    }
}

#[tokio::test(start_paused = true)]
async fn bui_15_logs_that_cannot_be_written_or_closed_change_no_result() {
    let mut stage = two_steps();
    let logs = stage.log_directory();
    std::fs::create_dir_all(logs.parent().unwrap()).unwrap();
    std::fs::write(&logs, "in the way").unwrap();
    let outcome = stage.play_out().await;
    assert_eq!(outcome.result, Results::Success);
    let names: Vec<_> = stage.steps().into_iter().map(|(name, ..)| name).collect();
    assert_eq!(names, ["one", "two"], "each has ended, with its logs");
}
