//! Where what is shown comes from: the state on disk, the configuration file, and the running
//! master.

use std::collections::BTreeMap;
use std::path::Path;

use crate::botmaster::Live;
use crate::cli::buildmaster::configuration::{self, CONFIG_FILE};
use crate::cli::buildmaster::{asking, complain};
use crate::clock::Clock;
use crate::config::Config;
use crate::control::Service;
use crate::model::{BuilderName, Timestamp};
use crate::store::State;
use crate::view::Moment;

/// A master's base directory, looked at.
#[derive(Debug)]
pub(super) struct Source<'a> {
    pub(super) basedir: &'a Path,
    /// The state; absent before the first start.
    pub(super) state: Option<State>,
    /// When it is looked at.
    pub(super) moment: Moment,
}

impl<'a> Source<'a> {
    /// Looks at `basedir`; it is `now`.
    ///
    /// # Errors
    /// The state cannot be opened.
    pub(super) fn open(basedir: &'a Path, now: Timestamp) -> anyhow::Result<Self> {
        let state = State::open_if_any(basedir)?;
        let is_running = state.as_ref().is_some_and(State::is_master_running);
        Ok(Self {
            basedir,
            state,
            moment: Moment { is_running, now },
        })
    }

    /// Takes this moment for the time of what is shown.
    pub(super) fn look_again(&mut self) {
        self.moment = Moment {
            is_running: self.state.as_ref().is_some_and(State::is_master_running),
            now: Clock::system().wall(),
        };
    }

    /// The state.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn state(&self) -> anyhow::Result<&State> {
        match &self.state {
            Some(state) => Ok(state),
            None => Err(self.nothing()),
        }
    }

    /// The configuration file, if it can be read. Before the first start there must be one.
    ///
    /// # Errors
    /// There is neither a state nor a configuration.
    pub(super) fn config(&self) -> anyhow::Result<Option<Config>> {
        match configuration_of(self.basedir) {
            None if self.state.is_none() => Err(self.nothing()),
            config => Ok(config),
        }
    }

    /// What a running master knows; one that does not answer is complained of.
    pub(super) fn live(&self) -> Live {
        look(self.basedir, self.moment.is_running)
    }

    /// What a running master knows; nothing if none runs.
    ///
    /// # Errors
    /// It does not answer.
    pub(super) fn ask(&self) -> anyhow::Result<Live> {
        match self.moment.is_running {
            true => ask(self.basedir),
            false => Ok(Live::default()),
        }
    }

    /// The priorities of builders that are in force, or will be when the master is started.
    pub(super) fn priorities(&self, live: &Live) -> BTreeMap<BuilderName, i32> {
        if self.moment.is_running {
            return live.priorities.clone();
        }
        let config = configuration_of(self.basedir);
        let builders = config.iter().flat_map(|config| &config.builders);
        builders
            .map(|builder| (builder.name.clone(), builder.priority))
            .collect()
    }

    /// The error for a directory without a state.
    fn nothing(&self) -> anyhow::Error {
        match State::open_readonly(self.basedir) {
            Err(error) => error.into(),
            Ok(_) => anyhow::anyhow!("the master was started meanwhile; try again"),
        }
    }
}

/// The configuration of the master in `basedir`, if it can be read.
pub(super) fn configuration_of(basedir: &Path) -> Option<Config> {
    let reading = configuration::read(&basedir.join(CONFIG_FILE));
    reading.ok().and_then(|reading| reading.config)
}

/// What the master in `basedir` knows, if one runs; one that does not answer is complained of.
pub(super) fn look(basedir: &Path, is_running: bool) -> Live {
    if !is_running {
        return Live::default();
    }
    ask(basedir).unwrap_or_else(|error| {
        complain(&format!("note: only what is on disk is shown: {error:#}"));
        Live::default()
    })
}

fn ask(basedir: &Path) -> anyhow::Result<Live> {
    let answer = asking::answer_soon(basedir, Service::Live)?;
    Ok(serde_json::from_value(answer)?)
}
