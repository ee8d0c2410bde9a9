//! Podium's outer formats: plans as YAML, help texts of servers, result rows, report writers.

pub mod cookbook;

pub mod help;

pub mod knob_docs;

pub mod plan;

pub mod rows;

pub mod import;

pub mod deploy;

pub mod report;

#[cfg(test)]
mod test_support;
