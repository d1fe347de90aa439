//! `buildmaster demo`: shows how changes become builds.
//!
//! The demo creates a git repository and a master with one local slave, and starts that master as a
//! separate process. It makes three commits, sends each commit with the code of
//! `buildbot sendchange`, and shows the builds as they run. It leaves an ordinary base directory.

mod follow;
mod project;

use std::fs::DirBuilder;
use std::io::{BufRead, BufReader, ErrorKind, IsTerminal};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

use self::follow::Follower;
use self::project::{Commit, Project};
use super::create_master::{new_password, write_private};
use super::say;
use crate::client::sendchange::{self, Prepared};
use crate::model::{NewChange, Results};
use crate::net::Tasks;

/// Show live how changes to a small git repository become builds on a local slave
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Demo {
    /// New or empty directory for the repository and the master [default: a new directory in the
    /// system's directory for temporary files]
    #[arg(long, value_name = "DIR")]
    basedir: Option<PathBuf>,
}

/// Time limit for a build of the demonstration.
const PATIENCE: Duration = Duration::from_secs(60);

impl Demo {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let (dir, leftovers) = self.make_directory()?;
        let project = Project::create(dir.join("widget"))?;
        let base = dir.join("ci");
        let password = new_password();
        make_master(&base, project.path(), &password)?;

        say(&format!("A git repository:   {}", project.path().display()));
        say(&format!("A build master:     {}", base.display()));
        let mut master = Master::start(&base)?;
        say(&format!(
            "                    listening on {}\n",
            master.address
        ));

        let mut as_told = true;
        let colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let mut follower = Follower::new(&base, colours);
        for (number, commit) in Commit::STORY.iter().enumerate() {
            let revision = project.commit(commit)?;
            say(&format!("── {} ({})", commit.message, short(&revision)));
            send(&master.address, &password, change_of(commit, revision))?;
            let result = follower.follow("check", u64::try_from(number)?, PATIENCE)?;
            as_told &= result == commit.expected;
        }
        master.stop()?;
        say_where_to_look(&base, &leftovers);
        if !as_told {
            bail!("a build ended with an unexpected result; see the logs above");
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The directory for the demonstration, and the paths that the demonstration creates in it.
    fn make_directory(&self) -> anyhow::Result<(PathBuf, Vec<PathBuf>)> {
        let (dir, is_new) = match &self.basedir {
            Some(dir) => (dir.clone(), make_or_find_empty(dir)?),
            None => (make_temporary()?, true),
        };
        let dir = dir
            .canonicalize()
            .with_context(|| format!("cannot find {}", dir.display()))?;
        let leftovers = match is_new {
            true => vec![dir.clone()],
            false => vec![dir.join("ci"), dir.join("widget")],
        };
        Ok((dir, leftovers))
    }
}

/// Creates the directory `dir`, unless it exists and is empty. Returns true if it was created.
fn make_or_find_empty(dir: &Path) -> anyhow::Result<bool> {
    match std::fs::read_dir(dir).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(false),
        Ok(false) => bail!(
            "{} is not empty; choose a new or empty directory",
            dir.display()
        ),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            std::fs::create_dir_all(dir)
                .with_context(|| format!("cannot create {}", dir.display()))?;
            Ok(true)
        }
        Err(error) => Err(error).with_context(|| format!("cannot use {}", dir.display())),
    }
}

/// Creates a directory with a random name.
fn make_temporary() -> anyhow::Result<PathBuf> {
    let name = format!("buildmaster-demo-{:08x}", rand::random::<u32>());
    let dir = std::env::temp_dir().join(name);
    DirBuilder::new()
        .mode(0o700)
        .create(&dir)
        .with_context(|| format!("cannot create {}", dir.display()))?;
    Ok(dir)
}

fn make_master(base: &Path, repository: &Path, password: &str) -> anyhow::Result<()> {
    let secrets = base.join("secrets");
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&secrets)
        .with_context(|| format!("cannot create {}", secrets.display()))?;
    write_private(&secrets.join("change"), password)?;
    write_private(
        &base.join("master.toml"),
        &project::master_toml(repository)?,
    )
}

fn change_of(commit: &Commit, revision: String) -> NewChange {
    NewChange {
        who: "demo <demo@example.org>".to_owned(),
        files: commit
            .files
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .collect(),
        comments: commit.message.to_owned(),
        revision: Some(revision),
        src: Some("git".to_owned()),
        ..NewChange::default()
    }
}

fn send(address: &SocketAddr, password: &str, change: NewChange) -> anyhow::Result<()> {
    let prepared = Prepared {
        host: address.ip().to_string(),
        port: address.port(),
        user: "change".to_owned(),
        password: password.to_owned(),
        default_auth: false,
        change,
        again: false,
        delivery: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(sendchange::sendchange(&prepared, &Tasks::default()))?)
}

fn say_where_to_look(base: &Path, leftovers: &[PathBuf]) {
    let (program, base) = (shell_word(Path::new(&program())), shell_word(base));
    let leftovers: Vec<String> = leftovers.iter().map(|path| shell_word(path)).collect();
    say(&format!(
        "The master has stopped. To look around:\n\
         \n  {program} show builds --basedir {base}\
         \n  {program} show build check 1 --basedir {base}\
         \n  {program} show log check 1 test stdio --basedir {base}\
         \n  less {base}/builders/check/1/2-test.stdio.log\
         \n  {program} start {base}\n\
         \nThe configuration is {base}/master.toml. To remove everything: rm -r {}",
        leftovers.join(" ")
    ));
}

/// The path, quoted for the shell.
fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+@:,%".contains(c);
    if text.chars().all(is_plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// The path by which the user started this program.
fn program() -> String {
    let exe = std::env::current_exe().unwrap_or_else(|_| "buildmaster".into());
    let here = std::env::current_dir().unwrap_or_default();
    exe.strip_prefix(&here)
        .unwrap_or(&exe)
        .display()
        .to_string()
}

fn short(revision: &str) -> &str {
    revision.get(..10).unwrap_or(revision)
}

/// The master of the demonstration, a separate process that is stopped when this value is dropped.
struct Master {
    process: Child,
    address: SocketAddr,
}

impl Master {
    fn start(base: &Path) -> anyhow::Result<Self> {
        let log = std::fs::File::create(base.join("buildmaster.log"))?;
        let mut process = Command::new(std::env::current_exe()?)
            .arg0("buildmaster")
            .args(["start", "--nodaemon"])
            .arg(base)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .context("cannot start the master")?;
        let mut line = String::new();
        let output = process
            .stdout
            .take()
            .context("the master has no standard output")?;
        BufReader::new(output).read_line(&mut line)?;
        let Some(address) = line.trim().rsplit(' ').next().and_then(|a| a.parse().ok()) else {
            process.wait()?;
            let log = std::fs::read_to_string(base.join("buildmaster.log")).unwrap_or_default();
            bail!("the master did not start:\n{log}");
        };
        Ok(Self { process, address })
    }

    fn stop(&mut self) -> anyhow::Result<()> {
        self.signal();
        let status = self.process.wait()?;
        if !status.success() {
            bail!("the master did not stop cleanly: {status}");
        }
        Ok(())
    }

    fn signal(&self) {
        if let Ok(pid) = i32::try_from(self.process.id())
            && let Some(pid) = Pid::from_raw(pid)
        {
            // The process may have ended by itself.
            let _ended = kill_process(pid, Signal::TERM);
        }
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) {
            self.signal();
            drop(self.process.wait());
        }
    }
}

impl Commit {
    /// A good commit, a broken commit and a fix.
    const STORY: [Self; 3] = [
        Self {
            message: "Add a greeting",
            files: &[
                ("greet.sh", "greet() {\n    echo \"Hello, $1!\"\n}\n"),
                (
                    "test.sh",
                    ". ./greet.sh\nexpect='Hello, world!'\nfound=$(greet world)\n\
                     echo \"expected: $expect\"\necho \"found:    $found\"\n\
                     [ \"$found\" = \"$expect\" ]\n",
                ),
            ],
            expected: Results::Success,
        },
        Self {
            message: "Greet more warmly",
            files: &[("greet.sh", "greet() {\n    echo \"Hello, dear $1!\"\n}\n")],
            expected: Results::Failure,
        },
        Self {
            message: "Expect the warmer greeting in the test",
            files: &[(
                "test.sh",
                ". ./greet.sh\nexpect='Hello, dear world!'\nfound=$(greet world)\n\
                 echo \"expected: $expect\"\necho \"found:    $found\"\n\
                 [ \"$found\" = \"$expect\" ]\n",
            )],
            expected: Results::Success,
        },
    ];
}
