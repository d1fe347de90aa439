//! What people say of a problem on the command line (PRB-16, PRB-20 to PRB-22).

use std::process::ExitCode;

use clap::Subcommand;

use crate::cli::buildmaster::asking::ask;
use crate::cli::buildmaster::base_dir::Master;
use crate::cli::buildmaster::moment;
use crate::control::{RemarkAct, Service};
use crate::model::{ProblemNumber, RemarkKind, Timestamp};

/// What to say of a problem.
#[derive(Clone, Debug, Subcommand)]
pub(super) enum Hands {
    /// Say that you see to a problem, for 24 hours
    Claim(Claim),
    /// Say that you do not see to a problem any more
    Release(Own),
    /// Hear nothing of a problem, not even of its end
    Mute(Mute),
    /// Hear of a muted problem again
    Unmute(Mute),
    /// Say why a problem need not be mended; it is dismissed until it ends
    Dismiss(Dismiss),
    /// Say who is guilty of a problem, or who is not
    Guilty(Guilty),
    /// Say that a problem is not yours: you are suspected no more
    NotMine(Own),
    /// Write a note on a problem
    Note(Note),
    /// Link a problem to a ticket
    Ticket(Ticket),
}

/// Arguments of `claim`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Claim {
    #[command(flatten)]
    own: Own,
    /// When the claim is over [default: in 24 hours]
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    until: Option<Timestamp>,
}

/// Arguments of what somebody says for themselves.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Own {
    #[command(flatten)]
    master: Master,
    /// A user, or the author of a suspected change [default: you]
    #[arg(long = "for", value_name = "PERSON")]
    person: Option<String>,
    /// Why
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    reason: String,
    /// The number of the problem
    number: u64,
}

/// Arguments of `mute` and `unmute`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Mute {
    #[command(flatten)]
    own: Own,
    /// For all people
    #[arg(long, conflicts_with = "person")]
    all: bool,
    /// When you hear of it again [default: when it has ended]
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    until: Option<Timestamp>,
}

/// Arguments of `dismiss`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Dismiss {
    #[command(flatten)]
    master: Master,
    /// Take a dismissed problem up again
    #[arg(long)]
    undo: bool,
    /// The number of the problem
    number: u64,
    /// Why
    #[arg(required_unless_present = "undo")]
    reason: Option<String>,
}

/// Arguments of `guilty`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Guilty {
    #[command(flatten)]
    master: Master,
    /// The person is not guilty
    #[arg(long)]
    not: bool,
    /// Why
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    reason: String,
    /// The number of the problem
    number: u64,
    /// A user, or the author of a suspected change
    person: String,
}

/// Arguments of `note`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Note {
    #[command(flatten)]
    master: Master,
    /// The number of the problem
    number: u64,
    /// The note
    text: String,
}

/// Arguments of `ticket`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Ticket {
    #[command(flatten)]
    master: Master,
    /// The number of the problem
    number: u64,
    /// The address of the ticket; without one, the link is removed
    address: Option<String>,
}

impl Hands {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let (master, act) = self.act();
        let number = act.problem;
        let done = match act.kind {
            RemarkKind::Claim => format!("problem {number} is claimed"),
            RemarkKind::Release => format!("problem {number} is released"),
            RemarkKind::Mute | RemarkKind::MuteAll => format!("problem {number} is muted"),
            RemarkKind::Unmute | RemarkKind::UnmuteAll => {
                format!("problem {number} is no longer muted")
            }
            RemarkKind::Dismiss => format!("problem {number} is dismissed"),
            RemarkKind::Reopen => format!("problem {number} is open again"),
            RemarkKind::Guilty
            | RemarkKind::NotGuilty
            | RemarkKind::NotMine
            | RemarkKind::Note
            | RemarkKind::Ticket => format!("problem {number} says so now"),
        };
        let act = Box::new(act);
        ask(&master.basedir, Service::Problem { act }, &done)
    }

    /// The master, and what it is asked for.
    fn act(self) -> (Master, RemarkAct) {
        match self {
            Self::Claim(claim) => claim.own.act(RemarkKind::Claim, claim.until),
            Self::Release(own) => own.act(RemarkKind::Release, None),
            Self::NotMine(own) => own.act(RemarkKind::NotMine, None),
            Self::Mute(mute) => mute.act([RemarkKind::Mute, RemarkKind::MuteAll]),
            Self::Unmute(mute) => mute.act([RemarkKind::Unmute, RemarkKind::UnmuteAll]),
            Self::Dismiss(dismiss) => {
                let kind = match dismiss.undo {
                    true => RemarkKind::Reopen,
                    false => RemarkKind::Dismiss,
                };
                let text = dismiss.reason.unwrap_or_default();
                (dismiss.master, said(dismiss.number, kind, text))
            }
            Self::Guilty(guilty) => {
                let kind = match guilty.not {
                    true => RemarkKind::NotGuilty,
                    false => RemarkKind::Guilty,
                };
                let act = RemarkAct {
                    person: Some(guilty.person),
                    ..said(guilty.number, kind, guilty.reason)
                };
                (guilty.master, act)
            }
            Self::Note(note) => (note.master, said(note.number, RemarkKind::Note, note.text)),
            Self::Ticket(ticket) => {
                let address = ticket.address.unwrap_or_default();
                (
                    ticket.master,
                    said(ticket.number, RemarkKind::Ticket, address),
                )
            }
        }
    }
}

impl Own {
    fn act(self, kind: RemarkKind, until: Option<Timestamp>) -> (Master, RemarkAct) {
        let act = RemarkAct {
            person: self.person,
            until,
            ..said(self.number, kind, self.reason)
        };
        (self.master, act)
    }
}

impl Mute {
    /// The first kind is for one person, the second for all.
    fn act(self, [one, all]: [RemarkKind; 2]) -> (Master, RemarkAct) {
        let kind = if self.all { all } else { one };
        self.own.act(kind, self.until)
    }
}

fn said(number: u64, kind: RemarkKind, text: String) -> RemarkAct {
    RemarkAct {
        problem: ProblemNumber(number),
        kind,
        person: None,
        until: None,
        text,
    }
}
