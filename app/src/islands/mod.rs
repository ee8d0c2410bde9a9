//! What is alive in the browser. Everything else is plain HTML.
//!
//! An island is compiled twice, so its body holds nothing that only one side has, and its first view must not
//! depend on the browser: state kept there is read in an `Effect`.

mod copy_button;
mod live_run;
mod parts;
mod plan_editor;
mod share_form;
mod theme_switch;

pub use copy_button::CopyButton;
pub use live_run::LiveRun;
pub use plan_editor::PlanEditor;
pub use share_form::ShareForm;
pub use theme_switch::{Theme, ThemeSwitch};
