//! What people have said of a problem, as it stands at a time (PRB-16, PRB-20 to PRB-22).
//!
//! Nothing runs out by itself: whoever asks says when, and what is over by then does not count. A
//! problem that changes keeps what was said of it.

use std::collections::BTreeMap;

use super::judging::{Problem, Suspect};
use crate::model::{Remark, RemarkKind, Timestamp};

/// What holds of a problem at a time, by what people have said.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Hands {
    /// Who sees to it, in the order of the names, each with the end of the claim (PRB-20).
    pub claims: BTreeMap<String, Held>,
    /// Who hears nothing of it, by their own wish (PRB-22).
    pub mutes: BTreeMap<String, Held>,
    /// Whether nobody hears of it, and by whose wish.
    pub mute_of_all: Option<Held>,
    /// It need not be mended: by whom, and why (PRB-16).
    pub dismissal: Option<Held>,
    /// Who is guilty because somebody has said so; the text of the name.
    pub guilty: BTreeMap<String, Held>,
    /// Who is not guilty because somebody has said so.
    pub cleared: BTreeMap<String, Held>,
    /// Who has said that it is not theirs (PRB-21).
    pub freed: BTreeMap<String, Held>,
    /// The ticket that follows it elsewhere: its text is the address.
    pub ticket: Option<Held>,
    /// The names by which changes know those who are freed.
    freed_also: Vec<String>,
}

/// Something that holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Held {
    /// Who has said it.
    pub by: String,
    /// Since when.
    pub since: Timestamp,
    /// When it is over; absent: with the problem.
    pub until: Option<Timestamp>,
    /// Why.
    pub text: String,
}

impl Hands {
    /// What holds at `now`, by the remarks about a problem, which are in their order.
    #[must_use]
    pub fn at(now: Timestamp, remarks: &[Remark]) -> Self {
        let mut hands = Self::default();
        for remark in remarks {
            hands.hear(remark);
        }
        let holds = |held: &Held| held.until.is_none_or(|until| now < until);
        for people in [&mut hands.claims, &mut hands.mutes] {
            people.retain(|_, held| holds(held));
        }
        hands.mute_of_all = hands.mute_of_all.filter(holds);
        hands
    }

    fn hear(&mut self, remark: &Remark) {
        let held = Held {
            by: remark.by.clone(),
            since: remark.at,
            until: remark.until,
            text: remark.text.clone(),
        };
        let person = || remark.person.clone();
        match remark.kind {
            RemarkKind::Claim => drop(self.claims.insert(person(), held)),
            RemarkKind::Release => drop(self.claims.remove(&remark.person)),
            RemarkKind::Mute => drop(self.mutes.insert(person(), held)),
            RemarkKind::Unmute => drop(self.mutes.remove(&remark.person)),
            RemarkKind::MuteAll => self.mute_of_all = Some(held),
            RemarkKind::UnmuteAll => self.mute_of_all = None,
            RemarkKind::Dismiss => self.dismissal = Some(held),
            RemarkKind::Reopen => self.dismissal = None,
            RemarkKind::Guilty => {
                self.cleared.remove(&remark.person);
                self.freed.remove(&remark.person);
                self.freed_also.retain(|who| !remark.also.contains(who));
                self.guilty.insert(person(), held);
            }
            RemarkKind::NotGuilty => {
                self.guilty.remove(&remark.person);
                self.cleared.insert(person(), held);
            }
            RemarkKind::NotMine => {
                self.freed_also.extend(remark.also.iter().cloned());
                self.freed.insert(person(), held);
            }
            RemarkKind::Note => {}
            RemarkKind::Ticket => {
                self.ticket = Some(held).filter(|held| !held.text.is_empty());
            }
        }
    }

    /// Whether this person hears nothing of the problem.
    #[must_use]
    pub fn is_muted_for(&self, person: &str) -> bool {
        self.mute_of_all.is_some() || self.mutes.contains_key(person)
    }

    /// Whether the person, or the author of changes, is suspected no more.
    #[must_use]
    pub fn is_freed(&self, who: &str) -> bool {
        self.freed.contains_key(who) || self.freed_also.iter().any(|also| also == who)
    }

    /// The changes of the problem that are suspected still.
    pub fn suspects<'a>(&'a self, problem: &'a Problem) -> impl Iterator<Item = &'a Suspect> {
        let all = problem.suspects.iter();
        all.filter(|suspect| !self.is_freed(&suspect.who))
    }

    /// The one person who can have caused the problem, as [`Problem::sole_suspect`] says it of all
    /// suspects (PRB-08, PRB-21).
    #[must_use]
    pub fn sole_suspect<'a>(&'a self, problem: &'a Problem) -> Option<&'a str> {
        let mut all = self.suspects(problem).map(|suspect| suspect.who.as_str());
        let first = all.next()?;
        let is_sole = problem.found.doubt.is_none() && all.all(|other| other == first);
        is_sole.then_some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ChangeNumber, ProblemNumber};
    use crate::verdict::{Found, ProblemState};

    fn remark(at: i64, kind: RemarkKind, person: &str) -> Remark {
        Remark {
            problem: ProblemNumber(1),
            kind,
            person: person.to_owned(),
            also: Vec::new(),
            until: None,
            text: String::new(),
            by: "ann".to_owned(),
            at: Timestamp(at),
        }
    }

    fn until(at: i64, remark: Remark) -> Remark {
        let until = Some(Timestamp(at));
        Remark { until, ..remark }
    }

    fn names(held: &BTreeMap<String, Held>) -> Vec<&str> {
        held.keys().map(String::as_str).collect()
    }

    #[test]
    fn prb_20_a_claim_holds_until_its_end_or_until_it_is_released() {
        let remarks = [
            until(10, remark(1, RemarkKind::Claim, "ann")),
            until(20, remark(2, RemarkKind::Claim, "bob")),
        ];
        for (now, claimants) in [(3, vec!["ann", "bob"]), (10, vec!["bob"]), (20, vec![])] {
            let hands = Hands::at(Timestamp(now), &remarks);
            assert_eq!(names(&hands.claims), claimants, "{now}");
        }
        let renewed = until(30, remark(9, RemarkKind::Claim, "ann"));
        let remarks = [remarks.to_vec(), vec![renewed]].concat();
        let hands = Hands::at(Timestamp(10), &remarks);
        assert_eq!(hands.claims["ann"].until, Some(Timestamp(30)));
        let released = remark(11, RemarkKind::Release, "ann");
        let hands = Hands::at(Timestamp(12), &[remarks, vec![released]].concat());
        assert_eq!(names(&hands.claims), ["bob"]);
    }

    #[test]
    fn prb_22_a_mute_is_of_one_or_of_all() {
        let mute = until(10, remark(1, RemarkKind::Mute, "ann"));
        let hands = Hands::at(Timestamp(5), std::slice::from_ref(&mute));
        assert!(hands.is_muted_for("ann") && !hands.is_muted_for("bob"));
        assert!(!Hands::at(Timestamp(10), &[mute]).is_muted_for("ann"));
        let all = remark(1, RemarkKind::MuteAll, "");
        let back = remark(2, RemarkKind::UnmuteAll, "");
        let hands = Hands::at(Timestamp(i64::MAX), std::slice::from_ref(&all));
        assert!(hands.is_muted_for("bob"));
        assert!(!Hands::at(Timestamp(3), &[all, back]).is_muted_for("bob"));
    }

    #[test]
    fn prb_21_who_says_that_it_is_not_theirs_is_suspected_no_more() {
        let suspect = |change, who: &str| Suspect {
            change: ChangeNumber(change),
            who: who.to_owned(),
        };
        let problem = Problem {
            number: ProblemNumber(1),
            found: Found {
                first: ChangeNumber(3),
                last: ChangeNumber(3),
                after: Some(ChangeNumber(1)),
                symptoms: Default::default(),
                end: None,
                doubt: None,
                unseen_since: None,
                slave: None,
            },
            suspects: vec![suspect(2, "Ann <a@x>"), suspect(3, "bob")],
            fixed_in: Vec::new(),
            state: ProblemState::Open,
        };
        let none = Hands::default();
        assert_eq!(none.sole_suspect(&problem), None);
        let also = vec!["Ann <a@x>".to_owned()];
        let not_mine = Remark {
            also: also.clone(),
            ..remark(1, RemarkKind::NotMine, "ann")
        };
        let hands = Hands::at(Timestamp(2), std::slice::from_ref(&not_mine));
        assert!(hands.is_freed("ann") && hands.is_freed("Ann <a@x>"));
        assert_eq!(hands.sole_suspect(&problem), Some("bob"));
        let guilty = Remark {
            also,
            ..remark(2, RemarkKind::Guilty, "ann")
        };
        let hands = Hands::at(Timestamp(3), &[not_mine, guilty]);
        assert!(!hands.is_freed("ann") && !hands.is_freed("Ann <a@x>"));
        assert_eq!(names(&hands.guilty), ["ann"]);
    }

    #[test]
    fn prb_16_what_was_said_last_counts() {
        let remarks = [
            remark(1, RemarkKind::Guilty, "bob"),
            remark(2, RemarkKind::Dismiss, ""),
            Remark {
                text: "https://t.example/7".to_owned(),
                ..remark(3, RemarkKind::Ticket, "")
            },
        ];
        let hands = Hands::at(Timestamp(9), &remarks);
        assert!(hands.dismissal.is_some() && hands.ticket.is_some());
        assert_eq!(names(&hands.guilty), ["bob"]);
        let back = [
            remark(4, RemarkKind::NotGuilty, "bob"),
            remark(5, RemarkKind::Reopen, ""),
            remark(6, RemarkKind::Ticket, ""),
        ];
        let hands = Hands::at(Timestamp(9), &[remarks, back].concat());
        assert_eq!((hands.dismissal, hands.ticket), (None, None));
        assert_eq!(
            (names(&hands.guilty), names(&hands.cleared)),
            (vec![], vec!["bob"])
        );
    }
}
