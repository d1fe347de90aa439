//! Files on the slave that match patterns.

use crate::build::step::{Performed, StepRun};
use crate::pb::Value;
use crate::protocol::CommandArgs;
use crate::protocol::files::GlobArgs;
use crate::transfer::Problem;

/// The files that match `patterns`, which are below `workdir`, in the order of their names. If they
/// cannot be had, answers with the reason unless the slave has told it. More than `most` files are
/// such a reason.
pub(super) async fn matching(
    step: &mut StepRun<'_>,
    workdir: &str,
    patterns: Vec<String>,
    most: usize,
) -> Result<Result<Vec<String>, Option<Problem>>, Performed> {
    let mut found = Vec::new();
    for pattern in patterns {
        let pattern = match pattern.starts_with('/') {
            true => pattern,
            false => format!("{workdir}/{pattern}"),
        };
        let args = CommandArgs::Glob(GlobArgs { pattern });
        let report = step.complete(&args).await?;
        let files = report.told.get("files").and_then(Value::as_items);
        let (Some(0), Some(files)) = (report.rc, files) else {
            return Ok(Err(None));
        };
        for file in files {
            match file.as_raw().map(|raw| std::str::from_utf8(raw)) {
                Some(Ok(file)) => found.push(file.to_owned()),
                _ => {
                    let name = file.as_text().unwrap_or_default();
                    let problem = format!("the name {name:?} on the slave is not UTF-8");
                    return Ok(Err(Some(Problem::Refused(problem))));
                }
            }
        }
        if found.len() > most {
            let problem = format!("the patterns match more than {most} files");
            return Ok(Err(Some(Problem::Refused(problem))));
        }
    }
    found.sort();
    found.dedup();
    Ok(Ok(found))
}
