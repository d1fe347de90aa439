//! What a mail has beside its text: logs and the patch (MAL-08).

use std::collections::VecDeque;
use std::io::{self, Write};

use super::message::{Attached, Content};
use super::objects::log_url;
use crate::config::{AttachedLogs, Config};
use crate::logs::{Channel, LogReader};
use crate::store::{State, StoreError};
use crate::view::Build;

/// Bytes of a log: of a longer one, the first and the last (MAL-08).
const MOST_OF_LOG: usize = 1 << 20;

/// Bytes of all attachments of a mail (MAL-08).
const MOST_OF_MAIL: usize = 5 << 20;

/// The logs of a build that are attached, and the addresses of those that are too much. The names
/// have the builder in front if the mail `is_of_set`.
pub(super) fn logs(
    state: &State,
    config: &Config,
    wanted: &AttachedLogs,
    build: &Build,
    (is_of_set, used): (bool, &mut usize),
) -> (Vec<Attached>, Vec<String>) {
    let (mut attached, mut left_out) = (Vec::new(), Vec::new());
    let is_wanted = |step: &str, log: &str| match wanted {
        AttachedLogs::None => false,
        AttachedLogs::All => true,
        AttachedLogs::Named(names) => {
            let both = format!("{step}.{log}");
            names.iter().any(|name| *name == log || *name == both)
        }
    };
    for step in &build.steps {
        for log in step
            .logs
            .iter()
            .filter(|log| is_wanted(&step.name, &log.name))
        {
            let room = MOST_OF_MAIL.saturating_sub(*used);
            let text = match room {
                0 => None,
                // A log that cannot be read is told by its address; its page says why.
                _ => text_of(state, &log.path)
                    .ok()
                    .filter(|text| text.len() <= room),
            };
            let Some(text) = text else {
                left_out.push(log_url(config, build, &step.name, &log.name));
                continue;
            };
            *used += text.len();
            let name = match is_of_set {
                true => format!("{}.{}.{}", build.builder, step.name, log.name),
                false => format!("{}.{}", step.name, log.name),
            };
            let content = Content::Text(text);
            attached.push(Attached { name, content });
        }
    }
    (attached, left_out)
}

/// The patch of a try job.
pub(super) fn patch(
    state: &State,
    build: &Build,
    used: &mut usize,
) -> Result<Option<Attached>, StoreError> {
    if !build.is_try {
        return Ok(None);
    }
    for &request in &build.requests {
        let Some(set) = state.request(request)?.map(|request| request.set) else {
            continue;
        };
        let Some(diff) = state.diff(set)?.filter(|diff| !diff.is_empty()) else {
            continue;
        };
        let content = match String::from_utf8(diff) {
            Ok(text) => Content::Text(text),
            Err(error) => Content::Bytes(error.into_bytes()),
        };
        let name = "source.patch".to_owned();
        let attached = Attached { name, content };
        if *used + attached.len() > MOST_OF_MAIL {
            return Ok(None);
        }
        *used += attached.len();
        return Ok(Some(attached));
    }
    Ok(None)
}

/// The text of a log without what the master said in it; invalid bytes are replaced (MAL-12).
fn text_of(state: &State, path: &str) -> io::Result<String> {
    let mut reader = LogReader::open(state.basedir(), path)?;
    let mut ends = Ends::default();
    reader.copy_to(&Channel::OUTPUT, &mut ends)?;
    Ok(String::from_utf8_lossy(&ends.into_bytes()).into_owned())
}

/// Keeps the beginning and the end of what is written.
#[derive(Debug, Default)]
struct Ends {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    dropped: usize,
}

impl Write for Ends {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = (MOST_OF_LOG / 2).saturating_sub(self.head.len());
        let (first, rest) = bytes.split_at(room.min(bytes.len()));
        self.head.extend_from_slice(first);
        self.tail.extend(rest);
        let excess = self.tail.len().saturating_sub(MOST_OF_LOG / 2);
        self.tail.drain(..excess);
        self.dropped += excess;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Ends {
    fn into_bytes(self) -> Vec<u8> {
        let mut bytes = self.head;
        if self.dropped > 0 {
            let mark = format!("\n[{} bytes left out]\n", self.dropped);
            bytes.extend_from_slice(mark.as_bytes());
        }
        bytes.extend(self.tail);
        bytes
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn mal_08_of_a_long_log_the_head_and_the_tail_are_kept() {
        let kept = |length: usize| {
            let mut ends = Ends::default();
            ends.write_all(b"first").unwrap();
            ends.write_all(&vec![b'x'; length - 9]).unwrap();
            ends.write_all(b"last").unwrap();
            String::from_utf8(ends.into_bytes()).unwrap()
        };
        assert_eq!(kept(MOST_OF_LOG).len(), MOST_OF_LOG);
        let cut = kept(MOST_OF_LOG + 3);
        assert!(cut.starts_with("firstx") && cut.ends_with("xlast"));
        assert!(cut.contains("x\n[3 bytes left out]\nx"));
    }
}
