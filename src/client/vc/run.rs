//! Runs the programs of version control systems.
//!
//! Their messages are read, so they are asked for in English; names of files stay in the encoding of the user's
//! locale, since with `LC_ALL=C` Subversion refuses names beyond ASCII.

use std::env;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;

use super::VcError;

/// Most bytes of a patch.
pub(super) const MAX_PATCH_BYTES: usize = 64 << 20;
/// Most bytes that any other question is answered with. (A Darcs context may be long.)
pub(super) const MAX_ANSWER_BYTES: usize = 16 << 20;
/// Most bytes of standard error that are kept; the rest is read and dropped.
const MAX_STDERR_BYTES: usize = 16 << 10;
/// Most characters of an output in a message.
const MAX_SHOWN_CHARS: usize = 400;

/// Runs one program in one directory.
#[derive(Debug)]
pub(super) struct Runner {
    /// Where.
    top: PathBuf,
    /// Its name in messages.
    name: &'static str,
    /// The files that may be it; the first that is there is used.
    programs: Vec<OsString>,
}

/// What a command that has ended left.
#[derive(Debug)]
pub(super) struct Answer {
    /// The command as a person would type it.
    pub(super) command: String,
    /// Its exit code; absent if a signal ended it.
    pub(super) code: Option<i32>,
    /// Its standard output.
    pub(super) stdout: Vec<u8>,
    /// The beginning of its standard error.
    pub(super) stderr: String,
    top: PathBuf,
}

impl Runner {
    pub(super) fn new(top: &Path, names: &[&'static str]) -> Self {
        Self {
            top: top.to_owned(),
            name: names.first().copied().unwrap_or_default(),
            programs: names.iter().map(OsString::from).collect(),
        }
    }

    /// Where it runs.
    pub(super) fn top(&self) -> &Path {
        &self.top
    }

    /// Runs it to its end, however it ends.
    ///
    /// # Errors
    /// The program is missing or writes more than `limit` bytes.
    pub(super) async fn run<A: AsRef<str>>(
        &self,
        args: &[A],
        limit: usize,
    ) -> Result<Answer, VcError> {
        let args: Vec<&str> = args.iter().map(AsRef::as_ref).collect();
        let command = shown(self.name, &args);
        let not_run = |source| VcError::NotRun {
            command: command.clone(),
            top: self.top.clone(),
            source,
        };
        // Otherwise a missing directory looks like a missing program.
        if !self.top.is_dir() {
            return Err(not_run(io::ErrorKind::NotADirectory.into()));
        }
        for program in &self.programs {
            let mut process = Command::new(program);
            process
                .args(&args)
                .current_dir(&self.top)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .kill_on_drop(true);
            set_environment(&mut process);
            let mut child = match process.spawn() {
                Ok(child) => child,
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                Err(e) => return Err(not_run(e)),
            };
            let stdout = child.stdout.take().expect("it is piped");
            let stderr = child.stderr.take().expect("it is piped");
            let (stdout, stderr) =
                tokio::try_join!(at_most(stdout, limit), beginning(stderr)).map_err(not_run)?;
            let Some(stdout) = stdout else {
                return Err(VcError::TooLong { command, limit });
            };
            let status = child.wait().await.map_err(not_run)?;
            return Ok(Answer {
                command,
                code: status.code(),
                stdout,
                stderr,
                top: self.top.clone(),
            });
        }
        Err(VcError::NoProgram { program: self.name })
    }

    /// Runs it, and gives its standard output if it ends well.
    ///
    /// # Errors
    /// It is missing, writes more than `limit` bytes or fails; `remedy` says what to do then.
    pub(super) async fn output<A: AsRef<str>>(
        &self,
        args: &[A],
        limit: usize,
        remedy: &str,
    ) -> Result<Vec<u8>, VcError> {
        let answer = self.run(args, limit).await?;
        if answer.code == Some(0) {
            Ok(answer.stdout)
        } else {
            Err(answer.failed(remedy))
        }
    }

    /// Like [`Self::output`], for short answers: a text without the blanks around it.
    ///
    /// # Errors
    /// As there, or it is no UTF-8.
    pub(super) async fn text<A: AsRef<str>>(
        &self,
        args: &[A],
        remedy: &str,
    ) -> Result<String, VcError> {
        let output = self.output(args, MAX_ANSWER_BYTES, remedy).await?;
        match str::from_utf8(&output) {
            Ok(text) => Ok(text.trim().to_owned()),
            Err(_) => Err(self.surprising(args, &output, "text in UTF-8", remedy)),
        }
    }

    /// The error for an output that is not understood.
    pub(super) fn surprising<A: AsRef<str>>(
        &self,
        args: &[A],
        output: &[u8],
        expected: &'static str,
        remedy: &str,
    ) -> VcError {
        let args: Vec<&str> = args.iter().map(AsRef::as_ref).collect();
        VcError::Surprising {
            command: shown(self.name, &args),
            said: cut(&String::from_utf8_lossy(output)),
            expected,
            remedy: remedy.to_owned(),
        }
    }
}

impl Answer {
    /// The error that it failed; `remedy` says what to do.
    pub(super) fn failed(self, remedy: &str) -> VcError {
        let said = match self.stderr.trim() {
            "" => String::new(),
            said => format!(": {}", cut(said)),
        };
        VcError::CommandFailed {
            command: self.command,
            top: self.top,
            how: match self.code {
                Some(code) => format!("ends with exit code {code}"),
                None => "is ended by a signal".to_owned(),
            },
            said,
            remedy: remedy.to_owned(),
        }
    }
}

/// Everything, unless it is longer than `limit`.
async fn at_most(mut from: impl AsyncRead + Unpin, limit: usize) -> io::Result<Option<Vec<u8>>> {
    let mut all = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    (&mut from).take(most).read_to_end(&mut all).await?;
    Ok((all.len() <= limit).then_some(all))
}

/// The beginning, with the rest read and dropped.
async fn beginning(mut from: impl AsyncRead + Unpin) -> io::Result<String> {
    let mut kept = Vec::new();
    let mut piece = [0; 4096];
    loop {
        match from.read(&mut piece).await? {
            0 => return Ok(String::from_utf8_lossy(&kept).into_owned()),
            read => {
                let room = MAX_STDERR_BYTES.saturating_sub(kept.len());
                kept.extend(piece.iter().take(read.min(room)));
            }
        }
    }
}

/// English messages without colours, pagers, progress bars and personal diff programs.
fn set_environment(process: &mut Command) {
    let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let ctype = character_type(
        ["LC_ALL", "LC_CTYPE", "LANG"]
            .into_iter()
            .find_map(set)
            .as_deref(),
    );
    for name in ["LC_ALL", "LANGUAGE", "GIT_DIFF_OPTS", "P4DIFF"] {
        process.env_remove(name);
    }
    for (name, value) in [
        ("LANG", "C"),
        ("LC_MESSAGES", "C"),
        ("LC_TIME", "C"),
        ("LC_CTYPE", &ctype),
        ("PAGER", "cat"),
        ("GIT_PAGER", "cat"),
        ("GIT_OPTIONAL_LOCKS", "0"),
        ("HGPLAIN", "1"),
        ("BZR_PROGRESS_BAR", "none"),
        ("BRZ_PROGRESS_BAR", "none"),
    ] {
        process.env(name, value);
    }
}

/// The encoding of file names: the user's, or UTF-8 if the user's locale has none beyond ASCII.
fn character_type(locale: Option<&str>) -> String {
    match locale {
        None | Some("C" | "POSIX") => "C.UTF-8".to_owned(),
        Some(locale) => locale.to_owned(),
    }
}

/// A command as a person would type it.
fn shown(name: &str, args: &[&str]) -> String {
    let mut text = name.to_owned();
    for arg in args {
        text.push(' ');
        let plain = |c: char| c.is_alphanumeric() || "-_=./:@{}^,+".contains(c);
        if !arg.is_empty() && arg.chars().all(plain) {
            text.push_str(arg);
        } else {
            text.push_str(&format!("\"{}\"", arg.escape_debug()));
        }
    }
    text
}

/// The beginning of a text, for a message.
fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN_CHARS) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A program that answers as the `case` branches of a shell script say; `$*` are its arguments.
    pub(in super::super) fn stand_in(
        name: &'static str,
        cases: &str,
    ) -> (tempfile::TempDir, Runner) {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join(name);
        let script = format!(
            "#!/bin/sh\ncase \"$*\" in\n{cases}\n*) echo \"unexpected: $*\" >&2; exit 9;;\nesac\n"
        );
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let runner = Runner {
            top: directory.path().to_owned(),
            name,
            programs: vec![program.into()],
        };
        (directory, runner)
    }

    fn head() -> Runner {
        Runner::new(Path::new("/"), &["head"])
    }

    #[tokio::test]
    async fn outputs_up_to_the_limit_are_taken() {
        let args = ["-c", "1000", "/dev/zero"];
        let whole = head().output(&args, 1000, "").await.unwrap();
        assert_eq!(whole, vec![0; 1000]);
        let error = head().output(&args, 999, "").await.unwrap_err().to_string();
        assert!(
            error.starts_with("'head -c 1000 /dev/zero' writes more than 999 bytes;"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn an_endless_output_is_cut_off() {
        let args = ["/dev/zero"];
        let cat = Runner::new(Path::new("/"), &["cat"]);
        assert!(matches!(
            cat.output(&args, 100_000, "").await,
            Err(VcError::TooLong { limit: 100_000, .. })
        ));
    }

    #[tokio::test]
    async fn standard_error_is_kept_up_to_its_limit() {
        for (length, kept) in [
            (MAX_STDERR_BYTES, MAX_STDERR_BYTES),
            (MAX_STDERR_BYTES + 1, MAX_STDERR_BYTES),
        ] {
            let text = "x".repeat(length);
            assert_eq!(beginning(text.as_bytes()).await.unwrap().len(), kept);
        }
    }

    #[tokio::test]
    async fn what_goes_wrong_is_told_with_the_remedy() {
        let missing = Runner::new(Path::new("/"), &["no-such-program", "nor-this"]);
        let error = missing.run(&["x"], 1).await.unwrap_err().to_string();
        assert!(
            error.starts_with("the program 'no-such-program' is not in PATH: install it"),
            "{error}"
        );
        let nowhere = Runner::new(Path::new("/no/such/place"), &["cat"]);
        let error = nowhere.run(&["x"], 1).await.unwrap_err().to_string();
        assert!(
            error.starts_with("cannot run 'cat x' in /no/such/place: not a directory"),
            "{error}"
        );
        let (directory, runner) = stand_in("vc", "'a b') echo 'no, never' >&2; exit 3;;");
        let error = runner
            .output(&["a b"], 10, "say please")
            .await
            .unwrap_err()
            .to_string();
        let top = directory.path().display();
        assert_eq!(
            error,
            format!("'vc \"a b\"' in {top} ends with exit code 3: no, never; say please")
        );
    }

    #[tokio::test]
    async fn a_later_name_of_the_program_is_tried() {
        let either = Runner::new(Path::new("/"), &["no-such-program", "echo"]);
        assert_eq!(either.text(&["a"], "").await.unwrap(), "a");
    }

    #[test]
    fn file_names_keep_the_encoding_of_the_user() {
        for (locale, ctype) in [
            (None, "C.UTF-8"),
            (Some("C"), "C.UTF-8"),
            (Some("POSIX"), "C.UTF-8"),
            (Some("de_DE.UTF-8"), "de_DE.UTF-8"),
            (Some("de_DE@euro"), "de_DE@euro"),
        ] {
            assert_eq!(character_type(locale), ctype, "{locale:?}");
        }
    }

    #[test]
    fn long_outputs_are_cut_in_messages() {
        let whole = "é".repeat(MAX_SHOWN_CHARS);
        assert_eq!(cut(&whole), whole);
        assert_eq!(cut(&format!("{whole}é")), format!("{whole}…"));
    }
}
