//! What builds are called, so that what happens to them need not be looked up.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};

use crate::model::{BuildId, BuildNumber, BuilderName, Facts, Op, SlaveName};
use crate::store::column::{Col, int};

/// The builds that have started and have not finished. Those of an earlier run of the master are
/// read of the state at each use.
#[derive(Debug, Default)]
pub(in crate::store) struct Running(HashMap<BuildId, Build>);

#[derive(Debug)]
struct Build {
    builder: BuilderName,
    number: BuildNumber,
    slave: SlaveName,
    /// The names of its steps, as far as they have started.
    steps: HashMap<u32, String>,
}

impl Running {
    /// Keeps what `op` begins.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the others begin nothing")]
    pub(super) fn begin(&mut self, op: &Op) {
        match op {
            Op::BuildStarted(start) => {
                let build = Build {
                    builder: start.builder.clone(),
                    number: start.number,
                    slave: start.slave.clone(),
                    steps: HashMap::new(),
                };
                self.0.insert(start.build, build);
            }
            Op::StepStarted(start) => {
                if let Some(build) = self.0.get_mut(&start.build) {
                    build.steps.insert(start.index, start.name.clone());
                }
            }
            _ => {}
        }
    }

    /// Forgets the build that `op` ends.
    pub(super) fn end(&mut self, op: &Op) {
        if let Op::BuildFinished(end) = op {
            self.0.remove(&end.build);
        }
    }

    /// The builder, number and slave of a build.
    pub(super) fn build(&self, conn: &Connection, build: BuildId) -> rusqlite::Result<Facts> {
        match self.0.get(&build) {
            Some(known) => Ok(Facts {
                slave: Some(known.slave.clone()),
                ..known.facts()
            }),
            None => read_build(conn, build),
        }
    }

    /// The builder and number of a build, and the name of its step.
    pub(super) fn step(
        &self,
        conn: &Connection,
        build: BuildId,
        index: u32,
    ) -> rusqlite::Result<Facts> {
        let known = self.0.get(&build);
        let step = known.and_then(|known| known.steps.get(&index));
        match known.zip(step) {
            Some((known, step)) => Ok(Facts {
                step: Some(step.clone()),
                ..known.facts()
            }),
            None => read_step(conn, build, index),
        }
    }
}

impl Build {
    fn facts(&self) -> Facts {
        Facts {
            builder: Some(self.builder.clone()),
            build: Some(self.number),
            ..Facts::default()
        }
    }
}

fn read_build(conn: &Connection, build: BuildId) -> rusqlite::Result<Facts> {
    let found = conn
        .prepare_cached("SELECT builder, number, slave FROM build WHERE id = ?1")?
        .query_row([int(build.0)], |row| {
            Ok(Facts {
                builder: Some(row.get::<_, Col<_>>(0)?.0),
                build: Some(row.get::<_, Col<_>>(1)?.0),
                slave: Some(row.get::<_, Col<_>>(2)?.0),
                ..Facts::default()
            })
        })
        .optional()?;
    Ok(found.unwrap_or_default())
}

fn read_step(conn: &Connection, build: BuildId, index: u32) -> rusqlite::Result<Facts> {
    let found = conn
        .prepare_cached(
            "SELECT b.builder, b.number, s.name FROM step s JOIN build b ON b.id = s.build
             WHERE s.build = ?1 AND s.position = ?2",
        )?
        .query_row(params![int(build.0), index], |row| {
            Ok(Facts {
                builder: Some(row.get::<_, Col<_>>(0)?.0),
                build: Some(row.get::<_, Col<_>>(1)?.0),
                step: row.get(2)?,
                ..Facts::default()
            })
        })
        .optional()?;
    Ok(found.unwrap_or_default())
}
