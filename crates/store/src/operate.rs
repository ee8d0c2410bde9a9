//! What somebody who operates Podium asks of its database.

use crate::error::Result;
use crate::pool::Store;

impl Store {
    /// How many runs there are in each status, by the status' word; deleted ones are not counted.
    pub async fn run_counts(&self) -> Result<Vec<(String, i64)>> {
        let query = "select status, count(*) from run where deleted_at is null group by status order by status";
        Ok(sqlx::query_as(query).fetch_all(&self.pool).await?)
    }
}
