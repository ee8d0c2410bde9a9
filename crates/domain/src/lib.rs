//! What a serving benchmark is, exactly: frameworks and their knobs, plans, candidates, load points,
//! metrics, validity, result rows, ranking and the report model.
//!
//! Everything here is a pure value or a pure function; the crate builds for the browser as well.

pub mod framework;
pub mod knobs;

pub mod command_flags;
pub mod flags;

pub mod lengths;

pub mod plan;

pub mod form;

pub mod sla;

pub mod load;
pub mod load_search;

pub mod candidate;

pub mod options_file;

pub mod stats;

pub mod measure;
pub mod profile;

pub mod validity;

pub mod status;

pub mod telemetry;

pub mod bootstrap;
pub mod confidence;
pub mod isotonic;
pub mod search_curve;

pub mod row;

pub mod fairness;

pub mod ranking;

pub mod report;
