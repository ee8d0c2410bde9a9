//! The curves of a run: what its loads gave, and where the SLA stops holding.

use podium_domain::load::LoadPoint;
use podium_domain::measure::Summary;
use podium_domain::search_curve::{CurvePoint, LoadAxis, Probe, SearchCurve, SlaPoint, keeps_up};
use podium_domain::sla::Sla;
use podium_loadgen::{RequestSample, read_from};
use podium_store::Measurement;

use super::Halt;
use super::run_task::RunTask;
use super::second_pass::FIRST_PASS;

impl RunTask<'_> {
    /// Whether a measurement can be an answer of a search: it is not invalid, holds the SLA and, where its load is
    /// searched, that load was really carried.
    pub(super) fn passes(&self, measurement: &Measurement, summary: &Summary) -> bool {
        summary.validity.may_win()
            && self.plan.sla.holds(summary, measurement.load_point.is_open_loop())
            && (!measurement.load_mode.is_search() || is_carried(measurement.load_point, summary))
    }

    /// The curve of every candidate in every scenario that was measured at several rates or numbers in flight, or
    /// searched.
    pub(super) async fn search_curves(&self) -> Result<Vec<SearchCurve>, Halt> {
        let measurements = self.store().measurements(self.run.id).await?;
        let mut curves = Vec::new();
        for candidate in self.store().candidates(self.run.id).await? {
            for scenario in &self.plan.dataset.scenarios {
                for axis in LoadAxis::ALL {
                    // The second pass has one point of a curve again and again.
                    let on_axis = |m: &&Measurement| {
                        m.candidate_id == candidate.id
                            && m.scenario == scenario.name
                            && m.repeat == FIRST_PASS
                            && LoadAxis::of(&m.load_point) == Some(axis)
                    };
                    let measured: Vec<_> = measurements.iter().filter(on_axis).collect();
                    let searched = measured.iter().any(|m| m.load_mode.is_search());
                    let mut curve = SearchCurve {
                        framework: candidate.framework.id().to_owned(),
                        candidate_id: candidate.candidate_id.clone(),
                        scenario: scenario.name.clone(),
                        axis,
                        points: measured.iter().filter_map(|m| self.point(m)).collect(),
                        sla_point: None,
                    };
                    curve.points.sort_by(|a, b| a.load.total_cmp(&b.load));
                    if searched {
                        curve.sla_point = SlaPoint::find(&self.probes(&measured).await?, self.plan.dataset.seed);
                    }
                    if searched && !curve.points.is_empty() || curve.points.len() > 1 {
                        curves.push(curve);
                    }
                }
            }
        }
        Ok(curves)
    }

    fn point(&self, measurement: &Measurement) -> Option<CurvePoint> {
        let summary = measurement.summary.as_ref()?;
        let early = summary.validity.reasons().iter().find(|reason| reason.code == "ended_early");
        let ttft = if measurement.load_point.is_open_loop() { &summary.user_ttft_ms } else { &summary.ttft_ms };
        Some(CurvePoint {
            load: measurement.load_point.level()?,
            achieved_rps: summary.request_throughput,
            output_token_throughput: summary.output_token_throughput,
            p50_ttft_ms: ttft.as_ref().map(|ttft| ttft.p50),
            p50_tpot_ms: summary.tpot_ms.as_ref().map(|tpot| tpot.p50),
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
            let point = measurement.load_point;
            let (Some(summary), Some(level)) = (&measurement.summary, point.level()) else { continue };
            let Some(stored) = self.store().samples(measurement.id).await? else { continue };
            let Ok(samples) = read_from(&mut stored.bytes.as_slice()) else { continue };
            probes.push(Probe {
                load: point.rate_rps().and_then(|_| offered_rps(&samples)).unwrap_or(level),
                holds: self.passes(measurement, summary),
                limits: limits(&self.plan.sla, point.is_open_loop(), &samples),
            });
        }
        Ok(probes)
    }
}

/// Whether a searched load was there and the server carried it.
fn is_carried(point: LoadPoint, summary: &Summary) -> bool {
    match point {
        LoadPoint::Rate { rate_rps, .. } => keeps_up(summary, rate_rps),
        LoadPoint::Concurrency { .. } => {
            summary.validity.reasons().iter().all(|reason| reason.code != "concurrency_not_reached")
        }
        LoadPoint::Burst { .. } => true,
    }
}

/// The rate at which the schedule's arrivals really came.
fn offered_rps(samples: &[RequestSample]) -> Option<f64> {
    let last_ns = samples.iter().map(|sample| sample.scheduled_at_ns).max()?;
    (last_ns > 0).then(|| samples.len() as f64 * 1e9 / last_ns as f64)
}

/// Each latency limit with what the answered requests measured.
fn limits(sla: &Sla, open_loop: bool, samples: &[RequestSample]) -> Vec<(f64, Vec<f64>)> {
    let ms = |ns: Option<u64>| ns.map(|ns| ns as f64 / 1e6);
    let measured = |of: &dyn Fn(&RequestSample) -> Option<f64>| -> Vec<f64> {
        samples.iter().filter(|sample| sample.is_complete()).filter_map(of).collect()
    };
    let all = [
        (sla.max_p50_ttft_ms, measured(&|sample| ms(if open_loop { sample.user_ttft_ns() } else { sample.ttft_ns() }))),
        (sla.max_p50_tpot_ms, measured(&RequestSample::tpot_ms)),
        (sla.max_p50_e2e_ms, measured(&|sample| ms(sample.e2e_ns()))),
    ];
    all.into_iter().filter_map(|(limit, values)| Some((limit?, values))).collect()
}
