//! Builds that people ask for: forced, and built again (BLD-16).

use std::path::Path;
use std::sync::Arc;

use super::{Ask, Control, odd};
use crate::botmaster::{Answer, Forced};
use crate::model::{BuildNumber, BuildSet, BuilderName, Properties, Property, SourceStamp};
use crate::store::{State, read};

/// The reason of a rebuild for which nobody gave one.
pub const NO_REASON: &str = "<rebuild, no reason given>";

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
    Ok(Forced {
        builder,
        soon: false,
        stamp,
        reason: if reason.is_empty() {
            NO_REASON.to_owned()
        } else {
            reason
        },
        properties,
        priority,
    })
}

/// SST-07: what was built of `merged`, by revision: that which a step found out, else that with which the build began. It
/// has no changes: a stamp with changes is merged with others whatever its revision is (SST-05), and a rebuild is to
/// build that revision.
fn absolute(merged: &SourceStamp, properties: &Properties) -> SourceStamp {
    let said = |name: &str, is_so: fn(&Property) -> bool| {
        let mut all = properties.iter();
        let (_, property) = all.find(|(its, property)| *its == name && is_so(property))?;
        let value = Some(&property.value).filter(|value| !value.is_null())?;
        let text = value.as_str().map(ToOwned::to_owned);
        Some(text.unwrap_or_else(|| value.to_string()))
    };
    let got = said("got_revision", |property| property.runtime);
    let began_with = said("revision", |property| property.source == "Build");
    let asked_for = merged.revision_to_build().map(ToOwned::to_owned);
    SourceStamp {
        revision: got.or(began_with).or(asked_for),
        changes: Vec::new(),
        ..merged.clone()
    }
}

#[cfg(test)]
mod tests;
