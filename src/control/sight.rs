//! What somebody may not see (MAY-04).
//!
//! Decisions: who may view a builder sees its slaves and its sources, unless a rule forbids these.
//! A slave whose builders are all hidden needs a rule of its own. A rule that forbids a repository
//! hides its changes, and what was built of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::object::object;
use super::{Caller, Control, Target};
use crate::config::{Config, PermissionRule};
use crate::model::{Action, BuilderName, Object, SlaveName, Unseen};
use crate::people::{Decision, is_about, may};
use crate::store::{State, StoreError};

impl Control {
    /// What `caller` may not see. The configuration may be the one that is in force, or about to
    /// be.
    ///
    /// # Errors
    /// The state cannot be read.
    pub async fn unseen_by(
        &self,
        caller: &Caller,
        config: &Arc<Config>,
    ) -> Result<Arc<Unseen>, StoreError> {
        let mut rules = config.permissions.rules.iter();
        let may_be_forbidden = rules.any(|rule| rule.may_not.contains(Action::View));
        let master = view(config, caller, &Object::default());
        if !may_be_forbidden && master.is_allowed() {
            return Ok(Arc::default());
        }
        let (caller, config) = (caller.clone(), Arc::clone(config));
        let look = move |state: &State| {
            let builders = hidden_builders(state, &config, &caller)?;
            let slaves = hidden_slaves(state, &config, &caller, &builders)?;
            Ok::<_, StoreError>(Arc::new(Unseen {
                builders,
                slaves,
                ..hidden_sources(&config, &caller)
            }))
        };
        self.reader().read(look).await
    }
}

fn view(config: &Config, caller: &Caller, object: &Object) -> Decision {
    let rights = caller.token.as_ref().map(|(_, rights)| rights);
    may(
        &config.permissions,
        &caller.actor,
        rights,
        Action::View,
        object,
    )
}

/// Builders that are not configured any more still have builds.
fn hidden_builders(
    state: &State,
    config: &Config,
    caller: &Caller,
) -> Result<BTreeSet<BuilderName>, StoreError> {
    let configured = config.builders.iter().map(|builder| builder.name.clone());
    let all: BTreeSet<_> = state
        .builder_names()?
        .into_iter()
        .chain(configured)
        .collect();
    let mut hidden = BTreeSet::new();
    for builder in all {
        let object = object(state, config, &Target::Builder(builder.clone()))?;
        if !view(config, caller, &object).is_allowed() {
            hidden.insert(builder);
        }
    }
    Ok(hidden)
}

fn hidden_slaves(
    state: &State,
    config: &Config,
    caller: &Caller,
    hidden: &BTreeSet<BuilderName>,
) -> Result<BTreeSet<SlaveName>, StoreError> {
    let shown = config.builders.iter();
    let shown = shown.filter(|builder| !hidden.contains(&builder.name));
    let of_shown: BTreeSet<_> = shown.flat_map(|builder| &builder.slaves).collect();
    let is_hidden = |slave: &SlaveName| {
        let object = Object {
            slave: Some(slave.to_string()),
            ..Object::default()
        };
        match view(config, caller, &object) {
            Decision::Allowed(_) => false,
            Decision::Forbidden(_) => true,
            Decision::NotAllowed => !of_shown.contains(slave),
        }
    };
    let configured = config.slaves.iter().map(|slave| slave.name.clone());
    let all = state.slave_names()?.into_iter().chain(configured);
    Ok(all.filter(is_hidden).collect())
}

/// The sources that rules forbid; a rule without repositories is about builders and slaves.
fn hidden_sources(config: &Config, caller: &Caller) -> Unseen {
    let forbids = |rule: &&PermissionRule| {
        let is_of_sources = rule.may_not.contains(Action::View) && rule.on.repositories.is_some();
        is_of_sources && is_about(rule, &caller.actor)
    };
    let rules = config.permissions.rules.iter().filter(forbids);
    let tags = config.builders.iter();
    Unseen {
        sources: rules.map(|rule| rule.on.clone()).collect(),
        tags: tags
            .map(|builder| (builder.name.clone(), builder.tags.clone()))
            .collect(),
        ..Unseen::default()
    }
}
