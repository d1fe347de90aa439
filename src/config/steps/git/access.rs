//! The settings by which git gets access to repositories.

use serde::Serialize;

use crate::config::reader::{Table, Value};
use crate::config::shape::Shape;
use crate::config::steps::source::{secretly, secretly_one};
use crate::config::template::Template;

/// How git gets access to repositories. What is secret is in files on the slave while the step
/// runs, and in no command.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct GitAccess {
    /// Port of an address like `git@host:path`; absent: the usual one.
    pub port: Option<u16>,
    /// Private key for ssh.
    #[serde(serialize_with = "secretly")]
    pub ssh_private_key: Option<Template>,
    /// The servers that ssh trusts; absent: those that the slave's user knows.
    pub ssh_servers: Option<SshServers>,
    /// Passwords for addresses with `http`.
    pub credentials: Vec<GitCredential>,
    /// Whether a password is for one repository, not for all of its server; absent: what git on
    /// the slave is set to.
    pub use_http_path: Option<bool>,
}

/// The servers that ssh trusts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum SshServers {
    /// Every server with this key.
    Key(Template),
    /// Those of a file of known hosts with this content.
    Known(Template),
}

/// A user and a password.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GitCredential {
    /// Address they are for; absent: the address of the step's repository.
    pub url: Option<Template>,
    /// User.
    pub username: Template,
    /// Password of the user.
    #[serde(serialize_with = "secretly_one")]
    pub password: Template,
}

/// The keys of [`GitAccess`].
pub(in crate::config::steps) const KEYS: &[&str] = &[
    "port",
    "ssh_private_key",
    "ssh_host_key",
    "ssh_known_hosts",
    "auth_credentials",
    "git_credentials",
];

pub(in crate::config) static CREDENTIALS: Shape = Shape {
    place: "steps.git_credentials",
    noun: "`git_credentials`",
    keys: &["credentials", "use_http_path"],
    kinds: Vec::new,
};

pub(in crate::config) static CREDENTIAL: Shape = Shape {
    place: "steps.git_credentials.credentials",
    noun: "this credential",
    keys: &["url", "username", "password"],
    kinds: Vec::new,
};

impl GitAccess {
    /// Reads the settings.
    pub(super) fn read(&mut self, table: &mut Table<'_>) {
        table.set_some("port", &mut self.port, |v| v.integer(1..=u16::MAX));
        let key = &mut self.ssh_private_key;
        table.set_some("ssh_private_key", key, Value::secret_template);
        let known = table.take("ssh_known_hosts");
        if let Some(key) = table.take("ssh_host_key") {
            self.ssh_servers = key.template().map(SshServers::Key);
            if known.is_some() {
                let help = "remove one of the two";
                key.error("cannot be used with `ssh_known_hosts`", help);
            }
        }
        if let Some(known) = known {
            self.ssh_servers = known.secret_template().map(SshServers::Known);
        }
        if let Some(own) = table.take("auth_credentials") {
            self.credentials.extend(read_own(&own));
        }
        if let Some(value) = table.take("git_credentials") {
            self.read_credentials(&value);
        }
    }

    fn read_credentials(&mut self, value: &Value<'_>) {
        let Some(mut table) = value.table(&CREDENTIALS) else {
            return;
        };
        let credentials = table.require("credentials", "[{ url = \"https://host\", … }]");
        for entry in credentials.and_then(|v| v.list()).unwrap_or_default() {
            self.credentials.extend(read_credential(&entry));
        }
        table.set_some("use_http_path", &mut self.use_http_path, Value::flag);
        table.finish();
    }
}

/// A user and a password for the address of the step.
fn read_own(value: &Value<'_>) -> Option<GitCredential> {
    let entries = value.list()?;
    let [username, password] = entries.as_slice() else {
        let help = "write `[\"USER\", { secret_file = \"FILE\" }]`";
        return value.expected("a user and a password", help);
    };
    Some(GitCredential {
        url: None,
        username: username.template()?,
        password: password.secret_template()?,
    })
}

fn read_credential(value: &Value<'_>) -> Option<GitCredential> {
    let mut table = value.table(&CREDENTIAL)?;
    let url = table.require("url", "\"https://example.org\"");
    let username = table.require("username", "\"bot\"");
    let password = table.require("password", "{ secret_file = \"FILE\" }");
    table.finish();
    Some(GitCredential {
        url: Some(url?.template()?),
        username: username?.template()?,
        password: password?.secret_template()?,
    })
}
