//! Running the programs of version control systems for pollers (POL-02).

use std::ffi::OsString;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::process::{Beginning, Environment, How, Limits, Output, Program, Sink, Whole, run};
use crate::text;

/// Why a poll has failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(in crate::changes) enum PollError {
    /// The source was stopped.
    #[error("the source was stopped")]
    Stopped,
    /// What is wrong, for people.
    #[error("{0}")]
    Failed(String),
}

impl PollError {
    pub(in crate::changes) fn new(why: impl Into<String>) -> Self {
        Self::Failed(why.into())
    }
}

/// A program with what all its runs have in common. It has no terminal, cannot ask anything, and is
/// ended with all processes that it has started when it takes too long or the source is stopped.
#[derive(Clone, Debug)]
pub(in crate::changes) struct Tool {
    program: String,
    /// The first words of each command.
    before: Vec<OsString>,
    /// What it is called in messages; absent: by the program and its command.
    name: Option<String>,
    environment: Environment,
    time: Duration,
    stop: CancellationToken,
}

impl Tool {
    /// A program that runs for at most `time`.
    pub(in crate::changes) fn new(program: &str, time: Duration, stop: CancellationToken) -> Self {
        let passed = PASSED
            .iter()
            .filter_map(|name| Some(((*name).into(), std::env::var_os(name)?)));
        let mut environment: Environment = passed.collect();
        // Messages in English, and texts in UTF-8.
        environment.insert("LC_ALL".into(), "C.UTF-8".into());
        Self {
            program: program.to_owned(),
            before: Vec::new(),
            name: None,
            environment,
            time,
            stop,
        }
    }

    /// Sets a variable of its environment.
    pub(in crate::changes) fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.environment.insert(name.into(), value.into());
    }

    /// Begins each command with `words`, and calls the program `name` in messages.
    pub(in crate::changes) fn begin_with(&mut self, words: [&str; 5], name: &str) {
        self.before = words.map(Into::into).into();
        self.name = Some(name.to_owned());
    }

    /// The program with these words, for those who run it themselves.
    pub(in crate::changes) fn program<W: Into<OsString>>(
        &self,
        words: impl IntoIterator<Item = W>,
    ) -> Program {
        let mut all = vec![OsString::from(&self.program)];
        all.extend(self.before.iter().cloned());
        all.extend(words.into_iter().map(Into::into));
        Program {
            words: all,
            environment: Some(self.environment.clone()),
            ..Program::default()
        }
    }

    /// Runs it and returns its output of at most `most` bytes.
    ///
    /// # Errors
    /// It fails, takes too long, or prints more.
    pub(in crate::changes) async fn output<W: Into<OsString>>(
        &self,
        words: impl IntoIterator<Item = W>,
        input: Option<&[u8]>,
        most: usize,
    ) -> Result<Vec<u8>, PollError> {
        let mut whole = Whole::up_to(most);
        self.run(words, input, &mut whole, false).await?;
        Ok(whole.bytes)
    }

    /// Runs it and passes its output on. If the sink `may_refuse`, its refusal is not a failure.
    ///
    /// # Errors
    /// It fails or takes too long.
    pub(in crate::changes) async fn run<W: Into<OsString>>(
        &self,
        words: impl IntoIterator<Item = W>,
        input: Option<&[u8]>,
        output: &mut dyn Sink,
        may_refuse: bool,
    ) -> Result<(), PollError> {
        let program = self.program(words);
        let name = self.name.clone();
        let name = name.unwrap_or_else(|| called(&program.words));
        let mut errors = Beginning::up_to(MOST_ERRORS);
        let limits = Limits {
            time: Some(self.time),
            cancel: Some(self.stop.clone()),
            grace: GRACE,
            drain: Some(GRACE),
        };
        let (stdout, stderr) = (Output::To(output), Output::To(&mut errors));
        let ended = run(&program, input, stdout, stderr, limits).await;
        match ended {
            Err(error) => Err(PollError::new(format!(
                "cannot run {}: {error}",
                self.program
            ))),
            Ok(ended) if ended.how.is_success() => Ok(()),
            Ok(ended) => match ended.how {
                How::Cancelled => Err(PollError::Stopped),
                How::TooMuchOutput if may_refuse => Ok(()),
                how @ (How::Exited(_) | How::OutOfTime | How::TooMuchOutput) => {
                    let why = reason(&errors.bytes);
                    Err(PollError::new(match why.as_str() {
                        "" => format!("{name} {how}"),
                        _ => format!("{name} {how}: {why}"),
                    }))
                }
            },
        }
    }
}

/// What a program is called in messages: with its command, such as `git fetch`.
fn called(words: &[OsString]) -> String {
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    let is_command = |word: &str| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    let mut rest = words.iter().skip(1).filter(|word| !word.starts_with('-'));
    let command = rest.find(|word| is_command(word));
    let program = words
        .first()
        .map(|word| word.rsplit('/').next().unwrap_or(word));
    let parts = program.into_iter().chain(command.map(AsRef::as_ref));
    parts.collect::<Vec<_>>().join(" ")
}

/// What a program has printed about a failure: the lines that are marked as errors, or else the
/// last ones.
pub(in crate::changes) fn reason(printed: &[u8]) -> String {
    let text = String::from_utf8_lossy(printed);
    let lines: Vec<_> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let is_error = |line: &&str| ERRORS.iter().any(|start| line.starts_with(start));
    let mut shown: Vec<&str> = lines.iter().copied().filter(is_error).collect();
    if shown.is_empty() {
        let from = lines.len().saturating_sub(MOST_REASONS);
        shown.extend(lines.iter().skip(from));
    }
    shown.truncate(MOST_REASONS);
    let mut reason = text::printable(&shown.join("; "));
    reason.truncate(reason.floor_char_boundary(LONGEST_REASON));
    reason
}

/// How lines about errors begin.
const ERRORS: &[&str] = &[
    "fatal: ",
    "error: ",
    "abort: ",
    "svn: ",
    "Perforce ",
    "bzr: ERROR",
    "brz: ERROR",
];

/// The variables of the master's environment that the programs get.
const PASSED: &[&str] = &[
    "ALL_PROXY",
    "CVS_RSH",
    "GIT_SSL_CAINFO",
    "HOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "KRB5CCNAME",
    "LOGNAME",
    "NO_PROXY",
    "PATH",
    "SSH_AUTH_SOCK",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TMPDIR",
    "TZ",
    "USER",
    "XDG_CONFIG_HOME",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// Bytes of the standard error that are kept.
const MOST_ERRORS: usize = 16 * 1024;
/// Lines of an error that are shown.
const MOST_REASONS: usize = 3;
/// Bytes of an error that are shown.
const LONGEST_REASON: usize = 600;
/// Time between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn shell(time: Duration) -> Tool {
        Tool::new("sh", time, CancellationToken::new())
    }

    async fn fails(tool: &Tool, script: &str) -> String {
        let ended = tool.output(["-c", script], None, 1000).await;
        ended.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn pol_02_a_program_has_a_listed_environment_and_no_terminal() {
        let mut tool = shell(MINUTE);
        tool.set("A", "b");
        let script = "env | cut -d= -f1 | sort; tty </dev/tty || echo none";
        let printed = tool
            .output(["-c", script], Some(b""), 10_000)
            .await
            .unwrap();
        let printed = String::from_utf8(printed).unwrap();
        let allowed = |name: &str| {
            PASSED.contains(&name) || ["A", "LC_ALL", "PWD", "OLDPWD", "SHLVL", "_"].contains(&name)
        };
        let odd: Vec<_> = printed.lines().filter(|name| !allowed(name)).collect();
        assert!(
            odd.iter()
                .all(|line| *line == "none" || line.starts_with("/dev")),
            "{odd:?}"
        );
    }

    #[tokio::test]
    async fn pol_02_a_failure_says_what_the_program_said() {
        let tool = shell(MINUTE);
        let text = fails(
            &tool,
            "echo a >&2; echo 'fatal: no \x1b[1msuch' >&2; echo b >&2; exit 3",
        )
        .await;
        let reason = "fatal: no \u{fffd}[1msuch";
        assert_eq!(text, format!("sh ended with exit code 3: {reason}"));
        let words = ["/bin/git", "-c", "a.b=c", "log"].map(OsString::from);
        assert_eq!(called(&words), "git log");
        assert!(
            fails(&tool, "echo a >&2; echo b >&2; exit 1")
                .await
                .ends_with(": a; b")
        );
        let missing = Tool::new("/no/such", MINUTE, CancellationToken::new());
        assert!(
            fails(&missing, "")
                .await
                .starts_with("cannot run /no/such: ")
        );
    }

    #[tokio::test]
    async fn pol_02_a_program_is_bounded_in_time_and_output_and_can_be_stopped() {
        let late = shell(Duration::from_millis(20));
        assert!(fails(&late, "sleep 600").await.ends_with("took too long"));
        assert!(
            fails(&shell(MINUTE), "yes")
                .await
                .ends_with("wrote too much")
        );
        let stop = CancellationToken::new();
        stop.cancel();
        let stopped = Tool::new("sh", MINUTE, stop);
        assert_eq!(
            fails(&stopped, "sleep 600").await,
            PollError::Stopped.to_string()
        );
    }
}
