//! What a mail has beside its text: logs and the patch (MAL-08).

use std::io;

use super::message::{Attached, Content};
use super::objects::log_url;
use crate::config::{AttachedLogs, Config};
use crate::logs::{Channel, LogReader};
use crate::store::{State, StoreError};
use crate::view::Build;

/// Bytes of a log: of a longer one, the first and the last (MAL-08).
const MOST_OF_LOG: u64 = 1 << 20;

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

/// The text of a log without what the master said in it, of a long one the beginning and the end;
/// no more is read. Invalid bytes are replaced (MAL-12).
fn text_of(state: &State, path: &str) -> io::Result<String> {
    let mut reader = LogReader::open(state.basedir(), path)?;
    let bytes = ends(&mut reader, MOST_OF_LOG)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// What a command has written, without its middle if that is more than `most` bytes.
fn ends(reader: &mut LogReader, most: u64) -> io::Result<Vec<u8>> {
    let (count, half, mut bytes) = (reader.count(&Channel::OUTPUT)?, most / 2, Vec::new());
    let mut read = |place, bytes: &mut Vec<u8>| reader.read_stretch(&Channel::OUTPUT, place, bytes);
    if count <= most {
        read((0, count), &mut bytes)?;
        return Ok(bytes);
    }
    read((0, half), &mut bytes)?;
    let mark = format!("\n[{} bytes left out]\n", count - 2 * half);
    bytes.extend_from_slice(mark.as_bytes());
    read((count - half, half), &mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use bytes::Bytes;

    use super::*;
    use crate::logs::LogStore;

    #[tokio::test]
    async fn mal_08_of_a_long_log_the_head_and_the_tail_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let store = LogStore::start(dir.path().to_owned()).unwrap();
        let mut log = store.create("b/1");
        for (channel, text) in [
            (Channel::Header, "command"),
            (Channel::Stdout, "first"),
            (Channel::Stderr, " and "),
            (Channel::Header, "note"),
            (Channel::Stdout, "last"),
        ] {
            log.append(channel, Bytes::from(text)).await;
        }
        log.close().await;
        let read = |most| {
            let mut reader = LogReader::open(dir.path(), "b/1").unwrap();
            String::from_utf8(ends(&mut reader, most).unwrap()).unwrap()
        };
        assert_eq!(read(14), "first and last");
        assert_eq!(read(13), "first \n[2 bytes left out]\nd last");
        assert_eq!(read(2), "f\n[12 bytes left out]\nt");
    }
}
