#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::ErrorKind;

use proptest::prelude::*;

use super::*;
use crate::logs::Channel;
use crate::logs::index::Entry as IndexEntry;
use crate::logs::writer::{PATIENCE, RETRY};

/// The files of a log.
#[derive(Debug, Default)]
struct Disk {
    data: Vec<u8>,
    index: Vec<u8>,
    is_open: bool,
}

impl Disk {
    /// What a reader sees of some channels.
    fn read(&self, channels: &[Channel]) -> String {
        let (mut data, mut index) = (&self.data[..], &self.index[..]);
        let mut seen = Vec::new();
        while let Some((IndexEntry::Run(run), taken)) = IndexEntry::decode(index).unwrap() {
            let (bytes, rest) = data.split_at(usize::try_from(run.length).unwrap());
            if channels.contains(&run.channel) {
                seen.extend_from_slice(bytes);
            }
            (data, index) = (rest, &index[taken..]);
        }
        String::from_utf8(seen).unwrap()
    }
}

/// What goes wrong with the next task.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Open(ErrorKind),
    /// After this number of bytes.
    Data(usize, ErrorKind),
    Index(ErrorKind),
}

/// A driver without files and without a clock.
struct Driver {
    queue: Queue,
    now: Instant,
    disks: BTreeMap<LogId, Disk>,
    faults: VecDeque<Option<Fault>>,
    /// Permits that came back.
    freed: usize,
    told: Vec<Notice>,
    finished: BTreeMap<LogId, Written>,
    most_open: usize,
}

impl Driver {
    fn new() -> Self {
        Self {
            queue: Queue::new(PATIENCE),
            now: Instant::now(),
            disks: BTreeMap::new(),
            faults: VecDeque::new(),
            freed: 0,
            told: Vec::new(),
            finished: BTreeMap::new(),
            most_open: 0,
        }
    }

    fn create(&mut self, id: u64) {
        self.disks.insert(LogId(id), Disk::default());
        self.queue.create(LogId(id), format!("log-{id}"));
    }

    fn append(&mut self, id: u64, channel: Channel, text: &str) {
        let chunk = Chunk {
            channel,
            data: text.to_owned().into(),
            weight: 7,
        };
        self.queue.append(LogId(id), chunk);
    }

    fn print(&mut self, id: u64, text: &str) {
        self.append(id, Channel::Stdout, text);
    }

    /// Does all that is due now; returns when there is more to do.
    fn run(&mut self) -> Option<Instant> {
        loop {
            match self.queue.due(self.now) {
                Due::Receive(Wait::Not | Wait::Company(_)) => self.queue.on_silence(),
                Due::Receive(Wait::Until(at)) => return Some(at),
                Due::Receive(Wait::Forever) | Due::End => return None,
                Due::Open(id, opening) => {
                    let opened = self.open(id, &opening);
                    self.queue.on_opened(id, &opened, self.now);
                }
                Due::Append(id, batch) => {
                    let appended = self.write(id, &batch);
                    self.queue.on_appended(id, batch, &appended, self.now);
                }
                Due::Shut(id) => self.disks.get_mut(&id).unwrap().is_open = false,
                Due::Free(_, weight) => self.freed += weight,
                Due::Tell(_, notice) => self.told.push(notice),
                Due::Finish(id, finished) => {
                    self.disks.get_mut(&id).unwrap().is_open = false;
                    self.finished.insert(id, finished.written);
                }
            }
        }
    }

    fn open(&mut self, id: LogId, opening: &Opening) -> io::Result<()> {
        let fault = self.faults.pop_front().flatten();
        if let Some(Fault::Open(kind)) = fault {
            return Err(kind.into());
        }
        let disk = self.disks.get_mut(&id).unwrap();
        assert!(!disk.is_open, "open twice");
        disk.is_open = true;
        disk.data.truncate(usize::try_from(opening.size).unwrap());
        let index_size = usize::try_from(opening.index_size).unwrap();
        disk.index.truncate(index_size);
        // One more is open for a moment.
        let open = self.disks.values().filter(|disk| disk.is_open).count();
        self.most_open = self.most_open.max(open);
        Ok(())
    }

    fn write(&mut self, id: LogId, batch: &Batch) -> Appended {
        let fault = self.faults.pop_front().flatten();
        let disk = self.disks.get_mut(&id).unwrap();
        assert!(disk.is_open, "it is open");
        let mut bytes: Vec<u8> = batch.slices().flatten().copied().collect();
        let mut error = None;
        if let Some(Fault::Data(most, kind)) = fault {
            bytes.truncate(most.min(bytes.len().saturating_sub(1)));
            error = Some(io::Error::from(kind));
        }
        disk.data.extend(&bytes);
        if let Some(Fault::Index(kind)) = fault {
            // Half of a number may have gone out.
            disk.index.push(0x80);
            return Appended {
                size: 0,
                index_size: 0,
                error: Some(kind.into()),
            };
        }
        let size = u64::try_from(bytes.len()).unwrap();
        let index = batch.index(size);
        disk.index.extend(&index);
        Appended {
            size,
            index_size: u64::try_from(index.len()).unwrap(),
            error,
        }
    }

    fn read(&self, id: u64, channels: &[Channel]) -> String {
        self.disks[&LogId(id)].read(channels)
    }
}

#[test]
fn a_full_disk_is_waited_for_and_nothing_is_lost() {
    let mut driver = Driver::new();
    driver.create(1);
    assert_eq!(driver.run(), None);
    driver.faults = [Some(Fault::Data(1, ErrorKind::StorageFull))].into();
    driver.print(1, "one");
    let next = driver.run().unwrap();
    assert_eq!(next, driver.now + RETRY);
    assert_eq!(driver.freed, 0, "it waits");
    driver.print(1, "two");
    assert_eq!(driver.run(), Some(next), "not before it is time");
    driver.now = next;
    assert_eq!(driver.run(), None);
    assert_eq!(driver.freed, 14);
    assert_eq!(driver.read(1, &Channel::ALL), "onetwo");
    assert!(matches!(
        driver.told[..],
        [Notice::Waits { .. }, Notice::Recovered { .. }]
    ));
}

#[test]
fn after_a_disk_was_full_for_long_the_log_says_what_is_missing_and_goes_on() {
    let mut driver = Driver::new();
    driver.create(1);
    driver.run();
    let full = Some(Fault::Data(0, ErrorKind::StorageFull));
    driver.faults = [full, Some(Fault::Open(ErrorKind::StorageFull))].into();
    driver.print(1, "lost");
    driver.run();
    driver.now += PATIENCE;
    assert!(driver.run().is_some());
    assert_eq!(driver.freed, 7, "nobody waits any more");
    driver.print(1, "kept");
    driver.now += RETRY;
    driver.queue.close(LogId(1), Closing::default());
    assert_eq!(driver.run(), None);
    let written = driver.finished[&LogId(1)];
    assert_eq!(written.lost_bytes, 4);
    assert_eq!(driver.read(1, &[Channel::Stdout]), "kept");
    let note = driver.read(1, &[Channel::Header]);
    assert!(
        note.starts_with("\n4 bytes of this log are missing here"),
        "{note}"
    );
    assert!(matches!(
        driver.told[..],
        [
            Notice::Waits { .. },
            Notice::Drops { .. },
            Notice::Recovered { .. }
        ]
    ));
}

#[test]
fn what_no_disk_will_ever_take_is_dropped_at_once() {
    let mut driver = Driver::new();
    driver.faults = [Some(Fault::Open(ErrorKind::InvalidInput))].into();
    driver.create(1);
    driver.print(1, "x");
    driver.queue.close(LogId(1), Closing::default());
    driver.run();
    let lost = Written {
        size_bytes: 0,
        lost_bytes: 1,
    };
    assert_eq!(driver.finished[&LogId(1)], lost);
    assert_eq!(driver.freed, 7);
    assert_eq!(driver.run(), None, "nothing is tried again");
}

#[test]
fn the_files_that_were_used_last_stay_open() {
    let mut driver = Driver::new();
    let count = u64::try_from(2 * MAX_OPEN_LOGS).unwrap();
    for round in ["a", "b"] {
        for id in 0..count {
            if round == "a" {
                driver.create(id);
            }
            driver.print(id, round);
            driver.run();
        }
    }
    assert_eq!(driver.most_open, MAX_OPEN_LOGS + 1);
    assert!(driver.disks[&LogId(count - 1)].is_open);
    for id in 0..count {
        assert_eq!(driver.read(id, &Channel::ALL), "ab");
    }
}

#[test]
fn an_abandoned_queue_ends_with_what_can_be_written() {
    let mut driver = Driver::new();
    driver.create(1);
    driver.print(1, "one");
    driver.queue.on_abandoned();
    driver.run();
    assert!(matches!(driver.queue.due(driver.now), Due::End));
    assert_eq!(driver.read(1, &Channel::ALL), "one");
}

fn any_fault() -> impl Strategy<Value = Option<Fault>> {
    let kind = prop::sample::select(vec![ErrorKind::StorageFull, ErrorKind::Other]);
    prop_oneof![
        3 => Just(None),
        1 => kind.clone().prop_map(|kind| Some(Fault::Open(kind))),
        2 => (0..9_usize, kind.clone()).prop_map(|(most, kind)| Some(Fault::Data(most, kind))),
        1 => kind.prop_map(|kind| Some(Fault::Index(kind))),
    ]
}

proptest! {
    #[test]
    fn whatever_fails_bytes_and_runs_never_come_apart(
        faults in prop::collection::vec(any_fault(), 0..30),
        chunks in prop::collection::vec((0..2_u64, 0..2_usize, 1..9_usize, any::<bool>()), 1..40),
    ) {
        let mut driver = Driver::new();
        driver.create(0);
        driver.create(1);
        driver.faults = faults.into();
        let mut given = [(); 4].map(|()| String::new());
        for (nth, (id, channel, length, pause)) in chunks.iter().enumerate() {
            let text = format!("{}", nth % 10).repeat(*length);
            driver.append(*id, Channel::OUTPUT[*channel], &text);
            given[usize::try_from(*id).unwrap() * 2 + channel].push_str(&text);
            if *pause {
                driver.run();
                driver.now += RETRY;
            }
        }
        for id in 0..2 {
            driver.queue.close(LogId(id), Closing::default());
        }
        while driver.run().is_some() {
            driver.now += RETRY;
        }
        prop_assert_eq!(driver.freed, 7 * chunks.len());
        for id in 0..2_u64 {
            let ix = usize::try_from(id).unwrap();
            let seen = Channel::OUTPUT.map(|channel| driver.read(id, &[channel]));
            let Written { lost_bytes, size_bytes } = driver.finished[&LogId(id)];
            let (all, kept): (usize, usize) = (
                given[ix * 2].len() + given[ix * 2 + 1].len(),
                seen[0].len() + seen[1].len(),
            );
            prop_assert_eq!(u64::try_from(all - kept).unwrap(), lost_bytes);
            prop_assert_eq!(driver.read(id, &Channel::ALL).len(), usize::try_from(size_bytes).unwrap());
            if lost_bytes == 0 {
                prop_assert_eq!(&seen[..], &given[ix * 2..ix * 2 + 2]);
                prop_assert_eq!(driver.read(id, &[Channel::Header]), "");
            }
        }
    }
}
