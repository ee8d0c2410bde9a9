//! The little that a ranking of very many rows has to hold of each one.

use std::sync::Arc;

use super::{Contender, Preference, RankKey};
use crate::load::LoadMode;
use crate::row::{ResultRow, RowStatus};

/// A row's place in a comparison: a row takes kilobytes, this takes some two hundred bytes, so that a million of them
/// fit.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The framework's id.
    pub framework: Arc<str>,
    /// The scenario's name.
    pub scenario: Arc<str>,
    /// The candidate's id.
    pub candidate_id: Box<str>,
    /// How the candidate ended.
    pub status: RowStatus,
    /// The row's place in the order.
    pub key: RankKey,
    /// Why the row cannot be selected; `None` where it can.
    pub not_selected_reason: Option<Box<str>>,
    load_mode: Option<LoadMode>,
    is_measured: bool,
    is_simulated: bool,
}

impl Standing {
    /// The standing of `row`. `shared` gives equal names one place in memory.
    pub fn of(row: &ResultRow, preference: Preference, mut shared: impl FnMut(&str) -> Arc<str>) -> Self {
        Standing {
            framework: shared(&row.framework),
            scenario: shared(row.scenario()),
            candidate_id: row.candidate_id.as_str().into(),
            status: row.status.clone(),
            key: RankKey::of(row, preference),
            not_selected_reason: row.not_selected_reason().map(String::into_boxed_str),
            load_mode: row.load_mode(),
            is_measured: row.is_measured(),
            is_simulated: row.is_simulated(),
        }
    }

    /// Whether a simulated engine made the figures.
    pub fn is_simulated(&self) -> bool {
        self.is_simulated
    }
}

impl Contender for Standing {
    fn framework(&self) -> &str {
        &self.framework
    }

    fn scenario(&self) -> &str {
        &self.scenario
    }

    fn load_mode(&self) -> Option<LoadMode> {
        self.load_mode
    }

    fn is_measured(&self) -> bool {
        self.is_measured
    }

    /// A row is selectable exactly where nothing speaks against it.
    fn is_selectable(&self) -> bool {
        self.not_selected_reason.is_none()
    }
}
