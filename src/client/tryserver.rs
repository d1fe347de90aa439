//! `buildbot tryserver`: puts a try job into a job directory of the master's machine (FEATURES CLI-13, CLI-01).
//!
//! It is what `buildbot try --connect=ssh` starts at the other end. A job appears in `new` whole or not at all: it is
//! written beside it, brought to the disk, and then renamed.

use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::path::Path;

use super::Failed;
use super::try_job::job::expand_home;
use crate::config::TryJobdirConfig;
use crate::pb::cred;
use crate::protocol::jobfile;

/// Largest job file that is taken: what a master takes that is told nothing else.
pub const MAX_JOB_BYTES: u64 = TryJobdirConfig::DEFAULT_JOB_SIZE;

/// Reads a job from `input` to its end and puts it into `jobdir` (where `~` is the home directory), under the name that Buildbot gives it: `now_secs`, the
/// time in seconds since the epoch, and the MD5 of its contents.
///
/// # Errors
/// `jobdir` is not a job directory, the job is empty or too large, or the disk does not take it.
pub fn tryserver(jobdir: &Path, input: &mut dyn Read, now_secs: u64) -> Result<(), Failed> {
    let jobdir = &expand_home(jobdir);
    let shown = jobdir.display();
    if !jobdir.is_dir() {
        return Err(Failed::Usage(format!(
            "tryserver: there is no directory {shown} on this machine; give the job directory of the master's \
             Try_Jobdir scheduler as --jobdir"
        )));
    }
    for part in ["tmp", "new"] {
        if !jobdir.join(part).is_dir() {
            return Err(Failed::Usage(format!(
                "tryserver: {shown} is no job directory, for it has no directory '{part}'; the master makes it when \
                 its Try_Jobdir scheduler starts"
            )));
        }
    }
    let mut job = Vec::new();
    let mut limited = input.take(MAX_JOB_BYTES + 1);
    limited
        .read_to_end(&mut job)
        .map_err(|e| not_done(format!("cannot read the job from standard input: {e}")))?;
    if job.is_empty() {
        return Err(not_done("no job came on standard input"));
    }
    if u64::try_from(job.len()).is_ok_and(|len| len > MAX_JOB_BYTES) {
        return Err(not_done(format!(
            "the job is larger than {MAX_JOB_BYTES} bytes; try a smaller patch"
        )));
    }
    // The master would refuse it as well, but nobody would tell the sender.
    if let Err(bad) = jobfile::decode(&job) {
        return Err(Failed::Refused(format!(
            "tryserver: what came on standard input is no job: {bad}"
        )));
    }
    let name = format!("{now_secs}-{}", cred::md5_hex(&job));
    let written = jobdir.join("tmp").join(&name);
    let put = write_durably(&written, &job)
        .and_then(|()| fs::rename(&written, jobdir.join("new").join(&name)))
        .and_then(|()| File::open(jobdir.join("new"))?.sync_all());
    put.map_err(|e| {
        // If it cannot be removed either, the master ignores what lies in tmp.
        fs::remove_file(&written).ok();
        not_done(format!("cannot put the job into {shown}: {e}"))
    })
}

fn write_durably(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(contents)?;
    file.sync_all()
}

fn not_done(why: impl std::fmt::Display) -> Failed {
    Failed::NotDone(format!("tryserver: {why}"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

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
    fn an_empty_a_broken_and_an_endless_job_are_refused() {
        let dir = jobdir();
        let error = tryserver(dir.path(), &mut io::empty(), 0).unwrap_err();
        assert!(error.to_string().contains("no job came"), "{error}");
        let job = job(3);
        let truncated = job.get(..job.len() - 1).unwrap();
        let error = tryserver(dir.path(), &mut &*truncated, 0).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("is no job"), "{error}");
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
