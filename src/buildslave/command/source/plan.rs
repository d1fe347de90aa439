//! What each version control command of a master runs. Pure.

use bytes::Bytes;

use crate::buildslave::command::args::Args;
use crate::pb::{Failure, Value};
use crate::protocol::Word;

/// A program of a plan.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Run {
    /// Its words.
    pub(super) words: Vec<Text>,
    /// Whether it runs in the tree, not in the directory of the builder.
    pub(super) in_tree: bool,
    /// Its input.
    pub(super) stdin: Option<Bytes>,
    /// Whether its failure does not matter.
    pub(super) may_fail: bool,
}

/// A word of a program.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Text {
    /// A word.
    Plain(Bytes),
    /// A password, which is not shown.
    Secret(Bytes),
}

impl Text {
    pub(super) fn word(&self) -> Word<Bytes> {
        match self {
            Self::Plain(text) => Word::Plain(text.clone()),
            Self::Secret(text) => Word::Obfuscated {
                real: text.clone(),
                shown: Bytes::from_static(b"XXXX"),
            },
        }
    }
}

/// How a version control command gets a tree.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// The file or directory that shows a tree of the system.
    pub(super) mark: &'static str,
    /// What a tree is of; a tree of something else is not updated.
    pub(super) source: Vec<u8>,
    /// Whether a tree can be brought to the revision.
    pub(super) may_update: bool,
    /// Programs before all others.
    pub(super) before: Vec<Run>,
    /// Programs that update a tree.
    pub(super) update: Vec<Run>,
    /// Programs that make a tree.
    pub(super) full: Vec<Run>,
    /// The program that tells the revision, and how it does.
    pub(super) revision: Option<(Run, Parse)>,
    /// Programs that add changes to the tree, and how they tell what they have added.
    pub(super) added: Vec<(Run, Parse)>,
}

/// Reads a revision from the output of a program.
pub(super) type Parse = fn(&str) -> Option<String>;

/// The arguments of a version control command.
pub(super) struct Wish<'a> {
    pub(super) args: &'a Args<'a>,
    /// Name of the tree below the directory of the builder.
    pub(super) tree: Bytes,
    /// Whether the tree is to have no files of the system.
    pub(super) is_export: bool,
}

impl Wish<'_> {
    pub(super) fn text(&self, key: &str) -> Result<Option<Bytes>, Failure> {
        let Some(value) = self.args.given(key) else {
            return Ok(None);
        };
        if let Some(number) = value.as_int() {
            return Ok(Some(number.to_string().into()));
        }
        let raw = value.as_raw().cloned();
        let raw = raw.ok_or_else(|| self.args.wrong(key, "a string"))?;
        Ok((!raw.is_empty()).then_some(raw))
    }

    pub(super) fn texts(&self, key: &str) -> Result<Vec<Bytes>, Failure> {
        let Some(value) = self.args.given(key) else {
            return Ok(Vec::new());
        };
        let wrong = || self.args.wrong(key, "a list of strings");
        let items = value.as_items().ok_or_else(wrong)?;
        let texts = items.iter().map(|item| item.unshared().as_raw().cloned());
        texts.collect::<Option<Vec<_>>>().ok_or_else(wrong)
    }

    /// A text that a program must not take for an option.
    pub(super) fn place(&self, key: &str) -> Result<Bytes, Failure> {
        let raw = self.args.raw(key)?;
        if raw.is_empty() || raw.starts_with(b"-") {
            return Err(self.args.wrong(key, "an address"));
        }
        Ok(raw)
    }

    /// An optional text that a program must not take for an option.
    pub(super) fn name(&self, key: &str) -> Result<Option<Bytes>, Failure> {
        let text = self.text(key)?;
        match text {
            Some(text) if text.starts_with(b"-") => Err(self.args.wrong(key, "a name")),
            text => Ok(text),
        }
    }
}

/// A program in the directory of the builder.
pub(super) fn above(words: &[&[u8]]) -> Run {
    Run {
        words: words
            .iter()
            .map(|word| Text::Plain(Bytes::copy_from_slice(word)))
            .collect(),
        in_tree: false,
        stdin: None,
        may_fail: false,
    }
}

/// A program in the tree.
pub(super) fn inside(words: &[&[u8]]) -> Run {
    Run {
        in_tree: true,
        ..above(words)
    }
}

impl Run {
    pub(super) fn with<'w>(mut self, words: impl IntoIterator<Item = &'w Bytes>) -> Self {
        let words = words.into_iter().map(|word| Text::Plain(word.clone()));
        self.words.extend(words);
        self
    }

    pub(super) fn option(self, option: &'static [u8], value: Option<&Bytes>) -> Self {
        let option = Bytes::from_static(option);
        match value {
            Some(value) => self.with([&option, value]),
            None => self,
        }
    }

    pub(super) fn secret(mut self, option: &'static [u8], value: Option<Bytes>) -> Self {
        if let Some(value) = value {
            self.words.push(Text::Plain(Bytes::from_static(option)));
            self.words.push(Text::Secret(value));
        }
        self
    }
}

/// The plan of a command.
///
/// # Errors
/// The arguments are invalid.
pub(super) fn plan(name: &str, wish: &Wish<'_>) -> Result<Plan, Failure> {
    match name {
        "svn" => svn(wish),
        "git" => git(wish),
        "hg" => hg(wish),
        "cvs" => cvs(wish),
        "bzr" => bzr(wish),
        "bk" => bk(wish),
        "mtn" => mtn(wish),
        "darcs" => darcs(wish),
        _ => Err(wish.args.wrong("command", "a version control command")),
    }
}

fn svn(wish: &Wish<'_>) -> Result<Plan, Failure> {
    let url = wish.place("svnurl")?;
    let revision = wish.name("revision")?;
    let revision = revision.unwrap_or(Bytes::from_static(b"HEAD"));
    let depth = wish.name("depth")?;
    let (username, password) = (wish.name("username")?, wish.text("password")?);
    let extra = wish.texts("extra_args")?;
    let common = |run: Run| {
        run.option(b"--username", username.as_ref())
            .secret(b"--password", password.clone())
            .with(&extra)
            .option(b"--depth", depth.as_ref())
            .option(b"--revision", Some(&revision))
    };
    let quiet: [&[u8]; 2] = [b"--non-interactive", b"--no-auth-cache"];
    let verb: &[u8] = if wish.is_export {
        b"export"
    } else {
        b"checkout"
    };
    let pegged = Bytes::from([&url[..], b"@", &revision[..]].concat());
    let full = common(above(&[b"svn", verb, quiet[0], quiet[1]])).with([&pegged, &wish.tree]);
    let update = common(inside(&[b"svn", b"update", quiet[0], quiet[1]]));
    let tell = inside(&[b"svnversion", b"."]);
    Ok(Plan {
        mark: ".svn",
        source: [&url[..], b"\n"].concat(),
        may_update: !wish.args.flag("always_purge", false)?,
        before: Vec::new(),
        update: vec![update],
        full: vec![full],
        revision: (!wish.is_export).then_some((tell, svn_revision as Parse)),
        added: Vec::new(),
    })
}

fn git(wish: &Wish<'_>) -> Result<Plan, Failure> {
    let url = wish.place("repourl")?;
    let branch = wish
        .name("branch")?
        .unwrap_or(Bytes::from_static(b"master"));
    let revision = wish.name("revision")?;
    let wanted = Bytes::from([b"+", &branch[..]].concat());
    let mut clean = inside(&[b"git", b"clean", b"-f", b"-d"]);
    if wish.args.flag("ignore_ignores", true)? {
        clean = clean.with([&Bytes::from_static(b"-x")]);
    }
    let mut update = vec![
        clean,
        inside(&[b"git", b"fetch", b"-t", &url, &wanted]),
        inside(&[b"git", b"reset", b"--hard"])
            .with([&revision.unwrap_or(Bytes::from_static(b"FETCH_HEAD"))]),
        Run {
            may_fail: true,
            ..inside(&[b"git", b"branch", b"-M", &branch])
        },
    ];
    if wish.args.flag("submodules", false)? {
        update.push(inside(&[
            b"git",
            b"submodule",
            b"update",
            b"--init",
            b"--recursive",
        ]));
        update.push(inside(&[
            b"git",
            b"submodule",
            b"foreach",
            b"--recursive",
            b"git clean -f -d -x",
        ]));
    }
    let init = above(&[b"git", b"init"]).with([&wish.tree]);
    Ok(Plan {
        mark: ".git",
        source: [&url[..], b" ", &branch[..], b"\n"].concat(),
        may_update: true,
        before: Vec::new(),
        full: [vec![init], update.clone()].concat(),
        update,
        revision: Some((inside(&[b"git", b"rev-parse", b"HEAD"]), hash as Parse)),
        added: Vec::new(),
    })
}

fn hg(wish: &Wish<'_>) -> Result<Plan, Failure> {
    let url = wish.place("repourl")?;
    let branch = wish
        .name("branch")?
        .unwrap_or(Bytes::from_static(b"default"));
    let is_inside = wish.text("branchType")?.as_deref() == Some(b"inrepo");
    let revision = wish.name("revision")?.or(is_inside.then(|| branch.clone()));
    let update = inside(&[b"hg", b"update", b"--clean"]).option(b"--rev", revision.as_ref());
    let mut source = [&url[..], b"\n"].concat();
    if is_inside && wish.args.flag("clobberOnBranchChange", true)? {
        source.extend_from_slice(&branch);
    }
    let clone = above(&[b"hg", b"clone", b"--verbose", b"--noupdate"]).with([&url, &wish.tree]);
    Ok(Plan {
        mark: ".hg",
        source,
        may_update: true,
        before: Vec::new(),
        update: vec![
            inside(&[b"hg", b"pull", b"--verbose", &url]),
            update.clone(),
        ],
        full: vec![clone, update],
        revision: Some((
            inside(&[b"hg", b"parents", b"--template", b"{node}\\n"]),
            hash as Parse,
        )),
        added: Vec::new(),
    })
}

fn cvs(wish: &Wish<'_>) -> Result<Plan, Failure> {
    let (root, module) = (wish.place("cvsroot")?, wish.place("cvsmodule")?);
    let global = wish.texts("global_options")?;
    let (branch, revision) = (wish.name("branch")?, wish.name("revision")?);
    let choice = |run: Run| {
        run.option(b"-r", branch.as_ref())
            .option(b"-D", revision.as_ref())
    };
    let (verb, options) = if wish.is_export {
        ("export", "export_options")
    } else {
        ("checkout", "checkout_options")
    };
    let verb = [
        Bytes::from_static(verb.as_bytes()),
        Bytes::from_static(b"-d"),
    ];
    let full = above(&[b"cvs", b"-d", &root, b"-z3"])
        .with(&global)
        .with(&verb)
        .with([&wish.tree])
        .with(&wish.texts(options)?)
        .with(&wish.texts("extra_options")?);
    let mut update = inside(&[b"cvs", b"-z3"]).with(&global);
    update = update.with([&Bytes::from_static(b"update"), &Bytes::from_static(b"-dPA")]);
    let mut before = Vec::new();
    if let Some(login) = wish.text("login")? {
        before.push(Run {
            stdin: Some([&login[..], b"\n"].concat().into()),
            ..above(&[b"cvs", b"-d", &root, b"login"])
        });
    }
    let none = Bytes::from_static(b"None");
    let shown = branch.as_ref().unwrap_or(&none);
    Ok(Plan {
        mark: "CVS",
        source: [&root[..], b"\n", &module[..], b"\n", &shown[..], b"\n"].concat(),
        may_update: true,
        before,
        update: vec![choice(update)],
        full: vec![choice(full).with([&module])],
        revision: Some((
            above(&[b"date", b"-u", b"+%Y-%m-%d %H:%M:%S +0000"]),
            line as Parse,
        )),
        added: Vec::new(),
    })
}

fn bzr(wish: &Wish<'_>) -> Result<Plan, Failure> {
    let url = wish.place("repourl")?;
    let revision = wish.name("revision")?;
    let full = if wish.is_export {
        above(&[b"bzr", b"export"])
            .option(b"--revision", revision.as_ref())
            .with([&wish.tree, &url])
    } else {
        above(&[b"bzr", b"checkout"])
            .option(b"--revision", revision.as_ref())
            .with([&url, &wish.tree])
    };
    let tell = inside(&[b"bzr", b"revno"]);
    Ok(Plan {
        mark: ".bzr",
        source: [&url[..], b"\n"].concat(),
        may_update: revision.is_none(),
        before: Vec::new(),
        // An update does not bring back files that are missing.
        update: vec![
            inside(&[b"bzr", b"revert", b"--quiet", b"--no-backup"]),
            inside(&[b"bzr", b"update"]),
        ],
        full: vec![full],
        revision: (!wish.is_export).then_some((tell, line as Parse)),
        added: Vec::new(),
    })
}

fn darcs(wish: &Wish<'_>) -> Result<Plan, Failure> {
    let url = wish.place("repourl")?;
    let revision = wish.text("revision")?;
    let mut full = Vec::new();
    let mut get = above(&[b"darcs", b"get", b"--verbose", b"--repo-name"]).with([&wish.tree]);
    if revision.is_some() {
        get = get.with([&Bytes::from_static(b"--context=.darcs-context")]);
        full.push(Run {
            stdin: revision.clone(),
            ..above(&[b"sh", b"-c", b"cat >.darcs-context"])
        });
    }
    full.push(get.with([&url]));
    Ok(Plan {
        mark: "_darcs",
        source: [&url[..], b"\n"].concat(),
        may_update: revision.is_none(),
        before: Vec::new(),
        // A pull neither brings back files that are missing nor reads the patches of the tree.
        update: vec![
            inside(&[b"darcs", b"revert", b"--all"]),
            inside(&[b"darcs", b"pull", b"--all", b"--verbose"]),
        ],
        full,
        revision: Some((
            inside(&[b"darcs", b"changes", b"--context"]),
            whole as Parse,
        )),
        added: Vec::new(),
    })
}

fn bk(wish: &Wish<'_>) -> Result<Plan, Failure> {
    let url = wish.place("bkurl")?;
    let revision = wish.name("revision")?;
    let mut clone = above(&[b"bk", b"clone"]);
    if let Some(revision) = &revision {
        clone = clone.with([&Bytes::from([b"-r", &revision[..]].concat())]);
    }
    let clone = clone.with(&wish.texts("extra_args")?);
    Ok(Plan {
        mark: "BK/parent",
        source: [&url[..], b"\n"].concat(),
        may_update: revision.is_none(),
        before: Vec::new(),
        update: vec![inside(&[b"bk", b"pull"])],
        full: vec![clone.with([&url, &wish.tree])],
        revision: Some((
            inside(&[b"bk", b"changes", b"-r+", b"-d:REV:"]),
            line as Parse,
        )),
        added: Vec::new(),
    })
}

fn mtn(wish: &Wish<'_>) -> Result<Plan, Failure> {
    let (url, branch) = (wish.place("repourl")?, wish.place("branch")?);
    let revision = wish.name("revision")?;
    let source = Bytes::from([&url[..], b"?", &branch[..]].concat());
    let ticker: &[u8] = if wish.args.flag("progress", false)? {
        b"--ticker=dot"
    } else {
        b"--ticker=none"
    };
    let database: &[u8] = b"--db=db.mtn";
    let pull = above(&[b"mtn", database, b"pull", &source, ticker]);
    let latest = Bytes::from([b"h:", &branch[..]].concat());
    // A tree knows its database.
    let update = inside(&[b"mtn", b"update"])
        .option(b"--revision", Some(revision.as_ref().unwrap_or(&latest)))
        .option(b"--branch", Some(&branch));
    let checkout = above(&[b"mtn", database, b"checkout", &wish.tree])
        .option(b"--revision", revision.as_ref())
        .option(b"--branch", Some(&branch));
    let make = "mtn --db=db.mtn db info >/dev/null 2>&1 || mtn --db=db.mtn db init";
    Ok(Plan {
        mark: "_MTN",
        source: source.to_vec(),
        may_update: true,
        before: vec![above(&[b"sh", b"-c", make.as_bytes()])],
        update: vec![pull.clone(), update],
        full: vec![pull, checkout],
        revision: Some((
            inside(&[b"mtn", b"automate", b"select", b"w:"]),
            hash as Parse,
        )),
        added: Vec::new(),
    })
}

/// The greatest revision of a tree, from `svnversion`.
fn svn_revision(printed: &str) -> Option<String> {
    let last = printed.trim().rsplit(':').next()?;
    let number = last.trim_end_matches(['M', 'S', 'P']);
    number.parse::<u64>().ok().map(|number| number.to_string())
}

/// A line that is not empty.
fn line(printed: &str) -> Option<String> {
    let line = printed.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

/// All of the output.
#[expect(clippy::unnecessary_wraps, reason = "as the other parsers")]
fn whole(printed: &str) -> Option<String> {
    Some(printed.to_owned())
}

/// A whole hash.
fn hash(printed: &str) -> Option<String> {
    let hash = printed.trim();
    let is_hash = hash.len() == 40 && hash.bytes().all(|b| b.is_ascii_hexdigit());
    is_hash.then(|| hash.to_owned())
}

/// Reads `(level, diff)` or `(level, diff, directory)`.
pub(super) fn parse_patch(args: &Args<'_>) -> Result<Option<(u32, Bytes, Bytes)>, Failure> {
    let Some(value) = args.given("patch") else {
        return Ok(None);
    };
    let wrong = || args.wrong("patch", "a level, a difference and a directory");
    let items = value.as_items().ok_or_else(wrong)?;
    let (Some(level), Some(diff)) = (items.first(), items.get(1)) else {
        return Err(wrong());
    };
    let level = level
        .unshared()
        .as_int()
        .and_then(|n| u32::try_from(n).ok());
    let diff = diff.unshared().as_raw().cloned();
    let dir = items
        .get(2)
        .map(Value::unshared)
        .and_then(Value::as_raw)
        .cloned();
    let (Some(level), Some(diff)) = (level, diff) else {
        return Err(wrong());
    };
    Ok(Some((level, diff, dir.unwrap_or_default())))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// The programs of a plan, as lines: all before, then for an update, then for a new tree.
    fn lines(name: &str, args: &[(&str, &str)]) -> [Vec<String>; 3] {
        let pairs = args.iter();
        let pairs = pairs.map(|(key, text)| (Value::bytes(key), Value::bytes(text)));
        let dict = Value::Dict(pairs.collect());
        let args = Args::new(name, &dict);
        let wish = Wish {
            args: &args,
            tree: Bytes::from_static(b"build"),
            is_export: false,
        };
        let plan = plan(name, &wish).unwrap();
        [plan.before, plan.update, plan.full].map(|runs| runs.iter().map(shown).collect())
    }

    fn shown(run: &Run) -> String {
        let words = run.words.iter().map(|word| word.word().real().clone());
        let words: Vec<String> = words
            .map(|word| String::from_utf8(word.to_vec()).unwrap())
            .collect();
        let place = if run.in_tree { "build$" } else { "$" };
        format!("{place} {}", words.join(" "))
    }

    /// Their programs cannot be had.
    #[test]
    fn bitkeeper_and_monotone_are_run_as_by_buildbot() {
        let [before, update, full] = lines("bk", &[("bkurl", "bk://h/p"), ("revision", "1.7")]);
        assert!(before.is_empty());
        assert_eq!(update, ["build$ bk pull"]);
        assert_eq!(full, ["$ bk clone -r1.7 bk://h/p build"]);

        let [before, update, full] = lines("mtn", &[("repourl", "mtn://h"), ("branch", "b")]);
        assert!(
            before[0].ends_with("|| mtn --db=db.mtn db init"),
            "{before:?}"
        );
        let pull = "$ mtn --db=db.mtn pull mtn://h?b --ticker=none";
        let up = "build$ mtn update --revision h:b --branch b";
        assert_eq!(update, [pull, up]);
        let checkout = "$ mtn --db=db.mtn checkout build --branch b";
        assert_eq!(full, [pull, checkout]);
    }
}
