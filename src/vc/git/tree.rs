//! How a tree is made, updated and cleaned.

use super::Version;

/// How a tree is cloned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CloneOptions<'a> {
    pub(crate) history: History,
    /// Repository that objects are borrowed from.
    pub(crate) reference: Option<&'a str>,
    /// Name of the remote.
    pub(crate) origin: Option<&'a str>,
    /// Filters of a partial clone.
    pub(crate) filters: &'a [String],
}

/// Makes a tree of a repository in the directory where it runs, without its files.
pub(crate) fn clone(version: Version, repourl: &str, options: &CloneOptions<'_>) -> Vec<String> {
    let fixed = [
        &["clone", "--no-checkout"],
        version.since(1, 7, PROGRESS),
        options.history.words(),
    ];
    let mut words: Vec<String> = fixed.concat().into_iter().map(str::to_owned).collect();
    if let Some(reference) = options.reference {
        let able = version.since(2, 11, &["--reference-if-able"]);
        let option = able.first().unwrap_or(&"--reference");
        words.extend([(*option).to_owned(), reference.to_owned()]);
    }
    if let Some(origin) = options.origin {
        words.extend(["--origin".to_owned(), origin.to_owned()]);
    }
    let filters = options.filters.iter();
    words.extend(filters.map(|filter| format!("--filter={filter}")));
    words.extend(["--", repourl, "."].map(str::to_owned));
    words
}

/// Fetches a reference or a commit of a repository into a tree.
pub(crate) fn fetch<'a>(
    version: Version,
    repourl: &'a str,
    what: &'a str,
    history: History,
    tags: Tags,
) -> Vec<&'a str> {
    // Submodules are fetched when their addresses are up to date.
    let fetch: Words = &["fetch", "-f", "--no-recurse-submodules"];
    let progress = version.since(1, 7, PROGRESS);
    let from = ["--", repourl, what];
    [fetch, progress, tags.words(), history.words(), &from].concat()
}

/// Puts the files of a commit in place, over whatever was changed.
pub(crate) fn check_out<'a>(version: Version, how: CheckOut<'a>, commit: &'a str) -> Vec<&'a str> {
    let progress = version.since(2, 7, PROGRESS);
    let checkout: Words = &["checkout", "-f"];
    let as_branch;
    let how: &[&str] = match how {
        CheckOut::Detached => &["--detach"],
        CheckOut::Branch(name) => {
            as_branch = ["-B", name];
            &as_branch
        }
    };
    [checkout, progress, how, &[commit, "--"]].concat()
}

/// Removes files that are not tracked, except `kept`.
pub(crate) fn clean(files: Untracked, kept: &str) -> Vec<&str> {
    [&["clean"], files.words(), &["-e", kept]].concat()
}

/// Removes files that are not tracked from all submodules; the last word is a command line.
pub(crate) fn clean_submodules(files: Untracked) -> [String; 4] {
    let clean = format!("git clean {}", files.words().join(" "));
    ["submodule", "foreach", "--recursive", &clean].map(str::to_owned)
}

/// Checks whether a tree is whole.
pub(crate) fn check(version: Version) -> Vec<&'static str> {
    let fsck: Words = &["fsck"];
    let quick = version.since(2, 6, &["--connectivity-only", "--no-dangling"]);
    [fsck, quick, version.since(1, 8, PROGRESS)].concat()
}

/// Takes the addresses of submodules from the commit that is checked out.
pub(crate) fn sync_submodules(version: Version) -> Vec<&'static str> {
    let sync: Words = &["submodule", "sync"];
    [sync, version.since(1, 8, &["--recursive"])].concat()
}

/// Brings submodules to the commits that the tree names.
pub(crate) fn update_submodules(version: Version) -> Vec<&'static str> {
    let update: Words = &["submodule", "update", "--init", "--recursive", "--force"];
    [update, version.since(2, 11, PROGRESS)].concat()
}

/// Tells the addresses of submodules.
pub(crate) const SUBMODULE_URLS: [&str; 4] =
    ["config", "-z", "--get-regexp", r"^submodule\..*\.url$"];

/// Reads the answer to [`SUBMODULE_URLS`]; addresses that would be taken for options are left out.
pub(crate) fn parse_submodule_urls(printed: &str) -> Vec<String> {
    let entries = printed.split('\0');
    let urls = entries.filter_map(|entry| Some(entry.split_once('\n')?.1));
    urls.filter(|url| !url.starts_with('-'))
        .map(str::to_owned)
        .collect()
}

/// How much of the history of a commit is fetched.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum History {
    /// As much as the tree has: a tree that is made has all.
    AsBefore,
    /// The commit alone.
    Latest,
    /// All, also in a tree that has the latest commit alone, and by a git that does not know
    /// `--unshallow`.
    Whole,
}

impl History {
    const fn words(self) -> Words {
        match self {
            Self::AsBefore => &[],
            Self::Latest => &["--depth", "1"],
            Self::Whole => &["--depth", "2147483647"],
        }
    }
}

/// Whether tags are fetched with a commit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Tags {
    /// All of them.
    All,
    /// None.
    None,
}

impl Tags {
    const fn words(self) -> Words {
        match self {
            Self::All => &["-t"],
            Self::None => &["--no-tags"],
        }
    }
}

/// What is checked out beside the files.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum CheckOut<'a> {
    /// No branch.
    Detached,
    /// A branch of this name, which is made or moved.
    Branch(&'a str),
}

/// Which files that are not tracked are removed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Untracked {
    /// All of them.
    All,
    /// Those that are not ignored.
    NotIgnored,
}

impl Untracked {
    const fn words(self) -> Words {
        match self {
            Self::All => &["-f", "-f", "-d", "-x"],
            Self::NotIgnored => &["-f", "-f", "-d"],
        }
    }
}

/// Words of a command.
type Words = &'static [&'static str];

const PROGRESS: Words = &["--progress"];

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: fn() -> Version = || Version::read("git version 2.40.1");
    const OLD: fn() -> Version = || Version::read("git version 1.6.0");

    fn check_words(words: &[&str], line: &str) {
        assert_eq!(words.join(" "), line);
    }

    const PLAIN: CloneOptions<'_> = CloneOptions {
        history: History::AsBefore,
        reference: None,
        origin: None,
        filters: &[],
    };

    #[test]
    fn a_clone_borrows_names_its_remote_and_filters() {
        let filters = ["tree:0".to_owned()];
        let options = CloneOptions {
            reference: Some("/ref"),
            origin: Some("up"),
            filters: &filters,
            ..PLAIN
        };
        assert_eq!(
            clone(NEW(), "u", &options).join(" "),
            "clone --no-checkout --progress --reference-if-able /ref --origin up --filter=tree:0 -- u ."
        );
        assert!(clone(OLD(), "u", &options).contains(&"--reference".to_owned()));
    }

    #[test]
    fn an_old_git_is_not_given_options_that_it_does_not_know() {
        let line = "clone --no-checkout --progress --depth 1 -- u .";
        let latest = CloneOptions {
            history: History::Latest,
            ..PLAIN
        };
        assert_eq!(clone(NEW(), "u", &latest).join(" "), line);
        let line = "clone --no-checkout -- u .";
        assert_eq!(clone(OLD(), "u", &PLAIN).join(" "), line);
        check_words(&check(OLD()), "fsck");
        check_words(&sync_submodules(OLD()), "submodule sync");
    }

    #[test]
    fn a_fetch_names_what_it_gets_last() {
        let line = "fetch -f --no-recurse-submodules --progress -t --depth 2147483647 -- u refs/x";
        check_words(
            &fetch(NEW(), "u", "refs/x", History::Whole, Tags::All),
            line,
        );
        let line = "fetch -f --no-recurse-submodules --no-tags -- u refs/x";
        check_words(
            &fetch(OLD(), "u", "refs/x", History::AsBefore, Tags::None),
            line,
        );
    }

    #[test]
    fn files_are_checked_out_with_a_branch_or_without() {
        let line = "checkout -f --progress -B b 1234 --";
        check_words(&check_out(NEW(), CheckOut::Branch("b"), "1234"), line);
        let line = "checkout -f --detach 1234 --";
        check_words(&check_out(OLD(), CheckOut::Detached, "1234"), line);
    }

    #[test]
    fn a_clean_keeps_what_it_must() {
        check_words(&clean(Untracked::All, "m"), "clean -f -f -d -x -e m");
        check_words(&clean(Untracked::NotIgnored, "m"), "clean -f -f -d -e m");
        let words = clean_submodules(Untracked::NotIgnored);
        assert_eq!(words[3], "git clean -f -f -d");
    }

    #[test]
    fn addresses_of_submodules_are_read() {
        let printed = "submodule.a.url\n../a\0submodule.b.url\n-x\0";
        assert_eq!(parse_submodule_urls(printed), ["../a"]);
    }
}
