//! Secrets of steps: known where they are needed, and seen nowhere (CFL-95, LOG-06).

use super::*;
use crate::config::{CommandWords, SecretSource, Template, TemplatePart};
use crate::protocol::{ShellCommand, Word};

fn secret(source: &SecretSource) -> Template {
    Template(vec![TemplatePart::Secret(source.clone())])
}

/// A step whose command and environment have the secret.
fn telling(name: &str, source: &SecretSource) -> StepConfig {
    let mut step = step_config(name);
    let config = shell(&mut step);
    let words = vec![
        (template("login"), None),
        (secret(source), Some("***".to_owned())),
    ];
    config.command = CommandWords::Words(words);
    config.env.variables = [("TOKEN".to_owned(), Some(secret(source)))].into();
    config.initial_stdin = Some(secret(source));
    step.secrets = vec![source.clone()];
    step
}

#[tokio::test(start_paused = true)]
async fn log_06_a_secret_reaches_the_slave_and_is_seen_nowhere_else() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("depot");
    std::fs::write(&file, "s3cret-value\n").unwrap();
    let source = SecretSource::File(file);
    let mut stage = Stage::new(vec![telling("first", &source), step_config("second")]);
    let build = stage.build();
    let (outcome, ()) = play(build, async {
        let first = stage.command().await;
        let word = Word::Obfuscated {
            real: "s3cret-value".to_owned(),
            shown: "***".to_owned(),
        };
        let words = vec![Word::Plain("login".to_owned()), word];
        assert_eq!(first.args.command, ShellCommand::Words(words));
        let env = [("TOKEN".to_owned(), Some("s3cret-value".to_owned()))];
        assert_eq!(first.args.env, env);
        assert_eq!(
            first.args.initial_stdin.as_deref(),
            Some("s3cret-value".as_bytes())
        );
        let header = Bytes::from_static(b"  TOKEN=s3cret-value\n");
        let error = Bytes::from_static(b"bad s3cret-value");
        let updates = vec![
            Update::Header(header),
            Update::Stdout(Bytes::from_static(b"got s3cre")),
            Update::Stderr(error),
            Update::Stdout(Bytes::from_static(b"t-value, and s3cret")),
        ];
        drop(first.say(updates).await);
        first.exit(1).await;
        let second = stage.command().await;
        second.print("still s3cret-value\n").await;
        second.exit(0).await;
    })
    .await;
    assert_eq!(outcome.result, Results::Failure);
    let log = stage.log("0-first", "stdio").unwrap();
    assert!(
        log.contains("TOKEN=XXXXXX\n") && log.contains("bad XXXXXX"),
        "{log}"
    );
    assert!(log.contains("XXXXXX, and s3cretprogram finished"), "{log}");
    assert!(!log.contains("s3cret-value"), "{log}");
    let log = stage.log("1-second", "stdio").unwrap();
    assert!(log.contains("still XXXXXX\n"), "{log}");
    let steps = stage.steps();
    assert_eq!(
        steps[0],
        ended("first", Results::Failure, "'login ***' failed")
    );
}

#[tokio::test(start_paused = true)]
async fn a_property_and_a_text_with_a_secret_are_masked() {
    let source = SecretSource::Inline(template("s3cret-value"));
    let mut one = telling("one", &source);
    one.description_done = Some(vec![template("did s3cret-value")]);
    let mut stage = Stage::new(vec![one]);
    let build = stage.build();
    let (_, ()) = play(build, async {
        let failure = Failure::new("ValueError", "no s3cret-value");
        stage.command().await.end(CommandEnd::Failed(failure)).await;
    })
    .await;
    let ops = format!("{:?}", stage.ops());
    assert!(!ops.contains("s3cret-value"), "{ops}");
    assert!(ops.contains("StepCommand"), "{ops}");
    let error = stage.log("0-one", "err.text").unwrap();
    assert!(
        error.contains("no XXXXXX") && !error.contains("s3cret-value"),
        "{error}"
    );
}

#[tokio::test]
async fn a_program_writes_a_secret_when_the_step_starts() {
    let words = ["sh", "-c", "printf 's3cret\\nvalue\\n'"].map(str::to_owned);
    let mut stage = Stage::new(vec![telling("one", &SecretSource::Command(words.into()))]);
    let build = stage.build();
    let (outcome, ()) = play(build, async {
        let command = stage.command().await;
        assert_eq!(
            command.args.initial_stdin.as_deref(),
            Some("s3cret\nvalue".as_bytes())
        );
        command.exit(0).await;
    })
    .await;
    assert_eq!(outcome.result, Results::Success);
}

#[tokio::test]
async fn a_secret_that_cannot_be_had_is_an_exception_that_says_where_it_should_be() {
    let missing = std::path::PathBuf::from("/nonexistent/depot");
    let failing = ["sh", "-c", "echo s3cret; exit 3"].map(str::to_owned);
    let silent = vec!["true".to_owned()];
    for (source, message) in [
        (
            SecretSource::File(missing),
            "step 'one': cannot read the file /nonexistent/depot: No such file",
        ),
        (
            SecretSource::Env("BUILDMASTER_NO_SUCH_VARIABLE".to_owned()),
            "the environment variable BUILDMASTER_NO_SUCH_VARIABLE is not set",
        ),
        (
            SecretSource::Command(failing.into()),
            "the program sh of a secret ended with exit code 3",
        ),
        (SecretSource::Command(silent), "is empty"),
    ] {
        let mut stage = Stage::new(vec![telling("one", &source)]);
        let outcome = stage.build().await;
        assert_eq!(outcome.result, Results::Exception);
        let error = stage.log("0-one", "err.text").unwrap();
        assert!(error.contains(message), "{error}");
        assert_eq!(stage.steps()[0].1, Results::Exception);
    }
}

#[tokio::test(start_paused = true)]
async fn what_begins_like_a_secret_is_in_the_log_when_the_slave_is_lost() {
    let source = SecretSource::Inline(template("s3cret-value"));
    let mut stage = Stage::new(vec![telling("one", &source)]);
    let build = stage.build();
    let (_, ()) = play(build, async {
        let command = stage.command().await;
        command.print("line\ns3cret-").await;
        command.end(CommandEnd::Lost).await;
    })
    .await;
    let log = stage.log("0-one", "stdio").unwrap();
    assert!(log.contains("line\n") && log.contains("s3cret-"), "{log}");
}
