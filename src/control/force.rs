//! Builds that people ask for: forced, and built again (BLD-16).

use std::path::Path;
use std::sync::Arc;

use super::{Ask, Control, odd};
use crate::botmaster::{Answer, Forced};
use crate::model::{
    BuildNumber, BuildSet, BuilderName, Properties, Property, SourceStamp, revision_built,
};
use crate::store::{State, read};

/// Where the master itself sets properties of each build, so that a rebuild gets its own.
const SET_FOR_EACH_BUILD: [&str; 3] = ["Build", "Builder", "BuildSlave"];

impl Control {
    /// Asks for a build; answered with its set, which has one request, when that is on disk.
    ///
    /// # Errors
    /// Why it is not built.
    pub async fn force(&self, forced: Forced) -> Result<Arc<BuildSet>, String> {
        self.admit("nothing was forced").await?;
        let names = forced.properties.iter().map(|(name, _)| name);
        if let Some(bad) = names
            .into_iter()
            .find(|name| !Properties::is_valid_name(name))
        {
            return Err(format!(
                "property name {bad:?} is not allowed: use letters, digits and _ . - / ~ :"
            ));
        }
        let Answer::Set(set) = self.ask(Ask::Force(Box::new(forced))).await? else {
            return Err(odd());
        };
        Ok(set)
    }

    /// Asks for a build of what a finished build has built, as [`Control::force`] does.
    ///
    /// # Errors
    /// There is no such build, it has not finished, or why it is not built.
    pub async fn rebuild(
        &self,
        builder: BuilderName,
        number: BuildNumber,
        reason: String,
    ) -> Result<Arc<BuildSet>, String> {
        let like = tokio::task::spawn_blocking(move || like(builder, number, reason));
        let forced = like.await.map_err(|error| error.to_string())??;
        self.force(forced).await
    }
}

/// A wish for what build `number` was, read from the state in the current directory, the base directory.
fn like(builder: BuilderName, number: BuildNumber, reason: String) -> Result<Forced, String> {
    let state = State::open_readonly(Path::new(".")).map_err(|error| error.to_string())?;
    let found = read::build(&state.conn, &builder, number).map_err(|error| error.to_string())?;
    let Some(build) = found else {
        let is_gone = read::was_build(&state.conn, &builder, number).is_ok_and(|gone| gone);
        return Err(match is_gone {
            true => format!("build {number} of {builder} was removed, as build_horizon says"),
            false => format!("there is no build {number} of {builder}"),
        });
    };
    if build.summary.finished_at.is_none() {
        return Err(format!("build {number} of {builder} has not finished"));
    }
    let requests = &build.summary.requests;
    let wishes = read::wishes(&state.conn, requests);
    let (stamps, priority) = wishes.map_err(|error| error.to_string())?;
    if stamps.is_empty() && !requests.is_empty() {
        return Err(format!(
            "what build {number} of {builder} has built is not known any more: its build sets were removed, as the \
             horizons say; force a build of the revision that you want"
        ));
    }
    let stamp = absolute(&SourceStamp::merged(&stamps), &build.properties);
    let given = |property: &Property| {
        !property.runtime && !SET_FOR_EACH_BUILD.contains(&property.source.as_str())
    };
    let mut properties = Properties::new();
    for (name, property) in build
        .properties
        .iter()
        .filter(|(_, property)| given(property))
    {
        properties.set(name, property.value.clone(), &property.source);
    }
    let name = builder.clone();
    Ok(Forced {
        builder,
        soon: false,
        stamp,
        reason: match reason.as_str() {
            "" => format!("<rebuild of {name}/{number}, no reason given>"),
            reason => format!("{reason} (rebuild of {name}/{number})"),
        },
        properties,
        priority,
    })
}

/// SST-07: what was built of `merged`, by revision: that which a step found out, else that with which the build began. It
/// keeps the changes, and with them who is to blame.
fn absolute(merged: &SourceStamp, properties: &Properties) -> SourceStamp {
    let asked_for = merged.revision_to_build().map(ToOwned::to_owned);
    SourceStamp {
        revision: revision_built(properties).or(asked_for),
        ..merged.clone()
    }
}

#[cfg(test)]
mod tests;
