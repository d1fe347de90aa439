//! How programs of version control systems are told to use ssh (POL-09).

use std::path::{Path, PathBuf};

use super::tool::PollError;
use crate::config::SshAccess;
use crate::vc::git::access::{known_hosts_of, ssh_command};

/// The command line of ssh, for a shell. The file of the key of a server, if the settings have the
/// key itself, is `known_hosts`.
///
/// # Errors
/// The file cannot be written.
pub(in crate::changes) fn ssh(access: &SshAccess, known_hosts: &Path) -> Result<String, PollError> {
    let path = |path: &PathBuf| {
        let path = std::path::absolute(path).ok()?;
        Some(path.to_string_lossy().into_owned())
    };
    let key = access.ssh_private_key_file.as_ref().and_then(path);
    let mut servers = access.ssh_known_hosts_file.as_ref().and_then(path);
    if let Some(host_key) = &access.ssh_host_key {
        let wrong = |error| {
            let file = known_hosts.display();
            PollError::new(format!("cannot write {file}: {error}"))
        };
        if let Some(dir) = known_hosts.parent() {
            std::fs::create_dir_all(dir).map_err(wrong)?;
        }
        std::fs::write(known_hosts, known_hosts_of(host_key)).map_err(wrong)?;
        servers = path(&known_hosts.to_owned());
    }
    let mut ssh = ssh_command(key.as_deref(), servers.as_deref());
    if access.ssh_accept_new {
        ssh = ssh.replace(
            "StrictHostKeyChecking=yes",
            "StrictHostKeyChecking=accept-new",
        );
        if servers.is_none() {
            ssh.push_str(" -o StrictHostKeyChecking=accept-new");
        }
    }
    Ok(ssh)
}
