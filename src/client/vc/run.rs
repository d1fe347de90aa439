//! Runs the programs of version control systems.
//!
//! Messages are requested in English, because this program reads them. File names keep the encoding
//! of the user's locale, since Subversion rejects non-ASCII names with `LC_ALL=C`.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use super::VcError;
use crate::process::{self, Beginning, Environment, Group, How, Limits, Output, Program, Whole};

/// Maximum size of a patch in bytes.
pub(super) const MAX_PATCH_BYTES: usize = 64 << 20;
/// Maximum size in bytes of any other output. (A Darcs context may be long.)
pub(in crate::client) const MAX_ANSWER_BYTES: usize = 16 << 20;
/// Maximum number of bytes kept of standard error; the rest is read and dropped.
const MAX_STDERR_BYTES: usize = 16 << 10;
/// Maximum number of characters of an output in a message.
const MAX_SHOWN_CHARS: usize = 400;

/// Runs one program in one directory.
#[derive(Debug)]
pub(in crate::client) struct Runner {
    /// The directory.
    top: PathBuf,
    /// The name of the program in messages.
    name: &'static str,
    /// Names of the program; the first existing one is used.
    programs: Vec<OsString>,
}

/// The output of a command that has ended.
#[derive(Debug)]
pub(in crate::client) struct Answer {
    /// The command as a person would type it.
    pub(super) command: String,
    /// Its exit code; absent if a signal ended it.
    pub(in crate::client) code: Option<i32>,
    /// Its standard output.
    pub(in crate::client) stdout: Vec<u8>,
    /// The beginning of its standard error.
    pub(super) stderr: String,
    top: PathBuf,
}

impl Runner {
    /// Runs the first existing program of `names`.
    pub(in crate::client) fn new(top: &Path, names: &[&'static str]) -> Self {
        Self {
            top: top.to_owned(),
            name: names.first().copied().unwrap_or_default(),
            programs: names.iter().map(OsString::from).collect(),
        }
    }

    /// The directory in which the program runs.
    pub(super) fn top(&self) -> &Path {
        &self.top
    }

    /// Runs the program until it ends, with any exit code.
    ///
    /// # Errors
    /// The program is missing or writes more than `limit` bytes.
    pub(in crate::client) async fn run<A: AsRef<str>>(
        &self,
        args: &[A],
        limit: usize,
    ) -> Result<Answer, VcError> {
        self.run_with(args, None, limit).await
    }

    async fn run_with<A: AsRef<str>>(
        &self,
        args: &[A],
        input: Option<&[u8]>,
        limit: usize,
    ) -> Result<Answer, VcError> {
        let args: Vec<&str> = args.iter().map(AsRef::as_ref).collect();
        let command = shown(self.name, &args);
        let not_run = |source| VcError::NotRun {
            command: command.clone(),
            top: self.top.clone(),
            source,
        };
        // Without this check, a missing directory looks like a missing program.
        if !self.top.is_dir() {
            return Err(not_run(io::ErrorKind::NotADirectory.into()));
        }
        for program in &self.programs {
            let words = std::iter::once(program.clone()).chain(args.iter().map(OsString::from));
            let program = Program {
                directory: Some(self.top.clone()),
                environment: Some(environment(env::vars_os())),
                // The program may ask for a password on the terminal.
                group: Group::Shared,
                ..Program::new(words)
            };
            let mut stdout = Whole::up_to(limit);
            let mut stderr = Beginning::up_to(MAX_STDERR_BYTES);
            let (to_stdout, to_stderr) = (Output::To(&mut stdout), Output::To(&mut stderr));
            let ended = process::run(&program, input, to_stdout, to_stderr, Limits::default());
            let how = match ended.await {
                Ok(ended) => ended.how,
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                Err(e) => return Err(not_run(e)),
            };
            let code = match how {
                How::Exited(status) => status.code(),
                How::TooMuchOutput => return Err(VcError::TooLong { command, limit }),
                How::Cancelled | How::OutOfTime => None,
            };
            return Ok(Answer {
                command,
                code,
                stdout: stdout.bytes,
                stderr: String::from_utf8_lossy(&stderr.bytes).into_owned(),
                top: self.top.clone(),
            });
        }
        Err(VcError::NoProgram { program: self.name })
    }

    /// Runs the program, and returns its standard output if the exit code is 0.
    ///
    /// # Errors
    /// The program is missing, writes more than `limit` bytes, or fails; `remedy` tells what
    /// to do.
    pub(in crate::client) async fn output<A: AsRef<str>>(
        &self,
        args: &[A],
        limit: usize,
        remedy: &str,
    ) -> Result<Vec<u8>, VcError> {
        let answer = self.run(args, limit).await?;
        answer.good(remedy)
    }

    /// Like [`Self::output`], with `input` as the standard input.
    ///
    /// # Errors
    /// As for [`Self::output`].
    pub(in crate::client) async fn output_of<A: AsRef<str>>(
        &self,
        args: &[A],
        input: &[u8],
        limit: usize,
        remedy: &str,
    ) -> Result<Vec<u8>, VcError> {
        let answer = self.run_with(args, Some(input), limit).await?;
        answer.good(remedy)
    }

    /// Like [`Self::output`], for short outputs: a string without the blanks around it.
    ///
    /// # Errors
    /// As for [`Self::output`], or the output is not UTF-8.
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

    /// The error for an unexpected output.
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
    /// The standard output, if the exit code is 0.
    fn good(self, remedy: &str) -> Result<Vec<u8>, VcError> {
        match self.code {
            Some(0) => Ok(self.stdout),
            _ => Err(self.failed(remedy)),
        }
    }

    /// The error for a failed command; `remedy` tells the user what to do.
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

/// `own` with English messages, without colours, pagers, progress bars and personal diff programs.
fn environment(own: impl Iterator<Item = (OsString, OsString)>) -> Environment {
    let mut environment: Environment = own.collect();
    let set = |name: &str| {
        let value = environment.get(OsStr::new(name))?.to_str()?;
        (!value.is_empty()).then(|| value.to_owned())
    };
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
    let ctype = character_type(locale.as_deref());
    for name in ["LC_ALL", "LANGUAGE", "GIT_DIFF_OPTS", "P4DIFF"] {
        environment.remove(OsStr::new(name));
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
        environment.insert(name.into(), value.into());
    }
    environment
}

/// The locale for file names: the user's, or `C.UTF-8` if the user's locale is plain ASCII.
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
        // Written by another process: a file that this one has open for writing could be inherited
        // by a program that another test starts just then, and would be busy.
        let write = ["-c", "printf %s \"$1\" >\"$0\" && chmod 755 \"$0\""];
        let mut writer = std::process::Command::new("sh");
        let written = writer.args(write).arg(&program).arg(script).status();
        assert!(written.unwrap().success());
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
    async fn what_goes_wrong_is_told_with_the_remedy() {
        let missing = Runner::new(Path::new("/"), &["no-such-program", "nor-this"]);
        let error = missing.run(&["x"], 1).await.unwrap_err().to_string();
        assert!(
            error.starts_with("the program 'no-such-program' is not in PATH; install it"),
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
