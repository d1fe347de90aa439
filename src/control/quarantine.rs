//! What people do with tests in quarantine (FLK-07).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Control;
use crate::model::{BuilderName, Op, Quarantine, QuarantineOp, Timestamp};
use crate::store::{State, StoreError};

/// What somebody wants done with a test.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct QuarantineAct {
    /// The test: the parts of its name with dots between them, as pages show it.
    pub test: String,
    /// The only builder where it is meant.
    #[serde(default)]
    pub builder: Option<BuilderName>,
    /// What is said of it; absent: it counts again.
    #[serde(default)]
    pub begin: Option<QuarantineBegin>,
}

/// What is said of a test that is put in quarantine.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct QuarantineBegin {
    /// Who sees to it that it gets well.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// When it counts again; absent: after the usual time.
    #[serde(default)]
    pub until: Option<Timestamp>,
}

impl QuarantineAct {
    /// What is asked for, in words for the log.
    pub(super) fn act(&self) -> String {
        let test = self.test.escape_debug();
        match &self.begin {
            Some(begin) => {
                let owner = begin.owner.escape_debug();
                format!("put test {test} in quarantine, with owner {owner}")
            }
            None => format!("took test {test} out of quarantine"),
        }
    }
}

impl Control {
    /// Puts a test in quarantine, or takes it out.
    ///
    /// # Errors
    /// The test is not known or not in quarantine, or the time is too long.
    pub(super) async fn quarantine(&self, act: QuarantineAct, by: &str) -> Result<(), String> {
        let (now, by) = (self.clock().wall(), by.to_owned());
        let usual = self.config().quarantine.usual();
        let decide = move |state: &State| decide(state, act, by, (now, usual));
        let op = self.reader().read(decide).await;
        let op = op.map_err(|error| error.to_string())??;
        self.writer
            .write_and_wait(vec![Op::Quarantine(Box::new(op))])
            .await;
        Ok(())
    }
}

fn decide(
    state: &State,
    act: QuarantineAct,
    by: String,
    (now, usual): (Timestamp, Duration),
) -> Result<Result<QuarantineOp, String>, StoreError> {
    let (builder, known) = (act.builder, state.quarantine()?);
    let Some(begin) = act.begin else {
        let mut known = known.into_iter();
        let is_it = |one: &Quarantine| one.test.shown() == act.test && one.builder == builder;
        return Ok(match known.find(is_it) {
            Some(found) => Ok(QuarantineOp::Ended {
                test: found.test,
                builder,
            }),
            None => Err(format!(
                "test {} is not in quarantine; `buildmaster quarantine` lists those that are",
                act.test.escape_debug()
            )),
        });
    };
    let Some(test) = state.test_shown(&act.test)? else {
        return Ok(Err(format!(
            "no report has had a test {}; `buildmaster show tests BUILDER/N` lists tests",
            act.test.escape_debug()
        )));
    };
    if begin.owner.trim().is_empty() || begin.reason.trim().is_empty() {
        let why = "a test in quarantine needs an owner and a reason";
        return Ok(Err(why.to_owned()));
    }
    let until = begin.until.unwrap_or(now + usual);
    if until <= now || until > now + Quarantine::LONGEST {
        let why = "a test is in quarantine for 90 days at most; name an earlier time";
        return Ok(Err(why.to_owned()));
    }
    let is_new = !known
        .iter()
        .any(|one| one.test == test && one.builder == builder);
    if is_new && known.len() >= Quarantine::MOST {
        let why = format!("{} tests are in quarantine already", Quarantine::MOST);
        return Ok(Err(why));
    }
    Ok(Ok(QuarantineOp::Begun(Quarantine {
        test,
        builder,
        owner: begin.owner,
        reason: begin.reason,
        until,
        by,
        at: now,
    })))
}
