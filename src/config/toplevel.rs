//! The whole configuration, and the keys at the top level of the file.
//!
//! Things are read in the order in which they refer to each other, whatever their order in the
//! file.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::address::{self, Listen};
use super::builders::{self, BuilderConfig, Known};
use super::change_sources::slave_port::SlavePort;
use super::change_sources::{self, ChangeSourceConfig};
use super::checks;
use super::choosing::{Merging, QueueRules, SlaveChoice};
use super::clients::ClientLimits;
use super::duty::{self, Rota};
use super::factories;
use super::horizons::Horizons;
use super::lock_circles;
use super::locks::{LockConfig, Locks};
use super::login::{LoginConfig, OidcConfig};
use super::logs::{LogLimits, LogRotation};
use super::mail::MailConfig;
use super::named_values::NamedValues;
use super::names::Names;
use super::owners::{self, OwnerRule};
use super::people::{self, PeopleLookup, PersonConfig};
use super::permissions::{self, Permissions};
use super::problems::{self, QuarantineRules};
use super::properties;
use super::quantities::{LONGEST, SHORTEST};
use super::reader::{Table, Value};
use super::repositories::{self, RepositoryConfig};
use super::schedulers::try_userpass::Listeners;
use super::schedulers::{self, Builders, SchedulerConfig};
use super::search::SearchConfig;
use super::secret::Secret;
use super::shape::Shape;
use super::slaves::{self, SlaveConfig};
use super::status::{self, StatusConfig};
use super::template::SecretSource;
use super::tree::Fields;
use super::user_managers::{self, UserManagerConfig};
use super::validation::Validation;
use super::values;
use super::web::WebConfig;
use super::zones::MachineZone;
use crate::model::{BuilderName, Properties, SlaveName, TellingRules, Unseen};

/// What things are called whose names are unknown, for they are written as a table where a list
/// must be, or as a list where a table must be.
pub(super) fn of_another_form(root: &Fields) -> impl Iterator<Item = &'static str> {
    let is_wrong = |key, is_list| {
        root.get(key)
            .is_some_and(|node| node.data.as_array().is_some() != is_list)
    };
    NAMED
        .iter()
        .filter(move |(key, _, is_list)| is_wrong(*key, *is_list))
        .map(|(_, noun, _)| *noun)
}

/// What has names: its key, what one of it is called, and whether it is a list.
const NAMED: [(&str, &str, bool); 5] = [
    ("slaves", "slave", true),
    ("builders", "builder", true),
    ("schedulers", "scheduler", true),
    ("factories", "factory", false),
    ("locks", "lock", false),
];

/// A whole configuration.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Config {
    /// Name of the project.
    pub title: String,
    /// Its page.
    pub title_url: String,
    /// The master's own address for people.
    pub buildbot_url: String,
    /// Where slaves and `sendchange` connect; several addresses may be given, and a port without an
    /// address is loopback of IPv4 and IPv6 (the latter may be missing on a machine). Empty: only
    /// local slaves.
    #[serde(serialize_with = "address::texts")]
    pub slave_port: Vec<Listen>,
    /// Properties of all builds, with source "master.toml".
    #[serde(serialize_with = "properties::plain")]
    pub properties: Properties,
    /// Values that are worked out while builds run.
    #[serde(skip)]
    pub values: Arc<NamedValues>,
    /// Slaves, in the order of the file.
    #[serde(skip)]
    pub slaves: Vec<Arc<SlaveConfig>>,
    /// Builders, in the order of the file.
    #[serde(skip)]
    pub builders: Vec<Arc<BuilderConfig>>,
    /// Locks, in the order of the file (LCK-01).
    #[serde(skip)]
    pub locks: Vec<LockConfig>,
    /// Schedulers, in the order of the file.
    #[serde(skip)]
    pub schedulers: Vec<Arc<SchedulerConfig>>,
    /// The register of repositories (GRD-05).
    #[serde(skip)]
    pub repositories: Arc<Vec<RepositoryConfig>>,
    /// Where changes come from.
    #[serde(skip)]
    pub change_sources: Vec<ChangeSourceConfig>,
    /// Who is told what happens.
    #[serde(skip)]
    pub status: Vec<StatusConfig>,
    /// People, in the order of the file (WHO-05).
    #[serde(skip)]
    pub people: Vec<PersonConfig>,
    /// Where other people are looked up (WHO-05).
    pub people_lookup: PeopleLookup,
    /// Who is on duty (ESC-10).
    pub duty: Vec<Rota>,
    /// How people are told of problems (ESC-01).
    pub problems: TellingRules,
    /// Which tests are put in quarantine, and for how long (FLK-07).
    pub quarantine: QuarantineRules,
    /// Who may manage people with `buildbot user` of Buildbot 0.8 (WHO-07).
    pub user_managers: Vec<UserManagerConfig>,
    /// Who cares for builders and files (WHO-08).
    pub owners: Vec<OwnerRule>,
    /// Who may do what (MAY-01).
    pub permissions: Permissions,
    /// What users may fill in where they force builds (FRC-05).
    pub validation: Validation,
    /// How long a slave may take to answer the ping before a build (START_BUILD_TIMEOUT): 10 s.
    pub start_build_timeout: Duration,
    /// How long a slave may take to answer while its builders are attached (row 1): 30 s.
    pub attach_timeout: Duration,
    /// How mail is sent.
    #[serde(flatten)]
    pub mail: MailConfig,
    /// How long a slave may take to answer a keepalive (SLV-05): 30 s.
    pub keepalive_timeout: Duration,
    /// Limits of connections that are not those of slaves.
    #[serde(flatten)]
    pub clients: ClientLimits,
    /// How long a stopped step may go on (BUI-12): 60 s.
    pub interrupt_grace: Duration,
    /// How long requests wait for a builder that was removed to come back (BST-09): not at all.
    pub orphan_request_grace: Duration,
    /// Builds that a request may lose to lost slaves before it ends as EXCEPTION (BUI-14): 5.
    pub max_retries: u32,
    /// Whether a second slave of a connected name replaces the first
    /// (`duplicate_slave = "replace"`) instead of being arbitrated (SLV-04).
    #[serde(rename = "duplicate_slave")]
    pub duplicate_slave_replaces: bool,
    /// Which idle slave gets a build, of builders that do not say it themselves (BLD-05).
    pub choose_slaves: SlaveChoice,
    /// Limits of step logs (LOG-03).
    #[serde(flatten)]
    pub logs: LogLimits,
    /// How much of the program's own log file is kept.
    pub log_rotation: LogRotation,
    /// How much of the past is kept (MAS-08): all.
    #[serde(flatten)]
    pub horizons: Horizons,
    /// The web pages: none.
    pub web: Option<WebConfig>,
    /// How people log in besides with a password of the master: not at all.
    pub login: Option<LoginConfig>,
    /// How much the master searches for culprits by itself (SRH-10).
    pub search: SearchConfig,
}

pub(super) static SHAPE: Shape = Shape {
    place: "",
    noun: "",
    keys: &[
        "title",
        "title_url",
        "buildbot_url",
        "slave_port",
        "properties",
        "values",
        "slaves",
        "locks",
        "factories",
        "builders",
        "schedulers",
        "repositories",
        "change_sources",
        "status",
        "people",
        "problems",
        "duty",
        "owners",
        "user_managers",
        "permissions",
        "validation",
        "merge_requests",
        "merge_compare_properties",
        "merge_by",
        "merge_limit",
        "request_order",
        "start_build_timeout",
        "attach_timeout",
        "keepalive_timeout",
        "client_idle_timeout",
        "max_client_connections",
        "interrupt_grace",
        "orphan_request_grace",
        "max_retries",
        "duplicate_slave",
        "choose_slaves",
        "log_max_size",
        "log_max_tail_size",
        "log_compression_limit",
        "log_compression_method",
        "log_rotation",
        "build_horizon",
        "log_horizon",
        "change_horizon",
        "mail_command",
        "mail_from",
        "web",
        "login",
        "search",
    ],
    kinds: Vec::new,
};

impl Default for Config {
    fn default() -> Self {
        Self {
            title: "Buildbot".to_owned(),
            title_url: String::new(),
            buildbot_url: "http://localhost:8010/".to_owned(),
            slave_port: Vec::new(),
            properties: Properties::new(),
            values: Arc::default(),
            slaves: Vec::new(),
            builders: Vec::new(),
            locks: Vec::new(),
            schedulers: Vec::new(),
            repositories: Arc::default(),
            change_sources: Vec::new(),
            status: Vec::new(),
            people: Vec::new(),
            problems: TellingRules::default(),
            quarantine: QuarantineRules::default(),
            people_lookup: PeopleLookup::default(),
            duty: Vec::new(),
            owners: Vec::new(),
            user_managers: Vec::new(),
            permissions: Permissions::default(),
            validation: Validation::default(),
            start_build_timeout: Duration::from_secs(10),
            attach_timeout: Duration::from_secs(30),
            mail: MailConfig::default(),
            keepalive_timeout: Duration::from_secs(30),
            clients: ClientLimits::default(),
            interrupt_grace: Duration::from_secs(60),
            orphan_request_grace: Duration::ZERO,
            max_retries: 5,
            duplicate_slave_replaces: false,
            choose_slaves: SlaveChoice::default(),
            logs: LogLimits::default(),
            log_rotation: LogRotation::default(),
            horizons: Horizons::default(),
            web: None,
            login: None,
            search: SearchConfig::default(),
        }
    }
}

impl Config {
    /// The builder of this name; looks through all of them.
    #[must_use]
    pub fn builder(&self, name: &str) -> Option<&Arc<BuilderConfig>> {
        self.builders.iter().find(|b| b.name.as_str() == name)
    }

    /// This configuration as it is for somebody who may not see some of it (MAY-04). A scheduler
    /// that has no other builders is not there.
    #[must_use]
    pub fn without(&self, unseen: &Unseen) -> Self {
        let mut config = self.clone();
        let is_hidden = |name: &BuilderName| unseen.builders.contains(name);
        config.builders.retain(|builder| !is_hidden(&builder.name));
        config.schedulers.retain_mut(|scheduler| {
            if scheduler.builders.iter().any(is_hidden) {
                let scheduler = Arc::make_mut(scheduler);
                scheduler.builders.retain(|name| !is_hidden(name));
                return !scheduler.builders.is_empty();
            }
            true
        });
        let is_hidden = |name: &SlaveName| unseen.slaves.contains(name);
        config.slaves.retain(|slave| !is_hidden(&slave.name));
        for builder in &mut config.builders {
            if builder.slaves.iter().any(is_hidden) {
                let builder = Arc::make_mut(builder);
                builder.slaves.retain(|name| !is_hidden(name));
            }
        }
        config
    }

    /// The environment variables that have secrets of steps or of environments of commands.
    pub fn secret_variables(&self) -> impl Iterator<Item = &str> {
        let of_builders = self.builders.iter().flat_map(|builder| {
            let of_steps = builder.factory.steps.iter();
            let of_steps = of_steps.flat_map(|step| &step.secrets);
            builder.secrets.iter().chain(of_steps)
        });
        of_builders.filter_map(|secret| match secret {
            SecretSource::Env(name) => Some(name.as_str()),
            SecretSource::Inline(_) | SecretSource::File(_) | SecretSource::Command(_) => None,
        })
    }

    /// Which idle slave gets a build of `builder` (BLD-05).
    #[must_use]
    pub fn slave_choice(&self, builder: &BuilderConfig) -> SlaveChoice {
        builder.next_slave.unwrap_or(self.choose_slaves)
    }

    /// The owners of a builder, each once, by name (WHO-08).
    #[must_use]
    pub fn owners_of_builder(&self, name: &str) -> Vec<String> {
        let tags = self.builder(name).map_or(&[][..], |builder| &builder.tags);
        owners::of_builder(&self.owners, name, tags)
    }

    /// The owners of a step, or of a test of it by its name for people, whatever the builder; each
    /// once, by name (WHO-08).
    #[must_use]
    pub fn owners_of_subject(&self, step: &str, test: Option<&str>) -> Vec<String> {
        owners::of_subject(&self.owners, step, test)
    }

    /// The owners of files in the repository of this name, which need not be registered; each once,
    /// by name (WHO-08).
    #[must_use]
    pub fn owners_of_files(&self, files: &[String], repository: &str) -> Vec<String> {
        let known = self.repository(repository);
        let own = known.map_or(&[][..], |known| &known.owners);
        owners::of_files(&self.owners, files, own)
    }

    /// Whether files have owners at all.
    #[must_use]
    pub fn has_owners_of_files(&self) -> bool {
        let mut repositories = self.repositories.iter();
        owners::are_of_files(&self.owners)
            || repositories.any(|known| known.owners_file.is_some() || !known.owners.is_empty())
    }

    /// The bot on IRC with this name.
    #[must_use]
    pub fn irc(&self, name: &str) -> Option<&super::IrcConfig> {
        let mut bots = self.status.iter().filter_map(StatusConfig::irc);
        bots.find(|bot| bot.telling.name == name)
    }

    /// The repository of this name.
    #[must_use]
    pub fn repository(&self, name: &str) -> Option<&RepositoryConfig> {
        self.repositories.iter().find(|known| known.name == name)
    }

    /// The slave of this name; looks through all of them.
    #[must_use]
    pub fn slave(&self, name: &str) -> Option<&Arc<SlaveConfig>> {
        self.slaves.iter().find(|s| s.name.as_str() == name)
    }

    /// The provider where people log in, if there is one.
    #[must_use]
    pub fn oidc(&self) -> Option<&OidcConfig> {
        self.login.as_ref()?.oidc.as_ref()
    }

    /// All passwords of slaves, change sources, users and status clients.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let slaves = self.slaves.iter().filter_map(|s| s.kind.password());
        let sources = self.change_sources.iter();
        let sources = sources.filter_map(ChangeSourceConfig::password);
        let doors = self.schedulers.iter();
        let doors = doors.filter_map(|s| s.kind.try_userpass());
        let users = doors.flat_map(|door| &door.users);
        let clients = self.status.iter().filter_map(StatusConfig::password);
        let repositories = self.repositories.iter();
        let provider = self.oidc().and_then(|oidc| oidc.client_secret.as_ref());
        slaves
            .chain(provider)
            .chain(self.user_managers.iter().map(|manager| &manager.password))
            .chain(repositories.flat_map(RepositoryConfig::secrets))
            .chain(sources)
            .chain(users.map(|(_, password)| password))
            .chain(clients)
    }
}

/// Reads all. What it gives back is of use only if no error was noted.
pub(super) fn read(mut root: Table<'_>, file: &str, zone: &MachineZone) -> Config {
    let mut config = Config::default();
    let slave_names = config.read_parts(&mut root, zone);
    config.read_settings(&mut root);
    let wish = config.slaves.iter();
    let wish = wish.filter(|slave| !slave.notify_on_missing.is_empty());
    let wish = wish.map(|slave| slave_names.place(slave.name.as_str()).cloned());
    let notifiers = config.status.iter().filter_map(StatusConfig::mail);
    let mut notifiers = notifiers.map(|mail| (mail.from.as_str(), &mail.transport));
    let wish = wish.flatten().next();
    config.mail.read(&mut root, wish, notifiers.next());
    let file_name = Path::new(file).file_name().and_then(|n| n.to_str());
    let file_name = file_name.unwrap_or(file);
    config.properties = root.properties(file_name);
    (config.people, config.people_lookup) = people::read(&mut root);
    config.duty = duty::read(&mut root, zone);
    (config.problems, config.quarantine) = problems::read(&mut root);
    let builders: Vec<_> = config.builders.iter().map(|b| b.name.as_str()).collect();
    config.owners = owners::read(&mut root, &builders);
    config.permissions = permissions::read(&mut root, file_name, &config.names());
    root.sink.warn_unused_values();
    root.finish();
    config
}

impl Config {
    /// Takes what refers to each other; gives the names of the slaves.
    fn read_parts<'a>(&mut self, root: &mut Table<'a>, zone: &MachineZone) -> Names<'a> {
        self.values = values::read(root);
        let mut slave_names = Names::new("slave");
        let mut locks = Locks::read(root);
        self.slaves = slaves::read(root, &mut slave_names, &mut locks, zone);
        locks.read_counts(&slave_names);
        locks.work_out(self.slaves.iter().map(|slave| (&slave.name, slave.facts())));
        let slave_port = root.take("slave_port");
        let listens = slave_port.as_ref().and_then(Value::listen);
        self.slave_port = listens.unwrap_or_default();
        let port = SlavePort {
            is_given: slave_port.is_some() || root.has_misspelt("slave_port"),
            value: slave_port,
            listens: &self.slave_port,
            slaves: &slave_names,
        };
        checks::slaves_find_the_master(root.sink, &self.slaves, &port);
        self.repositories = Arc::new(repositories::read(root));
        self.change_sources = change_sources::read(root, &port, &self.repositories);
        let mut factory_names = Names::new("factory");
        let factories = factories::read(root, &mut factory_names, &mut locks);
        let known = Known {
            slaves: &slave_names,
            factory_names,
            factories,
            merging: root.merging(Merging::default()),
            queue: root.queue_rules(&QueueRules::default()),
            zone,
        };
        let mut builder_names = Names::new("builder");
        self.builders = builders::read(root, &known, &mut builder_names, &mut locks);
        lock_circles::check(root.sink, &locks, &self.slaves, &self.builders);
        let mut builder_names = Builders {
            names: builder_names,
            scheduled: BTreeSet::new(),
        };
        let listeners = Listeners {
            slave_port: &port,
            change_sources: &self.change_sources,
        };
        self.schedulers = schedulers::read(root, &mut builder_names, zone, listeners);
        self.status = status::read(
            root,
            listeners,
            &self.schedulers,
            (&builder_names, &self.repositories),
        );
        self.user_managers = user_managers::read(root, listeners, &self.schedulers, &self.status);
        checks::builders_are_started(root.sink, &builder_names);
        checks::note_programs(root.sink, &self.slaves, &self.builders, &builder_names);
        locks.warn_unused(root.sink);
        self.locks = locks.defined;
        let builders = self.builders.iter();
        let taken = builders.flat_map(|builder| &builder.slaves);
        let taken = taken.map(SlaveName::as_str).collect();
        slave_names.warn_unused(root.sink, &taken, |name| {
            format!("no builder takes the slave `{name}`")
        });
        slave_names
    }

    /// The names that permissions can refer to.
    fn names(&self) -> permissions::Known<'_> {
        permissions::Known {
            builders: self.builders.iter().map(|b| b.name.as_str()).collect(),
            slaves: self.slaves.iter().map(|s| s.name.as_str()).collect(),
            schedulers: self.schedulers.iter().map(|s| s.name.as_str()).collect(),
        }
    }

    /// Takes the settings of the whole.
    fn read_settings(&mut self, root: &mut Table<'_>) {
        let has_url = root.place("buildbot_url").is_some() || root.has_misspelt("buildbot_url");
        for (key, text) in [
            ("title", &mut self.title),
            ("title_url", &mut self.title_url),
            ("buildbot_url", &mut self.buildbot_url),
        ] {
            root.set(key, text, |v| v.text().map(str::to_owned));
        }
        for (key, time, least) in [
            (
                "start_build_timeout",
                &mut self.start_build_timeout,
                SHORTEST,
            ),
            ("attach_timeout", &mut self.attach_timeout, SHORTEST),
            ("keepalive_timeout", &mut self.keepalive_timeout, SHORTEST),
            ("interrupt_grace", &mut self.interrupt_grace, SHORTEST),
            (
                "orphan_request_grace",
                &mut self.orphan_request_grace,
                Duration::ZERO,
            ),
        ] {
            root.set(key, time, |v| v.duration(least..=LONGEST));
        }
        root.set("max_retries", &mut self.max_retries, |v| {
            v.integer(0..=u32::MAX)
        });
        root.set("duplicate_slave", &mut self.duplicate_slave_replaces, |v| {
            Some(v.one_of(&["arbitrate", "replace"])? == "replace")
        });
        root.set(
            "choose_slaves",
            &mut self.choose_slaves,
            Value::slave_choice,
        );
        self.validation = Validation::read(root);
        self.logs.read(root);
        root.set("log_rotation", &mut self.log_rotation, LogRotation::read);
        self.clients.read(root);
        self.horizons.read(root);
        let slave_port = &self.slave_port;
        root.set_some("web", &mut self.web, |v| WebConfig::read(v, slave_port));
        let url = has_url.then_some(self.buildbot_url.as_str());
        root.set_some("login", &mut self.login, |v| LoginConfig::read(v, url));
        root.set("search", &mut self.search, SearchConfig::read);
    }
}
