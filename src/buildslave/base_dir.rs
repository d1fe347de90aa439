//! A slave's base directory: its configuration file and its `info` directory.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::settings::{DEFAULT_KEEPALIVE, DEFAULT_MAX_DELAY};
use super::{Connector, Settings};
use crate::daemonize::Rotation;
use crate::platform;

/// A base directory and its configuration.
#[derive(Clone, Debug)]
pub struct BaseDir {
    path: PathBuf,
    config: Config,
}

/// The arguments of `create-slave`.
#[derive(Clone, Debug)]
pub struct NewSlave {
    /// Directory to make.
    pub path: PathBuf,
    /// The master, `HOST[:PORT]`.
    pub master: String,
    /// The login name.
    pub name: String,
    /// The login password.
    pub password: Password,
    /// Seconds between keepalives; 0: never.
    pub keepalive_secs: u64,
    /// Longest wait between attempts to connect, in seconds.
    pub max_delay_secs: u64,
    /// Whether commands run on a pseudo terminal when their master leaves it to the slave.
    pub use_pty: bool,
    /// File mode mask, octal.
    pub umask: Option<String>,
    /// The event on which the slave asks its master for a graceful shutdown.
    pub allow_shutdown: Option<AllowShutdown>,
    /// Size in bytes at which the log file is rotated; absent: never.
    pub log_size: Option<u64>,
    /// How many old log files are kept; absent: all.
    pub log_count: Option<u32>,
    /// Whether an existing slave's configuration is replaced.
    pub force: bool,
}

/// The source of a password.
#[derive(Clone)]
pub enum Password {
    /// The password itself.
    Plain(String),
    /// In the first line of this file.
    File(PathBuf),
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Plain(_) => f.write_str("Plain(…)"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

/// The event on which the slave asks its master for a graceful shutdown.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AllowShutdown {
    /// SIGHUP.
    Signal,
    /// A change of the file `shutdown.stamp`.
    File,
}

/// Why a base directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BaseDirError {
    /// The directory already has a slave.
    #[error("{0} already has a slave; --force replaces its configuration")]
    Exists(PathBuf),
    /// The directory is not the base directory of a slave.
    #[error(
        "{0} is not a slave's base directory: it has no {CONFIG_FILE} (`buildslave create-slave` makes one)"
    )]
    NotASlave(PathBuf),
    /// The configuration file is invalid.
    #[error("{path}: {text}")]
    Config {
        /// The file.
        path: PathBuf,
        /// The mistake and its place, for people.
        text: String,
    },
    /// A file cannot be read or written.
    #[error("cannot {what} {path}")]
    File {
        /// The attempted action, as a verb.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The error of the system.
        #[source]
        source: io::Error,
    },
}

impl BaseDir {
    /// Creates a base directory and its files. Existing files of the `info` directory are kept.
    ///
    /// # Errors
    /// The directory already has a slave, an argument is invalid, or a file cannot be written.
    pub fn create(new: NewSlave) -> Result<Self, BaseDirError> {
        let dir = new.path;
        let file = dir.join(CONFIG_FILE);
        if file.exists() && !new.force {
            return Err(BaseDirError::Exists(dir));
        }
        let (password, password_file) = match new.password {
            Password::Plain(password) => (Some(password), None),
            Password::File(file) => (None, Some(file)),
        };
        let config = Config {
            name: new.name,
            password,
            password_file,
            master: new.master,
            keepalive: new.keepalive_secs,
            max_delay: new.max_delay_secs,
            use_pty: new.use_pty,
            umask: new.umask,
            allow_shutdown: new.allow_shutdown,
            log_size: new.log_size,
            log_count: new.log_count,
        };
        config.check(&file)?;
        let base = Self { path: dir, config };
        let info = base.path.join("info");
        fs::create_dir_all(&info).map_err(|e| file_error("make", &info, e))?;
        base.write_config(&file)?;
        let machine = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let admin = "Your Name Here <admin@youraddress.invalid>\n".to_owned();
        let host = format!("{}: please describe this machine here\n", machine.trim());
        for (name, text) in [("admin", admin), ("host", host)] {
            let path = info.join(name);
            if !path.exists() {
                fs::write(&path, text).map_err(|e| file_error("write", &path, e))?;
            }
        }
        Ok(base)
    }

    /// Reads the configuration of the slave at `path`.
    ///
    /// # Errors
    /// The directory is not the base directory of a slave, or its configuration is invalid.
    pub fn open(path: &Path) -> Result<Self, BaseDirError> {
        let dir = platform::real_path(path).map_err(|e| file_error("open", path, e))?;
        let file = dir.join(CONFIG_FILE);
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(BaseDirError::NotASlave(dir));
            }
            Err(error) => return Err(file_error("read", &file, error)),
        };
        let config: Config = toml::from_str(&text).map_err(|error| BaseDirError::Config {
            path: file.clone(),
            text: error.to_string(),
        })?;
        config.check(&file)?;
        Ok(Self { path: dir, config })
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The pid file of a running slave.
    #[must_use]
    pub fn pid_file(&self) -> PathBuf {
        self.path.join("buildslave.pid")
    }

    /// The log file.
    #[must_use]
    pub fn log_file(&self) -> PathBuf {
        self.path.join("buildslave.log")
    }

    /// The file whose change requests a graceful shutdown, if `allow_shutdown` is `file`.
    #[must_use]
    pub fn shutdown_stamp(&self) -> PathBuf {
        self.path.join("shutdown.stamp")
    }

    /// The file that asks a running slave to end, on systems without signals.
    #[must_use]
    pub fn stop_request(&self) -> PathBuf {
        self.path.join("buildslave.stop")
    }

    /// When the log file is rotated.
    #[must_use]
    pub fn rotation(&self) -> Rotation {
        Rotation {
            size_bytes: self.config.log_size,
            keep: self.config.log_count,
        }
    }

    /// What asks for a graceful end.
    #[must_use]
    pub fn allow_shutdown(&self) -> Option<AllowShutdown> {
        self.config.allow_shutdown
    }

    /// The file mode mask, if one is set.
    #[must_use]
    pub fn umask(&self) -> Option<u32> {
        let octal = self.config.umask.as_deref()?;
        u32::from_str_radix(octal, 8).ok()
    }

    /// The address of the master.
    #[must_use]
    pub fn connector(&self) -> Connector {
        let (host, port) = host_and_port(&self.config.master).unwrap_or(("", DEFAULT_PORT));
        Connector::Tcp {
            host: host.to_owned(),
            port,
        }
    }

    /// The slave's settings.
    ///
    /// # Errors
    /// The password file cannot be read.
    pub fn settings(&self) -> Result<Settings, BaseDirError> {
        let password = match (&self.config.password, &self.config.password_file) {
            (Some(password), _) => password.clone(),
            (None, file) => {
                let file = self.path.join(file.as_deref().unwrap_or(Path::new("")));
                let text = fs::read_to_string(&file).map_err(|e| file_error("read", &file, e))?;
                text.lines().next().unwrap_or_default().to_owned()
            }
        };
        let keepalive = Duration::from_secs(self.config.keepalive);
        Ok(Settings {
            keepalive: (!keepalive.is_zero()).then_some(keepalive),
            max_delay: Duration::from_secs(self.config.max_delay),
            use_pty: self.config.use_pty,
            ..Settings::new(&self.config.name, password, &self.path)
        })
    }

    /// Writes the configuration atomically, readable by its owner only.
    fn write_config(&self, file: &Path) -> Result<(), BaseDirError> {
        let text = toml::to_string(&self.config).map_err(|error| BaseDirError::Config {
            path: file.to_owned(),
            text: error.to_string(),
        })?;
        let text = format!("# A slave of a buildmaster or of a Buildbot.\n{text}");
        let new = file.with_extension("toml.new");
        let write = || {
            // A file left by a crash could be readable by others.
            match fs::remove_file(&new) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut options = fs::OpenOptions::new();
            options.write(true).create_new(true);
            let mut out = platform::with_mode(&mut options, 0o600).open(&new)?;
            out.write_all(text.as_bytes())?;
            out.sync_all()?;
            fs::rename(&new, file)
        };
        write().map_err(|e| file_error("write", file, e))
    }
}

/// `buildslave.toml`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// `HOST[:PORT]`.
    master: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    /// A file with the password in its first line, relative to the base directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    password_file: Option<PathBuf>,
    /// Seconds; 0: never.
    #[serde(default = "default_keepalive")]
    keepalive: u64,
    /// Seconds.
    #[serde(default = "default_max_delay")]
    max_delay: u64,
    #[serde(default)]
    use_pty: bool,
    /// Octal.
    #[serde(skip_serializing_if = "Option::is_none")]
    umask: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allow_shutdown: Option<AllowShutdown>,
    /// Bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    log_size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_count: Option<u32>,
}

impl Config {
    fn check(&self, file: &Path) -> Result<(), BaseDirError> {
        let wrong = |text: &str| {
            Err(BaseDirError::Config {
                path: file.to_owned(),
                text: text.to_owned(),
            })
        };
        if host_and_port(&self.master).is_none() {
            return wrong("master must be HOST or HOST:PORT, with a port from 1 to 65535");
        }
        if self.name.is_empty() {
            return wrong("name must not be empty");
        }
        if self.password.is_some() == self.password_file.is_some() {
            return wrong("exactly one of password and password_file must be given");
        }
        if self.max_delay == 0 {
            return wrong("max_delay must be at least one second");
        }
        let is_mask = |mask: &String| u32::from_str_radix(mask, 8).is_ok_and(|mask| mask <= 0o777);
        if self.umask.as_ref().is_some_and(|mask| !is_mask(mask)) {
            return wrong("umask must be an octal number such as \"022\"");
        }
        if self.use_pty && !platform::HAS_TERMINALS {
            return wrong(&format!(
                "use_pty must be false: {}",
                platform::NO_TERMINALS
            ));
        }
        Ok(())
    }
}

/// Parts of `HOST`, `HOST:PORT` or `[ADDRESS]:PORT`.
fn host_and_port(master: &str) -> Option<(&str, u16)> {
    let (host, port) = match master.rsplit_once(':') {
        Some((host, _)) if host.contains(':') && !host.ends_with(']') => (master, DEFAULT_PORT),
        Some((host, port)) => (host, port.parse().ok().filter(|port| *port > 0)?),
        None => (master, DEFAULT_PORT),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    (!host.is_empty()).then_some((host, port))
}

fn file_error(what: &'static str, path: &Path, source: io::Error) -> BaseDirError {
    BaseDirError::File {
        what,
        path: path.to_owned(),
        source,
    }
}

fn default_keepalive() -> u64 {
    DEFAULT_KEEPALIVE.as_secs()
}

fn default_max_delay() -> u64 {
    DEFAULT_MAX_DELAY.as_secs()
}

const CONFIG_FILE: &str = "buildslave.toml";
/// The port used by Buildbot's documentation.
const DEFAULT_PORT: u16 = 9989;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn new_slave(path: &Path) -> NewSlave {
        NewSlave {
            path: path.to_owned(),
            master: "ci.example.com:9000".to_owned(),
            name: "s1".to_owned(),
            password: Password::Plain("geheim \"x\"".to_owned()),
            keepalive_secs: 600,
            max_delay_secs: 300,
            use_pty: false,
            umask: Some("022".to_owned()),
            allow_shutdown: Some(AllowShutdown::File),
            log_size: Some(10_000_000),
            log_count: None,
            force: false,
        }
    }

    #[test]
    fn what_is_created_can_be_opened() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        BaseDir::create(new_slave(&path)).unwrap();
        let base = BaseDir::open(&path).unwrap();
        let settings = base.settings().unwrap();
        assert_eq!(settings.name, "s1");
        assert_eq!(settings.password, "geheim \"x\"");
        assert_eq!(settings.keepalive, Some(Duration::from_secs(600)));
        assert_eq!(base.umask(), Some(0o022));
        assert_eq!(base.allow_shutdown(), Some(AllowShutdown::File));
        assert!(matches!(
            base.connector(),
            Connector::Tcp { host, port: 9000 } if host == "ci.example.com"
        ));
        let mode = fs::metadata(path.join(CONFIG_FILE)).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
        assert!(path.join("info/admin").exists() && path.join("info/host").exists());
    }

    #[test]
    fn an_existing_slave_is_replaced_only_by_force() {
        let dir = tempfile::tempdir().unwrap();
        BaseDir::create(new_slave(dir.path())).unwrap();
        fs::write(dir.path().join("info/admin"), "me\n").unwrap();
        let mut again = new_slave(dir.path());
        again.name = "s2".to_owned();
        let refused = BaseDir::create(again.clone());
        assert!(matches!(refused, Err(BaseDirError::Exists(_))));
        again.force = true;
        BaseDir::create(again).unwrap();
        let settings = BaseDir::open(dir.path()).unwrap().settings().unwrap();
        assert_eq!(settings.name, "s2");
        let admin = fs::read_to_string(dir.path().join("info/admin")).unwrap();
        assert_eq!(admin, "me\n");
    }

    #[test]
    fn a_password_can_be_in_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let mut new = new_slave(dir.path());
        new.password = Password::File("secret".into());
        let base = BaseDir::create(new).unwrap();
        assert!(base.settings().is_err());
        fs::write(dir.path().join("secret"), "from file\nmore\n").unwrap();
        assert_eq!(base.settings().unwrap().password, "from file");
    }

    #[test]
    fn masters_are_read_with_and_without_port() {
        assert_eq!(host_and_port("a"), Some(("a", 9989)));
        assert_eq!(host_and_port("a:1"), Some(("a", 1)));
        assert_eq!(host_and_port("[::1]:2"), Some(("::1", 2)));
        assert_eq!(host_and_port("::1"), Some(("::1", 9989)));
        for wrong in ["", ":1", "a:0", "a:65536", "a:x"] {
            assert_eq!(host_and_port(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn mistakes_in_the_file_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let check = |text: &str, expect: &str| {
            fs::write(dir.path().join(CONFIG_FILE), text).unwrap();
            let error = BaseDir::open(dir.path()).unwrap_err().to_string();
            assert!(error.contains(expect), "{error}");
        };
        check("master = \"a\"\nname = \"s\"\n", "exactly one of password");
        check(
            "master = \"a\"\nname = \"s\"\npassword = \"p\"\nkeepalife = 1\n",
            "keepalife",
        );
    }
}
