//! Builds by their place from the end.

use rusqlite::{OptionalExtension, params};

use crate::model::{BuildNumber, BuilderName};
use crate::store::StoreError;
use crate::store::column::{Col, int};
use crate::store::state::State;

/// A build counted from the newest one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FromEnd {
    /// The newest that was no try.
    Last,
    /// So many before the end, 1 being the newest of all.
    Back(u32),
}

/// Which builds count.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Among {
    /// All.
    All,
    /// Those that have ended.
    Finished,
    /// Those that run.
    Running,
}

impl State {
    /// The number of a build, counted from the newest of those that count.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn build_from_end(
        &self,
        builder: &BuilderName,
        place: FromEnd,
        among: Among,
    ) -> Result<Option<BuildNumber>, StoreError> {
        self.read(|conn| {
            let is_finished = match among {
                Among::All => None,
                Among::Finished => Some(true),
                Among::Running => Some(false),
            };
            let (tries_count, skip) = match place {
                FromEnd::Last => (false, 0),
                FromEnd::Back(place) => (true, place.saturating_sub(1)),
            };
            let of = params![builder.as_str(), is_finished, tries_count, int(skip.into())];
            conn.prepare_cached(FROM_END)?
                .query_row(of, |row| Ok(row.get::<_, Col<_>>(0)?.0))
                .optional()
        })
    }
}

pub(super) const FROM_END: &str = "SELECT b.number FROM build b
    WHERE b.builder = ?1 AND (?2 IS NULL OR (b.finished_at IS NOT NULL) = ?2)
        AND (?3 OR NOT EXISTS (SELECT 1 FROM request r JOIN patch p ON p.build_set = r.build_set
            WHERE r.id = b.requests ->> 0))
    ORDER BY b.number DESC LIMIT 1 OFFSET ?4";
