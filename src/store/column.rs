//! How our values look as SQLite values.

use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use serde::{Serialize, de::DeserializeOwned};

use crate::model::{
    BuildId, BuildNumber, BuilderName, ChangeNumber, ProblemNumber, RequestId, Results,
    SchedulerName, SearchNumber, SetId, SlaveName, SourceName, Timestamp,
};

/// A column that holds JSON text.
pub(super) struct Json<T>(pub(super) T);

impl<T: Serialize> ToSql for Json<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let text = serde_json::to_string(&self.0)
            .map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))?;
        Ok(text.into())
    }
}

impl<T: DeserializeOwned> FromSql for Json<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let mut reader = serde_json::Deserializer::from_str(value.as_str()?);
        // A peer may nest the value of a property as deep as its connection allows, which is
        // bounded but more than serde_json reads by default. What was stored must be readable.
        reader.disable_recursion_limit();
        T::deserialize(&mut reader)
            .map(Self)
            .map_err(FromSqlError::other)
    }
}

/// A number as SQLite keeps it. Ours are counted up from one, so that the limit is out of reach.
pub(super) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number of the state as one of the program; no number of ours is negative.
pub(super) fn whole(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// A column that holds one of our numbers, names, times or results.
pub(super) struct Col<T>(pub(super) T);

macro_rules! numbers {
    ($($id:ident)*) => {$(
        impl FromSql for Col<$id> {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                let number = value.as_i64()?;
                u64::try_from(number)
                    .map(|n| Self($id(n)))
                    .map_err(|_| FromSqlError::OutOfRange(number))
            }
        }
    )*};
}
numbers!(ChangeNumber SetId RequestId BuildId BuildNumber ProblemNumber SearchNumber);

macro_rules! names {
    ($($name:ident)*) => {$(
        impl FromSql for Col<$name> {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                value.as_str().map(|text| Self($name::from(text)))
            }
        }
    )*};
}
names!(BuilderName SchedulerName SlaveName SourceName);

impl FromSql for Col<Timestamp> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_i64().map(|micros| Self(Timestamp(micros)))
    }
}

impl FromSql for Col<Results> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = value.as_i64()?;
        u8::try_from(number)
            .ok()
            .and_then(Results::from_number)
            .map(Self)
            .ok_or(FromSqlError::OutOfRange(number))
    }
}
