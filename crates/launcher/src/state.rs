//! The states of an engine and the moves between them.

use podium_domain::status::LaunchState;

/// A move that an engine's life does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an engine that is {from} cannot become {to}")]
pub struct IllegalTransition {
    /// The state it is in.
    pub from: LaunchState,
    /// The state that was asked for.
    pub to: LaunchState,
}

/// Whether an engine may go from one state to another.
///
/// `starting → loading → ready → warm → measuring → draining → stopped`, back from `measuring` to `warm` between
/// measurements, past the warm-up where a plan has none, to `draining` from every state in which the process may
/// live, and to `failed` from all of these except `draining`: an end that was asked for is not a failure.
pub fn may_move(from: LaunchState, to: LaunchState) -> bool {
    use LaunchState::{Draining, Failed, Loading, Measuring, Ready, Starting, Stopped, Warm};
    matches!(
        (from, to),
        (Starting, Loading)
            | (Loading, Ready)
            | (Ready, Warm | Measuring)
            | (Warm, Measuring)
            | (Measuring, Warm)
            | (Draining, Stopped)
            | (Starting | Loading | Ready | Warm | Measuring, Draining | Failed)
    )
}

/// Whether the state is one of a process that is expected to live.
pub(crate) fn is_live(state: LaunchState) -> bool {
    !matches!(state, LaunchState::Draining | LaunchState::Stopped | LaunchState::Failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_edge_is_listed_and_there_is_no_other() {
        use LaunchState::*;
        let edges = [
            (Starting, Loading),
            (Starting, Draining),
            (Starting, Failed),
            (Loading, Ready),
            (Loading, Draining),
            (Loading, Failed),
            (Ready, Warm),
            (Ready, Measuring),
            (Ready, Draining),
            (Ready, Failed),
            (Warm, Measuring),
            (Warm, Draining),
            (Warm, Failed),
            (Measuring, Warm),
            (Measuring, Draining),
            (Measuring, Failed),
            (Draining, Stopped),
        ];
        for &from in LaunchState::ALL {
            for &to in LaunchState::ALL {
                assert_eq!(may_move(from, to), edges.contains(&(from, to)), "{from} → {to}");
            }
        }
    }
}
