//! `master.toml`: text in, checked configuration out.
//!
//! Invariants: nothing here reads a file but through the text it is given (secret files and
//! environment variables are named in the result and read by the daemon); all errors are collected
//! and reported together, each with line, column and what would be right (MAS-01, MAS-02); what is
//! not built yet is refused by name, never ignored. Times, sizes and addresses are checked types in
//! the result. Equal configurations compare equal, which is what reconfiguration will stand on
//! (SCB-11, BRC-01).
//!
//! Start reading at [`parse`], then `toplevel`, then `reader`, which walks the tree. Each family
//! (slaves, steps, schedulers, change sources, status targets, locks) has a file with the table of
//! its kinds, and each kind a file of its own.

mod address;
pub(crate) mod advice;
mod builders;
pub mod calendar;
mod change_condition;
pub mod change_sources;
mod checks;
mod choosing;
mod class;
mod clients;
mod condition;
mod difference;
mod duty;
mod env;
pub mod expression;
mod factories;
mod filter;
mod gone;
mod hold;
mod horizons;
mod idle;
pub(crate) mod known;
mod language;
mod lines;
mod listen;
mod lock_circles;
mod locks;
mod login;
mod logs;
mod mail;
mod mail_transport;
mod named_values;
mod names;
mod needs;
mod owners;
mod passwords;
mod pattern;
mod people;
mod permissions;
mod places;
mod planned;
mod problems;
mod programs;
mod properties;
mod property_names;
mod quantities;
mod reader;
mod reading;
mod report;
mod repositories;
pub mod schedulers;
mod schema;
mod search;
mod secret;
mod shape;
mod shapes;
mod shared;
mod sink;
pub mod slaves;
pub(crate) mod spelling;
pub mod status;
pub mod steps;
mod syntax;
mod template;
mod texts;
mod toplevel;
mod trace;
mod tree;
mod user_managers;
mod validation;
mod values;
mod visible;
mod web;
mod zones;

pub use address::Listen;
pub use builders::BuilderConfig;
pub use calendar::Calendar;
pub use change_condition::ChangeCondition;
pub use change_sources::{
    Approval, ApprovalRules, BranchRule, BranchRules, BzrPollerConfig, ChangeFields,
    ChangeHookConfig, ChangeSourceConfig, ChangeSourceKind, CvsPollerConfig, GerritConfig,
    GitPollerConfig, GitStart, HgPollerConfig, History, Layout, LoginAccess, MaildirConfig,
    Network, NewBranch, P4SourceConfig, PbSourceConfig, Place, PollerConfig, PullPollerConfig,
    SetField, SetFields, SourceRules, SshAccess, SvnPollerConfig,
};
pub use choosing::{MergeRule, Merging, QueueRules, SlaveChoice, SlaveRules};
pub use class::Class;
pub use clients::ClientLimits;
pub use condition::Condition;
pub use difference::{Becomes, Difference, Item};
pub use duty::Rota;
pub use env::Environment;
pub use factories::FactoryConfig;
pub use hold::{Hold, HoldWindow};
pub use horizons::{Horizon, Horizons};
pub use language::{Files, NoFiles};
pub use lock_circles::circle_with;
pub use locks::{LockAccess, LockConfig, LockGroup, LockKind, LockMode, LockScope};
pub use login::{LoginConfig, OidcConfig};
pub use logs::{LogCompression, LogLimits, LogRotation};
pub use mail::{MailConfig, is_recipient};
pub use mail_transport::{MailTransport, SmtpConfig, SmtpTls};
pub use named_values::{NamedValues, WorkedOut};
pub use needs::{Need, Needed};
pub use owners::{Owned, OwnerRule};
pub use pattern::{ChangeFilter, FilePatterns, LinePattern, TextMatch};
pub use people::{PeopleLookup, PersonConfig, is_name as is_person_name};
pub use permissions::{PermissionRule, Permissions, Who};
pub use places::Places;
pub use problems::QuarantineRules;
pub use programs::AskedProgram;
pub use reading::{Reading, parse, read, read_and_print};
pub use report::{ConfigError, ConfigErrors};
pub use repositories::{
    CodeHost, KINDS_OF_VC, RepositoryConfig, RepositoryCredentials, RepositoryUrl,
    is_same_repository, register,
};
pub use schedulers::{
    AnyBranchConfig, ChangeRules, CodebaseSource, Codebases, DependentConfig, ForceConfig,
    ForcedCodebase, Importance, LongestWait, NightlyConfig, NightlyTriggerableConfig, Parameter,
    ParameterKind, PeriodicConfig, SchedulerConfig, SchedulerKind, SingleBranchConfig, TimedBuild,
    TreeStable, TriggerableConfig, TryJobdirConfig, TryUserpassConfig, full_name,
};
pub use schema::schema;
pub use search::SearchConfig;
pub use secret::Secret;
pub use slaves::{
    CommandInstance, DockerInstance, InstanceKind, LatentConfig, MasterAddress, RemoteConfig,
    SlaveConfig, SlaveKind,
};
pub(crate) use spelling::nearest;
pub use status::{
    AttachedLogs, CommandConfig, CommitStatusConfig, EndedBuild, GerritStatusPushConfig,
    HttpStatusPushConfig, IrcChannel, IrcConfig, MailLookup, MailNotifierConfig, PbListenerConfig,
    StashServer, StatusConfig, Telling, WebhookConfig,
};
#[cfg(test)]
pub(crate) use steps::kinds_of_step;
pub use steps::{
    ArchStepConfig, BaseImage, BkStepConfig, BuildersMatching, BzrStepConfig, ChangedFiles,
    CommandWords, CvsStepConfig, DarcsStepConfig, Download, DownloadStepConfig, ExitCode,
    FileAction, FileStepConfig, ForEach, ForEachValues, GitAccess, GitCredential, GitFlavor,
    GitStepConfig, GivenSource, HttpData, HttpStepConfig, JsonTemplate, Lines, Location,
    LogTextConfig, MAX_STEPS_BYTES, MasterShellConfig, MercurialStepConfig, MonotoneStepConfig,
    MysqlTests, OutputReader, P4StepConfig, PatchStepConfig, Preparation, PropertyValue,
    RelatedStepConfig, ReleaseCounter, RepoStepConfig, ReportFormat, ReportPlace, SearchPath,
    SequenceCommand, SetPropertyConfig, ShellStepConfig, SlaveEnvConfig, SourceMethod, SourceMode,
    SourceSettings, SshServers, StepConfig, StepKind, StepRules, StepsFromConfig, Suppression,
    SvnStepConfig, TESTS, TestReports, TestSettings, TriggerSource, TriggerStepConfig,
    TriggerValue, Upload, UploadStepConfig, WarningExtractor, WarningRules, WatchPattern,
    WatchRule,
};
pub use template::{Otherwise, SecretSource, SourceAttribute, Subject, Template, TemplatePart};
pub use toplevel::Config;
pub use user_managers::UserManagerConfig;
pub use validation::Validation;
pub use web::{CommentLink, MOST_BUILDS, Metrics, WebConfig};
pub use zones::MachineZone;

#[cfg(test)]
mod tests;
