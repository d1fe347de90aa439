//! The domain: changes, source stamps, build sets, requests, builds and estimates of their
//! duration, results, properties, time, and the journal of state changes.
//!
//! Invariants: nothing here does I/O, reads a clock or draws a random number. Ids are newtypes; a
//! bare integer never crosses a module border. Start reading at [`change`], then [`journal`].

pub mod audit;
mod base64_text;
mod big_state;
pub mod build;
pub mod buildset;
pub mod change;
mod channel;
pub mod decision;
pub mod done_act;
pub mod happening;
pub mod held_pulls;
pub mod ids;
pub mod instance;
mod irc_channel;
pub mod journal;
pub mod judgement;
pub mod known_login;
mod last_run;
pub mod letter;
mod names;
mod notify;
pub mod offer;
mod pause;
pub mod permission;
pub mod person;
mod person_op;
mod problem;
mod problem_told;
pub mod progress;
pub mod properties;
mod quarantine;
mod quiet_hours;
pub mod refusal;
pub mod remark;
pub mod results;
mod search;
mod sender;
pub mod stamp;
pub mod stamps;
mod state_id;
mod step_outcome;
pub mod telling;
mod test_format;
mod test_report;
mod test_result;
pub mod time;
pub mod transfer;
pub mod try_job;
mod unseen;
mod waiting_change;
pub mod zone;

pub use audit::{AuditRecord, Door, Outcome};
pub use big_state::BigState;
pub use build::{build_url, interested_users};
pub use buildset::{BuildRequest, BuildSet, ParentBuild};
pub use change::{BRANCHED_FROM, Change, NewChange, STANDS_FOR, UnusableTime};
pub use channel::Channel;
pub use decision::{Decision, FilterField, Instead};
pub use done_act::DoneAct;
pub use happening::{Facts, Happening, HappeningName};
pub use held_pulls::{HeldPull, HeldPulls, Holding};
pub use ids::{
    BuildId, BuildNumber, BuilderName, ChangeNumber, CommandId, LetterId, LockName, ProblemNumber,
    RequestId, SchedulerName, SearchNumber, SetId, SlaveName, SourceName, Ticket,
};
pub use instance::{InstanceRecord, InstanceStop, StopMeans};
pub use irc_channel::{ChannelOp, ChannelWishes};
pub use journal::{OldTestChanges, Op, Pruned, Recovered};
pub use judgement::{Judgement, Line, Origin, revision_built, revision_of_codebase, revision_text};
pub use known_login::{KnownLogin, LoginRecord, MAX_KNOWN_LOGINS};
pub use last_run::{begin_epoch, end_last_run, was_cut_short};
pub use letter::{
    BuildFacts, BuildTold, CommitFacts, CommitState, Fate, Letter, LetterFacts, LetterOp,
    LetterState, Told,
};
pub use names::unique_names;
pub use notify::{NotifyEvent, ToldResult};
pub use offer::{
    AdmittedChange, AdmittedOffer, Delivery, Digest, Identity, Offer, OfferAnswer, OfferTaken,
    SourceAttempt, SourceReport, TakenChange,
};
pub use pause::Pause;
pub use permission::{Action, Actions, BadPattern, NamePatterns, Object, ObjectPatterns};
pub use person::{
    Attribute, AttributeKind, Duty, PasswordHash, Person, SessionRecord, TokenId, TokenRecord,
    TokenRights,
};
pub use problem::ProblemSubject;
pub use problem_told::{ProblemFacts, ProblemsTold, Role, Say, TellingRules};
pub use progress::{Effort, Expectations, Forecast, Remaining};
pub use properties::{Properties, Property};
pub use quarantine::{Quarantine, QuarantineOp};
pub use quiet_hours::QuietHours;
pub use refusal::Refusal;
pub use remark::{Remark, RemarkKind};
pub use results::Results;
pub use search::{Inside, MOST_RUNS, MOST_WIDTH, Said, SearchOp, SearchRecord, Verdict};
pub use sender::{HookDialect, MailFormat};
pub use stamp::{Patch, PatchBody, SourceStamp};
pub use stamps::SourceStamps;
pub use step_outcome::{BuildError, FirstError, StepCommand, StepOutcome};
pub use telling::{Earlier, Ending, NewsMode, PreviousBuild, previous_result};
pub use test_format::TestFormat;
pub use test_report::{ComparedTests, TestRow, TestTable, TestsReport, TextPlace, ToldTest};
pub use test_result::{TestCounts, TestHash, TestName, TestOutcome};
pub use time::{Moment, Mono, Now, Timestamp};
pub use transfer::Compression;
pub use try_job::TryJob;
pub use unseen::Unseen;
pub use waiting_change::WaitingChange;
pub use zone::Zone;

/// Separates the paths of a list in the value of an environment variable, until the value is
/// written with the separator of the slave's system. No environment variable can contain this
/// character.
pub const PATH_SEPARATOR: &str = "\0";
