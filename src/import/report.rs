//! `import-report.md` (IMPORT section 9), and the same as JSON.

use serde_json::{Value as Json, json};

use super::desk::{Desk, Told};
use super::dump::Farm;
use super::farm::Plain;
use super::item::Item;
use super::questions::Ask;
use crate::text::and;

/// What a farm became.
#[derive(Debug)]
pub(super) struct Outcome<'a> {
    /// The configuration.
    pub(super) plain: &'a Plain,
    /// What was collected.
    pub(super) desk: &'a Desk,
    /// Factories, and entries of steps, that were written.
    pub(super) written: (usize, usize),
    /// The name of the directory.
    pub(super) dir: &'a str,
    /// The name of the dump.
    pub(super) file: &'a str,
    /// The farm.
    pub(super) farm: &'a Farm,
}

impl Outcome<'_> {
    /// How many builders wait for nothing.
    fn whole(&self) -> usize {
        let count = self.plain.builders.len();
        let waits = |at: &usize| self.desk.waiting.get(at).is_none_or(|w| w.is_empty());
        (0..count).filter(waits).count()
    }

    /// How many builders wait for nothing but answers.
    fn when_answered(&self) -> usize {
        let count = self.plain.builders.len();
        let only_questions = |at: &usize| {
            let waits = self.desk.waiting.get(at);
            waits.is_none_or(|w| w.iter().all(|what| what.starts_with("question ")))
        };
        (0..count).filter(only_questions).count()
    }

    /// Steps that the builders run together.
    fn as_run(&self) -> usize {
        let steps = |factory: &usize| self.plain.factories.get(*factory).map(|f| f.steps.len());
        let builders = self.plain.builders.iter();
        builders.filter_map(|(_, factory)| steps(factory)).sum()
    }

    /// The first sentence.
    pub(super) fn sentence(&self) -> String {
        let plain = self.plain;
        let (factories, steps) = self.written;
        let open = self.desk.questions.open().count();
        let builders = plain.builders.len();
        let whole = self.whole();
        let rest = match self.when_answered() {
            _ if open == 0 => String::new(),
            all if all == builders => ", all when they are answered".to_owned(),
            some => format!(", {some} when they are answered"),
        };
        format!(
            "{}, {}, {} ({} as run), {}, {}; {}; {whole} of {} run whole{rest}.",
            counted(builders, "builder"),
            match factories {
                1 => "1 factory".to_owned(),
                n => format!("{n} factories"),
            },
            counted(steps, "step"),
            self.as_run(),
            counted(plain.slaves.len(), "slave"),
            counted(plain.schedulers.len(), "scheduler"),
            match open {
                0 => "no question is open".to_owned(),
                1 => "1 question is open".to_owned(),
                n => format!("{n} questions are open"),
            },
            counted(builders, "builder"),
        )
    }

    /// The report.
    pub(super) fn markdown(&self) -> String {
        let made = |key: &str| self.farm.made.get(key).map_or("?", String::as_str);
        let mut out = format!(
            "# Import of {}\n\nFrom {}, as Buildbot {} read it with Python {}.\n\n{}\n",
            self.file,
            made("config"),
            made("buildbot"),
            made("python"),
            self.sentence()
        );
        if !self.plain.faults.is_empty() {
            out.push_str("\n## Mistakes that keep the master from starting\n\n");
            for fault in &self.plain.faults {
                out.push_str(&format!("- {fault}\n"));
            }
        }
        self.questions(&mut out);
        self.told(&mut out, "Not here yet", &self.desk.missing);
        self.told(&mut out, "Look at", &self.desk.look);
        self.told(&mut out, "Left out, nothing lost", &self.desk.left_out);
        self.builders(&mut out);
        self.next(&mut out);
        self.desk.masked(&out)
    }

    fn questions(&self, out: &mut String) {
        let mut open: Vec<_> = self.desk.questions.open().collect();
        if open.is_empty() {
            return;
        }
        open.sort_by_key(|q| (q.ask != Ask::Veto, std::cmp::Reverse(q.builders.len())));
        out.push_str(&format!("\n## Open questions ({})\n\n", open.len()));
        out.push_str("| question | kind | where | uses | builders |\n|---|---|---|---|---|\n");
        for question in open {
            out.push_str(&format!(
                "| {} | {} | {} | {} | {} |\n",
                question.id,
                question.ask.name(),
                question.place,
                question.uses,
                question.builders.len(),
            ));
        }
    }

    fn told(&self, out: &mut String, title: &str, told: &Told) {
        if told.is_empty() {
            return;
        }
        out.push_str(&format!("\n## {title} ({})\n\n", told.len()));
        for (what, (count, place)) in told {
            let place = match place.as_str() {
                "" => String::new(),
                place => format!(", first {place}"),
            };
            out.push_str(&format!("- {what}: {}{place}\n", counted(*count, "time")));
        }
    }

    fn builders(&self, out: &mut String) {
        let name = |at: usize| {
            let builder = self.plain.builders.get(at);
            let name = builder.and_then(|(table, _)| table.get("name"));
            name.and_then(Item::as_text).unwrap_or_default().to_owned()
        };
        let (mut whole, mut waiting) = (Vec::new(), Vec::new());
        for at in 0..self.plain.builders.len() {
            match self.desk.waiting.get(&at).filter(|waits| !waits.is_empty()) {
                Some(waits) => waiting.push((name(at), waits)),
                None => whole.push(name(at)),
            }
        }
        out.push_str(&format!(
            "\n## Builders that run whole ({})\n\n",
            whole.len()
        ));
        if !whole.is_empty() {
            out.push_str(&format!("{}\n", whole.join(", ")));
        }
        if !waiting.is_empty() {
            out.push_str(&format!("\nThe others wait ({}):\n\n", waiting.len()));
        }
        for (name, waits) in waiting {
            let waits: Vec<&str> = waits.iter().map(String::as_str).collect();
            out.push_str(&format!("- {name}: {}\n", and(&waits)));
        }
    }

    fn next(&self, out: &mut String) {
        let Self { dir, file, .. } = self;
        out.push_str(&format!(
            "\n## Next\n\n\
             1. Answer questions in {dir}/answers.toml, as far as you like.\n\
             2. `buildmaster import-config {file} --out {dir} --force`, until nothing is open.\n\
             3. `buildmaster checkconfig {dir}`\n\
             4. Stop the old master, then `buildmaster import-state OLD-BASEDIR --basedir {dir}`.\n\
             5. `buildmaster start {dir}`\n"
        ));
    }

    /// The report as JSON.
    pub(super) fn json(&self) -> Json {
        let plain = self.plain;
        let (factories, steps) = self.written;
        let told = |told: &Told| -> Json {
            let entries = told.iter().map(|(what, (count, place))| {
                let (what, place) = (self.desk.masked(what), self.desk.masked(place));
                json!({ "what": what, "count": count, "first": place })
            });
            entries.collect()
        };
        let questions = self.desk.questions.all.iter().map(|q| {
            json!({
                "id": q.id, "kind": q.ask.name(), "where": q.place, "uses": q.uses,
                "builders": q.builders.len(), "open": !q.is_answered,
            })
        });
        json!({
            "slaves": plain.slaves.len(),
            "builders": plain.builders.len(),
            "factories": factories,
            "step_entries": steps,
            "steps_as_run": self.as_run(),
            "schedulers": plain.schedulers.len(),
            "change_sources": plain.change_sources.len(),
            "status": plain.status.len(),
            "open_questions": self.desk.questions.open().count(),
            "builders_that_run_whole": self.whole(),
            "questions": questions.collect::<Json>(),
            "missing": told(&self.desk.missing),
            "look_at": told(&self.desk.look),
            "left_out": told(&self.desk.left_out),
            "faults": plain.faults,
        })
    }
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
