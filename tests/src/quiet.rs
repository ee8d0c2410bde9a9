//! The machine to oneself. Podium rejects what a busy machine spoiled, so a test that needs a winner must not measure
//! beside others.

use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

static MACHINE: RwLock<()> = RwLock::const_new(());

/// Held by tests that measure, and do not mind others that do.
pub async fn shared() -> RwLockReadGuard<'static, ()> {
    MACHINE.read().await
}

/// Held by tests that need valid figures.
pub async fn alone() -> RwLockWriteGuard<'static, ()> {
    MACHINE.write().await
}
