//! What people say of problems, and do about them by hand (PRB-16, PRB-20 to PRB-22).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Caller, Control};
use crate::model::{AttributeKind, AuditRecord, Op, ProblemNumber, Remark, RemarkKind, Timestamp};
use crate::people::Register;
use crate::store::State;
use crate::store::read::ProblemRow;
use crate::verdict::{Hands, ProblemState};

/// How long a claim holds if it does not say (PRB-20).
const CLAIM: Duration = Duration::from_secs(24 * 3600);

/// How long a claim or a mute can hold if it does not hold until the problem ends.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// Longest text, in characters.
const LONGEST_TEXT: usize = 2000;

/// Most remarks about a problem.
const MOST: usize = 1000;

/// What somebody says of a problem.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RemarkAct {
    /// The problem.
    pub problem: ProblemNumber,
    /// What is said.
    pub kind: RemarkKind,
    /// Whom it is about: a user, or the author of a suspected change; absent: the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// When a claim or a mute is over; absent: a claim in a day, a mute with the problem.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The reason, the note, or the address of the ticket.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

impl RemarkAct {
    /// What is asked for, in words for the log.
    pub(super) fn act(&self) -> String {
        let problem = self.problem;
        let person = self.person.as_deref().map(str::escape_debug);
        let of = person.map_or_else(String::new, |person| format!(" for {person}"));
        match self.kind {
            RemarkKind::Claim => format!("claimed problem {problem}{of}"),
            RemarkKind::Release => format!("released problem {problem}{of}"),
            RemarkKind::Mute => format!("muted problem {problem}{of}"),
            RemarkKind::Unmute => format!("unmuted problem {problem}{of}"),
            RemarkKind::MuteAll => format!("muted problem {problem} for all"),
            RemarkKind::UnmuteAll => format!("unmuted problem {problem} for all"),
            RemarkKind::Dismiss => format!("dismissed problem {problem}"),
            RemarkKind::Reopen => format!("took problem {problem} up again"),
            RemarkKind::Guilty => format!("said who is guilty of problem {problem}{of}"),
            RemarkKind::NotGuilty => format!("said who is not guilty of problem {problem}{of}"),
            RemarkKind::NotMine => format!("said that problem {problem} is not theirs{of}"),
            RemarkKind::Note => format!("wrote a note on problem {problem}"),
            RemarkKind::Ticket => format!("linked problem {problem} to a ticket"),
        }
    }

    /// Whether the caller may say it of themselves without the permission `problem`.
    pub(super) const fn is_own(&self) -> bool {
        self.kind.is_own() && self.person.is_none()
    }

    /// The remark of `by` that this makes at `at`, if the problem is as `row` says.
    ///
    /// # Errors
    /// Why nobody can say it.
    fn remark(
        self,
        row: &ProblemRow,
        register: &Register,
        by: String,
        at: Timestamp,
    ) -> Result<Remark, String> {
        self.check(row, at)?;
        let person = match self.kind.is_of_person() {
            true => self.whom(row, register, &by)?,
            false => String::new(),
        };
        let also = match person.is_empty() {
            true => Vec::new(),
            false => names_of(&person, row, register),
        };
        self.check_person(row, &person, &also, at)?;
        let usual = (self.kind == RemarkKind::Claim).then_some(at + CLAIM);
        let until = self.until.or(usual);
        Ok(Remark {
            problem: self.problem,
            kind: self.kind,
            person,
            also,
            until,
            text: self.text.trim().to_owned(),
            by,
            at,
        })
    }

    /// Checks what does not depend on a person.
    fn check(&self, row: &ProblemRow, at: Timestamp) -> Result<(), String> {
        use RemarkKind as Kind;
        let problem = self.problem;
        let is_over = row.problem.state != ProblemState::Open;
        let needs_open = matches!(
            self.kind,
            Kind::Claim | Kind::Mute | Kind::MuteAll | Kind::Dismiss | Kind::Reopen | Kind::NotMine
        );
        if is_over && needs_open {
            let state = row.problem.state.as_str();
            return Err(format!("problem {problem} is over: it is {state}"));
        }
        if row.remarks.len() >= MOST {
            return Err(format!(
                "problem {problem} has {MOST} remarks, and can have no more"
            ));
        }
        let text = self.text.trim();
        if text.chars().count() > LONGEST_TEXT {
            return Err(format!("a text can have {LONGEST_TEXT} characters"));
        }
        if self.kind == Kind::Dismiss && text.is_empty() {
            return Err("whoever dismisses a problem says why".to_owned());
        }
        if self.kind == Kind::Note && text.is_empty() {
            return Err("the note is empty".to_owned());
        }
        if self.kind == Kind::Ticket && !(text.is_empty() || is_address(text)) {
            let why = "a ticket is an address that begins with https:// or http://";
            return Err(why.to_owned());
        }
        let Some(until) = self.until else {
            return Ok(());
        };
        if !matches!(self.kind, Kind::Claim | Kind::Mute | Kind::MuteAll) {
            return Err("only a claim and a mute have an end".to_owned());
        }
        match until <= at || until > at + LONGEST {
            true => Err("the end must be in the next 366 days".to_owned()),
            false => Ok(()),
        }
    }

    /// The name of the person whom it is about.
    fn whom(&self, row: &ProblemRow, register: &Register, by: &str) -> Result<String, String> {
        let Some(name) = &self.person else {
            return Ok(by.to_owned());
        };
        if let Some(person) = person_of(name, register) {
            return Ok(person);
        }
        let mut suspects = row.problem.suspects.iter();
        match name == by || suspects.any(|suspect| suspect.who == *name) {
            true => Ok(name.clone()),
            false => Err(format!(
                "{} is neither a user nor the author of a suspected change",
                name.escape_debug()
            )),
        }
    }

    /// Checks what depends on what has been said of the person.
    fn check_person(
        &self,
        row: &ProblemRow,
        person: &str,
        also: &[String],
        at: Timestamp,
    ) -> Result<(), String> {
        let hands = Hands::at(at, &row.remarks);
        let problem = self.problem;
        let is_person = |who: &str| who == person || also.iter().any(|also| also == who);
        let mut suspects = row.problem.suspects.iter();
        let mut is_accused = || {
            suspects.any(|suspect| is_person(&suspect.who))
                || hands.guilty.keys().any(|who| is_person(who))
        };
        if self.kind == RemarkKind::Release && !hands.claims.contains_key(person) {
            return Err(format!("{person} has not claimed problem {problem}"));
        }
        if self.kind == RemarkKind::Unmute && !hands.mutes.contains_key(person) {
            return Err(format!("{person} has not muted problem {problem}"));
        }
        if self.kind == RemarkKind::NotMine && !is_accused() {
            return Err(format!("{person} is not suspected of problem {problem}"));
        }
        Ok(())
    }
}

impl Control {
    /// Keeps what `caller` says of a problem; `record` goes into the audit log in the same
    /// transaction.
    ///
    /// # Errors
    /// Why nothing has changed.
    pub(super) async fn remark(
        &self,
        act: RemarkAct,
        caller: &Caller,
        record: Box<AuditRecord>,
    ) -> Result<(), String> {
        let Some(by) = caller.user().map(ToOwned::to_owned) else {
            return Err(
                "only a person who has logged in can say something of a problem".to_owned(),
            );
        };
        self.admit("nothing has changed").await?;
        let register = self.register().await?;
        let (number, at) = (act.problem, self.clock().wall());
        let look = move |state: &State| state.problem(number);
        let row = self.reader().read(look).await;
        let row = row.map_err(|error| error.to_string())?;
        let row = row.ok_or_else(|| {
            format!("there is no problem {number}; `buildmaster problems --all` lists them")
        })?;
        let remark = act.remark(&row, &register, by, at)?;
        let ops = vec![Op::ProblemRemarked(Box::new(remark)), Op::Audited(record)];
        self.writer.write_and_wait(ops).await;
        // A search for the cause of what is dismissed is over (SRH-13).
        self.searches_changed().notify_one();
        Ok(())
    }
}

/// The name of the user whom `name` means.
fn person_of(name: &str, register: &Register) -> Option<String> {
    let person = register.get(name);
    let person = person.or_else(|| Some(register.person(AttributeKind::Any, name)?.0));
    person.map(|person| person.name.clone())
}

/// The other names by which the suspected changes know a person.
fn names_of(person: &str, row: &ProblemRow, register: &Register) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for suspect in &row.problem.suspects {
        let who = &suspect.who;
        let is_person = who != person && person_of(who, register).as_deref() == Some(person);
        if is_person && !names.contains(who) {
            names.push(who.clone());
        }
    }
    names
}

fn is_address(text: &str) -> bool {
    let has_scheme = ["https://", "http://"].iter().any(|scheme| {
        text.strip_prefix(scheme)
            .is_some_and(|rest| !rest.is_empty())
    });
    has_scheme && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::collections::BTreeSet;

    use super::*;
    use crate::model::{Attribute, ChangeNumber, Person, ProblemSubject};
    use crate::verdict::{Found, Problem, Suspect};

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    /// A problem of which changes of these people are suspected.
    fn row(authors: &[&str]) -> ProblemRow {
        let suspects = authors.iter().zip(2..).map(|(who, number)| Suspect {
            change: ChangeNumber(number),
            who: (*who).to_owned(),
        });
        ProblemRow {
            problem: Problem {
                number: ProblemNumber(7),
                found: Found {
                    first: ChangeNumber(3),
                    last: ChangeNumber(3),
                    after: Some(ChangeNumber(1)),
                    symptoms: BTreeSet::new(),
                    end: None,
                    doubt: None,
                    unseen_since: None,
                    slave: None,
                },
                suspects: suspects.collect(),
                fixed_in: Vec::new(),
                state: ProblemState::Open,
            },
            builder: "full".into(),
            subject: ProblemSubject::Step("test".to_owned()),
            branch: None,
            repository: String::new(),
            first_build: None,
            last_build: None,
            good_build: None,
            opened_at: NOW,
            ended_at: None,
            remarks: Vec::new(),
        }
    }

    fn register() -> Register {
        let any = Attribute {
            kind: AttributeKind::Any,
            value: "Ann <ann@example.org>".to_owned(),
        };
        let ann = Person {
            name: "ann".to_owned(),
            attributes: BTreeSet::from([any]),
            ..Person::default()
        };
        Register::new([&ann], [])
    }

    fn act(kind: RemarkKind) -> RemarkAct {
        RemarkAct {
            problem: ProblemNumber(7),
            kind,
            person: None,
            until: None,
            text: String::new(),
        }
    }

    fn said(act: RemarkAct, row: &ProblemRow) -> Result<Remark, String> {
        act.remark(row, &register(), "ann".to_owned(), NOW)
    }

    #[test]
    fn prb_20_a_claim_holds_for_a_day_and_can_be_renewed() {
        let row = row(&[]);
        let claim = said(act(RemarkKind::Claim), &row).unwrap();
        assert_eq!(claim.until, Some(Timestamp::from_secs(87_400)));
        assert_eq!((claim.person.as_str(), claim.by.as_str()), ("ann", "ann"));
        let longer = RemarkAct {
            until: Some(Timestamp::from_secs(200_000)),
            ..act(RemarkKind::Claim)
        };
        let claimed = ProblemRow {
            remarks: vec![claim],
            ..row
        };
        let renewed = said(longer, &claimed).unwrap();
        assert_eq!(renewed.until, Some(Timestamp::from_secs(200_000)));
        said(act(RemarkKind::Release), &claimed).unwrap();
    }

    #[test]
    fn prb_21_a_person_is_known_by_all_names_of_the_changes() {
        let row = row(&["Ann <ann@example.org>", "bob", "Ann <ann@example.org>"]);
        let remark = said(act(RemarkKind::NotMine), &row).unwrap();
        assert_eq!((remark.person.as_str(), remark.also.len()), ("ann", 1));
        let named = |name: &str| RemarkAct {
            person: Some(name.to_owned()),
            ..act(RemarkKind::Guilty)
        };
        for (name, person) in [("bob", "bob"), ("Ann <ann@example.org>", "ann")] {
            assert_eq!(said(named(name), &row).unwrap().person, person);
        }
        let why = said(named("eve"), &row).unwrap_err();
        assert!(why.contains("neither a user nor the author"), "{why}");
    }

    #[test]
    fn prb_16_what_cannot_be_said_is_refused_with_the_reason() {
        let until = |secs: i64, kind| RemarkAct {
            until: Some(Timestamp::from_secs(secs)),
            ..act(kind)
        };
        let text = |text: &str, kind| RemarkAct {
            text: text.to_owned(),
            ..act(kind)
        };
        for (act, why) in [
            (act(RemarkKind::Dismiss), "says why"),
            (act(RemarkKind::Note), "the note is empty"),
            (act(RemarkKind::Release), "has not claimed problem 7"),
            (act(RemarkKind::Unmute), "has not muted problem 7"),
            (
                act(RemarkKind::NotMine),
                "ann is not suspected of problem 7",
            ),
            (until(1_000, RemarkKind::Claim), "in the next 366 days"),
            (until(40_000_000, RemarkKind::Mute), "in the next 366 days"),
            (until(2_000, RemarkKind::Note), "the note is empty"),
            (until(2_000, RemarkKind::Guilty), "only a claim and a mute"),
            (
                text("javascript:x", RemarkKind::Ticket),
                "begins with https://",
            ),
            (
                text("https://a b", RemarkKind::Ticket),
                "begins with https://",
            ),
            (text(&"x".repeat(2001), RemarkKind::Note), "2000 characters"),
        ] {
            let refused = said(act, &row(&["bob"])).unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
        let mut over = row(&[]);
        over.problem.state = ProblemState::Resolved;
        let refused = said(act(RemarkKind::Claim), &over).unwrap_err();
        assert_eq!(refused, "problem 7 is over: it is resolved");
        said(text("seen again on oak", RemarkKind::Note), &over).unwrap();
        let mut full = row(&[]);
        full.remarks = vec![said(text("x", RemarkKind::Note), &full).unwrap(); MOST];
        let refused = said(text("x", RemarkKind::Note), &full).unwrap_err();
        assert!(refused.contains("1000 remarks"), "{refused}");
    }
}
