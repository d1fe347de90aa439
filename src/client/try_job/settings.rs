//! The settings of a try: from the command line, then from the options file, then from Buildbot's
//! defaults (CLI-04, FEATURES CLI-19 to CLI-61).

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::super::{Failed, OptionsError, OptionsFile};
use super::words;
use crate::client::sendchange::parse_address;

/// The command line.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Given {
    /// How to reach the build master: ssh or pb.
    #[arg(short, long)]
    pub connect: Option<String>,
    /// Host of the build master (ssh).
    #[arg(long, alias = "tryhost")]
    pub host: Option<String>,
    /// Port of the ssh server (ssh).
    #[arg(long)]
    pub port: Option<String>,
    /// Command to use instead of ssh, with options if need be (ssh).
    #[arg(long, value_name = "COMMAND")]
    pub ssh: Option<String>,
    /// Job directory on the master's machine (ssh).
    #[arg(long, alias = "trydir", value_name = "DIR")]
    pub jobdir: Option<String>,
    /// The program buildbot on the master's machine (ssh) [default: buildbot].
    #[arg(long, value_name = "PROGRAM")]
    pub buildbotbin: Option<String>,
    /// User name, at the ssh server or the build master.
    #[arg(short, long, value_name = "USER")]
    pub username: Option<String>,
    /// Address of the build master's try scheduler (pb).
    #[arg(short, long, value_name = "HOST:PORT")]
    pub master: Option<String>,
    /// Password (pb) [default: asked for on the terminal].
    #[arg(long, value_name = "PASSWORD")]
    pub passwd: Option<String>,
    /// Name of the person responsible for the builds.
    #[arg(short = 'w', long)]
    pub who: Option<String>,
    /// Comment on the job.
    #[arg(short = 'C', long)]
    pub comment: Option<String>,
    /// File with the diff to try, or - for standard input [default: the diff of the working tree].
    #[arg(long, value_name = "FILE")]
    pub diff: Option<PathBuf>,
    /// Number of leading directories to strip from the names in the diff, as for patch -p.
    #[arg(short, long, value_name = "N")]
    pub patchlevel: Option<u32>,
    /// Base revision of the diff [default: found in the working tree].
    #[arg(long, value_name = "REVISION")]
    pub baserev: Option<String>,
    /// Version control system: bzr, cvs, darcs, git, hg, mtn, p4 or svn [default: detected].
    #[arg(long)]
    pub vc: Option<String>,
    /// Branch, for systems that cannot detect it.
    #[arg(long)]
    pub branch: Option<String>,
    /// Repository [default: the path of the working tree].
    #[arg(long)]
    pub repository: Option<String>,
    /// Codebase that the diff is for, if the builds are of several.
    #[arg(long, value_name = "NAME")]
    pub codebase: Option<String>,
    /// Builder to build on; may be repeated [default: all of the try scheduler].
    #[arg(short, long = "builder", value_name = "NAME")]
    pub builders: Vec<String>,
    /// Properties of the builds, separated by commas; may be repeated.
    #[arg(long, value_name = "NAME=VALUE,...")]
    pub properties: Vec<String>,
    /// Property of the builds; may be repeated.
    #[arg(short = 'D', long, value_name = "NAME=VALUE")]
    pub property: Vec<String>,
    /// File at the top of the working tree, by which the top is found (svn and cvs).
    #[arg(long, alias = "try-topfile", value_name = "NAME")]
    pub topfile: Option<String>,
    /// Top of the working tree (svn and cvs).
    #[arg(long, alias = "try-topdir", value_name = "DIR")]
    pub topdir: Option<PathBuf>,
    /// Wait until the builds have finished; the exit code is their result (pb).
    #[arg(long, overrides_with = "no_wait")]
    pub wait: bool,
    /// Do not wait, even if the options file has try_wait.
    #[arg(long)]
    pub no_wait: bool,
    /// With --wait: exit with code 0 after builds with warnings too.
    #[arg(long)]
    pub warnings_ok: bool,
    /// Show the job without sending it.
    #[arg(short = 'n', long)]
    pub dryrun: bool,
    /// Print the builders that accept try jobs, and send nothing (pb).
    #[arg(long)]
    pub get_builder_names: bool,
    /// With --wait: print nothing until the end.
    #[arg(short, long)]
    pub quiet: bool,
}

/// The settings of a try.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// How the job is sent to the master.
    pub way: Way,
    /// The action.
    pub action: Action,
    /// The origin of the diff.
    pub origin: Origin,
    /// Patch level; absent: the default of the origin.
    pub patch_level: Option<u32>,
    /// Base revision of the diff; absent: the detected one, or the latest.
    pub base_revision: Option<String>,
    /// Branch.
    pub branch: Option<String>,
    /// Repository.
    pub repository: Option<String>,
    /// Codebase.
    pub codebase: Option<String>,
    /// Builders; none means all.
    pub builders: Vec<String>,
    /// Properties.
    pub properties: BTreeMap<String, String>,
    /// The person responsible for the builds.
    pub who: Option<String>,
    /// Comment.
    pub comment: Option<String>,
    /// Print nothing while waiting.
    pub quiet: bool,
    /// Warnings count as success.
    pub warnings_ok: bool,
}

/// The action of a try.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// Print the builders that accept try jobs.
    ListBuilders,
    /// Show the job.
    Show,
    /// Send the job.
    Send,
    /// Send the job, and follow its builds.
    Follow,
}

/// How the job is sent to the master.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Way {
    /// A login at the master.
    Pb(PbWay),
    /// A job file through ssh.
    Ssh(SshWay),
}

/// A login at the master.
#[derive(Clone, Eq, PartialEq)]
pub struct PbWay {
    /// Host.
    pub host: String,
    /// Port.
    pub port: u16,
    /// User.
    pub user: String,
    /// Password; absent: asked for on the terminal.
    pub password: Option<String>,
}

/// A job file through ssh.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SshWay {
    /// Program and arguments, complete.
    pub command: Vec<String>,
}

/// The origin of the diff.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Origin {
    /// A file, `-` for standard input.
    Diff(PathBuf),
    /// A working tree.
    Tree {
        /// Version control system; absent: detected.
        vc: Option<String>,
        /// Top of the tree.
        topdir: Option<PathBuf>,
        /// A file at the top of the tree.
        topfile: Option<String>,
    },
}

impl fmt::Debug for PbWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PbWay")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl Given {
    /// Completes the command line with the options file and Buildbot's defaults.
    ///
    /// # Errors
    /// An option is missing or malformed, or two options conflict. The message names the option and
    /// its key in the options file.
    pub fn prepare(mut self, options: &OptionsFile) -> Result<Settings, Failed> {
        let options = Options(options);
        let action = self.action(&options)?;
        let way = self.way(action, &options)?;
        let origin = self.origin(&options)?;
        let builders = if self.builders.is_empty() {
            options.0.texts("try_builders").map_err(bad_file)?
        } else {
            self.builders
        };
        Ok(Settings {
            way,
            action,
            origin,
            patch_level: self.patchlevel,
            base_revision: self.baserev.filter(|revision| !revision.is_empty()),
            branch: options.filled(self.branch, &["try_branch"])?,
            repository: options.filled(self.repository, &["try_repository"])?,
            codebase: options.filled(self.codebase, &["try_codebase"])?,
            builders,
            properties: properties(&self.properties, &self.property)?,
            who: options.filled(self.who, &["try_who"])?,
            comment: options.filled(self.comment, &["try_comment"])?,
            quiet: self.quiet || options.flag("try_quiet")?,
            warnings_ok: self.warnings_ok,
        })
    }

    fn action(&self, options: &Options<'_>) -> Result<Action, Failed> {
        let wait = match self.no_wait {
            true => false,
            false => self.wait || options.flag("try_wait")?,
        };
        Ok(match (self.get_builder_names, self.dryrun, wait) {
            (true, _, _) => Action::ListBuilders,
            (false, true, _) => Action::Show,
            (false, false, true) => Action::Follow,
            (false, false, false) => Action::Send,
        })
    }

    fn way(&mut self, action: Action, options: &Options<'_>) -> Result<Way, Failed> {
        let connect = options.required(self.connect.take(), "connect", &["try_connect"])?;
        match (connect.as_str(), action) {
            ("pb", _) => self.pb(options).map(Way::Pb),
            ("ssh", Action::ListBuilders) => {
                usage("--get-builder-names does not work over ssh; use --connect=pb")
            }
            ("ssh", Action::Follow) => usage(
                "--wait does not work over ssh (a job directory gives no answers); use --connect=pb, or \
                 leave out --wait (try_wait in an options file)",
            ),
            ("ssh", Action::Show | Action::Send) => self.ssh(options).map(Way::Ssh),
            (other, _) => usage(&format!(
                "--connect: '{other}' is not supported; use ssh or pb"
            )),
        }
    }

    fn pb(&mut self, options: &Options<'_>) -> Result<PbWay, Failed> {
        let keys = ["try_master", "try_masterstatus", "masterstatus"];
        let master = options.required(self.master.take(), "master", &keys)?;
        let (host, port) = parse_address(&master)?;
        Ok(PbWay {
            host,
            port,
            user: options.required(self.username.take(), "username", &["try_username"])?,
            password: options.text(self.passwd.take(), &["try_password", "try_passwd"])?,
        })
    }

    fn ssh(&mut self, options: &Options<'_>) -> Result<SshWay, Failed> {
        let mut command = match options.filled(self.ssh.take(), &["try_ssh"])? {
            None => vec!["ssh".to_owned()],
            Some(ssh) => words::split(&ssh)
                .ok_or_else(|| Failed::Usage(format!("--ssh: '{ssh}' is not a command")))?,
        };
        let mut option = |flag: &str, value: Option<String>| {
            command.extend(value.into_iter().flat_map(|value| [flag.to_owned(), value]));
        };
        let user = options.filled(self.username.take(), &["try_username"])?;
        option("-l", user);
        option("-p", options.filled(self.port.take(), &["try_port"])?);
        let host = options.required(self.host.take(), "host", &["try_host"])?;
        if host.starts_with('-') {
            return usage(&format!("--host: '{host}' is not a host name"));
        }
        let program = options.filled(self.buildbotbin.take(), &["try_buildbotbin"])?;
        let keys = ["try_jobdir", "try_dir"];
        let jobdir = options.required(self.jobdir.take(), "jobdir", &keys)?;
        command.extend([
            host,
            program.unwrap_or_else(|| "buildbot".to_owned()),
            "tryserver".to_owned(),
            "--jobdir".to_owned(),
            jobdir,
        ]);
        Ok(SshWay { command })
    }

    fn origin(&mut self, options: &Options<'_>) -> Result<Origin, Failed> {
        if let Some(file) = self.diff.take() {
            return Ok(Origin::Diff(file));
        }
        Ok(Origin::Tree {
            vc: options.filled(self.vc.take(), &["try_vc"])?,
            topdir: match self.topdir.take() {
                Some(dir) => Some(dir),
                None => options.filled(None, &["try_topdir"])?.map(PathBuf::from),
            },
            topfile: options.filled(self.topfile.take(), &["try_topfile"])?,
        })
    }
}

/// The options file behind what was given. A key comes with the old ones that Buildbot knows for
/// it.
struct Options<'a>(&'a OptionsFile);

impl Options<'_> {
    fn text(&self, given: Option<String>, keys: &[&str]) -> Result<Option<String>, Failed> {
        if given.is_some() {
            return Ok(given);
        }
        for key in keys {
            if let Some(text) = self.0.text(key).map_err(bad_file)? {
                return Ok(Some(text));
            }
        }
        Ok(None)
    }

    /// An empty text is none.
    fn filled(&self, given: Option<String>, keys: &[&str]) -> Result<Option<String>, Failed> {
        let text = self.text(given, keys)?;
        Ok(text.filter(|text| !text.is_empty()))
    }

    /// The first key is the one to name where all are missing.
    fn required(
        &self,
        given: Option<String>,
        option: &str,
        keys: &[&str],
    ) -> Result<String, Failed> {
        match self.filled(given, keys)? {
            Some(value) => Ok(value),
            None => usage(&format!(
                "--{option} is missing, and no options file says {} = \"…\"",
                keys.first().copied().unwrap_or_default()
            )),
        }
    }

    fn flag(&self, key: &str) -> Result<bool, Failed> {
        self.0.flag(key).map_err(bad_file)
    }
}

fn bad_file(error: OptionsError) -> Failed {
    Failed::Usage(error.to_string())
}

fn properties(lists: &[String], single: &[String]) -> Result<BTreeMap<String, String>, Failed> {
    let in_lists = lists.iter().flat_map(|list| list.split(','));
    let in_lists = in_lists.map(|property| ("properties", property));
    let single = single.iter().map(|p| ("property", p.as_str()));
    in_lists
        .chain(single)
        .map(|(option, property)| match property.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
            Some(_) | None => usage(&format!(
                "--{option}: '{property}' must have the form NAME=VALUE"
            )),
        })
        .collect()
}

fn usage<T>(text: &str) -> Result<T, Failed> {
    Err(Failed::Usage(text.to_owned()))
}
