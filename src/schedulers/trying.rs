//! Try schedulers: they watch nothing, and build what they are handed (TRY-01 to TRY-07).

use std::sync::Arc;

use super::{Entry, Registry, Submission};
use crate::config::SchedulerKind;
use crate::model::{BuilderName, Patch, PatchBody, SchedulerName, SourceStamp, TryJob};

impl Registry {
    /// The set that the try scheduler `name` makes of `job`; `user` is who has logged in to hand it in.
    ///
    /// # Errors
    /// A sentence for the sender: there is no such try scheduler, or the job names a builder that is not
    /// its (TRY-02).
    pub fn try_submission(
        &self,
        name: &SchedulerName,
        mut job: TryJob,
        user: Option<&str>,
    ) -> Result<Submission, String> {
        let entry = self
            .running(name)
            .filter(|entry| entry.takes_try_jobs())
            .ok_or_else(|| format!("there is no try scheduler {name}"))?;
        let allowed = &entry.config.builders;
        if let Some(other) = job.builders.iter().find(|b| !allowed.contains(b)) {
            return Err(format!(
                "builder {other} is not one of those that {name} may try: {}",
                joined(allowed)
            ));
        }
        check_properties(&job)?;
        cut(&mut job.comment);
        let mut submission = entry.submission(Arc::default());
        if !job.builders.is_empty() {
            submission.builders.clone_from(&job.builders);
        }
        submission.reason = reason(&job, user);
        for (name, value) in &job.properties {
            submission
                .properties
                .set(name.clone(), value.clone(), "try build");
        }
        submission.external_id = Some(job.id.clone()).filter(|id| !id.is_empty());
        submission.stamp = Arc::new(stamp(job));
        Ok(submission)
    }

    /// The builders that a try scheduler may use, in the order of its configuration (TUP-05).
    #[must_use]
    pub fn try_builders(&self, name: &SchedulerName) -> Vec<BuilderName> {
        match self.running(name).filter(|entry| entry.takes_try_jobs()) {
            Some(entry) => entry.config.builders.clone(),
            None => Vec::new(),
        }
    }
}

impl Entry {
    fn takes_try_jobs(&self) -> bool {
        matches!(
            self.config.kind,
            SchedulerKind::TryJobdir(_) | SchedulerKind::TryUserpass(_)
        )
    }
}

/// The stamp of a job: nothing of its own but the base and the patch (TRY-04).
fn stamp(job: TryJob) -> SourceStamp {
    let some = |text: String| not_empty(Some(text));
    let (who, comment) = (some(job.who), some(job.comment));
    // Without a diff there is nothing to apply, and it merges like any other (TRY-07).
    let patch = (!job.patch.is_empty()).then_some(Patch {
        level: job.patch_level,
        body: PatchBody::Given(job.patch.into()),
        subdir: None,
        who,
        comment,
    });
    SourceStamp {
        branch: not_empty(job.branch),
        revision: not_empty(job.base_revision),
        patch,
        changes: Vec::new(),
        project: job.project,
        repository: job.repository,
        codebase: String::new(),
    }
}

/// Properties are in memory as long as the job is queued.
fn check_properties(job: &TryJob) -> Result<(), String> {
    let sizes = job.properties.iter().map(|(name, value)| {
        let value = serde_json::to_string(value).unwrap_or_default();
        name.len() + value.len()
    });
    if sizes.sum::<usize>() > LONGEST_PROPERTIES {
        return Err(format!(
            "the properties of the try job have more than {LONGEST_PROPERTIES} bytes together"
        ));
    }
    Ok(())
}

/// Cuts a comment that is too long to be in memory as long as the job is queued.
fn cut(comment: &mut String) {
    if comment.len() > LONGEST_COMMENT {
        comment.truncate(comment.floor_char_boundary(LONGEST_COMMENT));
        comment.push_str(CUT);
    }
}

/// Most bytes of the properties of a job.
const LONGEST_PROPERTIES: usize = 64 * 1024;
/// Most bytes of a comment that are kept.
const LONGEST_COMMENT: usize = 4 * 1024;
/// What stands for the rest.
const CUT: &str = " [...]";

/// An empty text says no more than none.
fn not_empty(text: Option<String>) -> Option<String> {
    text.filter(|t| !t.is_empty())
}

/// Why the set is built (TRY-05). Who logged in is a fact; who the sender says it is for is a claim.
fn reason(job: &TryJob, user: Option<&str>) -> String {
    let mut reason = "'try' job".to_owned();
    if let Some(user) = user {
        reason.push_str(" from user ");
        reason.push_str(user);
    }
    if !job.who.is_empty() && user != Some(job.who.as_str()) {
        reason.push_str(" by user ");
        reason.push_str(&job.who);
    }
    if !job.comment.is_empty() {
        reason.push_str(" (");
        reason.push_str(&job.comment);
        reason.push(')');
    }
    reason
}

fn joined(names: &[BuilderName]) -> String {
    let names: Vec<_> = names.iter().map(BuilderName::as_str).collect();
    names.join(", ")
}
