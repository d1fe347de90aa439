//! `buildbot tryserver`: puts a try job into a job directory of the master's machine (FEATURES
//! CLI-13, CLI-01).
//!
//! `buildbot try --connect=ssh` starts this program on the master's machine. A job appears in `new`
//! atomically: it is written to `tmp`, synced to disk, and then renamed. The counterpart is
//! `changes::try_jobdir`.

use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::Failed;
use super::try_job::job::expand_home;
use crate::config::TryJobdirConfig;
use crate::directory::{self, Directory};
use crate::pb::cred;
use crate::protocol::jobfile;

/// Maximum size of a job file: the default limit of a master.
pub const MAX_JOB_BYTES: u64 = TryJobdirConfig::DEFAULT_JOB_SIZE;

/// Reads a job from `input` to its end and puts it into `jobdir` (where `~` is the home directory),
/// under the name that Buildbot gives it: `now_secs`, the time in seconds since the epoch, and the
/// MD5 of its contents.
///
/// Other users can write to the directory, so it is held open and no link in it is followed.
///
/// # Errors
/// `jobdir` is not a job directory, the job is empty or too large, or it cannot be written.
pub fn tryserver(jobdir: &Path, input: &mut dyn Read, now_secs: u64) -> Result<(), Failed> {
    let jobdir = &expand_home(jobdir);
    let (tmp, new) = parts(jobdir)?;
    let mut job = Vec::new();
    let mut limited = input.take(MAX_JOB_BYTES + 1);
    limited
        .read_to_end(&mut job)
        .map_err(|e| not_done(format!("cannot read the job from standard input: {e}")))?;
    if job.is_empty() {
        return Err(not_done("there is no job on standard input"));
    }
    if u64::try_from(job.len()).is_ok_and(|len| len > MAX_JOB_BYTES) {
        return Err(not_done(format!(
            "the job is larger than {MAX_JOB_BYTES} bytes; try a smaller patch"
        )));
    }
    // The master would reject the job too, but the sender would not know.
    if let Err(bad) = jobfile::decode(&job) {
        return Err(Failed::Refused(format!(
            "tryserver: standard input is not a job: {bad}"
        )));
    }
    let name = format!("{now_secs}-{}", cred::md5_hex(&job));
    // An identical job of the same second uses another draft.
    let draft = format!("{name}-{}", std::process::id());
    let (name, draft) = (OsStr::new(&name), OsStr::new(&draft));
    let put = tmp
        .create(draft, 0o666)
        .and_then(|file| write_durably(file, &new, &job))
        .and_then(|()| tmp.rename(draft, &new, name))
        .and_then(|()| new.sync());
    put.map_err(|e| {
        // A draft that cannot be removed is harmless: the master ignores `tmp`.
        tmp.remove_file(draft).ok();
        not_done(format!("cannot put the job into {}: {e}", jobdir.display()))
    })
}

/// The directories `tmp` and `new` of a job directory.
fn parts(jobdir: &Path) -> Result<(Directory, Directory), Failed> {
    let shown = jobdir.display();
    let dir = Directory::open(jobdir).map_err(|error| {
        let why = if directory::is_about_link(&error) {
            error.to_string()
        } else {
            format!("there is no directory {shown} on this machine")
        };
        Failed::Usage(format!(
            "tryserver: {why}; give the job directory of the master's Try_Jobdir scheduler as --jobdir"
        ))
    })?;
    let part = |name: &str| {
        dir.directory(OsStr::new(name)).map_err(|error| {
            Failed::Usage(if directory::is_about_link(&error) {
                format!(
                    "tryserver: {shown}/{name} is a symbolic link, which tryserver does not follow; tell the \
                     owner of the job directory"
                )
            } else {
                format!(
                    "tryserver: {shown} is not a job directory: it has no directory '{name}'; the master creates it \
                     when its Try_Jobdir scheduler starts"
                )
            })
        })
    };
    Ok((part("tmp")?, part("new")?))
}

/// In a set-group-id directory, the group may read the job whatever the sender's umask is, because
/// the master may read it as a member of the group.
fn write_durably(mut file: File, new: &Directory, contents: &[u8]) -> io::Result<()> {
    if new.mode()? & SET_GROUP != 0 {
        let mode = file.metadata()?.permissions().mode();
        file.set_permissions(Permissions::from_mode(mode | 0o040))?;
    }
    file.write_all(contents)?;
    file.sync_all()
}

/// The set-group-id bit of a directory's mode.
const SET_GROUP: u32 = 0o2000;

fn not_done(why: impl std::fmt::Display) -> Failed {
    Failed::NotDone(format!("tryserver: {why}"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::model::TryJob;

    fn jobdir() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("tmp")).unwrap();
        fs::create_dir(dir.path().join("new")).unwrap();
        dir
    }

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    /// A job file of `len` bytes at least.
    fn job(len: usize) -> Vec<u8> {
        jobfile::encode(&TryJob {
            id: "1-1".to_owned(),
            patch: vec![b'x'; len],
            ..TryJob::default()
        })
    }

    #[test]
    fn cli_01_a_job_is_named_by_time_and_digest() {
        let dir = jobdir();
        let job = job(3);
        tryserver(dir.path(), &mut job.as_slice(), 1_234).unwrap();
        let new = dir.path().join("new");
        let name = format!("1234-{}", cred::md5_hex(&job));
        assert_eq!(names(&new), [name.as_str()]);
        assert_eq!(fs::read(new.join(name)).unwrap(), job);
        assert!(names(&dir.path().join("tmp")).is_empty());
        assert_eq!(cred::md5_hex(b"a job"), "9e87851b205b77d8552e5f59b625affa");
    }

    #[test]
    fn what_is_no_job_directory_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("missing");
        let error = tryserver(&missing, &mut &b"x"[..], 0).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("there is no directory"));
        fs::create_dir(dir.path().join("tmp")).unwrap();
        let error = tryserver(dir.path(), &mut &b"x"[..], 0).unwrap_err();
        assert!(error.to_string().contains("no directory 'new'"), "{error}");
    }

    #[test]
    fn a_link_in_place_of_a_part_is_refused_and_leads_nowhere() {
        for part in ["tmp", "new"] {
            let dir = jobdir();
            let home = tempfile::tempdir().unwrap();
            fs::remove_dir(dir.path().join(part)).unwrap();
            symlink(home.path(), dir.path().join(part)).unwrap();
            let error = tryserver(dir.path(), &mut job(3).as_slice(), 0).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            let link = format!("{part} is a symbolic link");
            assert!(error.to_string().contains(&link), "{error}");
            assert!(names(home.path()).is_empty());
        }
    }

    #[test]
    fn a_group_that_shares_the_directory_may_read_the_job() {
        let dir = jobdir();
        let sent_with = |mode: u32| {
            fs::set_permissions(dir.path().join("new"), Permissions::from_mode(mode)).unwrap();
            let file = dir.path().join("tmp/file");
            fs::write(&file, "").unwrap();
            // As a umask of 077 makes it.
            fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
            let open = File::options().write(true).open(&file).unwrap();
            write_durably(open, &parts(dir.path()).unwrap().1, b"x").unwrap();
            file.metadata().unwrap().permissions().mode() & 0o777
        };
        assert_eq!(sent_with(0o2770), 0o640);
        assert_eq!(sent_with(0o700), 0o600);
    }

    #[test]
    fn an_empty_a_broken_and_an_endless_job_are_refused() {
        let dir = jobdir();
        let error = tryserver(dir.path(), &mut io::empty(), 0).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("there is no job on standard input"),
            "{error}"
        );
        let job = job(3);
        let truncated = job.get(..job.len() - 1).unwrap();
        let error = tryserver(dir.path(), &mut &*truncated, 0).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("is not a job"), "{error}");
        let error = tryserver(dir.path(), &mut io::repeat(b'x'), 1).unwrap_err();
        assert!(error.to_string().contains("larger than"), "{error}");
        assert!(names(&dir.path().join("new")).is_empty());
        assert!(names(&dir.path().join("tmp")).is_empty());
    }

    #[test]
    fn a_job_may_be_as_large_as_the_limit() {
        let limit = usize::try_from(MAX_JOB_BYTES).unwrap();
        let dir = jobdir();
        let overhead = job(limit).len() - limit;
        let job = |len: usize| job(len - overhead);
        assert_eq!(job(limit).len(), limit);
        let error = tryserver(dir.path(), &mut job(limit + 1).as_slice(), 1).unwrap_err();
        assert!(error.to_string().contains("larger than"), "{error}");
        let largest = tryserver(dir.path(), &mut job(limit).as_slice(), 1);
        assert!(largest.is_ok(), "{largest:?}");
    }
}
