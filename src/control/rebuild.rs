//! Building again what a finished build has built (BLD-16).

use super::Control;
use crate::botmaster::Forced;
use crate::model::{
    BuildNumber, BuilderName, Properties, Property, SourceStamp, SourceStamps, revision_built,
    revision_of_codebase,
};
use crate::store::State;

/// Where the master itself sets properties of each build, so that a rebuild gets its own, and one
/// of a build of a search runs all steps.
const SET_FOR_EACH_BUILD: [&str; 4] = ["Build", "Builder", "BuildSlave", "Search"];

impl Control {
    /// What to ask the core for, to build again what a finished build has built: the same revision,
    /// or if `updated` the same source stamp.
    ///
    /// # Errors
    /// The build does not exist, has not finished, or its parts were pruned.
    pub(super) async fn like(
        &self,
        builder: BuilderName,
        number: BuildNumber,
        reason: String,
        updated: bool,
    ) -> Result<Forced, String> {
        let reader = self.reader();
        reader
            .read(move |state| like(state, builder, number, reason, updated))
            .await
    }
}

/// A request for what build `number` was.
fn like(
    state: &State,
    builder: BuilderName,
    number: BuildNumber,
    reason: String,
    updated: bool,
) -> Result<Forced, String> {
    let Some(build) = state.build(&builder, number)? else {
        return Err(match state.was_build(&builder, number)? {
            true => format!("build {builder}/{number} was pruned (build_horizon)"),
            false => format!("there is no build {builder}/{number}"),
        });
    };
    if build.finished_at.is_none() {
        return Err(format!("build {number} of {builder} has not finished"));
    }
    let requests = &build.requests;
    let (stamps, priority) = state.wishes(requests)?;
    if stamps.is_empty() && !requests.is_empty() {
        return Err(format!(
            "cannot rebuild {builder}/{number}: its build sets were pruned (build_horizon); force a \
             build of the revision that you want"
        ));
    }
    let merged = SourceStamps::merged(&stamps);
    let stamps = match updated {
        true => SourceStamps::clone(&merged),
        false => absolute(&merged, &build.properties),
    };
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
        scheduler: None,
        soon: false,
        stamps,
        reason: match reason.as_str() {
            "" => format!("<rebuild of {name}/{number}, no reason given>"),
            reason => format!("{reason} (rebuild of {name}/{number})"),
        },
        properties,
        priority,
    })
}

/// SST-07: what was built of `merged`, by revision: that which a step found out, else that with
/// which the build began. It keeps the changes, and with them who is to blame.
fn absolute(merged: &SourceStamps, properties: &Properties) -> SourceStamps {
    let is_single = merged.single().is_some();
    let got = properties.get("got_revision");
    merged.map(|stamp| {
        let found = match is_single {
            true => revision_built(properties),
            false => got.and_then(|got| revision_of_codebase(got, &stamp.codebase)),
        };
        let asked_for = || stamp.revision_to_build().map(ToOwned::to_owned);
        SourceStamp {
            revision: found.or_else(asked_for),
            ..stamp.clone()
        }
    })
}

#[cfg(test)]
mod tests;
