//! The curves of a run: what its rates gave, and where the SLA stops holding.

use podium_domain::load::LoadMode;
use podium_domain::measure::Summary;
use podium_domain::search_curve::{CurvePoint, Probe, SearchCurve, SlaPoint, keeps_up};
use podium_domain::sla::Sla;
use podium_loadgen::{RequestSample, read_from};
use podium_store::Measurement;

use super::Halt;
use super::run_task::RunTask;
use super::second_pass::FIRST_PASS;

impl RunTask<'_> {
    /// Whether a measurement can be an answer of a search: it is not invalid, holds the SLA and, at a searched rate, the
    /// server kept up.
    pub(super) fn passes(&self, measurement: &Measurement, summary: &Summary) -> bool {
        let searched = measurement.load_point.rate_rps().filter(|_| measurement.load_mode == LoadMode::RateSearch);
        summary.validity.may_win()
            && self.plan.sla.holds(summary, measurement.load_point.is_open_loop())
            && searched.is_none_or(|rate_rps| keeps_up(summary, rate_rps))
    }

    /// The curve of every candidate in every scenario that was measured at several rates or searched.
    pub(super) async fn search_curves(&self) -> Result<Vec<SearchCurve>, Halt> {
        let measurements = self.store().measurements(self.run.id).await?;
        let mut curves = Vec::new();
        for candidate in self.store().candidates(self.run.id).await? {
            for scenario in &self.plan.dataset.scenarios {
                // The second pass has one point of a curve again and again.
                let here = measurements.iter().filter(|m| {
                    m.candidate_id == candidate.id && m.scenario == scenario.name && m.repeat == FIRST_PASS
                });
                let at_rates: Vec<_> = here.filter(|m| m.load_point.rate_rps().is_some()).collect();
                let searched = at_rates.iter().any(|m| m.load_mode == LoadMode::RateSearch);
                let mut curve = SearchCurve {
                    framework: candidate.framework.id().to_owned(),
                    candidate_id: candidate.candidate_id.clone(),
                    scenario: scenario.name.clone(),
                    points: at_rates.iter().filter_map(|m| self.point(m)).collect(),
                    sla_point: None,
                };
                curve.points.sort_by(|a, b| a.rate_rps.total_cmp(&b.rate_rps));
                if searched {
                    curve.sla_point = SlaPoint::find(&self.probes(&at_rates).await?, self.plan.dataset.seed);
                }
                if searched && !curve.points.is_empty() || curve.points.len() > 1 {
                    curves.push(curve);
                }
            }
        }
        Ok(curves)
    }

    fn point(&self, measurement: &Measurement) -> Option<CurvePoint> {
        let summary = measurement.summary.as_ref()?;
        let early = summary.validity.reasons().iter().find(|reason| reason.code == "ended_early");
        Some(CurvePoint {
            rate_rps: measurement.load_point.rate_rps()?,
            achieved_rps: summary.request_throughput,
            p50_ttft_ms: summary.user_ttft_ms.as_ref().map(|ttft| ttft.p50),
            pass_share: summary
                .goodput_rps
                .map(|rps| (rps * summary.duration_s / summary.planned.max(1) as f64).min(1.0)),
            holds: self.passes(measurement, summary),
            ended_early: early.map(|reason| reason.text.clone()),
        })
    }

    async fn probes(&self, measurements: &[&Measurement]) -> Result<Vec<Probe>, Halt> {
        let mut probes = Vec::new();
        for measurement in measurements {
            let (Some(summary), Some(rate_rps)) = (&measurement.summary, measurement.load_point.rate_rps()) else {
                continue;
            };
            let Some(stored) = self.store().samples(measurement.id).await? else { continue };
            let Ok(samples) = read_from(&mut stored.bytes.as_slice()) else { continue };
            probes.push(Probe {
                offered_rps: offered_rps(&samples).unwrap_or(rate_rps),
                holds: self.passes(measurement, summary),
                limits: limits(&self.plan.sla, &samples),
            });
        }
        Ok(probes)
    }
}

/// The rate at which the schedule's arrivals really came.
fn offered_rps(samples: &[RequestSample]) -> Option<f64> {
    let last_ns = samples.iter().map(|sample| sample.scheduled_at_ns).max()?;
    (last_ns > 0).then(|| samples.len() as f64 * 1e9 / last_ns as f64)
}

/// Each latency limit with what the answered requests measured.
fn limits(sla: &Sla, samples: &[RequestSample]) -> Vec<(f64, Vec<f64>)> {
    let ms = |ns: Option<u64>| ns.map(|ns| ns as f64 / 1e6);
    let measured = |of: &dyn Fn(&RequestSample) -> Option<f64>| -> Vec<f64> {
        samples.iter().filter(|sample| sample.is_complete()).filter_map(of).collect()
    };
    let all = [
        (sla.max_p50_ttft_ms, measured(&|sample| ms(sample.user_ttft_ns()))),
        (sla.max_p50_tpot_ms, measured(&RequestSample::tpot_ms)),
        (sla.max_p50_e2e_ms, measured(&|sample| ms(sample.e2e_ns()))),
    ];
    all.into_iter().filter_map(|(limit, values)| Some((limit?, values))).collect()
}
