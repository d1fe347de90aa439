//! The commands that start and stop instances of each kind, and their environment.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;

use super::{Access, orphans};
use crate::buildslave::{BaseDir, BaseDirError, NewSlave, PASSWORD_VARIABLE, Password};
use crate::config::{DockerInstance, InstanceKind, SlaveConfig};
use crate::model::{SlaveName, StopMeans};

/// The program and arguments that start an instance of a slave. Also returns whether an unwanted
/// start may end by itself, because it is short and would otherwise leave unfinished work.
pub(super) fn start_words(slave: &SlaveConfig) -> Result<(Vec<OsString>, bool), String> {
    let Some(latent) = slave.kind.latent() else {
        return Err("it is not a latent slave".to_owned());
    };
    Ok(match &latent.kind {
        InstanceKind::Command(command) => (owned(&command.start), false),
        InstanceKind::Process => (native_slave("start", &slave.name)?, true),
        InstanceKind::Docker(DockerInstance {
            docker,
            image,
            args,
            command,
            ..
        }) => {
            let name = container(&slave.name);
            let label = format!("buildmaster.slave={}", slave.name);
            let run = ["run", "-d", "--name", &name, "--label", &label];
            let mut start = vec![OsString::from(docker)];
            start.extend(run.map(OsString::from));
            for variable in [NAME, PASSWORD_VARIABLE, HOST, PORT] {
                // Without a value, so that the list of processes does not show the password.
                start.extend(["-e", variable].map(OsString::from));
            }
            start.extend(owned(args));
            start.push(image.into());
            start.extend(owned(command));
            (start, false)
        }
    })
}

/// The program and arguments that stop an instance of a slave.
pub(super) fn stop_words(slave: &SlaveName, by: &StopMeans) -> Result<Vec<OsString>, String> {
    Ok(match by {
        StopMeans::Command { words } if words.is_empty() => {
            let why =
                "the stop command was not recorded: set `type = \"command\"` for the slave again";
            return Err(why.to_owned());
        }
        StopMeans::Command { words } => owned(words),
        StopMeans::Process => native_slave("stop", slave)?,
        StopMeans::Docker { program } => {
            let stop = [program.as_str(), "rm", "-f", &container(slave)];
            stop.map(OsString::from).to_vec()
        }
    })
}

/// Whether the output of a failed stop means that there is no instance.
pub(super) fn tells_gone(by: &StopMeans, said: &str) -> bool {
    match by {
        StopMeans::Command { .. } | StopMeans::Process => false,
        StopMeans::Docker { .. } => said.contains("No such container"),
    }
}

/// The master's data for an instance.
pub(super) struct Told {
    name: SlaveName,
    password: Vec<u8>,
    host: String,
    port: u16,
}

impl Told {
    pub(super) fn of(slave: &SlaveConfig, access: &Access) -> Result<Self, String> {
        let master = slave.kind.latent().and_then(|l| l.master.as_ref());
        let bound = access.address;
        let port = master.and_then(|m| m.port).or(bound.map(|a| a.port()));
        let host = master.map(|m| m.host.clone()).or_else(|| {
            let address = bound?;
            // A port on all addresses is reached over the loopback.
            Some(match address.ip() {
                ip if !ip.is_unspecified() => ip.to_string(),
                ip if ip.is_ipv4() => "127.0.0.1".to_owned(),
                _ => "::1".to_owned(),
            })
        });
        let (Some(host), Some(port)) = (host, port) else {
            return Err("the slave port has no address for instances".to_owned());
        };
        Ok(Self {
            name: slave.name.clone(),
            password: access
                .passwords
                .get(&slave.name)
                .cloned()
                .unwrap_or_default(),
            host,
            port,
        })
    }

    /// The variables of the start command. A native slave has the password in its directory.
    pub(super) fn env(&self, slave: &SlaveConfig) -> Vec<(OsString, OsString)> {
        let mut env = vec![
            (NAME.into(), self.name.as_str().into()),
            (HOST.into(), (&self.host).into()),
            (PORT.into(), self.port.to_string().into()),
            orphans::mark(&self.name),
        ];
        if !is_process(slave) {
            let password = OsString::from_vec(self.password.clone());
            env.push((PASSWORD_VARIABLE.into(), password));
        }
        env
    }
}

/// Creates the base directory of a native slave, which its start command needs.
pub(super) async fn prepare(slave: &SlaveConfig, told: &Told) -> Result<(), String> {
    if !is_process(slave) {
        return Ok(());
    }
    let host = if told.host.contains(':') {
        format!("[{}]", told.host)
    } else {
        told.host.clone()
    };
    let new = NewSlave {
        path: directory(&slave.name),
        master: format!("{host}:{}", told.port),
        name: slave.name.to_string(),
        password: Password::Plain(String::from_utf8_lossy(&told.password).into_owned()),
        keepalive_secs: 600,
        max_delay_secs: 5,
        use_pty: false,
        umask: None,
        allow_shutdown: None,
        log_size: Some(10_000_000),
        log_count: Some(10),
        force: true,
    };
    let made = crate::blocking::run(|| BaseDir::create(new)).await;
    match made {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(format!("cannot create its base directory: {error}")),
        Err(error) => Err(error.to_string()),
    }
}

fn is_process(slave: &SlaveConfig) -> bool {
    let latent = slave.kind.latent();
    latent.is_some_and(|latent| latent.kind == InstanceKind::Process)
}

/// Whether there is certainly no instance, without running the stop command: a native slave without
/// a directory.
pub(super) async fn is_gone(slave: &SlaveName, by: &StopMeans) -> bool {
    let dir = directory(slave);
    *by == StopMeans::Process
        && crate::blocking::run(move || {
            matches!(BaseDir::open(&dir), Err(BaseDirError::NotASlave(_)))
        })
        .await
        .unwrap_or(false)
}

/// The base directory, absolute because the slave reports it to the master.
fn directory(slave: &SlaveName) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
    here.join("instances").join(slave.as_str())
}

/// The name of the container of a slave.
fn container(slave: &SlaveName) -> String {
    format!("buildmaster-{slave}")
}

/// The command line of this program as `buildslave` with the verb `verb` for the slave.
fn native_slave(verb: &str, slave: &SlaveName) -> Result<Vec<OsString>, String> {
    let this = std::env::current_exe();
    let this =
        this.map_err(|error| format!("cannot determine the path of this program: {error}"))?;
    // If the program was replaced while running, this is the name of the old file.
    let bytes = this.as_os_str().as_bytes();
    let bytes = bytes.strip_suffix(b" (deleted)").unwrap_or(bytes);
    let this = PathBuf::from(OsString::from_vec(bytes.to_vec()));
    let program = "buildslave".into();
    Ok(vec![
        this.into_os_string(),
        program,
        verb.into(),
        directory(slave).into(),
    ])
}

fn owned(words: &[String]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

const NAME: &str = "SLAVE_NAME";
const HOST: &str = "MASTER_HOST";
const PORT: &str = "MASTER_PORT";
