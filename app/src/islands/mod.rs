//! What is alive in the browser. Everything else is plain HTML.
//!
//! An island is compiled twice, so its body holds nothing that only one side has, and its first view must not
//! depend on the browser: state kept there is read in an `Effect`.

mod theme_switch;

pub use theme_switch::{Theme, ThemeSwitch};
