//! `buildmaster user`: the register of people (WHO-06).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, anyhow, bail};

use super::asking::{answer, ask};
use super::base_dir::Master;
use super::configuration::{Scope, Source, Tell};
use super::moment::local;
use super::{USAGE, hash_password, say};
use crate::clock::Clock;
use crate::config::{KINDS_OF_VC, is_person_name};
use crate::control::{Service, UserAct};
use crate::daemon::machine_zone;
use crate::model::{
    Action, Actions, Attribute, AttributeKind, NamePatterns, ObjectPatterns, PasswordHash, Person,
    Timestamp, TokenId, TokenRights, Zone,
};
use crate::pb::hashed::Recipe;
use crate::people::{Addition, FoundBy, LARGEST_MAILMAP, Register, additions, parse_mailmap};
use crate::store::State;
use crate::text::{commas, printable};
use crate::view;

/// Manage users: names, addresses, roles, passwords and tokens
#[derive(Clone, Debug, clap::Args)]
pub(super) struct User {
    #[command(flatten)]
    master: Master,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Verb {
    /// Add a user
    Add {
        /// The name of the user
        name: String,
        /// Something known of the user, such as email=ann@example.org or git="Ann
        /// <ann@example.org>"; can be given several times
        #[arg(long, value_name = "KIND=VALUE", value_parser = attribute)]
        info: Vec<Attribute>,
        /// A role of the user; can be given several times
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<String>,
    },
    /// Change what is known of a user
    Update {
        /// The name of the user
        name: String,
        /// Something to add, such as irc=ann
        #[arg(long, value_name = "KIND=VALUE", value_parser = attribute)]
        info: Vec<Attribute>,
        /// Something to remove
        #[arg(long, value_name = "KIND=VALUE", value_parser = attribute)]
        remove_info: Vec<Attribute>,
        /// A role to add
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<String>,
        /// A role to remove
        #[arg(long = "remove-role", value_name = "ROLE")]
        remove_roles: Vec<String>,
    },
    /// Remove a user, with all tokens and sessions
    Remove {
        /// The name of the user
        name: String,
    },
    /// Show what is known of a user
    Get {
        /// The name of the user
        name: String,
    },
    /// List all users
    List,
    /// List the authors of changes who are not users, with the numbers of their changes
    Unknown,
    /// Add the people and addresses of a .mailmap file of Git
    Mailmap {
        /// Show what would be added
        #[arg(long)]
        dry_run: bool,
        /// The file
        file: PathBuf,
    },
    /// Say that an author of changes is a user
    Claim {
        /// The name of the user
        name: String,
        /// The author as the changes have it, such as "Ann <ann@example.org>"
        who: String,
    },
    /// Tell which user an author of changes is, by what, and the mail address
    Lookup {
        /// Kind of version control of the changes [default: any]
        #[arg(long, value_name = "KIND", value_parser = vc)]
        vc: Option<AttributeKind>,
        /// The author as the changes have it, such as "Ann <ann@example.org>"
        who: String,
    },
    /// Tell who owns files, by [[owners]] and by the file of owners of their repository
    Owners {
        /// The name of the repository in the configuration
        #[arg(long, value_name = "NAME", default_value = "")]
        repository: String,
        /// The files, as changes name them
        #[arg(required = true)]
        files: Vec<String>,
    },
    /// Give all that is known of one user to another, and remove the first
    Merge {
        /// The user who is removed
        from: String,
        /// The user who remains
        into: String,
    },
    /// Set the password of a user
    Password {
        /// Remove the password: the user cannot log in with one
        #[arg(long)]
        remove: bool,
        /// The name of the user
        name: String,
    },
    /// Make a token for a program
    Token {
        /// What the token is for
        #[arg(long = "for", value_name = "TEXT", default_value = "")]
        label: String,
        /// What may be done with the token, such as `force`; can be given several times
        #[arg(long = "may", value_name = "ACTION", required = true)]
        may: Vec<String>,
        /// Limit the token to these builders; can be given several times
        #[arg(long = "builder", value_name = "PATTERN")]
        builders: Vec<String>,
        /// How many days the token is good, at most 365 [default: 90]
        #[arg(long, value_name = "N")]
        days: Option<u64>,
        /// The name of the user
        name: String,
    },
    /// List the tokens of all users, or of one
    Tokens {
        /// The name of the user
        name: Option<String>,
    },
    /// End a token
    EndToken {
        /// The number of the token
        token: u64,
    },
}

impl User {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { master, verb } = self;
        let act = match verb {
            Verb::List | Verb::Get { .. } | Verb::Lookup { .. } | Verb::Unknown => {
                return show(&master, verb);
            }
            Verb::Owners { repository, files } => return owners(&master, &repository, &files),
            Verb::Mailmap { dry_run, file } => return mailmap(&master, &file, dry_run),
            Verb::Tokens { name } => return tokens(&master, name.as_deref()),
            Verb::Token {
                label,
                may,
                builders,
                days,
                name,
            } => {
                let rights = Box::new(rights(&may, builders)?);
                let act = Box::new(UserAct::AddToken {
                    name,
                    label,
                    rights,
                    days,
                });
                let token = answer(&master.basedir, Service::User { act })?;
                say(token.as_str().unwrap_or_default());
                return Ok(ExitCode::SUCCESS);
            }
            Verb::Add { name, info, roles } => UserAct::Add {
                name,
                attributes: info.into_iter().collect(),
                roles: roles.into_iter().collect(),
            },
            Verb::Update {
                name,
                info,
                remove_info,
                roles,
                remove_roles,
            } => UserAct::Update {
                name,
                add: info.into_iter().collect(),
                remove: remove_info.into_iter().collect(),
                add_roles: roles.into_iter().collect(),
                remove_roles: remove_roles.into_iter().collect(),
            },
            Verb::Claim { name, who } => UserAct::Update {
                name,
                add: BTreeSet::from([Attribute {
                    kind: AttributeKind::Any,
                    value: who,
                }]),
                remove: BTreeSet::new(),
                add_roles: BTreeSet::new(),
                remove_roles: BTreeSet::new(),
            },
            Verb::Remove { name } => UserAct::Remove { name },
            Verb::Merge { from, into } => UserAct::Merge { from, into },
            Verb::EndToken { token } => UserAct::EndToken {
                token: TokenId(token),
            },
            Verb::Password { name, remove } => UserAct::Password {
                name,
                hash: (!remove).then(new_password).transpose()?,
            },
        };
        let done = printable(&done(&act));
        let act = Box::new(act);
        ask(&master.basedir, Service::User { act }, &done)
    }
}

/// What is said when an act is done.
fn done(act: &UserAct) -> String {
    match act {
        UserAct::Add { name, .. } => format!("user {name} is added"),
        UserAct::Update { name, .. } => format!("user {name} is changed"),
        UserAct::Remove { name } => format!("user {name} is removed"),
        UserAct::Password { name, hash: None } => {
            format!("user {name} has no password now; all sessions have ended")
        }
        UserAct::Password { name, .. } => {
            format!("user {name} has another password; all sessions have ended")
        }
        UserAct::Merge { from, into } => format!("user {from} is now user {into}"),
        UserAct::AddToken { name, .. } => format!("user {name} has another token"),
        UserAct::EndToken { token } => format!("token {token} has ended"),
        UserAct::Duty { name, .. } => format!("user {name} is on duty"),
    }
}

/// The hash of a password that the user types twice, or that is on standard input.
fn new_password() -> anyhow::Result<PasswordHash> {
    let password = hash_password::password()?;
    if password.len() < SHORTEST_PASSWORD {
        bail!("the password is shorter than {SHORTEST_PASSWORD} characters");
    }
    let recipe = Recipe::of_login(rand::random());
    Ok(PasswordHash(recipe.hash(&password).text().to_owned()))
}

/// Shortest password (LGN-01).
const SHORTEST_PASSWORD: usize = 10;

fn attribute(text: &str) -> Result<Attribute, String> {
    let (kind, value) = text.split_once('=').ok_or("write it as KIND=VALUE")?;
    let Some(kind) = AttributeKind::named(kind) else {
        let kinds = AttributeKind::ALL.map(AttributeKind::name);
        return Err(format!(
            "unknown kind {kind:?}; it may be {}",
            commas(kinds)
        ));
    };
    if value.trim().is_empty() {
        return Err("the value is empty".to_owned());
    }
    let value = value.to_owned();
    Ok(Attribute { kind, value })
}

/// The kind of version control of this name.
fn vc(text: &str) -> Result<AttributeKind, String> {
    let known = AttributeKind::named(text).filter(|_| KINDS_OF_VC.contains(&text));
    known.ok_or_else(|| format!("it may be {}", commas(KINDS_OF_VC)))
}

fn rights(may: &[String], builders: Vec<String>) -> anyhow::Result<TokenRights> {
    let mut actions = Actions::default();
    for name in may {
        if !actions.add(name) {
            let names = Action::ALL.map(Action::name);
            bail!("unknown action {name:?}; it may be *, {}", commas(names));
        }
    }
    let builders = (!builders.is_empty()).then(|| NamePatterns::new(builders));
    Ok(TokenRights {
        may: actions,
        on: ObjectPatterns {
            builders: builders.transpose()?,
            ..ObjectPatterns::default()
        },
    })
}

/// Says who owns files.
fn owners(master: &Master, repository: &str, files: &[String]) -> anyhow::Result<ExitCode> {
    let source = Source::of(&master.basedir);
    let Some(config) = source.load(Scope::File, Tell::Errors)? else {
        return Ok(ExitCode::from(USAGE));
    };
    let owners = match State::open_if_any(&master.basedir)? {
        Some(state) => view::owners_of_files(&state, &config, [(files, repository)])?,
        None => config.owners_of_files(files, repository),
    };
    for owner in owners {
        say(&printable(&owner));
    }
    Ok(ExitCode::SUCCESS)
}

/// The register, as it is in the configuration and the state; absent if the configuration has
/// mistakes, which have been reported.
fn register(master: &Master, state: Option<&State>) -> anyhow::Result<Option<Register>> {
    let source = Source::of(&master.basedir);
    let Some(config) = source.load(Scope::File, Tell::Errors)? else {
        return Ok(None);
    };
    let Some(state) = state else {
        let configured = config.people.iter().map(|known| &known.person);
        return Ok(Some(Register::new(configured, [])));
    };
    let now = Clock::system().wall();
    Ok(Some(view::register_at(state, &config, now)?))
}

/// Adds what a `.mailmap` file knows of people.
fn mailmap(master: &Master, file: &Path, dry_run: bool) -> anyhow::Result<ExitCode> {
    let opened = File::open(file).with_context(|| format!("cannot open {}", file.display()))?;
    let mut bytes = Vec::new();
    let read = opened.take(LARGEST_MAILMAP).read_to_end(&mut bytes);
    read.with_context(|| format!("cannot read {}", file.display()))?;
    let state = State::open_if_any(&master.basedir)?;
    let Some(register) = register(master, state.as_ref())? else {
        return Ok(ExitCode::from(USAGE));
    };
    let people = parse_mailmap(&String::from_utf8_lossy(&bytes));
    for Addition {
        name,
        is_new,
        attributes,
    } in additions(&people, &register)
    {
        let emails: Vec<_> = attributes.iter().map(|a| a.value.clone()).collect();
        let is_named = is_person_name(&name);
        if is_named && !dry_run {
            let act = Box::new(match is_new {
                true => UserAct::Add {
                    name: name.clone(),
                    attributes,
                    roles: BTreeSet::new(),
                },
                false => UserAct::Update {
                    name: name.clone(),
                    add: attributes,
                    remove: BTreeSet::new(),
                    add_roles: BTreeSet::new(),
                    remove_roles: BTreeSet::new(),
                },
            });
            answer(&master.basedir, Service::User { act })?;
        }
        let what = match (is_named, is_new) {
            (false, _) => "cannot be the name of a user",
            (true, true) => "is a new user",
            (true, false) => "is known",
        };
        say(&printable(&format!("{name} {what}: {}", commas(emails))));
    }
    Ok(ExitCode::SUCCESS)
}

fn show(master: &Master, verb: Verb) -> anyhow::Result<ExitCode> {
    let state = State::open_if_any(&master.basedir)?;
    let Some(register) = register(master, state.as_ref())? else {
        return Ok(ExitCode::from(USAGE));
    };
    match verb {
        Verb::Get { name } => {
            let person = register.get(&name);
            let person = person.ok_or_else(|| anyhow!("there is no user {name:?}"))?;
            page(person);
        }
        Verb::Lookup { vc, who } => return Ok(looked_up(&register, vc, &who)),
        Verb::Unknown => {
            let authors = state.as_ref().map(State::authors).transpose()?;
            for (who, changes) in unknown(&register, authors.unwrap_or_default()) {
                say(&printable(&format!("{changes:>6}  {who}")));
            }
        }
        Verb::List
        | Verb::Add { .. }
        | Verb::Update { .. }
        | Verb::Claim { .. }
        | Verb::Remove { .. }
        | Verb::Owners { .. }
        | Verb::Mailmap { .. }
        | Verb::Merge { .. }
        | Verb::Password { .. }
        | Verb::Token { .. }
        | Verb::Tokens { .. }
        | Verb::EndToken { .. } => {
            for person in register.iter() {
                let roles: Vec<_> = person.roles.iter().cloned().collect();
                let roles = match roles.as_slice() {
                    [] => String::new(),
                    roles => format!("  {}", commas(roles)),
                };
                say(&printable(&format!("{}{roles}", person.name)));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Says who an author of changes is. The exit code is 1 if it is nobody.
fn looked_up(register: &Register, vc: Option<AttributeKind>, who: &str) -> ExitCode {
    let found = match vc {
        Some(vc) => register.person(vc, who),
        None => register.person_in_any(who),
    };
    let address = match register.address(vc, who) {
        Some(address) => format!(", {address}"),
        None => ", no mail address".to_owned(),
    };
    let (person, by) = match found {
        Some((person, FoundBy::Identity)) => {
            (person.name.as_str(), "by the name in version control")
        }
        Some((person, FoundBy::Email)) => (person.name.as_str(), "by the mail address"),
        Some((person, FoundBy::Any)) => (person.name.as_str(), "by a name of any kind"),
        Some((person, FoundBy::Domain)) => (person.name.as_str(), "by the name and the domain"),
        None => {
            say(&printable(&format!("nobody{address}")));
            return ExitCode::FAILURE;
        }
    };
    say(&printable(&format!("{person} ({by}){address}")));
    ExitCode::SUCCESS
}

/// The authors whom nobody in the register is, whatever version control system their changes are
/// in.
fn unknown(register: &Register, authors: Vec<(String, u64)>) -> Vec<(String, u64)> {
    let mut unknown = authors;
    unknown.retain(|(who, _)| register.person_in_any(who).is_none());
    unknown
}

fn page(person: &Person) {
    say(&printable(&person.name));
    let mut facts: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for attribute in &person.attributes {
        let values = facts.entry(attribute.kind.name()).or_default();
        values.insert(&attribute.value);
    }
    if !person.roles.is_empty() {
        let roles = person.roles.iter().map(String::as_str);
        facts.insert("roles", roles.collect());
    }
    for (kind, values) in facts {
        for value in values {
            say(&printable(&format!("  {kind}: {value}")));
        }
    }
}

fn tokens(master: &Master, name: Option<&str>) -> anyhow::Result<ExitCode> {
    let state = State::open_readonly(&master.basedir)?;
    let zone = machine_zone().unwrap_or(Zone::UTC);
    let time = |at: Timestamp| local(at, zone);
    for row in state.tokens(name)? {
        let token = row.token;
        let end = match row.ended_at {
            Some(at) => format!("ended {}", time(at)),
            None => format!("good until {}", time(token.ends_at)),
        };
        let used = row.used_at.map_or("never used".to_owned(), |at| {
            format!("last used {}", time(at))
        });
        let may: Vec<_> = token.rights.may.names().collect();
        say(&printable(&format!(
            "{}  {}  {}  may {}  {end}  {used}",
            token.id,
            token.person,
            token.label,
            commas(may)
        )));
    }
    Ok(ExitCode::SUCCESS)
}
