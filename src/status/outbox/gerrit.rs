//! Letters as reviews at Gerrit, one for each set (PSH-05).

use super::objects::Told;
use super::turns::Failure;
use crate::config::GerritStatusPushConfig;
use crate::model::{Results, build_url};
use crate::protocol::gerrit::{Review, review};
use crate::view::Build;

/// Builds of which a review tells.
const MOST_BUILDS: usize = 50;

/// The command that reviews the patch set of these builds.
///
/// # Errors
/// They are not of a patch set.
pub(super) fn command(
    target: &GerritStatusPushConfig,
    url: &str,
    (builds, more): (&[Told], u64),
) -> Result<Vec<String>, Failure> {
    let first = builds.first().map(|told| &told.build);
    let patch_set = first.and_then(|build| {
        let revision = property(build, "event.patchSet.revision")?;
        Some((property(build, "event.change.project")?, revision))
    });
    let Some((project, revision)) = patch_set else {
        let why = "it is not about a patch set of Gerrit".to_owned();
        return Err(Failure::Stale(why));
    };
    let told = builds.iter().take(MOST_BUILDS).map(|told| {
        let build = &told.build;
        let result = told.objects["build"]["result"].as_str().unwrap_or_default();
        let page = build_url(url, &build.builder, build.number);
        let text = build.text.join(" ");
        format!(
            "{} #{}: {result} ({text})\n{page}\n",
            build.builder, build.number
        )
    });
    let mut message = told.collect::<Vec<_>>().join("\n");
    let more = more + builds.len().saturating_sub(MOST_BUILDS) as u64;
    if more > 0 {
        message.push_str(&format!("\nand {more} more builds\n"));
    }
    let is_good = |told: &Told| {
        let result = told.objects["build"]["result"].as_str();
        [Results::Success, Results::Warnings]
            .map(Results::as_str)
            .contains(&result.unwrap_or_default())
    };
    let value = if builds.iter().all(is_good) { 1 } else { -1 };
    let remote = review(&Review {
        project: &project,
        revision: &revision,
        message: &message,
        label: (&target.label, value),
        notify: target.notify.as_deref(),
    });
    let mut words = vec![target.ssh.clone()];
    if let Some(file) = &target.identity_file {
        words.extend(["-i".to_owned(), file.display().to_string()]);
    }
    words.extend(["-o", "BatchMode=yes", "-p"].map(str::to_owned));
    words.push(target.port.to_string());
    words.push(format!("{}@{}", target.username, target.server));
    words.push(remote);
    Ok(words)
}

/// A property of a build that is a text.
fn property(build: &Build, name: &str) -> Option<String> {
    let mut all = build.properties.iter();
    let (_, property) = all.find(|(known, _)| *known == name)?;
    property.value.as_str().map(str::to_owned)
}
