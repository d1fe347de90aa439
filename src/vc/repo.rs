//! Repo, the tool for many git repositories.

/// The changes of Gerrit in a text, each as project and `CHANGE/PATCHSET`. The text has any number
/// of `repo download PROJECT CHANGE/PATCHSET` or `PROJECT CHANGE/PATCHSET`.
pub(crate) fn parse_downloads(text: &str) -> Vec<(String, String)> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let is_change = |word: &str| {
        let parts = word.split_once('/');
        parts.is_some_and(|(change, set)| is_number(change) && is_number(set))
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    let pairs = words.windows(2).filter_map(|pair| match pair {
        [project, change] if is_change(change) && !is_change(project) => {
            let is_safe = !project.starts_with('-');
            is_safe.then(|| ((*project).to_owned(), (*change).to_owned()))
        }
        _ => None,
    });
    pairs.collect()
}

/// The option of `tar` for the compression of an archive.
pub(crate) fn compression(tarball: &str) -> Option<&'static str> {
    let known = [
        ("gz", "-z"),
        ("bz2", "-j"),
        ("bz", "-j"),
        ("lzma", "--lzma"),
        ("lzop", "--lzop"),
    ];
    let found = known.into_iter().find(|(end, _)| tarball.ends_with(end));
    found.map(|(_, option)| option)
}

/// A script that brings all repositories of a tree into a known state, for `sh -c`, with the branch
/// of the manifests as `$1`.
pub(crate) const CLEANUP: &str = "\
    if [ -d .repo/manifests ]; then cd .repo/manifests; rm -f .git/index.lock; \
    git fetch origin; git reset --hard \"remotes/origin/$1\"; \
    git config branch.default.merge \"$1\"; cd ../..; fi; \
    repo forall -c rm -f .git/index.lock; \
    repo forall -c git clean -f -d -x 2>/dev/null; \
    repo forall -c git reset --hard HEAD 2>/dev/null; \
    rm -f .repo/project.list";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn downloads_are_read_from_any_text() {
        let pair = |project: &str, change: &str| (project.to_owned(), change.to_owned());
        let text = "repo download a/b 12/3 && repo download c 4/5";
        assert_eq!(
            parse_downloads(text),
            [pair("a/b", "12/3"), pair("c", "4/5")]
        );
        assert_eq!(
            parse_downloads("a 1/2 b 3/4"),
            [pair("a", "1/2"), pair("b", "3/4")]
        );
        assert!(parse_downloads("1/2").is_empty() && parse_downloads("-x 1/2").is_empty());
        assert!(parse_downloads("").is_empty());
    }

    #[test]
    fn archives_are_compressed_as_their_names_say() {
        assert_eq!(compression("/t.tar.gz"), Some("-z"));
        assert_eq!(compression("/t.tgz"), Some("-z"));
        assert_eq!(compression("/t.tar"), None);
    }
}
