//! `buildmaster create-master`: a base directory with a small working configuration.

use std::fs::{DirBuilder, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, bail};
use rand::RngExt;

use super::base_dir::{BaseDir, private_dir};
use super::say;

/// Create a base directory with a small working configuration
#[derive(Clone, Debug, clap::Args)]
pub(super) struct CreateMaster {
    /// Print nothing
    #[arg(long, short)]
    quiet: bool,
    /// Replace an existing configuration
    #[arg(long, short)]
    force: bool,
    #[command(flatten)]
    dir: BaseDir,
}

/// The configuration that a new base directory gets.
pub(super) const FIRST_CONFIG: &str = r#"# Configuration of this master. Check it with `buildmaster checkconfig`. master.toml.example explains
# every setting. A port without an interface accepts connections from this machine only.
title = "My project"
slave_port = 9989

[[slaves]]
name = "here"
type = "local"

[factories.hello]
steps = [
  { type = "ShellCommand", name = "hello", command = ["echo", "hello from %(slavename)s"] },
]

[[builders]]
name = "first"
slaves = ["here"]
factory = "hello"

[[schedulers]]
type = "Scheduler"
name = "quick"
builders = ["first"]

[[change_sources]]
type = "PB"
user = "change"
password_file = "secrets/change"

# The web pages: http://127.0.0.1:8010/
[web]
port = 8010
"#;

impl CreateMaster {
    /// Creates the directory, its configuration and a password for changes.
    ///
    /// # Errors
    /// The directory already has a master, or a file cannot be written.
    pub(super) fn run(&self) -> anyhow::Result<()> {
        let dir = self.dir.path();
        private_dir(dir)?;
        let config = dir.join("master.toml");
        if config.exists() && !self.force {
            bail!(
                "{} already exists: this is the base directory of a master (--force replaces its \
                 configuration and keeps its state)",
                config.display()
            );
        }
        write_private(&config, FIRST_CONFIG)?;
        let secrets = dir.join("secrets");
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&secrets)
            .with_context(|| format!("cannot create {}", secrets.display()))?;
        let secret = secrets.join("change");
        if !secret.exists() {
            write_private(&secret, &format!("{}\n", new_password()))?;
        }
        if !self.quiet {
            self.say_what_is_next();
        }
        Ok(())
    }

    fn say_what_is_next(&self) {
        let dir = self.dir.path().display();
        say(&format!(
            "Created a master in {dir} with one builder, one local slave and one scheduler.\n\
             \n\
             Start it:        buildmaster start {dir}\n\
             Send a change:   buildbot sendchange --master 127.0.0.1:9989 \
             --auth \"change:$(cat {dir}/secrets/change)\" --who me hello.c\n\
             Show the build:  buildmaster show builds --basedir {dir}\n\
             Look at it:      http://127.0.0.1:8010/\n\
             Configure:       {dir}/master.toml"
        ));
    }
}

/// A password that nobody guesses: 128 random bits in hexadecimal.
pub(super) fn new_password() -> String {
    format!("{:032x}", rand::rng().random::<u128>())
}

/// Writes a file that only its owner can read.
pub(super) fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let write = || {
        let mut file: File = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)?;
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.write_all(text.as_bytes())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
