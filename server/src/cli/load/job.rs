//! What `podium load` asks of the load generator.

use std::collections::BTreeMap;

use podium_domain::load::LoadPoint;
use podium_loadgen::LoadJob;
use podium_workload::{
    Arrivals, DatasetSpec, TextCalibration, WorkloadSpec, measurement_key, read_trace, trace_at_rate,
};

use super::LoadArgs;

impl LoadArgs {
    /// Whether several loads are measured, one after another.
    pub(super) fn is_sweep(&self) -> bool {
        !self.sweep_rate.is_empty() || !self.sweep_concurrency.is_empty()
    }

    /// What to measure, in order: one job, or one for each load of a sweep.
    pub(super) fn jobs(&self) -> anyhow::Result<Vec<LoadJob>> {
        let arrivals = self.arrivals()?;
        let max_concurrency = self.max_concurrency;
        let rates = self.sweep_rate.iter().map(|&rate_rps| LoadPoint::Rate { rate_rps, max_concurrency });
        let in_flight = self.sweep_concurrency.iter().map(|&concurrency| LoadPoint::Concurrency { concurrency });
        let mut loads: Vec<LoadPoint> = rates.chain(in_flight).collect();
        if loads.is_empty() {
            loads.push(self.load(&arrivals));
        }
        loads.into_iter().map(|load| self.job(load, arrivals.clone())).collect()
    }

    fn job(&self, load: LoadPoint, arrivals: Arrivals) -> anyhow::Result<LoadJob> {
        let (protocol, endpoint) = self.endpoint;
        let workload = WorkloadSpec {
            protocol,
            warmup_requests: self.warmup,
            seed: self.seed,
            measurement_key: measurement_key("load", &load, 0),
            stream: !self.no_stream,
            extra_request_body: self.extra_request_body.clone().unwrap_or_default(),
            shape: self.shape.prompt_shape(),
            tokenizer: self.tokenizer.clone(),
            ..WorkloadSpec::new(self.dataset()?, endpoint, self.model.clone(), self.count(load, &arrivals))
        };
        Ok(LoadJob {
            ca_file: self.ca.clone(),
            http2: self.http2,
            api_key_env: self.api_key_env.clone(),
            headers: self.header.iter().cloned().collect::<BTreeMap<_, _>>(),
            arrivals,
            duration_limit_s: self.duration,
            skip_first: self.skip_first,
            skip_last: self.skip_last,
            request_timeout_s: self.request_timeout,
            idle_timeout_s: self.idle_timeout,
            telemetry: self.telemetry.spec(&self.base_url),
            ..LoadJob::new(self.base_url.clone(), workload, load)
        })
    }

    fn arrivals(&self) -> anyhow::Result<Arrivals> {
        Ok(match (&self.trace, self.burstiness, self.ramp_from) {
            (Some(path), _, _) => {
                let starts_s = read_trace(path)?;
                let count = self.num_prompts.unwrap_or(u32::MAX);
                Arrivals::Trace {
                    starts_s: match self.trace_rate {
                        Some(rate_rps) => trace_at_rate(&starts_s, count, rate_rps),
                        None => starts_s,
                    },
                }
            }
            (None, Some(burstiness), _) => Arrivals::Gamma { burstiness },
            (None, None, Some(from_rps)) => Arrivals::Ramp { from_rps },
            (None, None, None) if self.constant => Arrivals::Constant,
            (None, None, None) => Arrivals::Poisson,
        })
    }

    fn load(&self, arrivals: &Arrivals) -> LoadPoint {
        let max_concurrency = self.max_concurrency;
        match (arrivals, self.rate, self.concurrency) {
            (Arrivals::Trace { starts_s }, _, _) => {
                LoadPoint::Rate { rate_rps: mean_rate_rps(starts_s), max_concurrency }
            }
            (_, Some(rate_rps), _) => LoadPoint::Rate { rate_rps, max_concurrency },
            (_, None, Some(concurrency)) => LoadPoint::Concurrency { concurrency },
            (_, None, None) => LoadPoint::Burst { max_concurrency },
        }
    }

    fn dataset(&self) -> anyhow::Result<DatasetSpec> {
        match (&self.dataset, self.input_len, self.output_len) {
            (Some(path), _, _) => Ok(DatasetSpec::File { path: path.clone() }),
            (None, Some(input_len), Some(output_len)) => Ok(DatasetSpec::Random {
                input_len,
                output_len,
                vocab_size: None,
                prompt_form: None,
                text_calibration: TextCalibration::default(),
            }),
            (None, _, _) => {
                anyhow::bail!("name the lengths with --input-len and --output-len, or a file with --dataset")
            }
        }
    }

    /// A rate for a duration says how many requests there are; a trace does, too. A load of a sweep has enough of them for
    /// its requests in flight to be told.
    fn count(&self, load: LoadPoint, arrivals: &Arrivals) -> u32 {
        match (arrivals, load, self.duration) {
            (Arrivals::Trace { starts_s }, _, _) => {
                self.num_prompts.unwrap_or_else(|| u32::try_from(starts_s.len()).unwrap_or(u32::MAX))
            }
            (_, LoadPoint::Rate { rate_rps, .. }, Some(seconds)) => {
                (arrivals.mean_rps(rate_rps) * seconds).ceil().clamp(1.0, f64::from(u32::MAX)) as u32
            }
            (_, LoadPoint::Concurrency { concurrency }, _) if self.is_sweep() => {
                self.num_prompts.unwrap_or(DEFAULT_NUM_PROMPTS.max(concurrency.saturating_mul(ROUNDS)))
            }
            _ => self.num_prompts.unwrap_or(DEFAULT_NUM_PROMPTS),
        }
    }
}

/// Requests to send where nothing says how many.
const DEFAULT_NUM_PROMPTS: u32 = 80;

/// Requests for each one in flight, in a sweep where nothing says how many.
const ROUNDS: u32 = 4;

/// The mean rate of a trace, which names its measurement; 1 where all of it starts at once.
fn mean_rate_rps(starts_s: &[f64]) -> f64 {
    let span_s = starts_s.last().zip(starts_s.first()).map_or(0.0, |(last, first)| last - first);
    if span_s > 0.0 { (starts_s.len() as f64 - 1.0) / span_s } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Load {
        #[command(flatten)]
        args: LoadArgs,
    }

    /// The loads and counts of requests that these options ask for.
    fn jobs(options: &str) -> Vec<(String, u32)> {
        let line = format!("load --base-url http://127.0.0.1:1 --model m --input-len 8 --output-len 8 {options}");
        let args = Load::try_parse_from(line.split(' ')).unwrap_or_else(|error| panic!("{error}")).args;
        let jobs = args.jobs().unwrap();
        jobs.iter().map(|job| (job.load.key(), job.workload.num_prompts)).collect()
    }

    fn counts(expected: &[(&str, u32)]) -> Vec<(String, u32)> {
        expected.iter().map(|(key, count)| ((*key).to_owned(), *count)).collect()
    }

    #[test]
    fn a_sweep_is_one_job_for_each_load() {
        assert_eq!(jobs("--rate 4 --duration 30s"), counts(&[("rate=4", 120)]));
        let rates = counts(&[("rate=1,cap=9", 10), ("rate=2.5,cap=9", 25)]);
        assert_eq!(jobs("--sweep-rate 1,2.5 --max-concurrency 9 --duration 10"), rates);
        assert_eq!(jobs("--sweep-concurrency 1,64"), counts(&[("concurrency=1", 80), ("concurrency=64", 256)]));
        let fixed = counts(&[("concurrency=1", 100), ("concurrency=64", 100)]);
        assert_eq!(jobs("--sweep-concurrency 1,64 --num-prompts 100"), fixed);
        assert_eq!(jobs("--sweep-rate 1,2 --constant")[1].0, "rate=2");
    }

    #[test]
    fn every_load_of_a_sweep_has_prompts_of_its_own() {
        let line = "load --base-url http://127.0.0.1:1 --model m --input-len 8 --output-len 8 --sweep-rate 1,2";
        let jobs = Load::try_parse_from(line.split(' ')).unwrap().args.jobs().unwrap();
        assert_ne!(jobs[0].workload.measurement_key, jobs[1].workload.measurement_key);
    }

    #[test]
    fn options_that_do_not_fit_the_load_are_refused() {
        for refused in [
            "--sweep-rate 1,2 --rate 4",
            "--sweep-rate 1,2 --sweep-concurrency 4",
            "--sweep-rate 0",
            "--sweep-rate ,",
            "--sweep-concurrency 0,1",
            "--sweep-concurrency 2 --constant",
            "--sweep-concurrency 2 --max-concurrency 4",
            "--sweep-rate 1,2 --requests all.jsonl",
            "--sweep-rate 1,2 --json - --format vllm",
            "--sweep-rate 1,2 --ramp-from 1",
            "--concurrency 2 --ramp-from 1",
            "--rate 2 --trace-rate 1",
        ] {
            let line = format!("load --base-url u --model m --input-len 8 --output-len 8 {refused}");
            assert!(Load::try_parse_from(line.split(' ')).is_err(), "{refused}");
        }
    }

    #[test]
    fn a_trace_has_the_rate_of_its_span() {
        assert_eq!(mean_rate_rps(&[1.0, 1.5, 3.0]), 1.0);
        assert_eq!(mean_rate_rps(&[1.0]), 1.0);
    }
}
