//! How the measurements of the frameworks' best rows went, for the report's charts.

use std::collections::HashMap;

use podium_domain::profile::Profile;
use podium_domain::report::Report;
use podium_store::Measurement;

use super::Halt;
use super::run_task::RunTask;

impl RunTask<'_> {
    /// The profile of the best row of each framework in each scenario. Only these are kept: a report of very many
    /// candidates stays small.
    pub(super) async fn profiles(&self, report: &Report) -> Result<Vec<Profile>, Halt> {
        let measurements = self.store().measurements(self.run.id).await?;
        let by_id: HashMap<String, &Measurement> = measurements.iter().map(|m| (m.id.to_string(), m)).collect();
        let best = report.best_by_framework.iter().flat_map(|table| report.rows_of(&table.rows));
        let profile = best.filter_map(|row| {
            let measurement = by_id.get(row.podium.as_ref()?.measurement_id.as_deref()?)?;
            let series = measurement.series.as_deref().unwrap_or_default();
            let names = (row.framework.as_str(), row.candidate_id.as_str(), row.scenario());
            Some(Profile::of(names, measurement.load_point.is_open_loop(), measurement.summary.as_ref()?, series))
        });
        Ok(profile.collect())
    }
}
