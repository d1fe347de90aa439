//! The version control systems whose programs Debian has: how to make, change, export and damage
//! their trees.

use std::path::Path;

use crate::harness::{Sandbox, run};

/// A version control system. The scripts run in a directory of its own. `$N` is the number of a
/// commit, `$REV` a revision, `$BRANCH` a branch. Some systems notice a change by size and time of
/// a file, so each commit has a time of its own.
pub(crate) struct System {
    pub(crate) program: &'static str,
    /// The step, with `DIR` for the directory.
    pub(crate) step: &'static str,
    /// How a master of Buildbot 0.8.14 spells it, if it has such a step.
    pub(crate) step_0814: Option<Step0814>,
    /// Makes a repository with the branches `trunk` and `side`, whose file `text` is `side`.
    pub(crate) setup: &'static str,
    /// Commits `$N` to the file `text` of the main branch, and prints the revision.
    pub(crate) commit: &'static str,
    /// The main branch and the other one in changes; none: the default.
    pub(crate) branches: [&'static str; 2],
    /// Writes the files of `$REV`, or of the latest on `$BRANCH`, to `exported`.
    pub(crate) export: &'static str,
    /// Damage of a tree: garbage in a file that every command reads, a half-written store, and a
    /// tree of another system. All that follow these are for the long tests.
    pub(crate) damages: &'static [Damage],
    /// Whether slaves have a command of their own for it.
    pub(crate) has_slave_side: bool,
}

/// What happens to a tree between two builds.
#[derive(Clone, Copy)]
pub(crate) struct Damage {
    /// The function `half` cuts files in half.
    pub(crate) script: &'static str,
    /// Whether the command of a slave of Buildbot 0.8.14 notices and mends it.
    pub(crate) old_slaves_mend: bool,
}

impl Damage {
    const fn mended(script: &'static str) -> Self {
        Self {
            script,
            old_slaves_mend: true,
        }
    }

    const fn left_by_old_slaves(script: &'static str) -> Self {
        Self {
            script,
            old_slaves_mend: false,
        }
    }
}

/// Files are replaced, because trees may share those of their repository.
pub(crate) const HALF: &str = "half() { for f; do head -c $(($(wc -c <\"$f\") / 2)) \"$f\" >half; \
    rm -f \"$f\"; mv half \"$f\"; done; }; ";

/// A source step in Python, with `DIR` for the directory.
pub(crate) struct Step0814 {
    /// Its module and class.
    pub(crate) class: [&'static str; 2],
    pub(crate) settings: &'static str,
    /// The settings of the class of the same name that uses the slave's own command.
    pub(crate) slave_side: &'static str,
}

const GIT: System = System {
    program: "git",
    step: r#"type = "Git", repourl = "DIR/repo", branch = "trunk""#,
    step_0814: Some(Step0814 {
        class: ["git", "Git"],
        settings: "repourl='DIR/repo', branch='trunk'",
        slave_side: "repourl='DIR/repo', branch='trunk'",
    }),
    setup: "git init -q -b trunk repo && cd repo && git config user.name me && git config user.email me@e && \
            echo side >text && git add text && git commit -qm side && git branch side",
    commit: "cd repo && echo $N >text && git commit -qam $N && git rev-parse HEAD",
    branches: ["trunk", "side"],
    export: "mkdir exported && git -C repo archive ${REV:-$BRANCH} | tar -x -C exported",
    damages: &[
        Damage::mended("echo garbage >.git/HEAD; echo changed >text"),
        Damage::mended("git repack -adq; half .git/objects/pack/*.pack; rm text"),
        Damage::mended("rm -rf .git; mkdir .svn .hg; echo junk >junk"),
        Damage::mended("half $(find .git/objects -type f); rm text"),
        Damage::mended("half .git/index; echo changed >text"),
        Damage::mended(": >.git/HEAD; for f in $(find .git/refs -type f); do : >$f; done; rm text"),
    ],
    has_slave_side: true,
};

const SVN: System = System {
    program: "svn",
    step: r#"type = "SVN", base_url = "file://DIR/repo", default_branch = "trunk""#,
    step_0814: Some(Step0814 {
        class: ["svn", "SVN"],
        settings: "repourl='file://DIR/repo/trunk'",
        slave_side: "baseURL='file://DIR/repo/', defaultBranch='trunk'",
    }),
    setup: "svnadmin create repo && U=file://$PWD/repo && svn -q mkdir -m 0 $U/trunk && svn -q checkout $U/trunk work && \
            cd work && echo side >text && svn -q add text && svn -q commit -m side && svn -q copy -m b $U/trunk $U/side",
    commit: "cd work && svn -q update && echo $N >text && svn -q commit -m $N && svn -q update && \
             svn info --show-item revision",
    branches: ["trunk", "side"],
    export: "svn -q export file://$PWD/repo/$BRANCH@$REV exported",
    damages: &[
        Damage::mended("echo garbage >.svn/wc.db; echo changed >text"),
        Damage::mended("half .svn/wc.db $(find .svn/pristine -type f); rm text"),
        Damage::mended("rm -rf .svn; mkdir .git; echo junk >junk"),
        Damage::mended("half .svn/wc.db; rm text"),
        Damage::mended("rm -rf .svn/pristine; rm text"),
        Damage::mended(": >.svn/wc.db; rm text"),
    ],
    has_slave_side: true,
};

const HG: System = System {
    program: "hg",
    step: r#"type = "Mercurial", repourl = "DIR/repo", branch_type = "inrepo""#,
    step_0814: Some(Step0814 {
        class: ["mercurial", "Mercurial"],
        settings: "repourl='DIR/repo', branchType='inrepo'",
        slave_side: "repourl='DIR/repo', branchType='inrepo', defaultBranch='default'",
    }),
    setup: "hg init repo && cd repo && echo side >text && hg commit -qA -u me -m side && hg branch -q side && \
            hg commit -q -u me -m b && hg update -q default",
    commit: "cd repo && echo $N >text && hg commit -q -u me -m $N && hg log -r . --template '{node}'",
    branches: ["default", "side"],
    export: "hg -R repo archive -q --config ui.archivemeta=0 -r ${REV:-$BRANCH} exported",
    damages: &[
        Damage::mended(
            "rm .hg/store/00changelog.i; echo garbage >.hg/store/00changelog.i; echo changed >text",
        ),
        Damage::mended("half .hg/store/00*.i .hg/store/data/*; rm text"),
        Damage::mended("rm -rf .hg; mkdir .git; echo junk >junk"),
        Damage::mended("half .hg/store/data/*; rm text"),
        Damage::mended("half .hg/dirstate; echo changed >text"),
        Damage::mended("rm -rf .hg/store/data; rm text"),
    ],
    has_slave_side: true,
};

const BZR: System = System {
    program: "bzr",
    step: r#"type = "Bzr", base_url = "DIR", default_branch = "trunk""#,
    step_0814: Some(Step0814 {
        class: ["bzr", "Bzr"],
        settings: "baseURL='DIR/', defaultBranch='trunk'",
        slave_side: "baseURL='DIR/', defaultBranch='trunk'",
    }),
    setup: "bzr init -q trunk && cd trunk && echo side >text && bzr add -q && bzr commit -qm side && cd .. && \
            bzr branch -q trunk side",
    commit: "cd trunk && echo $N >text && bzr commit -qm $N && bzr revno",
    branches: ["trunk", "side"],
    export: "bzr export -q ${REV:+-r $REV} exported $BRANCH",
    damages: &[
        Damage::mended("echo garbage >.bzr/branch-format; echo changed >text"),
        Damage::left_by_old_slaves("half .bzr/repository/packs/*; rm text"),
        Damage::mended("rm -rf .bzr; mkdir .git; echo junk >junk"),
        Damage::left_by_old_slaves("half .bzr/checkout/dirstate; echo changed >text"),
        Damage::mended("half .bzr/repository/indices/*; rm text"),
        Damage::left_by_old_slaves("rm -rf .bzr/repository/packs; rm text"),
    ],
    has_slave_side: true,
};

const DARCS: System = System {
    program: "darcs",
    step: r#"type = "Darcs", base_url = "DIR", default_branch = "trunk""#,
    step_0814: Some(Step0814 {
        class: ["darcs", "Darcs"],
        settings: "repourl='DIR/trunk'",
        slave_side: "baseURL='DIR/', defaultBranch='trunk'",
    }),
    setup: "mkdir trunk && cd trunk && darcs init -q && echo side >text && darcs add -q text && \
            darcs record -qa -A me -m side && cd .. && darcs clone -q trunk side",
    commit: "cd trunk && echo $N >text && touch -d 2020-01-0$N text && darcs record -qa -A me -m $N && darcs log --context",
    branches: ["trunk", "side"],
    export: "if [ \"$REV\" ]; then printf %s \"$REV\" >ctx; set -- --context=ctx; fi; \
             darcs clone -q \"$@\" $BRANCH exported && rm -rf exported/_darcs",
    damages: &[
        Damage::mended("echo garbage >_darcs/hashed_inventory; echo changed >text"),
        Damage::left_by_old_slaves(
            "half $(find _darcs/patches _darcs/pristine.hashed -type f); rm text",
        ),
        Damage::mended("rm -rf _darcs; mkdir .git; echo junk >junk"),
        Damage::mended("half _darcs/hashed_inventory; echo changed >text"),
        Damage::left_by_old_slaves("half $(find _darcs/pristine.hashed -type f); rm text"),
        Damage::mended("rm -rf _darcs/inventories _darcs/patches _darcs/pristine.hashed; rm text"),
    ],
    has_slave_side: true,
};

/// Its revisions are times, so its commits are dated one day apart.
const CVS: System = System {
    program: "cvs",
    step: r#"type = "CVS", cvsroot = "DIR/repo", cvsmodule = "project", checkout_delay = "1m""#,
    step_0814: Some(Step0814 {
        class: ["cvs", "CVS"],
        settings: "cvsroot='DIR/repo', cvsmodule='project'",
        slave_side: "cvsroot='DIR/repo', cvsmodule='project'",
    }),
    setup: "cvs -f -d $PWD/repo init && mkdir repo/project && cvs -f -Q -d $PWD/repo checkout -d work project && \
            cd work && echo side >text && cvs -f -Q add text && cvs -f -Q commit -m side && cvs -f -Q tag -b side && \
            chmod u+w ../repo/project/text,v && sed -i 's/^date\\t[0-9.]*/date\\t2019.12.31.00.00.00/' ../repo/project/text,v",
    commit: "cd work && echo $N >text && cvs -f -Q commit -m $N && cd .. && chmod u+w repo/project/text,v && \
             sed -i \"0,/^date/s/^date\\t[0-9.]*/date\\t2020.01.0$N.00.00.00/\" repo/project/text,v && \
             echo 2020-01-0$N 12:00:00 +0000",
    branches: ["", "side"],
    export: "cvs -f -Q -d $PWD/repo export -d exported ${BRANCH:+-r $BRANCH} ${REV:+-D \"$REV\"} \
             $([ \"$BRANCH$REV\" ] || echo -r HEAD) project",
    damages: &[
        Damage::mended("echo garbage >CVS/Entries; echo changed >text"),
        Damage::mended("half CVS/*; rm text"),
        Damage::mended("rm -rf CVS; mkdir .git; echo junk >junk"),
        Damage::mended("half CVS/Entries; rm text"),
        Damage::mended(": >CVS/Root; echo changed >text"),
        Damage::mended("rm CVS/Root; rm text"),
    ],
    has_slave_side: true,
};

/// Its branches are versions, and `side` is one of them.
const ARCH: System = System {
    program: "tla",
    step: r#"type = "Arch", url = "DIR/archive", version = "p--trunk--1.0""#,
    step_0814: None,
    setup: "tla my-id 'me <me@example.org>' && tla make-archive me@e--2004 $PWD/archive && \
            for v in side trunk; do tla archive-setup me@e--2004/p--$v--1.0 && mkdir $v && cd $v && \
            tla init-tree me@e--2004/p--$v--1.0 && echo side >text && tla add text && tla import -S -s side && cd ..; done",
    commit: "cd trunk && echo $N >text && touch -d 2020-01-0$N text && tla commit -s $N >/dev/null && echo patch-$N",
    branches: ["p--trunk--1.0", "p--side--1.0"],
    export: "tla get me@e--2004/$BRANCH${REV:+--$REV} exported && rm -rf exported/.arch-ids",
    damages: &[
        Damage::mended("echo garbage >'{arch}/++default-version'; echo changed >text"),
        Damage::mended("half $(find '{arch}' -type f); rm text"),
        Damage::mended("rm -rf '{arch}'; mkdir .git; echo junk >junk"),
        Damage::mended("half $(find '{arch}'/++pristine-trees -name text); rm text"),
        Damage::mended("half $(find '{arch}' -name patch-3); rm text"),
        Damage::mended("rm -rf '{arch}/p' '{arch}/++pristine-trees'; rm text"),
    ],
    has_slave_side: false,
};

pub(crate) const ALL: [System; 7] = [GIT, SVN, HG, BZR, DARCS, CVS, ARCH];

impl System {
    /// What a step tells of this revision, if the system has one spelling for it.
    pub(crate) fn told(&self, revision: &str) -> Option<String> {
        (self.has_one_spelling() && !revision.is_empty()).then(|| revision.to_owned())
    }

    /// Whether everybody spells a revision in the same way.
    pub(crate) fn has_one_spelling(&self) -> bool {
        !["darcs", "cvs"].contains(&self.program)
    }
}

pub(crate) fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|directory| directory.join(program).exists());
    if !found {
        eprintln!("skipped: no program '{program}' in PATH");
    }
    found
}

pub(crate) fn script(
    sandbox: &Sandbox,
    system: &System,
    script: &str,
    vars: &[(&str, &str)],
) -> String {
    shell(sandbox, &sandbox.path(system.program), script, vars)
}

pub(crate) fn shell(sandbox: &Sandbox, dir: &Path, script: &str, vars: &[(&str, &str)]) -> String {
    let mut command = sandbox.command("sh");
    command
        .args(["-ec", script])
        .current_dir(dir)
        .env("EMAIL", "me@example.org")
        .env("BRZ_EMAIL", "me@example.org")
        .envs(vars.iter().copied());
    let printed = run(&mut command).ok();
    printed.strip_suffix('\n').unwrap_or(&printed).to_owned()
}
