//! Builds that people ask for: forced, and built again (BLD-16).

use std::path::Path;
use std::sync::Arc;

use super::{Ask, Control};
use crate::botmaster::{Answer, Forced};
use crate::model::{BuildNumber, BuildSet, BuilderName, Properties, Property, SourceStamp};
use crate::store::read::BuildRow;
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
        match self.ask(Ask::Force(Box::new(forced))).await? {
            Answer::Set(set) => Ok(set),
            other @ (Answer::Change(_) | Answer::Why(_) | Answer::Done) => {
                Err(format!("a forced build was answered with {other:?}"))
            }
        }
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
    let stamp = absolute_stamp(&state, &build).map_err(|error| error.to_string())?;
    let Some(stamp) = stamp else {
        return Err(format!(
            "what build {number} of {builder} has built is not known any more: its change or its build set was removed, \
             as the horizons say; force a build of the revision that you want"
        ));
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
    })
}

/// SST-07: what was built, by revision. It has no changes: a stamp with changes is merged with others whatever its
/// revision is (SST-05), and a rebuild is to build that revision. Nothing, if only what has gone knew it.
fn absolute_stamp(state: &State, build: &BuildRow) -> rusqlite::Result<Option<SourceStamp>> {
    let conn = &state.conn;
    let mut stamp = SourceStamp::default();
    if let Some(&first) = build.summary.requests.first() {
        let Some(found) = read::stamp_of_request(conn, first)? else {
            return Ok(None);
        };
        stamp = found;
    }
    let got = build
        .properties
        .get("got_revision")
        .map(|got| match got.as_str() {
            Some(text) => text.to_owned(),
            None => got.to_string(),
        });
    if got.is_some() {
        stamp.revision = got;
    } else if stamp.revision.is_none()
        && let Some(&newest) = build.summary.changes.last()
    {
        let Some(change) = read::change(conn, newest)? else {
            return Ok(None);
        };
        stamp.revision = change.said.revision;
    }
    Ok(Some(stamp))
}
