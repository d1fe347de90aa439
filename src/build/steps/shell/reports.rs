//! The reports of tests that a step makes: from its logs, and from files on the slave (TST-01,
//! TST-07).

use std::sync::{Arc, Mutex, PoisonError};

use super::report_texts::{self, Kept, Texts, place_of};
use super::{put_in, raised};
use crate::build::control::{FOREVER, Paused};
use crate::build::secrets::own_environment;
use crate::build::step::{Performed, StepRun};
use crate::build::steplogs::STDIO;
use crate::build::steps::matching::matching;
use crate::build::taps::Taps;
use crate::config::{ReportFormat, ReportPlace, ShellStepConfig, Template, TestReports};
use crate::model::transfer::BLOCK_BYTES;
use crate::model::{
    Op, Results, TestCounts, TestFormat, TestHash, TestName, TestRow, TestTable, TestsReport,
    ToldTest,
};
use crate::process::Program;
use crate::protocol::CommandArgs;
use crate::protocol::report::{Reading, Report};
use crate::protocol::transfer::{TransferArgs, UploadArgs};
use crate::transfer::Stream;

/// Most files of a report.
const MOST_FILES: usize = 200;
/// Most failing tests of which it is looked whether they are in quarantine.
const MOST_EXCUSED: usize = 1000;
/// Most bytes of the files of a step.
const MOST_BYTES: u64 = 64 << 20;

/// The readers of the logs, if some are read.
pub(super) fn taps(step: &StepRun<'_>, config: &ShellStepConfig) -> Option<Taps> {
    let mut taps = None;
    if config.tests.tests.is_empty()
        && let Some(format) = config.reader.format_of_tests()
    {
        taps.get_or_insert_with(Taps::default).add(STDIO, format);
    }
    for TestReports { format, from } in &config.tests.tests {
        let ReportPlace::Log(log) = from else {
            continue;
        };
        let taps = taps.get_or_insert_with(Taps::default);
        match format {
            ReportFormat::Known(format) => taps.add(log, *format),
            ReportFormat::Program(words) => {
                let program = Program {
                    environment: Some(own_environment(&step.around.plan.builder)),
                    ..Program::new(words)
                };
                taps.add_program(log, &program);
            }
        }
    }
    taps
}

/// What was found in the logs. A stop of the build, or the loss of its slave, ends the wait for
/// programs: then nothing was found.
async fn in_logs(step: &mut StepRun<'_>, taps: Option<Taps>) -> Result<Option<Report>, Performed> {
    let mut all = Report::new();
    let Some(taps) = taps else {
        return Ok(Some(all));
    };
    let reports = tokio::select! {
        biased;
        reports = taps.finish() => reports,
        what = step.controls.pause(FOREVER) => {
            if what == Paused::SlaveLost {
                return Err(Performed::SlaveLost);
            }
            if let Paused::Stopped(reason) = what {
                step.interrupted = Some(reason);
            }
            return Ok(None);
        }
    };
    for (log, report) in reports {
        all.absorb(report, Some(&log));
    }
    Ok(Some(all))
}

/// Gets the reports in files, tells of all tests, and answers how the step ends by them.
pub(super) async fn judge(
    step: &mut StepRun<'_>,
    config: &ShellStepConfig,
    (taps, rc): (Option<Taps>, Option<i64>),
    ended: Performed,
) -> Result<Performed, Performed> {
    let Performed::Ended {
        mut result,
        mut detail,
    } = ended
    else {
        return Ok(ended);
    };
    if (taps.is_none() && config.tests.tests.is_empty()) || step.interrupted.is_some() {
        return Ok(Performed::Ended { result, detail });
    }
    let Some(mut all) = in_logs(step, taps).await? else {
        return Ok(Performed::Ended { result, detail });
    };
    if config.tests.tests.is_empty() {
        // The kind of step has its own words for them.
        remember(step, &all).await;
        return Ok(Performed::Ended { result, detail });
    }
    let (mut room, mut texts) = (MOST_BYTES, Texts::default());
    for TestReports { format, from } in &config.tests.tests {
        let (ReportFormat::Known(format), ReportPlace::Files(templates)) = (format, from) else {
            continue;
        };
        let files = files(step, config, templates, &mut all).await?;
        for file in files {
            let (mut report, kept) = fetch(step, config, (&file, *format), &mut room).await?;
            texts.keep(step, (&kept, *format), &mut report);
            all.absorb(report, Some(report_texts::LOG));
        }
    }
    tell(step, &all, texts).await;
    remember(step, &all).await;
    let settings = &config.tests;
    let is_bad = settings.tests_decide && all.counts.failed > 0;
    let is_missing = settings.tests_required && !all.has_tests();
    if (is_bad || is_missing) && matches!(result, Results::Success | Results::Warnings) {
        result = Results::Failure;
    }
    // Programs that a signal ended have other numbers.
    let has_crashed = !rc.is_some_and(|rc| (0..128).contains(&rc));
    if result == Results::Failure && !is_missing && !has_crashed && is_excused(step, &all).await {
        result = Results::Warnings;
        detail.push("in quarantine".to_owned());
    }
    Ok(Performed::Ended { result, detail })
}

/// Whether every failing test is in quarantine, and nothing else has failed (FLK-07).
async fn is_excused(step: &StepRun<'_>, all: &Report) -> bool {
    let bad = all.tests.iter().filter(|test| test.outcome.is_bad());
    let bad: Vec<_> = bad.map(|test| test.name.clone()).collect();
    let has_all = all.is_complete && bad.len() as u64 == all.counts.failed;
    if !has_all || bad.is_empty() || bad.len() > MOST_EXCUSED {
        return false;
    }
    let builder = step.around.plan.builder.name.clone();
    let now = (step.around.clock)();
    let journal = &step.around.journal;
    journal.are_in_quarantine(builder, bad, now).await
}

/// The files that are named, below the work directory of the step.
async fn files(
    step: &mut StepRun<'_>,
    config: &ShellStepConfig,
    templates: &[Template],
    all: &mut Report,
) -> Result<Vec<String>, Performed> {
    let rendered = templates
        .iter()
        .map(|template| put_in(template, step.values(), "tests, files"));
    let rendered = rendered.collect::<Result<Vec<_>, _>>();
    let rendered = rendered.map_err(|problem| raised(step, &problem))?;
    let is_pattern = |path: &String| path.contains(['*', '?', '[']);
    let (patterns, mut files): (Vec<_>, Vec<_>) = rendered.into_iter().partition(is_pattern);
    if !patterns.is_empty() {
        let workdir = workdir(step, config)?;
        match matching(step, &workdir, patterns, MOST_FILES).await? {
            Ok(found) => files.extend(found),
            Err(Some(problem)) => all.add_note(&problem.to_string()),
            Err(None) => all.add_note("the slave cannot look for files that match patterns"),
        }
    }
    if files.is_empty() {
        all.add_note("no file matches");
    }
    Ok(files)
}

fn workdir(step: &StepRun<'_>, config: &ShellStepConfig) -> Result<String, Performed> {
    let workdir = put_in(&config.workdir, step.values(), "workdir");
    workdir.map_err(|problem| raised(step, &problem))
}

/// Reads a file on the slave while it arrives. `room` is how many bytes further files may have.
async fn fetch(
    step: &mut StepRun<'_>,
    config: &ShellStepConfig,
    (file, format): (&str, TestFormat),
    room: &mut u64,
) -> Result<(Report, Kept), Performed> {
    // The thread that gets the bytes is not the one that uses what was read.
    let reading = (Reading::new(format), 0_u64, Kept::default());
    let reading = Arc::new(Mutex::new(reading));
    let taken = Arc::clone(&reading);
    let stream = Stream::new(*room, move |bytes| {
        let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.0.feed(bytes);
        taken.2.take(bytes);
        taken.1 += bytes.len() as u64;
    });
    let args = CommandArgs::UploadFile(UploadArgs {
        transfer: TransferArgs {
            path: file.to_owned(),
            workdir: workdir(step, config)?,
            block_bytes: BLOCK_BYTES,
            max_bytes: Some(*room),
        },
        keep_stamp: false,
    });
    let (sent, problem) = step.transfer(&args, stream).await?;
    let mut taken = reading.lock().unwrap_or_else(PoisonError::into_inner);
    let reading = std::mem::replace(&mut taken.0, Reading::new(format));
    *room = room.saturating_sub(taken.1);
    let kept = std::mem::take(&mut taken.2);
    let mut report = reading.finish();
    if let Some(problem) = problem {
        report.add_note(&format!("{file}: {problem}"));
        report.is_complete = false;
    } else if sent.rc != Some(0) {
        report.add_note(&format!("the slave cannot read {file}"));
        report.is_complete = false;
    }
    Ok((report, kept))
}

/// Tells of the tests: in the text of the step, in properties of the build, and in a log with what
/// is told about bad tests in files and about the reports.
async fn tell(step: &mut StepRun<'_>, all: &Report, texts: Texts) {
    let TestCounts {
        failed,
        skipped,
        flaky,
        ..
    } = all.counts;
    step.did(vec![all.counts.in_words()]);
    for (name, count) in [
        ("tests_total", all.counts.total()),
        ("tests_failed", failed),
        ("tests_skipped", skipped),
        ("tests_flaky", flaky),
    ] {
        let before = step
            .properties
            .get(name)
            .and_then(serde_json::Value::as_u64);
        step.set_property(name, before.unwrap_or(0).saturating_add(count));
    }
    let mut log = texts.log;
    all.notes
        .iter()
        .for_each(|note| log.push_str(&format!("{note}\n")));
    if !log.is_empty() {
        step.logs.add(report_texts::LOG, log.into()).await;
    }
}

/// Remembers the tests, compared with the last outcomes of their line (TST-09).
async fn remember(step: &mut StepRun<'_>, all: &Report) {
    if all.tests.is_empty() && all.counts.total() == 0 {
        return;
    }
    let journal = &step.around.journal;
    let (build, index) = (step.around.plan.build, step.logs.index);
    let mut names: Vec<(TestHash, &TestName)> = all
        .tests
        .iter()
        .map(|test| (test.name.hash(), &test.name))
        .collect();
    let rows = names
        .iter()
        .zip(&all.tests)
        .map(|((hash, _), test)| TestRow {
            hash: *hash,
            outcome: test.outcome,
            millis: test.secs.map(millis),
        });
    let table = TestTable::new(rows.collect());
    names.sort_by_key(|(hash, _)| *hash);
    let of = (build, step.name.to_owned());
    let compared = journal
        .compare_tests(of, table.clone(), all.is_complete)
        .await;
    let (compared, names) = match compared {
        Ok((compared, unknown)) => {
            let name_of = |hash: &TestHash| {
                let at = names.binary_search_by_key(hash, |(hash, _)| *hash).ok()?;
                names.get(at).map(|(_, name)| (*name).clone())
            };
            (Some(compared), unknown.iter().filter_map(name_of).collect())
        }
        Err(error) => {
            tracing::warn!(step = ?step.name, "cannot compare the tests of a step: {error}");
            (
                None,
                names.into_iter().map(|(_, name)| name.clone()).collect(),
            )
        }
    };
    let report = TestsReport {
        build,
        index,
        step: step.name.to_owned(),
        counts: all.counts,
        is_complete: all.is_complete,
        notes: all.notes.clone(),
        told: told(step, all),
        names,
        table,
        compared,
        at: (step.around.clock)(),
    };
    journal
        .write(vec![Op::TestsReported(Box::new(report))])
        .await;
}

/// The tests of which something is told, without secrets.
fn told(step: &StepRun<'_>, all: &Report) -> Vec<ToldTest> {
    let mut room = TestsReport::MOST_TOLD_BYTES;
    let tests = all.tests.iter();
    let tests = tests.filter(|test| test.outcome.is_bad() || test.is_flaky);
    let told = tests.take(TestsReport::MOST_TOLD).map(|test| {
        let mut message = test.message.clone().filter(|message| message.len() <= room);
        if let Some(message) = &mut message {
            room -= message.len();
            step.mask(message);
        }
        ToldTest {
            name: test.name.clone(),
            outcome: test.outcome,
            message,
            place: place_of(step, test),
            attempts: test.attempts,
            is_flaky: test.is_flaky,
        }
    });
    told.collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a conversion of a float saturates"
)]
fn millis(secs: f64) -> u32 {
    ((secs * 1000.0).round() as u32).min(u32::MAX - 1)
}
