//! Tests in quarantine (FLK-07).

use rusqlite::{Connection, params};

use crate::model::{BuilderName, QuarantineOp};

pub(super) fn changed(conn: &Connection, op: &QuarantineOp) -> rusqlite::Result<usize> {
    let name = |builder: &Option<BuilderName>| {
        let builder = builder.as_ref().map(BuilderName::as_str);
        builder.unwrap_or_default().to_owned()
    };
    match op {
        QuarantineOp::Begun(new) => conn.prepare_cached(BEGIN)?.execute(params![
            new.test.as_stored(),
            name(&new.builder),
            new.owner,
            new.reason,
            new.until.0,
            new.by,
            new.at.0
        ]),
        QuarantineOp::Ended { test, builder } => {
            let of = params![test.as_stored(), name(builder)];
            conn.prepare_cached(END)?.execute(of)?;
            Ok(1)
        }
        QuarantineOp::Told { test, builder } => {
            let of = params![test.as_stored(), name(builder)];
            conn.prepare_cached(TOLD)?.execute(of)?;
            Ok(1)
        }
    }
}

const BEGIN: &str = "INSERT OR REPLACE INTO quarantine
        (name, builder, owner, reason, until, set_by, set_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const TOLD: &str = "UPDATE quarantine SET told = 1 WHERE name = ?1 AND builder = ?2";
const END: &str = "DELETE FROM quarantine WHERE name = ?1 AND builder = ?2";
