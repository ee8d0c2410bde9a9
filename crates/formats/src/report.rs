//! Writers of reports: Markdown, CSV, JSON and one self-contained HTML file, all from one model.

mod confidence;
mod csv;
mod curves;
mod document;
mod html;
mod json;
mod markdown;
mod tables;

pub use csv::{csv, table_csv};
pub(crate) use csv::{csv_fields, csv_header};
pub use html::{Figure, html};
pub use json::{ShortAnswer, compare_json, json};
pub use markdown::markdown;

#[cfg(test)]
mod tests;
