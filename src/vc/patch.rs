//! The patch of a try job: its file and the command that applies it (SRC-05).

use crate::model::Patch;

/// File in the work directory that marks a patched tree.
pub(crate) const MARK: &str = ".buildbot-patched";

/// File with the diff on the slave.
const DIFF: &str = ".buildbot-diff";

/// How to apply a patch.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct PatchJob {
    /// Path of the diff, below the work directory.
    pub(crate) file: String,
    /// Command that applies the patch.
    pub(crate) command: Vec<String>,
    /// Directory of the command below the work directory, if different.
    pub(crate) dir: Option<String>,
}

impl PatchJob {
    /// How to apply `patch` with the content `diff`; nothing if the diff is blank.
    ///
    /// # Errors
    /// The directory of the patch is outside the work directory.
    pub(crate) fn new(patch: &Patch, diff: &[u8]) -> Result<Option<Self>, String> {
        let dir = inside(patch.subdir.as_deref().unwrap_or(""))?;
        if diff.trim_ascii().is_empty() {
            return Ok(None);
        }
        let level = format!("-p{}", patch.level);
        let mut job = Self {
            file: DIFF.to_owned(),
            command: Vec::new(),
            dir: None,
        };
        if is_of_git(diff) {
            let words = ["git", "apply", "--whitespace=nowarn", level.as_str()];
            job.command.extend(words.map(str::to_owned));
            if moves_submodules(diff) {
                // The index stores the commits of submodules.
                job.command.push("--index".to_owned());
            }
            job.command
                .extend(dir.map(|dir| format!("--directory={dir}")));
            job.command.push(DIFF.to_owned());
        } else {
            if let Some(dir) = dir {
                job.file = format!("{dir}/{DIFF}");
                job.dir = Some(dir);
            }
            let words = ["patch", level.as_str()].into_iter().chain([
                "--remove-empty-files",
                "--force",
                "--forward",
                "-i",
                DIFF,
            ]);
            job.command.extend(words.map(str::to_owned));
        }
        Ok(Some(job))
    }
}

/// Whether a diff is in git format. Only git can apply binary diffs in this format.
fn is_of_git(diff: &[u8]) -> bool {
    let mut lines = diff.split(|byte| *byte == b'\n');
    lines.any(|line| line.starts_with(b"diff --git "))
}

/// Whether a diff of git adds, moves or removes submodules.
fn moves_submodules(diff: &[u8]) -> bool {
    let is_mode = |line: &[u8]| {
        line.strip_suffix(b" 160000").is_some_and(|line| {
            let heads: [&[u8]; 3] = [b"index ", b"new file mode", b"deleted file mode"];
            heads.iter().any(|head| line.starts_with(head))
        })
    };
    diff.split(|byte| *byte == b'\n').any(is_mode)
}

/// The normalized directory; nothing for the work directory itself (SB-22).
fn inside(subdir: &str) -> Result<Option<String>, String> {
    let refused = || {
        Err(format!(
            "the directory of the patch, {subdir:?}, is not inside the work directory"
        ))
    };
    // A slave may run on Windows, which has two separators and drive letters.
    if subdir.starts_with(['/', '\\']) || subdir.contains(|c: char| c == ':' || c.is_control()) {
        return refused();
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in subdir.split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." => {
                if parts.pop().is_none() {
                    return refused();
                }
            }
            _ => parts.push(part),
        }
    }
    // The name would be parsed as an option, or hit git's own files.
    if parts
        .first()
        .is_some_and(|first| first.starts_with('-') || first.eq_ignore_ascii_case(".git"))
    {
        return refused();
    }
    Ok((!parts.is_empty()).then(|| parts.join("/")))
}

/// The binary files that `diff` names as different, each with its old and its new name.
pub(super) fn differing_binaries(patch: &[u8]) -> impl Iterator<Item = (String, String)> {
    patch.split(|byte| *byte == b'\n').filter_map(|line| {
        let names = line
            .strip_prefix(b"Binary files ")?
            .strip_suffix(b" differ")?;
        let names = String::from_utf8_lossy(names);
        let (old, new) = names.split_once(" and ")?;
        Some((old.to_owned(), new.to_owned()))
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::model::{PatchBody, SetId};

    fn patch(subdir: Option<&str>) -> Patch {
        Patch {
            level: 2,
            body: PatchBody::Kept(SetId(1)),
            subdir: subdir.map(str::to_owned),
            who: None,
            comment: None,
        }
    }

    fn job(body: &str, subdir: Option<&str>) -> PatchJob {
        PatchJob::new(&patch(subdir), body.as_bytes())
            .unwrap()
            .unwrap()
    }

    const OF_GIT: &str = "diff --git a/f b/f\n--- a/f\n+++ b/f\n";
    const OF_OTHERS: &str = "Index: f\n--- f\n+++ f\n";

    #[test]
    fn sb_22_the_directory_of_a_patch_is_inside_the_work_directory() {
        for (subdir, dir) in [
            ("", None),
            (".", None),
            ("sub", Some("sub")),
            ("sub/", Some("sub")),
            ("./a//b", Some("a/b")),
            ("a/../b", Some("b")),
            ("..evil", Some("..evil")),
            ("a\\b", Some("a/b")),
        ] {
            assert_eq!(inside(subdir), Ok(dir.map(str::to_owned)), "{subdir}");
        }
        for subdir in [
            "..",
            "../x",
            "../build-evil",
            "a/../../build",
            "/",
            "/etc",
            "\\x",
            "a\\..\\..\\b",
            "c:x",
            "-x",
            ".git",
            ".GIT/hooks",
            "a\nb",
        ] {
            assert!(inside(subdir).is_err(), "{subdir}");
            assert!(PatchJob::new(&patch(Some(subdir)), OF_GIT.as_bytes()).is_err());
        }
    }

    #[test]
    fn git_applies_its_own_diffs() {
        let job = job(OF_GIT, Some("sub"));
        assert_eq!(job.file, ".buildbot-diff");
        assert_eq!(job.dir, None);
        assert_eq!(
            job.command.join(" "),
            "git apply --whitespace=nowarn -p2 --directory=sub .buildbot-diff"
        );
    }

    #[test]
    fn a_diff_that_moves_a_submodule_is_applied_to_the_index_as_well() {
        for line in [
            "index d1c..b0a 160000",
            "new file mode 160000",
            "deleted file mode 160000",
        ] {
            let body = format!("diff --git a/sub b/sub\n{line}\n--- a/sub\n+++ b/sub\n");
            assert_eq!(
                job(&body, None).command.join(" "),
                "git apply --whitespace=nowarn -p2 --index .buildbot-diff"
            );
        }
        let text = format!("{OF_GIT}@@ -0,0 +1 @@\n+index a..b 160000\n");
        assert!(!job(&text, None).command.contains(&"--index".to_owned()));
    }

    #[test]
    fn patch_applies_other_diffs_where_they_belong() {
        let whole = job(OF_OTHERS, None);
        assert_eq!(whole.file, ".buildbot-diff");
        assert_eq!(whole.dir, None);
        assert_eq!(
            whole.command.join(" "),
            "patch -p2 --remove-empty-files --force --forward -i .buildbot-diff"
        );
        let part = job(OF_OTHERS, Some("sub"));
        assert_eq!(part.file, "sub/.buildbot-diff");
        assert_eq!(part.dir.as_deref(), Some("sub"));
        assert_eq!(part.command, whole.command);
    }

    #[test]
    fn an_empty_patch_is_not_applied() {
        for body in ["", "\n \n"] {
            assert_eq!(PatchJob::new(&patch(None), body.as_bytes()), Ok(None));
        }
    }
}
