//! What somebody who operates Podium asks of it.

use crate::caller::{Caller, Role};
use crate::error::Result;
use crate::service::Service;

impl Service {
    /// Whether requests can be answered: the database is there.
    ///
    /// # Errors
    /// [`crate::Error::Unavailable`] with the reason, where it is not.
    pub async fn check_ready(&self) -> Result<()> {
        Ok(self.store().ping().await?)
    }

    /// How many runs there are in each status, by the status' word.
    pub async fn run_counts(&self, caller: Caller) -> Result<Vec<(String, i64)>> {
        caller.require(Role::Viewer)?;
        Ok(self.store().run_counts().await?)
    }
}
