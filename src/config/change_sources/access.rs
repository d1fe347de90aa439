//! How pollers get access to a server (POL-09): by a login, or by ssh. What a poller does not say
//! is that of its repository in the register.

use std::path::PathBuf;

use serde::Serialize;

use crate::config::passwords;
use crate::config::reader::{Table, Value};
use crate::config::repositories::RepositoryConfig;
use crate::config::secret::Secret;

/// A user with or without a password.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LoginAccess {
    /// User.
    pub username: Option<String>,
    /// Password of the user.
    pub password: Option<Secret>,
}

/// How ssh logs in, and whom it trusts.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SshAccess {
    /// File with the private key.
    pub ssh_private_key_file: Option<PathBuf>,
    /// File with the servers that ssh trusts; absent: those that the user of the master knows.
    pub ssh_known_hosts_file: Option<PathBuf>,
    /// Key of the server, in the form of a file of known hosts without the name.
    pub ssh_host_key: Option<String>,
    /// Whether ssh trusts a server that it does not know yet.
    pub ssh_accept_new: bool,
}

/// The keys of [`LoginAccess`].
pub(super) const LOGIN_KEYS: &[&str] = &["username", "password", "password_file", "password_env"];

/// The keys of [`SshAccess`].
pub(super) const SSH_KEYS: &[&str] = &[
    "ssh_private_key_file",
    "ssh_known_hosts_file",
    "ssh_host_key",
    "ssh_accept_new",
];

impl LoginAccess {
    /// Takes what the table has, and the rest from the repository.
    pub(super) fn read(&mut self, table: &mut Table<'_>, known: Option<&RepositoryConfig>) {
        let user = table.take("username");
        let has_password = passwords::KEYS.iter().any(|key| table.place(key).is_some());
        if has_password {
            self.password = table.password(false);
        }
        if let (None, Some(_)) = (&user, &self.password) {
            let message = format!("{} has a password and no user", table.label);
            table
                .sink
                .missing(table.span.clone(), message, "add `username = \"…\"`");
        }
        self.username = user.as_ref().and_then(|v| v.name().map(str::to_owned));
        if let (None, false, Some(known)) = (&user, has_password, known) {
            self.username.clone_from(&known.credentials.user);
            self.password.clone_from(&known.credentials.password);
        }
    }
}

impl SshAccess {
    /// Takes what the table has, and the rest from the repository.
    pub(super) fn read(&mut self, table: &mut Table<'_>, known: Option<&RepositoryConfig>) {
        if let Some(credentials) = known.map(|known| &known.credentials) {
            self.ssh_private_key_file
                .clone_from(&credentials.ssh_key_file);
            self.ssh_accept_new = credentials.accept_new_host_keys;
            let is_own = |key: &&str| table.place(key).is_some();
            if !["ssh_known_hosts_file", "ssh_host_key"].iter().any(is_own) {
                self.ssh_known_hosts_file
                    .clone_from(&credentials.ssh_known_hosts_file);
                self.ssh_host_key.clone_from(&credentials.ssh_host_key);
            }
        }
        let path = |v: &Value<'_>| v.name().map(PathBuf::from);
        table.set_some("ssh_private_key_file", &mut self.ssh_private_key_file, path);
        table.set_some("ssh_known_hosts_file", &mut self.ssh_known_hosts_file, path);
        let host_key = table.take("ssh_host_key");
        if let Some(key) = &host_key {
            self.ssh_host_key = key.name().map(str::to_owned);
            if self.ssh_known_hosts_file.is_some() {
                let help = "remove one of the two";
                key.error("cannot be used with `ssh_known_hosts_file`", help);
            }
        }
        table.set("ssh_accept_new", &mut self.ssh_accept_new, Value::flag);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use crate::config::{ChangeSourceKind, GitPollerConfig, parse};
    use crate::model::Zone;

    const REGISTER: &str = r#"
[[repositories]]
name = "widget"
urls = ["git@h:widget.git", "https://h/widget"]
vc = "git"
default_branch = "main"
credentials = { user = "bot", password_env = "PW", ssh_key_file = "key", ssh_host_key = "k" }
[[repositories]]
name = "pages"
urls = { regex = "https://h/.*" }
[[repositories]]
name = "trunk"
urls = "https://h/trunk"
credentials = { user = "bot", password_env = "PW" }
"#;

    fn git(lines: &str) -> GitPollerConfig {
        let text = format!("{REGISTER}[[change_sources]]\ntype = \"GitPoller\"\n{lines}\n");
        let (mut config, _) = parse(&text, "master.toml", &Ok(Zone::UTC)).unwrap();
        let source = config.change_sources.remove(0);
        let ChangeSourceKind::Git(git) = source.kind else {
            panic!("{source:?}");
        };
        *git
    }

    #[test]
    fn grd_05_a_poller_has_what_the_register_says_of_its_repository() {
        let poller = git("repository = \"widget\"");
        assert_eq!(poller.repourl, "git@h:widget.git");
        assert_eq!(poller.poller.repository_at(&poller.repourl), "widget");
        assert!(poller.branches.selects("main") && !poller.branches.selects("rel"));
        assert_eq!(poller.login.username.as_deref(), Some("bot"));
        assert!(poller.login.password.is_some());
        assert_eq!(
            poller.ssh.ssh_private_key_file.as_deref(),
            Some("key".as_ref())
        );
        assert_eq!(poller.ssh.ssh_host_key.as_deref(), Some("k"));
    }

    #[test]
    fn grd_05_what_a_poller_says_itself_counts() {
        let own = "repository = \"widget\"\nrepourl = \"https://h/widget\"\nusername = \"me\"\n\
                   ssh_known_hosts_file = \"servers\"\nbranches = []";
        let poller = git(own);
        assert_eq!(poller.repourl, "https://h/widget");
        assert!(poller.branches.selects("rel"));
        assert_eq!(poller.login.username.as_deref(), Some("me"));
        assert_eq!(poller.login.password, None);
        assert_eq!(poller.ssh.ssh_host_key, None);
        let alone = git("repourl = \"https://h/other\"");
        assert_eq!(
            alone.poller.repository_at(&alone.repourl),
            "https://h/other"
        );
        assert!(alone.branches.selects("rel") && alone.login.username.is_none());
    }

    #[test]
    fn grd_05_mistakes_about_the_register_are_named() {
        let sources = r#"[[change_sources]]
type = "GitPoller"
repository = "wigdet"
[[change_sources]]
type = "HgPoller"
repository = "widget"
[[change_sources]]
type = "GitPoller"
repository = "pages"
[[change_sources]]
type = "BzrPoller"
repository = "trunk"
"#;
        let text = format!("{REGISTER}{sources}");
        let errors = parse(&text, "master.toml", &Ok(Zone::UTC)).unwrap_err();
        let shown = errors.errors.iter().map(|error| {
            let help = error.help.as_deref().unwrap_or_default();
            format!("{} ({help})", error.message)
        });
        insta::assert_snapshot!(shown.collect::<Vec<_>>().join("\n"), @r#"
        `repository` of change source is not the name of a repository (did you mean `widget`?)
        `repository` of change source is a repository of git, and this source polls hg (write the name of another repository)
        change source needs `repourl` (add `repourl = "https://example.org/project.git"`)
        change source cannot use the password of the repository `trunk` (write it in the master's authentication.conf, and remove it there)
        "#);
    }
}
