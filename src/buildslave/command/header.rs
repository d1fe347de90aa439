//! The header of a command's log, in the form that Buildbot's users know.

use std::path::Path;

use bytes::Bytes;

use crate::process::Environment;
use crate::protocol::{LogFile, ShellCommand};

/// The parts of a header: the command, its directory, its environment and its limits.
pub(super) struct Header<'a> {
    pub(super) command: &'a ShellCommand<Bytes>,
    pub(super) workdir: &'a Path,
    pub(super) timeout: Option<f64>,
    pub(super) max_time: Option<f64>,
    pub(super) logfiles: &'a [LogFile<Bytes>],
    /// Absent: not shown.
    pub(super) environment: Option<&'a Environment>,
    pub(super) stdin_bytes: Option<usize>,
    pub(super) use_pty: bool,
}

impl Header<'_> {
    pub(super) fn text(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self.command {
            ShellCommand::Line(line) => out.extend(line),
            ShellCommand::Words(words) => {
                for (index, word) in words.iter().enumerate() {
                    if index > 0 {
                        out.push(b' ');
                    }
                    shell_quote(word.shown(), &mut out);
                }
            }
        }
        out.extend(b"\n in dir ");
        out.extend(self.workdir.as_os_str().as_encoded_bytes());
        for (name, seconds) in [("timeout", self.timeout), ("maxTime", self.max_time)] {
            if let Some(seconds) = seconds {
                #[expect(clippy::float_cmp, reason = "exactly one, for the plural")]
                let unit = if seconds == 1.0 { "sec" } else { "secs" };
                out.extend(format!(" ({name} {seconds} {unit})").bytes());
            }
        }
        out.extend(b"\n watching logfiles {");
        for (index, file) in self.logfiles.iter().enumerate() {
            if index > 0 {
                out.extend(b", ");
            }
            python_repr(file.name.as_bytes(), &mut out);
            out.extend(b": ");
            python_repr(&file.path, &mut out);
            if file.follow {
                out.extend(b" (followed from its end)");
            }
        }
        out.extend(b"}\n argv: ");
        out.extend(shown_argv(self.command));
        out.push(b'\n');
        if let Some(environment) = self.environment {
            out.extend(b" environment:\n");
            for (name, value) in environment {
                out.extend(b"  ");
                out.extend(name.as_encoded_bytes());
                out.push(b'=');
                out.extend(value.as_encoded_bytes());
                out.push(b'\n');
            }
        }
        if let Some(bytes) = self.stdin_bytes {
            out.extend(format!(" writing {bytes} bytes to stdin\n").bytes());
        }
        let pty = if self.use_pty { "True" } else { "False" };
        out.extend(format!(" using PTY: {pty}\n").bytes());
        out
    }
}

/// The command as a list of words, secrets masked.
pub(super) fn shown_argv(command: &ShellCommand<Bytes>) -> Vec<u8> {
    let mut out = Vec::new();
    match command {
        ShellCommand::Line(line) => out.extend(line),
        ShellCommand::Words(words) => {
            out.push(b'[');
            for (index, word) in words.iter().enumerate() {
                if index > 0 {
                    out.extend(b", ");
                }
                python_repr(word.shown(), &mut out);
            }
            out.push(b']');
        }
    }
    out
}

/// A word, quoted for a shell.
fn shell_quote(word: &[u8], out: &mut Vec<u8>) {
    if word.is_empty() {
        out.extend(b"\"\"");
        return;
    }
    let is_safe = |b: &u8| b.is_ascii_alphanumeric() || b"%@_-+=:,./".contains(b);
    if word.iter().all(is_safe) {
        out.extend(word);
        return;
    }
    out.push(b'\'');
    for &byte in word {
        match byte {
            b'\'' => out.extend(b"'\"'\"'"),
            other => out.push(other),
        }
    }
    out.push(b'\'');
}

/// A string as Python's `repr` shows it, but with printable UTF-8 as it is.
fn python_repr(word: &[u8], out: &mut Vec<u8>) {
    let quote = if word.contains(&b'\'') && !word.contains(&b'"') {
        '"'
    } else {
        '\''
    };
    let mut text = String::from(quote);
    for chunk in word.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => text.push_str("\\\\"),
                '\n' => text.push_str("\\n"),
                '\r' => text.push_str("\\r"),
                '\t' => text.push_str("\\t"),
                c if c == quote => text.extend(['\\', c]),
                c if c.is_ascii_control() => text.push_str(&format!("\\x{:02x}", u32::from(c))),
                c => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text.push(quote);
    out.extend(text.bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(quote: fn(&[u8], &mut Vec<u8>), cases: &[(&[u8], &str)]) {
        for (word, expect) in cases {
            let mut out = Vec::new();
            quote(word, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), *expect);
        }
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        check(
            shell_quote,
            &[
                (b"make", "make"),
                (b"", "\"\""),
                (b"a b", "'a b'"),
                (b"it's", "'it'\"'\"'s'"),
                (b"-DX=1,2:/a@b%c+d", "-DX=1,2:/a@b%c+d"),
            ],
        );
    }

    #[test]
    fn words_are_shown_as_python_shows_them() {
        check(
            python_repr,
            &[
                (b"sh", "'sh'"),
                (b"it's", "\"it's\""),
                (b"both ' and \"", "'both \\' and \"'"),
                (b"a\\b\n\x01\xff", "'a\\\\b\\n\\x01\\xff'"),
                ("é".as_bytes(), "'é'"),
            ],
        );
    }
}
