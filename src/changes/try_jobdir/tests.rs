#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::*;
use crate::botmaster::{Answer, Ask, Event, MasterEvent};
use crate::clock::Clock;
use crate::control::{News, Newsroom, Question, Said};
use crate::model::{BuildSet, Op, SetId, Ticket, Timestamp};
use crate::store::{State, Store, Writer};

/// Longest job in these tests, in bytes.
const MAX_JOB_SIZE: u64 = 1000;

/// A job directory with a watcher, a state, and a core that the test plays.
struct World {
    dir: TempDir,
    running: Running,
    questions: mpsc::Receiver<Question>,
    newsroom: Newsroom,
    writer: Writer,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("jobs")).unwrap();
        let (store, _) = Store::open(dir.path()).unwrap();
        let writer = store.start(Box::new(|_| ())).unwrap();
        let (ask, questions) = mpsc::channel(8);
        let newsroom = Newsroom::new();
        let (reconfigure, _) = mpsc::channel(1);
        let control = Control::new(
            ask,
            writer.clone(),
            newsroom.clone(),
            reconfigure,
            tokio::sync::watch::channel(Arc::default()).1,
            Clock::system(),
        );
        Self {
            running: Running {
                watcher: open(dir.path()).unwrap(),
                control,
                leaving: CancellationToken::new(),
                complaint: None,
                is_settled: false,
                arriving: None,
                watched: None,
            },
            dir,
            questions,
            newsroom,
            writer,
        }
    }

    /// As a master that starts again after a kill.
    fn restart(&mut self) {
        self.running.is_settled = false;
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("jobs").join(name)
    }

    /// Drops a job with this id.
    fn drop_job(&self, name: &str, id: &str) {
        fs::write(self.path("new").join(name), job_file(id)).unwrap();
    }

    /// Lets the watcher look once; returns the ids of the jobs that it submits, which are answered
    /// by `answer`.
    async fn look(&mut self, answer: impl Fn(&str) -> Said) -> Vec<String> {
        let mut ids = Vec::new();
        let look = self.running.look();
        tokio::pin!(look);
        loop {
            tokio::select! {
                biased;
                _ = &mut look => return ids,
                Some(question) = self.questions.recv() => {
                    let Question::Act(Ask::SubmitTry { job, .. }, _, to) = question else {
                        panic!("{question:?}")
                    };
                    to.send(answer(&job.id)).unwrap();
                    ids.push(job.id);
                }
            }
        }
    }

    /// What is in a part of the directory.
    fn files(&self, part: &str) -> BTreeSet<String> {
        let entries = fs::read_dir(self.path(part)).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    fn reason(&self, name: &str) -> String {
        fs::read_to_string(self.path("cur").join(format!("{name}.refused"))).unwrap()
    }
}

fn open(basedir: &Path) -> Result<JobdirWatcher, MaildirError> {
    open_after(basedir, &mut Vec::new())
}

fn open_after(basedir: &Path, leaving: &mut Vec<Lock>) -> Result<JobdirWatcher, MaildirError> {
    let config = TryJobdirConfig {
        jobdir: "jobs".into(),
        max_job_size: MAX_JOB_SIZE,
        poll_interval: Duration::from_secs(10),
        ..TryJobdirConfig::default()
    };
    JobdirWatcher::open(&"try".into(), &config, basedir, leaving)
}

fn job_file(id: &str) -> Vec<u8> {
    jobfile::encode(&TryJob {
        id: id.to_owned(),
        patch: b"d".to_vec(),
        ..TryJob::default()
    })
}

fn accepted(job: &str) -> Said {
    Ok(Answer::Set(Arc::new(set(job))))
}

fn set(job: &str) -> BuildSet {
    BuildSet {
        id: SetId(1),
        external_id: Some(job.to_owned()),
        scheduler: Some("try".into()),
        stamps: Arc::default(),
        reason: "'try' job".to_owned(),
        properties: Arc::default(),
        submitted_at: Timestamp(0),
        priority: 0,
        requests: Vec::new(),
        parent: None,
    }
}

fn names<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

#[test]
fn tjd_01_a_missing_directory_is_told_and_missing_parts_are_made() {
    let dir = tempfile::tempdir().unwrap();
    let error = open(dir.path()).unwrap_err().to_string();
    let path = dir.path().join("jobs");
    let path = path.display();
    assert!(
        error.contains(&format!("`mkdir {path}/tmp {path}/new {path}/cur`")),
        "{error}"
    );

    fs::write(dir.path().join("jobs"), "").unwrap();
    assert!(matches!(
        open(dir.path()),
        Err(MaildirError::NoDirectory(_))
    ));
    fs::remove_file(dir.path().join("jobs")).unwrap();
    fs::create_dir_all(dir.path().join("jobs/new")).unwrap();
    let first = open(dir.path()).unwrap();
    assert!(dir.path().join("jobs/cur").is_dir() && dir.path().join("jobs/tmp").is_dir());
    assert!(matches!(open(dir.path()), Err(MaildirError::InUse(_))));
    // One that leaves hands it over, to one only.
    let mut leaving = vec![first.lock()];
    let second = open_after(dir.path(), &mut leaving).unwrap();
    assert!(matches!(
        open_after(dir.path(), &mut leaving),
        Err(MaildirError::InUse(_))
    ));
    drop((first, leaving));
    assert!(matches!(open(dir.path()), Err(MaildirError::InUse(_))));
    drop(second);
    open(dir.path()).unwrap();
}

#[test]
fn the_operator_hears_who_can_hand_in_jobs() {
    let world = World::new();
    let advice = |mode: u32| {
        fs::set_permissions(world.path("new"), fs::Permissions::from_mode(mode)).unwrap();
        advice(&world.running.watcher.maildir).unwrap_or_default()
    };
    assert!(advice(0o755).contains("only the user of the master"));
    assert_eq!(advice(0o2770), "");
    assert!(advice(0o777).contains("everybody on this machine"));
}

#[tokio::test]
async fn tjd_04_jobs_are_handed_in_in_order_of_name() {
    let mut world = World::new();
    for name in ["3-a", "1-b", "2-c"] {
        world.drop_job(name, name);
    }
    assert_eq!(world.look(accepted).await, ["1-b", "2-c", "3-a"]);
    assert_eq!(world.files("cur"), names(["1-b", "2-c", "3-a"]));
    assert_eq!(world.files("new"), names([]));
    assert_eq!(world.look(accepted).await, [""; 0]);
}

#[tokio::test]
async fn tjd_07_a_watcher_that_leaves_ends_the_job_that_it_has_begun_and_no_other() {
    let mut world = World::new();
    world.drop_job("1", "one");
    world.drop_job("2", "two");
    let leaving = world.running.leaving.clone();
    let handed_in = world.look(|job| {
        leaving.cancel();
        accepted(job)
    });
    assert_eq!(handed_in.await, ["one"]);
    assert_eq!(world.files("cur"), names(["1"]));
    assert_eq!(world.files("new"), names(["2"]));
}

#[tokio::test]
async fn tjd_03_hidden_files_and_directories_are_left_alone() {
    let mut world = World::new();
    world.drop_job(".x", "hidden");
    fs::create_dir(world.path("new/d")).unwrap();
    world.drop_job("good", "good");
    assert_eq!(world.look(accepted).await, ["good"]);
    assert_eq!(world.files("new"), names([".x", "d"]));
}

#[tokio::test]
async fn sb_07_nothing_in_the_directory_stops_the_watcher() {
    let mut world = World::new();
    let target = world.dir.path().join("target");
    fs::write(&target, job_file("linked")).unwrap();
    symlink(&target, world.path("new/1-link")).unwrap();
    symlink("/nowhere", world.path("new/2-broken")).unwrap();
    let fifo = world.path("new/3-fifo");
    mknodat(CWD, &fifo, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    fs::write(world.path("new/4-empty"), "").unwrap();
    world.drop_job("5-good", "good");

    assert_eq!(world.look(accepted).await, ["good"]);

    for name in ["1-link", "2-broken", "3-fifo"] {
        assert_eq!(world.reason(name), "it is not a regular file\n", "{name}");
    }
    assert_eq!(world.reason("4-empty"), "the file is empty\n");
    assert_eq!(world.files("new"), names([]));
    assert_eq!(world.files("tmp"), names([]));
    assert!(target.exists());
}

#[tokio::test]
async fn tjd_10_files_are_read_up_to_the_limit() {
    let mut world = World::new();
    let limit = usize::try_from(MAX_JOB_SIZE).unwrap();
    let padded = |length: usize| {
        let empty = job_file("").len();
        let id = "x".repeat(length - empty);
        // A longer length takes more digits.
        let file = job_file(id.split_at(2).1);
        assert_eq!(file.len(), length);
        file
    };
    fs::write(world.path("new/fits"), padded(limit)).unwrap();
    fs::write(world.path("new/long"), padded(limit + 1)).unwrap();
    assert_eq!(world.look(accepted).await.len(), 1);
    assert_eq!(
        world.reason("long"),
        "the file is larger than 1000 bytes (`max_job_size`)\n"
    );
}

#[tokio::test]
async fn what_the_core_refuses_is_kept_with_a_reason_that_readers_of_the_directory_can_read() {
    let mut world = World::new();
    fs::set_permissions(world.path("cur"), fs::Permissions::from_mode(0o750)).unwrap();
    world.drop_job("a", "a");
    world.look(|_| Err("builder x is not one".to_owned())).await;
    assert_eq!(world.files("cur"), names(["a", "a.refused"]));
    assert_eq!(world.reason("a"), "builder x is not one\n");
    let reason = fs::metadata(world.path("cur/a.refused")).unwrap();
    assert_eq!(reason.permissions().mode() & 0o777, 0o640);
}

#[tokio::test]
async fn a_reason_does_not_follow_a_link_that_lies_in_its_place() {
    let mut world = World::new();
    let precious = world.dir.path().join("precious");
    fs::write(&precious, "precious").unwrap();
    for part in ["tmp", "cur"] {
        symlink(&precious, world.path(part).join("a.refused")).unwrap();
    }
    fs::write(world.path("new/a"), "junk").unwrap();
    world.look(accepted).await;
    assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
    assert!(world.reason("a").starts_with("no netstring"));
}

#[tokio::test]
async fn a_job_without_an_id_gets_the_name_of_its_file() {
    let mut world = World::new();
    world.drop_job("17-abc", "");
    assert_eq!(world.look(accepted).await, ["17-abc"]);
}

#[tokio::test]
async fn names_that_are_too_long_are_refused_and_hold_nobody_up() {
    let mut world = World::new();
    let (fits, long) = ("a".repeat(240), "b".repeat(241));
    let longest = "b".repeat(255);
    for (name, id) in [(&fits, "fits"), (&long, "long"), (&longest, "longest")] {
        world.drop_job(name, id);
    }
    world.drop_job("c", "c");
    assert_eq!(world.look(accepted).await, ["fits", "c"]);
    assert_eq!(world.files("new"), names([]));
    assert_eq!(world.running.complaint, None);
    let refused: Vec<_> = world.files("cur").into_iter().collect();
    let (cut, reason) = ("b".repeat(200) + "~", ".refused");
    let refused: Vec<_> = refused
        .iter()
        .filter(|name| name.starts_with(&cut))
        .collect();
    assert_eq!(refused.len(), 4, "{refused:?}");
    let (reasons, jobs): (Vec<_>, Vec<_>) =
        refused.into_iter().partition(|name| name.ends_with(reason));
    let mut texts = reasons.iter().map(|name| {
        let name = name.strip_suffix(reason).unwrap();
        assert!(jobs.contains(&&name.to_owned()));
        world.reason(name)
    });
    assert!(texts.all(|reason| reason.ends_with(" bytes long; the maximum is 240\n")));
    world.restart();
    assert_eq!(world.look(accepted).await, [""; 0]);
}

#[tokio::test]
async fn a_file_that_cannot_be_moved_does_not_make_others_wait_for_the_next_poll() {
    let mut world = World::new();
    // A directory in the place that the job is moved to.
    fs::create_dir_all(world.path("cur/.stuck/x")).unwrap();
    world.drop_job("stuck", "stuck");
    world.running.is_settled = true;
    let look = world.running.look();
    assert!(look.await, "the directory is watched on");
    assert!(world.running.complaint.take().unwrap().contains("stuck"));
    assert_eq!(world.files("new"), names(["stuck"]));
    world.drop_job("good", "good");
    assert_eq!(world.look(accepted).await, ["good"]);
}

/// What lies in a base directory, by name, with its text.
fn contents(dir: &Path) -> BTreeSet<(String, String)> {
    let entries = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.is_file());
    files
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(&path).unwrap())
        })
        .collect()
}

#[tokio::test]
async fn a_link_in_place_of_a_part_is_refused_and_leads_nowhere() {
    for part in ["new", "cur", "tmp"] {
        let mut world = World::new();
        let base = world.dir.path().join("base");
        fs::create_dir(&base).unwrap();
        fs::write(base.join("master.toml"), "title = \"ours\"").unwrap();
        let before = contents(&base);
        world.drop_job("master.toml", "theirs");
        fs::rename(world.path(part), world.path("away")).unwrap();
        symlink(&base, world.path(part)).unwrap();

        assert_eq!(world.look(accepted).await, [""; 0], "{part}");

        let complaint = world.running.complaint.clone().unwrap();
        let link = world.path(part);
        let link = format!("{} is a symbolic link", link.display());
        assert!(complaint.starts_with(&link), "{complaint}");
        assert_eq!(contents(&base), before, "{part}");
        // Nor when the master starts.
        let error = open_after(world.dir.path(), &mut vec![world.running.watcher.lock()]);
        assert!(matches!(error, Err(MaildirError::Link(_))), "{error:?}");
        // It goes on when there is a directory again.
        fs::remove_file(world.path(part)).unwrap();
        fs::rename(world.path("away"), world.path(part)).unwrap();
        assert_eq!(world.look(accepted).await, ["theirs"]);
        assert_eq!(world.running.complaint, None);
    }
}

#[tokio::test]
async fn a_part_that_becomes_a_link_in_the_middle_of_a_job_leads_nowhere() {
    for part in ["new", "cur", "tmp"] {
        let mut world = World::new();
        let base = world.dir.path().join("base");
        fs::create_dir(&base).unwrap();
        fs::write(base.join(".1"), "precious").unwrap();
        let before = contents(&base);
        world.drop_job("1", "one");
        world.drop_job("2", "two");
        let (was, away) = (world.path(part), world.path("away"));
        let target = base.clone();
        // After the job was taken and read, and before it is settled or refused.
        world
            .look(move |_| {
                if !away.exists() {
                    fs::rename(&was, &away).unwrap();
                    symlink(&target, &was).unwrap();
                }
                Err("builder x is not one".to_owned())
            })
            .await;
        assert_eq!(contents(&base), before, "{part}");
        assert!(world.running.complaint.is_some(), "{part}");
    }
}

#[tokio::test]
async fn a_directory_that_is_made_anew_is_found_again() {
    let mut world = World::new();
    world.drop_job("a", "a");
    assert_eq!(world.look(accepted).await, ["a"]);
    assert!(!world.running.is_elsewhere());
    fs::rename(world.dir.path().join("jobs"), world.dir.path().join("old")).unwrap();
    assert_eq!(world.look(accepted).await, [""; 0]);
    assert!(world.running.complaint.is_some());
    fs::create_dir_all(world.path("new")).unwrap();
    world.drop_job("b", "b");
    assert_eq!(world.look(accepted).await, ["b"]);
    assert!(world.running.is_elsewhere(), "it is watched anew");
    assert_eq!(world.look(accepted).await, [""; 0]);
    assert!(!world.running.is_elsewhere());
    // The lock is on the new one.
    assert!(matches!(
        open(world.dir.path()),
        Err(MaildirError::InUse(_))
    ));
}

#[tokio::test]
async fn while_the_master_stops_jobs_stay_where_they_are() {
    let mut world = World::new();
    let tell = |event| News::Event(event);
    world
        .newsroom
        .tell(tell(Event::Master(MasterEvent::ShuttingDown {
            clean: true,
        })));
    world.drop_job("a", "a");
    assert_eq!(world.look(accepted).await, [""; 0]);
    assert_eq!(world.files("new"), names(["a"]));
    world
        .newsroom
        .tell(tell(Event::Master(MasterEvent::ShutdownCancelled)));
    assert_eq!(world.look(accepted).await, ["a"]);
}

#[tokio::test]
async fn a_job_that_met_the_shutdown_is_not_refused_but_handed_in_later() {
    let mut world = World::new();
    world.drop_job("a", "a");
    let newsroom = world.newsroom.clone();
    let stopping = |_: &str| {
        newsroom.tell(News::Event(Event::Master(MasterEvent::ShuttingDown {
            clean: true,
        })));
        Err("the master is shutting down".to_owned())
    };
    assert_eq!(world.look(stopping).await, ["a"]);
    assert_eq!(world.files("cur"), names([".a"]));
    world
        .newsroom
        .tell(News::Event(Event::Master(MasterEvent::ShutdownCancelled)));
    assert_eq!(world.look(stopping).await, ["a"]);
    assert_eq!(
        world.files("cur"),
        names([".a"]),
        "it still counts as the first time"
    );
    world
        .newsroom
        .tell(News::Event(Event::Master(MasterEvent::ShutdownCancelled)));
    assert_eq!(world.look(accepted).await, ["a"]);
    assert_eq!(world.files("cur"), names(["a"]));
}

#[tokio::test]
async fn tjd_07_a_job_that_a_killed_master_had_taken_is_handed_in_once_more_at_most() {
    let mut world = World::new();
    fs::write(world.path("cur/.lost"), job_file("lost")).unwrap();
    fs::write(world.path("cur/..fatal"), job_file("fatal")).unwrap();
    fs::write(world.path("cur/.submitted"), job_file("submitted")).unwrap();
    fs::write(world.path("cur/done"), job_file("done")).unwrap();
    fs::write(world.path("cur/.bad"), "junk").unwrap();
    let op = Op::SetSubmitted(Arc::new(set("submitted")));
    world.writer.write(Some(Ticket(1)), vec![op]).await;
    let state = State::open_readonly(world.dir.path()).unwrap();
    while state
        .set_of_try_job(&"try".into(), "submitted")
        .unwrap()
        .is_none()
    {
        tokio::task::yield_now().await;
    }

    world.restart();
    assert_eq!(world.look(accepted).await, ["lost"]);

    assert_eq!(
        world.files("cur"),
        names([
            "bad",
            "bad.refused",
            "done",
            "fatal",
            "fatal.refused",
            "lost",
            "submitted"
        ])
    );
    assert!(
        world
            .reason("fatal")
            .starts_with("the job was not submitted")
    );
    world.restart();
    assert_eq!(world.look(accepted).await, [""; 0]);
}
