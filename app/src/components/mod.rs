//! Parts that several pages share. All are rendered on the server alone.

mod empty_state;
mod navigation;

pub use empty_state::EmptyState;
pub use navigation::{SideRail, SkipLink};
