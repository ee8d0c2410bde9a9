//! One load run from its job to its outcome.

mod send;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use podium_domain::load::LoadPoint;
use podium_domain::validity::Reason;
use podium_workload::{Schedule, Workload};
use tokio::task::{JoinSet, LocalSet};

use crate::clock::Clock;
use crate::early_stop::EarlyStop;
use crate::error::Error;
use crate::exchange::{Exchanger, Failure, Limits};
use crate::health::{LoopDelays, thread_cpu_time};
use crate::job::{LoadJob, PROTOCOL_VERSION};
use crate::live::Live;
use crate::margin::counted;
use crate::message::{AgentMessage, LoadReport};
use crate::priority::RaisedPriority;
use crate::prompt_set::prompt_set;
use crate::sample::{FailureClass, RequestSample};
use crate::sample_file::write_samples;
use crate::stop::StopHandle;
use crate::summary::{Measured, summarise};
use crate::telemetry::{End, Monitor};
use crate::transport::{Pool, Target};
use crate::verdict::{Asked, EngineView};

/// Warm-up requests in flight at most, whatever the load.
const MAX_WARMUP_IN_FLIGHT: u32 = 16;

/// What one load run measured, with every request.
#[derive(Debug, Clone)]
pub struct LoadOutcome {
    /// The figures.
    pub report: LoadReport,
    /// One sample for each planned request, in the workload's order; where the workload has sessions, in the order of
    /// their intended starts.
    pub samples: Vec<RequestSample>,
    /// The instant at which the samples' clock reads 0.
    pub started_at: Instant,
}

/// Runs `job` on this thread until it is done or `stop` says so.
///
/// The thread gets an event loop of its own, so that nothing else delays the measurement: call it from a thread that is
/// not already inside one (`std::thread` or a runtime's `spawn_blocking`). `on_message` is called on this thread with
/// [`AgentMessage::WarmingUp`], [`AgentMessage::Started`] and one [`AgentMessage::Tick`] a second; it must not block.
///
/// # Errors
/// When the run cannot take place. A server that answers nothing is no error: its requests are measured as failed.
pub fn run(job: &LoadJob, stop: &StopHandle, mut on_message: impl FnMut(AgentMessage)) -> Result<LoadOutcome, Error> {
    job.validate()?;
    let workload = podium_workload::build(&job.workload)?;
    let seed = &job.workload;
    let mut schedule = Schedule::new(&job.load, &job.arrivals, seed.num_prompts, seed.seed, &seed.measurement_key)?;
    if let Some(duration_s) = job.duration_limit_s.filter(|_| !schedule.closed_loop) {
        schedule.truncate_after(duration_s);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::EventLoop)?;
    // Before the priority is raised, which threads inherit.
    let monitor =
        job.telemetry.as_ref().map(|spec| Monitor::start(spec, &job.base_url, job.ca_file.as_deref())).transpose();
    let monitor = monitor.map_err(Error::EventLoop)?;
    let _priority = RaisedPriority::ask();
    let local = LocalSet::new();
    local.block_on(&runtime, async {
        let pool = Pool::new(Target::resolve(job).await?);
        let load = Rc::new(Load::new(job, workload, schedule, pool, stop.clone()));
        load.warm_up(&mut on_message).await;
        load.measure(job, monitor, &mut on_message).await
    })
}

/// Everything that the tasks of one run share.
struct Load {
    workload: Workload,
    schedule: Schedule,
    pool: Pool,
    stop: StopHandle,
    limits: Limits,
    stream: bool,
    /// Nothing new is sent after this long.
    send_within: Option<Duration>,
    load: LoadPoint,
    samples: RefCell<Vec<Option<RequestSample>>>,
    failures: RefCell<BTreeMap<FailureClass, String>>,
    /// For a measurement that ends once its SLA is out of reach.
    early_stop: Option<RefCell<EarlyStop>>,
}

impl Load {
    fn new(job: &LoadJob, workload: Workload, schedule: Schedule, pool: Pool, stop: StopHandle) -> Self {
        Load {
            samples: RefCell::new(vec![None; schedule.starts_ns.len()]),
            failures: RefCell::default(),
            early_stop: job.end_when_lost.then(|| {
                let planned = schedule.starts_ns.len() as u64;
                RefCell::new(EarlyStop::new(job.sla.clone(), planned, !schedule.closed_loop))
            }),
            limits: Limits {
                total: Duration::from_secs_f64(job.request_timeout_s),
                idle: job.idle_timeout_s.map(Duration::from_secs_f64),
            },
            stream: job.workload.stream,
            send_within: job.duration_limit_s.map(Duration::from_secs_f64),
            load: job.load,
            workload,
            schedule,
            pool,
            stop,
        }
    }

    /// Sends the warm-up requests and forgets what they brought. Whether they succeed does not matter: a server that
    /// cannot answer shows it in the measurement.
    async fn warm_up(self: &Rc<Self>, on_message: &mut impl FnMut(AgentMessage)) {
        let count = self.workload.warmup.len();
        if count == 0 {
            return;
        }
        on_message(AgentMessage::WarmingUp { version: PROTOCOL_VERSION, requests: count as u32 });
        let phase = Phase::new(Clock::starting_at(Instant::now()), Live::new(count as u64));
        let next = Rc::new(Cell::new(0));
        let workers = self.schedule.max_in_flight.unwrap_or(MAX_WARMUP_IN_FLIGHT).min(MAX_WARMUP_IN_FLIGHT);
        let mut tasks = JoinSet::new();
        for _ in 0..workers.min(count as u32) {
            let (load, phase, next) = (Rc::clone(self), Rc::clone(&phase), Rc::clone(&next));
            tasks.spawn_local(async move {
                while let Some(request) = load.workload.warmup.get(next.replace(next.get() + 1)) {
                    let mut sample = RequestSample::default();
                    if load.exchanger(&phase).run(request, &mut sample).await.is_err() && load.stop.is_stopped() {
                        return;
                    }
                }
            });
        }
        join(tasks).await;
    }

    async fn measure(
        self: &Rc<Self>,
        job: &LoadJob,
        monitor: Option<Monitor>,
        on_message: &mut impl FnMut(AgentMessage),
    ) -> Result<LoadOutcome, Error> {
        self.connect_ahead().await;
        if let Some(monitor) = &monitor {
            monitor.begin();
        }
        let planned = self.schedule.starts_ns.len() as u64;
        let live = if self.early_stop.is_some() { Live::watched(planned) } else { Live::new(planned) };
        let phase = Phase::new(Clock::starting_at(Instant::now()), live);
        let clock = phase.clock;
        on_message(AgentMessage::Started {
            version: PROTOCOL_VERSION,
            planned,
            prompt_set_hash: self.workload.prompt_set_hash.clone(),
        });
        let resent_before = self.pool.resent();
        let delays = LoopDelays::default();
        let cpu_before = thread_cpu_time();
        // A task like those that read answers, so that it waits in line with them.
        let mut sampler = tokio::task::spawn_local({
            let delays = delays.clone();
            async move { delays.sample().await }
        });
        let mut on_second = |message| {
            if let AgentMessage::Tick { point, .. } = &message {
                let live = phase.live.borrow();
                self.watch(|early_stop| early_stop.second(point, live.in_flight(), clock.now_ns()));
            }
            on_message(message);
        };
        tokio::select! {
            sent = self.send_all(&phase) => sent?,
            stopped = &mut sampler => stopped.map_err(io::Error::other).flatten().map_err(Error::EventLoop)?,
            () = report_seconds(&phase, &mut on_second) => {}
        }
        sampler.abort();
        let cpu = thread_cpu_time().saturating_sub(cpu_before);
        let ended_ns = clock.now_ns();
        let samples = self.take_samples();
        let telemetry = monitor.and_then(|monitor| monitor.finish(end_of(&samples)));
        let series = phase.live.replace(Live::new(0)).finish(ended_ns);
        let counted = counted(&samples, job.skip_first, job.skip_last);
        let (mut summary, mut notes) = summarise(&Measured {
            samples: counted,
            asked: &self.asked(&samples, resent_before),
            schedule: &self.schedule,
            load: &self.load,
            sla: &job.sla,
            failure_examples: &self.failures.borrow(),
            cpu,
            ended_ns,
            loop_delays_ms: delays.summary_ms(),
            engine: telemetry.as_ref().map(|telemetry| EngineView { telemetry, samples: &samples }),
            stopped_early: self.stop.is_stopped(),
        });
        if let Some(why) = self.lost() {
            summary.validity.explain("stopped_early", Reason { code: "ended_early".to_owned(), text: why });
        }
        summary.prompt_set = Some(prompt_set(&self.workload, &job.workload.measurement_key, counted));
        if counted.len() < samples.len() {
            let text = format!(
                "{} of {} requests, at the ends, are not counted",
                samples.len() - counted.len(),
                samples.len()
            );
            notes.push(Reason { code: "margins".to_owned(), text });
        }
        if let Some(path) = &job.samples_path {
            write_samples(path, &samples)?;
        }
        let report = LoadReport {
            version: PROTOCOL_VERSION,
            summary,
            series,
            notes,
            prompt_set_hash: self.workload.prompt_set_hash.clone(),
            samples_path: job.samples_path.clone(),
            telemetry,
        };
        Ok(LoadOutcome { report, samples, started_at: clock.zero() })
    }

    fn asked(&self, samples: &[RequestSample], resent_before: u32) -> Asked<'_> {
        let planned = samples.iter().map(|sample| sample.index as usize + 1).max().unwrap_or_default();
        Asked {
            requests: self.workload.measured.get(..planned).unwrap_or(&self.workload.measured),
            fresh_prompts: self.workload.fresh_prompts,
            repeated_prompts: self.workload.repeated_prompts,
            resent: self.pool.resent() - resent_before,
        }
    }

    /// Opens the connections that a closed loop or a burst uses at once, so that connecting is not measured. At a rate
    /// connections come as they are needed: engines that give each connection a thread would run out of threads for
    /// connections that carry nothing.
    async fn connect_ahead(self: &Rc<Self>) {
        if self.load.rate_rps().is_some() {
            return;
        }
        let planned = self.schedule.starts_ns.len();
        let wanted = self.schedule.max_in_flight.map_or(planned, |cap| planned.min(cap as usize));
        let mut tasks = JoinSet::new();
        for _ in self.pool.idle_count()..wanted {
            let load = Rc::clone(self);
            tasks.spawn_local(async move {
                // A failure here shows again, and is counted, when a request needs the connection.
                if let Ok(connection) = load.pool.open(load.limits.total).await {
                    load.pool.put_back(connection);
                }
            });
        }
        tokio::select! {
            () = join(tasks) => {}
            () = self.stop.stopped() => {}
        }
    }

    /// Shows something to the early stop, where there is one, and ends the run if it is lost by that.
    fn watch(&self, see: impl FnOnce(&mut EarlyStop)) {
        let Some(early_stop) = self.early_stop.as_ref().filter(|_| !self.stop.is_stopped()) else { return };
        see(&mut early_stop.borrow_mut());
        if early_stop.borrow().lost().is_some() {
            self.stop.stop();
        }
    }

    /// Why the run was ended before its last request, where it was not asked to stop.
    fn lost(&self) -> Option<String> {
        self.early_stop.as_ref()?.borrow().lost().map(str::to_owned)
    }

    fn exchanger<'a>(&'a self, phase: &'a Phase) -> Exchanger<'a> {
        Exchanger {
            pool: &self.pool,
            clock: phase.clock,
            limits: self.limits,
            stream: self.stream,
            stop: &self.stop,
            live: &phase.live,
        }
    }

    fn keep_example(&self, failure: Failure) {
        self.failures.borrow_mut().entry(failure.class).or_insert(failure.detail);
    }

    /// A sample for each planned request; those that were never sent are cancelled ones without times.
    fn take_samples(&self) -> Vec<RequestSample> {
        let samples = self.samples.take();
        let mut complete = Vec::with_capacity(samples.len());
        for (index, sample) in samples.into_iter().enumerate() {
            complete.push(sample.unwrap_or_else(|| {
                self.keep_example(Failure::cancelled("the run was stopped before the request was sent"));
                RequestSample {
                    index: index as u32,
                    scheduled_at_ns: self.schedule.starts_ns.get(index).copied().unwrap_or_default(),
                    failure: Some(FailureClass::Cancelled),
                    ..RequestSample::default()
                }
            }));
        }
        if self.workload.measured.iter().any(|request| request.session.is_some()) {
            complete.sort_by_key(|sample| (sample.scheduled_at_ns, sample.index));
        }
        complete
    }
}

/// What the engine should have counted of these.
fn end_of(samples: &[RequestSample]) -> End {
    let tokens: Vec<u64> = samples.iter().filter_map(|sample| sample.output_tokens.map(u64::from)).collect();
    End {
        answered: samples.iter().filter(|sample| sample.first_token_at_ns.is_some()).count() as u64,
        output_tokens: (!tokens.is_empty()).then(|| tokens.iter().sum()),
    }
}

/// The clock and the counters of the warm-up or of the measurement.
struct Phase {
    clock: Clock,
    live: RefCell<Live>,
}

impl Phase {
    fn new(clock: Clock, live: Live) -> Rc<Self> {
        Rc::new(Phase { clock, live: RefCell::new(live) })
    }
}

/// Reports each second when it is over; never returns.
async fn report_seconds(phase: &Phase, on_message: &mut impl FnMut(AgentMessage)) {
    for second in 1u64.. {
        tokio::time::sleep_until(phase.clock.instant(second * 1_000_000_000).into()).await;
        let (points, counters) = {
            let mut live = phase.live.borrow_mut();
            let points = live.close_seconds(phase.clock.now_ns()).to_vec();
            (points, live.counters())
        };
        for point in points {
            on_message(AgentMessage::Tick { point, counters });
        }
    }
}

/// Waits for every task.
async fn join(mut tasks: JoinSet<()>) {
    while let Some(ended) = tasks.join_next().await {
        unwind_if_panicked(ended);
    }
}

/// A panic in a task is a panic of the run, never a missing sample.
fn unwind_if_panicked(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && let Ok(panic) = error.try_into_panic()
    {
        std::panic::resume_unwind(panic);
    }
}
