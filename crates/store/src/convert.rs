//! Between column values and domain types.

use std::fmt::Display;
use std::str::FromStr;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Error, Result};

/// The domain's value of a word, for example of a status.
pub(crate) fn word<T: FromStr<Err: Display>>(column: &'static str, text: &str) -> Result<T> {
    text.parse().map_err(|error: T::Err| Error::Value { column, reason: error.to_string() })
}

/// The domain's value of a JSON column.
pub(crate) fn decode<T: DeserializeOwned>(column: &'static str, value: Value) -> Result<T> {
    serde_json::from_value(value).map_err(|error| Error::Value { column, reason: error.to_string() })
}

/// A domain value as JSON.
pub(crate) fn encode<T: Serialize + ?Sized>(column: &'static str, value: &T) -> Result<Value> {
    serde_json::to_value(value).map_err(|error| Error::Value { column, reason: error.to_string() })
}

/// A JSON value as the text that a `json` column keeps as it is. sqlx sends JSON as `jsonb`, which sorts an object's keys:
/// such values are sent as text and cast (`$1::text::json`).
pub(crate) fn ordered(value: &Value) -> String {
    value.to_string()
}

/// Rows as values; the first one that does not fit is the error.
pub(crate) fn all<R, T: TryFrom<R, Error = Error>>(rows: Vec<R>) -> Result<Vec<T>> {
    rows.into_iter().map(T::try_from).collect()
}
