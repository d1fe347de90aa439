//! Builders and slaves.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params_from_iter};

use crate::model::{BuildNumber, BuilderName, Pause, Results, SlaveName, Timestamp};
use crate::store::StoreError;
use crate::store::column::{Col, Json};
use crate::store::state::State;

/// A configured builder.
#[derive(Clone, Debug, PartialEq)]
pub struct BuilderRow {
    /// Its name.
    pub name: BuilderName,
    /// Its big state: `offline`, `idle` or `building` (BLD-13).
    pub state: String,
    /// The slaves that may build for it.
    pub slaves: Vec<SlaveName>,
    /// The pause, if people have paused it.
    pub paused: Option<Pause>,
    /// Builds that run, by number.
    pub building: Vec<(BuildNumber, SlaveName)>,
    /// The last build that has ended and was no try, its result and when.
    pub last: Option<(BuildNumber, Results, Timestamp)>,
}

/// A configured slave.
#[derive(Clone, Debug, PartialEq)]
pub struct SlaveRow {
    /// Its name.
    pub name: SlaveName,
    /// Whether it is connected, or was when the master ended.
    pub connected: bool,
    /// When it last came or went; absent if it never came.
    pub seen_at: Option<Timestamp>,
    /// When something was heard of it last, as far as that is on record.
    pub heard_at: Option<Timestamp>,
    /// Whether people keep it from builds (SLV-09).
    pub paused: Option<Pause>,
    /// What it told of itself.
    pub info: BTreeMap<String, String>,
    /// The builders that it may build for.
    pub builders: Vec<BuilderName>,
}

/// A time for which a slave was connected.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct VisitRow {
    /// When it came.
    pub came_at: Timestamp,
    /// When it went; absent while it is connected.
    pub went_at: Option<Timestamp>,
}

impl State {
    /// The newest visits of a slave, the latest first.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn visits(&self, slave: &SlaveName) -> Result<Vec<VisitRow>, StoreError> {
        self.read(|conn| {
            conn.prepare_cached(VISITS)?
                .query_map([slave.as_str()], |row| {
                    Ok(VisitRow {
                        came_at: row.get::<_, Col<_>>(0)?.0,
                        went_at: row.get::<_, Option<Col<_>>>(1)?.map(|at| at.0),
                    })
                })?
                .collect()
        })
    }

    /// The configured builders, in the order of the configuration.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn builders(&self) -> Result<Vec<BuilderRow>, StoreError> {
        self.read(|conn| builders(conn, None))
    }

    /// A configured builder; absent if there is none of this name.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn builder(&self, name: &BuilderName) -> Result<Option<BuilderRow>, StoreError> {
        self.read(|conn| Ok(builders(conn, Some(name))?.pop()))
    }

    /// Names of all builders that are configured or have builds, in order of name.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn builder_names(&self) -> Result<Vec<BuilderName>, StoreError> {
        self.read(|conn| {
            conn.prepare_cached(BUILDER_NAMES)?
                .query_map([], |row| Ok(row.get::<_, Col<_>>(0)?.0))?
                .collect()
        })
    }

    /// The builds that run.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn running(&self) -> Result<Vec<(BuilderName, BuildNumber)>, StoreError> {
        self.read(|conn| {
            conn.prepare_cached(BUILDING)?
                .query_map([], |row| {
                    let builder = row.get::<_, Col<_>>(0)?.0;
                    Ok((builder, row.get::<_, Col<_>>(1)?.0))
                })?
                .collect()
        })
    }

    /// The names of all slaves that there are or were.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn slave_names(&self) -> Result<Vec<SlaveName>, StoreError> {
        self.read(|conn| {
            conn.prepare_cached(SLAVE_NAMES)?
                .query_map([], |row| Ok(row.get::<_, Col<_>>(0)?.0))?
                .collect()
        })
    }

    /// The configured slaves, in the order of the configuration.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn slaves(&self) -> Result<Vec<SlaveRow>, StoreError> {
        self.read(|conn| {
            let mut builders_of: BTreeMap<SlaveName, Vec<BuilderName>> = BTreeMap::new();
            for builder in builders(conn, None)? {
                for slave in builder.slaves {
                    let builders = builders_of.entry(slave).or_default();
                    builders.push(builder.name.clone());
                }
            }
            conn.prepare_cached(SLAVES)?
                .query_map([], |row| {
                    let name: SlaveName = row.get::<_, Col<_>>(0)?.0;
                    Ok(SlaveRow {
                        connected: row.get(1)?,
                        seen_at: row.get::<_, Option<Col<_>>>(2)?.map(|t| t.0),
                        heard_at: row.get::<_, Option<Col<_>>>(7)?.map(|t| t.0),
                        info: row.get::<_, Json<_>>(3)?.0,
                        paused: match row.get::<_, Option<Col<_>>>(4)? {
                            Some(since) => Some(Pause {
                                since: since.0,
                                by: row.get(5)?,
                                reason: row.get(6)?,
                            }),
                            None => None,
                        },
                        builders: builders_of.remove(&name).unwrap_or_default(),
                        name,
                    })
                })?
                .collect()
        })
    }
}

fn builders(conn: &Connection, only: Option<&BuilderName>) -> rusqlite::Result<Vec<BuilderRow>> {
    let (of_building, of_all) = match only {
        None => (BUILDING, BUILDERS),
        Some(_) => (BUILDING_OF, BUILDER),
    };
    let only = only.map(|name| name.as_str());
    let mut building: BTreeMap<String, Vec<_>> = BTreeMap::new();
    let mut select = conn.prepare_cached(of_building)?;
    let mut rows = select.query(params_from_iter(only))?;
    while let Some(row) = rows.next()? {
        building
            .entry(row.get(0)?)
            .or_default()
            .push((row.get::<_, Col<_>>(1)?.0, row.get::<_, Col<_>>(2)?.0));
    }
    let mut last = conn.prepare_cached(LAST_BUILD)?;
    conn.prepare_cached(of_all)?
        .query_map(params_from_iter(only), |row| {
            let name: BuilderName = row.get::<_, Col<_>>(0)?.0;
            Ok(BuilderRow {
                state: row.get(1)?,
                slaves: row.get::<_, Json<_>>(2)?.0,
                paused: match row.get::<_, Option<Col<_>>>(3)? {
                    Some(since) => Some(Pause {
                        since: since.0,
                        by: row.get(4)?,
                        reason: row.get(5)?,
                    }),
                    None => None,
                },
                building: building.remove(name.as_str()).unwrap_or_default(),
                last: last
                    .query_row([name.as_str()], |row| {
                        Ok((
                            row.get::<_, Col<_>>(0)?.0,
                            row.get::<_, Col<_>>(1)?.0,
                            row.get::<_, Col<_>>(2)?.0,
                        ))
                    })
                    .optional()?,
                name,
            })
        })?
        .collect()
}

pub(super) const BUILDERS: &str = "SELECT name, state, slaves, paused_at, paused_by, pause_reason FROM builder WHERE position IS NOT NULL ORDER BY position";
pub(super) const BUILDER_NAMES: &str = "SELECT name FROM builder
    WHERE position IS NOT NULL OR EXISTS (SELECT 1 FROM build b WHERE b.builder = name)
    ORDER BY name";
pub(super) const SLAVE_NAMES: &str = "SELECT name FROM slave ORDER BY name";
pub(super) const BUILDING: &str = "SELECT builder, number, slave FROM build
    WHERE finished_at IS NULL ORDER BY builder, id";
/// The same of one builder.
pub(super) const BUILDER: &str = "SELECT name, state, slaves, paused_at, paused_by, pause_reason
    FROM builder WHERE name = ?1 AND position IS NOT NULL";
pub(super) const BUILDING_OF: &str = "SELECT builder, number, slave FROM build
    WHERE builder = ?1 AND finished_at IS NULL ORDER BY id";
pub(super) const LAST_BUILD: &str = "SELECT b.number, b.result, b.finished_at FROM build b
    WHERE b.builder = ?1 AND b.finished_at IS NOT NULL AND b.result IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM request r JOIN patch p ON p.build_set = r.build_set
            WHERE r.id = b.requests ->> 0)
    ORDER BY b.number DESC LIMIT 1";
pub(super) const VISITS: &str =
    "SELECT came_at, went_at FROM slave_visit WHERE slave = ?1 ORDER BY id DESC";
pub(super) const SLAVES: &str =
    "SELECT name, connected, seen_at, info, paused_at, paused_by, pause_reason,
        heard_at
    FROM slave
    WHERE position IS NOT NULL ORDER BY position";
