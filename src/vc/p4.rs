//! Perforce.

pub(crate) mod log;

pub(crate) const LAST_CHANGE: [&str; 3] = ["changes", "-m1", "..."];

/// Parses the number from `Change 12 on …`.
pub(crate) fn parse_change(text: &str) -> Option<String> {
    let rest = text.strip_prefix("Change ")?;
    let number = rest.split_whitespace().next()?;
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| number.to_owned())
}

/// The path of a branch in the depot, with a trailing slash.
pub(crate) fn place(branch: &str) -> String {
    let branch = branch.trim_end_matches('/');
    if branch.starts_with("//") {
        format!("{branch}/")
    } else {
        format!("//depot/{branch}/")
    }
}

/// A line of the view of `client`.
pub(crate) fn view(depot: &str, depot_suffix: &str, client: &str, dir: &str) -> String {
    let quoted = |path: String| {
        if path.contains(' ') {
            format!("\"{path}\"")
        } else {
            path
        }
    };
    let depot = depot.trim_end_matches(|c| c == '/' && depot_suffix.starts_with('/'));
    let depot = quoted(format!("{depot}{depot_suffix}"));
    format!("{depot} {}", quoted(format!("//{client}{dir}")))
}

/// The form of a client.
#[derive(Debug)]
pub(crate) struct ClientSpec<'a> {
    pub(crate) client: &'a str,
    pub(crate) user: Option<&'a str>,
    pub(crate) root: &'a str,
    pub(crate) options: &'a str,
    pub(crate) line_end: &'a str,
    pub(crate) view: &'a [String],
}

impl std::fmt::Display for ClientSpec<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "Client: {}\n", self.client)?;
        if let Some(user) = self.user {
            writeln!(f, "Owner: {user}\n")?;
        }
        writeln!(f, "Description:\n\tCreated by Buildbot\n")?;
        writeln!(f, "Root:\t{}\n", self.root)?;
        writeln!(f, "Options:\t{}\n", self.options)?;
        writeln!(f, "LineEnd:\t{}\n", self.line_end)?;
        writeln!(f, "View:")?;
        self.view
            .iter()
            .try_for_each(|line| writeln!(f, "\t{line}"))
    }
}

#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Rewritten {
    pub(crate) patch: Vec<u8>,
    pub(crate) elsewhere: Vec<String>,
    pub(crate) binary: Vec<String>,
}

/// Adds the two header lines that `patch` needs to each file, and drops files outside `place`.
pub(crate) fn rewrite(difference: &[u8], place: &str) -> Rewritten {
    let mut rewritten = Rewritten::default();
    let mut current = None;
    for line in difference.split_inclusive(|byte| *byte == b'\n') {
        if let Some((file, revision)) = parse_header(line) {
            current = file.strip_prefix(place).map(plain_name);
            match &current {
                Some(name) => {
                    let lines = format!("--- {name}#{revision}\n+++ {name}\n");
                    rewritten.patch.extend_from_slice(lines.as_bytes());
                }
                None => rewritten.elsewhere.push(file),
            }
        } else if let Some(name) = &current {
            if line.trim_ascii() == b"(... files differ ...)" {
                rewritten.binary.push(name.clone());
            } else {
                rewritten.patch.extend_from_slice(line);
            }
        }
    }
    rewritten
}

/// Parses file and revision from `==== //depot/main/a.txt#3 - /home/me/a.txt ====`.
pub(crate) fn parse_header(line: &[u8]) -> Option<(String, u64)> {
    let line = line.strip_prefix(b"==== ")?;
    let line = String::from_utf8_lossy(line);
    let (file, rest) = line.split_once('#')?;
    let (revision, _local) = rest.split_once(" - ")?;
    Some((file.to_owned(), revision.parse().ok()?))
}

/// A name without Perforce's escapes.
pub(crate) fn plain_name(name: &str) -> String {
    name.replace("%40", "@")
        .replace("%23", "#")
        .replace("%2A", "*")
        .replace("%25", "%")
}

/// The files in lines such as `//depot/main/new.txt#1 - add default change (text)` that are not
/// opened for edit.
pub(crate) fn not_edited(opened: &str) -> Vec<String> {
    opened
        .lines()
        .filter_map(|line| {
            let (file, rest) = line.split_once('#')?;
            let (_revision, action) = rest.split_once(" - ")?;
            let action = action.split_whitespace().next()?;
            (!matches!(action, "edit" | "integrate")).then(|| file.to_owned())
        })
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    pub(crate) const DIFFERENCE: &str =
        "==== //depot/main/sub/a-b.txt#3 - /home/me/w/sub/a-b.txt ====
@@ -1,2 +1,2 @@
 a
-b
+B
==== //depot/other/x.txt#1 - /home/me/o/x.txt ====
@@ -1 +1 @@
-x
+X
==== //depot/main/we%40ird.txt#12 - /home/me/w/we@ird.txt ====
@@ -1 +1 @@
-w
+==== W
";

    pub(crate) const PATCH: &str = "--- sub/a-b.txt#3
+++ sub/a-b.txt
@@ -1,2 +1,2 @@
 a
-b
+B
--- we@ird.txt#12
+++ we@ird.txt
@@ -1 +1 @@
-w
+==== W
";

    #[test]
    fn depot_names_become_names_in_the_tree() {
        for branch in ["main", "main/", "//depot/main"] {
            let rewritten = rewrite(DIFFERENCE.as_bytes(), &place(branch));
            assert_eq!(String::from_utf8(rewritten.patch).unwrap(), PATCH);
            assert_eq!(rewritten.elsewhere, ["//depot/other/x.txt"]);
        }
    }

    #[test]
    fn binary_files_are_named() {
        let difference = b"==== //depot/main/b.bin#1 - /w/b.bin ====\n(... files differ ...)\n";
        let rewritten = rewrite(difference, "//depot/main/");
        assert_eq!(rewritten.binary, ["b.bin"]);
    }

    #[test]
    fn the_last_change_is_read() {
        let text = "Change 4711 on 2009/02/13 by me@client 'Fix it'";
        assert_eq!(parse_change(text).as_deref(), Some("4711"));
        assert_eq!(parse_change(""), None);
        assert_eq!(parse_change("Change of mind"), None);
    }
}
