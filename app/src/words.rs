//! The words and icons of states. The icon comes from the class, the word stands beside it.

use podium_domain::status::{CandidateStatus, LaunchState, MeasurementStatus, RunStatus};

/// How a state looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// The word.
    pub word: &'static str,
    /// The class of the style sheet, which brings icon and colour.
    pub class: &'static str,
}

const fn look(word: &'static str, class: &'static str) -> Look {
    Look { word, class }
}

/// How a run's status looks.
#[must_use]
pub const fn run(status: RunStatus) -> Look {
    match status {
        RunStatus::Queued => look("queued", "status"),
        RunStatus::Running => look("running", "status status-active"),
        RunStatus::Cancelling => look("cancelling", "status status-warn"),
        RunStatus::Cancelled => look("cancelled", "status status-warn"),
        RunStatus::Completed => look("completed", "status status-ok"),
        RunStatus::Failed => look("failed", "status status-bad"),
    }
}

/// How a candidate's status looks.
#[must_use]
pub const fn candidate(status: CandidateStatus) -> Look {
    match status {
        CandidateStatus::Pending => look("pending", "status"),
        CandidateStatus::Running => look("running", "status status-active"),
        CandidateStatus::Ok => look("ok", "status status-ok"),
        CandidateStatus::Failed => look("failed", "status status-bad"),
        CandidateStatus::Oom => look("out of memory", "status status-bad"),
        CandidateStatus::Timeout => look("timed out", "status status-bad"),
        CandidateStatus::Skipped => look("skipped", "status status-warn"),
    }
}

/// How a measurement looks: whether it held the SLA decides once it is done.
#[must_use]
pub const fn measurement(status: MeasurementStatus, sla_passed: Option<bool>) -> Look {
    match (status, sla_passed) {
        (MeasurementStatus::Pending, _) => look("pending", "status"),
        (MeasurementStatus::Measuring, _) => look("measuring", "status status-active"),
        (MeasurementStatus::Done, Some(false)) => look("misses the SLA", "status status-warn"),
        (MeasurementStatus::Done, Some(true)) => look("holds the SLA", "status status-ok"),
        (MeasurementStatus::Done, None) => look("done", "status status-ok"),
        (MeasurementStatus::Failed, _) => look("failed", "status status-bad"),
        (MeasurementStatus::Skipped, _) => look("skipped", "status status-warn"),
    }
}

/// Whether the load generator is at work on it.
#[must_use]
pub const fn is_being_taken(status: MeasurementStatus) -> bool {
    matches!(status, MeasurementStatus::Measuring)
}

/// Whether nothing will change about it any more.
#[must_use]
pub const fn is_settled(status: MeasurementStatus) -> bool {
    matches!(status, MeasurementStatus::Done | MeasurementStatus::Failed | MeasurementStatus::Skipped)
}

/// Whether the engine is gone, so that its log is complete.
#[must_use]
pub const fn launch_is_over(state: LaunchState) -> bool {
    matches!(state, LaunchState::Stopped | LaunchState::Failed)
}
