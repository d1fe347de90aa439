//! The steps of a build, which may become more while it runs. Pure.

use std::borrow::Cow;

use crate::botmaster::unique_names;
use crate::config::StepConfig;

/// The steps in their order, and how far the build has come with them.
#[derive(Debug)]
pub(super) struct StepList<'a> {
    steps: Vec<Cow<'a, StepConfig>>,
    /// Their names, each once (BUI-04).
    names: Vec<String>,
    /// The place of the next one.
    next: usize,
}

impl<'a> StepList<'a> {
    /// All of `steps`, with their unique names.
    pub(super) fn new(steps: &'a [StepConfig], names: Vec<String>) -> Self {
        Self {
            steps: steps.iter().map(Cow::Borrowed).collect(),
            names,
            next: 0,
        }
    }

    /// The next step: its position, its settings and its name.
    pub(super) fn next(&mut self) -> Option<(u32, Cow<'a, StepConfig>, String)> {
        let at = self.next;
        let (step, name) = (self.steps.get(at)?.clone(), self.names.get(at)?.clone());
        self.next += 1;
        Some((u32::try_from(at).ok()?, step, name))
    }

    /// Whether the last one was taken.
    pub(super) const fn is_at_end(&self) -> bool {
        self.next == self.steps.len()
    }

    /// Adds steps after the one that was taken last. Names that are there already stay as they
    /// are. Gives the names of those that are added, and whether their times count.
    pub(super) fn add(&mut self, added: Vec<StepConfig>) -> Vec<(String, bool)> {
        let known = self.names.iter().map(String::as_str);
        let all = known.chain(added.iter().map(|step| step.name.as_str()));
        let names = unique_names(all).split_off(self.names.len());
        let counts = added.iter().map(|step| step.use_progress);
        let counting = names.iter().cloned().zip(counts).collect();
        let at = self.next;
        self.names.splice(at..at, names);
        self.steps.splice(at..at, added.into_iter().map(Cow::Owned));
        counting
    }

    /// The names of all, in their order.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }
}
