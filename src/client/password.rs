//! Asks for a password on the terminal.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// Asks for a password without showing it. Returns `None` without a terminal.
///
/// # Errors
/// The terminal cannot be read or written.
pub fn ask(prompt: &str) -> io::Result<Option<String>> {
    let Ok(terminal) = File::options().read(true).write(true).open("/dev/tty") else {
        return Ok(None);
    };
    let before = tcgetattr(&terminal)?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    let mut out = terminal.try_clone()?;
    out.write_all(prompt.as_bytes())?;
    tcsetattr(&terminal, OptionalActions::Flush, &silent)?;
    let restore = Restore {
        terminal: &terminal,
        before,
    };
    let mut line = String::new();
    let read = BufReader::new(&terminal).read_line(&mut line);
    drop(restore);
    out.write_all(b"\n")?;
    read?;
    Ok(Some(line.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Restores the echo of the terminal when dropped.
struct Restore<'a> {
    terminal: &'a File,
    before: Termios,
}

impl Drop for Restore<'_> {
    fn drop(&mut self) {
        // If the terminal is gone, there is nothing to restore.
        tcsetattr(self.terminal, OptionalActions::Flush, &self.before).ok();
    }
}
