//! What became of a set.

use rusqlite::Connection;

use super::super::column::int;
use super::requests::{request_columns, request_of};
use super::{BuildRow, RequestRow, build};
use crate::model::SetId;

/// The requests of a set, each with the build that serves or served it.
///
/// # Errors
/// The state cannot be read.
pub fn requests_of_set(
    conn: &Connection,
    set: SetId,
) -> rusqlite::Result<Vec<(RequestRow, Option<BuildRow>)>> {
    let mut select = conn.prepare_cached(REQUESTS)?;
    let requests = select.query_map([int(set.0)], request_of)?;
    let with_build = |request: rusqlite::Result<RequestRow>| {
        let request = request?;
        let build = match request.build {
            Some(number) => build(conn, &request.builder, number)?,
            None => None,
        };
        Ok((request, build))
    };
    requests.map(with_build).collect()
}

const REQUESTS: &str = concat!(
    request_columns!(),
    "
    FROM request r JOIN build_set s ON s.id = r.build_set
    WHERE r.build_set = ?1 ORDER BY r.id"
);
