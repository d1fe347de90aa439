use super::*;
use crate::buildslave::own_environment;

fn shell(script: &str) -> Run {
    Run {
        words: ["sh", "-c", script].map(OsString::from).to_vec(),
        env: [("SAID".into(), "hello".into())]
            .into_iter()
            .chain(own_environment())
            .collect(),
        cancel: None,
        patient: false,
        limit: None,
    }
}

#[tokio::test]
async fn lat_11_the_first_line_is_the_identity_and_the_last_one_tells_why() {
    let ended = run(shell("echo $SAID; echo two; echo bad >&2; exit 3")).await;
    assert_eq!(ended.code, Some(3));
    assert_eq!(ended.said, "hello");
    assert_eq!(ended.why, "sh ended with exit code 3: bad");
    let ended = run(shell("printf unfinished")).await;
    assert_eq!((ended.code, ended.said.as_str()), (Some(0), "unfinished"));
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named() {
    let words = vec!["/no/such/program".into()];
    let ended = run(Run { words, ..shell("") }).await;
    assert_eq!(ended.code, None);
    assert!(
        ended.why.starts_with("cannot run /no/such/program: "),
        "{}",
        ended.why
    );
}

#[tokio::test]
async fn lat_11_a_command_that_hangs_is_ended_with_what_it_has_started() {
    let limit = Some(Duration::from_millis(50));
    let ended = run(Run {
        limit,
        ..shell("echo here; sleep 1000 & wait")
    })
    .await;
    assert_eq!(ended.code, None);
    assert_eq!(ended.said, "here");
    assert_eq!(ended.why, "sh took too long: here");
}

#[tokio::test]
async fn a_command_that_is_not_wanted_any_more_can_tell_what_it_has_done() {
    let cancel = CancellationToken::new();
    cancel.cancel();
    let ended = run(Run {
        cancel: Some(cancel.clone()),
        ..shell("sleep 1000")
    })
    .await;
    assert_eq!(ended.code, None);
    let patient = run(Run {
        cancel: Some(cancel),
        patient: true,
        ..shell("echo done")
    });
    assert_eq!(patient.await.said, "done");
}

#[tokio::test]
async fn what_runs_on_in_the_background_is_not_waited_for() {
    let ended = run(shell("echo up; sleep 3 & exit 0")).await;
    assert_eq!((ended.code, ended.said.as_str()), (Some(0), "up"));
}
