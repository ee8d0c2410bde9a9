//! Parts that several pages share. All are rendered on the server alone.

mod command;
mod empty_state;
mod form_parts;
mod imported;
mod loaded;
mod logs;
mod marks;
mod matrix;
mod moment;
mod navigation;
mod plan;
mod preflight;
mod report;
mod review;
mod run_head;
mod scroll_table;

pub use command::Command;
use command::words as command_words;
pub use empty_state::EmptyState;
pub use form_parts::{TextField, problem_at, refusal, respond_with, role_choice};
pub use imported::imported_run;
pub use loaded::loaded;
pub use logs::{launches, logs};
pub use marks::{FrameworkMark, Labels, StatusMark};
pub use matrix::matrix;
pub use moment::Moment;
pub(crate) use navigation::is_shared;
pub use navigation::{Crumbs, RunTab, RunTabs, SideRail, SkipLink};
pub use plan::{candidates, form, leave_out, plan_view, problems, start_note};
pub use preflight::preflight;
pub use report::{chart_figures, report_body, trend_figures};
pub use review::{review, tag_links};
pub use run_head::{run_head, run_state};
pub use scroll_table::ScrollTable;
