//! CLI-03: base revision, level and patch of a tree re-create its edit on a fresh checkout.
//!
//! With every version control system whose program is installed; the others are skipped, with a
//! word.

#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(
    clippy::print_stderr,
    reason = "who runs the tests wants to know what was skipped"
)]

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use buildmaster::client::vc::{Source, SourceQuery, VcError, detect, find_source};
use buildmaster::vc::Vc;

/// What is done with a version control system. Shell scripts run in the directory that holds
/// `upstream` and `work`.
struct Case {
    vc: Vc,
    /// Makes `upstream` of the files in `first`, and checks it out as `work`.
    setup: &'static str,
    /// Run in `work` after the edit: tells of `sub/new.txt` and `gone.txt`.
    record: &'static str,
    /// Checks `$BASE` out as `fresh`.
    checkout: &'static str,
    /// Whether the patch has binary files.
    binary: bool,
}

const GIT: Case = Case {
    vc: Vc::Git,
    setup: "cp -r first seed && cd seed && git init -q -b main && git add . && git commit -qm one && cd .. && \
            git clone -q --bare seed upstream && git clone -q upstream work",
    record: "git add -A sub gone.txt",
    checkout: "git clone -q upstream fresh && cd fresh && git checkout -q $BASE",
    binary: true,
};

const HG: Case = Case {
    vc: Vc::Hg,
    setup: "cp -r first upstream && cd upstream && hg init && hg commit -qA -u me -m one && cd .. && \
            hg clone -q upstream work",
    record: "hg add -q sub/new.txt && hg rm --after gone.txt",
    checkout: "hg clone -q -r $BASE upstream fresh",
    binary: true,
};

const SVN: Case = Case {
    vc: Vc::Svn,
    setup: "svnadmin create upstream && svn import -q -m one first file://$PWD/upstream && \
            svn checkout -q file://$PWD/upstream work",
    record: "svn add -q sub/new.txt && svn rm -q gone.txt",
    checkout: "svn checkout -q -r $BASE file://$PWD/upstream fresh",
    binary: false,
};

const CVS: Case = Case {
    vc: Vc::Cvs,
    setup: "cvs -d $PWD/upstream init && cd first && cvs -Q -d $PWD/../upstream import -I! -W '*.bin -k b' -m one \
            project vendor start && cd .. && cvs -Q -d $PWD/upstream checkout -d work project",
    record: "cvs -Q add sub/new.txt && cvs -Q rm gone.txt",
    checkout: "cvs -Q -d $PWD/upstream checkout -D \"$BASE\" -d fresh project",
    binary: false,
};

const BZR: Case = Case {
    vc: Vc::Bzr,
    setup: "cp -r first upstream && cd upstream && bzr init -q && bzr add -q && bzr commit -qm one && cd .. && \
            bzr branch -q upstream work",
    record: "bzr add -q sub/new.txt && bzr rm -q gone.txt",
    checkout: "bzr branch -q -r $BASE upstream fresh",
    binary: false,
};

const DARCS: Case = Case {
    vc: Vc::Darcs,
    setup: "cp -r first upstream && cd upstream && darcs init -q && darcs add -qr . && \
            darcs record -qa -A me -m one && cd .. && darcs clone -q upstream work",
    record: "darcs add -q sub/new.txt",
    checkout: "printf %s \"$BASE\" >context && darcs clone -q --context=context upstream fresh",
    binary: false,
};

/// A directory with a repository, a checkout and an edit in it.
struct Place {
    root: tempfile::TempDir,
    case: Case,
}

impl Place {
    /// None if the program is not installed.
    fn new(case: Case) -> Option<Self> {
        let program = case.vc.name();
        let path = env::var_os("PATH").unwrap_or_default();
        if !env::split_paths(&path).any(|directory| directory.join(program).exists()) {
            eprintln!("skipped: no program '{program}' in PATH");
            return None;
        }
        let place = Self {
            root: tempfile::tempdir().unwrap(),
            case,
        };
        place.write("first/text.txt", b"one\ntwo\nthree\n");
        place.write("first/gone.txt", b"gone\n");
        place.write("first/sub/kept.txt", b"kept\n");
        place.write("first/data.bin", b"\x00\x01\x02");
        place.shell(".", place.case.setup);
        Some(place)
    }

    fn edit(&self) {
        self.write("work/text.txt", b"one\ntwo and a half\nthree\n");
        self.write("work/sub/new.txt", b"new\n");
        self.write("work/data.bin", b"\x00\x01\x02 and \xff more\n");
        fs::remove_file(self.root.path().join("work/gone.txt")).unwrap();
        self.shell("work", self.case.record);
        self.write("work/unknown.txt", b"nobody knows\n");
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn shell(&self, directory: &str, script: &str) {
        self.shell_with("", directory, script);
    }

    fn shell_with(&self, base: &str, directory: &str, script: &str) {
        let done = Command::new("sh")
            .args(["-ec", script])
            .current_dir(self.root.path().join(directory))
            .env("HOME", self.root.path())
            .env("LC_ALL", "C.UTF-8")
            .env("BASE", base)
            .env("EMAIL", "me@example.org")
            .env("BZR_EMAIL", "me@example.org")
            .env("BRZ_EMAIL", "me@example.org")
            .env("GIT_AUTHOR_NAME", "me")
            .env("GIT_COMMITTER_NAME", "me")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{script}: {stderr}");
    }

    async fn find(&self, change: impl FnOnce(&mut SourceQuery<'_>)) -> Result<Source, VcError> {
        let work = self.root.path().join("work");
        let topfile = match self.case.vc {
            Vc::Cvs | Vc::Svn => Some("text.txt"),
            Vc::Bzr | Vc::Hg | Vc::P4 | Vc::Darcs | Vc::Git | Vc::Mtn => None,
        };
        // From below the top: the patch is of the whole tree all the same.
        let below = work.join("sub");
        let mut query = SourceQuery {
            vc: self.case.vc,
            tree: &below,
            branch: None,
            repository: None,
            base_revision: None,
            patch_level: None,
            topdir: None,
            topfile,
        };
        change(&mut query);
        find_source(&query).await
    }

    /// Checks the base out and applies the patch.
    fn recreate(&self, source: &Source) {
        let base = source.base_revision.as_deref().unwrap();
        self.shell_with(base, ".", self.case.checkout);
        self.write("patch", &source.patch);
        let level = source.patch_level;
        if self.case.binary {
            self.shell("fresh", &format!("git apply -p{level} ../patch"));
        } else {
            // As the slave is told to.
            self.shell(
                "fresh",
                &format!("patch -p{level} --remove-empty-files --force --forward -i ../patch"),
            );
        }
    }

    /// The files of a tree, without those of the version control system.
    fn files(&self, tree: &str) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        let top = self.root.path().join(tree);
        collect(&top, &top, &mut files);
        files.remove("unknown.txt");
        files
    }
}

fn collect(top: &Path, directory: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    const OWN: [&str; 6] = [".git", ".hg", ".svn", "CVS", ".bzr", "_darcs"];
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if OWN.iter().any(|own| path.ends_with(own)) {
            continue;
        }
        if path.is_dir() {
            collect(top, &path, files);
        } else {
            let name = path.strip_prefix(top).unwrap().to_str().unwrap();
            files.insert(name.to_owned(), fs::read(&path).unwrap());
        }
    }
}

async fn edit_is_recreated(case: Case, level: u32) {
    let Some(place) = Place::new(case) else {
        return;
    };
    assert_eq!(
        detect(&place.root.path().join("work/sub")),
        Some(place.case.vc)
    );
    place.edit();
    let source = place.find(|_| {}).await.unwrap();
    assert_eq!(source.patch_level, level);
    place.recreate(&source);
    let mut wanted = place.files("work");
    if !place.case.binary {
        let data = place.files("fresh").remove("data.bin").unwrap();
        assert_eq!(data, b"\x00\x01\x02");
        wanted.insert("data.bin".to_owned(), data);
        let notes = source.notes.join("\n");
        assert!(notes.contains("'data.bin' (binary, which"), "{notes}");
    }
    assert_eq!(place.files("fresh"), wanted, "{:?}", source.notes);
}

#[tokio::test]
async fn cli_03_a_git_edit_is_recreated() {
    edit_is_recreated(GIT, 1).await;
}

#[tokio::test]
async fn cli_03_a_mercurial_edit_is_recreated() {
    edit_is_recreated(HG, 1).await;
}

#[tokio::test]
async fn cli_03_a_subversion_edit_is_recreated() {
    edit_is_recreated(SVN, 0).await;
}

#[tokio::test]
async fn cli_03_a_cvs_edit_is_recreated() {
    edit_is_recreated(CVS, 0).await;
}

#[tokio::test]
async fn cli_03_a_bazaar_edit_is_recreated() {
    edit_is_recreated(BZR, 0).await;
}

#[tokio::test]
async fn cli_03_a_darcs_edit_is_recreated() {
    edit_is_recreated(DARCS, 1).await;
}

#[tokio::test]
async fn a_git_patch_includes_local_commits_and_ignores_personal_settings() {
    let Some(place) = Place::new(GIT) else { return };
    place.shell(
        "work",
        "git config diff.noprefix true && git config diff.mnemonicPrefix true && git config color.ui always && \
         git config diff.external false && git config diff.renames copies && git config diff.relative true && \
         echo more >>text.txt && git mv gone.txt moved.txt && git commit -qam two",
    );
    let source = place.find(|_| {}).await.unwrap();
    assert_eq!(source.branch.as_deref(), Some("main"));
    assert!(
        source.notes[0].contains("includes 1 local commit "),
        "{:?}",
        source.notes
    );
    place.recreate(&source);
    assert_eq!(place.files("fresh"), place.files("work"));
}

#[tokio::test]
async fn the_git_branch_is_called_as_its_remote_calls_it() {
    let Some(place) = Place::new(GIT) else { return };
    place.shell("work", "git checkout -q -b mine --track origin/main");
    let tracked = place.find(|_| {}).await.unwrap();
    assert_eq!(tracked.branch.as_deref(), Some("main"));
    assert!(tracked.patch.is_empty());
    let given = place
        .find(|query| query.branch = Some("origin/main"))
        .await
        .unwrap();
    assert_eq!(given.branch.as_deref(), Some("main"));
    assert_eq!(given.base_revision, tracked.base_revision);
    let local = place
        .find(|query| query.branch = Some("mine"))
        .await
        .unwrap();
    assert_eq!(local.branch.as_deref(), Some("mine"));
}

#[tokio::test]
async fn without_a_tracked_git_branch_the_last_commit_is_the_base() {
    let Some(place) = Place::new(GIT) else { return };
    place.shell(
        "work",
        "git checkout -q -b loose --no-track && echo x >>text.txt && git commit -qam two",
    );
    let loose = place.find(|_| {}).await.unwrap();
    assert_eq!(loose.branch.as_deref(), Some("loose"));
    assert!(loose.patch.is_empty());
    assert!(loose.notes[0].contains("tracks no other"));
    place.shell("work", "git checkout -q --detach && echo y >>text.txt");
    let detached = place.find(|_| {}).await.unwrap();
    assert_eq!(detached.branch, None);
    assert_eq!(detached.base_revision, loose.base_revision);
    assert!(detached.notes[0].contains("no branch is checked out"));
    let other = place
        .find(|query| query.base_revision = Some("HEAD~1"))
        .await
        .unwrap();
    assert_ne!(other.base_revision, loose.base_revision);
    assert_eq!(other.base_revision.unwrap().len(), 40);
}

#[tokio::test]
async fn a_git_tree_behind_its_branch_is_told() {
    let Some(place) = Place::new(GIT) else { return };
    place.shell(
        ".",
        "cd seed && echo x >>text.txt && git commit -qam two && git push -q ../upstream main && cd ../work && \
         git fetch -q",
    );
    let source = place.find(|_| {}).await.unwrap();
    assert!(
        source.notes[0].contains("reverts 1 commit of the base"),
        "{:?}",
        source.notes
    );
    place.recreate(&source);
    assert_eq!(place.files("fresh"), place.files("work"));
}

#[tokio::test]
async fn what_git_cannot_find_is_told_with_the_remedy() {
    let Some(place) = Place::new(GIT) else { return };
    let unknown = place.find(|query| query.branch = Some("no-such")).await;
    let error = unknown.unwrap_err().to_string();
    assert!(
        error.contains("--branch must be a commit of this repository"),
        "{error}"
    );
    place.shell("work", "git update-ref -d refs/remotes/origin/main");
    let error = place.find(|_| {}).await.unwrap_err().to_string();
    assert!(error.contains("run 'git fetch origin'"), "{error}");
    let outside = place.find(|query| query.topdir = Some(Path::new("/")));
    let error = outside.await.unwrap_err().to_string();
    assert!(error.contains("run it inside a git work tree"), "{error}");
}

#[tokio::test]
async fn a_large_git_patch_is_taken_whole() {
    let Some(place) = Place::new(GIT) else { return };
    let mut seed = 1_u32;
    let noise = std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed.to_be_bytes()[0]
    });
    let bytes: Vec<u8> = noise.take(3_000_000).collect();
    place.write("work/data.bin", &bytes);
    let source = place.find(|_| {}).await.unwrap();
    assert!(source.patch.len() > 2_000_000);
    place.recreate(&source);
    assert_eq!(place.files("fresh"), place.files("work"));
}

#[tokio::test]
async fn the_mercurial_base_is_what_the_other_repository_has() {
    let Some(place) = Place::new(HG) else { return };
    place.shell(
        "work",
        "echo two >>text.txt && hg commit -qu me -m two && echo three >>text.txt",
    );
    let source = place.find(|_| {}).await.unwrap();
    assert!(
        source.notes[0].contains("includes 1 local commit "),
        "{:?}",
        source.notes
    );
    place.recreate(&source);
    assert_eq!(place.files("fresh"), place.files("work"));

    // A query has one lifetime for all of its texts, so that this one has to live for ever.
    let upstream = place.root.path().join("upstream");
    let upstream: &'static str = upstream.to_str().unwrap().to_owned().leak();
    let named = place
        .find(|query| query.repository = Some(upstream))
        .await
        .unwrap();
    // The differences name the second in which they were asked for.
    assert_eq!(named.base_revision, source.base_revision);
    assert_eq!(named.notes, source.notes);

    place.shell("work", "rm .hg/hgrc");
    let alone = place.find(|_| {}).await.unwrap();
    assert_ne!(alone.base_revision, source.base_revision);
    assert!(alone.notes[0].contains("is the parent of the working directory"));
    let missing = place
        .find(|query| query.repository = Some("/no/such"))
        .await;
    let error = missing.unwrap_err().to_string();
    assert!(
        error.contains("--repository must name a reachable repository"),
        "{error}"
    );
}

#[tokio::test]
async fn a_subversion_tree_of_mixed_revisions_is_recreated() {
    let Some(place) = Place::new(SVN) else { return };
    place.shell(
        ".",
        "svn checkout -q file://$PWD/upstream other && cd other && echo kept too >>sub/kept.txt && \
         svn commit -qm two && cd ../work && svn copy -q text.txt copied.txt && echo é >é.txt && svn add -q é.txt && \
         svn propset -q svn:executable on text.txt",
    );
    let source = place.find(|_| {}).await.unwrap();
    assert_eq!(source.base_revision.as_deref(), Some("2"));
    assert!(
        source.notes.iter().any(|note| note.contains("out of date")),
        "{:?}",
        source.notes
    );
    place.recreate(&source);
    assert_eq!(place.files("fresh"), place.files("work"));
}

/// Changes without lines, which plain differences do not show, and settings that hide changes.
const UNSEEN: &str = ": >empty && ln -s text.txt link && printf 'one \\ntwo\\nthree\\n' >text.txt";

fn is_told(source: &Source, name: &str, why: &str) {
    let told = |note: &String| note.contains("not in the patch: '") && note.contains(why);
    let notes = &source.notes;
    assert!(notes.iter().any(told), "{name}: {notes:?}");
}

#[tokio::test]
async fn mercurial_carries_empty_files_modes_links_and_white_space() {
    let Some(place) = Place::new(HG) else { return };
    place.shell(
        "work",
        &format!(
            "{UNSEEN} && chmod +x sub/kept.txt && hg add -q empty link && \
             printf '[diff]\\nignorews = 1\\nnoprefix = 1\\nnobinary = 1\\n' >>.hg/hgrc"
        ),
    );
    let source = place.find(|_| {}).await.unwrap();
    assert_eq!(source.notes, Vec::<String>::new());
    place.recreate(&source);
    assert_eq!(place.files("fresh"), place.files("work"));
    let patch = String::from_utf8(source.patch).unwrap();
    for head in ["new mode 100755", "new file mode 120000"] {
        assert!(patch.contains(head), "{patch}");
    }
    place.shell(
        "work",
        "hg revert -qa && rm empty link && echo plain >>text.txt && rm gone.txt",
    );
    let plain = place.find(|_| {}).await.unwrap();
    assert!(!plain.patch.starts_with(b"diff --git"));
    is_told(&plain, "gone.txt", "missing, but not removed");
}

#[tokio::test]
async fn subversion_tells_of_what_it_cannot_carry() {
    let Some(place) = Place::new(SVN) else { return };
    place.shell(
        "work",
        &format!(
            "{UNSEEN} && cp text.txt run && chmod +x run && svn add -q empty link run && \
             mkdir -p ../.subversion && printf '[helpers]\\ndiff-extensions = -w\\n' >../.subversion/config"
        ),
    );
    let source = place.find(|_| {}).await.unwrap();
    is_told(&source, "empty", "empty, which");
    is_told(&source, "link", "link or executable");
    assert!(source.patch.windows(6).any(|text| text == b"+one \n"));
}

#[tokio::test]
async fn the_others_tell_of_what_they_cannot_carry() {
    if let Some(place) = Place::new(CVS) {
        place.shell("work", ": >empty && : >unknown.txt && cvs -Q add empty");
        let source = place.find(|_| {}).await.unwrap();
        is_told(&source, "empty", "empty, which");
        is_told(&source, "unknown.txt", "not versioned");
    }
    if let Some(place) = Place::new(BZR) {
        place.shell("work", &format!("{UNSEEN} && bzr add -q empty link"));
        let source = place.find(|_| {}).await.unwrap();
        is_told(&source, "empty", "empty, a link or executable");
    }
    if let Some(place) = Place::new(DARCS) {
        place.shell("work", ": >empty && : >unknown.txt && darcs add -q empty");
        let source = place.find(|_| {}).await.unwrap();
        is_told(&source, "empty", "empty, which");
        is_told(&source, "unknown.txt", "not versioned");
    }
}

#[tokio::test]
async fn git_tells_of_submodules_and_hidden_files_and_not_of_its_own() {
    let Some(place) = Place::new(GIT) else { return };
    place.shell(
        "work",
        "git -c protocol.file.allow=always submodule --quiet add $PWD/../upstream lib && git commit -qm lib && \
         git push -q origin main && mkdir .buildbot && : >.buildbot/options && echo x >>lib/text.txt && \
         git update-index --assume-unchanged gone.txt && echo x >>gone.txt",
    );
    let source = place.find(|_| {}).await.unwrap();
    is_told(&source, "lib", "changed inside a submodule");
    is_told(&source, "gone.txt", "git ignores their changes");
    let notes = source.notes.join("\n");
    assert!(
        !notes.contains(".buildbot") && !notes.contains("slaves must"),
        "{notes}"
    );

    place.shell("work", "git -C lib commit -qam moved");
    let notes = place.find(|_| {}).await.unwrap().notes.join("\n");
    assert!(
        notes.contains("submodule 'lib' is at another commit"),
        "{notes}"
    );
}
