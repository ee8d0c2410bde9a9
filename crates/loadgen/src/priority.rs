//! The scheduling priority of the load thread.

use rustix::process::{getpriority_process, setpriority_process};

/// The nice value of a thread that measures.
const MEASURING_NICE: i32 = -10;

/// Lets the calling thread run before others that want the same core, until this is dropped.
///
/// A load thread that shares its cores with an engine needs little time, but it needs it at once: whatever it waits for
/// a core is added to every latency that it reports. Only a privileged user may ask for this; for others nothing
/// changes, and a thread that was kept waiting shows it in the delays of its event loop.
#[derive(Debug)]
pub(crate) struct RaisedPriority {
    previous_nice: Option<i32>,
}

impl RaisedPriority {
    /// Asks for the calling thread (on Linux; for the process elsewhere).
    pub fn ask() -> Self {
        let previous_nice = getpriority_process(None)
            .ok()
            .filter(|nice| *nice > MEASURING_NICE && setpriority_process(None, MEASURING_NICE).is_ok());
        RaisedPriority { previous_nice }
    }
}

impl Drop for RaisedPriority {
    fn drop(&mut self) {
        if let Some(nice) = self.previous_nice {
            // Giving priority back is always allowed.
            let _ = setpriority_process(None, nice);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_priority_comes_back() {
        let before = getpriority_process(None).unwrap();
        let raised = RaisedPriority::ask();
        assert!(getpriority_process(None).unwrap() <= before);
        drop(raised);
        assert_eq!(getpriority_process(None).unwrap(), before);
    }
}
