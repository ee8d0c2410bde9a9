//! Plans as YAML: reading with every problem at once, the form's projection, and edits that keep the text.

mod cautions;
mod context;
mod edit;
mod frameworks;
mod inline;
mod manifest;
mod options_file;
mod problem;
mod project;
mod read;
mod scalar;
mod searches;
mod sequence;
mod shape;
mod splice;
mod starter;
mod tree;
mod values;
mod workload;

#[cfg(test)]
mod tests;

pub(crate) use cautions::is_hopper;
pub use edit::apply;
pub use manifest::{StatedVersion, version_manifest};
pub use options_file::{OptionsCheck, check_options_files, check_tensorrt_options};
pub use problem::{Filled, Problem};
pub use project::project;
pub use read::{LongestRow, PlanReading, Surroundings, read, read_with, read_with_help, strict_problems};
pub use starter::{Starter, blank};
#[cfg(test)]
pub(crate) use tree::parse as parse_tree;
pub(crate) use values::check_against_help;
