//! How git gets the keys and passwords of a step: they are in files beside the tree while the step
//! runs, and in no command.

use bytes::Bytes;

use super::{Part, Workspace};
use crate::build::render::Values;
use crate::build::steps::shell::{Unrenderable, put_in, put_in_some};
use crate::config::{GitAccess, SshServers};
use crate::vc::git::{Version, access};

/// The directory of the files, in the directory of the builder.
const DIRECTORY: &str = ".buildbot-git";

const KEY: &str = "key";
const KNOWN_HOSTS: &str = "known_hosts";
const CREDENTIALS: &str = "credentials";

/// The files of a step.
#[derive(Default)]
pub(super) struct Access {
    key: Option<String>,
    known_hosts: Option<String>,
    credentials: Option<String>,
    use_http_path: Option<bool>,
    /// The address that a password cannot be for.
    wrong_url: Option<String>,
}

impl Access {
    pub(super) fn new(
        values: Values<'_>,
        config: &GitAccess,
        repourl: &str,
    ) -> Result<Self, Unrenderable> {
        let key = put_in_some(&config.ssh_private_key, values, "ssh_private_key")?;
        let known_hosts = match &config.ssh_servers {
            Some(SshServers::Key(key)) => {
                let key = put_in(key, values, "ssh_host_key")?;
                Some(access::known_hosts_of(&key))
            }
            Some(SshServers::Known(known)) => {
                let known = put_in(known, values, "ssh_known_hosts")?;
                Some(access::whole_lines(&known))
            }
            None => None,
        };
        let mut credentials = String::new();
        let mut wrong_url = None;
        for credential in &config.credentials {
            let url = put_in_some(&credential.url, values, "url")?;
            let url = url.unwrap_or_else(|| repourl.to_owned());
            let username = put_in(&credential.username, values, "username")?;
            let password = put_in(&credential.password, values, "password")?;
            let with_path = config.use_http_path == Some(true);
            match access::credential(&url, &username, &password, with_path) {
                Some(line) => credentials.push_str(&line),
                None => wrong_url = Some(url),
            }
        }
        Ok(Self {
            key: key.map(|key| access::whole_lines(&key)),
            known_hosts,
            credentials: (!config.credentials.is_empty()).then_some(credentials),
            use_http_path: config.use_http_path,
            wrong_url,
        })
    }

    /// What is wrong with the settings, if anything.
    pub(super) fn improper(&self) -> Option<String> {
        let url = self.wrong_url.as_ref()?;
        Some(format!(
            "{url:?} is not an address that git sends a password to"
        ))
    }

    fn files(&self) -> impl Iterator<Item = (&'static str, &String)> {
        let files = [
            (KEY, &self.key),
            (KNOWN_HOSTS, &self.known_hosts),
            (CREDENTIALS, &self.credentials),
        ];
        let given = files.into_iter();
        given.filter_map(|(name, content)| Some((name, content.as_ref()?)))
    }

    /// Why git of this version cannot use the files, if it cannot. One of unknown version is
    /// tried.
    pub(super) fn needs(&self, version: Version) -> Option<String> {
        let setting = match (&self.key, &self.known_hosts) {
            (Some(_), _) => "ssh_private_key",
            (None, Some(_)) => "ssh_host_key and ssh_known_hosts",
            (None, None) => return None,
        };
        let is_too_old = version.is_at_least(1, 0) && !version.is_at_least(2, 3);
        is_too_old.then(|| {
            format!("git {version} on this slave cannot use {setting}; it needs git 2.3 or newer")
        })
    }

    /// Writes the files, and makes the commands of git use them. `settings` are those of git.
    pub(super) async fn set_up(
        &self,
        at: &mut Workspace<'_, '_>,
        settings: &mut Vec<String>,
    ) -> Part<()> {
        if self.files().next().is_none() {
            return Ok(());
        }
        let directory = at.builder_directory().await?;
        for (name, content) in self.files() {
            let file = format!("{DIRECTORY}/{name}");
            at.write_private(&file, Bytes::from(content.clone()))
                .await?;
        }
        let path = |name: &str| format!("{directory}/{DIRECTORY}/{name}");
        let key = self.key.as_ref().map(|_| path(KEY));
        let known_hosts = self.known_hosts.as_ref().map(|_| path(KNOWN_HOSTS));
        if key.is_some() || known_hosts.is_some() {
            let command = access::ssh_command(key.as_deref(), known_hosts.as_deref());
            at.env.retain(|(name, _)| name != "GIT_SSH_COMMAND");
            at.env.push(("GIT_SSH_COMMAND".to_owned(), Some(command)));
        }
        if self.credentials.is_some() {
            let more = access::helper_settings(&path(CREDENTIALS), self.use_http_path);
            settings.extend(more);
        }
        Ok(())
    }

    /// Removes the files.
    pub(super) async fn clear(&self, at: &mut Workspace<'_, '_>) -> Part<()> {
        match self.files().next() {
            Some(_) => at.remove_above(DIRECTORY).await,
            None => Ok(()),
        }
    }
}
