//! Looking at the lines of a log while it is written. Pure.

use std::collections::BTreeMap;

use crate::logs::Channel;

/// Looks at each complete line of a command's logs. It gets them in the order of their ends.
pub(super) trait LineObserver: Send {
    /// A line of `log` without its end, at most [`MAX_LINE_BYTES`] of it. It may be anything: the
    /// slave's programs wrote it.
    fn line(&mut self, log: &str, channel: Channel, line: &[u8]);

    /// How many tests the lines have told of so far, if it counts them.
    fn tests(&self) -> Option<u64> {
        None
    }
}

/// So much of a line is looked at.
pub(super) const MAX_LINE_BYTES: usize = 64 * 1024;

/// Makes lines of the pieces of the logs of one command.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    /// The line that is not complete, of each log and channel.
    open: BTreeMap<(String, Channel), Open>,
}

/// The beginning of a line.
#[derive(Debug, Default)]
struct Open {
    bytes: Vec<u8>,
    /// Whether it ends here unless the next byte says that it is `\r\n`.
    after_cr: bool,
}

impl Splitter {
    /// Takes the next piece of a log, and shows `to` the lines that end in it. A line ends at
    /// `\n`, `\r\n`, or a `\r` that begins the line again, as progress bars do.
    pub(super) fn push(
        &mut self,
        log: &str,
        channel: Channel,
        mut data: &[u8],
        to: &mut dyn LineObserver,
    ) {
        if !Channel::OUTPUT.contains(&channel) {
            return;
        }
        // Found first without a copy of its name.
        let open = match self
            .open
            .iter_mut()
            .find(|(key, _)| key.0 == log && key.1 == channel)
        {
            Some((_, open)) => open,
            None => self.open.entry((log.to_owned(), channel)).or_default(),
        };
        let mut end = |open: &mut Open| {
            to.line(log, channel, &open.bytes);
            open.bytes.clear();
            open.after_cr = false;
        };
        while let Some(&first) = data.first() {
            if open.after_cr && first != b'\n' && first != b'\r' {
                end(open);
            }
            let length = data.iter().position(|b| matches!(b, b'\n' | b'\r'));
            let (line, rest) = data.split_at(length.unwrap_or(data.len()));
            let room = MAX_LINE_BYTES.saturating_sub(open.bytes.len());
            open.bytes.extend(line.iter().take(room));
            data = rest;
            if let Some((separator, rest)) = data.split_first() {
                data = rest;
                match separator {
                    b'\n' => end(open),
                    _ => open.after_cr = true,
                }
            }
        }
    }

    /// Shows `to` the lines that have no end.
    pub(super) fn finish(&mut self, to: &mut dyn LineObserver) {
        for ((log, channel), open) in std::mem::take(&mut self.open) {
            if open.after_cr || !open.bytes.is_empty() {
                to.line(&log, channel, &open.bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Seen(Vec<String>);

    impl LineObserver for Seen {
        fn line(&mut self, log: &str, channel: Channel, line: &[u8]) {
            assert!(line.len() <= MAX_LINE_BYTES);
            let mark = if channel == Channel::Stderr { "!" } else { "" };
            let line = String::from_utf8_lossy(line);
            self.0.push(format!("{log}{mark}:{line}"));
        }
    }

    fn lines(pieces: &[(&str, Channel, &str)]) -> Vec<String> {
        let (mut splitter, mut seen) = (Splitter::default(), Seen::default());
        for (log, channel, piece) in pieces {
            splitter.push(log, *channel, piece.as_bytes(), &mut seen);
        }
        splitter.finish(&mut seen);
        seen.0
    }

    #[test]
    fn lines_are_the_same_however_they_are_cut() {
        let text = "one\ntwo\r\n\nfour\r\r\n 10%\r 20%\rdone\nlast";
        let expected = ["one", "two", "", "four", " 10%", " 20%", "done", "last"];
        for size in 1..text.len() {
            let pieces = text.as_bytes().chunks(size);
            let pieces: Vec<_> = pieces
                .map(|piece| {
                    (
                        "l",
                        Channel::Stdout,
                        std::str::from_utf8(piece).expect("ASCII"),
                    )
                })
                .collect();
            let expected = expected.map(|line| format!("l:{line}"));
            assert_eq!(lines(&pieces), expected, "in pieces of {size}");
        }
    }

    #[test]
    fn channels_and_logs_do_not_mix() {
        use Channel::{Header, Stderr, Stdout};
        let seen = lines(&[
            ("a", Stdout, "ou"),
            ("a", Stderr, "er"),
            ("b", Stdout, "x\n"),
            ("a", Header, "no\n"),
            ("a", Stdout, "t\n"),
            ("a", Stderr, "r\r"),
        ]);
        assert_eq!(seen, ["b:x", "a:out", "a!:err"]);
    }

    #[test]
    fn a_long_line_is_cut_and_the_next_is_whole() {
        let long = "x".repeat(MAX_LINE_BYTES);
        let seen = lines(&[
            ("l", Channel::Stdout, &long),
            ("l", Channel::Stdout, "yyy"),
            ("l", Channel::Stdout, "z\nnext\n"),
        ]);
        assert_eq!(seen, [format!("l:{long}"), "l:next".to_owned()]);
    }
}
