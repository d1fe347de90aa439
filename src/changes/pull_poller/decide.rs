//! What a poll of pull requests has to do (POL-13). Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::config::PullPollerConfig;
use crate::model::held_pulls::waits;
use crate::protocol::pulls::PullRequest;

/// What is remembered of the pull requests of a repository.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Cursor {
    /// Address of the list of pull requests.
    pub(super) list: String,
    /// The settings that select pull requests, in a form to compare.
    pub(super) selection: String,
    /// The mark of the list that was last worked on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) etag: Option<String>,
    /// The open pull requests that were selected, by number.
    pub(super) pulls: BTreeMap<u64, Seen>,
}

/// What is remembered of a pull request.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Seen {
    /// Its newest commit that is a change, or that waits for an approval.
    pub(super) head: String,
    /// The author whose commit waits for an approval; absent: it does not wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) waits: Option<String>,
}

/// What the list tells.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Plan {
    /// The pull requests that are changes, the last changed at the end.
    pub(super) take: Vec<PullRequest>,
    /// The cursor without those.
    pub(super) cursor: Cursor,
    /// The pull requests whose approval counts.
    pub(super) approved: BTreeSet<u64>,
}

/// An approval of a pull request at a commit, whose id may be abbreviated.
pub(super) type Approved = (u64, String);

/// The settings that decide which pull requests are looked at.
pub(super) fn selection(config: &PullPollerConfig) -> String {
    let rules = (&config.branches, &config.authors, &config.labels);
    let approval = (config.approval.approval, &config.approval.trusted);
    serde_json::to_string(&(rules, approval)).unwrap_or_default()
}

/// Compares the open pull requests with those of the last poll.
pub(super) fn plan(
    cursor: Option<&Cursor>,
    pulls: &[PullRequest],
    approvals: &[Approved],
    config: &PullPollerConfig,
) -> Plan {
    let mut plan = Plan::default();
    let is_first = cursor.is_none();
    let before = cursor.map(|cursor| &cursor.pulls);
    for pull in pulls.iter().filter(|pull| selects(config, pull)).rev() {
        let seen = before.and_then(|before| before.get(&pull.number));
        let is_approved = approvals
            .iter()
            .any(|(number, head)| *number == pull.number && pull.head.starts_with(head.as_str()));
        let has_waited = seen.is_some_and(|seen| seen.waits.is_some());
        let is_known = seen.is_some_and(|seen| seen.head == pull.head);
        if is_known && !has_waited {
            keep(&mut plan, pull, None);
            continue;
        }
        if is_first && !config.start_with_open {
            keep(&mut plan, pull, None);
            continue;
        }
        let has_to_wait = !pull.is_own && config.approval.ask_for(&pull.author, pull.is_public);
        match has_to_wait && !is_approved {
            true => keep(&mut plan, pull, Some(pull.author.clone())),
            false => {
                if is_approved {
                    plan.approved.insert(pull.number);
                }
                plan.take.push(pull.clone());
                // Until it is stored, it is where it was.
                if let Some(seen) = seen {
                    plan.cursor.pulls.insert(pull.number, seen.clone());
                }
            }
        }
    }
    plan
}

fn keep(plan: &mut Plan, pull: &PullRequest, waits: Option<String>) {
    let head = pull.head.clone();
    plan.cursor.pulls.insert(pull.number, Seen { head, waits });
}

/// The pull requests that wait for an approval, in words.
pub(super) fn waiting(cursor: &Cursor) -> Vec<String> {
    let waiting = cursor.pulls.iter().filter_map(|(number, seen)| {
        let author = seen.waits.as_ref()?;
        Some(waits(*number, author, &seen.head))
    });
    waiting.collect()
}

fn selects(config: &PullPollerConfig, pull: &PullRequest) -> bool {
    config.branches.selects(&pull.target)
        && config.authors.selects(&pull.author)
        && config.labels.selects_one_of(&pull.labels)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::config::{Approval, ApprovalRules, BranchRules};

    fn pull(number: u64, head: &str) -> PullRequest {
        PullRequest {
            number,
            head: head.repeat(40),
            author: "eve".to_owned(),
            target: "main".to_owned(),
            ..PullRequest::default()
        }
    }

    fn own(number: u64, head: &str) -> PullRequest {
        PullRequest {
            is_own: true,
            author: "ann".to_owned(),
            ..pull(number, head)
        }
    }

    fn rules(names: &[&str]) -> BranchRules {
        BranchRules::from_globs(names).unwrap()
    }

    /// The numbers that are changes, and those that wait.
    fn numbers(plan: &Plan) -> (Vec<u64>, Vec<u64>) {
        let waits = plan.cursor.pulls.iter();
        let waits = waits.filter(|(_, seen)| seen.waits.is_some());
        (
            plan.take.iter().map(|pull| pull.number).collect(),
            waits.map(|(number, _)| *number).collect(),
        )
    }

    #[test]
    fn pol_13_a_pull_request_is_a_change_when_it_appears_and_when_its_head_moves() {
        let config = PullPollerConfig::default();
        let first = plan(None, &[own(1, "a"), own(2, "a")], &[], &config);
        assert_eq!(numbers(&first), (vec![], vec![]));
        let before = first.cursor;
        assert_eq!(before.pulls.len(), 2);
        let pulls = [own(3, "a"), own(2, "b"), own(1, "a")];
        let next = plan(Some(&before), &pulls, &[], &config);
        // The last changed comes first in the list, and last here.
        assert_eq!(numbers(&next), (vec![2, 3], vec![]));
        assert_eq!(next.cursor.pulls[&2].head, "a".repeat(40));
        assert!(!next.cursor.pulls.contains_key(&3));
        let closed = plan(Some(&before), &[own(1, "a")], &[], &config);
        assert_eq!(closed.cursor.pulls.len(), 1);
        let open = PullPollerConfig {
            start_with_open: true,
            ..config
        };
        assert_eq!(numbers(&plan(None, &pulls, &[], &open)).0, [1, 2, 3]);
    }

    #[test]
    fn pol_13_pull_requests_are_selected_by_target_author_and_label() {
        let config = PullPollerConfig {
            start_with_open: true,
            branches: rules(&["main", "rel-*"]),
            authors: rules(&["ann"]),
            labels: rules(&["ready"]),
            ..PullPollerConfig::default()
        };
        let labelled = |mut pull: PullRequest| {
            pull.labels = vec!["fast".to_owned(), "ready".to_owned()];
            pull
        };
        let mut elsewhere = labelled(own(3, "a"));
        elsewhere.target = "wip".to_owned();
        let pulls = [
            own(1, "a"),
            labelled(own(2, "a")),
            elsewhere,
            labelled(pull(4, "a")),
        ];
        let plan = plan(None, &pulls, &[], &config);
        assert_eq!(numbers(&plan), (vec![2], vec![]));
    }

    #[test]
    fn pol_13_untrusted_ones_wait_until_their_head_is_approved() {
        let config = PullPollerConfig {
            start_with_open: true,
            approval: ApprovalRules {
                trusted: vec!["bob".to_owned()],
                ..ApprovalRules::default()
            },
            ..PullPollerConfig::default()
        };
        let mut bob = pull(2, "a");
        bob.author = "bob".to_owned();
        let mut hidden = pull(3, "a");
        hidden.is_public = Some(false);
        let pulls = [pull(1, "a"), bob, hidden, own(4, "a")];
        let first = plan(None, &pulls, &[], &config);
        assert_eq!(numbers(&first), (vec![4, 3, 2], vec![1]));
        assert_eq!(
            waiting(&first.cursor),
            ["pull request 1 of eve waits for an approval of aaaaaaaaaaaa"]
        );
        // What was approved is one commit, and it was pushed to meanwhile.
        let approval = |head: &str| vec![(1, head.to_owned())];
        let moved = plan(
            Some(&first.cursor),
            &[pull(1, "b")],
            &approval("aaaaaaa"),
            &config,
        );
        assert_eq!(numbers(&moved), (vec![], vec![1]));
        assert!(moved.approved.is_empty());
        let approved = plan(
            Some(&moved.cursor),
            &[pull(1, "b")],
            &approval("bbbbbbb"),
            &config,
        );
        assert_eq!(numbers(&approved).0, [1]);
        assert!(approved.approved.contains(&1));
        // The next push needs another approval.
        let seen = Seen {
            head: "b".repeat(40),
            waits: None,
        };
        let after = Cursor {
            pulls: [(1, seen)].into(),
            ..Cursor::default()
        };
        assert_eq!(
            numbers(&plan(Some(&after), &[pull(1, "c")], &[], &config)).1,
            [1]
        );
        let never = PullPollerConfig {
            approval: ApprovalRules {
                approval: Approval::Never,
                ..config.approval
            },
            ..config
        };
        assert_eq!(numbers(&plan(None, &[pull(1, "a")], &[], &never)).0, [1]);
    }

    #[test]
    fn pol_13_an_author_who_becomes_trusted_waits_no_longer() {
        let mut config = PullPollerConfig {
            start_with_open: true,
            ..PullPollerConfig::default()
        };
        let first = plan(None, &[pull(1, "a")], &[], &config);
        assert_eq!(numbers(&first).1, [1]);
        config.approval.trusted.push("eve".to_owned());
        let then = plan(Some(&first.cursor), &[pull(1, "a")], &[], &config);
        assert_eq!(numbers(&then), (vec![1], vec![1]));
    }
}
