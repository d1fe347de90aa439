//! Shows the progress of builds: redrawn lines on a terminal, plain lines elsewhere, nothing with
//! `--quiet`.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use tokio::time::Instant;

use super::board::{Board, Line, Mood};
use crate::platform;
use crate::text::{Harmless, printable};

/// Where the progress of the builds is shown.
#[derive(Debug)]
pub(super) struct Screen {
    kind: Kind,
    started: Instant,
    /// Number of lines of the last frame on the terminal.
    drawn: usize,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// A terminal, with or without colours.
    Live { colours: bool },
    /// Lines, one after the other.
    Lines,
    /// Nothing until the end.
    Quiet,
}

impl Screen {
    /// A screen for the kind of standard output.
    pub(super) fn new(quiet: bool) -> Self {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let kind = match (quiet, io::stdout().is_terminal() && !dumb) {
            (true, _) => Kind::Quiet,
            (false, true) => Kind::Live { colours },
            (false, false) => Kind::Lines,
        };
        Self {
            kind,
            started: Instant::now(),
            drawn: 0,
        }
    }

    /// Time since the start.
    pub(super) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Interval of [`Self::tick`]: 3 seconds for plain lines (CLI-05), 1 second on a terminal,
    /// where times count down.
    pub(super) fn period(&self) -> Duration {
        match self.kind {
            Kind::Live { .. } => Duration::from_secs(1),
            Kind::Lines | Kind::Quiet => Duration::from_secs(3),
        }
    }

    /// Shows a change of the board.
    pub(super) fn changed(&mut self, board: &Board) {
        if let Kind::Live { .. } = self.kind {
            self.tick(board);
        }
    }

    /// Shows the board after an interval.
    pub(super) fn tick(&mut self, board: &Board) {
        let lines = printable_lines(board.lines(self.now()));
        match self.kind {
            Kind::Live { colours } => {
                let text = frame(&lines, width(), self.drawn, colours);
                self.drawn = lines.len();
                print(&text);
            }
            Kind::Lines => print(&(plain(&lines) + "\n")),
            Kind::Quiet => {}
        }
    }

    /// Shows a message between two frames.
    pub(super) fn say(&mut self, text: &str) {
        if self.kind != Kind::Quiet {
            self.drawn = 0;
            print(&format!("{}\n", printable(text)));
        }
    }

    /// A line of a log: without control characters on a terminal, unchanged elsewhere.
    fn log_line(&self, line: &str) -> String {
        let Kind::Live { colours } = self.kind else {
            return line.to_owned();
        };
        let mut out = Vec::new();
        let mut harmless = Harmless::new(&mut out, colours);
        let written = harmless
            .write_all(line.as_bytes())
            .and_then(|()| harmless.finish());
        written.expect("a buffer takes all");
        String::from_utf8_lossy(&out).into_owned()
    }

    /// Shows the list of builders and results (CLI-05), and the reasons of failures.
    pub(super) fn finish(&mut self, board: &Board) {
        let lines = printable_lines(board.lines(self.now()));
        let list = match self.kind {
            Kind::Live { colours } => frame(&lines, width(), self.drawn, colours),
            Kind::Lines | Kind::Quiet => plain(&lines),
        };
        self.drawn = 0;
        let mut text = match self.kind {
            Kind::Live { .. } => list,
            Kind::Lines | Kind::Quiet => format!("All builds have finished:\n{list}"),
        };
        for (builder, ending) in board.endings() {
            if let Some(tail) = ending.and_then(|ending| ending.tail.as_ref()) {
                let what = &tail.what;
                let head = printable(&format!("{builder}: the end of {what}:"));
                text += &format!("\n{head}\n");
                for line in &tail.lines {
                    text += &format!("  {}\n", self.log_line(line));
                }
            }
        }
        print(&text);
    }
}

/// The lines, safe to print.
fn printable_lines(lines: Vec<Line>) -> Vec<Line> {
    let lines = lines.into_iter().map(|line| Line {
        builder: printable(&line.builder),
        text: printable(&line.text),
        ..line
    });
    lines.collect()
}

/// Prints `text`, and ignores errors: a try goes on without its output.
fn print(text: &str) {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).ok();
    out.flush().ok();
}

fn plain(lines: &[Line]) -> String {
    let lines = lines.iter();
    lines
        .map(|line| format!("{}: {}\n", line.builder, line.text))
        .collect()
}

/// The bytes that replace the `drawn` lines above the cursor by `lines`.
fn frame(lines: &[Line], width: usize, drawn: usize, colours: bool) -> String {
    let mut text = String::new();
    if drawn > 0 {
        text += &format!("\x1b[{drawn}A");
    }
    let longest = lines.iter().map(|line| line.builder.chars().count()).max();
    let longest = longest.unwrap_or(0);
    for line in lines {
        // One column stays free, so that the terminal does not wrap.
        let room = width.saturating_sub(1);
        let builder = format!("{:longest$}  ", line.builder);
        let builder: String = builder.chars().take(room).collect();
        let room = room - builder.chars().count();
        let rest: String = line.text.chars().take(room).collect();
        match line.mood.colour().filter(|_| colours) {
            Some(colour) => text += &format!("{builder}\x1b[{colour}m{rest}\x1b[0m\x1b[K\n"),
            None => text += &format!("{builder}{rest}\x1b[K\n"),
        }
    }
    text
}

impl Mood {
    /// The colour of the terminal.
    const fn colour(self) -> Option<u8> {
        match self {
            Self::Idle => None,
            Self::Busy => Some(36),
            Self::Good => Some(32),
            Self::Doubtful => Some(33),
            Self::Bad => Some(31),
        }
    }
}

fn width() -> usize {
    let columns = platform::terminal_columns();
    columns.filter(|columns| *columns > 0).unwrap_or(80)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(builder: &str, text: &str, mood: Mood) -> Line {
        Line {
            builder: builder.to_owned(),
            text: text.to_owned(),
            mood,
        }
    }

    #[test]
    fn a_frame_replaces_the_last_one_and_fits() {
        let lines = [
            line("a", "compile [ETA 5s]", Mood::Busy),
            line("long", "failure", Mood::Bad),
        ];
        assert_eq!(
            frame(&lines, 80, 0, false),
            "a     compile [ETA 5s]\x1b[K\nlong  failure\x1b[K\n"
        );
        assert_eq!(
            frame(&lines, 12, 2, true),
            "\x1b[2Aa     \x1b[36mcompi\x1b[0m\x1b[K\nlong  \x1b[31mfailu\x1b[0m\x1b[K\n"
        );
        assert_eq!(frame(&lines, 1, 0, false), "\x1b[K\n\x1b[K\n");
    }

    #[test]
    fn lines_are_plain_elsewhere() {
        assert_eq!(plain(&[line("a", "success", Mood::Good)]), "a: success\n");
    }
}
