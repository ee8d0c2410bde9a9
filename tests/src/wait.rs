//! Waiting for something to become true, with a bound.

use std::time::Duration;

/// So long is waited at most. Far more than anything takes: it only turns a hang into a failure.
const BOUND: Duration = Duration::from_secs(180);

/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(20);

/// Waits until `look` finds something, and gives it.
///
/// # Panics
/// When it does not; `what` says what was waited for.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let found = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(INTERVAL).await;
        }
    };
    match tokio::time::timeout(BOUND, found).await {
        Ok(found) => found,
        Err(_) => panic!("waited {} s in vain until {what}", BOUND.as_secs()),
    }
}
