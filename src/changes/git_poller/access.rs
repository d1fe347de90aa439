//! How git is given keys and passwords (POL-09): never in arguments, addresses or the mirror's
//! settings.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;

use crate::changes::polling::{PollError, Tool, ssh};
use crate::config::GitPollerConfig;
use crate::control::read_password;

/// Prepares a program that talks to the server of `config`, whose mirror is at `mirror`.
///
/// # Errors
/// The password cannot be read, or the key of the server cannot be written.
pub(super) fn prepare(
    tool: &mut Tool,
    config: &GitPollerConfig,
    mirror: &Path,
) -> Result<(), PollError> {
    let ssh = ssh(&config.ssh, &mirror.with_extension("known_hosts"))?;
    tool.set("GIT_SSH_COMMAND", ssh);
    tool.set("SSH_ASKPASS_REQUIRE", "never");
    let mut settings = Vec::new();
    if let (Some(user), Some(secret)) = (&config.login.username, &config.login.password) {
        let password = read_password(secret, Path::new(".")).map_err(PollError::new)?;
        tool.set("BUILDMASTER_GIT_USER", user);
        tool.set("BUILDMASTER_GIT_PASSWORD", OsString::from_vec(password));
        // Only the configured server is given the password.
        let server = server(&config.repourl);
        settings.push((format!("credential.{server}.helper"), String::new()));
        settings.push((format!("credential.{server}.helper"), HELPER.to_owned()));
    }
    tool.set("GIT_CONFIG_COUNT", settings.len().to_string());
    for (index, (key, value)) in settings.into_iter().enumerate() {
        tool.set(&format!("GIT_CONFIG_KEY_{index}"), key);
        tool.set(&format!("GIT_CONFIG_VALUE_{index}"), value);
    }
    Ok(())
}

/// The address of the server: scheme, host and port.
fn server(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let host = rest.split('/').next().unwrap_or_default();
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    format!("{scheme}://{host}")
}

/// Answers git's question for a user and a password. Both are in the environment.
const HELPER: &str = "!f() { test \"$1\" = get || exit 0; \
    printf 'username=%s\\npassword=%s\\n' \"$BUILDMASTER_GIT_USER\" \"$BUILDMASTER_GIT_PASSWORD\"; }; f";
