//! How a repository is accessed, and the code host that it is on.

use std::path::PathBuf;

use serde::Serialize;

use crate::config::needs::Needed;
use crate::config::reader::{Table, Value};
use crate::config::secret::Secret;
use crate::config::shape::Shape;

/// A code host.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CodeHost {
    /// What it is: one of `KINDS`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Address of its API; absent: the one that follows from the address of the repository.
    pub api: Option<String>,
    /// The token for its API.
    pub token: Option<Secret>,
}

/// How a repository is accessed.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RepositoryCredentials {
    /// Private key for ssh, a file relative to the base directory.
    pub ssh_key_file: Option<PathBuf>,
    /// The servers that ssh trusts, a file of known hosts relative to the base directory.
    pub ssh_known_hosts_file: Option<PathBuf>,
    /// The key of the server, in the form of a file of known hosts without the name.
    pub ssh_host_key: Option<String>,
    /// Whether the key of a server that is not known yet is trusted from then on: false.
    pub accept_new_host_keys: bool,
    /// User for https.
    pub user: Option<String>,
    /// Password of the user.
    pub password: Option<Secret>,
}

/// The kinds of code host.
const KINDS: [&str; 8] = [
    "github",
    "gitlab",
    "gitea",
    "forgejo",
    "gogs",
    "bitbucketcloud",
    "bitbucketserver",
    "gerrit",
];

pub(in crate::config) static HOST: Shape = Shape {
    place: "repositories.host",
    noun: "host",
    keys: &["type", "api", "token_file", "token_env"],
    kinds: Vec::new,
};

pub(in crate::config) static CREDENTIALS: Shape = Shape {
    place: "repositories.credentials",
    noun: "credentials",
    keys: &[
        "ssh_key_file",
        "ssh_known_hosts_file",
        "ssh_host_key",
        "accept_new_host_keys",
        "user",
        "password",
        "password_file",
        "password_env",
    ],
    kinds: Vec::new,
};

impl CodeHost {
    pub(super) fn read(value: &Value<'_>) -> Option<Self> {
        let mut table = value.table(&HOST)?;
        let kind = table.require("type", "\"gitea\"");
        let mut api = None;
        table.set_some("api", &mut api, |v| v.name().map(str::to_owned));
        let token = read_token(&mut table);
        table.finish();
        Some(Self {
            kind: kind?.one_of(&KINDS)?,
            api,
            token,
        })
    }
}

fn read_token(table: &mut Table<'_>) -> Option<Secret> {
    let (file, env) = (table.take("token_file"), table.take("token_env"));
    if let (Some(file), Some(env)) = (&file, &env) {
        env.sink.clash(
            (env.key_span.clone(), file.key_span.clone()),
            format!("{} has two tokens", table.label),
            "here is the other",
            "keep one of the two",
        );
    }
    let (value, secret) = match (file, env) {
        (Some(file), _) => {
            let secret = Secret::File(PathBuf::from(file.name()?));
            (file, secret)
        }
        (None, Some(env)) => {
            let secret = Secret::Env(env.name()?.to_owned());
            (env, secret)
        }
        (None, None) => return None,
    };
    value.needs(Needed::Password {
        secret: secret.clone(),
        may_be_hash: false,
    });
    Some(secret)
}

impl RepositoryCredentials {
    pub(super) fn read(value: &Value<'_>) -> Option<Self> {
        let mut table = value.table(&CREDENTIALS)?;
        let mut read = Self::default();
        for (key, file) in [
            ("ssh_key_file", &mut read.ssh_key_file),
            ("ssh_known_hosts_file", &mut read.ssh_known_hosts_file),
        ] {
            table.set_some(key, file, |v| v.name().map(PathBuf::from));
        }
        let host_key = &mut read.ssh_host_key;
        table.set_some("ssh_host_key", host_key, |v| v.name().map(str::to_owned));
        let accept = &mut read.accept_new_host_keys;
        table.set("accept_new_host_keys", accept, Value::flag);
        table.set_some("user", &mut read.user, |v| v.name().map(str::to_owned));
        let has_password = ["password", "password_file", "password_env"];
        if read.user.is_some() || has_password.iter().any(|key| table.place(key).is_some()) {
            read.password = table.password(false);
        }
        if let (None, Some(_)) = (&read.user, &read.password) {
            let message = format!("{} have a password and no user", table.label);
            table
                .sink
                .missing(table.span.clone(), message, "add `user = \"…\"`");
        }
        if let (Some(_), Some(place)) = (&read.ssh_host_key, table.place("ssh_known_hosts_file")) {
            let message = "`ssh_known_hosts_file` cannot be used with `ssh_host_key`".to_owned();
            table.sink.error(place, message, "remove one of the two");
        }
        table.finish();
        Some(read)
    }
}
