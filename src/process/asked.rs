//! Programs that answer a question.

use std::time::Duration;

use super::{Limits, Lines, Output, Program, Whole, run};

/// Runs a program that answers on its standard output, at most `largest` bytes, within `time`.
/// Writes `input`, if any, to its standard input. What it leaves running in the background is not
/// waited for.
///
/// # Errors
/// The program cannot be run, does not end with exit code 0, takes too long or writes too much: a
/// sentence about "it", with the last line of its standard error.
pub async fn ask(
    command: &[String],
    input: Option<&[u8]>,
    time: Duration,
    largest: usize,
) -> Result<String, String> {
    let program = Program::new(command);
    let (mut out, mut err) = (Whole::up_to(largest), Lines::new(|_: &str| ()));
    let limits = Limits {
        time: Some(time),
        drain: Some(Duration::ZERO),
        ..Limits::default()
    };
    let (stdout, stderr) = (Output::To(&mut out), Output::To(&mut err));
    let ended = run(&program, input, stdout, stderr, limits).await;
    let ended = ended.map_err(|error| format!("it cannot be run: {error}"))?;
    if !ended.how.is_success() {
        let (_, last) = err.finish();
        let colon = if last.is_empty() { "" } else { ": " };
        return Err(format!("it {}{colon}{last}", ended.how));
    }
    Ok(String::from_utf8_lossy(&out.bytes).into_owned())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn asked(script: &str, time: Duration) -> Result<String, String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let command = ["sh", "-c", script].map(str::to_owned);
        runtime.block_on(ask(&command, Some(b"input"), time, 10))
    }

    #[test]
    fn an_answer_is_what_a_program_prints_and_a_failure_says_what_it_did() {
        let long = Duration::from_secs(600);
        for (script, answer) in [
            ("cat", Ok("input")),
            ("cat; sleep 600 &", Ok("input")),
            (
                "echo no license >&2; exit 3",
                Err("it ended with exit code 3: no license"),
            ),
            ("exit 3", Err("it ended with exit code 3")),
            ("echo 12345678901; cat", Err("it wrote too much")),
            ("kill -9 $$", Err("it was killed by signal 9")),
        ] {
            let answer = answer.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(asked(script, long), answer, "{script}");
        }
        let hangs = asked("sleep 600", Duration::from_millis(10));
        assert_eq!(hangs, Err("it took too long".to_owned()));
    }
}
