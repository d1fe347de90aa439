//! What a culprit search does and costs (SRH-10).

use std::time::Duration;

use super::Search;
use super::searching::{LOOKED_AT, spent};
use crate::config::Config;
use crate::model::{SearchNumber, Timestamp};
use crate::store::{State, StoreError};
use crate::text::duration;
use crate::verdict::most_builds;

/// What a search looks for, and what it has cost so far of what it may (SRH-10), in a sentence,
/// with the time when it began. Absent if there is no such search.
///
/// # Errors
/// The state cannot be read.
pub fn search_in_words(
    state: &State,
    config: &Config,
    (number, now): (SearchNumber, Timestamp),
) -> Result<Option<(Timestamp, String)>, StoreError> {
    let Some(row) = state.search(number)? else {
        return Ok(None);
    };
    let most = most_builds(
        &row.record,
        &state.known_points(&row.record)?,
        &row.points(),
    );
    let builder = row.record.builder.clone();
    let spent = spent(&state.searches(None, LOOKED_AT)?, &builder, now);
    let daily = match row.record.who.as_str() {
        "" => format!(
            ", of at most {} (daily_time)",
            duration(config.search.daily_time)
        ),
        _ => String::new(),
    };
    let search = Search::from(row);
    let sought = if search.seeks_fix { "mended" } else { "broke" };
    let text = format!(
        "culprit search {number} looks for the change that {sought} {} of builder {builder}, one \
         of {} changes after {} up to {}: {} of at most {most} builds so far, with {} of slave \
         time; in 24 hours, searches have had {} of builder {builder}{daily}",
        search.what,
        search.changes,
        search.good,
        search.bad,
        search.builds.len(),
        duration(Duration::from_secs(search.took_secs)),
        duration(spent),
    );
    Ok(Some((search.began_at, text)))
}
