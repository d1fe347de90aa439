//! Configurations of our master.

use std::fmt::Write;

/// What a test wants in its `master.toml`. All builders run on all slaves and have the same steps;
/// one scheduler without a timer feeds them, unless there are others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setup {
    slaves: Vec<String>,
    builders: Vec<String>,
    steps: Vec<String>,
    settings: String,
    tables: String,
    schedulers: Option<String>,
    url: Option<String>,
}

/// The password of every slave in a [`Setup`].
pub(crate) const PASSWORD: &str = "sekrit";
/// The user and password of `sendchange` in a [`Setup`].
pub(crate) const CHANGE_AUTH: &str = "change:changepw";

impl Setup {
    /// A configuration with these steps and no slaves yet. It has one builder, `full`, unless
    /// others are added.
    pub(crate) fn new(steps: &[String]) -> Self {
        Self {
            steps: steps.to_vec(),
            ..Self::default()
        }
    }

    /// Adds a slave that connects, with [`PASSWORD`].
    pub(crate) fn slave(mut self, name: &str) -> Self {
        self.slaves
            .push(format!("name = {name:?}\npassword = {PASSWORD:?}"));
        self
    }

    /// Adds a local slave.
    pub(crate) fn local_slave(mut self, name: &str) -> Self {
        self.slaves
            .push(format!("name = {name:?}\ntype = \"local\""));
        self
    }

    /// Adds a slave of another type, with further lines of TOML.
    pub(crate) fn slave_with(mut self, name: &str, lines: &str) -> Self {
        self.slaves.push(format!("name = {name:?}\n{lines}"));
        self
    }

    /// Adds a builder, with further lines of TOML.
    pub(crate) fn builder(mut self, name: &str, lines: &str) -> Self {
        self.builders.push(format!("name = {name:?}\n{lines}"));
        self
    }

    /// Adds settings of the whole, as lines of TOML.
    pub(crate) fn settings(mut self, toml: &str) -> Self {
        self.settings.push_str(toml);
        self
    }

    /// Adds further tables of TOML.
    pub(crate) fn tables(mut self, toml: &str) -> Self {
        self.tables.push_str(toml);
        self
    }

    /// Is at this address for browsers.
    pub(crate) fn url(mut self, url: &str) -> Self {
        self.url = Some(url.to_owned());
        self
    }

    /// Has these tables of schedulers in place of the one.
    pub(crate) fn schedulers(mut self, toml: &str) -> Self {
        self.schedulers = Some(toml.to_owned());
        self
    }

    /// The text of the configuration, with slaves and changes on `port` of the loopback address; 0
    /// lets the system choose.
    pub(crate) fn toml(&self, port: u16) -> String {
        if self.builders.is_empty() {
            return self.clone().builder("full", "").toml(port);
        }
        let slaves: Vec<&str> = self.slaves.iter().map(|lines| name_in(lines)).collect();
        let builders: Vec<&str> = self.builders.iter().map(|lines| name_in(lines)).collect();
        let mut text = format!(
            "{}title = \"End to end\"\n\
             title_url = \"http://localhost/\"\n\
             buildbot_url = {:?}\n\
             slave_port = \"tcp:{port}:interface=127.0.0.1\"\n\n\
             [factories.steps]\nsteps = [\n  {}\n]\n",
            self.settings,
            self.url.as_deref().unwrap_or("http://localhost/"),
            self.steps.join(",\n  ")
        );
        write!(text, "\n{}\n", self.tables).unwrap();
        for slave in &self.slaves {
            write!(text, "\n[[slaves]]\n{slave}\n").unwrap();
        }
        for builder in &self.builders {
            write!(
                text,
                "\n[[builders]]\n{builder}\nslaves = {slaves:?}\nfactory = \"steps\"\nignore_patch = true\n"
            )
            .unwrap();
        }
        let schedulers = self.schedulers.clone().unwrap_or_else(|| {
            format!(
                "[[schedulers]]\ntype = \"Scheduler\"\nname = \"quick\"\nbuilders = {builders:?}\n"
            )
        });
        write!(
            text,
            "\n{schedulers}\n[[change_sources]]\ntype = \"PB\"\nuser = \"change\"\npassword = \"changepw\"\n"
        )
        .unwrap();
        text
    }
}

/// A step that runs a program with arguments; `settings` is further TOML, such as
/// `halt_on_failure = true`.
pub(crate) fn step(name: &str, words: &[&str], settings: &str) -> String {
    let comma = if settings.is_empty() { "" } else { ", " };
    format!("{{ type = \"ShellCommand\", name = {name:?}, command = {words:?}{comma}{settings} }}")
}

/// A step that runs a line of shell.
pub(crate) fn shell(name: &str, line: &str, settings: &str) -> String {
    step(name, &["sh", "-c", line], settings)
}

fn name_in(lines: &str) -> &str {
    lines.split('"').nth(1).unwrap()
}
