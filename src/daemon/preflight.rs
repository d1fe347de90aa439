//! Checks what a configuration needs outside its file, before a master starts or reconfigures.
//!
//! `checkconfig`, `start`, `restart` and a reconfigure all run these checks, so their answers
//! agree. All problems are reported at once, each with its place in the file and the remedy. The
//! checks change nothing: they create no file and accept no connection.

use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Access, access};

use super::doors::present;
use super::exposure::{exposed_in, is_in_base_directory};
use super::passwords;
use crate::changes::try_jobdir::{JobdirWatcher, MaildirError};
use crate::config::{Class, ConfigError, Listen, Need, Needed, Places, Reading, Secret};
use crate::net::listen::probe;
use crate::pb::hashed::Hashed;
use crate::status::outbox::check_template;
use crate::store::{State, Store, StoreError};

/// Where a master is to run, and the resources that a running master already holds.
#[derive(Clone, Debug)]
pub struct Site<'a> {
    /// The base directory.
    pub basedir: &'a Path,
    /// The resources of the master that is running in the base directory.
    pub holds: Holds,
}

/// The resources that a running master holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Holds {
    /// Nothing: no master is running.
    Nothing,
    /// The state and these addresses.
    Ports(Vec<Listen>),
    /// The state and unknown addresses.
    Unknown,
}

/// Checks everything that `reading` needs at `site`, and adds the problems to `reading`.
pub fn check(reading: &mut Reading, site: &Site<'_>) {
    let mut preflight = Preflight {
        site,
        places: Arc::clone(&reading.problems.places),
        errors: Vec::new(),
        warnings: Vec::new(),
        ports: BTreeSet::new(),
        programs: BTreeSet::new(),
    };
    for need in &reading.needs {
        preflight.check_need(need);
    }
    if site.holds == Holds::Nothing {
        preflight.check_basedir();
    }
    let is_in_place = is_in_base_directory(Path::new(&reading.problems.file));
    if let Some(config) = reading.config.as_ref().filter(|_| is_in_place) {
        let exposed = exposed_in(site.basedir, config);
        let exposed = exposed.into_iter().map(|message| of_basedir(message, ""));
        preflight.warnings.extend(exposed);
    }
    reading.problems.add(preflight.errors, preflight.warnings);
}

struct Preflight<'a> {
    site: &'a Site<'a>,
    places: Arc<Places>,
    errors: Vec<ConfigError>,
    warnings: Vec<ConfigError>,
    /// Addresses that have been reported.
    ports: BTreeSet<String>,
    /// Programs that have been reported, with the features that need them.
    programs: BTreeSet<(String, String)>,
}

impl Preflight<'_> {
    fn check_need(&mut self, need: &Need) {
        let Need { owner, what, span } = need;
        match what {
            Needed::Password {
                secret,
                may_be_hash,
            } => self.check_password(owner, secret, *may_be_hash, span),
            Needed::Secret(secret) => self.check_secret(owner, secret, span),
            Needed::PasswordFile(path) => {
                let path = self.site.basedir.join(path);
                if let Err(error) = std::fs::File::open(&path) {
                    let path = path.display();
                    let message = format!("{owner}: cannot read {path}: {error}");
                    let help = format!("make it with `htpasswd -Bc {path} USER`");
                    let warning = self.problem(span, message, help);
                    self.warnings.push(warning);
                }
            }
            Needed::Template(name) => {
                if let Err(why) = check_template(self.site.basedir, name) {
                    let message = format!("{owner}: the template `{name}` cannot be used: {why}");
                    let help = "mend it; until then, mails have the master's own text".to_owned();
                    let warning = self.problem(span, message, help);
                    self.warnings.push(warning);
                }
            }
            Needed::Ports(ports) => self.check_ports(ports, span),
            Needed::Jobdir(jobdir) => {
                if let Err(error) = JobdirWatcher::check(jobdir, self.site.basedir) {
                    let text = error.to_string();
                    let (what, remedy) = text.split_once("; ").unwrap_or((&text, ""));
                    let help = match &error {
                        MaildirError::Missing(path) => {
                            let path = path.display();
                            format!("create it: mkdir -p {path}/tmp {path}/new {path}/cur")
                        }
                        MaildirError::NotAllowed(_) => {
                            "make it readable and writable for the master's user (chown, chmod)"
                                .to_owned()
                        }
                        MaildirError::NoDirectory(_)
                        | MaildirError::Link(_)
                        | MaildirError::InUse(_)
                        | MaildirError::Io { .. } => remedy.to_owned(),
                    };
                    let message = format!("{owner} cannot be used: {what}");
                    self.error(span, message, help);
                }
            }
            Needed::Program {
                program,
                otherwise,
                help,
            } => {
                let complaint = (program.clone(), otherwise.clone());
                if !is_there(self.site.basedir, program) && self.programs.insert(complaint) {
                    let message = format!("the program {program} does not exist: {otherwise}");
                    let warning = self.problem(span, message, help.clone());
                    self.warnings.push(warning);
                }
            }
        }
    }

    fn check_password(
        &mut self,
        owner: &str,
        secret: &Secret,
        may_be_hash: bool,
        span: &Range<usize>,
    ) {
        let password = match passwords::read(secret, self.site.basedir) {
            Ok(password) => password,
            Err(error) => {
                let help = match secret {
                    Secret::Inline(_) => "write the password".to_owned(),
                    Secret::File(path) => format!(
                        "write the password to {}, readable by the master's user alone",
                        self.site.basedir.join(path).display()
                    ),
                    Secret::Env(name) => format!(
                        "set the variable (`export {name}=…` before `buildmaster start`), or use `password_file`"
                    ),
                };
                return self.error(span, format!("{owner} has no password: {error:#}"), help);
            }
        };
        if may_be_hash && Hashed::looks_like(&password) {
            let text = String::from_utf8_lossy(&password);
            if let Err(bad) = Hashed::parse(&text) {
                let message = format!("{owner} has an invalid password hash: {bad}");
                let help = "create a hash with `buildmaster hash-password`";
                self.error(span, message, help.to_owned());
            }
        }
    }

    fn check_secret(&mut self, owner: &str, secret: &Secret, span: &Range<usize>) {
        let (missing, help) = match secret {
            Secret::Inline(_) => return,
            Secret::File(path) => {
                let path = self.site.basedir.join(path);
                let Err(error) = std::fs::File::open(&path) else {
                    return;
                };
                let missing = format!("cannot read {}: {error}", path.display());
                let help = "write the secret to it, readable by the master's user alone";
                (missing, help.to_owned())
            }
            Secret::Env(name) => {
                if std::env::var_os(name).is_some() {
                    return;
                }
                let missing = format!("the environment variable {name} is not set");
                let help = format!("`export {name}=…` before `buildmaster start`");
                (missing, help)
            }
        };
        self.error(span, format!("{owner}: {missing}"), help);
    }

    fn check_ports(&mut self, ports: &[Listen], span: &Range<usize>) {
        let held = match &self.site.holds {
            Holds::Nothing => &[][..],
            Holds::Ports(held) => held,
            Holds::Unknown => return,
        };
        for port in present(ports) {
            if held.iter().any(|held| held.overlaps(&port)) {
                continue;
            }
            let port = match &port {
                Listen::Unix(path) => Listen::Unix(self.site.basedir.join(path)),
                Listen::Tcp(_) => port,
            };
            let Err(error) = probe(&port) else { continue };
            if self.ports.insert(port.to_string()) {
                let help = advice(&port, &error.source);
                let mut problem = self.problem(span, error.to_string(), help);
                problem.class = Class::NotAllowed;
                self.errors.push(problem);
            }
        }
    }

    /// Checks the files and directories that a master writes in its base directory.
    fn check_basedir(&mut self) {
        let dir = self.site.basedir;
        let all = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
        for name in ["", "builders", "slaves", "instances"] {
            let path = dir.join(name);
            if name.is_empty() || path.exists() {
                if !path.is_dir() {
                    let message = format!("{} is not a directory", path.display());
                    self.error_of_basedir(message, "move it away");
                } else if let Err(error) = access(&path, all) {
                    let message = format!(
                        "the master cannot write to the directory {}: {}",
                        path.display(),
                        io::Error::from(error)
                    );
                    self.error_of_basedir(message, HELP_WRITE);
                }
            }
        }
        for name in WRITTEN {
            let path = dir.join(name);
            if path.is_dir() {
                let message = format!("{} is a directory, not a file", path.display());
                self.error_of_basedir(message, "move it away");
            } else if path.exists()
                && let Err(error) = access(&path, Access::READ_OK | Access::WRITE_OK)
            {
                let error = io::Error::from(error);
                let message = format!("the master cannot write {}: {error}", path.display());
                self.error_of_basedir(message, HELP_WRITE);
            }
        }
        if dir.join(Store::FILE).is_file() {
            match State::open_readonly(dir) {
                // The master upgrades the state of an earlier version, and fills an empty file.
                Ok(_) | Err(StoreError::Older { .. } | StoreError::NoState { .. }) => {}
                Err(error) => self.error_of_basedir(error.to_string(), ""),
            }
        }
    }

    fn error_of_basedir(&mut self, message: String, help: &str) {
        self.errors.push(of_basedir(message, help));
    }

    fn error(&mut self, span: &Range<usize>, message: String, help: String) {
        let error = self.problem(span, message, help);
        self.errors.push(error);
    }

    fn problem(&self, span: &Range<usize>, message: String, help: String) -> ConfigError {
        let mut problem = ConfigError::new(&self.places, span.clone(), message);
        problem.help = Some(help).filter(|help| !help.is_empty());
        problem
    }
}

/// A problem that has no place in the file.
fn of_basedir(message: String, help: &str) -> ConfigError {
    let mut problem = ConfigError::new(&Places::default(), 0..0, message);
    problem.help = Some(help.to_owned()).filter(|help| !help.is_empty());
    problem.span = None;
    problem
}

/// The remedy for an address that the master cannot listen on.
fn advice(port: &Listen, error: &io::Error) -> String {
    use io::ErrorKind::{AddrInUse, AddrNotAvailable, PermissionDenied};

    match (port, error.kind()) {
        (Listen::Tcp(_), AddrInUse) => {
            "another program listens on this port: stop the program, or choose another port".to_owned()
        }
        (Listen::Tcp(address), PermissionDenied) if address.port() < 1024 => format!(
            "ports below 1024 need root or CAP_NET_BIND_SERVICE; choose a port of 1024 or higher instead of {}",
            address.port()
        ),
        (Listen::Tcp(address), AddrNotAvailable) => format!(
            "{} is not an address of this machine; \"0.0.0.0\" and \"[::]\" mean all addresses",
            address.ip()
        ),
        (Listen::Unix(_), AddrInUse) => {
            "another program listens there, or the path is a file: remove it, or choose another path"
                .to_owned()
        }
        (Listen::Unix(_), _) => {
            "its directory must exist and be writable for the master's user"
                .to_owned()
        }
        (Listen::Tcp(_), _) => "choose another address or port".to_owned(),
    }
}

/// Whether the program of this name or path exists. A relative path is below `basedir`.
fn is_there(basedir: &Path, program: &str) -> bool {
    if program.contains('/') {
        return is_program(&basedir.join(program));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| is_program(&dir.join(program)))
}

fn is_program(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Files in the base directory that a master opens for writing.
const WRITTEN: [&str; 6] = [
    "buildmaster.pid",
    "buildmaster.log",
    "state.lock",
    Store::FILE,
    "state.sqlite-wal",
    "control.sock",
];

const HELP_WRITE: &str =
    "chown it to the user that runs the master, or run the master as its owner";
