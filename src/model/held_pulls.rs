//! Pull requests that a hook has brought and that are not built before somebody approves them
//! (POL-13).
//!
//! They are the cursor of the hook, so they survive restarts. Approved ones stay listed without
//! their change, so that a hook that is sent again does not ask for the approval again.

use serde::{Deserialize, Serialize};

use super::NewChange;

/// The pull requests that a hook has brought, the oldest first; at most [`HeldPulls::MOST`].
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct HeldPulls {
    pulls: Vec<HeldPull>,
}

/// A pull request at its newest commit.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct HeldPull {
    /// Address of the repository, as its hook gives it.
    pub repository: String,
    /// Number of the pull request.
    pub number: u64,
    /// The newest commit.
    pub head: String,
    /// The author of the pull request.
    pub author: String,
    /// The change that is built after an approval; absent: it was approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Box<NewChange>>,
}

/// What became of a pull request that is to be held.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Holding {
    /// It waits for an approval from now on.
    Waits,
    /// It waited at this commit before.
    Waited,
    /// It was approved at this commit before.
    Approved,
}

impl HeldPulls {
    /// Maximum number of pull requests of a hook; the oldest gives way.
    pub const MOST: usize = 50;

    /// Reads the cursor of a hook; nothing if it is not one.
    #[must_use]
    pub fn parse(cursor: Option<&str>) -> Self {
        let held = cursor.and_then(|text| serde_json::from_str(text).ok());
        held.unwrap_or_default()
    }

    /// The cursor of the hook.
    #[must_use]
    pub fn cursor(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Keeps a pull request until somebody approves it. A newer commit needs an approval of its
    /// own.
    pub fn hold(&mut self, pull: HeldPull) -> Holding {
        let is_same =
            |old: &HeldPull| old.repository == pull.repository && old.number == pull.number;
        if let Some(old) = self
            .pulls
            .iter()
            .find(|old| is_same(old) && old.head == pull.head)
        {
            return match old.change {
                Some(_) => Holding::Waited,
                None => Holding::Approved,
            };
        }
        self.pulls.retain(|old| !is_same(old));
        self.pulls.push(pull);
        while self.pulls.len() > Self::MOST || self.cursor().len() > LARGEST {
            self.pulls.remove(0);
        }
        Holding::Waits
    }

    /// Approves a pull request at a commit, whose id may be abbreviated. Gives its change.
    ///
    /// # Errors
    /// It does not wait at this commit, or several do.
    pub fn approve(&mut self, number: u64, head: &str) -> Result<NewChange, String> {
        let is_meant = |pull: &HeldPull| {
            pull.number == number && pull.head.starts_with(head) && pull.change.is_some()
        };
        let mut meant = self.pulls.iter_mut().filter(|pull| is_meant(pull));
        let first = meant.next();
        if meant.next().is_some() {
            return Err(format!(
                "pull requests {number} of several repositories wait at {head}; write the whole id \
                 of the commit"
            ));
        }
        let change = first.and_then(|pull| pull.change.take());
        change
            .map(|change| *change)
            .ok_or_else(|| not_waiting(number, head))
    }

    /// Forgets a pull request that was closed. Says whether it was there.
    pub fn forget(&mut self, repository: &str, number: u64) -> bool {
        let before = self.pulls.len();
        let is_meant = |pull: &HeldPull| pull.repository == repository && pull.number == number;
        self.pulls.retain(|pull| !is_meant(pull));
        self.pulls.len() < before
    }

    /// The pull requests that wait for an approval, in words.
    #[must_use]
    pub fn waiting(&self) -> Vec<String> {
        let waiting = self.pulls.iter().filter(|pull| pull.change.is_some());
        waiting
            .map(|pull| waits(pull.number, &pull.author, &pull.head))
            .collect()
    }
}

/// Largest cursor in bytes.
const LARGEST: usize = 1024 * 1024;

/// A pull request that waits for an approval, in words.
#[must_use]
pub fn waits(number: u64, author: &str, head: &str) -> String {
    let head = head.get(..12).unwrap_or(head);
    match author.is_empty() {
        true => format!("pull request {number} waits for an approval of {head}"),
        false => format!("pull request {number} of {author} waits for an approval of {head}"),
    }
}

/// What whoever approves hears if the pull request does not wait.
#[must_use]
pub fn not_waiting(number: u64, head: &str) -> String {
    format!(
        "pull request {number} does not wait for an approval of {head}; `show sources` tells which \
         ones wait"
    )
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn pull(number: u64, digit: &str) -> HeldPull {
        HeldPull {
            repository: "widget".to_owned(),
            number,
            head: digit.repeat(40),
            author: "eve".to_owned(),
            change: Some(Box::new(NewChange {
                comments: format!("{number} {digit}"),
                ..NewChange::default()
            })),
        }
    }

    #[test]
    fn pol_13_a_pull_request_of_a_hook_waits_until_its_head_is_approved() {
        let mut held = HeldPulls::default();
        assert_eq!(held.hold(pull(7, "a")), Holding::Waits);
        assert_eq!(held.hold(pull(7, "a")), Holding::Waited);
        let words = "pull request 7 of eve waits for an approval of aaaaaaaaaaaa";
        assert_eq!(held.waiting(), [words]);
        // A newer commit takes the place of the reviewed one.
        assert_eq!(held.hold(pull(7, "b")), Holding::Waits);
        let mut held = HeldPulls::parse(Some(&held.cursor()));
        assert!(held.approve(7, "aaaaaaa").is_err());
        assert!(held.approve(8, "bbbbbbb").is_err());
        assert_eq!(held.approve(7, "bbbbbbb").unwrap().comments, "7 b");
        assert!(held.approve(7, "bbbbbbb").is_err());
        assert!(held.waiting().is_empty());
        assert_eq!(held.hold(pull(7, "b")), Holding::Approved);
        assert_eq!(held.hold(pull(7, "c")), Holding::Waits);
        assert!(held.forget("widget", 7) && !held.forget("widget", 7));
        assert_eq!(held, HeldPulls::default());
    }

    #[test]
    fn pol_13_one_number_in_two_repositories_needs_the_whole_commit() {
        let mut held = HeldPulls::default();
        held.hold(pull(7, "a"));
        let other = HeldPull {
            repository: "other".to_owned(),
            head: format!("{}b", "a".repeat(39)),
            ..pull(7, "b")
        };
        held.hold(other);
        assert!(held.approve(7, "aaaaaaa").unwrap_err().contains("several"));
        assert_eq!(held.approve(7, &"a".repeat(40)).unwrap().comments, "7 a");
    }

    #[test]
    fn pol_13_held_pull_requests_are_bounded() {
        let mut held = HeldPulls::default();
        for number in 0..60 {
            held.hold(pull(number, "a"));
        }
        assert_eq!(held.waiting().len(), HeldPulls::MOST);
        assert!(held.approve(9, "aaaaaaa").is_err() && held.approve(10, "aaaaaaa").is_ok());
        let mut large = pull(100, "a");
        large.change.as_mut().unwrap().comments = "x".repeat(LARGEST - 1_000);
        held.hold(large);
        assert!(held.cursor().len() <= LARGEST);
        assert!(held.approve(100, "aaaaaaa").is_ok());
    }
}
